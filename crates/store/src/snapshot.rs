//! A store's content as one file: what a snapshot is saved as and restored from.
//!
//! Little endian throughout: the mark [`MAGIC`], the number of the format (`u32`), the revision that
//! the content is as of, as clients see it (`u64`), and the time it was taken (`u64`, seconds since
//! 1970); then each entry in the order of keys, as `1`, the lengths of key and value (`u32` each), key
//! and value; then `0`, the number of entries (`u64`), and the SHA-256 of everything before it. A file
//! that breaks off, or in which a bit has flipped, is not a snapshot.

use std::io::{self, Read};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::types::Key;

/// What a snapshot begins with.
pub const MAGIC: &[u8; 12] = b"wk-snapshot\n";
const FORMAT: u32 = 1;
const ENTRY: u8 = 1;
const END: u8 = 0;
/// No key or value is longer than this: a length beyond it is damage, not a request for memory.
const MAX_LENGTH: usize = 64 << 20;

/// What a snapshot says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The revision that the content is as of, as clients see it.
    pub revision: u64,
    /// When it was taken, in seconds since 1970.
    pub taken: u64,
}

/// A snapshot cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It does not begin like one.
    #[error("this is not a snapshot")]
    NotOne,
    /// A newer program wrote it.
    #[error("the snapshot's format is number {0}, this program knows {FORMAT}")]
    Format(u32),
    /// It breaks off.
    #[error("the snapshot is cut off")]
    CutOff,
    /// It is not what was written.
    #[error("the snapshot is damaged: {0}")]
    Damaged(&'static str),
    /// It cannot be read from where it is.
    #[error("the snapshot cannot be read")]
    Io(#[source] io::Error),
}

/// Writes a snapshot, piece by piece, into buffers of the caller's.
#[derive(Debug)]
pub struct Encoder {
    digest: Sha256,
    entries: u64,
}

impl Encoder {
    /// Begins a snapshot: appends its head to `out`.
    pub fn begin(head: Head, out: &mut Vec<u8>) -> Self {
        let mut encoder = Self { digest: Sha256::new(), entries: 0 };
        let start = out.len();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&head.revision.to_le_bytes());
        out.extend_from_slice(&head.taken.to_le_bytes());
        encoder.digest.update(&out[start..]);
        encoder
    }

    /// Appends an entry to `out`; keys have to come in their order.
    ///
    /// # Panics
    /// If key or value is longer than 4 GiB, which no store takes.
    pub fn entry(&mut self, key: &str, value: &[u8], out: &mut Vec<u8>) {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("entries are under 4 GiB");
        let start = out.len();
        out.push(ENTRY);
        out.extend_from_slice(&length(key.as_bytes()).to_le_bytes());
        out.extend_from_slice(&length(value).to_le_bytes());
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(value);
        self.digest.update(&out[start..]);
        self.entries += 1;
    }

    /// Appends the end to `out`.
    pub fn end(mut self, out: &mut Vec<u8>) {
        let start = out.len();
        out.push(END);
        out.extend_from_slice(&self.entries.to_le_bytes());
        self.digest.update(&out[start..]);
        out.extend_from_slice(&self.digest.finalize());
    }
}

/// Reads a snapshot. Only once [`Reader::entry`] has given `None` is everything before it known to be
/// what was written.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    digest: Sha256,
    head: Head,
    entries: u64,
    last: Option<Key>,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the head. `source` should be buffered.
    ///
    /// # Errors
    /// [`SnapshotError`] by variant.
    pub fn open(source: R) -> Result<Self, SnapshotError> {
        let head = Head { revision: 0, taken: 0 };
        let mut reader =
            Self { source, digest: Sha256::new(), head, entries: 0, last: None, ended: false };
        let magic: [u8; 12] = match reader.array() {
            Err(SnapshotError::CutOff) => return Err(SnapshotError::NotOne),
            other => other?,
        };
        if &magic != MAGIC {
            return Err(SnapshotError::NotOne);
        }
        let format = u32::from_le_bytes(reader.array()?);
        if format != FORMAT {
            return Err(SnapshotError::Format(format));
        }
        reader.head.revision = u64::from_le_bytes(reader.array()?);
        reader.head.taken = u64::from_le_bytes(reader.array()?);
        Ok(reader)
    }

    /// What the snapshot says about itself.
    pub fn head(&self) -> Head {
        self.head
    }

    /// The next entry; `None` at the end, once the digest was found right.
    ///
    /// # Errors
    /// [`SnapshotError`] by variant.
    pub fn entry(&mut self) -> Result<Option<(Key, Bytes)>, SnapshotError> {
        if self.ended {
            return Ok(None);
        }
        match self.array()? {
            [ENTRY] => {}
            [END] => return self.end().map(|()| None),
            _ => return Err(SnapshotError::Damaged("an entry has no beginning")),
        }
        let (key, value) = (self.length()?, self.length()?);
        let key = String::from_utf8(self.bytes(key)?)
            .map_err(|_| SnapshotError::Damaged("a key is not UTF-8"))?;
        let key = Key::from(key);
        if self.last.as_ref().is_some_and(|last| *last >= key) {
            return Err(SnapshotError::Damaged("keys are out of order"));
        }
        self.last = Some(Key::clone(&key));
        let value = self.bytes(value)?.into();
        self.entries += 1;
        Ok(Some((key, value)))
    }

    fn end(&mut self) -> Result<(), SnapshotError> {
        let entries = u64::from_le_bytes(self.array()?);
        if entries != self.entries {
            return Err(SnapshotError::Damaged("entries are missing"));
        }
        let computed = self.digest.clone().finalize();
        let written: [u8; 32] = self.array()?;
        if written != *computed {
            return Err(SnapshotError::Damaged("its digest is wrong"));
        }
        match self.array::<1>() {
            Err(SnapshotError::CutOff) => self.ended = true,
            Err(other) => return Err(other),
            Ok(_) => return Err(SnapshotError::Damaged("something follows its end")),
        }
        Ok(())
    }

    fn length(&mut self) -> Result<usize, SnapshotError> {
        let length = usize::try_from(u32::from_le_bytes(self.array()?)).unwrap_or(usize::MAX);
        if length > MAX_LENGTH {
            return Err(SnapshotError::Damaged("an entry is absurdly long"));
        }
        Ok(length)
    }

    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, SnapshotError> {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), SnapshotError> {
        self.source.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => SnapshotError::CutOff,
            _ => SnapshotError::Io(error),
        })?;
        self.digest.update(&*bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = Encoder::begin(Head { revision: 7, taken: 9 }, &mut out);
        encoder.entry("/a", b"", &mut out);
        encoder.entry("/b/\u{fc}", b"{}", &mut out);
        encoder.end(&mut out);
        out
    }

    fn read(bytes: &[u8]) -> Result<Vec<(Key, Bytes)>, SnapshotError> {
        let mut reader = Reader::open(bytes)?;
        let mut entries = Vec::new();
        while let Some(entry) = reader.entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = written();
        assert_eq!(Reader::open(&*bytes).unwrap().head(), Head { revision: 7, taken: 9 });
        let expected = [("/a".into(), Bytes::new()), ("/b/\u{fc}".into(), "{}".into())];
        assert_eq!(read(&bytes).unwrap(), expected);
    }

    #[test]
    fn a_snapshot_that_breaks_off_anywhere_is_refused() {
        let bytes = written();
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_found() {
        let bytes = written();
        // The time is digested, too.
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 4;
            assert!(read(&damaged).is_err(), "flipped at {place}");
        }
        let mut longer = bytes;
        longer.push(0);
        assert!(read(&longer).is_err(), "something follows");
    }
}
