//! Runtime classes.
//!
//! Spec: <https://kubernetes.io/docs/concepts/containers/runtime-class/>

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::{define, pod};
use crate::check::{self, Faults};
use crate::definition::{Column, Definition};
use crate::look::Look;
use crate::metadata;
use crate::rules::{KindRules, Update};
use crate::table;
use crate::types::{affinity, resources};

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("node.k8s.io", "v1", "RuntimeClass")
        .shows([Column::text("Handler", "The runtime that the class stands for.")])
        .rules(Classes)
}

#[derive(Debug)]
struct Classes;

impl KindRules for Classes {
    fn replaces_any_revision(&self) -> bool {
        false
    }

    fn validate(&self, class: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        check::required_text(class, "handler", names::dns1123_label, &root, faults);
        let overhead = root.child("overhead");
        let fixed = overhead.child("podFixed");
        for (name, amount) in class["overhead"].entries("podFixed") {
            let path = fixed.key(name);
            resources::container_name(name, &path, faults);
            resources::amount(name, amount, &path, faults);
        }
        let path = root.child("scheduling");
        let scheduling = &class["scheduling"];
        metadata::labels(scheduling, "nodeSelector", &path, faults);
        affinity::tolerations(scheduling, &path, faults);
        let list = path.child("tolerations");
        let tolerations = scheduling.items("tolerations");
        for (index, toleration) in tolerations.iter().enumerate() {
            if tolerations[..index].contains(toleration) {
                faults.push(Fault::duplicate(&list.index(index), toleration.clone()));
            }
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        metadata::immutable(new, old, "handler", &FieldPath::Root, faults);
    }

    fn warnings(&self, class: &Value, _old: Option<&Value>) -> Vec<String> {
        let labels = class["scheduling"].entries("nodeSelector");
        let old = labels.filter_map(|(label, _)| pod::warnings::old_label(label));
        old.map(|text| format!("scheduling.nodeSelector: {text}")).collect()
    }

    fn row(&self, class: &Value, now: Timestamp) -> Vec<Value> {
        vec![table::name(class), class.text("handler").into(), table::age(class, now)]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn handler_overhead_and_scheduling_are_checked_at_once() {
        let class = json!({
            "metadata": {"name": "c"},
            "handler": "Not_A_Label",
            "overhead": {"podFixed": {"cpu": "-1"}},
            "scheduling": {
                "nodeSelector": {"a b": "c"},
                "tolerations": [{"operator": "Exists"}, {"operator": "Exists"}],
            },
        });
        let mut faults = Faults::new();
        Classes.validate(&class, &mut faults);
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "handler",
                "overhead.podFixed[cpu]",
                "scheduling.nodeSelector",
                "scheduling.tolerations[1]",
            ]
        );
    }
}
