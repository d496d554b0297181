//! What the kinds that make pods from a template share.

use serde_json::Value;
use wk_api::{Fault, FieldPath, LabelSelector, names};

use super::pod;
use crate::check::{self, Faults};
use crate::look::Look;
use crate::metadata;

/// Checks that the selector is there, selects something, and selects the template's pods.
pub(super) fn selector(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let selector_path = path.child("selector");
    if !spec.has("selector") {
        faults.push(Fault::required(&selector_path, ""));
        return;
    }
    let selector = &spec["selector"];
    if selector.lacks("matchLabels") && selector.lacks("matchExpressions") {
        let detail = "empty selector is invalid for deployment";
        faults.push(Fault::invalid(&selector_path, selector.clone(), detail));
        return;
    }
    let labels = &spec["template"]["metadata"]["labels"];
    match LabelSelector::from_json(selector) {
        // What is wrong with it is told where selectors are checked.
        Err(_) => {}
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
    // Unknown policies are told where pod specifications are checked.
    if matches!(policy, "OnFailure" | "Never") {
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
            if text.strip_suffix('%').and_then(|n| n.parse::<i64>().ok()).is_some_and(|n| n > 100)
                && field == "maxUnavailable"
            {
                faults.push(Fault::invalid(&path, text.as_str(), "must not be greater than 100%"));
            }
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

/// What a client is warned of in the template.
pub(super) fn warnings(object: &Value) -> Vec<String> {
    let template = &object["spec"]["template"];
    pod::warnings(&template["metadata"], &template["spec"], "spec.template.")
}
