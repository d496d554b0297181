//! Where a pod may run: affinity, tolerations, spreading.

use serde_json::{Value, json};
use wk_api::{Fault, FieldPath, names};

use crate::check::{self, Faults};
use crate::look::Look;
use crate::walk::TypeRule;

pub(super) const TOLERATION: TypeRule =
    TypeRule { zeros: &["effect", "key", "operator", "value"], ..TypeRule::NONE };

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// Checks `affinity` of a pod spec. Label selectors in it are checked where they occur.
pub(super) fn affinity(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let affinity = &spec["affinity"];
    let path = path.child("affinity");
    let node = &affinity["nodeAffinity"];
    let node_path = path.child("nodeAffinity");
    if node.has(REQUIRED) {
        node_selector(&node[REQUIRED], &node_path.child(REQUIRED), faults);
    }
    let list = node_path.child(PREFERRED);
    for (index, term) in node.items(PREFERRED).iter().enumerate() {
        let path = list.index(index);
        weight(term, &path, faults);
        node_term(&term["preference"], false, &path.child("preference"), faults);
    }
    for field in ["podAffinity", "podAntiAffinity"] {
        let terms = &affinity[field];
        let path = path.child(field);
        let list = path.child(REQUIRED);
        for (index, term) in terms.items(REQUIRED).iter().enumerate() {
            pod_term(term, &list.index(index), faults);
        }
        let list = path.child(PREFERRED);
        for (index, weighted) in terms.items(PREFERRED).iter().enumerate() {
            let path = list.index(index);
            weight(weighted, &path, faults);
            let term = &weighted["podAffinityTerm"];
            pod_term(term, &path.child("podAffinityTerm"), faults);
        }
    }
}

fn weight(term: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let weight = term.int("weight").unwrap_or(0);
    if !(1..=100).contains(&weight) {
        let detail = "must be in the range 1-100";
        faults.push(Fault::invalid(&path.child("weight"), weight, detail));
    }
}

fn pod_term(term: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    for namespace in term.items("namespaces") {
        let namespace = namespace.as_str().unwrap_or_default();
        let messages = names::dns1123_label(namespace);
        check::invalid(&path.child("namespace"), namespace, messages, faults);
    }
    for field in ["matchLabelKeys", "mismatchLabelKeys"] {
        let list = path.child(field);
        if !term.lacks(field) && !term.has("labelSelector") {
            faults.push(Fault::forbidden(&list, NO_SELECTOR));
            continue;
        }
        label_names(term, field, &list, faults);
    }
    // Kubernetes names no field here, only where in the list of keys it is.
    repeated_keys(term, path, faults);
    let mismatched = term.items("mismatchLabelKeys");
    let list = path.child("matchLabelKeys");
    for (index, key) in term.items("matchLabelKeys").iter().enumerate() {
        if mismatched.contains(key) {
            let detail = "exists in both matchLabelKeys and mismatchLabelKeys";
            faults.push(Fault::invalid(&list.index(index), key.clone(), detail));
        }
    }
    let key = term.text("topologyKey");
    if key.is_empty() {
        faults.push(Fault::required(&path.child("topologyKey"), "can not be empty"));
    }
    check::invalid(&path.child("topologyKey"), key, names::qualified_name(key), faults);
}

const NO_SELECTOR: &str = "must not be specified when labelSelector is not set";

fn label_names(term: &Value, field: &str, list: &FieldPath<'_>, faults: &mut Faults) {
    for (index, key) in term.items(field).iter().enumerate() {
        let key = key.as_str().unwrap_or_default();
        check::invalid(&list.index(index), key, names::qualified_name(key), faults);
    }
}

/// Checks that no key of `matchLabelKeys` was in the selector before the pod's label came into it.
fn repeated_keys(term: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let selector = &term["labelSelector"];
    let keys = term.items("matchLabelKeys");
    let mut seen: Vec<&str> =
        selector.entries("matchLabels").map(|(key, _)| key.as_str()).collect();
    for expression in selector.items("matchExpressions") {
        let key = expression.text("key");
        let at = keys.iter().rposition(|own| own == key);
        if let Some(index) = at.filter(|_| seen.contains(&key)) {
            let detail = "exists in both matchLabelKeys and labelSelector";
            faults.push(Fault::invalid(&path.index(index), key, detail));
        }
        seen.push(key);
    }
}

