//! Merge patch: objects merge field by field, `null` deletes, and everything else is replaced.
//!
//! Spec: <https://www.rfc-editor.org/rfc/rfc7386>

use serde_json::{Map, Value};

use crate::PatchError;
use crate::limits::check_depth;

/// Applies a merge patch.
///
/// # Errors
/// [`PatchError::Malformed`] if the patch is not an object, [`PatchError::TooLarge`] if it is nested
/// too deeply.
pub fn apply(object: Value, patch: Value) -> Result<Value, PatchError> {
    if !patch.is_object() {
        return Err(PatchError::Malformed("a merge patch is an object".to_owned()));
    }
    check_depth(&patch)?;
    Ok(merged(Some(object), patch))
}

fn merged(target: Option<Value>, patch: Value) -> Value {
    let Value::Object(patch) = patch else { return patch };
    let mut object = match target {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    };
    for (key, value) in patch {
        if value.is_null() {
            object.remove(&key);
        } else {
            let old = object.remove(&key);
            object.insert(key, merged(old, value));
        }
    }
    Value::Object(object)
}

/// The merge patch that turns `original` into `modified`.
///
/// `null` fields of `modified` cannot be expressed; they count as absent.
///
/// # Errors
/// [`PatchError::TooLarge`] if one of them is nested too deeply.
pub fn create(original: &Value, modified: &Value) -> Result<Value, PatchError> {
    check_depth(original)?;
    check_depth(modified)?;
    Ok(diff(original, modified, Keep::All))
}

/// The merge patch of `kubectl apply` for kinds without strategic merge: what differs between
/// `current` and `modified` is set, and what was in `original`, the configuration applied before,
/// and is no longer in `modified`, is deleted. Fields that others have set stay.
///
/// # Errors
/// [`PatchError::TooLarge`] if one of them is nested too deeply.
pub fn three_way(
    original: Option<&Value>,
    modified: &Value,
    current: &Value,
) -> Result<Value, PatchError> {
    check_depth(modified)?;
    check_depth(current)?;
    let changes = diff(current, modified, Keep::Changes);
    let Some(original) = original else { return Ok(changes) };
    check_depth(original)?;
    let deletions = diff(original, modified, Keep::Deletions);
    Ok(united(deletions, changes))
}

/// Which half of a difference is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    All,
    Changes,
    Deletions,
}

fn diff(original: &Value, modified: &Value, keep: Keep) -> Value {
    let mut patch = Map::new();
    let empty = Map::new();
    let original = original.as_object().unwrap_or(&empty);
    let modified = modified.as_object().unwrap_or(&empty);
    for (key, new) in modified {
        match original.get(key) {
            Some(old @ Value::Object(_)) if new.is_object() => {
                let inner = diff(old, new, keep);
                if inner.as_object().is_some_and(|inner| !inner.is_empty()) {
                    patch.insert(key.clone(), inner);
                }
            }
            old => {
                if keep != Keep::Deletions && old != Some(new) && !new.is_null() {
                    patch.insert(key.clone(), new.clone());
                }
            }
        }
    }
    if keep != Keep::Changes {
        let is_gone = |key: &String| modified.get(key).is_none_or(Value::is_null);
        for key in original.keys().filter(|key| is_gone(key)) {
            patch.insert(key.clone(), Value::Null);
        }
    }
    Value::Object(patch)
}

/// Both patches as one; where they meet, `second` counts.
fn united(first: Value, second: Value) -> Value {
    match (first, second) {
        (Value::Object(mut first), Value::Object(second)) => {
            for (key, value) in second {
                let united = match first.remove(&key) {
                    Some(other) => united(other, value),
                    None => value,
                };
                first.insert(key, united);
            }
            Value::Object(first)
        }
        (_, second) => second,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_examples_of_the_rfc() {
        let rows = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ];
        for (object, patch, expected) in rows {
            assert_eq!(apply(object, patch.clone()), Ok(expected), "{patch}");
        }
        assert!(apply(json!({}), json!([])).is_err());
    }

    #[test]
    fn apply_deletes_what_it_applied_before_and_only_that() {
        let original = json!({"spec": {"a": 1, "gone": 2}});
        let current = json!({"spec": {"a": 1, "gone": 2, "others": 3}, "status": {}});
        let modified = json!({"spec": {"a": 4}});
        let patch = three_way(Some(&original), &modified, &current).unwrap();
        assert_eq!(patch, json!({"spec": {"a": 4, "gone": null}}));
        let patch = three_way(None, &modified, &current).unwrap();
        assert_eq!(patch, json!({"spec": {"a": 4}}));
    }

    /// Any object without nulls.
    fn object() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (0..5).prop_map(Value::from),
            "[a-c]{0,2}".prop_map(Value::from)
        ];
        let value = leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-d]", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        });
        prop::collection::btree_map("[a-d]", value, 0..4)
            .prop_map(|fields| Value::Object(fields.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn a_created_patch_gives_the_modified_object(a in object(), b in object()) {
            let patch = create(&a, &b).unwrap();
            prop_assert_eq!(apply(a, patch), Ok(b));
        }

        #[test]
        fn applying_twice_changes_nothing(a in object(), patch in object()) {
            let once = apply(a, patch.clone()).unwrap();
            prop_assert_eq!(apply(once.clone(), patch), Ok(once));
        }

        #[test]
        fn an_equal_object_needs_no_patch(a in object()) {
            prop_assert_eq!(create(&a, &a), Ok(json!({})));
            prop_assert_eq!(three_way(Some(&a), &a, &a), Ok(json!({})));
        }

        #[test]
        fn after_apply_nothing_is_left_to_apply(o in object(), m in object(), c in object()) {
            let patch = three_way(Some(&o), &m, &c).unwrap();
            let after = apply(c, patch).unwrap();
            prop_assert_eq!(three_way(Some(&m), &m, &after), Ok(json!({})));
        }
    }
}
