//! Nodes.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, names, well_known};

use super::define;
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, SelectableField, keep_metadata_of_status};
use crate::look::{Look, map_mut};
use crate::rules::{KindRules, Update};
use crate::table;
use crate::types::{affinity, resources};

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    const PROXY: &[&str] = &["create", "delete", "get", "patch", "update"];
    define("", "v1", "Node")
        .short(&["no"])
        .columns(columns())
        .selectable(vec![SelectableField::new("spec.unschedulable").or("false")])
        .rules(Nodes)
        .sub("proxy", ("", "v1", "NodeProxyOptions"), PROXY)
        .status()
}

fn columns() -> Vec<Column> {
    vec![
        Column::NAME,
        Column::text("Status", "The status of the node"),
        Column::text("Roles", "The roles of the node"),
        Column::AGE,
        Column::text("Version", "Kubelet Version reported by the node."),
        Column::text("Internal-IP", "List of addresses reachable to the node.").wide(),
        Column::text("External-IP", "List of addresses reachable to the node.").wide(),
        Column::text("OS-Image", "OS Image reported by the node.").wide(),
        Column::text("Kernel-Version", "Kernel Version reported by the node.").wide(),
        Column::text("Container-Runtime", "ContainerRuntime Version reported by the node.").wide(),
    ]
}

#[derive(Debug)]
struct Nodes;

impl KindRules for Nodes {
    fn default(&self, node: &mut Value) {
        map_mut(node, "spec");
        let status = map_mut(node, "status");
        // A node that says nothing else offers all it has.
        if status.lacks("allocatable")
            && let Some(capacity) = status.get("capacity").cloned()
        {
            status.insert("allocatable".to_owned(), capacity);
        }
        let spec = map_mut(node, "spec");
        // `podCIDR` is the first of `podCIDRs`; each is made from the other.
        if spec.lacks("podCIDRs") && !spec.lacks("podCIDR") {
            let ranges = Value::from(vec![spec["podCIDR"].clone()]);
            spec.insert("podCIDRs".to_owned(), ranges);
        }
        if let Some(first) = spec.items("podCIDRs").first().cloned() {
            spec.insert("podCIDR".to_owned(), first);
        }
    }

    fn creates_with_status(&self) -> bool {
        true
    }

