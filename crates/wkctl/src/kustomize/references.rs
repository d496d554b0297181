//! Objects that name others: their names follow.

use anyhow::bail;
use serde_json::{Value, json};

use super::fields::visit;
use super::item::{Id, Item};
use crate::kinds::text;

/// Where the pods are that objects of a kind make.
const PODS: [(&str, &str); 9] = [
    ("Pod", "spec"),
    ("PodTemplate", "template/spec"),
    ("Deployment", "spec/template/spec"),
    ("ReplicaSet", "spec/template/spec"),
    ("ReplicationController", "spec/template/spec"),
    ("DaemonSet", "spec/template/spec"),
    ("StatefulSet", "spec/template/spec"),
    ("Job", "spec/template/spec"),
    ("CronJob", "spec/jobTemplate/spec/template/spec"),
];

/// What pods name: a kind, the paths in a pod's `spec`, and kinds of [`PODS`] whose pods are left as
/// they are, for kustomize leaves them.
const IN_PODS: [(&str, &[&str], &[&str]); 5] = [
    (
        "ConfigMap",
        &[
            "volumes/configMap/name",
            "containers/env/valueFrom/configMapKeyRef/name",
            "initContainers/env/valueFrom/configMapKeyRef/name",
            "containers/envFrom/configMapRef/name",
            "initContainers/envFrom/configMapRef/name",
            "volumes/projected/sources/configMap/name",
        ],
        &["ReplicationController"],
    ),
    (
        "Secret",
        &[
            "volumes/secret/secretName",
            "containers/env/valueFrom/secretKeyRef/name",
            "initContainers/env/valueFrom/secretKeyRef/name",
            "containers/envFrom/secretRef/name",
            "initContainers/envFrom/secretRef/name",
            "imagePullSecrets/name",
            "volumes/projected/sources/secret/name",
        ],
        &["ReplicationController"],
    ),
    ("ServiceAccount", &["serviceAccountName"], &["PodTemplate", "ReplicaSet"]),
    (
        "PersistentVolumeClaim",
        &["volumes/persistentVolumeClaim/claimName"],
        &["PodTemplate", "ReplicaSet"],
    ),
    ("PriorityClass", &["priorityClassName"], &["PodTemplate", "ReplicaSet"]),
];

