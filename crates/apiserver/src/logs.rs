//! Logs of containers: streamed from the kubelet of the pod's node.

use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tracing::debug;
use wk_api::{ApiError, Reason, well_known};

use crate::error::Answer;
use crate::handle::Call;

/// How long a kubelet may take to accept a connection and to begin its answer.
const DEADLINE: Duration = Duration::from_secs(30);
/// The most bytes of a kubelet's error that are shown.
const MAX_ERROR: usize = 4096;

/// The options that are handed on to the kubelet.
const OPTIONS: &[&str] = &[
    "follow",
    "insecureSkipTLSVerifyBackend",
    "limitBytes",
    "previous",
    "sinceSeconds",
    "sinceTime",
    "stream",
    "tailLines",
    "timestamps",
];

/// Answers with the log of a container.
pub(crate) async fn answer(call: &Call) -> Answer {
    let (namespace, name) = (call.path.namespace.as_str(), call.path.name.as_str());
    let pod = call.resource.get(namespace, name)?.value();
    let container = container(&pod, name, call.query.text("container"))?;
    check_options(call)?;
    let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
    if node.is_empty() {
        // Nothing can have been written yet.
        return Ok(text(StatusCode::OK, Body::empty()));
    }
    let mut query = String::new();
    for option in OPTIONS.iter().filter(|option| call.query.has(option)) {
        let sign = if query.is_empty() { '?' } else { '&' };
        // Writing to a string cannot fail.
        let _ = write!(query, "{sign}{option}={}", escaped(call.query.text(option)));
    }
    let path = format!("/containerLogs/{namespace}/{name}/{container}{query}");
    fetch(call, node, &path).await
}

/// Which container is meant.
pub(crate) fn container(pod: &Value, name: &str, asked: &str) -> Result<String, ApiError> {
    let names = |list: &str| -> Vec<String> {
        let list = pod["spec"][list].as_array().into_iter().flatten();
        list.filter_map(|container| container["name"].as_str().map(str::to_owned)).collect()
    };
    let own = names("containers");
    let all: Vec<String> =
        [&own[..], &names("initContainers"), &names("ephemeralContainers")].concat();
    if !asked.is_empty() {
        if all.iter().any(|container| container == asked) {
            return Ok(asked.to_owned());
        }
        return Err(ApiError::bad_request(format!(
            "container {asked} is not valid for pod {name}"
        )));
    }
    let named = pod["metadata"]["annotations"][well_known::DEFAULT_CONTAINER_ANNOTATION].as_str();
    match (own.as_slice(), named) {
        ([only], _) => Ok(only.clone()),
        (_, Some(named)) if all.iter().any(|container| container == named) => Ok(named.to_owned()),
        _ => Err(ApiError::bad_request(format!(
            "a container name must be specified for pod {name}, choose one of: [{}]",
            all.join(" ")
        ))),
    }
}

fn check_options(call: &Call) -> Result<(), ApiError> {
    for option in ["limitBytes", "sinceSeconds", "tailLines"] {
        if call.query.number(option)?.is_some_and(|number| number < 0) {
            return Err(ApiError::bad_request(format!(
                "{option} must be greater than or equal to 0"
            )));
        }
    }
    Ok(())
}

/// A value as it may stand in a query.
pub(crate) fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

fn text(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// Asks the kubelet of a node and hands its answer on while it comes in.
async fn fetch(call: &Call, node: &str, path: &str) -> Answer {
    let unreachable = |why: &dyn std::fmt::Display| {
        let message = format!("Get \"https://{node}{path}\": {why}");
        ApiError::new(502, Reason::InternalError, message)
    };
    let began = async {
        let stream = call.server.dialer.connect(node).await.map_err(|e| unreachable(&e))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|e| unreachable(&e))?;
        let token = call.server.tasks.token();
        call.server.tasks.spawn_quiet("kubelet connection", async move {
            tokio::select! {
                biased;
                () = token.cancelled() => {}
                ended = connection => if let Err(error) = ended {
                    debug!(%error, "a connection to a kubelet ended");
                },
            }
        });
        let request = Request::get(path)
            .header(HOST, "kubelet")
            .body(Empty::<bytes::Bytes>::new())
            .map_err(|e| unreachable(&e))?;
        sender.send_request(request).await.map_err(|e| unreachable(&e))
    };
    let answer = tokio::time::timeout(DEADLINE, began)
        .await
        .map_err(|_| unreachable(&"the kubelet did not answer in time"))??;
    let (mut parts, body) = answer.into_parts();
    if parts.status.is_success() {
        parts.headers.remove(TRANSFER_ENCODING);
        return Ok(text(parts.status, Body::new(body)));
    }
    let text = Limited::new(body, MAX_ERROR).collect().await;
    let text = text.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let message = String::from_utf8_lossy(&text).trim().to_owned();
    Err(match parts.status.as_u16() {
        400 => ApiError::bad_request(message),
        404 => ApiError::new(404, Reason::NotFound, message),
        code => ApiError::new(code, Reason::InternalError, message),
    })
}
