//! The seam: what the API server asks of a store.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::error::{ReadError, StoreError, WatchError, WriteError};
use crate::types::{Entry, Key, ListOptions, Page, Revision, WatchItem};

/// Events of one watch, in order; after an error the stream ends.
///
/// Nothing is buffered for it beyond one small chunk: a reader that stops reading costs nothing, and
/// is cut off with [`WatchError::Compacted`] once what it has not read is compacted. To go on, watch
/// again from the revision of the last item received.
pub type WatchStream = BoxStream<'static, Result<WatchItem, WatchError>>;

/// What [`Store::replace`] is to store, each key once; an error among it changes nothing.
pub type Replacement = Box<dyn Iterator<Item = Result<(Key, Bytes), StoreError>> + Send>;

/// Revisioned bytes under a key.
///
/// Every successful write has the next revision. A write's future may be dropped at any time; the
/// write then happens or does not, and never half. Reads and watches see only what is durable, and a
/// write that was acknowledged is visible to every later read.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// What is stored under `key` now.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError>;

    /// The entries whose keys start with `prefix`, as of one revision.
    ///
    /// # Errors
    /// [`ReadError::Compacted`] and [`ReadError::Future`] if `options.at` is too old or too new.
    async fn list(&self, prefix: &str, options: ListOptions) -> Result<Page, ReadError>;

    /// Stores `value` under a `key` that does not exist.
    ///
    /// # Errors
    /// [`WriteError::Exists`] with what is there.
    async fn create(&self, key: &str, value: Bytes) -> Result<Revision, WriteError>;

    /// Replaces what is stored under `key`, if that is what was written at `if_revision`; `None`
    /// replaces whatever is there.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] with what is there; with `None` if the key does not exist.
    async fn update(
        &self,
        key: &str,
        value: Bytes,
        if_revision: Option<Revision>,
    ) -> Result<Revision, WriteError>;

    /// Deletes `key`, if what is stored was written at `if_revision`; `None` deletes whatever is
    /// there. The result is the revision of the deletion.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] with what is there; with `None` if the key does not exist.
    async fn delete(
        &self,
        key: &str,
        if_revision: Option<Revision>,
    ) -> Result<Revision, WriteError>;

    /// Delivers every event after `from` of keys that start with `prefix`, for ever.
    ///
    /// A `from` in the future is allowed: the events up to it are left out.
    ///
    /// # Errors
    /// [`WatchError::Compacted`] if events after `from` are no longer kept.
    async fn watch(&self, prefix: &str, from: Revision) -> Result<WatchStream, WatchError>;

    /// Forgets what was replaced or deleted up to `revision`: older lists and watches are refused
    /// from now on. A revision in the future means the present one; one that is already compacted
    /// changes nothing. Writers go on meanwhile.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed; calling again is safe.
    async fn compact(&self, revision: Revision) -> Result<(), StoreError>;

    /// Replaces everything that is stored by `entries`, durably and at once: at no time is there a
    /// mixture. Every entry gets a new revision, behind the present one and behind `at_least`. The
    /// result is the newest of them, where the history begins anew: older lists and watches are
    /// refused from now on. Writers wait meanwhile, readers do not.
    ///
    /// # Errors
    /// The first error among `entries`, and [`StoreError`] if the store failed; either way nothing
    /// has changed.
    async fn replace(
        &self,
        entries: Replacement,
        at_least: Revision,
    ) -> Result<Revision, StoreError>;

    /// Whether other processes may write to the same store while this one uses it.
    fn is_shared(&self) -> bool {
        true
    }

    /// The current revision, and the request that every watch says [`WatchItem::Progress`] once it
    /// has delivered everything up to it.
    ///
    /// # Errors
    /// [`StoreError`] if the store does not work, so that this serves as its health check too.
    async fn progress(&self) -> Result<Revision, StoreError>;

    /// What is added to a revision before anybody outside sees it; never decreases, zero at first.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    async fn base(&self) -> Result<u64, StoreError>;

    /// Raises the base to `at_least`, durably; returns the base afterwards.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    async fn raise_base(&self, at_least: u64) -> Result<u64, StoreError>;
}
