//! Writers on their way to the writer thread.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use wk_store::{Replacement, Revision, StoreError, WriteError};

/// How many writers may wait; more wait for a place before they queue.
const PLACES: usize = 2048;
/// How many bytes of values go into one commit, so that no commit takes long.
const GROUP_BYTES: usize = 8 << 20;

/// What one caller wants.
pub(crate) enum Request {
    Write { write: Write, reply: oneshot::Sender<Result<Revision, WriteError>> },
    Compact { revision: Revision, reply: oneshot::Sender<Result<(), StoreError>> },
    RaiseBase { at_least: u64, reply: oneshot::Sender<Result<u64, StoreError>> },
    Replace(Replace),
}

/// New content for the whole store.
pub(crate) struct Replace {
    pub(crate) entries: Replacement,
    pub(crate) at_least: Revision,
    pub(crate) reply: oneshot::Sender<Result<Revision, StoreError>>,
}

impl fmt::Debug for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { write, .. } => out.debug_tuple("Write").field(write).finish(),
            Self::Compact { revision, .. } => out.debug_tuple("Compact").field(revision).finish(),
            Self::RaiseBase { at_least, .. } => {
                out.debug_tuple("RaiseBase").field(at_least).finish()
            }
            Self::Replace(_) => out.write_str("Replace"),
        }
    }
}

/// A change of one key.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) key: String,
    pub(crate) change: Change,
}

#[derive(Debug)]
pub(crate) enum Change {
    Create(Bytes),
    Update { value: Bytes, if_revision: Option<Revision> },
    Delete { if_revision: Option<Revision> },
}

impl Write {
    /// About how much it adds to the file, in bytes.
    pub(crate) fn weight(&self) -> usize {
        match &self.change {
            Change::Create(value) | Change::Update { value, .. } => self.key.len() + value.len(),
            Change::Delete { .. } => self.key.len(),
        }
    }
}

/// A request and its place in the queue.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) request: Request,
    _place: OwnedSemaphorePermit,
}

/// The queue between callers and the writer thread.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    places: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Waiting {
    requests: VecDeque<Queued>,
    /// Somebody wants the writer to look at the database.
    nudged: bool,
    closed: bool,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            places: Arc::new(Semaphore::new(PLACES)),
        }
    }

    /// Queues a request, once there is a place for it.
    pub(crate) async fn send(&self, request: Request) -> Result<(), StoreError> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| StoreError::Closed)?;
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return Err(StoreError::Closed);
        }
        waiting.requests.push_back(Queued { request, _place: place });
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// Takes what is waiting, up to one commit's worth; waits at most `patience` (`None`: for ever)
    /// for the first. `None` once the queue is closed and empty.
    pub(crate) fn take(&self, patience: Option<Duration>) -> Option<Vec<Queued>> {
        let mut waiting = self.waiting.lock();
        let empty = |waiting: &mut Waiting| {
            waiting.requests.is_empty() && !waiting.closed && !waiting.nudged
        };
        match patience {
            None => self.arrived.wait_while(&mut waiting, empty),
            Some(patience) => {
                self.arrived.wait_while_for(&mut waiting, empty, patience);
            }
        }
        waiting.nudged = false;
        if waiting.requests.is_empty() && waiting.closed {
            return None;
        }
        let mut bytes = 0;
        let mut group = Vec::new();
        while bytes < GROUP_BYTES
            && let Some(queued) = waiting.requests.pop_front()
        {
            if let Request::Write { write, .. } = &queued.request {
                bytes += write.weight();
            }
            group.push(queued);
        }
        Some(group)
    }

    /// Has the writer come round without a request.
    pub(crate) fn nudge(&self) {
        self.waiting.lock().nudged = true;
        self.arrived.notify_one();
    }

    /// Lets nobody in any more, and leaves those who wait without an answer.
    pub(crate) fn abandon(&self) {
        self.close();
        self.waiting.lock().requests.clear();
    }

    /// Lets nobody in any more; what waits is still taken.
    pub(crate) fn close(&self) {
        self.waiting.lock().closed = true;
        self.places.close();
        self.arrived.notify_one();
    }
}
