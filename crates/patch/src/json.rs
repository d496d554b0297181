//! JSON patch: a list of operations.
//!
//! Spec: <https://www.rfc-editor.org/rfc/rfc6902>

use json_patch::{Patch, PatchOperation, TestOperation, patch_unsafe};
use serde_json::Value;

use crate::PatchError;
use crate::limits::{self, MAX_DEPTH};

/// How many operations a patch may have, as in Kubernetes.
pub const MAX_OPERATIONS: usize = 10_000;

/// How many bytes `copy` operations may add in all: the size that a body may have.
pub const MAX_COPIED_BYTES: usize = 3 * 1024 * 1024;

/// How often the depth of the whole document is measured, which only patches that nest values
/// with `move` and `copy` need at all.
const MAX_MEASUREMENTS: usize = 64;

/// Applies a JSON patch.
///
/// # Errors
/// [`PatchError::Malformed`] if the patch is not a list of operations, [`PatchError::Operation`] if
/// one does not apply or a `test` fails, [`PatchError::TooManyOperations`] and
/// [`PatchError::TooLarge`] beyond the limits.
pub fn apply(object: Value, patch: Value) -> Result<Value, PatchError> {
    let patch: Patch =
        serde_json::from_value(patch).map_err(|error| PatchError::Malformed(error.to_string()))?;
    if patch.0.len() > MAX_OPERATIONS {
        return Err(PatchError::TooManyOperations {
            allowed: MAX_OPERATIONS,
            found: patch.0.len(),
        });
    }
    let mut budget = Budget::new(&object);
    let mut object = object;
    for operation in &patch.0 {
        if let PatchOperation::Test(TestOperation { path, value: Value::Null }) = operation
            && object.pointer(path.as_str()).is_none()
        {
            // What is absent counts as null, as in the library that Kubernetes uses.
            continue;
        }
        budget.spend(&object, operation)?;
        patch_unsafe(&mut object, std::slice::from_ref(operation))
            .map_err(|error| PatchError::Operation(wording(operation, &error)))?;
    }
    limits::check_depth(&object)?;
    Ok(object)
}

/// What went wrong with an operation.
fn wording(operation: &PatchOperation, error: &json_patch::PatchError) -> String {
    let path = operation.path();
    match operation {
        PatchOperation::Test(_) => format!("testing value {path} failed: test failed"),
        PatchOperation::Add(_) => format!("add operation does not apply: {path}: {}", error.kind),
        PatchOperation::Remove(_) => {
            format!("remove operation does not apply: {path}: {}", error.kind)
        }
        PatchOperation::Replace(_) => {
            format!("replace operation does not apply: doc is missing key: {path}: missing value")
        }
        PatchOperation::Move(_) => format!("move operation does not apply: {path}: {}", error.kind),
        PatchOperation::Copy(_) => format!("copy operation does not apply: {path}: {}", error.kind),
    }
}

/// Keeps operations from building what is too large or too deep.
struct Budget {
    copied: usize,
    /// At least as deep as the document.
    depth: usize,
    measurements: usize,
}

impl Budget {
    fn new(object: &Value) -> Self {
        Self { copied: 0, depth: limits::depth(object), measurements: 0 }
    }

