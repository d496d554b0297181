//! What the targets share: which kind a run is about, and what the server does to a decoded object.

use std::sync::Arc;

use serde_json::Value;
use wk_api::Uid;
use wk_resources::{Definition, RequestContext, Requester, Update};

/// The kind that the first byte chooses, and the other bytes.
pub fn kind(data: &[u8]) -> Option<(&'static Arc<Definition>, &[u8])> {
    let (first, rest) = data.split_first()?;
    let all = wk_resources::builtin();
    all.get(usize::from(*first) % all.len()).map(|definition| (definition, rest))
}

/// Does to an object what a create does, then an update of it by itself, then shows it.
pub fn admitted(definition: &Definition, mut object: Value) {
    if !object.is_object() {
        return;
    }
    if !object["metadata"].is_object() {
        object["metadata"] = Value::Object(serde_json::Map::new());
    }
    definition.default(&mut object);
    let mut again = object.clone();
    definition.default(&mut again);
    assert_eq!(again, object, "defaults of defaults");
    let now = wk_api::parse_time("2026-01-02T03:04:05Z").expect("a time");
    let context = RequestContext {
        now,
        uid: Uid::new("u"),
        namespace: definition.namespaced.then_some("default"),
        user: "somebody",
        requester: Requester::default(),
        name_suffix: "x7b9k",
    };
    definition.prepare_create(&mut object, &context);
    let _ = definition.validate_create(&object);
    let _ = definition.warnings(&object, None);
    let _ = definition.row(&object, now);
    let _ = definition.fields(&object);
    for part in [Update::Whole, Update::Status, Update::Subresource("approval")] {
        let mut new = object.clone();
        definition.prepare_update(&mut new, &object, part);
        definition.stamp(&mut new, &object, now);
        let _ = definition.validate_update(&new, &object, part);
    }
    let mut stored = object.clone();
    definition.to_stored(&mut stored);
    definition.from_stored(&mut stored);
    if let Some(message) = definition.message {
        let bytes = wk_schema::protobuf::write_object(&object, message);
        let unknown = wk_schema::protobuf::open(&bytes).expect("what was written can be opened");
        let _ = wk_schema::protobuf::read_object(&unknown, message).expect("and read");
    }
}

/// Parses JSON as the server parses patches.
pub fn json(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok()
}
