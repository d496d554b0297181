//! Where a pod is near those that it likes, and far from the others.

use std::collections::HashMap;

use super::{InterPodAffinity, Tally, own};
use crate::cluster::{Cluster, NodeView};
use crate::demand::{Demand, PodAffinity};
use crate::framework::{NodeScore, Score};

/// The likings that count in each domain, for each label.
struct Likings(Vec<Tally>);

impl Score for InterPodAffinity {
    fn name(&self) -> &'static str {
        "InterPodAffinity"
    }

    fn prepare<'a>(
        &'a self,
        pod: &'a Demand,
        cluster: &'a Cluster,
        _: &[NodeView<'_>],
    ) -> Option<Box<dyn NodeScore + 'a>> {
        let mut tallies: HashMap<&str, Tally> = HashMap::new();
        let preferred = &own(pod).preferred;
        if !preferred.is_empty() {
            for group in cluster.crowd().groups() {
                let labels = cluster.namespace(&group.kin.namespace);
                for one in preferred.iter().filter(|one| one.term.matches(&group.kin, &labels)) {
                    let tally = tally(&mut tallies, cluster, &one.term.key);
                    for (node, count) in &group.nodes {
                        tally.add(*node, one.weight * count.all);
                    }
                }
            }
        }
        let of_namespace = cluster.namespace(&pod.kin.namespace);
        for bearers in cluster.crowd().bearers() {
            let Some(PodAffinity { near, preferred, .. }) = bearers.affinity() else { continue };
            let required = near.iter().filter(|_| self.hard_weight > 0);
            let required = required.map(|term| (term, self.hard_weight));
            let preferred = preferred.iter().map(|one| (&one.term, one.weight));
            for (term, weight) in required.chain(preferred) {
                if term.matches(&pod.kin, &of_namespace) {
                    let tally = tally(&mut tallies, cluster, &term.key);
                    for (node, count) in &bearers.nodes {
                        tally.add(*node, weight * count);
                    }
                }
            }
        }
        let tallies: Vec<Tally> = tallies.into_values().collect();
        (!tallies.is_empty()).then(|| Box::new(Likings(tallies)) as Box<dyn NodeScore>)
    }
}

fn tally<'t, 'k>(
    tallies: &'t mut HashMap<&'k str, Tally>,
    cluster: &Cluster,
    key: &'k str,
) -> &'t mut Tally {
    tallies.entry(key).or_insert_with(|| Tally::new(cluster, key))
}

impl NodeScore for Likings {
    fn score(&self, node: NodeView<'_>) -> i64 {
        self.0.iter().filter_map(|tally| tally.at(node.index)).sum()
    }

    fn normalize(&self, scores: &mut [i64]) {
        let worst = scores.iter().min().copied().unwrap_or(0);
        let best = scores.iter().max().copied().unwrap_or(0);
        for score in scores {
            *score = if best > worst { 100 * (*score - worst) / (best - worst) } else { 0 };
        }
    }
}
