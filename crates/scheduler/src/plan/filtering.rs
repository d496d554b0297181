//! Which nodes are possible for a pod.

use std::collections::BTreeSet;

use super::refusals::Refusals;
use super::{Observer, Stage};
use crate::cluster::{Cluster, NodeIndex, NodeView};
use crate::demand::Demand;
use crate::framework::{FilterSet, NodeFilter, Prepared, Refusal};
use crate::profile::Profile;

/// As many possible nodes are always looked for, if there are as many.
const ENOUGH_NODES: usize = 100;
/// The least share of the nodes that is looked for, in hundredths.
const LEAST_SHARE: usize = 5;

/// The filters that have something to say about one pod.
pub(super) struct Filters<'a, 'o> {
    prepared: Vec<Ready<'a>>,
    /// The only nodes that are possible, and the names of the filters that say so.
    only: Option<(BTreeSet<NodeIndex>, BTreeSet<&'static str>)>,
    only_by: FilterSet,
    observer: &'o mut dyn Observer,
    is_close: bool,
}

/// A filter that has looked at the pod.
struct Ready<'a> {
    id: FilterSet,
    name: &'static str,
    filter: Box<dyn NodeFilter + 'a>,
    /// How many nodes it has judged, and nobody was told yet.
    judged: u64,
}

/// What came of looking at nodes.
pub(super) struct Found {
    /// In the order in which they were looked at.
    pub possible: Vec<NodeIndex>,
    pub looked_at: usize,
    pub refusals: Refusals,
}

impl<'a, 'o> Filters<'a, 'o> {
    /// Lets all filters of `profile` look at the pod.
    ///
    /// # Errors
    /// If one of them refuses the pod as a whole.
    pub(super) fn prepare(
        profile: &'a Profile,
        pod: &'a Demand,
        cluster: &'a Cluster,
        observer: &'o mut dyn Observer,
    ) -> Result<Self, Refusals> {
        let is_close = observer.is_close();
        let (prepared, only_by) = (Vec::with_capacity(profile.filters.len()), FilterSet::default());
        let mut own = Self { prepared, only: None, only_by, observer, is_close };
        for (id, filter) in &profile.filters {
            let (id, name) = (*id, filter.name());
            if is_close {
                own.observer.plugin_begins();
            }
            let asked = filter.prepare(pod, cluster);
            if is_close {
                own.observer.plugin_ended(Stage::PreFilter, name, status(&asked));
            }
            if matches!(asked, Ok(Prepared::Skip)) {
                continue;
            }
            own.observer.plugin_asked(Stage::PreFilter, name, 1);
            let ready = |filter| Ready { id, name, filter, judged: 0 };
            match asked {
                Ok(Prepared::Skip) => {}
                Ok(Prepared::Each(filter)) => own.prepared.push(ready(filter)),
                Ok(Prepared::Among(nodes, filter)) => {
                    let nodes: BTreeSet<NodeIndex> = nodes.into_iter().collect();
                    let (only, names) =
                        own.only.get_or_insert_with(|| (nodes.clone(), BTreeSet::new()));
                    only.retain(|node| nodes.contains(node));
                    names.insert(name);
                    own.only_by.insert(id);
                    own.prepared.push(ready(filter));
                }
                Err(refusal) => {
                    return Err(Refusals {
                        of_pod: Some(refusal),
                        refused_by: id,
                        ..Refusals::default()
                    });
                }
            }
        }
        Ok(own)
    }

    /// Tells the observer that an extension point has been passed.
    pub(super) fn stage_ended(&mut self, stage: Stage) {
        self.observer.stage_ended(stage, "Success");
    }

    /// Tells the observer how many nodes each filter has judged.
    pub(super) fn end(mut self) {
        for ready in self.prepared.drain(..).filter(|ready| ready.judged > 0) {
            self.observer.plugin_asked(Stage::Filter, ready.name, ready.judged);
        }
    }

    /// Looks for possible nodes, beginning at a place in their order, until there are enough.
    pub(super) fn find(
        &mut self,
        profile: &Profile,
        pod: &Demand,
        cluster: &Cluster,
        start: usize,
    ) -> Found {
        let mut found = Found { possible: Vec::new(), looked_at: 0, refusals: Refusals::default() };
        // Where room was made for the pod is where it goes, if it can.
        if let Some(index) = pod.nominated.as_ref().and_then(|name| cluster.index_of(name))
            && self.is_allowed(index)
            && let Some(node) = cluster.node(index)
            && self.check(pod, cluster, node).is_ok()
        {
            found.possible.push(index);
            return found;
        }
        if let Some((only, names)) = self.only.clone() {
            let names = names.into_iter().collect::<Vec<_>>().join(" ");
            let reason = format!("node(s) didn't satisfy plugin(s) [{names}]");
            found.refusals.of_others = Some(reason.into());
            found.refusals.refused_by.insert(self.only_by);
            for index in only {
                self.look_at(index, pod, cluster, &mut found);
            }
            return found;
        }
        let order = cluster.order();
        let enough = enough_nodes(order.len(), profile.percentage_of_nodes_to_score);
        let (before, from) = order.split_at(start % order.len().max(1));
        for index in from.iter().chain(before) {
            found.looked_at += 1;
            self.look_at(*index, pod, cluster, &mut found);
            if found.possible.len() >= enough {
                break;
            }
        }
        found
    }

