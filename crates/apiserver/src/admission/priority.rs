//! Priority classes become priorities, and at most one class is the default.

use async_trait::async_trait;
use serde_json::{Value, json};
use wk_api::ApiError;

use super::{Attributes, Place, Plugin, text};

const CLASSES: Place = ("scheduling.k8s.io", "v1", "priorityclasses");
const POLICY: &str = "PreemptLowerPriority";

/// The classes that are always there: name, value, description.
pub(crate) const SYSTEM_CLASSES: [(&str, i64, &str); 2] = [
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another \
         node if necessary.",
    ),
];

/// A class that is always there, as an object.
pub(crate) fn system_class((name, value, description): (&str, i64, &str)) -> Value {
    json!({
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": value,
        "description": description,
    })
}

#[derive(Debug)]
pub(super) struct Priority;

#[async_trait]
impl Plugin for Priority {
    fn handles(&self, attributes: &Attributes<'_>) -> bool {
        attributes.is("", "pods") || attributes.is(CLASSES.0, CLASSES.2)
    }

    async fn mutate(
        &self,
        attributes: &Attributes<'_>,
        object: &mut Value,
    ) -> Result<(), ApiError> {
        if !attributes.is("", "pods") {
            return Ok(());
        }
        if let Some(old) = attributes.old {
            // What was given to the pod when it was made is not asked of clients again.
            for field in ["priority", "preemptionPolicy"] {
                if object["spec"][field].is_null() && !old["spec"][field].is_null() {
                    object["spec"][field] = old["spec"][field].clone();
                }
            }
            return Ok(());
        }
        let name = text(&object["spec"], "priorityClassName");
        let class = if name.is_empty() {
            default_class(&attributes.list(CLASSES, ""))
        } else {
            let Some(class) = attributes.find(CLASSES, "", name) else {
                let why = format!("no PriorityClass with name {name} was found");
                return Err(attributes.forbidden(object, &why));
            };
            Some(class)
        };
        complete(object, class.as_ref()).map_err(|why| attributes.forbidden(object, &why))
    }

    async fn validate(&self, attributes: &Attributes<'_>, object: &Value) -> Result<(), ApiError> {
        if attributes.is("", "pods") || object["globalDefault"] != true {
            return Ok(());
        }
        let name = text(&object["metadata"], "name");
        match default_class(&attributes.list(CLASSES, "")) {
            Some(other) if text(&other["metadata"], "name") != name => {
                let other = text(&other["metadata"], "name");
                let why = format!(
                    "PriorityClass {other} is already marked as default. Only one default can exist"
                );
                Err(attributes.forbidden(object, &why))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// The default class; of several the lowest, so that nobody is preempted by mistake.
fn default_class(classes: &[Value]) -> Option<Value> {
    let defaults = classes.iter().filter(|class| class["globalDefault"] == true);
    defaults.min_by_key(|class| class["value"].as_i64()).cloned()
}

/// Gives a new pod the priority of its class.
fn complete(pod: &mut Value, class: Option<&Value>) -> Result<(), String> {
    let priority = class.and_then(|class| class["value"].as_i64()).unwrap_or(0);
    let policy = class.map_or(POLICY, |class| match text(class, "preemptionPolicy") {
        "" => POLICY,
        policy => policy,
    });
    let spec = &mut pod["spec"];
    if let Some(own) = spec["priority"].as_i64().filter(|own| *own != priority) {
        return Err(format!(
            "the integer value of priority ({own}) must not be provided in pod spec; priority \
             admission controller computed {priority} from the given PriorityClass name"
        ));
    }
    if let Some(own) = spec["preemptionPolicy"].as_str().filter(|own| *own != policy) {
        return Err(format!(
            "the string value of PreemptionPolicy ({own}) must not be provided in pod spec; \
             priority admission controller computed {policy} from the given PriorityClass name"
        ));
    }
    if let Some(class) = class {
        spec["priorityClassName"] = class["metadata"]["name"].clone();
    }
    spec["priority"] = priority.into();
    spec["preemptionPolicy"] = policy.into();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str, value: i64, default: bool) -> Value {
        json!({"metadata": {"name": name}, "value": value, "globalDefault": default})
    }

    #[expect(clippy::needless_pass_by_value, reason = "rows read better")]
    #[track_caller]
    fn check(case: &str, spec: Value, class: Option<Value>, expected: Result<Value, &str>) {
        let mut pod = json!({"spec": spec});
        let done = complete(&mut pod, class.as_ref());
        match expected {
            Ok(spec) => assert_eq!((done, &pod["spec"]), (Ok(()), &spec), "{case}"),
            Err(part) => assert!(done.unwrap_err().contains(part), "{case}"),
        }
    }

    #[test]
    fn a_pod_gets_the_priority_of_its_class() {
        let plain = json!({"priority": 0, "preemptionPolicy": POLICY});
        check("no class at all", json!({}), None, Ok(plain));
        let high = json!({
            "priority": 9, "preemptionPolicy": POLICY, "priorityClassName": "high",
        });
        check("a class", json!({}), Some(class("high", 9, false)), Ok(high.clone()));
        check(
            "what agrees is taken",
            json!({"priority": 9}),
            Some(class("high", 9, true)),
            Ok(high),
        );
        let words = "the integer value of priority (1) must not be provided in pod spec";
        check("what disagrees is not", json!({"priority": 1}), None, Err(words));
        let policy = json!({"preemptionPolicy": "Never"});
        check("nor is a policy", policy, None, Err("PreemptionPolicy (Never)"));
    }

    #[test]
    fn the_lowest_of_several_defaults_counts() {
        let classes = [class("a", 5, true), class("b", 3, true), class("c", 1, false)];
        assert_eq!(default_class(&classes).unwrap()["metadata"]["name"], "b");
        assert_eq!(default_class(&[]), None);
    }
}
