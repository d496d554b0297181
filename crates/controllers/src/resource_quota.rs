//! Keeps `status` of resource quotas true: what is limited, and what is used of it.
//!
//! The API server charges what is created; this controller gives back what was deleted. It counts
//! anew whenever something that a quota limits goes, and now and then.

mod plan;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::{ApiResource, DynamicObject, ListParams, PostParams};
use kube::core::{GroupVersionKind, PartialObjectMeta};
use kube::runtime::watcher;
use kube::{Api, Client};
use parking_lot::Mutex;
use serde_json::Value;
use tracing::debug;
use wk_api::GroupResource;
use wk_api::names::NamespacedName;
use wk_client::{Informer, Outcome, WorkQueue};
use wk_process::TaskGroup;
use wk_resources::quota;

use crate::watched::PodView;
use crate::{Shell, is_gone, unless_gone};

/// How often a quota is counted if nothing happens, as in Kubernetes: a pod that outlives its
/// deletion stops counting without a word.
const RESYNC: Duration = Duration::from_mins(5);

type Object = PartialObjectMeta<DynamicObject>;

struct Context {
    client: Client,
    watching: Client,
    group: TaskGroup,
    quotas: Informer<Value>,
    queue: WorkQueue<NamespacedName>,
    /// The kinds that are watched, because some quota limits them.
    watched: Mutex<HashSet<GroupResource>>,
}

pub(crate) fn run(watching: &Client, client: Client, shell: &Shell) {
    let quotas = Informer::projected(
        Api::<ResourceQuota>::all(client.clone()),
        watcher::Config::default(),
        &shell.group,
        |mut quota| {
            quota.metadata.managed_fields = None;
            serde_json::to_value(quota).ok()
        },
    );
    let queue = WorkQueue::<NamespacedName>::default();
    let from_quota = queue.clone();
    quotas.on_change(move |key| from_quota.add(key.clone()));
    let context = Arc::new(Context {
        client,
        watching: watching.clone(),
        group: shell.group.clone(),
        quotas,
        queue: queue.clone(),
        watched: Mutex::default(),
    });
    let from_pod = Arc::clone(&context);
    shell.watched.on_pod(move |key, _before, pod| {
        // A pod that goes on uses what it used.
        if pod.is_none_or(PodView::is_finished) {
            from_pod.count_again(key, &GroupResource::new("", "pods"));
        }
    });
    shell.run("resource-quota", &queue, 4, move |key| {
        let context = Arc::clone(&context);
        async move {
            context.quotas.ready().await;
            match context.quotas.get(&key) {
                Some(quota) => context.reconcile(&key, &quota).await,
                None => Ok(Outcome::Done),
            }
        }
    });
}

impl Context {
    /// Asks for a count of the quotas that limit objects like one that changed.
    fn count_again(&self, object: &NamespacedName, kind: &GroupResource) {
        let Some(namespace) = object.namespace.as_deref() else { return };
        for key in self.quotas.keys() {
            if key.namespace.as_deref() == Some(namespace)
                && self.quotas.get(&key).is_some_and(|q| quota::counted_kinds(&q).contains(kind))
            {
                self.queue.add(key);
            }
        }
    }

    async fn reconcile(
        self: &Arc<Self>,
        key: &NamespacedName,
        quota: &Value,
    ) -> Result<Outcome, kube::Error> {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let mut objects = Vec::new();
        for kind in quota::counted_kinds(quota) {
            let Some(resource) = served(&kind) else { continue };
            self.watch(&kind, &resource);
            objects.extend(self.list(namespace, &kind, &resource).await?);
        }
        let counted =
            quota::total(quota, objects.iter().map(|(kind, one)| (kind, one)), Timestamp::now());
        if let Some(status) = plan::plan(quota, &counted) {
            debug!(quota = %key, used = quota::shown(&counted), "counted again");
            self.write(key, quota, status).await?;
        }
        Ok(Outcome::After(RESYNC))
    }

    /// Watches a kind from now on, of its objects only that they are there.
    fn watch(self: &Arc<Self>, kind: &GroupResource, resource: &ApiResource) {
        let is_pods = kind.group.is_empty() && kind.resource == "pods";
        if is_pods || !self.watched.lock().insert(kind.clone()) {
            return;
        }
        let api = Api::<Object>::all_with(self.watching.clone(), resource);
        let config = watcher::Config::default();
        let plural = resource.plural.clone();
        let all = Informer::projected_as(plural, api, config, &self.group, |_: Object| Some(()));
        let changes = kind.group.is_empty()
            && matches!(kind.resource.as_str(), "services" | "persistentvolumeclaims");
        let (context, kind, seen) = (Arc::downgrade(self), kind.clone(), all.clone());
        all.on_change(move |key| {
            let Some(context) = context.upgrade() else { return };
            // What is new was charged; most kinds use the same for as long as they are there.
            if changes || seen.get(key).is_none() {
                context.count_again(key, &kind);
            }
        });
    }

    async fn list(
        &self,
        namespace: &str,
        kind: &GroupResource,
        resource: &ApiResource,
    ) -> Result<Vec<(GroupResource, Value)>, kube::Error> {
        let api = Api::<DynamicObject>::namespaced_with(self.client.clone(), namespace, resource);
        let found = match api.list(&ListParams::default()).await {
            Err(error) if is_gone(&error) => return Ok(Vec::new()),
            other => other?,
        };
        let values = found.items.into_iter().filter_map(|one| serde_json::to_value(one).ok());
        Ok(values.map(|value| (kind.clone(), value)).collect())
    }

    /// Writes the status of the quota as it was seen, and no other.
    async fn write(
        &self,
        key: &NamespacedName,
        quota: &Value,
        status: Value,
    ) -> Result<(), kube::Error> {
        let mut changed = quota.clone();
        changed["status"] = status;
        let Ok(changed) = serde_json::from_value::<ResourceQuota>(changed) else { return Ok(()) };
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let api = Api::<ResourceQuota>::namespaced(self.client.clone(), namespace);
        match api.replace_status(&key.name, &PostParams::default(), &changed).await {
            // Somebody has charged it meanwhile; the change comes back here.
            Err(kube::Error::Api(status)) if status.is_conflict() => Ok(()),
            other => unless_gone(other),
        }
    }
}

/// How a kind is asked for; `None` for kinds that are not served in namespaces.
fn served(kind: &GroupResource) -> Option<ApiResource> {
    let found = wk_resources::builtin().iter().find(|one| one.group_resource() == *kind)?;
    let listed =
        found.namespaced && found.verbs.contains(&"list") && found.verbs.contains(&"watch");
    let gvk = GroupVersionKind::gvk(&found.group, &found.version, &found.kind);
    listed.then(|| ApiResource::from_gvk_with_plural(&gvk, &found.plural))
}
