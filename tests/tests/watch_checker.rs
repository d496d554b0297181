//! Every watcher sees each event exactly once and in order, or is told to list again: checked while
//! writers write and the server is killed and compacted at random.
//!
//! Each key counts its changes: whoever sees number seven after number five has missed one. A watcher
//! keeps its own state from the events alone, and in the end all of them have to have the state that
//! a list shows.
#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::future::join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, PostParams, WatchEvent, WatchParams};
use kube::{Client, ResourceExt as _};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use wk_client::connect;
use wk_tests::{ControlPlane, PATIENCE};

/// How long there are kills and compactions.
const TROUBLE: Duration = Duration::from_secs(15);
const SEED: u64 = 0x1d8_2f6b;
const WRITERS: usize = 4;
const KEYS: usize = 6;

/// What a watcher selects, and what it can therefore expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Selects {
    /// Everything: no number is left out.
    All,
    /// The objects of one writer, which never change their label.
    Writer(usize),
    /// Objects while their number is odd: they come and go.
    Odd,
    /// One object.
    Key(usize),
}

impl Selects {
    fn labels(self) -> String {
        match self {
            Self::All | Self::Key(_) => "test=watch".to_owned(),
            Self::Writer(writer) => format!("writer=w{writer}"),
            Self::Odd => "odd=true".to_owned(),
        }
    }

    fn fields(self) -> Option<String> {
        let Self::Key(writer) = self else { return None };
        Some(format!("metadata.name={}", name(writer, 0)))
    }

    /// How far apart the numbers of one key are that are selected.
    fn step(self) -> u64 {
        if self == Self::Odd { 2 } else { 1 }
    }

    fn selects(self, object: &str, number: u64) -> bool {
        match self {
            Self::All => true,
            Self::Writer(writer) => object.starts_with(&format!("w{writer}-")),
            Self::Odd => number % 2 == 1,
            Self::Key(writer) => object == name(writer, 0),
        }
    }
}

fn name(writer: usize, key: usize) -> String {
    format!("w{writer}-{key}")
}

fn map(writer: usize, key: usize, number: u64) -> ConfigMap {
    let odd = (number % 2 == 1).to_string();
    serde_json::from_value(serde_json::json!({
        "metadata": {
            "name": name(writer, key),
            "labels": {"test": "watch", "writer": format!("w{writer}"), "odd": odd},
        },
        "data": {"number": number.to_string()},
    }))
    .unwrap()
}

fn number(object: &ConfigMap) -> u64 {
    object.data.as_ref().unwrap()["number"].parse().unwrap()
}

fn revision(text: Option<String>) -> u64 {
    text.unwrap().parse().unwrap()
}

/// What all of the test's parts share.
struct Scene {
    kubeconfig: PathBuf,
    /// The revision of each number of each key; a number is here before the next one is written.
    revisions: Mutex<BTreeMap<(String, u64), u64>>,
    /// No more trouble: writers finish.
    calm: AtomicBool,
    expired: AtomicUsize,
    resumed: AtomicUsize,
    events: AtomicUsize,
}

impl Scene {
    /// Notes what is stored; gives its number.
    fn note(&self, stored: &ConfigMap) -> u64 {
        let (own, number) = (stored.name_any(), number(stored));
        let revision = revision(stored.resource_version());
        let known = self.revisions.lock().unwrap().insert((own.clone(), number), revision);
        assert!(known.is_none_or(|known| known == revision), "{own}: {number} was written twice");
        number
    }

    /// The revision at which a number of a key was written.
    fn written(&self, own: &str, number: u64) -> u64 {
        self.revisions.lock().unwrap()[&(own.to_owned(), number)]
    }

    /// A client of the server that runs now; `None` while none does.
    async fn client(&self) -> Option<Client> {
        connect::from_kubeconfig(&self.kubeconfig).await.ok()
    }

    async fn maps(&self) -> Api<ConfigMap> {
        loop {
            if let Some(client) = self.client().await {
                return Api::namespaced(client, "default");
            }
            pause().await;
        }
    }
}

/// Between two attempts to reach a server that is being restarted.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

