//! The order of objects: what others need comes first, and what checks others comes last.

use std::cmp::Ordering;

use serde_json::Value;

use super::item::Id;

/// Kinds that come before all that are not named here.
const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// Kinds that come after them.
const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// Sorts objects by kind, then by group and version, namespace and name.
pub(super) fn sort(objects: &mut [Value]) {
    objects.sort_by(|left, right| compare(&Id::of(left), &Id::of(right)));
}

fn compare(left: &Id, right: &Id) -> Ordering {
    let rank = |id: &Id| {
        let first = FIRST.iter().position(|kind| *kind == id.kind);
        let last = LAST.iter().position(|kind| *kind == id.kind);
        first.unwrap_or_else(|| FIRST.len() + last.map_or(0, |at| at + 1))
    };
    // What is not there sorts behind what is.
    let or =
        |text: &str, none: &str| if text.is_empty() { none.to_owned() } else { text.to_owned() };
    let what = |id: &Id| format!("{}_{}_{}", or(&id.group, "~G"), id.version, id.kind);
    let which = |id: &Id| format!("{}|{}", or(&id.namespace, "~X"), id.name);
    rank(left)
        .cmp(&rank(right))
        .then_with(|| what(left).cmp(&what(right)))
        .then_with(|| which(left).cmp(&which(right)))
}
