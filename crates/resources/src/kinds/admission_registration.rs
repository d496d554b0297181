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

fn rule(rule: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let texts =
        |field: &str| rule.items(field).iter().filter_map(Value::as_str).collect::<Vec<_>>();
    for (field, what) in
        [("operations", "operations"), ("apiGroups", "groups"), ("apiVersions", "versions")]
    {
        let items = texts(field);
        if items.is_empty() {
            faults.push(Fault::required(&path.child(field), ""));
        } else if items.len() > 1 && items.contains(&"*") {
            let detail = match field {
                "operations" => "if '*' is present, must not specify other operations".to_owned(),
                _ => format!("if '*' is present, must not specify other API {what}"),
            };
            faults.push(Fault::invalid(&path.child(field), rule[field].clone(), detail));
        }
    }
    let operations = path.child("operations");
    for (index, operation) in texts("operations").iter().enumerate() {
        let supported = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
        if !supported.contains(operation) {
            faults.push(Fault::not_supported(&operations.index(index), *operation, &supported));
        }
    }
    let versions = path.child("apiVersions");
    for (index, version) in texts("apiVersions").iter().enumerate() {
        if version.is_empty() {
            faults.push(Fault::required(&versions.index(index), ""));
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
    for (index, resource) in all.iter().enumerate() {
        if resource.is_empty() {
            faults.push(Fault::required(&list.index(index), ""));
        }
        if let Some((kind, "*")) = resource.split_once('/')
            && all.iter().any(|own| own.split_once('/').is_some_and(|o| o.0 == kind && o.1 != "*"))
        {
            let detail = format!("if '{resource}' is present, must not specify {kind}/X");
            faults.push(Fault::invalid(&list.index(index), *resource, detail));
        }
    }
    if all.len() > 1 && all.contains(&"*/*") {
        let detail = "if '*/*' is present, must not specify other resources";
        faults.push(Fault::invalid(&list, rule["resources"].clone(), detail));
    }
    if all.contains(&"*") && all.iter().any(|own| *own != "*" && !own.contains('/')) {
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
        check::required(condition, "expression", &path, faults);
        check::required_text(condition, "name", names::qualified_name, &path, faults);
        let name = condition.text("name");
        if all[..index].iter().any(|other| other.text("name") == name) {
            faults.push(Fault::duplicate(&path.child("name"), name));
        }
    }
}
