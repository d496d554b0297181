//! Nodes, with the pods on them.

use anyhow::Context as _;
use serde_json::Value;
use wk_api::Quantity;

use super::template::{is_true, items, or, time, value};
use super::text::Text;
use super::{head, metadata};
use crate::client::Call;
use crate::commands::events::age;
use crate::commands::select::{self, Found, SelectArgs};
use crate::kinds::{built_in, text};
use crate::output::jsonpath::plain;
use crate::session::Session;

const ROLE: &str = "node-role.kubernetes.io/";
/// What pods ask of nodes, in the order in which it is shown.
const RESOURCES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// The pods of a node that have not ended.
pub(super) async fn pods(session: &Session, node: &str) -> anyhow::Result<Vec<Found>> {
    let pods = built_in("pods").context("pods are built in")?;
    let running = "status.phase!=Succeeded,status.phase!=Failed";
    let select = SelectArgs {
        field_selector: Some(format!("spec.nodeName={node},{running}")),
        all_namespaces: true,
        ..SelectArgs::default()
    };
    select::list(session, &pods, &select).await
}

/// The node's sign of life.
pub(super) async fn lease(session: &Session, node: &str) -> anyhow::Result<Value> {
    let leases = built_in("leases").context("leases are built in")?;
    session.ask(&leases, Call::get(leases.object_path("kube-node-lease", node))).await
}

pub(super) fn describe(out: &mut Text, node: &Value, pods: &[Found], lease: Option<&Value>) {
    head(out, node);
    let labels = node.pointer("/metadata/labels").and_then(Value::as_object);
    let roles: Vec<&str> =
        labels.into_iter().flatten().filter_map(|(label, _)| label.strip_prefix(ROLE)).collect();
    out.pair(0, "Roles:", or(&roles.join(","), "<none>"));
    metadata(out, node);
    out.pair(0, "CreationTimestamp:", time(node, "/metadata/creationTimestamp"));
    let taints: Vec<String> = items(node, "/spec/taints").map(taint).collect();
    out.list(0, "Taints:", &taints);
    out.pair(0, "Unschedulable:", is_true(node, "/spec/unschedulable").to_string());
    out.line(0, "Lease:");
    match lease {
        None => out.pair(1, "HolderIdentity:", "<unset>"),
        Some(lease) => {
            out.pair(1, "HolderIdentity:", or(text(lease, "/spec/holderIdentity"), "<unset>"));
            for (title, field) in
                [("AcquireTime:", "/spec/acquireTime"), ("RenewTime:", "/spec/renewTime")]
            {
                out.pair(1, title, or(&time(lease, field), "<unset>"));
            }
        }
    }
    state(out, node);
    system(out, node);
    out.line(0, format!("Non-terminated Pods:\t({} in total)", pods.len()));
    load(out, node, pods);
}

fn state(out: &mut Text, node: &Value) {
    if items(node, "/status/conditions").next().is_some() {
        out.line(0, "Conditions:");
        out.header(
            1,
            &["Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message"],
        );
    }
    for one in items(node, "/status/conditions") {
        out.line(
            1,
            format!(
                "{} \t{} \t{} \t{} \t{} \t{}",
                text(one, "/type"),
                text(one, "/status"),
                time(one, "/lastHeartbeatTime"),
                time(one, "/lastTransitionTime"),
                text(one, "/reason"),
                text(one, "/message")
            ),
        );
    }
    out.line(0, "Addresses:");
    for address in items(node, "/status/addresses") {
        out.pair(1, &format!("{}:", text(address, "/type")), text(address, "/address"));
    }
    for (title, field) in [("Capacity:", "capacity"), ("Allocatable:", "allocatable")] {
        let resources = node.pointer(&format!("/status/{field}")).and_then(Value::as_object);
        if resources.is_some() {
            out.line(0, title);
        }
        for (name, value) in resources.into_iter().flatten() {
            out.pair(1, &format!("{name}:"), plain(value));
        }
    }
}