/// Completes the selectors of a new pod by its own values of the labels that they name.
pub(crate) fn complete_selectors(pod: &mut Value) {
    let labels = pod["metadata"]["labels"].clone();
    if !labels.is_object() {
        return;
    }
    let complete = |term: &mut Value| {
        for (field, operator) in [("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")] {
            let keys = term.items(field).to_vec();
            let Some(Value::Object(selector)) = term.get_mut("labelSelector") else { return };
            for key in keys.iter().filter_map(Value::as_str) {
                let Some(value) = labels.get(key) else { continue };
                let list = selector.entry("matchExpressions").or_insert_with(|| json!([]));
                if let Value::Array(list) = list {
                    list.push(json!({"key": key, "operator": operator, "values": [value]}));
                }
            }
        }
    };
    let Some(Value::Object(spec)) = pod.get_mut("spec") else { return };
    if let Some(Value::Array(constraints)) = spec.get_mut("topologySpreadConstraints") {
        constraints.iter_mut().for_each(complete);
    }
    let Some(affinity) = spec.get_mut("affinity") else { return };
    for field in ["podAffinity", "podAntiAffinity"] {
        let Some(terms) = affinity.get_mut(field) else { continue };
        if let Some(Value::Array(required)) = terms.get_mut(REQUIRED) {
            required.iter_mut().for_each(complete);
        }
        let Some(Value::Array(preferred)) = terms.get_mut(PREFERRED) else { continue };
        for weighted in preferred {
            if let Some(term) = weighted.get_mut("podAffinityTerm") {
                complete(term);
            }
        }
    }
}

/// Checks a node selector.
pub(crate) fn node_selector(selector: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("nodeSelectorTerms");
    if selector.lacks("nodeSelectorTerms") {
        faults.push(Fault::required(&list, "must have at least one node selector term"));
    }
    for (index, term) in selector.items("nodeSelectorTerms").iter().enumerate() {
        node_term(term, true, &list.index(index), faults);
    }
}

fn node_term(term: &Value, values: bool, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("matchExpressions");
    for (index, requirement) in term.items("matchExpressions").iter().enumerate() {
        node_requirement(requirement, values, &list.index(index), faults);
    }
    let list = path.child("matchFields");
    for (index, requirement) in term.items("matchFields").iter().enumerate() {
        node_field(requirement, &list.index(index), faults);
    }
}

