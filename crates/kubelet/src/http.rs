//! The kubelet's own HTTP API, as the API server and metrics collectors use it.

mod cadvisor;
mod configz;
mod health;
mod metrics;
mod resource;
mod serve;
mod streams;
mod summary;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use crate::logs::LogOptions;
use crate::logs::stream::{self, Run};
use crate::shared::Shared;
use crate::state::WaitReason;

pub use self::serve::ServeError;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/healthz", get(health::health))
        .route("/healthz/{check}", get(health::one))
        .route("/livez", get(health::health))
        .route("/readyz", get(health::readiness))
        .route("/pods", get(pods))
        .route("/containerLogs/{namespace}/{pod}/{container}", get(container_logs))
        .merge(streams::routes())
        .route("/metrics", get(metrics::own))
        .route("/metrics/cadvisor", get(cadvisor::answer))
        .route("/metrics/probes", get(metrics::probes))
        .route("/metrics/resource", get(resource::answer))
        .route("/configz", get(configz::answer))
        .route("/stats/summary", get(summary::answer))
        .with_state(shared)
}

async fn pods(State(shared): State<Arc<Shared>>) -> Response {
    let pods: Vec<_> = shared.entries().iter().map(|entry| entry.pod()).collect();
    for entry in shared.entries() {
        entry.lock().slim();
    }
    let list = json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": pods});
    axum::Json(list).into_response()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct LogQuery {
    follow: Option<String>,
    tail_lines: Option<u64>,
    limit_bytes: Option<u64>,
    since_seconds: Option<i64>,
    since_time: Option<String>,
    timestamps: Option<String>,
    previous: Option<String>,
}

impl LogQuery {
    fn options(&self, now: Timestamp) -> Result<LogOptions, String> {
        let since = match (&self.since_time, self.since_seconds) {
            (Some(text), _) => Some(
                text.parse().map_err(|_| format!("sinceTime `{text}` is not an RFC 3339 time"))?,
            ),
            (None, Some(seconds)) => {
                let span = jiff::SignedDuration::from_secs(seconds);
                Some(now.checked_sub(span).map_err(|error| error.to_string())?)
            }
            (None, None) => None,
        };
        Ok(LogOptions {
            follow: is_true(self.follow.as_deref()),
            tail_lines: self.tail_lines,
            limit_bytes: self.limit_bytes,
            since,
            timestamps: is_true(self.timestamps.as_deref()),
        })
    }
}

fn is_true(value: Option<&str>) -> bool {
    matches!(value, Some("true" | "1" | "True" | "TRUE" | "t" | "T"))
}

async fn container_logs(
    State(shared): State<Arc<Shared>>,
    Path((namespace, pod, container)): Path<(String, String, String)>,
    Query(query): Query<LogQuery>,
) -> Response {
    let options = match query.options(Timestamp::now()) {
        Ok(options) => options,
        Err(message) => return refused(StatusCode::BAD_REQUEST, message),
    };
    let Some(entry) = shared.entry_by_name(&namespace, &pod) else {
        return refused(
            StatusCode::NOT_FOUND,
            format!("pod `{namespace}/{pod}` is not on this node"),
        );
    };
    let previous = is_true(query.previous.as_deref());
    // Listening begins before the state is read, so that an end in between is not missed.
    let exits = shared.exits.subscribe();
    let (attempt, run) = {
        let mut inner = entry.lock();
        let Some(record) = inner.record(&container) else {
            let message = format!("container {container} is not valid for pod {pod}");
            return refused(StatusCode::BAD_REQUEST, message);
        };
        let ran = record.running_id().is_some() || record.exited().is_some();
        // While a container waits for its next run, the last one is the previous one.
        let waits = record.exited().is_some() && record.hold.is_some();
        let attempt =
            if previous && !waits { record.attempt.checked_sub(1) } else { Some(record.attempt) };
        let Some(attempt) = attempt.filter(|_| ran) else {
            let message = if previous {
                format!("previous terminated container \"{container}\" in pod \"{pod}\" not found")
            } else {
                let why = waiting_for(record.hold.as_ref().map(|hold| hold.reason));
                format!("container \"{container}\" in pod \"{pod}\" is waiting to start: {why}")
            };
            return refused(StatusCode::BAD_REQUEST, message);
        };
        let id = record.running_id().filter(|_| options.follow && !previous);
        (attempt, id.map(|id| Run { id: id.clone(), exits }))
    };
    let path = shared.log_path(&entry.key, &container, attempt);
    match stream::open(&path, options, run, shared.tasks.token()).await {
        Ok(stream) => {
            let kind = (header::CONTENT_TYPE, "text/plain");
            ([kind], Body::from_stream(stream)).into_response()
        }
        // A container that has written nothing yet may have no file.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            ([(header::CONTENT_TYPE, "text/plain")], Body::empty()).into_response()
        }
        Err(error) => refused(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("log of container \"{container}\" cannot be read: {error}"),
        ),
    }
}

/// What a container without a log waits for, in Kubernetes' words.
fn waiting_for(reason: Option<WaitReason>) -> &'static str {
    match reason {
        Some(WaitReason::ErrImagePull) => "image can't be pulled",
        Some(WaitReason::ImagePullBackOff) => "trying and failing to pull image",
        Some(reason) => reason.as_str(),
        None => WaitReason::ContainerCreating.as_str(),
    }
}

fn refused(code: StatusCode, message: String) -> Response {
    (code, message).into_response()
}
