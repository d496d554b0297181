//! Watches: what a client has not seen yet, and then every change.
//!
//! A watch is a place in the window of its kind and nothing more: no queue, no task. It reads on
//! when its client reads, so that a slow client costs nothing but its place, which the window drops
//! one day; then the watch ends with 410 and the client lists again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use rand::Rng as _;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wk_api::{ApiError, well_known};
use wk_schema::protobuf;

use crate::cache::Cache;
use crate::catalog::Resource;
use crate::changes::{Change, ChangeKind, json_line};
use crate::encode::{self, CHUNK, Look};
use crate::error::Answer;
use crate::handle::Call;
use crate::list;
use crate::metrics::WatchGuard;
use crate::negotiate::{Encoding, Shape};
use crate::object::{Object, Selection};
use crate::options::{ListOptions, RevisionMatch};
use crate::{table, websocket};

/// How often a watch says how far it is.
const BOOKMARK_EVERY: Duration = Duration::from_mins(1);
/// How many changes are taken from the window at a time.
const BATCH: usize = 256;

/// Answers a watch.
pub(crate) async fn watch(call: &Call, options: &ListOptions) -> Answer {
    let resource = Arc::clone(&call.resource);
    let cache = Arc::clone(&call.server.storage.cache);
    if let RevisionMatch::NotOlderThan(revision) = options.revision
        && options.initial_events == Some(true)
    {
        list::reach(call, revision).await?;
    }
    let bell = resource.shelf.subscribe();
    let range = resource.range(&call.path.namespace);
    // Without a revision a watch begins with what there is, unless it says that it knows.
    let from_start = options.initial_events.unwrap_or(options.asked_revision.is_none());
    let (initial, cursor) = if from_start {
        let selection = &options.selection;
        let keep = |object: &Object| resource.selects(selection, object);
        let snapshot = resource.shelf.snapshot(&range, usize::MAX, cache.seen(), keep);
        (snapshot.objects, snapshot.revision)
    } else {
        (Vec::new(), options.asked_revision.unwrap_or_else(|| cache.seen()))
    };
    let now = Instant::now();
    let lifetime = options
        .timeout
        .unwrap_or_else(|| Duration::from_secs(rand::rng().random_range(1800..3600)));
    let watching = Watching {
        end_of_initial: options.bookmarks && options.initial_events == Some(true),
        initial: initial.into(),
        cursor,
        range,
        selection: options.selection.clone(),
        look: call.look,
        bookmarks: options.bookmarks,
        next_bookmark: now + BOOKMARK_EVERY,
        deadline: now + lifetime,
        headings: true,
        ended: false,
        bell,
        cache,
        resource,
        token: call.server.tasks.token(),
        _guard: call.server.metrics.watching(&call.resource.gr.to_string()),
    };
    if websocket::is_wanted(&call.headers) {
        return websocket::answer(call, watching);
    }
    let body = stream::unfold(watching, |mut watching| async move {
        let chunk = watching.next().await?;
        Some((Ok::<_, std::io::Error>(chunk), watching))
    });
    let mut response = Response::new(Body::from_stream(body));
    let media_type = match call.look.format.encoding {
        Encoding::Json | Encoding::Yaml => "application/json",
        Encoding::Protobuf => "application/vnd.kubernetes.protobuf;stream=watch",
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    Ok(response)
}

/// One watch and how far it is.
pub(crate) struct Watching {
    resource: Arc<Resource>,
    cache: Arc<Cache>,
    bell: watch::Receiver<u64>,
    /// What there was when the watch began, and is not sent yet.
    initial: VecDeque<Arc<Object>>,
    /// Whether the client waits to be told that it has all of that.
    end_of_initial: bool,
    /// Every change up to this revision was sent or is not selected.
    cursor: u64,
    range: String,
    selection: Selection,
    look: Look,
    bookmarks: bool,
    next_bookmark: Instant,
    deadline: Instant,
    /// Whether the next table needs its headings.
    headings: bool,
    ended: bool,
    token: CancellationToken,
    _guard: WatchGuard,
}

impl Watching {
    /// Whether events are protobuf, with their length before them; otherwise they are lines.
    pub(crate) fn is_binary(&self) -> bool {
        self.look.format.encoding == Encoding::Protobuf
    }

    /// The next bytes to send, whole events; `None` when the watch is over. Nothing is lost when the
    /// future is dropped.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        if let Some(chunk) = self.next_initial() {
            return Some(chunk);
        }
        if std::mem::take(&mut self.end_of_initial) {
            return Some(self.bookmark(self.cursor, true));
        }
        loop {
            self.bell.borrow_and_update();
            let seen = self.cache.seen();
            match self.resource.shelf.changes(self.cursor, BATCH) {
                Err(dropped) => return Some(self.expired(dropped)),
                Ok(changes) if !changes.is_empty() => {
                    if let Some(chunk) = self.events(&changes) {
                        return Some(chunk);
                    }
                    continue;
                }
                Ok(_) => {}
            }
            let bookmark = self.next_bookmark.min(self.deadline);
            tokio::select! {
                biased;
                () = self.token.cancelled() => return None,
                rung = self.bell.changed() => rung.ok()?,
                () = tokio::time::sleep_until(bookmark) => {
                    let now = Instant::now();
                    if now >= self.deadline {
                        self.ended = true;
                        return self.bookmarks.then(|| self.bookmark(self.cursor.max(seen), false));
                    }
                    self.next_bookmark = now + BOOKMARK_EVERY;
                    if self.bookmarks {
                        // Nothing of this kind has happened up to what the cache had seen.
                        return Some(self.bookmark(self.cursor.max(seen), false));
                    }
                }
            }
        }
    }

    /// The next objects of those that were there at the beginning.
    fn next_initial(&mut self) -> Option<Bytes> {
        if self.initial.is_empty() {
            return None;
        }
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK {
            let Some(object) = self.initial.pop_front() else { break };
            let event = self.event(ChangeKind::Added, &object, object.revision);
            chunk.extend_from_slice(&event);
        }
        Some(chunk.into())
    }

    /// What of these changes is to be sent; `None` if nothing is.
    fn events(&mut self, changes: &[Arc<Change>]) -> Option<Bytes> {
        let mut single: Option<Bytes> = None;
        let mut joined: Vec<u8> = Vec::new();
        for change in changes {
            self.cursor = change.revision;
            let Some(event) = self.of_change(change) else { continue };
            match single.take() {
                None if joined.is_empty() => single = Some(event),
                None => joined.extend_from_slice(&event),
                Some(first) => {
                    joined.extend_from_slice(&first);
                    joined.extend_from_slice(&event);
                }
            }
            if joined.len() >= CHUNK {
                break;
            }
        }
        // The usual case is one event, whose bytes are shared by all who watch.
        single.or_else(|| (!joined.is_empty()).then(|| joined.into()))
    }

    /// A change as this watch sees it: an object that begins to be selected is new to it.
    fn of_change(&mut self, change: &Change) -> Option<Bytes> {
        if !change.object.key().starts_with(&self.range) {
            return None;
        }
        let selects = |object: &Object| self.resource.selects(&self.selection, object);
        let now = selects(&change.object);
        let before = match change.kind {
            ChangeKind::Added => false,
            ChangeKind::Modified => {
                change.previous.as_ref().is_some_and(|previous| selects(previous))
            }
            ChangeKind::Deleted => now,
        };
        let (kind, object) = match (before, now, change.kind) {
            (true, _, ChangeKind::Deleted) => (ChangeKind::Deleted, &change.object),
            (true, true, _) => (ChangeKind::Modified, &change.object),
            (false, true, _) => (ChangeKind::Added, &change.object),
            (true, false, _) => (ChangeKind::Deleted, change.previous.as_ref()?),
            (false, false, _) => return None,
        };
        if kind == change.kind && self.look.is_stored_form(&self.resource) {
            return Some(change.line());
        }
        Some(self.event(kind, object, change.revision))
    }

    /// One event.
    fn event(&mut self, kind: ChangeKind, object: &Object, revision: u64) -> Bytes {
        if self.look.is_stored_form(&self.resource) {
            return json_line(kind, object, revision);
        }
        let value = self.resource.value_at(object, revision);
        let (value, message) = match self.look.format.shape {
            Shape::Plain => (value, self.resource.definition.message),
            Shape::Metadata(version) => {
                (table::partial(value, version), encode::meta_message("PartialObjectMetadata"))
            }
            Shape::Table(version) => (self.row(version, revision, Some(value)), None),
        };
        self.framed(kind.as_str(), &value, message)
    }

    /// A table of one row, or of none.
    fn row(&mut self, version: &str, revision: u64, object: Option<Value>) -> Value {
        let headings = std::mem::take(&mut self.headings);
        let metadata = json!({"resourceVersion": revision.to_string()});
        let include = self.look.include;
        table::table(&self.resource, version, &metadata, object, include, headings)
    }

    /// The event that says how far the watch is.
    fn bookmark(&mut self, revision: u64, end_of_initial: bool) -> Bytes {
        let (api_version, kind) = match self.look.format.shape {
            Shape::Plain | Shape::Table(_) => {
                (self.resource.api_version.clone(), self.resource.definition.kind.as_ref())
            }
            Shape::Metadata(version) => (format!("meta.k8s.io/{version}"), "PartialObjectMetadata"),
        };
        let mut object = json!({
            "kind": kind,
            "apiVersion": api_version,
            "metadata": {"resourceVersion": revision.to_string(), "creationTimestamp": null},
        });
        if end_of_initial {
            object["metadata"]["annotations"] =
                json!({well_known::INITIAL_EVENTS_END_ANNOTATION: "true"});
        }
        let (value, message) = match self.look.format.shape {
            Shape::Plain => (object, self.resource.definition.message),
            Shape::Metadata(_) => (object, encode::meta_message("PartialObjectMetadata")),
            Shape::Table(version) => (self.row(version, revision, Some(object)), None),
        };
        self.framed("BOOKMARK", &value, message)
    }

    /// The event that ends a watch whose place is gone.
    fn expired(&mut self, dropped: u64) -> Bytes {
        self.ended = true;
        let message = format!("too old resource version: {} ({dropped})", self.cursor);
        let status = ApiError::expired(message).to_status();
        self.framed("ERROR", &status, encode::meta_message("Status"))
    }

    fn framed(
        &self,
        kind: &str,
        value: &Value,
        message: Option<&'static wk_schema::Message>,
    ) -> Bytes {
        match (self.look.format.encoding, message) {
            (Encoding::Protobuf, Some(message)) => {
                let object = protobuf::write_object(value, message);
                protobuf::frame(&protobuf::watch_event(kind, &object)).into()
            }
            _ => format!("{{\"type\":\"{kind}\",\"object\":{value}}}\n").into(),
        }
    }
}
