//! An object as the cache keeps it: encoded, with what selectors ask taken out of it.

mod outline;

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use wk_api::{FieldSelector, LabelSelector};
use wk_resources::Definition;
use wk_store::Key;

pub(crate) use self::outline::Outline;

/// One object at one revision.
///
/// The encoded form has no `resourceVersion`, which is known only once it is stored: it is spliced
/// in where the metadata begin.
#[derive(Debug)]
pub(crate) struct Object {
    key: Key,
    /// Where the namespace (or, without one, the name) begins in the key.
    path_at: u16,
    /// Where in `json` the revision goes: behind the opening brace of the metadata.
    splice: u32,
    json: Bytes,
    /// The revision as clients see it.
    pub(crate) revision: u64,
    /// Names and values of the labels by turns, then the values of the definition's selectable
    /// fields, in its order.
    facts: Facts,
}

/// Texts in one piece of memory, each behind its length: there are several for every object.
#[derive(Debug)]
struct Facts {
    bytes: Box<[u8]>,
    labels: u32,
}

impl Facts {
    fn new<'a>(
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        fields: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut bytes = Vec::new();
        let mut push = |text: &str| {
            bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        };
        let mut count = 0;
        for (name, value) in labels {
            push(name);
            push(value);
            count += 1;
        }
        for value in fields {
            push(&value);
        }
        Self { bytes: bytes.into(), labels: count }
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let mut rest = &*self.bytes;
        std::iter::from_fn(move || {
            let (length, behind) = rest.split_first_chunk()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            let (text, behind) = behind.split_at_checked(length)?;
            rest = behind;
            std::str::from_utf8(text).ok()
        })
    }

    fn label(&self, name: &str) -> Option<&str> {
        let mut texts = self.texts();
        for _ in 0..self.labels {
            let (own, value) = (texts.next()?, texts.next()?);
            if own == name {
                return Some(value);
            }
        }
        None
    }

    fn field(&self, place: usize) -> Option<&str> {
        self.texts().nth(2 * usize::try_from(self.labels).ok()? + place)
    }
}

/// What is stored is not an object.
#[derive(Debug, thiserror::Error)]
#[error("what is stored under `{key}` is not an object")]
pub(crate) struct Damaged {
    key: String,
    #[source]
    source: serde_json::Error,
}

#[derive(Deserialize)]
struct Labels<'a> {
    #[serde(borrow, default)]
    labels: Option<BTreeMap<Cow<'a, str>, Cow<'a, str>>>,
}

impl Object {
    /// An object from its stored form.
    pub(crate) fn read(
        outline: &Outline,
        prefix: &str,
        key: Key,
        json: Bytes,
        revision: u64,
    ) -> Result<Self, Damaged> {
        let damaged = |source| Damaged { key: key.to_string(), source };
        let (metadata, fields) = outline.read(&json).map_err(damaged)?;
        let metadata = metadata.get();
        let splice = metadata.as_ptr().addr() - json.as_ptr().addr() + 1;
        let labels: Labels<'_> = serde_json::from_str(metadata).map_err(damaged)?;
        let labels = labels.labels.unwrap_or_default();
        let labels = labels.iter().map(|(name, value)| (&**name, &**value));
        let facts = Facts::new(labels, fields);
        let splice = u32::try_from(splice).unwrap_or(u32::MAX);
        let path_at = u16::try_from(prefix.len()).unwrap_or(u16::MAX);
        Ok(Self { key, path_at, splice, json, revision, facts })
    }

    /// The key in the store.
    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// The key behind the kind's prefix: `namespace/name` or `name`.
    pub(crate) fn path(&self) -> &str {
        self.key.get(usize::from(self.path_at)..).unwrap_or_default()
    }

    /// The namespace; empty for objects of the cluster.
    pub(crate) fn namespace(&self) -> &str {
        self.path().split_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// The name.
    pub(crate) fn name(&self) -> &str {
        self.path().rsplit_once('/').map_or(self.path(), |(_, name)| name)
    }

    /// The stored form, without `resourceVersion`.
    pub(crate) fn stored(&self) -> &Bytes {
        &self.json
    }

    /// About how many bytes of memory the object takes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.key.len() + self.json.len() + self.facts.bytes.len()
    }

    /// The length of the JSON form.
    pub(crate) fn json_len(&self) -> usize {
        self.json.len() + 42
    }

    /// Writes the JSON form, as of the object's own revision.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        self.write_json_at(self.revision, out);
    }

    /// Writes the JSON form with another revision: that of its deletion.
    pub(crate) fn write_json_at(&self, revision: u64, out: &mut Vec<u8>) {
        let (head, tail) = self.json.split_at(self.splice as usize);
        out.extend_from_slice(head);
        out.extend_from_slice(b"\"resourceVersion\":\"");
        out.extend_from_slice(revision.to_string().as_bytes());
        out.push(b'"');
        if tail.first() != Some(&b'}') {
            out.push(b',');
        }
        out.extend_from_slice(tail);
    }

    /// The JSON form.
    pub(crate) fn json(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.json_len());
        self.write_json(&mut out);
        out.into()
    }

    /// The object as a value, `resourceVersion` included.
    pub(crate) fn value(&self) -> Value {
        self.value_at(self.revision)
    }

    /// The object as a value with another revision.
    pub(crate) fn value_at(&self, revision: u64) -> Value {
        // It was read before, when the object was made.
        let mut value: Value = serde_json::from_slice(&self.json).unwrap_or_default();
        if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
            metadata.insert("resourceVersion".to_owned(), revision.to_string().into());
        }
        value
    }

    /// Whether the selectors select the object.
    pub(crate) fn matches(&self, selection: &Selection, definition: &Definition) -> bool {
        if !selection.labels.is_everything()
            && !selection.labels.matches_with(|key: &str| self.facts.label(key))
        {
            return false;
        }
        selection.fields.is_empty()
            || selection.fields.matches(|field| match field {
                "metadata.name" => Some(self.name()),
                "metadata.namespace" => Some(self.namespace()),
                _ => {
                    let place = definition.selectable.iter().position(|own| own.label == field)?;
                    self.facts.field(place)
                }
            })
    }
}

/// Which objects a list or watch is about.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    pub(crate) labels: LabelSelector,
    pub(crate) fields: FieldSelector,
}

impl Selection {
    /// Whether every object is selected.
    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_empty()
    }
}

/// The stored form of an object: without `resourceVersion`.
pub(crate) fn to_stored(value: &mut Value) -> Bytes {
    if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
        metadata.remove("resourceVersion");
    }
    // Without the room that was left for more: it is kept for as long as the object.
    value.to_string().into_boxed_str().into_boxed_bytes().into()
}
