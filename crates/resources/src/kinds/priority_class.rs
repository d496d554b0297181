//! Priority classes.

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath};

use super::define;
use crate::check::{self, Faults};
use crate::definition::{Column, Definition};
use crate::look::{Look, default_to};
use crate::metadata;
use crate::rules::{KindRules, Update};
use crate::table;

/// The largest priority of a class that is not Kubernetes' own.
const MAX: i64 = 1_000_000_000;
/// Kubernetes' own classes.
const SYSTEM: [(&str, i64); 2] =
    [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("scheduling.k8s.io", "v1", "PriorityClass")
        .short(&["pc"])
        .generation()
        .columns(vec![
            Column::NAME,
            Column::int("Value", "The value of this priority class."),
            Column::flag("Global-Default", "Whether pods without a class get this one."),
            Column::AGE,
            Column::text("PreemptionPolicy", "Whether pods of the class push others out."),
        ])
        .rules(Classes)
}

#[derive(Debug)]
struct Classes;

/// Why a class may not call itself one of the system's.
fn misuse(class: &Value) -> Option<String> {
    let name = class["metadata"].text("name");
    let Some((_, value)) = SYSTEM.iter().find(|(own, _)| *own == name) else {
        return Some(format!("{name} is not a known system priority class"));
    };
    if class.int("value").unwrap_or(0) != *value {
        return Some(format!("value of {name} PriorityClass must be {value}"));
    }
    class
        .is("globalDefault")
        .then(|| format!("globalDefault of {name} PriorityClass must be false"))
}

impl KindRules for Classes {
    fn default(&self, class: &mut Value) {
        if let Value::Object(class) = class {
            default_to(class, "preemptionPolicy", "PreemptLowerPriority");
        }
    }

    fn validate(&self, class: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        if class["metadata"].text("name").starts_with("system-") {
            if let Some(error) = misuse(class) {
                let detail = format!(
                    "priority class names with 'system-' prefix are reserved for system use only. \
                     error: {error}"
                );
                faults.push(Fault::forbidden(&root.child("metadata.name"), detail));
            }
        } else if class.int("value").is_some_and(|value| value > MAX) {
            let detail = format!("maximum allowed value of a user defined priority is {MAX}");
            faults.push(Fault::forbidden(&root.child("value"), detail));
        }
        let policies = ["PreemptLowerPriority", "Never"];
        check::one_of(class, "preemptionPolicy", &policies, &root, faults);
    }

    fn wants_changed(&self, _new: &Value, _old: &Value) -> bool {
        // Its first generation is its last.
        false
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        let root = FieldPath::Root;
        if new.get("value") != old.get("value") {
            let detail = "may not be changed in an update.";
            faults.push(Fault::forbidden(&root.child("value"), detail));
        }
        metadata::immutable(new, old, "preemptionPolicy", &root, faults);
    }

    fn row(&self, class: &Value, now: Timestamp) -> Vec<Value> {
        vec![
            table::name(class),
            table::int(class, "value"),
            class.is("globalDefault").into(),
            table::age(class, now),
            class.text("preemptionPolicy").into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(name: &str, value: i64, expected: Option<&str>) {
        let mut faults = Faults::new();
        Classes.validate(&json!({"metadata": {"name": name}, "value": value}), &mut faults);
        let found = faults.first().map(|fault| fault.detail.clone());
        assert_eq!(found.is_some(), expected.is_some(), "{name} {value}: {found:?}");
        assert!(found.unwrap_or_default().ends_with(expected.unwrap_or_default()));
    }

    #[test]
    fn only_the_systems_classes_are_called_so_or_are_so_high() {
        check("high", 1_000_000_000, None);
        check("higher", 1_000_000_001, Some("user defined priority is 1000000000"));
        check("system-mine", 1, Some("system-mine is not a known system priority class"));
        check("system-node-critical", 2_000_001_000, None);
        check("system-node-critical", 5, Some("PriorityClass must be 2000001000"));
    }
}
