//! Policies of expressions, and what binds them to objects.
//!
//! Expressions are taken as they are: nothing here runs them, and so nothing here compiles them.

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::{match_conditions, rule};
use crate::check::{self, Faults};
use crate::definition::no_metadata_of_status;
use crate::look::Look;
use crate::rules::{KindRules, Update};
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
        let mutates = self.field == "mutations";
        check::required_one_of(spec, "failurePolicy", &["Fail", "Ignore"], &path, faults);
        if spec["paramKind"].is_object() {
            param_kind(&spec["paramKind"], &path.child("paramKind"), faults);
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
        if mutates {
            mutations(spec, &path, faults);
        } else {
            validations(policy, &path, faults);
        }
    }

    fn validate_update(&self, new: &Value, _old: &Value, update: Update, faults: &mut Faults) {
        if update == Update::Status {
            let root = FieldPath::Root;
            status(&new["status"], &root.child("status"), faults);
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

/// Checks the kind of parameters.
fn param_kind(kind: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let version = kind.text("apiVersion");
    let at = path.child("apiVersion");
    let parts: Vec<&str> = version.split('/').collect();
    match parts[..] {
        _ if version.is_empty() => faults.push(Fault::required(&at, "")),
        ["", ""] => faults.push(Fault::invalid(&at, version, "version must be specified")),
        [number] => group_version("", number, version, &at, faults),
        [group, number] => group_version(group, number, version, &at, faults),
        _ => {
            let detail = format!("unexpected GroupVersion string: {version}");
            faults.push(Fault::invalid(&at, version, detail));
        }
    }
    let name = kind.text("kind");
    let messages = names::dns1035_label(&name.to_lowercase());
    if name.is_empty() {
        faults.push(Fault::required(&path.child("kind"), ""));
    } else if !messages.is_empty() {
        let detail = "may have mixed case, but should otherwise match: ".to_owned();
        faults.push(Fault::invalid(&path.child("kind"), name, detail + &messages.join(",")));
    }
}

fn group_version(
    group: &str,
    number: &str,
    whole: &str,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    if !group.is_empty() {
        joined(path, group, &names::dns1123_subdomain(group), faults);
    }
    if number.is_empty() {
        faults.push(Fault::invalid(path, whole, "version must be specified"));
    } else {
        joined(path, number, &names::dns1035_label(number), faults);
    }
}

/// One fault of all messages about a value.
fn joined(path: &FieldPath<'_>, value: &str, messages: &[String], faults: &mut Faults) {
    if !messages.is_empty() {
        faults.push(Fault::invalid(path, value, messages.join(",")));
    }
}

/// Checks the status: what expressions were warned of, and conditions.
fn status(status: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("typeChecking.expressionWarnings");
    for (index, warning) in status["typeChecking"].items("expressionWarnings").iter().enumerate() {
        let path = list.index(index);
        check::required(warning, "warning", &path, faults);
        if warning.text("fieldRef").trim().is_empty() {
            faults.push(Fault::required(&path.child("fieldRef"), ""));
        }
    }
    check::conditions(status.items("conditions"), &path.child("conditions"), faults);
}

fn match_resources(resources: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    check::required_one_of(resources, "matchPolicy", &["Equivalent", "Exact"], path, faults);
    for field in ["resourceRules", "excludeResourceRules"] {
        let list = path.child(field);
        for (index, own) in resources.items(field).iter().enumerate() {
            let path = list.index(index);
            let all = own.items("resourceNames");
            let list = path.child("resourceNames");
            for (index, name) in all.iter().enumerate() {
                let (text, path) = (name.as_str().unwrap_or_default(), list.index(index));
                check::invalid(&path, text, names::path_segment(text), faults);
                if all[..index].contains(name) {
                    faults.push(Fault::duplicate(&path, text));
                }
            }
            rule(own, &path, faults);
        }
    }
}

/// Words that expressions keep for themselves.
const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !RESERVED.contains(&name)
}

/// An expression in a field says something.
fn expressed(object: &Value, field: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    if object.text(field).trim().is_empty() {
        faults.push(Fault::required(&path.child(field), format!("{field} is not specified")));
    }
}

fn variables(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("variables");
    for (index, variable) in spec.items("variables").iter().enumerate() {
        let path = list.index(index);
        let name = variable.text("name");
        expressed(variable, "name", &path, faults);
        if !name.trim().is_empty() && !is_identifier(name) {
            let detail = "name is not a valid CEL identifier";
            faults.push(Fault::invalid(&path.child("name"), name, detail));
        }
        expressed(variable, "expression", &path, faults);
    }
}

fn validations(policy: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let spec = &policy["spec"];
    if spec.lacks("validations") && spec.lacks("auditAnnotations") {
        let detail = "validations or auditAnnotations must contain at least one item";
        faults.push(Fault::required(&path.child("validations"), detail));
        faults.push(Fault::required(&path.child("auditAnnotations"), detail));
    }
    let list = path.child("validations");
    for (index, validation) in spec.items("validations").iter().enumerate() {
        let path = list.index(index);
        expressed(validation, "expression", &path, faults);
        let expression = validation.text("messageExpression");
        if !expression.is_empty() && expression.trim().is_empty() {
            let detail = "must be non-empty if specified";
            faults.push(Fault::invalid(&path.child("messageExpression"), expression, detail));
        }
        let (message, at) = (validation.text("message"), path.child("message"));
        if !message.is_empty() && message.trim().is_empty() {
            faults.push(Fault::invalid(&at, message, "message must be non-empty if specified"));
        } else if message.trim().contains(['\n', '\r']) {
            faults.push(Fault::invalid(&at, message, "message must not contain line breaks"));
        }
        let reasons = ["Forbidden", "Invalid", "RequestEntityTooLarge"];
        check::one_of(validation, "reason", &reasons, &path, faults);
    }
    annotations(policy, &path.child("auditAnnotations"), faults);
}

/// The most annotations that one policy gives, and bytes of an expression for one.
const MAX_ANNOTATIONS: usize = 20;
const MAX_ANNOTATION_BYTES: usize = 5 << 10;

fn annotations(policy: &Value, list: &FieldPath<'_>, faults: &mut Faults) {
    let all = policy["spec"].items("auditAnnotations");
    let name = policy["metadata"].text("name");
    if all.len() > MAX_ANNOTATIONS {
        let value = policy["spec"]["auditAnnotations"].clone();
        let detail = format!("must not have more than {MAX_ANNOTATIONS} auditAnnotations");
        faults.push(Fault::invalid(list, value, detail));
    }
    for (index, annotation) in all.iter().enumerate() {
        let path = list.index(index);
        let (key, at) = (annotation.text("key"), path.child("key"));
        if name.is_empty() {
            faults.push(Fault::invalid(&at, key, "requires metadata.name be non-empty"));
        } else {
            // As such the annotation appears in the audit log.
            let whole = format!("{name}/{key}");
            let messages = names::qualified_name(&whole);
            check::invalid(&at, whole, messages, faults);
        }
        expressed(annotation, "valueExpression", &path, faults);
        if annotation.text("valueExpression").trim().len() > MAX_ANNOTATION_BYTES {
            let detail = format!("must not exceed {MAX_ANNOTATION_BYTES} bytes in length");
            faults.push(Fault::required(&path.child("valueExpression"), detail));
        }
        if all[..index].iter().any(|other| other.text("key") == key) {
            faults.push(Fault::duplicate(&at, key));
        }
    }
}

fn mutations(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("mutations");
    if spec.lacks("mutations") {
        faults.push(Fault::required(&list, "mutations must contain at least one item"));
    }
    for (index, mutation) in spec.items("mutations").iter().enumerate() {
        self::mutation(mutation, &list.index(index), faults);
    }
    let policies = ["IfNeeded", "Never"];
    check::required_one_of(spec, "reinvocationPolicy", &policies, path, faults);
}

fn mutation(mutation: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let kind = mutation.text("patchType");
    let (wanted, other) = match kind {
        "ApplyConfiguration" => ("applyConfiguration", "jsonPatch"),
        "JSONPatch" => ("jsonPatch", "applyConfiguration"),
        "" => {
            faults.push(Fault::required(&path.child("patchType"), ""));
            return;
        }
        unknown => {
            let supported = ["ApplyConfiguration", "JSONPatch"];
            faults.push(Fault::not_supported(&path.child("patchType"), unknown, &supported));
            return;
        }
    };
    let at = path.child(wanted);
    if !mutation[wanted].is_object() {
        let detail = format!("must be specified when patchType is {kind}");
        faults.push(Fault::required(&at, detail));
    } else if mutation[wanted].text("expression").trim().is_empty() {
        faults.push(Fault::required(&at.child("expression"), ""));
    }
    if mutation.has(other) {
        // What it is is not shown.
        let shown = format!("{{{other}}}");
        let detail = format!("must not be specified when patchType is {kind}");
        faults.push(Fault::invalid(&path.child(other), shown, detail));
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
            for field in ["name", "selector"] {
                let detail = "name and selector are mutually exclusive";
                faults.push(Fault::forbidden(&path.child(field), detail));
            }
        }
        (true, true) | (false, false) => {}
    }
    let found = ["Deny", "Allow"];
    check::required_one_of(parameters, "parameterNotFoundAction", &found, path, faults);
}

fn actions(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let all: Vec<&str> = spec.items("validationActions").iter().filter_map(Value::as_str).collect();
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
    if all.is_empty() {
        faults.push(Fault::required(path, "at least one validation action is required"));
    }
}
