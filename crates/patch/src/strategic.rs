//! Strategic merge patch: a merge patch that knows how lists of built-in kinds merge.
//!
//! Lists with a merge key merge item by item (`containers` by `name`), some lists of primitives are
//! sets (`finalizers`), and directives say what plain JSON cannot:
//!
//! | directive | meaning |
//! |---|---|
//! | `$patch: replace` | in a map: replace the map; in a list's item: replace the list by the others |
//! | `$patch: delete` | in a map: empty it; in a list's item: delete the item of that key |
//! | `$patch: merge` | merge, as without it |
//! | `$retainKeys: [..]` | drop all other keys of the map, for unions |
//! | `$deleteFromPrimitiveList/NAME: [..]` | take these from the list `NAME` |
//! | `$setElementOrder/NAME: [..]` | the order that items of `NAME` shall have |
//!
//! `null` deletes a field.
//!
//! Spec: <https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md>

mod diff;
mod directives;
mod lists;
mod three_way;

use serde_json::{Map, Value};
use wk_schema::{Field, Message, PatchStrategy, Type};

use crate::PatchError;
use crate::error::DirectiveFault;
use crate::limits::check_depth;

pub use diff::create;
pub use three_way::three_way;

/// Applies a strategic merge patch to an object of a known message.
///
/// # Errors
/// [`PatchError::Malformed`] if the patch is not an object, [`PatchError::Directive`] and
/// [`PatchError::List`] for directives and lists that are not as they must be, and
/// [`PatchError::TooLarge`] if it is nested too deeply.
pub fn apply(object: Value, patch: Value, message: &'static Message) -> Result<Value, PatchError> {
    let Value::Object(patch) = patch else {
        return Err(PatchError::Malformed("a strategic merge patch is an object".to_owned()));
    };
    let patch = Value::Object(patch);
    check_depth(&object)?;
    check_depth(&patch)?;
    let Value::Object(patch) = patch else { return Ok(object) };
    let object = match object {
        Value::Object(object) => object,
        _ => Map::new(),
    };
    merge_map(object, patch, Schema::of(message)).map(Value::Object)
}

/// What is known about a value: the type in the table, or nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schema(Option<Type>);

impl Schema {
    pub(crate) fn of(message: &'static Message) -> Self {
        Self(Some(Type::Message(message)))
    }

    fn row(self, key: &str) -> Option<&'static Field> {
        match self.0? {
            Type::Message(message) => message.field(key),
            _ => None,
        }
    }

    /// What is known about the value under a key.
    pub(crate) fn field(self, key: &str) -> Self {
        match self.0 {
            Some(Type::Map(value)) => Self(Some(*value)),
            _ => Self(self.row(key).map(|field| field.ty)),
        }
    }

    /// What is known about the items of this list.
    pub(crate) fn item(self) -> Self {
        match self.0 {
            Some(Type::List(item)) => Self(Some(*item)),
            _ => Self(None),
        }
    }

    /// The patch strategy of the field under a key.
    pub(crate) fn strategy(self, key: &str) -> PatchStrategy {
        self.row(key).map_or(PatchStrategy::Default, |field| field.merge.patch)
    }

    /// Whether patches of the field under a key name the keys to retain.
    pub(crate) fn retains_keys(self, key: &str) -> bool {
        self.row(key).is_some_and(|field| field.merge.retain_keys)
    }
}

/// Merges a patch into a map.
fn merge_map(
    mut object: Map<String, Value>,
    mut patch: Map<String, Value>,
    schema: Schema,
) -> Result<Map<String, Value>, PatchError> {
    match patch.remove(directives::PATCH) {
        None => {}
        Some(directive) if directive == "merge" => {}
        Some(directive) if directive == "replace" => {
            let replaced = directives::cleaned(Value::Object(patch));
            return Ok(match replaced {
                Some(Value::Object(replaced)) => replaced,
                _ => Map::new(),
            });
        }
        Some(directive) if directive == "delete" => return Ok(Map::new()),
        Some(directive) => {
            let fault = DirectiveFault::UnknownPatchType(directive, Value::Object(patch));
            return Err(PatchError::Directive(fault));
        }
    }
    directives::retain_keys(&mut object, &mut patch)?;
    lists::merge_ordered(&mut object, &mut patch, schema)?;
    for (key, value) in patch {
        if let Some(key) = directives::deletes_from(&key)? {
            if let Some(Value::Array(items)) = object.get_mut(key) {
                let Value::Array(gone) = value else {
                    return Err(PatchError::Directive(DirectiveFault::DeleteFromPrimitiveList));
                };
                items.retain(|item| !gone.contains(item));
            }
            continue;
        }
        if value.is_null() {
            object.remove(&key);
            continue;
        }
        let merged = match (object.remove(&key), value) {
            (Some(Value::Object(old)), Value::Object(new))
                if schema.strategy(&key) != PatchStrategy::Replace =>
            {
                Some(Value::Object(merge_map(old, new, schema.field(&key))?))
            }
            (Some(Value::Array(old)), Value::Array(new)) => Some(Value::Array(lists::merge(
                &old,
                new,
                schema.strategy(&key),
                schema.field(&key).item(),
            )?)),
            (_, new) => directives::cleaned(new),
        };
        if let Some(merged) = merged {
            object.insert(key, merged);
        }
    }
    Ok(object)
}

#[cfg(test)]
mod tests;
