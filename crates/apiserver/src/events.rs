//! Events live for a while after they were last written, as leases of the store do it elsewhere.
//!
//! All have the same time to live, so that they end in the order in which they were written: a queue
//! is enough, and idle events cost nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;
use wk_api::parse_time;
use wk_process::BoxError;
use wk_store::Key;

use crate::changes::ChangeKind;
use crate::object::Object;
use crate::server::ApiServer;

/// So many are deleted at once.
const BATCH: usize = 64;
/// The queue is looked at this often while nothing else happens.
const IDLE: Duration = Duration::from_hours(1);

/// An event and when it ends, if it is not written again.
#[derive(Debug)]
struct Due {
    at: Instant,
    key: Key,
    revision: u64,
}

/// Deletes events that were last written `lifetime` ago, until cancelled.
pub(crate) async fn expire(server: Arc<ApiServer>, lifetime: Duration) -> Result<(), BoxError> {
    let token = server.tasks.token();
    let Some(events) = server.catalog.get("", "v1", "events") else {
        token.cancelled().await;
        return Ok(());
    };
    let shelf = &events.shelf;
    let mut bell = shelf.subscribe();
    let mut cursor = 0;
    let mut queue: VecDeque<Due> = VecDeque::new();
    let mut missed = true;
    loop {
        if std::mem::take(&mut missed) {
            let snapshot = shelf.snapshot(&shelf.prefix, usize::MAX, 0, |_| true);
            cursor = snapshot.revision;
            queue = all(&snapshot.objects, lifetime);
        }
        bell.borrow_and_update();
        match shelf.changes(cursor, 256) {
            Err(_) => missed = true,
            Ok(changes) if changes.is_empty() => {
                let next = queue.front().map_or_else(|| Instant::now() + IDLE, |due| due.at);
                tokio::select! {
                    biased;
                    () = token.cancelled() => return Ok(()),
                    rung = bell.changed() => rung?,
                    () = tokio::time::sleep_until(next) => end_due(&server, &mut queue).await,
                }
            }
            Ok(changes) => {
                let at = Instant::now() + lifetime;
                for change in changes {
                    cursor = change.revision;
                    if change.kind != ChangeKind::Deleted {
                        let key = Arc::clone(change.object.key());
                        queue.push_back(Due { at, key, revision: change.revision });
                    }
                }
            }
        }
    }
}

/// When each of these events ends, the first one first.
fn all(objects: &[Arc<Object>], lifetime: Duration) -> VecDeque<Due> {
    let (now, wall) = (Instant::now(), Timestamp::now());
    let mut queue: Vec<Due> = objects
        .iter()
        .map(|object| {
            let left = left(&object.value(), wall, lifetime);
            Due { at: now + left, key: Arc::clone(object.key()), revision: object.revision }
        })
        .collect();
    queue.sort_by_key(|due| due.at);
    queue.into()
}

/// How much of an event's life is left, going by the newest time in it.
fn left(event: &Value, now: Timestamp, lifetime: Duration) -> Duration {
    let times = [
        &event["series"]["lastObservedTime"],
        &event["lastTimestamp"],
        &event["eventTime"],
        &event["metadata"]["creationTimestamp"],
    ];
    let newest = times.into_iter().filter_map(|time| parse_time(time.as_str()?)).max();
    let age = newest.map_or(0, |newest| now.as_second() - newest.as_second());
    lifetime.saturating_sub(Duration::from_secs(u64::try_from(age).unwrap_or(0)))
}

async fn end_due(server: &ApiServer, queue: &mut VecDeque<Due>) {
    let now = Instant::now();
    loop {
        let due = queue.iter().take(BATCH).take_while(|due| due.at <= now).count();
        if due == 0 {
            return;
        }
        // At the same time, so that they share a commit of the store. One that was written or
        // deleted meanwhile is a conflict: another entry counts for it.
        let ends = queue.drain(..due).map(|due| async move {
            let _ = server.storage.delete(&due.key, due.revision).await;
        });
        futures::future::join_all(ends).await;
    }
}
