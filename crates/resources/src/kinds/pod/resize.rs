//! Which changes of the resources of a pod are allowed while it runs.

use serde_json::{Map, Value};
use wk_api::{Fault, FieldPath, well_known};

use super::qos_class;
use crate::check::Faults;
use crate::look::{Look, keep};

/// Takes over nothing but resources and their policies; a write that adds, removes or renames
/// containers is left as it is, for the check to refuse it.
pub(super) fn prepare(new: &mut Value, old: &Value) {
    let mut merged = old["spec"].clone();
    for list in ["containers", "initContainers"] {
        let sent = new["spec"].items(list);
        let kept = old["spec"].items(list);
        let same = sent.len() == kept.len()
            && sent.iter().zip(kept).all(|(a, b)| a.text("name") == b.text("name"));
        if !same {
            return;
        }
        let Some(Value::Array(containers)) = merged.get_mut(list) else { continue };
        for (container, sent) in containers.iter_mut().zip(sent) {
            keep(container, sent, "resources");
            keep(container, sent, "resizePolicy");
        }
    }
    new["spec"] = merged;
}

/// Checks a change.
pub(super) fn validate(new: &Value, old: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let path = root.child("spec");
    let (before, after) = (&old["spec"], &new["spec"]);
    let whole =
        |spec: &Value| !spec["resources"].lacks("requests") || !spec["resources"].lacks("limits");
    let refusal = if whole(before) || whole(after) {
        Some("pods with pod-level resources cannot be resized")
    } else if old["metadata"]["annotations"].has(well_known::MIRROR_POD_ANNOTATION) {
        Some("static pods cannot be resized")
    } else if before["os"].text("name") == "windows" {
        Some("windows pods cannot be resized")
    } else {
        None
    };
    if let Some(detail) = refusal {
        *faults = vec![Fault::forbidden(&root.child(""), detail)];
        return;
    }
    for list in ["containers", "initContainers"] {
        if after.items(list).len() != before.items(list).len() {
            let detail = "pod resize may not add or remove containers";
            faults.push(Fault::forbidden(&path.child(list), detail));
            return;
        }
    }
    if qos_class(new) != qos_class(old) {
        let detail = "Pod QOS Class may not change as a result of resizing";
        let class = new["status"].text("qosClass");
        faults.push(Fault::invalid(&path, class, detail));
    }
    if !is_supported(old) {
        let detail = "Pod running on node without support for resize";
        faults.push(Fault::forbidden(&path, detail));
    }
    for list in ["initContainers", "containers"] {
        let list_path = path.child(list);
        let pairs = before.items(list).iter().zip(after.items(list));
        for (index, (before, after)) in pairs.enumerate() {
            let runs_on = list == "containers" || before.text("restartPolicy") == "Always";
            if runs_on {
                let path = list_path.index(index);
                removed(before, after, &path.child("resources"), faults);
            }
        }
    }
    others(before, after, &path, faults);
}

/// Whether the node tells what containers have, as those do that can change it.
fn is_supported(pod: &Value) -> bool {
    let statuses = pod["status"].items("containerStatuses");
    let running = statuses.iter().find(|status| status["state"]["running"].is_object());
    running.is_none_or(|status| status.has("resources"))
}

fn removed(before: &Value, after: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    for kind in ["requests", "limits"] {
        let (old, new) = (&before["resources"], &after["resources"][kind]);
        if old.entries(kind).any(|(name, _)| !new.has(name)) {
            let detail = format!("resource {kind} cannot be removed");
            faults.push(Fault::forbidden(&path.child(kind), detail));
        }
    }
}

/// Checks that nothing changes but processors and memory, and where it may not change at all.
fn others(before: &Value, after: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    for list in ["containers", "initContainers"] {
        let pairs = before.items(list).iter().zip(after.items(list));
        for (before, after) in pairs {
            let sidecar = before.text("restartPolicy") == "Always";
            let detail = match (list, sidecar) {
                ("containers", _) => "only cpu and memory resources are mutable",
                (_, true) => "only cpu and memory resources for sidecar containers are mutable",
                (_, false) => "resources for non-sidecar init containers are immutable",
            };
            let same = if list == "containers" || sidecar {
                without_measured(before) == without_measured(after)
            } else {
                before == after
            };
            if !same {
                faults.push(Fault::forbidden(path, detail));
            }
        }
    }
}

/// A container without what a resize may change.
fn without_measured(container: &Value) -> Value {
    let mut container = container.clone();
    let mut kept = Map::new();
    for kind in ["limits", "requests"] {
        let others: Map<String, Value> = container["resources"]
            .entries(kind)
            .filter(|(name, _)| *name != "cpu" && *name != "memory")
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        kept.insert(kind.to_owned(), Value::Object(others));
    }
    // Claims are no amounts.
    kept.insert("claims".to_owned(), container["resources"]["claims"].clone());
    container["resources"] = Value::Object(kept);
    container
}
