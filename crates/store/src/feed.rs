//! The recent window of events in memory, and the watches that read it.
//!
//! A watch is a position in the window, not a queue: a thousand watches keep one copy of an event, a
//! writer wakes them and never waits for them, and a watch that fell out of the window reads on from
//! the implementation's own [`History`] until it has caught up, or until that part of the history is
//! compacted.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream;
use parking_lot::RwLock;
use tokio::sync::watch;

use crate::error::{StoreError, WatchError};
use crate::store::WatchStream;
use crate::types::{Batch, Entry, Event, Key, Revision, WatchItem};

/// How many revisions a watch takes out of the window or the history at a time.
const CHUNK: usize = 128;

/// Where events are found that no longer fit into the window.
#[async_trait]
pub trait History: Debug + Send + Sync + 'static {
    /// The first revisions after `after`, at most `limit` of them, without a gap.
    ///
    /// # Errors
    /// [`WatchError::Compacted`] if the revision after `after` is no longer kept.
    async fn read(&self, after: Revision, limit: usize) -> Result<Vec<Batch>, WatchError>;
}

/// The event window of one store; cloning is cheap and gives the same window.
#[derive(Clone, Debug)]
pub struct Feed {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    window: RwLock<Window>,
    pulse: watch::Sender<Pulse>,
    history: Arc<dyn History>,
}

/// What wakes watches: any change of it.
#[derive(Clone, Copy, Debug, Default)]
struct Pulse {
    /// The newest revision.
    current: u64,
    /// How often progress was asked for.
    asked: u64,
    closed: bool,
}

/// The events after `floor`, without a gap.
#[derive(Debug)]
struct Window {
    batches: VecDeque<Batch>,
    bytes: usize,
    max_bytes: usize,
    /// The window holds every revision after this one.
    floor: u64,
    current: u64,
    compacted: u64,
}

/// What the window has for a watch.
enum Next {
    Batches(Vec<Batch>),
    UpToDate,
    InHistory,
    Compacted(u64),
}

impl Feed {
    /// A window that starts empty at `current` and keeps events of at most `max_bytes`.
    pub fn new(
        current: Revision,
        compacted: Revision,
        max_bytes: usize,
        history: Arc<dyn History>,
    ) -> Self {
        let window = Window {
            batches: VecDeque::new(),
            bytes: 0,
            max_bytes,
            floor: current.0,
            current: current.0,
            compacted: compacted.0,
        };
        let pulse = Pulse { current: current.0, ..Pulse::default() };
        let pulse = watch::Sender::new(pulse);
        Self { shared: Arc::new(Shared { window: RwLock::new(window), pulse, history }) }
    }

    /// Adds what was committed, in order; every revision that follows the last one published.
    pub fn publish(&self, batches: impl IntoIterator<Item = Batch>) {
        let current = {
            let mut window = self.shared.window.write();
            for batch in batches {
                debug_assert_eq!(batch.revision.0, window.current + 1, "revisions have no gaps");
                window.push(batch);
            }
            window.current
        };
        self.shared.pulse.send_modify(|pulse| pulse.current = current);
    }

    /// Drops what is compacted and cuts off the watches that have not read it.
    pub fn compact(&self, revision: Revision) {
        let mut window = self.shared.window.write();
        window.compacted = window.compacted.max(revision.0);
        while window.batches.front().is_some_and(|batch| batch.revision <= revision) {
            window.drop_oldest();
        }
        window.batches.shrink_to_fit();
        drop(window);
        self.shared.pulse.send_modify(|_| {});
    }

    /// Begins anew at `current`: forgets every event and cuts off every watch from before.
    pub fn reset(&self, current: Revision) {
        let mut window = self.shared.window.write();
        window.batches = VecDeque::new();
        window.bytes = 0;
        (window.floor, window.current, window.compacted) = (current.0, current.0, current.0);
        drop(window);
        self.shared.pulse.send_modify(|pulse| pulse.current = current.0);
    }

    /// The newest revision published.
    pub fn current(&self) -> Revision {
        Revision(self.shared.pulse.borrow().current)
    }

    /// The oldest revision that can be listed at or watched from.
    pub fn compacted(&self) -> Revision {
        Revision(self.shared.window.read().compacted)
    }

