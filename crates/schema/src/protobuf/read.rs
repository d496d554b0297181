//! Wire to JSON.

use serde_json::{Map, Number, Value};

use super::wire::{Fields, Wire, varint};
use super::{MAX_DEPTH, ProtobufError, envelope};
use crate::scalar;
use crate::table::{Field, Message, SchemaChoice, Type};

type Object = Map<String, Value>;

/// Reads a message; `depth` counts the messages around it.
pub(super) fn message(
    bytes: &[u8],
    message: &'static Message,
    depth: usize,
) -> Result<Object, ProtobufError> {
    let mut object = Object::new();
    embedded(bytes, message, &mut Vec::new(), &mut object, depth)?;
    object.retain(|key, value| !message.field(key).is_some_and(|field| field.is_absence(value)));
    Ok(object)
}

/// Reads a message, or one that is embedded in it at `via`.
fn embedded(
    bytes: &[u8],
    message: &'static Message,
    via: &mut Vec<u32>,
    object: &mut Object,
    depth: usize,
) -> Result<(), ProtobufError> {
    if depth >= MAX_DEPTH {
        return Err(ProtobufError::TooDeep);
    }
    for part in Fields::new(bytes) {
        let (number, wire) = part?;
        let is_here = |field: &&Field| field.number == number && field.via == via.as_slice();
        if let Some(field) = message.fields.iter().find(is_here) {
            add(object, field, wire, depth)?;
            continue;
        }
        via.push(number);
        if let Wire::Bytes(inner) = wire
            && message.fields.iter().any(|field| field.via.starts_with(via))
        {
            embedded(inner, message, via, object, depth + 1)?;
        }
        via.pop();
    }
    Ok(())
}

/// Adds one occurrence of a field to the object.
fn add(
    object: &mut Object,
    field: &'static Field,
    wire: Wire<'_>,
    depth: usize,
) -> Result<(), ProtobufError> {
    match field.ty {
        Type::List(item) => {
            let list = object.entry(field.json).or_insert_with(|| Value::Array(Vec::new()));
            let Value::Array(list) = list else { return Ok(()) };
            match (wire, *item) {
                (Wire::Bytes(packed), Type::Bool | Type::Int32 | Type::Int64) => {
                    let mut rest = packed;
                    while !rest.is_empty() {
                        let wire = Wire::Varint(varint(&mut rest)?);
                        list.extend(value(field, *item, wire, depth)?);
                    }
                }
                (wire, item) => list.push(value(field, item, wire, depth)?.unwrap_or(empty(item))),
            }
        }
        Type::Map(ty) => {
            let map = object.entry(field.json).or_insert_with(|| Value::Object(Object::new()));
            let Value::Object(map) = map else { return Ok(()) };
            let (mut key, mut found) = ("", None);
            for part in Fields::new(bytes(field, wire)?) {
                match part? {
                    (1, wire) => key = text(field, wire)?,
                    (2, wire) => found = value(field, *ty, wire, depth)?,
                    _ => {}
                }
            }
            map.insert(key.to_owned(), found.unwrap_or(empty(*ty)));
        }
        Type::Message(inner) => {
            let new = message(bytes(field, wire)?, inner, depth + 1)?;
            // A message that comes twice is one message.
            match object.entry(field.json).or_insert_with(|| Value::Object(Object::new())) {
                Value::Object(old) => old.extend(new),
                other => *other = Value::Object(new),
            }
        }
        ty => {
            if let Some(value) = value(field, ty, wire, depth)? {
                object.insert(field.json.to_owned(), value);
            }
        }
    }
    Ok(())
}

/// Reads one value that is not repeated; `None` for a time that is not set.
fn value(
    field: &'static Field,
    ty: Type,
    wire: Wire<'_>,
    depth: usize,
) -> Result<Option<Value>, ProtobufError> {
    let value = match ty {
        Type::String => Value::from(text(field, wire)?),
        Type::Bytes => Value::from(scalar::base64(bytes(field, wire)?)),
        Type::Bool => Value::from(number(field, wire)? != 0),
        Type::Int32 => Value::from(truncated(number(field, wire)?)),
        Type::Int64 => Value::from(number(field, wire)?.cast_signed()),
        Type::Double => match wire {
            Wire::Fixed64(bits) => Number::from_f64(f64::from_bits(bits))
                .map(Value::Number)
                .ok_or_else(|| ProtobufError::Scalar("number out of range".to_owned()))?,
            other => return Err(wrong_type(field, other)),
        },
        Type::Time | Type::MicroTime => return time(field, ty, bytes(field, wire)?),
        Type::Duration => {
            let mut nanos = 0;
            for part in Fields::new(bytes(field, wire)?) {
                if let (1, wire) = part? {
                    nanos = number(field, wire)?.cast_signed();
                }
            }
            Value::from(scalar::duration_text(nanos))
        }
        Type::Quantity => {
            let mut amount = "0";
            for part in Fields::new(bytes(field, wire)?) {
                if let (1, wire) = part? {
                    amount = text(field, wire)?;
                }
            }
            Value::from(scalar::quantity(amount).map_err(ProtobufError::Scalar)?)
        }
        Type::IntOrString => int_or_string(field, bytes(field, wire)?)?,
        Type::Any => return any(field, bytes(field, wire)?, depth),
        Type::Message(inner) => Value::Object(message(bytes(field, wire)?, inner, depth + 1)?),
        // A list or map as an item or value is a message with the list in it.
        Type::List(item) => {
            let mut list = Vec::new();
            for part in Fields::new(bytes(field, wire)?) {
                if let (1, wire) = part? {
                    if depth >= MAX_DEPTH {
                        return Err(ProtobufError::TooDeep);
                    }
                    list.push(value(field, *item, wire, depth + 1)?.unwrap_or(empty(*item)));
                }
            }
            Value::Array(list)
        }
        Type::Map(_) => return Ok(None),
        Type::SchemaOr(choice) => schema_or(field, choice, bytes(field, wire)?, depth)?,
    };
    Ok(Some(value))
}

