//! Which of the possible nodes is best.

use super::{Observer, Stage};
use crate::cluster::{Cluster, NodeIndex, NodeView};
use crate::demand::Demand;
use crate::profile::Profile;

/// The best of `possible`, of which there is one at least; of several equally good ones `tie` decides.
pub(super) fn best(
    profile: &Profile,
    pod: &Demand,
    cluster: &Cluster,
    possible: &[NodeIndex],
    tie: u64,
    observer: &mut dyn Observer,
) -> NodeIndex {
    if let [only] = possible {
        return *only;
    }
    let nodes: Vec<NodeView<'_>> =
        possible.iter().filter_map(|index| cluster.node(*index)).collect();
    let totals = totals(profile, pod, cluster, &nodes, observer);
    let best = totals.iter().max().copied().unwrap_or(0);
    let is_best = |(node, total): (&NodeView<'_>, &i64)| (*total == best).then_some(node.index);
    let winners: Vec<NodeIndex> = nodes.iter().zip(&totals).filter_map(is_best).collect();
    let index = tie % u64::try_from(winners.len()).unwrap_or(1).max(1);
    usize::try_from(index).ok().and_then(|index| winners.get(index)).copied().unwrap_or(possible[0])
}

fn totals(
    profile: &Profile,
    pod: &Demand,
    cluster: &Cluster,
    nodes: &[NodeView<'_>],
    observer: &mut dyn Observer,
) -> Vec<i64> {
    let is_close = observer.is_close();
    let mut prepared = Vec::with_capacity(profile.scores.len());
    for (plugin, weight) in &profile.scores {
        if is_close {
            observer.plugin_begins();
        }
        let ready = plugin.prepare(pod, cluster, nodes);
        if is_close {
            let status = if ready.is_some() { "Success" } else { "Skip" };
            observer.plugin_ended(Stage::PreScore, plugin.name(), status);
        }
        if let Some(ready) = ready {
            observer.plugin_asked(Stage::PreScore, plugin.name(), 1);
            prepared.push((plugin.name(), ready, weight));
        }
    }
    observer.stage_ended(Stage::PreScore, "Success");
    let mut totals = vec![0; nodes.len()];
    let mut scores = Vec::with_capacity(nodes.len());
    let asked = u64::try_from(nodes.len()).unwrap_or(u64::MAX);
    for (name, plugin, weight) in prepared {
        scores.clear();
        if is_close {
            scores.extend(nodes.iter().map(|node| {
                observer.plugin_begins();
                let score = plugin.score(*node);
                observer.plugin_ended(Stage::Score, name, "Success");
                score
            }));
            observer.plugin_begins();
            plugin.normalize(&mut scores);
            observer.plugin_ended(Stage::Normalize, name, "Success");
        } else {
            scores.extend(nodes.iter().map(|node| plugin.score(*node)));
            plugin.normalize(&mut scores);
        }
        observer.plugin_asked(Stage::Score, name, asked);
        for (total, score) in totals.iter_mut().zip(&scores) {
            *total += score * weight;
        }
    }
    observer.stage_ended(Stage::Score, "Success");
    totals
}
