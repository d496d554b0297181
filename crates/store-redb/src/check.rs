//! Looking through a whole file for what should not be there.
//!
//! The file is opened over a layer in memory, so that even the repair of an unclean end, which opening
//! may take, changes nothing on the disk.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use redb::{Builder, Database, ReadableDatabase as _, ReadableTable as _};
use wk_store::{Revision, StoreError};

use crate::disk::{Disk, FileDisk};
use crate::options::Options;
use crate::schema::{
    self, COMPACTED, FORMAT, FORMAT_NUMBER, KEYS, META, Slot, TRIMMED, VERSIONS, Version,
};
use crate::session::{Medium, Session};
use crate::slot::explain;

/// No more faults than these are written down; the rest is counted.
const MAX_FAULTS: usize = 100;

/// Says what is wrong with a value.
type Decode<'a> = dyn FnMut(&str, &[u8]) -> Result<(), String> + 'a;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Keys with a value.
    pub keys: u64,
    /// Versions of keys, those that only the history needs included.
    pub versions: u64,
    /// Bytes of the values that keys have now.
    pub bytes: u64,
    /// The newest revision, as the store counts.
    pub revision: u64,
    /// Whether the file was not closed cleanly; not a fault.
    pub unclean: bool,
    /// What is wrong, at most 100 of it.
    pub faults: Vec<String>,
    /// How much is wrong.
    pub fault_count: u64,
}

impl Report {
    fn fault(&mut self, what: impl FnOnce() -> String) {
        self.fault_count += 1;
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(what());
        }
    }
}

/// Looks through the store in the file at `path`: the checksums of all pages, every record, the index
/// against the versions, and each present value by `decode`, which says what is wrong with it.
///
/// # Errors
/// [`StoreError::Locked`] if the store is open somewhere, [`StoreError::Corrupt`] if it is too damaged to
/// be looked through, else what the disk says.
pub fn check(
    path: &Path,
    mut decode: impl FnMut(&str, &[u8]) -> Result<(), String>,
) -> Result<Report, StoreError> {
    if !path.try_exists().map_err(StoreError::Io)? {
        return Err(StoreError::Io(io::ErrorKind::NotFound.into()));
    }
    let file = FileDisk::open(path)?;
    let length = file.len().map_err(StoreError::Io)?;
    if length == 0 {
        return Err(StoreError::Corrupt { what: "the file is empty".to_owned() });
    }
    let layer = Layer {
        file,
        pages: Mutex::default(),
        length: Mutex::new(length),
        counts: Mutex::new(length),
    };
    let session = Session::new(Arc::new(Medium::new(Arc::new(layer))));
    look_through(&session, &mut decode).map_err(|error| explain(error, session.fault()))
}

fn look_through(session: &Session, decode: &mut Decode<'_>) -> Result<Report, redb::Error> {
    let mut report = Report::default();
    let repaired = Arc::new(Mutex::new(false));
    let mut builder = Builder::new();
    builder.set_cache_size(Options::default().cache_bytes);
    let seen = Arc::clone(&repaired);
    builder.set_repair_callback(move |_| *seen.lock() = true);
    let mut database = builder.create_with_backend(session.clone())?;
    report.unclean = *repaired.lock();
    if !database.check_integrity()? {
        report.fault(|| "the checksums or the record of free space are wrong".to_owned());
    }
    tables(&database, &mut report, decode)?;
    Ok(report)
}

