//! Which changes of a pod are allowed.

use std::fmt::Write as _;

use serde_json::Value;
use wk_api::{Fault, FieldPath, names, well_known};

use super::{annotations, keep_all_but, resize, status};
use crate::check::Faults;
use crate::look::{Look, map_mut};
use crate::rules::Update;

/// What a client is told may change.
const UPDATABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,\
     `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
     `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Keeps what a write is not about.
pub(super) fn prepare(new: &mut Value, old: &Value, update: Update) {
    match update {
        Update::Whole => {}
        Update::Status => status::prepare(new, old),
        Update::Subresource("ephemeralcontainers") => {
            keep_all_but(new, old, "ephemeralContainers");
        }
        Update::Subresource("resize") => resize::prepare(new, old),
        Update::Subresource(_) => crate::look::keep(new, old, "spec"),
    }
}

/// Checks a change.
pub(super) fn validate(new: &Value, old: &Value, update: Update, faults: &mut Faults) {
    if update != Update::Subresource("resize") {
        annotations::validate_update(new, old, faults);
    }
    match update {
        Update::Whole => whole(&new["spec"], &old["spec"], faults),
        Update::Status => status::validate(new, old, faults),
        Update::Subresource("ephemeralcontainers") => ephemeral(new, old, faults),
        Update::Subresource("resize") => resize::validate(new, old, faults),
        Update::Subresource(_) => {}
    }
}

fn whole(new: &Value, old: &Value, faults: &mut Faults) {
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
    narrowed(new_node.as_ref(), old_node.as_ref(), path, faults);
    let affinity = map_mut(spec, "affinity");
    match old_node {
        Some(old) => affinity.insert("nodeAffinity".to_owned(), old),
        None => affinity.remove("nodeAffinity"),
    };
    if affinity.is_empty() && !old.has("affinity") {
        crate::look::remove(spec, "affinity");
    }
}

/// Checks that the terms that a node had to fulfil are still there, at most with more in them.
fn narrowed(new: Option<&Value>, old: Option<&Value>, path: &FieldPath<'_>, faults: &mut Faults) {
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let null = Value::Null;
    let terms = |affinity: Option<&Value>| -> Vec<Value> {
        affinity.unwrap_or(&null)[required].items("nodeSelectorTerms").to_vec()
    };
    let (new, old) = (terms(new), terms(old));
    let path = path.child("affinity.nodeAffinity");
    let path = path.child(required);
    let path = path.child("nodeSelectorTerms");
    if !old.is_empty() && old.len() != new.len() {
        let detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        faults.push(Fault::invalid(&path, new, detail));
        return;
    }
    let fields = ["matchExpressions", "matchFields"];
    for (index, (old, new)) in old.iter().zip(&new).enumerate() {
        let was_empty = fields.iter().all(|field| old.lacks(field));
        let is_empty = fields.iter().all(|field| new.lacks(field));
        let grown = fields.iter().all(|field| new.items(field).starts_with(old.items(field)));
        if !grown || (was_empty && !is_empty) {
            let detail = "only additions are allowed (no mutations or deletions)";
            faults.push(Fault::invalid(&path.index(index), new.clone(), detail));
        }
    }
}

/// The lines that differ between two values, as `-` what was and `+` what is asked for.
pub(in crate::kinds) fn difference(old: &Value, new: &Value) -> String {
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

fn ephemeral(new: &Value, old: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let path = root.child("spec.ephemeralContainers");
    if old["metadata"]["annotations"].has(well_known::MIRROR_POD_ANNOTATION) {
        let detail = "static pods do not support ephemeral containers";
        *faults = vec![Fault::forbidden(&root.child(""), detail)];
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
