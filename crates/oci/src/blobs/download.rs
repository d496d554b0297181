//! One download: attempts that resume each other, into one locked file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tracing::debug;

use super::{Blobs, WRITE_BATCH};
use crate::client::{BlobAnswer, Repository};
use crate::digest::{Algorithm, Digester};
use crate::error::{PullError, RegistryError};
use crate::files::{blocking, remove_file};
use crate::manifest::Descriptor;

/// Breaks in a row without a byte of progress before a download is given up.
const MAX_BARREN_ATTEMPTS: u32 = 3;
/// Breaks in all.
const MAX_ATTEMPTS: u32 = 100;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// One download of one blob.
pub(super) struct Download {
    pub(super) blobs: Arc<Blobs>,
    pub(super) repository: Repository,
    pub(super) blob: Descriptor,
    pub(super) done: watch::Sender<u64>,
}

/// How one attempt ended, if not well.
enum Setback {
    /// The connection broke; what came is kept.
    Broken { error: PullError, gained: bool },
    /// The content of a resumed file is wrong: begin again without it.
    Stale,
    /// No further attempt helps.
    Final(PullError),
}

impl Download {
    pub(super) async fn run(self) -> Result<(), PullError> {
        // The semaphore is never closed.
        let _permit = self.blobs.permits.acquire().await;
        let (mut attempts, mut barren, mut pause) = (0, 0, FIRST_PAUSE);
        loop {
            match self.attempt().await {
                Ok(()) => return Ok(()),
                Err(Setback::Final(error)) => return Err(error),
                Err(Setback::Stale) => {
                    let partial = self.blobs.partial(&self.blob.digest);
                    debug!(digest = %self.blob.digest, "a partial download is unusable");
                    blocking(move || remove_file(&partial)).await.map_err(|e| self.storage(e))?;
                }
                Err(Setback::Broken { error, gained }) => {
                    attempts += 1;
                    if gained {
                        (barren, pause) = (0, FIRST_PAUSE);
                    }
                    barren += 1;
                    if barren >= MAX_BARREN_ATTEMPTS || attempts >= MAX_ATTEMPTS {
                        return Err(error);
                    }
                    debug!(%error, "download broke off, resuming");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn attempt(&self) -> Result<(), Setback> {
        let path = self.blobs.partial(&self.blob.digest);
        let (algorithm, size) = (self.blob.digest.algorithm(), self.blob.size);
        let mut partial = blocking(move || Partial::open(&path, algorithm, size))
            .await
            .map_err(|error| Setback::Final(self.storage(error)))?;
        let mut resumed = partial.length > 0;
        self.done.send_replace(partial.length);
        if partial.length < size || size == 0 {
            let answer =
                self.repository.blob(&self.blob.digest, partial.length).await.map_err(|error| {
                    match error {
                        RegistryError::Interrupted { .. } => {
                            Setback::Broken { error: error.into(), gained: false }
                        }
                        error => Setback::Final(error.into()),
                    }
                })?;
            let body = match answer {
                BlobAnswer::Rest(body) => body,
                BlobAnswer::OutOfRange => return Err(Setback::Stale),
                BlobAnswer::Whole(body) => {
                    resumed = false;
                    if partial.length > 0 {
                        partial = self.on_disk(partial, Partial::restart).await?;
                    }
                    body
                }
            };
            partial = self.receive(partial, body).await?;
        }
        let actual = partial.digester.clone().finish();
        if actual == self.blob.digest {
            let (blobs, digest) = (Arc::clone(&self.blobs), actual);
            self.on_disk(partial, move |partial| {
                blobs.commit(&partial.file, &partial.path, &digest)
            })
            .await?;
            return Ok(());
        }
        if resumed {
            return Err(Setback::Stale);
        }
        self.on_disk(partial, |partial| remove_file(&partial.path)).await?;
        Err(Setback::Final(PullError::DigestMismatch {
            reference: self.repository.reference().clone(),
            expected: self.blob.digest.clone(),
            actual,
        }))
    }

    /// Appends the body to the partial file, in batches.
    async fn receive(
        &self,
        mut partial: Partial,
        mut body: reqwest::Response,
    ) -> Result<Partial, Setback> {
        let start = partial.length;
        let mut batch: Vec<Bytes> = Vec::new();
        let mut pending = 0;
        loop {
            let chunk = body.chunk().await;
            let ended = !matches!(chunk, Ok(Some(_)));
            if let Ok(Some(bytes)) = &chunk {
                pending += bytes.len();
                let actual = partial.length + pending as u64;
                if actual > self.blob.size {
                    self.on_disk(partial, |partial| remove_file(&partial.path)).await?;
                    return Err(Setback::Final(self.wrong_size(actual)));
                }
                batch.push(bytes.clone());
            }
            if pending >= WRITE_BATCH || (ended && pending > 0) {
                let full = std::mem::take(&mut batch);
                pending = 0;
                partial = self.on_disk(partial, move |partial| partial.append(&full)).await?;
                self.done.send_replace(partial.length);
            }
            let cause = match chunk {
                Ok(Some(_)) => continue,
                Ok(None) if partial.length == self.blob.size => return Ok(partial),
                Ok(None) => {
                    format!("it ended after {} of {} bytes", partial.length, self.blob.size)
                }
                Err(error) => Repository::cause(&error),
            };
            let error = self.repository.interrupted(&self.blob.digest, cause);
            let gained = partial.length > start;
            return Err(Setback::Broken { error: error.into(), gained });
        }
    }

    /// Does one step on the partial file. The file goes along, so that a cancelled download keeps
    /// its lock until the step is done.
    async fn on_disk<F>(&self, mut partial: Partial, step: F) -> Result<Partial, Setback>
    where
        F: FnOnce(&mut Partial) -> io::Result<()> + Send + 'static,
    {
        blocking(move || step(&mut partial).map(|()| partial))
            .await
            .map_err(|error| Setback::Final(self.storage(error)))
    }

    fn storage(&self, error: io::Error) -> PullError {
        PullError::storage(self.repository.reference(), &self.blobs.root, error)
    }

    fn wrong_size(&self, actual: u64) -> PullError {
        PullError::SizeMismatch {
            reference: self.repository.reference().clone(),
            digest: self.blob.digest.clone(),
            expected: self.blob.size,
            actual,
        }
    }
}

/// The part of a blob that has come so far, locked, with the state of its digest.
struct Partial {
    file: File,
    path: PathBuf,
    length: u64,
    digester: Digester,
}

impl Partial {
    /// Opens or makes the file and takes in what it holds; more than `size` bytes are discarded.
    fn open(path: &Path, algorithm: Algorithm, size: u64) -> io::Result<Self> {
        let file = loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)?;
            file.lock()?;
            // Whoever held the lock may have made the file the blob: then it is not ours any more.
            let ours = file.metadata()?;
            match fs::metadata(path) {
                Ok(named) if named.ino() == ours.ino() && named.dev() == ours.dev() => break file,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        };
        let mut partial =
            Self { file, path: path.to_owned(), length: 0, digester: Digester::new(algorithm) };
        let mut buffer = vec![0; WRITE_BATCH];
        loop {
            let count = partial.file.read(&mut buffer)?;
            if count == 0 {
                return Ok(partial);
            }
            partial.length += count as u64;
            if partial.length > size {
                partial.restart()?;
                return Ok(partial);
            }
            partial.digester.update(&buffer[..count]);
        }
    }

    fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.length = 0;
        self.digester = Digester::new(self.digester.algorithm());
        Ok(())
    }

    /// On failure the file is as long as before: half a batch would poison the next attempt.
    fn append(&mut self, batch: &[Bytes]) -> io::Result<()> {
        let mut length = self.length;
        for bytes in batch {
            if let Err(error) = self.file.write_all(bytes) {
                // If this fails too, the digest will tell at the end.
                let _ = self.file.set_len(self.length);
                return Err(error);
            }
            length += bytes.len() as u64;
        }
        for bytes in batch {
            self.digester.update(bytes);
        }
        self.length = length;
        Ok(())
    }
}
