//! Policies of expressions, and what binds them to objects.

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::{match_conditions, rule};
use crate::check::{self, Faults};
use crate::definition::no_metadata_of_status;
use crate::look::Look;
use crate::rules::KindRules;
use crate::table;

/// The rules of both kinds of policies.
#[derive(Debug)]
pub(super) struct Policies {
    /// What the policy consists of: `validations` or `mutations`.
    pub(super) field: &'static str,
}

impl KindRules for Policies {
    fn replaces_any_revision(&self) -> bool {
        false
    }

    fn status_metadata(&self, kept: &mut Value, sent: &Value) {
        no_metadata_of_status(kept, sent);
    }

    fn validate(&self, policy: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &policy["spec"];
        check::required_one_of(spec, "failurePolicy", &["Fail", "Ignore"], &path, faults);
        let kind = &spec["paramKind"];
        if kind.is_object() {
            let path = path.child("paramKind");
            check::required(kind, "apiVersion", &path, faults);
            check::required(kind, "kind", &path, faults);
        }
        let constraints = &spec["matchConstraints"];
        let at = path.child("matchConstraints");
        if constraints.is_object() {
            match_resources(constraints, &at, faults);
            if constraints.lacks("resourceRules") {
                faults.push(Fault::required(&at.child("resourceRules"), ""));
            }
        } else {
            faults.push(Fault::required(&at, ""));
        }
        match_conditions(spec, &path, faults);
        variables(spec, &path, faults);
        if self.field == "mutations" {
            mutations(spec, &path, faults);
        } else {
            validations(spec, &path, faults);
        }
    }

    fn row(&self, policy: &Value, now: Timestamp) -> Vec<Value> {
        let spec = &policy["spec"];
        let kind = &spec["paramKind"];
        let kind = if kind.is_object() {
            format!("{}/{}", kind.text("apiVersion"), kind.text("kind"))
        } else {
            "<unset>".to_owned()
        };
        let count = spec.items(self.field).len();
        vec![table::name(policy), count.into(), kind.into(), table::age(policy, now)]
    }
}

fn match_resources(resources: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    check::required_one_of(resources, "matchPolicy", &["Equivalent", "Exact"], path, faults);
    for field in ["resourceRules", "excludeResourceRules"] {
        let list = path.child(field);
        for (index, own) in resources.items(field).iter().enumerate() {
            rule(own, &list.index(index), faults);
        }
    }
}

fn variables(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("variables");
    for (index, variable) in spec.items("variables").iter().enumerate() {
        let path = list.index(index);
        check::required(variable, "name", &path, faults);
        check::required(variable, "expression", &path, faults);
    }
}

fn validations(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    if spec.lacks("validations") && spec.lacks("auditAnnotations") {
        let detail = "validations or auditAnnotations must be specified";
        faults.push(Fault::required(&path.child("validations"), detail));
        faults.push(Fault::required(&path.child("auditAnnotations"), detail));
    }
    let list = path.child("validations");
    for (index, validation) in spec.items("validations").iter().enumerate() {
        let path = list.index(index);
        if validation.text("expression").trim().is_empty() {
            let detail = "expression is not specified";
            faults.push(Fault::required(&path.child("expression"), detail));
        }
        if validation.text("message").contains('\n') {
            let detail = "message must not contain line breaks";
            faults.push(Fault::invalid(&path.child("message"), validation.text("message"), detail));
        }
        let reasons = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"];
        check::one_of(validation, "reason", &reasons, &path, faults);
    }
    let list = path.child("auditAnnotations");
    let all = spec.items("auditAnnotations");
    if all.len() > 20 {
        faults.push(Fault::too_many(&list, all.len(), 20));
    }
    for (index, annotation) in all.iter().enumerate() {
        let path = list.index(index);
        check::required_text(annotation, "key", names::qualified_name, &path, faults);
        check::required(annotation, "valueExpression", &path, faults);
    }
}