fn node_requirement(
    requirement: &Value,
    check_values: bool,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    let values = path.child("values");
    let count = requirement.items("values").len();
    match requirement.text("operator") {
        "In" | "NotIn" if count == 0 => {
            let detail = "must be specified when `operator` is 'In' or 'NotIn'";
            faults.push(Fault::required(&values, detail));
        }
        "Exists" | "DoesNotExist" if count > 0 => {
            let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            faults.push(Fault::forbidden(&values, detail));
        }
        "Gt" | "Lt" if count != 1 => {
            let detail = "must be specified single value when `operator` is 'Lt' or 'Gt'";
            faults.push(Fault::required(&values, detail));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        other => {
            let detail = "not a valid selector operator";
            faults.push(Fault::invalid(&path.child("operator"), other, detail));
        }
    }
    let key = requirement.text("key");
    check::invalid(&path.child("key"), key, names::qualified_name(key), faults);
    if check_values {
        for (index, value) in requirement.items("values").iter().enumerate() {
            let text = value.as_str().unwrap_or_default();
            check::invalid(&values.index(index), text, names::label_value(text), faults);
        }
    }
}

fn node_field(requirement: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let values = path.child("values");
    match requirement.text("operator") {
        "In" | "NotIn" => {
            if requirement.items("values").len() != 1 {
                let detail = "must be only one value when `operator` is 'In' or 'NotIn' for node \
                              field selector";
                faults.push(Fault::required(&values, detail));
            }
        }
        other => {
            let detail = "not a valid selector operator";
            faults.push(Fault::invalid(&path.child("operator"), other, detail));
        }
    }
    let key = requirement.text("key");
    if key == "metadata.name" {
        for (index, value) in requirement.items("values").iter().enumerate() {
            let text = value.as_str().unwrap_or_default();
            check::invalid(&values.index(index), text, names::dns1123_subdomain(text), faults);
        }
    } else {
        let detail = "not a valid field selector key";
        faults.push(Fault::invalid(&path.child("key"), key, detail));
    }
}

/// Checks `tolerations` in a field.
pub(crate) fn tolerations(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    each_toleration(spec.items("tolerations"), &path.child("tolerations"), faults);
}

/// Checks tolerations in a list.
pub(crate) fn each_toleration(tolerations: &[Value], list: &FieldPath<'_>, faults: &mut Faults) {
    for (index, toleration) in tolerations.iter().enumerate() {
        let path = list.index(index);
        let operator = toleration.text("operator");
        let value = toleration.text("value");
        check::text(toleration, "key", names::qualified_name, &path, faults);
        if toleration.lacks("key") && operator != "Exists" {
            let detail = "operator must be Exists when `key` is empty, which means \"match all \
                          values and all keys\"";
            faults.push(Fault::invalid(&path.child("operator"), operator, detail));
        }
        if toleration.has("tolerationSeconds") && toleration.text("effect") != "NoExecute" {
            let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            let effect = toleration.text("effect");
            faults.push(Fault::invalid(&path.child("effect"), effect, detail));
        }
        match operator {
            "" | "Equal" => {
                let messages = names::label_value(value);
                if !messages.is_empty() {
                    let detail = messages.join(";");
                    faults.push(Fault::invalid(&path.child("operator"), value, detail));
                }
            }
            "Exists" => {
                if !value.is_empty() {
                    let detail = "value must be empty when `operator` is 'Exists'";
                    faults.push(Fault::invalid(&path.child("operator"), value, detail));
                }
            }
            other => {
                let supported = ["Equal", "Exists"];
                faults.push(Fault::not_supported(&path.child("operator"), other, &supported));
            }
        }
        if !toleration.lacks("effect") {
            taint_effect(toleration, &path, faults);
        }
    }
}

/// Checks the effect of a taint or toleration.
pub(crate) fn taint_effect(taint: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let supported = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    check::required_one_of(taint, "effect", &supported, path, faults);
}

/// Checks `topologySpreadConstraints` of a pod spec.
pub(super) fn spreading(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let constraints = spec.items("topologySpreadConstraints");
    let list = path.child("topologySpreadConstraints");
    for (index, constraint) in constraints.iter().enumerate() {
        let path = list.index(index);
        let skew = constraint.int("maxSkew").unwrap_or(0);
        if skew <= 0 {
            faults.push(Fault::invalid(&path.child("maxSkew"), skew, "must be greater than zero"));
        }
        let key = constraint.text("topologyKey");
        if key.is_empty() {
            faults.push(Fault::required(&path.child("topologyKey"), "can not be empty"));
        }
        let action = constraint.text("whenUnsatisfiable");
        let supported = ["DoNotSchedule", "ScheduleAnyway"];
        if !supported.contains(&action) {
            let path = path.child("whenUnsatisfiable");
            faults.push(Fault::not_supported(&path, action, &supported));
        }
        let repeated = constraints[index + 1..].iter().any(|other| {
            other.text("topologyKey") == key && other.text("whenUnsatisfiable") == action
        });
        if repeated {
            let path = path.child("{topologyKey, whenUnsatisfiable}");
            faults.push(Fault::duplicate(&path, format!("{{{key}, {action}}}")));
        }
        if let Some(domains) = constraint.int("minDomains") {
            check::positive(constraint, "minDomains", &path, faults);
            if action != "DoNotSchedule" {
                let detail = format!(
                    "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
                );
                faults.push(Fault::invalid(&path.child("minDomains"), domains, detail));
            }
        }
        for field in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            check::one_of(constraint, field, &["Honor", "Ignore"], &path, faults);
        }
        let list = path.child("matchLabelKeys");
        if !constraint.lacks("matchLabelKeys") && !constraint.has("labelSelector") {
            faults.push(Fault::forbidden(&list, NO_SELECTOR));
        }
        label_names(constraint, "matchLabelKeys", &list, faults);
        repeated_keys(constraint, &list, faults);
    }
}
