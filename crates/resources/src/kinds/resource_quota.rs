//! Resource quotas.
//!
//! Spec: <https://kubernetes.io/docs/concepts/policy/resource-quotas/>

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, GroupResource};

use super::define;
use crate::check::Faults;
use crate::definition::{Column, Definition};
use crate::look::Look;
use crate::quota::counted_kind;
use crate::rules::{KindRules, Update};
use crate::table;
use crate::types::resources;

const SCOPES: [&str; 7] = [
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
    "VolumeAttributesClass",
];
/// Scopes that no object is in both of.
const CONFLICTING: [[&str; 2]; 2] =
    [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]];

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("", "v1", "ResourceQuota")
        .short(&["quota"])
        .shows([
            Column::text(
                "Request",
                "Request represents a minimum amount of cpu/memory that a container may consume.",
            ),
            Column::text(
                "Limit",
                "Limits control the maximum amount of cpu/memory that a container may use \
                 independent of contention on the node.",
            ),
        ])
        .rules(Quotas)
        .status()
}

#[derive(Debug)]
struct Quotas;

impl KindRules for Quotas {
    fn validate(&self, quota: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &quota["spec"];
        amounts(spec, "hard", &path, faults);
        scopes(spec, &path, faults);
        selectors(spec, &path, faults);
    }

    fn validate_update(&self, new: &Value, old: &Value, update: Update, faults: &mut Faults) {
        let root = FieldPath::Root;
        if update == Update::Status {
            let path = root.child("status");
            amounts(&new["status"], "hard", &path, faults);
            amounts(&new["status"], "used", &path, faults);
            return;
        }
        let sorted = |quota: &Value| {
            let mut scopes: Vec<String> =
                quota["spec"].items("scopes").iter().map(ToString::to_string).collect();
            scopes.sort();
            scopes
        };
        if sorted(new) != sorted(old) {
            let path = root.child("spec.scopes");
            let scopes = new["spec"].get("scopes").cloned().unwrap_or_default();
            faults.push(Fault::invalid(&path, scopes, "field is immutable"));
        }
    }

    fn row(&self, quota: &Value, now: Timestamp) -> Vec<Value> {
        let (mut requests, mut limits) = (Vec::new(), Vec::new());
        let status = &quota["status"];
        for (name, hard) in status.entries("hard") {
            let used = status["used"].get(name).and_then(Value::as_str).unwrap_or("0");
            let cell = format!("{name}: {used}/{}", hard.as_str().unwrap_or_default());
            if name.starts_with("limits.") { &mut limits } else { &mut requests }.push(cell);
        }
        vec![
            table::name(quota),
            requests.join(", ").into(),
            limits.join(", ").into(),
            table::age(quota, now),
        ]
    }
}

fn amounts(object: &Value, field: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    let path = path.child(field);
    for (name, value) in object.entries(field) {
        let path = path.key(name);
        // Whatever is counted has a standard name, but for kinds and classes, which have a slash.
        resources::name(name, &path, faults);
        if !name.contains('/') && counted_kind(name).is_none() {
            let detail = "must be a standard resource for quota";
            faults.push(Fault::invalid(&path, name.as_str(), detail));
        }
        resources::amount(name, value, &path, faults);
    }
}

/// Whether objects that use a resource can be in a scope.
fn fits(scope: &str, resource: &str) -> bool {
    let Some(kind) = counted_kind(resource) else { return true };
    // Only what has a standard name is looked at.
    if resource.contains('/') {
        return true;
    }
    match scope {
        "BestEffort" => resource == "pods",
        "VolumeAttributesClass" => kind == GroupResource::new("", "persistentvolumeclaims"),
        _ => kind == GroupResource::new("", "pods"),
    }
}

fn scopes(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let path = path.child("scopes");
    let list = spec.items("scopes");
    let shown = || Value::Array(list.to_vec());
    let named: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    for scope in &named {
        if !SCOPES.contains(scope) {
            faults.push(Fault::invalid(&path, shown(), "unsupported scope"));
        }
        for (resource, _) in spec.entries("hard") {
            if SCOPES.contains(scope) && !fits(scope, resource) {
                let detail = "unsupported scope applied to resource";
                faults.push(Fault::invalid(&path, shown(), detail));
            }
        }
    }
    for pair in CONFLICTING {
        if pair.iter().all(|scope| named.contains(scope)) {
            faults.push(Fault::invalid(&path, shown(), "conflicting scopes"));
        }
    }
}