/// Whether the server has answered, rather than gone.
fn answered(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

/// Creates, changes and deletes its own keys, and always knows what is stored.
async fn write(scene: &Scene, writer: usize) {
    let mut rng = StdRng::seed_from_u64(SEED + writer as u64);
    let mut maps = scene.maps().await;
    // The last number of each key, and whether it exists.
    let mut state = [(0_u64, false); KEYS];
    while !scene.calm.load(Ordering::Relaxed) {
        let key = rng.random_range(0..KEYS);
        let (last, exists) = state[key];
        let own = name(writer, key);
        let next = map(writer, key, last + 1);
        let done = if !exists {
            maps.create(&PostParams::default(), &next).await.map(|it| (scene.note(&it), true))
        } else if rng.random_bool(0.2) {
            maps.delete(&own, &DeleteParams::default()).await.map(|_| (last, false))
        } else {
            maps.replace(&own, &PostParams::default(), &next)
                .await
                .map(|it| (scene.note(&it), true))
        };
        state[key] = match done {
            Ok(now) => now,
            Err(error) if answered(&error).is_some() => panic!("{own}: {error}"),
            // Nobody knows whether it was done: what is stored tells.
            Err(_) => loop {
                maps = scene.maps().await;
                match maps.get_opt(&own).await {
                    Ok(Some(found)) => break (scene.note(&found), true),
                    Ok(None) => break (last, false),
                    Err(_) => pause().await,
                }
            },
        };
    }
}

/// What a watcher knows.
#[derive(Default)]
struct Known {
    present: BTreeMap<String, u64>,
    /// The last number of every key that was seen since the last list, also of those that are gone.
    /// What a list does not show may have been made, changed and deleted unseen before it.
    numbers: BTreeMap<String, u64>,
    /// The revision of the last list.
    listed: u64,
    revision: u64,
}

impl Known {
    fn pass(&mut self, now: u64) {
        assert!(now > self.revision, "revision {now} after {}", self.revision);
        self.revision = now;
    }

    fn apply(&mut self, scene: &Scene, selects: Selects, event: &WatchEvent<ConfigMap>) {
        let (object, deleted) = match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => (object, false),
            WatchEvent::Deleted(object) => (object, true),
            other => panic!("{other:?}"),
        };
        let (own, number) = (object.name_any(), number(object));
        let case = || format!("{selects:?}: {event:?}, known {:?}", self.present.get(&own));
        let present = self.present.contains_key(&own);
        let added = matches!(event, WatchEvent::Added(_));
        assert_eq!(present, !added, "{}", case());
        assert!(selects.selects(&own, number), "{}", case());
        let last = self.numbers.get(&own).copied();
        let before = number.checked_sub(selects.step()).filter(|before| *before > 0);
        let is_next = match (last, before) {
            // It ceases to be selected, or is deleted: what is sent is what was selected.
            (Some(last), _) if deleted => number == last,
            (Some(last), before) => before == Some(last),
            // The list would have been the place to see the one before.
            (None, Some(before)) => scene.written(&own, before) <= self.listed,
            (None, None) => true,
        };
        assert!(is_next, "{own}: {number} after {last:?}, list at {}: {}", self.listed, case());
        self.pass(revision(object.resource_version()));
        self.numbers.insert(own.clone(), number);
        if deleted {
            self.present.remove(&own);
        } else {
            self.present.insert(own, number);
        }
    }

    fn listed(&mut self, objects: &[ConfigMap], now: u64) {
        assert!(now >= self.revision, "a list at {now} after {}", self.revision);
        (self.revision, self.listed) = (now, now);
        self.present = objects.iter().map(|it| (it.name_any(), number(it))).collect();
        let before = std::mem::replace(&mut self.numbers, self.present.clone());
        for (own, number) in &self.present {
            let last = before.get(own);
            assert!(last.is_none_or(|last| last <= number), "{own} went back to {number}");
        }
    }
}

