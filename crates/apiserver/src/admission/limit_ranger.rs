//! Limit ranges: what containers get that ask for nothing, and between which bounds they, their
//! pods and claims must stay.
//!
//! Spec: <https://kubernetes.io/docs/concepts/policy/limit-range/>

mod bounds;

use async_trait::async_trait;
use serde_json::Value;
use wk_api::ApiError;
use wk_resources::Update;
use wk_resources::quota::{Amounts, amounts};

use super::{Attributes, Place, Plugin, items, list_mut, text};

const RANGES: Place = ("", "v1", "limitranges");
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

#[derive(Debug)]
pub(super) struct LimitRanger;

#[async_trait]
impl Plugin for LimitRanger {
    fn handles(&self, attributes: &Attributes<'_>) -> bool {
        attributes.is_new_pod()
            || attributes.is_kind("", "pods") && attributes.part == Update::Subresource("resize")
            || attributes.is("", "persistentvolumeclaims")
    }

    async fn mutate(&self, attributes: &Attributes<'_>, pod: &mut Value) -> Result<(), ApiError> {
        if attributes.is_new_pod() {
            for range in attributes.list(RANGES, attributes.namespace) {
                complete(pod, &range);
            }
        }
        Ok(())
    }

    async fn validate(&self, attributes: &Attributes<'_>, object: &Value) -> Result<(), ApiError> {
        let check = if attributes.is_kind("", "pods") { bounds::of_pod } else { bounds::of_claim };
        for range in attributes.list(RANGES, attributes.namespace) {
            let mut faults = check(object, &range);
            match faults.len() {
                0 => {}
                1 => return Err(attributes.forbidden(object, &faults.remove(0))),
                _ => {
                    let why = format!("[{}]", faults.join(", "));
                    return Err(attributes.forbidden(object, &why));
                }
            }
        }
        Ok(())
    }
}

/// The defaults of a range for containers: what they ask for, and their limits.
fn defaults(range: &Value) -> (Amounts, Amounts) {
    let (mut requests, mut limits) = (Amounts::new(), Amounts::new());
    for item in items(&range["spec"], "limits").iter().filter(|item| item["type"] == "Container") {
        requests.extend(amounts(&item["defaultRequest"]));
        limits.extend(amounts(&item["default"]));
    }
    (requests, limits)
}

/// Gives the containers of a pod what the range has for those that say nothing, and tells so.
fn complete(pod: &mut Value, range: &Value) {
    let (requests, limits) = defaults(range);
    if requests.is_empty() && limits.is_empty() {
        return;
    }
    let mut told = Vec::new();
    for (list, what) in [("containers", "container"), ("initContainers", "init container")] {
        if items(&pod["spec"], list).is_empty() {
            continue;
        }
        for container in list_mut(&mut pod["spec"], list) {
            let name = text(container, "name").to_owned();
            for (field, defaults, word) in
                [("requests", &requests, "request"), ("limits", &limits, "limit")]
            {
                let set = fill(&mut container["resources"], field, defaults);
                if !set.is_empty() {
                    told.push(format!("{} {word} for {what} {name}", set.join(", ")));
                }
            }
        }
    }
    if !told.is_empty() {
        pod["metadata"]["annotations"][ANNOTATION] =
            format!("LimitRanger plugin set: {}", told.join("; ")).into();
    }
}

/// Sets the amounts that are absent; gives their names.
fn fill(resources: &mut Value, field: &str, defaults: &Amounts) -> Vec<String> {
    let mut set = Vec::new();
    for (name, amount) in defaults {
        if resources[field][name].is_null() {
            resources[field][name] = amount.to_string().into();
            set.push(name.clone());
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "rows read better")]
    fn range(item: Value) -> Value {
        json!({"spec": {"limits": [item]}})
    }

    #[test]
    fn containers_get_what_they_do_not_ask_for() {
        let range = range(json!({
            "type": "Container",
            "default": {"cpu": "500m", "memory": "512Mi"},
            "defaultRequest": {"cpu": "100m"},
        }));
        let mut pod = json!({"spec": {
            "containers": [
                {"name": "a"},
                {"name": "b", "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}},
            ],
            "initContainers": [{"name": "i", "resources": {"limits": {"memory": "1Gi"}}}],
        }});
        complete(&mut pod, &range);
        let resources = |list: &str, at: usize| pod["spec"][list][at]["resources"].clone();
        let all =
            json!({"requests": {"cpu": "100m"}, "limits": {"cpu": "500m", "memory": "512Mi"}});
        assert_eq!(resources("containers", 0), all);
        let some = json!({"requests": {"cpu": "1"}, "limits": {"cpu": "2", "memory": "512Mi"}});
        assert_eq!(resources("containers", 1), some);
        assert_eq!(
            pod["metadata"]["annotations"][ANNOTATION],
            "LimitRanger plugin set: cpu request for container a; cpu, memory limit for container \
             a; memory limit for container b; cpu request for init container i; cpu limit for init \
             container i"
        );
        let once = pod.clone();
        complete(&mut pod, &range);
        assert_eq!(pod, once, "a second range finds nothing to set");
    }

    #[test]
    fn a_range_without_defaults_leaves_a_pod_alone() {
        let mut pod = json!({"spec": {"containers": [{"name": "a", "resources": {}}]}});
        let before = pod.clone();
        complete(&mut pod, &range(json!({"type": "Container", "max": {"cpu": "1"}})));
        assert_eq!(pod, before);
    }
}
