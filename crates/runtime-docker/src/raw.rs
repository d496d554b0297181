//! The engine's streaming endpoints: logs, and connections that are taken over.
//!
//! These do not go through bollard: its decoder gathers the lines of a terminal, and frames of any
//! announced length, in memory without bound, so that a program in a container could have this
//! process run out of it.

use std::path::Path;
use std::time::Duration;

use bollard::Docker;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use wk_process::TaskGroup;

/// How long the engine may take until a stream begins.
const BEGIN: Duration = Duration::from_mins(1);
/// The most of an error's text that is read.
const ERROR_BYTES: usize = 16 << 10;

/// Why a stream did not begin.
#[derive(Debug)]
pub(crate) enum RawError {
    /// There is no way to the engine, or it does not speak HTTP.
    Connection(String),
    /// The engine refuses.
    Refused { status: u16, message: String },
}

/// Both directions of a connection that was taken over.
pub(crate) type Hijacked = TokioIo<hyper::upgrade::Upgraded>;

/// `/v1.41/containers/...`.
pub(crate) fn versioned(docker: &Docker, path: &str) -> String {
    let version = docker.client_version();
    format!("/v{}.{}{path}", version.major_version, version.minor_version)
}

/// POSTs, and takes the connection over.
pub(crate) async fn hijack(
    socket: &Path,
    path: &str,
    body: String,
    tasks: &TaskGroup,
) -> Result<Hijacked, RawError> {
    let request = Request::post(path)
        .header(HOST, "engine")
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "tcp")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)));
    let response = begin(socket, request, tasks).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refused(response).await);
    }
    let upgraded = hyper::upgrade::on(response).await;
    upgraded.map(TokioIo::new).map_err(|error| RawError::Connection(error.to_string()))
}

/// GETs an answer that goes on for as long as the engine has something to say.
pub(crate) async fn follow(
    socket: &Path,
    path: &str,
    tasks: &TaskGroup,
) -> Result<Incoming, RawError> {
    let request = Request::get(path).header(HOST, "engine").body(Full::default());
    let response = begin(socket, request, tasks).await?;
    if !response.status().is_success() {
        return Err(refused(response).await);
    }
    Ok(response.into_body())
}

async fn begin(
    socket: &Path,
    request: Result<Request<Full<Bytes>>, hyper::http::Error>,
    tasks: &TaskGroup,
) -> Result<Response<Incoming>, RawError> {
    let failed = |error: &dyn std::error::Error| RawError::Connection(error.to_string());
    let request = request.map_err(|error| failed(&error))?;
    let answered = async {
        let stream = UnixStream::connect(socket).await.map_err(|error| failed(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(&error))?;
        tasks.spawn_quiet("engine stream", async move {
            // It ends with the stream, however that ends.
            let _ended = connection.with_upgrades().await;
        });
        sender.send_request(request).await.map_err(|error| failed(&error))
    };
    let timed = tokio::time::timeout(BEGIN, answered).await;
    timed.unwrap_or_else(|_| Err(RawError::Connection(format!("no answer within {BEGIN:?}"))))
}

async fn refused(response: Response<Incoming>) -> RawError {
    let status = response.status().as_u16();
    let body = http_body_util::Limited::new(response.into_body(), ERROR_BYTES).collect().await;
    let text = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let json = serde_json::from_slice::<serde_json::Value>(&text).unwrap_or_default();
    let message = json["message"]
        .as_str()
        .map_or_else(|| String::from_utf8_lossy(&text).trim().to_owned(), str::to_owned);
    RawError::Refused { status, message }
}
