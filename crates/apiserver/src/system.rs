//! Version, health and metrics.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::encode;
use crate::error::{self, Answer};
use crate::options::Query;
use crate::server::ApiServer;

/// Answers a path about the server itself; `None` for other paths.
pub(crate) async fn answer(server: &ApiServer, path: &str, query: &Query) -> Option<Answer> {
    match path {
        "/version" => Some(version(server)),
        "/metrics" => Some(Ok(text(
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            server.metrics.text(&server.storage.cache),
        ))),
        "/healthz" | "/livez" | "/readyz" => Some(Ok(health(server, path, query).await)),
        _ => {
            let (root, check) = path.trim_start_matches('/').split_once('/')?;
            if !matches!(root, "healthz" | "livez" | "readyz") {
                return None;
            }
            let fault = match check {
                "ping" | "log" => None,
                "etcd" | "store" => store_fault(server).await,
                "shutdown" if root == "readyz" => shutdown_fault(server),
                _ => return None,
            };
            Some(Ok(match fault {
                None => text(StatusCode::OK, PLAIN, "ok"),
                Some(fault) => text(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, fault),
            }))
        }
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";

fn text(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

fn version(server: &ApiServer) -> Answer {
    let release = &server.release;
    let mut numbers = release.git_version.trim_start_matches('v').split('.');
    let value = json!({
        "major": numbers.next().unwrap_or("1"),
        "minor": numbers.next().unwrap_or("36"),
        "emulationMajor": "1",
        "emulationMinor": "36",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35",
        "gitVersion": release.git_version,
        "gitCommit": release.git_commit,
        "gitTreeState": "clean",
        "buildDate": release.build_date,
        "goVersion": "",
        "compiler": "rustc",
        "platform": release.platform,
    });
    encode::plain(&value, None, encode::Look::JSON, StatusCode::OK)
}

async fn store_fault(server: &ApiServer) -> Option<String> {
    let failure = server.storage.store.progress().await.err()?;
    Some(error::chain(&failure))
}

fn shutdown_fault(server: &ApiServer) -> Option<String> {
    server.tasks.token().is_cancelled().then(|| "process is shutting down".to_owned())
}

async fn health(server: &ApiServer, path: &str, query: &Query) -> Response {
    let mut checks = vec![("ping", None), ("store", store_fault(server).await)];
    if path == "/readyz" {
        checks.push(("shutdown", shutdown_fault(server)));
    }
    let excluded: Vec<&str> = query.all("exclude").collect();
    let healthy = checks.iter().all(|(name, fault)| fault.is_none() || excluded.contains(name));
    if healthy && !query.has("verbose") {
        return text(StatusCode::OK, PLAIN, "ok");
    }
    let mut body = String::new();
    for (name, fault) in &checks {
        let line = match fault {
            _ if excluded.contains(name) => format!("[+]{name} excluded: ok\n"),
            None => format!("[+]{name} ok\n"),
            Some(fault) => format!("[-]{name} failed: {fault}\n"),
        };
        body.push_str(&line);
    }
    let check = path.trim_start_matches('/');
    let outcome = if healthy { "passed" } else { "failed" };
    body.push_str(check);
    body.push_str(" check ");
    body.push_str(outcome);
    body.push('\n');
    let status = if healthy { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    text(status, PLAIN, body)
}
