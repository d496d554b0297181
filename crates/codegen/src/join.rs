//! Brings both sources together: one row per message and field.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;

use crate::json_types::{JsonField, JsonKind, JsonMessage, JsonType};
use crate::proto_types::{Markers, ProtoField, ProtoMessages, ProtoType, plain, plain_name};
use crate::special;

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

/// Everything that is written.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    /// By full name.
    pub(crate) messages: BTreeMap<String, Message>,
    /// Sorted by group, version and kind.
    pub(crate) kinds: Vec<Kind>,
    /// What a maintainer should look at: fields without number, types that differ.
    pub(crate) notes: Vec<String>,
}

/// A message of the table.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) description: String,
    pub(crate) fields: BTreeMap<String, Field>,
    pub(crate) atomic: bool,
}

/// A field of the table.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) description: String,
    pub(crate) number: u32,
    pub(crate) via: Vec<u32>,
    pub(crate) ty: JsonType,
    pub(crate) required: bool,
    pub(crate) merge: Merge,
    pub(crate) default: Option<String>,
    pub(crate) presence: Presence,
}

/// How Go holds a field, and so what becomes of empty values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Behind a pointer: an empty value is a value.
    Pointer,
    /// As a value that JSON leaves out when it is empty.
    OmitEmpty,
    /// As a value that JSON always has.
    Always,
}

impl Presence {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pointer => "pointer",
            Self::OmitEmpty => "omitempty",
            Self::Always => "always",
        }
    }

    pub(crate) fn parse(name: &str) -> anyhow::Result<Self> {
        Ok(match name {
            "pointer" => Self::Pointer,
            "omitempty" => Self::OmitEmpty,
            "always" => Self::Always,
            other => anyhow::bail!("unknown presence {other}"),
        })
    }
}

/// How a field merges; empty is the plain rule.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Merge {
    /// `Replace`, `Merge("name")` or `MergePrimitives`.
    pub(crate) patch: Option<String>,
    pub(crate) retain_keys: bool,
    /// `Set` or `Map(&["name"])`.
    pub(crate) list: Option<String>,
    pub(crate) atomic: bool,
}

/// A kind of the table.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) message: String,
    pub(crate) names: JsonKind,
    pub(crate) list: Option<String>,
}

/// Joins the two sources.
pub(crate) fn join(
    json: BTreeMap<String, JsonMessage>,
    proto: &ProtoMessages,
    go: &HashMap<(&str, &str), Presence>,
) -> anyhow::Result<Joined> {
    let mut joined = Joined::default();
    for (name, mut source) in json {
        if special::scalar(&name).is_some() || special::is_left_out(&name) {
            continue;
        }
        if let Some(kind) = source.kind.take() {
            let package = name.rsplit_once('.').context("a message without package")?.0;
            let list = kind.list.as_ref().map(|list| format!("{package}.{list}"));
            if let Some(list) = &list {
                joined.add(list, list_message(&name, &kind.kind), proto);
            }
            joined.kinds.push(Kind { message: name.clone(), names: kind, list });
        }
        joined.add(&name, source, proto);
    }
    for (name, message) in unlisted_messages() {
        joined.add(&format!("{META}.{name}"), message, proto);
    }
    joined.set_presence(go);
    joined.kinds.sort_by(|a, b| key(&a.names).cmp(&key(&b.names)));
    Ok(joined)
}

fn key(kind: &JsonKind) -> (&str, &str, &str) {
    (&kind.group, &kind.version, &kind.kind)
}

impl Joined {
    fn add(&mut self, name: &str, source: JsonMessage, proto: &ProtoMessages) {
        if !source.structured {
            self.notes.push(format!("{name} has no properties"));
        }
        let found = predecessors(&plain_name(name)).find(|name| proto.contains_key(name));
        let target = found.as_ref().and_then(|found| proto.get(found));
        let mut places = BTreeMap::new();
        if let Some(found) = &found {
            collect(found, proto, &source.fields, &[], &mut places);
        }
        let mut fields = BTreeMap::new();
        for (json, field) in source.fields {
            let place = places.get(&plain(&json));
            self.note_place(&format!("{name}.{json}"), &field, place);
            let row = row(name, &json, field, place);
            if row.number == 0 && !special::is_json_only(name, &json) {
                self.notes.push(format!("{name}.{json} has no protobuf number"));
            }
            fields.insert(json, row);
        }
        let atomic =
            target.is_some_and(|target| target.markers.value("structType") == Some("atomic"));
        let message = Message { description: source.description, fields, atomic };
        self.messages.insert(name.to_owned(), message);
    }

