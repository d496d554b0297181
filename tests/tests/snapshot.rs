//! Snapshots of a running server, and the check of its store.
#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams, WatchEvent, WatchParams};
use kube::runtime::watcher::{self, Event};
use kube::{Client, ResourceExt as _};
use tokio::sync::Notify;
use wk_client::connect;
use wk_tests::{ControlPlane, PATIENCE};

/// What an informer has of the test's objects: by name, the value and the revision.
type Known = BTreeMap<String, (String, u64)>;

fn map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(serde_json::json!({
        "metadata": {"name": name, "labels": {"test": "snapshot"}},
        "data": {"value": value},
    }))
    .unwrap()
}

fn value(object: &ConfigMap) -> (String, u64) {
    let value = object.data.as_ref().and_then(|data| data.get("value")).cloned();
    (value.unwrap_or_default(), object.resource_version().unwrap().parse().unwrap())
}

/// A live informer, as components have it; what it sees is looked at from outside.
#[derive(Clone, Default)]
struct Seen {
    known: Arc<Mutex<Known>>,
    /// The highest revision that was seen, ever.
    highest: Arc<Mutex<u64>>,
    /// How many lists were complete.
    lists: Arc<Mutex<usize>>,
    changed: Arc<Notify>,
}

impl Seen {
    async fn follow(self, client: Client) {
        let api = Api::<ConfigMap>::namespaced(client, "default");
        let config = watcher::Config::default().labels("test=snapshot").streaming_lists();
        let mut stream = std::pin::pin!(watcher::watcher(api, config));
        let mut listing = Known::new();
        while let Some(event) = stream.next().await {
            // An error is the stream's way to begin anew.
            let Ok(event) = event else { continue };
            match event {
                Event::Init => listing.clear(),
                Event::InitApply(object) => {
                    listing.insert(object.name_any(), value(&object));
                }
                Event::InitDone => {
                    let highest = listing.values().map(|(_, revision)| *revision).max();
                    // Whatever is listed anew is not older than what was seen before.
                    let mut seen = self.highest.lock().unwrap();
                    if *self.lists.lock().unwrap() > 0 {
                        assert!(highest.unwrap() > *seen, "revisions never go back");
                    }
                    *seen = highest.unwrap_or(0);
                    *self.known.lock().unwrap() = std::mem::take(&mut listing);
                    *self.lists.lock().unwrap() += 1;
                }
                Event::Apply(object) => {
                    let (value, revision) = value(&object);
                    let mut seen = self.highest.lock().unwrap();
                    assert!(revision > *seen, "revisions never go back");
                    *seen = revision;
                    self.known.lock().unwrap().insert(object.name_any(), (value, revision));
                }
                Event::Delete(object) => {
                    self.known.lock().unwrap().remove(&object.name_any());
                }
            }
            self.changed.notify_waiters();
        }
    }

    fn values(&self) -> BTreeMap<String, String> {
        let known = self.known.lock().unwrap();
        known.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect()
    }

