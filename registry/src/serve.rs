//! Connections: how many, and how long one may be of no use.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use wk_process::TaskGroup;

use crate::Limits;

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts until the group is cancelled. Connections in progress finish their request.
pub(crate) fn serve(listener: TcpListener, router: Router, limits: &Limits, group: &TaskGroup) {
    let (connections, idle) = (Arc::new(Semaphore::new(limits.connections)), limits.idle_timeout);
    let (token, tasks) = (group.token(), group.clone());
    group.spawn("registry listener", async move {
        loop {
            let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return Ok(()) };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = token.cancelled() => return Ok(()),
            };
            match accepted {
                Ok((stream, peer)) => {
                    let (router, token) = (router.clone(), token.clone());
                    tasks.spawn_quiet("registry connection", async move {
                        if let Err(error) = connection(stream, router, idle, token).await {
                            debug!(%peer, %error, "connection ended");
                        }
                        drop(permit);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, mostly: others have to close some first.
                    warn!(%error, "connection not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    });
}

async fn connection(
    stream: TcpStream,
    router: Router,
    idle: Duration,
    token: CancellationToken,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).http2().timer(TokioTimer::new());
    let service = TowerToHyperService::new(router);
    let connection = builder.serve_connection(TokioIo::new(Watched::new(stream, idle)), service);
    tokio::pin!(connection);
    tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = token.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}

/// A stream that fails when nothing has moved on it, in either direction, for too long: a client that
/// neither reads nor writes holds memory and a file for nothing.
struct Watched {
    stream: TcpStream,
    idle: Duration,
    moved: Instant,
    alarm: Pin<Box<Sleep>>,
}

impl Watched {
    fn new(stream: TcpStream, idle: Duration) -> Self {
        Self { stream, idle, moved: Instant::now(), alarm: Box::pin(tokio::time::sleep(idle)) }
    }

    /// Passes an outcome on, or fails if it is "not yet" for too long.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.moved = Instant::now();
            return outcome;
        }
        loop {
            ready!(self.alarm.as_mut().poll(context));
            let deadline = self.moved + self.idle;
            if Instant::now() >= deadline {
                let error = io::Error::new(io::ErrorKind::TimedOut, "nothing moved for too long");
                return Poll::Ready(Err(error));
            }
            self.alarm.as_mut().reset(deadline);
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.watch(context, outcome)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, buffer);
        self.watch(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.watch(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
