//! Amounts: what fits, and where it fits best.

use crate::cluster::{Cluster, NodeState, Offer};
use crate::demand::Demand;
use crate::plan::{Filter, Reasons, Score};

pub(super) struct NodeResourcesFit;

impl Filter for NodeResourcesFit {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn minds_other_pods(&self) -> bool {
        true
    }

    fn check(&self, pod: &Demand, offer: &Offer, state: &NodeState) -> Result<(), Reasons> {
        let mut reasons = Reasons::new();
        if state.pods + 1 > offer.max_pods {
            reasons.push("Too many pods".into());
        }
        let (wanted, has, used) = (&pod.requests, &offer.allocatable, &state.requested);
        let lacks = |wanted: i64, has: i64, used: i64| wanted > 0 && wanted > has - used;
        if lacks(wanted.milli_cpu, has.milli_cpu, used.milli_cpu) {
            reasons.push("Insufficient cpu".into());
        }
        if lacks(wanted.memory, has.memory, used.memory) {
            reasons.push("Insufficient memory".into());
        }
        if lacks(wanted.ephemeral_storage, has.ephemeral_storage, used.ephemeral_storage) {
            reasons.push("Insufficient ephemeral-storage".into());
        }
        for (name, amount) in &wanted.extended {
            let of = |resources: &crate::demand::Resources| {
                resources.extended.get(name).copied().unwrap_or(0)
            };
            if lacks(*amount, of(has), of(used)) {
                reasons.push(format!("Insufficient {name}").into());
            }
        }
        if reasons.is_empty() { Ok(()) } else { Err(reasons) }
    }
}

/// What would be used of CPU and of memory, as (used, allocatable).
fn usage(pod: &Demand, offer: &Offer, state: &NodeState) -> [(i64, i64); 2] {
    [
        (state.assumed.0 + pod.assumed.0, offer.allocatable.milli_cpu),
        (state.assumed.1 + pod.assumed.1, offer.allocatable.memory),
    ]
}

/// Nodes with more left over are better.
pub(super) struct LeastAllocated;

impl Score for LeastAllocated {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn score(&self, pod: &Demand, offer: &Offer, state: &NodeState, _: &Cluster) -> i64 {
        let left = |(used, all): (i64, i64)| {
            if all <= 0 || used > all { 0 } else { (all - used).saturating_mul(100) / all }
        };
        let [cpu, memory] = usage(pod, offer, state).map(left);
        i64::midpoint(cpu, memory)
    }
}

/// Nodes on which CPU and memory would be used up evenly are better.
pub(super) struct BalancedAllocation;

impl Score for BalancedAllocation {
    fn name(&self) -> &'static str {
        "NodeResourcesBalancedAllocation"
    }

    fn score(&self, pod: &Demand, offer: &Offer, state: &NodeState, _: &Cluster) -> i64 {
        // In hundredths, which is as fine as scores are.
        let share = |(used, all): (i64, i64)| {
            if all <= 0 { 100 } else { (used.saturating_mul(100) / all).min(100) }
        };
        let [cpu, memory] = usage(pod, offer, state).map(share);
        // The standard deviation of two numbers is half of their distance.
        100 - (cpu - memory).abs() / 2
    }
}
