//! Watches: the six promises (ordered, unique, reliable, atomic, resumable, bookmarkable), previous
//! values, and what happens to a reader that is too slow.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::{join, join_all};

use super::{PATIENCE, good, next, next_batch, text};
use crate::error::WatchError;
use crate::store::Store;
use crate::types::{Entry, Event, Revision, WatchItem};

/// Every event comes once and in order, those of the past and those of the future, also while
/// several writers write.
///
/// # Panics
/// If the promise is broken.
pub async fn a_watch_delivers_every_event_once_and_in_order(store: Arc<dyn Store>) {
    let write = |writer: usize| {
        let store = Arc::clone(&store);
        async move {
            for i in 0..40 {
                let key = format!("{writer}/{}", i % 7);
                // Each key's story is create, update, delete and again.
                match i / 7 % 3 {
                    0 => good(store.create(&key, text(i.to_string())).await),
                    1 => good(store.update(&key, text(i.to_string()), None).await),
                    _ => good(store.delete(&key, None).await),
                };
            }
        }
    };
    write(0).await;
    let mut watch = good(store.watch("", Revision::ZERO).await);
    let reader = async {
        for expected in 1..=200 {
            let batch = next_batch(&mut watch).await;
            assert_eq!(batch.revision, Revision(expected));
        }
    };
    join(reader, join_all((1..5).map(write))).await;
}

/// A watch sees its prefix and nothing else.
///
/// # Panics
/// If the promise is broken.
pub async fn a_watch_keeps_to_its_prefix(store: Arc<dyn Store>) {
    let mut watch = good(store.watch("/b/", Revision::ZERO).await);
    for key in ["/a/1", "/b/1", "/b", "/b/2", "/b0", "/c/1", "/b/3"] {
        good(store.create(key, text("v")).await);
    }
    good(store.delete("/b/2", None).await);
    good(store.delete("/c/1", None).await);
    for (key, revision) in [("/b/1", 2), ("/b/2", 4), ("/b/3", 7), ("/b/2", 8)] {
        let batch = next_batch(&mut watch).await;
        assert_eq!((&**batch.events[0].key(), batch.revision), (key, Revision(revision)));
    }
}

/// Watching again from the last revision received misses nothing and repeats nothing.
///
/// # Panics
/// If the promise is broken.
pub async fn a_watch_resumes_where_it_stopped(store: Arc<dyn Store>) {
    let mut from = Revision::ZERO;
    for round in 0..10 {
        let mut watch = good(store.watch("k", from).await);
        for i in 0..5 {
            good(store.create(&format!("k{round}-{i}"), text("v")).await);
        }
        // Two of five each time: the backlog grows.
        for _ in 0..2 {
            let batch = next_batch(&mut watch).await;
            assert_eq!(batch.revision, from.next());
            from = batch.revision;
        }
    }
    let mut watch = good(store.watch("k", from).await);
    while from < Revision(50) {
        let batch = next_batch(&mut watch).await;
        assert_eq!(batch.revision, from.next());
        from = batch.revision;
    }
}

/// A watch from a revision that has not happened leaves out what comes before.
///
/// # Panics
/// If the promise is broken.
pub async fn a_watch_can_start_in_the_future(store: Arc<dyn Store>) {
    let mut watch = good(store.watch("", Revision(3)).await);
    for i in 0..5 {
        good(store.create(&format!("k{i}"), text("v")).await);
    }
    assert_eq!(next_batch(&mut watch).await.revision, Revision(4));
    assert_eq!(next_batch(&mut watch).await.revision, Revision(5));
}

/// A watch whose events are partly compacted is refused, and told where it could start.
///
/// # Panics
/// If the promise is broken.
pub async fn a_watch_that_starts_before_the_compaction_is_refused(store: Arc<dyn Store>) {
    for i in 0..10 {
        good(store.create(&format!("k{i}"), text("v")).await);
    }
    good(store.compact(Revision(6)).await);
    match store.watch("", Revision(5)).await.map(|_| "a stream") {
        Err(WatchError::Compacted { oldest: Revision(6) }) => {}
        other => panic!("{other:?}"),
    }
    let mut watch = good(store.watch("", Revision(6)).await);
    assert_eq!(next_batch(&mut watch).await.revision, Revision(7));
}

