//! Requests that guests send: names and addresses are the pod's, not the node's.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::FusedFuture as _;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_util::either::Either;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};
use wk_runtime::{ConnectRoute, ResolveError};

use crate::namespace::made_in;
use crate::scope::Scope;

/// Bound for connecting and for the first byte, where the guest sets none.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);

type Progress = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Progress), Error>;

/// Sends the requests of one instance.
pub(crate) struct Outgoing {
    scope: Arc<Scope>,
}

impl Outgoing {
    pub(crate) fn new(scope: Arc<Scope>) -> Self {
        Self { scope }
    }
}

impl WasiHttpHooks for Outgoing {
    fn is_supported_scheme(&mut self, scheme: &Scheme) -> bool {
        *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS
    }

    fn default_scheme(&mut self) -> Option<Scheme> {
        Some(Scheme::HTTP)
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _sent: Progress,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let scope = Arc::clone(&self.scope);
        Box::new(async move { send(&scope, request, options.unwrap_or_default()).await })
    }
}

async fn send(scope: &Scope, mut request: Request<WasiBody>, options: RequestOptions) -> Sent {
    let authority = request.uri().authority().ok_or(Error::HttpRequestUriInvalid)?.clone();
    let encrypted = request.uri().scheme() == Some(&Scheme::HTTPS);
    let port = authority.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
    let connect_timeout = options.connect_timeout.unwrap_or(DEFAULT_TIMEOUT);
    let stream = timeout(connect_timeout, async {
        let stream = connect(scope, authority.host(), port).await?;
        if encrypted {
            let stream = scope.trust.encrypt(stream, bare(authority.host())).await;
            stream.map(Either::Right).map_err(Error::Tls)
        } else {
            Ok(Either::Left(stream))
        }
    })
    .await
    .map_err(|_elapsed| Error::ConnectionTimeout)??;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Only proxies are told scheme and authority.
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let path: Uri = path.parse().map_err(|_invalid| Error::HttpRequestUriInvalid)?;
    *request.uri_mut() = path;

    // The connection has to be driven until the response's head is there, and further by the
    // caller, who gets it back.
    let mut connection = Box::pin(connection).fuse();
    let first_byte = options.first_byte_timeout.unwrap_or(DEFAULT_TIMEOUT);
    let response = async {
        let mut response = std::pin::pin!(sender.send_request(request));
        tokio::select! {
            biased;
            response = &mut response => response,
            ended = &mut connection => { ended?; response.await }
        }
    };
    let response =
        timeout(first_byte, response).await.map_err(|_elapsed| Error::ConnectionReadTimeout)??;
    let progress: Progress = Box::new(async move {
        // Kept so that the connection is not closed for want of a sender.
        let _sender = sender;
        // With a short response it may have ended while the head was awaited.
        if connection.is_terminated() { Ok(()) } else { connection.await.map_err(Error::from) }
    });
    Ok((response.map(|body| body.map_err(Error::from).boxed_unsync()), progress))
}

/// Connects to the first address of `host` that answers, as the pod's network says.
async fn connect(scope: &Scope, host: &str, port: u16) -> Result<TcpStream, Error> {
    let addresses =
        scope.network.resolve(&scope.sandbox, bare(host)).await.map_err(|error| match error {
            ResolveError::NotFound(_) => {
                Error::DnsError { rcode: Some("NXDOMAIN".to_owned()), info_code: None }
            }
            ResolveError::Unavailable(_) => Error::DnsTimeout,
            ResolveError::Denied(_) => Error::HttpRequestDenied,
        })?;
    let mut last = Error::DestinationNotFound;
    for ip in addresses {
        match scope.network.connect(&scope.sandbox, SocketAddr::new(ip, port)) {
            Err(_denied) => last = Error::DestinationIpProhibited,
            Ok(route) => match open(scope, route).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Error::Connect(error),
            },
        }
    }
    Err(last)
}

/// A host without the brackets that IPv6 addresses have in URIs.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

async fn open(scope: &Scope, route: ConnectRoute) -> io::Result<TcpStream> {
    let ConnectRoute { from, to, inside } = route;
    let namespace = scope.namespace.as_deref().filter(|_| inside);
    let make = || if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = made_in(namespace, make)??;
    socket.set_nodelay(true)?;
    if let Some(from) = from {
        socket.bind(from)?;
    }
    socket.connect(to).await
}

#[cfg(test)]
mod tests;
