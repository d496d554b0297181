//! Messages as JSON schemas, with the extensions that say how they merge.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::Dialect;
use super::docs::Docs;
use crate::table::{Field, ListType, MergeRule, Message, PatchStrategy, SchemaChoice, Type};

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";
const APIEXTENSIONS: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1";

/// The schemas of some messages and all that they refer to, by name.
pub(super) fn schemas<'a>(
    roots: impl Iterator<Item = &'static Message> + 'a,
    docs: &'a mut Docs,
    dialect: Dialect,
) -> impl Iterator<Item = (String, Value)> + 'a {
    let mut messages = BTreeMap::new();
    // Every patch operation takes one, and no message has it as a field.
    let mut specials = BTreeSet::from([format!("{META}.Patch")]);
    let mut rest: Vec<&'static Message> = roots.collect();
    while let Some(message) = rest.pop() {
        if messages.insert(message.name, message).is_some() {
            continue;
        }
        for field in message.fields {
            rest.extend(field.ty.message());
            if let Some(name) = special_name(message, field, innermost(field.ty)) {
                specials.insert(name);
                if matches!(innermost(field.ty), Type::SchemaOr(_)) {
                    rest.extend(crate::decode::schema_type().message());
                }
            }
        }
    }
    let specials = specials.into_iter().map(move |name| {
        let schema = special_schema(&name, dialect);
        (name, schema)
    });
    let kinds = kinds_by_message();
    let messages = messages.into_values().map(move |message| {
        let kinds = kinds.get(message.name).cloned();
        (message.name.to_owned(), message_schema(message, docs.of(message), kinds, dialect))
    });
    specials.chain(messages)
}

/// The value of `x-kubernetes-group-version-kind` by message.
fn kinds_by_message() -> BTreeMap<&'static str, Vec<Value>> {
    let mut kinds: BTreeMap<&'static str, Vec<Value>> = BTreeMap::new();
    let mut group_versions = BTreeSet::new();
    for row in crate::kinds().iter().chain(crate::measured::KINDS) {
        group_versions.insert((row.group, row.version));
        let mut add = |message: &Message, kind: String| {
            let gvk = json!({"group": row.group, "version": row.version, "kind": kind});
            kinds.entry(message.name).or_default().push(gvk);
        };
        add(row.message, row.kind.to_owned());
        if let Some(list) = row.list {
            add(list, format!("{}List", row.kind));
        }
    }
    // These two are taken and given by every group.
    for name in ["DeleteOptions", "WatchEvent"] {
        if let Some(message) = crate::message(&format!("{META}.{name}")) {
            let gvks = group_versions
                .iter()
                .map(|(group, version)| json!({"group": group, "version": version, "kind": name}));
            kinds.insert(message.name, gvks.collect());
        }
    }
    kinds
}

fn message_schema(
    message: &'static Message,
    docs: &[String],
    kinds: Option<Vec<Value>>,
    dialect: Dialect,
) -> Value {
    let mut schema = Map::new();
    describe(&mut schema, docs.first());
    schema.insert("type".to_owned(), "object".into());
    let mut properties = Map::new();
    for (index, field) in message.fields.iter().enumerate() {
        let mut property = type_schema(message, field, field.ty, dialect);
        describe(&mut property, docs.get(index + 1));
        if let Some(default) = field.default.and_then(|text| serde_json::from_str(text).ok()) {
            property.insert("default".to_owned(), default);
        }
        extend(&mut property, field);
        put_values(&mut property, super::enums::of(message.name, field.json));
        properties.insert(field.json.to_owned(), Value::Object(property));
    }
    if !properties.is_empty() {
        schema.insert("properties".to_owned(), Value::Object(properties));
    }
    let required: Vec<&str> = message.required().map(|field| field.json).collect();
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    if message.atomic {
        schema.insert("x-kubernetes-map-type".to_owned(), "atomic".into());
    }
    if let Some(kinds) = kinds {
        schema.insert("x-kubernetes-group-version-kind".to_owned(), kinds.into());
    }
    Value::Object(schema)
}

