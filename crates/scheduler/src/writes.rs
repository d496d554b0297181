//! What the scheduler writes: bindings, conditions and events.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Binding, ObjectReference, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tracing::warn;
use wk_api::names::NamespacedName;
use wk_client::{EventRecorder, EventType, error_chain};

use crate::demand::{Demand, ScheduledCondition};

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

impl Writes {
    pub(crate) fn new(client: Client, events: EventRecorder) -> Self {
        Self { client: DebugClient(client), events }
    }

    fn pods(&self, key: &NamespacedName) -> Api<Pod> {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        Api::namespaced(self.client.0.clone(), namespace)
    }

    /// Binds a pod to a node and says so.
    pub(crate) async fn bind(
        &self,
        key: &NamespacedName,
        demand: &Demand,
        node: &str,
    ) -> Result<(), kube::Error> {
        let binding = Binding {
            metadata: ObjectMeta {
                name: Some(key.name.clone()),
                namespace: key.namespace.clone(),
                // Another pod of this name is not meant.
                uid: Some(demand.uid.to_string()),
                ..ObjectMeta::default()
            },
            target: ObjectReference {
                kind: Some("Node".to_owned()),
                name: Some(node.to_owned()),
                ..ObjectReference::default()
            },
        };
        let params = PostParams::default();
        let _status: Value =
            self.pods(key).create_subresource("binding", &key.name, &params, &binding).await?;
        let message = format!("Successfully assigned {key} to {node}");
        self.events.publish(reference(key, demand), EventType::Normal, "Scheduled", message);
        Ok(())
    }

    /// Writes why a pod has no node, if that is not what its status says already.
    pub(crate) async fn explain(&self, key: &NamespacedName, demand: &Demand, message: &str) {
        let object = reference(key, demand);
        self.events.publish(object, EventType::Warning, "FailedScheduling", message);
        let Some(patch) = condition_patch(demand, message, Timestamp::now()) else { return };
        let patch = Patch::Strategic(patch);
        match self.pods(key).patch_status(&key.name, &PatchParams::default(), &patch).await {
            Ok(_) => {}
            // Deleted meanwhile, or replaced by another of its name.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
            Err(error) => {
                warn!(pod = %key, error = error_chain(&error), "cannot write the pod's condition");
            }
        }
    }
}

fn reference(key: &NamespacedName, demand: &Demand) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        namespace: key.namespace.clone(),
        name: Some(key.name.clone()),
        uid: Some(demand.uid.to_string()),
        ..ObjectReference::default()
    }
}

/// The patch that makes the pod's status say `message`; `None` if it does.
fn condition_patch(demand: &Demand, message: &str, now: Timestamp) -> Option<Value> {
    let wanted = ScheduledCondition {
        status: "False".to_owned(),
        reason: "Unschedulable".to_owned(),
        message: message.to_owned(),
    };
    if demand.condition.as_ref() == Some(&wanted) {
        return None;
    }
    let mut condition = json!({
        "type": "PodScheduled",
        "status": wanted.status,
        "reason": wanted.reason,
        "message": wanted.message,
    });
    // The time of a transition stays while the status does.
    if demand.condition.as_ref().is_none_or(|before| before.status != wanted.status) {
        condition["lastTransitionTime"] = json!(wk_api::time::rfc3339(now));
    }
    Some(json!({
        "metadata": {"uid": demand.uid},
        "status": {"conditions": [condition]},
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_written_when_it_says_something_new() {
        let demand = |condition: Value| {
            let pod = json!({"metadata": {"uid": "u"}, "spec": {"containers": []},
                "status": {"conditions": [condition]}});
            Demand::of(serde_json::from_value(pod).unwrap()).unwrap()
        };
        let said = |message: &str| {
            demand(json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "message": message}))
        };
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(condition_patch(&said("full"), "full", now), None);
        let patch = condition_patch(&said("other"), "full", now).unwrap();
        let condition = &patch["status"]["conditions"][0];
        assert_eq!(condition["message"], "full");
        assert_eq!(condition.get("lastTransitionTime"), None);
        let fresh = demand(json!({"type": "Ready", "status": "False"}));
        let patch = condition_patch(&fresh, "full", now).unwrap();
        let time = &patch["status"]["conditions"][0]["lastTransitionTime"];
        assert_eq!(time, "1970-01-01T00:00:00Z");
    }
}
