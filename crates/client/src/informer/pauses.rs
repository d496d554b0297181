//! The pauses between the attempts of a broken watch.

use std::time::Duration;

use kube::runtime::utils::Backoff as Pausing;

use crate::Backoff;

/// The first pause is short, since most servers that go away are back in a moment; the longest one
/// is too, because a cache that is behind holds up everything that is decided by it.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(5) };

/// Pauses that grow with each failure in a row.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    failures: u32,
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        Some(BACKOFF.delay(self.failures, rand::random()))
    }
}

impl Pausing for Pauses {
    fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_few_seconds_and_start_over_after_a_success() {
        let mut pauses = Pauses::default();
        let all: Vec<Duration> = pauses.by_ref().take(10).collect();
        assert!(all[0] <= BACKOFF.base && all[9] >= BACKOFF.cap / 2, "{all:?}");
        assert!(all.iter().all(|pause| *pause <= BACKOFF.cap), "{all:?}");
        pauses.reset();
        assert!(pauses.next() <= Some(BACKOFF.base));
    }
}
