//! Which changes of a pod are allowed.

use std::fmt::Write as _;

use serde_json::Value;
use wk_api::{Fault, FieldPath, names, well_known};

use super::{keep_all_but, qos_class};
use crate::check::{self, Faults};
use crate::look::{Look, map_mut};
use crate::metadata;
use crate::rules::Update;

/// What a client is told may change.
const UPDATABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,\
     `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
     `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Keeps what a write is not about.
pub(super) fn prepare(new: &mut Value, old: &Value, update: Update) {
    match update {
        Update::Whole => {}
        Update::Status => {
            // The class follows from the specification, whatever a client says.
            if old["status"].has("qosClass") {
                let status = map_mut(new, "status");
                status.entry("qosClass").or_insert_with(|| old["status"]["qosClass"].clone());
            }
        }
        Update::Subresource("ephemeralcontainers") => {
            keep_all_but(new, old, "ephemeralContainers");
        }
        Update::Subresource("resize") => keep_all_but_resources(new, old),
        Update::Subresource(_) => crate::look::keep(new, old, "spec"),
    }
}

fn keep_all_but_resources(new: &mut Value, old: &Value) {
    let sent = new["spec"].clone();
    crate::look::keep(new, old, "spec");
    for list in ["containers", "initContainers"] {
        let Some(Value::Array(kept)) = new["spec"].get_mut(list) else { continue };
        for container in kept {
            let wanted = sent.items(list).iter().find(|c| c.text("name") == container.text("name"));
            if let (Some(wanted), Value::Object(container)) = (wanted, container) {
                for field in ["resources", "resizePolicy"] {
                    match wanted.get(field) {
                        Some(value) => container.insert(field.to_owned(), value.clone()),
                        None => container.remove(field),
                    };
                }
            }
        }
    }
}

/// Checks a change.
pub(super) fn validate(new: &Value, old: &Value, update: Update, faults: &mut Faults) {
    annotations(new, old, faults);
    match update {
        Update::Whole => whole(&new["spec"], &old["spec"], faults),
        Update::Status => status(new, old, faults),
        Update::Subresource("ephemeralcontainers") => ephemeral(new, old, faults),
        Update::Subresource("resize") => resize(new, old, faults),
        Update::Subresource(_) => {}
    }
}

fn annotations(new: &Value, old: &Value, faults: &mut Faults) {
    let key = well_known::MIRROR_POD_ANNOTATION;
    let value = |pod: &Value| pod["metadata"]["annotations"].get(key).cloned();
    let (new, old) = (value(new), value(old));
    if new == old {
        return;
    }
    let root = FieldPath::Root;
    let path = root.child("metadata.annotations");
    let detail = if old.is_some() {
        "may not remove or update mirror pod annotation"
    } else {
        "may not add mirror pod annotation"
    };
    faults.push(Fault::forbidden(&path.key(key), detail));
}

fn whole(new: &Value, old: &Value, faults: &mut Faults) {
    if new == old {
        return;
    }
    let root = FieldPath::Root;
    let path = root.child("spec");
    for list in ["containers", "initContainers"] {
        if new.items(list).len() != old.items(list).len() {
            let detail = "pod updates may not add or remove containers";
            faults.push(Fault::forbidden(&path.child(list), detail));
            return;
        }
    }
    if !deadline(new, old, &path, faults) {
        return;
    }
    tolerations(new, old, &path, faults);
    gates(new, old, &path, faults);
    let expected = with_allowed_changes(new, old, &path, faults);
    if expected != *old {
        let changes = difference(old, &expected);
        let detail = format!("pod updates may not change fields other than {UPDATABLE}\n{changes}");
        faults.push(Fault::forbidden(&path, detail));
    }
}

/// Whether the other checks go on.
fn deadline(new: &Value, old: &Value, path: &FieldPath<'_>, faults: &mut Faults) -> bool {
    let field = "activeDeadlineSeconds";
    let path = path.child(field);
    match (new.int(field), old.int(field)) {
        (Some(new), _) if !(0..=i64::from(i32::MAX)).contains(&new) => {
            let detail = names::between(0, i64::from(i32::MAX));
            faults.push(Fault::invalid(&path, new, detail));
            false
        }
        (Some(new), Some(old)) if old < new => {
            let detail = "must be less than or equal to previous value";
            faults.push(Fault::invalid(&path, new, detail));
            false
        }
        (None, Some(_)) => {
            let detail = "must not update from a positive integer to nil value";
            faults.push(Fault::invalid(&path, Value::Null, detail));
            true
        }
        (Some(_) | None, _) => true,
    }
}

