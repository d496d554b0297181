//! Watches over WebSocket, for clients that cannot read an answer piece by piece: browsers.
//!
//! Each event is a frame: text for JSON, binary for protobuf. What the client sends is not looked
//! at, as in Kubernetes; when it closes, the watch is over.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tracing::debug;
use wk_api::ApiError;

use crate::error::Answer;
use crate::handle::Call;
use crate::tokens;
use crate::watch::Watching;

/// How long the connection may take to change its protocol, and a client to take a frame.
const PATIENCE: Duration = Duration::from_mins(1);
/// The most bytes of what a client sends.
const MAX_RECEIVED: usize = 64 << 10;

/// Whether a request is to become a WebSocket.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let has = |name: &HeaderName, word: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|text| text.split(',')).any(|own| own.trim().eq_ignore_ascii_case(word))
    };
    has(&CONNECTION, "upgrade") && has(&UPGRADE, "websocket")
}

/// The protocols that a client offers, without the one that only carries its token.
pub(crate) fn protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(str::trim).filter(|name| !name.is_empty())
}

/// Answers a watch with a change of protocol, and sends its events afterwards.
pub(crate) fn answer(call: &Call, watching: Watching) -> Answer {
    let bad = |message: &str| ApiError::bad_request(message);
    let version = call.headers.get(SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes);
    if version != Some(b"13") {
        return Err(bad("websocket: unsupported version: 13 not found in Sec-Websocket-Version"));
    }
    let key = call.headers.get(SEC_WEBSOCKET_KEY);
    let key = key.ok_or_else(|| bad("websocket: the Sec-WebSocket-Key header is missing"))?;
    let upgrade = call.upgrade.clone();
    let upgrade = upgrade.ok_or_else(|| bad("websocket: this connection cannot be upgraded"))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    let mut offered =
        protocols(&call.headers).filter(|name| !name.starts_with(tokens::PROTOCOL_PREFIX));
    if let Some(Ok(protocol)) = offered.next().map(HeaderValue::from_str) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    let token = call.server.tasks.token();
    call.server.tasks.spawn_quiet("websocket watch", async move {
        tokio::select! {
            biased;
            () = token.cancelled() => {}
            ended = serve(upgrade, watching) => if let Err(error) = ended {
                debug!(%error, "a websocket watch ended");
            },
        }
    });
    Ok(response)
}

/// Why a watch ended before its time.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the connection did not change its protocol")]
    Upgrade(#[from] hyper::Error),
    #[error("the connection broke")]
    Socket(#[from] tokio_tungstenite::tungstenite::Error),
    #[error("the client takes nothing")]
    Slow(#[from] tokio::time::error::Elapsed),
}

async fn serve(upgrade: OnUpgrade, mut watching: Watching) -> Result<(), Broken> {
    let upgraded = tokio::time::timeout(PATIENCE, upgrade).await??;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_RECEIVED))
        .max_frame_size(Some(MAX_RECEIVED));
    let socket = TokioIo::new(upgraded);
    let mut socket = WebSocketStream::from_raw_socket(socket, Role::Server, Some(config)).await;
    loop {
        tokio::select! {
            received = socket.next() => match received {
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
            },
            chunk = watching.next() => {
                let Some(chunk) = chunk else {
                    tokio::time::timeout(PATIENCE, socket.close(None)).await??;
                    return Ok(());
                };
                for message in messages(watching.is_binary(), &chunk) {
                    tokio::time::timeout(PATIENCE, socket.feed(message)).await??;
                }
                tokio::time::timeout(PATIENCE, socket.flush()).await??;
            }
        }
    }
}

/// The events in a piece of a watch's answer, one frame each.
fn messages(binary: bool, chunk: &Bytes) -> Vec<Message> {
    if binary {
        let mut rest = chunk.clone();
        let mut all = Vec::new();
        // Every event has its length before it.
        while let Some(length) = rest.first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            let end = rest.len().min(length.saturating_add(4));
            all.push(Message::Binary(rest.slice(4..end)));
            rest = rest.slice(end..);
        }
        return all;
    }
    let lines = chunk.split_inclusive(|byte| *byte == b'\n');
    lines.map(|line| Message::text(String::from_utf8_lossy(line).into_owned())).collect()
}
