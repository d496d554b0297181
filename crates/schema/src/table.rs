//! The shape of the table: messages, their fields, and how lists of them merge.

use serde_json::Value;

use crate::{generated, measured};

/// A structured type, such as `io.k8s.api.core.v1.Container`.
#[derive(Debug)]
pub struct Message {
    /// The full name, as OpenAPI documents use it: `io.k8s.api.core.v1.Container`.
    pub name: &'static str,
    /// The fields, sorted by their JSON names. Fields of embedded structures are among them.
    pub fields: &'static [Field],
    /// Whether server-side apply takes this structure as one value wherever it occurs.
    pub atomic: bool,
}

impl Message {
    /// The field of this JSON name. Names are case-sensitive.
    #[inline]
    pub fn field(&self, json: &str) -> Option<&'static Field> {
        let index = self.fields.binary_search_by(|field| field.json.cmp(json)).ok()?;
        self.fields.get(index)
    }

    /// The last part of the name: `Container`.
    pub fn short_name(&self) -> &'static str {
        self.name.rsplit_once('.').map_or(self.name, |(_, short)| short)
    }

    /// The name that Go gives to the type: `v1.Container`. Error messages use it.
    pub fn go_name(&self) -> &'static str {
        let mut dots = self.name.rmatch_indices('.').skip(1);
        dots.next().map_or(self.name, |(dot, _)| &self.name[dot + 1..])
    }

    /// The package: `io.k8s.api.core.v1`.
    pub fn package(&self) -> &'static str {
        self.name.rsplit_once('.').map_or("", |(package, _)| package)
    }

    /// The fields without which a body of this message is incomplete.
    pub fn required(&self) -> impl Iterator<Item = &'static Field> {
        self.fields.iter().filter(|field| field.required)
    }
}

impl PartialEq for Message {
    /// Messages are equal if they are the same row of the table.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.name == other.name
    }
}

impl Eq for Message {}

/// One field of a [`Message`].
#[derive(Debug)]
pub struct Field {
    /// The name in JSON: `containerPort`.
    pub json: &'static str,
    /// The protobuf field number; 0 if the field has no protobuf form (`apiVersion` and `kind` of
    /// a whole object, which travel in the envelope).
    pub number: u32,
    /// Numbers of the embedded messages that hold the field in protobuf, outermost first.
    ///
    /// Go embeds structures (`VolumeSource` in `Volume`), which JSON flattens and protobuf does not.
    pub via: &'static [u32],
    /// What the field holds.
    pub ty: Type,
    /// Whether OpenAPI lists the field as required. It says nothing about empty values.
    pub required: bool,
    /// How Go holds the field, and so what an empty value is.
    pub presence: Presence,
    /// How patches merge the field.
    pub merge: &'static MergeRule,
    /// The default that the schema declares, as JSON text: `"TCP"` with its quotes.
    pub default: Option<&'static str>,
}

impl Field {
    /// A field without anything special. The generated tables are made of these builders.
    pub(crate) const fn new(json: &'static str, number: u32, ty: Type) -> Self {
        Self {
            json,
            number,
            via: &[],
            ty,
            required: false,
            presence: Presence::Pointer,
            merge: &MergeRule::PLAIN,
            default: None,
        }
    }

    /// Whether a value of this field is Go's way to say nothing.
    pub fn is_absence(&self, value: &Value) -> bool {
        self.presence == Presence::OmitEmpty
            && match value {
                Value::Null => true,
                Value::Bool(value) => self.ty == Type::Bool && !value,
                Value::Number(number) => self.is_scalar() && number.as_f64() == Some(0.0),
                Value::String(text) => self.is_scalar() && text.is_empty(),
                Value::Array(items) => matches!(self.ty, Type::List(_)) && items.is_empty(),
                Value::Object(fields) => matches!(self.ty, Type::Map(_)) && fields.is_empty(),
            }
    }

    fn is_scalar(&self) -> bool {
        !matches!(self.ty, Type::Any | Type::SchemaOr(_))
    }

    pub(crate) const fn via(mut self, via: &'static [u32]) -> Self {
        self.via = via;
        self
    }

    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(crate) const fn omit_empty(mut self) -> Self {
        self.presence = Presence::OmitEmpty;
        self
    }

    pub(crate) const fn always(mut self) -> Self {
        self.presence = Presence::Always;
        self
    }

    pub(crate) const fn merge(mut self, rule: &'static MergeRule) -> Self {
        self.merge = rule;
        self
    }

    pub(crate) const fn default(mut self, json: &'static str) -> Self {
        self.default = Some(json);
        self
    }
}

/// How Go holds a field, and so what becomes of an empty value (`""`, `0`, `false`, `[]`, `{}`).
///
/// Objects pass through Go's structures in Kubernetes, and come out accordingly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Behind a pointer: an empty value is a value, and differs from absence.
    Pointer,
    /// As a value that is left out when it is empty: there is no difference. (Structures have no
    /// empty value: `{}` stays.)
    OmitEmpty,
    /// As a value that is always there: absence becomes the empty value on the way through.
    Always,
}

