//! What the controllers see of the cluster: one watch a kind, and only what they read.

mod index;
mod pod;
mod tolerations;

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Namespace, NamespaceCondition, Node, NodeCondition, Pod, Taint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta_v1;
use kube::runtime::watcher;
use kube::{Api, Client};
use parking_lot::Mutex;
use wk_api::LabelSelector;
use wk_api::names::{NamespacedName, Uid};
use wk_client::{Decode, Informer, Leadership};
use wk_process::TaskGroup;

use crate::meta::Owner;
use index::Index;
pub(crate) use pod::{JobPod, Phase, PodNetwork, PodView};

/// For how many seconds the kubelet of a node may keep what it has read.
pub(crate) const TTL_ANNOTATION: &str = "node.alpha.kubernetes.io/ttl";

/// A namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct NamespaceView {
    pub(crate) uid: Option<String>,
    pub(crate) is_terminating: bool,
    /// `spec.finalizers`.
    pub(crate) finalizers: Vec<String>,
    pub(crate) conditions: Vec<NamespaceCondition>,
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct NodeView {
    pub(crate) name: String,
    pub(crate) uid: Option<String>,
    pub(crate) resource_version: Option<String>,
    pub(crate) created: Option<Timestamp>,
    pub(crate) labels: std::collections::BTreeMap<String, String>,
    pub(crate) pod_cidr: Option<String>,
    pub(crate) is_unschedulable: bool,
    pub(crate) taints: Vec<Taint>,
    pub(crate) conditions: Vec<NodeCondition>,
    /// For how many seconds its kubelet may keep what it has read.
    pub(crate) ttl: Option<Box<str>>,
}

/// An object and the selector it has, read once.
#[derive(Clone, Debug)]
pub(crate) struct Selecting<K> {
    pub(crate) object: K,
    pub(crate) selector: LabelSelector,
}

impl NamespaceView {
    fn of(namespace: Namespace) -> Self {
        Self {
            uid: namespace.metadata.uid,
            is_terminating: namespace.metadata.deletion_timestamp.is_some(),
            finalizers: namespace.spec.and_then(|spec| spec.finalizers).unwrap_or_default(),
            conditions: namespace.status.and_then(|status| status.conditions).unwrap_or_default(),
        }
    }
}

impl NodeView {
    pub(crate) fn of(node: Node) -> Self {
        let spec = node.spec.unwrap_or_default();
        let mut annotations = node.metadata.annotations.unwrap_or_default();
        Self {
            ttl: annotations.remove(TTL_ANNOTATION).map(Into::into),
            name: node.metadata.name.unwrap_or_default(),
            uid: node.metadata.uid,
            resource_version: node.metadata.resource_version,
            created: node.metadata.creation_timestamp.map(|time| time.0),
            labels: node.metadata.labels.unwrap_or_default(),
            pod_cidr: spec.pod_cidr.filter(|cidr| !cidr.is_empty()),
            is_unschedulable: spec.unschedulable.unwrap_or(false),
            taints: spec.taints.unwrap_or_default(),
            conditions: node.status.and_then(|status| status.conditions).unwrap_or_default(),
        }
    }
}

/// The selector of an object as a matcher; one that cannot be read selects nothing.
pub(crate) fn selector(selector: Option<&meta_v1::LabelSelector>) -> LabelSelector {
    let Some(selector) = selector else { return LabelSelector::nothing() };
    serde_json::to_value(selector)
        .ok()
        .and_then(|value| LabelSelector::from_json(&value).ok())
        .unwrap_or_else(LabelSelector::nothing)
}

/// Watches objects of a kind, with the selector that `select` finds in each.
pub(crate) fn selecting<K>(
    client: &Client,
    group: &TaskGroup,
    select: impl Fn(&K) -> LabelSelector + Send + Sync + 'static,
) -> Informer<Selecting<K>>
where
    K: Decode + Sync,
{
    Informer::projected(
        Api::<K>::all(client.clone()),
        watcher::Config::default(),
        group,
        move |mut object: K| {
            object.meta_mut().managed_fields = None;
            let selector = select(&object);
            Some(Selecting { object, selector })
        },
    )
}

type PodListener = Box<dyn Fn(&NamespacedName, Option<&Owner>, Option<&PodView>) + Send + Sync>;

