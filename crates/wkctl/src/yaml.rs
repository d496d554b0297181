//! YAML and JSON that users write, as `kubectl` reads it.

use std::borrow::Cow;

use anyhow::{anyhow, bail};
use serde_json::Value;
pub(crate) use wk_yaml::text;
use wk_yaml::{Dialect, DocumentsError};

/// Reads all documents of a text; those that say nothing are left out.
///
/// A text that begins with a brace is JSON, objects one after another, unless it can be read as YAML
/// alone. Errors are those that `kubectl` prints behind `error parsing FILE: `.
pub(crate) fn documents(input: &str) -> anyhow::Result<Vec<Value>> {
    let mut documents = Vec::new();
    let mut rest = input;
    while rest.trim_start().starts_with('{') {
        let mut objects = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        match objects.next() {
            Some(Ok(object)) => documents.push(object),
            None => break,
            Some(Err(error)) => {
                return match wk_yaml::documents(rest, Dialect::Kubernetes) {
                    Ok(in_yaml) if documents.is_empty() => Ok(in_yaml),
                    _ => Err(not_json(input, rest, &error)),
                };
            }
        }
        rest = &rest[objects.byte_offset()..];
    }
    let follows = rest.trim_start();
    if !documents.is_empty()
        && !follows.is_empty()
        && !follows.starts_with("---")
        && let Err(error) = serde_json::from_str::<Value>(rest)
    {
        return Err(not_json(input, rest, &error));
    }
    documents.extend(wk_yaml::documents(rest, Dialect::Kubernetes)?);
    Ok(documents)
}

/// Reads all documents of a file that a kustomization uses.
pub(crate) fn kustomize_documents(input: &str) -> Result<Vec<Value>, DocumentsError> {
    wk_yaml::documents(input, Dialect::Kustomize)
}

/// Reads the only document of a text; `null` if it says nothing.
pub(crate) fn one(input: &str) -> Result<Value, wk_yaml::Error> {
    Ok(wk_yaml::first(input.as_bytes())?.value)
}

/// A file's text: UTF-8, or what its byte order mark says. Bytes that are no letters are replaced.
pub(crate) fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    let in_pairs = |join: fn([u8; 2]) -> u16| {
        let units = bytes[2..].chunks(2).map(|pair| match pair {
            [one, other] => join([*one, *other]),
            _ => 0xfffd,
        });
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest),
        [0xff, 0xfe, ..] => Cow::Owned(in_pairs(u16::from_le_bytes)),
        [0xfe, 0xff, ..] => Cow::Owned(in_pairs(u16::from_be_bytes)),
        _ => String::from_utf8_lossy(bytes),
    }
}

fn not_json(input: &str, rest: &str, error: &serde_json::Error) -> anyhow::Error {
    let before = input.len() - rest.len();
    let lines = rest.split_inclusive('\n').take(error.line().saturating_sub(1));
    let offset = before + lines.map(str::len).sum::<usize>() + error.column();
    let words = wk_schema::decode::parse(rest.as_bytes()).err();
    let words = words.map_or_else(|| error.to_string(), |error| error.to_string());
    anyhow!("json: offset {offset}: {words}")
}

/// Fails for what is no object, in the words of Go.
pub(crate) fn check_object(document: &Value) -> anyhow::Result<()> {
    let kind = match document {
        Value::Object(_) => return Ok(()),
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
    };
    bail!("json: cannot unmarshal {kind} into Go value of type unstructured.detector")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_in_json_may_follow_each_other() {
        let two = documents(" {\"a\": \"\\/\"}\n{\"b\": 1}\n---\nc: 0644\n").unwrap();
        assert_eq!(two, [json!({"a": "/"}), json!({"b": 1}), json!({"c": 420})]);
        assert_eq!(documents("{a: yes,}").unwrap(), [json!({"a": true})]);
    }

    #[test]
    fn errors_in_json_tell_the_place() {
        for (input, expected) in [
            ("{a: b", "json: offset 2: invalid character 'a' looking for beginning of object key"),
            ("{\"a\": 1}\n x", "json: offset 11: invalid character 'x' looking for beginning of"),
        ] {
            let error = documents(input).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn byte_order_marks_tell_the_encoding() {
        assert_eq!(decoded(b"\xef\xbb\xbfa"), "a");
        assert_eq!(decoded(b"\xff\xfea\0b\0"), "ab");
        assert_eq!(decoded(b"\xfe\xff\0a\0b"), "ab");
        assert_eq!(decoded(b"a\xff"), "a\u{fffd}");
    }
}
