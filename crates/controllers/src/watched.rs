//! What the controllers see of the cluster: one watch a kind, and only what they read.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, NamespaceCondition, Node, NodeCondition, Pod, Taint};
use kube::runtime::watcher;
use kube::{Api, Client};
use wk_api::names::Uid;
use wk_client::Informer;
use wk_process::TaskGroup;

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
    pub(crate) pod_cidr: Option<String>,
    pub(crate) is_unschedulable: bool,
    pub(crate) taints: Vec<Taint>,
    pub(crate) conditions: Vec<NodeCondition>,
}

/// A pod.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PodView {
    pub(crate) uid: Uid,
    pub(crate) node: Option<String>,
    pub(crate) created: Option<Timestamp>,
    pub(crate) is_terminating: bool,
    pub(crate) is_finished: bool,
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
        Self {
            name: node.metadata.name.unwrap_or_default(),
            uid: node.metadata.uid,
            resource_version: node.metadata.resource_version,
            created: node.metadata.creation_timestamp.map(|time| time.0),
            pod_cidr: spec.pod_cidr.filter(|cidr| !cidr.is_empty()),
            is_unschedulable: spec.unschedulable.unwrap_or(false),
            taints: spec.taints.unwrap_or_default(),
            conditions: node.status.and_then(|status| status.conditions).unwrap_or_default(),
        }
    }
}

impl PodView {
    pub(crate) fn of(pod: Pod) -> Self {
        let phase = pod.status.and_then(|status| status.phase);
        Self {
            uid: Uid::new(pod.metadata.uid.unwrap_or_default()),
            node: pod.spec.and_then(|spec| spec.node_name).filter(|name| !name.is_empty()),
            created: pod.metadata.creation_timestamp.map(|time| time.0),
            is_terminating: pod.metadata.deletion_timestamp.is_some(),
            is_finished: matches!(phase.as_deref(), Some("Succeeded" | "Failed")),
        }
    }
}

/// The caches that several controllers read.
pub(crate) struct Watched {
    pub(crate) namespaces: Informer<NamespaceView>,
    pub(crate) nodes: Informer<NodeView>,
    pub(crate) pods: Informer<PodView>,
}

impl Watched {
    pub(crate) fn start(client: &Client, group: &TaskGroup) -> Arc<Self> {
        let config = watcher::Config::default;
        Arc::new(Self {
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
        })
    }

    /// Waits until all caches are full. Cancel safe.
    pub(crate) async fn ready(&self) {
        tokio::join!(self.namespaces.ready(), self.nodes.ready(), self.pods.ready());
    }
}
