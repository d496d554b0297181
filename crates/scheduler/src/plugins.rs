//! The rules by which nodes are refused and preferred, with the weights of Kubernetes.

mod affinity;
mod node;
mod resources;
mod taints;

use crate::plan::{Filter, Score};

/// In the order of Kubernetes: a node's first refusal is the one that is reported.
pub(crate) const FILTERS: &[&dyn Filter] = &[
    &node::NodeUnschedulable,
    &node::NodeName,
    &taints::TaintToleration,
    &affinity::NodeAffinity,
    &node::RuntimeSupport,
    &node::NodePorts,
    &resources::NodeResourcesFit,
];

pub(crate) const SCORES: &[&dyn Score] = &[
    &taints::TaintToleration,
    &affinity::NodeAffinity,
    &resources::LeastAllocated,
    &resources::BalancedAllocation,
    &node::ImageLocality,
];

/// Scales scores so that the best becomes 100; all equal to 0 stay so.
fn normalize(scores: &mut [i64]) {
    let best = scores.iter().max().copied().unwrap_or(0);
    if best > 0 {
        for score in scores {
            *score = *score * 100 / best;
        }
    }
}
