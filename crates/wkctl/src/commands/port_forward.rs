//! `port-forward`: local ports that lead into a pod.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use wk_streams::{ClientUpgrade, ForwardClient};

use super::select::{self, Found};
use super::streams;
use crate::duration;
use crate::kinds::text;
use crate::session::Session;
use crate::target::targets;

/// Arguments of `port-forward`.
#[derive(Debug, clap::Args)]
pub(crate) struct PortForwardArgs {
    /// POD or TYPE/NAME, and the ports as [LOCAL:]REMOTE
    #[arg(value_name = "WHAT", required = true)]
    words: Vec<String>,
    /// Addresses to listen on; `localhost` is both 127.0.0.1 and its counterpart of IPv6
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', default_value = "localhost")]
    address: Vec<String>,
    /// How long to wait for a pod to come, such as `1m`
    #[arg(long, value_name = "DURATION", default_value = "1m")]
    pod_running_timeout: String,
}

/// A local port, 0 for any, and the port of the pod that it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ports {
    local: u16,
    remote: u16,
}

pub(crate) async fn run(session: &Session, args: PortForwardArgs) -> anyhow::Result<()> {
    let [word, words @ ..] = args.words.as_slice() else { bail!("TYPE/NAME is required") };
    if words.is_empty() {
        bail!("TYPE/NAME and list of ports are required for port-forward");
    }
    let (pod, service) = pod(session, word, duration::parse(&args.pod_running_timeout)?).await?;
    let phase = text(&pod.object, "/status/phase");
    if phase != "Running" {
        bail!("unable to forward port because pod is not running. Current status={phase}");
    }
    let ports: Vec<Ports> = words
        .iter()
        .map(|word| parse(word, &pod.object, service.as_ref()))
        .collect::<anyhow::Result<_>>()?;
    let upgrade = ClientUpgrade::forward();
    let path = format!("{}/portforward", pod.path());
    let (headers, stream) = streams::open(session, &path, upgrade.headers()).await?;
    upgrade.forward_protocol(&headers).context("the server chose no protocol")?;
    let (client, driver) = ForwardClient::open(stream).await;
    let listeners = listen(session, &args.address, &ports).await?;
    session.console.flush()?;
    tokio::select! {
        ended = driver.run() => {
            ended.context("lost connection to pod")?;
            bail!("lost connection to pod")
        }
        ended = serve(session, &client, &listeners) => ended,
    }
}

/// The pod, and the service through which it was named.
async fn pod(
    session: &Session,
    word: &str,
    patience: Duration,
) -> anyhow::Result<(Found, Option<Value>)> {
    let Some((_, name)) = word.split_once('/') else {
        return Ok((streams::pod(session, word, patience).await?, None));
    };
    let found = targets(session, &[word.to_owned()]).await?;
    let [target] = found.as_slice() else { bail!("malformed name {word}") };
    if target.resource.plural != "services" || !target.resource.group.is_empty() {
        return Ok((streams::pod(session, word, patience).await?, None));
    }
    let namespace = session.namespace().await?;
    let service = select::one(session, &target.resource, &namespace, name).await?;
    let pod = streams::of_workload(session, &service, patience).await?;
    Ok((pod, Some(service.object)))
}

/// Reads `[LOCAL:]REMOTE`; a port may be a name of the pod's, or of the service's.
fn parse(word: &str, pod: &Value, service: Option<&Value>) -> anyhow::Result<Ports> {
    let (local, remote) = match word.split_once(':') {
        None => (None, word),
        Some((local, remote)) => (Some(local), remote),
    };
    let number = |text: &str| -> anyhow::Result<u16> {
        let wrong = || format!("error parsing port {text:?}: invalid syntax");
        text.parse().ok().with_context(wrong)
    };
    let named = remote.parse::<u16>().is_err();
    let (shown, remote) = match service {
        Some(service) => in_service(service, pod, remote)?,
        None if named => {
            let port = container_port(pod, remote).with_context(|| {
                format!(
                    "Pod '{}' does not have a named port '{remote}'",
                    text(pod, "/metadata/name")
                )
            })?;
            (port, port)
        }
        None => (number(remote)?, number(remote)?),
    };
    if remote == 0 {
        bail!("remote port must be > 0");
    }
    let local = match local {
        None => shown,
        Some("") => 0,
        Some(local) => number(local)?,
    };
    Ok(Ports { local, remote })
}