    /// What was put at `revision`, if the window still has it: shares memory instead of a read.
    pub fn entry_put_at(&self, revision: Revision) -> Option<Entry> {
        let window = self.shared.window.read();
        let index = usize::try_from(revision.0.checked_sub(window.floor + 1)?).ok()?;
        match window.batches.get(index)?.events.first()? {
            Event::Put { entry, .. } => Some(entry.clone()),
            Event::Delete { .. } => None,
        }
    }

    /// Has every watch say how far it is; returns the newest revision.
    pub fn ask_progress(&self) -> Revision {
        self.shared.pulse.send_modify(|pulse| pulse.asked += 1);
        self.current()
    }

    /// Ends every watch with [`StoreError::Closed`].
    pub fn close(&self) {
        self.shared.pulse.send_modify(|pulse| pulse.closed = true);
    }

    /// Every event after `from` whose key starts with `prefix`.
    ///
    /// # Errors
    /// [`WatchError::Compacted`] if events after `from` are no longer kept.
    pub fn watch(&self, prefix: &str, from: Revision) -> Result<WatchStream, WatchError> {
        let mut pulse = self.shared.pulse.subscribe();
        let answered = pulse.borrow_and_update().asked;
        let compacted = self.shared.window.read().compacted;
        if from.0 < compacted {
            return Err(WatchError::Compacted { oldest: Revision(compacted) });
        }
        let cursor = Cursor {
            shared: Arc::clone(&self.shared),
            prefix: prefix.into(),
            at: from.0,
            answered,
            ready: VecDeque::new(),
            pulse,
        };
        let items = stream::unfold(Some(cursor), |cursor| async {
            let mut cursor = cursor?;
            match cursor.next().await {
                Ok(item) => Some((Ok(item), Some(cursor))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(Box::pin(items))
    }
}

impl Window {
    fn push(&mut self, batch: Batch) {
        self.current = batch.revision.0;
        self.bytes += weight(&batch);
        self.batches.push_back(batch);
        while self.bytes > self.max_bytes && self.batches.len() > 1 {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.batches.pop_front() {
            self.bytes -= weight(&oldest);
            self.floor = oldest.revision.0;
        }
    }

    fn after(&self, at: u64) -> Next {
        if at < self.compacted {
            Next::Compacted(self.compacted)
        } else if at >= self.current {
            Next::UpToDate
        } else if at < self.floor {
            Next::InHistory
        } else {
            let skip = usize::try_from(at - self.floor).expect("the window fits into memory");
            Next::Batches(self.batches.iter().skip(skip).take(CHUNK).cloned().collect())
        }
    }
}

fn weight(batch: &Batch) -> usize {
    batch.events.iter().map(Event::weight).sum::<usize>() + size_of::<Batch>()
}

/// One watch.
struct Cursor {
    shared: Arc<Shared>,
    prefix: Key,
    /// Everything up to this revision has been delivered or is in `ready`.
    at: u64,
    /// How many requests for progress have been answered.
    answered: u64,
    ready: VecDeque<WatchItem>,
    pulse: watch::Receiver<Pulse>,
}

impl Cursor {
    async fn next(&mut self) -> Result<WatchItem, WatchError> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(item);
            }
            let pulse = *self.pulse.borrow_and_update();
            let next = self.shared.window.read().after(self.at);
            match next {
                Next::Batches(batches) => self.take(batches),
                Next::InHistory => {
                    let batches = self.shared.history.read(Revision(self.at), CHUNK).await?;
                    self.take(batches);
                }
                Next::Compacted(oldest) => {
                    return Err(WatchError::Compacted { oldest: Revision(oldest) });
                }
                Next::UpToDate if pulse.closed => return Err(StoreError::Closed.into()),
                Next::UpToDate if pulse.asked != self.answered && pulse.current >= self.at => {
                    self.answered = pulse.asked;
                    return Ok(WatchItem::Progress(Revision(self.at)));
                }
                Next::UpToDate => {
                    if self.pulse.changed().await.is_err() {
                        return Err(StoreError::Closed.into());
                    }
                }
            }
        }
    }

    fn take(&mut self, batches: Vec<Batch>) {
        for batch in batches {
            self.at = batch.revision.0;
            let matches = |event: &Event| event.key().starts_with(&*self.prefix);
            if batch.events.iter().all(matches) {
                self.ready.push_back(WatchItem::Events(batch));
            } else if batch.events.iter().any(matches) {
                let events = batch.events.iter().filter(|event| matches(event)).cloned().collect();
                self.ready.push_back(WatchItem::Events(Batch { revision: batch.revision, events }));
            }
        }
    }
}