fn time(field: &'static Field, ty: Type, bytes: &[u8]) -> Result<Option<Value>, ProtobufError> {
    // The zero time has no bytes at all.
    if bytes.is_empty() {
        return Ok(None);
    }
    let (mut seconds, mut nanos) = (0, 0);
    for part in Fields::new(bytes) {
        match part? {
            (1, wire) => seconds = number(field, wire)?.cast_signed(),
            (2, wire) => nanos = truncated(number(field, wire)?),
            _ => {}
        }
    }
    let time = jiff::Timestamp::new(seconds, nanos)
        .map_err(|_| ProtobufError::Scalar("time out of range".to_owned()))?;
    let text = if ty == Type::MicroTime { wk_api::micro_time(time) } else { wk_api::rfc3339(time) };
    Ok(Some(Value::from(text)))
}

fn int_or_string(field: &'static Field, bytes: &[u8]) -> Result<Value, ProtobufError> {
    let (mut is_text, mut whole, mut string) = (false, 0, "");
    for part in Fields::new(bytes) {
        match part? {
            (1, wire) => is_text = number(field, wire)? == 1,
            (2, wire) => whole = truncated(number(field, wire)?),
            (3, wire) => string = text(field, wire)?,
            _ => {}
        }
    }
    Ok(if is_text { Value::from(string) } else { Value::from(whole) })
}

/// Raw JSON, or a whole object in an envelope of its own.
fn any(field: &'static Field, bytes: &[u8], depth: usize) -> Result<Option<Value>, ProtobufError> {
    let mut raw: &[u8] = &[];
    for part in Fields::new(bytes) {
        if let (1, wire) = part? {
            raw = self::bytes(field, wire)?;
        }
    }
    if raw.is_empty() {
        return Ok(None);
    }
    if raw.starts_with(envelope::MAGIC) {
        let unknown = envelope::open(raw)?;
        let (group, version) =
            unknown.api_version.split_once('/').unwrap_or(("", unknown.api_version));
        let Some(inner) = crate::kind(group, version, unknown.kind) else { return Ok(None) };
        let mut object = message(unknown.raw, inner, depth + 1)?;
        object.insert("apiVersion".to_owned(), Value::from(unknown.api_version));
        object.insert("kind".to_owned(), Value::from(unknown.kind));
        return Ok(Some(Value::Object(object)));
    }
    let value = serde_json::from_slice(raw);
    value.map(Some).map_err(|error| ProtobufError::Scalar(error.to_string()))
}

/// The messages that stand for a schema or something simpler.
fn schema_or(
    field: &'static Field,
    choice: SchemaChoice,
    bytes: &[u8],
    depth: usize,
) -> Result<Value, ProtobufError> {
    let schema_type = crate::decode::schema_type();
    let (schema_number, other_number) = match choice {
        SchemaChoice::Schemas | SchemaChoice::Strings => (1, 2),
        SchemaChoice::Bool => (2, 1),
    };
    let mut schema = None;
    let mut list = Vec::new();
    let mut allows = false;
    for part in Fields::new(bytes) {
        let (found, wire) = part?;
        if found == schema_number {
            schema = value(field, schema_type, wire, depth + 1)?;
        } else if found == other_number {
            match choice {
                SchemaChoice::Schemas => list.extend(value(field, schema_type, wire, depth + 1)?),
                SchemaChoice::Strings => list.push(Value::from(text(field, wire)?)),
                SchemaChoice::Bool => allows = number(field, wire)? != 0,
            }
        }
    }
    Ok(match (schema, choice) {
        (Some(schema), _) => schema,
        (None, SchemaChoice::Bool) => Value::Bool(allows),
        (None, SchemaChoice::Schemas | SchemaChoice::Strings) => Value::Array(list),
    })
}

fn number(field: &'static Field, wire: Wire<'_>) -> Result<u64, ProtobufError> {
    match wire {
        Wire::Varint(value) => Ok(value),
        other => Err(wrong_type(field, other)),
    }
}

/// The lower 32 bits, as protobuf has it.
#[expect(clippy::cast_possible_truncation, reason = "`int32` is what the lower 32 bits are")]
fn truncated(value: u64) -> i32 {
    (value as u32).cast_signed()
}

fn bytes<'a>(field: &'static Field, wire: Wire<'a>) -> Result<&'a [u8], ProtobufError> {
    match wire {
        Wire::Bytes(bytes) => Ok(bytes),
        other => Err(wrong_type(field, other)),
    }
}

fn text<'a>(field: &'static Field, wire: Wire<'a>) -> Result<&'a str, ProtobufError> {
    std::str::from_utf8(bytes(field, wire)?).map_err(|_| ProtobufError::Utf8(field.json))
}

fn wrong_type(field: &'static Field, wire: Wire<'_>) -> ProtobufError {
    ProtobufError::WireType { wire: wire.kind(), field: field.json }
}

fn empty(ty: Type) -> Value {
    crate::decode::empty(ty)
}
