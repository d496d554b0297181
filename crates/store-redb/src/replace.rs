//! Replacing everything at once, within one commit.

use redb::{ReadableTableMetadata as _, WriteTransaction};
use wk_store::{Replacement, Revision, StoreError};

use crate::schema::{COMPACTED, KEYS, META, Slot, TRIMMED, VERSIONS, Version};
use crate::slot::Found;

/// Empties the tables and fills them with `entries`; gives what the file then says of itself, or the
/// error among the entries.
pub(crate) fn replace(
    transaction: &WriteTransaction,
    now: &Found,
    entries: Replacement,
    at_least: Revision,
) -> Result<Result<Found, StoreError>, redb::Error> {
    transaction.delete_table(VERSIONS)?;
    transaction.delete_table(KEYS)?;
    let mut versions = transaction.open_table(VERSIONS)?;
    let mut keys = transaction.open_table(KEYS)?;
    let mut revision = now.current.max(at_least);
    let mut buffer = Vec::new();
    for entry in entries {
        let (key, value) = match entry {
            Ok(entry) => entry,
            Err(error) => return Ok(Err(error)),
        };
        revision = revision.next();
        let version =
            Version { created: revision, previous: Revision::ZERO, key: &key, value: Some(&value) };
        version.encode(&mut buffer);
        versions.insert(revision.0, &*buffer)?;
        keys.insert(&*key, Slot { revision, alive: true }.encode())?;
    }
    if versions.is_empty()? {
        // The newest version tells the current revision: here it is the deletion of a key that
        // never was, which the next compaction removes.
        revision = revision.next();
        let version = Version { created: revision, previous: Revision::ZERO, key: "", value: None };
        version.encode(&mut buffer);
        versions.insert(revision.0, &*buffer)?;
        keys.insert("", Slot { revision, alive: false }.encode())?;
    }
    let then = Found { current: revision, compacted: revision, trimmed: Revision(revision.0 - 1) };
    let mut meta = transaction.open_table(META)?;
    meta.insert(COMPACTED, then.compacted.0)?;
    meta.insert(TRIMMED, then.trimmed.0)?;
    Ok(Ok(then))
}
