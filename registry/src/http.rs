//! The protocol: one function for each route and method.
//!
//! Spec: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints>

mod uploads;

use std::collections::HashMap;
use std::io::SeekFrom;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::header::{
    ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, LINK,
    LOCATION, RANGE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;
use tracing::{Instrument as _, debug, debug_span};

use self::uploads::parse_id;
use crate::digest::{Algorithm, Digest, Digester};
use crate::fault::{Code, Fault};
use crate::manifest::{self, OCI_INDEX};
use crate::name::{RepositoryName, Tag, Target};
use crate::range::{Wanted, wanted};
use crate::route::{Route, RouteFault, route};
use crate::{Inner, blocking};

const READ_BUFFER: usize = 256 << 10;
/// Names on one page of a list, where the client wants more or does not say.
const MAX_PAGE: usize = 10_000;

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const OCI_FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");

type Answer = Result<Response, Fault>;

/// Answers every request; the router has no routes of its own, because repositories hold slashes.
pub(crate) async fn answer(State(registry): State<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let span = debug_span!("registry", method = %parts.method, path = parts.uri.path());
    async {
        let mut response = match dispatch(&registry, &parts, body).await {
            Ok(response) => response,
            Err(fault) => {
                debug!(status = %fault.status, message = %fault.message, "refused");
                fault.into_response()
            }
        };
        response.headers_mut().insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
        response
    }
    .instrument(span)
    .await
}

async fn dispatch(registry: &Arc<Inner>, parts: &Parts, body: Body) -> Answer {
    let route = route(parts.uri.path()).map_err(|fault| match fault {
        RouteFault::Unknown => {
            Fault::not_found(Code::Unsupported, "no such path in the registry protocol")
        }
        RouteFault::Name(name) => {
            Fault::bad(Code::NameInvalid, format!("`{name}` is not a repository name"))
        }
    })?;
    let query = Parameters::of(parts)?;
    let call =
        Call { registry, headers: &parts.headers, query, head: parts.method == Method::HEAD };
    let method = if call.head { &Method::GET } else { &parts.method };
    match (route, method.as_str()) {
        (Route::Version, "GET") => Ok(json_response(&json!({}))),
        (Route::Catalog, "GET") => call.catalog().await,
        (Route::Tags(name), "GET") => call.tags(name).await,
        (Route::Manifest(name, reference), "GET") => call.manifest(name, &reference).await,
        (Route::Manifest(name, reference), "PUT") => {
            call.put_manifest(name, &reference, body).await
        }
        (Route::Manifest(name, reference), "DELETE") => {
            call.delete_manifest(name, &reference).await
        }
        (Route::Blob(name, digest), "GET") => call.blob(name, parse_digest(&digest)?).await,
        (Route::Blob(name, digest), "DELETE") => {
            call.delete_blob(name, parse_digest(&digest)?).await
        }
        (Route::Uploads(name), "POST") => call.begin_upload(name, body).await,
        (Route::Upload(name, id), "GET") => call.upload_status(name, parse_id(&id)?).await,
        (Route::Upload(name, id), "PATCH") => call.append(name, parse_id(&id)?, body).await,
        (Route::Upload(name, id), "PUT") => call.finish(name, parse_id(&id)?, body).await,
        (Route::Upload(name, id), "DELETE") => call.cancel(name, parse_id(&id)?).await,
        (Route::Referrers(name, digest), "GET") => {
            call.referrers(name, parse_digest(&digest)?).await
        }
        (route, _) => {
            let message = format!("{} is not allowed here", parts.method);
            Err(Fault::new(StatusCode::METHOD_NOT_ALLOWED, Code::Unsupported, message)
                .with(ALLOW, allowed(&route)))
        }
    }
}

fn allowed(route: &Route) -> &'static str {
    match route {
        Route::Version | Route::Catalog | Route::Tags(_) | Route::Referrers(..) => "GET, HEAD",
        Route::Manifest(..) => "GET, HEAD, PUT, DELETE",
        Route::Blob(..) => "GET, HEAD, DELETE",
        Route::Uploads(_) => "POST",
        Route::Upload(..) => "GET, PATCH, PUT, DELETE",
    }
}

