//! Reading one object, and lists of them.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wk_api::ApiError;
use wk_store::{Key, ReadError, Revision};

use crate::encode::{self, CHUNK, Look};
use crate::error::{self, Answer};
use crate::handle::Call;
use crate::negotiate::Shape;
use crate::object::Object;
use crate::options::{ListOptions, RevisionMatch};
use crate::table;

/// How long a read waits for a revision that has not happened yet.
const FUTURE: Duration = Duration::from_secs(3);
/// How many entries of an older revision are read from the store at a time.
const STORE_PAGE: usize = 500;

/// The revision of tokens that go on in the present, because their past is forgotten.
const NEWEST: i64 = -1;

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum Unlisted {
    Failed(ApiError),
    /// The list is too old to be continued as it was; the token continues it in the present.
    Forgotten(String),
}

impl From<ApiError> for Unlisted {
    fn from(error: ApiError) -> Self {
        Self::Failed(error)
    }
}

impl From<Unlisted> for ApiError {
    fn from(unlisted: Unlisted) -> Self {
        match unlisted {
            Unlisted::Failed(error) => error,
            Unlisted::Forgotten(_) => Self::expired(
                "The provided continue parameter is too old to display a consistent list result. \
                 You can start a new list without the continue parameter, or use the continue token \
                 in this response to retrieve the remainder of the results. Continuing with the \
                 provided token results in an inconsistent list - objects that were created, \
                 modified, or deleted between the time the first chunk was returned and now may \
                 show up in the list.",
            ),
        }
    }
}

/// What a `continue` token holds.
#[derive(Debug, Serialize, Deserialize)]
struct Token {
    /// The form of the token.
    v: String,
    /// The revision of the list; [`NEWEST`] to go on with what there is now.
    rv: i64,
    /// What the last key sent was, behind the kind's prefix.
    start: String,
}

/// One page of a list.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) objects: Vec<Arc<Object>>,
    pub(crate) revision: u64,
    pub(crate) more: bool,
    /// How many follow, where that is known.
    pub(crate) remaining: Option<u64>,
}

/// The object that a request names.
pub(crate) async fn get(call: &Call) -> Result<Arc<Object>, ApiError> {
    if let Some(revision) = crate::options::revision(call.query.text("resourceVersion"))? {
        reach(call, revision).await?;
    }
    call.resource.get(&call.path.namespace, &call.path.name)
}

/// Waits for a revision that a client has seen elsewhere.
pub(crate) async fn reach(call: &Call, revision: u64) -> Result<(), ApiError> {
    let cache = &call.server.storage.cache;
    if cache.reach(revision, FUTURE).await {
        return Ok(());
    }
    Err(error::too_large(revision, cache.seen()))
}

/// A page of the objects that a list is about.
pub(crate) async fn page(call: &Call, options: &ListOptions) -> Result<Page, Unlisted> {
    if !options.continuation.is_empty() {
        if options.asked_revision.is_some() {
            return Err(ApiError::bad_request(
                "specifying resource version is not allowed when using continue",
            )
            .into());
        }
        let token = open_token(&options.continuation)?;
        return match u64::try_from(token.rv) {
            Ok(revision) => older(call, options, revision, Some(token.start)).await,
            Err(_) => Ok(newest(call, options, &token.start)),
        };
    }
    match options.revision {
        RevisionMatch::Latest | RevisionMatch::Any => {}
        RevisionMatch::NotOlderThan(revision) => reach(call, revision).await?,
        RevisionMatch::Exact(revision) => {
            reach(call, revision).await?;
            if revision != call.server.storage.cache.seen() {
                return older(call, options, revision, None).await;
            }
        }
    }
    Ok(newest(call, options, ""))
}

