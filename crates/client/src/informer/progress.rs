//! How far a cache has come in the server's history.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a cache has seen: versions, which the server counts for all its objects together, and lists.
#[derive(Debug, Default)]
pub(super) struct Progress {
    revision: AtomicU64,
    /// The highest version in the list that is under way.
    listed: AtomicU64,
    lists_begun: AtomicU64,
    /// The number of the last list that was completed; lists count from one.
    list_done: AtomicU64,
}

impl Progress {
    pub(super) fn list_begins(&self) {
        self.listed.store(0, Ordering::Release);
        self.lists_begun.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn listed(&self, revision: u64) {
        self.listed.fetch_max(revision, Ordering::AcqRel);
    }

    pub(super) fn list_ends(&self) {
        self.seen(self.listed.load(Ordering::Acquire));
        self.list_done.store(self.lists_begun.load(Ordering::Acquire), Ordering::Release);
    }

    pub(super) fn seen(&self, revision: u64) {
        self.revision.fetch_max(revision, Ordering::AcqRel);
    }

    pub(super) fn mark(self: &Arc<Self>, revision: u64) -> Mark {
        let lists_begun = self.lists_begun.load(Ordering::Acquire);
        Mark { progress: Arc::clone(self), revision, lists_begun }
    }
}

/// A write that a cache will see; see [`Informer::mark`].
///
/// A controller that has written something does not judge by a cache in which that is missing.
///
/// [`Informer::mark`]: crate::Informer::mark
#[derive(Clone)]
pub struct Mark {
    progress: Arc<Progress>,
    revision: u64,
    lists_begun: u64,
}

impl Mark {
    /// Whether the cache shows the write or something later: an event of at least its version, or
    /// a list that began after it. `true` stays `true`.
    pub fn is_passed(&self) -> bool {
        self.progress.revision.load(Ordering::Acquire) >= self.revision
            || self.progress.list_done.load(Ordering::Acquire) > self.lists_begun
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mark")
            .field("revision", &self.revision)
            .field("is_passed", &self.is_passed())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_passed_by_its_event_or_by_a_later_list() {
        let progress = Arc::new(Progress::default());
        progress.list_begins();
        progress.listed(5);
        progress.list_ends();
        assert!(progress.mark(5).is_passed());
        let (by_event, by_list) = (progress.mark(7), progress.mark(9));
        assert!(!by_event.is_passed());
        progress.seen(7);
        assert!(by_event.is_passed() && !by_list.is_passed());
        progress.list_begins();
        let during = progress.mark(20);
        assert!(!by_list.is_passed());
        progress.list_ends();
        assert!(by_list.is_passed(), "what it wrote is gone again");
        assert!(!during.is_passed(), "the list may be older than the write");
    }
}
