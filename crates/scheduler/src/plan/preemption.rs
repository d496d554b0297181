//! Which pods of lower priority have to go so that a pod has a place.
//!
//! Spec: <https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/>

use std::cmp::Reverse;
use std::sync::Arc;

use super::filtering::Filters;
use super::refusals::{Refusals, histogram};
use crate::cluster::{Cluster, NodeIndex, NodeView, Usage};
use crate::demand::Demand;
use crate::framework::{Reason, Refusal};

/// As many nodes are always tried, if there are as many.
const ENOUGH_CANDIDATES: usize = 100;
/// The share of the nodes that is tried in larger clusters, in hundredths.
const SHARE_OF_CANDIDATES: usize = 10;

/// What preemption does about a pod that has no place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing; where room is being made for it remains.
    Unchanged,
    /// Nothing would help: no room is made for it any more.
    Hopeless,
    /// Room is made on a node.
    Room {
        /// The node.
        node: Arc<str>,
        /// The pods that have to go, the most important one first.
        victims: Vec<Arc<Demand>>,
        /// Pods of lower priority for which room was made there, in vain.
        displaced: Vec<Arc<Demand>>,
    },
}

/// A node on which there would be a place.
struct Candidate {
    node: NodeIndex,
    /// The most important one first.
    victims: Vec<Arc<Demand>>,
    /// How many of them go against a budget.
    violations: usize,
}

/// Finds the pods that have to go, if that helps, and otherwise says why it does not.
///
/// `filters` is `None` if the pod was refused before any node was looked at. `chance` decides where
/// in the list of nodes the search begins.
pub(super) fn preempt(
    pod: &Demand,
    cluster: &Cluster,
    filters: Option<&mut Filters<'_, '_>>,
    refusals: &Refusals,
    chance: u64,
) -> (Outcome, Option<String>) {
    if let Err(reason) = is_eligible(pod, cluster, refusals) {
        return (Outcome::Unchanged, Some(reason.to_owned()));
    }
    let curable: Vec<NodeIndex> = refusals.curable().collect();
    let mut search = Search { pod, cluster, refused: Vec::new() };
    let candidates = match filters {
        Some(filters) if !curable.is_empty() => search.candidates(filters, &curable, chance),
        _ => Vec::new(),
    };
    let Some(best) = candidates.into_iter().min_by_key(Candidate::rank) else {
        let nodes = cluster.node_count();
        let others: Reason = "Preemption is not helpful for scheduling".into();
        let rest = nodes.saturating_sub(search.refused.len());
        let reasons = search.refused.iter().flat_map(|refusal| &refusal.reasons);
        return (Outcome::Hopeless, Some(histogram(nodes, reasons, Some((&others, rest)))));
    };
    let name = &cluster.node(best.node).expect("candidates exist").offer.name;
    let displaced = cluster.nominated(name).iter();
    let displaced = displaced.filter(|other| other.priority() < pod.priority());
    let outcome = Outcome::Room {
        node: (**name).into(),
        victims: best.victims,
        displaced: displaced.cloned().collect(),
    };
    (outcome, None)
}

/// Whether the pod may send others away, or waits for some that it has sent away already.
fn is_eligible(pod: &Demand, cluster: &Cluster, refusals: &Refusals) -> Result<(), &'static str> {
    if pod.template.is_patient {
        return Err("not eligible due to preemptionPolicy=Never.");
    }
    let nominated = pod.nominated.as_ref().and_then(|name| cluster.index_of(name));
    let Some(node) = nominated else { return Ok(()) };
    let is_hopeless = match refusals.of(node) {
        Some(refusal) => refusal.is_final,
        None => refusals.of_pod.is_some() || refusals.of_others.is_some(),
    };
    let mut residents = cluster.residents(node).iter();
    if !is_hopeless
        && residents.any(|other| other.priority() < pod.priority() && other.is_preempted)
    {
        return Err("not eligible due to a terminating pod on the nominated node.");
    }
    Ok(())
}

struct Search<'a> {
    pod: &'a Demand,
    cluster: &'a Cluster,
    /// Why there would not be a place on the nodes that were tried.
    refused: Vec<Refusal>,
}

