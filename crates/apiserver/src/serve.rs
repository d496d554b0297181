//! The server on a socket: TLS, both versions of HTTP, and an end that lets requests finish.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};
use wk_auth::{User, user_from_certificate};
use wk_process::{BoxError, TaskGroup};

use crate::handle;
use crate::server::ApiServer;

/// How long a client may take to finish its TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a client may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(30);
/// How long requests that have begun may take once the server is to end.
const DRAIN: Duration = Duration::from_secs(5);
/// How long to wait when no connection can be accepted, for instance for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl ApiServer {
    /// Serves on a socket until the group is cancelled. Clients are who their certificates say;
    /// without one they are nobody known.
    ///
    /// `tls` is to ask for client certificates and to offer `h2` and `http/1.1`.
    pub fn serve(
        self: &Arc<Self>,
        listener: TcpListener,
        tls: Arc<rustls::ServerConfig>,
        tasks: &TaskGroup,
    ) {
        let server = Arc::clone(self);
        let group = tasks.clone();
        tasks.spawn("apiserver listener", async move {
            accept(server, listener, TlsAcceptor::from(tls), group).await
        });
    }
}

async fn accept(
    server: Arc<ApiServer>,
    listener: TcpListener,
    tls: TlsAcceptor,
    tasks: TaskGroup,
) -> Result<(), BoxError> {
    let token = tasks.token();
    loop {
        let accepted = tokio::select! {
            biased;
            () = token.cancelled() => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (server, tls, group) = (Arc::clone(&server), tls.clone(), tasks.clone());
                tasks.spawn_quiet("apiserver connection", async move {
                    if let Err(error) = connection(server, stream, tls, group).await {
                        debug!(%peer, %error, "connection ended");
                    }
                });
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(
    server: Arc<ApiServer>,
    stream: TcpStream,
    tls: TlsAcceptor,
    tasks: TaskGroup,
) -> Result<(), BoxError> {
    let token = tasks.token();
    stream.set_nodelay(true)?;
    let handshake = tokio::time::timeout(HANDSHAKE, tls.accept(stream));
    let stream = tokio::select! {
        biased;
        () = token.cancelled() => return Ok(()),
        stream = handshake => {
            stream.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "TLS handshake"))??
        }
    };
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(|chain| chain.first());
    let user =
        certificate.and_then(|der| user_from_certificate(der)).unwrap_or_else(User::anonymous);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let server = Arc::clone(&server);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(user.clone());
        async move { Ok::<_, std::convert::Infallible>(handle::handle(server, request).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(HEAD))
        .max_concurrent_streams(1000)
        .adaptive_window(true);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        biased;
        () = token.cancelled() => connection.as_mut().graceful_shutdown(),
        ended = connection.as_mut() => return ended,
    }
    match tokio::time::timeout(DRAIN, connection).await {
        Ok(ended) => ended,
        Err(_) => Ok(()),
    }
}
