//! Binding a pod to a node.

use jiff::Timestamp;
use serde_json::{Value, json};
use wk_api::rfc3339;

use crate::look::{Look, map_mut};

/// Why a pod cannot be bound; a conflict, for the scheduler to look again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindError {
    /// The pod is being deleted.
    Deleted {
        /// The name of the pod.
        pod: String,
    },
    /// The pod has a node.
    Bound {
        /// The name of the pod.
        pod: String,
        /// The node that it has.
        node: String,
    },
    /// The pod waits for its gates.
    Gated {
        /// The name of the pod.
        pod: String,
    },
}

impl std::fmt::Display for BindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Deleted { pod } => {
                write!(f, "pod {pod} is being deleted, cannot be assigned to a host")
            }
            Self::Bound { pod, node } => {
                write!(f, "pod {pod} is already assigned to node {node:?}")
            }
            Self::Gated { pod } => write!(f, "pod {pod} has non-empty .spec.schedulingGates"),
        }
    }
}

impl std::error::Error for BindError {}

/// Puts a pod on the node that a checked `Binding` names: node, annotations and labels of the
/// binding, and the condition that says so; a nominated node has done its duty.
///
/// # Errors
/// [`BindError`] when the pod is being deleted, has a node, or waits for its gates.
pub fn bind(pod: &mut Value, binding: &Value, now: Timestamp) -> Result<(), BindError> {
    let name = pod["metadata"].text("name").to_owned();
    if pod["metadata"].has("deletionTimestamp") {
        return Err(BindError::Deleted { pod: name });
    }
    if !pod["spec"].lacks("nodeName") {
        let node = pod["spec"].text("nodeName").to_owned();
        return Err(BindError::Bound { pod: name, node });
    }
    if !pod["spec"].lacks("schedulingGates") {
        return Err(BindError::Gated { pod: name });
    }
    let node = binding["target"].text("name").to_owned();
    map_mut(pod, "spec").insert("nodeName".to_owned(), node.into());
    for field in ["annotations", "labels"] {
        let added: Vec<(String, Value)> = binding["metadata"]
            .entries(field)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if !added.is_empty() {
            map_mut(pod, "metadata");
            map_mut(&mut pod["metadata"], field).extend(added);
        }
    }
    let status = map_mut(pod, "status");
    // Room need not be made for it any more.
    status.remove("nominatedNodeName");
    let conditions = status.entry("conditions").or_insert_with(|| json!([]));
    if let Value::Array(conditions) = conditions {
        conditions.retain(|condition| condition.text("type") != "PodScheduled");
        conditions.push(json!({
            "type": "PodScheduled",
            "status": "True",
            "lastTransitionTime": rfc3339(now),
        }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use wk_api::parse_time;

    use super::*;

    #[test]
    fn a_pod_is_bound_once() {
        let now = parse_time("2026-01-02T03:04:05Z").unwrap();
        let mut pod = json!({"metadata": {"name": "a", "generation": 1}, "spec": {},
            "status": {"nominatedNodeName": "n2"}});
        let binding = json!({"metadata": {"annotations": {"x": "y"}}, "target": {"name": "n1"}});
        bind(&mut pod, &binding, now).unwrap();
        assert_eq!(pod["spec"]["nodeName"], "n1");
        assert_eq!(pod["metadata"]["annotations"]["x"], "y");
        assert_eq!(pod["status"]["conditions"][0]["status"], "True");
        assert_eq!(pod["status"].get("nominatedNodeName"), None);
        let again = bind(&mut pod, &binding, now).unwrap_err().to_string();
        assert_eq!(again, "pod a is already assigned to node \"n1\"");
        let mut gated =
            json!({"metadata": {"name": "a"}, "spec": {"schedulingGates": [{"name": "g"}]}});
        assert!(matches!(bind(&mut gated, &binding, now), Err(BindError::Gated { .. })));
        let mut going = json!({"metadata": {"name": "a", "deletionTimestamp": "x"}});
        assert!(matches!(bind(&mut going, &binding, now), Err(BindError::Deleted { .. })));
    }
}
