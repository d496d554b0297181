//! An OCI distribution registry, embedded or alone, for machines that have no other.
//!
//! It speaks version 1.1 of the protocol, which `docker`, `skopeo`, `oras` and `wkctl` use:
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>
//!
//! # Invariants
//! - Content has the digest it is named by: nothing is stored under an unverified one.
//! - Nothing is acknowledged before it is durable, and a crash leaves whole things or none.
//! - Blobs are streamed; the memory of a request does not grow with what it carries.
//! - Knows no users: whoever reaches it may push. It listens where it is told to, loopback by default.

mod digest;
mod fault;
mod garbage;
mod http;
mod manifest;
mod name;
mod range;
mod route;
mod serve;
mod storage;
mod uploads;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use tokio::net::TcpListener;
use tracing::{info, warn};
use wk_process::TaskGroup;

use crate::storage::Storage;
use crate::uploads::Uploads;

pub use crate::garbage::{GarbageReport, Retention};

/// Bounds for what clients may do.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of one manifest.
    pub manifest_bytes: u64,
    /// Bytes of one blob; `None` leaves it to the disk.
    pub blob_bytes: Option<u64>,
    /// Connections at a time; further ones wait.
    pub connections: usize,
    /// How long a request's body may be silent.
    pub body_timeout: Duration,
    /// How long a connection may neither send nor take anything.
    pub idle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            manifest_bytes: 4 << 20,
            blob_bytes: None,
            connections: 1024,
            body_timeout: Duration::from_mins(1),
            idle_timeout: Duration::from_mins(5),
        }
    }
}

/// Why a registry could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Another process has it open.
    #[error("registry data `{path}` is in use by another process; stop that one first")]
    InUse {
        /// The registry's folder.
        path: PathBuf,
    },
    /// A file or folder of it could not be made or read.
    #[error("registry data `{path}` could not be opened")]
    Io {
        /// The registry's folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A registry over one folder. Clones share it.
#[derive(Clone, Debug)]
pub struct Registry {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    storage: Storage,
    uploads: Arc<Uploads>,
    limits: Limits,
    /// Keeps other processes out for as long as the registry is open.
    _lock: File,
}

impl Registry {
    /// Opens the registry in `folder`, which is made if need be, with the default limits. Blocking.
    ///
    /// # Errors
    /// [`RegistryError::InUse`] if another process has it open, [`RegistryError::Io`] otherwise.
    pub fn open(folder: &Path) -> Result<Self, RegistryError> {
        Self::open_with(folder, Limits::default())
    }

    /// As [`Registry::open`], with limits of one's own.
    ///
    /// # Errors
    /// As [`Registry::open`].
    pub fn open_with(folder: &Path, limits: Limits) -> Result<Self, RegistryError> {
        let io = |source| RegistryError::Io { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(io)?;
        let lock = File::create(folder.join("lock")).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(RegistryError::InUse { path: folder.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let storage = Storage::open(folder).map_err(io)?;
        let uploads = Arc::new(Uploads::new(folder.join("uploads")));
        Ok(Self { inner: Arc::new(Inner { storage, uploads, limits, _lock: lock }) })
    }

    /// The protocol, for a server of one's own.
    pub fn router(&self) -> Router {
        Router::new().fallback(http::answer).with_state(Arc::clone(&self.inner))
    }

    /// Serves plain HTTP on `listener` until the group is cancelled. Returns at once.
    pub fn serve(&self, listener: TcpListener, group: &TaskGroup) {
        serve::serve(listener, self.router(), &self.inner.limits, group);
    }

    /// Collects garbage every `interval` until the group is cancelled. Returns at once.
    pub fn keep_clean(&self, interval: Duration, group: &TaskGroup) {
        let (registry, token) = (self.clone(), group.token());
        group.spawn("registry garbage collection", async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(interval) => {}
                    () = token.cancelled() => return Ok(()),
                }
                match registry.collect_garbage(Retention::at(SystemTime::now())).await {
                    Ok(report) if report == GarbageReport::default() => {}
                    Ok(report) => info!(?report, "garbage collected"),
                    Err(error) => warn!(%error, "garbage collection failed, trying again later"),
                }
            }
        });
    }

    /// Removes what nothing refers to and nobody works on.
    ///
    /// # Errors
    /// If a file cannot be read or removed. What was done until then stays done; calling again is
    /// safe.
    pub async fn collect_garbage(&self, retention: Retention) -> io::Result<GarbageReport> {
        let inner = Arc::clone(&self.inner);
        blocking(move || garbage::collect(&inner.storage, &inner.uploads, retention)).await
    }
}

/// Runs blocking file work on the threads that are for it; it goes on to its end even if the caller
/// is cancelled.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only while the runtime shuts down, when nobody is left to see an answer.
            Err(_) => std::future::pending().await,
        },
    }
}
