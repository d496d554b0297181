//! Which pod a request to a service goes to.

use rand::seq::IndexedRandom as _;
use serde_json::Value;
use wk_api::{ApiError, LabelSelector};

use super::relay::PodPort;
use crate::server::ApiServer;

/// The parts of a proxy's name: `[scheme:]name[:port]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProxyName<'a> {
    pub(super) tls: bool,
    pub(super) name: &'a str,
    pub(super) port: &'a str,
}

impl<'a> ProxyName<'a> {
    /// Reads a name; `None` if it has another form.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let (scheme, name, port) = match parts.as_slice() {
            [name] => ("", *name, ""),
            [name, port] => ("", *name, *port),
            [scheme, name, port] => (*scheme, *name, *port),
            _ => return None,
        };
        let tls = match scheme {
            "" | "http" => false,
            "https" => true,
            _ => return None,
        };
        (!name.is_empty()).then_some(Self { tls, name, port })
    }
}

/// A ready pod behind a service, at random.
pub(super) fn endpoint(
    server: &ApiServer,
    namespace: &str,
    asked: &str,
) -> Result<PodPort, ApiError> {
    let bad = || ApiError::bad_request(format!("invalid service request {asked:?}"));
    let ProxyName { tls, name, port } = ProxyName::parse(asked).ok_or_else(bad)?;
    let get = |plural| server.catalog.get("", "v1", plural).ok_or_else(ApiError::no_such_resource);
    let service = get("services")?.get(namespace, name)?.value();
    let service_port = service_port(&service, name, port)?;
    let none = || {
        let message = format!("no endpoints available for service {asked:?}");
        ApiError::service_unavailable(message)
    };
    let slices = slices(server, namespace, name);
    let found: Vec<PodPort> = if slices.is_empty() {
        let selector = &service["spec"]["selector"];
        let pairs = selector.as_object().into_iter().flatten();
        let pairs: Vec<(&str, &str)> =
            pairs.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect();
        if pairs.is_empty() {
            return Err(none());
        }
        let selector = LabelSelector::from_labels(pairs);
        let pods = get("pods")?;
        let range = pods.range(namespace);
        let all = pods.shelf.snapshot(&range, usize::MAX, 0, |_| true).objects;
        let pods = all.iter().map(|pod| pod.value());
        let pods = pods.filter(|pod| selector.matches(&pod["metadata"]["labels"]) && ready(pod));
        pods.filter_map(|pod| pod_port(&pod, service_port.as_ref()?, tls)).collect()
    } else {
        let wanted = service_port.as_ref().map_or("", |port| port["name"].as_str().unwrap_or(""));
        slices.iter().flat_map(|slice| in_slice(slice, wanted, namespace, tls)).collect()
    };
    found.choose(&mut rand::rng()).cloned().ok_or_else(none)
}

/// The port of a service that a request names by number or name.
fn service_port(service: &Value, name: &str, port: &str) -> Result<Option<Value>, ApiError> {
    let ports = service["spec"]["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    if let Ok(number) = port.parse::<i64>() {
        let found = ports.iter().find(|own| own["port"].as_i64() == Some(number));
        return match found {
            Some(found) => Ok(Some(found.clone())),
            None => Err(ApiError::service_unavailable(format!(
                "no service port {number} found for service {name:?}"
            ))),
        };
    }
    let named = |own: &&Value| own["name"].as_str().unwrap_or_default() == port;
    Ok(ports.iter().find(named).cloned())
}

fn slices(server: &ApiServer, namespace: &str, service: &str) -> Vec<Value> {
    let Some(slices) = server.catalog.get("discovery.k8s.io", "v1", "endpointslices") else {
        return Vec::new();
    };
    let all = slices.shelf.snapshot(&slices.range(namespace), usize::MAX, 0, |_| true).objects;
    let mine = |slice: &Value| {
        slice["metadata"]["labels"]["kubernetes.io/service-name"].as_str() == Some(service)
    };
    all.iter().map(|slice| slice.value()).filter(mine).collect()
}

/// The ready pods of a slice with the port of this name.
fn in_slice(slice: &Value, port: &str, namespace: &str, tls: bool) -> Vec<PodPort> {
    let ports = slice["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named = ports.iter().find(|own| own["name"].as_str().unwrap_or_default() == port);
    let number = named.and_then(|port| u16::try_from(port["port"].as_u64()?).ok());
    let Some(number) = number else { return Vec::new() };
    let endpoints = slice["endpoints"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ready = endpoints.iter().filter(|own| own["conditions"]["ready"] != false);
    ready
        .filter(|endpoint| endpoint["targetRef"]["kind"] == "Pod")
        .filter_map(|endpoint| {
            Some(PodPort {
                node: endpoint["nodeName"].as_str()?.to_owned(),
                namespace: namespace.to_owned(),
                pod: endpoint["targetRef"]["name"].as_str()?.to_owned(),
                port: number,
                tls,
            })
        })
        .collect()
}

fn ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let mut ready = conditions.filter(|condition| condition["type"] == "Ready");
    ready.any(|condition| condition["status"] == "True")
        && pod["metadata"]["deletionTimestamp"].is_null()
}

/// Where a service's port is in a pod.
fn pod_port(pod: &Value, service_port: &Value, tls: bool) -> Option<PodPort> {
    let target = &service_port["targetPort"];
    let number = match target.as_str() {
        Some(name) => {
            let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
            let mut ports = containers
                .flat_map(|container| container["ports"].as_array().into_iter().flatten());
            ports.find(|port| port["name"] == name)?["containerPort"].as_u64()?
        }
        None => target.as_u64().or_else(|| service_port["port"].as_u64())?,
    };
    at_port(pod, u16::try_from(number).ok()?, tls)
}

/// A port of a pod; `None` while the pod is nowhere.
pub(super) fn at_port(pod: &Value, port: u16, tls: bool) -> Option<PodPort> {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    text(&pod["status"]["podIP"])?;
    Some(PodPort {
        node: text(&pod["spec"]["nodeName"])?,
        namespace: text(&pod["metadata"]["namespace"])?,
        pod: text(&pod["metadata"]["name"])?,
        port,
        tls,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_taken_apart() {
        for (text, expected) in [
            ("web", Some((false, "web", ""))),
            ("web:http", Some((false, "web", "http"))),
            ("https:web:443", Some((true, "web", "443"))),
            ("http:web:", Some((false, "web", ""))),
            ("ftp:web:21", None),
            (":80", None),
            ("a:b:c:d", None),
        ] {
            let parsed = ProxyName::parse(text);
            assert_eq!(parsed.map(|name| (name.tls, name.name, name.port)), expected, "{text}");
        }
    }

    #[test]
    fn a_port_is_found_by_number_name_and_target() {
        let service = json!({"spec": {"ports": [
            {"name": "web", "port": 80, "targetPort": "http"}, {"name": "raw", "port": 81},
        ]}});
        let pod = json!({
            "metadata": {"namespace": "a", "name": "p"},
            "spec": {"nodeName": "n", "containers": [
                {"ports": [{"name": "http", "containerPort": 8080}]},
            ]},
            "status": {"podIP": "127.64.0.5"},
        });
        for (asked, expected) in
            [("80", Some(8080)), ("web", Some(8080)), ("raw", Some(81)), ("", None)]
        {
            let port = service_port(&service, "s", asked).unwrap();
            let found = port.and_then(|port| pod_port(&pod, &port, false));
            assert_eq!(found.map(|found| found.port), expected, "{asked}");
        }
        assert!(service_port(&service, "s", "82").is_err());
    }
}
