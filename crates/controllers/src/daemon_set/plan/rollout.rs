//! How pods of an older template are replaced: in place, or beside the old ones.

use std::sync::Arc;

use super::{Plan, Work};
use crate::watched::PodView;

/// The pods of a node that stay, by template; a node with two of one has to be tidied first.
struct Pair<'a> {
    new: Option<&'a Arc<PodView>>,
    old: Option<&'a Arc<PodView>>,
}

impl Work<'_> {
    /// Replaces as many pods of older templates as may be now.
    pub(super) fn roll(&self, plan: &mut Plan) {
        let desired = self.desired();
        let (surge, unavailable) = self.room(desired);
        if surge == 0 {
            self.roll_in_place(unavailable, plan);
        } else {
            self.roll_beside(surge, desired, plan);
        }
    }

    /// All nodes that have pods of the set, or should have.
    fn nodes(&self) -> impl Iterator<Item = &str> {
        let wanted = self.fits.iter().filter(|(_, fit)| fit.should_run).map(|(node, _)| node);
        let mut nodes: Vec<&str> = wanted.chain(self.on_node.keys()).map(String::as_str).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes.into_iter()
    }

    fn pair(&self, node: &str) -> Option<Pair<'_>> {
        let mut pair = Pair { new: None, old: None };
        for pod in self.pods(node).iter().filter(|pod| !pod.is_terminating()) {
            let place = if self.is_updated(pod) { &mut pair.new } else { &mut pair.old };
            if place.replace(pod).is_some() {
                return None;
            }
        }
        Some(pair)
    }

    /// Ends old pods; their nodes get new ones when they are gone.
    fn roll_in_place(&self, most: i32, plan: &mut Plan) {
        let mut unavailable = 0;
        let mut candidates = Vec::new();
        for node in self.nodes() {
            match self.pair(node) {
                Some(Pair { new: Some(new), old: None }) => {
                    unavailable += i32::from(!self.is_available(new));
                }
                Some(Pair { new: None, old: Some(old) }) => {
                    if self.is_available(old) {
                        candidates.push(old);
                    } else {
                        // It is of no use to anybody: what replaces it costs nothing.
                        unavailable += 1;
                        plan.delete.push(Arc::clone(old));
                    }
                }
                // It has to get a pod, or to lose one, before this.
                Some(_) | None => unavailable += 1,
            }
        }
        let left = usize::try_from(most - unavailable).unwrap_or(0);
        plan.delete.extend(candidates.into_iter().take(left).cloned());
    }

    /// Makes new pods beside old ones, and ends old ones whose successor is available.
    fn roll_beside(&self, surge: i32, desired: i32, plan: &mut Plan) {
        let (mut surging, mut available) = (0, 0);
        let (mut candidates, mut misplaced) = (Vec::new(), Vec::new());
        for node in self.nodes() {
            let Some(pair) = self.pair(node) else {
                surging += 1;
                continue;
            };
            let counted = pair.old.or(pair.new);
            available += i32::from(counted.is_some_and(|pod| self.is_available(pod)));
            let Some(old) = pair.old else { continue };
            match pair.new {
                Some(new) if self.is_available(new) => plan.delete.push(Arc::clone(old)),
                Some(_) => surging += 1,
                None if !self.fits.get(node).is_some_and(|fit| fit.should_run) => {
                    misplaced.push(old);
                }
                None if !self.is_available(old) => plan.create.push(node.to_owned()),
                None => candidates.push(node),
            }
        }
        let left = usize::try_from(surge - surging).unwrap_or(0);
        plan.create.extend(candidates.into_iter().take(left).map(str::to_owned));
        // Pods that may stay where none would be made go once there are enough elsewhere.
        let spare = usize::try_from(available - desired).unwrap_or(0);
        plan.delete.extend(misplaced.into_iter().take(spare).cloned());
    }
}
