//! The objects of a simulated node. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::{Node, NodeSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, OwnerReference};
use serde_json::{Value, json};
use wk_api::well_known::{ARCH_LABEL, HOSTNAME_LABEL, NODE_LEASE_NAMESPACE, OS_LABEL, OUR_DOMAIN};

use crate::SIMULATOR_LABEL;
use crate::config::SimulationConfig;

/// What a node calls its processor's architecture.
const ARCH: &str = "amd64";

/// The Node as it is created.
pub(super) fn node(config: &SimulationConfig, index: u32) -> Node {
    let name = config.node_name(index);
    let mut labels = BTreeMap::from([
        (HOSTNAME_LABEL.to_owned(), name.clone()),
        (OS_LABEL.to_owned(), "linux".to_owned()),
        (ARCH_LABEL.to_owned(), ARCH.to_owned()),
        (format!("{OUR_DOMAIN}/runtime.wasm"), "true".to_owned()),
    ]);
    labels.extend(config.labels.clone());
    labels.insert(SIMULATOR_LABEL.to_owned(), config.prefix.clone());
    let range = config.node_range(index).to_string();
    Node {
        metadata: ObjectMeta { name: Some(name), labels: Some(labels), ..ObjectMeta::default() },
        spec: Some(NodeSpec {
            pod_cidr: Some(range.clone()),
            pod_cidrs: Some(vec![range]),
            taints: (!config.taints.is_empty()).then(|| config.taints.clone()),
            ..NodeSpec::default()
        }),
        status: None,
    }
}

/// The strategic merge patch of a healthy node's status. There is no kubelet endpoint in it: nobody
/// would answer there. `is_change` says that the node was not healthy before.
pub(super) fn status_patch(
    config: &SimulationConfig,
    index: u32,
    is_change: bool,
    now: Timestamp,
) -> Value {
    let name = config.node_name(index);
    let resources = json!({
        "cpu": config.cpu.to_string(),
        "memory": config.memory.to_string(),
        "pods": config.pods_per_node.to_string(),
    });
    let now = wk_api::time::rfc3339(now);
    let condition = |kind: &str, holds: bool, reason: &str, message: &str| {
        let mut condition = json!({
            "type": kind,
            "status": if holds { "True" } else { "False" },
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": now,
        });
        // What is not in a merge patch stays as it is.
        if is_change {
            condition["lastTransitionTime"] = now.clone().into();
        }
        condition
    };
    json!({"status": {
        "addresses": [
            {"type": "InternalIP", "address": config.node_address(index).to_string()},
            {"type": "Hostname", "address": name},
        ],
        "capacity": resources,
        "allocatable": resources,
        "conditions": [
            condition("MemoryPressure", false, "KubeletHasSufficientMemory",
                "kubelet has sufficient memory available"),
            condition("DiskPressure", false, "KubeletHasNoDiskPressure",
                "kubelet has no disk pressure"),
            condition("PIDPressure", false, "KubeletHasSufficientPID",
                "kubelet has sufficient PID available"),
            condition("Ready", true, "KubeletReady", "kubelet is posting ready status"),
        ],
        "nodeInfo": {
            "architecture": ARCH,
            "bootID": "",
            "containerRuntimeVersion": format!("simulated://{}", config.version),
            "kernelVersion": "",
            "kubeProxyVersion": config.version,
            "kubeletVersion": config.version,
            "machineID": "",
            "operatingSystem": "linux",
            "osImage": "simulated",
            "systemUUID": "",
        },
    }})
}

/// The merge patch that renews a node's lease.
pub(super) fn renewal(config: &SimulationConfig, name: &str, now: Timestamp) -> Value {
    json!({"spec": {
        "holderIdentity": name,
        "leaseDurationSeconds": config.lease_seconds,
        "renewTime": MicroTime(now),
    }})
}

/// A node's lease as it is created.
pub(super) fn lease(config: &SimulationConfig, name: &str, uid: String, now: Timestamp) -> Lease {
    Lease {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(NODE_LEASE_NAMESPACE.to_owned()),
            owner_references: Some(vec![OwnerReference {
                api_version: "v1".to_owned(),
                kind: "Node".to_owned(),
                name: name.to_owned(),
                uid,
                ..OwnerReference::default()
            }]),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(name.to_owned()),
            lease_duration_seconds: Some(config.lease_seconds),
            renew_time: Some(MicroTime(now)),
            ..LeaseSpec::default()
        }),
    }
}
