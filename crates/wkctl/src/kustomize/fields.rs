//! Places in objects: paths, and the kinds that have them.

use serde_json::{Map, Value};

use super::item::Item;

/// A place in the objects of a kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Empty for every group.
    pub(super) group: &'static str,
    /// Empty for every kind.
    pub(super) kind: &'static str,
    /// Steps with slashes between them; lists are gone through. A slash within a step is `~`.
    pub(super) path: &'static str,
    /// Whether what is missing is made.
    pub(super) create: bool,
}

impl Place {
    /// A place in every kind of this name, made where it is missing.
    pub(super) const fn made(kind: &'static str, path: &'static str) -> Self {
        Self { group: "", kind, path, create: true }
    }

    /// A place that is used only where it is there.
    pub(super) const fn found(group: &'static str, kind: &'static str, path: &'static str) -> Self {
        Self { group, kind, path, create: false }
    }

    /// This place in one group.
    pub(super) const fn of(self, group: &'static str) -> Self {
        Self { group, ..self }
    }

    /// Calls `with` for what the item has here.
    pub(super) fn visit(&self, item: &mut Item, with: &mut dyn FnMut(&mut Value)) {
        let id = item.id();
        let applies = (self.group.is_empty() || self.group == id.group)
            && (self.kind.is_empty() || self.kind == id.kind);
        if applies {
            visit(&mut item.object, self.path, self.create, with);
        }
    }
}

/// Calls `with` for each value at a path.
pub(super) fn visit(value: &mut Value, path: &str, create: bool, with: &mut dyn FnMut(&mut Value)) {
    if path.is_empty() {
        return with(value);
    }
    let (step, rest) = path.split_once('/').unwrap_or((path, ""));
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, path, create, with)),
        Value::Object(fields) => {
            let (name, is_list) = match step.strip_suffix("[]") {
                Some(name) => (name, true),
                None => (step, false),
            };
            let name = name.replace('~', "/");
            let absent = fields.get(&name).is_none_or(Value::is_null);
            if absent && (!create || is_list) {
                return;
            }
            if absent {
                fields.insert(name.clone(), Value::Object(Map::new()));
            }
            if let Some(value) = fields.get_mut(&name) {
                visit(value, rest, create, with);
            }
        }
        _ => {}
    }
}
