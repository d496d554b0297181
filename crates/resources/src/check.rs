//! Small checks that many rules share.

use serde_json::Value;
use wk_api::{Fault, FieldPath, Quantity, names};

use crate::look::Look;

/// Faults being collected.
pub(crate) type Faults = Vec<Fault>;

/// One `Invalid` fault per message about a value.
pub(crate) fn invalid(
    path: &FieldPath<'_>,
    value: impl Into<Value>,
    messages: Vec<String>,
    faults: &mut Faults,
) {
    if messages.is_empty() {
        return;
    }
    let value = value.into();
    faults.extend(messages.into_iter().map(|message| Fault::invalid(path, value.clone(), message)));
}

/// A text in a field follows a rule; an absent or empty one is not looked at.
pub(crate) fn text(
    object: &Value,
    field: &str,
    rule: fn(&str) -> Vec<String>,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    let value = object.text(field);
    if !value.is_empty() {
        invalid(&path.child(field), value, rule(value), faults);
    }
}

/// A text in a field is there.
pub(crate) fn required(object: &Value, field: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    if object.lacks(field) {
        faults.push(Fault::required(&path.child(field), ""));
    }
}

/// A text in a field is there and follows a rule.
pub(crate) fn required_text(
    object: &Value,
    field: &str,
    rule: fn(&str) -> Vec<String>,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    required(object, field, path, faults);
    text(object, field, rule, path, faults);
}

/// A text in a field, if it is there, is one of a fixed set.
pub(crate) fn one_of(
    object: &Value,
    field: &str,
    supported: &[&str],
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    let value = object.text(field);
    if object.has(field) && !supported.contains(&value) {
        faults.push(Fault::not_supported(&path.child(field), value, supported));
    }
}

/// A text in a field is there and one of a fixed set.
pub(crate) fn required_one_of(
    object: &Value,
    field: &str,
    supported: &[&str],
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    if object.lacks(field) {
        faults.push(Fault::required(&path.child(field), ""));
    } else {
        one_of(object, field, supported, path, faults);
    }
}

/// A number in a field, if it is there, is in a range.
pub(crate) fn in_range(
    object: &Value,
    field: &str,
    min: i64,
    max: i64,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    if let Some(number) = object.int(field)
        && !(min..=max).contains(&number)
    {
        faults.push(Fault::invalid(&path.child(field), number, names::between(min, max)));
    }
}

/// A number in a field, if it is there, is above zero.
pub(crate) fn positive(object: &Value, field: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    if let Some(number) = object.int(field)
        && number <= 0
    {
        faults.push(Fault::invalid(&path.child(field), number, "must be greater than zero"));
    }
}

/// A value is wrong that is not worth showing.
pub(crate) fn unshown(path: &FieldPath<'_>, detail: impl Into<String>, faults: &mut Faults) {
    let mut fault = Fault::invalid(path, Value::Null, detail);
    fault.bad_value = None;
    faults.push(fault);
}

/// A port, by number or by name.
pub(crate) fn port(port: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    match port {
        Value::String(name) => invalid(path, name.as_str(), names::port_name(name), faults),
        other => {
            let number = other.as_i64().unwrap_or(0);
            invalid(path, number, names::port_number(number), faults);
        }
    }
}

/// A name is like `example.com/manager`.
pub(crate) fn domain_path(name: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    if name.is_empty() {
        faults.push(Fault::required(path, ""));
        return;
    }
    let split =
        name.split_once('/').filter(|(domain, rest)| !domain.is_empty() && !rest.is_empty());
    let Some((domain, rest)) = split else {
        let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        faults.push(Fault::invalid(path, name, detail));
        return;
    };
    invalid(path, domain, names::dns1123_subdomain(domain), faults);
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&b);
    if !rest.bytes().all(allowed) {
        let detail = names::regex("Invalid path", "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+", &[]);
        faults.push(Fault::invalid(path, rest, detail));
    }
}

/// A path that goes nowhere above where it starts.
pub(crate) fn no_backsteps(value: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    if value.split('/').any(|part| part == "..") {
        faults.push(Fault::invalid(path, value, "must not contain '..'"));
    }
}

/// A relative path that goes nowhere above where it starts.
pub(crate) fn descending_path(value: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    if value.starts_with('/') {
        faults.push(Fault::invalid(path, value, "must be a relative path"));
    }
    no_backsteps(value, path, faults);
}

/// A descending path that does not start with two dots, which volumes keep for themselves.
pub(crate) fn unreserved_path(value: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    descending_path(value, path, faults);
    // What goes upwards has been told.
    if value.starts_with("..") && !value.starts_with("../") {
        faults.push(Fault::invalid(path, value, "must not start with '..'"));
    }
}

/// The quantity in a field.
pub(crate) fn quantity(object: &Value, field: &str) -> Option<Quantity> {
    quantity_of(object.get(field)?)
}

/// The quantity that a value is.
pub(crate) fn quantity_of(value: &Value) -> Option<Quantity> {
    match value {
        Value::String(text) => Quantity::parse(text).ok(),
        Value::Number(number) => Quantity::parse(&number.to_string()).ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The most bytes of the reason and of the message of a condition.
const REASON_MAX: usize = 1024;
const MESSAGE_MAX: usize = 32 << 10;

/// Conditions of the form that newer kinds share.
pub(crate) fn conditions(all: &[Value], list: &FieldPath<'_>, faults: &mut Faults) {
    for (index, condition) in all.iter().enumerate() {
        let path = list.index(index);
        let kind = condition.text("type");
        if all[..index].iter().any(|other| other.text("type") == kind) {
            faults.push(Fault::duplicate(&path.child("type"), kind));
        }
        invalid(&path.child("type"), kind, names::qualified_name(kind), faults);
        let statuses = ["False", "True", "Unknown"];
        if !statuses.contains(&condition.text("status")) {
            let status = condition.text("status");
            faults.push(Fault::not_supported(&path.child("status"), status, &statuses));
        }
        let generation = condition.int("observedGeneration").unwrap_or(0);
        if generation < 0 {
            let detail = "must be greater than or equal to zero";
            faults.push(Fault::invalid(&path.child("observedGeneration"), generation, detail));
        }
        required(condition, "lastTransitionTime", &path, faults);
        required(condition, "reason", &path, faults);
        let reason = condition.text("reason");
        if !reason.is_empty() && !is_reason(reason) {
            let words = "a condition reason must start with alphabetic character, optionally \
                         followed by a string of alphanumeric characters or '_,:', and must end \
                         with an alphanumeric character or '_'";
            let examples = ["my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB"];
            let pattern = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?";
            let detail = names::regex(words, pattern, &examples);
            faults.push(Fault::invalid(&path.child("reason"), reason, detail));
        }
        for (field, max) in [("reason", REASON_MAX), ("message", MESSAGE_MAX)] {
            if condition.text(field).len() > max {
                faults.push(Fault::too_long(&path.child(field), max));
            }
        }
    }
}

fn is_reason(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_,:".contains(&b))
        && text.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
}
