//! `proxy` of pods, services and nodes: the request is sent on, and the answer comes back.

use std::net::{IpAddr, SocketAddr};

use axum::body::Body;
use axum::response::Response;
use http::header::{
    AUTHORIZATION, CONNECTION, HOST, LOCATION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use serde_json::Value;
use wk_api::ApiError;

use super::services::{self, ProxyName};
use super::{Outward, relay};
use crate::error::Answer;

/// The headers that are about one connection and not about the message.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];
const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");

/// Where a request goes.
enum Target {
    Kubelet(String),
    Pod(relay::PodPort),
    /// A port of a node that is not its kubelet's, and whether it speaks TLS.
    Node(SocketAddr, bool),
}

/// Sends the request on and hands the answer back while it comes in.
pub(super) async fn answer(outward: Outward, body: Body) -> Answer {
    let target = target(&outward)?;
    let (prefix, rest) = split(&outward.raw_path, outward.path.namespace.is_empty());
    let upgrading = outward.wants_upgrade();
    let query = outward.raw_query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    if rest.is_empty() && !upgrading && matches!(outward.method, Method::GET | Method::HEAD) {
        // Relative links on the page behind it lead there only from a folder.
        return redirect(&format!("{}/{query}", outward.raw_path));
    }
    let inner = if rest.is_empty() { "/" } else { rest };
    let unreachable = |why: String| {
        ApiError::service_unavailable(format!("error trying to reach service: {why}"))
    };
    let sender = match &target {
        Target::Kubelet(node) => relay::kubelet(&outward.server, node).await,
        Target::Pod(pod) => relay::pod(&outward.server, pod).await,
        Target::Node(address, tls) => relay::address(&outward.server, *address, *tls).await,
    };
    let mut sender = sender.map_err(unreachable)?;
    let mut request = Request::builder().method(&outward.method).uri(format!("{inner}{query}"));
    if let Some(own) = request.headers_mut() {
        *own = passed_on(&outward.headers, upgrading);
        own.remove(AUTHORIZATION);
        own.entry(HOST).or_insert(HeaderValue::from_static("proxy"));
        if let Ok(uri) = HeaderValue::from_str(&outward.raw_path) {
            own.insert(FORWARDED_URI, uri);
        }
    }
    let request = request.body(body).map_err(|error| unreachable(error.to_string()))?;
    let response =
        sender.send_request(request).await.map_err(|error| unreachable(chain(&error)))?;
    let status = response.status();
    let mut headers = passed_on(response.headers(), status == StatusCode::SWITCHING_PROTOCOLS);
    if let Some(location) = headers.get(LOCATION).and_then(|own| own.to_str().ok())
        && let Some(own) = relocated(location, outward.headers.get(HOST), prefix)
        && let Ok(own) = HeaderValue::from_str(&own)
    {
        headers.insert(LOCATION, own);
    }
    let body = match (status, outward.upgrade) {
        (StatusCode::SWITCHING_PROTOCOLS, Some(client)) => {
            relay::splice(&outward.server, client, hyper::upgrade::on(response));
            Body::empty()
        }
        (StatusCode::SWITCHING_PROTOCOLS, None) => {
            return Err(ApiError::bad_request("this connection cannot be upgraded"));
        }
        // The connection ends with the body: the sender is kept until then.
        _ => kept_open(response.into_body(), sender),
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

/// A body that holds on to its connection.
fn kept_open(body: hyper::body::Incoming, sender: relay::Sender) -> Body {
    use http_body_util::BodyExt as _;
    Body::new(body.map_frame(move |frame| {
        let _connection = &sender;
        frame
    }))
}

fn chain(error: &hyper::Error) -> String {
    crate::error::chain(error)
}

fn target(outward: &Outward) -> Result<Target, ApiError> {
    let Outward { server, path, .. } = outward;
    let (namespace, asked) = (path.namespace.as_str(), path.name.as_str());
    let get = |plural| server.catalog.get("", "v1", plural).ok_or_else(ApiError::no_such_resource);
    let invalid = |kind| move || ApiError::bad_request(format!("invalid {kind} request {asked:?}"));
    match path.resource.as_str() {
        "services" => Ok(Target::Pod(services::endpoint(server, namespace, asked)?)),
        "pods" => {
            let ProxyName { tls, name, port } =
                ProxyName::parse(asked).ok_or_else(invalid("pod"))?;
            let pod = get("pods")?.get(namespace, name)?.value();
            let port = if port.is_empty() {
                let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
                let mut ports = containers.filter_map(|container| container["ports"].get(0));
                let first = ports.find_map(|port| port["containerPort"].as_u64());
                u16::try_from(first.unwrap_or(if tls { 443 } else { 80 })).unwrap_or(80)
            } else {
                port.parse().ok().filter(|port| *port > 0).ok_or_else(invalid("pod"))?
            };
            let found = services::at_port(&pod, port, tls);
            found.map(Target::Pod).ok_or_else(|| ApiError::bad_request("address not allowed"))
        }
        _ => {
            let ProxyName { tls, name, port } =
                ProxyName::parse(asked).ok_or_else(invalid("node"))?;
            let node = get("nodes")?.get("", name)?.value();
            let own = &node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"];
            if port.is_empty() || own.as_u64().is_some_and(|own| own.to_string() == port) {
                return Ok(Target::Kubelet(name.to_owned()));
            }
            let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(invalid("node"))?;
            let not_allowed = || ApiError::bad_request("address not allowed");
            let address = node_address(&node).ok_or_else(not_allowed)?;
            Ok(Target::Node(SocketAddr::new(address, port), tls))
        }
    }
}

/// The address of a node, if it may be reached by way of the API server: what a node says of itself
/// must not lead to the machine that the server runs on, or to what only that one can reach.
fn node_address(node: &Value) -> Option<IpAddr> {
    let addresses = node["status"]["addresses"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of_type = |kind: &str| {
        let found = addresses.iter().find(|address| address["type"] == kind)?;
        found["address"].as_str()?.parse::<IpAddr>().ok()
    };
    let address = of_type("InternalIP").or_else(|| of_type("ExternalIP"))?.to_canonical();
    let local = match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    let special = local || address.is_loopback() || address.is_multicast();
    (!special && !address.is_unspecified()).then_some(address)
}

/// Splits the path after `proxy`.
fn split(path: &str, of_cluster: bool) -> (&str, &str) {
    let mut left = if of_cluster { 5 } else { 7 };
    let mut within = false;
    for (at, byte) in path.bytes().enumerate() {
        if byte != b'/' {
            within = true;
        } else if within {
            within = false;
            left -= 1;
            if left == 0 {
                return path.split_at(at);
            }
        }
    }
    (path, "")
}

/// The headers without those of the connection; with those of an upgrade if there is one.
fn passed_on(headers: &HeaderMap, upgrading: bool) -> HeaderMap {
    let mut kept = headers.clone();
    let named: Vec<String> = headers
        .get_all(CONNECTION)
        .into_iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|word| word.trim().to_ascii_lowercase())
        .collect();
    for name in &named {
        kept.remove(name.as_str());
    }
    for name in &HOP_BY_HOP {
        kept.remove(name);
    }
    if upgrading {
        kept.extend(relay::upgrade_headers(headers));
    }
    kept
}

/// Where a redirect leads as the client has to ask for it; `None` if it stays as it is.
fn relocated(location: &str, host: Option<&HeaderValue>, prefix: &str) -> Option<String> {
    let uri: Uri = location.parse().ok()?;
    let elsewhere = uri.authority().is_some_and(|authority| {
        host.is_none_or(|host| host.as_bytes() != authority.as_str().as_bytes())
    });
    if elsewhere || !location_path(&uri).starts_with('/') || uri.path().starts_with(prefix) {
        return None;
    }
    Some(format!("{prefix}{}", location_path(&uri)))
}

fn location_path(uri: &Uri) -> &str {
    uri.path_and_query().map_or("", |path| path.as_str())
}

fn redirect(to: &str) -> Answer {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    let location = HeaderValue::from_str(to)
        .map_err(|_| ApiError::bad_request("the path cannot be redirected"))?;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_behind_the_proxy_is_kept_as_it_was_sent() {
        for (path, cluster, prefix, rest) in [
            ("/api/v1/nodes/n/proxy/metrics", true, "/api/v1/nodes/n/proxy", "/metrics"),
            ("/api/v1/nodes/n/proxy", true, "/api/v1/nodes/n/proxy", ""),
            (
                "/api/v1/namespaces/a/pods/p:80/proxy/x%2Fy//z/",
                false,
                "/api/v1/namespaces/a/pods/p:80/proxy",
                "/x%2Fy//z/",
            ),
        ] {
            assert_eq!(split(path, cluster), (prefix, rest), "{path}");
        }
    }

    #[test]
    fn a_node_is_reached_at_its_address_unless_that_leads_to_the_server_itself() {
        let node = |kind: &str, address: &str| {
            let address = serde_json::json!({"type": kind, "address": address});
            serde_json::json!({"status": {"addresses": [{"type": "Hostname", "address": "n"}, address]}})
        };
        for (kind, address, allowed) in [
            ("InternalIP", "192.0.2.7", true),
            ("ExternalIP", "2001:db8::7", true),
            ("Hostname", "192.0.2.7", false),
            ("InternalIP", "127.0.0.1", false),
            ("InternalIP", "::ffff:127.0.0.1", false),
            ("InternalIP", "169.254.169.254", false),
            ("InternalIP", "fe80::1", false),
            ("InternalIP", "0.0.0.0", false),
            ("InternalIP", "224.0.0.1", false),
            ("InternalIP", "n.example.test", false),
        ] {
            assert_eq!(node_address(&node(kind, address)).is_some(), allowed, "{kind} {address}");
        }
    }

    #[test]
    fn redirects_within_the_target_stay_within_the_proxy() {
        let host = HeaderValue::from_static("api:6443");
        let prefix = "/api/v1/namespaces/a/pods/p/proxy";
        for (location, expected) in [
            ("/login?x=1", Some("/api/v1/namespaces/a/pods/p/proxy/login?x=1")),
            ("http://api:6443/login", Some("/api/v1/namespaces/a/pods/p/proxy/login")),
            ("https://example.org/login", None),
            ("/api/v1/namespaces/a/pods/p/proxy/here", None),
        ] {
            let found = relocated(location, Some(&host), prefix);
            assert_eq!(found.as_deref(), expected, "{location}");
        }
    }

    #[test]
    fn headers_of_the_connection_are_not_passed_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, X-Mine, Upgrade"),
            ("x-mine", "1"),
            ("upgrade", "websocket"),
            ("te", "trailers"),
            ("accept", "*/*"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let names = |upgrading| -> Vec<String> {
            let kept = passed_on(&headers, upgrading);
            let mut names: Vec<_> = kept.keys().map(|name| name.as_str().to_owned()).collect();
            names.sort();
            names
        };
        assert_eq!(names(false), ["accept"]);
        assert_eq!(names(true), ["accept", "connection", "upgrade"]);
    }
}
