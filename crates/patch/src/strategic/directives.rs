//! The directives, apart from those of lists that merge.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::PatchError;
use crate::error::DirectiveFault;

/// `$patch`: what to do with the map or list that it stands in.
pub(super) const PATCH: &str = "$patch";
/// `$retainKeys`: the only keys that the map may keep.
pub(super) const RETAIN_KEYS: &str = "$retainKeys";
/// `$deleteFromPrimitiveList/NAME`.
pub(super) const DELETE_FROM: &str = "$deleteFromPrimitiveList";
/// `$setElementOrder/NAME`.
pub(super) const SET_ORDER: &str = "$setElementOrder";

/// The list that a `$deleteFromPrimitiveList` key speaks of; `None` for other keys.
pub(super) fn deletes_from(key: &str) -> Result<Option<&str>, PatchError> {
    let fault = || PatchError::Directive(DirectiveFault::DeleteFromPrimitiveList);
    let Some(rest) = key.strip_prefix(DELETE_FROM) else { return Ok(None) };
    rest.strip_prefix('/').map(Some).ok_or_else(fault)
}

/// The list that a `$setElementOrder` key speaks of; `None` for other keys.
pub(super) fn orders(key: &str) -> Result<Option<&str>, PatchError> {
    let fault = || PatchError::Directive(DirectiveFault::SetElementOrder);
    let Some(rest) = key.strip_prefix(SET_ORDER) else { return Ok(None) };
    rest.strip_prefix('/').map(Some).ok_or_else(fault)
}

fn is_directive(key: &str) -> bool {
    key == PATCH || key == RETAIN_KEYS || key.starts_with(DELETE_FROM) || key.starts_with(SET_ORDER)
}

/// Takes `$retainKeys` out of a patch and drops what it does not name from the object.
pub(super) fn retain_keys(
    object: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
) -> Result<(), PatchError> {
    let fault = || PatchError::Directive(DirectiveFault::RetainKeys);
    let Some(names) = patch.remove(RETAIN_KEYS) else { return Ok(()) };
    let names = names.as_array().ok_or_else(fault)?;
    let names: BTreeSet<&str> = names.iter().filter_map(Value::as_str).collect();
    let sets = |(key, value): (&String, &Value)| !value.is_null() && !is_directive(key);
    let mut set = patch.iter().filter(|&entry| sets(entry)).map(|(key, _)| key.as_str());
    if set.any(|key| !names.contains(key)) {
        return Err(fault());
    }
    object.retain(|key, _| names.contains(key.as_str()));
    Ok(())
}

/// A value of a patch that meets nothing to merge with: without directives, and without the `null`s
/// that would delete. `None` for what only says that something be deleted.
pub(super) fn cleaned(value: Value) -> Option<Value> {
    match value {
        Value::Object(fields) => {
            if fields.get(PATCH).is_some_and(|directive| directive == "delete") {
                return None;
            }
            let kept =
                fields.into_iter().filter(|(key, value)| !value.is_null() && !is_directive(key));
            let kept = kept.filter_map(|(key, value)| Some((key, cleaned(value)?)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(items) => {
            // An item that has nothing but `$patch: replace` is a directive to the list.
            let is_bare = |item: &Value| {
                item.as_object().is_some_and(|item| item.len() == 1 && item.contains_key(PATCH))
            };
            let items = items.into_iter().filter(|item| !is_bare(item));
            Some(Value::Array(items.filter_map(cleaned).collect()))
        }
        other => Some(other),
    }
}
