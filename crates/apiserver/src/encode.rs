//! Answers that hold objects.

use std::io::Write as _;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY, WARNING};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use wk_api::ApiError;
use wk_schema::{Message, protobuf};

use crate::catalog::Resource;
use crate::error::Answer;
use crate::negotiate::{Encoding, Format, Shape};
use crate::object::Object;
use crate::table::{self, Include};

/// Answers from this size on are compressed for those who take it.
const COMPRESS_FROM: usize = 128 << 10;

/// How an answer is to look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) format: Format,
    pub(crate) include: Include,
    pub(crate) gzip: bool,
}

impl Look {
    /// Plain JSON.
    pub(crate) const JSON: Self =
        Self { format: Format::JSON, include: Include::Metadata, gzip: false };

    /// Whether the stored bytes can be sent as they are.
    pub(crate) fn is_stored_form(self, resource: &Resource) -> bool {
        self.format == Format::JSON && !resource.view
    }
}

/// Whether the client takes compressed answers.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .any(|entry| entry.split(';').next().is_some_and(|name| name.trim() == "gzip"))
}

/// An answer with one object of the cache.
pub(crate) fn object(
    resource: &Resource,
    object: &Object,
    look: Look,
    status: StatusCode,
) -> Answer {
    if look.is_stored_form(resource) {
        return Ok(whole(object.json(), Encoding::Json.media_type(), look.gzip, status));
    }
    value(resource, resource.value(object), look, status)
}

/// An answer with one object.
pub(crate) fn value(resource: &Resource, value: Value, look: Look, status: StatusCode) -> Answer {
    let (value, message) = match look.format.shape {
        Shape::Plain => (value, resource.definition.message),
        Shape::Metadata(version) => {
            (table::partial(value, version), meta_message("PartialObjectMetadata"))
        }
        Shape::Table(version) => {
            let revision = value.pointer("/metadata/resourceVersion").cloned();
            let metadata = json!({"resourceVersion": revision.unwrap_or_default()});
            let include = look.include;
            (table::table(resource, version, &metadata, [value], include, true), None)
        }
    };
    plain(&value, message, look, status)
}

/// An answer with any value, such as a review.
pub(crate) fn plain(
    value: &Value,
    message: Option<&'static Message>,
    look: Look,
    status: StatusCode,
) -> Answer {
    let encoding = look.format.encoding;
    let bytes = write(value, message, encoding)?;
    Ok(whole(bytes, encoding.media_type(), look.gzip, status))
}

/// The bytes of a value.
pub(crate) fn write(
    value: &Value,
    message: Option<&'static Message>,
    encoding: Encoding,
) -> Result<Bytes, ApiError> {
    match (encoding, message) {
        (Encoding::Protobuf, Some(message)) => Ok(protobuf::write_object(value, message).into()),
        (Encoding::Protobuf, None) => {
            Err(ApiError::not_acceptable(&["application/json", "application/yaml"]))
        }
        (Encoding::Json, _) => Ok(value.to_string().into()),
        (Encoding::Yaml, _) => Ok(wk_yaml::text(value).into()),
    }
}

/// The fields of a kind of `meta.k8s.io`.
pub(crate) fn meta_message(kind: &str) -> Option<&'static Message> {
    wk_schema::message(&format!("io.k8s.apimachinery.pkg.apis.meta.v1.{kind}"))
}

/// An answer whose body is at hand.
pub(crate) fn whole(
    bytes: Bytes,
    media_type: &'static str,
    gzip: bool,
    status: StatusCode,
) -> Response {
    if gzip && bytes.len() >= COMPRESS_FROM {
        let pieces = bytes.len().div_ceil(CHUNK);
        let pieces =
            (0..pieces).map(move |at| bytes.slice(at * CHUNK..((at + 1) * CHUNK).min(bytes.len())));
        return in_pieces(pieces, usize::MAX, media_type, gzip, status);
    }
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// About the size of the pieces of a long answer.
pub(crate) const CHUNK: usize = 64 << 10;

/// An answer whose body is made while it is sent; `size` is about its length.
pub(crate) fn in_pieces(
    pieces: impl Iterator<Item = Bytes> + Send + 'static,
    size: usize,
    media_type: &'static str,
    gzip: bool,
    status: StatusCode,
) -> Response {
    let gzip = gzip && size >= COMPRESS_FROM;
    let mut response = if gzip {
        let pieces = compressed(pieces).map(Ok::<_, std::io::Error>);
        Response::new(Body::from_stream(stream::iter(pieces)))
    } else {
        Response::new(Body::from_stream(stream::iter(pieces.map(Ok::<_, std::io::Error>))))
    };
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    response
}

/// Pieces compressed one by one, so that no worker is held for long.
fn compressed(
    mut pieces: impl Iterator<Item = Bytes> + Send + 'static,
) -> impl Iterator<Item = Bytes> + Send + 'static {
    let mut encoder = Some(GzEncoder::new(Vec::new(), Compression::fast()));
    std::iter::from_fn(move || {
        let mut current = encoder.take()?;
        // Writing to memory cannot fail.
        let Some(piece) = pieces.next() else { return current.finish().ok().map(Bytes::from) };
        current.write_all(&piece).ok()?;
        let out = std::mem::take(current.get_mut());
        encoder = Some(current);
        Some(out.into())
    })
}

/// Adds warnings for the client to an answer.
pub(crate) fn warn(response: &mut Response, warnings: &[String]) {
    for warning in warnings {
        let escaped = warning.replace('\\', "\\\\").replace('"', "\\\"");
        let clean: String = escaped.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if let Ok(value) = HeaderValue::from_bytes(format!("299 - \"{clean}\"").as_bytes()) {
            response.headers_mut().append(WARNING, value);
        }
    }
}
