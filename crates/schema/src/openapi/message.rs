//! The older document as a protobuf message: what Go clients ask for, and nothing else will do.
//!
//! The message's fields stand in a small table of their own: which member of the JSON form goes
//! where. What Kubernetes adds to the format travels as text of YAML, which JSON is.
//!
//! Spec: <https://github.com/google/gnostic-models/blob/main/openapiv2/OpenAPIv2.proto>

use serde_json::{Map, Value};

use crate::protobuf::{BYTES, VARINT, put_tag, put_varint};

/// Where the members of a JSON object go.
struct Shape {
    members: &'static [(&'static str, u32, Form)],
    /// The field of the members whose names begin with `x-`; 0 where there are none.
    extensions: u32,
}

/// How a member is written.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Flag,
    /// A list of texts, or one text, as a repeated field.
    Texts,
    /// The same within a message of its own.
    TextsInside,
    /// Any value, as text.
    Any,
    One(&'static Shape),
    /// An object, or a list of objects, within a message of its own.
    Inside(&'static Shape),
    /// A flag or an object within a message of its own.
    FlagOrInside(&'static Shape),
    /// A map of objects as a message of named ones.
    Named(&'static Shape),
    /// The same, each within a message of its own.
    NamedInside(&'static Shape),
    Parameters,
}

use Form::{
    Any, Flag, FlagOrInside, Inside, Named, NamedInside, One, Parameters, Text, Texts, TextsInside,
};

static SCHEMA: Shape = Shape {
    members: &[
        ("$ref", 1, Text),
        ("format", 2, Text),
        ("description", 4, Text),
        ("default", 5, Any),
        ("uniqueItems", 16, Flag),
        ("required", 19, Texts),
        ("additionalProperties", 21, FlagOrInside(&SCHEMA)),
        ("type", 22, TextsInside),
        ("items", 23, Inside(&SCHEMA)),
        ("properties", 25, Named(&SCHEMA)),
    ],
    extensions: 31,
};

static BODY: Shape = Shape {
    members: &[
        ("description", 1, Text),
        ("name", 2, Text),
        ("in", 3, Text),
        ("required", 4, Flag),
        ("schema", 5, One(&SCHEMA)),
    ],
    extensions: 6,
};

static IN_QUERY: Shape = Shape {
    members: &[
        ("required", 1, Flag),
        ("in", 2, Text),
        ("description", 3, Text),
        ("name", 4, Text),
        ("type", 6, Text),
        ("format", 7, Text),
        ("default", 10, Any),
        ("uniqueItems", 20, Flag),
    ],
    extensions: 23,
};

static IN_PATH: Shape = Shape {
    members: &[
        ("required", 1, Flag),
        ("in", 2, Text),
        ("description", 3, Text),
        ("name", 4, Text),
        ("type", 5, Text),
        ("format", 6, Text),
        ("default", 9, Any),
        ("uniqueItems", 19, Flag),
    ],
    extensions: 22,
};

static RESPONSE: Shape =
    Shape { members: &[("description", 1, Text), ("schema", 2, Inside(&SCHEMA))], extensions: 5 };

static OPERATION: Shape = Shape {
    members: &[
        ("tags", 1, Texts),
        ("description", 3, Text),
        ("operationId", 5, Text),
        ("produces", 6, Texts),
        ("consumes", 7, Texts),
        ("parameters", 8, Parameters),
        ("responses", 9, NamedInside(&RESPONSE)),
        ("schemes", 10, Texts),
    ],
    extensions: 13,
};

static PATH: Shape = Shape {
    members: &[
        ("get", 2, One(&OPERATION)),
        ("put", 3, One(&OPERATION)),
        ("post", 4, One(&OPERATION)),
        ("delete", 5, One(&OPERATION)),
        ("options", 6, One(&OPERATION)),
        ("head", 7, One(&OPERATION)),
        ("patch", 8, One(&OPERATION)),
        ("parameters", 9, Parameters),
    ],
    extensions: 10,
};

/// The document of these paths and definitions.
pub(super) fn document(
    release: &str,
    paths: impl IntoIterator<Item = (String, Value)>,
    definitions: impl IntoIterator<Item = (String, Value)>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_text(&mut bytes, 1, "2.0");
    put_message(&mut bytes, 2, |info| {
        put_text(info, 1, "Kubernetes");
        put_text(info, 2, release);
    });
    put_message(&mut bytes, 8, |all| {
        for (name, item) in paths {
            put_named(all, 2, &name, |value| put_object(value, &item, &PATH));
        }
    });
    put_message(&mut bytes, 9, |all| {
        for (name, schema) in definitions {
            put_named(all, 1, &name, |value| put_object(value, &schema, &SCHEMA));
        }
    });
    bytes
}

fn put_object(bytes: &mut Vec<u8>, object: &Value, shape: &Shape) {
    let Value::Object(object) = object else { return };
    for (name, number, form) in shape.members {
        if let Some(value) = object.get(*name) {
            put(bytes, *number, value, *form);
        }
    }
    put_extensions(bytes, object, shape.extensions);
}

fn put_extensions(bytes: &mut Vec<u8>, object: &Map<String, Value>, number: u32) {
    for (name, value) in object.iter().filter(|(name, _)| name.starts_with("x-")) {
        put_named(bytes, number, name, |any| put_text(any, 2, &value.to_string()));
    }
}

fn put(bytes: &mut Vec<u8>, number: u32, value: &Value, form: Form) {
    match form {
        Text => put_text(bytes, number, value.as_str().unwrap_or_default()),
        Flag => put_flag(bytes, number, value),
        Texts => {
            for text in items(value).filter_map(Value::as_str) {
                put_text(bytes, number, text);
            }
        }
        TextsInside => put_message(bytes, number, |inner| put(inner, 1, value, Texts)),
        Any => put_message(bytes, number, |any| put_text(any, 2, &value.to_string())),
        One(shape) => put_message(bytes, number, |inner| put_object(inner, value, shape)),
        Inside(shape) => put_message(bytes, number, |inner| {
            for item in items(value) {
                put(inner, 1, item, One(shape));
            }
        }),
        FlagOrInside(_) if value.is_boolean() => {
            put_message(bytes, number, |inner| put_flag(inner, 2, value));
        }
        FlagOrInside(shape) => put(bytes, number, value, Inside(shape)),
        Named(shape) => put_message(bytes, number, |map| {
            for (name, value) in value.as_object().into_iter().flatten() {
                put_named(map, 1, name, |inner| put_object(inner, value, shape));
            }
        }),
        NamedInside(shape) => put_message(bytes, number, |map| {
            for (name, value) in value.as_object().into_iter().flatten() {
                put_named(map, 1, name, |inner| put(inner, 1, value, One(shape)));
            }
        }),
        Parameters => {
            for parameter in items(value) {
                // An item is a parameter and not a reference to one.
                put_message(bytes, number, |item| {
                    put_message(item, 1, |inner| put_parameter(inner, parameter));
                });
            }
        }
    }
}

fn put_parameter(bytes: &mut Vec<u8>, parameter: &Value) {
    match parameter["in"].as_str() {
        Some("body") => put(bytes, 1, parameter, One(&BODY)),
        Some("path") => put_message(bytes, 2, |other| put(other, 4, parameter, One(&IN_PATH))),
        _ => put_message(bytes, 2, |other| put(other, 3, parameter, One(&IN_QUERY))),
    }
}

/// The items of a list, or the value alone.
fn items(value: &Value) -> std::slice::Iter<'_, Value> {
    match value {
        Value::Array(items) => items.iter(),
        other => std::slice::from_ref(other).iter(),
    }
}

fn put_flag(bytes: &mut Vec<u8>, number: u32, value: &Value) {
    put_tag(bytes, number, VARINT);
    put_varint(bytes, u64::from(value.as_bool().unwrap_or_default()));
}

fn put_text(bytes: &mut Vec<u8>, number: u32, text: &str) {
    put_tag(bytes, number, BYTES);
    put_varint(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

fn put_named(bytes: &mut Vec<u8>, number: u32, name: &str, fill: impl FnOnce(&mut Vec<u8>)) {
    put_message(bytes, number, |entry| {
        put_text(entry, 1, name);
        put_message(entry, 2, fill);
    });
}

fn put_message(bytes: &mut Vec<u8>, number: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    fill(&mut inner);
    put_tag(bytes, number, BYTES);
    put_varint(bytes, inner.len() as u64);
    bytes.append(&mut inner);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn writes_each_member_into_its_field() {
        for (form, value, expected) in [
            (Text, json!("ab"), &b"\x0a\x02ab"[..]),
            (Flag, json!(true), b"\x08\x01"),
            (Texts, json!(["a", "b"]), b"\x0a\x01a\x0a\x01b"),
            (TextsInside, json!("a"), b"\x0a\x03\x0a\x01a"),
            (Any, json!({"a": 1}), b"\x0a\x09\x12\x07{\"a\":1}"),
            (FlagOrInside(&SCHEMA), json!(true), b"\x0a\x02\x10\x01"),
            (Inside(&SCHEMA), json!({"format": "f"}), b"\x0a\x05\x0a\x03\x12\x01f"),
            (Named(&SCHEMA), json!({"n": {}}), b"\x0a\x07\x0a\x05\x0a\x01n\x12\x00"),
        ] {
            let mut bytes = Vec::new();
            put(&mut bytes, 1, &value, form);
            assert_eq!(bytes, expected, "{value}");
        }
    }

    #[test]
    fn says_what_kubernetes_adds_as_text() {
        let mut bytes = Vec::new();
        put_object(&mut bytes, &json!({"x-a": [1]}), &SCHEMA);
        assert_eq!(bytes, b"\xfa\x01\x0c\x0a\x03x-a\x12\x05\x12\x03[1]");
    }
}
