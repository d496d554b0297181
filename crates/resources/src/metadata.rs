//! What all objects have: names, system fields, labels, annotations, owners and finalizers.

use jiff::Timestamp;
use serde_json::{Map, Value};
use wk_api::fault::quote;
use wk_api::{Fault, FieldPath, GroupVersion, names, rfc3339};

use crate::look::{Look, map_mut};

/// The most bytes of all annotations together: 256 KiB.
const ANNOTATIONS_MAX: usize = 256 * 1024;
/// The most bytes of a generated name before the random part is added.
const GENERATED_PREFIX_MAX: usize = 58;
/// How many random characters end a generated name.
pub const NAME_SUFFIX_LENGTH: usize = 5;
/// The characters of the random end of a generated name: no vowels, so that no words appear, and
/// nothing that looks like something else.
pub const NAME_SUFFIX_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// The name made of a `generateName` and a random suffix.
pub fn generated_name(prefix: &str, suffix: &str) -> String {
    let mut end = prefix.len().min(GENERATED_PREFIX_MAX);
    while !prefix.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &prefix[..end])
}

/// Fills the system fields of a new object and clears what a client may not choose.
pub(crate) fn prepare_create(
    object: &mut Value,
    namespaced: bool,
    generation: bool,
    context: &crate::RequestContext<'_>,
) {
    let metadata = map_mut(object, "metadata");
    if namespaced {
        if let Some(namespace) = context.namespace {
            metadata.insert("namespace".to_owned(), namespace.into());
        }
    } else {
        metadata.remove("namespace");
    }
    for field in [
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "resourceVersion",
        "selfLink",
    ] {
        metadata.remove(field);
    }
    metadata.insert("creationTimestamp".to_owned(), rfc3339(context.now).into());
    metadata.insert("uid".to_owned(), context.uid.as_str().into());
    if generation {
        metadata.insert("generation".to_owned(), 1.into());
    }
    if metadata.lacks("name") && !metadata.lacks("generateName") {
        let name = generated_name(metadata.text("generateName"), context.name_suffix);
        metadata.insert("name".to_owned(), name.into());
    }
}

/// Keeps the system fields of the object that is there.
pub(crate) fn prepare_update(new: &mut Value, old: &Value) {
    let metadata = map_mut(new, "metadata");
    let old = &old["metadata"];
    // What a client leaves out stays; what it says otherwise is refused by validation.
    for field in ["name", "namespace", "uid", "creationTimestamp"] {
        if metadata.lacks(field) && old.has(field) {
            metadata.insert(field.to_owned(), old[field].clone());
        }
    }
    // A deletion can neither be taken back nor changed by a write.
    if old.has("deletionTimestamp") {
        metadata.insert("deletionTimestamp".to_owned(), old["deletionTimestamp"].clone());
    }
    if old.has("deletionGracePeriodSeconds") && !metadata.has("deletionGracePeriodSeconds") {
        let grace = old["deletionGracePeriodSeconds"].clone();
        metadata.insert("deletionGracePeriodSeconds".to_owned(), grace);
    }
    metadata.remove("selfLink");
    match old.get("generation") {
        Some(generation) => metadata.insert("generation".to_owned(), generation.clone()),
        None => metadata.remove("generation"),
    };
}

/// Counts a change of what is wanted.
pub(crate) fn bump_generation(object: &mut Value) {
    let metadata = map_mut(object, "metadata");
    let next = metadata.int("generation").unwrap_or(0).saturating_add(1);
    metadata.insert("generation".to_owned(), next.into());
}

/// Marks an object as being deleted, to be gone `grace_seconds` after `now`.
pub fn mark_deleted(object: &mut Value, now: Timestamp, grace_seconds: i64) {
    let until = now.as_second().saturating_add(grace_seconds);
    let until = Timestamp::from_second(until).unwrap_or(Timestamp::MAX);
    let metadata = map_mut(object, "metadata");
    metadata.insert("deletionTimestamp".to_owned(), rfc3339(until).into());
    metadata.insert("deletionGracePeriodSeconds".to_owned(), grace_seconds.into());
    if metadata.int("generation").is_some_and(|generation| generation > 0) {
        bump_generation(object);
    }
}

