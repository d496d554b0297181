//! What a node's silence and conditions mean.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{NodeCondition, Taint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use wk_api::well_known::{
    DISK_PRESSURE_TAINT, MEMORY_PRESSURE_TAINT, NOT_READY_TAINT, PID_PRESSURE_TAINT, REGION_LABEL,
    UNREACHABLE_TAINT, UNSCHEDULABLE_TAINT, ZONE_LABEL,
};

use super::zones::Member;
use crate::taints::{NO_EXECUTE, NO_SCHEDULE};
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
/// A node with this label does not count when it is judged how much of a zone is healthy.
const EXCLUDED_LABEL: &str = "node.kubernetes.io/exclude-disruption";
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

/// Whether a node has ever said how it is.
pub(super) fn has_reported(node: &NodeView) -> bool {
    status(node, "Ready").is_some()
}

/// When a node last wrote how it is, by its own clock.
pub(super) fn heartbeat(node: &NodeView) -> Option<Timestamp> {
    let ready = node.conditions.iter().find(|condition| condition.type_ == "Ready")?;
    ready.last_heartbeat_time.as_ref().map(|time| time.0)
}

/// Whether nobody knows how a node is.
pub(super) fn is_unknown(node: &NodeView) -> bool {
    status(node, "Ready") == Some("Unknown")
}

/// What a node counts as in its zone.
pub(super) fn member(node: &NodeView) -> Option<Member> {
    let label = |name: &str| node.labels.get(name).map_or("", String::as_str);
    let member = Member {
        zone: format!("{}:{}", label(REGION_LABEL), label(ZONE_LABEL)),
        is_ready: status(node, "Ready") == Some("True"),
    };
    (!node.labels.contains_key(EXCLUDED_LABEL)).then_some(member)
}

/// What may be done about the pods of a node that is not well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Eviction {
    /// They stay, and those that were to go stay, too.
    Never,
    /// Nothing yet.
    Later,
    /// They go, as far as they do not tolerate it.
    Now,
}

/// Whether a node is not well and its pods have not been told to go: that needs leave.
pub(super) fn needs_leave(node: &NodeView) -> bool {
    let is_told = node.taints.iter().any(is_ending);
    ending(node).is_some() && !is_told
}

/// The taint that ends the pods of a node that is not well.
fn ending(node: &NodeView) -> Option<&'static str> {
    match status(node, "Ready") {
        Some("Unknown") => Some(UNREACHABLE_TAINT),
        // It has not said anything yet: no new pods, and none to be sent away.
        None | Some("True") => None,
        Some(_) => Some(NOT_READY_TAINT),
    }
}

fn is_ending(taint: &Taint) -> bool {
    taint.effect == NO_EXECUTE && [NOT_READY_TAINT, UNREACHABLE_TAINT].contains(&&*taint.key)
}

/// All taints that the node should have, others' included; `None` if it has just those.
pub(super) fn plan_taints(
    node: &NodeView,
    eviction: Eviction,
    now: Timestamp,
) -> Option<Vec<Taint>> {
    let wanted = wanted(node, eviction);
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

fn status<'a>(node: &'a NodeView, name: &str) -> Option<&'a str> {
    let condition = node.conditions.iter().find(|condition| condition.type_ == name);
    condition.map(|condition| condition.status.as_str())
}

fn wanted(node: &NodeView, eviction: Eviction) -> Vec<(&'static str, &'static str)> {
    let mut wanted = Vec::new();
    match status(node, "Ready") {
        Some("True") => {}
        Some("Unknown") => wanted.push((UNREACHABLE_TAINT, NO_SCHEDULE)),
        Some(_) | None => wanted.push((NOT_READY_TAINT, NO_SCHEDULE)),
    }
    // Pods that were told to go are not told to stay because the reason is another one now.
    let is_told = eviction == Eviction::Later && node.taints.iter().any(is_ending);
    if eviction == Eviction::Now || is_told {
        wanted.extend(ending(node).map(|taint| (taint, NO_EXECUTE)));
    }
    for (condition, taint) in [
        ("MemoryPressure", MEMORY_PRESSURE_TAINT),
        ("DiskPressure", DISK_PRESSURE_TAINT),
        ("PIDPressure", PID_PRESSURE_TAINT),
        ("NetworkUnavailable", NETWORK_UNAVAILABLE_TAINT),
    ] {
        if status(node, condition) == Some("True") {
            wanted.push((taint, NO_SCHEDULE));
        }
    }
    if node.is_unschedulable {
        wanted.push((UNSCHEDULABLE_TAINT, NO_SCHEDULE));
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
        check_when(case, node, Eviction::Now, expected);
    }

    #[track_caller]
    fn check_when(case: &str, node: &NodeView, when: Eviction, expected: Option<&[&str]>) {
        let taints = plan_taints(node, when, NOW).map(|taints| {
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
    fn pods_are_told_to_go_when_there_is_leave() {
        let sick = node(&[("Ready", "False")], &[(NOT_READY_TAINT, "NoSchedule")]);
        assert!(needs_leave(&sick));
        check_when("no leave yet", &sick, Eviction::Later, None);
        let told = node(
            &[("Ready", "Unknown")],
            &[(UNREACHABLE_TAINT, "NoSchedule"), (NOT_READY_TAINT, "NoExecute")],
        );
        assert!(!needs_leave(&told));
        let unreachable = [
            "node.kubernetes.io/unreachable:NoSchedule",
            "node.kubernetes.io/unreachable:NoExecute",
        ];
        check_when("the reason changed", &told, Eviction::Later, Some(&unreachable));
        check_when("all nodes are silent", &told, Eviction::Never, Some(&unreachable[..1]));
        let well = node(&[("Ready", "True")], &[(UNREACHABLE_TAINT, "NoExecute")]);
        assert!(!needs_leave(&well));
        check_when("it is back", &well, Eviction::Later, Some(&[]));
    }

    #[test]
    fn a_node_counts_in_its_zone() {
        let label = |name: &str| (name.to_owned(), "x".to_owned());
        let labels = [label(ZONE_LABEL), label(REGION_LABEL)].into();
        let healthy = NodeView { labels, ..node(&[("Ready", "True")], &[]) };
        let expected = Member { zone: "x:x".to_owned(), is_ready: true };
        assert_eq!(member(&healthy), Some(expected));
        let silent = node(&[("Ready", "Unknown")], &[]);
        assert_eq!(member(&silent).map(|one| one.is_ready), Some(false));
        let labels = [label(EXCLUDED_LABEL)].into();
        assert_eq!(member(&NodeView { labels, ..silent }), None);
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
