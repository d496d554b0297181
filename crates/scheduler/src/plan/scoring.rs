//! Which of the possible nodes is best.

use crate::cluster::{Cluster, NodeIndex, NodeView};
use crate::demand::Demand;
use crate::profile::Profile;

/// The best of `possible`; of several equally good ones `tie` decides. `None` if there are none.
pub(super) fn best(
    profile: &Profile,
    pod: &Demand,
    cluster: &Cluster,
    possible: &[NodeIndex],
    tie: u64,
) -> Option<NodeIndex> {
    if possible.len() <= 1 {
        return possible.first().copied();
    }
    let nodes: Vec<NodeView<'_>> =
        possible.iter().filter_map(|index| cluster.node(*index)).collect();
    let totals = totals(profile, pod, cluster, &nodes);
    let best = totals.iter().max().copied()?;
    let winners: Vec<&NodeView<'_>> = nodes
        .iter()
        .zip(&totals)
        .filter(|(_, total)| **total == best)
        .map(|(node, _)| node)
        .collect();
    let index = tie % u64::try_from(winners.len()).unwrap_or(1);
    winners.get(usize::try_from(index).unwrap_or(0)).map(|node| node.index)
}

fn totals(profile: &Profile, pod: &Demand, cluster: &Cluster, nodes: &[NodeView<'_>]) -> Vec<i64> {
    let mut totals = vec![0; nodes.len()];
    let mut scores = Vec::with_capacity(nodes.len());
    for (plugin, weight) in &profile.scores {
        let Some(plugin) = plugin.prepare(pod, cluster, nodes) else { continue };
        scores.clear();
        scores.extend(nodes.iter().map(|node| plugin.score(*node)));
        plugin.normalize(&mut scores);
        for (total, score) in totals.iter_mut().zip(&scores) {
            *total += score * weight;
        }
    }
    totals
}
