//! What a value is expected to be, as a value with gaps. Pure.
//!
//! - A map: each of its entries is there and as expected; others may be there, too.
//! - A list: for each of its items there is one that is as expected.
//! - A text: the same, where `*` stands for anything; of a number also `>=` and a bound.
//! - `null`: nothing is there.

use serde_json::Value;

/// How `actual` differs from `expected`; `None` if it does not.
pub fn mismatch(expected: &Value, actual: &Value) -> Option<String> {
    match (expected, actual) {
        (Value::Object(entries), _) => entries.iter().find_map(|(key, expected)| {
            mismatch(expected, &actual[key]).map(|fault| match fault.strip_prefix(": ") {
                Some(fault) => format!("{key}: {fault}"),
                None => format!("{key}.{fault}"),
            })
        }),
        (Value::Array(items), Value::Array(found)) => items.iter().find_map(|item| {
            let is_there = found.iter().any(|one| mismatch(item, one).is_none());
            (!is_there).then(|| format!(": no item is {item}, there are {}", short(actual)))
        }),
        (Value::String(pattern), Value::String(text)) => {
            (!is_like(pattern, text)).then(|| different(expected, actual))
        }
        (Value::String(pattern), Value::Number(number)) => {
            let bound = pattern.strip_prefix(">=").and_then(|bound| bound.trim().parse().ok());
            let enough =
                bound.zip(number.as_i64()).is_some_and(|(least, it): (i64, _)| it >= least);
            (!enough).then(|| different(expected, actual))
        }
        _ => (expected != actual).then(|| different(expected, actual)),
    }
}

fn different(expected: &Value, actual: &Value) -> String {
    format!(": it is {} and not {expected}", short(actual))
}

/// A value for a message.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(2000) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Whether a text is as a pattern says, in which `*` is anything.
fn is_like(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match text.split_once(part) {
            Some((_, behind)) => text = behind,
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn gaps_are_anything() {
        let actual = json!({
            "phase": "Running", "main": {"restarts": 3, "last": {"code": 1}},
            "events": [{"reason": "Pulled"}, {"reason": "Started"}],
        });
        for (expected, fits) in [
            (json!({}), true),
            (json!({"phase": "Running"}), true),
            (json!({"phase": "*nn*"}), true),
            (json!({"phase": "Pending"}), false),
            (json!({"main": {"restarts": ">=2"}}), true),
            (json!({"main": {"restarts": ">=4"}}), false),
            (json!({"main": {"state": null}}), true),
            (json!({"main": {"last": null}}), false),
            (json!({"side": {"ready": true}}), false),
            (json!({"events": [{"reason": "Started"}]}), true),
            (json!({"events": [{"reason": "Killing"}]}), false),
        ] {
            assert_eq!(mismatch(&expected, &actual).is_none(), fits, "{expected}");
        }
        let told = mismatch(&json!({"main": {"last": {"code": 2}}}), &actual).unwrap();
        assert_eq!(told, "main.last.code: it is 1 and not 2");
    }

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "ab", false),
            ("*b*b*", "abc", false),
            ("*b*b*", "abcb", true),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(is_like(pattern, text), fits, "{pattern} {text}");
        }
    }
}
