//! Lists that merge, and the order of what they become.
//!
//! Items of the patch keep the patch's order and items that only the object has keep the object's;
//! the two are interleaved by the object's order as far as that is possible.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};
use wk_schema::PatchStrategy;

use super::{Schema, directives, merge_map};
use crate::PatchError;
use crate::error::DirectiveFault;

/// What tells items apart: the value of a key, or themselves.
#[derive(Debug, Clone, Copy)]
pub(super) enum Identity {
    Key(&'static str),
    Value,
}

impl Identity {
    /// What identifies the item, `None` if it lacks the key.
    pub(super) fn of(self, item: &Value) -> Option<&Value> {
        match self {
            Self::Key(key) => item.get(key),
            Self::Value => Some(item),
        }
    }
}

/// Where items stand in a list; of several with one identity, the first.
struct Places<'a> {
    identity: Identity,
    places: HashMap<&'a Value, usize>,
}

impl<'a> Places<'a> {
    fn new(list: &'a [Value], identity: Identity) -> Self {
        let mut places = HashMap::with_capacity(list.len());
        for (place, item) in list.iter().enumerate() {
            if let Some(id) = identity.of(item) {
                places.entry(id).or_insert(place);
            }
        }
        Self { identity, places }
    }

    fn find(&self, item: &Value) -> Option<usize> {
        self.places.get(self.identity.of(item)?).copied()
    }
}

/// How a list of a strategy merges; `None` if it is replaced.
pub(super) fn identity(strategy: PatchStrategy) -> Option<Identity> {
    match strategy {
        PatchStrategy::Merge(key) => Some(Identity::Key(key)),
        PatchStrategy::MergePrimitives => Some(Identity::Value),
        PatchStrategy::Default | PatchStrategy::Replace => None,
    }
}

/// Merges a list of a patch into a list of the object.
pub(super) fn merge(
    old: &[Value],
    new: Vec<Value>,
    strategy: PatchStrategy,
    item: Schema,
) -> Result<Vec<Value>, PatchError> {
    let Some(identity) = identity(strategy) else {
        return Ok(new);
    };
    let order = new.clone();
    let merged = merge_items(old.to_vec(), new, identity, item)?;
    Ok(ordered(merged, &order, old, identity))
}

/// Merges item by item; new ones come last.
fn merge_items(
    old: Vec<Value>,
    new: Vec<Value>,
    identity: Identity,
    item: Schema,
) -> Result<Vec<Value>, PatchError> {
    let Identity::Key(key) = identity else {
        let mut seen = HashSet::with_capacity(old.len() + new.len());
        let mut merged = Vec::with_capacity(old.len() + new.len());
        for value in old.into_iter().chain(new) {
            if value.is_array() || value.is_object() {
                return Err(PatchError::List(
                    "the list holds primitives, and the patch something else".to_owned(),
                ));
            }
            if seen.insert(value.clone()) {
                merged.push(value);
            }
        }
        return Ok(merged);
    };
    let (mut merged, patches) = special_items(old, new, key)?;
    let mut places: HashMap<Value, usize> = HashMap::with_capacity(merged.len());
    for (place, item) in merged.iter().enumerate() {
        if let Some(id) = item.get(key) {
            places.entry(id.clone()).or_insert(place);
        }
    }
    for patch in patches {
        let id = patch.get(key).cloned().ok_or_else(|| no_merge_key(&patch, key))?;
        match places.entry(id) {
            Entry::Occupied(place) => {
                let place = *place.get();
                let Value::Object(old) = merged[place].take() else { continue };
                merged[place] = Value::Object(merge_map(old, patch, item)?);
            }
            Entry::Vacant(vacant) => {
                if let Some(item) = directives::cleaned(Value::Object(patch)) {
                    vacant.insert(merged.len());
                    merged.push(item);
                }
            }
        }
    }
    Ok(merged)
}

/// A patch of one item.
type ItemPatch = Map<String, Value>;

