//! Taints keep pods away that do not tolerate them.

use crate::cluster::{Cluster, NodeView};
use crate::demand::Demand;
use crate::framework::{
    Change, ChangeKind, ChangeKinds, Filter, NodeFilter, NodeScore, Prepared, Refusal, Score,
};
use crate::taints::{Effect, Toleration, admit, is_tolerated};

/// Nodes with hard taints are for pods that tolerate them; other taints deter.
#[derive(Clone, Copy, Debug)]
pub struct TaintToleration;

struct Tolerated<'a>(&'a [Toleration]);

impl Filter for TaintToleration {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn prepare<'a>(&'a self, pod: &'a Demand, _: &'a Cluster) -> Result<Prepared<'a>, Refusal> {
        Ok(Prepared::Each(Box::new(Tolerated(&pod.template.tolerations))))
    }

    fn minds(&self) -> ChangeKinds {
        ChangeKinds::of(&[ChangeKind::NodeCame, ChangeKind::NodeChanged])
    }

    fn is_helped(&self, pod: &Demand, change: &Change<'_>, _: &Cluster) -> bool {
        change.opens_node(|offer| admit(&offer.taints, &pod.template.tolerations))
    }
}

impl NodeFilter for Tolerated<'_> {
    fn check(&self, node: NodeView<'_>) -> Result<(), Refusal> {
        if admit(&node.offer.taints, self.0) {
            return Ok(());
        }
        Err(Refusal::lasting("node(s) had untolerated taint(s)"))
    }
}

impl Score for TaintToleration {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn prepare<'a>(
        &'a self,
        pod: &'a Demand,
        _: &'a Cluster,
        nodes: &[NodeView<'_>],
    ) -> Option<Box<dyn NodeScore + 'a>> {
        let deters = |node: &NodeView<'_>| {
            node.offer.taints.iter().any(|taint| taint.effect == Effect::PreferNoSchedule)
        };
        nodes
            .iter()
            .any(deters)
            .then(|| Box::new(Tolerated(&pod.template.tolerations)) as Box<dyn NodeScore>)
    }
}

impl NodeScore for Tolerated<'_> {
    /// How many taints deter the pod; fewer are better, which [`NodeScore::normalize`] turns round.
    fn score(&self, node: NodeView<'_>) -> i64 {
        let taints = node.offer.taints.iter();
        let deterring = taints
            .filter(|one| one.effect == Effect::PreferNoSchedule && !is_tolerated(self.0, one));
        i64::try_from(deterring.count()).unwrap_or(i64::MAX)
    }

    fn normalize(&self, scores: &mut [i64]) {
        super::normalize(scores);
        for score in scores {
            *score = 100 - *score;
        }
    }
}
