//! How fast events are written: they are for people, and must not hold up what they tell of.

use std::time::Duration;

use tokio::time::Instant;

/// How many go out at once after some quiet.
const BURST: u32 = 100;
/// The pause after each of the following ones: 400 a second, several times what Kubernetes' components
/// allow themselves.
const PAUSE: Duration = Duration::from_micros(2_500);

/// A token bucket, kept as the time at which it is full again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    full_at: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// When the next event may be written; that is now, or was before, if it may be at once.
    pub(super) fn next(self) -> Instant {
        let room = PAUSE * (BURST - 1);
        self.full_at.checked_sub(room).unwrap_or(self.full_at)
    }

    /// Counts an event that is written now.
    pub(super) fn count(&mut self, now: Instant) {
        self.full_at = self.full_at.max(now) + PAUSE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_out_at_once_and_the_rest_evenly() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        for number in 0..BURST {
            assert!(pace.next() <= now, "{number}");
            pace.count(now);
        }
        assert_eq!(pace.next(), now + PAUSE);
        pace.count(now);
        assert_eq!(pace.next(), now + PAUSE * 2);
        let later = now + Duration::from_mins(1);
        pace.count(later);
        assert!(pace.next() < later, "after some quiet it is a burst again");
    }
}
