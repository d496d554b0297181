//! The ConfigMaps and Secrets that pods of this node use, and no others; claims and persistent
//! volumes until they are mounted.
//!
//! Each is watched by name for as long as a pod needs it, so that a missing one that appears, and a
//! changed one, wakes its pods at once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolume, PersistentVolumeClaim, Secret};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::debug;
use wk_client::Decode;
use wk_client::watching::watch;
use wk_process::TaskGroup;

use crate::volumes::{BoundClaim, StoredVolume};

/// How long the API server may take to say whether an object exists.
const FIRST_ANSWER: Duration = Duration::from_secs(10);

/// Which kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum ObjectKind {
    ConfigMap,
    Secret,
    Claim,
    Volume,
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConfigMap => "configmap",
            Self::Secret => "secret",
            Self::Claim => "persistentvolumeclaim",
            Self::Volume => "persistentvolume",
        })
    }
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectKey {
    pub(crate) kind: ObjectKind,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// What pods need of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ObjectData {
    /// The data of a ConfigMap or Secret.
    pub(crate) values: BTreeMap<String, Vec<u8>>,
    /// What a claim or a persistent volume leads to.
    pub(crate) storage: Option<Box<Storage>>,
}

/// What is kept of storage.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Storage {
    Claim(BoundClaim),
    Volume(StoredVolume),
}

impl From<ConfigMap> for ObjectData {
    fn from(object: ConfigMap) -> Self {
        let text = object.data.into_iter().flatten().map(|(key, text)| (key, text.into_bytes()));
        let binary = object.binary_data.into_iter().flatten().map(|(key, bytes)| (key, bytes.0));
        Self { values: text.chain(binary).collect(), storage: None }
    }
}

impl From<Secret> for ObjectData {
    fn from(object: Secret) -> Self {
        let values = object.data.into_iter().flatten().map(|(key, bytes)| (key, bytes.0));
        Self { values: values.collect(), storage: None }
    }
}

impl From<PersistentVolumeClaim> for ObjectData {
    fn from(object: PersistentVolumeClaim) -> Self {
        let storage = Storage::Claim(BoundClaim::of(object));
        Self { storage: Some(Box::new(storage)), ..Self::default() }
    }
}

impl From<PersistentVolume> for ObjectData {
    fn from(object: PersistentVolume) -> Self {
        let storage = Storage::Volume(StoredVolume::of(object));
        Self { storage: Some(Box::new(storage)), ..Self::default() }
    }
}

/// Objects that could be looked up, by key; a missing object is `None`.
pub(crate) type Found = HashMap<(ObjectKind, String), Option<Arc<ObjectData>>>;

#[derive(Clone, Debug)]
enum State {
    Unknown,
    Missing,
    Present(Arc<ObjectData>),
    Unavailable(String),
}

#[derive(Debug)]
struct Watched {
    state: tokio::sync::watch::Sender<State>,
    users: Mutex<HashSet<String>>,
    end: CancellationToken,
}

/// The watched objects.
pub(crate) struct Objects {
    client: Client,
    tasks: TaskGroup,
    watched: Mutex<HashMap<ObjectKey, Arc<Watched>>>,
    changes: mpsc::Sender<Vec<String>>,
}

impl Objects {
    /// No objects yet; the uids of pods whose objects change are sent to `changes`.
    pub(crate) fn new(
        client: Client,
        tasks: TaskGroup,
        changes: mpsc::Sender<Vec<String>>,
    ) -> Self {
        Self { client, tasks, watched: Mutex::default(), changes }
    }

    /// All of `wanted` in one namespace, watched for the pod from now on.
    ///
    /// # Errors
    /// The text of the API server's refusal, or that it did not answer.
    pub(crate) async fn fetch(
        self: &Arc<Self>,
        namespace: &str,
        wanted: impl IntoIterator<Item = (ObjectKind, String)>,
        pod_uid: &str,
        used: &mut Vec<ObjectKey>,
    ) -> Result<Found, String> {
        let mut found = Found::new();
        for (kind, name) in wanted {
            if found.contains_key(&(kind, name.clone())) {
                continue;
            }
            let namespace = if kind == ObjectKind::Volume { "" } else { namespace };
            let key = ObjectKey { kind, namespace: namespace.to_owned(), name: name.clone() };
            if !used.contains(&key) {
                used.push(key.clone());
            }
            let object = self.get(&key, pod_uid).await?;
            found.insert((kind, name), object);
        }
        Ok(found)
    }

