//! Bodies of requests: how much of them is read, and how they are decoded.

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::Value;
use wk_api::ApiError;
use wk_schema::{DecodeError, Message, Warning, decode, protobuf};
use wk_yaml::Duplicate;

use crate::options::FieldValidation;

/// The most bytes of a body: 3 MiB, as in Kubernetes.
pub(crate) const MAX_BODY: usize = 3 << 20;

/// Reads a whole body.
///
/// # Errors
/// 413 beyond [`MAX_BODY`], 400 if it breaks off.
pub(crate) async fn read(body: Body) -> Result<Bytes, ApiError> {
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(ApiError::too_large(&format!("limit is {MAX_BODY}")))
        }
        Err(error) => Err(ApiError::bad_request(format!("cannot read the body: {error}"))),
    }
}

/// The media type of a body without its parameters; empty without one.
pub(crate) fn media_type(headers: &HeaderMap) -> &str {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    text.split(';').next().unwrap_or_default().trim()
}

/// What a body is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    pub(crate) api_version: &'a str,
    pub(crate) kind: &'a str,
    /// Its fields; `None` for kinds that the schema does not know.
    pub(crate) message: Option<&'static Message>,
}

/// An object that a client sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) value: Value,
    /// What the client is to be warned of.
    pub(crate) warnings: Vec<String>,
}

/// Decodes a body into an object of the expected kind.
///
/// # Errors
/// 400 for what cannot be read, 415 for media types that are not known.
pub(crate) fn decode_object(
    bytes: &[u8],
    media_type: &str,
    expected: Expected<'_>,
    validation: FieldValidation,
) -> Result<Sent, ApiError> {
    let bad = |error: DecodeError| {
        ApiError::bad_request(error.for_kind(version_of(expected.api_version), expected.kind))
    };
    let mut duplicates = Vec::new();
    let (value, warnings) = match media_type {
        "" | "application/json" => {
            let (api_version, kind) = wk_schema::type_meta(bytes)
                .map_err(|error| ApiError::bad_request(error.to_string()))?;
            check_type(&api_version, &kind, expected)?;
            match expected.message {
                Some(message) => decode(bytes, message).map_err(bad)?,
                None => (parse(bytes)?, Vec::new()),
            }
        }
        "application/yaml" => {
            let document = wk_yaml::first(bytes).map_err(|error| {
                let (kind, shown) = (expected.kind, summary(bytes));
                ApiError::bad_request(format!(
                    "the object provided is unrecognized (must be of type {kind}): {error} ({shown})"
                ))
            })?;
            check_type_of(&document.value, expected)?;
            duplicates = document.duplicates;
            match expected.message {
                Some(message) => wk_schema::decode_value(document.value, message).map_err(bad)?,
                None => (document.value, Vec::new()),
            }
        }
        "application/vnd.kubernetes.protobuf" => (from_protobuf(bytes, expected)?, Vec::new()),
        _ => return Err(unsupported()),
    };
    Ok(Sent { value, warnings: judge_all(&duplicates, &warnings, expected, validation)? })
}

/// Decodes what is parsed already: the outcome of a patch.
pub(crate) fn decode_parsed(
    value: Value,
    expected: Expected<'_>,
) -> Result<(Value, Vec<Warning>), ApiError> {
    let Some(message) = expected.message else { return Ok((value, Vec::new())) };
    wk_schema::decode_value(value, message).map_err(|error| {
        ApiError::bad_request(error.for_kind(version_of(expected.api_version), expected.kind))
    })
}

/// What comes of unknown and duplicate fields.
pub(crate) fn judge(
    warnings: &[Warning],
    expected: Expected<'_>,
    validation: FieldValidation,
) -> Result<Vec<String>, ApiError> {
    judge_all(&[], warnings, expected, validation)
}

/// As [`judge`], also of fields that were given twice in YAML.
fn judge_all(
    duplicates: &[Duplicate],
    warnings: &[Warning],
    expected: Expected<'_>,
    validation: FieldValidation,
) -> Result<Vec<String>, ApiError> {
    let texts = warnings.iter().map(ToString::to_string);
    match validation {
        FieldValidation::Ignore => Ok(Vec::new()),
        FieldValidation::Warn => {
            Ok(duplicates.iter().map(ToString::to_string).chain(texts).collect())
        }
        FieldValidation::Strict if warnings.is_empty() && duplicates.is_empty() => Ok(Vec::new()),
        FieldValidation::Strict => {
            let (version, kind) = (version_of(expected.api_version), expected.kind);
            let faults: Vec<String> = twice(duplicates).into_iter().chain(texts).collect();
            Err(ApiError::bad_request(format!(
                "{kind} in version {version:?} cannot be handled as a {kind}: strict decoding \
                 error: {}",
                faults.join(", ")
            )))
        }
    }
}