/// Every watch gets everything, however many there are.
///
/// # Panics
/// If the promise is broken.
pub async fn many_watches_see_the_same_events(store: Arc<dyn Store>) {
    let mut watches = Vec::new();
    for _ in 0..100 {
        watches.push(good(store.watch("k", Revision::ZERO).await));
    }
    let read = watches.iter_mut().map(|watch| async move {
        for expected in 1..=50 {
            assert_eq!(next_batch(watch).await.revision, Revision(expected));
        }
    });
    let write = async {
        for i in 0..50 {
            good(store.create(&format!("k{i}"), text("v")).await);
        }
    };
    join(join_all(read), write).await;
}

/// Updates and deletions carry what was there before.
///
/// # Panics
/// If the promise is broken.
pub async fn watches_carry_previous_values(store: Arc<dyn Store>) {
    good(store.create("a", text("1")).await);
    good(store.update("a", text("2"), None).await);
    good(store.delete("a", None).await);
    good(store.create("a", text("4")).await);
    let entry = |value: &str, revision, created| Entry {
        key: "a".into(),
        value: text(value),
        revision: Revision(revision),
        created: Revision(created),
    };
    let expected = [
        Event::Put { entry: entry("1", 1, 1), previous: None },
        Event::Put { entry: entry("2", 2, 1), previous: Some(entry("1", 1, 1)) },
        Event::Delete { previous: entry("2", 2, 1), revision: Revision(3) },
        Event::Put { entry: entry("4", 4, 4), previous: None },
    ];
    let mut watch = good(store.watch("", Revision::ZERO).await);
    for event in &expected {
        assert_eq!(&*next_batch(&mut watch).await.events, std::slice::from_ref(event));
    }
    // What a compacted revision left behind is still the previous value of the next one.
    good(store.compact(Revision(1)).await);
    let mut watch = good(store.watch("", Revision(1)).await);
    assert_eq!(&*next_batch(&mut watch).await.events, &expected[1..2]);
}

/// Progress is answered by every watch, after the events up to it.
///
/// # Panics
/// If the promise is broken.
pub async fn progress_comes_after_the_events_it_covers(store: Arc<dyn Store>) {
    let mut all = good(store.watch("", Revision::ZERO).await);
    let mut other = good(store.watch("other/", Revision::ZERO).await);
    for round in 1..=10 {
        good(store.create(&format!("k{round}"), text("v")).await);
        let current = good(store.progress().await);
        assert_eq!(current, Revision(round));
        let batch = next_batch(&mut all).await;
        assert_eq!(batch.revision, current);
        for watch in [&mut all, &mut other] {
            match next(watch).await {
                WatchItem::Progress(revision) => assert_eq!(revision, current),
                WatchItem::Events(batch) => panic!("{batch:?} instead of progress"),
            }
        }
    }
}

/// A reader that stops reading neither slows writers nor loses events, until what it has not read
/// is compacted; then it is told.
///
/// # Panics
/// If the promise is broken.
pub async fn slow_watches_never_slow_writers_and_are_cut_off_by_compaction(store: Arc<dyn Store>) {
    let mut slow = good(store.watch("", Revision::ZERO).await);
    let mut stuck = good(store.watch("", Revision::ZERO).await);
    good(store.create("k", text("v")).await);
    next_batch(&mut slow).await;
    next_batch(&mut stuck).await;
    // More than any window keeps in memory.
    let value = Bytes::from(vec![7; 64 << 10]);
    let writes = (0..8).map(|_| {
        let (store, value) = (&store, &value);
        async move {
            for _ in 0..64 {
                good(store.update("k", value.clone(), None).await);
            }
        }
    });
    let written = tokio::time::timeout(PATIENCE, join_all(writes)).await;
    assert!(written.is_ok(), "a slow watch slows the writers");
    for expected in 2..=513 {
        assert_eq!(next_batch(&mut slow).await.revision, Revision(expected));
    }
    good(store.compact(Revision(400)).await);
    let cut_off = async {
        let mut at = Revision(1);
        loop {
            match stuck.next().await {
                Some(Ok(WatchItem::Events(batch))) => {
                    assert_eq!(batch.revision, at.next(), "no gap before the end");
                    at = batch.revision;
                }
                Some(Ok(WatchItem::Progress(_))) => {}
                Some(Err(WatchError::Compacted { oldest: Revision(400) })) => return,
                other => panic!("{other:?}"),
            }
        }
    };
    let ended = tokio::time::timeout(PATIENCE, cut_off).await;
    assert!(ended.is_ok(), "a watch that was overtaken by compaction must end");
    assert!(stuck.next().await.is_none(), "the error is the last item");
}
