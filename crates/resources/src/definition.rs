//! A kind as a definition: its names, its subresources, its columns, and the rules behind them.
//!
//! The API server serves every kind by the same code; what differs is here. A definition holds
//! nothing that must be known when the program is built, so that a kind can be added while the
//! server runs.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};
use wk_api::{
    Fault, FieldPath, GroupKind, GroupResource, GroupVersion, GroupVersionKind,
    GroupVersionResource, Uid,
};
use wk_schema::{Message, Presence, Type};

use crate::look::{Look, at, keep, map_mut, remove, text_at};
use crate::rules::{DeleteRequest, Deletion, KindRules, Update};
use crate::{metadata, walk};

/// Who makes a request, beside the name.
#[derive(Debug, Clone, Copy, Default)]
pub struct Requester<'a> {
    /// Identifies the user across renames; may be empty.
    pub uid: &'a str,
    /// The groups of the user.
    pub groups: &'a [String],
    /// More facts about the user, by key.
    pub extra: Option<&'a BTreeMap<String, Vec<String>>>,
}

/// What a create needs to know beside the object.
#[derive(Debug, Clone)]
pub struct RequestContext<'a> {
    /// The time of the request.
    pub now: Timestamp,
    /// The identity that the object gets.
    pub uid: Uid,
    /// The namespace in the request path; `None` for kinds of the cluster.
    pub namespace: Option<&'a str>,
    /// Who asks.
    pub user: &'a str,
    /// What else is known of who asks.
    pub requester: Requester<'a>,
    /// The random end of a generated name: [`metadata::NAME_SUFFIX_LENGTH`] characters of
    /// [`metadata::NAME_SUFFIX_ALPHABET`].
    pub name_suffix: &'a str,
}

/// A column of the table that `kubectl get` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The heading, shown in upper case.
    pub name: Cow<'static, str>,
    /// The JSON type of its cells: `string`, `integer`, `boolean`, `date`, ….
    pub kind: Cow<'static, str>,
    /// A hint on the form of its cells: `name` for the object's name, otherwise empty.
    pub format: Cow<'static, str>,
    /// What the column shows.
    pub description: Cow<'static, str>,
    /// 0 for columns always shown, 1 for those of `-o wide`.
    pub priority: i32,
}

impl Column {
    /// The column of names, which every table has first.
    pub const NAME: Self = Self {
        name: Cow::Borrowed("Name"),
        kind: Cow::Borrowed("string"),
        format: Cow::Borrowed("name"),
        description: Cow::Borrowed(
            "Name must be unique within a namespace. Is required when creating resources, although \
             some resources may allow a client to request the generation of an appropriate name \
             automatically. Name is primarily intended for creation idempotence and configuration \
             definition. Cannot be updated. More info: \
             https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names",
        ),
        priority: 0,
    };

    /// The column of ages.
    pub const AGE: Self = Self::text(
        "Age",
        "CreationTimestamp is a timestamp representing the server time when this object was \
         created. It is not guaranteed to be set in happens-before order across separate \
         operations. Clients may not set this value. It is represented in RFC3339 form and is in \
         UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: \
         https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
    );

    /// A column of texts.
    pub const fn text(name: &'static str, description: &'static str) -> Self {
        Self {
            name: Cow::Borrowed(name),
            kind: Cow::Borrowed("string"),
            format: Cow::Borrowed(""),
            description: Cow::Borrowed(description),
            priority: 0,
        }
    }

    /// A column of whole numbers.
    pub fn int(name: &'static str, description: &'static str) -> Self {
        Self { kind: Cow::Borrowed("integer"), ..Self::text(name, description) }
    }

    /// A column of truths.
    pub fn flag(name: &'static str, description: &'static str) -> Self {
        Self { kind: Cow::Borrowed("boolean"), ..Self::text(name, description) }
    }

    /// The same column, shown only by `-o wide`.
    #[must_use]
    pub fn wide(self) -> Self {
        Self { priority: 1, ..self }
    }
}

