//! Values walked by their schema: the paths they have, how two differ, what both make together.
//!
//! A structure or map is *granular* (each field has its own owner) or *atomic* (one owner for all);
//! a list is atomic, a set, or a map by keys. Where nothing is known of a type, maps are granular and
//! lists atomic.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value, json};
use wk_schema::{ListType, MergeRule, Message, Presence, Type};

use super::field_set::{Entry, FieldSet, PathElement};

/// What is known of a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    /// `None` where nothing is known.
    ty: Option<Type>,
    rule: &'static MergeRule,
}

/// How a value is walked.
pub(super) enum Shape {
    /// One value with one owner.
    Leaf,
    Fields,
    Items(Identity),
}

/// How items of a list are told apart.
#[derive(Clone, Copy)]
pub(super) enum Identity {
    Value,
    Keys(&'static [&'static str]),
}

impl Node {
    pub(super) fn of(message: Option<&'static Message>) -> Self {
        Self { ty: message.map(Type::Message), rule: &MergeRule::PLAIN }
    }

    /// What is known of the value under a name; the flag tells whether it is a field of a structure.
    pub(super) fn field(self, name: &str) -> (Self, bool) {
        match self.ty {
            Some(Type::Message(message)) => match message.field(name) {
                Some(field) => (Self { ty: Some(field.ty), rule: field.merge }, true),
                None => (Self::of(None), false),
            },
            Some(Type::Map(value)) => (Self { ty: Some(*value), ..Self::of(None) }, false),
            _ => (Self::of(None), false),
        }
    }

    pub(super) fn item(self) -> Self {
        match self.ty {
            Some(Type::List(item)) => Self { ty: Some(*item), ..Self::of(None) },
            _ => Self::of(None),
        }
    }

    pub(super) fn shape(self, value: &Value) -> Shape {
        match (value, self.ty) {
            (Value::Object(_), Some(Type::Message(message))) if message.atomic => Shape::Leaf,
            (Value::Object(_), _) if self.rule.atomic => Shape::Leaf,
            (Value::Object(_), _) => Shape::Fields,
            (Value::Array(_), Some(Type::List(_))) => match self.rule.list {
                ListType::Atomic => Shape::Leaf,
                ListType::Set => Shape::Items(Identity::Value),
                ListType::Map(keys) => Shape::Items(Identity::Keys(keys)),
            },
            _ => Shape::Leaf,
        }
    }

