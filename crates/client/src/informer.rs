//! Caches of API objects, kept up to date by one watch each.

mod cache;
mod changes;
mod pauses;
mod progress;

use std::fmt;
use std::sync::Arc;

use futures::{Stream, StreamExt as _};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource};
use parking_lot::{Mutex, RwLock};
use serde::de::DeserializeOwned;
use tokio::sync::watch::Sender;
use tracing::{debug, warn};
use wk_api::names::NamespacedName;
use wk_process::TaskGroup;

use crate::error_chain;
use crate::watching::{Decode, Unread, unread};
use cache::Cache;
pub use changes::Changes;
use pauses::Pauses;
pub use progress::Mark;
use progress::Progress;

type Listener = Box<dyn Fn(&NamespacedName) + Send + Sync>;

/// A shared cache of `T`, one for each object of a kind. Clones share one cache.
///
/// It is fed by a watch that begins with a streamed list, survives broken connections with growing
/// pauses, and starts over when its position is too old. What the cache holds between two lists is
/// the state at one moment of the server's history: a new list replaces the old content at once.
///
/// Costs are those of the changes, not of the objects. `T` is the object itself, or what
/// [`Informer::projected`] keeps of it.
pub struct Informer<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    cache: RwLock<Cache<T>>,
    indexers: Mutex<Vec<Listener>>,
    listeners: Mutex<Vec<Listener>>,
    ready: Sender<bool>,
    progress: Arc<Progress>,
}

impl<T> Clone for Informer<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T> fmt::Debug for Informer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Informer")
            .field("objects", &self.shared.cache.read().len())
            .field("ready", &*self.shared.ready.borrow())
            .finish_non_exhaustive()
    }
}

impl<K> Informer<K>
where
    K: Decode + Sync,
{
    /// Watches what `api` and `config` select, in a task of `group`, and keeps whole objects
    /// without their `managedFields`, which no component reads.
    pub fn start(api: Api<K>, config: watcher::Config, group: &TaskGroup) -> Self {
        Self::projected(api, config, group, |mut object: K| {
            object.meta_mut().managed_fields = None;
            Some(object)
        })
    }
}

impl<T: Send + Sync + 'static> Informer<T> {
    /// Watches what `api` and `config` select, in a task of `group`, and keeps `project` of each
    /// object; an object for which that is `None` is not in the cache.
    pub fn projected<K>(
        api: Api<K>,
        config: watcher::Config,
        group: &TaskGroup,
        project: impl Fn(K) -> Option<T> + Send + Sync + 'static,
    ) -> Self
    where
        K: Decode,
    {
        Self::fed(K::plural(&()).into_owned(), unread(api, config), group, move |object: Unread| {
            Ok(project(object.read()?))
        })
    }

    /// [`Informer::projected`] for kinds that are known only at run time; `plural` is for the log.
    pub fn projected_as<K>(
        plural: String,
        api: Api<K>,
        config: watcher::Config,
        group: &TaskGroup,
        project: impl Fn(K) -> Option<T> + Send + Sync + 'static,
    ) -> Self
    where
        K: Resource + Clone + DeserializeOwned + fmt::Debug + Send + 'static,
    {
        let events = watcher::watcher(api, config.streaming_lists());
        Self::fed(plural, events, group, move |object| Ok(project(object)))
    }

    fn fed<K: Resource + Send + 'static>(
        plural: String,
        events: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
        group: &TaskGroup,
        project: impl Fn(K) -> watcher::Result<Option<T>> + Send + Sync + 'static,
    ) -> Self {
        let informer = Self::unfed();
        let shared = Arc::clone(&informer.shared);
        let token = group.token();
        group.spawn(format!("informer {plural}"), async move {
            let mut stream = std::pin::pin!(events.backoff(Pauses::default()));
            loop {
                let event = tokio::select! {
                    biased;
                    () = token.cancelled() => return Ok(()),
                    event = stream.next() => event,
                };
                match event.map(|event| shared.apply(event?, &project)) {
                    Some(Ok(())) => {}
                    Some(Err(error)) if is_expected(&error) => {
                        debug!(kind = %plural, error = error_chain(&error), "watch starts over");
                    }
                    Some(Err(error)) => {
                        warn!(kind = %plural, error = error_chain(&error), "watch failed, retrying");
                    }
                    None => return Err("watch stream ended".into()),
                }
            }
        });
        informer
    }

    /// An empty cache that is ready and that no watch feeds; [`Informer::put`] and
    /// [`Informer::remove`] do, in tests of what reads it.
    pub fn of(objects: impl IntoIterator<Item = (NamespacedName, T)>) -> Self {
        let informer = Self::unfed();
        for (key, object) in objects {
            informer.put(&key, object);
        }
        informer.shared.ready.send_replace(true);
        informer
    }

    fn unfed() -> Self {
        Self {
            shared: Arc::new(Shared {
                cache: RwLock::new(Cache::default()),
                indexers: Mutex::new(Vec::new()),
                listeners: Mutex::new(Vec::new()),
                ready: Sender::new(false),
                progress: Arc::default(),
            }),
        }
    }

    /// A mark at a write that was answered with this version: it is passed once the cache shows
    /// the write, or something later.
    pub fn mark(&self, resource_version: Option<&str>) -> Mark {
        self.shared.progress.mark(number(resource_version))
    }

    /// Puts an object into the cache by hand.
    pub fn put(&self, key: &NamespacedName, object: T) {
        self.shared.cache.write().put(key.clone(), Some(object));
        self.shared.index([key]);
        self.shared.tell([key]);
    }

    /// Takes an object out of the cache by hand.
    pub fn remove(&self, key: &NamespacedName) {
        if self.shared.cache.write().put(key.clone(), None) {
            self.shared.index([key]);
            self.shared.tell([key]);
        }
    }

    /// Waits until the first list is complete; from then on it returns at once. Cancel safe.
    pub async fn ready(&self) {
        let mut ready = self.shared.ready.subscribe();
        if ready.wait_for(|ready| *ready).await.is_err() {
            // Unreachable while `self` holds the sender.
            std::future::pending::<()>().await;
        }
    }

    /// Whether the first list is complete.
    pub fn is_ready(&self) -> bool {
        *self.shared.ready.borrow()
    }

    /// The object of this name.
    pub fn get(&self, key: &NamespacedName) -> Option<Arc<T>> {
        self.shared.cache.read().get(key)
    }

    /// The object of this name in the cluster's scope.
    pub fn get_cluster(&self, name: &str) -> Option<Arc<T>> {
        self.get(&NamespacedName::cluster(name))
    }

    /// All objects, ordered by namespace and name.
    pub fn list(&self) -> Vec<Arc<T>> {
        self.shared.cache.read().list()
    }

    /// The objects of a namespace, ordered by name.
    pub fn in_namespace(&self, namespace: &str) -> Vec<Arc<T>> {
        self.shared.cache.read().in_namespace(namespace)
    }

    /// The names of all objects, ordered.
    pub fn keys(&self) -> Vec<NamespacedName> {
        self.shared.cache.read().keys()
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.shared.cache.read().len()
    }

    /// Whether there are no objects.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `indexer` like a listener of [`Informer::on_change`], but before any of those and before
    /// a [`Mark`] counts the change as seen: whoever waits for a mark finds an index up to date, too.
    pub fn index(&self, indexer: impl Fn(&NamespacedName) + Send + Sync + 'static) {
        let mut indexers = self.shared.indexers.lock();
        for key in self.keys() {
            indexer(&key);
        }
        indexers.push(Box::new(indexer));
    }

    /// Calls `listener` with the name of every object there is, and then with each one that
    /// appears, changes or goes, after the cache shows it.
    ///
    /// It is called from the task that feeds the cache, so it must be quick and must not call
    /// [`Informer::on_change`]; adding to a queue is what it is for. A name may come twice.
    pub fn on_change(&self, listener: impl Fn(&NamespacedName) + Send + Sync + 'static) {
        // Under the lock, so that no change is missed between the two steps.
        let mut listeners = self.shared.listeners.lock();
        for key in self.keys() {
            listener(&key);
        }
        listeners.push(Box::new(listener));
    }

    /// A stream of the names that changed, beginning with all there are. Names that change again
    /// before they are read come once.
    pub fn subscribe(&self) -> Changes {
        let changes = Changes::default();
        let sink = changes.sink();
        self.on_change(move |key| sink.push(key));
        changes
    }
}

