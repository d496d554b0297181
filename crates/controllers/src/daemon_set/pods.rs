//! The pods of a `DaemonSet`: the template, for one node, and hard to send away.

use k8s_openapi::api::core::v1::{
    NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodSpec, PodTemplateSpec,
    Toleration,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use wk_api::well_known::{
    CONTROLLER_REVISION_HASH_LABEL, DISK_PRESSURE_TAINT, MEMORY_PRESSURE_TAINT, NOT_READY_TAINT,
    PID_PRESSURE_TAINT, UNREACHABLE_TAINT, UNSCHEDULABLE_TAINT,
};

use crate::pod_control::PodControl;
use crate::taints::{NO_EXECUTE, NO_SCHEDULE};

/// How many templates the set has had, which its pods carry since before there were hashes.
const TEMPLATE_GENERATION_ANNOTATION: &str = "deprecated.daemonset.template.generation";
const TEMPLATE_GENERATION_LABEL: &str = "pod-template-generation";
const NETWORK_UNAVAILABLE_TAINT: &str = "node.kubernetes.io/network-unavailable";
/// What daemons stand on every node: it is theirs to be there when others cannot.
const STANDS: [(&str, &str); 6] = [
    (NOT_READY_TAINT, NO_EXECUTE),
    (UNREACHABLE_TAINT, NO_EXECUTE),
    (DISK_PRESSURE_TAINT, NO_SCHEDULE),
    (MEMORY_PRESSURE_TAINT, NO_SCHEDULE),
    (PID_PRESSURE_TAINT, NO_SCHEDULE),
    (UNSCHEDULABLE_TAINT, NO_SCHEDULE),
];

/// The pod for one node.
pub(super) fn pod(
    control: &PodControl,
    owner: &ObjectMeta,
    template: &PodTemplateSpec,
    hash: &str,
    node: &str,
) -> Pod {
    let mut pod = control.pod(owner, template);
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(CONTROLLER_REVISION_HASH_LABEL.to_owned(), hash.to_owned());
    let annotations = owner.annotations.as_ref();
    if let Some(generation) = annotations.and_then(|all| all.get(TEMPLATE_GENERATION_ANNOTATION)) {
        labels.insert(TEMPLATE_GENERATION_LABEL.to_owned(), generation.clone());
    }
    if let Some(spec) = &mut pod.spec {
        spec.tolerations = Some(tolerations(spec));
        pin(spec, node);
    }
    pod
}

/// The tolerations of a template's pods: its own, and those that all daemons have.
pub(super) fn tolerations(spec: &PodSpec) -> Vec<Toleration> {
    let mut all = spec.tolerations.clone().unwrap_or_default();
    let offline = (NETWORK_UNAVAILABLE_TAINT, NO_SCHEDULE);
    let offline = (spec.host_network == Some(true)).then_some(offline);
    for (key, effect) in STANDS.into_iter().chain(offline) {
        let ours = Toleration {
            key: Some(key.to_owned()),
            operator: Some("Exists".to_owned()),
            effect: Some(effect.to_owned()),
            ..Toleration::default()
        };
        let is_same =
            |one: &Toleration| Toleration { toleration_seconds: None, ..one.clone() } == ours;
        match all.iter_mut().find(|one| is_same(one)) {
            // One that ends is not enough.
            Some(one) => *one = ours,
            None => all.push(ours),
        }
    }
    all
}

/// Leaves the pod one node. The scheduler binds it: it may have to wait for room there.
fn pin(spec: &mut PodSpec, node: &str) {
    let name = NodeSelectorRequirement {
        key: "metadata.name".to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![node.to_owned()]),
    };
    let term = NodeSelectorTerm { match_expressions: None, match_fields: Some(vec![name]) };
    let affinity = spec.affinity.get_or_insert_default().node_affinity.get_or_insert_default();
    // In place of the template's own terms, which the node has been found to fulfil.
    affinity.required_during_scheduling_ignored_during_execution =
        Some(NodeSelector { node_selector_terms: vec![term] });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tolerations_are_added_once_and_for_good() {
        let spec: PodSpec = serde_json::from_value(json!({
            "containers": [],
            "tolerations": [
                {"key": "gpu", "operator": "Exists"},
                {
                    "key": NOT_READY_TAINT, "operator": "Exists", "effect": "NoExecute",
                    "tolerationSeconds": 5,
                },
            ],
        }))
        .unwrap();
        let all = tolerations(&spec);
        assert_eq!(all.len(), 7, "{all:?}");
        assert_eq!(all[1].toleration_seconds, None);
        let again = tolerations(&PodSpec { tolerations: Some(all.clone()), ..spec });
        assert_eq!(again, all);
    }

    #[test]
    fn a_pod_is_left_one_node_and_keeps_its_other_wishes() {
        let mut spec: PodSpec = serde_json::from_value(json!({
            "containers": [],
            "affinity": {
                "podAntiAffinity": {},
                "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [
                        {"key": "disk", "operator": "Exists"},
                    ]}],
                }},
            },
        }))
        .unwrap();
        pin(&mut spec, "n");
        let affinity = serde_json::to_value(&spec.affinity).unwrap();
        let required = &affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
        let field = json!({"key": "metadata.name", "operator": "In", "values": ["n"]});
        assert_eq!(*required, json!({"nodeSelectorTerms": [{"matchFields": [field]}]}));
        assert!(affinity["podAntiAffinity"].is_object());
    }
}