    /// Says of every field how Go holds it.
    fn set_presence(&mut self, go: &HashMap<(&str, &str), Presence>) {
        for (name, message) in &mut self.messages {
            for (json, field) in &mut message.fields {
                let known = go.get(&(name.as_str(), json.as_str())).copied();
                if let Some(presence) = known.or_else(|| special::presence(name, json, field)) {
                    field.presence = presence;
                } else {
                    self.notes.push(format!("{name}.{json}: not known whether it is a pointer"));
                }
            }
        }
    }

    /// Notes what is unusual about where protobuf has a field.
    fn note_place(&mut self, name: &str, field: &JsonField, place: Option<&Place<'_>>) {
        let Some(Place { field: proto, via }) = place else { return };
        if !same_type(&field.ty, proto) {
            let (json, proto) = (&field.ty, &proto.ty);
            self.notes.push(format!("{name} is {json:?} in JSON and {proto:?} in protobuf"));
        }
        if !via.is_empty() {
            self.notes.push(format!("{name} is embedded via {via:?}"));
        }
    }
}

/// Where protobuf has a field.
struct Place<'a> {
    field: &'a ProtoField,
    /// Numbers of the embedded messages around it.
    via: Vec<u32>,
}

/// The name itself, then the same message in the versions that it was stable from.
///
/// The protobuf source can be a release behind; a message keeps its numbers when it becomes stable.
fn predecessors(name: &str) -> impl Iterator<Item = String> {
    ["v1", "v1beta2", "v1beta1", "v1alpha3", "v1alpha2", "v1alpha1"]
        .map(|version| name.replace(".v1.", &format!(".{version}.")))
        .into_iter()
}

/// Finds the protobuf field of every JSON field; what JSON does not have but is a message is
/// embedded, and its fields are looked at in turn.
fn collect<'a>(
    message: &str,
    proto: &'a ProtoMessages,
    wanted: &BTreeMap<String, JsonField>,
    via: &[u32],
    found: &mut BTreeMap<String, Place<'a>>,
) {
    let Some(message) = proto.get(message) else { return };
    let is_wanted = |field: &ProtoField| wanted.keys().any(|json| plain(json) == field.name);
    for field in message.fields.iter().filter(|field| is_wanted(field)) {
        found.entry(field.name.clone()).or_insert_with(|| Place { field, via: via.to_vec() });
    }
    for field in message.fields.iter().filter(|field| !is_wanted(field) && !field.repeated) {
        if let ProtoType::Message(inner) = &field.ty
            && via.len() < 3
        {
            let via: Vec<u32> = via.iter().copied().chain([field.number]).collect();
            collect(inner, proto, wanted, &via, found);
        }
    }
}

fn row(message: &str, json: &str, field: JsonField, place: Option<&Place<'_>>) -> Field {
    let special = Markers::made(special::markers(message, json));
    let markers = place.map_or(&special, |place| &place.field.markers);
    let default = markers.value("default").filter(|text| {
        serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| !value.is_object())
    });
    Field {
        number: place
            .map(|place| place.field.number)
            .or_else(|| special::number(message, json))
            .unwrap_or(0),
        via: place.map(|place| place.via.clone()).unwrap_or_default(),
        merge: merge(&field.ty, markers),
        default: default.map(ToOwned::to_owned),
        presence: Presence::Pointer,
        required: field.required,
        ty: field.ty,
        description: field.description,
    }
}

/// The merge rule that a comment's markers declare.
fn merge(ty: &JsonType, markers: &Markers) -> Merge {
    let strategies: Vec<&str> =
        markers.value("patchStrategy").into_iter().flat_map(|value| value.split(',')).collect();
    let key = markers.value("patchMergeKey");
    let merges = strategies.contains(&"merge");
    let mut rule = Merge {
        retain_keys: strategies.contains(&"retainKeys"),
        atomic: [markers.value("structType"), markers.value("mapType")].contains(&Some("atomic")),
        ..Merge::default()
    };
    if strategies.contains(&"replace") {
        rule.patch = Some("Replace".to_owned());
    }
    if let JsonType::List(_) = ty {
        if merges {
            rule.patch = Some(match key {
                Some(key) => format!("Merge({key:?})"),
                None => "MergePrimitives".to_owned(),
            });
        }
        let keys: Vec<&str> = markers.values("listMapKey").collect();
        rule.list = match markers.value("listType") {
            Some("map") => Some(format!("Map(&{keys:?})")),
            Some("set") => Some("Set".to_owned()),
            // Where no list type is declared, server-side apply follows the older markers.
            None if merges => Some(match key {
                Some(key) => format!("Map(&[{key:?}])"),
                None => "Set".to_owned(),
            }),
            Some(_) | None => None,
        };
    }
    rule
}