fn mutations(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("mutations");
    if spec.lacks("mutations") {
        faults.push(Fault::required(&list, "mutations must contain at least one item"));
    }
    let policies = ["IfNeeded", "Never"];
    check::required_one_of(spec, "reinvocationPolicy", &policies, path, faults);
    for (index, mutation) in spec.items("mutations").iter().enumerate() {
        let path = list.index(index);
        let (wanted, other) = match mutation.text("patchType") {
            "ApplyConfiguration" => ("applyConfiguration", "jsonPatch"),
            "JSONPatch" => ("jsonPatch", "applyConfiguration"),
            "" => {
                faults.push(Fault::required(&path.child("patchType"), ""));
                continue;
            }
            unknown => {
                let supported = ["ApplyConfiguration", "JSONPatch"];
                faults.push(Fault::not_supported(&path.child("patchType"), unknown, &supported));
                continue;
            }
        };
        let at = path.child(wanted);
        if mutation[wanted].is_object() {
            check::required(&mutation[wanted], "expression", &at, faults);
        } else {
            let kind = mutation.text("patchType");
            let detail = format!("must be specified when patchType is {kind}");
            faults.push(Fault::required(&at, detail));
        }
        if mutation.has(other) {
            let kind = mutation.text("patchType");
            let detail = format!("must not be specified when patchType is {kind}");
            faults.push(Fault::invalid(&path.child(other), mutation[other].clone(), detail));
        }
    }
}

/// The rules of both kinds of bindings.
#[derive(Debug)]
pub(super) struct Bindings {
    /// Whether the binding says what happens on a failed validation.
    pub(super) actions: bool,
}

impl KindRules for Bindings {
    fn replaces_any_revision(&self) -> bool {
        false
    }

    fn validate(&self, binding: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &binding["spec"];
        check::required_text(spec, "policyName", names::dns1123_subdomain, &path, faults);
        param_ref(&spec["paramRef"], &path.child("paramRef"), faults);
        if spec["matchResources"].is_object() {
            match_resources(&spec["matchResources"], &path.child("matchResources"), faults);
        }
        if self.actions {
            actions(spec, &path.child("validationActions"), faults);
        }
    }

    fn row(&self, binding: &Value, now: Timestamp) -> Vec<Value> {
        let spec = &binding["spec"];
        let parameters = &spec["paramRef"];
        let shown = if parameters.is_object() {
            let name = if parameters.lacks("name") { "*" } else { parameters.text("name") };
            let namespace =
                if parameters.lacks("namespace") { "*" } else { parameters.text("namespace") };
            format!("{namespace}/{name}")
        } else {
            "<unset>".to_owned()
        };
        vec![
            table::name(binding),
            spec.text("policyName").into(),
            shown.into(),
            table::age(binding, now),
        ]
    }
}

fn param_ref(parameters: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    if !parameters.is_object() {
        return;
    }
    check::text(parameters, "name", names::path_segment, path, faults);
    match (parameters.lacks("name"), parameters.has("selector")) {
        (true, false) => {
            let detail = "one of name or selector must be specified";
            faults.push(Fault::required(path, detail));
        }
        (false, true) => {
            let detail = "name and selector are mutually exclusive";
            faults.push(Fault::forbidden(&path.child("name"), detail));
        }
        _ => {}
    }
    let found = ["Allow", "Deny"];
    check::required_one_of(parameters, "parameterNotFoundAction", &found, path, faults);
}

fn actions(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let all: Vec<&str> = spec.items("validationActions").iter().filter_map(Value::as_str).collect();
    if all.is_empty() {
        faults.push(Fault::required(path, "at least one validation action is required"));
    }
    for (index, action) in all.iter().enumerate() {
        let supported = ["Audit", "Deny", "Warn"];
        if !supported.contains(action) {
            faults.push(Fault::not_supported(&path.index(index), *action, &supported));
        }
        if all[..index].contains(action) {
            faults.push(Fault::duplicate(&path.index(index), *action));
        }
    }
    if all.contains(&"Deny") && all.contains(&"Warn") {
        let detail = "must not contain both Deny and Warn (repeating the same validation failure \
                      information in the API response and headers serves no purpose)";
        faults.push(Fault::invalid(path, spec["validationActions"].clone(), detail));
    }
}