/// A page of the present, behind the key that it continues after.
fn newest(call: &Call, options: &ListOptions, after: &str) -> Page {
    let (resource, selection) = (&call.resource, &options.selection);
    let seen = call.server.storage.cache.seen();
    // A list by name is one look-up.
    if let Some(name) = selection.fields.exact("metadata.name")
        && after.is_empty()
        && (!call.path.namespace.is_empty() || !resource.definition.namespaced)
    {
        let object = resource.shelf.get(&resource.key(&call.path.namespace, name));
        let object = object.filter(|object| resource.selects(selection, object));
        return Page {
            revision: object.as_ref().map_or(seen, |object| seen.max(object.revision)),
            objects: object.into_iter().collect(),
            ..Page::default()
        };
    }
    let namespace = match selection.fields.exact("metadata.namespace") {
        Some(namespace) if call.path.namespace.is_empty() => namespace,
        _ => &call.path.namespace,
    };
    let range = resource.range(namespace);
    let all = selection.is_everything();
    let keep = |object: &Object| all || resource.selects(selection, object);
    let after = (!after.is_empty()).then(|| format!("{}{after}", resource.shelf.prefix));
    let after = after.as_deref();
    let snapshot = resource.shelf.snapshot_after(&range, after, options.limit, seen, keep);
    let remaining = snapshot.remaining as u64;
    Page {
        objects: snapshot.objects,
        revision: snapshot.revision,
        more: remaining > 0,
        remaining: (all && remaining > 0).then_some(remaining),
    }
}

/// A page of the past, read from the store.
async fn older(
    call: &Call,
    options: &ListOptions,
    revision: u64,
    start: Option<String>,
) -> Result<Page, Unlisted> {
    let (resource, storage) = (&call.resource, &call.server.storage);
    let base = storage.cache.base;
    let range = resource.range(&call.path.namespace);
    let forgotten = |start: &Option<String>| {
        let text = "The resourceVersion for the provided list is too old.";
        let failed = || Unlisted::Failed(ApiError::expired(text));
        let again = |start: &String| Unlisted::Forgotten(written_token(NEWEST, start));
        start.as_ref().map_or_else(failed, again)
    };
    let at = Revision(revision.checked_sub(base).ok_or_else(|| forgotten(&start))?);
    let key = |start: &String| Key::from(format!("{}{start}", resource.shelf.prefix));
    let mut start_after = start.as_ref().map(key);
    let mut page = Page { revision, ..Page::default() };
    loop {
        // One more than wanted tells whether anything follows.
        let wanted = options.limit.saturating_sub(page.objects.len());
        let asked = page_limit(wanted);
        let found = storage
            .store
            .list(
                &range,
                wk_store::ListOptions {
                    at: Some(at),
                    start_after: start_after.clone(),
                    limit: Some(asked),
                    uncounted: !options.selection.is_everything(),
                },
            )
            .await
            .map_err(|failure| match failure {
                // What was sent before counts, wherever in the page the history ends.
                ReadError::Compacted { .. } => forgotten(&start),
                other => error::read(&other).into(),
            })?;
        let mut left = found.entries.len() as u64;
        for entry in found.entries {
            left -= 1;
            start_after = Some(Arc::clone(&entry.key));
            let object = resource
                .shelf
                .read(entry.key, entry.value, entry.revision.0 + base)
                .map_err(|damaged| ApiError::internal(error::chain(&damaged)))?;
            if !resource.selects(&options.selection, &object) {
                continue;
            }
            if page.objects.len() == options.limit {
                page.more = true;
                if options.selection.is_everything() {
                    page.remaining = Some(left + 1 + found.remaining);
                }
                return Ok(page);
            }
            page.objects.push(Arc::new(object));
        }
        if !found.more {
            return Ok(page);
        }
    }
}

fn page_limit(wanted: usize) -> usize {
    wanted.saturating_add(1).min(STORE_PAGE)
}

fn open_token(text: &str) -> Result<Token, ApiError> {
    let bad = |_| ApiError::bad_request("continue key is not valid");
    let bytes = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| ApiError::bad_request("continue key is not valid"))?;
    let token: Token = serde_json::from_slice(&bytes).map_err(bad)?;
    if token.v != "meta.k8s.io/v1" || token.start.starts_with('/') || token.start.contains("..") {
        return Err(ApiError::bad_request("continue key is not valid"));
    }
    Ok(token)
}

fn token(page: &Page) -> String {
    let Some(last) = page.objects.last().filter(|_| page.more) else { return String::new() };
    written_token(page.revision.cast_signed(), last.path())
}

fn written_token(revision: i64, start: &str) -> String {
    let token = Token { v: "meta.k8s.io/v1".to_owned(), rv: revision, start: start.to_owned() };
    URL_SAFE_NO_PAD.encode(json!(token).to_string())
}

