//! Whatever has no description of its own.

use serde_json::Value;

use super::text::Text;
use super::{head, metadata};
use crate::kinds::text;
use crate::output::jsonpath::plain;

/// Fields of the metadata that are shown apart, or to nobody.
const SKIPPED: [&str; 6] =
    ["managedFields", "labels", "annotations", "name", "namespace", "selfLink"];

/// Every field, with its name in words.
pub(super) fn anything(out: &mut Text, object: &Value) {
    head(out, object);
    // What belongs to no namespace has an empty one.
    if text(object, "/metadata/namespace").is_empty() {
        out.pair(0, "Namespace:", "");
    }
    metadata(out, object);
    let mut rest = object.clone();
    if let Some(own) = rest.get_mut("metadata").and_then(Value::as_object_mut) {
        own.retain(|name, _| !SKIPPED.contains(&name.as_str()));
    }
    fields(out, 0, rest.as_object().into_iter().flatten());
}

fn fields<'a>(out: &mut Text, level: usize, all: impl Iterator<Item = (&'a String, &'a Value)>) {
    let mut all: Vec<(String, &Value)> = all.map(|(name, value)| (in_words(name), value)).collect();
    all.sort_by(|(left, _), (right, _)| left.cmp(right));
    for (name, value) in all {
        field(out, level, &name, value);
    }
}

fn field(out: &mut Text, level: usize, title: &str, value: &Value) {
    let title = format!("{title}:");
    match value {
        Value::Object(own) => {
            out.line(level, title);
            fields(out, level + 1, own.iter());
        }
        Value::Array(items) => {
            out.line(level, title);
            for item in items {
                match item {
                    Value::Object(own) => fields(out, level + 1, own.iter()),
                    other => out.line(level + 1, plain(other)),
                }
            }
        }
        Value::Null => out.pair(level, &title, "<nil>"),
        other => out.pair(level, &title, plain(other)),
    }
}

/// `podCIDRRange` as `Pod CIDR Range`, `apiVersion` as `API Version`.
fn in_words(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (index, character) in characters.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| characters[before]);
        let after = characters.get(index + 1);
        let starts_word = character.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase() || after.is_some_and(|after| after.is_lowercase())
            });
        if starts_word {
            words.push(String::new());
        }
        words.iter_mut().rev().take(1).for_each(|word| word.push(*character));
    }
    for word in &mut words {
        let whole = word.to_uppercase();
        if ["API", "URL", "UID", "OSB", "GUID"].contains(&whole.as_str()) {
            *word = whole;
        } else if let Some(first) = word.get_mut(..1) {
            first.make_ascii_uppercase();
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn any_object_can_be_described() {
        let object = json!({
            "apiVersion": "example.com/v1", "kind": "Widget",
            "metadata": {"name": "a", "uid": "1"},
            "spec": {"podCIDRRange": "x", "items": ["b", {"deepName": 1}]}});
        let mut out = Text::default();
        anything(&mut out, &object);
        let expected = "\
Name:         a
Namespace:    
Labels:       <none>
Annotations:  <none>
API Version:  example.com/v1
Kind:         Widget
Metadata:
  UID:  1
Spec:
  Items:
    b
    Deep Name:     1
  Pod CIDR Range:  x
";
        assert_eq!(out.finish(), expected);
    }
}