fn describe(schema: &mut Map<String, Value>, text: Option<&String>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        schema.insert("description".to_owned(), text.as_str().into());
    }
}

/// Adds the only values that a field may have, for programs and for people.
fn put_values(property: &mut Map<String, Value>, values: &[&str]) {
    if values.is_empty() {
        return;
    }
    let mut text = property.get("description").and_then(Value::as_str).unwrap_or("").to_owned();
    text.push_str("\n\nPossible enum values:");
    for value in values {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n - `{value:?}`");
    }
    property.insert("description".to_owned(), text.trim_start().into());
    property.insert("enum".to_owned(), values.into());
}

/// Adds how a field merges.
fn extend(property: &mut Map<String, Value>, field: &Field) {
    let MergeRule { patch, retain_keys, list, atomic } = *field.merge;
    let mut strategies = Vec::new();
    match patch {
        PatchStrategy::Default => {}
        PatchStrategy::Replace => strategies.push("replace"),
        PatchStrategy::Merge(key) => {
            strategies.push("merge");
            property.insert("x-kubernetes-patch-merge-key".to_owned(), key.into());
        }
        PatchStrategy::MergePrimitives => strategies.push("merge"),
    }
    if retain_keys {
        strategies.push("retainKeys");
    }
    if !strategies.is_empty() {
        let strategies = strategies.join(",");
        property.insert("x-kubernetes-patch-strategy".to_owned(), strategies.into());
    }
    if matches!(field.ty, Type::List(_)) {
        let name = match list {
            ListType::Atomic => "atomic",
            ListType::Set => "set",
            ListType::Map(keys) => {
                property.insert("x-kubernetes-list-map-keys".to_owned(), keys.into());
                "map"
            }
        };
        property.insert("x-kubernetes-list-type".to_owned(), name.into());
    }
    if atomic {
        property.insert("x-kubernetes-map-type".to_owned(), "atomic".into());
    }
}

fn type_schema(message: &Message, field: &Field, ty: Type, dialect: Dialect) -> Map<String, Value> {
    let plain = |name: &str, format: Option<&str>| {
        let mut schema = Map::new();
        schema.insert("type".to_owned(), name.into());
        if let Some(format) = format {
            schema.insert("format".to_owned(), format.into());
        }
        schema
    };
    let inner = |ty: Type| Value::Object(type_schema(message, field, ty, dialect));
    match ty {
        Type::String => plain("string", None),
        Type::Bool => plain("boolean", None),
        Type::Int32 => plain("integer", Some("int32")),
        Type::Int64 => plain("integer", Some("int64")),
        Type::Double => plain("number", Some("double")),
        Type::Bytes => plain("string", Some("byte")),
        Type::List(item) => {
            let mut schema = plain("array", None);
            schema.insert("items".to_owned(), inner(*item));
            schema
        }
        Type::Map(value) => {
            let mut schema = plain("object", None);
            schema.insert("additionalProperties".to_owned(), inner(*value));
            schema
        }
        Type::Message(inner) => reference(inner.name, dialect),
        Type::Time
        | Type::MicroTime
        | Type::Duration
        | Type::Quantity
        | Type::IntOrString
        | Type::Any
        | Type::SchemaOr(_) => {
            let name = special_name(message, field, ty).unwrap_or_default();
            reference(&name, dialect)
        }
    }
}

/// A reference; in version 3 within an `allOf`, as nothing may stand beside a bare one there.
fn reference(name: &str, dialect: Dialect) -> Map<String, Value> {
    let reference = dialect.reference(name);
    match (dialect, reference) {
        (Dialect::V2, Value::Object(reference)) => reference,
        (_, reference) => Map::from_iter([("allOf".to_owned(), json!([reference]))]),
    }
}

