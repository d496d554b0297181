//! Mirror pods: what the API knows of static ones.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tracing::{debug, info, warn};
use wk_api::well_known::MIRROR_POD_ANNOTATION;
use wk_client::Backoff;
use wk_runtime::PodRef;

use super::here;
use super::manifest::CONFIG_HASH_ANNOTATION;
use super::plan::{self, FullName, Mirror, MirrorStep};
use crate::report::{self, Written};
use crate::shared::Shared;
use crate::state::{PodEntry, pod_ref};
use crate::status;

const RETRY: Backoff = Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(30) };

/// The mirror pods of this node in the API.
#[derive(Debug, Default)]
pub(crate) struct Mirrors {
    known: Mutex<HashMap<FullName, Arc<Pod>>>,
    /// Whether the API has told which there are.
    listed: AtomicBool,
    /// Whether it is known what the files hold.
    files_read: AtomicBool,
    /// Told when there may be something to do.
    work: Notify,
}

/// Whether an object of the API stands for a static pod.
pub(crate) fn is_mirror(pod: &Pod) -> bool {
    hash(pod).is_some()
}

fn hash(pod: &Pod) -> Option<&String> {
    pod.metadata.annotations.as_ref()?.get(MIRROR_POD_ANNOTATION)
}

fn version(pod: &Pod) -> u64 {
    let version = pod.metadata.resource_version.as_deref();
    version.and_then(|version| version.parse().ok()).unwrap_or(0)
}

fn name_of(key: &PodRef) -> FullName {
    (key.namespace.clone(), key.name.clone())
}

impl Mirrors {
    /// Has the API looked at and put right.
    pub(crate) fn wake(&self) {
        self.work.notify_one();
    }

    /// What the files hold is known, and its pods are here.
    pub(super) fn files_read(&self) {
        self.files_read.store(true, Ordering::Release);
        self.wake();
    }

    /// Takes a mirror as the API has it; an older state of one changes nothing.
    pub(crate) fn seen(&self, pod: Pod) {
        self.seen_quietly(pod);
        self.wake();
    }

    /// The same where nothing follows from it.
    fn seen_quietly(&self, mut pod: Pod) {
        pod.metadata.managed_fields = None;
        let name = name_of(&pod_ref(&pod));
        let mut known = self.known.lock();
        let before = known.get(&name).filter(|old| old.metadata.uid == pod.metadata.uid);
        if before.is_none_or(|old| version(old) < version(&pod)) {
            known.insert(name, Arc::new(pod));
        }
    }

    /// One has gone from the API.
    pub(crate) fn gone(&self, pod: &Pod) {
        let name = name_of(&pod_ref(pod));
        let mut known = self.known.lock();
        if known.get(&name).is_some_and(|old| old.metadata.uid == pod.metadata.uid) {
            known.remove(&name);
        }
        drop(known);
        self.wake();
    }

    /// The API has told of all that there are.
    pub(crate) fn listed(&self, uids: &std::collections::HashSet<String>) {
        let is_there = |pod: &Pod| pod.metadata.uid.as_ref().is_some_and(|uid| uids.contains(uid));
        self.known.lock().retain(|_, pod| is_there(pod));
        self.listed.store(true, Ordering::Release);
        self.wake();
    }

    /// The mirror that stands for exactly this static pod.
    fn of(&self, key: &PodRef) -> Option<Arc<Pod>> {
        let known = self.known.lock();
        known.get(&name_of(key)).filter(|pod| hash(pod) == Some(&key.uid)).map(Arc::clone)
    }

    fn views(&self) -> Vec<Mirror> {
        let known = self.known.lock();
        let views = known.iter().map(|(name, pod)| Mirror {
            name: name.clone(),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            of: hash(pod).cloned().unwrap_or_default(),
            deleted: pod.metadata.deletion_timestamp.is_some(),
        });
        views.collect()
    }
}

/// Keeps the mirror pods as they should be, until cancelled.
pub(crate) async fn keep(shared: Arc<Shared>) {
    let token = shared.tasks.token();
    let keeping = async {
        let mut failures = 0;
        loop {
            let work = shared.static_pods.mirrors.work.notified();
            if failures == 0 {
                work.await;
            } else {
                let jitter = f64::from(Timestamp::now().subsec_nanosecond().unsigned_abs()) / 1e9;
                let _woken = tokio::time::timeout(RETRY.delay(failures, jitter), work).await;
            }
            failures = if put_right(&shared).await { 0 } else { failures + 1 };
        }
    };
    let _ended: Option<std::convert::Infallible> =
        token.run_until_cancelled(Box::pin(keeping)).await;
}

/// Makes and removes mirrors; false if something has to be tried again.
async fn put_right(shared: &Arc<Shared>) -> bool {
    let mirrors = &shared.static_pods.mirrors;
    if !mirrors.listed.load(Ordering::Acquire) || !mirrors.files_read.load(Ordering::Acquire) {
        // Woken when that is known.
        return true;
    }
    let mut done = true;
    for step in plan::mirrors(&here(shared), &mirrors.views()) {
        done &= match step {
            MirrorStep::Create(uid) => create(shared, &uid).await,
            MirrorStep::Delete { name, uid } => delete(shared, name, uid).await,
        };
    }
    // What nobody has told them yet.
    for entry in shared.entries().iter().filter(|entry| entry.is_static) {
        report::ask(shared, entry);
    }
    done
}

