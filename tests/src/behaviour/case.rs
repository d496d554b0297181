//! Cases as data.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Subject;

/// What pods do, as data: steps one after the other.
#[derive(Clone, Debug)]
pub struct Case {
    /// A sentence.
    pub name: String,
    /// What is done and expected.
    pub(super) steps: Vec<Value>,
}

/// As it is written, for all runtimes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    case: String,
    steps: Vec<Value>,
}

/// The cases of a file, as they are for one runtime.
///
/// Wherever a map has no keys but names of runtimes, the value of this runtime takes its place; where it
/// has none, nothing is there.
///
/// # Panics
/// If the file is not one, or a case has no step for this runtime: what cannot be had is refused, and a
/// step sees to that.
pub fn cases(text: &str, subject: Subject) -> Vec<Case> {
    let written: Vec<Written> = serde_yaml::from_str(text).expect("a file of cases");
    let case = |Written { case, steps }: Written| {
        let steps = match chosen(steps.into(), subject) {
            Some(Value::Array(steps)) => flat(steps),
            _ => Vec::new(),
        };
        assert!(!steps.is_empty(), "`{case}` says nothing of {subject:?}");
        Case { name: case, steps }
    };
    written.into_iter().map(case).collect()
}

/// Steps of one runtime alone are a list among the steps.
fn flat(steps: Vec<Value>) -> Vec<Value> {
    let list = |step: Value| match step {
        Value::Array(steps) => steps,
        step => vec![step],
    };
    steps.into_iter().flat_map(list).collect()
}

fn chosen(value: Value, subject: Subject) -> Option<Value> {
    match value {
        Value::Object(mut entries) => {
            let is_choice = !entries.is_empty()
                && entries.keys().all(|key| Subject::ALL.iter().any(|one| one.name() == key));
            if is_choice {
                return entries.remove(subject.name()).and_then(|value| chosen(value, subject));
            }
            let entries = entries.into_iter();
            let kept = entries.filter_map(|(key, value)| Some((key, chosen(value, subject)?)));
            Some(kept.collect::<Map<_, _>>().into())
        }
        Value::Array(items) => {
            let items = items.into_iter().filter_map(|item| chosen(item, subject));
            Some(items.collect::<Vec<_>>().into())
        }
        value => Some(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_runtime_has_its_own_values() {
        let text = "- case: a\n  steps:\n  - until: {code: {wasm: 1, docker: 2}, x: {docker: 3}}\n  \
                    - wasm:\n    - logs: b\n    - logs: c\n";
        let steps = |subject| cases(text, subject).remove(0).steps;
        let wasm = [json!({"until": {"code": 1}}), json!({"logs": "b"}), json!({"logs": "c"})];
        assert_eq!(steps(Subject::Wasm), wasm);
        assert_eq!(steps(Subject::Docker), [json!({"until": {"code": 2, "x": 3}})]);
    }

    #[test]
    #[should_panic(expected = "says nothing of Docker")]
    fn no_runtime_is_left_out() {
        cases("- case: a\n  steps:\n  - wasm: {until: {}}\n", Subject::Docker);
    }
}