/// A field by which lists and watches can be narrowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectableField {
    /// How field selectors call it.
    pub label: Cow<'static, str>,
    /// Where it is: field names joined by dots.
    pub path: Cow<'static, str>,
    /// Another field that counts where this one is absent or empty; empty for none.
    pub otherwise: Cow<'static, str>,
    /// What an absent field counts as.
    pub absent: Cow<'static, str>,
}

impl SelectableField {
    /// A field that is called by its path and whose absence is the empty text.
    pub const fn new(path: &'static str) -> Self {
        Self {
            label: Cow::Borrowed(path),
            path: Cow::Borrowed(path),
            otherwise: Cow::Borrowed(""),
            absent: Cow::Borrowed(""),
        }
    }

    /// A field that is called otherwise than by its path.
    pub fn alias(label: &'static str, path: &'static str) -> Self {
        Self { label: Cow::Borrowed(label), ..Self::new(path) }
    }

    /// The same field, absent counting as `value`.
    #[must_use]
    pub fn or(self, value: &'static str) -> Self {
        Self { absent: Cow::Borrowed(value), ..self }
    }

    /// The same field, with another one that counts where it is absent or empty.
    #[must_use]
    pub fn or_field(self, path: &'static str) -> Self {
        Self { otherwise: Cow::Borrowed(path), ..self }
    }

    fn value(&self, object: &Value) -> String {
        let otherwise = Some(&self.otherwise).filter(|path| !path.is_empty());
        self.text(at(object, &self.path), otherwise.and_then(|path| at(object, path)))
    }

    /// The text by which objects are selected, made of what is found at the field's path and at the
    /// one that counts otherwise; `null` is given as `None`.
    pub fn text(&self, own: Option<&Value>, otherwise: Option<&Value>) -> String {
        let found = match own.and_then(Value::as_str) {
            None | Some("") if !self.otherwise.is_empty() => otherwise,
            _ => own,
        };
        match found {
            None => self.absent.to_string(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }
}

/// One subresource of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subresource {
    /// The name in the path, for instance `status`.
    pub name: Cow<'static, str>,
    /// The kind of its bodies, for instance `Pod` or `Eviction`.
    pub kind: GroupVersionKind,
    /// The verbs it answers.
    pub verbs: Cow<'static, [&'static str]>,
}

/// A kind, with all that the API server needs to serve it.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The API group; empty for the core group.
    pub group: Cow<'static, str>,
    /// The version, for instance `v1`.
    pub version: Cow<'static, str>,
    /// The kind, for instance `Pod`.
    pub kind: Cow<'static, str>,
    /// The kind of its lists, for instance `PodList`.
    pub list_kind: Cow<'static, str>,
    /// The name in paths, for instance `pods`.
    pub plural: Cow<'static, str>,
    /// The name of one, for instance `pod`.
    pub singular: Cow<'static, str>,
    /// Short names, for instance `po`.
    pub short_names: Vec<Cow<'static, str>>,
    /// Categories that name several kinds at once, for instance `all`.
    pub categories: Vec<Cow<'static, str>>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Its fields; `None` for kinds that the schema does not know.
    pub message: Option<&'static Message>,
    /// The verbs it answers, in alphabetical order.
    pub verbs: Cow<'static, [&'static str]>,
    /// Its subresources.
    pub subresources: Vec<Subresource>,
    /// The columns of its table.
    pub columns: Vec<Column>,
    /// The fields it can be selected by, beside `metadata.name` and `metadata.namespace`.
    pub selectable: Vec<SelectableField>,
    /// Whether `metadata.generation` counts changes of what is wanted.
    pub generation: bool,
    /// The plural under which its objects are stored, where it is a view of another kind's
    /// objects: `Some(("", "v1", "Event"))` for events of `events.k8s.io`.
    pub stored_as: Option<(&'static str, &'static str, &'static str)>,
    /// What is particular to the kind.
    pub rules: Arc<dyn KindRules>,
}

impl Definition {
    /// The group and version, written as `apiVersion`.
    pub fn api_version(&self) -> String {
        GroupVersion::new(self.group.as_ref(), self.version.as_ref()).to_string()
    }

    /// The kind with group and version.
    pub fn gvk(&self) -> GroupVersionKind {
        GroupVersionKind::new(self.group.as_ref(), self.version.as_ref(), self.kind.as_ref())
    }

