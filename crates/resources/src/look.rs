//! Short ways to look into an object.
//!
//! Rules read values that the decoder has typed, yet they never rely on it: what is absent or of
//! another type reads as empty, so that no object, however odd, makes a rule panic.

use serde_json::{Map, Value};

/// Reads fields of a JSON object; everything absent is empty.
pub(crate) trait Look {
    /// The text of a field, or nothing.
    fn text(&self, key: &str) -> &str;
    /// The items of a list field, or none.
    fn items(&self, key: &str) -> &[Value];
    /// The entries of a map field, or none.
    fn entries(&self, key: &str) -> impl Iterator<Item = (&String, &Value)>;
    /// The number in a field.
    fn int(&self, key: &str) -> Option<i64>;
    /// The truth in a field.
    fn flag(&self, key: &str) -> Option<bool>;
    /// Whether the field is there and not `null`.
    fn has(&self, key: &str) -> bool;
    /// Whether the field is there and `true`.
    fn is(&self, key: &str) -> bool {
        self.flag(key) == Some(true)
    }
    /// Whether the field is absent, `null`, or an empty text, list or map.
    fn lacks(&self, key: &str) -> bool;
}

impl Look for Value {
    fn text(&self, key: &str) -> &str {
        self.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn items(&self, key: &str) -> &[Value] {
        self.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn entries(&self, key: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.get(key).and_then(Value::as_object).into_iter().flatten()
    }

    fn int(&self, key: &str) -> Option<i64> {
        self.get(key).and_then(Value::as_i64)
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.get(key).and_then(Value::as_bool)
    }

    fn has(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| !value.is_null())
    }

    fn lacks(&self, key: &str) -> bool {
        self.get(key).is_none_or(is_empty)
    }
}

impl Look for Map<String, Value> {
    fn text(&self, key: &str) -> &str {
        self.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn items(&self, key: &str) -> &[Value] {
        self.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn entries(&self, key: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.get(key).and_then(Value::as_object).into_iter().flatten()
    }

    fn int(&self, key: &str) -> Option<i64> {
        self.get(key).and_then(Value::as_i64)
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.get(key).and_then(Value::as_bool)
    }

    fn has(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| !value.is_null())
    }

    fn lacks(&self, key: &str) -> bool {
        self.get(key).is_none_or(is_empty)
    }
}

/// Whether a value is `null`, or an empty text, list or map.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The value at a path of field names joined by dots.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, key| value.get(key)).filter(|value| !value.is_null())
}

/// The text at a path of field names joined by dots, or nothing.
pub(crate) fn text_at<'a>(value: &'a Value, path: &str) -> &'a str {
    at(value, path).and_then(Value::as_str).unwrap_or_default()
}

/// The map in a field, made if it is not there.
pub(crate) fn map_mut<'a>(value: &'a mut Value, key: &str) -> &'a mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let field = match value {
        Value::Object(map) => map.entry(key).or_insert_with(|| Value::Object(Map::new())),
        other => other,
    };
    if !field.is_object() {
        *field = Value::Object(Map::new());
    }
    match field {
        Value::Object(map) => map,
        // Made an object two lines above.
        _ => unreachable!("the field was made an object"),
    }
}

/// Sets a field that is absent or an empty text.
pub(crate) fn default_to(map: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    let absent = match map.get(key) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    };
    if absent {
        map.insert(key.to_owned(), value.into());
    }
}

/// Makes a field of a structure that Kubernetes always writes, `{}` where nothing is set.
pub(crate) fn always<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut Value {
    let field = map.entry(key).or_insert(Value::Null);
    if field.is_null() {
        *field = Value::Object(Map::new());
    }
    field
}

/// Removes a field of an object.
pub(crate) fn remove(value: &mut Value, key: &str) {
    if let Value::Object(map) = value {
        map.remove(key);
    }
}

/// Makes a field of `new` what it is in `old`, absent included.
pub(crate) fn keep(new: &mut Value, old: &Value, key: &str) {
    if let Value::Object(map) = new {
        match old.get(key) {
            Some(value) => map.insert(key.to_owned(), value.clone()),
            None => map.remove(key),
        };
    }
}