/// The metadata of a list.
fn metadata(page: &Page) -> Value {
    let mut metadata = json!({"resourceVersion": page.revision.to_string()});
    let token = token(page);
    if !token.is_empty() {
        metadata["continue"] = token.into();
    }
    if let Some(remaining) = page.remaining {
        metadata["remainingItemCount"] = remaining.into();
    }
    metadata
}

/// Answers a list.
pub(crate) async fn list(call: &Call, options: &ListOptions) -> Answer {
    match page(call, options).await {
        Ok(page) => answer(call, page),
        Err(Unlisted::Forgotten(token)) => {
            let mut status = ApiError::from(Unlisted::Forgotten(String::new())).to_status();
            status["metadata"]["continue"] = token.into();
            encode::plain(&status, None, Look::JSON, StatusCode::GONE)
        }
        Err(Unlisted::Failed(error)) => Err(error),
    }
}

/// The answer that shows a page.
pub(crate) fn answer(call: &Call, page: Page) -> Answer {
    let (resource, look) = (&call.resource, call.look);
    let metadata = metadata(&page);
    if look.is_stored_form(resource) {
        return Ok(stored_form(call, page.objects, &metadata));
    }
    of_values(call, &metadata, page.objects.iter().map(|object| resource.value(object)))
}

/// The answer that shows a list of objects that were made for it.
pub(crate) fn of_values(
    call: &Call,
    metadata: &Value,
    values: impl IntoIterator<Item = Value>,
) -> Answer {
    let (resource, look) = (&call.resource, call.look);
    let values = values.into_iter();
    let definition = &resource.definition;
    let (value, message) = match look.format.shape {
        Shape::Plain => {
            let items: Vec<Value> = values.collect();
            let list = json!({
                "kind": definition.list_kind,
                "apiVersion": resource.api_version,
                "metadata": metadata,
                "items": items,
            });
            let message =
                wk_schema::kind(&definition.group, &definition.version, &definition.list_kind);
            (list, message)
        }
        Shape::Metadata(version) => {
            let items: Vec<Value> = values.map(|object| table::partial(object, version)).collect();
            let list = json!({
                "kind": "PartialObjectMetadataList",
                "apiVersion": format!("meta.k8s.io/{version}"),
                "metadata": metadata,
                "items": items,
            });
            (list, encode::meta_message("PartialObjectMetadataList"))
        }
        Shape::Table(version) => {
            (table::table(resource, version, metadata, values, look.include, true), None)
        }
    };
    encode::plain(&value, message, look, StatusCode::OK)
}

/// A list in JSON: the stored bytes of its objects, put together while they are sent.
fn stored_form(
    call: &Call,
    objects: Vec<Arc<Object>>,
    metadata: &Value,
) -> axum::response::Response {
    let head = format!(
        r#"{{"kind":{},"apiVersion":{},"metadata":{metadata},"items":["#,
        Value::from(call.resource.definition.list_kind.as_ref()),
        Value::from(call.resource.api_version.as_str()),
    );
    let size = objects.iter().map(|object| object.json_len() + 1).sum::<usize>() + head.len() + 3;
    let media_type = call.look.format.encoding.media_type();
    let mut pieces = pieces(head, objects);
    if size <= CHUNK {
        let whole = pieces.next().unwrap_or_default();
        return encode::whole(whole, media_type, false, StatusCode::OK);
    }
    encode::in_pieces(pieces, size, media_type, call.look.gzip, StatusCode::OK)
}

fn pieces(head: String, objects: Vec<Arc<Object>>) -> impl Iterator<Item = Bytes> + Send {
    let mut objects = objects.into_iter().peekable();
    let mut head = Some(head);
    let mut first = true;
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let mut piece = head.take().unwrap_or_default().into_bytes();
        while let Some(object) = objects.peek() {
            // Never past the size, so that a list that fits is one piece.
            if !piece.is_empty() && piece.len() + object.json_len() + 4 > CHUNK {
                return Some(Bytes::from(piece));
            }
            if !first {
                piece.push(b',');
            }
            first = false;
            object.write_json(&mut piece);
            objects.next();
        }
        piece.extend_from_slice(b"]}\n");
        done = true;
        Some(Bytes::from(piece))
    })
}
