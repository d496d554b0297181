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
use crate::metrics::{Metrics, Pending};

/// Why pods come back that were tried.
const ATTEMPT_FAILED: &str = "ScheduleAttemptFailure";
/// What becomes of pods without a node.
const ADDED: &str = "UnschedulablePodAdd";
const UPDATED: &str = "UnschedulablePodUpdate";

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
    first_attempt: Option<Instant>,
    last_attempt: Option<Instant>,
    /// The filters that refused it last, until it is tried again.
    refused_by: FilterSet,
    /// Whether it is tried again although nothing happened that may help it.
    is_flushed: bool,
}

impl Entry {
    fn refuse(&mut self, by: FilterSet, metrics: &Metrics) {
        self.forget_refusal(metrics);
        (self.refused_by, self.is_flushed) = (by, false);
        metrics.refused(&self.demand.template.scheduler, by, 1);
    }

    fn forget_refusal(&mut self, metrics: &Metrics) {
        let before = std::mem::take(&mut self.refused_by);
        if before != FilterSet::default() {
            metrics.refused(&self.demand.template.scheduler, before, -1);
        }
    }
}

/// The newest attempt for a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// The how-manieth it is.
    pub(crate) count: u32,
    pub(crate) began: Instant,
    /// When the first one began.
    pub(crate) first: Instant,
    /// Whether it was made although nothing had happened that may help the pod.
    pub(crate) is_flushed: bool,
}

type Order = (Reverse<i32>, u64, NamespacedName);

/// The waiting pods: those to try now, those backing off and those that wait for a change.
#[derive(Debug)]
pub(crate) struct Queue {
    backoff: Backoff,
    patience: Duration,
    metrics: Metrics,
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
    /// something changes; after `patience` a pod is tried again even if nothing does. What comes into
    /// the queue is counted in `metrics`.
    pub(crate) fn new(backoff: Backoff, patience: Duration, metrics: Metrics) -> Self {
        Self {
            backoff,
            patience,
            metrics,
            entries: HashMap::new(),
            active: BTreeSet::new(),
            timed: BTreeSet::new(),
            unschedulable: BTreeSet::new(),
            refusing: FilterSet::default(),
            sequence: 0,
        }
    }

    /// Adds a pod or takes over what it asks for now; tries it at once if that is news. Returns the
    /// event that it is.
    pub(crate) fn put(&mut self, key: &NamespacedName, demand: Arc<Demand>) -> &'static str {
        self.sequence += 1;
        let Some(entry) = self.entries.get_mut(key) else {
            let entry = Entry {
                demand,
                place: Place::Taken,
                sequence: self.sequence,
                attempts: 0,
                first_attempt: None,
                last_attempt: None,
                refused_by: FilterSet::default(),
                is_flushed: false,
            };
            self.entries.insert(key.clone(), entry);
            self.enter(key, Place::Active, ADDED);
            return ADDED;
        };
        let is_other = entry.demand.uid != demand.uid;
        let is_news = is_other || demand.differs_from(&entry.demand);
        if is_other {
            (entry.attempts, entry.first_attempt, entry.last_attempt) = (0, None, None);
        }
        if is_news {
            // Leaves its place before its priority changes, which is part of the place.
            self.move_to(key, Place::Taken);
        }
        if let Some(entry) = self.entries.get_mut(key) {
            if is_other {
                entry.forget_refusal(&self.metrics);
            }
            entry.demand = demand;
        }
        if is_news {
            self.enter(key, Place::Active, UPDATED);
        }
        UPDATED
    }

    /// Takes a pod out that needs no node any more.
    pub(crate) fn remove(&mut self, key: &NamespacedName) {
        self.move_to(key, Place::Taken);
        if let Some(mut entry) = self.entries.remove(key) {
            entry.forget_refusal(&self.metrics);
        }
    }

    /// Takes the next pod to try: highest priority first, then in order of arrival.
    pub(crate) fn take(&mut self, now: Instant) -> Option<(NamespacedName, Arc<Demand>)> {
        let (_, _, key) = self.active.first()?.clone();
        self.move_to(&key, Place::Taken);
        let entry = self.entries.get_mut(&key)?;
        entry.forget_refusal(&self.metrics);
        entry.attempts += 1;
        entry.first_attempt.get_or_insert(now);
        entry.last_attempt = Some(now);
        Some((key, Arc::clone(&entry.demand)))
    }

    /// The newest attempt for a pod that is or was taken.
    pub(crate) fn attempt(&self, key: &NamespacedName) -> Option<Attempt> {
        let entry = self.entries.get(key)?;
        let (began, first) = (entry.last_attempt?, entry.first_attempt?);
        Some(Attempt { count: entry.attempts, began, first, is_flushed: entry.is_flushed })
    }

    /// How many pods wait, but for those that are held back by gates.
    pub(crate) fn pending(&self) -> Pending {
        Pending {
            active: self.active.len(),
            backing_off: self.timed.len() - self.unschedulable.len(),
            unschedulable: self.unschedulable.len(),
            gated: 0,
        }
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
            entry.refuse(refused_by, &self.metrics);
            self.refusing.insert(refused_by);
            let until = now + self.patience;
            self.enter(key, Place::Unschedulable(until), ATTEMPT_FAILED);
        }
    }

    /// A taken pod could not be bound, for reasons that are not its own.
    pub(crate) fn retry(&mut self, key: &NamespacedName, now: Instant) {
        if let Some(entry) = self.entries.get(key).filter(|entry| entry.place == Place::Taken) {
            let until = now + self.backoff.delay(entry.attempts, 0.0);
            self.enter(key, Place::BackingOff(until), ATTEMPT_FAILED);
        }
    }

    /// Brings back those pods without a place that a change helps, each no earlier than its back-off
    /// allows. Only pods that one of the filters in `minding` refused come into question.
    pub(crate) fn wake(
        &mut self,
        now: Instant,
        event: &'static str,
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
            self.wake_one(&key, event, now);
        }
    }

    /// Brings a pod without a place back, no earlier than its back-off allows.
    pub(crate) fn wake_one(&mut self, key: &NamespacedName, event: &'static str, now: Instant) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        if matches!(entry.place, Place::Unschedulable(_)) {
            entry.is_flushed = false;
            let pause = self.backoff.delay(entry.attempts, 0.0);
            let until = entry.last_attempt.unwrap_or(now) + pause;
            let place = if until <= now { Place::Active } else { Place::BackingOff(until) };
            self.enter(key, place, event);
        }
    }

    /// Brings pods back whose time has come.
    pub(crate) fn advance(&mut self, now: Instant) {
        while let Some((_, key)) = self.timed.first().filter(|(until, _)| *until <= now) {
            let key = key.clone();
            let is_off = |entry: &Entry| matches!(entry.place, Place::BackingOff(_));
            let event = match self.entries.get_mut(&key) {
                Some(entry) if is_off(entry) => "BackoffComplete",
                Some(entry) => {
                    entry.is_flushed = true;
                    "UnschedulableTimeout"
                }
                None => "UnschedulableTimeout",
            };
            self.enter(&key, Place::Active, event);
        }
    }

    /// When [`Queue::advance`] has something to do next.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.timed.first().map(|(until, _)| *until)
    }

    /// Moves a pod to a queue, and counts that.
    fn enter(&mut self, key: &NamespacedName, place: Place, event: &'static str) {
        let queue = match place {
            Place::Active => "active",
            Place::BackingOff(_) => "backoff",
            Place::Unschedulable(_) => "unschedulable",
            Place::Taken => return,
        };
        self.metrics.incoming(event, queue);
        self.move_to(key, place);
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
