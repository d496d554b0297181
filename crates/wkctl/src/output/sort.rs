//! `--sort-by`: an order of objects by a value in them.

use std::cmp::Ordering;

use serde_json::Value;
use wk_api::Quantity;

use super::jsonpath::Template;

/// Sorts items by what the path finds in the object of each; items without it come first.
pub(crate) fn sort<T>(items: &mut [T], path: &Template, object: impl Fn(&T) -> &Value) {
    let key = |item: &T| path.values(object(item)).first().copied().cloned();
    items.sort_by(|left, right| match (key(left), key(right)) {
        (Some(left), Some(right)) => compare(&left, &right),
        (left, right) => left.is_some().cmp(&right.is_some()),
    });
}

/// Numbers and quantities by size, everything else as text.
fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left.as_f64().partial_cmp(&right.as_f64()).unwrap_or(Ordering::Equal)
        }
        (Value::String(left), Value::String(right)) => {
            match (Quantity::parse(left), Quantity::parse(right)) {
                (Ok(left), Ok(right)) => left.as_f64().total_cmp(&right.as_f64()),
                _ => left.cmp(right),
            }
        }
        _ => left.to_string().cmp(&right.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_ordered_by_what_they_mean() {
        let path = Template::parse_relaxed("v").unwrap();
        let mut items =
            [json!({"v": "1Gi"}), json!({"v": "500M"}), json!({"v": "2"}), json!({"w": 1})];
        sort(&mut items, &path, |item| item);
        assert_eq!(
            items.map(|item| item["v"].clone()),
            [json!(null), json!("2"), json!("500M"), json!("1Gi")]
        );
        let mut items = [json!({"v": 10}), json!({"v": 9})];
        sort(&mut items, &path, |item| item);
        assert_eq!(items[0]["v"], 9);
        let mut items =
            [json!({"v": "2026-01-02T00:00:00Z"}), json!({"v": "2025-01-02T00:00:00Z"})];
        sort(&mut items, &path, |item| item);
        assert_eq!(items[0]["v"], "2025-01-02T00:00:00Z");
    }
}