/// Lists and watches until it knows what `last` says there is in the end.
async fn watch(
    scene: &Scene,
    selects: Selects,
    mut last: tokio::sync::watch::Receiver<Option<BTreeMap<String, u64>>>,
) {
    let mut known = Known::default();
    let mut params = WatchParams::default().labels(&selects.labels());
    let mut list = ListParams::default().labels(&selects.labels());
    if let Some(fields) = selects.fields() {
        (params, list) = (params.fields(&fields), list.fields(&fields));
    }
    let mut must_list = true;
    loop {
        let maps = scene.maps().await;
        if must_list {
            let Ok(found) = maps.list(&list).await else {
                pause().await;
                continue;
            };
            known.listed(&found.items, revision(found.metadata.resource_version));
            must_list = false;
        }
        let stream = match maps.watch(&params, &known.revision.to_string()).await {
            Ok(stream) => stream,
            Err(error) => {
                assert!(matches!(answered(&error), None | Some(410)), "{error}");
                must_list = answered(&error).is_some();
                pause().await;
                continue;
            }
        };
        scene.resumed.fetch_add(1, Ordering::Relaxed);
        let mut stream = Box::pin(stream);
        loop {
            if let Some(last) = &*last.borrow() {
                let mut expected = last.clone();
                expected.retain(|own, number| selects.selects(own, *number));
                if known.present == expected {
                    return;
                }
            }
            let item = tokio::select! {
                item = stream.next() => item,
                changed = last.changed() => {
                    changed.unwrap();
                    continue;
                }
            };
            match item {
                Some(Ok(WatchEvent::Bookmark(bookmark))) => {
                    let now: u64 = bookmark.metadata.resource_version.parse().unwrap();
                    assert!(now >= known.revision, "a bookmark goes back");
                    known.revision = now;
                }
                Some(Ok(WatchEvent::Error(status))) => {
                    assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
                    scene.expired.fetch_add(1, Ordering::Relaxed);
                    must_list = true;
                    break;
                }
                Some(Ok(event)) => {
                    known.apply(scene, selects, &event);
                    scene.events.fetch_add(1, Ordering::Relaxed);
                }
                // The server is gone: on from the last event.
                Some(Err(_)) | None => break,
            }
        }
    }
}

/// Kills and compacts until the time is over; says how often each happened.
async fn trouble(scene: &Scene, plane: &mut ControlPlane) -> (usize, usize) {
    let mut rng = StdRng::seed_from_u64(SEED);
    let (mut kills, mut compactions) = (0, 0);
    let start = Instant::now();
    while start.elapsed() < TROUBLE {
        tokio::time::sleep(Duration::from_millis(rng.random_range(50..400))).await;
        if rng.random_bool(0.25) {
            tokio::task::block_in_place(|| plane.crash_and_restart());
            kills += 1;
        } else {
            let request = http::Request::post("/maintenance/v1/compaction").body(Vec::new());
            let client = scene.client().await.unwrap();
            let answer = client.request_text(request.unwrap()).await.unwrap();
            assert!(answer.contains("revision"), "{answer}");
            compactions += 1;
        }
    }
    (kills, compactions)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_watcher_sees_each_event_once_and_in_order_or_lists_again() {
    let mut plane = ControlPlane::start("apiserver");
    let scene = Scene {
        kubeconfig: plane.kubeconfig(),
        revisions: Mutex::default(),
        calm: AtomicBool::new(false),
        expired: AtomicUsize::new(0),
        resumed: AtomicUsize::new(0),
        events: AtomicUsize::new(0),
    };
    let (tell, last) = tokio::sync::watch::channel(None);
    let mut selections = vec![Selects::All, Selects::All, Selects::Odd, Selects::Odd];
    for writer in 0..WRITERS {
        selections.extend([Selects::Writer(writer), Selects::Key(writer)]);
    }
    let watchers =
        join_all(selections.into_iter().map(|selects| watch(&scene, selects, last.clone())));
    let writers = join_all((0..WRITERS).map(|writer| write(&scene, writer)));
    let story = async {
        let happened = async {
            let happened = trouble(&scene, &mut plane).await;
            scene.calm.store(true, Ordering::Relaxed);
            happened
        };
        let (happened, _) = futures::join!(happened, writers);
        let found = scene.maps().await.list(&ListParams::default().labels("test=watch")).await;
        let state = found.unwrap().items.iter().map(|it| (it.name_any(), number(it))).collect();
        tell.send_replace(Some(state));
        happened
    };
    let everything = futures::future::join(story, watchers);
    let finished = tokio::time::timeout(TROUBLE + PATIENCE, everything).await;
    let ((kills, compactions), _) = finished.expect("every watcher learns of the last state");
    let counted = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    let (events, expired) = (counted(&scene.events), counted(&scene.expired));
    let resumed = counted(&scene.resumed);
    println!(
        "{kills} kills, {compactions} compactions: {events} events, {resumed} watches, {expired} of them expired"
    );
    // Otherwise nothing was tried.
    assert!(kills > 2 && compactions > 5 && events > 100, "too little has happened");
    assert!(expired > 0, "nobody was told to list again");
}
