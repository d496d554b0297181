//! How fast processor time is used: what was used since it was measured before.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{Usage, nanos};

/// Less time than this between two measurements tells little: the older one is kept.
const LEAST: Duration = Duration::from_secs(1);

/// What was used at earlier moments. It holds what runs, and only if somebody asks at all.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    node: Option<Seen>,
    /// By the pod's uid and the container's name.
    containers: HashMap<(String, String), Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Timestamp,
    /// When the program began; another time is another run of it, which starts at nothing.
    began: Timestamp,
    cpu_nanos: u64,
    nano_cores: Option<u64>,
}

impl Rates {
    /// Completes what was measured now, and keeps it for the next time.
    pub(super) fn fill(&mut self, usage: &mut Usage) {
        let at = usage.at;
        if let Some(cpu_nanos) = usage.node.cpu_nanos {
            let seen = next(self.node, at, usage.node.booted_at.unwrap_or_default(), cpu_nanos);
            usage.nano_cores = seen.nano_cores;
            self.node = Some(seen);
        }
        let mut before = std::mem::take(&mut self.containers);
        for pod in &mut usage.pods {
            for container in &mut pod.containers {
                let key = (pod.key.uid.clone(), container.name.clone());
                let began = Timestamp::try_from(container.stats.started_at).unwrap_or_default();
                let seen = next(before.remove(&key), at, began, nanos(&container.stats));
                container.nano_cores = seen.nano_cores;
                self.containers.insert(key, seen);
            }
        }
    }
}

fn next(before: Option<Seen>, at: Timestamp, began: Timestamp, cpu_nanos: u64) -> Seen {
    let first = Seen { at, began, cpu_nanos, nano_cores: None };
    let Some(before) = before.filter(|seen| seen.began == began && seen.cpu_nanos <= cpu_nanos)
    else {
        return first;
    };
    let passed = Duration::try_from(at.duration_since(before.at)).unwrap_or_default();
    if passed < LEAST {
        return before;
    }
    let used = u128::from(cpu_nanos - before.cpu_nanos) * 1_000_000_000 / passed.as_nanos();
    Seen { nano_cores: Some(u64::try_from(used).unwrap_or(u64::MAX)), ..first }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_rate_is_what_was_used_since_it_was_measured_before() {
        let first = next(None, seconds(100), seconds(90), 5_000_000_000);
        assert_eq!(first.nano_cores, None, "one measurement is no rate");
        let second = next(Some(first), seconds(110), seconds(90), 7_000_000_000);
        assert_eq!(second.nano_cores, Some(200_000_000));
        let soon = next(Some(second), seconds(110), seconds(90), 8_000_000_000);
        assert_eq!((soon.cpu_nanos, soon.nano_cores), (7_000_000_000, Some(200_000_000)));
        let again = next(Some(second), seconds(120), seconds(115), 1_000_000_000);
        assert_eq!(again.nano_cores, None, "another run starts anew");
    }
}