/// What Go's parser says of fields that were given twice.
fn twice(duplicates: &[Duplicate]) -> Option<String> {
    let lines: Vec<String> = duplicates.iter().map(|each| format!("  {each}")).collect();
    (!lines.is_empty()).then(|| format!("yaml: unmarshal errors:\n{}", lines.join("\n")))
}

/// Decodes options and reviews, whose fields are not judged; `None` for an empty body.
pub(crate) fn decode_plain(
    bytes: &[u8],
    media_type: &str,
    expected: Expected<'_>,
) -> Result<Option<Value>, ApiError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let value = match media_type {
        "application/yaml" => decode_parsed(parse_yaml(bytes)?, expected)?.0,
        "application/vnd.kubernetes.protobuf" => from_protobuf(bytes, expected)?,
        // Some clients send a body of options without saying what it is.
        _ => decode_parsed(parse(bytes)?, expected)?.0,
    };
    Ok(Some(value))
}

/// Parses JSON without looking at what it says.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(bytes)
        .map_err(|error| ApiError::bad_request(format!("error decoding the body as JSON: {error}")))
}

/// Parses YAML, of which only what JSON has too.
pub(crate) fn parse_yaml(bytes: &[u8]) -> Result<Value, ApiError> {
    let document = wk_yaml::first(bytes);
    document
        .map(|document| document.value)
        .map_err(|error| ApiError::bad_request(error.to_string()))
}

/// Parses the YAML of a server-side apply, and what the client is to be warned of.
pub(crate) fn parse_apply(
    bytes: &[u8],
    validation: FieldValidation,
) -> Result<(Value, Vec<String>), ApiError> {
    let bad = |attempt: &str, error: &str| {
        ApiError::bad_request(format!(
            "error {attempt} YAML: error converting YAML to JSON: {error}"
        ))
    };
    let document = wk_yaml::first(bytes).map_err(|error| bad("decoding", &error.to_string()))?;
    let warnings = match (validation, twice(&document.duplicates)) {
        (FieldValidation::Strict, Some(fault)) => return Err(bad("strict decoding", &fault)),
        (FieldValidation::Warn, _) => document.duplicates.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    Ok((document.value, warnings))
}

/// The beginning of a body, as errors show it: digits of sixteen unless it may be JSON.
fn summary(bytes: &[u8]) -> String {
    const SHOWN: usize = 30;
    let start = &bytes[..bytes.len().min(SHOWN)];
    let more = if bytes.len() > SHOWN { " ..." } else { "" };
    match bytes.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(start)),
        Some(_) => {
            let digits: Vec<String> = start.iter().map(|byte| format!("{byte:02x}")).collect();
            digits.concat() + more
        }
    }
}

fn from_protobuf(bytes: &[u8], expected: Expected<'_>) -> Result<Value, ApiError> {
    let Some(message) = expected.message else { return Err(unsupported()) };
    let bad = |error: protobuf::ProtobufError| ApiError::bad_request(error.to_string());
    let unknown = protobuf::open(bytes).map_err(bad)?;
    check_type(unknown.api_version, unknown.kind, expected)?;
    let mut value = protobuf::read_object(&unknown, message).map_err(bad)?;
    if let Value::Object(map) = &mut value {
        map.insert("apiVersion".to_owned(), expected.api_version.into());
        map.insert("kind".to_owned(), expected.kind.into());
    }
    Ok(value)
}

fn check_type_of(value: &Value, expected: Expected<'_>) -> Result<(), ApiError> {
    let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
    check_type(text("apiVersion"), text("kind"), expected)
}

/// A body says what it is, or nothing; never that it is something else.
fn check_type(api_version: &str, kind: &str, expected: Expected<'_>) -> Result<(), ApiError> {
    if !kind.is_empty() && kind != expected.kind {
        return Err(ApiError::bad_request(format!(
            "{kind} in version {:?} cannot be handled as a {}: converting ({}.{kind}) to ({}.{}): \
             unknown conversion",
            version_of(api_version),
            expected.kind,
            version_of(api_version),
            version_of(expected.api_version),
            expected.kind,
        )));
    }
    if !api_version.is_empty() && api_version != expected.api_version {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({api_version}) does not match the expected API version \
             ({})",
            expected.api_version
        )));
    }
    Ok(())
}

fn version_of(api_version: &str) -> &str {
    api_version.rsplit_once('/').map_or(api_version, |(_, version)| version)
}

fn unsupported() -> ApiError {
    ApiError::unsupported_media_type(&[
        "application/json",
        "application/yaml",
        "application/vnd.kubernetes.protobuf",
    ])
}
