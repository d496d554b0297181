//! Cells of tables, as `kubectl get` shows them.

use jiff::Timestamp;
use serde_json::Value;

use crate::look::{Look, text_at};

/// The cell of the object's name.
pub(crate) fn name(object: &Value) -> Value {
    object["metadata"].text("name").into()
}

/// The cell of the object's age.
pub(crate) fn age(object: &Value, now: Timestamp) -> Value {
    wk_api::time::age(time(text_at(object, "metadata.creationTimestamp")), now).into()
}

/// The cell of how long ago a wire time was.
pub(crate) fn since(text: &str, now: Timestamp) -> Value {
    wk_api::time::age(time(text), now).into()
}

fn time(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// A text, or `<none>` for an empty one.
pub(crate) fn or_none(text: &str) -> Value {
    if text.is_empty() { "<none>".into() } else { text.into() }
}

/// Labels or a selector as `a=b,c=d`, or `<none>`.
pub(crate) fn labels(map: Option<&Value>) -> Value {
    let entries = map.and_then(Value::as_object).into_iter().flatten();
    let text: Vec<String> = entries
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    or_none(&text.join(","))
}

/// A label selector of an object as text, or `<none>`.
pub(crate) fn selector(selector: Option<&Value>) -> Value {
    let Some(selector) = selector else { return "<none>".into() };
    let mut parts: Vec<String> = selector
        .entries("matchLabels")
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    for expression in selector.items("matchExpressions") {
        let key = expression.text("key");
        let values: Vec<&str> =
            expression.items("values").iter().filter_map(Value::as_str).collect();
        parts.push(match expression.text("operator") {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "Exists" => key.to_owned(),
            _ => format!("!{key}"),
        });
    }
    or_none(&parts.join(","))
}

/// The names and the images of the containers of a pod spec, each as one cell.
pub(crate) fn containers(spec: &Value) -> (Value, Value) {
    let joined = |field: &str| -> Value {
        let texts: Vec<&str> =
            spec.items("containers").iter().map(|container| container.text(field)).collect();
        texts.join(",").into()
    };
    (joined("name"), joined("image"))
}

/// A number in a field, 0 where it is absent.
pub(crate) fn int(value: &Value, field: &str) -> Value {
    value.int(field).unwrap_or(0).into()
}
