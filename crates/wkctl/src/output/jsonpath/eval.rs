//! What a [`Template`](super::Template) finds in an object. Whatever is not there is left out.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Comparison, Node, Operand, Path, Step, plain};

pub(super) fn text(nodes: &[Node], object: &Value) -> String {
    let mut out = String::new();
    print(nodes, object, object, &mut out);
    out
}

fn print(nodes: &[Node], root: &Value, current: &Value, out: &mut String) {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Path(path) => {
                let values: Vec<String> =
                    find(path, root, current).into_iter().map(plain).collect();
                out.push_str(&values.join(" "));
            }
            Node::Range(path, inner) => {
                for item in find(path, root, current) {
                    print(inner, root, item, out);
                }
            }
        }
    }
}

pub(super) fn values<'a>(nodes: &[Node], object: &'a Value) -> Vec<&'a Value> {
    collect(nodes, object, object)
}

fn collect<'a>(nodes: &[Node], root: &'a Value, current: &'a Value) -> Vec<&'a Value> {
    let found = nodes.iter().map(|node| match node {
        Node::Text(_) => Vec::new(),
        Node::Path(path) => find(path, root, current),
        Node::Range(path, inner) => {
            let items = find(path, root, current).into_iter();
            items.flat_map(|item| collect(inner, root, item)).collect()
        }
    });
    found.flatten().collect()
}

fn find<'a>(path: &Path, root: &'a Value, current: &'a Value) -> Vec<&'a Value> {
    let mut values = vec![if path.from_root { root } else { current }];
    for step in &path.steps {
        values = values.into_iter().flat_map(|value| take(step, root, value)).collect();
    }
    values
}

fn take<'a>(step: &Step, root: &'a Value, value: &'a Value) -> Vec<&'a Value> {
    match step {
        Step::Fields(names) => names.iter().filter_map(|name| value.get(name)).collect(),
        Step::Items(indexes) => {
            let Value::Array(items) = value else { return Vec::new() };
            let at = |index: &i64| items.get(position(*index, items.len())?);
            indexes.iter().filter_map(at).collect()
        }
        Step::Slice { start, end, step } => {
            let Value::Array(items) = value else { return Vec::new() };
            let bound = |index: i64| position(index, items.len()).unwrap_or(0).min(items.len());
            let (start, end) = (start.map_or(0, bound), end.map_or(items.len(), bound));
            let step = usize::try_from(*step).unwrap_or(1);
            items.get(start..end).unwrap_or_default().iter().step_by(step).collect()
        }
        Step::All => children(value),
        Step::Descend => descendants(value),
        Step::Filter(left, comparison, right) => children(value)
            .into_iter()
            .filter(|item| is_true(left, *comparison, right, root, item))
            .collect(),
        Step::Exists(path) => {
            children(value).into_iter().filter(|item| !find(path, root, item).is_empty()).collect()
        }
    }
}

/// An index from the front, or from the back if it is negative; `None` before the first.
fn position(index: i64, length: usize) -> Option<usize> {
    if index >= 0 {
        usize::try_from(index).ok()
    } else {
        length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
    }
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

/// The value and all in it, each before what is in it. JSON is not read deeper than 128 levels.
fn descendants(value: &Value) -> Vec<&Value> {
    let mut all = vec![value];
    for child in children(value) {
        all.extend(descendants(child));
    }
    all
}

fn is_true(
    left: &Operand,
    comparison: Comparison,
    right: &Operand,
    root: &Value,
    item: &Value,
) -> bool {
    let value = |operand: &Operand| match operand {
        Operand::Literal(literal) => Some(literal.clone()),
        Operand::Path(path) => find(path, root, item).first().copied().cloned(),
    };
    let (Some(left), Some(right)) = (value(left), value(right)) else { return false };
    let order = match (&left, &right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64().partial_cmp(&right.as_f64()),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => (left == right).then_some(Ordering::Equal),
    };
    match comparison {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::NotEqual => order != Some(Ordering::Equal),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessOrEqual => order.is_some_and(Ordering::is_le),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
    }
}
