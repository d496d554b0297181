//! Node selectors and node affinity.
//!
//! Spec: <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/>

use std::collections::BTreeSet;

use crate::cluster::{Cluster, NodeIndex, NodeView};
use crate::demand::{self, Demand};
use crate::framework::{
    Change, ChangeKind, ChangeKinds, Filter, NodeFilter, NodeScore, Prepared, Refusal, Score,
};

/// A pod goes where its selector and affinity say, and rather where it prefers.
#[derive(Clone, Copy, Debug)]
pub struct NodeAffinity;

struct Affine<'a>(&'a demand::NodeAffinity);

impl Filter for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn prepare<'a>(
        &'a self,
        pod: &'a Demand,
        cluster: &'a Cluster,
    ) -> Result<Prepared<'a>, Refusal> {
        let affinity = &pod.template.nodes;
        if affinity.is_everything() {
            return Ok(Prepared::Skip);
        }
        let filter = Box::new(Affine(affinity));
        let Some(names) = named(affinity) else { return Ok(Prepared::Each(filter)) };
        if names.is_empty() {
            return Err(Refusal::lasting("pod affinity terms conflict"));
        }
        // A pod of a DaemonSet names its node: there is no need to look at any other.
        let nodes: Vec<NodeIndex> =
            names.iter().filter_map(|name| cluster.index_of(name)).collect();
        Ok(Prepared::Among(nodes, filter))
    }

    fn minds(&self) -> ChangeKinds {
        ChangeKinds::of(&[ChangeKind::NodeCame, ChangeKind::NodeChanged])
    }

    fn is_helped(&self, pod: &Demand, change: &Change<'_>, _: &Cluster) -> bool {
        change.opens_node(|offer| pod.template.nodes.matches(&offer.name, &offer.labels))
    }
}

/// The only nodes that are possible, if every term names its nodes.
fn named(affinity: &demand::NodeAffinity) -> Option<BTreeSet<&str>> {
    let terms = affinity.required.as_ref().filter(|terms| !terms.is_empty())?;
    let mut all = BTreeSet::new();
    for term in terms {
        all.extend(term.names()?);
    }
    Some(all)
}

impl NodeFilter for Affine<'_> {
    fn check(&self, node: NodeView<'_>) -> Result<(), Refusal> {
        if self.0.matches(&node.offer.name, &node.offer.labels) {
            return Ok(());
        }
        Err(Refusal::lasting("node(s) didn't match Pod's node affinity/selector"))
    }
}

impl Score for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn prepare<'a>(
        &'a self,
        pod: &'a Demand,
        _: &'a Cluster,
        _: &[NodeView<'_>],
    ) -> Option<Box<dyn NodeScore + 'a>> {
        let affinity = &pod.template.nodes;
        (!affinity.preferred.is_empty()).then(|| Box::new(Affine(affinity)) as Box<dyn NodeScore>)
    }
}

impl NodeScore for Affine<'_> {
    fn score(&self, node: NodeView<'_>) -> i64 {
        let preferred = self.0.preferred.iter();
        let met = preferred.filter(|one| one.term.matches(&node.offer.name, &node.offer.labels));
        met.map(|one| one.weight).sum()
    }

    fn normalize(&self, scores: &mut [i64]) {
        super::normalize(scores);
    }
}
