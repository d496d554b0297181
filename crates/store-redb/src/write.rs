//! One write within a commit: what it finds, what it decides, what it changes.

use std::sync::Arc;

use redb::ReadableTable as _;
use wk_store::{Batch, Entry, Feed, Key, Revision, WriteError};

use crate::queue::{Change, Write};
use crate::read::event;
use crate::schema::{self, Keys, Slot, Version, Versions};

/// The tables of a commit in the making.
pub(crate) struct Commit<'txn, 'feed> {
    pub(crate) versions: Versions<'txn>,
    pub(crate) keys: Keys<'txn>,
    /// The newest revision, that of the last write applied.
    pub(crate) current: Revision,
    /// Where what was put recently is found without a read.
    pub(crate) feed: &'feed Feed,
    /// Reused for every record.
    pub(crate) buffer: Vec<u8>,
}

impl Commit<'_, '_> {
    /// Applies one write, or says why it is refused.
    pub(crate) fn apply(
        &mut self,
        write: &Write,
    ) -> Result<Result<Batch, WriteError>, redb::Error> {
        let slot = self.keys.get(&*write.key)?.map(|slot| Slot::decode(slot.value()));
        let previous = match slot {
            Some(Slot { revision, alive: true }) => self.entry_at(revision)?,
            _ => None,
        };
        let value = match &write.change {
            Change::Create(value) => match previous {
                Some(entry) => return Ok(Err(WriteError::Exists(entry))),
                None => Some(value.clone()),
            },
            Change::Update { if_revision, .. } | Change::Delete { if_revision }
                if !is_at(previous.as_ref(), *if_revision) =>
            {
                return Ok(Err(WriteError::Conflict(previous)));
            }
            Change::Update { value, .. } => Some(value.clone()),
            Change::Delete { .. } => None,
        };

        let revision = self.current.next();
        let created = previous.as_ref().map_or(revision, |entry| entry.created);
        let version = Version {
            created,
            previous: slot.map_or(Revision::ZERO, |slot| slot.revision),
            key: &write.key,
            value: value.as_deref(),
        };
        version.encode(&mut self.buffer);
        self.versions.insert(revision.0, &*self.buffer)?;
        let slot = Slot { revision, alive: value.is_some() };
        self.keys.insert(&*write.key, slot.encode())?;
        self.current = revision;

        let key = previous
            .as_ref()
            .map_or_else(|| Key::from(&*write.key), |entry| Arc::clone(&entry.key));
        let entry = value.map(|value| Entry { key, value, revision, created });
        let event = event(entry, previous, revision).expect("a deletion has an entry to delete");
        Ok(Ok(Batch { revision, events: Arc::new([event]) }))
    }

    fn entry_at(&self, revision: Revision) -> Result<Option<Entry>, redb::Error> {
        match self.feed.entry_put_at(revision) {
            Some(entry) => Ok(Some(entry)),
            None => schema::entry_at(&self.versions, revision, None),
        }
    }
}

/// Whether there is an entry, at the revision that is wanted if one is.
fn is_at(entry: Option<&Entry>, wanted: Option<Revision>) -> bool {
    entry.is_some_and(|entry| wanted.is_none_or(|wanted| wanted == entry.revision))
}
