//! A pod's runtime class is there, and gives the pod its overhead and where it can run.

use async_trait::async_trait;
use serde_json::{Map, Value};
use wk_api::{ApiError, Quantity};

use super::{Attributes, Place, Plugin, items, list_mut, text};

const CLASSES: Place = ("node.k8s.io", "v1", "runtimeclasses");

/// The classes that are always there: the runtimes of this program, as handlers of their own name.
pub(crate) const BUILT_IN: [&str; 2] = ["docker", "wasm"];

#[derive(Debug)]
pub(super) struct RuntimeClass;

fn class(attributes: &Attributes<'_>, pod: &Value) -> Result<Option<Value>, ApiError> {
    let name = text(&pod["spec"], "runtimeClassName");
    if name.is_empty() {
        return Ok(None);
    }
    attributes.find(CLASSES, "", name).map(Some).ok_or_else(|| {
        attributes.forbidden(pod, &format!("pod rejected: RuntimeClass {name:?} not found"))
    })
}

#[async_trait]
impl Plugin for RuntimeClass {
    fn handles(&self, attributes: &Attributes<'_>) -> bool {
        attributes.is_new_pod()
    }

    async fn mutate(&self, attributes: &Attributes<'_>, pod: &mut Value) -> Result<(), ApiError> {
        let Some(class) = class(attributes, pod)? else { return Ok(()) };
        set_overhead(pod, &class)
            .and_then(|()| set_scheduling(pod, &class))
            .map_err(|why| attributes.forbidden(pod, &why))
    }

    async fn validate(&self, attributes: &Attributes<'_>, pod: &Value) -> Result<(), ApiError> {
        let class = class(attributes, pod)?;
        check_overhead(pod, class.as_ref()).map_err(|why| attributes.forbidden(pod, why))
    }
}

const DIFFERS: &str = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";

fn fixed(class: &Value) -> Option<&Map<String, Value>> {
    class["overhead"]["podFixed"].as_object().filter(|fixed| !fixed.is_empty())
}

/// Whether two maps of amounts are the same, however the amounts are written.
fn same(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let amount = |value: &Value| Quantity::parse(value.as_str().unwrap_or_default()).ok();
    one.len() == other.len()
        && one.iter().all(|(name, value)| {
            other.get(name).is_some_and(|other| amount(other) == amount(value))
        })
}

fn set_overhead(pod: &mut Value, class: &Value) -> Result<(), String> {
    let Some(fixed) = fixed(class) else { return Ok(()) };
    match pod["spec"]["overhead"].as_object() {
        Some(own) if !own.is_empty() && !same(own, fixed) => Err(DIFFERS.to_owned()),
        Some(_) | None => {
            pod["spec"]["overhead"] = Value::Object(fixed.clone());
            Ok(())
        }
    }
}

fn check_overhead(pod: &Value, class: Option<&Value>) -> Result<(), &'static str> {
    let own = pod["spec"]["overhead"].as_object().filter(|own| !own.is_empty());
    match (class.and_then(fixed), own) {
        (Some(fixed), Some(own)) if same(own, fixed) => Ok(()),
        (Some(_), _) => Err(DIFFERS),
        (None, Some(_)) => Err(
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
        (None, None) => Ok(()),
    }
}

/// Narrows where the pod runs to nodes that have the runtime.
fn set_scheduling(pod: &mut Value, class: &Value) -> Result<(), String> {
    let scheduling = &class["scheduling"];
    if let Some(wanted) = scheduling["nodeSelector"].as_object() {
        let mut merged = pod["spec"]["nodeSelector"].as_object().cloned().unwrap_or_default();
        for (key, value) in wanted {
            if let Some(own) = merged.get(key).filter(|own| *own != value) {
                let (own, value) = (own.as_str().unwrap_or(""), value.as_str().unwrap_or(""));
                return Err(format!(
                    "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; \
                     pod.spec.nodeSelector[{key}] = {own}"
                ));
            }
            merged.insert(key.clone(), value.clone());
        }
        if !merged.is_empty() {
            pod["spec"]["nodeSelector"] = Value::Object(merged);
        }
    }
    let wanted = items(scheduling, "tolerations");
    if !wanted.is_empty() {
        let own = list_mut(&mut pod["spec"], "tolerations");
        for toleration in wanted {
            if !own.contains(toleration) {
                own.push(toleration.clone());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn overhead_comes_from_the_class_and_from_nowhere_else() {
        let class = json!({"overhead": {"podFixed": {"cpu": "250m", "memory": "64Mi"}}});
        let mut pod = json!({"spec": {}});
        assert_eq!(set_overhead(&mut pod, &class), Ok(()));
        assert_eq!(pod["spec"]["overhead"]["cpu"], "250m");
        assert_eq!(check_overhead(&pod, Some(&class)), Ok(()));
        let mut same = json!({"spec": {"overhead": {"cpu": "0.25", "memory": "64Mi"}}});
        assert_eq!(set_overhead(&mut same, &class), Ok(()));
        let mut other = json!({"spec": {"overhead": {"cpu": "1"}}});
        assert_eq!(set_overhead(&mut other, &class), Err(DIFFERS.to_owned()));
        assert!(check_overhead(&other, None).unwrap_err().contains("without corresponding"));
        assert_eq!(check_overhead(&json!({"spec": {}}), Some(&json!({}))), Ok(()));
    }

    #[test]
    fn scheduling_is_merged_unless_it_contradicts() {
        let class = json!({"scheduling": {
            "nodeSelector": {"runtime": "wasm"},
            "tolerations": [{"key": "wasm", "operator": "Exists"}],
        }});
        let mut pod = json!({"spec": {"nodeSelector": {"zone": "a"}}});
        assert_eq!(set_scheduling(&mut pod, &class), Ok(()));
        assert_eq!(set_scheduling(&mut pod, &class), Ok(()));
        assert_eq!(
            pod["spec"],
            json!({
                "nodeSelector": {"zone": "a", "runtime": "wasm"},
                "tolerations": [{"key": "wasm", "operator": "Exists"}],
            })
        );
        let mut other = json!({"spec": {"nodeSelector": {"runtime": "linux"}}});
        assert_eq!(
            set_scheduling(&mut other, &class).unwrap_err(),
            "conflict: runtimeClass.scheduling.nodeSelector[runtime] = wasm; \
             pod.spec.nodeSelector[runtime] = linux"
        );
    }
}
