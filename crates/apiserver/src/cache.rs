//! The cache: every object there is, and the recent changes of each kind.
//!
//! One task reads the store's watch and writes here; everybody else reads. Objects of a kind lie on
//! a [`Shelf`], which has a lock, a window of changes and a bell of its own.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZero;
use std::ops::Bound;
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use parking_lot::RwLock;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use wk_resources::Definition;
use wk_store::{Entry, Event, Key, ListOptions, Page, Revision, Store, WatchError, WatchItem};

use crate::changes::{Change, ChangeKind, Window};
use crate::object::{Object, Outline};

/// What all keys begin with.
pub(crate) const ROOT: &str = "/registry/";
/// How many objects are read from the store at a time when the cache is filled.
const LOAD_PAGE: usize = 1000;

/// The objects of one kind.
#[derive(Debug)]
pub(crate) struct Shelf {
    /// What the keys of the kind begin with: `/registry/core/pods/`.
    pub(crate) prefix: String,
    outline: Outline,
    inner: RwLock<Inner>,
    /// Rings with the revision of the newest change.
    bell: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    objects: BTreeMap<Key, Arc<Object>>,
    window: Window,
    /// The newest revision that is in `objects`.
    revision: u64,
    /// While the shelf is filled: the changes that come meanwhile.
    deferred: Option<Vec<Event>>,
}

/// Part of a shelf at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) objects: Vec<Arc<Object>>,
    /// The revision that the part is as of.
    pub(crate) revision: u64,
    /// How many objects follow that did not fit.
    pub(crate) remaining: usize,
}

impl Shelf {
    fn new(definition: &Definition, prefix: String) -> Self {
        let outline = Outline::of(definition);
        Self { prefix, outline, inner: RwLock::default(), bell: watch::Sender::new(0) }
    }

    /// The object with this key.
    pub(crate) fn get(&self, key: &str) -> Option<Arc<Object>> {
        self.inner.read().objects.get(key).map(Arc::clone)
    }

    /// An object from its stored form.
    pub(crate) fn read(
        &self,
        key: Key,
        json: bytes::Bytes,
        revision: u64,
    ) -> Result<Object, crate::object::Damaged> {
        Object::read(&self.outline, &self.prefix, key, json, revision)
    }

    /// At most `limit` objects whose keys begin with `prefix` and that `keep` keeps.
    ///
    /// `at_least` is a revision that the shelf is known to have reached.
    pub(crate) fn snapshot(
        &self,
        prefix: &str,
        limit: usize,
        at_least: u64,
        keep: impl Fn(&Object) -> bool,
    ) -> Snapshot {
        self.snapshot_after(prefix, None, limit, at_least, keep)
    }

