//! Pods that wait for a node.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wk_api::names::NamespacedName;
use wk_client::Backoff;

use crate::demand::Demand;

/// Between two attempts for one pod, however often something changes that may help it.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(10) };
/// A pod is tried again after this time even if nothing seems to have changed.
const PATIENCE: Duration = Duration::from_mins(5);

/// What changed that may help pods which had no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// A node is new or offers something else.
    Node,
    /// A pod that had a place is gone.
    PodGone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Active,
    /// Until then.
    BackingOff(Instant),
    /// Until something helps, or until then.
    Unschedulable(Instant),
    /// Taken by the caller.
    Taken,
}

#[derive(Debug)]
struct Entry {
    demand: Arc<Demand>,
    place: Place,
    /// When it came, for order within a priority.
    sequence: u64,
    attempts: u32,
    last_attempt: Option<Instant>,
    minds_other_pods: bool,
}

type Order = (Reverse<i32>, u64, NamespacedName);

/// The waiting pods: those to try now, those backing off and those that wait for a change.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: HashMap<NamespacedName, Entry>,
    active: BTreeSet<Order>,
    timed: BTreeSet<(Instant, NamespacedName)>,
    unschedulable: BTreeSet<NamespacedName>,
    sequence: u64,
}

impl Queue {
    /// Adds a pod or takes over what it asks for now; tries it at once if that is news.
    pub(crate) fn put(&mut self, key: &NamespacedName, demand: Arc<Demand>) {
        self.sequence += 1;
        let Some(entry) = self.entries.get_mut(key) else {
            let entry = Entry {
                demand,
                place: Place::Taken,
                sequence: self.sequence,
                attempts: 0,
                last_attempt: None,
                minds_other_pods: false,
            };
            self.entries.insert(key.clone(), entry);
            self.move_to(key, Place::Active);
            return;
        };
        let is_other = entry.demand.uid != demand.uid;
        let is_news = is_other || demand.differs_from(&entry.demand);
        if is_other {
            (entry.attempts, entry.last_attempt) = (0, None);
        }
        if is_news {
            // Leaves its place before its priority changes, which is part of the place.
            self.move_to(key, Place::Taken);
        }
        if let Some(entry) = self.entries.get_mut(key) {
            entry.demand = demand;
        }
        if is_news {
            self.move_to(key, Place::Active);
        }
    }

    /// Takes a pod out that needs no node any more.
    pub(crate) fn remove(&mut self, key: &NamespacedName) {
        self.move_to(key, Place::Taken);
        self.entries.remove(key);
    }

    /// Takes the next pod to try: highest priority first, then in order of arrival.
    pub(crate) fn take(&mut self, now: Instant) -> Option<(NamespacedName, Arc<Demand>)> {
        let (_, _, key) = self.active.first()?.clone();
        self.move_to(&key, Place::Taken);
        let entry = self.entries.get_mut(&key)?;
        entry.attempts += 1;
        entry.last_attempt = Some(now);
        Some((key, Arc::clone(&entry.demand)))
    }

    /// Whether there is a pod to try now.
    pub(crate) fn has_active(&self) -> bool {
        !self.active.is_empty()
    }

