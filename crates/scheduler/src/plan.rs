//! Chooses a node for one pod, or says why there is none and which pods should make room.

mod filtering;
mod preemption;
mod refusals;
mod scoring;

pub use preemption::Outcome as Preemption;

use std::sync::Arc;

use crate::cluster::{Cluster, NodeIndex};
use crate::demand::Demand;
use crate::framework::FilterSet;
use crate::profile::Profile;
use crate::storage::VolumePlan;
use filtering::{Filters, Found};
use refusals::Refusals;

/// What a decision takes from outside, so that equal decisions are made from equal facts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chance {
    /// Decides between equally good nodes, so that replicas of the program and pods in a row do not
    /// all go the same way: a random number.
    pub tie: u64,
    /// Where in the list of nodes to begin: where the decision before stopped.
    pub start: usize,
}

/// A node that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The node.
    pub node: Arc<str>,
    /// What is to be done for the pod's volumes before it is bound.
    pub volumes: VolumePlan,
}

/// Why no node is possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unschedulable {
    /// For people, in the words of Kubernetes.
    pub message: String,
    /// The filters that refused nodes.
    pub refused_by: FilterSet,
    /// What is done so that there may be a place.
    pub preemption: Preemption,
}

/// A part of a decision, by the extension point whose plugins speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// They look at the pod and the cluster.
    PreFilter,
    /// They judge nodes.
    Filter,
    /// It is looked for pods that could make room.
    PostFilter,
    /// They look at the possible nodes.
    PreScore,
    /// They compare the possible nodes.
    Score,
    /// They make what they found comparable.
    Normalize,
}

impl Stage {
    /// The extension point's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PreFilter => "PreFilter",
            Self::Filter => "Filter",
            Self::PostFilter => "PostFilter",
            Self::PreScore => "PreScore",
            Self::Score => "Score",
            Self::Normalize => "ScoreExtensionNormalize",
        }
    }
}

/// Whoever is told how a decision is made, so that time can be taken and things be counted.
pub trait Observer {
    /// All plugins of an extension point have spoken.
    fn stage_ended(&mut self, _stage: Stage, _status: &'static str) {}

    /// A plugin was asked so many times.
    fn plugin_asked(&mut self, _stage: Stage, _plugin: &'static str, _times: u64) {}

    /// Whether the two below are to be told; the same during one decision.
    fn is_close(&self) -> bool {
        false
    }

    /// A plugin is asked.
    fn plugin_begins(&mut self) {}

    /// It has answered.
    fn plugin_ended(&mut self, _stage: Stage, _plugin: &'static str, _status: &'static str) {}
}

/// Nobody.
impl Observer for () {}

/// Chooses the node for `pod` as [`choose_observed`] does, unobserved.
///
/// # Errors
/// As there.
pub fn choose(
    profile: &Profile,
    pod: &Demand,
    cluster: &Cluster,
    chance: Chance,
) -> (Result<Chosen, Unschedulable>, usize) {
    choose_observed(profile, pod, cluster, chance, &mut ())
}

/// Chooses the node for `pod`: of those that pass all filters, the one with the best score.
///
/// In a large cluster not all nodes are looked at, but enough to find a good one. The second value
/// is how many were.
///
/// # Errors
/// Why no node is possible, with one count for each reason, and whom to send away for it.
/// Spec: <https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/>
pub fn choose_observed(
    profile: &Profile,
    pod: &Demand,
    cluster: &Cluster,
    chance: Chance,
    observer: &mut dyn Observer,
) -> (Result<Chosen, Unschedulable>, usize) {
    if cluster.node_count() == 0 {
        let none = Unschedulable {
            message: "no nodes available to schedule pods".to_owned(),
            refused_by: FilterSet::NO_NODES,
            preemption: Preemption::Unchanged,
        };
        return (Err(none), 0);
    }
    let mut filters = match Filters::prepare(profile, pod, cluster, &mut *observer) {
        Ok(filters) => filters,
        Err(refusals) => {
            observer.stage_ended(Stage::PreFilter, "UnschedulableAndUnresolvable");
            let refused = refuse(profile, pod, cluster, None, &refusals, chance);
            told(profile, &refused, observer);
            return (Err(refused), 0);
        }
    };
    filters.stage_ended(Stage::PreFilter);
    let Found { possible, looked_at, refusals } = filters.find(profile, pod, cluster, chance.start);
    filters.stage_ended(Stage::Filter);
    if possible.is_empty() {
        let refused = refuse(profile, pod, cluster, Some(&mut filters), &refusals, chance);
        filters.end();
        told(profile, &refused, observer);
        return (Err(refused), looked_at);
    }
    filters.end();
    let index = scoring::best(profile, pod, cluster, &possible, chance.tie, observer);
    (Ok(chosen(pod, cluster, index)), looked_at)
}

/// Tells the observer what came of looking for pods that could make room.
fn told(profile: &Profile, refused: &Unschedulable, observer: &mut dyn Observer) {
    if profile.preempts {
        let is_made = matches!(refused.preemption, Preemption::Room { .. });
        observer.stage_ended(Stage::PostFilter, if is_made { "Success" } else { "Unschedulable" });
    }
}

fn chosen(pod: &Demand, cluster: &Cluster, index: NodeIndex) -> Chosen {
    let node = cluster.node(index).expect("possible nodes exist");
    let claims = cluster.storage.claims_of(pod).ok().flatten();
    let plan = claims.and_then(|claims| cluster.storage.plan(&claims, node.offer).ok());
    Chosen { node: (*node.offer.name).into(), volumes: plan.unwrap_or_default() }
}

fn refuse(
    profile: &Profile,
    pod: &Demand,
    cluster: &Cluster,
    filters: Option<&mut Filters<'_, '_>>,
    refusals: &Refusals,
    chance: Chance,
) -> Unschedulable {
    let mut message = refusals.message(cluster.node_count());
    let mut preemption = Preemption::Unchanged;
    if profile.preempts {
        let (outcome, told) = preemption::preempt(pod, cluster, filters, refusals, chance.tie);
        preemption = outcome;
        if let Some(told) = told {
            message.push_str(" preemption: ");
            message.push_str(&told);
        }
    }
    Unschedulable { message, refused_by: refusals.refused_by, preemption }
}

#[cfg(test)]
mod tests;
