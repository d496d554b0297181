//! In which order nodes are looked at.

use std::collections::{BTreeMap, VecDeque};

use super::NodeIndex;
use crate::offer::Offer;

/// The nodes by name, but those of several zones take turns, so that a part of the list is a fair
/// sample of the zones.
pub(super) fn in_turns<'a>(nodes: impl Iterator<Item = (NodeIndex, &'a Offer)>) -> Vec<NodeIndex> {
    let mut nodes: Vec<_> = nodes.collect();
    nodes.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
    let mut zones: BTreeMap<_, VecDeque<NodeIndex>> = BTreeMap::new();
    for (index, offer) in &nodes {
        zones.entry(offer.zone()).or_default().push_back(*index);
    }
    let mut order = Vec::with_capacity(nodes.len());
    while order.len() < nodes.len() {
        order.extend(zones.values_mut().filter_map(VecDeque::pop_front));
    }
    order
}
