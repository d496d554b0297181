//! Bounds on what patches may build.

use serde_json::Value;

use crate::PatchError;

/// Levels of objects and lists that an object or patch may have.
///
/// Bodies have at most 128 when they are decoded; patches may go a little beyond on their way.
pub const MAX_DEPTH: usize = 256;

/// The levels of a value, counted without recursion; 0 for a scalar.
pub(crate) fn depth(value: &Value) -> usize {
    let mut deepest = 0;
    let mut rest = vec![(value, 1)];
    while let Some((value, level)) = rest.pop() {
        match value {
            Value::Array(items) => {
                deepest = deepest.max(level);
                rest.extend(items.iter().filter(|item| is_container(item)).map(|i| (i, level + 1)));
            }
            Value::Object(fields) => {
                deepest = deepest.max(level);
                let inner = fields.values().filter(|value| is_container(value));
                rest.extend(inner.map(|value| (value, level + 1)));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    deepest
}

fn is_container(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Object(_))
}

/// Refuses what is deeper than [`MAX_DEPTH`].
pub(crate) fn check_depth(value: &Value) -> Result<(), PatchError> {
    if depth(value) > MAX_DEPTH {
        return Err(PatchError::TooLarge("the object is nested too deeply"));
    }
    Ok(())
}

/// Roughly the bytes that a value takes as JSON.
pub(crate) fn size(value: &Value) -> usize {
    let mut total = 0;
    let mut rest = vec![value];
    while let Some(value) = rest.pop() {
        total += match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 4,
            Value::String(text) => text.len() + 2,
            Value::Array(items) => {
                rest.extend(items);
                items.len() + 2
            }
            Value::Object(fields) => {
                rest.extend(fields.values());
                fields.keys().map(|key| key.len() + 4).sum::<usize>() + 2
            }
        };
    }
    total
}
