//! Merging a part of an object into it, as kustomize does.
//!
//! The server's strategic merge patch differs in what becomes of lists: here new items come first, and
//! ports are told apart by number and protocol.

use anyhow::bail;
use serde_json::{Map, Value};
use wk_schema::{ListType, MergeRule, Message, PatchStrategy, Type};

/// Key of what says how to merge.
const DIRECTIVE: &str = "$patch";

/// The object with the part merged in; `None` if the part deletes it.
pub(super) fn merge(
    object: Value,
    part: &Value,
    schema: Option<&'static Message>,
) -> anyhow::Result<Option<Value>> {
    values(Some(object), part, schema.map(Type::Message), &MergeRule::PLAIN)
}

fn values(
    old: Option<Value>,
    new: &Value,
    ty: Option<Type>,
    rule: &MergeRule,
) -> anyhow::Result<Option<Value>> {
    match (old, new) {
        (_, Value::Null) => Ok(None),
        (old, Value::Object(new)) => maps(old, new, ty),
        (Some(Value::Array(old)), Value::Array(new)) => lists(old, new, ty, rule).map(Some),
        (_, Value::Array(new)) => lists(Vec::new(), new, ty, rule).map(Some),
        (_, new) => Ok(Some(new.clone())),
    }
}

fn maps(
    old: Option<Value>,
    new: &Map<String, Value>,
    ty: Option<Type>,
) -> anyhow::Result<Option<Value>> {
    let mut merged = match (old, directive(new)) {
        (_, Some("delete")) => return Ok(None),
        (_, Some("replace")) => Map::new(),
        (Some(Value::Object(old)), _) => old,
        _ => Map::new(),
    };
    for (key, value) in new.iter().filter(|(key, _)| *key != DIRECTIVE) {
        let (ty, rule) = match ty {
            Some(Type::Message(message)) => match message.field(key) {
                Some(field) => (Some(field.ty), field.merge),
                None => (None, &MergeRule::PLAIN),
            },
            Some(Type::Map(item)) => (Some(*item), &MergeRule::PLAIN),
            _ => (None, &MergeRule::PLAIN),
        };
        if let Some(value) = values(merged.remove(key), value, ty, rule)? {
            merged.insert(key.clone(), value);
        }
    }
    Ok(Some(Value::Object(merged)))
}

fn directive(fields: &Map<String, Value>) -> Option<&str> {
    fields.get(DIRECTIVE).and_then(Value::as_str)
}

fn lists(
    old: Vec<Value>,
    new: &[Value],
    ty: Option<Type>,
    rule: &MergeRule,
) -> anyhow::Result<Value> {
    let item = match ty {
        Some(Type::List(item)) => Some(*item),
        _ => None,
    };
    let replaces = |value: &Value| value.as_object().and_then(directive) == Some("replace");
    let old = if new.iter().any(replaces) { Vec::new() } else { old };
    let new: Vec<&Value> = new.iter().filter(|value| !replaces(value)).collect();
    match (rule.list, rule.patch) {
        (ListType::Map(keys), PatchStrategy::Merge(_)) => by_keys(old, &new, item, keys),
        (_, PatchStrategy::Merge(key)) => by_keys(old, &new, item, &[key]),
        (_, PatchStrategy::MergePrimitives) => {
            let rest = old.iter().filter(|value| !new.contains(value));
            Ok(new.iter().copied().chain(rest).cloned().collect())
        }
        _ => Ok(new.into_iter().cloned().collect()),
    }
}

/// Merges items that have the same keys. New ones come first; so do those that are changed, where one
/// key tells them apart.
fn by_keys(
    mut old: Vec<Value>,
    new: &[&Value],
    ty: Option<Type>,
    keys: &[&str],
) -> anyhow::Result<Value> {
    let same = |one: &Value, other: &Value| {
        keys.iter().all(|key| one.get(*key) == other.get(*key))
            && keys.iter().any(|key| one.get(*key).is_some())
    };
    let unclear = |one: &Value, other: &Value| {
        keys.iter().any(|key| one.get(*key).is_some() && one.get(*key) == other.get(*key))
            && keys.iter().all(|key| {
                let (one, other) = (one.get(*key), other.get(*key));
                one == other || one.is_none() || other.is_none()
            })
            && !same(one, other)
    };
    let mut first = Vec::new();
    for value in new.iter().copied() {
        if old.iter().any(|old| unclear(old, value)) {
            bail!(
                "a patch has an item of which it is not clear whether it is meant to change one that \
                 is there: give it the same of {}: {value}",
                keys.join(" and ")
            );
        }
        let at = old.iter().position(|old| same(old, value));
        let found = at.map(|at| if keys.len() == 1 { old.remove(at) } else { old[at].take() });
        let merged = values(found, value, ty, &MergeRule::PLAIN)?;
        match (at.filter(|_| keys.len() > 1), merged) {
            (Some(at), Some(merged)) => old[at] = merged,
            (Some(at), None) => _ = old.remove(at),
            (None, Some(merged)) => first.push(merged),
            (None, None) => {}
        }
    }
    first.extend(old);
    Ok(Value::Array(first))
}
