//! What a pod asks of a node, reduced to what the scheduler reads.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, NodeSelectorTerm, Pod, PodSpec, PreferredSchedulingTerm, ResourceRequirements,
    Toleration,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as WireQuantity;
use wk_api::names::Uid;
use wk_api::quantity::Quantity;

/// What a container without a request is assumed to use, for spreading only.
const ASSUMED_MILLI_CPU: i64 = 100;
const ASSUMED_MEMORY: i64 = 200 << 20;

/// Amounts of resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// CPU in thousandths of a core.
    pub milli_cpu: i64,
    /// Memory in bytes.
    pub memory: i64,
    /// Local disk in bytes.
    pub ephemeral_storage: i64,
    /// All others, in their own units.
    pub extended: BTreeMap<String, i64>,
}

impl Resources {
    /// The amounts of a resource list; the number of pods is not one of them.
    pub fn from_list(list: Option<&BTreeMap<String, WireQuantity>>) -> Self {
        let mut resources = Self::default();
        for (name, quantity) in list.into_iter().flatten() {
            // What the server has admitted can be parsed.
            let Ok(quantity) = Quantity::try_from(quantity) else { continue };
            match name.as_str() {
                "cpu" => resources.milli_cpu = quantity.milli(),
                "memory" => resources.memory = quantity.value(),
                "ephemeral-storage" => resources.ephemeral_storage = quantity.value(),
                "pods" => {}
                other => {
                    resources.extended.insert(other.to_owned(), quantity.value());
                }
            }
        }
        resources
    }

    /// Adds `other`.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, i64::saturating_add);
    }

    /// Takes `other` away.
    pub fn subtract(&mut self, other: &Self) {
        self.combine(other, i64::saturating_sub);
    }

    fn raise_to(&mut self, other: &Self) {
        self.combine(other, i64::max);
    }

    fn combine(&mut self, other: &Self, operation: fn(i64, i64) -> i64) {
        self.milli_cpu = operation(self.milli_cpu, other.milli_cpu);
        self.memory = operation(self.memory, other.memory);
        self.ephemeral_storage = operation(self.ephemeral_storage, other.ephemeral_storage);
        for (name, amount) in &other.extended {
            let own = self.extended.entry(name.clone()).or_default();
            *own = operation(*own, *amount);
        }
    }
}

/// A port of the node itself that a pod takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPort {
    /// The node's address; `0.0.0.0` is every one.
    pub ip: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// The port.
    pub port: i32,
}

impl HostPort {
    /// Whether two pods cannot both have their port on one node.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        let any = |port: &Self| port.ip == "0.0.0.0";
        self.port == other.port
            && self.protocol == other.protocol
            && (self.ip == other.ip || any(self) || any(other))
    }
}

/// What decides where a pod may run, apart from amounts; not needed any more once it is bound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Needs {
    /// `spec.nodeSelector`.
    pub node_selector: BTreeMap<String, String>,
    /// The terms of the required node affinity, one of which must match; `None` is no affinity.
    pub required: Option<Vec<NodeSelectorTerm>>,
    /// The terms of the preferred node affinity.
    pub preferred: Vec<PreferredSchedulingTerm>,
    /// `spec.tolerations`.
    pub tolerations: Vec<Toleration>,
    /// The images of all containers, with a tag or digest each.
    pub images: Vec<String>,
    /// `spec.runtimeClassName`.
    pub runtime_class: Option<String>,
    /// `spec.schedulerName`.
    pub scheduler: String,
    /// Whether `spec.schedulingGates` still hold it back.
    pub is_gated: bool,
}

/// The `PodScheduled` condition as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledCondition {
    /// `True` or `False`.
    pub status: String,
    /// Why.
    pub reason: String,
    /// Why, for people.
    pub message: String,
}

/// One pod that has not ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    /// Tells pods of one name apart.
    pub uid: Uid,
    /// The node that it is bound to.
    pub node: Option<String>,
    /// `spec.priority`.
    pub priority: i32,
    /// Whether it is being deleted.
    pub is_terminating: bool,
    /// What it is guaranteed.
    pub requests: Resources,
    /// CPU (thousandths) and memory (bytes) with assumptions in place of missing requests.
    pub assumed: (i64, i64),
    /// Ports of the node that it takes.
    pub host_ports: Vec<HostPort>,
    /// Where it may run; `None` once it is bound.
    pub needs: Option<Box<Needs>>,
    /// What was last written about it.
    pub condition: Option<ScheduledCondition>,
}

