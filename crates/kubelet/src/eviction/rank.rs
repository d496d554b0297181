//! Who goes first when a node runs low, and what is said of it. Pure.
//!
//! Spec: <https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#pod-selection-for-kubelet-eviction>

use std::cmp::Reverse;

use k8s_openapi::api::core::v1::Pod;
use wk_api::Quantity;

use super::Signal;
use super::tracker::Due;

/// Pods of this priority and above are never evicted by their node.
const CRITICAL_PRIORITY: i32 = 2_000_000_000;

/// What one container uses of what has run low, and what it asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) container: String,
    pub(crate) used: u64,
    pub(crate) requested: u64,
}

/// One pod that could go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) uid: String,
    pub(crate) priority: i32,
    pub(crate) shares: Vec<Share>,
    /// What the pod uses beside its containers: volumes.
    pub(crate) shared: u64,
}

impl Candidate {
    fn used(&self) -> u64 {
        self.shares.iter().fold(self.shared, |sum, share| sum.saturating_add(share.used))
    }

    fn requested(&self) -> u64 {
        self.shares.iter().fold(0_u64, |sum, share| sum.saturating_add(share.requested))
    }
}

/// Whether the node has to keep a pod whatever happens: those of its own files, and those of system
/// priorities. Annotations that say so mean nothing: anybody can write them.
pub(crate) fn is_critical(pod: &Pod, is_static: bool) -> bool {
    let priority = pod.spec.as_ref().and_then(|spec| spec.priority);
    is_static || priority.is_some_and(|priority| priority >= CRITICAL_PRIORITY)
}

/// The name of what a signal is about.
pub(crate) fn resource(signal: Signal) -> &'static str {
    match signal {
        Signal::MemoryAvailable => "memory",
        Signal::NodefsAvailable | Signal::ImagefsAvailable => "ephemeral-storage",
        Signal::NodefsInodesFree | Signal::ImagefsInodesFree => "inodes",
        Signal::PidAvailable => "pids",
    }
}

/// The pod that goes first: one that uses more than it asked for, then of the least priority, then
/// the one that is furthest above its requests.
pub(crate) fn first(candidates: &[Candidate]) -> Option<&Candidate> {
    candidates.iter().min_by_key(|pod| {
        let (used, requested) = (pod.used(), pod.requested());
        let above = i128::from(used) - i128::from(requested);
        (used <= requested, pod.priority, Reverse(above), pod.uid.as_str())
    })
}

/// What the pod and everybody is told.
pub(crate) fn message(due: Due, pod: &Candidate) -> String {
    use std::fmt::Write as _;
    let resource = resource(due.signal);
    let amount = |amount: u64| {
        let amount = i64::try_from(amount).unwrap_or(i64::MAX);
        match due.signal {
            Signal::MemoryAvailable | Signal::NodefsAvailable | Signal::ImagefsAvailable => {
                Quantity::from_bytes(amount)
            }
            Signal::NodefsInodesFree | Signal::ImagefsInodesFree | Signal::PidAvailable => {
                Quantity::from_value(amount)
            }
        }
    };
    let (least, left) = (amount(due.least), amount(due.available));
    let mut text = format!(
        "The node was low on resource: {resource}. Threshold quantity: {least}, available: {left}. "
    );
    // Of files and processes it is not known who has how many.
    let is_known = !matches!(
        due.signal,
        Signal::NodefsInodesFree | Signal::ImagefsInodesFree | Signal::PidAvailable
    );
    for share in pod.shares.iter().filter(|share| is_known && share.used > share.requested) {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "Container {} was using {}, request is {}, has larger consumption of {resource}. ",
            share.container,
            amount(share.used),
            amount(share.requested)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str, priority: i32, used: u64, requested: u64) -> Candidate {
        let share = Share { container: "c".to_owned(), used, requested };
        Candidate { uid: uid.to_owned(), priority, shares: vec![share], shared: 0 }
    }

    #[track_caller]
    fn check(case: &str, pods: &[Candidate], expected: &str) {
        assert_eq!(first(pods).unwrap().uid, expected, "{case}");
    }

    #[test]
    fn who_takes_more_than_asked_for_goes_first() {
        let modest = pod("modest", 0, 900, 1000);
        check("above requests", &[modest.clone(), pod("greedy", 9, 11, 10)], "greedy");
        check("then by priority", &[pod("high", 9, 500, 0), pod("low", 1, 5, 0)], "low");
        check("then by how far above", &[pod("less", 0, 9, 5), pod("more", 0, 8, 1)], "more");
        check("also below requests", &[modest, pod("low", -1, 0, 10)], "low");
        let mut volumes = pod("volumes", 0, 0, 0);
        volumes.shared = 100;
        check("volumes count", &[pod("logs", 0, 99, 0), volumes], "volumes");
        assert_eq!(first(&[]), None);
    }

    #[test]
    fn the_reason_is_told_in_kubernetes_words() {
        let due = Due {
            signal: Signal::MemoryAvailable,
            is_hard: true,
            available: 50 << 20,
            least: 100 << 20,
        };
        assert_eq!(
            message(due, &pod("a", 0, 3 << 20, 1 << 20)),
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. \
             Container c was using 3Mi, request is 1Mi, has larger consumption of memory. "
        );
        let due = Due { signal: Signal::PidAvailable, available: 5, least: 10, ..due };
        assert_eq!(
            message(due, &pod("a", 0, 0, 0)),
            "The node was low on resource: pids. Threshold quantity: 10, available: 5. "
        );
    }

    #[test]
    fn the_system_is_kept() {
        let pod = |json: serde_json::Value| serde_json::from_value::<Pod>(json).unwrap();
        let spec = |priority: i32| serde_json::json!({"containers": [], "priority": priority});
        assert!(is_critical(&pod(serde_json::json!({"spec": spec(2_000_000_000)})), false));
        assert!(!is_critical(&pod(serde_json::json!({"spec": spec(1_999_999_999)})), false));
        let mirror = serde_json::json!({"annotations": {"kubernetes.io/config.mirror": "x"}});
        let mirror = pod(serde_json::json!({"metadata": mirror}));
        assert!(!is_critical(&mirror, false), "anybody can say so");
        assert!(is_critical(&mirror, true), "of a file");
    }
}
