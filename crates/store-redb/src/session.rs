//! One opening of the database on a disk, which can be cut off from it.
//!
//! redb refuses all work after the first failed write or sync, rightly: it cannot know what reached
//! the disk. The way on is to open the file again. Two things make that safe here: the old opening
//! cannot touch the disk any more, whoever still holds it, and after a failed *sync* everything
//! written since the last good one is written once more, because a kernel may count pages that it
//! failed to write as clean, and would never write them again.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use redb::StorageBackend;
use wk_store::StoreError;

use crate::disk::Disk;

/// How much is written again at a time.
const COPY_BYTES: u64 = 256 << 10;

/// A disk and what is known about it across openings.
#[derive(Debug)]
pub(crate) struct Medium {
    disk: Arc<dyn Disk>,
    unsynced: Mutex<Unsynced>,
}

/// What the last good sync did not cover.
#[derive(Debug, Default)]
struct Unsynced {
    /// As offset and length.
    ranges: Vec<(u64, u64)>,
    /// Whether a sync of them failed.
    failed: bool,
}

impl Medium {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, unsynced: Mutex::default() }
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// Makes durable what the file holds, if an earlier attempt failed.
    pub(crate) fn settle(&self) -> io::Result<()> {
        let ranges = {
            let unsynced = self.unsynced.lock();
            if !unsynced.failed {
                return Ok(());
            }
            unsynced.ranges.clone()
        };
        let end = self.disk.len()?;
        let mut buffer = Vec::new();
        for (offset, length) in ranges {
            let stop = (offset + length).min(end);
            let mut at = offset;
            while at < stop {
                let size = (stop - at).min(COPY_BYTES);
                buffer.resize(usize::try_from(size).map_err(io::Error::other)?, 0);
                self.disk.read(at, &mut buffer)?;
                self.disk.write(at, &buffer)?;
                at += size;
            }
        }
        self.sync()
    }

    fn sync(&self) -> io::Result<()> {
        let synced = self.disk.sync();
        // Nothing is written while redb's only writer waits for the sync, so that this is all of it.
        let mut unsynced = self.unsynced.lock();
        match &synced {
            Ok(()) => *unsynced = Unsynced::default(),
            Err(_) => unsynced.failed = true,
        }
        synced
    }
}

/// Why a session was cut off.
#[derive(Clone)]
pub(crate) struct Fault(Arc<io::Error>);

impl Fault {
    fn repeated(&self) -> io::Error {
        match self.0.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(self.0.kind(), self.0.to_string()),
        }
    }

    pub(crate) fn error(&self) -> StoreError {
        store_error(self.repeated())
    }
}

/// An I/O error as the store's callers see it.
pub(crate) fn store_error(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::NoSpace,
        _ => StoreError::Io(error),
    }
}

/// The backend of one opening.
#[derive(Clone)]
pub(crate) struct Session {
    medium: Arc<Medium>,
    fault: Arc<OnceLock<Fault>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(medium: Arc<Medium>) -> Self {
        Self { medium, fault: Arc::default() }
    }

    /// The error that ended this opening, if one did.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        self.fault.get()
    }

    /// Ends this opening, if it has not ended by itself.
    pub(crate) fn cut_off(&self) {
        self.fault.get_or_init(|| Fault(Arc::new(io::Error::other("the database was reopened"))));
    }

    fn run<T>(&self, operation: impl FnOnce(&Medium) -> io::Result<T>) -> io::Result<T> {
        if let Some(fault) = self.fault.get() {
            return Err(fault.repeated());
        }
        operation(&self.medium).map_err(|error| {
            let fault = Fault(Arc::new(error));
            let repeated = fault.repeated();
            // Whoever was first is the reason.
            _ = self.fault.set(fault);
            repeated
        })
    }
}

impl StorageBackend for Session {
    fn len(&self) -> io::Result<u64> {
        self.run(|medium| medium.disk.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.run(|medium| medium.disk.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.run(|medium| medium.disk.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.run(Medium::sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.run(|medium| {
            medium.unsynced.lock().ranges.push((offset, data.len() as u64));
            medium.disk.write(offset, data)
        })
    }
}
