//! What a pod asks of its node. Pure.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use wk_api::Quantity;

/// How good a pod's service is to be: who asks for nothing goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    #[default]
    BestEffort,
    Burstable,
    Guaranteed,
}

/// A port of the node that leads to a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    /// `None` is every address of the node.
    ip: Option<IpAddr>,
    protocol: Box<str>,
    port: i32,
}

impl HostPort {
    /// Whether both cannot be had at once.
    pub(super) fn conflicts(&self, other: &Self) -> bool {
        self.port == other.port
            && self.protocol == other.protocol
            && (self.ip.is_none() || other.ip.is_none() || self.ip == other.ip)
    }
}

/// All that a pod asks for, in a form that is quick to add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asks {
    pub(super) cpu_milli: i64,
    pub(super) memory_bytes: i64,
    pub(super) storage_bytes: i64,
    /// `hugepages-2Mi` and the like, in bytes.
    pub(super) huge_pages: Box<[(Box<str>, i64)]>,
    pub(super) ports: Box<[HostPort]>,
    pub(super) class: Class,
    pub(super) priority: Option<i32>,
}

impl Asks {
    /// Those of a pod.
    ///
    /// What counts is the larger of what its containers need together and what any of its init
    /// containers needs while it runs, beside the sidecars that were started before it.
    /// Spec: <https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers>
    pub(crate) fn of(pod: &Pod) -> Self {
        let Some(spec) = &pod.spec else { return Self::default() };
        let class = pod.status.as_ref().and_then(|status| status.qos_class.as_deref());
        let mut names: Vec<&str> = all(spec)
            .filter_map(|container| container.resources.as_ref()?.requests.as_ref())
            .flat_map(|requests| requests.keys().map(String::as_str))
            .filter(|name| name.starts_with("hugepages-"))
            .collect();
        names.sort_unstable();
        names.dedup();
        let huge_pages = names.into_iter().map(|name| (name.into(), total(spec, name)));
        Self {
            cpu_milli: total(spec, "cpu"),
            memory_bytes: total(spec, "memory"),
            storage_bytes: total(spec, "ephemeral-storage"),
            huge_pages: huge_pages.collect(),
            ports: ports(spec),
            class: match class {
                Some("Guaranteed") => Class::Guaranteed,
                Some("Burstable") => Class::Burstable,
                _ => Class::BestEffort,
            },
            priority: spec.priority,
        }
    }

    /// How much of a resource.
    pub(super) fn amount(&self, resource: &str) -> i64 {
        match resource {
            "pods" => 1,
            "cpu" => self.cpu_milli,
            "memory" => self.memory_bytes,
            "ephemeral-storage" => self.storage_bytes,
            other => {
                let mut huge = self.huge_pages.iter();
                huge.find(|(name, _)| **name == *other).map_or(0, |(_, amount)| *amount)
            }
        }
    }
}

fn all(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.containers.iter().chain(spec.init_containers.iter().flatten())
}

fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn total(spec: &PodSpec, resource: &str) -> i64 {
    let amount = |quantity: Option<&k8s_openapi::apimachinery::pkg::api::resource::Quantity>| {
        let quantity = quantity.and_then(|quantity| Quantity::parse(&quantity.0).ok());
        quantity.map_or(0, |one| if resource == "cpu" { one.milli() } else { one.value() })
    };
    let of = |container: &Container| {
        let requests = container.resources.as_ref().and_then(|all| all.requests.as_ref());
        amount(requests.and_then(|requests| requests.get(resource)))
    };
    let (mut sidecars, mut peak) = (0_i64, 0_i64);
    for container in spec.init_containers.iter().flatten() {
        let own = of(container);
        if is_sidecar(container) {
            sidecars = sidecars.saturating_add(own);
        }
        let with = if is_sidecar(container) { sidecars } else { sidecars.saturating_add(own) };
        peak = peak.max(with);
    }
    let together = spec.containers.iter().map(of).fold(sidecars, i64::saturating_add);
    let whole = spec.resources.as_ref().and_then(|all| all.requests.as_ref()?.get(resource));
    let sum = whole.map_or_else(|| together.max(peak), |whole| amount(Some(whole)));
    sum.saturating_add(amount(spec.overhead.as_ref().and_then(|all| all.get(resource))))
}

fn ports(spec: &PodSpec) -> Box<[HostPort]> {
    let sidecars = spec.init_containers.iter().flatten().filter(|container| is_sidecar(container));
    let ports = spec.containers.iter().chain(sidecars).flat_map(|one| one.ports.iter().flatten());
    let on_node = |port: &k8s_openapi::api::core::v1::ContainerPort| {
        let number = port.host_port.filter(|number| *number > 0)?;
        let ip = port.host_ip.as_deref().and_then(|ip| ip.parse::<IpAddr>().ok());
        Some(HostPort {
            ip: ip.filter(|ip| !ip.is_unspecified()),
            protocol: port.protocol.as_deref().unwrap_or("TCP").into(),
            port: number,
        })
    };
    ports.filter_map(on_node).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asks(spec: &serde_json::Value) -> Asks {
        Asks::of(&serde_json::from_value(json!({"spec": spec})).unwrap())
    }

    #[test]
    fn containers_init_containers_and_overhead_add_up() {
        let container = |name: &str, cpu: &str, policy: Option<&str>| {
            let mut container = json!({"name": name, "resources": {"requests": {"cpu": cpu}}});
            if let Some(policy) = policy {
                container["restartPolicy"] = policy.into();
            }
            container
        };
        let mut spec = json!({
            "containers": [container("a", "100m", None), container("b", "1", None)],
            "initContainers": [
                container("s", "50m", Some("Always")),
                container("i", "1200m", None),
                container("t", "10m", Some("Always")),
            ],
        });
        assert_eq!(asks(&spec).cpu_milli, 1250, "an init container beside a sidecar");
        spec["initContainers"][1]["resources"]["requests"]["cpu"] = "1".into();
        assert_eq!(asks(&spec).cpu_milli, 1160, "all that run in the end");
        spec["overhead"] = json!({"cpu": "40m", "memory": "1Ki"});
        assert_eq!(asks(&spec).cpu_milli, 1200);
        assert_eq!(asks(&spec).memory_bytes, 1024);
        spec["resources"] = json!({"requests": {"cpu": "2"}});
        assert_eq!(asks(&spec).cpu_milli, 2040, "what the pod says as a whole counts");
        let huge = json!({"containers": [
            {"name": "a", "resources": {"requests": {"hugepages-2Mi": "4Mi"}}},
        ]});
        assert_eq!(asks(&huge).amount("hugepages-2Mi"), 4 << 20);
    }

    #[test]
    fn ports_of_the_node_conflict_by_address_and_protocol() {
        let port = |ip: &str, protocol: &str, number: i32| {
            let ports = json!([{
                "containerPort": 1, "hostPort": number, "hostIP": ip, "protocol": protocol,
            }]);
            asks(&json!({"containers": [{"name": "a", "ports": ports}]})).ports[0].clone()
        };
        let any = port("", "TCP", 80);
        assert!(any.conflicts(&port("0.0.0.0", "TCP", 80)));
        assert!(any.conflicts(&port("127.0.0.1", "TCP", 80)));
        assert!(!any.conflicts(&port("", "UDP", 80)));
        assert!(!any.conflicts(&port("", "TCP", 81)));
        assert!(!port("127.0.0.1", "TCP", 80).conflicts(&port("127.0.0.2", "TCP", 80)));
        let none = json!({"containers": [{"name": "a", "ports": [{"containerPort": 1}]}]});
        assert!(asks(&none).ports.is_empty());
    }
}