fn same_type(json: &JsonType, proto: &ProtoField) -> bool {
    match (json, &proto.ty) {
        (JsonType::List(item), _) if proto.repeated => {
            same_type(item, &ProtoField { repeated: false, ..proto.clone() })
        }
        (_, _) if proto.repeated => false,
        (JsonType::Map(value), ProtoType::Map(inner)) => {
            same_type(value, &ProtoField { ty: inner.as_ref().clone(), ..proto.clone() })
        }
        (JsonType::Reference(name), ProtoType::Message(message)) => {
            predecessors(&plain_name(name)).any(|name| name == *message)
        }
        // `map<string, ExtraValue>`, where a message stands for a list.
        (JsonType::List(_), ProtoType::Message(_)) => true,
        (JsonType::String, ProtoType::Scalar(scalar)) => scalar == "string",
        (JsonType::Bytes, ProtoType::Scalar(scalar)) => scalar == "bytes",
        (JsonType::Bool, ProtoType::Scalar(scalar)) => scalar == "bool",
        (JsonType::Int32, ProtoType::Scalar(scalar)) => scalar == "int32",
        (JsonType::Int64, ProtoType::Scalar(scalar)) => scalar == "int64",
        (JsonType::Double, ProtoType::Scalar(scalar)) => scalar == "double",
        _ => false,
    }
}

fn reference(name: &str) -> JsonType {
    JsonType::Reference(format!("{META}.{name}"))
}

fn type_meta() -> [(&'static str, JsonType, bool, &'static str); 2] {
    [
        (
            "apiVersion",
            JsonType::String,
            false,
            "APIVersion defines the versioned schema of this representation of an object. Servers \
             should convert recognized schemas to the latest internal value, and may reject \
             unrecognized values. More info: https://git.k8s.io/community/contributors/devel/\
             sig-architecture/api-conventions.md#resources",
        ),
        (
            "kind",
            JsonType::String,
            false,
            "Kind is a string value representing the REST resource this object represents. Servers \
             may infer this from the endpoint the client submits requests to. Cannot be updated. \
             In CamelCase. More info: https://git.k8s.io/community/contributors/devel/\
             sig-architecture/api-conventions.md#types-kinds",
        ),
    ]
}

fn made(
    description: &str,
    fields: impl IntoIterator<Item = (&'static str, JsonType, bool, &'static str)>,
) -> JsonMessage {
    let fields = fields.into_iter().map(|(name, ty, required, description)| {
        (name.to_owned(), JsonField { description: description.to_owned(), ty, required })
    });
    JsonMessage {
        description: description.to_owned(),
        fields: fields.collect(),
        kind: None,
        structured: true,
    }
}

/// The list of a kind, which `k8s-openapi` has as one generic type.
fn list_message(item: &str, kind: &str) -> JsonMessage {
    let items = JsonType::List(Box::new(JsonType::Reference(item.to_owned())));
    let fields = [
        ("items", items, true, "List of objects."),
        ("metadata", reference("ListMeta"), false, "Standard list metadata."),
    ];
    made(&format!("{kind}List is a list of {kind}."), type_meta().into_iter().chain(fields))
}

/// Messages of meta/v1 that OpenAPI does not describe but that travel.
fn unlisted_messages() -> Vec<(&'static str, JsonMessage)> {
    let partial = JsonType::List(Box::new(reference("PartialObjectMetadata")));
    vec![
        (
            "PartialObjectMetadata",
            made(
                "PartialObjectMetadata is a generic representation of any object with ObjectMeta.",
                type_meta().into_iter().chain([(
                    "metadata",
                    reference("ObjectMeta"),
                    false,
                    "Standard object's metadata.",
                )]),
            ),
        ),
        (
            "PartialObjectMetadataList",
            made(
                "PartialObjectMetadataList contains a list of objects containing only their \
                 metadata.",
                type_meta().into_iter().chain([
                    ("items", partial, true, "items contains each of the included items."),
                    ("metadata", reference("ListMeta"), false, "Standard list metadata."),
                ]),
            ),
        ),
        (
            "WatchEvent",
            made(
                "Event represents a single event to a watched resource.",
                [
                    (
                        "object",
                        JsonType::Reference(
                            "io.k8s.apimachinery.pkg.runtime.RawExtension".to_owned(),
                        ),
                        true,
                        "The new state of the object, the state before its deletion, or a Status.",
                    ),
                    ("type", JsonType::String, true, "ADDED, MODIFIED, DELETED, BOOKMARK, ERROR."),
                ],
            ),
        ),
    ]
}