fn system(out: &mut Text, node: &Value) {
    out.line(0, "System Info:");
    let info = [
        ("Machine ID:", "machineID"),
        ("System UUID:", "systemUUID"),
        ("Boot ID:", "bootID"),
        ("Kernel Version:", "kernelVersion"),
        ("OS Image:", "osImage"),
        ("Operating System:", "operatingSystem"),
        ("Architecture:", "architecture"),
        ("Container Runtime Version:", "containerRuntimeVersion"),
        ("Kubelet Version:", "kubeletVersion"),
    ];
    for (title, field) in info {
        out.pair(1, title, text(node, &format!("/status/nodeInfo/{field}")));
    }
    out.pair_if(0, "PodCIDR:", text(node, "/spec/podCIDR"));
    let ranges: Vec<String> = items(node, "/spec/podCIDRs").map(plain).collect();
    out.pair_if(0, "PodCIDRs:", &ranges.join(","));
    out.pair_if(0, "ProviderID:", text(node, "/spec/providerID"));
}

/// A quantity in an object; nothing counts as zero.
fn quantity(object: &Value, pointer: &str) -> Quantity {
    Quantity::parse(&value(object, pointer)).unwrap_or(Quantity::ZERO)
}

/// What a pod asks for, or is limited to: all containers at once, or one that initialises it.
fn needed(pod: &Value, list: &str, resource: &str) -> Quantity {
    let pointer = format!("/resources/{list}/{resource}");
    let own = |container: &Value| quantity(container, &pointer);
    let mut total: Quantity = items(pod, "/spec/containers").map(own).sum();
    let mut lasting = Quantity::ZERO;
    let mut peak = Quantity::ZERO;
    for container in items(pod, "/spec/initContainers") {
        if text(container, "/restartPolicy") == "Always" {
            lasting += own(container);
            peak = peak.max(lasting);
        } else {
            peak = peak.max(lasting + own(container));
        }
    }
    total = (total + lasting).max(peak);
    if pod.pointer(&format!("/spec{pointer}")).is_some() {
        total = quantity(pod, &format!("/spec{pointer}"));
    }
    if list == "requests" || !total.is_zero() {
        total += quantity(pod, &format!("/spec/overhead/{resource}"));
    }
    total
}

/// An amount and which part of a node that is.
fn share(amount: Quantity, node: &Value, resource: &str) -> String {
    let whole = quantity(node, &format!("/status/allocatable/{resource}"));
    let percent =
        if whole.is_zero() { 0.0 } else { (amount.as_f64() / whole.as_f64() * 100.0).trunc() };
    format!("{amount} ({percent}%)")
}

fn load(out: &mut Text, node: &Value, pods: &[Found]) {
    let names = ["CPU Requests", "CPU Limits", "Memory Requests", "Memory Limits", "Age"];
    out.line(1, format!("Namespace\tName\t\t{}", names.join("\t")));
    let lines = names.map(|name| "-".repeat(name.len()));
    out.line(1, format!("---------\t----\t\t{}", lines.join("\t")));
    for pod in pods {
        let cell =
            |list: &str, resource: &str| share(needed(&pod.object, list, resource), node, resource);
        let created = wk_api::parse_time(text(&pod.object, "/metadata/creationTimestamp"));
        out.line(
            1,
            format!(
                "{}\t{}\t\t{}\t{}\t{}\t{}\t{}",
                pod.namespace,
                pod.name,
                cell("requests", "cpu"),
                cell("limits", "cpu"),
                cell("requests", "memory"),
                cell("limits", "memory"),
                age(created)
            ),
        );
    }
    out.line(0, "Allocated resources:");
    out.line(1, "(Total limits may be over 100 percent, i.e., overcommitted.)");
    out.header(1, &["Resource", "Requests", "Limits"]);
    for resource in RESOURCES {
        let total = |list: &str| -> String {
            let all = pods.iter().map(|pod| needed(&pod.object, list, resource)).sum();
            share(all, node, resource)
        };
        out.row(1, [resource, &total("requests"), &total("limits")]);
    }
}

fn taint(taint: &Value) -> String {
    match text(taint, "/value") {
        "" => format!("{}:{}", text(taint, "/key"), text(taint, "/effect")),
        value => format!("{}={value}:{}", text(taint, "/key"), text(taint, "/effect")),
    }
}
