//! What waits to go, and what holds it.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

pub(super) const CLAIM_FINALIZER: &str = "kubernetes.io/pvc-protection";
pub(super) const VOLUME_FINALIZER: &str = "kubernetes.io/pv-protection";

/// An object that is deleted and held by its finalizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) resource_version: Option<String>,
    /// Its other finalizers.
    pub(super) others: Vec<String>,
}

impl Held {
    /// What holds an object; `None` if it is not deleted, or held by others only.
    pub(super) fn of(metadata: &ObjectMeta, finalizer: &str) -> Option<Self> {
        metadata.deletion_timestamp.as_ref()?;
        let all = metadata.finalizers.as_deref().unwrap_or_default();
        let others: Vec<String> = all.iter().filter(|own| *own != finalizer).cloned().collect();
        (others.len() < all.len())
            .then(|| Self { resource_version: metadata.resource_version.clone(), others })
    }
}

/// Whether a pod uses a claim of its namespace. A pod that is on no node yet does not: its kubelet
/// will not start it with a claim that goes.
pub(super) fn is_used(claim: &str, pod: &Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    if spec.node_name.as_deref().unwrap_or_default().is_empty() {
        return false;
    }
    let pod_name = pod.metadata.name.as_deref().unwrap_or_default();
    spec.volumes.iter().flatten().any(|volume| {
        let named = volume.persistent_volume_claim.as_ref();
        named.is_some_and(|source| source.claim_name == claim)
            // The claim of an ephemeral volume is named after pod and volume.
            || volume.ephemeral.is_some() && claim == format!("{pod_name}-{}", volume.name)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_deleted_and_ours_waits() {
        let metadata = |deleted: bool, finalizers: &[&str]| -> ObjectMeta {
            let mut value = json!({"finalizers": finalizers, "resourceVersion": "7"});
            if deleted {
                value["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
            }
            serde_json::from_value(value).unwrap()
        };
        let held = |metadata| Held::of(&metadata, CLAIM_FINALIZER).map(|held| held.others);
        assert_eq!(held(metadata(false, &[CLAIM_FINALIZER])), None);
        assert_eq!(held(metadata(true, &["other"])), None);
        assert_eq!(held(metadata(true, &["other", CLAIM_FINALIZER])), Some(vec!["other".into()]));
    }

    #[test]
    fn a_claim_is_used_by_pods_on_nodes() {
        let pod = |node: &str| -> Pod {
            let volumes = json!([
                {"name": "v", "persistentVolumeClaim": {"claimName": "c"}},
                {"name": "scratch", "ephemeral": {}},
            ]);
            let spec = json!({"nodeName": node, "containers": [], "volumes": volumes});
            serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).unwrap()
        };
        assert!(is_used("c", &pod("n")) && is_used("p-scratch", &pod("n")));
        assert!(!is_used("other", &pod("n")) && !is_used("c", &pod("")));
    }
}
