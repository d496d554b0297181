//! Pods that want to be near each other, or far from each other.
//!
//! "Near" is: on nodes with the same value of a label. The aversion of a pod that is there already
//! counts like that of the pod that comes.
//!
//! Spec: <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity>

mod score;

use std::sync::Arc;

use crate::cluster::{Cluster, Domains, NodeIndex, NodeView};
use crate::demand::{Demand, Kin, PodAffinity, PodTerm};
use crate::framework::{Change, ChangeKind, ChangeKinds, Filter, NodeFilter, Prepared, Refusal};
use crate::offer::Offer;

/// Affinity between pods.
#[derive(Clone, Copy, Debug)]
pub struct InterPodAffinity {
    /// How much the required affinity of pods that are there counts when nodes are scored.
    pub hard_weight: i64,
}

/// How many pods there are in each domain of a label.
#[derive(Debug)]
struct Tally {
    domains: Arc<Domains>,
    counts: Vec<i64>,
}

impl Tally {
    fn new(cluster: &Cluster, key: &str) -> Self {
        let domains = cluster.domains(key);
        Self { counts: vec![0; domains.count()], domains }
    }

    fn add(&mut self, node: NodeIndex, number: i64) {
        if let Some(count) = self.counts.get_mut(self.domains.of(node) as usize) {
            *count += number;
        }
    }

    /// `None` if the node does not have the label.
    fn at(&self, node: NodeIndex) -> Option<i64> {
        self.counts.get(self.domains.of(node) as usize).copied()
    }

    fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| *count == 0)
    }
}

/// The terms of one pod and how many pods each of them meets where.
struct Wanted<'a> {
    terms: &'a [PodTerm],
    tallies: Vec<Tally>,
}

impl<'a> Wanted<'a> {
    fn new(terms: &'a [PodTerm], cluster: &Cluster) -> Self {
        let tallies = terms.iter().map(|term| Tally::new(cluster, &term.key)).collect();
        Self { terms, tallies }
    }
}

struct Affinity<'a> {
    cluster: &'a Cluster,
    pod: &'a Demand,
    /// Pods count if all terms are about them.
    near: Wanted<'a>,
    /// Whether the terms of `near` are about the pod itself.
    is_near_itself: bool,
    far: Wanted<'a>,
    /// Pods that are there and do not want this one near, by the label that makes them near.
    averse: Vec<(Box<str>, Tally)>,
}

fn all_match(terms: &[PodTerm], kin: &Kin, cluster: &Cluster) -> bool {
    let labels = cluster.namespace(&kin.namespace);
    terms.iter().all(|term| term.matches(kin, &labels))
}

fn own(pod: &Demand) -> &PodAffinity {
    static NONE: PodAffinity =
        PodAffinity { near: Vec::new(), far: Vec::new(), preferred: Vec::new() };
    pod.template.pods.as_deref().unwrap_or(&NONE)
}

impl Filter for InterPodAffinity {
    fn name(&self) -> &'static str {
        "InterPodAffinity"
    }

    fn prepare<'a>(
        &'a self,
        pod: &'a Demand,
        cluster: &'a Cluster,
    ) -> Result<Prepared<'a>, Refusal> {
        let PodAffinity { near, far, .. } = own(pod);
        let mut state = Affinity {
            cluster,
            pod,
            near: Wanted::new(near, cluster),
            is_near_itself: !near.is_empty() && all_match(near, &pod.kin, cluster),
            far: Wanted::new(far, cluster),
            averse: Vec::new(),
        };
        if !near.is_empty() || !far.is_empty() {
            for group in cluster.crowd().groups() {
                let judgement = state.judge(&group.kin);
                if !judgement.is_nothing() {
                    for (node, count) in &group.nodes {
                        state.count(&judgement, *node, count.all);
                    }
                }
            }
        }
        let of_namespace = cluster.namespace(&pod.kin.namespace);
        for bearers in cluster.crowd().bearers() {
            for term in bearers.affinity().map_or(&[][..], |affinity| &affinity.far) {
                if term.matches(&pod.kin, &of_namespace) {
                    for (node, count) in &bearers.nodes {
                        state.count_averse(&term.key, *node, *count);
                    }
                }
            }
        }
        let is_free = near.is_empty() && far.is_empty() && state.averse.is_empty();
        Ok(if is_free { Prepared::Skip } else { Prepared::Each(Box::new(state)) })
    }

    fn minds(&self) -> ChangeKinds {
        ChangeKinds::of(&[
            ChangeKind::NodeCame,
            ChangeKind::NodeChanged,
            ChangeKind::PodCame,
            ChangeKind::PodChanged,
            ChangeKind::PodWent,
            ChangeKind::Namespace,
        ])
    }

    fn is_helped(&self, pod: &Demand, change: &Change<'_>, cluster: &Cluster) -> bool {
        let PodAffinity { near, far, .. } = own(pod);
        let comes = |other: &Demand| !near.is_empty() && all_match(near, &other.kin, cluster);
        let goes = |other: &Demand| {
            let theirs = cluster.namespace(&other.kin.namespace);
            let ours = cluster.namespace(&pod.kin.namespace);
            far.iter().any(|term| term.matches(&other.kin, &theirs))
                || own(other).far.iter().any(|term| term.matches(&pod.kin, &ours))
        };
        let keys = || near.iter().chain(far).map(|term| &*term.key);
        let differs = |before: &Offer, after: &Offer, key: &str| {
            before.labels.get(key) != after.labels.get(key)
        };
        match change {
            Change::PodCame(other) => comes(other),
            Change::PodWent(other) => goes(other),
            Change::PodChanged(before, after) => {
                (before.kin != after.kin || before.template.pods != after.template.pods)
                    && (comes(after) || goes(before))
            }
            Change::NodeCame(offer) => {
                near.iter().all(|term| offer.labels.get(&term.key).is_some())
            }
            // Without terms of its own it was refused for those of others.
            Change::NodeChanged(before, after) => {
                keys().any(|key| differs(before, after, key))
                    || keys().next().is_none() && before.labels != after.labels
            }
            Change::Namespace(_) => true,
            _ => false,
        }
    }
}

