//! The protobuf form of objects, both ways, driven by the table.
//!
//! A whole object travels in an envelope: the four bytes `k8s\0`, then a message `Unknown` that has
//! `apiVersion` and `kind` beside the object's own bytes. Within those, embedded Go structures are
//! messages of their own ([`Field::via`](field@crate::Field::via)), times are seconds and nanoseconds,
//! quantities are strings in a message, and raw JSON is bytes.
//!
//! Go writes fields that are no pointers even where they are empty; where that means absence
//! ([`Presence`](crate::Presence)), they are left out. Fields that the table does not have are skipped. What is read is canonical, exactly as from [`crate::decode()`].
//!
//! Spec: <https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding>

mod envelope;
mod read;
mod wire;
mod write;

use serde_json::{Map, Value};

use crate::table::Message;

pub(crate) use wire::{BYTES, VARINT, put_tag, put_varint};

pub use envelope::{MAGIC, Unknown, frame, open, seal, watch_event};

/// Levels of messages that a body may have.
pub const MAX_DEPTH: usize = crate::decode::MAX_DEPTH;

/// Why bytes are not the protobuf form of a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtobufError {
    /// The bytes do not begin with `k8s\0`.
    #[error(
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
    )]
    NoEnvelope,
    /// The bytes end within a value.
    #[error("unexpected EOF")]
    Truncated,
    /// A number takes more bytes than it may.
    #[error("proto: integer overflow")]
    Overflow,
    /// A tag has the field number 0 or a wire type that is not in use.
    #[error("proto: illegal tag {0}")]
    IllegalTag(u64),
    /// A field has the wrong wire type.
    #[error("proto: wrong wireType = {wire} for field {field}")]
    WireType {
        /// The wire type found.
        wire: u8,
        /// The field's JSON name.
        field: &'static str,
    },
    /// A string is not UTF-8.
    #[error("proto: field {0} contains invalid UTF-8")]
    Utf8(&'static str),
    /// A scalar has no valid form; the text is the decoder's.
    #[error("{0}")]
    Scalar(String),
    /// Messages are nested deeper than [`MAX_DEPTH`].
    #[error("exceeded max depth")]
    TooDeep,
}

/// Reads the bytes of a message, without an envelope.
///
/// # Errors
/// [`ProtobufError`] for bytes that are no message, or hold what the field cannot.
pub fn from_protobuf(bytes: &[u8], message: &'static Message) -> Result<Value, ProtobufError> {
    read::message(bytes, message, 0).map(Value::Object)
}

/// Writes the bytes of a message, without an envelope.
///
/// What the message does not have, or has with another type, is left out; values that were decoded
/// hold no such thing.
pub fn to_protobuf(value: &Value, message: &'static Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Value::Object(object) = value {
        write::message(&mut bytes, object, message, 0);
    }
    bytes
}

/// Reads a whole object out of its envelope; `apiVersion` and `kind` are put into it.
///
/// # Errors
/// As [`from_protobuf`].
pub fn read_object(
    unknown: &Unknown<'_>,
    message: &'static Message,
) -> Result<Value, ProtobufError> {
    let mut object: Map<String, Value> = read::message(unknown.raw, message, 0)?;
    object.insert("apiVersion".to_owned(), Value::from(unknown.api_version));
    object.insert("kind".to_owned(), Value::from(unknown.kind));
    Ok(Value::Object(object))
}

/// Writes a whole object into an envelope of its `apiVersion` and `kind`.
pub fn write_object(object: &Value, message: &'static Message) -> Vec<u8> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    seal(text("apiVersion"), text("kind"), &to_protobuf(object, message))
}

#[cfg(test)]
mod tests;
