//! Blobs by digest: `blobs/<algorithm>/<hex>` once complete and verified, `partial/` until then.
//!
//! # Invariants
//! - A file under `blobs/` has the bytes that its name says, and is never written to again.
//! - One partial file has one writer, who holds its lock; a cancelled download leaves it to the next.

mod download;

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tracing::debug;

use self::download::Download;
use crate::client::Repository;
use crate::digest::{Algorithm, Digest, Digester};
use crate::error::PullError;
use crate::files::{remove_file, sync_parent};
use crate::flights::Flights;
use crate::manifest::Descriptor;

/// Bytes handed to the disk at once.
const WRITE_BATCH: usize = 512 << 10;
/// The blobs of one content store.
#[derive(Debug)]
pub(crate) struct Blobs {
    root: PathBuf,
    flights: Flights<watch::Receiver<u64>, Result<(), PullError>>,
    permits: Semaphore,
    /// What pulls in progress need, with how many of them: not to be collected.
    pins: Mutex<HashMap<Digest, usize>>,
}

/// Keeps blobs from being collected while a pull needs them and no image names them yet.
#[derive(Debug)]
pub(crate) struct Pins {
    blobs: Arc<Blobs>,
    digests: Vec<Digest>,
}

impl Blobs {
    /// The blobs under `root`, at most `parallel` downloads at a time.
    pub(crate) fn open(root: &Path, parallel: usize) -> io::Result<Self> {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            fs::create_dir_all(root.join("blobs").join(algorithm.name()))?;
        }
        fs::create_dir_all(root.join("partial"))?;
        Ok(Self {
            root: root.to_owned(),
            flights: Flights::new(),
            permits: Semaphore::new(parallel.max(1)),
            pins: Mutex::new(HashMap::new()),
        })
    }

    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs").join(digest.algorithm().name()).join(digest.hex())
    }

    pub(crate) fn partial(&self, digest: &Digest) -> PathBuf {
        self.root.join("partial").join(digest.file_name())
    }

    /// Whether the blob is complete. Its size tells: its digest was verified before it got its name.
    pub(crate) fn has(&self, digest: &Digest, size: u64) -> bool {
        fs::metadata(self.path(digest)).is_ok_and(|file| file.is_file() && file.len() == size)
    }

    /// Keeps `digests` until the pins are dropped, whether or not they are there yet.
    pub(crate) fn pin(self: &Arc<Self>, digests: Vec<Digest>) -> Pins {
        let mut pins = self.pins.lock();
        for digest in &digests {
            *pins.entry(digest.clone()).or_default() += 1;
        }
        Pins { blobs: Arc::clone(self), digests }
    }

    /// Removes complete blobs that are not `needed` and stale partial files, then lets `also` sweep
    /// what goes with them; no pin comes or goes in between, so `needed` sees what was recorded for
    /// every pin that is gone. Returns how many blobs, and the bytes of all. Blocking.
    pub(crate) fn sweep(
        &self,
        needed: impl FnOnce() -> BTreeSet<Digest>,
        is_stale: impl Fn(&fs::Metadata) -> bool,
        also: impl FnOnce(&dyn Fn(&Digest) -> bool) -> io::Result<()>,
    ) -> io::Result<(usize, u64)> {
        let pins = self.pins.lock();
        let needed = needed();
        let keep = |digest: &Digest| needed.contains(digest) || pins.contains_key(digest);
        let (mut count, mut bytes) = (0, 0);
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            for entry in fs::read_dir(self.root.join("blobs").join(algorithm.name()))? {
                let entry = entry?;
                let name = format!("{}:{}", algorithm.name(), entry.file_name().to_string_lossy());
                if !name.parse().is_ok_and(|digest| keep(&digest)) {
                    bytes += entry.metadata()?.len();
                    remove_file(&entry.path())?;
                    count += 1;
                }
            }
        }
        for entry in fs::read_dir(self.root.join("partial"))? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            let digest = Digest::from_file_name(&entry.file_name());
            if !digest.is_some_and(|digest| keep(&digest)) && is_stale(&metadata) {
                bytes += metadata.len();
                remove_file(&entry.path())?;
            }
        }
        also(&keep)?;
        Ok((count, bytes))
    }

    /// Stores bytes that are at hand and whose digest the caller has verified. Blocking.
    pub(crate) fn put(&self, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
        if self.has(digest, bytes.len() as u64) {
            return Ok(());
        }
        let mut file = tempfile::NamedTempFile::new_in(self.root.join("partial"))?;
        file.write_all(bytes)?;
        self.commit(file.as_file(), file.path(), digest)?;
        // The path is gone, so there is nothing left to remove.
        let _ = file.keep();
        Ok(())
    }

    /// Copies a file into the store under its own digest, pinned. Blocking.
    pub(crate) fn adopt(self: &Arc<Self>, source: &Path) -> io::Result<Pins> {
        let mut from = File::open(source)?;
        let mut file = tempfile::NamedTempFile::new_in(self.root.join("partial"))?;
        let mut digester = Digester::new(Algorithm::Sha256);
        let mut buffer = vec![0; WRITE_BATCH];
        loop {
            let count = from.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            digester.update(&buffer[..count]);
            file.write_all(&buffer[..count])?;
        }
        let digest = digester.finish();
        let pins = self.pin(vec![digest.clone()]);
        self.commit(file.as_file(), file.path(), &digest)?;
        let _ = file.keep();
        Ok(pins)
    }

    /// Makes a verified file the blob: read-only, durable, then renamed.
    fn commit(&self, file: &File, path: &Path, digest: &Digest) -> io::Result<()> {
        file.set_permissions(fs::Permissions::from_mode(0o444))?;
        file.sync_all()?;
        let target = self.path(digest);
        fs::rename(path, &target)?;
        sync_parent(&target)
    }

    /// Has the blob complete and verified in the store, downloading what is missing of it.
    ///
    /// Callers that want one digest share one download. `progress` gets the bytes that are there.
    /// Cancel safe: what has been downloaded stays for the next attempt.
    pub(crate) async fn fetch(
        self: &Arc<Self>,
        repository: &Repository,
        blob: &Descriptor,
        mut progress: impl FnMut(u64),
    ) -> Result<(), PullError> {
        loop {
            if self.has(&blob.digest, blob.size) {
                progress(blob.size);
                return Ok(());
            }
            let mut seat = self.flights.join(&blob.digest, || {
                let (sender, receiver) = watch::channel(0);
                let download = Download {
                    blobs: Arc::clone(self),
                    repository: repository.clone(),
                    blob: blob.clone(),
                    done: sender,
                };
                (receiver, download.run().boxed())
            });
            let mut run = seat.run;
            let outcome = loop {
                tokio::select! {
                    outcome = &mut run => break outcome,
                    Ok(()) = seat.extra.changed() => progress(*seat.extra.borrow_and_update()),
                }
            };
            match outcome {
                Ok(()) => {
                    progress(blob.size);
                    return Ok(());
                }
                // Another pull's registry or login failed; that says nothing of ours.
                Err(error) if !seat.leads => debug!(%error, "a shared download failed"),
                Err(error) => return Err(error),
            }
        }
    }
}

impl Pins {
    pub(crate) fn digests(&self) -> &[Digest] {
        &self.digests
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        let mut pins = self.blobs.pins.lock();
        for digest in &self.digests {
            if let Some(count) = pins.get_mut(digest) {
                *count -= 1;
                if *count == 0 {
                    pins.remove(digest);
                }
            }
        }
    }
}