async fn create(shared: &Arc<Shared>, uid: &str) -> bool {
    let Some(entry) = shared.entry(uid) else { return true };
    let node = shared.node.borrow().clone();
    let Some(node) = node else {
        // Woken when the node has registered.
        return true;
    };
    let pod = entry.pod();
    entry.lock().slim();
    let mirror = of_static(&pod, &shared.config.node_name, &node.uid);
    match shared.pod_api(&entry.key).create(&PostParams::default(), &mirror).await {
        Ok(made) => {
            debug!(pod = %entry.key.name, "mirror pod made");
            shared.static_pods.mirrors.seen(made);
            true
        }
        Err(error) => {
            warn!(pod = %entry.key.name, %error, "mirror pod could not be made");
            false
        }
    }
}

/// The object that stands for a static pod.
fn of_static(pod: &Pod, node_name: &str, node_uid: &str) -> Pod {
    let mut mirror = pod.clone();
    mirror.status = None;
    let meta = &mut mirror.metadata;
    let annotations = meta.annotations.get_or_insert_default();
    let hash = annotations.get(CONFIG_HASH_ANNOTATION).cloned().unwrap_or_default();
    annotations.insert(MIRROR_POD_ANNOTATION.to_owned(), hash);
    meta.uid = None;
    meta.owner_references = Some(vec![OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Node".to_owned(),
        name: node_name.to_owned(),
        uid: node_uid.to_owned(),
        controller: Some(true),
        block_owner_deletion: None,
    }]);
    mirror
}

async fn delete(shared: &Arc<Shared>, (namespace, name): FullName, uid: String) -> bool {
    info!(%namespace, pod = %name, "removing a mirror pod that stands for nothing");
    let key = PodRef { namespace, name, uid };
    let params = DeleteParams {
        grace_period_seconds: Some(0),
        preconditions: Some(Preconditions { uid: Some(key.uid.clone()), resource_version: None }),
        ..DeleteParams::default()
    };
    match shared.pod_api(&key).delete(&key.name, &params).await {
        Ok(_) => true,
        // The watch tells that it has gone, or is another one.
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => true,
        Err(error) => {
            warn!(pod = %key.name, %error, "mirror pod could not be removed");
            false
        }
    }
}

/// Keeps the status of a static pod, and has its mirror show it.
pub(crate) async fn report(shared: &Arc<Shared>, entry: &Arc<PodEntry>) -> Written {
    let mirror = shared.static_pods.mirrors.of(&entry.key);
    let (changed, patch) = {
        let mut inner = entry.lock();
        if inner.gone || inner.records.iter().any(|record| record.fresh_exit) {
            return Written::Done;
        }
        let pod = inner.pod();
        let mut desired = status::desired(&pod, &inner, report::surroundings(shared));
        let changed = pod.status.as_ref() != Some(&desired);
        if changed {
            inner.keep_status(&pod, desired.clone());
        }
        desired.observed_generation = mirror.as_ref().and_then(|mirror| mirror.metadata.generation);
        (changed, mirror.as_ref().and_then(|mirror| status::patch(mirror, &desired)))
    };
    if changed {
        report::save(shared, entry);
    }
    let Some(patch) = patch else { return Written::Done };
    let api = shared.pod_api(&entry.key);
    let params = PatchParams::default();
    match api.patch_status(&entry.key.name, &params, &Patch::Strategic(patch)).await {
        Ok(pod) => {
            shared.static_pods.mirrors.seen_quietly(pod);
            Written::Done
        }
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Written::Done,
        Err(error) => {
            warn!(pod = %entry.key.name, %error, "status could not be written");
            Written::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mirror_says_whose_it_is() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {
                "namespace": "d", "name": "web-n", "uid": "hash",
                "annotations": {"kubernetes.io/config.hash": "hash"},
            },
            "spec": {"nodeName": "n", "containers": []},
            "status": {"phase": "Running"},
        }))
        .unwrap();
        assert!(!is_mirror(&pod));
        let mirror = of_static(&pod, "n", "node-uid");
        assert!(is_mirror(&mirror));
        assert_eq!(hash(&mirror).map(String::as_str), Some("hash"));
        assert_eq!((mirror.metadata.uid.as_ref(), mirror.status.as_ref()), (None, None));
        let owner = &mirror.metadata.owner_references.as_ref().unwrap()[0];
        assert_eq!((owner.kind.as_str(), owner.uid.as_str()), ("Node", "node-uid"));
        assert_eq!(mirror.spec, pod.spec);
    }

    #[test]
    fn the_newest_state_of_a_mirror_counts() {
        let mirrors = Mirrors::default();
        let pod = |uid: &str, version: &str| -> Pod {
            serde_json::from_value(json!({"metadata": {
                "namespace": "d", "name": "web", "uid": uid, "resourceVersion": version,
                "annotations": {"kubernetes.io/config.mirror": "hash"},
            }}))
            .unwrap()
        };
        let key = PodRef { namespace: "d".into(), name: "web".into(), uid: "hash".into() };
        let version_of = || mirrors.of(&key).map(|pod| version(&pod));
        mirrors.seen(pod("a", "5"));
        mirrors.seen(pod("a", "4"));
        assert_eq!(version_of(), Some(5));
        mirrors.seen(pod("b", "6"));
        mirrors.gone(&pod("a", "7"));
        assert_eq!(version_of(), Some(6), "another one has gone");
        mirrors.listed(&std::iter::once("c".to_owned()).collect());
        assert_eq!(version_of(), None);
    }
}
