//! What the file looks like.
//!
//! - `versions`: revision to version. A version is what one write did: the key, the value (none for a
//!   deletion), the revision that created the key, and the revision of the version before.
//! - `keys`: key to its newest version's revision, and whether that is a value or a deletion.
//! - `meta`: numbers by name.
//!
//! A value is written once, at the end of `versions`; the index is small. The newest version of all is
//! never removed, so that it tells the current revision.

use std::sync::Arc;

use bytes::Bytes;
use redb::{ReadableTable, Table, TableDefinition};
use wk_store::{Entry, Key, Revision};

pub(crate) const VERSIONS: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("versions");
pub(crate) const KEYS: TableDefinition<'static, &str, u64> = TableDefinition::new("keys");
pub(crate) const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");

/// What `meta` has under this name is the number of this schema.
pub(crate) const FORMAT: &str = "format";
/// The schema described above.
pub(crate) const FORMAT_NUMBER: u64 = 1;
/// The revision up to which the past may no longer be asked for.
pub(crate) const COMPACTED: &str = "compacted";
/// The revision up to which what compaction freed has been removed; follows `COMPACTED`.
pub(crate) const TRIMMED: &str = "trimmed";
/// What is added to revisions on the wire.
pub(crate) const BASE: &str = "base";

pub(crate) type Versions<'txn> = Table<'txn, u64, &'static [u8]>;
pub(crate) type Keys<'txn> = Table<'txn, &'static str, u64>;

/// What the index says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) revision: Revision,
    /// Whether the newest version is a value rather than a deletion.
    pub(crate) alive: bool,
}

impl Slot {
    pub(crate) fn encode(self) -> u64 {
        self.revision.0 << 1 | u64::from(self.alive)
    }

    pub(crate) fn decode(code: u64) -> Self {
        Self { revision: Revision(code >> 1), alive: code & 1 == 1 }
    }
}

/// One version, borrowed from the page that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version<'a> {
    /// The revision that created the key. For a deletion: of the life that ended.
    pub(crate) created: Revision,
    /// The version before, zero for none. It may have been compacted.
    pub(crate) previous: Revision,
    pub(crate) key: &'a str,
    /// `None` for a deletion.
    pub(crate) value: Option<&'a [u8]>,
}

const HEAD: usize = 8 + 8 + 1 + 4;

impl<'a> Version<'a> {
    /// Little endian: created, previous, whether there is a value, length of the key; key; value.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.clear();
        out.reserve(HEAD + self.key.len() + self.value.map_or(0, <[u8]>::len));
        out.extend_from_slice(&self.created.0.to_le_bytes());
        out.extend_from_slice(&self.previous.0.to_le_bytes());
        out.push(u8::from(self.value.is_some()));
        let length = u32::try_from(self.key.len()).expect("keys are shorter than 4 GiB");
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(self.key.as_bytes());
        out.extend_from_slice(self.value.unwrap_or_default());
    }

    pub(crate) fn decode(record: &'a [u8]) -> Result<Self, redb::Error> {
        Self::parse(record).ok_or_else(|| redb::Error::Corrupted("a version is malformed".into()))
    }

    fn parse(record: &'a [u8]) -> Option<Self> {
        let (created, rest) = record.split_first_chunk()?;
        let (previous, rest) = rest.split_first_chunk()?;
        let ([alive], rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (key, value) = rest.split_at_checked(length)?;
        Some(Self {
            created: Revision(u64::from_le_bytes(*created)),
            previous: Revision(u64::from_le_bytes(*previous)),
            key: std::str::from_utf8(key).ok()?,
            value: (*alive == 1).then_some(value),
        })
    }

    /// The entry that this version is, unless it is a deletion.
    pub(crate) fn entry(&self, revision: Revision, key: Option<&Key>) -> Option<Entry> {
        let value = Bytes::copy_from_slice(self.value?);
        let key = key.map_or_else(|| Key::from(self.key), Arc::clone);
        Some(Entry { key, value, revision, created: self.created })
    }
}

/// The entry put at `revision`; `None` if that was a deletion or has been compacted.
pub(crate) fn entry_at(
    versions: &impl ReadableTable<u64, &'static [u8]>,
    revision: Revision,
    key: Option<&Key>,
) -> Result<Option<Entry>, redb::Error> {
    match versions.get(revision.0)? {
        Some(record) => Ok(Version::decode(record.value())?.entry(revision, key)),
        None => Ok(None),
    }
}

/// The newest revision.
pub(crate) fn newest(
    versions: &impl ReadableTable<u64, &'static [u8]>,
) -> Result<Revision, redb::Error> {
    Ok(versions.last()?.map_or(Revision::ZERO, |(revision, _)| Revision(revision.value())))
}

/// A number of `meta`, zero if it is not there.
pub(crate) fn number(
    meta: &impl ReadableTable<&'static str, u64>,
    name: &str,
) -> Result<u64, redb::Error> {
    Ok(meta.get(name)?.map_or(0, |number| number.value()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_slots_survive_encoding() {
        let mut record = Vec::new();
        for (key, value) in [("", Some(b"".as_slice())), ("/a/ü", Some(b"\0x")), ("gone", None)] {
            let version =
                Version { created: Revision(7), previous: Revision(u64::MAX >> 1), key, value };
            version.encode(&mut record);
            assert_eq!(Version::decode(&record).unwrap(), version);
        }
        for slot in [
            Slot { revision: Revision(0), alive: false },
            Slot { revision: Revision(u64::MAX >> 1), alive: true },
        ] {
            assert_eq!(Slot::decode(slot.encode()), slot);
        }
    }

    #[test]
    fn malformed_versions_are_refused() {
        let mut record = Vec::new();
        let version =
            Version { created: Revision(1), previous: Revision(0), key: "key", value: Some(b"") };
        version.encode(&mut record);
        for length in 0..record.len() {
            assert!(Version::decode(&record[..length]).is_err(), "cut at {length}");
        }
        record[HEAD] = 0xff;
        assert!(Version::decode(&record).is_err(), "a key that is not UTF-8");
    }
}
