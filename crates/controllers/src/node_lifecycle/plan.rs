//! What a node's silence and conditions mean.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{NodeCondition, Taint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use wk_api::well_known::{
    DISK_PRESSURE_TAINT, MEMORY_PRESSURE_TAINT, NOT_READY_TAINT, PID_PRESSURE_TAINT,
    UNREACHABLE_TAINT, UNSCHEDULABLE_TAINT,
};

use crate::watched::NodeView;

const NETWORK_UNAVAILABLE_TAINT: &str = "node.kubernetes.io/network-unavailable";
/// The taints that this controller sets and takes away; all others are somebody else's.
const OURS: [&str; 7] = [
    NOT_READY_TAINT,
    UNREACHABLE_TAINT,
    UNSCHEDULABLE_TAINT,
    MEMORY_PRESSURE_TAINT,
    DISK_PRESSURE_TAINT,
    PID_PRESSURE_TAINT,
    NETWORK_UNAVAILABLE_TAINT,
];
/// The conditions that a kubelet reports.
const REPORTED: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/// The conditions to write: all that a silent node would report become unknown.
pub(super) fn plan_conditions(
    node: &NodeView,
    is_silent: bool,
    now: Timestamp,
) -> Vec<NodeCondition> {
    if !is_silent {
        return Vec::new();
    }
    let unknown = |name: &&str| {
        let before = node.conditions.iter().find(|condition| condition.type_ == **name);
        if before.is_some_and(|condition| condition.status == "Unknown") {
            return None;
        }
        let (reason, message) = match before {
            Some(_) => ("NodeStatusUnknown", "Kubelet stopped posting node status."),
            None => ("NodeStatusNeverUpdated", "Kubelet never posted node status."),
        };
        Some(NodeCondition {
            type_: (*name).to_owned(),
            status: "Unknown".to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
            last_heartbeat_time: before
                .and_then(|condition| condition.last_heartbeat_time.clone())
                .or_else(|| node.created.map(Time)),
            last_transition_time: Some(Time(now)),
        })
    };
    REPORTED.iter().filter_map(unknown).collect()
}

/// All taints that the node should have, others' included; `None` if it has just those.
pub(super) fn plan_taints(node: &NodeView, now: Timestamp) -> Option<Vec<Taint>> {
    let wanted = wanted(node);
    let is_wanted = |taint: &Taint| {
        !OURS.contains(&taint.key.as_str())
            || wanted.contains(&(taint.key.as_str(), taint.effect.as_str()))
    };
    let has = |(key, effect): &(&str, &str)| {
        node.taints.iter().any(|taint| taint.key == *key && taint.effect == *effect)
    };
    if node.taints.iter().all(is_wanted) && wanted.iter().all(has) {
        return None;
    }
    let mut taints: Vec<Taint> =
        node.taints.iter().filter(|taint| is_wanted(taint)).cloned().collect();
    taints.extend(wanted.iter().filter(|one| !has(one)).map(|(key, effect)| Taint {
        key: (*key).to_owned(),
        effect: (*effect).to_owned(),
        time_added: Some(Time(now)),
        value: None,
    }));
    Some(taints)
}

