//! Writes: to the store, and then in the cache.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wk_api::ApiError;
use wk_store::{Revision, Store, WriteError};

use crate::cache::{Cache, Shelf};
use crate::error;
use crate::object::Object;

/// How long a write waits for the cache to see it, and a read for a revision it asks for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The store and the cache in front of it.
#[derive(Debug)]
pub(crate) struct Storage {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) cache: Arc<Cache>,
}

/// A write that was not done.
#[derive(Debug)]
pub(crate) enum Unwritten {
    /// Something else is there than was expected; the cache has seen it.
    Conflict,
    /// The store failed.
    Failed(ApiError),
}

impl Storage {
    /// Stores a new object.
    pub(crate) async fn create(
        &self,
        shelf: &Shelf,
        key: &str,
        json: Bytes,
    ) -> Result<Arc<Object>, Unwritten> {
        let written = self.store.create(key, json.clone()).await;
        self.stored(shelf, key, json, written).await
    }

    /// Replaces an object that is at a revision.
    pub(crate) async fn update(
        &self,
        shelf: &Shelf,
        key: &str,
        json: Bytes,
        at: u64,
    ) -> Result<Arc<Object>, Unwritten> {
        let written = self.store.update(key, json.clone(), Some(self.own(at))).await;
        self.stored(shelf, key, json, written).await
    }

    /// Deletes an object that is at a revision; gives the revision of the deletion.
    pub(crate) async fn delete(&self, key: &str, at: u64) -> Result<u64, Unwritten> {
        let written = self.store.delete(key, Some(self.own(at))).await;
        self.settled(written).await
    }

    /// A revision as the store knows it.
    fn own(&self, revision: u64) -> Revision {
        Revision(revision.saturating_sub(self.cache.base))
    }

    async fn stored(
        &self,
        shelf: &Shelf,
        key: &str,
        json: Bytes,
        written: Result<Revision, WriteError>,
    ) -> Result<Arc<Object>, Unwritten> {
        let revision = self.settled(written).await?;
        if let Some(object) = shelf.get(key).filter(|object| object.revision == revision) {
            return Ok(object);
        }
        // It was changed again meanwhile; the answer is about what was written.
        shelf
            .read(key.into(), json, revision)
            .map(Arc::new)
            .map_err(|damaged| Unwritten::Failed(ApiError::internal(error::chain(&damaged))))
    }

    async fn settled(&self, written: Result<Revision, WriteError>) -> Result<u64, Unwritten> {
        let (revision, conflict) = match written {
            Ok(revision) => (Some(revision), false),
            Err(WriteError::Exists(entry)) => (Some(entry.revision), true),
            Err(WriteError::Conflict(entry)) => (entry.map(|entry| entry.revision), true),
            Err(failure) => return Err(Unwritten::Failed(error::write(&failure))),
        };
        // Deleted in the meantime: the deletion is not newer than the present.
        let revision = match revision {
            Some(revision) => revision,
            None => self
                .store
                .progress()
                .await
                .map_err(|failure| Unwritten::Failed(error::store(&failure)))?,
        };
        let shown = revision.0 + self.cache.base;
        let reached = self.cache.reach(shown, PATIENCE).await;
        if conflict {
            return Err(Unwritten::Conflict);
        }
        if !reached {
            let message = "the write was done, but the cache has not seen it yet";
            return Err(Unwritten::Failed(ApiError::timeout(message)));
        }
        Ok(shown)
    }
}
