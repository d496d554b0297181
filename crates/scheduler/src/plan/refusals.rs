//! Why nodes were refused.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::NodeIndex;
use crate::framework::{FilterSet, Reason, Refusal};

/// The refusals of all nodes for one pod.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// Of the nodes that were looked at.
    pub of_nodes: Vec<(NodeIndex, Refusal)>,
    /// Of the pod as a whole, before any node was looked at.
    pub of_pod: Option<Refusal>,
    /// Of all nodes that are not among those above.
    pub of_others: Option<Reason>,
    /// The filters that refused.
    pub refused_by: FilterSet,
}

impl Refusals {
    /// Why this node was refused; `None` for a node that was not looked at.
    pub(super) fn of(&self, node: NodeIndex) -> Option<&Refusal> {
        self.of_nodes.iter().find(|(index, _)| *index == node).map(|(_, refusal)| refusal)
    }

    /// The nodes that could become possible if pods went away.
    pub(super) fn curable(&self) -> impl Iterator<Item = NodeIndex> {
        let curable = self.of_nodes.iter().filter(|(_, refusal)| !refusal.is_final);
        curable.map(|(index, _)| *index)
    }

    /// The reasons, with how many nodes each one holds for, in the words of Kubernetes.
    pub(super) fn message(&self, nodes: usize) -> String {
        if let Some(refusal) = &self.of_pod {
            return format!("0/{nodes} nodes are available: {}.", refusal.reasons.join(", "));
        }
        let reasons = self.of_nodes.iter().flat_map(|(_, refusal)| &refusal.reasons);
        let others = nodes.saturating_sub(self.of_nodes.len());
        histogram(nodes, reasons, self.of_others.as_ref().map(|reason| (reason, others)))
    }
}

/// A sentence with each reason and how often it occurs.
pub(super) fn histogram<'a>(
    nodes: usize,
    reasons: impl Iterator<Item = &'a Reason>,
    others: Option<(&'a Reason, usize)>,
) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in reasons {
        *counts.entry(reason).or_default() += 1;
    }
    if let Some((reason, number)) = others.filter(|(_, number)| *number > 0) {
        *counts.entry(reason).or_default() += number;
    }
    // Sorted as texts, counts included, because that is how Kubernetes does it.
    let reasons: BTreeSet<String> =
        counts.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    let reasons = reasons.into_iter().collect::<Vec<_>>().join(", ");
    if reasons.is_empty() {
        return format!("0/{nodes} nodes are available:");
    }
    format!("0/{nodes} nodes are available: {reasons}.")
}