    /// The step to an item of this list; the name of the key that it lacks otherwise.
    fn element(self, identity: Identity, item: &Value) -> Result<PathElement, &'static str> {
        let Identity::Keys(names) = identity else { return Ok(PathElement::value(item)) };
        let mut keys = BTreeMap::new();
        for &name in names {
            let value = match (item.get(name), self.default(name)) {
                (Some(value), _) => value.clone(),
                (None, Some(default)) => default,
                (None, None) => return Err(name),
            };
            keys.insert(name, value);
        }
        Ok(PathElement::key(&keys))
    }

    /// The default that the schema has for a field of this list's items.
    fn default(self, name: &str) -> Option<Value> {
        let Some(Type::Message(message)) = self.item().ty else { return None };
        serde_json::from_str(message.field(name)?.default?).ok()
    }

    /// The items of this list by their steps, those that lack a key by their place.
    pub(super) fn items(self, identity: Identity, list: &[Value]) -> Vec<(PathElement, &Value)> {
        let items = list.iter().enumerate();
        items
            .map(|(place, item)| {
                let element = self.element(identity, item);
                (element.unwrap_or_else(|_| PathElement::place(place)), item)
            })
            .collect()
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Finds what makes a configuration unfit to be applied: items without keys, or two of one key.
pub(super) fn check(node: Node, value: &Value, path: &str) -> Result<(), String> {
    match (node.shape(value), value) {
        (Shape::Fields, Value::Object(fields)) => fields.iter().try_for_each(|(name, value)| {
            check(node.field(name).0, value, &format!("{path}.{name}"))
        }),
        (Shape::Items(identity), Value::Array(items)) => {
            let mut seen = BTreeSet::new();
            for (place, item) in items.iter().enumerate() {
                let element = node.element(identity, item).map_err(|key| {
                    format!(
                        "{path}: element {place}: associative list with keys has an element that \
                         omits key field {key:?} (and doesn't have default value)"
                    )
                })?;
                let inner = format!("{path}{element}");
                if !seen.insert(element.clone()) {
                    return Err(format!("{path}: duplicate entries for key {element}"));
                }
                check(node.item(), item, &inner)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The paths that a value has. Containers are members only where that says something: items of
/// lists, entries of maps, and what is empty.
pub(super) fn field_set(node: Node, value: &Value) -> FieldSet {
    entry(node, value).children
}

fn entry(node: Node, value: &Value) -> Entry {
    match (node.shape(value), value) {
        (Shape::Fields, Value::Object(fields)) => {
            let mut children = FieldSet::default();
            for (name, value) in fields {
                let (inner, is_declared) = node.field(name);
                let mut entry = entry(inner, value);
                let is_bare = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                entry.member |= is_bare || !is_declared;
                children.put(PathElement::field(name), entry);
            }
            Entry { member: false, children }
        }
        (Shape::Items(identity), Value::Array(items)) => {
            let mut children = FieldSet::default();
            for (element, item) in node.items(identity, items) {
                let entry = Entry { member: true, ..entry(node.item(), item) };
                children.put(element, entry);
            }
            Entry { member: false, children }
        }
        _ => Entry { member: true, children: FieldSet::default() },
    }
}

/// How one value became another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) added: FieldSet,
    pub(super) modified: FieldSet,
    pub(super) removed: FieldSet,
}

impl Comparison {
    /// Without paths in a set, and those below them.
    pub(super) fn without(&self, ignored: &FieldSet) -> Self {
        Self {
            added: self.added.without(ignored),
            modified: self.modified.without(ignored),
            removed: self.removed.without(ignored),
        }
    }
}

/// The same for one step.
#[derive(Default)]
struct Change {
    added: Entry,
    modified: Entry,
    removed: Entry,
}

impl Change {
    fn put(&mut self, element: &PathElement, inner: Self) {
        self.added.children.put(element.clone(), inner.added);
        self.modified.children.put(element.clone(), inner.modified);
        self.removed.children.put(element.clone(), inner.removed);
    }
}

/// How `old` became `new`.
pub(super) fn compare(node: Node, old: &Value, new: &Value) -> Comparison {
    let change = change(node, Some(old), Some(new));
    Comparison {
        added: change.added.children,
        modified: change.modified.children,
        removed: change.removed.children,
    }
}

fn change(node: Node, old: Option<&Value>, new: Option<&Value>) -> Change {
    let mut change = Change::default();
    if old == new {
        return change;
    }
    // `null` takes whatever shape the other side has.
    let shape = |value: Option<&Value>| {
        value.filter(|value| !value.is_null()).map(|value| node.shape(value))
    };
    let both_empty = old.is_none_or(is_empty) && new.is_none_or(is_empty);
    match (shape(old), shape(new)) {
        (Some(Shape::Fields) | None, Some(Shape::Fields) | None) if !both_empty => {
            compare_fields(node, old, new, &mut change);
        }
        (Some(Shape::Items(identity)), Some(Shape::Items(_)) | None)
        | (None, Some(Shape::Items(identity)))
            if !both_empty =>
        {
            compare_items(node, identity, old, new, &mut change);
        }
        (Some(_), Some(_)) => {
            // A value of another shape: what was within is gone, what is within is new.
            change.modified.member = true;
            if !both_empty {
                change.removed.children =
                    old.map(|old| entry(node, old).children).unwrap_or_default();
                change.added.children =
                    new.map(|new| entry(node, new).children).unwrap_or_default();
            }
        }
        _ => change.modified.member = old.is_some() && new.is_some(),
    }
    change.added.member = old.is_none();
    change.removed.member = new.is_none();
    change
}

fn compare_fields(node: Node, old: Option<&Value>, new: Option<&Value>, change: &mut Change) {
    let nothing = Map::new();
    let [old, new] = [old, new].map(|value| value.and_then(Value::as_object).unwrap_or(&nothing));
    for (name, value) in old {
        let inner = self::change(node.field(name).0, Some(value), new.get(name));
        change.put(&PathElement::field(name), inner);
    }
    for (name, value) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
        let inner = self::change(node.field(name).0, None, Some(value));
        change.put(&PathElement::field(name), inner);
    }
}

fn compare_items<'a>(
    node: Node,
    identity: Identity,
    old: Option<&'a Value>,
    new: Option<&'a Value>,
    change: &mut Change,
) {
    let grouped = |value: Option<&'a Value>| {
        let mut groups: BTreeMap<PathElement, Vec<&'a Value>> = BTreeMap::new();
        let items = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (element, item) in node.items(identity, items) {
            groups.entry(element).or_default().push(item);
        }
        groups
    };
    let (old, new) = (grouped(old), grouped(new));
    let elements: BTreeSet<&PathElement> = old.keys().chain(new.keys()).collect();
    for element in elements {
        let (before, after) = (old.get(element), new.get(element));
        let first = |group: Option<&Vec<&'a Value>>| group.and_then(|group| group.first().copied());
        let is_single = |group: Option<&Vec<&Value>>| group.is_none_or(|group| group.len() == 1);
        if is_single(before) && is_single(after) {
            let inner = self::change(node.item(), first(before), first(after));
            change.put(element, inner);
        } else if before != after {
            // Several items of one key cannot be told apart: they change as one.
            let mut inner = Change::default();
            inner.added.member = before.is_none();
            inner.removed.member = after.is_none();
            inner.modified.member = before.is_some() && after.is_some();
            change.put(element, inner);
        }
    }
}

/// What `live` becomes when `config` is laid over it.
pub(super) fn merged(node: Node, live: &Value, config: &Value) -> Value {
    match (node.shape(live), node.shape(config)) {
        (Shape::Fields, Shape::Fields) => {
            let (Value::Object(live), Value::Object(config)) = (live, config) else {
                return config.clone();
            };
            let mut object = live.clone();
            for (name, value) in config {
                let value = match live.get(name) {
                    Some(old) => merged(node.field(name).0, old, value),
                    None => value.clone(),
                };
                object.insert(name.clone(), value);
            }
            Value::Object(object)
        }
        (Shape::Items(identity), Shape::Items(_)) => {
            let (Value::Array(live), Value::Array(config)) = (live, config) else {
                return config.clone();
            };
            Value::Array(merged_items(
                node,
                node.items(identity, live),
                node.items(identity, config),
            ))
        }
        _ => config.clone(),
    }
}

/// Merges two lists: items of both in the order of the configuration, items of the live list between
/// them where they stood.
fn merged_items(
    node: Node,
    live: Vec<(PathElement, &Value)>,
    config: Vec<(PathElement, &Value)>,
) -> Vec<Value> {
    let first_of = |items: &[(PathElement, &'_ Value)]| -> BTreeMap<PathElement, Value> {
        let mut first = BTreeMap::new();
        for (element, item) in items {
            first.entry(element.clone()).or_insert_with(|| (*item).clone());
        }
        first
    };
    let in_live = first_of(&live);
    let in_config = first_of(&config);
    let joined = |element: &PathElement, item: &Value| match in_live.get(element) {
        Some(old) => merged(node.item(), old, item),
        None => item.clone(),
    };
    let mut shared: VecDeque<PathElement> = config
        .iter()
        .filter(|(element, _)| in_live.contains_key(element))
        .map(|(element, _)| element.clone())
        .collect();
    let mut done = BTreeSet::new();
    let mut out = Vec::with_capacity(live.len() + config.len());
    let mut live = live.into_iter().peekable();
    let mut config = config.into_iter().peekable();
    loop {
        let live_next = live.peek().map(|(element, _)| element.clone());
        let config_next = config.peek().map(|(element, _)| element.clone());
        match (&live_next, &config_next) {
            (None, None) => return out,
            (Some(ours), Some(theirs))
                if ours != theirs
                    && in_config.contains_key(ours)
                    && shared.front().is_some_and(|next| next != ours) =>
            {
                // A shared item, but not the next one of the configuration: it comes there.
                live.next();
                continue;
            }
            (Some(ours), _) if !in_config.contains_key(ours) => {
                out.extend(live.next().map(|(_, item)| item.clone()));
                continue;
            }
            (Some(ours), _) if done.contains(ours) => {
                live.next();
                continue;
            }
            _ => {}
        }
        let Some((element, item)) = config.next() else {
            live.next();
            continue;
        };
        if live_next.as_ref() == Some(&element) {
            live.next();
        }
        if shared.front() == Some(&element) {
            shared.pop_front();
        }
        out.push(joined(&element, item));
        done.insert(element);
    }
}

/// What Go has of a kind before anything is set: structures that are no pointers, and `null` for
/// other fields that are always there. Nobody comes to own these by making an object.
pub(super) fn unset(message: Option<&'static Message>) -> Value {
    let Some(message) = message else {
        // What has no table has metadata all the same.
        return json!({ "metadata": {} });
    };
    let fields = message.fields.iter().filter_map(|field| {
        let value = match (field.ty, field.presence) {
            (_, Presence::Pointer) => return None,
            (Type::Message(inner), _) => unset(Some(inner)),
            (_, Presence::Always) => Value::Null,
            (_, Presence::OmitEmpty) => return None,
        };
        Some((field.json.to_owned(), value))
    });
    Value::Object(fields.collect())
}

/// The value without what a set names. `None` if nothing is left of a container that had something.
pub(super) fn removed(node: Node, value: &Value, gone: &FieldSet) -> Option<Value> {
    if is_empty(value) || gone.is_empty() {
        return Some(value.clone());
    }
    match (node.shape(value), value) {
        (Shape::Fields, Value::Object(fields)) => {
            let mut left = Map::new();
            for (name, value) in fields {
                let kept = remaining(node.field(name).0, value, gone, &PathElement::field(name));
                left.extend(kept.map(|value| (name.clone(), value)));
            }
            (!left.is_empty()).then_some(Value::Object(left))
        }
        (Shape::Items(identity), Value::Array(items)) => {
            let items = node.items(identity, items).into_iter();
            let left: Vec<Value> = items
                .filter_map(|(element, item)| remaining(node.item(), item, gone, &element))
                .collect();
            (!left.is_empty()).then_some(Value::Array(left))
        }
        _ => Some(value.clone()),
    }
}

fn remaining(node: Node, value: &Value, gone: &FieldSet, element: &PathElement) -> Option<Value> {
    match gone.get(element) {
        Some(entry) if entry.member => None,
        Some(entry) => removed(node, value, &entry.children),
        None => Some(value.clone()),
    }
}

/// The set, and every declared field that has something below it in the set.
pub(super) fn with_named_fields(node: Node, set: &FieldSet) -> FieldSet {
    let mut named = FieldSet::default();
    for (element, entry) in set.iter() {
        let (inner, is_declared) = match element.field_name() {
            Some(name) => node.field(name),
            None => (node.item(), false),
        };
        let children = with_named_fields(inner, &entry.children);
        let member = entry.member || (is_declared && !children.is_empty());
        named.put(element.clone(), Entry { member, children });
    }
    named
}