    fn validate(&self, node: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        taints(&node["spec"], &root.child("metadata"), faults);
        let status = root.child("status");
        for field in ["capacity", "allocatable"] {
            let path = status.child(field);
            for (name, value) in node["status"].entries(field) {
                resources::amount(name, value, &path.child(name), faults);
            }
        }
        let list = root.child("spec.podCIDRs");
        let mut seen = BTreeSet::new();
        for (index, range) in node["spec"].items("podCIDRs").iter().enumerate() {
            let range = range.as_str().unwrap_or_default();
            check::invalid(&list.index(index), range, names::cidr(range), faults);
        }
        let ranges: Vec<&str> =
            node["spec"].items("podCIDRs").iter().filter_map(Value::as_str).collect();
        if ranges.len() > 1 {
            let families: BTreeSet<bool> = ranges.iter().map(|range| range.contains(':')).collect();
            if families.len() < 2 || ranges.len() > 2 {
                let value = node["spec"]["podCIDRs"].clone();
                let detail = "may specify no more than one CIDR for each IP family";
                faults.push(Fault::invalid(&list, value, detail));
            }
        }
        for (index, range) in ranges.iter().enumerate() {
            if !seen.insert(*range) {
                faults.push(Fault::duplicate(&list.index(index), *range));
            }
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, update: Update, faults: &mut Faults) {
        let root = FieldPath::Root;
        let mut seen: Vec<&Value> = Vec::new();
        let list = root.child("status.addresses");
        for (index, address) in new["status"].items("addresses").iter().enumerate() {
            if seen.contains(&address) {
                faults.push(Fault::duplicate(&list.index(index), address.clone()));
            }
            seen.push(address);
        }
        if update == Update::Status {
            return;
        }
        let spec = root.child("spec");
        for (field, shown) in [("podCIDRs", "podCIDR"), ("providerID", "providerID")] {
            let changed = new["spec"].get(field) != old["spec"].get(field);
            if !old["spec"].lacks(field) && changed {
                let detail =
                    format!("node updates may not change {shown} except from \"\" to valid");
                faults.push(Fault::forbidden(&spec.child(field), detail));
            }
        }
        if new["spec"].text("externalID") != old["spec"].text("externalID") {
            faults.push(Fault::forbidden(&spec.child("externalID"), "may not be updated"));
        }
    }

    fn warnings(&self, node: &Value, _old: Option<&Value>) -> Vec<String> {
        let mut warnings = Vec::new();
        if !node["spec"].lacks("externalID") {
            let text = "spec.externalID: this field is deprecated, and is unused by Kubernetes";
            warnings.push(text.to_owned());
        }
        warnings
    }

    fn status_metadata(&self, kept: &mut Value, sent: &Value) {
        let fields = ["annotations", "labels", "managedFields", "resourceVersion"];
        keep_metadata_of_status(kept, sent, &fields);
    }

    fn row(&self, node: &Value, now: Timestamp) -> Vec<Value> {
        let (spec, status) = (&node["spec"], &node["status"]);
        let ready = status.items("conditions").iter().find(|c| c.text("type") == "Ready");
        let mut state = match ready.map(|condition| condition.text("status")) {
            None => "Unknown".to_owned(),
            Some("True") => "Ready".to_owned(),
            Some(_) => "NotReady".to_owned(),
        };
        if spec.is("unschedulable") {
            state.push_str(",SchedulingDisabled");
        }
        let address = |kind: &str| {
            let found = status.items("addresses").iter().find(|a| a.text("type") == kind);
            table::or_none(found.map_or("", |address| address.text("address")))
        };
        let info = |field: &str| {
            let text = status["nodeInfo"].text(field);
            if text.is_empty() { "<unknown>".into() } else { Value::from(text) }
        };
        vec![
            table::name(node),
            state.into(),
            table::or_none(&roles(node).join(",")),
            table::age(node, now),
            status["nodeInfo"].text("kubeletVersion").into(),
            address("InternalIP"),
            address("ExternalIP"),
            info("osImage"),
            info("kernelVersion"),
            info("containerRuntimeVersion"),
        ]
    }
}

fn roles(node: &Value) -> Vec<String> {
    let mut roles = BTreeSet::new();
    for (key, value) in node["metadata"].entries("labels") {
        if let Some(role) = key.strip_prefix(well_known::NODE_ROLE_PREFIX) {
            roles.insert(role.to_owned());
        } else if key == well_known::NODE_ROLE_LABEL {
            roles.insert(value.as_str().unwrap_or_default().to_owned());
        }
    }
    roles.into_iter().filter(|role| !role.is_empty()).collect()
}

fn taints(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    // Kubernetes says `metadata.taints` for what is in the specification.
    let list = path.child("taints");
    let mut seen = BTreeSet::new();
    for (index, taint) in spec.items("taints").iter().enumerate() {
        let path = list.index(index);
        let key = taint.text("key");
        check::invalid(&path.child("key"), key, names::qualified_name(key), faults);
        let messages = names::label_value(taint.text("value"));
        if !messages.is_empty() {
            let value = taint.text("value");
            faults.push(Fault::invalid(&path.child("value"), value, messages.join(";")));
        }
        affinity::taint_effect(taint, &path, faults);
        if !seen.insert((key, taint.text("effect"))) {
            let mut fault = Fault::duplicate(&path, taint.clone());
            "taints must be unique by key and effect pair".clone_into(&mut fault.detail);
            faults.push(fault);
        }
    }
}
