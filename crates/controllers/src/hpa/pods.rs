//! What an autoscaler reads of pods.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use wk_api::Quantity;

/// A pod of the target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PodSeen {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) is_deleted: bool,
    pub(super) phase: String,
    pub(super) started: Option<Timestamp>,
    pub(super) ready: Option<Ready>,
    /// What the pod as a whole requests, in thousandths, by resource.
    pub(super) requests: BTreeMap<String, i64>,
    pub(super) containers: Vec<ContainerSeen>,
}

/// The condition `Ready`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) status: String,
    pub(super) since: Timestamp,
}

/// A container that runs as long as its pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ContainerSeen {
    pub(super) name: String,
    /// In thousandths, by resource.
    pub(super) requests: BTreeMap<String, i64>,
}

impl PodSeen {
    pub(super) fn is_running(&self) -> bool {
        self.phase == "Running"
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready.as_ref().is_some_and(|ready| ready.status == "True")
    }
}

/// A list of pods as far as it is read: decoding whole pods would take much longer.
#[derive(Debug, Deserialize)]
pub(super) struct PodList {
    items: Vec<Sent>,
}

impl PodList {
    pub(super) fn seen(self) -> Vec<PodSeen> {
        self.items.into_iter().map(Sent::seen).collect()
    }
}

#[derive(Debug, Deserialize)]
struct Sent {
    metadata: Metadata,
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    name: String,
    labels: BTreeMap<String, String>,
    deletion_timestamp: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    containers: Vec<Container>,
    init_containers: Vec<Container>,
    resources: Resources,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Container {
    name: String,
    restart_policy: String,
    resources: Resources,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resources {
    requests: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    phase: String,
    start_time: Option<Timestamp>,
    conditions: Vec<Condition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Condition {
    r#type: String,
    status: String,
    last_transition_time: Option<Timestamp>,
}

impl Resources {
    fn milli(self) -> BTreeMap<String, i64> {
        let amounts = self.requests.into_iter();
        amounts
            .filter_map(|(name, amount)| Some((name, Quantity::parse(&amount).ok()?.milli())))
            .collect()
    }
}

impl Sent {
    fn seen(self) -> PodSeen {
        let ready = self.status.conditions.into_iter().find(|one| one.r#type == "Ready");
        // Of the containers that come first only those stay that never end.
        let lasting =
            self.spec.init_containers.into_iter().filter(|c| c.restart_policy == "Always");
        let containers = self.spec.containers.into_iter().chain(lasting);
        PodSeen {
            name: self.metadata.name,
            labels: self.metadata.labels,
            is_deleted: self.metadata.deletion_timestamp.is_some(),
            phase: self.status.phase,
            started: self.status.start_time,
            ready: ready.map(|one| Ready {
                status: one.status,
                since: one.last_transition_time.unwrap_or_default(),
            }),
            requests: self.spec.resources.milli(),
            containers: containers
                .map(|one| ContainerSeen { name: one.name, requests: one.resources.milli() })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_is_read_as_far_as_it_matters() {
        let container = |name: &str, policy: Option<&str>| {
            let mut one = json!({"name": name, "image": "x",
                "resources": {"requests": {"cpu": "100m", "memory": "1Mi"}}});
            if let Some(policy) = policy {
                one["restartPolicy"] = json!(policy);
            }
            one
        };
        let list: PodList = serde_json::from_value(json!({"kind": "PodList", "items": [{
            "metadata": {"name": "p", "labels": {"app": "web"}},
            "spec": {
                "containers": [container("main", None)],
                "initContainers": [container("first", None), container("side", Some("Always"))],
            },
            "status": {"phase": "Running", "startTime": "2026-01-01T00:00:00Z", "conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:05Z"},
            ]},
        }]}))
        .unwrap();
        let pods = list.seen();
        let names: Vec<&str> = pods[0].containers.iter().map(|one| &*one.name).collect();
        assert_eq!(names, ["main", "side"]);
        let requests = &pods[0].containers[0].requests;
        assert_eq!((requests["cpu"], requests["memory"]), (100, 1_048_576_000));
        assert!(pods[0].is_running() && pods[0].is_ready() && !pods[0].is_deleted);
    }
}