/// Carries out the items that are directives: what is left of the list, and of the patch.
fn special_items(
    mut old: Vec<Value>,
    new: Vec<Value>,
    key: &'static str,
) -> Result<(Vec<Value>, Vec<ItemPatch>), PatchError> {
    let mut patches = Vec::new();
    let mut gone = HashSet::new();
    let mut replace = false;
    for item in new {
        let Value::Object(mut item) = item else {
            return Err(PatchError::List(format!(
                "items of a list that merges by {key} are objects, and the patch has {item}"
            )));
        };
        match item.get(directives::PATCH).map(Value::as_str) {
            None => patches.push(item),
            Some(Some("delete")) => {
                let id = item.get(key).ok_or_else(|| no_merge_key(&item, key))?;
                gone.insert(id.clone());
            }
            Some(Some("replace")) => {
                replace = true;
                item.remove(directives::PATCH);
                // The directive may stand alone, or in an item that is itself to be there.
                if item.contains_key(key) {
                    patches.push(item);
                }
            }
            Some(Some("merge")) => {
                item.remove(directives::PATCH);
                patches.push(item);
            }
            Some(_) => {
                let directive = item.get(directives::PATCH).cloned().unwrap_or_default();
                let fault = DirectiveFault::UnknownPatchType(directive, Value::Object(item));
                return Err(PatchError::Directive(fault));
            }
        }
    }
    if replace {
        // The items stand as they are, also where several have one key.
        let items = patches.into_iter().map(Value::Object).filter_map(directives::cleaned);
        return Ok((items.collect(), Vec::new()));
    }
    old.retain(|old| old.get(key).is_none_or(|id| !gone.contains(id)));
    Ok((old, patches))
}

fn no_merge_key(item: &Map<String, Value>, key: &str) -> PatchError {
    let item = Value::Object(item.clone());
    PatchError::List(format!("map: {item} does not contain declared merge key: {key}"))
}

/// Carries out every `$setElementOrder` of a patch, together with the lists they speak of, and takes
/// both out of the patch.
pub(super) fn merge_ordered(
    object: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
    schema: Schema,
) -> Result<(), PatchError> {
    let fault = || PatchError::Directive(DirectiveFault::SetElementOrder);
    let mut ordered_lists = Vec::new();
    for key in patch.keys() {
        if let Some(list) = directives::orders(key)? {
            ordered_lists.push((key.clone(), list.to_owned()));
        }
    }
    for (directive, key) in ordered_lists {
        let Some(order) = patch.remove(&directive) else { continue };
        let Value::Array(order) = order else { return Err(fault()) };
        let identity = identity(schema.strategy(&key)).unwrap_or(Identity::Value);
        let new = match patch.remove(&key) {
            None => None,
            Some(Value::Array(items)) => Some(items),
            Some(Value::Null) => {
                object.remove(&key);
                continue;
            }
            Some(_) => return Err(fault()),
        };
        check_order(new.as_deref().unwrap_or_default(), &order, identity)?;
        let old = match object.remove(&key) {
            None => None,
            Some(Value::Array(items)) => Some(items),
            Some(_) => return Err(fault()),
        };
        let serial = old.clone().unwrap_or_default();
        let merged = match (old, new) {
            (None, None) => continue,
            (Some(old), None) => old,
            (None, Some(new)) => match directives::cleaned(Value::Array(new)) {
                Some(Value::Array(new)) => new,
                _ => continue,
            },
            (Some(old), Some(new)) => {
                merge(&old, new, schema.strategy(&key), schema.field(&key).item())?
            }
        };
        object.insert(key, Value::Array(ordered(merged, &order, &serial, identity)));
    }
    Ok(())
}

/// Refuses a patch with items that its order does not have.
fn check_order(items: &[Value], order: &[Value], identity: Identity) -> Result<(), PatchError> {
    let order = Places::new(order, identity);
    let is_directive = |item: &Value| item.get(directives::PATCH).is_some();
    let mut items = items.iter().filter(|item| !is_directive(item));
    if items.any(|item| identity.of(item).is_some() && order.find(item).is_none()) {
        return Err(PatchError::Directive(DirectiveFault::SetElementOrder));
    }
    Ok(())
}

/// Puts `merged` in order: what `order` names in that order, the rest in the order of `old`.
fn ordered(merged: Vec<Value>, order: &[Value], old: &[Value], identity: Identity) -> Vec<Value> {
    let (order, old) = (Places::new(order, identity), Places::new(old, identity));
    let mut named = Vec::new();
    let mut rest = Vec::new();
    for item in merged {
        match order.find(&item) {
            Some(place) => named.push((place, old.find(&item), item)),
            None => rest.push((old.find(&item), item)),
        }
    }
    named.sort_by_key(|(place, ..)| *place);
    rest.sort_by_key(|(place, _)| place.unwrap_or(usize::MAX));
    let mut merged = Vec::with_capacity(named.len() + rest.len());
    let mut named = named.into_iter().map(|(_, old, item)| (old, item)).peekable();
    let mut rest = rest.into_iter().peekable();
    loop {
        let rest_first = match (rest.peek(), named.peek()) {
            (None, None) => return merged,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some((other, _)), Some((named, _))) => other.zip(*named).is_some_and(|(a, b)| a < b),
        };
        let next = if rest_first { rest.next() } else { named.next() };
        merged.extend(next.map(|(_, item)| item));
    }
}
