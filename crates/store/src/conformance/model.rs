//! Any sequence of operations, on a store and on an ordered map at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{good, next_batch, text};
use crate::error::{ReadError, WatchError, WriteError};
use crate::store::Store;
use crate::types::{Batch, Entry, Event, Key, ListOptions, Revision};

/// One operation of a made-up history.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Create a key.
    Create(u8),
    /// Update a key; with a wrong revision if `stale`.
    Update {
        /// Which key.
        key: u8,
        /// Whether to name a revision that is not there.
        stale: bool,
    },
    /// Delete a key; with a wrong revision if `stale`.
    Delete {
        /// Which key.
        key: u8,
        /// Whether to name a revision that is not there.
        stale: bool,
    },
    /// List some keys, some revisions ago, in small pages.
    List {
        /// How many revisions ago.
        back: u8,
        /// How many entries a page has.
        limit: u8,
    },
    /// Watch everything from some revisions ago.
    Watch {
        /// How many revisions ago.
        back: u8,
    },
    /// Compact up to some revisions ago.
    Compact {
        /// How many revisions ago.
        back: u8,
    },
}

impl Operation {
    /// An operation for every number; smaller numbers give simpler ones, so that shrinking works.
    pub fn from_code(code: u32) -> Self {
        let [kind, a, b, _] = code.to_be_bytes();
        let (key, stale) = (a % 13, b % 4 == 3);
        match kind % 16 {
            0..=5 => Self::Create(key),
            6..=9 => Self::Update { key, stale },
            10..=12 => Self::Delete { key, stale },
            13 => Self::List { back: a, limit: b % 5 + 1 },
            14 => Self::Watch { back: a },
            _ => Self::Compact { back: a.saturating_mul(2) },
        }
    }
}

/// The map that a store is compared with.
#[derive(Debug, Default)]
struct Model {
    compacted: u64,
    /// The state after each revision, from zero on.
    states: Vec<BTreeMap<Key, Entry>>,
    events: Vec<Event>,
}

/// Runs the operations on both and compares every answer, and the whole history at the end.
///
/// # Panics
/// If the store differs from the map.
pub async fn check(store: Arc<dyn Store>, operations: &[Operation]) {
    let mut model = Model { states: vec![BTreeMap::new()], ..Model::default() };
    for operation in operations {
        model.step(&*store, operation).await;
    }
    model.compare_all(&*store).await;
}

impl Model {
    fn revision(&self) -> u64 {
        self.events.len() as u64
    }

    fn current(&self) -> &BTreeMap<Key, Entry> {
        self.states.last().expect("the empty state is the first")
    }

    async fn step(&mut self, store: &dyn Store, operation: &Operation) {
        match *operation {
            Operation::Create(key) => self.create(store, &name(key)).await,
            Operation::Update { key, stale } => self.change(store, &name(key), stale, true).await,
            Operation::Delete { key, stale } => self.change(store, &name(key), stale, false).await,
            Operation::List { back, limit } => {
                self.list(store, self.revision().saturating_sub(back.into()), limit.into()).await;
            }
            Operation::Watch { back } => {
                self.watch(store, self.revision().saturating_sub(back.into())).await;
            }
            Operation::Compact { back } => {
                let revision = self.revision().saturating_sub(back.into());
                good(store.compact(Revision(revision)).await);
                self.compacted = self.compacted.max(revision);
            }
        }
    }

    async fn create(&mut self, store: &dyn Store, key: &str) {
        let value = text(format!("created {}", self.revision()));
        match (store.create(key, value.clone()).await, self.current().get(key)) {
            (Ok(revision), None) => self.put(key, value, revision),
            (Err(WriteError::Exists(entry)), Some(expected)) => assert_eq!(&entry, expected),
            (result, expected) => panic!("{result:?}, but there was {expected:?}"),
        }
    }

