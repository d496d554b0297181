//! Pods that wait for a node.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wk_api::names::NamespacedName;
use wk_client::Backoff;

use crate::demand::Demand;
use crate::framework::FilterSet;

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
    refused_by: FilterSet,
}

type Order = (Reverse<i32>, u64, NamespacedName);

/// The waiting pods: those to try now, those backing off and those that wait for a change.
#[derive(Debug)]
pub(crate) struct Queue {
    backoff: Backoff,
    patience: Duration,
    entries: HashMap<NamespacedName, Entry>,
    active: BTreeSet<Order>,
    timed: BTreeSet<(Instant, NamespacedName)>,
    unschedulable: BTreeSet<NamespacedName>,
    /// At least the filters that refused the pods in `unschedulable`.
    refusing: FilterSet,
    sequence: u64,
}

impl Queue {
    /// An empty queue. Between two attempts for one pod is a pause by `backoff`, however often
    /// something changes; after `patience` a pod is tried again even if nothing does.
    pub(crate) fn new(backoff: Backoff, patience: Duration) -> Self {
        Self {
            backoff,
            patience,
            entries: HashMap::new(),
            active: BTreeSet::new(),
            timed: BTreeSet::new(),
            unschedulable: BTreeSet::new(),
            refusing: FilterSet::default(),
            sequence: 0,
        }
    }

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
                refused_by: FilterSet::default(),
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

    /// A taken pod has no place for now, because these filters refused nodes.
    pub(crate) fn park(&mut self, key: &NamespacedName, refused_by: FilterSet, now: Instant) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        // It may be back already because it asks for something else now.
        if entry.place == Place::Taken {
            entry.refused_by = refused_by;
            self.refusing.insert(refused_by);
            self.move_to(key, Place::Unschedulable(now + self.patience));
        }
    }

    /// A taken pod could not be bound, for reasons that are not its own.
    pub(crate) fn retry(&mut self, key: &NamespacedName, now: Instant) {
        if let Some(entry) = self.entries.get(key).filter(|entry| entry.place == Place::Taken) {
            let until = now + self.backoff.delay(entry.attempts, 0.0);
            self.move_to(key, Place::BackingOff(until));
        }
    }

    /// Brings back those pods without a place that a change helps, each no earlier than its back-off
    /// allows. Only pods that one of the filters in `minding` refused come into question.
    pub(crate) fn wake(
        &mut self,
        now: Instant,
        minding: FilterSet,
        is_helped: impl Fn(&Demand, FilterSet) -> bool,
    ) {
        if !self.refusing.meets(minding) {
            return;
        }
        let (mut refusing, mut helped) = (FilterSet::default(), Vec::new());
        for key in &self.unschedulable {
            let Some(entry) = self.entries.get(key) else { continue };
            if entry.refused_by.meets(minding) && is_helped(&entry.demand, entry.refused_by) {
                helped.push(key.clone());
            } else {
                refusing.insert(entry.refused_by);
            }
        }
        self.refusing = refusing;
        for key in helped {
            self.wake_one(&key, now);
        }
    }

    /// Brings a pod without a place back, no earlier than its back-off allows.
    pub(crate) fn wake_one(&mut self, key: &NamespacedName, now: Instant) {
        let Some(entry) = self.entries.get(key) else { return };
        if matches!(entry.place, Place::Unschedulable(_)) {
            let pause = self.backoff.delay(entry.attempts, 0.0);
            let until = entry.last_attempt.unwrap_or(now) + pause;
            self.move_to(key, if until <= now { Place::Active } else { Place::BackingOff(until) });
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
        let order = (Reverse(entry.demand.priority()), entry.sequence, key.clone());
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
mod tests;
