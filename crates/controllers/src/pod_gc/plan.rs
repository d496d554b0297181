//! Which pods are on which node, and which have finished first.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use jiff::Timestamp;
use wk_api::names::NamespacedName;

use crate::watched::PodView;

/// What there is to look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Task {
    /// A pod that is being deleted and has no node to end it.
    Pod(NamespacedName),
    /// The pods of a node that may be gone.
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

/// The pods by what the garbage collector asks for.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_node: HashMap<String, BTreeSet<NamespacedName>>,
    finished: BTreeSet<Finished>,
    of_pod: HashMap<NamespacedName, (Option<String>, Option<Finished>)>,
}

impl Index {
    /// Notes what a pod is now; `None` if it is gone.
    pub(super) fn put(&mut self, key: &NamespacedName, pod: Option<&PodView>) {
        if let Some((node, finished)) = self.of_pod.remove(key) {
            if let Some(node) = node
                && let Some(keys) = self.by_node.get_mut(&node)
            {
                keys.remove(key);
                if keys.is_empty() {
                    self.by_node.remove(&node);
                }
            }
            if let Some(finished) = finished {
                self.finished.remove(&finished);
            }
        }
        let Some(pod) = pod else { return };
        if let Some(node) = &pod.node {
            self.by_node.entry(node.clone()).or_default().insert(key.clone());
        }
        // One that is being deleted goes anyway.
        let counts = pod.is_finished() && !pod.is_terminating();
        let finished = counts.then(|| (pod.created, key.clone()));
        self.finished.extend(finished.clone());
        self.of_pod.insert(key.clone(), (pod.node.clone(), finished));
    }

    pub(super) fn of_node(&self, node: &str) -> Vec<NamespacedName> {
        self.by_node.get(node).into_iter().flatten().cloned().collect()
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
    fn pods_are_found_by_their_node_until_they_are_gone() {
        let mut index = Index::default();
        index.put(&key("a"), Some(&pod(1, false)));
        index.put(&key("b"), Some(&pod(1, true)));
        assert_eq!(index.of_node("n"), [key("a"), key("b")]);
        index.put(&key("a"), None);
        index.put(&key("b"), None);
        assert!(index.by_node.is_empty() && index.of_pod.is_empty() && index.finished.is_empty());
    }
}
