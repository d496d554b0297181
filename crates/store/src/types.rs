//! What goes into a store and what comes out of it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// The name of an entry; shared, because caches and event windows keep many copies of it.
pub type Key = Arc<str>;

/// A point in the total order of writes. Zero is the empty store before the first write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// Before the first write.
    pub const ZERO: Self = Self(0);

    /// The revision that follows this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// One key and what was stored under it at some revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The stored bytes.
    pub value: Bytes,
    /// The revision of the write that stored this value.
    pub revision: Revision,
    /// The revision of the write that created the key, since its last deletion.
    pub created: Revision,
}

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The key was created or updated.
    Put {
        /// What is stored now.
        entry: Entry,
        /// What was stored before; `None` when the key was created.
        previous: Option<Entry>,
    },
    /// The key was deleted.
    Delete {
        /// What was stored before.
        previous: Entry,
        /// The revision of the deletion.
        revision: Revision,
    },
}

impl Event {
    /// The key that changed.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { entry, .. } => &entry.key,
            Self::Delete { previous, .. } => &previous.key,
        }
    }

    /// The revision of the change.
    pub fn revision(&self) -> Revision {
        match self {
            Self::Put { entry, .. } => entry.revision,
            Self::Delete { revision, .. } => *revision,
        }
    }

    /// About how much memory the event keeps alive, in bytes.
    pub fn weight(&self) -> usize {
        let of = |entry: &Entry| entry.key.len() + entry.value.len() + size_of::<Entry>();
        match self {
            Self::Put { entry, previous } => of(entry) + previous.as_ref().map_or(0, of),
            Self::Delete { previous, .. } => of(previous),
        }
    }
}

/// All events of one revision; cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The revision of every event in the batch.
    pub revision: Revision,
    /// What changed, never empty.
    pub events: Arc<[Event]>,
}

/// What a watch delivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchItem {
    /// The events of one revision that match the watch.
    Events(Batch),
    /// Everything that matches the watch up to this revision has been delivered.
    Progress(Revision),
}

/// Which part of a prefix to list, and as of when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// The revision to list at; `None` is the present.
    pub at: Option<Revision>,
    /// Only keys strictly after this one; `None` starts at the first.
    pub start_after: Option<Key>,
    /// At most this many entries; `None` is all of them.
    pub limit: Option<usize>,
    /// Whether nobody wants to know how many entries follow: counting looks at each of them.
    pub uncounted: bool,
}

/// One page of a list, in the order of the keys' bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Entry>,
    /// The revision that the whole list is a snapshot of; pass it as `at` to get the next page.
    pub revision: Revision,
    /// Whether entries follow that did not fit.
    pub more: bool,
    /// How many of them; at least one, if entries follow and were not to be counted.
    pub remaining: u64,
}