/// What objects name elsewhere: the kind named, the kind that names it, and where.
const ELSEWHERE: [(&str, &str, &str); 38] = [
    ("Deployment", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name"),
    ("ReplicationController", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name"),
    ("ReplicaSet", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name"),
    ("StatefulSet", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name"),
    ("ConfigMap", "Node", "spec/configSource/configMap"),
    ("ConfigMap", "Role", "rules/resourceNames"),
    ("ConfigMap", "ClusterRole", "rules/resourceNames"),
    (
        "ConfigMap",
        "Ingress",
        "metadata/annotations/nginx.ingress.kubernetes.io~fastcgi-params-configmap",
    ),
    ("Secret", "Ingress", "spec/tls/secretName"),
    ("Secret", "Ingress", "metadata/annotations/ingress.kubernetes.io~auth-secret"),
    ("Secret", "Ingress", "metadata/annotations/nginx.ingress.kubernetes.io~auth-secret"),
    ("Secret", "Ingress", "metadata/annotations/nginx.ingress.kubernetes.io~auth-tls-secret"),
    ("Secret", "ServiceAccount", "imagePullSecrets/name"),
    ("Secret", "StorageClass", "parameters/secretName"),
    ("Secret", "StorageClass", "parameters/adminSecretName"),
    ("Secret", "StorageClass", "parameters/userSecretName"),
    ("Secret", "StorageClass", "parameters/secretRef"),
    ("Secret", "Role", "rules/resourceNames"),
    ("Secret", "ClusterRole", "rules/resourceNames"),
    ("Secret", "PersistentVolume", "spec/azureFile/secretName"),
    ("Service", "StatefulSet", "spec/serviceName"),
    ("Service", "Ingress", "spec/rules/http/paths/backend/serviceName"),
    ("Service", "Ingress", "spec/backend/serviceName"),
    ("Service", "Ingress", "spec/rules/http/paths/backend/service/name"),
    ("Service", "Ingress", "spec/defaultBackend/service/name"),
    ("Service", "APIService", "spec/service/name"),
    ("Service", "ValidatingWebhookConfiguration", "webhooks/clientConfig/service"),
    ("Service", "MutatingWebhookConfiguration", "webhooks/clientConfig/service"),
    ("Role", "RoleBinding", "roleRef/name"),
    ("ClusterRole", "RoleBinding", "roleRef/name"),
    ("ClusterRole", "ClusterRoleBinding", "roleRef/name"),
    ("ServiceAccount", "RoleBinding", "subjects"),
    ("ServiceAccount", "ClusterRoleBinding", "subjects"),
    ("PersistentVolume", "PersistentVolumeClaim", "spec/volumeName"),
    ("PersistentVolume", "ClusterRole", "rules/resourceNames"),
    ("StorageClass", "PersistentVolume", "spec/storageClassName"),
    ("StorageClass", "PersistentVolumeClaim", "spec/storageClassName"),
    ("StorageClass", "StatefulSet", "spec/volumeClaimTemplates/spec/storageClassName"),
];

/// What an object was called, and what it is called now.
struct Known {
    past: Vec<Id>,
    now: Id,
    prefixes: Vec<String>,
    suffixes: Vec<String>,
}

/// Makes every object name the others by the names that they have now.
pub(super) fn follow(items: &mut [Item]) -> anyhow::Result<()> {
    let known: Vec<Known> = items
        .iter()
        .map(|item| Known {
            past: item.ids().collect(),
            now: item.id(),
            prefixes: item.prefixes.clone(),
            suffixes: item.suffixes.clone(),
        })
        .collect();
    for (at, item) in items.iter_mut().enumerate() {
        let own = &known[at];
        for (kind, pods) in PODS.iter().filter(|(kind, _)| *kind == own.now.kind) {
            for (target, paths, _) in IN_PODS.iter().filter(|(.., not)| !not.contains(kind)) {
                for path in *paths {
                    let path = format!("{pods}/{path}");
                    update(&known, own, target, &mut item.object, &path)?;
                }
            }
        }
        for (target, kind, path) in ELSEWHERE {
            if kind != own.now.kind {
                continue;
            }
            // A binding says which of the two kinds of roles it means.
            let role = text(&item.object, "/roleRef/kind");
            if path != "roleRef/name" || role == target {
                update(&known, own, target, &mut item.object, path)?;
            }
        }
    }
    Ok(())
}

fn update(
    known: &[Known],
    own: &Known,
    target: &str,
    object: &mut Value,
    path: &str,
) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    visit(object, path, false, &mut |value| {
        let places = match value {
            Value::Array(items) => items.as_mut_slice(),
            one => std::slice::from_mut(one),
        };
        for place in places {
            if outcome.is_ok() {
                outcome = rename(known, own, target, place);
            }
        }
    });
    outcome
}

/// Sets one reference: a name, or a name with its namespace.
fn rename(known: &[Known], own: &Known, target: &str, place: &mut Value) -> anyhow::Result<()> {
    match place {
        Value::String(name) => {
            if let Some(found) = meant(known, own, target, name, None)? {
                found.now.name.clone_into(name);
            }
        }
        Value::Object(_) => {
            // Of subjects too only the name counts, as it does for kustomize: not what kind they are.
            let namespace = place.get("namespace").and_then(Value::as_str);
            let name = text(place, "/name");
            if let Some(found) = meant(known, own, target, name, namespace)? {
                place["name"] = json!(found.now.name);
                if !found.now.namespace.is_empty() {
                    place["namespace"] = json!(found.now.namespace);
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// The object of a kind that was called `name`, as far as it is among those that are built.
fn meant<'a>(
    known: &'a [Known],
    own: &Known,
    target: &str,
    name: &str,
    namespace: Option<&str>,
) -> anyhow::Result<Option<&'a Known>> {
    let called = |one: &&Known| {
        one.past.iter().any(|id| {
            let place = if id.namespace.is_empty() { "default" } else { &id.namespace };
            id.kind == target
                && id.name == name
                && namespace.is_none_or(|namespace| namespace == place)
        })
    };
    let near = |one: &&Known| {
        namespace.is_some()
            || own.now.is_of_cluster()
            || one.now.is_of_cluster()
            || own.now.namespace == one.now.namespace
    };
    let mut found: Vec<&Known> = known.iter().filter(called).filter(near).collect();
    for loosely in [true, false] {
        if found.len() > 1 {
            let kin = |one: &&Known| {
                same_end(&one.prefixes, &own.prefixes, loosely)
                    && same_end(&one.suffixes, &own.suffixes, loosely)
            };
            let closer: Vec<&Known> = found.iter().copied().filter(kin).collect();
            if !closer.is_empty() {
                found = closer;
            }
        }
    }
    let Some(first) = found.first() else { return Ok(None) };
    if found.iter().any(|one| one.now.name != first.now.name) {
        let names: Vec<String> = found.iter().map(|one| one.now.to_string()).collect();
        bail!(
            "found multiple possible referrals for {target} {name:?} of {}: {}",
            own.now,
            names.join(", ")
        );
    }
    Ok(Some(first))
}

/// Whether one list ends as the other, so that both objects come from one folder.
fn same_end(one: &[String], other: &[String], loosely: bool) -> bool {
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    if short.is_empty() { loosely || long.is_empty() } else { long.ends_with(short) }
}