    async fn change(&mut self, store: &dyn Store, key: &str, stale: bool, put: bool) {
        let expected = self.current().get(key).cloned();
        let wanted = match (&expected, stale) {
            (_, true) => Some(Revision(self.revision() + 1)),
            (Some(entry), false) => Some(entry.revision),
            (None, false) => None,
        };
        let value = text(format!("updated {}", self.revision()));
        let result = if put {
            store.update(key, value.clone(), wanted).await
        } else {
            store.delete(key, wanted).await
        };
        match (result, expected) {
            (Ok(revision), Some(previous)) if !stale => {
                if put {
                    self.put(key, value, revision);
                } else {
                    self.removed(previous, revision);
                }
            }
            (Err(WriteError::Conflict(found)), expected) if stale || expected.is_none() => {
                assert_eq!(found, expected);
            }
            (result, expected) => panic!("{result:?}, but there was {expected:?}"),
        }
    }

    fn put(&mut self, key: &str, value: Bytes, revision: Revision) {
        assert_eq!(revision.0, self.revision() + 1);
        let previous = self.current().get(key).cloned();
        let created = previous.as_ref().map_or(revision, |entry| entry.created);
        let entry = Entry { key: key.into(), value, revision, created };
        let mut state = self.current().clone();
        state.insert(key.into(), entry.clone());
        self.states.push(state);
        self.events.push(Event::Put { entry, previous });
    }

    fn removed(&mut self, previous: Entry, revision: Revision) {
        assert_eq!(revision.0, self.revision() + 1);
        let mut state = self.current().clone();
        state.remove(&previous.key);
        self.states.push(state);
        self.events.push(Event::Delete { previous, revision });
    }

    async fn list(&self, store: &dyn Store, at: u64, limit: usize) {
        let mut options =
            ListOptions { at: Some(Revision(at)), limit: Some(limit), ..ListOptions::default() };
        let mut expected = self.states[index(at)].values();
        loop {
            let page = match store.list("k", options.clone()).await {
                Ok(page) => page,
                Err(ReadError::Compacted { oldest }) => {
                    assert!(at < self.compacted, "revision {at} is not compacted");
                    assert_eq!(oldest.0, self.compacted);
                    return;
                }
                Err(error) => panic!("{error}"),
            };
            assert!(at >= self.compacted, "revision {at} is compacted");
            let part: Vec<Entry> = expected.by_ref().take(limit).cloned().collect();
            assert_eq!(page.entries, part, "at revision {at}");
            assert_eq!(page.remaining, expected.len() as u64);
            if !page.more {
                return;
            }
            options.start_after = part.last().map(|entry| Arc::clone(&entry.key));
        }
    }

    async fn watch(&self, store: &dyn Store, from: u64) {
        let mut watch = match store.watch("k", Revision(from)).await {
            Ok(watch) => watch,
            Err(WatchError::Compacted { oldest }) => {
                assert!(from < self.compacted, "revision {from} is not compacted");
                assert_eq!(oldest.0, self.compacted);
                return;
            }
            Err(error) => panic!("{error}"),
        };
        assert!(from >= self.compacted, "revision {from} is compacted");
        for event in &self.events[index(from)..] {
            let expected = Batch { revision: event.revision(), events: Arc::new([event.clone()]) };
            assert_eq!(next_batch(&mut watch).await, expected);
        }
    }

    async fn compare_all(&self, store: &dyn Store) {
        assert_eq!(good(store.progress().await).0, self.revision());
        for at in 0..=self.revision() {
            self.list(store, at, 1000).await;
        }
        self.watch(store, 0).await;
        self.watch(store, self.compacted).await;
        for key in 0..13 {
            let key = name(key);
            assert_eq!(good(store.get(&key).await).as_ref(), self.current().get(&*key));
        }
    }
}

fn name(key: u8) -> String {
    format!("k{key:02}")
}

fn index(revision: u64) -> usize {
    usize::try_from(revision).expect("a test has few revisions")
}