fn tables(
    database: &Database,
    report: &mut Report,
    decode: &mut Decode<'_>,
) -> Result<(), redb::Error> {
    let read = database.begin_read()?;
    let meta = read.open_table(META)?;
    let format = schema::number(&meta, FORMAT)?;
    if format != FORMAT_NUMBER {
        let what = format!("its format is number {format}, this program knows {FORMAT_NUMBER}");
        return Err(redb::Error::Corrupted(what));
    }
    let (keys, versions) = (read.open_table(KEYS)?, read.open_table(VERSIONS)?);
    let current = schema::newest(&versions)?;
    report.revision = current.0;
    let compacted = schema::number(&meta, COMPACTED)?;
    let trimmed = schema::number(&meta, TRIMMED)?;
    if trimmed > compacted || compacted > current.0 {
        report.fault(|| {
            format!("trimmed to {trimmed}, compacted to {compacted}, and the newest is {current}")
        });
    }
    for item in keys.iter()? {
        let (key, slot) = item?;
        let (key, slot) = (key.value(), Slot::decode(slot.value()));
        let Some(record) = versions.get(slot.revision.0)? else {
            report.fault(|| {
                format!("`{key}` is to be at revision {}, which is not there", slot.revision)
            });
            continue;
        };
        // What cannot be decoded is counted below.
        let Ok(version) = Version::decode(record.value()) else { continue };
        if version.key != key || version.value.is_some() != slot.alive {
            report.fault(|| format!("`{key}` and revision {} do not agree", slot.revision));
        }
    }
    for item in versions.iter()? {
        let (revision, record) = item?;
        let revision = Revision(revision.value());
        report.versions += 1;
        let Ok(version) = Version::decode(record.value()) else {
            report.fault(|| format!("revision {revision} is malformed"));
            continue;
        };
        let key = version.key;
        let newest = keys.get(key)?.map(|slot| Slot::decode(slot.value()).revision);
        if newest.is_none_or(|newest| newest < revision) {
            report.fault(|| format!("revision {revision} of `{key}` is not in the index"));
        }
        // Below the compacted revision the chain is cut off.
        let previous = version.previous;
        let lost = previous.0 > compacted && versions.get(previous.0)?.is_none();
        if previous >= revision || lost {
            report.fault(|| {
                format!("revision {revision} of `{key}` follows {previous}, which is not there")
            });
        }
        if newest == Some(revision)
            && let Some(value) = version.value
        {
            report.keys += 1;
            report.bytes += value.len() as u64;
            if let Err(wrong) = decode(key, value) {
                report.fault(|| format!("`{key}`: {wrong}"));
            }
        }
    }
    Ok(())
}

const PAGE: usize = 4096;

/// A file that is only read; what is written stays in memory.
#[derive(Debug)]
struct Layer {
    file: FileDisk,
    pages: Mutex<HashMap<u64, Box<[u8; PAGE]>>>,
    length: Mutex<u64>,
    /// How much of the file still counts, once it was cut shorter.
    counts: Mutex<u64>,
}

impl Layer {
    /// Calls `each` with the parts of a range, by page: its number, the place in it, and the part.
    fn pages(
        offset: u64,
        length: usize,
        mut each: impl FnMut(u64, usize, std::ops::Range<usize>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut done = 0;
        while done < length {
            let at = offset + done as u64;
            let within = usize::try_from(at % PAGE as u64).map_err(io::Error::other)?;
            let size = (PAGE - within).min(length - done);
            each(at / PAGE as u64, within, done..done + size)?;
            done += size;
        }
        Ok(())
    }

    /// What the file has in a range; nothing behind its end.
    fn underneath(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        out.fill(0);
        let left = self.counts.lock().saturating_sub(offset);
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(out.len());
        self.file.read(offset, &mut out[..size])
    }
}

impl Disk for Layer {
    fn len(&self) -> io::Result<u64> {
        Ok(*self.length.lock())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset + out.len() as u64 > *self.length.lock() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.underneath(offset, out)?;
        let pages = self.pages.lock();
        Self::pages(offset, out.len(), |number, within, range| {
            if let Some(page) = pages.get(&number) {
                let size = range.len();
                out[range].copy_from_slice(&page[within..within + size]);
            }
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut pages = self.pages.lock();
        Self::pages(offset, data.len(), |number, within, range| {
            let page = match pages.entry(number) {
                std::collections::hash_map::Entry::Occupied(page) => page.into_mut(),
                std::collections::hash_map::Entry::Vacant(place) => {
                    let mut page = Box::new([0; PAGE]);
                    self.underneath(number * PAGE as u64, &mut page[..])?;
                    place.insert(page)
                }
            };
            page[within..within + range.len()].copy_from_slice(&data[range]);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut counts = self.counts.lock();
        if len < *self.length.lock() {
            // What is cut off reads as zeros, should the file grow again.
            *counts = (*counts).min(len);
            self.pages.lock().retain(|number, page| {
                let start = number * PAGE as u64;
                let kept = usize::try_from(len.saturating_sub(start)).unwrap_or(PAGE).min(PAGE);
                page[kept..].fill(0);
                kept > 0
            });
        }
        *self.length.lock() = len;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn available(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}
