//! The patch that turns one object into another.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};
use wk_schema::Message;

use super::lists::{Identity, identity};
use super::{Schema, directives};
use crate::PatchError;
use crate::limits::check_depth;

/// The strategic merge patch that turns `original` into `modified`.
///
/// `null` fields of `modified` cannot be expressed; they count as absent.
///
/// # Errors
/// [`PatchError::TooLarge`] if one of them is nested too deeply.
pub fn create(
    original: &Value,
    modified: &Value,
    message: &'static Message,
) -> Result<Value, PatchError> {
    check_depth(original)?;
    check_depth(modified)?;
    let empty = Map::new();
    let original = original.as_object().unwrap_or(&empty);
    let modified = modified.as_object().unwrap_or(&empty);
    Ok(Value::Object(maps(original, modified, Schema::of(message), Keep::All)))
}

/// Which half of a difference is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    All,
    Changes,
    Deletions,
}

impl Keep {
    fn changes(self) -> bool {
        self != Self::Deletions
    }

    fn deletions(self) -> bool {
        self != Self::Changes
    }
}

/// The difference of two maps, empty if there is none.
pub(super) fn maps(
    original: &Map<String, Value>,
    modified: &Map<String, Value>,
    schema: Schema,
    keep: Keep,
) -> Map<String, Value> {
    let mut patch = Map::new();
    for (key, new) in modified {
        match (original.get(key), new) {
            (Some(Value::Object(old)), Value::Object(new))
                if schema.strategy(key) != wk_schema::PatchStrategy::Replace =>
            {
                let mut inner = maps(old, new, schema.field(key), keep);
                if inner.is_empty() {
                    continue;
                }
                if schema.retains_keys(key) {
                    inner.insert(directives::RETAIN_KEYS.to_owned(), keys(new));
                }
                patch.insert(key.clone(), Value::Object(inner));
            }
            (Some(Value::Array(old)), Value::Array(new_items)) => {
                match identity(schema.strategy(key)) {
                    Some(identity) => {
                        list(&mut patch, key, (old, new_items), identity, schema, keep);
                    }
                    None if keep.changes() && old != new_items => {
                        patch.insert(key.clone(), new.clone());
                    }
                    None => {}
                }
            }
            (old, new) => {
                if keep.changes() && old != Some(new) && !new.is_null() {
                    patch.insert(key.clone(), new.clone());
                }
            }
        }
    }
    if keep.deletions() {
        let is_gone = |key: &String| modified.get(key).is_none_or(Value::is_null);
        for key in original.keys().filter(|key| is_gone(key)) {
            patch.insert(key.clone(), Value::Null);
        }
    }
    patch
}

fn keys(map: &Map<String, Value>) -> Value {
    map.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key.as_str()).collect()
}

/// Adds the difference of two lists that merge.
fn list(
    patch: &mut Map<String, Value>,
    key: &str,
    (old, new): (&Vec<Value>, &Vec<Value>),
    identity: Identity,
    schema: Schema,
    keep: Keep,
) {
    if old == new {
        return;
    }
    match identity {
        Identity::Value => primitives(patch, key, old, new, keep),
        Identity::Key(merge_key) if is_keyed(old, identity) && is_keyed(new, identity) => {
            objects(patch, key, (old, new), merge_key, schema, keep);
        }
        // Items without keys, or several of one key (53/TCP and 53/UDP), cannot be told apart.
        Identity::Key(_) if keep.changes() => {
            let mut items = vec![json!({ directives::PATCH: "replace" })];
            items.extend(new.iter().cloned());
            patch.insert(key.to_owned(), Value::Array(items));
        }
        Identity::Key(_) => {}
    }
}

/// Whether every item has a key of its own.
fn is_keyed(items: &[Value], identity: Identity) -> bool {
    let mut seen = HashSet::new();
    items.iter().all(|item| item.is_object() && identity.of(item).is_some_and(|id| seen.insert(id)))
}

fn primitives(patch: &mut Map<String, Value>, key: &str, old: &[Value], new: &[Value], keep: Keep) {
    let missing = |from: &[Value], items: &[Value]| -> Vec<Value> {
        let from: HashSet<&Value> = from.iter().collect();
        items.iter().filter(|item| !from.contains(item)).cloned().collect()
    };
    let added = missing(old, new);
    let gone = missing(new, old);
    if keep.deletions() && !gone.is_empty() {
        patch.insert(format!("{}/{key}", directives::DELETE_FROM), Value::Array(gone));
    }
    if keep.changes() {
        if !added.is_empty() {
            patch.insert(key.to_owned(), Value::Array(added));
        }
        patch.insert(format!("{}/{key}", directives::SET_ORDER), Value::Array(new.to_vec()));
    }
}

fn objects<'a>(
    patch: &mut Map<String, Value>,
    key: &str,
    (old, new): (&'a [Value], &'a [Value]),
    merge_key: &'static str,
    schema: Schema,
    keep: Keep,
) {
    let by_id = |items: &'a [Value]| -> HashMap<&'a Value, &'a Map<String, Value>> {
        items.iter().filter_map(|item| Some((item.get(merge_key)?, item.as_object()?))).collect()
    };
    let (old_by_id, new_by_id) = (by_id(old), by_id(new));
    let mut items = Vec::new();
    let mut order = Vec::new();
    for item in new {
        let (Some(id), Some(new)) = (item.get(merge_key), item.as_object()) else { continue };
        order.push(json!({ merge_key: id }));
        match old_by_id.get(id) {
            Some(old) => {
                let mut inner = maps(old, new, schema.field(key).item(), keep);
                if inner.is_empty() {
                    continue;
                }
                if schema.retains_keys(key) {
                    inner.insert(directives::RETAIN_KEYS.to_owned(), keys(new));
                }
                inner.insert(merge_key.to_owned(), id.clone());
                items.push(Value::Object(inner));
            }
            None if keep.changes() => items.push(item.clone()),
            None => {}
        }
    }
    if keep.deletions() {
        let gone = old.iter().filter_map(|item| item.get(merge_key));
        let gone = gone.filter(|id| !new_by_id.contains_key(id));
        items.extend(gone.map(|id| json!({ directives::PATCH: "delete", merge_key: id })));
    }
    if !items.is_empty() {
        patch.insert(key.to_owned(), Value::Array(items));
    }
    if keep.changes() {
        patch.insert(format!("{}/{key}", directives::SET_ORDER), Value::Array(order));
    }
}
