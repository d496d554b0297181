//! Serves the kubelet's API: over TLS to the API server, or over any stream inside the process.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use crate::kubelet::Kubelet;

const HANDSHAKE: Duration = Duration::from_secs(10);

/// Why a connection ended badly.
#[derive(Debug, thiserror::Error)]
#[error("connection to the kubelet broke")]
pub struct ServeError(#[from] hyper::Error);

impl Kubelet {
    /// Serves HTTP/1.1 on one connection until it is closed.
    ///
    /// The stream is trusted: who is at its other end has been found out before.
    ///
    /// # Errors
    /// [`ServeError`] if the connection broke or spoke no HTTP.
    pub async fn serve_connection<S>(self: &Arc<Self>, stream: S) -> Result<(), ServeError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = TowerToHyperService::new(self.router());
        hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await?;
        Ok(())
    }

    /// Accepts TLS connections until the kubelet's task group is cancelled.
    ///
    /// `tls` has to demand a client certificate of the cluster's authority: the API itself checks
    /// nobody.
    ///
    /// # Errors
    /// If the listener fails for good.
    pub async fn serve_tls(
        self: &Arc<Self>,
        listener: TcpListener,
        tls: Arc<rustls::ServerConfig>,
    ) -> io::Result<()> {
        let acceptor = TlsAcceptor::from(tls);
        let token = self.shared.tasks.token();
        while let Some(accepted) = token.run_until_cancelled(listener.accept()).await {
            let stream = match accepted {
                Ok((stream, _peer)) => stream,
                Err(error) if is_passing(&error) => {
                    warn!(%error, "connection not accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let (kubelet, acceptor, token) = (Arc::clone(self), acceptor.clone(), token.clone());
            self.shared.tasks.spawn_quiet("kubelet connection", async move {
                let serve = async {
                    let accepted = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await;
                    match accepted {
                        Ok(Ok(stream)) => {
                            if let Err(error) = kubelet.serve_connection(stream).await {
                                debug!(%error, "connection broke");
                            }
                        }
                        Ok(Err(error)) => debug!(%error, "TLS refused"),
                        Err(_) => debug!("TLS handshake took too long"),
                    }
                };
                let _ended = token.run_until_cancelled(serve).await;
            });
        }
        Ok(())
    }
}

/// Whether accepting may work again later: a peer that left, or no free file.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    let exhausted = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()));
    exhausted
        || matches!(
            error.kind(),
            Kind::ConnectionAborted | Kind::ConnectionReset | Kind::Interrupted | Kind::OutOfMemory
        )
}
