//! What probes and hooks do to a container: run a command in it, or talk to one of its ports.

mod exec;
mod grpc;
mod http;
mod insecure;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, TCPSocketAction};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::net::TcpStream;

pub(crate) use self::exec::run;
pub(crate) use self::grpc::Health;
pub(crate) use self::http::HttpGet;

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well.
    Success,
    /// All is well, and yet there is something to say.
    Warning(String),
    /// It is not well, and why.
    Failure(String),
    /// It could not be found out, and why.
    Unknown(String),
}

/// A connection that is all there is to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TcpConnect {
    host: Option<String>,
    port: u16,
}

impl TcpConnect {
    /// What a specification says, for one container.
    ///
    /// # Errors
    /// If the container has no such port.
    pub(crate) fn of(action: &TCPSocketAction, container: &Container) -> Result<Self, String> {
        let host = action.host.clone().filter(|host| !host.is_empty());
        Ok(Self { host, port: port_number(&action.port, container)? })
    }

    pub(crate) async fn check(&self, ip: IpAddr, timeout: Duration) -> Outcome {
        match connect(self.host.as_deref(), ip, self.port, timeout).await {
            Ok(_stream) => Outcome::Success,
            Err(error) => Outcome::Failure(error),
        }
    }
}

/// The number of a port that may be named.
///
/// # Errors
/// In Kubernetes' words, which are those of its number parser.
pub(crate) fn port_number(port: &IntOrString, container: &Container) -> Result<u16, String> {
    let number = match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let mut ports = container.ports.iter().flatten();
            match ports.find(|port| port.name.as_deref() == Some(name)) {
                Some(port) => port.container_port,
                None => name
                    .parse()
                    .map_err(|_| format!("strconv.Atoi: parsing \"{name}\": invalid syntax"))?,
            }
        }
    };
    let valid = u16::try_from(number).ok().filter(|port| *port > 0);
    valid.ok_or_else(|| format!("invalid port number: {number}"))
}

/// Connects to a port of the pod, or of another host.
///
/// # Errors
/// `dial tcp ADDRESS: …`.
async fn connect(
    host: Option<&str>,
    ip: IpAddr,
    port: u16,
    timeout: Duration,
) -> Result<TcpStream, String> {
    let shown = authority(host, ip, port);
    let connecting = async {
        match host {
            Some(host) => TcpStream::connect((host, port)).await,
            None => TcpStream::connect((ip, port)).await,
        }
    };
    match tokio::time::timeout(timeout, connecting).await {
        Err(_) => Err(format!("dial tcp {shown}: i/o timeout")),
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            Err(format!("dial tcp {shown}: connect: connection refused"))
        }
        Ok(Err(error)) => Err(format!("dial tcp {shown}: connect: {error}")),
    }
}

/// `host:port` as it stands in an address.
fn authority(host: Option<&str>, ip: IpAddr, port: u16) -> String {
    match host {
        Some(host) if host.contains(':') => format!("[{host}]:{port}"),
        Some(host) => format!("{host}:{port}"),
        None => SocketAddr::new(ip, port).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ports_are_numbers_or_names_of_the_containers_own() {
        let container: Container = serde_json::from_value(
            json!({"name": "c", "ports": [{"name": "web", "containerPort": 8080}]}),
        )
        .unwrap();
        let number = |port: IntOrString| port_number(&port, &container);
        let named = |name: &str| number(IntOrString::String(name.to_owned()));
        assert_eq!(number(IntOrString::Int(80)), Ok(80));
        assert_eq!(named("web"), Ok(8080));
        assert_eq!(named("9"), Ok(9));
        let unknown = "strconv.Atoi: parsing \"api\": invalid syntax".to_owned();
        assert_eq!(named("api"), Err(unknown));
        assert_eq!(number(IntOrString::Int(0)), Err("invalid port number: 0".to_owned()));
    }

    #[tokio::test]
    async fn a_port_that_takes_connections_is_well() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let check = TcpConnect { host: None, port: address.port() };
        let second = Duration::from_secs(1);
        assert_eq!(check.check(address.ip(), second).await, Outcome::Success);
        drop(listener);
        let refused = format!("dial tcp {address}: connect: connection refused");
        assert_eq!(check.check(address.ip(), second).await, Outcome::Failure(refused));
    }
}
