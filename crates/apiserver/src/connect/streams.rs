//! `exec`, `attach` and `portforward`: checked here, and spoken between client and kubelet.

use std::fmt::Write as _;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, HOST, UPGRADE};
use http::{Request, StatusCode};
use wk_api::{ApiError, Reason};

use super::{Outward, relay};
use crate::error::Answer;
use crate::logs::{container, escaped};

/// The options of `exec` and `attach` here, and how kubelets call them.
const STREAMS: [(&str, &str); 4] =
    [("stdin", "input"), ("stdout", "output"), ("stderr", "error"), ("tty", "tty")];

/// Connects the client with the kubelet of the pod's node.
pub(super) async fn answer(outward: Outward) -> Answer {
    let (node, path) = target(&outward)?;
    let Outward { server, method, headers, upgrade, .. } = outward;
    let websocket = headers
        .get(UPGRADE)
        .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let unreachable = |why: String| {
        let message = format!("error dialing backend: {why}");
        ApiError::new(500, Reason::InternalError, message)
    };
    let mut kubelet = relay::kubelet(&server, &node).await.map_err(unreachable)?;
    let mut request = Request::builder().method(method).uri(path).header(HOST, "kubelet");
    if let Some(own) = request.headers_mut() {
        own.extend(relay::upgrade_headers(&headers));
    }
    let request = request.body(Body::empty()).map_err(|error| unreachable(error.to_string()))?;
    let sent = async { kubelet.send_request(request).await.map_err(|error| error.to_string()) };
    let response = relay::within(sent).await.map_err(unreachable)?;
    let (status, headers) = (response.status(), relay::upgrade_headers(response.headers()));
    if status != StatusCode::SWITCHING_PROTOCOLS {
        let text = relay::refusal(response.into_body()).await;
        return if websocket { Err(refused(status, &text)) } else { Ok(plain(status, text)) };
    }
    let Some(client) = upgrade else {
        return Err(ApiError::bad_request("Upgrade request required"));
    };
    relay::splice(&server, client, hyper::upgrade::on(response));
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

/// What the kubelet said, to a client of SPDY: it shows the text as it is.
fn plain(status: StatusCode, text: String) -> Response {
    let mut answer = Response::new(Body::from(text));
    *answer.status_mut() = status;
    let kind = http::HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

/// What the kubelet said, to everybody else.
fn refused(status: StatusCode, text: &str) -> ApiError {
    let message = format!("unable to upgrade connection: {text}");
    match status.as_u16() {
        400 => ApiError::bad_request(message),
        403 => ApiError::new(403, Reason::Forbidden, message),
        404 => ApiError::new(404, Reason::NotFound, message),
        _ => ApiError::internal(message),
    }
}

/// The node of the pod, and the kubelet's path for what is asked.
fn target(outward: &Outward) -> Result<(String, String), ApiError> {
    let Outward { server, path, query, .. } = outward;
    let pods = server.catalog.get("", "v1", "pods").ok_or_else(ApiError::no_such_resource)?;
    let (namespace, name) = (path.namespace.as_str(), path.name.as_str());
    let pod = pods.get(namespace, name)?.value();
    let mut options = String::new();
    let mut add = |name: &str, value: &str| {
        let sign = if options.is_empty() { '?' } else { '&' };
        // Writing to a string cannot fail.
        let _ = write!(options, "{sign}{name}={}", escaped(value));
    };
    let place = if path.subresource == "portforward" {
        for ports in query.all("ports") {
            for port in ports.split(',') {
                check_port(port)?;
                add("port", port);
            }
        }
        format!("/portForward/{namespace}/{name}")
    } else {
        let container = container(&pod, name, query.text("container"))?;
        for (own, kubelets) in STREAMS {
            if query.flag(own) == Some(true) {
                add(kubelets, "1");
            }
        }
        if path.subresource == "exec" {
            for word in query.all("command") {
                add("command", word);
            }
        }
        format!("/{}/{namespace}/{name}/{container}", path.subresource)
    };
    let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
    if node.is_empty() {
        let message = format!("pod {name} does not have a host assigned");
        return Err(ApiError::bad_request(message));
    }
    Ok((node.to_owned(), format!("{place}{options}")))
}

fn check_port(text: &str) -> Result<(), ApiError> {
    match text.parse::<u16>() {
        Ok(1..) => Ok(()),
        Ok(0) => Err(ApiError::bad_request(format!("port \"{text}\" must be > 0"))),
        Err(_) => Err(ApiError::bad_request(format!("unable to parse \"{text}\" as a port"))),
    }
}
