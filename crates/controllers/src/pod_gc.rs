//! Removes pods that nobody else will: of nodes that are gone, finished ones in large numbers, and
//! deleted ones that never got a node or whose node is out of service.
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

use crate::watched::PodView;
use crate::{Shell, unless_gone};
use plan::{Index, Task, is_out_of_service};

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
    shell.watched.nodes.on_change(move |key| match on_node.shell.watched.nodes.get(key) {
        None => from_node.add_after(Task::Node(key.name.clone()), QUARANTINE),
        Some(node) if is_out_of_service(&node) => from_node.add(Task::Node(key.name.clone())),
        Some(_) => {}
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
        let node = pod.node.as_ref().map(|name| self.shell.watched.nodes.get_cluster(name));
        match (node, &pod.node) {
            (Some(None), Some(name)) => queue.add_after(Task::Node(name.clone()), QUARANTINE),
            (Some(Some(node)), Some(name)) if pod.is_terminating() && is_out_of_service(&node) => {
                queue.add(Task::Node(name.clone()));
            }
            (None, None) if pod.is_terminating() => queue.add(Task::Pod(key.clone())),
            _ => {}
        }
        if index.finished_len() > self.keep_finished {
            queue.add(Task::Finished);
        }
    }

    async fn reconcile(&self, task: Task) -> Result<Outcome, kube::Error> {
        match task {
            Task::Pod(key) => {
                let pod = self.shell.watched.pods.get(&key);
                let pod = pod.filter(|pod| pod.is_terminating() && pod.node.is_none());
                if let Some(pod) = pod {
                    self.fail(&pod, None).await?;
                    self.remove(&pod, "deleted before it had a node").await?;
                }
            }
            Task::Node(name) => self.free(&name).await?,
            Task::Finished => {
                let keys = self.index.lock().oldest_finished(self.keep_finished);
                for key in keys {
                    let Some(pod) = self.shell.watched.pods.get(&key) else { continue };
                    self.remove(&pod, "finished long ago").await?;
                }
            }
        }
        Ok(Outcome::Done)
    }

    /// Removes the pods that a node cannot end itself.
    async fn free(&self, name: &str) -> Result<(), kube::Error> {
        let watched = &self.shell.watched;
        if let Some(node) = watched.nodes.get_cluster(name) {
            if is_out_of_service(&node) {
                for pod in watched.pods_on(name).iter().filter(|pod| pod.is_terminating()) {
                    self.fail(pod, None).await?;
                    self.remove(pod, "its node is out of service").await?;
                }
            }
            return Ok(());
        }
        // The server is asked, because a cache may be behind and pods are lost for good.
        let api = Api::<Node>::all(self.client.clone());
        if api.get_opt(name).await?.is_none() {
            for pod in watched.pods_on(name) {
                self.fail(&pod, Some("PodGC: node no longer exists")).await?;
                self.remove(&pod, "its node no longer exists").await?;
            }
        }
        Ok(())
    }

    /// Marks a pod as failed that has not ended, and says why it is disrupted if it is.
    async fn fail(&self, pod: &PodView, disruption: Option<&str>) -> Result<(), kube::Error> {
        if pod.is_finished() {
            return Ok(());
        }
        let mut patch = json!({"metadata": {"uid": pod.uid()}, "status": {"phase": "Failed"}});
        if let Some(message) = disruption {
            patch["status"]["conditions"] = json!([{
                "type": "DisruptionTarget",
                "status": "True",
                "reason": "DeletionByPodGC",
                "message": message,
                "lastTransitionTime": wk_api::time::rfc3339(Timestamp::now()),
            }]);
        }
        let params = PatchParams::default();
        let api = self.pods(pod);
        unless_gone(api.patch_status(&pod.name, &params, &Patch::Strategic(patch)).await)
    }

    async fn remove(&self, pod: &PodView, why: &str) -> Result<(), kube::Error> {
        let params = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions {
                uid: Some(pod.uid().to_string()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        unless_gone(self.pods(pod).delete(&pod.name, &params).await)?;
        info!(namespace = &*pod.namespace, pod = &*pod.name, why, "pod removed");
        Ok(())
    }

    fn pods(&self, pod: &PodView) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &pod.namespace)
    }
}
