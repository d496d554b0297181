//! What the Node object says. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    ContainerImage, DaemonEndpoint, Node, NodeAddress, NodeCondition, NodeDaemonEndpoints,
    NodeStatus, NodeSystemInfo,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as WireQuantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde_json::{Value, json};
use wk_api::Quantity;
use wk_api::well_known::{ARCH_LABEL, HOSTNAME_LABEL, LOCAL_PATH_FOLDER_ANNOTATION, OS_LABEL};

use crate::config::{KubeletConfig, Runtimes};
use crate::machine::{Machine, Pressures};
use crate::volumes::local_path;

/// The label of nodes that run WebAssembly.
const WASM_LABEL: &str = "runtime.wasm";

/// What stays the same about a node while the kubelet runs.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) runtimes: Runtimes,
    /// How many pods it takes.
    pub(crate) max_pods: u32,
    /// Why that is fewer than configured.
    pub(crate) pods_lowered: Option<String>,
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
fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

impl Described {
    /// The Node as it is created.
    pub(crate) fn node(config: &KubeletConfig) -> Node {
        let labels = [
            (HOSTNAME_LABEL.to_owned(), config.node_name.clone()),
            (OS_LABEL.to_owned(), "linux".to_owned()),
            (ARCH_LABEL.to_owned(), arch().to_owned()),
            (format!("{}/{WASM_LABEL}", wk_api::well_known::OUR_DOMAIN), "true".to_owned()),
        ];
        Node {
            metadata: ObjectMeta {
                name: Some(config.node_name.clone()),
                labels: Some(BTreeMap::from(labels)),
                annotations: Some(BTreeMap::from([(
                    LOCAL_PATH_FOLDER_ANNOTATION.to_owned(),
                    local_path::root(&config.data_dir).display().to_string(),
                )])),
                ..ObjectMeta::default()
            },
            ..Node::default()
        }
    }

    /// The strategic merge patch of the node's status.
    pub(crate) fn status_patch(
        &self,
        config: &KubeletConfig,
        node: &Node,
        (machine, pressures): (&Machine, Pressures),
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
            conditions: Some(self.conditions(pressures, before.unwrap_or_default(), now)),
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
        pressures: Pressures,
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
        let ready = "kubelet is posting ready status".to_owned();
        truths.push(("Ready", true, "KubeletReady", ready));
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
