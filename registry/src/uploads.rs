//! Uploads in progress: files that grow chunk by chunk, across requests and restarts.
//!
//! One request at a time holds an upload, as a [`Session`]. It goes back when the session is dropped,
//! also if the client vanished, with all the bytes that came and the state of their digest. After a
//! restart the digest is computed from the file.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use parking_lot::Mutex;
use uuid::Uuid;

use crate::digest::{Algorithm, Digest, Digester};
use crate::name::RepositoryName;
use crate::storage::{Storage, existing, file_names};

const READ_BUFFER: usize = 512 << 10;

/// All uploads of a registry.
#[derive(Debug)]
pub(crate) struct Uploads {
    folder: PathBuf,
    slots: Mutex<HashMap<Uuid, Slot>>,
}

#[derive(Debug)]
enum Slot {
    /// A request holds it.
    Busy,
    /// The digest of its first `length` bytes.
    Idle { length: u64, digester: Digester },
}

/// Why an upload cannot be worked on.
#[derive(Debug)]
pub(crate) enum UploadFault {
    /// There is none with this id in this repository.
    Unknown,
    /// Another request is working on it.
    Busy,
    Io(io::Error),
}

impl From<io::Error> for UploadFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Uploads {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, slots: Mutex::new(HashMap::new()) }
    }

    /// Starts an upload. Blocking.
    pub(crate) fn begin(self: &Arc<Self>, name: &RepositoryName) -> io::Result<Session> {
        let id = Uuid::new_v4();
        let folder = self.path(id);
        fs::create_dir(&folder)?;
        fs::write(folder.join("repository"), name.as_str())?;
        let file =
            File::options().write(true).read(true).create_new(true).open(folder.join("data"))?;
        self.slots.lock().insert(id, Slot::Busy);
        Ok(Session {
            uploads: Arc::clone(self),
            id,
            file,
            length: 0,
            digester: Some(Digester::new(Algorithm::Sha256)),
            over: false,
        })
    }

    /// Takes an upload up again. Blocking.
    pub(crate) fn resume(
        self: &Arc<Self>,
        name: &RepositoryName,
        id: Uuid,
    ) -> Result<Session, UploadFault> {
        self.check(name, id)?;
        let known = match self.slots.lock().insert(id, Slot::Busy) {
            Some(Slot::Busy) => return Err(UploadFault::Busy),
            Some(Slot::Idle { length, digester }) => Some((length, digester)),
            None => None,
        };
        let opened = File::options()
            .write(true)
            .read(true)
            .open(self.path(id).join("data"))
            .and_then(|mut file| Ok((file.seek(SeekFrom::End(0))?, file)));
        let (length, file) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.slots.lock().remove(&id);
                // A finished upload whose folder could not be removed has no data any more.
                return Err(match error.kind() {
                    io::ErrorKind::NotFound => UploadFault::Unknown,
                    _ => UploadFault::Io(error),
                });
            }
        };
        let digester = match known {
            Some((known, digester)) if known == length => Some(digester),
            None if length == 0 => Some(Digester::new(Algorithm::Sha256)),
            _ => None,
        };
        Ok(Session { uploads: Arc::clone(self), id, file, length, digester, over: false })
    }

    /// How many bytes have come. Blocking.
    pub(crate) fn length(&self, name: &RepositoryName, id: Uuid) -> Result<u64, UploadFault> {
        self.check(name, id)?;
        Ok(fs::metadata(self.path(id).join("data"))?.len())
    }

    /// Removes the uploads that no request holds and nothing was added to since `before`; returns
    /// how many. Blocking.
    pub(crate) fn remove_stale(&self, before: SystemTime) -> io::Result<usize> {
        let mut count = 0;
        for name in file_names(&self.folder)? {
            let Ok(id) = name.parse::<Uuid>() else { continue };
            let data = existing(fs::metadata(self.path(id).join("data")))?;
            let is_stale = data.is_none_or(|data| data.modified().is_ok_and(|time| time < before));
            let mut slots = self.slots.lock();
            if is_stale && !matches!(slots.get(&id), Some(Slot::Busy)) {
                slots.remove(&id);
                fs::remove_dir_all(self.path(id))?;
                count += 1;
            }
        }
        Ok(count)
    }

    fn check(&self, name: &RepositoryName, id: Uuid) -> Result<(), UploadFault> {
        let repository = existing(fs::read_to_string(self.path(id).join("repository")))?;
        if repository.as_deref() == Some(name.as_str()) {
            Ok(())
        } else {
            Err(UploadFault::Unknown)
        }
    }

    fn path(&self, id: Uuid) -> PathBuf {
        self.folder.join(id.to_string())
    }
}

/// One upload in the hands of one request.
#[derive(Debug)]
pub(crate) struct Session {
    uploads: Arc<Uploads>,
    id: Uuid,
    file: File,
    length: u64,
    /// `None` if it has to be computed from the file.
    digester: Option<Digester>,
    over: bool,
}

impl Session {
    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    fn data(&self) -> PathBuf {
        self.uploads.path(self.id).join("data")
    }

    /// Adds bytes. If that fails, the upload is as long as before. Blocking.
    pub(crate) fn append(&mut self, batch: &[Bytes]) -> io::Result<()> {
        let mut length = self.length;
        for bytes in batch {
            if let Err(error) = self.file.write_all(bytes) {
                // If this fails as well, the digest will tell at the end.
                let _ = self.file.set_len(self.length);
                let _ = self.file.seek(SeekFrom::Start(self.length));
                return Err(error);
            }
            length += bytes.len() as u64;
        }
        if let Some(digester) = &mut self.digester {
            for bytes in batch {
                digester.update(bytes);
            }
        }
        self.length = length;
        Ok(())
    }

    /// Makes the upload a blob of the repository if its digest is the claimed one, and otherwise
    /// returns the real one and drops the upload. Blocking.
    pub(crate) fn finish(
        mut self,
        storage: &Storage,
        name: &RepositoryName,
        claimed: &Digest,
    ) -> io::Result<Result<(), Digest>> {
        let actual = match &self.digester {
            Some(digester) if digester.algorithm() == claimed.algorithm() => {
                digester.clone().finish()
            }
            _ => digest_of(&mut self.file, claimed.algorithm())?,
        };
        if actual != *claimed {
            self.discard()?;
            return Ok(Err(actual));
        }
        storage.commit_blob(name, claimed, &self.file, &self.data())?;
        self.discard()?;
        Ok(Ok(()))
    }

    /// Ends the upload and forgets its bytes. Blocking.
    pub(crate) fn discard(mut self) -> io::Result<()> {
        self.over = true;
        fs::remove_dir_all(self.uploads.path(self.id))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut slots = self.uploads.slots.lock();
        match self.digester.take().filter(|_| !self.over) {
            Some(digester) => {
                slots.insert(self.id, Slot::Idle { length: self.length, digester });
            }
            None => {
                slots.remove(&self.id);
            }
        }
    }
}

fn digest_of(file: &mut File, algorithm: Algorithm) -> io::Result<Digest> {
    let mut digester = Digester::new(algorithm);
    let mut buffer = vec![0; READ_BUFFER];
    file.seek(SeekFrom::Start(0))?;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(digester.finish());
        }
        digester.update(&buffer[..count]);
    }
}
