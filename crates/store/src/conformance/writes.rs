//! Writes, conflicts, and the order of revisions.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::join_all;

use super::{good, text};
use crate::error::{ReadError, StoreError, WatchError, WriteError};
use crate::store::Store;
use crate::types::{ListOptions, Revision};

/// A second creation gets what is there; after a deletion it works again.
///
/// # Panics
/// If the promise is broken.
pub async fn creating_twice_is_refused(store: Arc<dyn Store>) {
    assert_eq!(good(store.get("a").await), None);
    let first = good(store.create("a", text("1")).await);
    match store.create("a", text("2")).await {
        Err(WriteError::Exists(entry)) => {
            assert_eq!((&*entry.key, &*entry.value), ("a", b"1".as_slice()));
            assert_eq!((entry.revision, entry.created), (first, first));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(good(store.progress().await), first, "a refused write has no revision");
    good(store.delete("a", None).await);
    let again = good(store.create("a", text("3")).await);
    let entry = good(store.get("a").await).expect("the entry was created again");
    assert_eq!(entry.created, again, "a new life starts with its own creation");
}

/// An update needs the revision that is there, if it names one.
///
/// # Panics
/// If the promise is broken.
pub async fn updating_needs_the_right_revision(store: Arc<dyn Store>) {
    assert!(matches!(store.update("a", text("0"), None).await, Err(WriteError::Conflict(None))));
    let created = good(store.create("a", text("1")).await);
    let updated = good(store.update("a", text("2"), Some(created)).await);
    assert_eq!(updated, created.next());
    match store.update("a", text("3"), Some(created)).await {
        Err(WriteError::Conflict(Some(entry))) => {
            assert_eq!(entry.value, text("2"));
            assert_eq!((entry.revision, entry.created), (updated, created));
        }
        other => panic!("{other:?}"),
    }
    let forced = good(store.update("a", text("4"), None).await);
    let entry = good(store.get("a").await).expect("the entry exists");
    assert_eq!((entry.revision, entry.created), (forced, created));
    assert_eq!(entry.value, text("4"));
}

/// A deletion needs the revision that is there, if it names one.
///
/// # Panics
/// If the promise is broken.
pub async fn deleting_needs_the_right_revision(store: Arc<dyn Store>) {
    assert!(matches!(store.delete("a", None).await, Err(WriteError::Conflict(None))));
    let created = good(store.create("a", text("1")).await);
    let updated = good(store.update("a", text("2"), None).await);
    match store.delete("a", Some(created)).await {
        Err(WriteError::Conflict(Some(entry))) => assert_eq!(entry.revision, updated),
        other => panic!("{other:?}"),
    }
    assert_eq!(good(store.delete("a", Some(updated)).await), updated.next());
    assert_eq!(good(store.get("a").await), None);
    assert!(matches!(
        store.update("a", text("3"), Some(updated)).await,
        Err(WriteError::Conflict(None))
    ));
}

/// Empty and large values, and keys of any characters, come back as they were.
///
/// # Panics
/// If the promise is broken.
pub async fn keys_and_values_are_just_bytes(store: Arc<dyn Store>) {
    let large = Bytes::from((0..1_500_000_u32).map(|i| (i % 251) as u8).collect::<Vec<_>>());
    for (key, value) in [
        ("/registry/core/pods/default/web", text("{}")),
        ("empty value", Bytes::new()),
        ("große Namen/ü/😀", text("x")),
        ("nul \0 inside", Bytes::from_static(&[0, 255, 0])),
        ("large", large),
    ] {
        good(store.create(key, value.clone()).await);
        let entry = good(store.get(key).await).expect("the entry was created");
        assert_eq!((&*entry.key, &entry.value), (key, &value), "{key}");
    }
}

/// What was acknowledged is read by whoever asks next, in every way.
///
/// # Panics
/// If the promise is broken.
pub async fn acknowledged_writes_are_visible_at_once(store: Arc<dyn Store>) {
    for i in 0..50 {
        let key = format!("k{i:02}");
        let revision = good(store.create(&key, text("v")).await);
        let entry = good(store.get(&key).await).expect("the entry was acknowledged");
        assert_eq!(entry.revision, revision);
        let page = good(store.list("k", ListOptions::default()).await);
        assert_eq!(page.entries.len(), i + 1);
        assert_eq!(page.revision, revision);
        assert_eq!(good(store.progress().await), revision);
    }
}

/// Writers at the same time get revisions without gaps or twins, and exactly one wins each key.
///
/// # Panics
/// If the promise is broken.
pub async fn concurrent_writers_get_a_total_order(store: Arc<dyn Store>) {
    let writers = (0..16).map(|writer| {
        let store = Arc::clone(&store);
        async move {
            let mut won = Vec::new();
            for round in 0..20 {
                match store.create(&format!("k{round}"), text(writer.to_string())).await {
                    Ok(revision) => won.push((revision, round, writer)),
                    Err(WriteError::Exists(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            won
        }
    });
    let mut won = join_all(writers).await.concat();
    won.sort_unstable();
    let expected: Vec<Revision> = (1..=20).map(Revision).collect();
    assert_eq!(won.iter().map(|(revision, ..)| *revision).collect::<Vec<_>>(), expected);
    for (revision, round, writer) in won {
        let entry = good(store.get(&format!("k{round}")).await).expect("somebody won");
        assert_eq!((entry.revision, entry.value), (revision, text(writer.to_string())));
    }
}

/// Counting up by read, compare and write loses no step.
///
/// # Panics
/// If the promise is broken.
pub async fn concurrent_updates_lose_nothing(store: Arc<dyn Store>) {
    good(store.create("counter", text("0")).await);
    let count_up = |_| {
        let store = Arc::clone(&store);
        async move {
            let mut done = 0;
            while done < 25 {
                let entry = good(store.get("counter").await).expect("the counter exists");
                let count: u32 = good(good(std::str::from_utf8(&entry.value)).parse());
                let count = text((count + 1).to_string());
                match store.update("counter", count, Some(entry.revision)).await {
                    Ok(_) => done += 1,
                    Err(WriteError::Conflict(Some(_))) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
    };
    join_all((0..8).map(count_up)).await;
    let entry = good(store.get("counter").await).expect("the counter exists");
    assert_eq!(entry.value, text("200"));
    assert_eq!(entry.revision, Revision(201), "only successful writes have a revision");
}

/// Compaction forgets the past and nothing else.
///
/// # Panics
/// If the promise is broken.
pub async fn compaction_keeps_the_present(store: Arc<dyn Store>) {
    for i in 0..30 {
        good(store.create(&format!("k{i:02}"), text("old")).await);
    }
    for i in 0..20 {
        good(store.update(&format!("k{i:02}"), text("new"), None).await);
    }
    for i in 0..10 {
        good(store.delete(&format!("k{i:02}"), None).await);
    }
    let before = good(store.list("", ListOptions::default()).await);
    good(store.compact(before.revision).await);
    good(store.compact(before.revision).await);
    good(store.compact(Revision(3)).await);
    let after = good(store.list("", ListOptions::default()).await);
    assert_eq!(after, before);
    assert_eq!(good(store.get("k05").await), None);
    let again = good(store.create("k05", text("again")).await);
    assert_eq!(again, before.revision.next());
    good(store.compact(Revision(u64::MAX)).await);
    assert_eq!(good(store.list("", ListOptions::default()).await).entries.len(), 21);
}

/// The base starts at zero and never falls.
///
/// # Panics
/// If the promise is broken.
pub async fn the_base_only_rises(store: Arc<dyn Store>) {
    assert_eq!(good(store.base().await), 0);
    assert_eq!(good(store.raise_base(70).await), 70);
    assert_eq!(good(store.raise_base(7).await), 70);
    assert_eq!(good(store.base().await), 70);
    assert_eq!(good(store.create("a", text("1")).await), Revision(1));
}

/// A replacement is all there is afterwards, at revisions that nobody has seen; older watches and
/// lists are refused, and new ones go on from it.
///
/// # Panics
/// If the promise is broken.
pub async fn a_replacement_begins_a_new_history(store: Arc<dyn Store>) {
    good(store.create("kept", text("old")).await);
    let before = good(store.create("lost", text("old")).await);
    let mut cut_off = good(store.watch("", before).await);
    let entries = [("kept", "new"), ("more", "new")];
    let at_least = Revision(1_000_000);
    let entries = entries.map(|(key, value)| Ok((key.into(), text(value))));
    let after = good(store.replace(Box::new(entries.into_iter()), at_least).await);
    assert!(after > at_least, "{after}");
    assert_eq!(good(store.progress().await), after);

    let page = good(store.list("", ListOptions::default()).await);
    assert_eq!(page.revision, after);
    let shown: Vec<_> =
        page.entries.iter().map(|entry| (&*entry.key, entry.value.clone())).collect();
    assert_eq!(shown, [("kept", text("new")), ("more", text("new"))]);
    assert!(page.entries.iter().all(|entry| entry.revision > at_least), "{page:?}");
    assert_eq!(good(store.get("lost").await), None);

    let cut_off = cut_off.next().await;
    assert!(matches!(cut_off, Some(Err(WatchError::Compacted { .. }))), "{cut_off:?}");
    assert!(matches!(store.watch("", before).await, Err(WatchError::Compacted { .. })));
    let old = ListOptions { at: Some(before), ..ListOptions::default() };
    assert!(matches!(store.list("", old).await, Err(ReadError::Compacted { .. })));

    let mut watch = good(store.watch("", after).await);
    let revision = good(store.create("lost", text("again")).await);
    assert_eq!(revision, after.next());
    assert_eq!(super::next_batch(&mut watch).await.revision, revision);
    good(store.update("kept", text("newer"), Some(page.entries[0].revision)).await);

    let last = good(store.replace(Box::new(std::iter::empty()), Revision::ZERO).await);
    assert!(last > revision, "nothing at all has a revision, too");
    assert_eq!(good(store.list("", ListOptions::default()).await).entries, []);
    assert_eq!(good(store.create("first", text("x")).await), last.next());
}

/// A replacement that breaks off has not happened.
///
/// # Panics
/// If the promise is broken.
pub async fn a_failed_replacement_changes_nothing(store: Arc<dyn Store>) {
    let before = good(store.create("a", text("old")).await);
    let entries = [Ok(("b".into(), text("new"))), Err(StoreError::NoSpace)];
    let failed = store.replace(Box::new(entries.into_iter()), Revision(99)).await;
    assert!(matches!(failed, Err(StoreError::NoSpace)), "{failed:?}");
    assert_eq!(good(store.progress().await), before);
    assert_eq!(good(store.get("a").await).map(|entry| entry.revision), Some(before));
    assert_eq!(good(store.get("b").await), None);
    assert_eq!(good(store.create("b", text("x")).await), before.next());
}