/// Checks the metadata of any object.
pub(crate) fn validate(
    object: &Value,
    namespaced: bool,
    name_rule: &dyn Fn(&str) -> Vec<String>,
    faults: &mut Vec<Fault>,
) {
    let root = FieldPath::Root;
    let path = root.child("metadata");
    let metadata = &object["metadata"];
    let prefix = metadata.text("generateName");
    if !prefix.is_empty() {
        // The random end makes up for a dash at the end of the prefix.
        let masked = match prefix.strip_suffix('-') {
            Some(head) if head.chars().count() >= 1 => {
                let end = head.char_indices().next_back().map_or(0, |(at, _)| at);
                format!("{}a", &head[..end])
            }
            _ => prefix.to_owned(),
        };
        for message in name_rule(&masked) {
            faults.push(Fault::invalid(&path.child("generateName"), prefix, message));
        }
    }
    let name = metadata.text("name");
    if name.is_empty() {
        faults.push(Fault::required(&path.child("name"), "name or generateName is required"));
    } else {
        for message in name_rule(name) {
            faults.push(Fault::invalid(&path.child("name"), name, message));
        }
    }
    let namespace = metadata.text("namespace");
    if namespaced && namespace.is_empty() {
        faults.push(Fault::required(&path.child("namespace"), ""));
    } else if namespaced {
        for message in names::dns1123_label(namespace) {
            faults.push(Fault::invalid(&path.child("namespace"), namespace, message));
        }
    } else if !namespace.is_empty() {
        let detail = "not allowed on this type";
        faults.push(Fault::forbidden(&path.child("namespace"), detail));
    }
    non_negative(metadata, "generation", &path, faults);
    labels(metadata, "labels", &path, faults);
    annotations(metadata, &path, faults);
    owners(metadata, &path, faults);
    finalizers(metadata, &path, faults);
    managers(metadata, &path, faults);
}

/// The most bytes of the name of a manager of fields, and of that of a subresource.
const MANAGER_MAX: usize = 128;
const SUBRESOURCE_MAX: usize = 256;

/// Checks who is said to manage which fields. What cannot be read was forgotten before.
fn managers(metadata: &Value, path: &FieldPath<'_>, faults: &mut Vec<Fault>) {
    let list = path.child("managedFields");
    for (index, entry) in metadata.items("managedFields").iter().enumerate() {
        let path = list.index(index);
        let operation = entry.text("operation");
        if !matches!(operation, "Apply" | "Update") {
            let detail = "must be `Apply` or `Update`";
            faults.push(Fault::invalid(&path.child("operation"), operation, detail));
        }
        let kind = entry.text("fieldsType");
        if !matches!(kind, "" | "FieldsV1") {
            faults.push(Fault::invalid(&path.child("fieldsType"), kind, "must be `FieldsV1`"));
        }
        let manager = entry.text("manager");
        if manager.len() > MANAGER_MAX {
            faults.push(Fault::too_long(&path.child("manager"), MANAGER_MAX));
        }
        for message in names::printable(manager) {
            faults.push(Fault::invalid(&path.child("manager"), manager, message));
        }
        if entry.text("subresource").len() > SUBRESOURCE_MAX {
            faults.push(Fault::too_long(&path.child("subresource"), SUBRESOURCE_MAX));
        }
    }
}

/// Checks a map of labels in a field.
pub(crate) fn labels(value: &Value, field: &str, path: &FieldPath<'_>, faults: &mut Vec<Fault>) {
    let path = path.child(field);
    for (key, value) in value.entries(field) {
        for message in names::qualified_name(key) {
            faults.push(Fault::invalid(&path, key.as_str(), message));
        }
        for message in names::label_value(value.as_str().unwrap_or_default()) {
            faults.push(Fault::invalid(&path.key(key), value.clone(), message));
        }
    }
}

