//! The pods of a `StatefulSet` and the claims that they keep.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, PodTemplateSpec, Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use wk_api::well_known::CONTROLLER_REVISION_HASH_LABEL;

use super::plan::{KIND, NewPod};
use crate::pod_control::PodControl;

/// The pod of an ordinal, made from `template`.
pub(super) fn pod(
    control: &PodControl,
    set: &StatefulSet,
    template: &PodTemplateSpec,
    new: &NewPod,
) -> Pod {
    let mut pod = control.pod(&set.metadata, template);
    let name = name(set, new.ordinal);
    pod.metadata.generate_name = None;
    pod.metadata.name = Some(name.clone());
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert("statefulset.kubernetes.io/pod-name".to_owned(), name.clone());
    labels.insert("apps.kubernetes.io/pod-index".to_owned(), new.ordinal.to_string());
    labels.insert(CONTROLLER_REVISION_HASH_LABEL.to_owned(), new.revision.clone());
    let service = set.spec.as_ref().and_then(|spec| spec.service_name.clone());
    let claims = claim_names(set, &name);
    if let Some(spec) = &mut pod.spec {
        spec.hostname = Some(name);
        spec.subdomain = service.filter(|name| !name.is_empty());
        let volumes = spec.volumes.get_or_insert_default();
        // A claim takes the place of a volume of its name.
        volumes.retain(|volume| !claims.contains_key(&volume.name));
        volumes.extend(claims.into_iter().map(|(name, claim_name)| Volume {
            name,
            persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                claim_name,
                read_only: Some(false),
            }),
            ..Volume::default()
        }));
    }
    pod
}

pub(super) fn name(set: &StatefulSet, ordinal: i32) -> String {
    format!("{}-{ordinal}", set.metadata.name.as_deref().unwrap_or_default())
}

/// The claim of each volume of a pod that has one.
pub(super) fn claim_names(set: &StatefulSet, pod: &str) -> BTreeMap<String, String> {
    let templates = set.spec.as_ref().and_then(|spec| spec.volume_claim_templates.as_ref());
    let names = templates.into_iter().flatten().filter_map(|one| one.metadata.name.clone());
    names.map(|name| (name.clone(), format!("{name}-{pod}"))).collect()
}

/// What becomes of claims: with the set, and when the set shrinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retention {
    pub(super) goes_with_set: bool,
    pub(super) goes_with_pod: bool,
}

impl Retention {
    pub(super) fn of(set: &StatefulSet) -> Self {
        let spec = set.spec.as_ref();
        let policy = spec.and_then(|spec| spec.persistent_volume_claim_retention_policy.as_ref());
        let is_delete = |text: Option<&String>| text.is_some_and(|text| text == "Delete");
        Self {
            goes_with_set: is_delete(policy.and_then(|policy| policy.when_deleted.as_ref())),
            goes_with_pod: is_delete(policy.and_then(|policy| policy.when_scaled.as_ref())),
        }
    }
}

/// The claims of a pod, as they are made.
pub(super) fn claims(set: &StatefulSet, pod: &str) -> Vec<PersistentVolumeClaim> {
    let spec = set.spec.as_ref();
    let templates = spec.and_then(|spec| spec.volume_claim_templates.clone()).unwrap_or_default();
    let selected = spec.and_then(|spec| spec.selector.match_labels.clone()).unwrap_or_default();
    let owner = Retention::of(set).goes_with_set.then(|| vec![owner(set)]);
    let claim = |template: PersistentVolumeClaim| {
        let mut labels = template.metadata.labels.unwrap_or_default();
        labels.extend(selected.clone());
        let name = template.metadata.name.unwrap_or_default();
        PersistentVolumeClaim {
            metadata: ObjectMeta {
                name: Some(format!("{name}-{pod}")),
                namespace: set.metadata.namespace.clone(),
                labels: Some(labels),
                annotations: template.metadata.annotations,
                owner_references: owner.clone(),
                ..ObjectMeta::default()
            },
            spec: template.spec,
            status: None,
        }
    };
    templates.into_iter().map(claim).collect()
}

/// The reference by which a claim goes with the set, without being managed by it.
pub(super) fn owner(set: &StatefulSet) -> OwnerReference {
    OwnerReference { controller: None, block_owner_deletion: None, ..KIND.controls(&set.metadata) }
}
