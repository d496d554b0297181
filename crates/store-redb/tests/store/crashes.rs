//! Power cuts: every image that a crash can leave is opened, and opened again after a crash during
//! the opening.
//!
//! A recorded run is cut before and after every sync, and in between. What was synced is there; of
//! what was not, any part may be: each write is kept, dropped or torn, at random from a fixed seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use wk_store::{Entry, Event, Key, ListOptions, Revision, Store, WatchItem};
use wk_store_redb::{CommitMode, Options, RedbStore};

use crate::MODES;
use crate::disks::{MemoryDisk, RecordingDisk, Step};

type State = BTreeMap<Key, Entry>;

/// The state after each revision, and the event that led to it.
struct Story {
    states: Vec<State>,
    events: Vec<Event>,
}

fn options(commit: CommitMode) -> Options {
    Options { commit, ..Options::default() }
}

/// A store as it is made: under another name, so that no crash happens to it.
fn empty_store() -> Vec<u8> {
    let disk = Arc::new(MemoryDisk::default());
    let store = RedbStore::open_on(Arc::<MemoryDisk>::clone(&disk), &Options::default());
    drop(store.unwrap());
    disk.bytes()
}

/// Writes a mixed history, with compactions, and returns what happened on the disk and in the store.
async fn record(before: Vec<u8>, commit: CommitMode, seed: u64) -> (Vec<Step>, Story) {
    let mut rng = StdRng::seed_from_u64(seed);
    let disk = Arc::new(RecordingDisk::with(before));
    let store = RedbStore::open_on(Arc::<RecordingDisk>::clone(&disk), &options(commit)).unwrap();
    let mut watch = store.watch("", Revision::ZERO).await.unwrap();
    let mut story = Story { states: vec![State::new()], events: Vec::new() };
    for round in 0..30 {
        // One writer, or several at once on keys of their own.
        let writers = *[1, 1, 2, 7].choose(&mut rng).unwrap();
        let plans: Vec<(String, Bytes, bool)> = (0..writers)
            .map(|writer| {
                let key = format!("k{writer}-{}", rng.random_range(0..6));
                let size = rng.random_range(0..6000);
                (key, Bytes::from(vec![rng.random(); size]), rng.random_bool(0.3))
            })
            .collect();
        let writes = plans.into_iter().map(|(key, value, delete)| {
            let (store, disk) = (&store, &disk);
            async move {
                let present = store.get(&key).await.unwrap();
                let revision = match present {
                    None => store.create(&key, value).await,
                    Some(entry) if delete => store.delete(&key, Some(entry.revision)).await,
                    Some(entry) => store.update(&key, value, Some(entry.revision)).await,
                };
                disk.note(Step::Acknowledged(revision.unwrap().0));
            }
        });
        join_all(writes).await;
        let current = store.progress().await.unwrap();
        while story.events.len() as u64 != current.0 {
            match watch.next().await.unwrap().unwrap() {
                WatchItem::Events(batch) => story.add(batch.events[0].clone()),
                WatchItem::Progress(_) => {}
            }
        }
        if round % 7 == 6 {
            store.compact(Revision(current.0 - 5)).await.unwrap();
        }
    }
    store.close().await;
    (disk.steps(), story)
}

impl Story {
    fn add(&mut self, event: Event) {
        let mut state = self.states.last().unwrap().clone();
        match &event {
            Event::Put { entry, .. } => drop(state.insert(Arc::clone(&entry.key), entry.clone())),
            Event::Delete { previous, .. } => drop(state.remove(&previous.key)),
        }
        self.states.push(state);
        self.events.push(event);
    }
}

/// One crash: what the disk holds, and what had been acknowledged.
struct Crash {
    image: Vec<u8>,
    acknowledged: u64,
}

/// Some of the crashes that a run can end in; `per_sync` for each sync in it.
fn crashes(before: Vec<u8>, steps: &[Step], per_sync: usize, rng: &mut StdRng) -> Vec<Crash> {
    let (mut durable, mut unsynced) = (before, Vec::new());
    let (mut crashes, mut acknowledged) = (Vec::new(), 0);
    let end = [Step::Sync];
    for step in steps.iter().chain(&end) {
        match step {
            Step::Acknowledged(revision) => acknowledged = acknowledged.max(*revision),
            Step::Write(..) | Step::SetLen(_) => unsynced.push(step),
            Step::Sync => {
                // Nothing of it, all of it, and any part of any beginning of it.
                crashes.push(Crash { image: durable.clone(), acknowledged });
                for _ in 0..per_sync {
                    let mut image = durable.clone();
                    let cut = rng.random_range(0..=unsynced.len());
                    unsynced[..cut].iter().for_each(|step| maybe(step, &mut image, rng));
                    crashes.push(Crash { image, acknowledged });
                }
                unsynced.drain(..).for_each(|step| step.apply(&mut durable));
                crashes.push(Crash { image: durable.clone(), acknowledged });
            }
        }
    }
    crashes
}