    /// The same of the objects behind a key.
    pub(crate) fn snapshot_after(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        at_least: u64,
        keep: impl Fn(&Object) -> bool,
    ) -> Snapshot {
        let inner = self.inner.read();
        // What continues elsewhere than in the range is behind all of it, or before.
        let begin = match after.filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        let mut range = inner
            .objects
            .range::<str, _>((begin, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(_, object)| object)
            .filter(|object| keep(object));
        let objects: Vec<_> = range.by_ref().take(limit).map(Arc::clone).collect();
        let remaining = if objects.len() == limit { range.count() } else { 0 };
        Snapshot { objects, revision: inner.revision.max(at_least), remaining }
    }

    /// At most `limit` changes after a revision.
    ///
    /// # Errors
    /// The newest revision of which changes are missing.
    pub(crate) fn changes(&self, after: u64, limit: usize) -> Result<Vec<Arc<Change>>, u64> {
        self.inner.read().window.since(after, limit)
    }

    /// Rings whenever the shelf has changed.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    /// Forgets changes from before a time; gives about how many bytes they kept.
    fn trim(&self, before: Instant) -> usize {
        self.inner.write().window.trim(before)
    }

    /// The number of objects, and of changes and bytes in the window.
    pub(crate) fn size(&self) -> (usize, usize, usize) {
        let inner = self.inner.read();
        let (changes, bytes) = inner.window.size();
        (inner.objects.len(), changes, bytes)
    }

    fn replace(&self, objects: BTreeMap<Key, Arc<Object>>, revision: u64) {
        let window = Window::after(revision);
        *self.inner.write() = Inner { objects, window, revision, deferred: None };
        self.bell.send_replace(revision);
    }

    /// A shelf that keeps changes for later until it is filled.
    fn unfilled(self) -> Self {
        self.inner.write().deferred = Some(Vec::new());
        self
    }

    /// Takes what was stored at a revision, and then the changes that were kept for later.
    fn fill(&self, objects: BTreeMap<Key, Arc<Object>>, revision: u64, base: u64) {
        {
            let mut inner = self.inner.write();
            inner.objects = objects;
            inner.window = Window::after(revision);
            inner.revision = revision;
        }
        loop {
            let events = {
                let mut inner = self.inner.write();
                match inner.deferred.take() {
                    Some(events) if !events.is_empty() => {
                        inner.deferred = Some(Vec::new());
                        events
                    }
                    _ => break,
                }
            };
            for event in events.iter().filter(|event| event.revision().0 + base > revision) {
                self.take(event, base);
            }
        }
        self.bell.send_replace(self.inner.read().revision);
    }

    /// Takes a change, or keeps it while the shelf is being filled.
    fn apply(&self, event: &Event, base: u64) {
        if self.inner.read().deferred.is_some()
            && let Some(deferred) = &mut self.inner.write().deferred
        {
            deferred.push(event.clone());
            return;
        }
        self.take(event, base);
    }

    fn take(&self, event: &Event, base: u64) {
        let revision = event.revision().0 + base;
        let change = match event {
            Event::Put { entry, .. } => {
                let read = self.read(Arc::clone(&entry.key), entry.value.clone(), revision);
                let object = match read {
                    Ok(object) => Arc::new(object),
                    Err(damaged) => {
                        error!(error = %crate::error::chain(&damaged), "left out of the cache");
                        return;
                    }
                };
                let mut inner = self.inner.write();
                let previous = inner.objects.insert(Arc::clone(object.key()), Arc::clone(&object));
                let kind =
                    if previous.is_some() { ChangeKind::Modified } else { ChangeKind::Added };
                inner.revision = revision;
                let change = Arc::new(Change::new(kind, revision, object, previous));
                inner.window.push(change);
                revision
            }
            Event::Delete { previous, .. } => {
                let mut inner = self.inner.write();
                let Some(object) = inner.objects.remove(&previous.key) else { return };
                inner.revision = revision;
                let change = Change::new(ChangeKind::Deleted, revision, object, None);
                inner.window.push(Arc::new(change));
                revision
            }
        };
        self.bell.send_replace(change);
    }
}

/// The shelves by group and plural.
pub(crate) type Shelves = HashMap<String, Arc<Shelf>>;

fn shelf_of<'a>(shelves: &'a Shelves, key: &str) -> Option<&'a Arc<Shelf>> {
    let rest = key.strip_prefix(ROOT)?;
    let mut slashes = rest.match_indices('/').map(|(at, _)| at).skip(1);
    shelves.get(&rest[..slashes.next()?])
}

/// All shelves, and how far they have come.
#[derive(Debug)]
pub(crate) struct Cache {
    shelves: RwLock<Arc<Shelves>>,
    /// Held while shelves are filled: one is not filled twice at a time.
    filling: Mutex<()>,
    seen: watch::Sender<u64>,
    store: Arc<dyn Store>,
    /// What is added to revisions of the store before clients see them.
    pub(crate) base: u64,
}

