//! How a patch is refused whose outcome is no object of its kind.
//!
//! Kubernetes shows the outcome of JSON and merge patches as JSON and what is wrong with it in the
//! words of Go's JSON decoder; of strategic merge patches it shows the patch as Go prints a map, and
//! what is wrong in the words of another converter.

use std::fmt::Write as _;

use serde_json::Value;

/// A value as Go prints it.
pub(super) fn as_go(value: &Value) -> String {
    let mut text = String::new();
    print(value, &mut text);
    text
}

fn print(value: &Value, text: &mut String) {
    let apart = |text: &mut String, index: usize| {
        if index > 0 {
            text.push(' ');
        }
    };
    match value {
        Value::Null => text.push_str("<nil>"),
        Value::String(own) => text.push_str(own),
        Value::Bool(_) | Value::Number(_) => {
            // Writing to a string cannot fail.
            let _ = write!(text, "{value}");
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                apart(text, index);
                print(item, text);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort();
            text.push_str("map[");
            for (index, name) in names.into_iter().enumerate() {
                apart(text, index);
                text.push_str(name);
                text.push(':');
                print(&fields[name], text);
            }
            text.push(']');
        }
    }
}

/// A mismatch of types in the words of the converter, from those of the JSON decoder; anything else
/// stays as it is.
pub(super) fn converted(text: &str) -> String {
    let parts = text.strip_prefix("json: cannot unmarshal ").and_then(|rest| {
        let (found, rest) = rest.split_once(" into Go ")?;
        Some((found, rest.rsplit_once(" of type ")?.1))
    });
    let Some((found, wanted)) = parts else { return text.to_owned() };
    let number = found.strip_prefix("number");
    let found = match (found, number) {
        ("object", _) => "map",
        ("array", _) => "slice",
        (_, Some(number)) if number.contains(['.', 'e', 'E']) => "float64",
        (_, Some(_)) => "int64",
        (other, None) => other,
    };
    if wanted.starts_with("[]") {
        return format!("cannot restore slice from {found}");
    }
    if wanted.starts_with("map[") {
        return format!("cannot restore map from {found}");
    }
    if wanted.contains('.') {
        return format!("cannot restore struct from: {found}");
    }
    let numbers = found == "float64" && wanted.starts_with("int");
    if numbers || found == "int64" && wanted == "string" {
        return format!("cannot convert {found} to {wanted}");
    }
    format!("unrecognized type: {wanted}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_printed_as_go_prints_them() {
        let value = json!({"b": [1, "x y", null, {}], "a": {"c": true, "d": 1.5}});
        assert_eq!(as_go(&value), "map[a:map[c:true d:1.5] b:[1 x y <nil> map[]]]");
    }

    #[test]
    fn mismatches_are_told_in_the_words_of_the_converter() {
        for (found, wanted, expected) in [
            ("string", "int32", "unrecognized type: int32"),
            ("number", "string", "cannot convert int64 to string"),
            ("number 1.5", "int64", "cannot convert float64 to int64"),
            ("bool", "string", "unrecognized type: string"),
            ("string", "[]v1.Container", "cannot restore slice from string"),
            ("array", "map[string]string", "cannot restore map from slice"),
            ("object", "[]v1.Container", "cannot restore slice from map"),
            ("number", "v1.PodSpec", "cannot restore struct from: int64"),
        ] {
            let text =
                format!("json: cannot unmarshal {found} into Go struct field A.b of type {wanted}");
            assert_eq!(converted(&text), expected, "{text}");
        }
        assert_eq!(converted("quantities must match"), "quantities must match");
    }
}
