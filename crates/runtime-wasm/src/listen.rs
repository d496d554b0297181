//! The ports that a container listens on for its program.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::io::Errno;
use tokio::net::{TcpListener, TcpSocket};
use wk_runtime::RuntimeError;

use crate::namespace::made_in;
use crate::scope::Scope;

/// The port of servers that declare none.
const DEFAULT_PORT: u16 = 8080;
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// Listens on the ports that a pod declares for a container, each once. Within a Tokio runtime.
///
/// # Errors
/// [`RuntimeError::StartFailed`] if one cannot be had, [`RuntimeError::OutOfResource`].
pub(crate) fn listeners(scope: &Scope, ports: &[u16]) -> Result<Vec<TcpListener>, RuntimeError> {
    let mut ports = ports.to_vec();
    ports.sort_unstable();
    ports.dedup();
    if ports.is_empty() {
        ports.push(DEFAULT_PORT);
    }
    ports.into_iter().map(|port| listener(scope, port)).collect()
}

fn listener(scope: &Scope, port: u16) -> Result<TcpListener, RuntimeError> {
    let any = match scope.sandbox.ip {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let address = scope
        .network
        .bind(&scope.sandbox, SocketAddr::new(any, port))
        .map_err(|denied| RuntimeError::StartFailed { reason: denied.to_string() })?;
    made_in(scope.namespace.as_deref(), || listen(address))
        .flatten()
        .map_err(|error| listen_error(address, &error))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restarted container must not wait for its predecessor's closed connections.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn listen_error(address: SocketAddr, error: &io::Error) -> RuntimeError {
    let port = address.port();
    let reason = match Errno::from_io_error(error) {
        Some(Errno::ADDRINUSE) => format!("`{address}` cannot be bound: port {port} is in use"),
        Some(Errno::ACCESS) => format!(
            "`{address}` cannot be bound: ports below `net.ipv4.ip_unprivileged_port_start` need \
             root. Use a higher containerPort, or run: sysctl -w \
             net.ipv4.ip_unprivileged_port_start={port}"
        ),
        Some(Errno::ADDRNOTAVAIL) => {
            format!("`{address}` cannot be bound: this machine does not have that address")
        }
        Some(Errno::MFILE | Errno::NFILE) => {
            return RuntimeError::OutOfResource {
                resource: "open files".into(),
                reason: format!("`{address}` cannot be bound: {error}; raise `ulimit -n`"),
            };
        }
        _ => format!("`{address}` cannot be bound: {error}"),
    };
    RuntimeError::StartFailed { reason }
}
