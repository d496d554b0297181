//! Moves the pods of all simulated nodes along.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, Preconditions};
use kube::runtime::watcher;
use kube::{Api, Client};
use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::debug;
use wk_api::names::NamespacedName;
use wk_client::{Backoff, Informer, Outcome, WorkQueue, brief};
use wk_process::TaskGroup;

use crate::fleet::Fleet;
use crate::ledger::Ledger;
use crate::pod::plan::{Step, plan};
use crate::pod::status::{Facts, backing_off, ended, running};
use crate::pod::{SeenPod, Stage};

/// How many pods are written at a time.
const WORKERS: usize = 64;
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(50), cap: Duration::from_secs(10) };

struct Pods {
    client: Client,
    fleet: Arc<Fleet>,
    cache: Informer<SeenPod>,
    ledger: Mutex<Ledger>,
}

/// Starts the watch and the work, in tasks of `group`.
pub(crate) fn run(client: &Client, fleet: Arc<Fleet>, group: &TaskGroup) {
    // There is no selector for many nodes: whatever is bound comes, and others' pods are dropped.
    let bound = watcher::Config::default().fields("spec.nodeName!=");
    let config = Arc::clone(fleet.config());
    let cache = Informer::projected(Api::<Pod>::all(client.clone()), bound, group, move |pod| {
        let node =
            pod.spec.as_ref()?.node_name.as_deref().and_then(|name| config.index_of(name))?;
        Some(SeenPod::of(pod, node))
    });
    let ledger = Mutex::new(Ledger::new(Arc::clone(fleet.config())));
    let context = Arc::new(Pods { client: client.clone(), fleet, cache, ledger });
    let queue = WorkQueue::<NamespacedName>::new(BACKOFF);
    let (noticing, from_pod) = (Arc::clone(&context), queue.clone());
    // Before any pod is worked on, those of an earlier time have claimed their addresses.
    context.cache.on_change(move |key| {
        noticing.notice(key);
        from_pod.add(key.clone());
    });
    queue.run(group, "simulated pods", WORKERS, move |key| {
        let context = Arc::clone(&context);
        async move { context.reconcile(&key).await }
    });
}

impl Pods {
    fn notice(&self, key: &NamespacedName) {
        let mut ledger = self.ledger.lock();
        let Some(pod) = self.cache.get(key) else { return ledger.forget(key) };
        stage_age(&mut ledger, key, &pod);
        match pod.address {
            _ if pod.stage == Stage::Finished => ledger.release(key),
            Some(address) => ledger.claim(key, address),
            None => {}
        }
    }

    async fn reconcile(&self, key: &NamespacedName) -> Result<Outcome, kube::Error> {
        self.cache.ready().await;
        let Some(pod) = self.cache.get(key) else { return Ok(Outcome::Done) };
        // The machine is gone, and its programs with it.
        if self.fleet.is_lost(pod.node) {
            return Ok(Outcome::Done);
        }
        self.fleet.node_registered(pod.node).await;
        let stage_age = stage_age(&mut self.ledger.lock(), key, &pod);
        let asked_age = pod.ending.map_or(Duration::ZERO, |ending| {
            // The deadline lies a grace period after the request.
            let left = ending.deadline.duration_since(Timestamp::now());
            ending.grace.saturating_sub(left.try_into().unwrap_or(Duration::ZERO))
        });
        let step = plan(&pod, stage_age, asked_age, self.fleet.config().start_delay);
        debug!(pod = %key, ?step, "planned");
        let now = Timestamp::now();
        let patch = match step {
            Step::Nothing => return Ok(Outcome::Done),
            Step::Wait(time) => return Ok(Outcome::After(time)),
            Step::Delete => return self.delete(key, &pod).await,
            Step::Run { restarts } => {
                let address = self.ledger.lock().address(key);
                // More pods than the node takes: no kubelet would let them in.
                let Some(address) = address else { return Ok(Outcome::After(BACKOFF.cap)) };
                let host = self.fleet.config().node_address(pod.node);
                running(&pod, restarts, Facts { host, address, now })
            }
            Step::BackOff { restarts, pause } => backing_off(&pod, restarts, pause, now),
            Step::End { code } => ended(&pod, code, now),
        };
        let patch = Patch::Strategic(patch);
        let written = brief::patch_status(self.api(key), &key.name, &patch).await;
        match (written, step) {
            // The last word is said: the object need not come back first.
            (Ok(_), Step::End { .. }) if pod.ending.is_some() => self.delete(key, &pod).await,
            (Ok(_), _) => Ok(Outcome::Done),
            // Gone, or another pod has its name.
            (Err(kube::Error::Api(status)), _) if matches!(status.code, 404 | 409) => {
                Ok(Outcome::Done)
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn delete(&self, key: &NamespacedName, pod: &SeenPod) -> Result<Outcome, kube::Error> {
        let preconditions =
            Preconditions { uid: Some(pod.uid.to_string()), resource_version: None };
        let params = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(preconditions),
            ..DeleteParams::default()
        };
        match self.api(key).delete(&key.name, &params).await {
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(Outcome::Done),
            Err(error) => Err(error),
            Ok(_) => Ok(Outcome::Done),
        }
    }

    fn api(&self, key: &NamespacedName) -> Api<Pod> {
        Api::namespaced(self.client.clone(), key.namespace.as_deref().unwrap_or_default())
    }
}

/// Notes a pod as it is seen, and returns how long it has been so.
fn stage_age(ledger: &mut Ledger, key: &NamespacedName, pod: &SeenPod) -> Duration {
    ledger.see(key, (&pod.uid, pod.node), pod.stage, age(pod.since), Instant::now())
}

/// How long ago a time was, by this machine's clock; never negative.
fn age(since: Option<Timestamp>) -> Duration {
    let age = since.map(|since| Timestamp::now().duration_since(since));
    age.and_then(|age| age.try_into().ok()).unwrap_or(Duration::ZERO)
}
