//! One queue of times for all pods: at each, a pod is looked at again.

use std::collections::HashMap;

use futures::StreamExt as _;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::time::{DelayQueue, delay_queue};

/// Where times are handed in.
#[derive(Clone, Debug)]
pub(crate) struct Timers {
    sender: mpsc::Sender<(String, Instant)>,
}

/// Where they come out: the end that [`run`] takes.
#[derive(Debug)]
pub(crate) struct Pending(mpsc::Receiver<(String, Instant)>);

impl Timers {
    pub(crate) fn new() -> (Self, Pending) {
        let (sender, receiver) = mpsc::channel(256);
        (Self { sender }, Pending(receiver))
    }

    /// Has the pod looked at when `at` has come; of several times the earliest counts.
    pub(crate) async fn at(&self, uid: &str, at: Timestamp, now: Timestamp) {
        let delay = std::time::Duration::try_from(at.duration_since(now)).unwrap_or_default();
        // The queue is gone only when the kubelet goes down.
        let _sent = self.sender.send((uid.to_owned(), Instant::now() + delay)).await;
    }
}

/// Calls `wake` with a pod's uid when its time has come, until cancelled.
pub(crate) async fn run(mut pending: Pending, token: CancellationToken, wake: impl Fn(&str)) {
    let mut queue: DelayQueue<String> = DelayQueue::new();
    let mut keys: HashMap<String, (delay_queue::Key, Instant)> = HashMap::new();
    loop {
        tokio::select! {
            biased;
            () = token.cancelled() => return,
            asked = pending.0.recv() => {
                let Some((uid, at)) = asked else { return };
                if let Some((key, known)) = keys.get_mut(&uid) {
                    if at < *known {
                        queue.reset_at(key, at);
                        *known = at;
                    }
                } else {
                    let key = queue.insert_at(uid.clone(), at);
                    keys.insert(uid, (key, at));
                }
            }
            Some(due) = queue.next(), if !queue.is_empty() => {
                let uid = due.into_inner();
                keys.remove(&uid);
                wake(&uid);
            }
        }
    }
}
