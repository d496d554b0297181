//! One change of one object, and the recent window of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::object::Object;

/// The most changes that the window of a kind holds.
const MAX_CHANGES: usize = 8192;
/// About the most bytes that the window of a kind keeps alive.
const MAX_BYTES: usize = 16 << 20;
/// Encoded forms are shared by those who watch at present: nobody of them is so late, or so far back.
const LINE_AGE: Duration = Duration::from_secs(5);
const LINES: usize = 64;

/// What happened to an object, as watches call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Added,
    Modified,
    Deleted,
}

impl ChangeKind {
    /// The word on the wire.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// One change of one object.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) kind: ChangeKind,
    /// The revision of the change as clients see it.
    pub(crate) revision: u64,
    /// The object after the change; for a deletion, what it was.
    pub(crate) object: Arc<Object>,
    /// The object before a modification.
    pub(crate) previous: Option<Arc<Object>>,
    at: Instant,
    line: Mutex<Option<Bytes>>,
}

impl Change {
    /// A change that happened now.
    pub(crate) fn new(
        kind: ChangeKind,
        revision: u64,
        object: Arc<Object>,
        previous: Option<Arc<Object>>,
    ) -> Self {
        Self { kind, revision, object, previous, at: Instant::now(), line: Mutex::new(None) }
    }

    /// The change as a line of a JSON watch; made once and shared by all who watch.
    pub(crate) fn line(&self) -> Bytes {
        let mut line = self.line.lock();
        line.get_or_insert_with(|| json_line(self.kind, &self.object, self.revision)).clone()
    }
}

/// A line of a JSON watch.
pub(crate) fn json_line(kind: ChangeKind, object: &Object, revision: u64) -> Bytes {
    let mut line = Vec::with_capacity(object.json_len() + 40);
    line.extend_from_slice(b"{\"type\":\"");
    line.extend_from_slice(kind.as_str().as_bytes());
    line.extend_from_slice(b"\",\"object\":");
    object.write_json_at(revision, &mut line);
    line.extend_from_slice(b"}\n");
    line.into()
}

/// The recent changes of a kind, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Window {
    changes: VecDeque<Arc<Change>>,
    bytes: usize,
    /// The revision of the newest change that is no longer here.
    dropped: u64,
}

impl Window {
    /// An empty window that begins after a revision.
    pub(crate) fn after(revision: u64) -> Self {
        Self { dropped: revision, ..Self::default() }
    }

    /// Adds the newest change and drops what no longer fits.
    pub(crate) fn push(&mut self, change: Arc<Change>) {
        self.bytes += change.object.weight();
        self.changes.push_back(change);
        let behind = self.changes.len().checked_sub(LINES + 1);
        if let Some(behind) = behind.and_then(|place| self.changes.get(place)) {
            *behind.line.lock() = None;
        }
        while self.changes.len() > MAX_CHANGES || self.bytes > MAX_BYTES {
            self.drop_oldest();
        }
    }

    /// Drops what happened before, and the encoded forms of all but the newest; gives about how many
    /// bytes were dropped.
    pub(crate) fn trim(&mut self, before: Instant) -> usize {
        let bytes = self.bytes;
        while self.changes.front().is_some_and(|change| change.at < before) {
            self.drop_oldest();
        }
        if self.changes.capacity() > 64 && self.changes.len() < self.changes.capacity() / 4 {
            self.changes.shrink_to_fit();
        }
        let now = Instant::now();
        for change in &self.changes {
            if now.duration_since(change.at) >= LINE_AGE {
                *change.line.lock() = None;
            }
        }
        bytes.saturating_sub(self.bytes)
    }

    fn drop_oldest(&mut self) {
        if let Some(change) = self.changes.pop_front() {
            self.bytes = self.bytes.saturating_sub(change.object.weight());
            self.dropped = change.revision;
        }
    }

    /// At most `limit` changes after a revision, oldest first.
    ///
    /// # Errors
    /// The newest revision of which changes are missing, if `revision` is older.
    pub(crate) fn since(&self, revision: u64, limit: usize) -> Result<Vec<Arc<Change>>, u64> {
        if revision < self.dropped {
            return Err(self.dropped);
        }
        let start = self.changes.partition_point(|change| change.revision <= revision);
        Ok(self.changes.range(start..).take(limit).map(Arc::clone).collect())
    }

    /// How many changes are kept, and about how many bytes.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.changes.len(), self.bytes)
    }
}
