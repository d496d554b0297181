//! The pods of a `StatefulSet` and the claims that they keep.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, PodTemplateSpec, Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};
use wk_api::well_known::CONTROLLER_REVISION_HASH_LABEL;

use super::plan::{KIND, NewPod, ordinal};
use crate::meta::{Meta, OwnerKind};
use crate::pod_control::PodControl;
use crate::watched::PodView;

const POD: OwnerKind = OwnerKind { api_version: "v1", kind: "Pod" };

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
    let owner = Retention::of(set).goes_with_set.then(|| vec![KIND.controls(&set.metadata)]);
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

/// Whether a claim of this name is one of the set's pods.
pub(super) fn has_claim(set: &StatefulSet, claim: &str) -> bool {
    let spec = set.spec.as_ref();
    let templates = spec.and_then(|spec| spec.volume_claim_templates.as_ref());
    let set_name = set.metadata.name.as_deref().unwrap_or_default();
    templates.into_iter().flatten().any(|template| {
        let name = template.metadata.name.as_deref().unwrap_or_default();
        let pod = claim.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
        pod.is_some_and(|pod| ordinal(set_name, pod).is_some())
    })
}

/// Whether a claim is to go with an earlier pod of this name, so that a new one must not use it.
pub(super) fn goes_with_earlier_pod(claim: &Meta, pod: &str) -> bool {
    claim.owners.iter().any(|owner| owner.is_a(&POD) && *owner.name == *pod)
}

/// What is to be changed in the owners of a pod's claim, as a strategic merge patch of the list;
/// `None` if they are right, or if the claim is somebody else's.
///
/// A claim that goes with the set goes with the pod instead once the pod does not come back, if
/// claims are to go when the set shrinks: one with two owners would stay for the other one.
pub(super) fn change_of_owners(
    set: &StatefulSet,
    pod: &PodView,
    is_kept: bool,
    claim: &Meta,
) -> Option<Value> {
    let set_uid = set.metadata.uid.as_deref().unwrap_or_default();
    let pod_uid = pod.uid().as_str();
    let is_owner = |uid: &str| claim.owners.iter().any(|owner| owner.uid.as_str() == uid);
    let is_ours = |uid: &str| uid == set_uid || uid == pod_uid;
    let managed = claim.owners.iter().find(|owner| owner.is_controller);
    if claim.is_terminating || managed.is_some_and(|owner| !is_ours(owner.uid.as_str())) {
        return None;
    }
    let retention = Retention::of(set);
    let of_pod = retention.goes_with_pod && !is_kept;
    let of_set = retention.goes_with_set && !of_pod;
    let pod_meta = ObjectMeta {
        name: Some(pod.name.to_string()),
        uid: Some(pod_uid.to_owned()),
        ..ObjectMeta::default()
    };
    let mut patch = Vec::new();
    for (uid, is_wanted, reference) in [
        (set_uid, of_set, KIND.controls(&set.metadata)),
        (pod_uid, of_pod, POD.controls(&pod_meta)),
    ] {
        match (is_owner(uid), is_wanted) {
            (true, false) => patch.push(json!({"$patch": "delete", "uid": uid})),
            (false, true) => patch.push(json!(reference)),
            (true, true) | (false, false) => {}
        }
    }
    (!patch.is_empty()).then(|| json!(patch))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Policies as `whenDeleted whenScaled`, owners as uids: the set is `s`, the pod is `uid-db-0`.
    #[track_caller]
    fn check(case: &str, policies: &str, is_kept: bool, owners: &str, expected: &str) {
        let (deleted, scaled) = policies.split_once(' ').unwrap();
        let set: StatefulSet = serde_json::from_value(json!({
            "metadata": {"name": "db", "uid": "s"},
            "spec": {
                "selector": {}, "template": {},
                "persistentVolumeClaimRetentionPolicy": {
                    "whenDeleted": deleted, "whenScaled": scaled,
                },
            },
        }))
        .unwrap();
        let references = owners.split_whitespace().map(|uid| {
            let name = uid.trim_end_matches('!');
            json!({"apiVersion": "v1", "kind": "X", "name": name, "uid": name,
                "controller": uid.ends_with('!')})
        });
        let meta = json!({"uid": "c", "ownerReferences": references.collect::<Vec<_>>()});
        let claim = Meta::of(&serde_json::from_value(meta).unwrap());
        let change = change_of_owners(&set, &PodView::sample("db-0"), is_kept, &claim);
        let words: Vec<String> = change
            .iter()
            .flat_map(|list| list.as_array().unwrap())
            .map(|one| {
                let sign = if one["$patch"] == "delete" { "-" } else { "+" };
                format!("{sign}{}", one["uid"].as_str().unwrap())
            })
            .collect();
        assert_eq!(words.join(" "), expected, "{case}");
    }

    #[test]
    fn claims_go_with_what_the_policy_says() {
        check("they stay", "Retain Retain", true, "", "");
        check("they stay from now on", "Retain Retain", true, "s", "-s");
        check("they go with the set from now on", "Delete Retain", true, "", "+s");
        check("they go with the set", "Delete Retain", false, "s", "");
        check("the pod is there to stay", "Retain Delete", true, "", "");
        check("the pod goes", "Retain Delete", false, "", "+uid-db-0");
        check("the pod is kept after all", "Retain Delete", true, "uid-db-0", "-uid-db-0");
        check("the pod goes before the set", "Delete Delete", false, "s", "-s +uid-db-0");
        check("others stay", "Delete Retain", true, "x", "+s");
        check("it is somebody else's", "Delete Retain", true, "x!", "");
        check("it is ours already", "Delete Delete", true, "s!", "");
    }

    #[test]
    fn a_claim_is_known_by_its_name() {
        let set: StatefulSet = serde_json::from_value(json!({
            "metadata": {"name": "db"},
            "spec": {
                "selector": {}, "template": {},
                "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
            },
        }))
        .unwrap();
        for (claim, expected) in
            [("data-db-0", true), ("data-db-x", false), ("data-web-0", false), ("log-db-0", false)]
        {
            assert_eq!(has_claim(&set, claim), expected, "{claim}");
        }
    }
}