/// The query parameters of all routes.
#[derive(Debug, Default)]
struct Parameters {
    digest: Option<String>,
    mount: Option<String>,
    from: Option<String>,
    artifact_type: Option<String>,
    n: Option<String>,
    last: Option<String>,
}

impl Parameters {
    fn of(parts: &Parts) -> Result<Self, Fault> {
        let Query(mut map) = Query::<HashMap<String, String>>::try_from_uri(&parts.uri)
            .map_err(|error| Fault::bad(Code::Unsupported, error.to_string()))?;
        Ok(Self {
            digest: map.remove("digest"),
            mount: map.remove("mount"),
            from: map.remove("from"),
            artifact_type: map.remove("artifactType"),
            n: map.remove("n"),
            last: map.remove("last"),
        })
    }
}

/// One request, without its body.
struct Call<'a> {
    registry: &'a Arc<Inner>,
    headers: &'a HeaderMap,
    query: Parameters,
    head: bool,
}

impl Call<'_> {
    /// Does blocking work with the registry.
    async fn with<T, F>(&self, work: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(&Inner) -> T + Send + 'static,
    {
        let registry = Arc::clone(self.registry);
        blocking(move || work(&registry)).await
    }

    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    async fn catalog(&self) -> Answer {
        let names = self.with(|registry| registry.storage.repositories()).await?;
        let names: Vec<_> = names.iter().map(|name| name.as_str().to_owned()).collect();
        let (page, next) = self.page(names, str::to_owned)?;
        let mut response = json_response(&json!({ "repositories": page }));
        link_next(&mut response, "/v2/_catalog", next.as_deref(), self.query.n.as_deref());
        Ok(response)
    }

    async fn tags(&self, name: RepositoryName) -> Answer {
        let wanted = name.clone();
        let tags = self.with(move |registry| registry.storage.tags(&wanted)).await?;
        let Some(tags) = tags else { return Err(unknown_name(&name)) };
        let mut tags: Vec<_> = tags.iter().map(Tag::as_str).map(str::to_owned).collect();
        // The specification's order: without regard to case.
        tags.sort_by_key(|tag| tag_order(tag));
        let (page, next) = self.page(tags, tag_order)?;
        let mut response = json_response(&json!({ "name": name.as_str(), "tags": page }));
        let path = format!("/v2/{name}/tags/list");
        link_next(&mut response, &path, next.as_deref(), self.query.n.as_deref());
        Ok(response)
    }

    /// The part of a sorted list after `last`, at most `n` long, and its end if more follows.
    fn page<K: Ord>(
        &self,
        mut names: Vec<String>,
        key: impl Fn(&str) -> K,
    ) -> Result<(Vec<String>, Option<String>), Fault> {
        if let Some(last) = &self.query.last {
            let last = key(last);
            names.retain(|name| key(name) > last);
        }
        let limit = match &self.query.n {
            None => MAX_PAGE,
            Some(n) => n
                .parse::<usize>()
                .map_err(|_| Fault::bad(Code::Unsupported, format!("`n={n}` is not a number")))?
                .min(MAX_PAGE),
        };
        let more = names.len() > limit;
        names.truncate(limit);
        let next = names.last().filter(|_| more).cloned();
        Ok((names, next))
    }

    async fn manifest(&self, name: RepositoryName, reference: &str) -> Answer {
        let unknown = || {
            let message = format!("manifest `{reference}` is not in repository `{name}`");
            Fault::not_found(Code::ManifestUnknown, message)
        };
        // What breaks the grammar cannot have been pushed.
        let target = Target::parse(reference).ok_or_else(unknown)?;
        let wanted = name.clone();
        let stored = self.with(move |registry| registry.storage.manifest(&wanted, &target)).await?;
        let stored = stored.ok_or_else(unknown)?;
        let length = stored.bytes.len();
        let body = if self.head { Body::empty() } else { Body::from(stored.bytes) };
        let mut response = body.into_response();
        let headers = response.headers_mut();
        insert(headers, CONTENT_TYPE, &stored.media_type);
        insert(headers, CONTENT_LENGTH, &length.to_string());
        insert(headers, ETAG, &format!("\"{}\"", stored.digest));
        insert(headers, CONTENT_DIGEST, stored.digest.as_str());
        Ok(response)
    }

    async fn put_manifest(&self, name: RepositoryName, reference: &str, body: Body) -> Answer {
        let target = if reference.contains(':') {
            Target::Digest(parse_digest(reference)?)
        } else {
            Target::parse(reference).ok_or_else(|| {
                Fault::bad(Code::ManifestInvalid, format!("`{reference}` is not a tag"))
            })?
        };
        let bytes = self.small_body(body).await?;
        let algorithm = match &target {
            Target::Digest(digest) => digest.algorithm(),
            Target::Tag(_) => Algorithm::Sha256,
        };
        let mut digester = Digester::new(algorithm);
        digester.update(&bytes);
        let digest = digester.finish();
        if let Target::Digest(claimed) = &target
            && *claimed != digest
        {
            return Err(mismatch(claimed, &digest));
        }
        let parsed = manifest::parse(&bytes, self.header(&CONTENT_TYPE))
            .map_err(|reason| Fault::bad(Code::ManifestInvalid, format!("manifest: {reason}")))?;
        let subject = parsed.subject.clone();
        let location = format!("/v2/{name}/manifests/{digest}");
        let stored = digest.clone();
        self.with(move |registry| {
            registry.storage.put_manifest(&name, &target, &stored, &parsed, &bytes)
        })
        .await?;
        let mut response = created(&location, &digest);
        if let Some(subject) = subject {
            insert(response.headers_mut(), OCI_SUBJECT, subject.as_str());
        }
        Ok(response)
    }

    async fn delete_manifest(&self, name: RepositoryName, reference: &str) -> Answer {
        let unknown = || {
            let message = format!("manifest `{reference}` is not in this repository");
            Fault::not_found(Code::ManifestUnknown, message)
        };
        let target = Target::parse(reference).ok_or_else(unknown)?;
        let found =
            self.with(move |registry| registry.storage.delete_manifest(&name, &target)).await?;
        if found { Ok(StatusCode::ACCEPTED.into_response()) } else { Err(unknown()) }
    }

    async fn blob(&self, name: RepositoryName, digest: Digest) -> Answer {
        let (wanted_name, wanted_digest) = (name.clone(), digest.clone());
        let size = self
            .with(move |registry| registry.storage.blob_size(&wanted_name, &wanted_digest))
            .await?
            .ok_or_else(|| unknown_blob(&name, &digest))?;
        let (status, start, length) = match wanted(self.header(&RANGE), size) {
            Wanted::Whole => (StatusCode::OK, 0, size),
            Wanted::Part { start, length } => (StatusCode::PARTIAL_CONTENT, start, length),
            Wanted::Outside => {
                let message = format!("the blob has {size} bytes");
                let status = StatusCode::RANGE_NOT_SATISFIABLE;
                return Err(Fault::new(status, Code::SizeInvalid, message)
                    .with(CONTENT_RANGE, &format!("bytes */{size}")));
            }
        };
        let body = if self.head {
            Body::empty()
        } else {
            let mut file = tokio::fs::File::open(self.registry.storage.content(&digest)).await?;
            if start > 0 {
                file.seek(SeekFrom::Start(start)).await?;
            }
            Body::from_stream(ReaderStream::with_capacity(file.take(length), READ_BUFFER))
        };
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        insert(headers, CONTENT_TYPE, "application/octet-stream");
        insert(headers, CONTENT_LENGTH, &length.to_string());
        insert(headers, ACCEPT_RANGES, "bytes");
        insert(headers, ETAG, &format!("\"{digest}\""));
        insert(headers, CONTENT_DIGEST, digest.as_str());
        if status == StatusCode::PARTIAL_CONTENT {
            let last = start + length - 1;
            insert(headers, CONTENT_RANGE, &format!("bytes {start}-{last}/{size}"));
        }
        Ok(response)
    }

    async fn delete_blob(&self, name: RepositoryName, digest: Digest) -> Answer {
        let (wanted_name, wanted_digest) = (name.clone(), digest.clone());
        let found = self
            .with(move |registry| registry.storage.delete_blob(&wanted_name, &wanted_digest))
            .await?;
        if found {
            Ok(StatusCode::ACCEPTED.into_response())
        } else {
            Err(unknown_blob(&name, &digest))
        }
    }

    fn content_length(&self) -> Option<u64> {
        self.header(&CONTENT_LENGTH).and_then(|text| text.parse().ok())
    }

    /// Reads a manifest's body.
    async fn small_body(&self, mut body: Body) -> Result<Bytes, Fault> {
        let limits = &self.registry.limits;
        let limit = limits.manifest_bytes;
        let too_large = || {
            let message = format!("a manifest may have {limit} bytes");
            Fault::new(StatusCode::PAYLOAD_TOO_LARGE, Code::SizeInvalid, message)
        };
        if self.content_length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let mut bytes = BytesMut::new();
        loop {
            let frame = tokio::time::timeout(limits.body_timeout, body.frame()).await;
            match frame {
                Err(_) => {
                    let message = "no bytes came for too long";
                    let status = StatusCode::REQUEST_TIMEOUT;
                    return Err(Fault::new(status, Code::ManifestInvalid, message));
                }
                Ok(None) => return Ok(bytes.freeze()),
                Ok(Some(Err(error))) => {
                    let message = format!("the body broke off: {error}");
                    return Err(Fault::bad(Code::ManifestInvalid, message));
                }
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        bytes.extend_from_slice(&data);
                    }
                }
            }
            if bytes.len() as u64 > limit {
                return Err(too_large());
            }
        }
    }

    async fn referrers(&self, name: RepositoryName, subject: Digest) -> Answer {
        let mut entries =
            self.with(move |registry| registry.storage.referrers_of(&name, &subject)).await?;
        if let Some(artifact_type) = &self.query.artifact_type {
            entries.retain(|entry| entry["artifactType"] == artifact_type.as_str());
        }
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries });
        let mut response = json_response(&index);
        insert(response.headers_mut(), CONTENT_TYPE, OCI_INDEX);
        if self.query.artifact_type.is_some() {
            insert(response.headers_mut(), OCI_FILTERS, "artifactType");
        }
        Ok(response)
    }
}