/// The service's port of a number or name, and where it is in the pod.
fn in_service(service: &Value, pod: &Value, asked: &str) -> anyhow::Result<(u16, u16)> {
    let name = text(service, "/metadata/name");
    let ports = service.pointer("/spec/ports").and_then(Value::as_array).into_iter().flatten();
    let mut ports = ports.filter_map(|port| {
        Some((port, u16::try_from(port.get("port")?.as_u64()?).ok()?, text(port, "/name")))
    });
    let found = ports.find(|(_, number, own)| *own == asked || number.to_string() == asked);
    let (port, number, _) =
        found.with_context(|| format!("Service {name} does not have a service port {asked}"))?;
    let target = port.get("targetPort").unwrap_or(&Value::Null);
    let target = match (target.as_str(), target.as_u64()) {
        (Some(target), _) => container_port(pod, target)
            .with_context(|| format!("the pod has no port `{target}`, which {name} leads to"))?,
        (None, Some(target)) => u16::try_from(target).unwrap_or(number),
        (None, None) => number,
    };
    Ok((number, target))
}

fn container_port(pod: &Value, name: &str) -> Option<u16> {
    let containers = pod.pointer("/spec/containers")?.as_array()?.iter();
    let mut ports = containers.filter_map(|one| one.get("ports")?.as_array()).flatten();
    let port = ports.find(|port| text(port, "/name") == name)?;
    u16::try_from(port.get("containerPort")?.as_u64()?).ok()
}

/// Listens on all addresses; of the two that `localhost` is, one is enough.
async fn listen(
    session: &Session,
    addresses: &[String],
    ports: &[Ports],
) -> anyhow::Result<Vec<(TcpListener, Ports)>> {
    let mut listeners = Vec::new();
    for ports in ports {
        for address in addresses {
            let localhost = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            let ips: Vec<IpAddr> = match address.as_str() {
                "localhost" => localhost.to_vec(),
                text => {
                    let wrong = || format!("{text} is not a valid IP");
                    vec![text.parse().ok().with_context(wrong)?]
                }
            };
            let mut failure: Option<io::Error> = None;
            let mut local = ports.local;
            let before = listeners.len();
            for ip in ips {
                match TcpListener::bind(SocketAddr::new(ip, local)).await {
                    Ok(listener) => {
                        let own = listener.local_addr()?;
                        // Both addresses of one name have one port.
                        local = own.port();
                        session
                            .console
                            .line(format!("Forwarding from {own} -> {}", ports.remote))?;
                        listeners.push((listener, Ports { local, remote: ports.remote }));
                    }
                    Err(error) => failure = Some(error),
                }
            }
            if let (true, Some(error)) = (listeners.len() == before, failure) {
                let Ports { local, remote } = ports;
                return Err(error).with_context(|| {
                    format!("unable to listen on port {remote}: cannot listen on {address}:{local}")
                });
            }
        }
    }
    Ok(listeners)
}

async fn accept(
    listener: &TcpListener,
    ports: Ports,
) -> (io::Result<TcpStream>, &TcpListener, Ports) {
    (listener.accept().await.map(|(stream, _)| stream), listener, ports)
}

/// Takes connections on all listeners and joins each with one to the pod.
async fn serve(
    session: &Session,
    client: &ForwardClient,
    listeners: &[(TcpListener, Ports)],
) -> anyhow::Result<()> {
    let mut accepting: FuturesUnordered<_> =
        listeners.iter().map(|(listener, ports)| accept(listener, *ports)).collect();
    let mut joined = FuturesUnordered::new();
    let mut request = 0;
    loop {
        tokio::select! {
            Some((accepted, listener, ports)) = accepting.next() => {
                let mut local = accepted.context("cannot accept a connection")?;
                accepting.push(accept(listener, ports));
                session.console.line(format!("Handling connection for {}", ports.local))?;
                session.console.flush()?;
                let forwarded = client.connect(ports.remote, request);
                request += 1;
                joined.push(async move {
                    let outcome = match forwarded {
                        Ok(forwarded) => forwarded.join(&mut local).await,
                        Err(error) => Err(error),
                    };
                    (outcome, ports)
                });
            }
            Some((outcome, ports)) = joined.next(), if !joined.is_empty() => {
                if let Err(error) = outcome {
                    let Ports { local, remote } = ports;
                    session.console.note(format!(
                        "error: an error occurred forwarding {local} -> {remote}: {error}"
                    ));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ports_are_numbers_or_names() {
        let pod = json!({
            "metadata": {"name": "p"},
            "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 8080}]}]},
        });
        let service = json!({
            "metadata": {"name": "s"},
            "spec": {"ports": [{"name": "web", "port": 80, "targetPort": "http"}]},
        });
        for (word, service, expected) in [
            ("8080", None, Some((8080, 8080))),
            ("80:8080", None, Some((80, 8080))),
            (":8080", None, Some((0, 8080))),
            ("http", None, Some((8080, 8080))),
            ("1:http", None, Some((1, 8080))),
            ("80", Some(&service), Some((80, 8080))),
            ("5000:web", Some(&service), Some((5000, 8080))),
            ("nope", None, None),
            ("81", Some(&service), None),
            ("0", None, None),
        ] {
            let ports = parse(word, &pod, service).ok().map(|ports| (ports.local, ports.remote));
            assert_eq!(ports, expected, "{word}");
        }
    }
}
