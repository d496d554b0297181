//! Full and failing disks: a write fails, nothing is lost, and work goes on when the disk does.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use wk_store::{ListOptions, Revision, Store, StoreError, WriteError};
use wk_store_redb::{Options, RedbStore};

use crate::MODES;
use crate::disks::{FaultyDisk, MemoryDisk};

type Contents = BTreeMap<String, Bytes>;

async fn contents(store: &RedbStore) -> Contents {
    let page = store.list("", ListOptions::default()).await.unwrap();
    page.entries.into_iter().map(|entry| (entry.key.to_string(), entry.value)).collect()
}

fn value(i: usize) -> Bytes {
    vec![u8::try_from(i % 251).unwrap(); 100 + i * 997 % 9000].into()
}

/// A store with some entries, and what is in it.
async fn filled(disk: &Arc<FaultyDisk>, options: &Options) -> (RedbStore, Contents) {
    let store = RedbStore::open_on(Arc::<FaultyDisk>::clone(disk), options).unwrap();
    let mut expected = Contents::new();
    for i in 0..20 {
        store.create(&format!("k{i}"), value(i)).await.unwrap();
        expected.insert(format!("k{i}"), value(i));
    }
    (store, expected)
}

async fn check_after_power_cut(disk: &FaultyDisk, options: &Options, expected: &Contents) {
    let disk = Arc::new(MemoryDisk::with(disk.after_power_cut()));
    let store = RedbStore::open_on(disk, options).unwrap();
    assert_eq!(&contents(&store).await, expected, "after a power cut");
}

#[tokio::test]
async fn a_full_disk_fails_writes_and_loses_nothing() {
    for commit in MODES {
        // With every number of free blocks the disk is full at another step of a commit.
        for free in 0..40 {
            let options = Options { commit, ..Options::default() };
            let disk = Arc::new(FaultyDisk::new());
            let (store, mut expected) = filled(&disk, &options).await;
            disk.set_free_blocks(Some(free));
            let mut i = 20;
            loop {
                match store.create(&format!("k{i}"), value(i)).await {
                    Ok(_) => drop(expected.insert(format!("k{i}"), value(i))),
                    Err(WriteError::Store(StoreError::NoSpace)) => break,
                    Err(error) => panic!("{error:?}"),
                }
                i += 1;
                assert!(i < 200, "forty blocks do not hold this much");
            }
            assert_eq!(contents(&store).await, expected, "while the disk is full");
            check_after_power_cut(&disk, &options, &expected).await;

            disk.set_free_blocks(None);
            store.create(&format!("k{i}"), value(i)).await.unwrap();
            expected.insert(format!("k{i}"), value(i));
            assert_eq!(contents(&store).await, expected, "with space again");
            check_after_power_cut(&disk, &options, &expected).await;
        }
    }
}

#[tokio::test]
async fn a_nearly_full_disk_refuses_additions_and_lets_deletions_through() {
    let disk = Arc::new(FaultyDisk::new());
    let (store, mut expected) = filled(&disk, &Options::default()).await;
    disk.claim_free(Some(1 << 20));
    let refused = store.create("more", value(1)).await;
    assert!(matches!(refused, Err(WriteError::Store(StoreError::NoSpace))), "{refused:?}");
    let refused = store.update("k1", value(2), None).await;
    assert!(matches!(refused, Err(WriteError::Store(StoreError::NoSpace))), "{refused:?}");
    store.delete("k1", None).await.unwrap();
    store.compact(Revision(u64::MAX)).await.unwrap();
    expected.remove("k1");
    assert_eq!(contents(&store).await, expected);
    disk.claim_free(Some(0));
    let refused = store.delete("k2", None).await;
    assert!(matches!(refused, Err(WriteError::Store(StoreError::NoSpace))), "{refused:?}");
    disk.claim_free(None);
    store.create("more", value(1)).await.unwrap();
}

#[tokio::test]
async fn a_failed_sync_is_made_good() {
    for commit in MODES {
        for failures in 1..5 {
            let options = Options { commit, ..Options::default() };
            let disk = Arc::new(FaultyDisk::new());
            let (store, mut expected) = filled(&disk, &options).await;
            disk.fail_syncs(failures);
            // A write that fails may turn out to be stored; one that is acknowledged must be.
            let mut unsure = Contents::new();
            for i in 20..40 {
                match store.create(&format!("k{i}"), value(i)).await {
                    Ok(_) => expected.insert(format!("k{i}"), value(i)),
                    Err(WriteError::Store(StoreError::Io(_))) => {
                        unsure.insert(format!("k{i}"), value(i))
                    }
                    Err(error) => panic!("{error:?}"),
                };
            }
            assert!(expected.len() > 20 + 10, "it recovers");
            let found = contents(&store).await;
            unsure.retain(|key, _| found.contains_key(key));
            expected.append(&mut unsure);
            assert_eq!(found, expected);
            check_after_power_cut(&disk, &options, &expected).await;
        }
    }
}

#[tokio::test]
async fn a_failed_read_passes() {
    let disk = Arc::new(FaultyDisk::new());
    // A cache that holds nothing, so that reads reach the disk.
    let options = Options { cache_bytes: 0, ..Options::default() };
    let (store, expected) = filled(&disk, &options).await;
    disk.fail_reads(1);
    let failed = store.list("", ListOptions::default()).await;
    assert!(failed.is_err(), "{failed:?}");
    // The next write waits until the database is open again.
    store.update("k0", value(0), None).await.unwrap();
    assert_eq!(contents(&store).await, expected);
}
