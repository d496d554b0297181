//! The envelope of whole objects, and frames of watches.

use super::ProtobufError;
use super::wire::{Fields, Wire, put_bytes};

/// What every protobuf body begins with.
pub const MAGIC: &[u8; 4] = b"k8s\0";

/// An opened envelope.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unknown<'a> {
    /// The object's `apiVersion`.
    pub api_version: &'a str,
    /// The object's `kind`.
    pub kind: &'a str,
    /// The object's own bytes.
    pub raw: &'a [u8],
    /// How `raw` is compressed; empty for not at all, and nothing else is in use.
    pub content_encoding: &'a str,
    /// What `raw` is; empty for protobuf.
    pub content_type: &'a str,
}

/// Opens an envelope.
///
/// # Errors
/// [`ProtobufError::NoEnvelope`] if the bytes do not begin as one, others if it is broken.
pub fn open(bytes: &[u8]) -> Result<Unknown<'_>, ProtobufError> {
    let bytes = bytes.strip_prefix(MAGIC).ok_or(ProtobufError::NoEnvelope)?;
    let mut unknown = Unknown::default();
    for field in Fields::new(bytes) {
        match field? {
            (1, Wire::Bytes(meta)) => {
                for field in Fields::new(meta) {
                    match field? {
                        (1, Wire::Bytes(value)) => unknown.api_version = text(value, "apiVersion")?,
                        (2, Wire::Bytes(value)) => unknown.kind = text(value, "kind")?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(raw)) => unknown.raw = raw,
            (3, Wire::Bytes(value)) => unknown.content_encoding = text(value, "contentEncoding")?,
            (4, Wire::Bytes(value)) => unknown.content_type = text(value, "contentType")?,
            _ => {}
        }
    }
    Ok(unknown)
}

fn text<'a>(bytes: &'a [u8], field: &'static str) -> Result<&'a str, ProtobufError> {
    std::str::from_utf8(bytes).map_err(|_| ProtobufError::Utf8(field))
}

/// Puts an object's bytes into an envelope.
pub fn seal(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let mut meta = Vec::with_capacity(api_version.len() + kind.len() + 4);
    put_bytes(&mut meta, 1, api_version.as_bytes());
    put_bytes(&mut meta, 2, kind.as_bytes());
    let mut bytes = Vec::with_capacity(MAGIC.len() + meta.len() + raw.len() + 16);
    bytes.extend_from_slice(MAGIC);
    put_bytes(&mut bytes, 1, &meta);
    put_bytes(&mut bytes, 2, raw);
    // Go writes both, empty as they are.
    put_bytes(&mut bytes, 3, b"");
    put_bytes(&mut bytes, 4, b"");
    bytes
}

/// One event of a watch, not yet framed: its type (`ADDED`, ...) and the object in its envelope.
pub fn watch_event(kind: &str, sealed_object: &[u8]) -> Vec<u8> {
    let mut extension = Vec::with_capacity(sealed_object.len() + 8);
    put_bytes(&mut extension, 1, sealed_object);
    let mut bytes = Vec::with_capacity(extension.len() + kind.len() + 16);
    put_bytes(&mut bytes, 1, kind.as_bytes());
    put_bytes(&mut bytes, 2, &extension);
    bytes
}

/// A message of a stream: four bytes of length, big-endian, before it.
///
/// # Panics
/// Never for messages under 4 GiB.
pub fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a message is far smaller than 4 GiB");
    let mut bytes = Vec::with_capacity(message.len() + 4);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(message);
    bytes
}