impl<T> Shared<T> {
    /// Takes over what a watch tells.
    ///
    /// # Errors
    /// If the object cannot be read; it stays as it was.
    fn apply<K: Resource>(
        &self,
        event: Event<K>,
        project: &impl Fn(K) -> watcher::Result<Option<T>>,
    ) -> watcher::Result<()> {
        match event {
            Event::Init => {
                self.progress.list_begins();
                self.cache.write().begin_list();
            }
            Event::InitApply(object) => {
                let (key, revision) = (key_of(&object), revision_of(&object));
                self.progress.listed(revision);
                if let Some(object) = project(object)? {
                    self.cache.write().listed(key, revision, object);
                }
            }
            Event::InitDone => {
                let changed = self.cache.write().end_list();
                self.index(&changed);
                self.progress.list_ends();
                self.tell(&changed);
                self.ready.send_if_modified(|ready| !std::mem::replace(ready, true));
            }
            Event::Apply(object) => {
                let (key, revision) = (key_of(&object), revision_of(&object));
                let object = project(object)?;
                let is_change = self.cache.write().put_at(key.clone(), revision, object);
                self.changed(&key, is_change, revision);
            }
            Event::Delete(object) => {
                let (key, revision) = (key_of(&object), revision_of(&object));
                let is_change = self.cache.write().put(key.clone(), None);
                self.changed(&key, is_change, revision);
            }
        }
        Ok(())
    }

    fn changed(&self, key: &NamespacedName, is_change: bool, revision: u64) {
        if is_change {
            self.index([key]);
        }
        self.progress.seen(revision);
        if is_change {
            self.tell([key]);
        }
    }

    fn index<'a>(&self, keys: impl IntoIterator<Item = &'a NamespacedName>) {
        let indexers = self.indexers.lock();
        for key in keys {
            for indexer in indexers.iter() {
                indexer(key);
            }
        }
    }

    fn tell<'a>(&self, keys: impl IntoIterator<Item = &'a NamespacedName>) {
        let listeners = self.listeners.lock();
        for key in keys {
            for listener in listeners.iter() {
                listener(key);
            }
        }
    }
}

fn key_of<K: Resource>(object: &K) -> NamespacedName {
    NamespacedName::of(object.meta())
}

/// The object's version as a number that tells it from its other versions; 0 if it has none.
fn revision_of<K: Resource>(object: &K) -> u64 {
    number(object.meta().resource_version.as_deref())
}

fn number(resource_version: Option<&str>) -> u64 {
    resource_version.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Whether an error belongs to a watch's normal life: its position is no longer in the history.
fn is_expected(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchError(status) if status.code == 410)
}

#[cfg(test)]
mod tests;
