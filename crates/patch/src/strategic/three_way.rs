//! What `kubectl apply` sends: changes against the live object, deletions against what was applied
//! before.

use std::collections::HashMap;

use serde_json::{Map, Value};
use wk_schema::Message;

use super::diff::{Keep, maps};
use super::lists::{Identity, identity};
use super::{Schema, directives};
use crate::PatchError;
use crate::limits::check_depth;

/// The strategic merge patch that brings `current`, the live object, to `modified`, the wanted
/// configuration, where `original` is the configuration that was applied before.
///
/// What differs between `current` and `modified` is set; what `original` had and `modified` no longer
/// has is deleted; what others have added stays.
///
/// # Errors
/// [`PatchError::TooLarge`] if one of them is nested too deeply.
pub fn three_way(
    original: Option<&Value>,
    modified: &Value,
    current: &Value,
    message: &'static Message,
) -> Result<Value, PatchError> {
    for value in [Some(modified), Some(current), original].into_iter().flatten() {
        check_depth(value)?;
    }
    let empty = Map::new();
    let before = current;
    let [original, modified, current] = [original, Some(modified), Some(current)]
        .map(|value| value.and_then(Value::as_object).unwrap_or(&empty));
    let schema = Schema::of(message);
    let changes = maps(current, modified, schema, Keep::Changes);
    let deletions = maps(original, modified, schema, Keep::Deletions);
    let patch = Value::Object(united(deletions, changes, schema));
    // What is left may say nothing but the order in which lists stand already.
    match super::apply(before.clone(), patch.clone(), message) {
        Ok(after) if after == *before => Ok(Value::Object(Map::new())),
        _ => Ok(patch),
    }
}

/// Both patches as one. Deletions and changes never speak of the same field in different ways,
/// because a field is deleted only if `modified` lacks it and changed only if it has it.
fn united(
    deletions: Map<String, Value>,
    changes: Map<String, Value>,
    schema: Schema,
) -> Map<String, Value> {
    let mut patch = deletions;
    for (key, change) in changes {
        let merged = match (patch.remove(&key), change) {
            (Some(Value::Object(deletion)), Value::Object(change)) => {
                Value::Object(united(deletion, change, schema.field(&key)))
            }
            (Some(Value::Array(deletion)), Value::Array(change)) => {
                match identity(schema.strategy(&key)) {
                    Some(Identity::Key(merge_key)) => Value::Array(united_items(
                        deletion,
                        change,
                        merge_key,
                        schema.field(&key).item(),
                    )),
                    Some(Identity::Value) | None => Value::Array(change),
                }
            }
            (_, change) => change,
        };
        patch.insert(key, merged);
    }
    patch
}

fn united_items(
    deletions: Vec<Value>,
    changes: Vec<Value>,
    merge_key: &str,
    schema: Schema,
) -> Vec<Value> {
    let is_replace =
        |item: &Value| item.get(directives::PATCH).is_some_and(|directive| directive == "replace");
    if changes.iter().any(is_replace) {
        return changes;
    }
    let ids = deletions.iter().enumerate();
    let places: HashMap<Value, usize> =
        ids.filter_map(|(place, item)| Some((item.get(merge_key)?.clone(), place))).collect();
    let mut items = deletions;
    for change in changes {
        let place = change.get(merge_key).and_then(|id| places.get(id));
        match (place.and_then(|&place| items.get_mut(place)), change) {
            (Some(Value::Object(deletion)), Value::Object(change)) => {
                *deletion = united(std::mem::take(deletion), change, schema);
            }
            (_, change) => items.push(change),
        }
    }
    items
}
