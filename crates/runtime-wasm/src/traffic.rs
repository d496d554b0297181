//! The requests of one container: how many, and how many at a time.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use wk_runtime::RequestStats;

/// Counts requests from their beginning to their end.
#[derive(Debug, Default)]
pub(crate) struct Traffic(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    total: u64,
    in_flight: u64,
    /// The time that requests have been in flight up to `since`, added up.
    time: Duration,
    /// When `in_flight` changed last.
    since: Option<Instant>,
}

/// A request in flight, until it is dropped.
#[derive(Debug)]
pub(crate) struct InFlight<'a>(&'a Traffic);

impl Traffic {
    /// Counts a request that begins now.
    pub(crate) fn begin(&self) -> InFlight<'_> {
        let mut counts = self.0.lock();
        counts.add_up(Instant::now());
        counts.total += 1;
        counts.in_flight += 1;
        InFlight(self)
    }

    pub(crate) fn stats(&self, now: Instant) -> RequestStats {
        let mut counts = self.0.lock();
        counts.add_up(now);
        RequestStats { total: counts.total, in_flight: counts.in_flight, time: counts.time }
    }
}

impl Counts {
    fn add_up(&mut self, now: Instant) {
        let passed =
            self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let many = u32::try_from(self.in_flight).unwrap_or(u32::MAX);
        self.time = self.time.saturating_add(passed.saturating_mul(many));
        self.since = Some(now);
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut counts = self.0.0.lock();
        counts.add_up(Instant::now());
        counts.in_flight -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_in_flight_of_all_requests_adds_up() {
        let traffic = Traffic::default();
        let first = traffic.begin();
        tokio::time::advance(Duration::from_secs(2)).await;
        let second = traffic.begin();
        tokio::time::advance(Duration::from_secs(3)).await;
        drop(first);
        let stats = traffic.stats(Instant::now());
        assert_eq!((stats.total, stats.in_flight, stats.time.as_secs()), (2, 1, 8));
        drop(second);
        tokio::time::advance(Duration::from_secs(9)).await;
        let stats = traffic.stats(Instant::now());
        assert_eq!((stats.total, stats.in_flight, stats.time.as_secs()), (2, 0, 8));
    }
}