/// The type of a field, or of what a list or map holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Text.
    String,
    /// `true` or `false`.
    Bool,
    /// A whole number of 32 bits.
    Int32,
    /// A whole number of 64 bits.
    Int64,
    /// A floating-point number.
    Double,
    /// Bytes, base64 in JSON.
    Bytes,
    /// A point in time, RFC 3339 with seconds.
    Time,
    /// A point in time, RFC 3339 with microseconds.
    MicroTime,
    /// A time span as Go writes it: `1m15.5s`.
    Duration,
    /// An amount such as `100m` or `1Gi`: a string in canonical form.
    Quantity,
    /// A 32-bit number or a string.
    IntOrString,
    /// Any JSON value, kept as it is.
    Any,
    /// A structure.
    Message(&'static Message),
    /// A list.
    List(&'static Type),
    /// A map with string keys.
    Map(&'static Type),
    /// A JSON schema or something simpler in its place (only in `CustomResourceDefinition`).
    SchemaOr(SchemaChoice),
}

impl Type {
    /// The message in this type, looking into lists and maps.
    pub fn message(self) -> Option<&'static Message> {
        match self {
            Self::Message(message) => Some(message),
            Self::List(item) | Self::Map(item) => item.message(),
            Self::String
            | Self::Bool
            | Self::Int32
            | Self::Int64
            | Self::Double
            | Self::Bytes
            | Self::Time
            | Self::MicroTime
            | Self::Duration
            | Self::Quantity
            | Self::IntOrString
            | Self::Any
            | Self::SchemaOr(_) => None,
        }
    }
}

/// What may stand in place of a JSON schema, see [`Type::SchemaOr`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaChoice {
    /// A list of schemas.
    Schemas,
    /// `true` or `false`.
    Bool,
    /// A list of strings.
    Strings,
}

/// How both patch engines treat a field.
///
/// The two can differ: container ports merge by `containerPort` in a strategic merge patch, and by
/// `containerPort` and `protocol` in server-side apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergeRule {
    /// What a strategic merge patch does.
    pub patch: PatchStrategy,
    /// Whether a strategic merge patch may carry `$retainKeys` for the field: keys of the live
    /// object that the directive does not name are dropped, as a union needs it.
    pub retain_keys: bool,
    /// How server-side apply sees a list.
    pub list: ListType,
    /// Whether server-side apply takes a map or structure as one value.
    pub atomic: bool,
}

impl MergeRule {
    /// The rule of fields that declare none: structures and maps merge, lists are replaced.
    pub const PLAIN: Self = Self {
        patch: PatchStrategy::Default,
        retain_keys: false,
        list: ListType::Atomic,
        atomic: false,
    };
}

/// What a strategic merge patch does with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchStrategy {
    /// Structures and maps merge key by key; everything else is replaced.
    Default,
    /// The value is replaced whole, also where it is a structure or map.
    Replace,
    /// Items of the list are matched by the value of this key and merged.
    Merge(&'static str),
    /// The list is a set of primitives; new ones are added.
    MergePrimitives,
}

/// How server-side apply sees a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListType {
    /// One value with one owner.
    Atomic,
    /// A set of primitives, each owned by itself.
    Set,
    /// Items are told apart by the values of these keys.
    Map(&'static [&'static str]),
}

/// A kind that has an endpoint of its own, or a list of such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The API group, empty for core.
    pub group: &'static str,
    /// The version, such as `v1`.
    pub version: &'static str,
    /// The kind, such as `Pod`.
    pub kind: &'static str,
    /// The plural that stands in URLs, such as `pods`, or the subresource's name.
    pub plural: &'static str,
    /// Where objects of the kind live.
    pub scope: Scope,
    /// The kind's fields.
    pub message: &'static Message,
    /// The fields of the kind's list, for kinds that are listed.
    pub list: Option<&'static Message>,
}

/// Where objects of a kind live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In the cluster.
    Cluster,
    /// In a namespace.
    Namespaced,
    /// Under an object of another kind (`Scale`, `Eviction`, ...), or nowhere (`Status`).
    Subresource,
}

/// The message of this full name, such as `io.k8s.api.core.v1.Container`.
pub fn message(name: &str) -> Option<&'static Message> {
    let index = generated::MESSAGES.binary_search_by(|message| message.name.cmp(name)).ok()?;
    generated::MESSAGES.get(index).copied()
}

/// All messages, sorted by name.
pub fn messages() -> &'static [&'static Message] {
    generated::MESSAGES
}

/// The message of a kind, or of its list: `kind("", "v1", "Pod")`, `kind("", "v1", "PodList")`.
///
/// `DeleteOptions` and `Status` are found in every group, as clients send them with any.
pub fn kind(group: &str, version: &str, kind: &str) -> Option<&'static Message> {
    if let Some(found) = kind_of(group, version, kind) {
        return Some(found.message);
    }
    if let Some(listed) = kind.strip_suffix("List")
        && let Some(found) = kind_of(group, version, listed)
    {
        return found.list;
    }
    match kind {
        "DeleteOptions" => message("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"),
        "Status" => message("io.k8s.apimachinery.pkg.apis.meta.v1.Status"),
        _ => None,
    }
}

/// The row of a kind (not of its list).
pub fn kind_of(group: &str, version: &str, kind: &str) -> Option<&'static Kind> {
    let wanted = (group, version, kind);
    [generated::KINDS, measured::KINDS].into_iter().find_map(|kinds| {
        let own = |row: &Kind| (row.group, row.version, row.kind).cmp(&wanted);
        kinds.get(kinds.binary_search_by(own).ok()?)
    })
}

/// All kinds of Kubernetes, sorted by group, version and kind. (Those that are measured are not among
/// them.)
pub fn kinds() -> &'static [Kind] {
    generated::KINDS
}

/// How patches merge a field of a message; [`MergeRule::PLAIN`] for fields that it does not have.
pub fn merge_rule(message: &Message, field: &str) -> MergeRule {
    message.field(field).map_or(MergeRule::PLAIN, |field| *field.merge)
}

#[cfg(test)]
mod tests;
