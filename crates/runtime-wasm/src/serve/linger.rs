//! How long a server that was asked to end still takes connections.
//!
//! Whoever balances load over servers learns of one's end by watching the API, a little later than
//! the server itself. A server that closed its listener at once would refuse what is sent to it in
//! between. A program that owns its listener has to think of that itself, usually by a pause in
//! `preStop`; here the listener is ours, and so is the pause.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// A server whose last request is longer ago is known to nobody who would mind.
const RECENT: Duration = Duration::from_mins(1);
/// Without a request for this long, everybody knows.
const QUIET: Duration = Duration::from_millis(500);
/// The longest time in any case; clients that never learn must not hold up an end.
const LONGEST: Duration = Duration::from_secs(5);

/// When the last request of a client came in.
#[derive(Debug)]
pub(super) struct LastRequest {
    start: Instant,
    /// Milliseconds from the start, and one more; 0 while there was none.
    at: AtomicU64,
}

impl LastRequest {
    pub(super) fn new(now: Instant) -> Self {
        Self { start: now, at: AtomicU64::new(0) }
    }

    /// Notes a request.
    pub(super) fn note(&self, now: Instant) {
        let millis = now.duration_since(self.start).as_millis();
        self.at.store(u64::try_from(millis).unwrap_or(u64::MAX - 1) + 1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Option<Instant> {
        let millis = self.at.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.start + Duration::from_millis(millis))
    }
}

/// Until when a server goes on that was asked to end at `asked` and must have ended by `deadline`,
/// as far as is known now; half of the time is left to what is in flight then.
pub(super) fn until(asked: Instant, deadline: Instant, last: Option<Instant>) -> Instant {
    let Some(last) = last.filter(|last| asked.saturating_duration_since(*last) < RECENT) else {
        return asked;
    };
    let longest = (deadline.saturating_duration_since(asked) / 2).min(LONGEST);
    (last.max(asked) + QUIET).min(asked + longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_goes_on_until_it_is_quiet() {
        let start = Instant::now();
        let asked = start + RECENT * 2;
        let millis = Duration::from_millis;
        let check = |case: &str, grace: u64, last: Option<Instant>, expected: u64| {
            let until = until(asked, asked + millis(grace), last);
            assert_eq!(until.duration_since(asked), millis(expected), "{case}");
        };
        check("nobody ever asked it anything", 30_000, None, 0);
        check("nobody has for long", 30_000, Some(start + RECENT), 0);
        check("somebody did lately", 30_000, Some(start + RECENT + millis(1)), 500);
        check("somebody does still", 30_000, Some(asked + millis(400)), 900);
        check("somebody never learns", 30_000, Some(asked + millis(9_000)), 5_000);
        check("there is little time", 600, Some(asked + millis(100)), 300);
        check("there is none", 0, Some(asked), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_request_is_remembered() {
        let last = LastRequest::new(Instant::now());
        assert_eq!(last.get(), None);
        last.note(Instant::now());
        assert_eq!(last.get(), Some(Instant::now()));
        tokio::time::advance(Duration::from_millis(70)).await;
        last.note(Instant::now());
        assert_eq!(last.get(), Some(Instant::now()));
    }
}