fn innermost(ty: Type) -> Type {
    match ty {
        Type::List(inner) | Type::Map(inner) => innermost(*inner),
        other => other,
    }
}

/// The name of the schema of a type that is no message.
fn special_name(message: &Message, field: &Field, ty: Type) -> Option<String> {
    Some(match ty {
        Type::Time => format!("{META}.Time"),
        Type::MicroTime => format!("{META}.MicroTime"),
        Type::Duration => format!("{META}.Duration"),
        Type::Quantity => "io.k8s.apimachinery.pkg.api.resource.Quantity".to_owned(),
        Type::IntOrString => "io.k8s.apimachinery.pkg.util.intstr.IntOrString".to_owned(),
        Type::Any if field.json == "fieldsV1" => format!("{META}.FieldsV1"),
        Type::Any if message.package() == APIEXTENSIONS => format!("{APIEXTENSIONS}.JSON"),
        Type::Any => "io.k8s.apimachinery.pkg.runtime.RawExtension".to_owned(),
        Type::SchemaOr(SchemaChoice::Schemas) => format!("{APIEXTENSIONS}.JSONSchemaPropsOrArray"),
        Type::SchemaOr(SchemaChoice::Bool) => format!("{APIEXTENSIONS}.JSONSchemaPropsOrBool"),
        Type::SchemaOr(SchemaChoice::Strings) => {
            format!("{APIEXTENSIONS}.JSONSchemaPropsOrStringArray")
        }
        Type::String
        | Type::Bool
        | Type::Int32
        | Type::Int64
        | Type::Double
        | Type::Bytes
        | Type::Message(_)
        | Type::List(_)
        | Type::Map(_) => return None,
    })
}

fn special_schema(name: &str, dialect: Dialect) -> Value {
    let short = name.rsplit_once('.').map_or(name, |(_, short)| short);
    let text = match short {
        "Time" => {
            "Time is a wrapper around time.Time which supports correct marshaling to YAML and JSON. \
             Wrappers are provided for many of the factory methods that the time package offers."
        }
        "Duration" => "Duration is a time span in Go's form: a sum of numbers with their units.",
        "MicroTime" => "MicroTime is version of Time with microsecond level precision.",
        "Quantity" => {
            "Quantity is a fixed-point representation of a number. It provides convenient \
             marshaling/unmarshaling in JSON and YAML, in addition to String() and AsInt64() \
             accessors."
        }
        "IntOrString" => {
            "IntOrString is a type that can hold an int32 or a string.  When used in JSON or YAML \
             marshalling and unmarshalling, it produces or consumes the inner type.  This allows \
             you to have, for example, a JSON field that can accept a name or number."
        }
        "FieldsV1" => {
            "FieldsV1 stores a set of fields in a data structure like a Trie, in JSON format."
        }
        "RawExtension" => "RawExtension is used to hold extensions in external versions.",
        "JSON" => {
            "JSON represents any valid JSON value. These types are supported: bool, int64, \
             float64, string, []interface{}, map[string]interface{} and nil."
        }
        "Patch" => {
            "Patch is provided to give a concrete name and type to the Kubernetes PATCH request body."
        }
        _ => "A JSON schema, or the simpler form that may stand in its place.",
    };
    let mut schema = match (short, dialect) {
        ("Time" | "MicroTime", _) => json!({"type": "string", "format": "date-time"}),
        ("Duration", _) | ("Quantity", Dialect::V2) => json!({"type": "string"}),
        ("Quantity", Dialect::V3) => json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
        ("IntOrString", Dialect::V2) => json!({"type": "string", "format": "int-or-string"}),
        ("IntOrString", Dialect::V3) => {
            json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]})
        }
        ("FieldsV1" | "RawExtension" | "Patch", _) => json!({"type": "object"}),
        _ => json!({}),
    };
    schema["description"] = text.into();
    schema
}