/// The cache cannot be kept up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    #[error("cannot read the store")]
    Read(#[from] wk_store::ReadError),
    #[error("cannot watch the store")]
    Watch(#[from] WatchError),
    #[error("the store ended the watch")]
    Ended,
    #[error("what is stored could not be decoded")]
    Decode(#[source] tokio::task::JoinError),
}

/// All that keys with a prefix hold in a store as of one revision, page by page.
fn pages<'a>(
    store: &'a dyn Store,
    prefix: &'a str,
) -> impl Stream<Item = Result<Page, FeedError>> + 'a {
    let first = ListOptions { limit: Some(LOAD_PAGE), uncounted: true, ..ListOptions::default() };
    stream::try_unfold(Some(first), async move |options: Option<ListOptions>| {
        let Some(mut options) = options else { return Ok(None) };
        let page = store.list(prefix, options.clone()).await?;
        options.at = Some(page.revision);
        options.start_after = page.entries.last().map(|entry| Arc::clone(&entry.key));
        let next = page.more.then_some(options);
        Ok(Some((page, next)))
    })
}

/// The prefix of a shelf, and objects of it with their keys.
type Part = (String, Vec<(Key, Arc<Object>)>);

/// The objects of a page, by their shelves.
fn decoded(shelves: &Shelves, entries: Vec<Entry>, base: u64) -> Vec<Part> {
    let mut found: Vec<Part> = Vec::new();
    for entry in entries {
        let Some(shelf) = shelf_of(shelves, &entry.key) else { continue };
        let key = Arc::clone(&entry.key);
        match shelf.read(entry.key, entry.value, entry.revision.0 + base) {
            Ok(object) => {
                // They come in the order of their keys: those of a shelf are together.
                if found.last().is_none_or(|(prefix, _)| *prefix != shelf.prefix) {
                    found.push((shelf.prefix.clone(), Vec::new()));
                }
                if let Some((_, objects)) = found.last_mut() {
                    objects.push((key, Arc::new(object)));
                }
            }
            Err(damaged) => {
                error!(error = %crate::error::chain(&damaged), "left out of the cache");
            }
        }
    }
    found
}

/// The group and plural of a stored kind, as shelves are found by.
fn place(definition: &Definition) -> String {
    let group = if definition.group.is_empty() { "core" } else { &definition.group };
    format!("{group}/{}", definition.plural)
}

fn empty_shelf(definition: &Definition, place: &str) -> Shelf {
    Shelf::new(definition, format!("{ROOT}{place}/"))
}

/// Takes a new shelf away again if it was not filled after all.
struct Unfilled<'a> {
    cache: &'a Cache,
    place: Option<String>,
}

impl Drop for Unfilled<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            Arc::make_mut(&mut self.cache.shelves.write()).remove(&place);
        }
    }
}

impl Cache {
    /// A cache without kinds.
    pub(crate) fn new(store: Arc<dyn Store>, base: u64) -> Self {
        let seen = watch::Sender::new(0);
        Self { shelves: RwLock::default(), filling: Mutex::new(()), seen, store, base }
    }

    /// The shelf of a stored kind, made if there is none; [`Cache::load`] fills it.
    pub(crate) fn shelf(&self, definition: &Definition) -> Arc<Shelf> {
        let place = place(definition);
        let mut shelves = self.shelves.write();
        let made = || Arc::new(empty_shelf(definition, &place));
        Arc::clone(Arc::make_mut(&mut shelves).entry(place.clone()).or_insert_with(made))
    }

    /// The shelf of a stored kind, made and filled if there is none, while the others are in use.
    pub(crate) async fn filled_shelf(
        &self,
        definition: &Definition,
    ) -> Result<Arc<Shelf>, FeedError> {
        let _filling = self.filling.lock().await;
        let place = place(definition);
        if let Some(shelf) = self.shelves().get(&place) {
            return Ok(Arc::clone(shelf));
        }
        let shelf = Arc::new(empty_shelf(definition, &place).unfilled());
        // From here on it gets every change; what was stored before is read afterwards.
        Arc::make_mut(&mut self.shelves.write()).insert(place.clone(), Arc::clone(&shelf));
        let mut unfilled = Unfilled { cache: self, place: Some(place) };
        let shelves = self.shelves();
        let mut objects = BTreeMap::new();
        let mut revision = Revision(0);
        {
            let mut pages = pin!(pages(&*self.store, &shelf.prefix));
            while let Some(page) = pages.try_next().await? {
                revision = page.revision;
                let parts = decoded(&shelves, page.entries, self.base);
                objects.extend(parts.into_iter().flat_map(|(_, objects)| objects));
            }
        }
        shelf.fill(objects, revision.0 + self.base, self.base);
        unfilled.place = None;
        Ok(shelf)
    }

