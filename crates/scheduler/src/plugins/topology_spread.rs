//! Pods that belong together are spread over zones, machines, or whatever a label says.
//!
//! Spec: <https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/>

mod score;

use std::sync::Arc;

use crate::cluster::{Cluster, Domains, NOWHERE, NodeIndex, NodeView};
use crate::config::DefaultSpread;
use crate::demand::{Demand, SpreadConstraint};
use crate::framework::{Change, ChangeKind, ChangeKinds, Filter, NodeFilter, Prepared, Refusal};
use crate::offer::Offer;
use crate::taints::admit;

/// Spreading of pods.
#[derive(Clone, Debug)]
pub struct TopologySpread {
    default: DefaultSpread,
}

impl TopologySpread {
    /// With constraints for pods that have none of their own.
    pub fn new(default: DefaultSpread) -> Self {
        Self { default }
    }

    /// The hard (or soft) constraints of a pod, be they its own or by default.
    fn constraints(&self, pod: &Demand, cluster: &Cluster, is_hard: bool) -> Vec<SpreadConstraint> {
        let template = &pod.template;
        if template.hard_spread.is_empty() && template.soft_spread.is_empty() {
            return super::spread_default::constraints(&self.default, pod, cluster, is_hard);
        }
        if is_hard { template.hard_spread.clone() } else { template.soft_spread.clone() }
    }
}

/// Whether the pods of this node count for a constraint.
fn counts_node(constraint: &SpreadConstraint, pod: &Demand, offer: &Offer) -> bool {
    let template = &pod.template;
    (!constraint.honors_affinity || template.nodes.matches(&offer.name, &offer.labels))
        && (!constraint.honors_taints || admit(&offer.taints, &template.tolerations))
}

fn has_all_keys(constraints: &[SpreadConstraint], offer: &Offer) -> bool {
    constraints.iter().all(|one| offer.labels.get(&one.key).is_some())
}

/// One constraint, and how many pods there are in each domain.
struct Spread {
    constraint: SpreadConstraint,
    domains: Arc<Domains>,
    /// The nodes that count, by their places in the list of nodes.
    counted: Vec<bool>,
    /// `None` for domains without a node that counts.
    counts: Vec<Option<i64>>,
    /// 1 if the pod itself counts.
    own: i64,
}

impl Spread {
    fn emptiest(&self) -> i64 {
        let counts = || self.counts.iter().flatten();
        // As long as there are too few domains, a new one could be as empty as can be.
        if counts().count() < self.constraint.min_domains {
            return 0;
        }
        counts().min().copied().unwrap_or(0)
    }

    fn change(&mut self, pod: &Demand, node: NodeIndex, other: &Demand, number: i64) {
        let is_meant = pod.kin.namespace == other.kin.namespace
            && !other.is_terminating
            && self.constraint.selector.matches(&other.kin.labels);
        if is_meant && self.counted.get(node as usize) == Some(&true) {
            let domain = self.domains.of(node) as usize;
            if let Some(Some(count)) = self.counts.get_mut(domain) {
                *count += number;
            }
        }
    }
}

struct Spreads<'a> {
    pod: &'a Demand,
    /// Each with the number of pods in the emptiest domain.
    spreads: Vec<(Spread, i64)>,
}

