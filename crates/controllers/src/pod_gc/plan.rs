//! Which pods have finished first, and what makes a node let go of its pods.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::NodeCondition;
use wk_api::names::NamespacedName;

use crate::watched::{NodeView, PodView};

const OUT_OF_SERVICE_TAINT: &str = "node.kubernetes.io/out-of-service";

/// What there is to look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Task {
    /// A pod that is being deleted and has no node to end it.
    Pod(NamespacedName),
    /// The pods of a node that may be gone, or of which somebody has said that it is out of service.
    Node(String),
    /// The number of finished pods.
    Finished,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod(key) => write!(f, "pod {key}"),
            Self::Node(name) => write!(f, "node {name}"),
            Self::Finished => f.write_str("finished pods"),
        }
    }
}

type Finished = (Option<Timestamp>, NamespacedName);

/// The finished pods.
#[derive(Debug, Default)]
pub(super) struct Index {
    finished: BTreeSet<Finished>,
    of_pod: HashMap<NamespacedName, Finished>,
}

/// Whether what runs on a node surely does not run any more: it does not answer, and somebody who
/// knows has said that it is out of service. Pods that end there may then go without its word.
pub(super) fn is_out_of_service(node: &NodeView) -> bool {
    let is_ready = |one: &NodeCondition| one.type_ == "Ready" && one.status == "True";
    node.taints.iter().any(|taint| taint.key == OUT_OF_SERVICE_TAINT)
        && !node.conditions.iter().any(is_ready)
}

impl Index {
    /// Notes what a pod is now; `None` if it is gone.
    pub(super) fn put(&mut self, key: &NamespacedName, pod: Option<&PodView>) {
        if let Some(finished) = self.of_pod.remove(key) {
            self.finished.remove(&finished);
        }
        // One that is being deleted goes anyway.
        let Some(pod) = pod.filter(|pod| pod.is_finished() && !pod.is_terminating()) else {
            return;
        };
        let finished = (pod.created, key.clone());
        self.finished.insert(finished.clone());
        self.of_pod.insert(key.clone(), finished);
    }

    pub(super) fn finished_len(&self) -> usize {
        self.finished.len()
    }

    /// The oldest finished pods, so many that `keep` remain.
    pub(super) fn oldest_finished(&self, keep: usize) -> Vec<NamespacedName> {
        let surplus = self.finished.len().saturating_sub(keep);
        self.finished.iter().take(surplus).map(|(_, key)| key.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Taint;

    use super::*;
    use crate::watched::Phase;

    fn key(name: &str) -> NamespacedName {
        NamespacedName::new("default", name)
    }

    fn pod(created: i64, is_finished: bool) -> PodView {
        PodView {
            created: Timestamp::from_second(created).ok(),
            phase: if is_finished { Phase::Failed } else { Phase::Running },
            ..PodView::sample("p")
        }
    }

    #[test]
    fn the_oldest_finished_pods_go_first() {
        let mut index = Index::default();
        for (name, created, is_finished) in
            [("a", 3, true), ("b", 1, true), ("c", 0, false), ("d", 2, true)]
        {
            index.put(&key(name), Some(&pod(created, is_finished)));
        }
        assert_eq!(index.oldest_finished(1), [key("b"), key("d")]);
        assert_eq!(index.oldest_finished(3), []);
        index.put(&key("b"), Some(&pod(1, true).with_meta(|meta| meta.is_terminating = true)));
        assert_eq!(index.oldest_finished(1), [key("d")]);
    }

    #[test]
    fn a_node_is_out_of_service_only_while_it_is_silent() {
        let node = |status: &str, taint: &str| NodeView {
            conditions: vec![NodeCondition {
                type_: "Ready".to_owned(),
                status: status.to_owned(),
                ..NodeCondition::default()
            }],
            taints: vec![Taint { key: taint.to_owned(), ..Taint::default() }],
            ..NodeView::default()
        };
        assert!(is_out_of_service(&node("Unknown", OUT_OF_SERVICE_TAINT)));
        assert!(is_out_of_service(&node("False", OUT_OF_SERVICE_TAINT)));
        assert!(!is_out_of_service(&node("True", OUT_OF_SERVICE_TAINT)));
        assert!(!is_out_of_service(&node("Unknown", "other")));
    }
}
