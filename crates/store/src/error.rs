//! What can go wrong, by operation.

use std::io;
use std::path::PathBuf;

use crate::types::{Entry, Revision};

/// The store itself failed, whatever the operation was.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process (or another store in this one) has the same files open.
    #[error("store `{}` is in use by another process", path.display())]
    Locked {
        /// The file that is locked.
        path: PathBuf,
    },
    /// The disk is full. Nothing stored was lost, reads work, and writes work again once there is
    /// space.
    #[error("no space is left for the store; free some, and writes work again")]
    NoSpace,
    /// The disk failed. The write may or may not have happened; no later one is lost.
    #[error("the store's disk failed")]
    Io(#[source] io::Error),
    /// What is stored is not what was written.
    #[error("the store is damaged: {what}")]
    Corrupt {
        /// What was found.
        what: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

/// A read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The revision asked for is no longer kept.
    #[error("the revision asked for has been compacted, the oldest one kept is {oldest}")]
    Compacted {
        /// The oldest revision that can be read.
        oldest: Revision,
    },
    /// The revision asked for has not happened yet.
    #[error("the revision asked for is in the future, the current one is {current}")]
    Future {
        /// The newest revision.
        current: Revision,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A write was refused or failed; unless it says so, nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The key to create exists.
    #[error("key `{}` exists at revision {}", .0.key, .0.revision)]
    Exists(Entry),
    /// The key is not at the revision that was required; holds what is there instead, if anything.
    #[error("the key {}", .0.as_ref().map_or_else(
        || "does not exist".to_owned(),
        |entry| format!("`{}` is at revision {}", entry.key, entry.revision),
    ))]
    Conflict(Option<Entry>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A watch could not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// Events that the watch has not delivered are no longer kept: it started too late, or its
    /// reader was too slow. List again and watch from there.
    #[error("events after the watch's revision have been compacted, the oldest start is {oldest}")]
    Compacted {
        /// The oldest revision that a watch can start from.
        oldest: Revision,
    },
    /// The store failed or was closed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
