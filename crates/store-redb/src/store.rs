//! The store that callers hold: hands writes to the writer thread and reads to the reader.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use wk_store::{
    Entry, Feed, ListOptions, Page, ReadError, Replacement, Revision, Store, StoreError,
    WatchError, WatchStream, WriteError,
};

use crate::disk::{Disk, FileDisk};
use crate::options::Options;
use crate::queue::{Change, Queue, Replace, Request, Write};
use crate::read::Reader;
use crate::rewrite::path_beside;
use crate::session::Medium;
use crate::slot::DatabaseSlot;
use crate::writer::Writer;

/// A store in one file.
///
/// Compaction gives space back to the disk, if the store was opened by its path: once half of the
/// file is free, a new one is written beside it, for which there has to be space for a moment.
///
/// Dropping it finishes the writes that wait and closes the file cleanly, which takes a commit's
/// time; [`RedbStore::close`] does so without blocking.
#[derive(Debug)]
pub struct RedbStore {
    queue: Arc<Queue>,
    feed: Feed,
    reader: Reader,
    slot: Arc<DatabaseSlot>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl RedbStore {
    /// Opens the store in the file at `path`; makes one if there is none. Blocks, after a crash for
    /// as long as [`CommitMode`](crate::CommitMode) says.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if the file is in use, [`StoreError::Corrupt`] if it is not a store,
    /// else what the disk says.
    pub fn open(path: &Path, options: &Options) -> Result<Self, StoreError> {
        if !path.try_exists().map_err(StoreError::Io)? {
            create(path, options)?;
        }
        let disk = FileDisk::open(path)?;
        // A crash may have left the beginning of another one.
        match std::fs::remove_file(path_beside(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::Io(error));
            }
            _ => {}
        }
        Self::start(Arc::new(disk), options, Some(path.to_owned()))
    }

    /// Opens the store on a disk of the caller's; makes one if the disk is empty. A crash while it
    /// is being made leaves a disk that cannot be opened; [`RedbStore::open`] prevents that.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the disk does not hold a store, else what the disk says.
    pub fn open_on(disk: Arc<dyn Disk>, options: &Options) -> Result<Self, StoreError> {
        Self::start(disk, options, None)
    }

    fn start(
        disk: Arc<dyn Disk>,
        options: &Options,
        path: Option<PathBuf>,
    ) -> Result<Self, StoreError> {
        let (slot, found) = DatabaseSlot::open(Arc::new(Medium::new(disk)), options)?;
        let slot = Arc::new(slot);
        let queue = Arc::new(Queue::new());
        let reader = Reader::new(Arc::clone(&slot), Arc::clone(&queue));
        let history = Arc::new(reader.clone());
        let feed = Feed::new(found.current, found.compacted, options.window_bytes, history);
        let writer = Writer {
            slot: Arc::clone(&slot),
            queue: Arc::clone(&queue),
            feed: feed.clone(),
            mode: options.commit,
            now: found,
            compacting: Vec::new(),
            trim_failed: false,
            path,
            rewrite: None,
            compacted: false,
            // Nothing is known of a file that was just opened: it is looked at once.
            freed: u64::MAX,
        };
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(StoreError::Io)?;
        Ok(Self { queue, feed, reader, slot, writer: Mutex::new(Some(writer)) })
    }

    /// Finishes the writes that wait, ends all watches and closes the file cleanly; every later call
    /// gets [`StoreError::Closed`]. Closing twice is fine.
    pub async fn close(&self) {
        self.queue.close();
        let writer = self.writer.lock().take();
        if let Some(writer) = writer {
            // The writer's panic has been reported where it happened.
            _ = tokio::task::spawn_blocking(move || writer.join()).await;
        }
    }

    /// Sends a request and waits for its answer.
    async fn ask<T, E: From<StoreError>>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, E>>) -> Request,
    ) -> Result<T, E> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(request(reply)).await?;
        // No answer: the writer is gone.
        answer.await.unwrap_or(Err(StoreError::Closed.into()))
    }

    async fn write(&self, key: &str, change: Change) -> Result<Revision, WriteError> {
        let write = Write { key: key.to_owned(), change };
        self.ask(|reply| Request::Write { write, reply }).await
    }
}

/// Makes an empty store under another name first: a file of this name is a whole store at any time.
fn create(path: &Path, options: &Options) -> Result<(), StoreError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = Path::new(&unfinished);
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(unfinished)?);
    // A crash may have left the beginning of one.
    disk.set_len(0).map_err(StoreError::Io)?;
    let (slot, _) = DatabaseSlot::open(Arc::new(Medium::new(Arc::clone(&disk))), options)?;
    slot.close();
    disk.sync().map_err(StoreError::Io)?;
    if !FileDisk::rename(unfinished, path).map_err(StoreError::Io)? {
        // Somebody else made one in the meantime.
        std::fs::remove_file(unfinished).map_err(StoreError::Io)?;
    }
    Ok(())
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.get_mut().take() {
            _ = writer.join();
        }
    }
}

#[async_trait]
impl Store for RedbStore {
    fn is_shared(&self) -> bool {
        // The file is locked.
        false
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        self.reader.entry(key).await
    }

    async fn list(&self, prefix: &str, options: ListOptions) -> Result<Page, ReadError> {
        self.reader.list(prefix, options).await
    }

    async fn create(&self, key: &str, value: Bytes) -> Result<Revision, WriteError> {
        self.write(key, Change::Create(value)).await
    }

    async fn update(
        &self,
        key: &str,
        value: Bytes,
        if_revision: Option<Revision>,
    ) -> Result<Revision, WriteError> {
        self.write(key, Change::Update { value, if_revision }).await
    }

    async fn delete(
        &self,
        key: &str,
        if_revision: Option<Revision>,
    ) -> Result<Revision, WriteError> {
        self.write(key, Change::Delete { if_revision }).await
    }

    async fn watch(&self, prefix: &str, from: Revision) -> Result<WatchStream, WatchError> {
        self.feed.watch(prefix, from)
    }

    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        self.ask(|reply| Request::Compact { revision, reply }).await
    }

    async fn replace(
        &self,
        entries: Replacement,
        at_least: Revision,
    ) -> Result<Revision, StoreError> {
        self.ask(|reply| Request::Replace(Replace { entries, at_least, reply })).await
    }

    async fn progress(&self) -> Result<Revision, StoreError> {
        self.slot.check()?;
        Ok(self.feed.ask_progress())
    }

    async fn base(&self) -> Result<u64, StoreError> {
        self.reader.base().await
    }

    async fn raise_base(&self, at_least: u64) -> Result<u64, StoreError> {
        self.ask(|reply| Request::RaiseBase { at_least, reply }).await
    }
}
