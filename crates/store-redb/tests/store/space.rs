//! Space given back to the disk while writers go on, and the check of a file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use wk_store::{ListOptions, Revision, Store, StoreError, WatchItem};
use wk_store_redb::{CommitMode, Options, RedbStore, check};

/// A store without fsyncs would be a different one: these take some seconds.
const ENTRIES: u64 = 3_000;
const VALUE: usize = 16 << 10;

fn value(seed: u64) -> Bytes {
    // Not compressible, should the disk do that.
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let bytes = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        u8::try_from(state & 0xff).unwrap()
    });
    bytes.take(VALUE).collect()
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}

async fn contents(store: &RedbStore) -> BTreeMap<String, (Bytes, u64)> {
    let page = store.list("", ListOptions::default()).await.unwrap();
    let entries = page.entries.into_iter();
    entries.map(|entry| (entry.key.to_string(), (entry.value, entry.revision.0))).collect()
}

/// Writes much, deletes most of it, and compacts.
async fn emptied(store: &Arc<RedbStore>) {
    let writes = (0..ENTRIES).map(|i| {
        let store = Arc::clone(store);
        async move { store.create(&format!("big/{i:05}"), value(i)).await }
    });
    for written in futures::future::join_all(writes).await {
        written.unwrap();
    }
    let deletions = (0..ENTRIES).filter(|i| i % 100 != 0).map(|i| {
        let store = Arc::clone(store);
        async move { store.delete(&format!("big/{i:05}"), None).await }
    });
    for deleted in futures::future::join_all(deletions).await {
        deleted.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn space_goes_back_to_the_disk_while_writers_and_watchers_go_on() {
    for commit in [CommitMode::OneSync, CommitMode::QuickRepair] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let options = Options { commit, ..Options::default() };
        let store = Arc::new(RedbStore::open(&path, &options).unwrap());
        emptied(&store).await;
        let full = length(&path);
        assert!(full > 40 << 20, "{full}");

        let stop = AtomicBool::new(false);
        let mut watch = store.watch("small/", Revision::ZERO).await.unwrap();
        let written = async {
            let mut written = 0_u64;
            while !stop.load(Ordering::Relaxed) || written < 100 {
                let key = format!("small/{}", written % 10);
                let value = Bytes::from(written.to_string());
                if written < 10 {
                    store.create(&key, value).await.unwrap();
                } else if written.is_multiple_of(7) {
                    store.delete(&key, None).await.unwrap();
                    store.create(&key, value).await.unwrap();
                } else {
                    store.update(&key, value, None).await.unwrap();
                }
                written += 1;
            }
            written
        };
        let given_back = async {
            store.compact(Revision(u64::MAX)).await.unwrap();
            while length(&path) > full / 8 {
                tokio::task::yield_now().await;
            }
            stop.store(true, Ordering::Relaxed);
        };
        let (written, ()) = futures::join!(written, given_back);
        let newest = store.progress().await.unwrap();
        // Compaction has cut off none who was up to date; whoever was not, is told.
        let mut last = Revision::ZERO;
        while last < newest {
            match futures::StreamExt::next(&mut watch).await.unwrap() {
                Ok(WatchItem::Events(batch)) => {
                    assert!(batch.revision > last);
                    last = batch.revision;
                }
                Ok(WatchItem::Progress(_)) => {}
                Err(error) => {
                    assert!(matches!(error, wk_store::WatchError::Compacted { .. }), "{error}");
                    break;
                }
            }
        }
        let before = contents(&store).await;
        assert_eq!(before.len() as u64, ENTRIES / 100 + 10);
        assert_eq!(before["big/00000"].0, value(0));
        let newest_small = before[&format!("small/{}", (written - 1) % 10)].0.clone();
        assert_eq!(newest_small, (written - 1).to_string());
        // The file that has the name now is the one that is locked and written.
        assert!(matches!(RedbStore::open(&path, &options), Err(StoreError::Locked { .. })));
        store.create("after", "x".into()).await.unwrap();
        let expected = contents(&store).await;
        store.compact(Revision(u64::MAX)).await.unwrap();
        store.close().await;
        drop(store);

        let report = check(&path, |_, _| Ok(())).unwrap();
        assert_eq!((report.fault_count, report.unclean), (0, false), "{report:?}");
        assert_eq!(report.keys, expected.len() as u64);
        let again = RedbStore::open(&path, &options).unwrap();
        assert_eq!(contents(&again).await, expected);
        assert_eq!(again.progress().await.unwrap().0, report.revision);
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing is left behind: {left:?}");
    }
}

#[tokio::test]
async fn a_check_finds_what_is_wrong_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = RedbStore::open(&path, &Options::default()).unwrap();
    for i in 0..50 {
        store.create(&format!("k{i}"), value(i)).await.unwrap();
    }
    store.delete("k7", None).await.unwrap();
    assert!(matches!(check(&path, |_, _| Ok(())), Err(StoreError::Locked { .. })));
    // As after a power cut: the file as it is while the store is open.
    let unclean = folder.path().join("unclean");
    std::fs::copy(&path, &unclean).unwrap();
    store.close().await;
    drop(store);

    let report = check(&path, |_, _| Ok(())).unwrap();
    assert_eq!((report.keys, report.versions, report.revision), (49, 51, 51), "{report:?}");
    assert_eq!((report.fault_count, report.unclean), (0, false));
    assert_eq!(report.bytes, 49 * VALUE as u64);
    let report = check(&path, |key, _| if key == "k3" { Err("odd".into()) } else { Ok(()) });
    assert_eq!(report.unwrap().faults, ["`k3`: odd"]);

    let before = std::fs::read(&unclean).unwrap();
    let report = check(&unclean, |_, _| Ok(())).unwrap();
    assert_eq!((report.keys, report.fault_count, report.unclean), (49, 0, true), "{report:?}");
    assert!(std::fs::read(&unclean).unwrap() == before, "the check has changed the file");

    // A bit in the middle of some value, wherever that is: the page's checksum tells.
    let mut damaged = std::fs::read(&path).unwrap();
    let needle = &value(20)[1000..1032];
    let place = damaged.windows(32).position(|window| window == needle).unwrap();
    damaged[place] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    match check(&path, |_, _| Ok(())) {
        Ok(report) => assert!(report.fault_count > 0, "{report:?}"),
        Err(StoreError::Corrupt { .. }) => {}
        Err(other) => panic!("{other}"),
    }
    assert!(check(&folder.path().join("absent"), |_, _| Ok(())).is_err());
}
