//! An object under construction, and what it has been called so far.

use std::fmt;

use serde_json::{Value, json};
use wk_schema::Scope;

use crate::kinds::text;

/// What tells objects apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Id {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Id {
    /// The id of an object, or of a patch of one.
    pub(super) fn of(object: &Value) -> Self {
        let api_version = text(object, "/apiVersion");
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: text(object, "/kind").to_owned(),
            namespace: text(object, "/metadata/namespace").to_owned(),
            name: text(object, "/metadata/name").to_owned(),
        }
    }

    /// Whether both are one object's; no namespace is the namespace `default`.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let kind = |id: &Self| (id.group.clone(), id.version.clone(), id.kind.clone());
        kind(self) == kind(other) && self.name == other.name && self.place() == other.place()
    }

    fn place(&self) -> &str {
        if self.is_of_cluster() || self.namespace.is_empty() { "default" } else { &self.namespace }
    }

    /// Whether the kind is known to have no namespaces.
    pub(super) fn is_of_cluster(&self) -> bool {
        let known = wk_schema::kind_of(&self.group, &self.version, &self.kind);
        known.is_some_and(|known| known.scope == Scope::Cluster)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or = |text: &str, none: &str| {
            if text.is_empty() { none.to_owned() } else { text.to_owned() }
        };
        write!(
            out,
            "{}.{}.{}/{}.{}",
            or(&self.kind, "[noKind]"),
            or(&self.version, "[noVer]"),
            or(&self.group, "[noGrp]"),
            or(&self.name, "[noName]"),
            or(&self.namespace, "[noNs]"),
        )
    }
}

/// An object under construction.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) object: Value,
    /// Ids that it had, oldest first, without the present one.
    pub(super) past: Vec<Id>,
    /// What was put before and behind its name, innermost first.
    pub(super) prefixes: Vec<String>,
    pub(super) suffixes: Vec<String>,
    /// Whether its name is to end with a hash of what it holds.
    pub(super) needs_hash: bool,
}

impl Item {
    pub(super) fn new(object: Value) -> Self {
        let (prefixes, suffixes) = (Vec::new(), Vec::new());
        Self { object, past: Vec::new(), prefixes, suffixes, needs_hash: false }
    }

    /// What it is called now.
    pub(super) fn id(&self) -> Id {
        Id::of(&self.object)
    }

    /// What it is and was called.
    pub(super) fn ids(&self) -> impl Iterator<Item = Id> {
        self.past.iter().cloned().chain([self.id()])
    }

    pub(super) fn kind(&self) -> &str {
        text(&self.object, "/kind")
    }

    pub(super) fn name(&self) -> &str {
        text(&self.object, "/metadata/name")
    }

    pub(super) fn namespace(&self) -> &str {
        text(&self.object, "/metadata/namespace")
    }

    /// Gives it another name, and remembers the present one.
    pub(super) fn rename(&mut self, name: &str) {
        self.past.push(self.id());
        self.object["metadata"]["name"] = json!(name);
    }

    /// Moves it into a namespace, and remembers where it was.
    pub(super) fn move_to(&mut self, namespace: &str) {
        self.past.push(self.id());
        self.object["metadata"]["namespace"] = json!(namespace);
    }
}
