//! JSON text to a value that holds known fields of the right types only.
//!
//! What comes out can be trusted by everything behind it: every field is one that its message has,
//! holds the type that the table says, scalars are canonical (`1000m` is `1`), and `null` is gone, as are
//! empty values that Go would leave out ([`Presence::OmitEmpty`](crate::Presence)).
//! Wrong types are errors worded as Go words them, because clients show those texts to people;
//! unknown and duplicate fields are [`Warning`]s, and the caller decides by `fieldValidation`
//! whether they matter.
//!
//! Spec: <https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation>

mod plain;
mod reader;
mod syntax;

use std::fmt;

use serde::de::{DeserializeSeed as _, IntoDeserializer as _};
use serde_json::Value;

use crate::table::Message;
use plain::Plain;
use reader::{Reader, ValueSeed};

pub(crate) use reader::{empty, schema_type};

/// Levels of objects and lists that a body may have; deeper ones are refused.
pub const MAX_DEPTH: usize = 128;

/// How many [`Warning`]s are kept, as many as Kubernetes keeps.
pub const MAX_WARNINGS: usize = 100;

/// A field that was left out or given twice.
///
/// `Display` is Kubernetes' wording: `unknown field "spec.containers[0].foo"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What is wrong.
    pub fault: FieldFault,
    /// Where: `spec.containers[0].foo`.
    pub path: String,
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldFault {
    /// The message has no such field; it was dropped.
    Unknown,
    /// The field was given more than once; the last one counts.
    Duplicate,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = match self.fault {
            FieldFault::Unknown => "unknown",
            FieldFault::Duplicate => "duplicate",
        };
        write!(f, "{fault} field {:?}", self.path)
    }
}

/// Why a body cannot be read. `Display` is the text that Kubernetes has for it, without the
/// `Pod in version "v1" cannot be handled as a Pod: ` before it, which [`DecodeError::for_kind`]
/// adds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The text is not JSON, or is nested too deeply.
    #[error("{0}")]
    Syntax(String),
    /// A value has the wrong type or form.
    #[error("{0}")]
    Type(String),
}

impl DecodeError {
    /// The message of the `BadRequest` status that a client gets.
    pub fn for_kind(&self, version: &str, kind: &str) -> String {
        format!("{kind} in version {version:?} cannot be handled as a {kind}: {self}")
    }
}

/// The text of the `BadRequest` status for warnings under `fieldValidation=Strict`, to stand behind
/// `Pod in version "v1" cannot be handled as a Pod: `.
pub fn strict_error(warnings: &[Warning]) -> String {
    let texts: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    format!("strict decoding error: {}", texts.join(", "))
}

/// Reads a body of a known message.
///
/// Unknown fields are left out and reported; of duplicate ones the last counts. `null` is as if the
/// field were absent, in lists and maps it is the empty value of the type, as in Go. Field names are
/// case-sensitive.
///
/// # Errors
/// [`DecodeError::Syntax`] for text that is not JSON or not UTF-8 or deeper than [`MAX_DEPTH`];
/// [`DecodeError::Type`] for the first value of a wrong type.
pub fn decode(
    text: &[u8],
    message: &'static Message,
) -> Result<(Value, Vec<Warning>), DecodeError> {
    let mut reader = Reader::default();
    let mut input = serde_json::Deserializer::from_slice(text);
    let root = ValueSeed::root(&mut reader, message)
        .deserialize(&mut input)
        .and_then(|value| input.end().map(|()| value))
        .map_err(|error| DecodeError::Syntax(syntax::wording(text, &error)))?;
    reader.finish(root)
}

/// Reads a body in another format than JSON, from a deserializer of that format. As [`decode()`].
///
/// # Errors
/// [`DecodeError::Syntax`] with the words of the deserializer, [`DecodeError::Type`].
pub fn decode_from<'de, D: serde::Deserializer<'de>>(
    input: D,
    message: &'static Message,
) -> Result<(Value, Vec<Warning>), DecodeError> {
    let mut reader = Reader::default();
    let root = ValueSeed::root(&mut reader, message)
        .deserialize(input)
        .map_err(|error| DecodeError::Syntax(error.to_string()))?;
    reader.finish(root)
}

/// Reads a body that is parsed already, such as YAML. As [`decode()`], but a parsed value can have
/// no duplicate fields any more.
///
/// # Errors
/// As [`decode()`].
pub fn decode_value(
    value: Value,
    message: &'static Message,
) -> Result<(Value, Vec<Warning>), DecodeError> {
    let mut reader = Reader::default();
    let root = ValueSeed::root(&mut reader, message)
        .deserialize(value.into_deserializer())
        .map_err(|error| DecodeError::Syntax(error.to_string()))?;
    reader.finish(root)
}

/// Reads JSON of any form. Of duplicate fields the last counts; they are reported.
///
/// # Errors
/// [`DecodeError::Syntax`], in the words of Go.
pub fn parse(text: &[u8]) -> Result<(Value, Vec<Warning>), DecodeError> {
    let (mut path, mut warnings) = (String::new(), Vec::new());
    let mut input = serde_json::Deserializer::from_slice(text);
    let value = Plain { path: &mut path, warnings: &mut warnings }
        .deserialize(&mut input)
        .and_then(|value| input.end().map(|()| value))
        .map_err(|error| DecodeError::Syntax(syntax::wording(text, &error)))?;
    Ok((value, warnings))
}

/// The `apiVersion` and `kind` of a body, empty where absent.
///
/// # Errors
/// [`DecodeError::Syntax`], worded as Kubernetes does when it looks for the type of a body:
/// `couldn't get version/kind; json parse error: ...`.
pub fn type_meta(text: &[u8]) -> Result<(String, String), DecodeError> {
    #[derive(Default, serde::Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct TypeMeta {
        api_version: Option<String>,
        kind: Option<String>,
    }
    let meta: TypeMeta = serde_json::from_slice(text).map_err(|error| {
        let text = syntax::wording(text, &error);
        DecodeError::Syntax(format!("couldn't get version/kind; json parse error: {text}"))
    })?;
    Ok((meta.api_version.unwrap_or_default(), meta.kind.unwrap_or_default()))
}

#[cfg(test)]
pub(crate) mod tests;