fn selectors(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let path = path.child("scopeSelector");
    let path = path.child("matchExpressions");
    let requirements = spec["scopeSelector"].items("matchExpressions");
    for requirement in requirements {
        let scope = requirement.text("scopeName");
        if !SCOPES.contains(&scope) {
            faults.push(Fault::invalid(&path.child("scopeName"), scope, "unsupported scope"));
        }
        for (resource, _) in spec.entries("hard") {
            if SCOPES.contains(&scope) && !fits(scope, resource) {
                let shown = spec["scopeSelector"].clone();
                let detail = "unsupported scope applied to resource";
                faults.push(Fault::invalid(&path, shown, detail));
            }
        }
        let operator = requirement.text("operator");
        let only_exists = !matches!(scope, "PriorityClass" | "VolumeAttributesClass");
        if only_exists && SCOPES.contains(&scope) && operator != "Exists" {
            let detail = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, \
                          ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, \
                          ResourceQuotaScopeNotBestEffort or \
                          ResourceQuotaScopeCrossNamespacePodAffinity";
            faults.push(Fault::invalid(&path.child("operator"), operator, detail));
        }
        let values = path.child("values");
        match operator {
            "In" | "NotIn" if requirement.lacks("values") => {
                let detail = "must be at least one value when `operator` is 'In' or 'NotIn' for \
                              scope selector";
                faults.push(Fault::required(&values, detail));
            }
            "Exists" | "DoesNotExist" if !requirement.lacks("values") => {
                let detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for \
                              scope selector";
                faults.push(Fault::invalid(&values, requirement["values"].clone(), detail));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => {
                let detail = "not a valid selector operator";
                faults.push(Fault::invalid(&path.child("operator"), other, detail));
            }
        }
    }
    let has = |scope: &str| requirements.iter().any(|own| own.text("scopeName") == scope);
    for pair in CONFLICTING {
        if pair.iter().all(|scope| has(scope)) {
            let value = spec.get("scopes").cloned().unwrap_or_default();
            faults.push(Fault::invalid(&path, value, "conflicting scopes"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "rows read better")]
    #[track_caller]
    fn check(case: &str, spec: Value, expected: &[&str]) {
        let mut faults = Faults::new();
        Quotas.validate(&json!({"spec": spec}), &mut faults);
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(faults, expected, "{case}");
    }

    #[test]
    fn hard_limits_are_of_things_that_are_counted() {
        check(
            "many kinds",
            json!({"hard": {
                "pods": "1", "requests.cpu": "1", "count/deployments.apps": "2", "services.nodeports": "0",
                "requests.example.com/gpu": "1", "gold.storageclass.storage.k8s.io/requests.storage": "1Gi",
            }}),
            &[],
        );
        check(
            "unknown",
            json!({"hard": {"things": "1"}}),
            &[
                "spec.hard[things]: Invalid value: \"things\": must be a standard resource type or \
                 fully qualified",
                "spec.hard[things]: Invalid value: \"things\": must be a standard resource for quota",
            ],
        );
        check(
            "negative and broken",
            json!({"hard": {"pods": "-1", "secrets": "500m"}}),
            &[
                "spec.hard[pods]: Invalid value: \"-1\": must be greater than or equal to 0",
                "spec.hard[secrets]: Invalid value: \"500m\": must be an integer",
            ],
        );
    }

    #[test]
    fn scopes_fit_each_other_and_what_is_limited() {
        check("fine", json!({"hard": {"pods": "1"}, "scopes": ["BestEffort"]}), &[]);
        check(
            "conflicting",
            json!({"hard": {"pods": "1"}, "scopes": ["Terminating", "NotTerminating"]}),
            &[
                "spec.scopes: Invalid value: [\"Terminating\",\"NotTerminating\"]: conflicting scopes",
            ],
        );
        check(
            "not for services",
            json!({"hard": {"services": "1"}, "scopes": ["Terminating"]}),
            &[
                "spec.scopes: Invalid value: [\"Terminating\"]: unsupported scope applied to resource",
            ],
        );
        let selector = |operator: &str, values: Value| {
            json!({"scopeSelector": {"matchExpressions": [
                {"scopeName": "PriorityClass", "operator": operator, "values": values},
            ]}})
        };
        check("a selector", selector("In", json!(["high"])), &[]);
        check(
            "a selector without values",
            selector("In", json!([])),
            &[
                "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value \
             when `operator` is 'In' or 'NotIn' for scope selector",
            ],
        );
    }

    #[test]
    fn rows_show_what_is_used_of_what() {
        let quota = json!({"metadata": {"name": "q"}, "status": {
            "hard": {"pods": "2", "limits.cpu": "4"}, "used": {"pods": "1", "limits.cpu": "500m"},
        }});
        let row = Quotas.row(&quota, Timestamp::UNIX_EPOCH);
        assert_eq!((&row[1], &row[2]), (&json!("pods: 1/2"), &json!("limits.cpu: 500m/4")));
    }
}
