//! What the Node object says. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    ContainerImage, DaemonEndpoint, Node, NodeAddress, NodeCondition, NodeDaemonEndpoints,
    NodeRuntimeHandler, NodeRuntimeHandlerFeatures, NodeStatus, NodeSystemInfo, Taint,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as WireQuantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde_json::{Value, json};
use wk_api::Quantity;
use wk_api::well_known::{ARCH_LABEL, HOSTNAME_LABEL, LOCAL_PATH_FOLDER_ANNOTATION, OS_LABEL};

use crate::config::{KubeletConfig, Runtimes};
use crate::machine::{Machine, Pressures};
use crate::volumes::local_path;

/// What the label of nodes with a runtime begins with.
const RUNTIME_LABEL: &str = "runtime.";

/// What stays the same about a node while the kubelet runs.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) runtimes: Runtimes,
    /// How many pods it takes.
    pub(crate) max_pods: u32,
    /// Why that is fewer than configured.
    pub(crate) pods_lowered: Option<String>,
}

/// What the API says of the node that matters to its pods.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct NodeFacts {
    pub(crate) uid: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) taints: Vec<Taint>,
}

impl NodeFacts {
    pub(crate) fn of(node: &Node) -> Self {
        Self {
            uid: node.metadata.uid.clone().unwrap_or_default(),
            labels: node.metadata.labels.clone().unwrap_or_default(),
            taints: node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default(),
        }
    }
}

/// The part of the machine's figures whose change is worth a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Essence {
    pressures: Pressures,
    cpus: u64,
    memory_bytes: u64,
    disk_bytes: u64,
}

pub(crate) fn essence(machine: &Machine, pressures: Pressures) -> Essence {
    Essence {
        pressures,
        cpus: machine.cpus,
        memory_bytes: machine.memory_bytes,
        disk_bytes: machine.disk_bytes,
    }
}

/// The name that Kubernetes has for this processor.
pub(crate) fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// A runtime as runtime classes name it, with what pods may ask of it beside running.
fn handler(name: &str) -> NodeRuntimeHandler {
    NodeRuntimeHandler {
        name: Some(name.to_owned()),
        features: Some(NodeRuntimeHandlerFeatures {
            recursive_read_only_mounts: Some(false),
            user_namespaces: Some(false),
        }),
    }
}

impl Described {
    /// The Node as it is created.
    pub(crate) fn node(config: &KubeletConfig, runtimes: &Runtimes) -> Node {
        let labels = [
            (HOSTNAME_LABEL.to_owned(), config.node_name.clone()),
            (OS_LABEL.to_owned(), "linux".to_owned()),
            (ARCH_LABEL.to_owned(), arch().to_owned()),
        ];
        let runtimes = runtimes.handlers().filter(|handler| !handler.is_empty());
        let of_runtime = |name: &str| {
            let label = format!("{}/{RUNTIME_LABEL}{name}", wk_api::well_known::OUR_DOMAIN);
            (label, "true".to_owned())
        };
        Node {
            metadata: ObjectMeta {
                name: Some(config.node_name.clone()),
                labels: Some(labels.into_iter().chain(runtimes.map(of_runtime)).collect()),
                annotations: Some(BTreeMap::from([(
                    LOCAL_PATH_FOLDER_ANNOTATION.to_owned(),
                    local_path::root(&config.data_dir).display().to_string(),
                )])),
                ..ObjectMeta::default()
            },
            ..Node::default()
        }
    }

    /// The labels of a Node as a merge patch, by which those of runtimes that are gone go, too.
    pub(crate) fn labels_patch(node: &Node) -> Value {
        let mut labels = json!(node.metadata.labels);
        let docker = format!("{}/{RUNTIME_LABEL}docker", wk_api::well_known::OUR_DOMAIN);
        if labels.get(&docker).is_none() {
            labels[docker] = Value::Null;
        }
        labels
    }

