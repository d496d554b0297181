//! JSON to wire.

use serde_json::{Map, Value};

use super::MAX_DEPTH;
use super::wire::{FIXED64, put_bytes, put_int, put_tag};
use crate::scalar;
use crate::table::{Field, Message, SchemaChoice, Type};

/// Writes the fields of a message.
pub(super) fn message(
    bytes: &mut Vec<u8>,
    object: &Map<String, Value>,
    message: &'static Message,
    depth: usize,
) {
    if depth >= MAX_DEPTH {
        return;
    }
    let mut fields: Vec<(&'static Field, &Value)> = object
        .iter()
        .filter_map(|(key, value)| Some((message.field(key)?, value)))
        .filter(|(field, value)| field.number != 0 && !value.is_null())
        .collect();
    // In the order of the wire, members of one embedded message side by side.
    fields.sort_by(|(a, _), (b, _)| a.path().cmp(b.path()));
    embedded(bytes, &fields, 0, depth);
}

impl Field {
    /// The numbers that lead to the field, its own last.
    fn path(&self) -> impl Iterator<Item = u32> {
        self.via.iter().copied().chain([self.number])
    }
}

/// Writes fields that share the first `level` numbers of their paths.
fn embedded(bytes: &mut Vec<u8>, fields: &[(&'static Field, &Value)], level: usize, depth: usize) {
    let next = |field: &Field| field.via.get(level).copied();
    for group in fields.chunk_by(|(a, _), (b, _)| next(a).is_some() && next(a) == next(b)) {
        match group.first().and_then(|(field, _)| next(field)) {
            Some(number) => {
                let mut inner = Vec::new();
                embedded(&mut inner, group, level + 1, depth);
                put_bytes(bytes, number, &inner);
            }
            None => group.iter().for_each(|(field, value)| put_field(bytes, field, value, depth)),
        }
    }
}

fn put_field(bytes: &mut Vec<u8>, field: &'static Field, value: &Value, depth: usize) {
    match (field.ty, value) {
        (Type::List(item), Value::Array(list)) => {
            for value in list {
                put_value(bytes, field.number, *item, value, depth);
            }
        }
        (Type::Map(ty), Value::Object(map)) => {
            for (key, value) in map {
                let mut entry = Vec::new();
                put_bytes(&mut entry, 1, key.as_bytes());
                put_value(&mut entry, 2, *ty, value, depth);
                put_bytes(bytes, field.number, &entry);
            }
        }
        (ty, value) => put_value(bytes, field.number, ty, value, depth),
    }
}

fn put_value(bytes: &mut Vec<u8>, number: u32, ty: Type, value: &Value, depth: usize) {
    match (ty, value) {
        (Type::String, Value::String(text)) => put_bytes(bytes, number, text.as_bytes()),
        (Type::Bytes, Value::String(text)) => {
            if let Ok(decoded) = scalar::bytes(text) {
                put_bytes(bytes, number, &decoded);
            }
        }
        (Type::Bool, Value::Bool(value)) => put_int(bytes, number, i64::from(*value)),
        (Type::Int32 | Type::Int64, Value::Number(value)) => {
            if let Some(value) = value.as_i64() {
                put_int(bytes, number, value);
            }
        }
        (Type::Double, Value::Number(value)) => {
            put_tag(bytes, number, FIXED64);
            let bits = value.as_f64().unwrap_or_default().to_bits();
            bytes.extend_from_slice(&bits.to_le_bytes());
        }
        (Type::Time | Type::MicroTime, Value::String(text)) => {
            if let Some(time) = wk_api::parse_time(text) {
                let mut inner = Vec::new();
                put_int(&mut inner, 1, time.as_second());
                put_int(&mut inner, 2, i64::from(time.subsec_nanosecond()));
                put_bytes(bytes, number, &inner);
            }
        }
        (Type::Duration, Value::String(text)) => {
            let mut inner = Vec::new();
            put_int(&mut inner, 1, scalar::duration(text).unwrap_or_default());
            put_bytes(bytes, number, &inner);
        }
        (Type::Quantity, Value::String(text)) => {
            let mut inner = Vec::new();
            put_bytes(&mut inner, 1, text.as_bytes());
            put_bytes(bytes, number, &inner);
        }
        (Type::IntOrString, value) => {
            let mut inner = Vec::new();
            put_int(&mut inner, 1, i64::from(value.is_string()));
            put_int(&mut inner, 2, value.as_i64().unwrap_or_default());
            put_bytes(&mut inner, 3, value.as_str().unwrap_or_default().as_bytes());
            put_bytes(bytes, number, &inner);
        }
        (Type::Any, value) => {
            let mut inner = Vec::new();
            put_bytes(&mut inner, 1, value.to_string().as_bytes());
            put_bytes(bytes, number, &inner);
        }
        (Type::Message(inner_type), Value::Object(object)) => {
            let mut inner = Vec::new();
            message(&mut inner, object, inner_type, depth + 1);
            put_bytes(bytes, number, &inner);
        }
        (Type::List(item), Value::Array(list)) => {
            let mut inner = Vec::new();
            for value in list {
                put_value(&mut inner, 1, *item, value, depth + 1);
            }
            put_bytes(bytes, number, &inner);
        }
        (Type::SchemaOr(choice), value) => put_schema_or(bytes, number, choice, value, depth),
        _ => {}
    }
}

fn put_schema_or(
    bytes: &mut Vec<u8>,
    number: u32,
    choice: SchemaChoice,
    value: &Value,
    depth: usize,
) {
    let schema_type = crate::decode::schema_type();
    let mut inner = Vec::new();
    match (choice, value) {
        (SchemaChoice::Bool, Value::Bool(allows)) => put_int(&mut inner, 1, i64::from(*allows)),
        (SchemaChoice::Bool, schema) => {
            put_int(&mut inner, 1, 1);
            put_value(&mut inner, 2, schema_type, schema, depth + 1);
        }
        (SchemaChoice::Schemas, Value::Array(schemas)) => {
            for schema in schemas {
                put_value(&mut inner, 2, schema_type, schema, depth + 1);
            }
        }
        (SchemaChoice::Strings, Value::Array(names)) => {
            for name in names {
                put_value(&mut inner, 2, Type::String, name, depth);
            }
        }
        (SchemaChoice::Schemas | SchemaChoice::Strings, schema) => {
            put_value(&mut inner, 1, schema_type, schema, depth + 1);
        }
    }
    put_bytes(bytes, number, &inner);
}