fn parse_digest(text: &str) -> Result<Digest, Fault> {
    text.parse().map_err(|error: crate::digest::DigestError| {
        Fault::bad(Code::DigestInvalid, error.to_string())
    })
}

fn mismatch(claimed: &Digest, actual: &Digest) -> Fault {
    let message = format!("digest mismatch: `{claimed}` was claimed, the content has `{actual}`");
    Fault::bad(Code::DigestInvalid, message)
}

fn unknown_blob(name: &RepositoryName, digest: &Digest) -> Fault {
    let message = format!("blob `{digest}` is not in repository `{name}`");
    Fault::not_found(Code::BlobUnknown, message)
}

fn unknown_name(name: &RepositoryName) -> Fault {
    Fault::not_found(Code::NameUnknown, format!("there is no repository `{name}`"))
}

fn tag_order(tag: &str) -> (String, String) {
    (tag.to_ascii_lowercase(), tag.to_owned())
}

fn created(location: &str, digest: &Digest) -> Response {
    let mut response = StatusCode::CREATED.into_response();
    insert(response.headers_mut(), LOCATION, location);
    insert(response.headers_mut(), CONTENT_DIGEST, digest.as_str());
    response
}

fn json_response(value: &serde_json::Value) -> Response {
    let mut response = value.to_string().into_response();
    insert(response.headers_mut(), CONTENT_TYPE, "application/json");
    response
}

fn link_next(response: &mut Response, path: &str, last: Option<&str>, n: Option<&str>) {
    if let Some(last) = last {
        let n = n.map_or(String::new(), |n| format!("n={n}&"));
        let link = format!("<{path}?{n}last={last}>; rel=\"next\"");
        insert(response.headers_mut(), LINK, &link);
    }
}

/// Sets a header; all our values are printable ASCII, and one that is not is better left out.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