    /// The strategic merge patch of the node's status.
    pub(crate) fn status_patch(
        &self,
        config: &KubeletConfig,
        node: &Node,
        (machine, pressures, has_network): (&Machine, Pressures, bool),
        now: Timestamp,
    ) -> Value {
        let before = node.status.as_ref().and_then(|status| status.conditions.as_deref());
        let resources = self.resources(machine);
        let port = config.port.map(|port| DaemonEndpoint { port: i32::from(port) });
        let address = |kind: &str, address: String| NodeAddress { type_: kind.to_owned(), address };
        let status = NodeStatus {
            addresses: Some(vec![
                address("InternalIP", config.node_ip.to_string()),
                address("Hostname", config.hostname.clone()),
            ]),
            capacity: Some(resources.clone()),
            allocatable: Some(resources),
            conditions: Some(self.conditions(
                (pressures, has_network),
                before.unwrap_or_default(),
                now,
            )),
            daemon_endpoints: Some(NodeDaemonEndpoints { kubelet_endpoint: port }),
            node_info: Some(NodeSystemInfo {
                architecture: arch().to_owned(),
                boot_id: machine.boot_id.clone(),
                container_runtime_version: self.runtime_version(),
                kernel_version: machine.kernel.clone(),
                kube_proxy_version: config.version.clone(),
                kubelet_version: config.version.clone(),
                machine_id: machine.host_id.clone(),
                operating_system: "linux".to_owned(),
                os_image: machine.os_image.clone(),
                system_uuid: machine.host_id.clone(),
                ..NodeSystemInfo::default()
            }),
            images: None::<Vec<ContainerImage>>,
            runtime_handlers: Some(self.runtimes.handlers().map(handler).collect()),
            ..NodeStatus::default()
        };
        json!({"status": status})
    }

    /// The versions of all runtimes, Wasm's first.
    fn runtime_version(&self) -> String {
        let versions: Vec<String> = self.runtimes.all().map(|runtime| runtime.version()).collect();
        versions.join(",")
    }

    /// What the node says of its container engine: which it is, and why it cannot be used.
    pub(crate) fn engine(&self) -> Option<(String, Option<String>)> {
        self.runtimes.linux.as_ref().map(|runtime| (runtime.version(), runtime.fault()))
    }

    fn resources(&self, machine: &Machine) -> BTreeMap<String, WireQuantity> {
        let room = machine.allocatable();
        let kib = |bytes: i64| WireQuantity(format!("{}Ki", bytes / 1024));
        BTreeMap::from([
            ("cpu".to_owned(), WireQuantity(Quantity::from_milli(room.cpu_milli).to_string())),
            ("memory".to_owned(), kib(room.memory_bytes)),
            ("ephemeral-storage".to_owned(), kib(room.storage_bytes)),
            ("pods".to_owned(), WireQuantity(self.max_pods.to_string())),
        ])
    }

    fn conditions(
        &self,
        (pressures, has_network): (Pressures, bool),
        before: &[NodeCondition],
        now: Timestamp,
    ) -> Vec<NodeCondition> {
        let pressure = |kind, holds, bad: (&'static str, &str), good: (&'static str, &str)| {
            let (reason, message) = if holds { bad } else { good };
            (kind, holds, reason, message.to_owned())
        };
        let mut truths = vec![
            pressure(
                "MemoryPressure",
                pressures.memory,
                ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
                ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            ),
            pressure(
                "DiskPressure",
                pressures.disk,
                ("KubeletHasDiskPressure", "kubelet has disk pressure"),
                ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            ),
            pressure(
                "PIDPressure",
                pressures.pids,
                ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
                ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            ),
        ];
        truths.push(match self.runtimes.wasm.fault() {
            None if !has_network => {
                let why = "container runtime network not ready: the node has no range of pod \
                           addresses yet";
                ("Ready", false, "KubeletNotReady", why.to_owned())
            }
            None => ("Ready", true, "KubeletReady", "kubelet is posting ready status".to_owned()),
            Some(fault) => {
                ("Ready", false, "KubeletNotReady", format!("container runtime is down: {fault}"))
            }
        });
        if let Some(why) = &self.pods_lowered {
            truths.push(("PodCapacityLowered", true, "OpenFileLimit", why.clone()));
        }
        // Wasm needs no engine, so that the node is ready all the same.
        if let Some((version, fault)) = self.engine() {
            let away = fault.is_some();
            let reason = if away { "EngineUnreachable" } else { "EngineReachable" };
            let message = fault.unwrap_or_else(|| format!("{version} answers"));
            truths.push(("ContainerEngineUnavailable", away, reason, message));
        }
        let condition = |(kind, holds, reason, message): (&str, bool, &str, String)| {
            let status = if holds { "True" } else { "False" };
            let old = before.iter().find(|old| old.type_ == kind && old.status == status);
            NodeCondition {
                type_: kind.to_owned(),
                status: status.to_owned(),
                reason: Some(reason.to_owned()),
                message: Some(message),
                last_heartbeat_time: Some(Time(now)),
                last_transition_time: Some(
                    old.and_then(|old| old.last_transition_time.clone()).unwrap_or(Time(now)),
                ),
            }
        };
        truths.into_iter().map(condition).collect()
    }
}
