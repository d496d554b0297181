//! Amounts: what fits, and where it fits best.

use std::borrow::Cow;

use crate::cluster::{Cluster, NodeView, Usage};
use crate::config::{ResourceWeight, ScoringStrategy, UtilizationShape};
use crate::demand::{Demand, Resources};
use crate::framework::{
    Change, ChangeKind, ChangeKinds, Filter, NodeFilter, NodeScore, Prepared, Reason, Refusal,
    Score,
};
use crate::offer::Offer;

/// A node is never given more than it can allocate.
#[derive(Clone, Copy, Debug)]
pub struct ResourcesFit;

struct Fit<'a>(&'a Resources);

impl Filter for ResourcesFit {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn prepare<'a>(&'a self, pod: &'a Demand, _: &'a Cluster) -> Result<Prepared<'a>, Refusal> {
        Ok(Prepared::Each(Box::new(Fit(&pod.template.requests))))
    }

    fn minds(&self) -> ChangeKinds {
        ChangeKinds::of(&[
            ChangeKind::NodeCame,
            ChangeKind::NodeChanged,
            ChangeKind::PodWent,
            ChangeKind::PodChanged,
        ])
    }

    fn is_helped(&self, pod: &Demand, change: &Change<'_>, _: &Cluster) -> bool {
        let wanted = &pod.template.requests;
        let empty = Usage::default();
        let could_fit = |offer: &Offer| lacks(wanted, offer, &empty).next().is_none();
        match change {
            Change::NodeCame(offer) => could_fit(offer),
            Change::NodeChanged(before, after) => {
                could_fit(after)
                    && (after.max_pods > before.max_pods
                        || frees_wanted(wanted, &after.allocatable, &before.allocatable))
            }
            Change::PodWent(_) => true,
            Change::PodChanged(before, after) => {
                frees_wanted(wanted, &before.template.requests, &after.template.requests)
            }
            _ => false,
        }
    }
}

/// Whether there is more in `more` than in `less` of something that is wanted.
fn frees_wanted(wanted: &Resources, more: &Resources, less: &Resources) -> bool {
    let names = ["cpu", "memory", "ephemeral-storage"].into_iter();
    let names = names.chain(wanted.extended.keys().map(|name| &**name));
    names.into_iter().any(|name| wanted.amount(name) > 0 && more.amount(name) > less.amount(name))
}

/// What the node has too little of, and whether it would be too little on an empty node.
fn lacks<'a>(
    wanted: &'a Resources,
    offer: &'a Offer,
    used: &'a Usage,
) -> impl Iterator<Item = (Reason, bool)> {
    let (has, used_up) = (&offer.allocatable, &used.requested);
    let is_lacking = |wanted: i64, has: i64, used: i64| wanted > 0 && wanted > has - used;
    let plain = [
        ("Insufficient cpu", wanted.milli_cpu, has.milli_cpu, used_up.milli_cpu),
        ("Insufficient memory", wanted.memory, has.memory, used_up.memory),
        (
            "Insufficient ephemeral-storage",
            wanted.ephemeral_storage,
            has.ephemeral_storage,
            used_up.ephemeral_storage,
        ),
    ];
    let pods = (used.pods + 1 > offer.max_pods).then_some((Cow::Borrowed("Too many pods"), false));
    let plain = plain.into_iter().filter_map(move |(reason, wanted, has, used)| {
        is_lacking(wanted, has, used).then_some((Cow::Borrowed(reason), wanted > has))
    });
    let extended = wanted.extended.iter().filter_map(move |(name, wanted)| {
        let (has, used) = (has.amount(name), used_up.amount(name));
        is_lacking(*wanted, has, used)
            .then(|| (Cow::Owned(format!("Insufficient {name}")), *wanted > has))
    });
    pods.into_iter().chain(plain).chain(extended)
}

impl NodeFilter for Fit<'_> {
    fn check(&self, node: NodeView<'_>) -> Result<(), Refusal> {
        let mut lacking = lacks(self.0, node.offer, node.used).peekable();
        if lacking.peek().is_none() {
            return Ok(());
        }
        let (mut reasons, mut is_final) = (Vec::new(), false);
        for (reason, is_too_much) in lacking {
            reasons.push(reason);
            is_final |= is_too_much;
        }
        Err(Refusal { reasons, is_final })
    }
}

/// Nodes are better the more, or the less, is left over on them.
#[derive(Clone, Debug)]
pub struct ResourceScore {
    strategy: ScoringStrategy,
}

impl ResourceScore {
    /// Scores by this strategy.
    pub fn new(strategy: ScoringStrategy) -> Self {
        Self { strategy }
    }
}

struct Weighed<'a> {
    strategy: &'a ScoringStrategy,
    pod: &'a Demand,
}

impl Score for ResourceScore {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn prepare<'a>(
        &'a self,
        pod: &'a Demand,
        _: &'a Cluster,
        _: &[NodeView<'_>],
    ) -> Option<Box<dyn NodeScore + 'a>> {
        Some(Box::new(Weighed { strategy: &self.strategy, pod }))
    }
}

impl Weighed<'_> {
    /// What would be used and what there is, with assumptions in place of missing requests.
    fn usage(&self, resource: &ResourceWeight, node: NodeView<'_>) -> Option<(i64, i64)> {
        let template = &self.pod.template;
        let name = &*resource.name;
        let (own, used) = match name {
            "cpu" => (template.assumed.0, node.used.assumed.0),
            "memory" => (template.assumed.1, node.used.assumed.1),
            name => (template.requests.amount(name), node.used.requested.amount(name)),
        };
        let all = node.offer.allocatable.amount(name);
        // A resource of its own kind that the pod does not ask for does not matter.
        let matters = own > 0 || matches!(name, "cpu" | "memory" | "ephemeral-storage");
        (all > 0 && matters).then(|| (own.saturating_add(used), all))
    }
}

fn least(used: i64, all: i64) -> i64 {
    if used > all { 0 } else { (all - used).saturating_mul(100) / all }
}

fn most(used: i64, all: i64) -> i64 {
    used.min(all).saturating_mul(100) / all
}

fn by_shape(shape: &UtilizationShape, used: i64, all: i64) -> i64 {
    shape.score(if used > all { 100 } else { used.saturating_mul(100) / all })
}

impl NodeScore for Weighed<'_> {
    fn score(&self, node: NodeView<'_>) -> i64 {
        let (mut sum, mut weights) = (0, 0);
        for resource in self.strategy.resources() {
            let Some((used, all)) = self.usage(resource, node) else { continue };
            let score = match self.strategy {
                ScoringStrategy::LeastAllocated { .. } => least(used, all),
                ScoringStrategy::MostAllocated { .. } => most(used, all),
                ScoringStrategy::RequestedToCapacityRatio { shape, .. } => {
                    let score = by_shape(shape, used, all);
                    // What scores nothing does not pull the others down.
                    if score <= 0 {
                        continue;
                    }
                    score
                }
            };
            sum += score * resource.weight;
            weights += resource.weight;
        }
        match self.strategy {
            _ if weights == 0 => 0,
            ScoringStrategy::RequestedToCapacityRatio { .. } => (sum + weights / 2) / weights,
            _ => sum / weights,
        }
    }
}

#[cfg(test)]
mod tests;
