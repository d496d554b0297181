//! Tasks with an owner.
//!
//! A detached task can die without anybody noticing and can keep a process from ending. So tasks
//! belong to a [`TaskGroup`]: they have a name, share a cancellation token, are awaited at
//! shutdown, and a task that ends unasked is reported to whoever waits on [`TaskGroup::failed`].

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, error, info_span};

/// Any error a task may end with; whoever reports it prints its chain.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Why a task ended although nobody had asked it to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("task `{task}` ended unexpectedly: {reason}")]
pub struct TaskFailure {
    /// The name that the task was spawned with.
    pub task: String,
    /// The error's chain, the panic's message, or that the task simply returned.
    pub reason: String,
}

/// A set of named tasks that live and end together. Clones share one set.
#[derive(Clone)]
pub struct TaskGroup {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    token: CancellationToken,
    tracker: TaskTracker,
    next_id: AtomicU64,
    running: Mutex<BTreeMap<u64, String>>,
    failure: watch::Sender<Option<TaskFailure>>,
}

impl TaskGroup {
    /// An empty group; `name` appears in logs.
    pub fn new(name: impl Into<String>) -> Self {
        Self::with_token(name, CancellationToken::new())
    }

    /// An empty group whose token is a child of this group's: cancelling this one cancels it too,
    /// while its own shutdown leaves this group running.
    #[must_use]
    pub fn child(&self, name: impl Into<String>) -> Self {
        Self::with_token(name, self.shared.token.child_token())
    }

    fn with_token(name: impl Into<String>, token: CancellationToken) -> Self {
        Self {
            shared: Arc::new(Shared {
                name: name.into(),
                token,
                tracker: TaskTracker::new(),
                next_id: AtomicU64::new(0),
                running: Mutex::default(),
                failure: watch::Sender::new(None),
            }),
        }
    }

    /// The token that tells the tasks of this group to end.
    pub fn token(&self) -> CancellationToken {
        self.shared.token.clone()
    }

    /// Starts a task that is meant to run until the group is cancelled.
    ///
    /// If it returns earlier, fails or panics, [`TaskGroup::failed`] says so. Must be called
    /// within a Tokio runtime.
    pub fn spawn<F>(&self, name: impl Into<String>, task: F)
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        let name = name.into();
        let shared = Arc::clone(&self.shared);
        let id = shared.started(&name);
        let span = info_span!("task", name = %name);
        let watched = async move {
            let outcome = AssertUnwindSafe(task).catch_unwind().await;
            shared.ended(id);
            let reason = match outcome {
                Ok(_) if shared.token.is_cancelled() => return,
                Ok(Ok(())) => "it returned".to_owned(),
                Ok(Err(error)) => chain(&*error),
                Err(panic) => panic_message(&*panic),
            };
            error!(task = %name, %reason, "task ended unasked");
            shared.failure.send_if_modified(|first| {
                let is_first = first.is_none();
                first.get_or_insert(TaskFailure { task: name, reason });
                is_first
            });
        };
        self.shared.tracker.spawn(watched.instrument(span));
    }

    /// Starts a task that may end at any time: one connection, one request, one container.
    ///
    /// It is awaited at shutdown like the others, and a panic in it is logged, but its end is no
    /// failure of the group. It is not cancelled by itself: it has to watch the token.
    pub fn spawn_quiet<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // Not an `async` block, which would hold the task twice: there are thousands of idle ones.
        self.shared.tracker.spawn(AssertUnwindSafe(task).catch_unwind().map(move |outcome| {
            if let Err(panic) = outcome {
                error!(task = name, reason = panic_message(&*panic), "task panicked");
            }
        }));
    }

    /// Waits until a task of the group ends unasked; pending for ever while none does.
    ///
    /// Cancel safe.
    pub async fn failed(&self) -> TaskFailure {
        let mut failure = self.shared.failure.subscribe();
        let seen = failure.wait_for(Option::is_some).await;
        match seen.ok().and_then(|failure| failure.clone()) {
            Some(failure) => failure,
            // Unreachable while `self` holds the sender.
            None => std::future::pending().await,
        }
    }

    /// Cancels every task and waits for them, at most `grace` (wall-clock).
    ///
    /// Returns the names of the tasks that had not ended by then; empty is a clean stop.
    pub async fn shutdown(&self, grace: Duration) -> Vec<String> {
        self.shared.token.cancel();
        self.shared.tracker.close();
        if tokio::time::timeout(grace, self.shared.tracker.wait()).await.is_ok() {
            return Vec::new();
        }
        self.shared.lock_running().values().cloned().collect()
    }
}

impl fmt::Debug for TaskGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup")
            .field("name", &self.shared.name)
            .field("running", &self.shared.lock_running().values().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn started(&self, name: &str) -> u64 {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.lock_running().insert(id, name.to_owned());
        id
    }

    fn ended(&self, id: u64) {
        self.lock_running().remove(&id);
    }

    fn lock_running(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, String>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    format!("panic: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_task_that_returns_unasked_is_a_failure() {
        let group = TaskGroup::new("test");
        group.spawn("short", async { Ok(()) });
        let failure = group.failed().await;
        assert_eq!(failure.task, "short");
        assert_eq!(failure.reason, "it returned");
    }

    #[tokio::test]
    async fn a_panic_is_reported_with_its_message() {
        let group = TaskGroup::new("test");
        group.spawn("loud", async { panic!("no such thing") });
        assert_eq!(group.failed().await.reason, "panic: no such thing");
    }

    #[tokio::test]
    async fn tasks_that_heed_the_token_stop_cleanly() {
        let group = TaskGroup::new("test");
        let token = group.token();
        group.spawn("patient", async move {
            token.cancelled().await;
            Ok(())
        });
        assert!(group.shutdown(GRACE).await.is_empty());
        assert!(group.failed().now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_stop_is_named() {
        let group = TaskGroup::new("test");
        group.spawn("stubborn", std::future::pending());
        assert_eq!(group.shutdown(GRACE).await, ["stubborn"]);
    }

    #[tokio::test]
    async fn a_child_group_stops_alone_but_ends_with_its_parent() {
        let parent = TaskGroup::new("parent");
        let child = parent.child("child");
        assert!(child.shutdown(GRACE).await.is_empty());
        assert!(!parent.token().is_cancelled());
        let other = parent.child("other");
        parent.token().cancel();
        assert!(other.token().is_cancelled());
    }
}
