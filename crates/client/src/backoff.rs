//! Delays between attempts.

use std::time::Duration;

/// Exponential delays: `base`, twice that, and so on up to `cap`, each shortened by jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The longest first delay.
    pub base: Duration,
    /// The longest delay of all.
    pub cap: Duration,
}

impl Backoff {
    /// The delay after `failures` failed attempts in a row (at least one).
    ///
    /// `jitter` is a random number from 0 up to 1 and takes away as much as half of the delay, so
    /// that what failed together does not come back together.
    pub fn delay(self, failures: u32, jitter: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let full = self.base.saturating_mul(1 << doublings).min(self.cap);
        full.mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0)
    }
}

impl Default for Backoff {
    /// From 10 ms to 5 minutes.
    fn default() -> Self {
        Self { base: Duration::from_millis(10), cap: Duration::from_mins(5) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap() {
        let backoff = Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(10) };
        for (failures, seconds) in [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (500, 10)] {
            assert_eq!(backoff.delay(failures, 0.0), Duration::from_secs(seconds), "{failures}");
        }
    }

    #[test]
    fn jitter_takes_away_at_most_half() {
        let backoff = Backoff { base: Duration::from_secs(4), cap: Duration::from_secs(10) };
        assert_eq!(backoff.delay(1, 1.0), Duration::from_secs(2));
        assert_eq!(backoff.delay(1, 0.5), Duration::from_secs(3));
    }
}
