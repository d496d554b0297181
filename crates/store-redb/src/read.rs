//! Reads: snapshots of the file, on threads that may block.

use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use redb::{Database, ReadableDatabase as _, ReadableTable};
use tokio::sync::Semaphore;
use wk_store::{
    Batch, Entry, Event, History, Key, ListOptions, Page, ReadError, Revision, StoreError,
    WatchError,
};

use crate::queue::Queue;
use crate::schema::{self, BASE, COMPACTED, KEYS, META, Slot, VERSIONS, Version};
use crate::slot::DatabaseSlot;

/// How many reads run at once; each may need a thread.
const READERS: usize = 4;
/// How many bytes of values one piece of history has, at about.
const HISTORY_BYTES: usize = 1 << 20;

/// The reading half of the store.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    slot: Arc<DatabaseSlot>,
    queue: Arc<Queue>,
    turns: Arc<Semaphore>,
}

impl Reader {
    pub(crate) fn new(slot: Arc<DatabaseSlot>, queue: Arc<Queue>) -> Self {
        Self { slot, queue, turns: Arc::new(Semaphore::new(READERS)) }
    }

    /// Does something with the database on a thread that may block.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let slot = Arc::clone(&self.slot);
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            slot.with(work)
        });
        match work.await {
            Ok(Err(error)) => {
                // A read that failed ends the opening as a write does, and only the writer opens.
                self.queue.nudge();
                Err(error)
            }
            Ok(good) => good,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_cancelled) => Err(StoreError::Closed),
            },
        }
    }

    pub(crate) async fn entry(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        let key = key.to_owned();
        self.run(move |database| {
            let read = database.begin_read()?;
            let Some(slot) = read.open_table(KEYS)?.get(&*key)?.map(|slot| slot.value()) else {
                return Ok(None);
            };
            match Slot::decode(slot) {
                Slot { revision, alive: true } => {
                    schema::entry_at(&read.open_table(VERSIONS)?, revision, None)
                }
                Slot { alive: false, .. } => Ok(None),
            }
        })
        .await
    }

    pub(crate) async fn base(&self) -> Result<u64, StoreError> {
        self.run(|database| schema::number(&database.begin_read()?.open_table(META)?, BASE)).await
    }

    pub(crate) async fn list(&self, prefix: &str, options: ListOptions) -> Result<Page, ReadError> {
        let prefix = prefix.to_owned();
        self.run(move |database| list(database, &prefix, &options)).await?
    }
}

fn list(
    database: &Database,
    prefix: &str,
    options: &ListOptions,
) -> Result<Result<Page, ReadError>, redb::Error> {
    let read = database.begin_read()?;
    let (keys, versions) = (read.open_table(KEYS)?, read.open_table(VERSIONS)?);
    let current = schema::newest(&versions)?;
    let revision = options.at.unwrap_or(current);
    let oldest = Revision(schema::number(&read.open_table(META)?, COMPACTED)?);
    if revision < oldest {
        return Ok(Err(ReadError::Compacted { oldest }));
    }
    if revision > current {
        return Ok(Err(ReadError::Future { current }));
    }
    let start = match &options.start_after {
        Some(key) if &**key >= prefix => Bound::Excluded(&**key),
        _ => Bound::Included(prefix),
    };
    let limit = options.limit.unwrap_or(usize::MAX);
    let mut page = Page { entries: Vec::new(), revision, more: false, remaining: 0 };
    for item in keys.range::<&str>((start, Bound::Unbounded))? {
        let (key, slot) = item?;
        if options.uncounted && page.remaining > 0 {
            break;
        }
        if !key.value().starts_with(prefix) {
            break;
        }
        let slot = Slot::decode(slot.value());
        if slot.revision <= revision {
            // Most keys: the newest version is the one asked for, and need not be read to count.
            if !slot.alive {
                continue;
            }
            if page.entries.len() < limit {
                page.entries.extend(schema::entry_at(&versions, slot.revision, None)?);
            } else {
                page.remaining += 1;
            }
        } else if let Some(entry) = past(&versions, slot.revision, revision)? {
            if page.entries.len() < limit {
                page.entries.push(entry);
            } else {
                page.remaining += 1;
            }
        }
    }
    page.more = page.remaining > 0;
    Ok(Ok(page))
}

/// What a key was at revision `at`, by its chain from the version `newest`.
fn past(
    versions: &impl ReadableTable<u64, &'static [u8]>,
    newest: Revision,
    at: Revision,
) -> Result<Option<Entry>, redb::Error> {
    let mut revision = newest;
    while revision > Revision::ZERO {
        // A deletion that was compacted is missing, which means the same.
        let Some(record) = versions.get(revision.0)? else { return Ok(None) };
        let version = Version::decode(record.value())?;
        if revision <= at {
            return Ok(version.entry(revision, None));
        }
        revision = version.previous;
    }
    Ok(None)
}

#[async_trait]
impl History for Reader {
    async fn read(&self, after: Revision, limit: usize) -> Result<Vec<Batch>, WatchError> {
        self.run(move |database| history(database, after, limit)).await?
    }
}

fn history(
    database: &Database,
    after: Revision,
    limit: usize,
) -> Result<Result<Vec<Batch>, WatchError>, redb::Error> {
    let read = database.begin_read()?;
    let versions = read.open_table(VERSIONS)?;
    let oldest = Revision(schema::number(&read.open_table(META)?, COMPACTED)?);
    if after < oldest {
        return Ok(Err(WatchError::Compacted { oldest }));
    }
    let (mut batches, mut bytes) = (Vec::new(), 0);
    for item in versions.range(after.next().0..)?.take(limit) {
        let (revision, record) = item?;
        let revision = Revision(revision.value());
        let version = Version::decode(record.value())?;
        let key = Key::from(version.key);
        let previous = schema::entry_at(&versions, version.previous, Some(&key))?;
        let event =
            event(version.entry(revision, Some(&key)), previous, revision).ok_or_else(|| {
                redb::Error::Corrupted(format!("revision {revision} deletes nothing"))
            })?;
        bytes += event.weight();
        batches.push(Batch { revision, events: Arc::new([event]) });
        if bytes > HISTORY_BYTES {
            break;
        }
    }
    Ok(Ok(batches))
}

/// The event of a write; `None` if it was the deletion of nothing.
pub(crate) fn event(
    entry: Option<Entry>,
    previous: Option<Entry>,
    revision: Revision,
) -> Option<Event> {
    match (entry, previous) {
        (Some(entry), previous) => Some(Event::Put { entry, previous }),
        (None, Some(previous)) => Some(Event::Delete { previous, revision }),
        (None, None) => None,
    }
}
