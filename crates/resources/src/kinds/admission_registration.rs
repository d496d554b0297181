//! The kinds of `admissionregistration.k8s.io`: webhooks and policies that admit objects.

mod policies;
mod webhooks;

use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::define;
use crate::check::{self, Faults};
use crate::definition::{Column, Definition};
use crate::look::Look;

use self::policies::{Bindings, Policies};
use self::webhooks::Webhooks;

const GROUP: &str = "admissionregistration.k8s.io";

/// The definitions of these kinds.
pub(super) fn definitions() -> Vec<Definition> {
    let webhooks = |kind| {
        define(GROUP, "v1", kind)
            .generation()
            .shows([Column::int("Webhooks", "The number of webhooks.")])
            .rules(Webhooks { mutating: kind.starts_with("Mutating") })
    };
    let policy = |kind, field: &'static str| {
        let heading = if field == "mutations" { "Mutations" } else { "Validations" };
        define(GROUP, "v1", kind)
            .generation()
            .shows([
                Column::int(heading, "The number of expressions."),
                Column::text("ParamKind", "The kind of the parameters."),
            ])
            .rules(Policies { field })
    };
    let binding = |kind, actions| {
        define(GROUP, "v1", kind)
            .generation()
            .shows([
                Column::text("PolicyName", "The policy that is bound."),
                Column::text("ParamRef", "The parameters."),
            ])
            .rules(Bindings { actions })
    };
    vec![
        policy("MutatingAdmissionPolicy", "mutations"),
        binding("MutatingAdmissionPolicyBinding", false),
        webhooks("MutatingWebhookConfiguration"),
        policy("ValidatingAdmissionPolicy", "validations").status(),
        binding("ValidatingAdmissionPolicyBinding", true),
        webhooks("ValidatingWebhookConfiguration"),
    ]
}

const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];

/// Checks which operations on which kinds are meant.
fn rule(rule: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let texts =
        |field: &str| rule.items(field).iter().filter_map(Value::as_str).collect::<Vec<_>>();
    for (field, what) in
        [("operations", "operations"), ("apiGroups", "API groups"), ("apiVersions", "API versions")]
    {
        let (items, path) = (texts(field), path.child(field));
        if items.is_empty() {
            faults.push(Fault::required(&path, ""));
        } else if items.len() > 1 && items.contains(&"*") {
            let detail = format!("if '*' is present, must not specify other {what}");
            faults.push(Fault::invalid(&path, rule[field].clone(), detail));
        }
        for (index, item) in items.iter().enumerate() {
            let path = path.index(index);
            match field {
                "operations" if !OPERATIONS.contains(item) => {
                    faults.push(Fault::not_supported(&path, *item, &OPERATIONS));
                }
                "apiVersions" if item.is_empty() => faults.push(Fault::required(&path, "")),
                _ => {}
            }
        }
    }
    resources(&texts("resources"), rule, path, faults);
    check::one_of(rule, "scope", &["*", "Cluster", "Namespaced"], path, faults);
}

fn resources(all: &[&str], rule: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("resources");
    if all.is_empty() {
        faults.push(Fault::required(&list, ""));
    }
    // Kinds of which all subresources are meant, and subresources meant of all kinds.
    let (mut kinds, mut subresources) = (Vec::new(), Vec::new());
    for (index, resource) in all.iter().enumerate() {
        let path = list.index(index);
        if resource.is_empty() {
            faults.push(Fault::required(&path, ""));
        }
        let Some((kind, subresource)) = resource.split_once('/') else { continue };
        if kinds.contains(&kind) {
            let detail = format!("if '{kind}/*' is present, must not specify {resource}");
            faults.push(Fault::invalid(&path, *resource, detail));
        }
        if subresources.contains(&subresource) {
            let detail = format!("if '*/{subresource}' is present, must not specify {resource}");
            faults.push(Fault::invalid(&path, *resource, detail));
        }
        if subresource == "*" {
            kinds.push(kind);
        }
        if kind == "*" {
            subresources.push(subresource);
        }
    }
    if all.len() > 1 && all.contains(&"*/*") {
        let detail = "if '*/*' is present, must not specify other resources";
        faults.push(Fault::invalid(&list, rule["resources"].clone(), detail));
    }
    // Of the kinds as such the last one decides, as in Kubernetes.
    let last = all.iter().rev().find(|resource| !resource.is_empty() && !resource.contains('/'));
    if all.contains(&"*") && last.is_some_and(|last| *last != "*") {
        let detail = "if '*' is present, must not specify other resources without subresources";
        faults.push(Fault::invalid(&list, rule["resources"].clone(), detail));
    }
}

fn match_conditions(object: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("matchConditions");
    let all = object.items("matchConditions");
    if all.len() > 64 {
        faults.push(Fault::too_many(&list, all.len(), 64));
    }
    for (index, condition) in all.iter().enumerate() {
        let path = list.index(index);
        if condition.text("expression").trim().is_empty() {
            faults.push(Fault::required(&path.child("expression"), ""));
        }
        check::required_text(condition, "name", names::qualified_name, &path, faults);
        let name = condition.text("name");
        if !name.is_empty() && all[..index].iter().any(|other| other.text("name") == name) {
            faults.push(Fault::duplicate(&path.child("name"), name));
        }
    }
}
