//! Connections to kubelets and pods, and moving bytes between two of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::header::{CONNECTION, HOST, UPGRADE};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tracing::debug;
use wk_auth::UnverifiedServer;

use crate::dialer::Duplex;
use crate::server::ApiServer;

/// How long a kubelet or a pod may take to accept a connection.
const DEADLINE: Duration = Duration::from_secs(30);
/// The most bytes of a refusal that are shown.
const MAX_ERROR: usize = 4096;

/// An HTTP/1.1 connection.
pub(crate) type Sender = SendRequest<Body>;

/// A port of a pod, on the node that it runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PodPort {
    pub(super) node: String,
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) port: u16,
    pub(super) tls: bool,
}

/// Connects to the kubelet of a node.
pub(crate) async fn kubelet(server: &ApiServer, node: &str) -> Result<Sender, String> {
    let connect = async {
        let stream = server.dialer.connect(node).await.map_err(|error| error.to_string())?;
        speak(server, stream).await
    };
    within(connect).await
}

/// Connects to a port of a pod, through the kubelet of its node.
pub(super) async fn pod(server: &ApiServer, to: &PodPort) -> Result<Sender, String> {
    let connect = async {
        let mut kubelet = kubelet(server, &to.node).await?;
        let path = format!("/portForward/{}/{}?port={}", to.namespace, to.pod, to.port);
        let request = Request::post(path)
            .header(HOST, "kubelet")
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "tcp")
            .body(Body::empty())
            .map_err(|error| error.to_string())?;
        let response = kubelet.send_request(request).await.map_err(|error| error.to_string())?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refusal(response.into_body()).await);
        }
        let stream = hyper::upgrade::on(response).await.map_err(|error| error.to_string())?;
        let stream = TokioIo::new(stream);
        if !to.tls {
            return speak(server, Box::new(stream)).await;
        }
        let name = ServerName::try_from(to.pod.clone()).map_err(|error| error.to_string())?;
        let connected = connector()?.connect(name, stream).await;
        speak(server, Box::new(connected.map_err(|error| error.to_string())?)).await
    };
    within(connect).await
}

/// Connects to an address.
pub(super) async fn address(
    server: &ApiServer,
    to: SocketAddr,
    tls: bool,
) -> Result<Sender, String> {
    let connect = async {
        let connected = TcpStream::connect(to).await;
        let stream = connected.map_err(|error| format!("dial tcp {to}: {error}"))?;
        if !tls {
            return speak(server, Box::new(stream)).await;
        }
        let connected = connector()?.connect(to.ip().into(), stream).await;
        speak(server, Box::new(connected.map_err(|error| error.to_string())?)).await
    };
    within(connect).await
}

/// Gives a step the time that connecting may take.
pub(super) async fn within<T>(step: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let timed = tokio::time::timeout(DEADLINE, step).await;
    timed.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}

async fn speak(server: &ApiServer, stream: Box<dyn Duplex>) -> Result<Sender, String> {
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let token = server.tasks.token();
    server.tasks.spawn_quiet("outward connection", async move {
        tokio::select! {
            biased;
            () = token.cancelled() => {}
            ended = connection.with_upgrades() => if let Err(error) = ended {
                debug!(%error, "an outward connection ended");
            },
        }
    });
    Ok(sender)
}

/// The text of an answer that tells what went wrong.
pub(super) async fn refusal(body: Incoming) -> String {
    let text = Limited::new(body, MAX_ERROR).collect().await;
    let text = text.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    String::from_utf8_lossy(&text).trim().to_owned()
}

/// Moves bytes between two connections that are free of HTTP, until both are done.
pub(super) fn splice(server: &Arc<ApiServer>, client: OnUpgrade, backend: OnUpgrade) {
    let token = server.tasks.token();
    server.tasks.spawn_quiet("stream", async move {
        let moved = async {
            let (client, backend) = tokio::try_join!(client, backend)?;
            let (mut client, mut backend) = (TokioIo::new(client), TokioIo::new(backend));
            // Either side may break off at any time, which ends the other.
            let _moved = tokio::io::copy_bidirectional(&mut client, &mut backend).await;
            Ok::<_, hyper::Error>(())
        };
        if let Some(Err(error)) = token.run_until_cancelled(moved).await {
            debug!(%error, "a connection was not upgraded");
        }
    });
}

/// TLS to pods. As in Kubernetes, nobody knows their certificates: it hides bytes, and no more.
fn connector() -> Result<TlsConnector, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(UnverifiedServer::new(provider)))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Copies the headers of an upgrade from one message to the other.
pub(super) fn upgrade_headers(from: &http::HeaderMap) -> http::HeaderMap {
    let wanted = |name: &str| {
        name == "connection"
            || name == "upgrade"
            || name.starts_with("sec-websocket-")
            || name == "x-stream-protocol-version"
            || name == "x-accepted-stream-protocol-versions"
    };
    let kept = from.iter().filter(|(name, _)| wanted(name.as_str()));
    let pairs: Vec<(http::HeaderName, HeaderValue)> =
        kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    pairs.into_iter().fold(http::HeaderMap::new(), |mut all, (name, value)| {
        all.append(name, value);
        all
    })
}
