//! What a guest's sockets, requests and look-ups ask of the node.

use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;

use crate::Sandbox;

/// A network operation that the pod may not do; its text is for logs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pod may not use `{address}`: {reason}")]
pub struct Denied {
    /// What it asked for.
    pub address: SocketAddr,
    /// Why it may not.
    pub reason: &'static str,
}

/// A name that could not be resolved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// There is no such name.
    #[error("name `{0}` does not exist")]
    NotFound(String),
    /// It may exist; asking again later can help.
    #[error("name `{0}` cannot be resolved now")]
    Unavailable(String),
    /// The pod may not look names up.
    #[error("pod may not look up `{0}`")]
    Denied(String),
}

/// Where a connection of a guest really goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectRoute {
    /// The address to bind before connecting, so that the peer sees the pod's own; `None` leaves
    /// the choice to the machine.
    pub from: Option<SocketAddr>,
    /// The address to connect to.
    pub to: SocketAddr,
    /// Whether the connection is made inside of the pod's network namespace, where it has one.
    pub inside: bool,
}

/// A pod's view of the network, asked by a runtime on every socket call of a guest.
///
/// Implementations answer from tables in memory: calls must be quick and must not block.
#[async_trait]
pub trait GuestNetwork: Send + Sync + 'static {
    /// The real address for a guest's `bind` to `wanted`.
    ///
    /// The unspecified address means the pod's, a loopback address the pod's private one.
    ///
    /// # Errors
    /// [`Denied`] for addresses that are not the pod's.
    fn bind(&self, sandbox: &Sandbox, wanted: SocketAddr) -> Result<SocketAddr, Denied>;

    /// Where a guest's `connect` (or datagram) to `wanted` goes.
    ///
    /// # Errors
    /// [`Denied`] if egress to it is not allowed: another pod's private loopback, a policy.
    fn connect(&self, sandbox: &Sandbox, wanted: SocketAddr) -> Result<ConnectRoute, Denied>;

    /// The address to show to the guest for a real one: the inverse of [`GuestNetwork::bind`] and
    /// [`GuestNetwork::connect`].
    fn shown(&self, sandbox: &Sandbox, real: SocketAddr) -> SocketAddr;

    /// Addresses of a name, best first, never empty.
    ///
    /// # Errors
    /// [`ResolveError`].
    async fn resolve(&self, sandbox: &Sandbox, name: &str) -> Result<Vec<IpAddr>, ResolveError>;
}

/// The node's own network without any rewriting: for tests and for single programs.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostNetwork;

#[async_trait]
impl GuestNetwork for HostNetwork {
    fn bind(&self, _sandbox: &Sandbox, wanted: SocketAddr) -> Result<SocketAddr, Denied> {
        Ok(wanted)
    }

    fn connect(&self, _sandbox: &Sandbox, wanted: SocketAddr) -> Result<ConnectRoute, Denied> {
        Ok(ConnectRoute { from: None, to: wanted, inside: true })
    }

    fn shown(&self, _sandbox: &Sandbox, real: SocketAddr) -> SocketAddr {
        real
    }

    async fn resolve(&self, _sandbox: &Sandbox, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        if let Ok(ip) = name.parse() {
            return Ok(vec![ip]);
        }
        let found = tokio::net::lookup_host((name, 0))
            .await
            .map_err(|_error| ResolveError::NotFound(name.to_owned()))?;
        let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
        addresses.dedup();
        if addresses.is_empty() {
            return Err(ResolveError::NotFound(name.to_owned()));
        }
        Ok(addresses)
    }
}
