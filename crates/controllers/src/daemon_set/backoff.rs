//! How long nodes on which a `DaemonSet`'s pod failed wait for the next one.
//!
//! A node that refuses a pod refuses the next one as well, and would do so many times a second.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// The first wait; each failure doubles it.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(15);
/// A node that has not failed for so long begins anew.
const FORGIVEN: Duration = Duration::from_mins(30);

/// One version of one set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SetVersion {
    pub(super) uid: String,
    pub(super) generation: i64,
}

#[derive(Clone, Copy, Debug)]
struct Failure {
    delay: Duration,
    at: Instant,
}

/// The failures of all sets.
#[derive(Debug, Default)]
pub(super) struct Failures {
    of_set: HashMap<SetVersion, HashMap<String, Failure>>,
}

impl Failures {
    /// The nodes of a set that wait, and how long still.
    pub(super) fn waiting(&self, set: &SetVersion, now: Instant) -> HashMap<String, Duration> {
        let failures = self.of_set.get(set).into_iter().flatten();
        failures
            .filter_map(|(node, failure)| {
                let left = failure.delay.checked_sub(now.duration_since(failure.at))?;
                (!left.is_zero()).then(|| (node.clone(), left))
            })
            .collect()
    }

    /// Notes that a pod of the set has failed on a node and is removed.
    pub(super) fn note(&mut self, set: &SetVersion, node: &str, now: Instant) {
        let failures = self.of_set.entry(set.clone()).or_default();
        failures.retain(|_, failure| now.duration_since(failure.at) < FORGIVEN);
        let before = failures.get(node).map(|failure| failure.delay);
        let delay = before.map_or(FIRST, |delay| (delay * 2).min(LONGEST));
        failures.insert(node.to_owned(), Failure { delay, at: now });
    }

    /// Forgets a set that is gone, or, with `kept`, its other versions.
    pub(super) fn forget(&mut self, uid: &str, kept: Option<i64>) {
        self.of_set.retain(|set, _| set.uid != uid || Some(set.generation) == kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_waits_twice_as_long_each_time_until_it_is_forgiven() {
        let (mut failures, start) = (Failures::default(), Instant::now());
        let set = SetVersion { uid: "u".to_owned(), generation: 1 };
        let seconds =
            |failures: &Failures, now| failures.waiting(&set, now).get("n").map(Duration::as_secs);
        failures.note(&set, "n", start);
        assert_eq!(seconds(&failures, start), Some(1));
        assert_eq!(seconds(&failures, start + FIRST), None);
        failures.note(&set, "n", start + FIRST);
        assert_eq!(seconds(&failures, start + FIRST), Some(2));
        for _ in 0..20 {
            failures.note(&set, "n", start);
        }
        assert_eq!(seconds(&failures, start), Some(900));
        failures.note(&set, "n", start + FORGIVEN);
        assert_eq!(seconds(&failures, start + FORGIVEN), Some(1));
        failures.forget("u", Some(2));
        assert!(failures.of_set.is_empty());
    }
}
