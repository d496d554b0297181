//! Which objects a quota with scopes is about.

use serde_json::{Value, json};
use wk_api::GroupResource;

use crate::kinds::pod;
use crate::look::Look;

/// Whether an object is in all scopes of a quota. Objects of kinds without scopes are in none.
pub(super) fn match_all(quota: &Value, kind: &GroupResource, object: &Value) -> bool {
    let spec = &quota["spec"];
    let plain = spec.items("scopes").iter().filter_map(Value::as_str);
    let plain = plain.map(|scope| json!({"scopeName": scope, "operator": "Exists"}));
    let selected = spec["scopeSelector"].items("matchExpressions").iter().cloned();
    let matches = |requirement: Value| match (kind.group.as_str(), kind.resource.as_str()) {
        ("", "pods") => pod_matches(&requirement, object),
        ("", "persistentvolumeclaims") => claim_matches(&requirement, object),
        _ => false,
    };
    plain.chain(selected).all(matches)
}

fn pod_matches(requirement: &Value, object: &Value) -> bool {
    let spec = &object["spec"];
    let has_deadline = spec.int("activeDeadlineSeconds").is_some_and(|seconds| seconds >= 0);
    let best_effort = || pod::qos_class(object) == "BestEffort";
    match requirement.text("scopeName") {
        "Terminating" => has_deadline,
        "NotTerminating" => !has_deadline,
        "BestEffort" => best_effort(),
        "NotBestEffort" => !best_effort(),
        "PriorityClass" => selects(requirement, &[spec.text("priorityClassName")]),
        "CrossNamespacePodAffinity" => crosses_namespaces(&spec["affinity"]),
        _ => false,
    }
}

fn claim_matches(requirement: &Value, claim: &Value) -> bool {
    let wanted = claim["spec"].text("volumeAttributesClassName");
    let current = claim["status"].text("currentVolumeAttributesClassName");
    requirement.text("scopeName") == "VolumeAttributesClass"
        && selects(requirement, &[wanted, current])
}

/// Whether a requirement selects an object by names it has, of which empty ones are none.
fn selects(requirement: &Value, names: &[&str]) -> bool {
    let names: Vec<&str> = names.iter().copied().filter(|name| !name.is_empty()).collect();
    let listed = |name: &&str| requirement.items("values").iter().any(|value| value == *name);
    match requirement.text("operator") {
        "Exists" => !names.is_empty(),
        "DoesNotExist" => names.is_empty(),
        "In" => names.iter().any(listed),
        "NotIn" => !names.iter().any(listed),
        _ => false,
    }
}

fn crosses_namespaces(affinity: &Value) -> bool {
    ["podAffinity", "podAntiAffinity"].iter().any(|kind| {
        let rules = &affinity[*kind];
        let required = rules.items("requiredDuringSchedulingIgnoredDuringExecution").iter();
        let preferred = rules.items("preferredDuringSchedulingIgnoredDuringExecution").iter();
        let mut terms = required.chain(preferred.map(|weighted| &weighted["podAffinityTerm"]));
        terms.any(|term| !term.lacks("namespaces") || term.has("namespaceSelector"))
    })
}
