//! The kinds of `admissionregistration.k8s.io`: webhooks and policies that admit objects.

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::define;
use crate::check::{self, Faults};
use crate::definition::{Column, Definition};
use crate::look::Look;
use crate::rules::KindRules;
use crate::table;

const GROUP: &str = "admissionregistration.k8s.io";

/// The definitions of these kinds.
pub(super) fn definitions() -> Vec<Definition> {
    let webhooks = |kind| {
        define(GROUP, "v1", kind)
            .generation()
            .columns(vec![
                Column::NAME,
                Column::int("Webhooks", "The number of webhooks."),
                Column::AGE,
            ])
            .rules(Webhooks { mutating: kind.starts_with("Mutating") })
    };
    let policy = |kind, field: &'static str| {
        let heading = if field == "mutations" { "Mutations" } else { "Validations" };
        define(GROUP, "v1", kind)
            .generation()
            .columns(vec![
                Column::NAME,
                Column::int(heading, "The number of expressions."),
                Column::text("ParamKind", "The kind of the parameters."),
                Column::AGE,
            ])
            .rules(Policies { field })
    };
    let binding = |kind, actions| {
        define(GROUP, "v1", kind)
            .generation()
            .columns(vec![
                Column::NAME,
                Column::text("PolicyName", "The policy that is bound."),
                Column::text("ParamRef", "The parameters."),
                Column::AGE,
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

#[derive(Debug)]
struct Webhooks {
    mutating: bool,
}

impl KindRules for Webhooks {
    fn wants_changed(&self, new: &Value, old: &Value) -> bool {
        new.get("webhooks") != old.get("webhooks")
    }

    fn validate(&self, configuration: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let list = root.child("webhooks");
        let all = configuration.items("webhooks");
        for (index, webhook) in all.iter().enumerate() {
            let path = list.index(index);
            let name = webhook.text("name");
            qualified(name, &path.child("name"), faults);
            if all[..index].iter().any(|other| other.text("name") == name) {
                faults.push(Fault::duplicate(&path.child("name"), name));
            }
            self::webhook(webhook, self.mutating, &path, faults);
        }
    }

    fn row(&self, configuration: &Value, now: Timestamp) -> Vec<Value> {
        let count = configuration.items("webhooks").len();
        vec![table::name(configuration), count.into(), table::age(configuration, now)]
    }
}

/// Checks a name of at least three parts.
fn qualified(name: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    if name.is_empty() {
        faults.push(Fault::required(path, ""));
        return;
    }
    check::invalid(path, name, names::dns1123_subdomain(name), faults);
    if name.split('.').count() < 3 {
        let detail = "should be a domain with at least three segments separated by dots";
        faults.push(Fault::invalid(path, name, detail));
    }
}

fn webhook(webhook: &Value, mutating: bool, path: &FieldPath<'_>, faults: &mut Faults) {
    let versions = webhook.items("admissionReviewVersions");
    let at = path.child("admissionReviewVersions");
    if versions.is_empty() {
        faults.push(Fault::required(&at, "must specify one of v1, v1beta1"));
    } else {
        let texts: Vec<&str> = versions.iter().filter_map(Value::as_str).collect();
        for (index, version) in texts.iter().enumerate() {
            if texts[..index].contains(version) {
                let path = at.index(index);
                faults.push(Fault::invalid(&path, *version, "duplicate version"));
            }
            check::invalid(&at.index(index), *version, names::dns1035_label(version), faults);
        }
        if !texts.iter().any(|version| matches!(*version, "v1" | "v1beta1")) {
            let value = webhook["admissionReviewVersions"].clone();
            let detail = "must include at least one of v1, v1beta1";
            faults.push(Fault::invalid(&at, value, detail));
        }
    }
    rules(webhook, path, faults);
    check::one_of(webhook, "failurePolicy", &["Fail", "Ignore"], path, faults);
    check::one_of(webhook, "matchPolicy", &["Equivalent", "Exact"], path, faults);
    let effects = path.child("sideEffects");
    match webhook.text("sideEffects") {
        "" => faults.push(Fault::required(&effects, "must specify one of None, NoneOnDryRun")),
        "None" | "NoneOnDryRun" => {}
        other => faults.push(Fault::not_supported(&effects, other, &["None", "NoneOnDryRun"])),
    }
    if let Some(seconds) = webhook.int("timeoutSeconds")
        && !(1..=30).contains(&seconds)
    {
        let detail = "the timeout value must be between 1 and 30 seconds";
        faults.push(Fault::invalid(&path.child("timeoutSeconds"), seconds, detail));
    }
    if mutating {
        check::one_of(webhook, "reinvocationPolicy", &["IfNeeded", "Never"], path, faults);
    }
    client_config(&webhook["clientConfig"], &path.child("clientConfig"), faults);
    match_conditions(webhook, path, faults);
}

fn rules(webhook: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("rules");
    for (index, own) in webhook.items("rules").iter().enumerate() {
        rule(own, &list.index(index), faults);
    }
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

fn client_config(config: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let (url, service) = (config.text("url"), &config["service"]);
    if url.is_empty() != service.is_object() {
        faults.push(Fault::required(path, "exactly one of url or service is required"));
    }
    if !url.is_empty() {
        self::url(url, &path.child("url"), faults);
    }
    if service.is_object() {
        let path = path.child("service");
        check::required(service, "name", &path, faults);
        check::required(service, "namespace", &path, faults);
        if let Some(port) = service.int("port") {
            check::invalid(&path.child("port"), port, names::port_number(port), faults);
        }
        let own = service.text("path");
        let at = path.child("path");
        if !own.is_empty() && !own.starts_with('/') {
            faults.push(Fault::invalid(&at, own, "must start with a '/'"));
        } else if own.len() > 1 {
            let parts: Vec<&str> = own[1..].trim_end_matches('/').split('/').collect();
            for (index, part) in parts.iter().enumerate() {
                if part.is_empty() {
                    let detail = format!("segment[{index}] may not be empty");
                    faults.push(Fault::invalid(&at, own, detail));
                }
                for message in names::dns1123_subdomain(part) {
                    if !part.is_empty() {
                        let detail = format!("segment[{index}]: {message}");
                        faults.push(Fault::invalid(&at, own, detail));
                    }
                }
            }
        }
    }
}

fn url(url: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    const FORM: &str = "; desired format: https://host[/path]";
    let mut fault = |detail: String| faults.push(Fault::invalid(path, url, detail + FORM));
    let Some((scheme, rest)) = url.split_once("://") else {
        fault("url must be a valid URL".to_owned());
        return;
    };
    if scheme != "https" {
        fault("'https' is the only allowed URL scheme".to_owned());
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    if authority.is_empty() {
        fault("host must be specified".to_owned());
    }
    if authority.contains('@') {
        fault("user information is not permitted in the URL".to_owned());
    }
    if rest.contains('#') {
        fault("fragments are not permitted in the URL".to_owned());
    }
    if rest.contains('?') {
        fault("query parameters are not permitted in the URL".to_owned());
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

#[derive(Debug)]
struct Policies {
    /// What the policy consists of: `validations` or `mutations`.
    field: &'static str,
}

impl KindRules for Policies {
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

#[derive(Debug)]
struct Bindings {
    /// Whether the binding says what happens on a failed validation.
    actions: bool,
}

impl KindRules for Bindings {
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
