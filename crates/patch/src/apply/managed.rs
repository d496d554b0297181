//! `metadata.managedFields`: who owns which fields.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::field_set::{FieldSet, FieldSetError};

/// How a manager came to own its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// By server-side apply: the set is what the manager wants.
    Apply,
    /// By any other write: the set is what the manager has changed.
    Update,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// A manager of fields. One name may stand for several: an applier and an updater, or one per
/// subresource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Manager {
    /// The name: `kubectl`.
    pub name: String,
    /// How it writes.
    pub operation: Operation,
    /// The version it wrote in; empty for appliers, which are the same manager in every version.
    pub api_version: String,
    /// The subresource it wrote through; empty for the object itself.
    pub subresource: String,
}

impl Manager {
    /// As conflicts name it: `"kubectl" with subresource "status" using apps/v1`.
    pub(super) fn described(&self) -> String {
        let name = format!("{:?}", self.name);
        let subresource = match self.subresource.as_str() {
            "" => String::new(),
            subresource => format!(" with subresource {subresource:?}"),
        };
        let version = match self.operation {
            Operation::Apply => String::new(),
            Operation::Update => format!(" using {}", self.api_version),
        };
        name + &subresource + &version
    }
}

/// What a manager owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owned {
    pub(super) set: FieldSet,
    pub(super) api_version: String,
    pub(super) time: Option<String>,
}

/// The owners of an object's fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Managers(pub(super) BTreeMap<Manager, Owned>);

impl Managers {
    /// Reads `metadata.managedFields`, of which every entry has to be whole.
    pub(super) fn parse(entries: &Value) -> Result<Self, FieldSetError> {
        let mut managers = BTreeMap::new();
        for entry in entries.as_array().into_iter().flatten() {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
            let operation = match text("operation") {
                "Apply" => Operation::Apply,
                "Update" => Operation::Update,
                other => return Err(FieldSetError(other.to_owned())),
            };
            let api_version = text("apiVersion").to_owned();
            if api_version.is_empty() {
                return Err(FieldSetError("apiVersion".to_owned()));
            }
            if text("fieldsType") != "FieldsV1" {
                return Err(FieldSetError(text("fieldsType").to_owned()));
            }
            let manager = Manager {
                name: text("manager").to_owned(),
                operation,
                api_version: match operation {
                    Operation::Apply => String::new(),
                    Operation::Update => api_version.clone(),
                },
                subresource: text("subresource").to_owned(),
            };
            let owned = Owned {
                set: FieldSet::parse(&entry["fieldsV1"])?,
                api_version,
                time: entry.get("time").and_then(Value::as_str).map(ToOwned::to_owned),
            };
            managers.insert(manager, owned);
        }
        Ok(Self(managers))
    }

    /// The value of `metadata.managedFields`: appliers first, then by time and name.
    pub(super) fn to_value(&self) -> Value {
        let mut entries: Vec<(&Manager, &Owned)> = self.0.iter().collect();
        let key = |(manager, owned): &(&Manager, &Owned)| {
            (
                manager.operation,
                owned.time.clone().unwrap_or_default(),
                manager.name.clone(),
                owned.api_version.clone(),
                manager.subresource.clone(),
            )
        };
        entries.sort_by_cached_key(key);
        entries.into_iter().map(|(manager, owned)| entry(manager, owned)).collect()
    }

    /// Gives up managers that own nothing any more.
    pub(super) fn drop_empty(&mut self) {
        self.0.retain(|_, owned| !owned.set.is_empty());
    }

    /// Joins the oldest updaters into one while there are more than `most`.
    pub(super) fn cap_updaters(&mut self, most: usize) {
        const ANCIENT: &str = "ancient-changes";
        let mut updaters: Vec<(Option<String>, Manager)> = self
            .0
            .iter()
            .filter(|(manager, _)| manager.operation == Operation::Update)
            .filter(|(manager, _)| manager.subresource.is_empty())
            .map(|(manager, owned)| (owned.time.clone(), manager.clone()))
            .collect();
        if updaters.len() <= most {
            return;
        }
        updaters.sort();
        // One bucket per version; each join takes one manager away, but the first of a version makes
        // a bucket.
        let mut surplus = updaters.len() - most;
        for (_, manager) in updaters {
            if surplus == 0 {
                return;
            }
            let bucket = Manager { name: ANCIENT.to_owned(), ..manager.clone() };
            if bucket == manager {
                continue;
            }
            let Some(owned) = self.0.remove(&manager) else { continue };
            match self.0.get_mut(&bucket) {
                Some(ancient) => {
                    ancient.set = ancient.set.union(&owned.set);
                    ancient.time = ancient.time.take().max(owned.time);
                    surplus -= 1;
                }
                None => {
                    self.0.insert(bucket, owned);
                }
            }
        }
    }
}

fn entry(manager: &Manager, owned: &Owned) -> Value {
    let fields = owned.set.to_value();
    entry_with(manager, &owned.api_version, owned.time.as_deref(), fields)
}

/// An entry of `managedFields`.
pub(super) fn entry_with(
    manager: &Manager,
    api_version: &str,
    time: Option<&str>,
    fields: Value,
) -> Value {
    let mut entry = Map::new();
    entry.insert("manager".to_owned(), json!(manager.name));
    entry.insert("operation".to_owned(), json!(manager.operation.as_str()));
    entry.insert("apiVersion".to_owned(), json!(api_version));
    if let Some(time) = time {
        entry.insert("time".to_owned(), json!(time));
    }
    entry.insert("fieldsType".to_owned(), json!("FieldsV1"));
    entry.insert("fieldsV1".to_owned(), fields);
    if !manager.subresource.is_empty() {
        entry.insert("subresource".to_owned(), json!(manager.subresource));
    }
    Value::Object(entry)
}
