//! Where a pod may run: affinity, tolerations, spreading.

use serde_json::Value;
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
    label_keys(term, "matchLabelKeys", path, faults);
    label_keys(term, "mismatchLabelKeys", path, faults);
    let key = term.text("topologyKey");
    if key.is_empty() {
        faults.push(Fault::required(&path.child("topologyKey"), "can not be empty"));
    }
    check::invalid(&path.child("topologyKey"), key, names::qualified_name(key), faults);
}

fn label_keys(term: &Value, field: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child(field);
    if !term.lacks(field) && !term.has("labelSelector") {
        let detail = "must not be specified when labelSelector is not set";
        faults.push(Fault::forbidden(&list, detail));
    }
    for (index, key) in term.items(field).iter().enumerate() {
        let key = key.as_str().unwrap_or_default();
        check::invalid(&list.index(index), key, names::qualified_name(key), faults);
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
    let list = path.child("tolerations");
    for (index, toleration) in spec.items("tolerations").iter().enumerate() {
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
        label_keys(constraint, "matchLabelKeys", &path, faults);
    }
}
