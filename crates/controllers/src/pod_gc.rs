//! Removes pods that nobody else will: of nodes that are gone, finished ones in large numbers, and
//! deleted ones that never got a node.
//!
//! Spec: <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-garbage-collection>

mod plan;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client};
use parking_lot::Mutex;
use serde_json::json;
use tracing::info;
use wk_api::names::NamespacedName;
use wk_client::{Outcome, WorkQueue};

use crate::{Shell, unless_gone};
use plan::{Index, Task};

/// How long a node may be missing before its pods are removed: it may be about to come back.
const QUARANTINE: Duration = Duration::from_secs(40);

struct Context {
    client: Client,
    shell: Shell,
    index: Mutex<Index>,
    keep_finished: usize,
}

pub(crate) fn run(client: Client, keep_finished: usize, shell: &Shell) {
    let queue = WorkQueue::<Task>::default();
    let context =
        Arc::new(Context { client, shell: shell.clone(), index: Mutex::default(), keep_finished });
    let (on_pod, on_node) = (Arc::clone(&context), Arc::clone(&context));
    let (from_pod, from_node) = (queue.clone(), queue.clone());
    shell.watched.pods.on_change(move |key| on_pod.pod_changed(key, &from_pod));
    shell.watched.nodes.on_change(move |key| {
        if on_node.shell.watched.nodes.get(key).is_none() {
            from_node.add_after(Task::Node(key.name.clone()), QUARANTINE);
        }
    });
    shell.run("pod-garbage-collector", &queue, 4, move |task| {
        let context = Arc::clone(&context);
        async move { context.reconcile(task).await }
    });
}

impl Context {
    fn pod_changed(&self, key: &NamespacedName, queue: &WorkQueue<Task>) {
        let pod = self.shell.watched.pods.get(key);
        let mut index = self.index.lock();
        index.put(key, pod.as_deref());
        let Some(pod) = pod else { return };
        match &pod.node {
            Some(node) if self.shell.watched.nodes.get_cluster(node).is_none() => {
                queue.add_after(Task::Node(node.clone()), QUARANTINE);
            }
            None if pod.is_terminating() => queue.add(Task::Pod(key.clone())),
            Some(_) | None => {}
        }
        if index.finished_len() > self.keep_finished {
            queue.add(Task::Finished);
        }
    }

    async fn reconcile(&self, task: Task) -> Result<Outcome, kube::Error> {
        match task {
            Task::Pod(key) => {
                let pod = self.shell.watched.pods.get(&key);
                if pod.is_some_and(|pod| pod.is_terminating() && pod.node.is_none()) {
                    self.remove(&key, "deleted before it had a node").await?;
                }
            }
            Task::Node(name) => {
                // The server is asked, because a cache may be behind and pods are lost for good.
                let api = Api::<Node>::all(self.client.clone());
                if self.shell.watched.nodes.get_cluster(&name).is_none()
                    && api.get_opt(&name).await?.is_none()
                {
                    let keys = self.index.lock().of_node(&name);
                    for key in keys {
                        self.orphaned(&key, &name).await?;
                    }
                }
            }
            Task::Finished => {
                let keys = self.index.lock().oldest_finished(self.keep_finished);
                for key in keys {
                    self.remove(&key, "finished long ago").await?;
                }
            }
        }
        Ok(Outcome::Done)
    }

    async fn orphaned(&self, key: &NamespacedName, node: &str) -> Result<(), kube::Error> {
        let Some(pod) = self.shell.watched.pods.get(key) else { return Ok(()) };
        if !pod.is_finished() {
            let now = wk_api::time::rfc3339(Timestamp::now());
            let patch = json!({
                "metadata": {"uid": pod.uid()},
                "status": {"phase": "Failed", "conditions": [{
                    "type": "DisruptionTarget",
                    "status": "True",
                    "reason": "DeletionByPodGC",
                    "message": "PodGC: node no longer exists",
                    "lastTransitionTime": now,
                }]},
            });
            let api = self.pods(key);
            let params = PatchParams::default();
            unless_gone(api.patch_status(&key.name, &params, &Patch::Strategic(patch)).await)?;
        }
        self.remove(key, &format!("node {node} no longer exists")).await
    }

    async fn remove(&self, key: &NamespacedName, why: &str) -> Result<(), kube::Error> {
        let Some(pod) = self.shell.watched.pods.get(key) else { return Ok(()) };
        let params = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions {
                uid: Some(pod.uid().to_string()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        unless_gone(self.pods(key).delete(&key.name, &params).await)?;
        info!(pod = %key, why, "pod removed");
        Ok(())
    }

    fn pods(&self, key: &NamespacedName) -> Api<Pod> {
        Api::namespaced(self.client.clone(), key.namespace.as_deref().unwrap_or_default())
    }
}