    fn is_allowed(&self, node: NodeIndex) -> bool {
        self.only.as_ref().is_none_or(|(only, _)| only.contains(&node))
    }

    fn look_at(&mut self, index: NodeIndex, pod: &Demand, cluster: &Cluster, found: &mut Found) {
        let Some(node) = cluster.node(index) else { return };
        match self.check(pod, cluster, node) {
            Ok(()) => found.possible.push(index),
            Err((by, refusal)) => {
                found.refusals.refused_by.insert(by);
                found.refusals.of_nodes.push((index, refusal));
            }
        }
    }

    /// Whether the node is possible, both with and without the pods for which room is made there.
    ///
    /// # Errors
    /// Which filter refuses it, and why.
    pub(super) fn check(
        &mut self,
        pod: &Demand,
        cluster: &Cluster,
        node: NodeView<'_>,
    ) -> Result<(), (FilterSet, Refusal)> {
        let nominated = cluster.nominated(&node.offer.name);
        let mut coming = nominated
            .iter()
            .filter(|other| other.uid != pod.uid && other.priority() >= pod.priority())
            .peekable();
        if coming.peek().is_some() {
            let coming: Vec<_> = coming.collect();
            let mut used = node.used.clone();
            for other in &coming {
                used.add(other);
                self.add(node.index, other);
            }
            let checked = self.check_alone(NodeView { used: &used, ..node });
            for other in &coming {
                self.remove(node.index, other);
            }
            checked?;
        }
        // Those pods may not come after all, and must not be what makes the node possible.
        self.check_alone(node)
    }

    fn check_alone(&mut self, node: NodeView<'_>) -> Result<(), (FilterSet, Refusal)> {
        for ready in &mut self.prepared {
            ready.judged += 1;
            if self.is_close {
                self.observer.plugin_begins();
            }
            let checked = ready.filter.check(node);
            if self.is_close {
                let status = checked.as_ref().err().map_or("Success", refused);
                self.observer.plugin_ended(Stage::Filter, ready.name, status);
            }
            checked.map_err(|refusal| (ready.id, refusal))?;
        }
        Ok(())
    }

    /// As if `other` were on the node.
    pub(super) fn add(&mut self, node: NodeIndex, other: &Demand) {
        for ready in &mut self.prepared {
            ready.filter.add(node, other);
        }
    }

    /// As if `other` were not on the node.
    pub(super) fn remove(&mut self, node: NodeIndex, other: &Demand) {
        for ready in &mut self.prepared {
            ready.filter.remove(node, other);
        }
    }
}

/// What Kubernetes calls the answer of a filter that has looked at a pod.
fn status(asked: &Result<Prepared<'_>, Refusal>) -> &'static str {
    match asked {
        Ok(Prepared::Skip) => "Skip",
        Ok(_) => "Success",
        Err(refusal) => refused(refusal),
    }
}

fn refused(refusal: &Refusal) -> &'static str {
    if refusal.is_final { "UnschedulableAndUnresolvable" } else { "Unschedulable" }
}

/// How many possible nodes are enough to choose from.
///
/// Spec: <https://kubernetes.io/docs/concepts/scheduling-eviction/scheduler-perf-tuning/>
fn enough_nodes(nodes: usize, percentage: u8) -> usize {
    if nodes < ENOUGH_NODES {
        return nodes;
    }
    let share = match usize::from(percentage) {
        0 => 50_usize.saturating_sub(nodes / 125).max(LEAST_SHARE),
        share => share,
    };
    (nodes * share / 100).clamp(ENOUGH_NODES, nodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_the_cluster_the_smaller_the_share_that_is_looked_at() {
        for (nodes, percentage, expected) in [
            (3, 0, 3),
            (99, 10, 99),
            (100, 0, 100),
            (500, 0, 230),
            (1000, 0, 420),
            (6000, 0, 300),
            (1000, 100, 1000),
            (1000, 1, 100),
        ] {
            assert_eq!(enough_nodes(nodes, percentage), expected, "{nodes} at {percentage}");
        }
    }
}
