//! Which changes of the resources of a pod are allowed while it runs.

use serde_json::{Map, Value, json};
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
    keep(&mut merged, &new["spec"], "resources");
    new["spec"] = merged;
}

/// Checks a change.
pub(super) fn validate(new: &Value, old: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let path = root.child("spec");
    let (before, after) = (&old["spec"], &new["spec"]);
    let refusal = if old["metadata"]["annotations"].has(well_known::MIRROR_POD_ANNOTATION) {
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
        let (kept, sent) = (before.items(list), after.items(list));
        if sent.len() != kept.len() {
            let detail = format!("{list} may not be added or removed on resize");
            faults.push(Fault::forbidden(&path.child(list), detail));
            return;
        }
        let renamed = kept.iter().zip(sent).position(|(a, b)| a.text("name") != b.text("name"));
        if let Some(index) = renamed {
            let detail = format!("{list} may not be renamed or reordered on resize");
            faults.push(Fault::forbidden(&path.child(list).index(index).child("name"), detail));
            return;
        }
    }
    whole(before, after, &path, faults);
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
            let path = list_path.index(index);
            removed(before, after, &path.child("resources"), "resource", faults);
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

/// Checks a change of what the pod asks for as a whole.
fn whole(before: &Value, after: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("resources");
    if before.lacks("resources") {
        // It may be given for the first time.
    } else if after.lacks("resources") {
        faults.push(Fault::forbidden(&list, "pod-level resources cannot be removed"));
        return;
    } else {
        removed(before, after, &list, "pod-level resource", faults);
    }
    let same = |spec: &Value| without_measured(&json!({"resources": spec["resources"]}));
    if same(before) != same(after) {
        let detail = "only cpu and memory resources are mutable at pod-level";
        faults.push(Fault::forbidden(path, detail));
    }
}

fn removed(before: &Value, after: &Value, path: &FieldPath<'_>, what: &str, faults: &mut Faults) {
    for kind in ["requests", "limits"] {
        let (old, new) = (&before["resources"], &after["resources"][kind]);
        if old.entries(kind).any(|(name, _)| !new.has(name)) {
            let detail = format!("{what} {kind} cannot be removed");
            faults.push(Fault::forbidden(&path.child(kind), detail));
        }
    }
}

/// Checks that nothing changes but processors and memory, and where it may not change at all.
fn others(before: &Value, after: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    for list in ["containers", "initContainers"] {
        let pairs = before.items(list).iter().zip(after.items(list));
        for (before, after) in pairs {
            let runs_once = list == "initContainers" && before.text("restartPolicy") != "Always";
            let restarts = |policy: &Value| policy.text("restartPolicy") == "RestartContainer";
            if runs_once
                && before["resources"] != after["resources"]
                && after.items("resizePolicy").iter().any(restarts)
            {
                let detail = "non-sidecar init containers with a resize policy of RestartContainer \
                              cannot be resized";
                faults.push(Fault::forbidden(path, detail));
            }
            let detail = if list == "containers" {
                "only cpu and memory resources are mutable"
            } else {
                "only cpu and memory resources for init or sidecar containers are mutable"
            };
            let same = without_measured(before) == without_measured(after);
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
