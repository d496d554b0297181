//! YAML in and out, by way of JSON values.

mod emit;

use anyhow::{Context as _, bail};
use serde::Deserialize as _;
use serde_json::Value;

/// Reads all documents of a text. Keys that occur twice are refused; empty documents are left out.
pub(crate) fn documents(input: &str) -> anyhow::Result<Vec<Value>> {
    let mut documents = Vec::new();
    for document in serde_yaml::Deserializer::from_str(input) {
        let mut value = serde_yaml::Value::deserialize(document)?;
        value.apply_merge()?;
        let value = json(value)?;
        if !value.is_null() {
            documents.push(value);
        }
    }
    Ok(documents)
}

/// The JSON value of a YAML value; keys that are numbers or booleans become texts.
fn json(value: serde_yaml::Value) -> anyhow::Result<Value> {
    Ok(match value {
        serde_yaml::Value::Null => Value::Null,
        serde_yaml::Value::Bool(value) => value.into(),
        serde_yaml::Value::String(text) => text.into(),
        serde_yaml::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) => {
                let number = number.as_f64().and_then(serde_json::Number::from_f64);
                number.context("a number is infinite")?.into()
            }
        },
        serde_yaml::Value::Sequence(items) => {
            items.into_iter().map(json).collect::<anyhow::Result<Vec<_>>>()?.into()
        }
        serde_yaml::Value::Mapping(fields) => {
            let field = |(key, value)| {
                let key = match key {
                    serde_yaml::Value::String(key) => key,
                    serde_yaml::Value::Number(key) => key.to_string(),
                    serde_yaml::Value::Bool(key) => key.to_string(),
                    serde_yaml::Value::Null => "null".to_owned(),
                    _ => bail!("a key is neither text nor number"),
                };
                Ok((key, json(value)?))
            };
            fields.into_iter().map(field).collect::<anyhow::Result<serde_json::Map<_, _>>>()?.into()
        }
        serde_yaml::Value::Tagged(tagged) => json(tagged.value)?,
    })
}

/// A value as YAML, with a line break at the end.
pub(crate) fn text(value: &Value) -> String {
    emit::document(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_becomes_json() {
        let input = "a: &x {b: 1}\nc: {<<: *x, d: [2.5, null, 'yes']}\n8080: true\n---\n---\ne";
        let expected = [
            json!({"a": {"b": 1}, "c": {"b": 1, "d": [2.5, null, "yes"]}, "8080": true}),
            json!("e"),
        ];
        assert_eq!(documents(input).unwrap(), expected);
    }

    #[test]
    fn keys_that_occur_twice_are_refused() {
        let error = documents("a: 1\nb: 2\na: 3").unwrap_err().to_string();
        assert!(error.contains("duplicate"), "{error}");
    }

    #[test]
    fn texts_that_look_like_something_else_stay_texts() {
        for value in [json!("yes"), json!("1e3"), json!("null"), json!("0x1"), json!("a\nb\n")] {
            let text = text(&value);
            assert_eq!(documents(&text).unwrap(), [value], "{text}");
        }
    }
}
