//! The redb store keeps the promises of every store, on a real file and in every commit mode.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;
use wk_store::conformance::model::{self, Operation};
use wk_store::{ListOptions, Revision, Store, StoreError};
use wk_store_redb::{Options, RedbStore};

use crate::MODES;
use crate::disks::MemoryDisk;

fn open(folder: &Path) -> RedbStore {
    RedbStore::open(&folder.join("store.redb"), &Options::default()).unwrap()
}

fn fresh() -> (Arc<dyn Store>, TempDir) {
    let folder = TempDir::new().unwrap();
    (Arc::new(open(folder.path())), folder)
}

wk_store::conformance_suite!(fresh);

/// The whole suite again with a window so small that watches read from the file.
mod with_a_tiny_window {
    use super::*;

    fn fresh() -> (Arc<dyn Store>, ()) {
        let options = Options { window_bytes: 1000, ..Options::default() };
        (Arc::new(RedbStore::open_on(Arc::new(MemoryDisk::default()), &options).unwrap()), ())
    }

    wk_store::conformance_suite!(fresh);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_history_equals_that_of_an_ordered_map(
        codes in proptest::collection::vec(any::<u32>(), 0..120),
        mode in 0..3_usize,
        window_bytes in 0..20_000_usize,
    ) {
        let operations: Vec<Operation> = codes.into_iter().map(Operation::from_code).collect();
        let options = Options { commit: MODES[mode], window_bytes, ..Options::default() };
        let store = RedbStore::open_on(Arc::new(MemoryDisk::default()), &options).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(model::check(Arc::new(store), &operations));
    }
}

#[tokio::test]
async fn everything_is_there_after_closing_and_opening() {
    for commit in MODES {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("store.redb");
        let options = Options { commit, ..Options::default() };
        let store = RedbStore::open(&path, &options).unwrap();
        for i in 0..20 {
            store.create(&format!("k{i}"), "old".into()).await.unwrap();
        }
        store.update("k3", "new".into(), None).await.unwrap();
        store.delete("k4", None).await.unwrap();
        store.compact(Revision(12)).await.unwrap();
        store.raise_base(5).await.unwrap();
        let page = store.list("", ListOptions::default()).await.unwrap();
        store.close().await;
        assert!(matches!(store.get("k1").await, Err(StoreError::Closed)));
        assert!(matches!(store.progress().await, Err(StoreError::Closed)));
        drop(store);

        let store = RedbStore::open(&path, &options).unwrap();
        assert_eq!(store.list("", ListOptions::default()).await.unwrap(), page);
        assert_eq!(store.base().await.unwrap(), 5);
        assert!(store.watch("", Revision(11)).await.is_err(), "compaction is remembered");
        assert_eq!(store.create("k4", "again".into()).await.unwrap(), page.revision.next());
    }
}

#[tokio::test]
async fn a_second_opening_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.redb");
    let first = open(folder.path());
    first.create("a", "1".into()).await.unwrap();
    match RedbStore::open(&path, &Options::default()) {
        Err(StoreError::Locked { path: named }) => assert_eq!(named, path),
        other => panic!("{other:?}"),
    }
    assert!(first.get("a").await.unwrap().is_some(), "the first one goes on");
    drop(first);
    assert!(open(folder.path()).get("a").await.unwrap().is_some());
}

#[test]
fn a_file_that_is_not_a_store_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.redb");
    std::fs::write(&path, vec![b'x'; 5000]).unwrap();
    let error = RedbStore::open(&path, &Options::default()).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. } | StoreError::Io(_)), "{error:?}");
    assert_eq!(std::fs::read(&path).unwrap(), vec![b'x'; 5000]);
}

#[tokio::test]
async fn a_crash_while_the_store_is_made_is_no_obstacle() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("store.redb.new"), vec![0; 70_000]).unwrap();
    open(folder.path()).create("a", "1".into()).await.unwrap();
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(files.len(), 1, "only the store itself is left: {files:?}");
    assert!(open(folder.path()).get("a").await.unwrap().is_some());
}

#[tokio::test]
async fn compaction_gives_space_back_to_later_writes() {
    let disk = Arc::new(MemoryDisk::default());
    let store = RedbStore::open_on(Arc::<MemoryDisk>::clone(&disk), &Options::default()).unwrap();
    store.create("k", vec![0; 2000].into()).await.unwrap();
    let mut lengths = Vec::new();
    for _ in 0..12 {
        for _ in 0..500 {
            store.update("k", vec![1; 2000].into(), None).await.unwrap();
        }
        store.compact(Revision(u64::MAX)).await.unwrap();
        lengths.push(disk.bytes().len());
    }
    assert_eq!(lengths[3], lengths[11], "the file stops growing: {lengths:?}");
}
