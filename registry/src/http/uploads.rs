//! Uploads: begun, continued, finished, cancelled.

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::{CONTENT_RANGE, LOCATION, RANGE};
use http::{HeaderName, StatusCode};
use http_body_util::BodyExt as _;
use uuid::Uuid;

use super::{Answer, Call, created, insert, mismatch, parse_digest};
use crate::blocking;
use crate::digest::Digest;
use crate::fault::{Code, Fault};
use crate::name::RepositoryName;
use crate::range::chunk;
use crate::uploads::{Session, UploadFault};

/// Bytes handed to the disk at once.
const WRITE_BATCH: usize = 512 << 10;

const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");

impl Call<'_> {
    /// Starts an upload, or does all of one: with a body and `digest`, or by a mount.
    pub(super) async fn begin_upload(&self, name: RepositoryName, body: Body) -> Answer {
        if let (Some(mount), Some(from)) = (&self.query.mount, &self.query.from) {
            let digest = parse_digest(mount)?;
            let from = RepositoryName::parse(from).ok_or_else(|| {
                Fault::bad(Code::NameInvalid, format!("`{from}` is not a repository name"))
            })?;
            let (target, wanted) = (name.clone(), digest.clone());
            if self.with(move |registry| registry.storage.mount(&target, &from, &wanted)).await? {
                return Ok(created(&format!("/v2/{name}/blobs/{digest}"), &digest));
            }
        }
        let digest = self.query.digest.as_deref().map(parse_digest).transpose()?;
        let repository = name.clone();
        let session = self.with(move |registry| registry.uploads.begin(&repository)).await?;
        let Some(digest) = digest else {
            return Ok(accepted(&name, session.id(), session.length()));
        };
        match self.receive(session, body).await {
            Ok(session) => self.complete(session, name, digest).await,
            Err((session, fault)) => {
                // The client does not know its id, so nobody can go on with it.
                if let Some(session) = session {
                    self.with(|_| session.discard()).await?;
                }
                Err(fault)
            }
        }
    }

    pub(super) async fn upload_status(&self, name: RepositoryName, id: Uuid) -> Answer {
        let repository = name.clone();
        let length = self
            .with(move |registry| registry.uploads.length(&repository, id))
            .await
            .map_err(|fault| upload_fault(fault, id))?;
        let mut response = accepted(&name, id, length);
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }

    pub(super) async fn append(&self, name: RepositoryName, id: Uuid, body: Body) -> Answer {
        let session = self.resume(&name, id).await?;
        self.check_position(&session, &name)?;
        let session = self.receive(session, body).await.map_err(|(_, fault)| fault)?;
        Ok(accepted(&name, id, session.length()))
    }

    pub(super) async fn finish(&self, name: RepositoryName, id: Uuid, body: Body) -> Answer {
        let digest =
            self.query.digest.as_deref().ok_or_else(|| {
                Fault::bad(Code::DigestInvalid, "the parameter `digest` is missing")
            })?;
        let digest = parse_digest(digest)?;
        let session = self.resume(&name, id).await?;
        self.check_position(&session, &name)?;
        let session = self.receive(session, body).await.map_err(|(_, fault)| fault)?;
        self.complete(session, name, digest).await
    }

    pub(super) async fn cancel(&self, name: RepositoryName, id: Uuid) -> Answer {
        let session = self.resume(&name, id).await?;
        self.with(|_| session.discard()).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    }

    async fn resume(&self, name: &RepositoryName, id: Uuid) -> Result<Session, Fault> {
        let repository = name.clone();
        self.with(move |registry| registry.uploads.resume(&repository, id))
            .await
            .map_err(|fault| upload_fault(fault, id))
    }

    async fn complete(&self, session: Session, name: RepositoryName, digest: Digest) -> Answer {
        let location = format!("/v2/{name}/blobs/{digest}");
        let claimed = digest.clone();
        self.with(move |registry| session.finish(&registry.storage, &name, &claimed))
            .await?
            .map_err(|actual| mismatch(&digest, &actual))?;
        Ok(created(&location, &digest))
    }

    /// A chunk that says where it belongs has to follow the last one, and be as long as it says.
    fn check_position(&self, session: &Session, name: &RepositoryName) -> Result<(), Fault> {
        let Some(text) = self.header(&CONTENT_RANGE) else { return Ok(()) };
        let (start, length) = chunk(text).ok_or_else(|| {
            Fault::bad(Code::BlobUploadInvalid, format!("`Content-Range: {text}` is malformed"))
        })?;
        if start != session.length() {
            let message =
                format!("the chunk starts at byte {start}, the next is {}", session.length());
            let status = StatusCode::RANGE_NOT_SATISFIABLE;
            return Err(Fault::new(status, Code::BlobUploadInvalid, message)
                .with(LOCATION, &upload_location(name, session.id()))
                .with(RANGE, &received(session.length()))
                .with(UPLOAD_ID, &session.id().to_string()));
        }
        match self.content_length() {
            Some(sent) if sent != length => Err(Fault::bad(
                Code::SizeInvalid,
                format!("`Content-Range` has {length} bytes, the body {sent}"),
            )),
            _ => Ok(()),
        }
    }

    /// Adds a body to an upload. What came before a fault stays in the upload, which is returned
    /// with the fault unless the disk has failed it.
    async fn receive(
        &self,
        mut session: Session,
        mut body: Body,
    ) -> Result<Session, (Option<Session>, Fault)> {
        let limits = &self.registry.limits;
        let too_large = |session: &Session, more: u64| {
            let bytes = session.length().saturating_add(more);
            limits.blob_bytes.filter(|limit| bytes > *limit).map(|limit| {
                let message = format!("a blob may have {limit} bytes here");
                Fault::new(StatusCode::PAYLOAD_TOO_LARGE, Code::SizeInvalid, message)
            })
        };
        if let Some(fault) = too_large(&session, self.content_length().unwrap_or(0)) {
            return Err((Some(session), fault));
        }
        let mut batch: Vec<Bytes> = Vec::new();
        let mut pending = 0;
        loop {
            let frame = tokio::time::timeout(limits.body_timeout, body.frame()).await;
            let mut end = None;
            match frame {
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        pending += data.len();
                        batch.push(data);
                    }
                }
                Ok(None) => end = Some(Ok(())),
                Ok(Some(Err(error))) => {
                    let message = format!("the body broke off: {error}");
                    end = Some(Err(Fault::bad(Code::BlobUploadInvalid, message)));
                }
                Err(_) => {
                    let message = "no bytes came for too long; the upload can be resumed";
                    let status = StatusCode::REQUEST_TIMEOUT;
                    end = Some(Err(Fault::new(status, Code::BlobUploadInvalid, message)));
                }
            }
            if let Some(fault) = too_large(&session, pending as u64) {
                return Err((Some(session), fault));
            }
            if pending >= WRITE_BATCH || (end.is_some() && pending > 0) {
                let full = std::mem::take(&mut batch);
                pending = 0;
                // The session goes along, so that a request that is cancelled here gives it back
                // only when the bytes are written.
                let written = blocking(move || {
                    let outcome = session.append(&full);
                    (session, outcome)
                });
                let (returned, outcome) = written.await;
                session = returned;
                if let Err(error) = outcome {
                    return Err((Some(session), error.into()));
                }
            }
            match end {
                None => {}
                Some(Ok(())) => return Ok(session),
                Some(Err(fault)) => return Err((Some(session), fault)),
            }
        }
    }
}

