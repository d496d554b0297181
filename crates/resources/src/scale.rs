//! The `scale` subresource: the number of replicas of kinds that have one, as a `Scale` object.

use serde_json::{Value, json};
use wk_api::LabelSelector;

use crate::look::{Look, map_mut};

/// The `Scale` of an object: what is wanted, what is there, and which pods are counted.
pub fn scale_of(object: &Value) -> Value {
    let (spec, status) = (&object["spec"], &object["status"]);
    let mut metadata = serde_json::Map::new();
    for field in ["creationTimestamp", "name", "namespace", "resourceVersion", "uid"] {
        if let Some(value) = object["metadata"].get(field) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    // Replication controllers have a plain map of labels where the others have a selector.
    let plain = spec["selector"].entries("matchLabels").count() == 0
        && !spec["selector"].has("matchExpressions");
    let selector = if plain {
        let labels = spec
            .entries("selector")
            .filter_map(|(key, value)| value.as_str().map(|value| (key.as_str(), value)));
        LabelSelector::from_labels(labels).to_string()
    } else {
        selector_text(&spec["selector"])
    };
    let mut scale = json!({
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": metadata,
        "spec": {},
        "status": {"replicas": status.int("replicas").unwrap_or(0)},
    });
    if let Some(replicas) = spec.int("replicas").filter(|replicas| *replicas != 0) {
        scale["spec"]["replicas"] = replicas.into();
    }
    if !selector.is_empty() {
        scale["status"]["selector"] = selector.into();
    }
    scale
}

/// The selector with single labels as `a=b`, as clients write them.
fn selector_text(selector: &Value) -> String {
    let labels = selector
        .entries("matchLabels")
        .filter_map(|(key, value)| value.as_str().map(|value| (key.as_str(), value)));
    let mut parts = vec![LabelSelector::from_labels(labels).to_string()];
    let expressions = json!({"matchExpressions": selector.items("matchExpressions")});
    if let Ok(expressions) = LabelSelector::from_json(&expressions) {
        parts.push(expressions.to_string());
    }
    parts.retain(|part| !part.is_empty());
    parts.join(",")
}

/// Sets the number of replicas that a `Scale` asks for.
///
/// # Errors
/// The faults of the `Scale`.
pub fn apply(object: &mut Value, scale: &Value) -> Result<(), Vec<wk_api::Fault>> {
    let replicas = scale["spec"].int("replicas").unwrap_or(0);
    if replicas < 0 {
        let root = wk_api::FieldPath::Root;
        let detail = "must be greater than or equal to 0";
        let fault = wk_api::Fault::invalid(&root.child("spec.replicas"), replicas, detail);
        return Err(vec![fault]);
    }
    map_mut(object, "spec").insert("replicas".to_owned(), replicas.into());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_tells_and_sets_the_replicas() {
        let mut object = json!({
            "metadata": {"name": "web", "labels": {"a": "b"}},
            "spec": {
                "replicas": 3,
                "selector": {
                    "matchLabels": {"app": "web"},
                    "matchExpressions": [{"key": "x", "operator": "Exists"}],
                },
            },
            "status": {"replicas": 2},
        });
        let scale = scale_of(&object);
        assert_eq!(scale["spec"], json!({"replicas": 3}));
        assert_eq!(scale["status"], json!({"replicas": 2, "selector": "app=web,x"}));
        assert_eq!(scale["metadata"], json!({"name": "web"}));
        apply(&mut object, &json!({"spec": {"replicas": 5}})).unwrap();
        assert_eq!(object["spec"]["replicas"], 5);
        assert!(apply(&mut object, &json!({"spec": {"replicas": -1}})).is_err());
    }
}
