//! What the scheduler writes: bindings, conditions, events, and what preemption and volumes need.

mod room;
mod volumes;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Binding, ObjectReference, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tracing::warn;
use wk_client::{EventRecorder, EventType, error_chain};

use crate::demand::{Demand, ScheduledCondition};
pub(crate) use volumes::VolumeError;

/// Writes in the name of one scheduler.
#[derive(Clone, Debug)]
pub(crate) struct Writes {
    client: DebugClient,
    events: EventRecorder,
}

#[derive(Clone)]
struct DebugClient(Client);

impl std::fmt::Debug for DebugClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

/// Where room is made for a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room<'a> {
    /// Where the pod's status says.
    AsBefore,
    /// Nowhere, whatever the status says.
    NoMore,
    /// On this node.
    On(&'a str),
}

/// Why a pod has no node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict<'a> {
    reason: &'static str,
    message: &'a str,
    room: Room<'a>,
}

impl<'a> Verdict<'a> {
    /// No node is possible.
    pub(crate) fn unschedulable(message: &'a str, room: Room<'a>) -> Self {
        Self { reason: "Unschedulable", message, room }
    }

    /// A node was chosen, and something failed.
    pub(crate) fn error(message: &'a str) -> Self {
        Self { reason: "SchedulerError", message, room: Room::AsBefore }
    }
}

impl Writes {
    pub(crate) fn new(client: Client, events: EventRecorder) -> Self {
        Self { client: DebugClient(client), events }
    }

    fn pods(&self, pod: &Demand) -> Api<Pod> {
        Api::namespaced(self.client.0.clone(), &pod.kin.namespace)
    }

    /// Binds a pod to a node and says so.
    pub(crate) async fn bind(&self, pod: &Demand, node: &str) -> Result<(), kube::Error> {
        let binding = Binding {
            metadata: ObjectMeta {
                name: Some(pod.name.to_string()),
                namespace: Some(pod.kin.namespace.to_string()),
                // Another pod of this name is not meant.
                uid: Some(pod.uid.to_string()),
                ..ObjectMeta::default()
            },
            target: ObjectReference {
                kind: Some("Node".to_owned()),
                name: Some(node.to_owned()),
                ..ObjectReference::default()
            },
        };
        let params = PostParams::default();
        let pods = self.pods(pod);
        let _status: Value =
            pods.create_subresource("binding", &pod.name, &params, &binding).await?;
        let message = format!("Successfully assigned {} to {node}", pod.key());
        self.events.publish(reference(pod), EventType::Normal, "Scheduled", message);
        Ok(())
    }

    /// Writes why a pod has no node, if that is not what its status says already.
    pub(crate) async fn explain(&self, pod: &Demand, verdict: &Verdict<'_>) {
        let object = reference(pod);
        self.events.publish(object, EventType::Warning, "FailedScheduling", verdict.message);
        if let Some(patch) = status_patch(pod, verdict, Timestamp::now())
            && let Err(error) = self.patch_status(pod, patch).await
        {
            warn!(pod = %pod.key(), error = error_chain(&error), "cannot write the pod's status");
        }
    }

    /// Patches a pod's status. That it is gone, or replaced by another of its name, is success.
    async fn patch_status(&self, pod: &Demand, patch: Value) -> Result<(), kube::Error> {
        let patch = Patch::Strategic(patch);
        match self.pods(pod).patch_status(&pod.name, &PatchParams::default(), &patch).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn reference(pod: &Demand) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        namespace: Some(pod.kin.namespace.to_string()),
        name: Some(pod.name.to_string()),
        uid: Some(pod.uid.to_string()),
        ..ObjectReference::default()
    }
}

/// The patch that makes the pod's status say what `verdict` does; `None` if it does.
fn status_patch(pod: &Demand, verdict: &Verdict<'_>, now: Timestamp) -> Option<Value> {
    let wanted = ScheduledCondition {
        status: "False".to_owned(),
        reason: verdict.reason.to_owned(),
        message: verdict.message.to_owned(),
    };
    let mut status = json!({});
    if pod.condition.as_deref() != Some(&wanted) {
        let mut condition = json!({
            "type": "PodScheduled",
            "status": wanted.status,
            "reason": wanted.reason,
            "message": wanted.message,
        });
        // The time of a transition stays while the status does.
        if pod.condition.as_ref().is_none_or(|before| before.status != wanted.status) {
            condition["lastTransitionTime"] = json!(wk_api::time::rfc3339(now));
        }
        status["conditions"] = json!([condition]);
    }
    match verdict.room {
        Room::On(node) if pod.nominated.as_deref() != Some(node) => {
            status["nominatedNodeName"] = json!(node);
        }
        Room::NoMore if pod.nominated.is_some() => status["nominatedNodeName"] = Value::Null,
        _ => {}
    }
    let is_empty = status.as_object().is_some_and(serde_json::Map::is_empty);
    (!is_empty).then(|| json!({"metadata": {"uid": pod.uid}, "status": status}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demand::Shared;

    fn pod(status: &Value) -> Demand {
        let pod = json!({"metadata": {"uid": "u"}, "spec": {"containers": []}, "status": status});
        Demand::of(serde_json::from_value(pod).unwrap(), &Shared::default()).unwrap()
    }

    fn patch(status: &Value, verdict: &Verdict<'_>) -> Option<Value> {
        status_patch(&pod(status), verdict, Timestamp::UNIX_EPOCH)
    }

    fn said(message: &str) -> Value {
        json!({"conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": message}]})
    }

    #[test]
    fn a_condition_is_written_when_it_says_something_new() {
        let verdict = Verdict::unschedulable("full", Room::AsBefore);
        assert_eq!(patch(&said("full"), &verdict), None);
        let changed = patch(&said("other"), &verdict).unwrap();
        let condition = &changed["status"]["conditions"][0];
        assert_eq!(condition["message"], "full");
        assert_eq!(condition.get("lastTransitionTime"), None);
        let fresh = json!({"conditions": [{"type": "Ready", "status": "False"}]});
        let patch = patch(&fresh, &verdict).unwrap();
        let time = &patch["status"]["conditions"][0]["lastTransitionTime"];
        assert_eq!(time, "1970-01-01T00:00:00Z");
    }

    #[test]
    fn the_nominated_node_is_written_when_it_changes() {
        let nominated = |name: &str| {
            let mut status = said("full");
            status["nominatedNodeName"] = json!(name);
            status
        };
        let on = Verdict::unschedulable("full", Room::On("a"));
        assert_eq!(patch(&said("full"), &on).unwrap()["status"], json!({"nominatedNodeName": "a"}));
        assert_eq!(patch(&nominated("a"), &on), None);
        let no_more = Verdict::unschedulable("full", Room::NoMore);
        let cleared = patch(&nominated("a"), &no_more).unwrap();
        assert_eq!(cleared["status"], json!({"nominatedNodeName": null}));
        assert_eq!(patch(&said("full"), &no_more), None);
    }
}
