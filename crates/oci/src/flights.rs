//! One run for many who want the same thing: whoever comes first leads, the others wait with them.
//!
//! A run is driven by those who wait for it and needs no task of its own: it goes on as long as
//! anybody waits, and is cancelled with the last of them.

use std::collections::HashMap;
use std::fmt;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, WeakShared};
use parking_lot::Mutex;

use crate::digest::Digest;

type Run<T> = Shared<BoxFuture<'static, T>>;
type WeakRun<T> = WeakShared<BoxFuture<'static, T>>;

/// Runs by the digest of what they make. `E` is what followers get beside the result.
pub(crate) struct Flights<E, T: Clone> {
    runs: Mutex<HashMap<Digest, (E, WeakRun<T>)>>,
}

/// A place in a run.
pub(crate) struct Seat<E, T: Clone> {
    /// What the leader handed out for all.
    pub(crate) extra: E,
    /// Resolves for everybody at once.
    pub(crate) run: Run<T>,
    /// Whether this seat started the run.
    pub(crate) leads: bool,
}

impl<E: Clone, T: Clone> Flights<E, T> {
    pub(crate) fn new() -> Self {
        Self { runs: Mutex::new(HashMap::new()) }
    }

    /// Joins the run for `key`, or starts one with what `lead` makes.
    ///
    /// A run that has ended is never joined: its result may be an error of long ago.
    pub(crate) fn join(
        &self,
        key: &Digest,
        lead: impl FnOnce() -> (E, BoxFuture<'static, T>),
    ) -> Seat<E, T> {
        let mut runs = self.runs.lock();
        if let Some((extra, run)) = runs.get(key)
            && let Some(run) = run.upgrade()
            && run.peek().is_none()
        {
            return Seat { extra: extra.clone(), run, leads: false };
        }
        runs.retain(|_, (_, run)| run.upgrade().is_some());
        let (extra, future) = lead();
        let run = future.shared();
        if let Some(weak) = run.downgrade() {
            runs.insert(key.clone(), (extra.clone(), weak));
        }
        Seat { extra, run, leads: true }
    }
}

impl<E, T: Clone> fmt::Debug for Flights<E, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").field("runs", &self.runs.lock().len()).finish()
    }
}