/// What the terms say about the pods of one kin.
struct Judgement {
    is_near: bool,
    /// For each of the other terms.
    is_far: Vec<bool>,
}

impl Judgement {
    fn is_nothing(&self) -> bool {
        !self.is_near && !self.is_far.contains(&true)
    }
}

impl Affinity<'_> {
    fn judge(&self, kin: &Kin) -> Judgement {
        let labels = self.cluster.namespace(&kin.namespace);
        let near = self.near.terms;
        Judgement {
            is_near: !near.is_empty() && near.iter().all(|term| term.matches(kin, &labels)),
            is_far: self.far.terms.iter().map(|term| term.matches(kin, &labels)).collect(),
        }
    }

    fn count(&mut self, judgement: &Judgement, node: NodeIndex, number: i64) {
        if judgement.is_near {
            for tally in &mut self.near.tallies {
                tally.add(node, number);
            }
        }
        for (tally, is_far) in self.far.tallies.iter_mut().zip(&judgement.is_far) {
            if *is_far {
                tally.add(node, number);
            }
        }
    }

    fn count_averse(&mut self, key: &str, node: NodeIndex, number: i64) {
        let known = self.averse.iter().position(|(own, _)| **own == *key);
        let index = known.unwrap_or_else(|| {
            self.averse.push((key.into(), Tally::new(self.cluster, key)));
            self.averse.len() - 1
        });
        self.averse[index].1.add(node, number);
    }

    fn change(&mut self, node: NodeIndex, other: &Demand, number: i64) {
        let judgement = self.judge(&other.kin);
        self.count(&judgement, node, number);
        let of_namespace = self.cluster.namespace(&self.pod.kin.namespace);
        for term in &own(other).far {
            if term.matches(&self.pod.kin, &of_namespace) {
                self.count_averse(&term.key, node, number);
            }
        }
    }

    fn is_near(&self, node: NodeIndex) -> bool {
        let mut has_company = true;
        for tally in &self.near.tallies {
            match tally.at(node) {
                None => return false,
                Some(count) => has_company &= count > 0,
            }
        }
        // The first of a group whose members want to be near each other has to go somewhere.
        has_company || self.is_near_itself && self.near.tallies.iter().all(Tally::is_empty)
    }
}

impl NodeFilter for Affinity<'_> {
    fn check(&self, node: NodeView<'_>) -> Result<(), Refusal> {
        if !self.is_near(node.index) {
            return Err(Refusal::lasting("node(s) didn't match pod affinity rules"));
        }
        let is_met = |tally: &Tally| tally.at(node.index).is_some_and(|count| count > 0);
        if self.far.tallies.iter().any(is_met) {
            return Err(Refusal::by_pods("node(s) didn't match pod anti-affinity rules"));
        }
        if self.averse.iter().any(|(_, tally)| is_met(tally)) {
            let reason = "node(s) didn't satisfy existing pods anti-affinity rules";
            return Err(Refusal::by_pods(reason));
        }
        Ok(())
    }

    fn add(&mut self, node: NodeIndex, other: &Demand) {
        self.change(node, other, 1);
    }

    fn remove(&mut self, node: NodeIndex, other: &Demand) {
        self.change(node, other, -1);
    }
}