    /// A taken pod has no place for now.
    pub(crate) fn park(&mut self, key: &NamespacedName, minds_other_pods: bool, now: Instant) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.minds_other_pods = minds_other_pods;
            self.move_to(key, Place::Unschedulable(now + PATIENCE));
        }
    }

    /// A taken pod could not be bound, for reasons that are not its own.
    pub(crate) fn retry(&mut self, key: &NamespacedName, now: Instant) {
        if let Some(entry) = self.entries.get(key).filter(|entry| entry.place == Place::Taken) {
            let until = now + BACKOFF.delay(entry.attempts, 0.0);
            self.move_to(key, Place::BackingOff(until));
        }
    }

    /// Brings pods that `wake` may help back, each no earlier than its back-off allows.
    pub(crate) fn wake(&mut self, wake: Wake, now: Instant) {
        let helped = |key: &&NamespacedName| {
            wake == Wake::Node || self.entries.get(*key).is_some_and(|one| one.minds_other_pods)
        };
        let keys: Vec<NamespacedName> = self.unschedulable.iter().filter(helped).cloned().collect();
        for key in keys {
            let Some(entry) = self.entries.get(&key) else { continue };
            let until = entry.last_attempt.unwrap_or(now) + BACKOFF.delay(entry.attempts, 0.0);
            let place = if until <= now { Place::Active } else { Place::BackingOff(until) };
            self.move_to(&key, place);
        }
    }

    /// Brings pods back whose time has come.
    pub(crate) fn advance(&mut self, now: Instant) {
        while let Some((_, key)) = self.timed.first().filter(|(until, _)| *until <= now) {
            self.move_to(&key.clone(), Place::Active);
        }
    }

    /// When [`Queue::advance`] has something to do next.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.timed.first().map(|(until, _)| *until)
    }

    fn move_to(&mut self, key: &NamespacedName, place: Place) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let order = (Reverse(entry.demand.priority), entry.sequence, key.clone());
        match std::mem::replace(&mut entry.place, place) {
            Place::Active => {
                self.active.remove(&order);
            }
            Place::BackingOff(until) => {
                self.timed.remove(&(until, key.clone()));
            }
            Place::Unschedulable(until) => {
                self.timed.remove(&(until, key.clone()));
                self.unschedulable.remove(key);
            }
            Place::Taken => {}
        }
        match place {
            Place::Active => {
                self.active.insert(order);
            }
            Place::BackingOff(until) => {
                self.timed.insert((until, key.clone()));
            }
            Place::Unschedulable(until) => {
                self.timed.insert((until, key.clone()));
                self.unschedulable.insert(key.clone());
            }
            Place::Taken => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn demand(uid: &str, priority: i32) -> Arc<Demand> {
        let pod =
            json!({"metadata": {"uid": uid}, "spec": {"priority": priority, "containers": []}});
        Arc::new(Demand::of(serde_json::from_value(pod).unwrap()).unwrap())
    }

    fn key(name: &str) -> NamespacedName {
        NamespacedName::new("default", name)
    }

    fn take(queue: &mut Queue, now: Instant) -> Option<String> {
        queue.advance(now);
        queue.take(now).map(|(key, _)| key.name)
    }

    #[test]
    fn the_highest_priority_goes_first_and_then_the_oldest() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for (name, priority) in [("a", 0), ("b", 5), ("c", 0), ("d", 5)] {
            queue.put(&key(name), demand(name, priority));
        }
        let order: Vec<_> = std::iter::from_fn(|| take(&mut queue, now)).collect();
        assert_eq!(order, ["b", "d", "a", "c"]);
    }

    #[test]
    fn a_pod_without_a_place_waits_for_a_change_that_helps() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let later = now + Duration::from_secs(1);
        queue.put(&key("a"), demand("a", 0));
        take(&mut queue, now);
        queue.park(&key("a"), false, now);
        // Its own status changed, and a pod went away that was not in its way.
        queue.put(&key("a"), demand("a", 0));
        queue.wake(Wake::PodGone, later);
        assert_eq!(take(&mut queue, later), None);
        queue.wake(Wake::Node, later);
        assert_eq!(take(&mut queue, later).as_deref(), Some("a"));
        queue.park(&key("a"), true, later);
        queue.wake(Wake::PodGone, later + Duration::from_secs(1));
        assert_eq!(take(&mut queue, later + Duration::from_secs(1)).as_deref(), Some("a"));
    }

    #[test]
    fn changes_in_quick_succession_do_not_make_attempts_quicker() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.put(&key("a"), demand("a", 0));
        take(&mut queue, now);
        queue.park(&key("a"), true, now);
        queue.wake(Wake::Node, now);
        assert_eq!(take(&mut queue, now), None);
        assert_eq!(queue.next_due(), Some(now + BACKOFF.base));
        assert_eq!(take(&mut queue, now + BACKOFF.base).as_deref(), Some("a"));
    }

    #[test]
    fn a_pod_that_asks_for_something_else_is_tried_at_once() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.put(&key("a"), demand("a", 0));
        take(&mut queue, now);
        queue.park(&key("a"), true, now);
        queue.put(&key("a"), demand("a", 7));
        assert_eq!(take(&mut queue, now).as_deref(), Some("a"));
        assert!(queue.active.is_empty() && queue.timed.is_empty());
    }

    #[test]
    fn patience_ends() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.put(&key("a"), demand("a", 0));
        take(&mut queue, now);
        queue.park(&key("a"), false, now);
        assert_eq!(take(&mut queue, now + PATIENCE).as_deref(), Some("a"));
        queue.remove(&key("a"));
        assert_eq!(queue.next_due(), None);
    }
}
