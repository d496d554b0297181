//! Saving everything that is stored while the server goes on, and putting it back.
//!
//! A snapshot is one revision of the store, read page by page. Restoring one replaces the store's
//! content in one step; the revisions of what is restored lie far above everything that any server of
//! this store has shown, so that no client ever sees them go back: watches and lists from before get
//! 410, and their clients list again.

use std::fs::File;
use std::io::{self, BufReader, Seek as _, SeekFrom};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use tokio::io::AsyncWriteExt as _;
use tracing::{info, warn};
use wk_api::ApiError;
use wk_store::snapshot::{Encoder, Head, Reader, SnapshotError};
use wk_store::{Key, ListOptions, Page, Revision, StoreError};

use crate::cache::ROOT;
use crate::error::{self, Answer};
use crate::housekeeping::Saving;
use crate::seed;
use crate::server::ApiServer;

/// How many entries are read at a time.
const PAGE: usize = 500;
/// How far above everything known the revisions begin after a restore. Servers may have gone on after
/// the snapshot was taken, but none has made a thousand million changes since.
const JUMP: u64 = 1_000_000_000;
/// How long the cache may take to be filled anew.
const FILLED: Duration = Duration::from_mins(2);

/// One snapshot on its way to a client.
struct Save {
    server: Arc<ApiServer>,
    encoder: Encoder,
    revision: Revision,
    page: Option<Page>,
    begun: Vec<u8>,
    _saving: Saving,
}

/// Answers with a snapshot of the present.
pub(crate) async fn save(server: &Arc<ApiServer>) -> Answer {
    let saving = Saving::begin(server);
    let page = read(server, None, None).await.map_err(|failure| error::read(&failure))?;
    let head = Head {
        revision: page.revision.0 + server.storage.cache.base,
        taken: u64::try_from(Timestamp::now().as_second()).unwrap_or(0),
    };
    let mut begun = Vec::new();
    let encoder = Encoder::begin(head, &mut begun);
    let revision = page.revision;
    let server = Arc::clone(server);
    let save = Save { server, encoder, revision, page: Some(page), begun, _saving: saving };
    let pieces = stream::unfold(Some(save), |save| async {
        // An error breaks the connection off, so that nobody takes what came for the whole.
        match save?.next().await {
            Ok((piece, rest)) => Some((Ok(piece), rest)),
            Err(failure) => {
                warn!(error = %error::chain(&failure), "a snapshot broke off");
                Some((Err(io::Error::other(failure)), None))
            }
        }
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let media_type = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    Ok(response)
}

async fn read(
    server: &ApiServer,
    at: Option<Revision>,
    start_after: Option<Key>,
) -> Result<Page, wk_store::ReadError> {
    let options = ListOptions { at, start_after, limit: Some(PAGE), uncounted: true };
    server.storage.store.list(ROOT, options).await
}

impl Save {
    /// The next piece, and what is left to do after it.
    async fn next(mut self) -> Result<(Bytes, Option<Self>), wk_store::ReadError> {
        let mut piece = std::mem::take(&mut self.begun);
        let Some(page) = self.page.take() else {
            self.encoder.end(&mut piece);
            return Ok((piece.into(), None));
        };
        for entry in &page.entries {
            self.encoder.entry(&entry.key, &entry.value, &mut piece);
        }
        if page.more {
            let last = page.entries.last().map(|entry| Arc::clone(&entry.key));
            self.page = Some(read(&self.server, Some(self.revision), last).await?);
        }
        Ok((piece.into(), Some(self)))
    }
}

/// What a restore has led to.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) entries: u64,
    /// The revision of the restored state, as clients see it.
    pub(crate) revision: u64,
}

/// Replaces everything by the snapshot in a body, once all of it has come and is right.
pub(crate) async fn restore(server: &Arc<ApiServer>, body: Body) -> Result<Restored, ApiError> {
    let Ok(_only_one) = server.housekeeping.restoring.try_lock() else {
        return Err(ApiError::service_unavailable("another restore is going on"));
    };
    let failed = |error: io::Error| ApiError::internal(format!("cannot keep the body: {error}"));
    let spool = tokio::task::spawn_blocking(tempfile::tempfile);
    let spool = spool.await.map_err(io::Error::other).flatten().map_err(failed)?;
    let mut spool = tokio::fs::File::from_std(spool);
    let mut body = body;
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|error| ApiError::bad_request(format!("cannot read the body: {error}")))?;
        if let Some(data) = frame.data_ref() {
            spool.write_all(data).await.map_err(failed)?;
        }
    }
    spool.flush().await.map_err(failed)?;
    let spool = spool.into_std().await;
    let (head, entries, spool) = tokio::task::spawn_blocking(move || checked(spool))
        .await
        .map_err(|error| ApiError::internal(error.to_string()))?
        .map_err(|reason| ApiError::bad_request(reason.clone()))?;

    let storage = &server.storage;
    let base = storage.cache.base;
    let known = storage.cache.seen().max(head.revision).saturating_add(JUMP);
    let at_least = Revision(known.saturating_sub(base));
    warn!(entries, taken = head.taken, "restoring a snapshot");
    let replaced = storage.store.replace(Box::new(spool), at_least).await;
    let revision = replaced.map_err(|failure| error::store(&failure))?.0 + base;
    if !storage.cache.reach(revision, FILLED).await {
        return Err(ApiError::timeout("the snapshot is restored, but is not served yet"));
    }
    // What is always there need not have been there then.
    seed::seed(server).await?;
    info!(entries, revision, "restored a snapshot");
    Ok(Restored { entries, revision })
}

/// The entries of a snapshot that is known to be right.
struct Entries(Reader<BufReader<File>>);

impl Iterator for Entries {
    type Item = Result<(Key, Bytes), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let failed = |error: SnapshotError| StoreError::Io(io::Error::other(error));
        self.0.entry().map_err(failed).transpose()
    }
}

/// Reads a snapshot to its end, and gives it from its beginning.
fn checked(mut spool: File) -> Result<(Head, u64, Entries), String> {
    let rewound = |spool: &mut File| {
        spool.seek(SeekFrom::Start(0)).map_err(|error| error.to_string())?;
        let file = spool.try_clone().map_err(|error| error.to_string())?;
        Reader::open(BufReader::new(file)).map_err(|error| error::chain(&error))
    };
    let mut reader = rewound(&mut spool)?;
    let head = reader.head();
    let (mut entries, records) = (0, crate::records::Records::new());
    while let Some((key, value)) = reader.entry().map_err(|error| error::chain(&error))? {
        records.check(&key, &value).map_err(|wrong| format!("`{key}`: {wrong}"))?;
        entries += 1;
    }
    Ok((head, entries, Entries(rewound(&mut spool)?)))
}
