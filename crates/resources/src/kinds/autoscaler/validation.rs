//! What is demanded of an autoscaler, in the form in which it is stored.

use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use crate::check::{self, Faults};
use crate::look::Look;

/// The longest time that a rule looks back, in seconds.
const PERIOD_MAX: i64 = 1800;
const WINDOW_MAX: i64 = 3600;

/// Checks the specification.
pub(super) fn spec(spec: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let path = root.child("spec");
    let min = spec.int("minReplicas").unwrap_or(1);
    let max = spec.int("maxReplicas").unwrap_or(0);
    // None at all is possible only where a metric tells when the first one is needed.
    let can_be_none = spec
        .items("metrics")
        .iter()
        .any(|metric| matches!(metric.text("type"), "External" | "Object"));
    let least = i64::from(!can_be_none);
    if min < least {
        let detail = format!("must be greater than or equal to {least}");
        faults.push(Fault::invalid(&path.child("minReplicas"), min, detail));
    }
    if max < 1 {
        let detail = "must be greater than 0";
        faults.push(Fault::invalid(&path.child("maxReplicas"), max, detail));
    }
    if max < min {
        let detail = "must be greater than or equal to `minReplicas`";
        faults.push(Fault::invalid(&path.child("maxReplicas"), max, detail));
    }
    reference(&spec["scaleTargetRef"], &path.child("scaleTargetRef"), faults);
    let list = path.child("metrics");
    for (index, own) in spec.items("metrics").iter().enumerate() {
        metric(own, &list.index(index), faults);
    }
    behavior(&spec["behavior"], &path.child("behavior"), faults);
}

fn reference(target: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    check::required_text(target, "kind", names::path_segment, path, faults);
    check::required_text(target, "name", names::path_segment, path, faults);
}

/// The kinds of metrics, and the field in which each is described.
const KINDS: [(&str, &str); 5] = [
    ("ContainerResource", "containerResource"),
    ("External", "external"),
    ("Object", "object"),
    ("Pods", "pods"),
    ("Resource", "resource"),
];

fn metric(metric: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let kind = metric.text("type");
    if kind.is_empty() {
        faults.push(Fault::required(&path.child("type"), "must specify a metric source type"));
        return;
    }
    let Some((_, field)) = KINDS.iter().find(|(name, _)| *name == kind) else {
        let supported = KINDS.map(|(name, _)| name);
        faults.push(Fault::not_supported(&path.child("type"), kind, &supported));
        return;
    };
    for (_, other) in KINDS {
        if metric.has(other) && other != *field {
            let detail = "must populate the given metric source only";
            faults.push(Fault::forbidden(&path.child(other), detail));
        }
    }
    let at = path.child(field);
    let source = &metric[*field];
    if !source.is_object() {
        let detail = "must populate information for the given metric source";
        faults.push(Fault::required(&at, detail));
        return;
    }
    match kind {
        "Resource" | "ContainerResource" => {
            check::required(source, "name", &at, faults);
            if kind == "ContainerResource" {
                check::required(source, "container", &at, faults);
            }
            target(&source["target"], &["averageUtilization", "averageValue"], &at, faults);
        }
        "Pods" => {
            identifier(&source["metric"], &at.child("metric"), faults);
            target(&source["target"], &["averageValue"], &at, faults);
        }
        "Object" => {
            reference(&source["describedObject"], &at.child("describedObject"), faults);
            identifier(&source["metric"], &at.child("metric"), faults);
            target(&source["target"], &["averageValue", "value"], &at, faults);
        }
        _ => {
            identifier(&source["metric"], &at.child("metric"), faults);
            target(&source["target"], &["averageValue", "value"], &at, faults);
            if source["target"].has("value") && source["target"].has("averageValue") {
                let detail = "may not set both a target value for metric and a per-pod target";
                let path = at.child("target");
                faults.push(Fault::forbidden(&path.child("value"), detail));
            }
        }
    }
}

fn identifier(metric: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    check::required_text(metric, "name", names::path_segment, path, faults);
}

/// Checks a target that has to have one of some fields.
fn target(target: &Value, wanted: &[&str], path: &FieldPath<'_>, faults: &mut Faults) {
    let path = path.child("target");
    let kinds = ["AverageValue", "Utilization", "Value"];
    if target.lacks("type") {
        faults.push(Fault::required(&path.child("type"), "must specify a metric target type"));
    } else if !kinds.contains(&target.text("type")) {
        let kind = target.text("type");
        let detail = "must be either Utilization, Value, or AverageValue";
        faults.push(Fault::invalid(&path.child("type"), kind, detail));
    }
    for field in ["value", "averageValue"] {
        if let Some(amount) = check::quantity(target, field)
            && (amount.is_zero() || amount.is_negative())
        {
            let shown = amount.to_string();
            faults.push(Fault::invalid(&path.child(field), shown, "must be positive"));
        }
    }
    if let Some(percent) = target.int("averageUtilization").filter(|percent| *percent < 1) {
        let detail = "must be greater than 0";
        faults.push(Fault::invalid(&path.child("averageUtilization"), percent, detail));
    }
    if !wanted.iter().any(|field| target.has(field)) {
        let detail = match wanted {
            ["averageUtilization", ..] => {
                "must set either a target raw value or a target utilization"
            }
            [_] => "must specify a positive target averageValue",
            _ => "must set either a target value or averageValue",
        };
        faults.push(Fault::required(&path.child(wanted[0]), detail));
    }
    if wanted.contains(&"averageUtilization")
        && target.has("averageUtilization")
        && target.has("averageValue")
    {
        let detail = "may not set both a target raw value and a target utilization";
        faults.push(Fault::forbidden(&path.child("averageValue"), detail));
    }
}

fn behavior(behavior: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    for direction in ["scaleUp", "scaleDown"] {
        let rules = &behavior[direction];
        if !rules.is_object() {
            continue;
        }
        let path = path.child(direction);
        if let Some(window) = rules.int("stabilizationWindowSeconds") {
            let path = path.child("stabilizationWindowSeconds");
            if window < 0 {
                let detail = "must be greater than or equal to zero";
                faults.push(Fault::invalid(&path, window, detail));
            } else if window > WINDOW_MAX {
                let detail = format!("must be less than or equal to {WINDOW_MAX}");
                faults.push(Fault::invalid(&path, window, detail));
            }
        }
        check::one_of(rules, "selectPolicy", &["Disabled", "Max", "Min"], &path, faults);
        if let Some(tolerance) = check::quantity(rules, "tolerance").filter(|t| t.is_negative()) {
            let detail = "must be greater or equal to 0";
            faults.push(Fault::invalid(&path.child("tolerance"), tolerance.to_string(), detail));
        }
        let list = path.child("policies");
        if rules.lacks("policies") {
            faults.push(Fault::required(&list, "must specify at least one Policy"));
        }
        for (index, policy) in rules.items("policies").iter().enumerate() {
            let path = list.index(index);
            check::required_one_of(policy, "type", &["Percent", "Pods"], &path, faults);
            let value = policy.int("value").unwrap_or(0);
            if value <= 0 {
                faults.push(Fault::invalid(
                    &path.child("value"),
                    value,
                    "must be greater than zero",
                ));
            }
            let period = policy.int("periodSeconds").unwrap_or(0);
            let path = path.child("periodSeconds");
            if period <= 0 {
                faults.push(Fault::invalid(&path, period, "must be greater than zero"));
            } else if period > PERIOD_MAX {
                let detail = format!("must be less than or equal to {PERIOD_MAX}");
                faults.push(Fault::invalid(&path, period, detail));
            }
        }
    }
}