fn tolerations(new: &Value, old: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let without_seconds = |toleration: &Value| {
        let mut toleration = toleration.clone();
        crate::look::remove(&mut toleration, "tolerationSeconds");
        toleration
    };
    let kept: Vec<Value> = new.items("tolerations").iter().map(without_seconds).collect();
    let lost = old.items("tolerations").iter().any(|old| !kept.contains(&without_seconds(old)));
    if lost {
        let detail = "existing toleration can not be modified except its tolerationSeconds";
        faults.push(Fault::forbidden(&path.child("tolerations"), detail));
    }
}

fn gates(new: &Value, old: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("schedulingGates");
    for (index, gate) in new.items("schedulingGates").iter().enumerate() {
        let name = gate.text("name");
        if !old.items("schedulingGates").iter().any(|gate| gate.text("name") == name) {
            let detail =
                format!("only deletion is allowed, but found new scheduling gate '{name}'");
            let path = list.index(index);
            faults.push(Fault::forbidden(&path.child("name"), detail));
        }
    }
}

/// The new specification with everything undone that may change.
fn with_allowed_changes(
    new: &Value,
    old: &Value,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) -> Value {
    let mut spec = new.clone();
    for list in ["containers", "initContainers"] {
        if let Some(Value::Array(containers)) = spec.get_mut(list) {
            for (container, old) in containers.iter_mut().zip(old.items(list)) {
                crate::look::keep(container, old, "image");
            }
        }
    }
    for field in ["activeDeadlineSeconds", "schedulingGates", "tolerations"] {
        crate::look::keep(&mut spec, old, field);
    }
    let grace = "terminationGracePeriodSeconds";
    if old.int(grace).is_some_and(|seconds| seconds < 0) && new.int(grace) == Some(1) {
        crate::look::keep(&mut spec, old, grace);
    }
    if !old.lacks("schedulingGates") {
        gated(&mut spec, old, path, faults);
    }
    spec
}

/// While a pod waits for its gates, where it may run can be narrowed.
fn gated(spec: &mut Value, old: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    if spec.get("nodeSelector") != old.get("nodeSelector") {
        let kept = old
            .entries("nodeSelector")
            .all(|(key, value)| spec["nodeSelector"].get(key) == Some(value));
        if !kept {
            let value = spec.get("nodeSelector").cloned().unwrap_or_default();
            let detail = "only additions to spec.nodeSelector are allowed (no mutations or \
                          deletions)";
            faults.push(Fault::invalid(&path.child("nodeSelector"), value, detail));
        }
        crate::look::keep(spec, old, "nodeSelector");
    }
    let node = |spec: &Value| spec["affinity"].get("nodeAffinity").cloned();
    let (new_node, old_node) = (node(spec), node(old));
    if new_node == old_node {
        return;
    }
    if old_node.is_some() && new_node.is_none() {
        let detail = "field is immutable";
        let path = path.child("affinity.nodeAffinity");
        faults.push(Fault::invalid(&path, Value::Null, detail));
    }
    let affinity = map_mut(spec, "affinity");
    match old_node {
        Some(old) => affinity.insert("nodeAffinity".to_owned(), old),
        None => affinity.remove("nodeAffinity"),
    };
    if affinity.is_empty() && !old.has("affinity") {
        crate::look::remove(spec, "affinity");
    }
}

/// The lines that differ between two values, as `-` what was and `+` what is asked for.
fn difference(old: &Value, new: &Value) -> String {
    let mut text = String::new();
    differ(old, new, &FieldPath::Root.child("spec"), &mut text);
    text
}

fn differ(old: &Value, new: &Value, path: &FieldPath<'_>, text: &mut String) {
    match (old, new) {
        (Value::Object(before), Value::Object(after)) => {
            let keys: std::collections::BTreeSet<&String> =
                before.keys().chain(after.keys()).collect();
            for key in keys {
                let (old, new) = (before.get(key), after.get(key));
                if old != new {
                    let null = Value::Null;
                    let (old, new) = (old.unwrap_or(&null), new.unwrap_or(&null));
                    differ(old, new, &path.child(key), text);
                }
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, (old, new)) in before.iter().zip(after).enumerate() {
                if old != new {
                    differ(old, new, &path.index(index), text);
                }
            }
        }
        (old, new) => {
            if !old.is_null() {
                let _ = writeln!(text, "- {path}: {old}");
            }
            if !new.is_null() {
                let _ = writeln!(text, "+ {path}: {new}");
            }
        }
    }
}

