//! What guests see: their own `localhost`, the cluster from their pod's address, and the rest.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use async_trait::async_trait;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};
use wk_runtime::{ConnectRoute, Denied, GuestNetwork, ResolveError, Sandbox};

use crate::NameTable;
use crate::addresses::{Place, place};

const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// Rewrites addresses by the pod's sandbox alone; it needs no table of pods.
#[derive(Clone, Debug, Default)]
pub struct RootlessGuestNetwork {
    names: NameTable,
}

impl RootlessGuestNetwork {
    /// A network that resolves the cluster's names from `names`.
    pub fn new(names: NameTable) -> Self {
        Self { names }
    }

    /// The table of names, to be filled by whoever watches services.
    pub fn names(&self) -> &NameTable {
        &self.names
    }
}

/// The IPv4 address that is meant, also in the form that IPv6 sockets use for it.
fn as_v4(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(ip) => ip.to_ipv4_mapped(),
    }
}

/// `ip` in the family of `like`, so that it fits the guest's socket.
fn fitted(ip: IpAddr, like: SocketAddr, port: u16) -> SocketAddr {
    match (ip, like) {
        (IpAddr::V4(ip), SocketAddr::V6(_)) => {
            SocketAddr::V6(SocketAddrV6::new(ip.to_ipv6_mapped(), port, 0, 0))
        }
        (ip, _) => SocketAddr::new(ip, port),
    }
}

/// A route that does not begin in the namespace of the pod, if it has one.
fn outside(from: Option<SocketAddr>, to: SocketAddr) -> ConnectRoute {
    ConnectRoute { from, to, inside: false }
}

/// Whether some program of the node takes connections at an address of its own.
///
/// The kernel is asked by binding another socket there, which it refuses beside one that listens and,
/// with this option, beside no other.
fn listens(ip: IpAddr, port: u16) -> bool {
    let family = if ip.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let asked = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let Ok(asked) = asked else { return false };
    sockopt::set_socket_reuseaddr(&asked, true).is_ok()
        && bind(&asked, &SocketAddr::new(ip, port)) == Err(Errno::ADDRINUSE)
}

fn denied<T>(address: SocketAddr, reason: &'static str) -> Result<T, Denied> {
    Err(Denied { address, reason })
}

#[async_trait]
impl GuestNetwork for RootlessGuestNetwork {
    fn bind(&self, sandbox: &Sandbox, wanted: SocketAddr) -> Result<SocketAddr, Denied> {
        if sandbox.host_network {
            return Ok(wanted);
        }
        let Some(ip) = as_v4(wanted.ip()) else {
            return denied(wanted, "the pod has no IPv6 address");
        };
        let own = match place(ip) {
            // All of 127.0.0.0/8 is local to a namespace, and the engine leads connections to the
            // pod's address there to another one that the pod does not know.
            Place::Unspecified if sandbox.netns.is_some() => IpAddr::V4(ip),
            _ if sandbox.netns.is_some() && sandbox.ip == ip => Ipv4Addr::UNSPECIFIED.into(),
            Place::Localhost if sandbox.netns.is_some() => IpAddr::V4(ip),
            Place::Unspecified => sandbox.ip,
            Place::Localhost => sandbox.loopback,
            _ if sandbox.ip == ip => IpAddr::V4(ip),
            _ if sandbox.loopback == ip && sandbox.netns.is_none() => IpAddr::V4(ip),
            _ => return denied(wanted, "the address is not the pod's"),
        };
        Ok(fitted(own, wanted, wanted.port()))
    }

    fn connect(&self, sandbox: &Sandbox, wanted: SocketAddr) -> Result<ConnectRoute, Denied> {
        if wanted.ip() == METADATA_V6 {
            return denied(wanted, "pods may not ask for the machine's secrets");
        }
        let Some(ip) = as_v4(wanted.ip()) else {
            let wanted_ip = wanted.ip();
            if sandbox.host_network || !(wanted_ip.is_loopback() || wanted_ip.is_unspecified()) {
                return Ok(outside(None, wanted));
            }
            return denied(wanted, "the pod has no IPv6 address");
        };
        let place = place(ip);
        if place == Place::Metadata {
            return denied(wanted, "pods may not ask for the machine's secrets");
        }
        if sandbox.host_network && place != Place::PrivateLoopback {
            return Ok(outside(None, wanted));
        }
        let is_local = matches!(place, Place::Unspecified | Place::Localhost);
        if sandbox.netns.is_some() && (is_local || sandbox.ip == ip) {
            return Ok(ConnectRoute { from: None, to: wanted, inside: true });
        }
        let from = |own: IpAddr| Some(fitted(own, wanted, 0));
        let loopback = sandbox.loopback;
        let to_loopback = || outside(from(loopback), fitted(loopback, wanted, wanted.port()));
        match place {
            Place::Unspecified | Place::Localhost => {
                let port = wanted.port();
                // Who listens at every address has the pod's, and is meant by `localhost`, too.
                let home = !listens(loopback, port) && listens(sandbox.ip, port);
                let home = if home { sandbox.ip } else { loopback };
                Ok(outside(from(loopback), fitted(home, wanted, port)))
            }
            Place::PrivateLoopback if sandbox.loopback == ip && sandbox.netns.is_none() => {
                Ok(to_loopback())
            }
            Place::PrivateLoopback => denied(wanted, "it is another pod's loopback"),
            Place::Pod | Place::Service => Ok(outside(from(sandbox.ip), wanted)),
            Place::Outside | Place::Metadata => Ok(outside(None, wanted)),
        }
    }

    fn shown(&self, sandbox: &Sandbox, real: SocketAddr) -> SocketAddr {
        match as_v4(real.ip()) {
            Some(ip) if !sandbox.host_network && sandbox.loopback == ip => {
                fitted(IpAddr::V4(Ipv4Addr::LOCALHOST), real, real.port())
            }
            _ => real,
        }
    }

    async fn resolve(&self, sandbox: &Sandbox, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        if let Ok(ip) = name.parse() {
            return Ok(vec![ip]);
        }
        let plain = name.trim_end_matches('.').to_ascii_lowercase();
        if plain == "localhost" || plain.ends_with(".localhost") {
            return Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
        }
        if plain == sandbox.hostname.to_ascii_lowercase() {
            return Ok(vec![sandbox.ip]);
        }
        let alias =
            sandbox.host_aliases.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(&plain));
        if let Some((_, addresses)) = alias
            && !addresses.is_empty()
        {
            return Ok(addresses.clone());
        }
        let own = self.names.lookup(&sandbox.namespace, name);
        if !own.is_empty() {
            return Ok(own);
        }
        if NameTable::owns(name) {
            return Err(ResolveError::NotFound(name.to_owned()));
        }
        host_addresses(name).await
    }
}

async fn host_addresses(name: &str) -> Result<Vec<IpAddr>, ResolveError> {
    let found = tokio::net::lookup_host((name, 0)).await.map_err(|error| failure(name, &error))?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found {
        if !addresses.contains(&address.ip()) {
            addresses.push(address.ip());
        }
    }
    if addresses.is_empty() {
        return Err(ResolveError::NotFound(name.to_owned()));
    }
    Ok(addresses)
}

/// The resolver of the C library tells a missing name from a silent server in its text alone.
fn failure(name: &str, error: &io::Error) -> ResolveError {
    if error.to_string().to_ascii_lowercase().contains("temporary") {
        ResolveError::Unavailable(name.to_owned())
    } else {
        ResolveError::NotFound(name.to_owned())
    }
}
