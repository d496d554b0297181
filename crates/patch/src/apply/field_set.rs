//! Sets of field paths, and their form in `fieldsV1`.
//!
//! A set is a trie. `{"f:metadata":{"f:labels":{".":{},"f:a":{}}}}` holds the paths
//! `.metadata.labels` (because of the dot) and `.metadata.labels.a`, and not `.metadata`.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

/// One step of a path, kept in its form in `fieldsV1`.
///
/// `f:name` is a field or map key, `k:{"name":"a"}` the item of a list with those keys, `v:"a"` an
/// item of a set, `i:0` the item at a place. Keys within are sorted, so that equal steps are equal
/// texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathElement(String);

impl PathElement {
    /// A field of a structure, or a key of a map.
    pub fn field(name: &str) -> Self {
        Self(format!("f:{name}"))
    }

    /// The item of a list that has these values in its key fields.
    pub fn key(keys: &BTreeMap<&str, Value>) -> Self {
        let keys: Vec<String> =
            keys.iter().map(|(name, value)| format!("{}:{value}", Value::from(*name))).collect();
        Self(format!("k:{{{}}}", keys.join(",")))
    }

    /// An item of a set.
    pub fn value(value: &Value) -> Self {
        Self(format!("v:{value}"))
    }

    /// The item at a place, where nothing else tells it apart.
    pub fn place(place: usize) -> Self {
        Self(format!("i:{place}"))
    }

    /// The field's name, for steps to a field.
    pub fn field_name(&self) -> Option<&str> {
        self.0.strip_prefix("f:")
    }

    /// The step in its form in `fieldsV1`.
    pub(super) fn into_text(self) -> String {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_at_checked(2)?;
        match kind {
            "f:" => Some(Self(text.to_owned())),
            "k:" => {
                let keys: BTreeMap<String, Value> = serde_json::from_str(rest).ok()?;
                let keys = keys.iter().map(|(name, value)| (name.as_str(), value.clone()));
                Some(Self::key(&keys.collect()))
            }
            "v:" => Some(Self::value(&serde_json::from_str(rest).ok()?)),
            "i:" => rest.parse::<u32>().ok().map(|place| Self(format!("i:{place}"))),
            _ => None,
        }
    }
}

impl fmt::Display for PathElement {
    /// As messages show paths: `.name`, `[name="a"]`, `[="a"]`, `[0]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((kind, rest)) = self.0.split_at_checked(2) else { return Ok(()) };
        match kind {
            "f:" => write!(f, ".{rest}"),
            "k:" => {
                let keys: BTreeMap<String, Value> = serde_json::from_str(rest).unwrap_or_default();
                let keys: Vec<String> =
                    keys.iter().map(|(name, value)| format!("{name}={value}")).collect();
                write!(f, "[{}]", keys.join(","))
            }
            "v:" => write!(f, "[={rest}]"),
            _ => write!(f, "[{rest}]"),
        }
    }
}

/// A set of paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSet {
    /// No entry is empty: it is a member or has children.
    entries: BTreeMap<PathElement, Entry>,
}

/// What a set holds at one step: the path itself, and paths below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) member: bool,
    pub(super) children: FieldSet,
}

impl Entry {
    fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }
}

/// A `fieldsV1` value that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no path element of a field set")]
pub struct FieldSetError(pub String);

impl FieldSet {
    /// The set of these paths, given by field names alone.
    pub fn of_fields(paths: &[&[&str]]) -> Self {
        let mut set = Self::default();
        for path in paths {
            let mut entry = Entry { member: false, children: std::mem::take(&mut set) };
            let mut at = &mut entry;
            for name in *path {
                at = at.children.entries.entry(PathElement::field(name)).or_default();
            }
            at.member = true;
            set = entry.children;
        }
        set
    }

    /// Reads a `fieldsV1` value.
    ///
    /// # Errors
    /// [`FieldSetError`] for a key that is no path element, and for what is no set.
    pub fn parse(fields: &Value) -> Result<Self, FieldSetError> {
        let mut set = Self::default();
        if !fields.is_object() && !fields.is_null() {
            return Err(FieldSetError(fields.to_string()));
        }
        for (key, inner) in fields.as_object().into_iter().flatten() {
            if key == "." {
                continue;
            }
            let element = PathElement::parse(key).ok_or_else(|| FieldSetError(key.clone()))?;
            let children = Self::parse(inner)?;
            let member = inner.get(".").is_some() || children.is_empty();
            set.put(element, Entry { member, children });
        }
        Ok(set)
    }

    /// The `fieldsV1` value.
    pub fn to_value(&self) -> Value {
        let mut fields = Map::new();
        for (element, entry) in &self.entries {
            let mut inner = entry.children.to_value();
            if let Value::Object(inner) = &mut inner
                && entry.member
                && !inner.is_empty()
            {
                inner.insert(".".to_owned(), Value::Object(Map::new()));
            }
            fields.insert(element.0.clone(), inner);
        }
        Value::Object(fields)
    }

    /// Whether no path is in the set.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All paths, as messages show them.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect("", &mut paths);
        paths
    }

    fn collect(&self, prefix: &str, paths: &mut Vec<String>) {
        for (element, entry) in &self.entries {
            let path = format!("{prefix}{element}");
            if entry.member {
                paths.push(path.clone());
            }
            entry.children.collect(&path, paths);
        }
    }

    /// Paths in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut set = self.clone();
        for (element, theirs) in &other.entries {
            let ours = set.entries.entry(element.clone()).or_default();
            ours.member |= theirs.member;
            ours.children = ours.children.union(&theirs.children);
        }
        set
    }

    /// Paths in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.combined(other, |ours, theirs| Entry {
            member: ours.member && theirs.member,
            children: ours.children.intersection(&theirs.children),
        })
    }

    /// Paths in this set that are not in the other; paths below those stay.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.combined(other, |ours, theirs| Entry {
            member: ours.member && !theirs.member,
            children: ours.children.difference(&theirs.children),
        })
    }

    /// Paths in this set that are neither in the other nor below one of it.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        self.combined(other, |ours, theirs| {
            if theirs.member {
                return Entry::default();
            }
            Entry { member: ours.member, children: ours.children.without(&theirs.children) }
        })
    }

    fn combined(&self, other: &Self, combine: impl Fn(&Entry, &Entry) -> Entry) -> Self {
        let nothing = Entry::default();
        let mut set = Self::default();
        for (element, ours) in &self.entries {
            let theirs = other.entries.get(element).unwrap_or(&nothing);
            set.put(element.clone(), combine(ours, theirs));
        }
        set
    }

    /// Adds what there is at a step, if anything.
    pub(super) fn put(&mut self, element: PathElement, entry: Entry) {
        if !entry.is_empty() {
            self.entries.insert(element, entry);
        }
    }

    pub(super) fn get(&self, element: &PathElement) -> Option<&Entry> {
        self.entries.get(element)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&PathElement, &Entry)> {
        self.entries.iter()
    }
}
