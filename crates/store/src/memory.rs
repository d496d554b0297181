//! A store in memory, for tests: as simple as the promises allow, so that it can serve as their
//! measure.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use crate::error::{ReadError, StoreError, WatchError, WriteError};
use crate::feed::{Feed, History};
use crate::store::{Replacement, Store, WatchStream};
use crate::types::{Batch, Entry, Event, Key, ListOptions, Page, Revision};

/// A store that is lost with the process.
#[derive(Debug)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
    feed: Feed,
}

#[derive(Debug, Default)]
struct Tables {
    revision: Revision,
    compacted: Revision,
    base: u64,
    /// What happened to each key, oldest first; `None` is a deletion. Never empty.
    keys: BTreeMap<Key, Vec<(Revision, Option<Entry>)>>,
}

/// Nothing ever falls out of this store's window except by compaction.
#[derive(Debug)]
struct NoHistory;

#[async_trait]
impl History for NoHistory {
    async fn read(&self, after: Revision, _limit: usize) -> Result<Vec<Batch>, WatchError> {
        Err(WatchError::Compacted { oldest: after.next() })
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        let feed = Feed::new(Revision::ZERO, Revision::ZERO, usize::MAX, Arc::new(NoHistory));
        Self { tables: Mutex::default(), feed }
    }

    /// Writes what `change` makes of the present state of the key; `None` deletes it.
    fn write(
        &self,
        key: &str,
        change: impl FnOnce(Option<Entry>) -> Result<Option<Bytes>, WriteError>,
    ) -> Result<Revision, WriteError> {
        let mut tables = self.tables.lock();
        let previous = tables.newest(key);
        let value = change(previous.clone())?;
        let revision = tables.revision.next();
        let key = previous.as_ref().map_or_else(|| Key::from(key), |entry| Arc::clone(&entry.key));
        let created = previous.as_ref().map_or(revision, |entry| entry.created);
        let entry = value.map(|value| Entry { key: Arc::clone(&key), value, revision, created });
        let event = match (entry.clone(), previous) {
            (Some(entry), previous) => Event::Put { entry, previous },
            (None, Some(previous)) => Event::Delete { previous, revision },
            (None, None) => return Err(WriteError::Conflict(None)),
        };
        tables.revision = revision;
        tables.keys.entry(key).or_default().push((revision, entry));
        self.feed.publish([Batch { revision, events: Arc::new([event]) }]);
        Ok(revision)
    }
}

impl Tables {
    fn newest(&self, key: &str) -> Option<Entry> {
        self.keys.get(key)?.last()?.1.clone()
    }
}

fn at_revision(versions: &[(Revision, Option<Entry>)], at: Revision) -> Option<&Entry> {
    versions.iter().rev().find(|(revision, _)| *revision <= at)?.1.as_ref()
}

/// The entry at the required revision, or the conflict.
fn required(current: Option<Entry>, if_revision: Option<Revision>) -> Result<Entry, WriteError> {
    match current {
        Some(entry) if if_revision.is_none_or(|wanted| wanted == entry.revision) => Ok(entry),
        other => Err(WriteError::Conflict(other)),
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        Ok(self.tables.lock().newest(key))
    }

    async fn list(&self, prefix: &str, options: ListOptions) -> Result<Page, ReadError> {
        let tables = self.tables.lock();
        let revision = options.at.unwrap_or(tables.revision);
        if revision < tables.compacted {
            return Err(ReadError::Compacted { oldest: tables.compacted });
        }
        if revision > tables.revision {
            return Err(ReadError::Future { current: tables.revision });
        }
        let start = match &options.start_after {
            Some(key) if &**key >= prefix => Bound::Excluded(&**key),
            _ => Bound::Included(prefix),
        };
        let mut matching = tables
            .keys
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter_map(|(_, versions)| at_revision(versions, revision));
        let limit = options.limit.unwrap_or(usize::MAX);
        let entries: Vec<Entry> = matching.by_ref().take(limit).cloned().collect();
        let uncounted = if options.uncounted { 1 } else { usize::MAX };
        let remaining = matching.take(uncounted).count() as u64;
        Ok(Page { entries, revision, more: remaining > 0, remaining })
    }

    async fn create(&self, key: &str, value: Bytes) -> Result<Revision, WriteError> {
        self.write(key, |current| match current {
            Some(entry) => Err(WriteError::Exists(entry)),
            None => Ok(Some(value)),
        })
    }

    async fn update(
        &self,
        key: &str,
        value: Bytes,
        if_revision: Option<Revision>,
    ) -> Result<Revision, WriteError> {
        self.write(key, |current| required(current, if_revision).map(|_| Some(value)))
    }

    async fn delete(
        &self,
        key: &str,
        if_revision: Option<Revision>,
    ) -> Result<Revision, WriteError> {
        self.write(key, |current| required(current, if_revision).map(|_| None))
    }

    async fn watch(&self, prefix: &str, from: Revision) -> Result<WatchStream, WatchError> {
        self.feed.watch(prefix, from)
    }

    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        let mut tables = self.tables.lock();
        let revision = revision.min(tables.revision);
        if revision <= tables.compacted {
            return Ok(());
        }
        tables.compacted = revision;
        tables.keys.retain(|_, versions| {
            // What the key was at the compacted revision is still needed, what was before is not.
            let kept = versions.iter().rposition(|(at, _)| *at <= revision).unwrap_or(0);
            versions.drain(..kept);
            !matches!(versions.as_slice(), [(at, None)] if *at <= revision)
        });
        self.feed.compact(revision);
        Ok(())
    }

    async fn replace(
        &self,
        entries: Replacement,
        at_least: Revision,
    ) -> Result<Revision, StoreError> {
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let mut tables = self.tables.lock();
        // Even nothing is something new.
        let mut revision = tables.revision.max(at_least).next();
        tables.keys.clear();
        for (key, value) in entries {
            revision = revision.next();
            let entry = Entry { key: Arc::clone(&key), value, revision, created: revision };
            tables.keys.insert(key, vec![(revision, Some(entry))]);
        }
        (tables.revision, tables.compacted) = (revision, revision);
        self.feed.reset(revision);
        Ok(revision)
    }

    async fn progress(&self) -> Result<Revision, StoreError> {
        Ok(self.feed.ask_progress())
    }

    async fn base(&self) -> Result<u64, StoreError> {
        Ok(self.tables.lock().base)
    }

    async fn raise_base(&self, at_least: u64) -> Result<u64, StoreError> {
        let mut tables = self.tables.lock();
        tables.base = tables.base.max(at_least);
        Ok(tables.base)
    }
}
