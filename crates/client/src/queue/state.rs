//! What is queued, running and due, without waiting for anything.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::Hash;

use tokio::time::Instant;

pub(super) struct State<K> {
    ready: VecDeque<K>,
    queued: HashSet<K>,
    running: HashSet<K>,
    /// Keys that were added while they ran.
    again: HashSet<K>,
    /// Keys by the time they are due; the number tells equal times apart.
    later: BTreeMap<(Instant, u64), K>,
    due: HashMap<K, (Instant, u64)>,
    failures: HashMap<K, u32>,
    sequence: u64,
}

impl<K> Default for State<K> {
    fn default() -> Self {
        Self {
            ready: VecDeque::new(),
            queued: HashSet::new(),
            running: HashSet::new(),
            again: HashSet::new(),
            later: BTreeMap::new(),
            due: HashMap::new(),
            failures: HashMap::new(),
            sequence: 0,
        }
    }
}

impl<K: Clone + Eq + Hash> State<K> {
    /// Queues `key` and returns whether there is something new to take.
    pub(super) fn add(&mut self, key: K) -> bool {
        if self.running.contains(&key) {
            self.again.insert(key);
            return false;
        }
        let is_new = self.queued.insert(key.clone());
        if is_new {
            self.ready.push_back(key);
        }
        is_new
    }

    pub(super) fn add_at(&mut self, key: K, time: Instant) {
        match self.due.get(&key) {
            Some((earlier, _)) if *earlier <= time => return,
            Some(slot) => {
                self.later.remove(slot);
            }
            None => {}
        }
        self.sequence += 1;
        let slot = (time, self.sequence);
        self.due.insert(key.clone(), slot);
        self.later.insert(slot, key);
    }

    /// The next key to work on; it counts as running until it succeeds or fails.
    pub(super) fn take(&mut self, now: Instant) -> Option<K> {
        while let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= now) {
            let key = entry.remove();
            self.due.remove(&key);
            self.add(key);
        }
        let key = self.ready.pop_front()?;
        self.queued.remove(&key);
        // The run that begins sees whatever the delayed one would have seen.
        if let Some(slot) = self.due.remove(&key) {
            self.later.remove(&slot);
        }
        self.running.insert(key.clone());
        Some(key)
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.later.keys().next().map(|(time, _)| *time)
    }

    pub(super) fn failures(&self, key: &K) -> u32 {
        self.failures.get(key).copied().unwrap_or(0)
    }

    pub(super) fn succeeded(&mut self, key: K, again_at: Option<Instant>) {
        self.failures.remove(&key);
        self.stopped(key, again_at);
    }

    pub(super) fn failed(&mut self, key: K, again_at: Instant) {
        *self.failures.entry(key.clone()).or_default() += 1;
        self.stopped(key, Some(again_at));
    }

    fn stopped(&mut self, key: K, again_at: Option<Instant>) {
        self.running.remove(&key);
        if self.again.remove(&key) {
            self.add(key);
        } else if let Some(time) = again_at {
            self.add_at(key, time);
        }
    }

    pub(super) fn ready_len(&self) -> usize {
        self.ready.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_key_is_queued_once() {
        let (mut state, now) = (State::default(), Instant::now());
        assert!(state.add("a"));
        assert!(!state.add("a"));
        assert_eq!(state.take(now), Some("a"));
        assert_eq!(state.take(now), None);
    }

    #[test]
    fn a_key_added_while_it_runs_runs_again_afterwards() {
        let (mut state, now) = (State::default(), Instant::now());
        state.add("a");
        state.take(now);
        assert!(!state.add("a"));
        assert_eq!(state.take(now), None);
        state.succeeded("a", None);
        assert_eq!(state.take(now), Some("a"));
    }

    #[test]
    fn a_failed_key_waits_and_an_added_one_does_not() {
        let (mut state, now) = (State::default(), Instant::now());
        state.add("a");
        state.take(now);
        state.failed("a", now + SECOND);
        assert_eq!(state.take(now), None);
        assert_eq!(state.next_due(), Some(now + SECOND));
        state.add("a");
        assert_eq!(state.take(now), Some("a"));
        assert_eq!(state.failures(&"a"), 1);
        state.succeeded("a", None);
        assert_eq!(state.failures(&"a"), 0);
        assert_eq!(state.next_due(), None);
    }

    #[test]
    fn of_two_delays_the_shorter_counts() {
        let (mut state, now) = (State::default(), Instant::now());
        state.add_at("a", now + 2 * SECOND);
        state.add_at("a", now + SECOND);
        state.add_at("a", now + 3 * SECOND);
        assert_eq!(state.take(now + SECOND), Some("a"));
        state.succeeded("a", None);
        assert_eq!(state.next_due(), None);
    }
}
