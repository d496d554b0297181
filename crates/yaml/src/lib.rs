//! YAML as Kubernetes reads and writes it, by way of JSON values.
//!
//! Kubernetes took its YAML from `go-yaml`, which knows the types of YAML 1.1: `0644` is 420, `yes` is
//! true, `1_000` a number. Parsers of YAML 1.2 read all of these as something else, and an object means
//! what it means only if everybody reads it alike. The grammar is a parser's; what the scalars say,
//! which keys win and how much aliases may repeat is decided here.
//!
//! # Invariants
//! - Pure: a text in, values out, and the other way round; nothing here knows what an object is.
//! - Nothing that is read is nested deeper than [`MAX_DEPTH`] or grows out of proportion by its aliases.
//! - Errors are told in the words of Go's parser, lines included, where it has words for them.

mod convert;
mod emit;
mod fault;
mod quoted;
mod scalar;
mod tree;

use serde_json::Value;

pub use crate::convert::Duplicate;
pub use crate::fault::{DocumentsError, Error};

/// How deep lists and maps may be nested; as deep as in bodies in JSON.
pub const MAX_DEPTH: usize = 128;

/// Whose rules a text is read by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The API server's and `kubectl`'s: the types of YAML 1.1, of fields given twice the last one
    /// counts.
    Kubernetes,
    /// Kustomize's: `yes` and its like are texts, dates are times, fields must not be given twice, and
    /// keys that are no texts stand only at the top.
    Kustomize,
}

/// A document that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What it says; `null` if it says nothing.
    pub value: Value,
    /// Fields that were given twice, in the order of the text.
    pub duplicates: Vec<Duplicate>,
}

/// Reads the first document of a text, as Kubernetes does; what follows is not looked at.
///
/// # Errors
/// [`Error`] if it is no YAML, or none that JSON can express.
pub fn first(text: &[u8]) -> Result<Document, Error> {
    let text = std::str::from_utf8(text).map_err(|error| fault::of_encoding(text, &error))?;
    read(text, Dialect::Kubernetes)
}

/// Reads all documents of a text; those that say nothing are left out.
///
/// Documents are told apart before they are read, so that errors count lines from their own first one.
///
/// # Errors
/// [`DocumentsError`] for the first document that cannot be read, or what separates it from the next.
pub fn documents(text: &str, dialect: Dialect) -> Result<Vec<Value>, DocumentsError> {
    let mut documents = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix("---") {
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                return Err(DocumentsError::Separator(rest.to_owned()));
            }
            documents.push(&text[start..at]);
            start = at + line.len();
        }
        at += line.len();
    }
    documents.push(&text[start..]);
    let values = documents.into_iter().map(|text| Ok(read(text, dialect)?.value));
    values.filter(|value| !matches!(value, Ok(Value::Null))).collect()
}

fn read(text: &str, dialect: Dialect) -> Result<Document, Error> {
    let Some(tree) = tree::Tree::parse(text)? else {
        return Ok(Document { value: Value::Null, duplicates: Vec::new() });
    };
    convert::document(&tree, dialect)
}

/// A value as YAML, with a line break at the end: quoted, broken and sorted as `kubectl` does.
pub fn text(value: &Value) -> String {
    emit::document(value)
}