/// Keeps, drops or tears a write that was not synced.
fn maybe(step: &Step, image: &mut Vec<u8>, rng: &mut StdRng) {
    match step {
        _ if rng.random_bool(0.4) => step.apply(image),
        Step::Write(offset, data) if data.len() > 1 && rng.random_bool(0.4) => {
            // Sectors reach the disk in any order; a sector itself may be torn at any byte.
            let mut at = 0;
            while at < data.len() {
                let size = rng.random_range(1..=512).min(data.len() - at);
                if rng.random_bool(0.5) {
                    let part = data[at..at + size].to_owned();
                    Step::Write(offset + at as u64, part).apply(image);
                }
                at += size;
            }
        }
        _ => {}
    }
}

/// Opens what the crash left, compares it with the story, and writes on; returns what opening did.
async fn check(crash: &Crash, commit: CommitMode, story: &Story) -> Vec<Step> {
    let disk = Arc::new(RecordingDisk::with(crash.image.clone()));
    let store = RedbStore::open_on(Arc::<RecordingDisk>::clone(&disk), &options(commit)).unwrap();
    let opening = disk.steps();
    let page = store.list("", ListOptions::default()).await.unwrap();
    let current = page.revision.0;
    assert!(current >= crash.acknowledged, "{current} < {}: lost", crash.acknowledged);
    let index = usize::try_from(current).unwrap();
    let expected: Vec<Entry> = story.states[index].values().cloned().collect();
    assert_eq!(page.entries, expected, "the state is that of revision {current}");

    let watch = store.watch("", Revision::ZERO).await.err();
    let oldest = match watch {
        None => 0,
        Some(wk_store::WatchError::Compacted { oldest }) => oldest.0,
        Some(error) => panic!("{error}"),
    };
    let events = store.watch("", Revision(oldest)).await.unwrap();
    let events = events.take(index - usize::try_from(oldest).unwrap()).map(|item| match item {
        Ok(WatchItem::Events(batch)) => batch.events[0].clone(),
        other => panic!("{other:?}"),
    });
    let events: Vec<Event> = events.collect().await;
    assert_eq!(events, story.events[usize::try_from(oldest).unwrap()..index], "the history");

    assert_eq!(store.create("after the crash", Bytes::new()).await.unwrap().0, current + 1);
    store.compact(Revision(u64::MAX)).await.unwrap();
    assert_eq!(
        store.list("", ListOptions::default()).await.unwrap().entries.len(),
        expected.len() + 1
    );
    opening
}

async fn every_crash_keeps_what_was_acknowledged(commit: CommitMode, seed: u64) {
    let empty = empty_store();
    let (steps, story) = record(empty.clone(), commit, seed).await;
    let mut rng = StdRng::seed_from_u64(seed ^ 0x5eed);
    for (number, crash) in crashes(empty, &steps, 3, &mut rng).iter().enumerate() {
        let opening = check(crash, commit, &story).await;
        // Every few of them crash again while they are being opened.
        if number % 5 == 0 {
            for mut again in crashes(crash.image.clone(), &opening, 2, &mut rng) {
                again.acknowledged = crash.acknowledged;
                check(&again, commit, &story).await;
            }
        }
    }
}

#[tokio::test]
async fn crashes_with_one_sync_a_commit_lose_nothing() {
    for seed in 0..3 {
        every_crash_keeps_what_was_acknowledged(MODES[0], seed).await;
    }
}

#[tokio::test]
async fn crashes_with_two_phases_lose_nothing() {
    for seed in 3..6 {
        every_crash_keeps_what_was_acknowledged(MODES[1], seed).await;
    }
}

#[tokio::test]
async fn crashes_with_quick_repair_lose_nothing() {
    for seed in 6..9 {
        every_crash_keeps_what_was_acknowledged(MODES[2], seed).await;
    }
}
