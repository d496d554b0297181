//! The promises of [`Store`](crate::Store) as tests that every implementation runs.
//!
//! Each check is a function that takes an empty store and panics where a promise is broken;
//! [`conformance_suite!`](crate::conformance_suite) makes a test of each. [`model`] compares a store
//! with an ordered map under any sequence of operations, which the property tests make up.

mod lists;
pub mod model;
mod watches;
mod writes;

use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;

pub use lists::{
    lists_are_ordered_and_keep_to_their_prefix, lists_at_a_revision_show_the_past,
    lists_outside_the_history_are_refused, pages_are_one_snapshot_while_writers_go_on,
};
pub use watches::{
    a_watch_can_start_in_the_future, a_watch_delivers_every_event_once_and_in_order,
    a_watch_keeps_to_its_prefix, a_watch_resumes_where_it_stopped,
    a_watch_that_starts_before_the_compaction_is_refused, many_watches_see_the_same_events,
    progress_comes_after_the_events_it_covers,
    slow_watches_never_slow_writers_and_are_cut_off_by_compaction, watches_carry_previous_values,
};
pub use writes::{
    a_failed_replacement_changes_nothing, a_replacement_begins_a_new_history,
    acknowledged_writes_are_visible_at_once, compaction_keeps_the_present,
    concurrent_updates_lose_nothing, concurrent_writers_get_a_total_order,
    creating_twice_is_refused, deleting_needs_the_right_revision, keys_and_values_are_just_bytes,
    the_base_only_rises, updating_needs_the_right_revision,
};

use crate::store::WatchStream;
use crate::types::{Batch, WatchItem};

/// How long a check waits for what must come: far longer than any honest store takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes a test of every check. `$fresh` is the path of a function that returns an empty store as
/// `Arc<dyn Store>` together with whatever must outlive it.
#[macro_export]
macro_rules! conformance_suite {
    ($fresh:path) => {
        $crate::conformance_suite! { $fresh:
            creating_twice_is_refused
            updating_needs_the_right_revision
            deleting_needs_the_right_revision
            keys_and_values_are_just_bytes
            acknowledged_writes_are_visible_at_once
            concurrent_writers_get_a_total_order
            concurrent_updates_lose_nothing
            compaction_keeps_the_present
            the_base_only_rises
            a_replacement_begins_a_new_history
            a_failed_replacement_changes_nothing
            lists_are_ordered_and_keep_to_their_prefix
            lists_at_a_revision_show_the_past
            lists_outside_the_history_are_refused
            pages_are_one_snapshot_while_writers_go_on
            a_watch_delivers_every_event_once_and_in_order
            a_watch_keeps_to_its_prefix
            a_watch_resumes_where_it_stopped
            a_watch_can_start_in_the_future
            a_watch_that_starts_before_the_compaction_is_refused
            many_watches_see_the_same_events
            watches_carry_previous_values
            progress_comes_after_the_events_it_covers
            slow_watches_never_slow_writers_and_are_cut_off_by_compaction
        }
    };
    ($fresh:path: $($check:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                let (store, _keep) = $fresh();
                $crate::conformance::$check(store).await;
            }
        )*
    };
}

/// The next item of a watch, or a panic if none comes.
async fn next(watch: &mut WatchStream) -> WatchItem {
    let item = tokio::time::timeout(PATIENCE, watch.next()).await;
    match item.expect("a watch delivers what happens") {
        Some(Ok(item)) => item,
        Some(Err(error)) => panic!("the watch failed: {error}"),
        None => panic!("the watch ended without an error"),
    }
}

/// The next events of a watch; progress in between is skipped.
async fn next_batch(watch: &mut WatchStream) -> Batch {
    loop {
        if let WatchItem::Events(batch) = next(watch).await {
            assert!(!batch.events.is_empty(), "a batch holds events");
            let revision = batch.revision;
            assert!(
                batch.events.iter().all(|event| event.revision() == revision),
                "a batch is one revision: {batch:?}"
            );
            return batch;
        }
    }
}

/// The value of a result that must be good.
#[track_caller]
fn good<T, E: Debug>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("refused: {error:?}"),
    }
}

fn text(value: impl Into<String>) -> Bytes {
    Bytes::from(value.into())
}
