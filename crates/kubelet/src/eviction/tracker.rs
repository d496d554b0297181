//! Which thresholds are met, for how long they have been, and what follows from that. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::{EvictionSettings, Signal, Threshold, Thresholds};
use crate::machine::{Machine, Pressures};

/// A threshold that is met.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Met {
    threshold: Threshold,
    is_hard: bool,
    since: Timestamp,
}

/// A threshold that was met for long enough: something has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) signal: Signal,
    /// Whether pods are to go at once.
    pub(crate) is_hard: bool,
    /// What is left.
    pub(crate) available: u64,
    /// What should be left.
    pub(crate) least: u64,
}

/// What one look came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// What the node says of itself.
    pub(crate) pressures: Pressures,
    /// The most urgent thing.
    pub(crate) due: Option<Due>,
}

/// Remembers from one look to the next.
#[derive(Clone, Debug)]
pub(crate) struct Tracker {
    hard: Thresholds,
    settings: EvictionSettings,
    met: Vec<Met>,
    memory_low: Option<Timestamp>,
    disk_low: Option<Timestamp>,
    pids_low: Option<Timestamp>,
}

impl Tracker {
    pub(crate) fn new(hard: Thresholds, settings: EvictionSettings) -> Self {
        let met = Vec::new();
        Self { hard, settings, met, memory_low: None, disk_low: None, pids_low: None }
    }

    /// Takes the figures of one moment.
    pub(crate) fn look(&mut self, machine: &Machine, now: Timestamp) -> Look {
        let hard = self.hard.iter().map(|threshold| (*threshold, true));
        let all = hard.chain(self.settings.soft.iter().map(|threshold| (*threshold, false)));
        let met = all.filter_map(|(threshold, is_hard)| {
            let (available, capacity) = machine.available(threshold.signal());
            let same = |met: &&Met| met.threshold == threshold && met.is_hard == is_hard;
            let before = self.met.iter().find(same);
            let more = self.settings.minimum_reclaim.of(threshold.signal(), capacity);
            // What was low has to be a little better than just well.
            let still = before.is_some()
                && capacity > 0
                && available < threshold.least(capacity).saturating_add(more);
            let since = before.map_or(now, |before| before.since);
            let met = still || threshold.is_met(available, capacity);
            met.then_some(Met { threshold, is_hard, since })
        });
        let met: Vec<Met> = met.collect();
        self.met = met;
        let pressures = self.pressures(now);
        // Memory first: without it nothing else can be done.
        let mut due: Vec<Met> = self.met.clone();
        due.retain(|met| met.is_hard || self.is_over(met, now));
        due.sort_by_key(|met| (met.threshold.signal() != Signal::MemoryAvailable, !met.is_hard));
        let due = due.first().map(|met| {
            let signal = met.threshold.signal();
            let (available, capacity) = machine.available(signal);
            Due { signal, is_hard: met.is_hard, available, least: met.threshold.least(capacity) }
        });
        Look { pressures, due }
    }

    fn is_over(&self, met: &Met, now: Timestamp) -> bool {
        let grace = self.settings.soft_grace_period.of(met.threshold.signal());
        age(met.since, now) >= grace.unwrap_or_default()
    }

    /// What holds now, or has held a short while ago.
    fn pressures(&mut self, now: Timestamp) -> Pressures {
        for met in &self.met {
            let low = match met.threshold.signal() {
                Signal::MemoryAvailable => &mut self.memory_low,
                Signal::PidAvailable => &mut self.pids_low,
                Signal::NodefsAvailable
                | Signal::NodefsInodesFree
                | Signal::ImagefsAvailable
                | Signal::ImagefsInodesFree => &mut self.disk_low,
            };
            *low = Some(now);
        }
        let period = self.settings.pressure_transition_period;
        let lately =
            |low: Option<Timestamp>| low.is_some_and(|low| low == now || age(low, now) < period);
        Pressures {
            memory: lately(self.memory_low),
            disk: lately(self.disk_low),
            pids: lately(self.pids_low),
        }
    }
}

fn age(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn machine(memory: u64, disk: u64) -> Machine {
        let mut machine = Machine::read(Path::new("/"));
        (machine.memory_bytes, machine.memory_available_bytes) = (1000, memory);
        (machine.disk_bytes, machine.disk_available_bytes) = (1000, disk);
        machine
    }

    fn tracker(hard: &str, soft: &str, grace: &str, reclaim: &str) -> Tracker {
        let settings = EvictionSettings {
            soft: soft.parse().unwrap(),
            soft_grace_period: grace.parse().unwrap(),
            minimum_reclaim: reclaim.parse().unwrap(),
            pressure_transition_period: Duration::from_mins(1),
            ..EvictionSettings::default()
        };
        Tracker::new(hard.parse().unwrap(), settings)
    }

    #[test]
    fn what_is_hard_is_due_at_once_and_memory_first() {
        let mut tracker = tracker("nodefs.available<10%,memory.available<100", "", "", "");
        assert_eq!(tracker.look(&machine(100, 100), at(0)), Look::default());
        let look = tracker.look(&machine(99, 99), at(10));
        let due = Due { signal: Signal::MemoryAvailable, is_hard: true, available: 99, least: 100 };
        assert_eq!(look.due, Some(due));
        assert_eq!(look.pressures, Pressures { memory: true, disk: true, pids: false });
        let look = tracker.look(&machine(100, 99), at(20));
        assert_eq!(look.due.unwrap().signal, Signal::NodefsAvailable);
    }

    #[test]
    fn what_is_soft_may_be_missed_for_a_while() {
        let mut tracker = tracker("", "memory.available<100", "memory.available=30s", "");
        let look = tracker.look(&machine(50, 0), at(0));
        assert!(look.pressures.memory && look.due.is_none(), "it is told at once");
        assert_eq!(tracker.look(&machine(50, 0), at(29)).due, None);
        assert!(!tracker.look(&machine(50, 0), at(30)).due.unwrap().is_hard);
        assert_eq!(tracker.look(&machine(100, 0), at(31)).due, None);
        assert_eq!(tracker.look(&machine(50, 0), at(32)).due, None, "the time begins anew");
    }

    #[test]
    fn pressure_stays_for_a_while_and_until_enough_was_gained() {
        let mut tracker = tracker("memory.available<100", "", "", "memory.available=50");
        assert!(tracker.look(&machine(99, 0), at(0)).due.is_some());
        assert!(tracker.look(&machine(149, 0), at(10)).due.is_some(), "just well is not enough");
        let look = tracker.look(&machine(150, 0), at(20));
        assert!(look.due.is_none() && look.pressures.memory, "the node does not flap");
        assert!(tracker.look(&machine(149, 0), at(69)).pressures.memory);
        assert_eq!(tracker.look(&machine(149, 0), at(70)), Look::default());
    }
}