impl Filter for TopologySpread {
    fn name(&self) -> &'static str {
        "PodTopologySpread"
    }

    fn prepare<'a>(
        &'a self,
        pod: &'a Demand,
        cluster: &'a Cluster,
    ) -> Result<Prepared<'a>, Refusal> {
        let constraints = self.constraints(pod, cluster, true);
        if constraints.is_empty() {
            return Ok(Prepared::Skip);
        }
        let order = cluster.order();
        let all: Vec<Arc<Domains>> =
            constraints.iter().map(|constraint| cluster.domains(&constraint.key)).collect();
        let is_somewhere = |node: NodeIndex| all.iter().all(|domains| domains.of(node) != NOWHERE);
        let spreads = constraints.iter().zip(&all).map(|(constraint, domains)| {
            let mut counts = vec![None; domains.count()];
            let mut counted = Vec::new();
            // Judging nodes one by one is needed only for choosy pods.
            let is_choosy = constraint.honors_taints
                || constraint.honors_affinity && !pod.template.nodes.is_everything();
            let counts_node = |index: NodeIndex| {
                is_somewhere(index)
                    && (!is_choosy
                        || cluster
                            .node(index)
                            .is_some_and(|node| counts_node(constraint, pod, node.offer)))
            };
            for index in order.iter().copied().filter(|index| counts_node(*index)) {
                let place = index as usize;
                counted.resize(counted.len().max(place + 1), false);
                counted[place] = true;
                counts[domains.of(index) as usize] = Some(0);
            }
            for group in cluster.crowd().of_namespace(&pod.kin.namespace) {
                if constraint.selector.matches(&group.kin.labels) {
                    for (node, count) in &group.nodes {
                        let is_counted = counted.get(*node as usize) == Some(&true);
                        let domain = domains.of(*node) as usize;
                        if let (true, Some(Some(sum))) = (is_counted, counts.get_mut(domain)) {
                            *sum += count.staying();
                        }
                    }
                }
            }
            let own = i64::from(constraint.selector.matches(&pod.kin.labels));
            let (constraint, domains) = (constraint.clone(), Arc::clone(domains));
            let spread = Spread { constraint, domains, counted, counts, own };
            let emptiest = spread.emptiest();
            (spread, emptiest)
        });
        let spreads = spreads.collect();
        Ok(Prepared::Each(Box::new(Spreads { pod, spreads })))
    }

    fn minds(&self) -> ChangeKinds {
        ChangeKinds::of(&[
            ChangeKind::NodeCame,
            ChangeKind::NodeChanged,
            ChangeKind::NodeWent,
            ChangeKind::PodCame,
            ChangeKind::PodChanged,
            ChangeKind::PodWent,
        ])
    }

    fn is_helped(&self, pod: &Demand, change: &Change<'_>, cluster: &Cluster) -> bool {
        let constraints = self.constraints(pod, cluster, true);
        let is_meant = |other: &Demand| {
            other.kin.namespace == pod.kin.namespace
                && constraints.iter().any(|one| one.selector.matches(&other.kin.labels))
        };
        match change {
            Change::PodCame(other) | Change::PodWent(other) => is_meant(other),
            Change::PodChanged(before, after) => {
                (before.is_terminating, &before.kin) != (after.is_terminating, &after.kin)
                    && (is_meant(before) || is_meant(after))
            }
            Change::NodeCame(offer) | Change::NodeWent(offer) => has_all_keys(&constraints, offer),
            Change::NodeChanged(before, after) => {
                let domain = |offer: &Offer, one: &SpreadConstraint| {
                    let counts = counts_node(one, pod, offer);
                    offer.labels.get(&one.key).filter(|_| counts).map(str::to_owned)
                };
                constraints.iter().any(|one| domain(before, one) != domain(after, one))
            }
            _ => false,
        }
    }
}

impl NodeFilter for Spreads<'_> {
    fn check(&self, node: NodeView<'_>) -> Result<(), Refusal> {
        for (spread, emptiest) in &self.spreads {
            let domain = spread.domains.of(node.index) as usize;
            let Some(count) = spread.counts.get(domain) else {
                return Err(Refusal::lasting(
                    "node(s) didn't match pod topology spread constraints \
                     (missing required label)",
                ));
            };
            let skew = count.unwrap_or(0) + spread.own - emptiest;
            if skew > spread.constraint.max_skew {
                let reason = "node(s) didn't match pod topology spread constraints";
                return Err(Refusal::by_pods(reason));
            }
        }
        Ok(())
    }

    fn add(&mut self, node: NodeIndex, other: &Demand) {
        for (spread, emptiest) in &mut self.spreads {
            spread.change(self.pod, node, other, 1);
            *emptiest = spread.emptiest();
        }
    }

    fn remove(&mut self, node: NodeIndex, other: &Demand) {
        for (spread, emptiest) in &mut self.spreads {
            spread.change(self.pod, node, other, -1);
            *emptiest = spread.emptiest();
        }
    }
}
