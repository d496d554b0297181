//! Which changes of a job's specification are allowed.

use serde_json::Value;
use wk_api::{Fault, FieldPath};

use crate::check::Faults;
use crate::look::{Look, keep, map_mut};
use crate::metadata;

/// Checks a change of the whole.
pub(super) fn validate(new: &Value, old: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let path = root.child("spec");
    let (after, before) = (&new["spec"], &old["spec"]);
    completions(after, before, &path, faults);
    metadata::immutable(after, before, "selector", &path, faults);
    if permitted(after, before, may_change(old)) != before["template"] {
        let value = after["template"].clone();
        faults.push(Fault::invalid(&path.child("template"), value, "field is immutable"));
    }
    for field in
        ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"]
    {
        metadata::immutable(after, before, field, &path, faults);
    }
}

fn completions(after: &Value, before: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let field = "completions";
    if after.text("completionMode") != "Indexed" {
        metadata::immutable(after, before, field, path, faults);
        return;
    }
    let changed = after.get(field) != before.get(field);
    if changed && after.has(field) && after.get(field) != after.get("parallelism") {
        let detail = "can only be modified in tandem with spec.parallelism";
        faults.push(Fault::invalid(&path.child(field), after[field].clone(), detail));
    }
}

/// Whether the pods of a job are held back, and none is running any more, so that what they are to
/// be may still change.
fn may_change(old: &Value) -> bool {
    let suspended = old["status"].items("conditions").iter().any(|condition| {
        condition.text("type") == "Suspended" && condition.text("status") == "True"
    });
    let idle = old["status"].int("active").unwrap_or(0) == 0;
    old["spec"].is("suspend") && (!old["status"].has("startTime") || (suspended && idle))
}

/// The new template with everything undone that may change.
fn permitted(after: &Value, before: &Value, may_change: bool) -> Value {
    let mut template = after["template"].clone();
    if !may_change {
        return template;
    }
    let kept = &before["template"];
    if template.get("metadata").is_some() {
        for field in ["annotations", "labels"] {
            keep(&mut template["metadata"], &kept["metadata"], field);
        }
    }
    let Some(spec) = template.get_mut("spec") else { return template };
    for field in ["nodeSelector", "schedulingGates", "tolerations"] {
        keep(spec, &kept["spec"], field);
    }
    // Resources can be made to fit where the job will run.
    for list in ["containers", "initContainers"] {
        let Some(Value::Array(containers)) = spec.get_mut(list) else { continue };
        for (container, old) in containers.iter_mut().zip(kept["spec"].items(list)) {
            keep(container, old, "resources");
        }
    }
    let node = kept["spec"]["affinity"].get("nodeAffinity").cloned();
    let affinity = map_mut(spec, "affinity");
    match node {
        Some(node) => affinity.insert("nodeAffinity".to_owned(), node),
        None => affinity.remove("nodeAffinity"),
    };
    let unset = affinity.is_empty() && !kept["spec"].has("affinity");
    if unset {
        crate::look::remove(spec, "affinity");
    }
    template
}