fn status(new: &Value, old: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let path = root.child("status");
    let (sent, kept) = (&new["status"], &old["status"]);
    metadata::immutable(sent, kept, "qosClass", &path, faults);
    check::text(sent, "nominatedNodeName", names::dns1123_subdomain, &path, faults);
    let policy = old["spec"].text("restartPolicy");
    restarted(sent, kept, "containerStatuses", policy, &old["spec"], &path, faults);
    restarted(sent, kept, "initContainerStatuses", policy, &old["spec"], &path, faults);
    let field = "ephemeralContainerStatuses";
    restarted(sent, kept, field, "Never", &old["spec"], &path, faults);
    for field in ["podIPs", "hostIPs"] {
        let list = path.child(field);
        for (index, ip) in sent.items(field).iter().enumerate() {
            let ip = ip.text("ip");
            let path = list.index(index);
            check::invalid(&path.child("ip"), ip, names::ip(ip), faults);
        }
    }
}

/// Checks that no container that ended for good runs again.
fn restarted(
    new: &Value,
    old: &Value,
    field: &str,
    policy: &str,
    spec: &Value,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    if policy == "Always" {
        return;
    }
    let list = path.child(field);
    for (index, before) in old.items(field).iter().enumerate() {
        let ended = &before["state"]["terminated"];
        let name = before.text("name");
        let own_policy = spec
            .items("initContainers")
            .iter()
            .chain(spec.items("containers"))
            .find(|container| container.text("name") == name)
            .is_some_and(|container| container.has("restartPolicy"));
        let may_restart = policy == "OnFailure" && ended.int("exitCode").unwrap_or(0) != 0;
        if !ended.is_object() || may_restart || own_policy {
            continue;
        }
        let runs = new
            .items(field)
            .iter()
            .any(|after| after.text("name") == name && !after["state"]["terminated"].is_object());
        if runs {
            let detail = "may not be transitioned to non-terminated state";
            let path = list.index(index);
            faults.push(Fault::forbidden(&path.child("state"), detail));
        }
    }
}

fn ephemeral(new: &Value, old: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let path = root.child("spec.ephemeralContainers");
    if old["metadata"]["annotations"].has(well_known::MIRROR_POD_ANNOTATION) {
        let detail = "static pods do not support ephemeral containers";
        faults.push(Fault::forbidden(&root.child(""), detail));
        return;
    }
    let list = "ephemeralContainers";
    for before in old["spec"].items(list) {
        let name = before.text("name");
        let after = new["spec"].items(list).iter().find(|after| after.text("name") == name);
        match after {
            None => {
                let detail = format!("existing ephemeral containers {name:?} may not be removed\n");
                faults.push(Fault::forbidden(&path, detail));
            }
            Some(after) if after != before => {
                let changes = difference(before, after);
                let detail =
                    format!("existing ephemeral containers {name:?} may not be changed\n{changes}");
                faults.push(Fault::forbidden(&path, detail));
            }
            Some(_) => {}
        }
    }
}

fn resize(new: &Value, old: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let path = root.child("spec");
    if old["metadata"]["annotations"].has(well_known::MIRROR_POD_ANNOTATION) {
        let detail = "static pods cannot be resized";
        faults.push(Fault::forbidden(&root.child(""), detail));
        return;
    }
    if qos_class(new) != qos_class(old) {
        let detail = "Pod QOS Class may not change as a result of resizing";
        faults.push(Fault::invalid(&path, qos_class(new), detail));
    }
    for list in ["containers", "initContainers"] {
        let list_path = path.child(list);
        let pairs = old["spec"].items(list).iter().zip(new["spec"].items(list));
        for (index, (before, after)) in pairs.enumerate() {
            let path = list_path.index(index);
            let path = path.child("resources");
            for kind in ["limits", "requests"] {
                container_resize(before, after, kind, &path.child(kind), faults);
            }
            let sidecar = list == "containers" || before.text("restartPolicy") == "Always";
            if !sidecar && before.get("resources") != after.get("resources") {
                let detail = "resources for non-sidecar init containers are immutable";
                faults.push(Fault::forbidden(&root.child("spec"), detail));
            }
        }
    }
}

fn container_resize(
    before: &Value,
    after: &Value,
    kind: &str,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    let (old, new) = (&before["resources"], &after["resources"]);
    let lost = old.entries(kind).any(|(name, _)| !new[kind].has(name));
    if lost {
        let detail = format!("resource {kind} cannot be removed");
        faults.push(Fault::forbidden(path, detail));
    }
    let other = |resources: &Value| -> Vec<(String, Value)> {
        resources
            .entries(kind)
            .filter(|(name, _)| *name != "cpu" && *name != "memory")
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    if other(old) != other(new) {
        let root = FieldPath::Root;
        let detail = "only cpu and memory resources are mutable";
        faults.push(Fault::forbidden(&root.child("spec"), detail));
    }
}
