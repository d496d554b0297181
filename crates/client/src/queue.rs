//! Keys that want work, each worked on once at a time.

mod state;

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{Instrument as _, debug, debug_span, warn};
use wk_process::TaskGroup;

use crate::Backoff;
use crate::error_chain;
use state::State;

/// How long reconciles may go on that are under way when their component ends.
pub const LAST_WORDS: Duration = Duration::from_millis(500);

/// What a reconcile that did not fail asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing until the key is added again.
    Done,
    /// The key again after this time, or earlier if it is added.
    After(Duration),
}

/// A de-duplicating queue of keys. Clones share one queue.
///
/// A key that is added twice before it is taken is worked on once; a key that is added while it is
/// worked on is worked on again afterwards, never at the same time. A key whose reconcile fails
/// comes back after a delay that doubles with each failure in a row.
pub struct WorkQueue<K> {
    shared: Arc<Shared<K>>,
}

struct Shared<K> {
    state: Mutex<State<K>>,
    wake: Notify,
    backoff: Backoff,
}

impl<K> Clone for WorkQueue<K> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<K> fmt::Debug for WorkQueue<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkQueue").field("backoff", &self.shared.backoff).finish_non_exhaustive()
    }
}

impl<K> Default for WorkQueue<K>
where
    K: Clone + Eq + Hash,
{
    fn default() -> Self {
        Self::new(Backoff::default())
    }
}

impl<K> WorkQueue<K>
where
    K: Clone + Eq + Hash,
{
    /// An empty queue.
    pub fn new(backoff: Backoff) -> Self {
        let shared = Shared { state: Mutex::new(State::default()), wake: Notify::new(), backoff };
        Self { shared: Arc::new(shared) }
    }

    /// Asks for work on `key` as soon as possible, also if it is waiting out a delay.
    pub fn add(&self, key: K) {
        if self.shared.state.lock().add(key) {
            self.shared.wake.notify_one();
        }
    }

    /// Asks for work on `key` after `delay`; of several such requests the earliest counts.
    pub fn add_after(&self, key: K, delay: Duration) {
        self.shared.state.lock().add_at(key, Instant::now() + delay);
        self.shared.wake.notify_one();
    }

    /// How many keys wait to be worked on now, without those that wait out a delay.
    pub fn ready_len(&self) -> usize {
        self.shared.state.lock().ready_len()
    }
}

impl<K> WorkQueue<K>
where
    K: Clone + Eq + Hash + fmt::Display + Send + Sync + 'static,
{
    /// Works on the queue's keys in a task of `group`, `workers` (at least one) of them at a time.
    ///
    /// All of them are futures of one task, so a reconcile must not compute for long. A reconcile
    /// that is under way when the group is cancelled may end within [`LAST_WORDS`], and is dropped
    /// then: a write that nobody waits for any more may be carried out when somebody else has looked
    /// already. Call this once per queue.
    pub fn run<F, Fut, E>(
        &self,
        group: &TaskGroup,
        name: impl Into<String>,
        workers: usize,
        reconcile: F,
    ) where
        F: Fn(K) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Outcome, E>> + Send + 'static,
        E: std::error::Error + Send + Sync + 'static,
    {
        let (shared, token, name) = (Arc::clone(&self.shared), group.token(), name.into());
        group.spawn(name.clone(), async move {
            let mut working = FuturesUnordered::new();
            loop {
                while working.len() < workers.max(1) {
                    let Some(key) = shared.state.lock().take(Instant::now()) else { break };
                    let span = debug_span!("reconcile", %key);
                    let work = reconcile(key.clone());
                    working.push(async move { (key, work.await) }.instrument(span));
                }
                let free = working.len() < workers.max(1);
                let due = shared.state.lock().next_due().filter(|_due| free);
                tokio::select! {
                    biased;
                    () = token.cancelled() => break,
                    Some((key, result)) = working.next(), if !working.is_empty() => {
                        shared.finish(&name, key, result);
                    }
                    () = shared.wake.notified(), if free => {}
                    () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)),
                        if due.is_some() => {}
                }
            }
            let rest = async { while working.next().await.is_some() {} };
            let _dropped = tokio::time::timeout(LAST_WORDS, rest).await;
            Ok(())
        });
    }
}

impl<K: Clone + Eq + Hash + fmt::Display> Shared<K> {
    fn finish<E>(&self, queue: &str, key: K, result: Result<Outcome, E>)
    where
        E: std::error::Error + 'static,
    {
        let now = Instant::now();
        match result {
            Ok(Outcome::Done) => self.state.lock().succeeded(key, None),
            Ok(Outcome::After(delay)) => self.state.lock().succeeded(key, Some(now + delay)),
            Err(error) => {
                let mut state = self.state.lock();
                let failures = state.failures(&key) + 1;
                let delay = self.backoff.delay(failures, rand::random());
                match conflict(&error) {
                    // Somebody else wrote first, which is how optimistic writes work.
                    Some(status) if failures == 1 => {
                        let (reason, message) = (&status.reason, &status.message);
                        debug!(queue, %key, ?delay, "will retry: {reason}: {message}");
                    }
                    Some(status) => {
                        let error = format!("{}: {}", status.reason, status.message);
                        warn!(queue, %key, failures, ?delay, error, "will retry");
                    }
                    None => {
                        let error = error_chain(&error);
                        warn!(queue, %key, failures, ?delay, error, "will retry");
                    }
                }
                state.failed(key, now + delay);
            }
        }
    }
}

/// The server's refusal of a write that was based on an older revision, if `error` is about one.
fn conflict<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e kube::core::Status> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(kube::Error::Api(status)) = error.downcast_ref::<kube::Error>() {
            return (status.code == 409 && status.reason == "Conflict").then_some(&**status);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no luck")]
    struct NoLuck;

    #[tokio::test(start_paused = true)]
    async fn a_key_is_never_worked_on_twice_at_once() {
        let queue = WorkQueue::<&str>::default();
        let group = TaskGroup::new("test");
        let (running, runs) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let done = Arc::new(Notify::new());
        let (running_in, runs_in, done_in) =
            (Arc::clone(&running), Arc::clone(&runs), Arc::clone(&done));
        queue.run(&group, "test", 8, move |_key| {
            let (running, runs, done) =
                (Arc::clone(&running_in), Arc::clone(&runs_in), Arc::clone(&done_in));
            async move {
                assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0);
                tokio::time::sleep(Duration::from_secs(1)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                runs.fetch_add(1, Ordering::SeqCst);
                done.notify_one();
                Ok::<_, NoLuck>(Outcome::Done)
            }
        });
        queue.add("a");
        tokio::time::sleep(Duration::from_millis(500)).await;
        for _ in 0..10 {
            queue.add("a");
        }
        done.notified().await;
        done.notified().await;
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(runs.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_key_comes_back_until_it_succeeds() {
        let queue = WorkQueue::<&str>::default();
        let group = TaskGroup::new("test");
        let runs = Arc::new(AtomicUsize::new(0));
        let done = Arc::new(Notify::new());
        let (runs_in, done_in) = (Arc::clone(&runs), Arc::clone(&done));
        queue.run(&group, "test", 1, move |_key| {
            let (runs, done) = (Arc::clone(&runs_in), Arc::clone(&done_in));
            async move {
                if runs.fetch_add(1, Ordering::SeqCst) < 5 {
                    return Err(NoLuck);
                }
                done.notify_one();
                Ok(Outcome::Done)
            }
        });
        queue.add("a");
        done.notified().await;
        assert_eq!(runs.load(Ordering::SeqCst), 6);
    }
}