    /// The shelves as they are now, by their names.
    pub(crate) fn shelves(&self) -> Arc<Shelves> {
        Arc::clone(&self.shelves.read())
    }

    /// The revision that every shelf has reached.
    pub(crate) fn seen(&self) -> u64 {
        *self.seen.borrow()
    }

    /// Waits until the cache has seen a revision, at most as long as `patience`; says whether.
    pub(crate) async fn reach(&self, revision: u64, patience: Duration) -> bool {
        if self.seen() >= revision {
            return true;
        }
        let mut seen = self.seen.subscribe();
        let reached = seen.wait_for(|seen| *seen >= revision);
        matches!(tokio::time::timeout(patience, reached).await, Ok(Ok(_)))
    }

    /// Fills the cache with what is in the store; gives the revision to watch from.
    ///
    /// While one page is read from the store those before it are decoded, on as many threads as there
    /// are processors. Nothing is served before all of it is there.
    pub(crate) async fn load(&self) -> Result<Revision, FeedError> {
        let _filling = self.filling.lock().await;
        let shelves = self.shelves();
        let base = self.base;
        let mut decoding = pin!(
            pages(&*self.store, ROOT)
                .map_ok(|page| {
                    let shelves = Arc::clone(&shelves);
                    let objects = move || decoded(&shelves, page.entries, base);
                    let objects = tokio::task::spawn_blocking(objects);
                    async move { Ok((page.revision, objects.await.map_err(FeedError::Decode)?)) }
                })
                .try_buffered(thread::available_parallelism().map_or(1, NonZero::get))
        );
        let mut found: HashMap<String, Vec<(Key, Arc<Object>)>> = HashMap::new();
        let mut revision = Revision(0);
        while let Some((at, objects)) = decoding.try_next().await? {
            revision = at;
            for (prefix, mut objects) in objects {
                found.entry(prefix).or_default().append(&mut objects);
            }
        }
        let shown = revision.0 + base;
        for shelf in shelves.values() {
            let objects = found.remove(&shelf.prefix).unwrap_or_default();
            shelf.replace(objects.into_iter().collect(), shown);
        }
        self.seen.send_replace(shown);
        Ok(revision)
    }

    /// Keeps the cache up until cancelled.
    pub(crate) async fn feed(
        &self,
        mut from: Revision,
        token: CancellationToken,
    ) -> Result<(), FeedError> {
        loop {
            match self.follow(from, &token).await {
                Err(FeedError::Watch(WatchError::Compacted { .. })) => {
                    warn!("the cache fell behind the store and is filled anew");
                    from = self.load().await?;
                }
                other => return other,
            }
        }
    }

    async fn follow(&self, from: Revision, token: &CancellationToken) -> Result<(), FeedError> {
        let mut stream = self.store.watch(ROOT, from).await?;
        loop {
            let item = tokio::select! {
                biased;
                () = token.cancelled() => return Ok(()),
                item = stream.next() => item.ok_or(FeedError::Ended)??,
            };
            let revision = match item {
                WatchItem::Events(batch) => {
                    let shelves = self.shelves();
                    for event in batch.events.iter() {
                        if let Some(shelf) = shelf_of(&shelves, event.key()) {
                            shelf.apply(event, self.base);
                        }
                    }
                    batch.revision
                }
                WatchItem::Progress(revision) => revision,
            };
            let shown = revision.0 + self.base;
            self.seen.send_if_modified(|seen| {
                let newer = *seen < shown;
                *seen = shown.max(*seen);
                newer
            });
        }
    }

    /// Forgets changes from before a time; gives about how many bytes they kept.
    pub(crate) fn trim(&self, before: Instant) -> usize {
        self.shelves().values().map(|shelf| shelf.trim(before)).sum()
    }
}