    fn spend(&mut self, object: &Value, operation: &PatchOperation) -> Result<(), PatchError> {
        if let PatchOperation::Copy(copy) = operation
            && let Some(source) = object.pointer(copy.from.as_str())
        {
            self.copied += limits::size(source);
            if self.copied > MAX_COPIED_BYTES {
                return Err(PatchError::TooLarge(
                    "unable to complete the copy, the accumulated size increase of copy exceeds \
                     the limit",
                ));
            }
        }
        let after = |depth: usize| match operation {
            PatchOperation::Add(add) => depth.max(add.path.count() + limits::depth(&add.value)),
            PatchOperation::Replace(replace) => {
                depth.max(replace.path.count() + limits::depth(&replace.value))
            }
            PatchOperation::Move(change) => {
                depth.max(change.path.count() + depth.saturating_sub(change.from.count()))
            }
            PatchOperation::Copy(change) => {
                depth.max(change.path.count() + depth.saturating_sub(change.from.count()))
            }
            PatchOperation::Remove(_) | PatchOperation::Test(_) => depth,
        };
        if after(self.depth) > MAX_DEPTH {
            self.measurements += 1;
            self.depth = limits::depth(object);
            if after(self.depth) > MAX_DEPTH || self.measurements > MAX_MEASUREMENTS {
                return Err(PatchError::TooLarge("the object is nested too deeply"));
            }
        }
        self.depth = after(self.depth);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(case: &str, object: Value, patch: Value, expected: Value) {
        assert_eq!(apply(object, patch), Ok(expected), "{case}");
    }

    #[track_caller]
    fn refused(case: &str, object: Value, patch: Value, expected: &str) {
        assert_eq!(apply(object, patch).unwrap_err().to_string(), expected, "{case}");
    }

    #[test]
    fn operations_apply_in_order() {
        check(
            "each operation",
            json!({"a": 1, "list": [1, 2]}),
            json!([
                {"op": "test", "path": "/a", "value": 1},
                {"op": "add", "path": "/b", "value": {"c": 2}},
                {"op": "replace", "path": "/a", "value": 3},
                {"op": "add", "path": "/list/0", "value": 0},
                {"op": "add", "path": "/list/-", "value": 9},
                {"op": "copy", "from": "/b/c", "path": "/d"},
                {"op": "move", "from": "/b", "path": "/e~1f"},
                {"op": "remove", "path": "/list/1"},
            ]),
            json!({"a": 3, "list": [0, 2, 9], "d": 2, "e/f": {"c": 2}}),
        );
        check(
            "what is absent tests as null",
            json!({}),
            json!([{"op": "test", "path": "/a", "value": null}]),
            json!({}),
        );
    }

    #[test]
    fn what_does_not_apply_is_told() {
        let test = json!([{"op": "test", "path": "/a", "value": 2}]);
        refused("a failing test", json!({"a": 1}), test, "testing value /a failed: test failed");
        refused(
            "nothing to remove",
            json!({}),
            json!([{"op": "remove", "path": "/a"}]),
            "remove operation does not apply: /a: path is invalid",
        );
        assert!(matches!(apply(json!({}), json!({})), Err(PatchError::Malformed(_))));
        assert!(matches!(
            apply(json!({}), json!([{"op": "jump", "path": "/a"}])),
            Err(PatchError::Malformed(_))
        ));
        let many = vec![json!({"op": "remove", "path": "/a"}); MAX_OPERATIONS + 1];
        assert!(matches!(
            apply(json!({}), Value::Array(many)),
            Err(PatchError::TooManyOperations { .. })
        ));
    }

    #[test]
    fn copies_cannot_grow_without_bound() {
        let operations: Vec<Value> = (0..100)
            .map(|index| json!({"op": "copy", "from": "", "path": format!("/x{index}")}))
            .collect();
        let error = apply(json!({"a": "b"}), Value::Array(operations)).unwrap_err();
        assert!(matches!(error, PatchError::TooLarge(_)), "{error}");
    }

    #[test]
    fn moves_cannot_nest_without_bound() {
        let operations: Vec<Value> = (0..3000)
            .flat_map(|_| {
                [
                    json!({"op": "add", "path": "/x", "value": {"y": {}}}),
                    json!({"op": "move", "from": "/a", "path": "/x/y/z"}),
                    json!({"op": "move", "from": "/x", "path": "/a"}),
                ]
            })
            .collect();
        let error = apply(json!({"a": {}}), Value::Array(operations)).unwrap_err();
        assert!(matches!(error, PatchError::TooLarge(_)), "{error}");
    }

    proptest! {
        #[test]
        fn arbitrary_operations_never_panic(
            operations in prop::collection::vec(
                ("add|remove|replace|move|copy|test", "(/[a-c0-2-]){0,3}", "(/[a-c0-2-]){0,3}"),
                0..20,
            )
        ) {
            let operations: Vec<Value> = operations
                .into_iter()
                .map(|(op, from, path)| json!({"op": op, "from": from, "path": path, "value": {"a": [1]}}))
                .collect();
            let _ = apply(json!({"a": {"b": [1, 2]}, "c": []}), Value::Array(operations));
        }
    }
}