fn wanted(node: &NodeView) -> Vec<(&'static str, &'static str)> {
    let status = |name: &str| {
        let condition = node.conditions.iter().find(|condition| condition.type_ == name);
        condition.map(|condition| condition.status.as_str())
    };
    let mut wanted = Vec::new();
    match status("Ready") {
        Some("True") => {}
        Some("Unknown") => {
            wanted.extend([(UNREACHABLE_TAINT, "NoSchedule"), (UNREACHABLE_TAINT, "NoExecute")]);
        }
        Some(_) => {
            wanted.extend([(NOT_READY_TAINT, "NoSchedule"), (NOT_READY_TAINT, "NoExecute")]);
        }
        // It has not said anything yet: no new pods, and none to be sent away.
        None => wanted.push((NOT_READY_TAINT, "NoSchedule")),
    }
    for (condition, taint) in [
        ("MemoryPressure", MEMORY_PRESSURE_TAINT),
        ("DiskPressure", DISK_PRESSURE_TAINT),
        ("PIDPressure", PID_PRESSURE_TAINT),
        ("NetworkUnavailable", NETWORK_UNAVAILABLE_TAINT),
    ] {
        if status(condition) == Some("True") {
            wanted.push((taint, "NoSchedule"));
        }
    }
    if node.is_unschedulable {
        wanted.push((UNSCHEDULABLE_TAINT, "NoSchedule"));
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn node(conditions: &[(&str, &str)], taints: &[(&str, &str)]) -> NodeView {
        let condition = |(type_, status): &(&str, &str)| NodeCondition {
            type_: (*type_).to_owned(),
            status: (*status).to_owned(),
            ..NodeCondition::default()
        };
        let taint = |(key, effect): &(&str, &str)| Taint {
            key: (*key).to_owned(),
            effect: (*effect).to_owned(),
            ..Taint::default()
        };
        NodeView {
            conditions: conditions.iter().map(condition).collect(),
            taints: taints.iter().map(taint).collect(),
            ..NodeView::default()
        }
    }

    #[track_caller]
    fn check(case: &str, node: &NodeView, expected: Option<&[&str]>) {
        let taints = plan_taints(node, NOW).map(|taints| {
            taints.iter().map(|taint| format!("{}:{}", taint.key, taint.effect)).collect::<Vec<_>>()
        });
        let expected = expected.map(|taints| taints.iter().map(|&t| t.to_owned()).collect());
        assert_eq!(taints, expected, "{case}");
    }

    #[test]
    fn taints_follow_conditions() {
        check("a healthy node", &node(&[("Ready", "True")], &[]), None);
        check(
            "not ready",
            &node(&[("Ready", "False")], &[]),
            Some(&[
                "node.kubernetes.io/not-ready:NoSchedule",
                "node.kubernetes.io/not-ready:NoExecute",
            ]),
        );
        check(
            "recovered; others' taints stay",
            &node(
                &[("Ready", "True")],
                &[(UNREACHABLE_TAINT, "NoSchedule"), ("mine", "NoExecute")],
            ),
            Some(&["mine:NoExecute"]),
        );
        check(
            "full disk, tainted already",
            &node(
                &[("Ready", "True"), ("DiskPressure", "True")],
                &[(DISK_PRESSURE_TAINT, "NoSchedule")],
            ),
            None,
        );
        let cordoned = NodeView { is_unschedulable: true, ..node(&[("Ready", "True")], &[]) };
        check("cordoned", &cordoned, Some(&["node.kubernetes.io/unschedulable:NoSchedule"]));
        check("new", &node(&[], &[]), Some(&["node.kubernetes.io/not-ready:NoSchedule"]));
    }

    #[test]
    fn a_silent_node_is_unknown_once() {
        let healthy = node(&[("Ready", "True"), ("DiskPressure", "False")], &[]);
        assert_eq!(plan_conditions(&healthy, false, NOW), []);
        let written = plan_conditions(&healthy, true, NOW);
        let written: Vec<_> = written
            .iter()
            .map(|one| format!("{} {} {}", one.type_, one.status, one.reason.as_ref().unwrap()))
            .collect();
        assert_eq!(
            written,
            [
                "Ready Unknown NodeStatusUnknown",
                "MemoryPressure Unknown NodeStatusNeverUpdated",
                "DiskPressure Unknown NodeStatusUnknown",
                "PIDPressure Unknown NodeStatusNeverUpdated",
            ]
        );
        let unknown = node(&REPORTED.map(|name| (name, "Unknown")), &[]);
        assert_eq!(plan_conditions(&unknown, true, NOW), []);
    }
}