/// The caches that several controllers read.
pub(crate) struct Watched {
    pub(crate) namespaces: Informer<NamespaceView>,
    pub(crate) nodes: Informer<NodeView>,
    pub(crate) pods: Informer<PodView>,
    pub(crate) replica_sets: Informer<Selecting<ReplicaSet>>,
    pub(crate) deployments: Informer<Selecting<Deployment>>,
    /// Whether, and for how often by now, this replica acts on what it sees.
    pub(crate) leadership: Leadership,
    index: Mutex<Index>,
    /// Who managed the pods that have changed, until the listeners are told.
    owners_before: Mutex<HashMap<NamespacedName, Owner>>,
    pod_listeners: Mutex<Vec<PodListener>>,
}

impl Watched {
    pub(crate) fn start(client: &Client, leadership: Leadership, group: &TaskGroup) -> Arc<Self> {
        let config = watcher::Config::default;
        let watched = Arc::new(Self {
            namespaces: Informer::projected(
                Api::<Namespace>::all(client.clone()),
                config(),
                group,
                |namespace| Some(NamespaceView::of(namespace)),
            ),
            nodes: Informer::projected(Api::<Node>::all(client.clone()), config(), group, |node| {
                Some(NodeView::of(node))
            }),
            pods: Informer::projected(Api::<Pod>::all(client.clone()), config(), group, |pod| {
                Some(PodView::of(pod))
            }),
            replica_sets: selecting(client, group, |set: &ReplicaSet| {
                selector(set.spec.as_ref().map(|spec| &spec.selector))
            }),
            deployments: selecting(client, group, |deployment: &Deployment| {
                selector(deployment.spec.as_ref().map(|spec| &spec.selector))
            }),
            leadership,
            index: Mutex::default(),
            owners_before: Mutex::default(),
            pod_listeners: Mutex::default(),
        });
        let (indexing, telling) = (Arc::downgrade(&watched), Arc::downgrade(&watched));
        watched.pods.index(move |key| {
            if let Some(watched) = indexing.upgrade() {
                watched.index_pod(key);
            }
        });
        watched.pods.on_change(move |key| {
            if let Some(watched) = telling.upgrade() {
                watched.pod_changed(key);
            }
        });
        watched
    }

    fn index_pod(&self, key: &NamespacedName) {
        let pod = self.pods.get(key);
        if let Some(before) = self.index.lock().put(key, pod.as_ref()) {
            self.owners_before.lock().entry(key.clone()).or_insert(before);
        }
    }

    fn pod_changed(&self, key: &NamespacedName) {
        let pod = self.pods.get(key);
        let before = self.owners_before.lock().remove(key);
        for listener in self.pod_listeners.lock().iter() {
            listener(key, before.as_ref(), pod.as_deref());
        }
    }

    /// Calls `listener` for every pod that appears, changes or goes, and for all there are, with
    /// who managed it before and what it is now.
    pub(crate) fn on_pod(
        &self,
        listener: impl Fn(&NamespacedName, Option<&Owner>, Option<&PodView>) + Send + Sync + 'static,
    ) {
        let mut listeners = self.pod_listeners.lock();
        for key in self.pods.keys() {
            listener(&key, None, self.pods.get(&key).as_deref());
        }
        listeners.push(Box::new(listener));
    }

    /// The pods that a controller manages, ordered by name.
    pub(crate) fn pods_of(&self, controller: &Uid) -> Vec<Arc<PodView>> {
        self.index.lock().of(controller).map(Arc::clone).collect()
    }

    /// Whether a controller manages a pod of which `test` holds.
    pub(crate) fn has_pod(&self, controller: &Uid, test: impl Fn(&PodView) -> bool) -> bool {
        self.index.lock().of(controller).any(|pod| test(pod))
    }

    /// The pods of a namespace that nobody manages, ordered by name.
    pub(crate) fn unmanaged_pods(&self, namespace: &str) -> Vec<Arc<PodView>> {
        self.index.lock().without_in(namespace).map(Arc::clone).collect()
    }

    /// The pods of a node, ordered by namespace and name.
    pub(crate) fn pods_on(&self, node: &str) -> Vec<Arc<PodView>> {
        self.index.lock().on(node).map(Arc::clone).collect()
    }

    /// Waits until all caches are full. Cancel safe.
    pub(crate) async fn ready(&self) {
        tokio::join!(
            self.namespaces.ready(),
            self.nodes.ready(),
            self.pods.ready(),
            self.replica_sets.ready(),
            self.deployments.ready(),
        );
    }
}