    async fn shows(&self, expected: &[(&str, &str)]) {
        let expected: BTreeMap<String, String> =
            expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let reached = async {
            loop {
                let mut changed = pin!(self.changed.notified());
                changed.as_mut().enable();
                if self.values() == expected {
                    break;
                }
                changed.await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, reached).await.is_ok();
        assert!(in_time, "the informer shows {:?}, expected {expected:?}", self.values());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_informer_survives_a_restore() {
    let mut plane = ControlPlane::start("server");
    let client = connect::from_kubeconfig(&plane.kubeconfig()).await.unwrap();
    let maps = Api::<ConfigMap>::namespaced(client.clone(), "default");
    let create = PostParams::default();
    for (name, value) in [("kept", "old"), ("deleted", "old")] {
        maps.create(&create, &map(name, value)).await.unwrap();
    }
    let seen = Seen::default();
    let changes = async {
        seen.shows(&[("deleted", "old"), ("kept", "old")]).await;
        let file = plane.scratch("snapshot");
        let file = file.to_str().unwrap();
        plane.wkctl(&["snapshot", "save", file]).ok();
        let said = plane.wkctl(&["snapshot", "check", file]).ok();
        assert!(said.contains("is a snapshot of revision "), "{said}");

        maps.replace("kept", &create, &map("kept", "new")).await.unwrap();
        maps.delete("deleted", &kube::api::DeleteParams::default()).await.unwrap();
        let last = maps.create(&create, &map("later", "new")).await.unwrap();
        seen.shows(&[("kept", "new"), ("later", "new")]).await;
        let before = *seen.highest.lock().unwrap();

        let said = plane.wkctl(&["snapshot", "restore", file]).ok();
        assert!(said.starts_with("restored "), "{said}");
        seen.shows(&[("deleted", "old"), ("kept", "old")]).await;
        assert!(*seen.lists.lock().unwrap() > 1, "the informer has listed again");

        // A watch from before is over, and says so.
        let old = last.resource_version().unwrap();
        let mut watch = Box::pin(maps.watch(&WatchParams::default(), &old).await.unwrap());
        match watch.next().await {
            Some(Ok(WatchEvent::Error(status))) => {
                assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
            }
            other => panic!("{other:?}"),
        }
        // Life goes on, for people and for the server's own controllers.
        let made = maps.create(&create, &map("later", "newer")).await.unwrap();
        assert!(value(&made).1 > before);
        seen.shows(&[("deleted", "old"), ("kept", "old"), ("later", "newer")]).await;
        plane.kubectl(&["create", "namespace", "after"]).ok();
        wk_tests::eventually("a controller has seen the new namespace", || {
            let asked = plane.kubectl(&["get", "serviceaccount", "default", "-n", "after"]);
            (asked.code == 0).then_some(())
        });
    };
    tokio::select! {
        () = seen.clone().follow(client) => panic!("the informer has ended"),
        () = changes => {}
    }

    let refused = plane.wk(&["store", "check"]).refused();
    assert!(refused.contains("in use by another `wk`"), "{refused}");
    assert!(plane.stop().success());
    let said = plane.wk(&["store", "check"]).ok();
    assert!(said.contains("nothing is wrong"), "{said}");
    plane.start_again();
    let path = "jsonpath={.data.value}";
    assert_eq!(plane.kubectl(&["get", "configmap", "deleted", "-o", path]).ok(), "old");
    assert_eq!(plane.kubectl(&["get", "configmap", "later", "-o", path]).ok(), "newer");
}

#[test]
fn a_damaged_snapshot_is_refused_and_changes_nothing() {
    let plane = ControlPlane::start("apiserver");
    let file = plane.scratch("snapshot");
    let name = file.to_str().unwrap();
    plane.wkctl(&["snapshot", "save", name]).ok();
    plane.wkctl(&["create", "configmap", "later", "--from-literal=a=b"]).ok();
    let whole = std::fs::read(&file).unwrap();

    std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    for command in ["check", "restore"] {
        let refused = plane.wkctl(&["snapshot", command, name]).refused();
        assert!(refused.contains("the snapshot is cut off"), "{refused}");
    }
    let mut flipped = whole.clone();
    let place = whole.len() / 2;
    flipped[place] ^= 1;
    std::fs::write(&file, flipped).unwrap();
    plane.wkctl(&["snapshot", "check", name]).refused();
    std::fs::write(&file, b"hello").unwrap();
    let refused = plane.wkctl(&["snapshot", "restore", name]).refused();
    assert!(refused.contains("this is not a snapshot"), "{refused}");
    plane.wkctl(&["get", "configmap", "later"]).ok();

    std::fs::write(&file, whole).unwrap();
    plane.wkctl(&["snapshot", "restore", name]).ok();
    let gone = plane.wkctl(&["get", "configmap", "later"]).refused();
    assert!(gone.contains("not found"), "{gone}");
}

#[test]
fn a_snapshot_restores_another_cluster() {
    let (old, new) = (ControlPlane::start("apiserver"), ControlPlane::start("apiserver"));
    let file = new.scratch("snapshot");
    let file = file.to_str().unwrap();
    old.wkctl(&["create", "configmap", "moved", "--from-literal=a=b"]).ok();
    let revision = |plane: &ControlPlane| -> u64 {
        let list = plane.kubectl(&["get", "--raw", "/api/v1/namespaces/default/configmaps"]).json();
        list["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
    };
    for _ in 0..20 {
        old.wkctl(&["label", "configmap", "moved", "--overwrite", "a=b"]).ok();
        old.wkctl(&["label", "configmap", "moved", "a-"]).ok();
    }
    old.wkctl(&["snapshot", "save", file]).ok();
    // The old cluster goes on for a while: what it shows then has to be passed, too.
    old.wkctl(&["create", "configmap", "lost", "--from-literal=a=b"]).ok();
    new.wkctl(&["snapshot", "restore", file]).ok();
    new.wkctl(&["get", "configmap", "moved"]).ok();
    assert!(revision(&new) > revision(&old), "clients of the old cluster see no older revisions");
}
