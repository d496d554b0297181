//! The bytes under the database: a locked file, or whatever a test puts there.

use std::fmt::Debug;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use wk_store::StoreError;

/// A growing array of bytes that survives a crash up to its last sync.
pub trait Disk: Debug + Send + Sync + 'static {
    /// The length in bytes.
    ///
    /// # Errors
    /// Those of the device.
    fn len(&self) -> io::Result<u64>;

    /// Whether nothing was ever stored.
    ///
    /// # Errors
    /// Those of the device.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `out` with the bytes at `offset`.
    ///
    /// # Errors
    /// Those of the device, and where the range reaches past the end.
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// Stores `data` at `offset`, not necessarily durably.
    ///
    /// # Errors
    /// Those of the device; part of the data may have been stored.
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Cuts off the end, or appends zeros.
    ///
    /// # Errors
    /// Those of the device.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Returns once everything written is durable.
    ///
    /// # Errors
    /// Those of the device; what was written since the last good sync may or may not be durable.
    fn sync(&self) -> io::Result<()>;

    /// How many bytes can still be written, as far as that is known.
    ///
    /// # Errors
    /// Those of the device.
    fn available(&self) -> io::Result<u64>;
}

/// A file that no other process may have open as a store.
#[derive(Debug)]
pub struct FileDisk {
    file: File,
}

impl FileDisk {
    /// Opens and locks the file; creates it, readable by its owner only, if there is none.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if it is in use, else [`StoreError::Io`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path)
                .map_err(StoreError::Io)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::Locked { path: path.to_owned() });
                }
                Err(TryLockError::Error(error)) => return Err(StoreError::Io(error)),
            }
            // Another process may have moved the file away before it was locked here.
            if is_at(&file, path).map_err(StoreError::Io)? {
                sync_name(path).map_err(StoreError::Io)?;
                return Ok(Self { file });
            }
        }
    }

    /// Gives the open file at `from` the name `to`, if that is free; says whether it was.
    pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<bool> {
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Ok(false),
            // Some file systems cannot do both at once.
            Err(Errno::INVAL | Errno::NOSYS) if !to.try_exists()? => std::fs::rename(from, to)?,
            Err(error) => return Err(error.into()),
        }
        sync_name(to)?;
        Ok(true)
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes the name of a file as durable as what will be in it.
pub(crate) fn sync_name(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

impl Disk for FileDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn available(&self) -> io::Result<u64> {
        let stats = rustix::fs::fstatvfs(&self.file)?;
        Ok(stats.f_bavail.saturating_mul(stats.f_frsize))
    }
}
