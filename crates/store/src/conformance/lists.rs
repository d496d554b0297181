//! Lists, pages and the past.

use std::sync::Arc;

use futures::future::join;

use super::{good, text};
use crate::error::ReadError;
use crate::store::Store;
use crate::types::{Entry, ListOptions, Page, Revision};

fn names(page: &Page) -> Vec<&str> {
    page.entries.iter().map(|entry| &*entry.key).collect()
}

async fn list_at(store: &Arc<dyn Store>, prefix: &str, at: Revision) -> Page {
    good(store.list(prefix, ListOptions { at: Some(at), ..ListOptions::default() }).await)
}

/// Lists follow the order of bytes and hold the prefix's keys only.
///
/// # Panics
/// If the promise is broken.
pub async fn lists_are_ordered_and_keep_to_their_prefix(store: Arc<dyn Store>) {
    for key in ["/b/2", "/a/1", "/c", "/b/10", "/b", "/b/", "/b0", "/ä/1", "/b/1/x"] {
        good(store.create(key, text(key)).await);
    }
    let page = good(store.list("/b/", ListOptions::default()).await);
    assert_eq!(names(&page), ["/b/", "/b/1/x", "/b/10", "/b/2"]);
    assert!((!page.more, page.remaining, page.revision) == (true, 0, Revision(9)), "{page:?}");
    assert!(page.entries.iter().all(|entry| entry.value == entry.key.as_bytes()));
    assert_eq!(good(store.list("", ListOptions::default()).await).entries.len(), 9);
    assert_eq!(names(&good(store.list("/ä", ListOptions::default()).await)), ["/ä/1"]);
    assert_eq!(good(store.list("/d", ListOptions::default()).await).entries, []);

    let cases: [(Option<&str>, usize, &[&str], u64); 6] = [
        (None, 2, &["/b/", "/b/1/x"], 2),
        (Some("/b/1/x"), 2, &["/b/10", "/b/2"], 0),
        (Some("/b/1/y"), 1, &["/b/10"], 1),
        (Some("/a"), 1, &["/b/"], 3),
        (Some("/b/2"), 5, &[], 0),
        (None, 0, &[], 4),
    ];
    for (start_after, limit, expected, remaining) in cases {
        let options = ListOptions {
            start_after: start_after.map(Into::into),
            limit: Some(limit),
            ..ListOptions::default()
        };
        let page = good(store.list("/b/", options).await);
        assert_eq!(names(&page), expected, "after {start_after:?}, limit {limit}");
        assert_eq!((page.remaining, page.more), (remaining, remaining > 0), "{start_after:?}");
    }
}

/// A list at an older revision shows creations, updates and deletions exactly up to it.
///
/// # Panics
/// If the promise is broken.
pub async fn lists_at_a_revision_show_the_past(store: Arc<dyn Store>) {
    good(store.create("a", text("1")).await);
    good(store.create("b", text("2")).await);
    good(store.update("a", text("3"), None).await);
    good(store.delete("b", None).await);
    good(store.create("b", text("5")).await);
    good(store.delete("a", None).await);
    let expected: [&[(&str, &str, u64, u64)]; 7] = [
        &[],
        &[("a", "1", 1, 1)],
        &[("a", "1", 1, 1), ("b", "2", 2, 2)],
        &[("a", "3", 3, 1), ("b", "2", 2, 2)],
        &[("a", "3", 3, 1)],
        &[("a", "3", 3, 1), ("b", "5", 5, 5)],
        &[("b", "5", 5, 5)],
    ];
    let check = async |from: usize| {
        for (revision, expected) in (0_u64..).zip(expected).skip(from) {
            let page = list_at(&store, "", Revision(revision)).await;
            assert_eq!(page.revision, Revision(revision));
            let expected: Vec<Entry> = expected
                .iter()
                .map(|(key, value, revision, created)| Entry {
                    key: (*key).into(),
                    value: text(*value),
                    revision: Revision(*revision),
                    created: Revision(*created),
                })
                .collect();
            assert_eq!(page.entries, expected, "at revision {revision}");
        }
    };
    check(0).await;
    for oldest in 1..=6 {
        good(store.compact(Revision(oldest)).await);
        check(usize::try_from(oldest).expect("small")).await;
    }
}

/// A list at a compacted or a future revision says so.
///
/// # Panics
/// If the promise is broken.
pub async fn lists_outside_the_history_are_refused(store: Arc<dyn Store>) {
    for i in 0..5 {
        good(store.create(&format!("k{i}"), text("v")).await);
    }
    good(store.compact(Revision(3)).await);
    let at = |at| ListOptions { at: Some(Revision(at)), ..ListOptions::default() };
    match store.list("", at(2)).await {
        Err(ReadError::Compacted { oldest: Revision(3) }) => {}
        other => panic!("{other:?}"),
    }
    match store.list("", at(6)).await {
        Err(ReadError::Future { current: Revision(5) }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(good(store.list("", at(3)).await).entries.len(), 3);
}

/// Pages at the first page's revision are one snapshot, whatever is written meanwhile.
///
/// # Panics
/// If the promise is broken.
pub async fn pages_are_one_snapshot_while_writers_go_on(store: Arc<dyn Store>) {
    for i in 0..100 {
        good(store.create(&format!("/p/{i:03}"), text("first")).await);
    }
    let writer = async {
        for i in 0..100 {
            match i % 3 {
                0 => good(store.delete(&format!("/p/{i:03}"), None).await),
                1 => good(store.update(&format!("/p/{i:03}"), text("second"), None).await),
                _ => good(store.create(&format!("/p/{i:03}x"), text("second")).await),
            };
        }
    };
    let reader = async {
        let mut seen: Vec<Entry> = Vec::new();
        let mut options = ListOptions { limit: Some(7), ..ListOptions::default() };
        loop {
            let page = good(store.list("/p/", options.clone()).await);
            let revision = *options.at.get_or_insert(page.revision);
            assert_eq!(page.revision, revision);
            seen.extend(page.entries);
            options.start_after = seen.last().map(|entry| Arc::clone(&entry.key));
            if !page.more {
                return (revision, seen);
            }
            assert!(page.remaining > 0);
        }
    };
    let ((), (revision, pages)) = join(writer, reader).await;
    assert_eq!(list_at(&store, "/p/", revision).await.entries, pages, "pages are the list");
    assert!(pages.iter().all(|entry| entry.revision <= revision));
}
