//! How the API server reaches kubelets: in this process, or over TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tracing::debug;
use wk_apiserver::{Duplex, NodeDialer};
use wk_auth::{Ca, User};
use wk_kubelet::Kubelet;
use wk_process::TaskGroup;

use crate::tls;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes under way in each direction between the API server and a kubelet in one process.
const DUPLEX_BUFFER: usize = 64 << 10;

/// The kubelets that the API server can reach.
pub(crate) struct Nodes {
    local: OnceLock<Local>,
    client: OnceLock<kube::Client>,
    connector: TlsConnector,
}

struct Local {
    name: String,
    kubelet: Arc<Kubelet>,
    tasks: TaskGroup,
}

impl Nodes {
    /// Makes the identity that kubelets know their API server by.
    pub(crate) fn new(ca: &Ca) -> anyhow::Result<Self> {
        let user = User::authenticated("kube-apiserver-kubelet-client", [User::MASTERS]);
        let issued = ca.issue_client(&user)?;
        let config = tls::client(ca.certificate_pem(), &issued.certificate_pem, &issued.key_pem)?;
        Ok(Self {
            local: OnceLock::new(),
            client: OnceLock::new(),
            connector: TlsConnector::from(config),
        })
    }

    /// Gives the client that finds out where nodes are; counts once.
    pub(crate) fn look_up_with(&self, client: kube::Client) {
        // A second client would be as good as the first.
        let _first = self.client.set(client);
    }

    /// Names the kubelet of this process; counts once.
    pub(crate) fn set_local(&self, name: &str, kubelet: Arc<Kubelet>, tasks: &TaskGroup) {
        let local = Local { name: name.to_owned(), kubelet, tasks: tasks.clone() };
        // There is one kubelet a process.
        let _first = self.local.set(local);
    }

    async fn over_tls(&self, node: &str) -> io::Result<Box<dyn Duplex>> {
        let client = self.client.get().ok_or_else(|| unknown(node))?;
        let object = Api::<Node>::all(client.clone())
            .get(node)
            .await
            .map_err(|error| io::Error::other(error.to_string()))?;
        let address = endpoint(&object).ok_or_else(|| unknown(node))?;
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::IpAddress(address.ip().into());
        Ok(Box::new(self.connector.connect(name, stream).await?))
    }
}

#[async_trait]
impl NodeDialer for Nodes {
    async fn connect(&self, node: &str) -> io::Result<Box<dyn Duplex>> {
        if let Some(local) = self.local.get().filter(|local| local.name == node) {
            let (ours, theirs) = tokio::io::duplex(DUPLEX_BUFFER);
            let kubelet = Arc::clone(&local.kubelet);
            local.tasks.spawn_quiet("kubelet connection", async move {
                if let Err(error) = kubelet.serve_connection(theirs).await {
                    debug!(%error, "connection within the process broke");
                }
            });
            return Ok(Box::new(ours));
        }
        tokio::time::timeout(CONNECT_TIMEOUT, self.over_tls(node)).await?
    }
}

fn unknown(node: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("node `{node}` has no reachable kubelet"))
}

/// Where a node says its kubelet listens.
fn endpoint(node: &Node) -> Option<SocketAddr> {
    let status = node.status.as_ref()?;
    let ip: IpAddr = status
        .addresses
        .iter()
        .flatten()
        .find(|address| address.type_ == "InternalIP")
        .and_then(|address| address.address.parse().ok())?;
    let port = status.daemon_endpoints.as_ref()?.kubelet_endpoint.as_ref()?.port;
    Some(SocketAddr::new(ip, u16::try_from(port).ok()?))
}