impl Search<'_> {
    fn candidates(
        &mut self,
        filters: &mut Filters<'_, '_>,
        curable: &[NodeIndex],
        chance: u64,
    ) -> Vec<Candidate> {
        let share = curable.len() * SHARE_OF_CANDIDATES / 100;
        let enough = share.max(ENOUGH_CANDIDATES).min(curable.len());
        let start = chance % u64::try_from(curable.len()).unwrap_or(1);
        let (before, from) = curable.split_at(usize::try_from(start).unwrap_or(0));
        let mut candidates: Vec<Candidate> = Vec::new();
        for index in from.iter().chain(before) {
            let Some(node) = self.cluster.node(*index) else { continue };
            match self.try_node(filters, node) {
                Ok(candidate) => candidates.push(candidate),
                Err(refusal) => self.refused.push(refusal),
            }
            // Enough is not enough as long as each of them would go against a budget.
            if candidates.len() >= enough && candidates.iter().any(|one| one.violations == 0) {
                break;
            }
        }
        candidates
    }

    /// The fewest pods that have to go from this node.
    fn try_node(
        &self,
        filters: &mut Filters<'_, '_>,
        node: NodeView<'_>,
    ) -> Result<Candidate, Refusal> {
        let residents = self.cluster.residents(node.index).iter();
        let lower = residents.filter(|other| other.priority() < self.pod.priority());
        let mut lower: Vec<Arc<Demand>> = lower.cloned().collect();
        if lower.is_empty() {
            return Err(Refusal::lasting("No preemption victims found for incoming pod"));
        }
        let mut trial = Trial { filters, node, used: node.used.clone() };
        for other in &lower {
            trial.remove(other);
        }
        let tried = trial.check(self.pod, self.cluster);
        let result = tried.map(|()| {
            lower.sort_by_key(|other| importance(other));
            let (violating, others) = self.cluster.budgets.part(lower.clone());
            let mut victims = Vec::new();
            let mut spare = |pods: Vec<Arc<Demand>>, trial: &mut Trial<'_, '_, '_>| {
                let before = victims.len();
                for other in pods {
                    trial.add(&other);
                    if trial.check(self.pod, self.cluster).is_err() {
                        trial.remove(&other);
                        victims.push(other);
                    }
                }
                victims.len() - before
            };
            let violations = spare(violating, &mut trial);
            spare(others, &mut trial);
            victims.sort_by_key(|other| importance(other));
            Candidate { node: node.index, victims, violations }
        });
        // The filters are to judge the other nodes by what is.
        let gone = result.as_ref().map_or(&lower, |candidate| &candidate.victims);
        for other in gone {
            trial.add(other);
        }
        result
    }
}

/// A node from which pods are taken on trial.
struct Trial<'t, 'f, 'o> {
    filters: &'t mut Filters<'f, 'o>,
    node: NodeView<'t>,
    used: Usage,
}

impl Trial<'_, '_, '_> {
    fn add(&mut self, other: &Demand) {
        self.used.add(other);
        self.filters.add(self.node.index, other);
    }

    fn remove(&mut self, other: &Demand) {
        self.used.remove(other);
        self.filters.remove(self.node.index, other);
    }

    fn check(&mut self, pod: &Demand, cluster: &Cluster) -> Result<(), Refusal> {
        let node = NodeView { used: &self.used, ..self.node };
        self.filters.check(pod, cluster, node).map_err(|(_, refusal)| refusal)
    }
}

/// Orders pods so that the most important one is first: by priority, and then by age.
fn importance(pod: &Demand) -> (Reverse<i32>, i64) {
    (Reverse(pod.priority()), pod.started)
}

impl Candidate {
    /// The candidate with the lowest rank is best: fewest budgets exceeded, then the least
    /// important victims, then the fewest, then the youngest.
    fn rank(&self) -> (usize, i32, i64, usize, Reverse<i64>) {
        let highest = self.victims.first().map_or(i32::MIN, |victim| victim.priority());
        // Shifted so that many victims of negative priority do not look better than one.
        let shifted = |victim: &Arc<Demand>| i64::from(victim.priority()) + (1 << 31);
        let oldest = self.victims.iter().filter(|victim| victim.priority() == highest);
        let oldest = oldest.map(|victim| victim.started).min().unwrap_or(i64::MIN);
        let sum = self.victims.iter().map(shifted).sum();
        (self.violations, highest, sum, self.victims.len(), Reverse(oldest))
    }
}
