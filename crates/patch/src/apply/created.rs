//! What the maker of a new object owns, in one pass over the object.
//!
//! Every create comes through here, so that nothing is built that is not part of the outcome. It is
//! what [`super::update`] finds by comparing the object with nothing at all, which the tests hold
//! it to.

use serde_json::{Map, Value};
use wk_schema::{Message, Presence, Type};

use super::field_set::{FieldSet, PathElement};
use super::typed::{self, Node, Shape};

/// The fields of an object that are not owned: what it is, and what the server says.
const OF_THE_SERVER: [&str; 2] = ["apiVersion", "kind"];
/// Those of its metadata.
const OF_THE_METADATA: [&str; 9] = [
    "clusterName",
    "creationTimestamp",
    "generation",
    "managedFields",
    "name",
    "namespace",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// What was there before the object was: what Go has in the place of a field that nobody set.
#[derive(Clone, Copy)]
enum Before {
    Nothing,
    Null,
    /// A structure that is no pointer, with all of its fields unset.
    Struct(Option<&'static Message>),
}

/// What is owned at one step: the step itself, and what is below it.
#[derive(Default)]
struct Owned {
    member: bool,
    children: Map<String, Value>,
}

/// The `fieldsV1` of the maker of an object; empty if there is nothing to own.
///
/// `None` if the fields to ignore are not whole fields of the object, which only the comparison can
/// tell apart.
pub(super) fn fields(
    message: Option<&'static Message>,
    object: &Value,
    ignored: &FieldSet,
) -> Option<Map<String, Value>> {
    let mut skipped = Vec::new();
    for (element, entry) in ignored.iter() {
        skipped.push(element.field_name().filter(|_| entry.member)?);
    }
    let Value::Object(fields) = object else { return Some(Map::new()) };
    let node = Node::of(message);
    let mut all = Map::new();
    for (name, value) in fields {
        if OF_THE_SERVER.contains(&name.as_str()) || skipped.contains(&name.as_str()) {
            continue;
        }
        let before = match message {
            Some(_) => before(message, name),
            None if name == "metadata" => Before::Struct(None),
            None => Before::Nothing,
        };
        if name == "metadata" {
            let metadata = of_metadata(node.field(name).0, before, value);
            put(&mut all, PathElement::field(name), metadata);
        } else {
            put(&mut all, PathElement::field(name), owned(node.field(name).0, before, value));
        }
    }
    Some(all)
}

fn of_metadata(node: Node, before: Before, value: &Value) -> Owned {
    let Value::Object(fields) = value else { return Owned::default() };
    let mut children = Map::new();
    for (name, value) in fields {
        if !OF_THE_METADATA.contains(&name.as_str()) {
            let inner = owned(node.field(name).0, below(before, name), value);
            put(&mut children, PathElement::field(name), inner);
        }
    }
    Owned { member: false, children }
}

fn put(map: &mut Map<String, Value>, element: PathElement, owned: Owned) {
    let Owned { member, mut children } = owned;
    if !member && children.is_empty() {
        return;
    }
    if member && !children.is_empty() {
        children.insert(".".to_owned(), Value::Object(Map::new()));
    }
    map.insert(element.into_text(), Value::Object(children));
}

/// What Go has in a field of a structure before it is set.
fn before(message: Option<&'static Message>, name: &str) -> Before {
    let Some(field) = message.and_then(|message| message.field(name)) else {
        return Before::Nothing;
    };
    match (field.ty, field.presence) {
        (_, Presence::Pointer) => Before::Nothing,
        (Type::Message(inner), _) => Before::Struct(Some(inner)),
        (_, Presence::Always) => Before::Null,
        (_, Presence::OmitEmpty) => Before::Nothing,
    }
}

fn below(around: Before, name: &str) -> Before {
    match around {
        Before::Struct(message) => before(message, name),
        Before::Nothing | Before::Null => Before::Nothing,
    }
}

fn owned(node: Node, before: Before, value: &Value) -> Owned {
    if value.is_null() {
        return Owned { member: matches!(before, Before::Nothing), ..Owned::default() };
    }
    match (node.shape(value), value) {
        (Shape::Fields, Value::Object(fields)) => {
            let mut children = Map::new();
            for (name, value) in fields {
                let inner = owned(node.field(name).0, below(before, name), value);
                put(&mut children, PathElement::field(name), inner);
            }
            let member = match before {
                Before::Nothing => true,
                Before::Null => fields.is_empty(),
                Before::Struct(_) => false,
            };
            Owned { member, children }
        }
        (Shape::Items(identity), Value::Array(items)) => {
            let mut children = Map::new();
            for (element, item) in node.items(identity, items) {
                let element = element.into_text();
                // Several items of one key cannot be told apart: they are owned as one.
                let inner = if children.contains_key(&element) {
                    Map::new()
                } else {
                    let mut inner = owned(node.item(), Before::Nothing, item).children;
                    if !inner.is_empty() {
                        inner.insert(".".to_owned(), Value::Object(Map::new()));
                    }
                    inner
                };
                children.insert(element, Value::Object(inner));
            }
            let member = matches!(before, Before::Nothing) || items.is_empty();
            Owned { member, children }
        }
        _ => {
            let unset = match before {
                Before::Struct(Some(message)) => typed::unset(Some(message)) == *value,
                Before::Struct(None) | Before::Nothing | Before::Null => false,
            };
            Owned { member: !unset, ..Owned::default() }
        }
    }
}
