//! Every state of some kinds of objects, as a watch tells it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use serde_json::Value;
use wk_process::TaskGroup;

/// What happened to an object.
#[derive(Clone, Debug)]
pub enum Change {
    /// It was seen so.
    Is(Value),
    /// It is gone. Its last state is the one seen before.
    Gone,
}

/// One state of one object.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The server's count when it came to be; if a list showed it, that of the list's newest object.
    pub revision: u64,
    /// Whether a list showed it, after a time of which nothing was told.
    pub listed: bool,
    /// The kind.
    pub kind: String,
    /// Namespace and name.
    pub key: String,
    /// The object's uid.
    pub uid: String,
    /// What happened.
    pub change: Change,
}

/// All that was seen so far. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct History {
    records: Arc<Mutex<Records>>,
}

#[derive(Debug, Default)]
struct Records {
    seen: Vec<Seen>,
    gaps: Vec<Gap>,
}

/// Revisions, both included, of which not everything was told: the server was away, and had no
/// history when it was back.
pub type Gap = (u64, u64);

impl History {
    /// Watches all objects of these kinds (`apps/v1/ReplicaSet`, `v1/Pod`) in tasks of `tasks`.
    ///
    /// # Panics
    /// If a kind is not written so.
    pub fn watch(client: &Client, kinds: &[&str], tasks: &TaskGroup) -> Self {
        let history = Self::default();
        for kind in kinds {
            let (version, kind) = kind.rsplit_once('/').expect("a kind has a version");
            let (group, version) = version.split_once('/').unwrap_or(("", version));
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
            let api = Api::<DynamicObject>::all_with(client.clone(), &resource);
            let (history, kind) = (history.clone(), kind.to_owned());
            tasks.spawn_quiet("history", async move { history.follow(api, kind).await });
        }
        history
    }

    /// Everything, in the order in which it happened.
    pub fn all(&self) -> Vec<Seen> {
        let mut all = self.records().seen.clone();
        all.sort_by_key(|seen| seen.revision);
        all
    }

    /// Of which times not everything is known.
    pub fn gaps(&self) -> Vec<Gap> {
        self.records().gaps.clone()
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn follow(self, api: Api<DynamicObject>, kind: String) {
        let mut stream = std::pin::pin!(watcher::watcher(api, watcher::Config::default()));
        // What is known of each object: its uid, and the version of its last state.
        let mut known = BTreeMap::<String, (String, u64)>::new();
        let (mut listed, mut newest) = (Vec::new(), 0);
        while let Some(event) = stream.next().await {
            match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(object)) => listed.push(object),
                Ok(Event::InitDone) => {
                    let as_of = listed.iter().map(revision).fold(newest, u64::max);
                    self.records().gaps.push((newest, as_of));
                    newest = as_of;
                    self.list(&kind, std::mem::take(&mut listed), as_of, &mut known);
                }
                Ok(Event::Apply(object)) => {
                    newest = newest.max(revision(&object));
                    known.insert(key(&object), (uid(&object), revision(&object)));
                    self.is(&kind, object, None);
                }
                Ok(Event::Delete(object)) => {
                    newest = newest.max(revision(&object));
                    known.remove(&key(&object));
                    self.gone(&kind, key(&object), uid(&object), revision(&object), false);
                }
                // The server is down; it is asked again soon.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        }
    }

    /// Notes how a list differs from what is known.
    fn list(
        &self,
        kind: &str,
        objects: Vec<DynamicObject>,
        as_of: u64,
        known: &mut BTreeMap<String, (String, u64)>,
    ) {
        let now: BTreeMap<String, (String, u64)> =
            objects.iter().map(|one| (key(one), (uid(one), revision(one)))).collect();
        let before = std::mem::replace(known, now);
        for (key, (old, _)) in &before {
            if known.get(key).is_none_or(|(uid, _)| uid != old) {
                self.gone(kind, key.clone(), old.clone(), as_of, true);
            }
        }
        for object in objects {
            if before.get(&key(&object)) != known.get(&key(&object)) {
                self.is(kind, object, Some(as_of));
            }
        }
    }

    fn is(&self, kind: &str, object: DynamicObject, as_of: Option<u64>) {
        let revision = as_of.unwrap_or_else(|| revision(&object));
        let (key, uid) = (key(&object), uid(&object));
        let mut value = serde_json::to_value(object).unwrap_or_default();
        value["metadata"]["managedFields"].take();
        let (kind, change, listed) = (kind.to_owned(), Change::Is(value), as_of.is_some());
        self.records().seen.push(Seen { revision, listed, kind, key, uid, change });
    }

    fn gone(&self, kind: &str, key: String, uid: String, revision: u64, listed: bool) {
        let (kind, change) = (kind.to_owned(), Change::Gone);
        self.records().seen.push(Seen { revision, listed, kind, key, uid, change });
    }
}

fn uid(object: &DynamicObject) -> String {
    object.metadata.uid.clone().unwrap_or_default()
}

fn key(object: &DynamicObject) -> String {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    match object.metadata.namespace.as_deref() {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    }
}

fn revision(object: &DynamicObject) -> u64 {
    let version = object.metadata.resource_version.as_deref();
    version.and_then(|version| version.parse().ok()).unwrap_or(0)
}