impl Demand {
    /// What the scheduler keeps of a pod; `None` if it has ended, and so uses nothing any more.
    pub fn of(pod: Pod) -> Option<Self> {
        let Pod { metadata, spec, status } = pod;
        let status = status.unwrap_or_default();
        if matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")) {
            return None;
        }
        let spec = spec?;
        let node = spec.node_name.clone().filter(|name| !name.is_empty());
        let condition = status.conditions.into_iter().flatten().find_map(|condition| {
            (condition.type_ == "PodScheduled" && node.is_none()).then(|| ScheduledCondition {
                status: condition.status,
                reason: condition.reason.unwrap_or_default(),
                message: condition.message.unwrap_or_default(),
            })
        });
        Some(Self {
            uid: Uid::new(metadata.uid.unwrap_or_default()),
            priority: spec.priority.unwrap_or(0),
            is_terminating: metadata.deletion_timestamp.is_some(),
            requests: requests(&spec),
            assumed: assumed(&spec),
            host_ports: host_ports(&spec),
            needs: node.is_none().then(|| Box::new(needs(spec))),
            node,
            condition,
        })
    }

    /// Whether `other` may get another answer from the scheduler than this.
    pub fn differs_from(&self, other: &Self) -> bool {
        (&self.requests, &self.host_ports, &self.needs, self.priority)
            != (&other.requests, &other.host_ports, &other.needs, other.priority)
    }
}

fn requests_of(requirements: Option<&ResourceRequirements>) -> Resources {
    Resources::from_list(requirements.and_then(|requirements| requirements.requests.as_ref()))
}

fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// The larger of what the containers need together and what any init container needs while it
/// runs beside the sidecars started before it, plus the overhead.
///
/// Spec: <https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers>
fn requests(spec: &PodSpec) -> Resources {
    let mut total = Resources::default();
    for container in &spec.containers {
        total.add(&requests_of(container.resources.as_ref()));
    }
    let (mut sidecars, mut peak) = (Resources::default(), Resources::default());
    for container in spec.init_containers.iter().flatten() {
        let own = requests_of(container.resources.as_ref());
        if is_sidecar(container) {
            sidecars.add(&own);
            total.add(&own);
            peak.raise_to(&sidecars);
        } else {
            let mut while_it_runs = sidecars.clone();
            while_it_runs.add(&own);
            peak.raise_to(&while_it_runs);
        }
    }
    total.raise_to(&peak);
    // Requests of the pod as a whole replace the sum, resource by resource.
    if let Some(list) = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref()) {
        let whole = Resources::from_list(Some(list));
        if list.contains_key("cpu") {
            total.milli_cpu = whole.milli_cpu;
        }
        if list.contains_key("memory") {
            total.memory = whole.memory;
        }
    }
    total.add(&Resources::from_list(spec.overhead.as_ref()));
    total
}

fn assumed(spec: &PodSpec) -> (i64, i64) {
    let is_whole = spec.resources.as_ref().is_some_and(|resources| resources.requests.is_some());
    let requests = requests(spec);
    if is_whole {
        return (requests.milli_cpu, requests.memory);
    }
    let sidecars = spec.init_containers.iter().flatten().filter(|container| is_sidecar(container));
    let (mut milli_cpu, mut memory) = (requests.milli_cpu, requests.memory);
    for container in spec.containers.iter().chain(sidecars) {
        let own = requests_of(container.resources.as_ref());
        if own.milli_cpu == 0 {
            milli_cpu += ASSUMED_MILLI_CPU;
        }
        if own.memory == 0 {
            memory += ASSUMED_MEMORY;
        }
    }
    (milli_cpu, memory)
}

fn host_ports(spec: &PodSpec) -> Vec<HostPort> {
    let sidecars = spec.init_containers.iter().flatten().filter(|container| is_sidecar(container));
    let ports = spec.containers.iter().chain(sidecars).flat_map(|c| c.ports.iter().flatten());
    ports
        .filter_map(|port| {
            let number = port.host_port.filter(|number| *number > 0)?;
            let ip = port.host_ip.clone().filter(|ip| !ip.is_empty());
            Some(HostPort {
                ip: ip.unwrap_or_else(|| "0.0.0.0".to_owned()),
                protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
                port: number,
            })
        })
        .collect()
}

