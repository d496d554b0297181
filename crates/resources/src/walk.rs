//! Walks an object along its schema and applies the rules of every message it meets.
//!
//! Rules belong to message types and not to kinds, so that a pod specification is defaulted and checked by
//! the same lines in a pod, a deployment and a cron job.

use serde_json::{Map, Value};
use wk_api::{Fault, FieldPath, Quantity};
use wk_schema::{Field, Message, Presence, Type};

use crate::look::is_empty;
use crate::types;

/// What is done wherever a message occurs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TypeRule {
    /// Fields whose zero value (`""`, `0`, `false`) is the same as absent, and is removed.
    ///
    /// In Kubernetes these are the fields that are no pointers: it cannot tell the two apart, so
    /// what it gives back never holds the zero.
    pub(crate) zeros: &'static [&'static str],
    /// Fills in what is absent. Parents come before children.
    pub(crate) default: fn(&mut Map<String, Value>),
    /// Collects faults.
    pub(crate) validate: fn(&Value, &FieldPath<'_>, &mut Vec<Fault>),
    /// What is checked in the place of a field that others complete; `None` is the field itself.
    pub(crate) completed: fn(&Map<String, Value>, &str) -> Option<Value>,
}

impl TypeRule {
    /// Does nothing; the start of every rule.
    pub(crate) const NONE: Self =
        Self { zeros: &[], default: |_| {}, validate: |_, _, _| {}, completed: |_, _| None };
}

/// Normalises an object and fills in its defaults; doing it twice changes nothing more.
///
/// Empty lists and maps, `null` and meaningless zeros go away, as they do when Kubernetes reads and
/// writes an object.
pub(crate) fn default(object: &mut Value, message: &'static Message) {
    let Value::Object(map) = object else { return };
    let rule = types::rule(message);
    map.retain(|key, value| match message.field(key) {
        None => true,
        Some(field) => match (field.ty, &*value) {
            (_, Value::Null) => false,
            // The decoder keeps what a structure must have; empty is then a value.
            (Type::List(_) | Type::Map(_) | Type::Bytes, value) => {
                field.required || !is_empty(value)
            }
            (_, value) => !(is_zero(value) && rule.zeros.contains(&key.as_str())),
        },
    });
    (rule.default)(map);
    for field in message.fields {
        if let Some(json) = field.default
            && !map.contains_key(field.json)
            && let Ok(value) = serde_json::from_str::<Value>(json)
            && !is_zero(&value)
        {
            map.insert(field.json.to_owned(), value);
        }
    }
    for (key, value) in map {
        if let Some(field) = message.field(key) {
            default_typed(value, field.ty);
        }
    }
}

fn default_typed(value: &mut Value, ty: Type) {
    match (ty, value) {
        (Type::Message(message), value) => default(value, message),
        (Type::List(item), Value::Array(items)) => {
            for value in items {
                default_typed(value, *item);
            }
        }
        (Type::Map(Type::Quantity), Value::Object(amounts)) => {
            amounts.values_mut().for_each(round);
        }
        (Type::Map(item), Value::Object(entries)) => {
            for value in entries.values_mut() {
                default_typed(value, *item);
            }
        }
        _ => {}
    }
}

/// Rounds an amount of a resource up to thousandths, the finest that there are.
fn round(value: &mut Value) {
    let Some(amount) = value.as_str().and_then(|text| Quantity::parse(text).ok()) else { return };
    let rounded = Quantity::from_milli(amount.milli());
    if rounded != amount && amount.milli() != i64::MAX {
        *value = rounded.with_format(amount.format()).to_string().into();
    }
}

/// Writes `null` where Go writes it for what is not there: for lists and maps that it never leaves out,
/// and for times that are no pointers.
pub(crate) fn put_nulls(object: &mut Value, message: &'static Message) {
    let Value::Object(map) = object else { return };
    for field in message.fields {
        match map.get_mut(field.json) {
            Some(value) => put_nulls_typed(value, field.ty),
            None if is_null(field) => {
                map.insert(field.json.to_owned(), Value::Null);
            }
            None => {}
        }
    }
}

fn put_nulls_typed(value: &mut Value, ty: Type) {
    match (ty, value) {
        (Type::Message(message), value) => put_nulls(value, message),
        (Type::List(item), Value::Array(items)) if item.message().is_some() => {
            for value in items {
                put_nulls_typed(value, *item);
            }
        }
        (Type::Map(item), Value::Object(entries)) if item.message().is_some() => {
            for value in entries.values_mut() {
                put_nulls_typed(value, *item);
            }
        }
        _ => {}
    }
}

/// Whether Go writes `null` for the field when it is not there.
fn is_null(field: &Field) -> bool {
    match (field.ty, field.presence) {
        // Of all times this one alone is left out when it is zero.
        (Type::Time | Type::MicroTime, Presence::OmitEmpty | Presence::Always) => {
            field.json != "creationTimestamp"
        }
        (Type::List(_) | Type::Map(_), Presence::Always) => true,
        _ => false,
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Null => true,
        Value::Array(_) | Value::Object(_) => false,
    }
}

/// Collects the faults of everything in `object`, parents before children.
pub(crate) fn validate(
    object: &Value,
    message: &'static Message,
    path: &FieldPath<'_>,
    faults: &mut Vec<Fault>,
) {
    let Value::Object(map) = object else { return };
    let rule = types::rule(message);
    (rule.validate)(object, path, faults);
    for (key, value) in map {
        if let Some(field) = message.field(key) {
            let completed = (rule.completed)(map, key);
            let value = completed.as_ref().unwrap_or(value);
            validate_typed(value, field.ty, &path.child(key), faults);
        }
    }
}

fn validate_typed(value: &Value, ty: Type, path: &FieldPath<'_>, faults: &mut Vec<Fault>) {
    match (ty, value) {
        (Type::Message(message), value) => validate(value, message, path, faults),
        (Type::List(item), Value::Array(items)) if item.message().is_some() => {
            for (index, value) in items.iter().enumerate() {
                validate_typed(value, *item, &path.index(index), faults);
            }
        }
        (Type::Map(item), Value::Object(entries)) if item.message().is_some() => {
            for (key, value) in entries {
                validate_typed(value, *item, &path.key(key), faults);
            }
        }
        _ => {}
    }
}