pub(super) fn parse_id(text: &str) -> Result<Uuid, Fault> {
    text.parse().map_err(|_| {
        Fault::not_found(Code::BlobUploadUnknown, format!("there is no upload `{text}`"))
    })
}

fn upload_fault(fault: UploadFault, id: Uuid) -> Fault {
    match fault {
        UploadFault::Unknown => {
            Fault::not_found(Code::BlobUploadUnknown, format!("there is no upload `{id}`"))
        }
        UploadFault::Busy => Fault::new(
            StatusCode::CONFLICT,
            Code::BlobUploadInvalid,
            "another request is working on this upload",
        ),
        UploadFault::Io(error) => error.into(),
    }
}

fn upload_location(name: &RepositoryName, id: Uuid) -> String {
    format!("/v2/{name}/blobs/uploads/{id}")
}

/// The `Range` of an upload: `0-` the last byte; by convention `0-0` also when nothing has come.
fn received(length: u64) -> String {
    format!("0-{}", length.saturating_sub(1))
}

fn accepted(name: &RepositoryName, id: Uuid, length: u64) -> Response {
    let mut response = StatusCode::ACCEPTED.into_response();
    let headers = response.headers_mut();
    insert(headers, LOCATION, &upload_location(name, id));
    insert(headers, RANGE, &received(length));
    insert(headers, UPLOAD_ID, &id.to_string());
    response
}
