//! Chooses a node for one pod, or says why there is none.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::{Cluster, NodeState, Offer};
use crate::demand::Demand;
use crate::plugins::{FILTERS, SCORES};

/// Why a node is not possible, in the words of Kubernetes; several only from resources.
pub type Reasons = Vec<Cow<'static, str>>;

/// Tells whether a pod can run on a node.
pub trait Filter: Send + Sync {
    /// The plugin's name.
    fn name(&self) -> &'static str;

    /// Whether a pod that goes away may change the answer; a change of the node always may.
    fn minds_other_pods(&self) -> bool {
        false
    }

    /// Whether the pod can run on the node.
    ///
    /// # Errors
    /// Why not.
    fn check(&self, pod: &Demand, offer: &Offer, state: &NodeState) -> Result<(), Reasons>;
}

/// Tells how well a pod fits a node.
pub trait Score: Send + Sync {
    /// The plugin's name.
    fn name(&self) -> &'static str;

    /// How much it counts beside the others.
    fn weight(&self) -> i64 {
        1
    }

    /// How well the pod fits, from 0 to 100, or any number if [`Score::normalize`] makes it so.
    fn score(&self, pod: &Demand, offer: &Offer, state: &NodeState, cluster: &Cluster) -> i64;

    /// Brings the scores of all nodes into the range from 0 to 100.
    fn normalize(&self, _scores: &mut [i64]) {}
}

/// Why no node is possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unschedulable {
    /// For people, in the words of Kubernetes.
    pub message: String,
    /// Whether a pod that goes away may help.
    pub minds_other_pods: bool,
}

/// Chooses the node for `pod`: of those that pass all filters, the one with the best score.
///
/// Of several equally good ones, `tie`, a random number, decides, so that replicas of the program
/// and pods in a row do not all go the same way.
///
/// # Errors
/// Why no node is possible, with one count for each reason.
/// Spec: <https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/>
pub fn choose(pod: &Demand, cluster: &Cluster, tie: u64) -> Result<String, Unschedulable> {
    let mut possible = Vec::new();
    let mut refusals = Refusals::default();
    for (offer, state) in cluster.nodes() {
        refusals.nodes += 1;
        let refused = FILTERS
            .iter()
            .find_map(|filter| Some((*filter, filter.check(pod, offer, state).err()?)));
        match refused {
            Some((filter, reasons)) => refusals.add(filter, reasons),
            None => possible.push((offer, state)),
        }
    }
    match possible.as_slice() {
        [] => Err(refusals.into_unschedulable()),
        [(offer, _)] => Ok(offer.name.clone()),
        several => {
            let mut totals = vec![0; several.len()];
            for plugin in SCORES {
                let mut scores: Vec<i64> = several
                    .iter()
                    .map(|(offer, state)| plugin.score(pod, offer, state, cluster))
                    .collect();
                plugin.normalize(&mut scores);
                for (total, score) in totals.iter_mut().zip(scores) {
                    *total += score * plugin.weight();
                }
            }
            let best = totals.iter().max().copied().unwrap_or(0);
            let winners: Vec<_> =
                several.iter().zip(&totals).filter(|(_, total)| **total == best).collect();
            let index = tie % u64::try_from(winners.len()).unwrap_or(1);
            let index = usize::try_from(index).unwrap_or(0);
            Ok(winners[index].0.0.name.clone())
        }
    }
}

#[derive(Default)]
struct Refusals {
    nodes: usize,
    counts: BTreeMap<Cow<'static, str>, usize>,
    minds_other_pods: bool,
}

impl Refusals {
    fn add(&mut self, filter: &dyn Filter, reasons: Reasons) {
        self.minds_other_pods |= filter.minds_other_pods();
        for reason in reasons {
            *self.counts.entry(reason).or_default() += 1;
        }
    }

    fn into_unschedulable(self) -> Unschedulable {
        let Self { nodes, counts, minds_other_pods } = self;
        let message = if nodes == 0 {
            "no nodes available to schedule pods".to_owned()
        } else {
            // Sorted as texts, counts included, because that is how Kubernetes does it.
            let reasons: BTreeSet<String> =
                counts.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
            let reasons = reasons.into_iter().collect::<Vec<_>>().join(", ");
            format!("0/{nodes} nodes are available: {reasons}.")
        };
        Unschedulable { message, minds_other_pods }
    }
}

#[cfg(test)]
mod tests;