    /// The resource with group and version.
    pub fn gvr(&self) -> GroupVersionResource {
        GroupVersionResource::new(self.group.as_ref(), self.version.as_ref(), self.plural.as_ref())
    }

    /// The kind as `Invalid` errors name it.
    pub fn group_kind(&self) -> GroupKind {
        GroupKind::new(self.group.as_ref(), self.kind.as_ref())
    }

    /// The resource as other errors name it.
    pub fn group_resource(&self) -> GroupResource {
        GroupResource::new(self.group.as_ref(), self.plural.as_ref())
    }

    /// The subresource of this name.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|subresource| subresource.name == name)
    }

    /// Whether the status is written apart from the rest.
    pub fn has_status(&self) -> bool {
        self.subresource("status").is_some()
    }

    /// Normalises an object and fills in the defaults; doing it twice changes nothing more.
    ///
    /// It comes right after decoding, for new objects and for changed ones.
    pub fn default(&self, object: &mut Value) {
        if let Some(message) = self.message {
            // Where Go has no pointer, a specification that nobody wrote is an empty one.
            let spec = message.field("spec").filter(|spec| {
                spec.presence != Presence::Pointer && matches!(spec.ty, Type::Message(_))
            });
            if spec.is_some() {
                map_mut(object, "spec");
            }
            walk::default(object, message);
        }
        self.rules.default(object);
        self.put_nulls(object);
    }

    fn put_nulls(&self, object: &mut Value) {
        if let Some(message) = self.message {
            walk::put_nulls(object, message);
        }
    }

    /// Makes a decoded, defaulted and admitted object ready to be stored as a new one: system
    /// metadata, generated name, fresh status.
    pub fn prepare_create(&self, object: &mut Value, context: &RequestContext<'_>) {
        if let Value::Object(map) = object {
            map.insert("apiVersion".to_owned(), self.api_version().into());
            map.insert("kind".to_owned(), self.kind.as_ref().into());
        }
        metadata::prepare_create(object, self.namespaced, self.generation, context);
        if self.has_status()
            && !self.rules.creates_with_status()
            && let Value::Object(map) = object
        {
            map.insert("status".to_owned(), Value::Object(Map::new()));
        }
        self.rules.prepare_create(object, context);
        self.put_nulls(object);
    }

    /// All faults of a new object, metadata first.
    pub fn validate_create(&self, object: &Value) -> Vec<Fault> {
        let mut faults = Vec::new();
        metadata::validate(object, self.namespaced, &|name| self.rules.name(name), &mut faults);
        self.validate_body(object, &mut faults);
        self.rules.validate_create(object, &mut faults);
        faults
    }

    fn validate_body(&self, object: &Value, faults: &mut Vec<Fault>) {
        if let Some(message) = self.message {
            walk::validate(object, message, &FieldPath::Root, faults);
        }
        self.rules.validate(object, faults);
    }

    /// Makes a decoded and defaulted object ready to replace `old`.
    ///
    /// A write of the whole object keeps the status, a write of the status keeps all the rest; the
    /// system fields of the metadata are kept; `generation` counts changes of what is wanted.
    pub fn prepare_update(&self, new: &mut Value, old: &Value, update: Update) {
        if let Value::Object(map) = new {
            map.insert("apiVersion".to_owned(), self.api_version().into());
            map.insert("kind".to_owned(), self.kind.as_ref().into());
        }
        metadata::prepare_update(new, old);
        match update {
            Update::Whole => {
                if self.has_status() {
                    keep(new, old, "status");
                }
                self.rules.prepare_update(new, old, update);
                if self.generation && self.rules.wants_changed(new, old) {
                    metadata::bump_generation(new);
                }
            }
            Update::Status => {
                let status = new.get("status").cloned();
                let metadata = new.get("metadata").cloned().unwrap_or_default();
                *new = old.clone();
                if let Value::Object(map) = new {
                    match status {
                        Some(status) => map.insert("status".to_owned(), status),
                        None => map.remove("status"),
                    };
                }
                self.rules.status_metadata(&mut new["metadata"], &metadata);
                self.rules.prepare_update(new, old, update);
            }
            Update::Subresource(name) => {
                if self.has_status() && self.rules.keeps_status(name) {
                    keep(new, old, "status");
                }
                self.rules.prepare_update(new, old, update);
                if self.generation && self.rules.wants_changed(new, old) {
                    metadata::bump_generation(new);
                }
            }
        }
        self.put_nulls(new);
    }

    /// Whether an object may be replaced by one that does not say which revision it is made of.
    pub fn replaces_any_revision(&self) -> bool {
        self.rules.replaces_any_revision()
    }

    /// Writes the time of a change where the kind keeps one and nobody gave it; it comes right after
    /// [`Definition::prepare_update`].
    pub fn stamp(&self, new: &mut Value, old: &Value, now: Timestamp) {
        self.rules.stamp(new, old, now);
    }

    /// All faults of a change of `old` into `new`.
    pub fn validate_update(&self, new: &Value, old: &Value, update: Update) -> Vec<Fault> {
        let mut faults = Vec::new();
        metadata::validate_update(new, old, &mut faults);
        metadata::validate(new, self.namespaced, &|name| self.rules.name(name), &mut faults);
        if update != Update::Status {
            self.validate_body(new, &mut faults);
        }
        self.rules.validate_update(new, old, update, &mut faults);
        faults
    }

    /// What a client is warned of, though the object is taken: deprecated and useless settings.
    ///
    /// The object is one that is fine and about to be stored, in the place of `old` if there is one.
    pub fn warnings(&self, object: &Value, old: Option<&Value>) -> Vec<String> {
        self.rules.warnings(object, old)
    }

    /// Begins, hastens or ends the deletion of an object; see [`Deletion`].
    ///
    /// Finalizers are not looked at: they are the same for every kind, and the server's business.
    pub fn delete(&self, object: &mut Value, request: &DeleteRequest) -> Deletion {
        self.rules.delete(object, request)
    }

    /// The cells of the table row of an object.
    pub fn row(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        self.rules.row(object, now)
    }

    /// Whether objects can be selected by a field.
    ///
    /// # Errors
    /// The message of the `BadRequest` that Kubernetes answers.
    pub fn check_field(&self, label: &str) -> Result<(), String> {
        let known = label == "metadata.name"
            || label == "metadata.namespace"
            || self.selectable.iter().any(|field| field.label == label);
        if known {
            return Ok(());
        }
        if self.selectable.is_empty() {
            return Err(format!(
                "{label:?} is not a known field selector: only \"metadata.name\", \
                 \"metadata.namespace\""
            ));
        }
        Err(format!("field label not supported: {label}"))
    }

    /// The value of a selectable field of an object; `None` when it cannot be selected by it.
    pub fn field(&self, object: &Value, label: &str) -> Option<String> {
        match label {
            "metadata.name" | "metadata.namespace" => Some(text_at(object, label).to_owned()),
            _ => {
                let field = self.selectable.iter().find(|field| field.label == label)?;
                Some(field.value(object))
            }
        }
    }

    /// The selectable fields of an object with their values, without those of the metadata.
    pub fn fields(&self, object: &Value) -> Vec<(Cow<'static, str>, String)> {
        self.selectable.iter().map(|field| (field.label.clone(), field.value(object))).collect()
    }

    /// Turns an object as it is stored into this kind, where the kind is a view of another.
    pub fn from_stored(&self, object: &mut Value) {
        self.rules.to_view(object);
    }

    /// Turns an object of this kind into what is stored, where the kind is a view of another.
    pub fn to_stored(&self, object: &mut Value) {
        self.rules.to_stored(object);
    }
}

/// For kinds whose metadata a write of the status does not change.
pub(crate) fn no_metadata_of_status(kept: &mut Value, sent: &Value) {
    keep_metadata_of_status(kept, sent, &["managedFields", "resourceVersion"]);
}

/// Takes over fields of the metadata that came with a status.
pub(crate) fn keep_metadata_of_status(kept: &mut Value, sent: &Value, fields: &[&str]) {
    for field in fields {
        if sent.lacks(field) {
            remove(kept, field);
        } else if let Value::Object(map) = kept {
            map.insert((*field).to_owned(), sent[*field].clone());
        }
    }
}