    async fn get(
        self: &Arc<Self>,
        key: &ObjectKey,
        pod_uid: &str,
    ) -> Result<Option<Arc<ObjectData>>, String> {
        let watched = self.watched(key, pod_uid);
        let mut state = watched.state.subscribe();
        let known = async {
            let known = state.wait_for(|state| !matches!(state, State::Unknown)).await;
            known.map_or(State::Unknown, |state| state.clone())
        };
        match tokio::time::timeout(FIRST_ANSWER, known).await {
            Ok(State::Present(data)) => Ok(Some(data)),
            Ok(State::Missing) => Ok(None),
            Ok(State::Unavailable(error)) => Err(error),
            Ok(State::Unknown) | Err(_) => Err(format!(
                "{} \"{}\" could not be read: the API server did not answer within {FIRST_ANSWER:?}",
                key.kind, key.name
            )),
        }
    }

    fn watched(self: &Arc<Self>, key: &ObjectKey, pod_uid: &str) -> Arc<Watched> {
        let mut all = self.watched.lock();
        let watched = all.entry(key.clone()).or_insert_with(|| {
            let watched = Arc::new(Watched {
                state: tokio::sync::watch::Sender::new(State::Unknown),
                users: Mutex::default(),
                end: self.tasks.token().child_token(),
            });
            let (this, key, task) = (Arc::clone(self), key.clone(), Arc::clone(&watched));
            self.tasks.spawn_quiet("watch object", async move {
                let end = task.end.clone();
                let (client, namespace) = (this.client.clone(), key.namespace.as_str());
                let follow = async {
                    match key.kind {
                        ObjectKind::ConfigMap => {
                            let api = Api::<ConfigMap>::namespaced(client, namespace);
                            Box::pin(this.follow(api, &key, &task)).await;
                        }
                        ObjectKind::Secret => {
                            let api = Api::<Secret>::namespaced(client, namespace);
                            Box::pin(this.follow(api, &key, &task)).await;
                        }
                        ObjectKind::Claim => {
                            let api = Api::<PersistentVolumeClaim>::namespaced(client, namespace);
                            Box::pin(this.follow(api, &key, &task)).await;
                        }
                        ObjectKind::Volume => {
                            let api = Api::<PersistentVolume>::all(client);
                            Box::pin(this.follow(api, &key, &task)).await;
                        }
                    }
                };
                let _ended = end.run_until_cancelled(follow).await;
            });
            watched
        });
        watched.users.lock().insert(pod_uid.to_owned());
        Arc::clone(watched)
    }

    async fn follow<K>(&self, api: Api<K>, key: &ObjectKey, watched: &Watched)
    where
        K: Decode,
        ObjectData: From<K>,
    {
        let config = watcher::Config::default().fields(&format!("metadata.name={}", key.name));
        let mut events = std::pin::pin!(watch(api, config).default_backoff());
        let mut listed = None;
        while let Some(event) = events.next().await {
            let state = match event {
                Ok(Event::Init) => {
                    listed = None;
                    continue;
                }
                Ok(Event::InitApply(object)) => {
                    listed = Some(object);
                    continue;
                }
                Ok(Event::InitDone) => listed
                    .take()
                    .map_or(State::Missing, |object| State::Present(Arc::new(object.into()))),
                Ok(Event::Apply(object)) => State::Present(Arc::new(object.into())),
                Ok(Event::Delete(_)) => State::Missing,
                Err(error) => {
                    debug!(object = %key.name, %error, "watch failed");
                    if !matches!(*watched.state.borrow(), State::Unknown) {
                        // What was known stays true until something newer is known.
                        continue;
                    }
                    State::Unavailable(format!("{} \"{}\": {error}", key.kind, key.name))
                }
            };
            let before = watched.state.send_replace(state.clone());
            let same = match (&before, &state) {
                (State::Unknown, _) | (State::Missing, State::Missing) => true,
                (State::Present(old), State::Present(new)) => old == new,
                _ => false,
            };
            if !same {
                let users = watched.users.lock().iter().cloned().collect();
                if self.changes.send(users).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Notes that a pod needs none of these any more.
    pub(crate) fn release(&self, pod_uid: &str, used: &[ObjectKey]) {
        let mut all = self.watched.lock();
        for key in used {
            let Some(watched) = all.get(key) else { continue };
            let unused = {
                let mut users = watched.users.lock();
                users.remove(pod_uid);
                users.is_empty()
            };
            if unused {
                watched.end.cancel();
                all.remove(key);
            }
        }
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects")
            .field("watched", &self.watched.lock().len())
            .finish_non_exhaustive()
    }
}
