//! What the kinds that make pods from a template share.

use serde_json::Value;
use wk_api::{Fault, FieldPath, LabelSelector, names};

use super::pod;
use crate::check::{self, Faults};
use crate::look::Look;
use crate::metadata;

/// Checks that the selector is there, selects something, and selects the template's pods.
///
/// `kind` is what the selector is said to be invalid for when it is empty.
pub(super) fn selector(spec: &Value, kind: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    let selector_path = path.child("selector");
    if !spec.has("selector") {
        faults.push(Fault::required(&selector_path, ""));
        return;
    }
    let selector = &spec["selector"];
    if selector.lacks("matchLabels") && selector.lacks("matchExpressions") {
        let detail = format!("empty selector is invalid for {kind}");
        faults.push(Fault::invalid(&selector_path, selector.clone(), detail));
        return;
    }
    let labels = &spec["template"]["metadata"]["labels"];
    match LabelSelector::from_json(selector) {
        // What is wrong with it is told where selectors are checked.
        Err(_) => {
            let detail = if kind == "statefulset" { "" } else { "invalid label selector" };
            faults.push(Fault::invalid(&selector_path, selector.clone(), detail));
        }
        Ok(selector) if selector.matches(labels) => {}
        Ok(_) => {
            let detail = "`selector` does not match template `labels`";
            let path = path.child("template.metadata.labels");
            faults.push(Fault::invalid(&path, labels.clone(), detail));
        }
    }
}

/// Checks that pods of the template are always restarted and have no deadline.
pub(super) fn always_restarted(
    spec: &Value,
    path: &FieldPath<'_>,
    kind: &str,
    faults: &mut Faults,
) {
    let template = &spec["template"]["spec"];
    let path = path.child("template.spec");
    let policy = template.text("restartPolicy");
    if policy != "Always" {
        faults.push(Fault::not_supported(&path.child("restartPolicy"), policy, &["Always"]));
    }
    if template.has("activeDeadlineSeconds") {
        let detail = format!("activeDeadlineSeconds in {kind} is not Supported");
        faults.push(Fault::forbidden(&path.child("activeDeadlineSeconds"), detail));
    }
}

/// Checks that numbers of a specification are not below zero.
pub(super) fn counts(spec: &Value, fields: &[&str], path: &FieldPath<'_>, faults: &mut Faults) {
    for field in fields {
        metadata::non_negative(spec, field, path, faults);
    }
}

/// Checks a field that is a number or a percentage.
pub(super) fn int_or_percent(
    object: &Value,
    field: &str,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    let path = path.child(field);
    match object.get(field) {
        Some(Value::String(text)) => {
            check::invalid(&path, text.as_str(), names::percent(text), faults);
        }
        Some(value) => {
            if let Some(number) = value.as_i64().filter(|number| *number < 0) {
                let detail = "must be greater than or equal to 0";
                faults.push(Fault::invalid(&path, number, detail));
            }
        }
        None => {}
    }
}

/// Checks that a percentage is not more than all.
pub(super) fn not_more_than_all(
    object: &Value,
    field: &str,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    let text = object.text(field);
    if text.strip_suffix('%').and_then(|n| n.parse::<i64>().ok()).is_some_and(|n| n > 100) {
        faults.push(Fault::invalid(&path.child(field), text, "must not be greater than 100%"));
    }
}

/// Whether a number or percentage is nothing.
pub(super) fn is_none(value: Option<&Value>) -> bool {
    match value {
        None => true,
        Some(Value::String(text)) => text.trim_start_matches('0') == "%",
        Some(value) => value.as_i64() == Some(0),
    }
}

/// Checks that the selector did not change.
pub(super) fn same_selector(new: &Value, old: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    metadata::immutable(&new["spec"], &old["spec"], "selector", &root.child("spec"), faults);
}

/// Checks the counts of a status: none below zero, and none of `parts` above `replicas`.
pub(super) fn status_counts(status: &Value, counts: &[&str], parts: &[&str], faults: &mut Faults) {
    let root = FieldPath::Root;
    let path = root.child("status");
    self::counts(status, counts, &path, faults);
    let number = |field: &str| status.int(field).unwrap_or(0);
    for field in parts.iter().filter(|field| number(field) > number("replicas")) {
        let detail = "cannot be greater than status.replicas";
        faults.push(Fault::invalid(&path.child(field), number(field), detail));
    }
    let available = "availableReplicas";
    if parts.contains(&available) && number(available) > number("readyReplicas") {
        let detail = "cannot be greater than readyReplicas";
        faults.push(Fault::invalid(&path.child(available), number(available), detail));
    }
}

/// Checks that the count of collisions of names does not go down.
pub(super) fn collisions(new: &Value, old: &Value, faults: &mut Faults) {
    let field = "collisionCount";
    let (after, before) = (new["status"].int(field), old["status"].int(field));
    if before.is_some_and(|before| after.is_none_or(|after| after < before)) {
        let root = FieldPath::Root;
        let path = root.child("status.collisionCount");
        faults.push(Fault::invalid(&path, after.unwrap_or(0), "cannot be decremented"));
    }
}

/// Whether a client is to be told of the template: it is new, or something wanted has changed.
pub(super) fn looks_at_template(object: &Value, old: Option<&Value>) -> bool {
    let generation = |object: &Value| object["metadata"].int("generation");
    old.is_none_or(|old| generation(object) != generation(old))
}

/// What a client is warned of in the template and, of a new object, in the name that pods get of it.
pub(super) fn warnings(object: &Value, old: Option<&Value>, named: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    if named && old.is_none() {
        warnings.extend(pod::warnings::name(object, "Pod names and hostnames"));
    }
    if looks_at_template(object, old) {
        let template = &object["spec"]["template"];
        let found = pod::warnings::of(&template["metadata"], &template["spec"], "spec.template.");
        warnings.extend(found);
    }
    warnings
}
