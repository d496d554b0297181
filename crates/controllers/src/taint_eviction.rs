//! Ends pods on nodes whose taints they do not, or no longer, tolerate.
//!
//! Spec: <https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/>

mod plan;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Taint};
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client};
use parking_lot::Mutex;
use serde_json::json;
use tracing::info;
use wk_api::names::NamespacedName;
use wk_client::{EventRecorder, EventType, Outcome, WorkQueue};

use crate::taints::NO_EXECUTE;
use crate::watched::{NodeView, PodView, Watched};
use crate::{Shell, conflict_is_later};
use plan::{Lodger, Stay, plan};

const REASON: &str = "TaintManagerEviction";

struct Context {
    client: Client,
    watched: Arc<Watched>,
    events: EventRecorder,
    /// The pods that have been told to go, or will be, and since when that is known.
    leaving: Mutex<HashMap<NamespacedName, Timestamp>>,
    /// The taints of each node that has some which end pods.
    tainted: Mutex<HashMap<String, Vec<Taint>>>,
}

pub(crate) fn run(client: Client, shell: &Shell) {
    let component = "taint-eviction-controller";
    let context = Arc::new(Context {
        events: EventRecorder::start(client.clone(), component, None, &shell.group),
        client,
        watched: Arc::clone(&shell.watched),
        leaving: Mutex::default(),
        tainted: Mutex::default(),
    });
    let queue = WorkQueue::<NamespacedName>::default();
    let (from_node, on_node) = (queue.clone(), Arc::clone(&context));
    shell.watched.nodes.on_change(move |key| on_node.node_changed(&key.name, &from_node));
    let (from_pod, on_pod) = (queue.clone(), Arc::clone(&context));
    shell.watched.on_pod(move |key, _, pod| {
        let node = pod.and_then(|pod| pod.node.as_ref());
        let is_tainted = node.is_some_and(|node| on_pod.tainted.lock().contains_key(node));
        if is_tainted || on_pod.leaving.lock().contains_key(key) {
            from_pod.add(key.clone());
        }
    });
    shell.run("taint-eviction", &queue, 8, move |key| {
        let context = Arc::clone(&context);
        async move { conflict_is_later(context.reconcile(&key).await) }
    });
}

fn ending(node: &NodeView) -> impl Iterator<Item = &Taint> {
    node.taints.iter().filter(|taint| taint.effect == NO_EXECUTE)
}

impl Context {
    /// Asks for a look at all pods of a node if the taints that end pods have changed.
    fn node_changed(&self, name: &str, queue: &WorkQueue<NamespacedName>) {
        let node = self.watched.nodes.get_cluster(name);
        let now: Vec<Taint> = node.iter().flat_map(|node| ending(node)).cloned().collect();
        let before = {
            let mut tainted = self.tainted.lock();
            if now.is_empty() {
                tainted.remove(name)
            } else {
                tainted.insert(name.to_owned(), now.clone())
            }
        };
        if before.unwrap_or_default() != now {
            for pod in self.watched.pods_on(name) {
                queue.add(NamespacedName::new(&*pod.namespace, &*pod.name));
            }
        }
    }

    async fn reconcile(&self, key: &NamespacedName) -> Result<Outcome, kube::Error> {
        let pod = self.watched.pods.get(key).filter(|pod| !pod.is_terminating());
        let node = pod.as_ref().and_then(|pod| self.watched.nodes.get_cluster(pod.node.as_ref()?));
        let (Some(pod), Some(node)) = (pod, node) else {
            self.leaving.lock().remove(key);
            return Ok(Outcome::Done);
        };
        let now = Timestamp::now();
        let lodger = Lodger {
            tolerations: &pod.tolerations,
            since: pod.scheduled_at.or(pod.created).unwrap_or(Timestamp::UNIX_EPOCH),
            seen: self.leaving.lock().get(key).copied().unwrap_or(now),
        };
        match plan(&lodger, ending(&node)) {
            Stay::ForGood => {
                if self.leaving.lock().remove(key).is_some() {
                    self.say(&pod, format!("Cancelling deletion of Pod {key}"));
                }
                Ok(Outcome::Done)
            }
            Stay::Until(due) => {
                self.leaving.lock().insert(key.clone(), lodger.seen);
                match Duration::try_from(due.duration_since(now)) {
                    Ok(left) if !left.is_zero() => Ok(Outcome::After(left)),
                    _ => {
                        self.evict(key, &pod, now).await?;
                        Ok(Outcome::Done)
                    }
                }
            }
        }
    }

    async fn evict(
        &self,
        key: &NamespacedName,
        pod: &PodView,
        now: Timestamp,
    ) -> Result<(), kube::Error> {
        self.say(pod, format!("Marking for deletion Pod {key}"));
        let api = Api::<Pod>::namespaced(self.client.clone(), &pod.namespace);
        let patch = json!({
            "metadata": {"uid": pod.uid()},
            "status": {"conditions": [{
                "type": "DisruptionTarget",
                "status": "True",
                "reason": "DeletionByTaintManager",
                "message": "Taint manager: deleting due to NoExecute taint",
                "lastTransitionTime": wk_api::time::rfc3339(now),
            }]},
        });
        let params = PatchParams::default();
        let marked = api.patch_status(&pod.name, &params, &Patch::Strategic(patch)).await;
        if is_other_or_gone(marked)? {
            return Ok(());
        }
        let uid = Some(pod.uid().to_string());
        let preconditions = Some(Preconditions { uid, resource_version: None });
        let params = DeleteParams { preconditions, ..DeleteParams::default() };
        is_other_or_gone(api.delete(&pod.name, &params).await)?;
        let node = pod.node.as_deref();
        info!(pod = %key, node, "pod does not tolerate its node's taints");
        Ok(())
    }

    fn say(&self, pod: &PodView, text: String) {
        self.events.publish(pod.reference(), EventType::Normal, REASON, text);
    }
}

/// Whether a write found no pod of this name, or another one.
fn is_other_or_gone<T>(result: Result<T, kube::Error>) -> Result<bool, kube::Error> {
    match result {
        Ok(_) => Ok(false),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(true),
        Err(error) => Err(error),
    }
}
