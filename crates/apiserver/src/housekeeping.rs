//! What has to be done now and then: the window of changes is cut to its age, and the store's
//! history with it.
//!
//! Writers notice neither: the window is a queue in memory, and the store removes what compaction has
//! freed a few versions at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::{debug, warn};
use wk_process::BoxError;
use wk_store::{Revision, StoreError};

use crate::error;
use crate::server::ApiServer;

/// How long changes can be resumed from and lists continued, as in Kubernetes.
const HISTORY: Duration = Duration::from_mins(5);
/// The most revisions of that, so that a storm of writes does not fill the disk.
const MAX_REVISIONS: u64 = 250_000;
/// How often this is looked at.
const EVERY: Duration = Duration::from_mins(1);
/// A snapshot that takes longer to fetch than this does not hold up compaction any more.
const LONGEST_SAVE: Duration = Duration::from_mins(30);

/// So much has to be free before it is given back to the system.
const WORTHWHILE_BYTES: usize = 1 << 20;

/// What goes on that concerns the whole store.
#[derive(Debug, Default)]
pub(crate) struct Housekeeping {
    /// When each snapshot that is being fetched was begun.
    saves: Mutex<Vec<Instant>>,
    /// Held by the one restore that may go on.
    pub(crate) restoring: tokio::sync::Mutex<()>,
}

/// Keeps the history that a snapshot is read from.
pub(crate) struct Saving {
    server: Arc<ApiServer>,
    begun: Instant,
}

impl Saving {
    pub(crate) fn begin(server: &Arc<ApiServer>) -> Self {
        let begun = Instant::now();
        server.housekeeping.saves.lock().push(begun);
        Self { server: Arc::clone(server), begun }
    }
}

impl Drop for Saving {
    fn drop(&mut self) {
        let mut saves = self.server.housekeeping.saves.lock();
        if let Some(place) = saves.iter().position(|begun| *begun == self.begun) {
            saves.swap_remove(place);
        }
    }
}

/// The newest revision at several times, oldest first.
#[derive(Debug, Default)]
struct Marks(VecDeque<(Instant, u64)>);

impl Marks {
    /// Notes the newest revision; gives the one up to which nobody may ask any more, if there is one.
    fn pass(&mut self, now: Instant, seen: u64) -> Option<u64> {
        let mut old = None;
        while let Some((at, revision)) = self.0.front().copied()
            && now.duration_since(at) >= HISTORY
        {
            old = Some(revision);
            self.0.pop_front();
        }
        self.0.push_back((now, seen));
        let too_many = seen.checked_sub(MAX_REVISIONS);
        old.max(too_many)
    }
}

/// Cuts window and history until cancelled.
pub(crate) async fn run(server: Arc<ApiServer>) -> Result<(), BoxError> {
    let token = server.tasks.token();
    let cache = &server.storage.cache;
    let mut marks = Marks::default();
    marks.pass(Instant::now(), cache.seen());
    let mut done = 0;
    loop {
        tokio::select! {
            biased;
            () = token.cancelled() => return Ok(()),
            () = tokio::time::sleep(EVERY) => {}
        }
        let now = Instant::now();
        let dropped = now.checked_sub(HISTORY).map_or(0, |before| cache.trim(before));
        if dropped >= WORTHWHILE_BYTES {
            release().await;
        }
        let Some(old) = marks.pass(now, cache.seen()).filter(|old| *old > done) else { continue };
        if server.housekeeping.saves.lock().iter().any(|begun| begun.elapsed() < LONGEST_SAVE) {
            debug!("a snapshot is being fetched, the store is compacted later");
            continue;
        }
        match server.storage.store.compact(Revision(old.saturating_sub(cache.base))).await {
            Ok(()) => done = old,
            Err(failure) => {
                warn!(error = %error::chain(&failure), "the store was not compacted");
            }
        }
    }
}

/// Gives free memory back to the system, on a thread that may block.
async fn release() {
    // A panic in there has been reported.
    _ = tokio::task::spawn_blocking(wk_process::release_free_memory).await;
}

impl ApiServer {
    /// Forgets all changes that watches could resume from, as if they had become too old.
    pub fn compact_window(&self) {
        self.storage.cache.trim(Instant::now());
    }

    /// Forgets the whole history, in the window and in the store, as if it had become too old; returns
    /// when the store has removed it. Gives the revision up to which it is forgotten.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn compact(&self) -> Result<u64, StoreError> {
        let cache = &self.storage.cache;
        let seen = cache.seen();
        self.compact_window();
        self.storage.store.compact(Revision(seen.saturating_sub(cache.base))).await?;
        release().await;
        Ok(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn history_ends_at_its_age_or_its_size() {
        let mut marks = Marks::default();
        let start = Instant::now();
        for minute in 0..5 {
            let at = start + EVERY * minute;
            assert_eq!(marks.pass(at, 100 + u64::from(minute)), None, "minute {minute}");
        }
        assert_eq!(marks.pass(start + EVERY * 5, 110), Some(100), "five minutes later");
        assert_eq!(marks.pass(start + EVERY * 7, 111), Some(102), "a round was left out");
        let storm = 200 + MAX_REVISIONS;
        assert_eq!(marks.pass(start + EVERY * 8, storm), Some(200), "too many for five minutes");
    }
}
