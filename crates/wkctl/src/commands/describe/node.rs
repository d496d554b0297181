//! Nodes, with the pods on them.

use anyhow::Context as _;
use serde_json::Value;

use super::pod::items;
use super::text::Text;
use super::{head, metadata};
use crate::commands::events::age;
use crate::commands::select::{self, Found, SelectArgs};
use crate::kinds::{built_in, text};
use crate::output::jsonpath::plain;
use crate::session::Session;

const ROLE: &str = "node-role.kubernetes.io/";

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

pub(super) fn describe(out: &mut Text, node: &Value, pods: &[Found]) {
    head(out, node);
    let labels = node.pointer("/metadata/labels").and_then(Value::as_object);
    let roles: Vec<&str> =
        labels.into_iter().flatten().filter_map(|(label, _)| label.strip_prefix(ROLE)).collect();
    let roles = roles.join(",");
    out.pair(0, "Roles:", if roles.is_empty() { "<none>" } else { &roles });
    metadata(out, node);
    out.pair(0, "CreationTimestamp:", text(node, "/metadata/creationTimestamp"));
    let taints: Vec<String> = items(node, "/spec/taints").map(taint).collect();
    let taints = taints.join("\n");
    out.pair(0, "Taints:", if taints.is_empty() { "<none>" } else { &taints });
    let unschedulable = node.pointer("/spec/unschedulable").is_some_and(|value| value == true);
    out.pair(0, "Unschedulable:", unschedulable.to_string());
    out.line(0, "Conditions:");
    out.row(1, ["Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message"]);
    out.row(1, ["----", "------", "-----------------", "------------------", "------", "-------"]);
    for condition in items(node, "/status/conditions") {
        let fields = [
            "/type",
            "/status",
            "/lastHeartbeatTime",
            "/lastTransitionTime",
            "/reason",
            "/message",
        ];
        out.row(1, fields.map(|field| text(condition, field)));
    }
    out.line(0, "Addresses:");
    for address in items(node, "/status/addresses") {
        out.pair(1, &format!("{}:", text(address, "/type")), text(address, "/address"));
    }
    for (title, field) in [("Capacity:", "capacity"), ("Allocatable:", "allocatable")] {
        out.line(0, title);
        let resources = node.pointer(&format!("/status/{field}")).and_then(Value::as_object);
        for (name, value) in resources.into_iter().flatten() {
            out.pair(1, &format!("{name}:"), plain(value));
        }
    }
    out.line(0, "System Info:");
    let info = [
        ("Machine ID:", "machineID"),
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
    out.line(0, format!("Non-terminated Pods: ({} in total)", pods.len()));
    out.row(1, ["Namespace", "Name", "Phase", "Age"]);
    out.row(1, ["---------", "----", "-----", "---"]);
    for pod in pods {
        let created = wk_api::parse_time(text(&pod.object, "/metadata/creationTimestamp"));
        let phase = text(&pod.object, "/status/phase");
        out.row(1, [pod.namespace.as_str(), &pod.name, phase, &age(created)]);
    }
}

fn taint(taint: &Value) -> String {
    match text(taint, "/value") {
        "" => format!("{}:{}", text(taint, "/key"), text(taint, "/effect")),
        value => format!("{}={value}:{}", text(taint, "/key"), text(taint, "/effect")),
    }
}