/// Checks the annotations of metadata.
pub(crate) fn annotations(metadata: &Value, path: &FieldPath<'_>, faults: &mut Vec<Fault>) {
    let path = path.child("annotations");
    let mut size = 0;
    for (key, value) in metadata.entries("annotations") {
        // Keys of annotations may have upper case where those of labels may not.
        for message in names::qualified_name(&key.to_lowercase()) {
            faults.push(Fault::invalid(&path, key.as_str(), message));
        }
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS_MAX {
        faults.push(Fault::too_long(&path, ANNOTATIONS_MAX));
    }
}

fn owners(metadata: &Value, path: &FieldPath<'_>, faults: &mut Vec<Fault>) {
    let list = path.child("ownerReferences");
    let mut controller: Option<&str> = None;
    for (index, owner) in metadata.items("ownerReferences").iter().enumerate() {
        let path = list.index(index);
        let version = GroupVersion::parse(owner.text("apiVersion"));
        if version.as_ref().is_none_or(|version| version.version.is_empty()) {
            let detail = "version must not be empty";
            let value = owner.text("apiVersion");
            faults.push(Fault::invalid(&path.child("apiVersion"), value, detail));
        }
        for field in ["kind", "name", "uid"] {
            if owner.lacks(field) {
                let value = owner.text(field);
                faults.push(Fault::invalid(&path.child(field), value, "must not be empty"));
            }
        }
        if owner.text("kind") == "Event" && owner.text("apiVersion") == "v1" {
            let detail = "/v1, Kind=Event is disallowed from being an owner";
            faults.push(Fault::invalid(&path, owner.clone(), detail));
        }
        if owner.is("controller") {
            if let Some(first) = controller {
                let second = owner.text("name");
                let detail = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in \
                     references for {first} and {second}"
                );
                let value = metadata["ownerReferences"].clone();
                faults.push(Fault::invalid(&list, value, detail));
            } else {
                controller = Some(owner.text("name"));
            }
        }
    }
}

fn finalizers(metadata: &Value, path: &FieldPath<'_>, faults: &mut Vec<Fault>) {
    let list = path.child("finalizers");
    let (mut orphan, mut foreground) = (false, false);
    for (index, finalizer) in metadata.items("finalizers").iter().enumerate() {
        let finalizer = finalizer.as_str().unwrap_or_default();
        orphan |= finalizer == "orphan";
        foreground |= finalizer == "foregroundDeletion";
        finalizer_name(finalizer, &list.index(index), faults);
    }
    if orphan && foreground {
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        faults.push(Fault::invalid(&list, metadata["finalizers"].clone(), detail));
    }
}

/// Checks the name of one finalizer.
pub(crate) fn finalizer_name(name: &str, path: &FieldPath<'_>, faults: &mut Vec<Fault>) {
    let messages = names::qualified_name(name);
    let wrong = !messages.is_empty();
    for message in messages {
        faults.push(Fault::invalid(path, name, message));
    }
    let standard = ["kubernetes", "orphan", "foregroundDeletion"];
    if !wrong && !name.contains('/') && !standard.contains(&name) {
        let detail = "name is neither a standard finalizer name nor is it fully qualified";
        faults.push(Fault::invalid(path, name, detail));
    }
}

/// Checks that a number is not below zero.
pub(crate) fn non_negative(
    value: &Value,
    field: &str,
    path: &FieldPath<'_>,
    faults: &mut Vec<Fault>,
) {
    if let Some(number) = value.int(field).filter(|number| *number < 0) {
        let detail = "must be greater than or equal to 0";
        faults.push(Fault::invalid(&path.child(field), number, detail));
    }
}

/// Checks that what may not change did not.
pub(crate) fn validate_update(new: &Value, old: &Value, faults: &mut Vec<Fault>) {
    let root = FieldPath::Root;
    let path = root.child("metadata");
    let (new, old) = (&new["metadata"], &old["metadata"]);
    if old.has("deletionTimestamp") {
        let added: Vec<String> = new
            .items("finalizers")
            .iter()
            .filter(|finalizer| !old.items("finalizers").contains(finalizer))
            .map(|finalizer| quote(finalizer.as_str().unwrap_or_default()))
            .collect();
        if !added.is_empty() {
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new \
                 finalizers []string{{{}}}",
                added.join(", ")
            );
            faults.push(Fault::forbidden(&path.child("finalizers"), detail));
        }
    }
    let grace = "deletionGracePeriodSeconds";
    if new.has(grace) && new.get(grace) != old.get(grace) {
        let detail = "field is immutable; may only be changed via deletion";
        faults.push(Fault::invalid(&path.child(grace), new[grace].clone(), detail));
    }
    for field in ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp"] {
        immutable(new, old, field, &path, faults);
    }
}

/// Checks that a field did not change.
pub(crate) fn immutable(
    new: &Value,
    old: &Value,
    field: &str,
    path: &FieldPath<'_>,
    faults: &mut Vec<Fault>,
) {
    let value = |object: &Value| object.get(field).cloned().unwrap_or_default();
    let (new, old) = (value(new), value(old));
    if new != old {
        faults.push(Fault::invalid(&path.child(field), new, "field is immutable"));
    }
}

/// The entries of a map field as they are, for reading.
pub(crate) fn map<'a>(value: &'a Value, field: &str) -> Option<&'a Map<String, Value>> {
    value.get(field).and_then(Value::as_object)
}