fn needs(spec: PodSpec) -> Needs {
    let affinity = spec.affinity.and_then(|affinity| affinity.node_affinity).unwrap_or_default();
    let images = spec.init_containers.iter().flatten().chain(&spec.containers);
    Needs {
        images: images.filter_map(|c| c.image.as_deref()).map(with_tag).collect(),
        node_selector: spec.node_selector.unwrap_or_default(),
        required: affinity
            .required_during_scheduling_ignored_during_execution
            .map(|selector| selector.node_selector_terms),
        preferred: affinity
            .preferred_during_scheduling_ignored_during_execution
            .unwrap_or_default(),
        tolerations: spec.tolerations.unwrap_or_default(),
        runtime_class: spec.runtime_class_name,
        scheduler: spec.scheduler_name.unwrap_or_default(),
        is_gated: spec.scheduling_gates.is_some_and(|gates| !gates.is_empty()),
    }
}

/// An image's name with `:latest` if it has neither tag nor digest, as nodes report images.
fn with_tag(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains([':', '@']) { image.to_owned() } else { format!("{image}:latest") }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn demand(spec: &Value) -> Demand {
        Demand::of(serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap()).unwrap()
    }

    fn container(cpu: &str) -> Value {
        json!({"name": "c", "resources": {"requests": {"cpu": cpu}}})
    }

    #[test]
    fn requests_follow_the_life_of_a_pod() {
        let sidecar = json!({"name": "s", "restartPolicy": "Always",
            "resources": {"requests": {"cpu": "1"}}});
        for (case, init, containers, expected) in [
            ("containers add up", json!([]), json!([container("1"), container("500m")]), 1500),
            (
                "a small init container hides",
                json!([container("1")]),
                json!([container("2")]),
                2000,
            ),
            ("a large one counts", json!([container("3")]), json!([container("2")]), 3000),
            (
                "init containers run one by one",
                json!([container("3"), container("3")]),
                json!([container("2")]),
                3000,
            ),
            ("a sidecar runs beside all", json!([sidecar]), json!([container("2")]), 3000),
            (
                "a sidecar runs beside later init containers",
                json!([sidecar, container("3")]),
                json!([container("2")]),
                4000,
            ),
            (
                "but not beside earlier ones",
                json!([container("3"), sidecar]),
                json!([container("1")]),
                3000,
            ),
        ] {
            let spec = json!({"initContainers": init, "containers": containers});
            assert_eq!(demand(&spec).requests.milli_cpu, expected, "{case}");
        }
    }

    #[test]
    fn overhead_comes_on_top_of_the_whole_pods_requests() {
        let spec = json!({"containers": [container("3")], "overhead": {"cpu": "250m"},
            "resources": {"requests": {"cpu": "2"}}});
        assert_eq!(demand(&spec).requests.milli_cpu, 2250);
    }

    #[test]
    fn a_container_without_requests_still_weighs() {
        let spec = json!({"containers": [{"name": "c"}, container("1")]});
        assert_eq!(demand(&spec).assumed, (1100, 400 << 20));
        assert_eq!(demand(&spec).requests.milli_cpu, 1000);
    }

    #[test]
    fn a_finished_pod_uses_nothing() {
        let pod = json!({"spec": {"containers": []}, "status": {"phase": "Succeeded"}});
        assert_eq!(Demand::of(serde_json::from_value(pod).unwrap()), None);
    }

    #[test]
    fn host_ports_conflict_by_address() {
        let port = |ip: &str| HostPort { ip: ip.to_owned(), protocol: "TCP".to_owned(), port: 80 };
        assert!(port("0.0.0.0").conflicts_with(&port("10.0.0.1")));
        assert!(port("10.0.0.1").conflicts_with(&port("10.0.0.1")));
        assert!(!port("10.0.0.2").conflicts_with(&port("10.0.0.1")));
    }

    #[test]
    fn images_get_the_tag_that_nodes_report() {
        for (image, expected) in [
            ("web", "web:latest"),
            ("127.0.0.1:5000/web", "127.0.0.1:5000/web:latest"),
            ("127.0.0.1:5000/web:1", "127.0.0.1:5000/web:1"),
            ("web@sha256:ab", "web@sha256:ab"),
        ] {
            assert_eq!(with_tag(image), expected);
        }
    }
}
