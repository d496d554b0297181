//! Turns what went wrong into `Status` answers.

use std::error::Error;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use tracing::error;
use wk_api::{ApiError, Reason};
use wk_store::{ReadError, StoreError, WriteError};

/// What every handler gives.
pub(crate) type Answer = Result<Response, ApiError>;

/// The answer that tells an error; the only place where one is made.
pub(crate) fn response(error: &ApiError) -> Response {
    let mut response = Response::new(Body::from(error.to_status_json()));
    *response.status_mut() =
        StatusCode::from_u16(error.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = error.details.as_ref().map(|d| d.retry_after_seconds)
        && seconds > 0
    {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The store failed: the log gets the chain, the client what it can act on.
pub(crate) fn store(failure: &StoreError) -> ApiError {
    error!(error = %chain(failure), "the store failed");
    match failure {
        StoreError::NoSpace => {
            ApiError::new(507, Reason::InternalError, format!("etcdserver: {failure}"))
        }
        StoreError::Closed => ApiError::service_unavailable("the server is shutting down"),
        StoreError::Locked { .. } | StoreError::Io(_) | StoreError::Corrupt { .. } => {
            ApiError::internal(failure.to_string())
        }
    }
}

/// A list could not be read.
pub(crate) fn read(failure: &ReadError) -> ApiError {
    match failure {
        ReadError::Compacted { .. } => {
            ApiError::expired("The resourceVersion for the provided list is too old.")
        }
        ReadError::Future { current } => too_large(u64::MAX, current.0),
        ReadError::Store(failure) => store(failure),
    }
}

/// A write failed for a reason that is nobody's conflict.
pub(crate) fn write(failure: &WriteError) -> ApiError {
    match failure {
        WriteError::Store(failure) => store(failure),
        WriteError::Exists(_) | WriteError::Conflict(_) => ApiError::internal(failure.to_string()),
    }
}

/// 504: a revision was asked for that has not happened, and did not in the time waited.
pub(crate) fn too_large(asked: u64, current: u64) -> ApiError {
    let text = format!("Too large resource version: {asked}, current: {current}");
    ApiError::timeout(&text)
        .with_causes(vec![wk_api::status::Cause {
            reason: "ResourceVersionTooLarge".to_owned(),
            message: "Too large resource version".to_owned(),
            field: String::new(),
        }])
        .with_retry_after(1)
}

/// An error with all its sources.
pub(crate) fn chain(failure: &(dyn Error + 'static)) -> String {
    let mut text = failure.to_string();
    let mut source = failure.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
