//! What a Deployment reads from and writes into its replica sets.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, ReplicaSet, ReplicaSetSpec};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use wk_api::well_known::{
    DEPLOYMENT_REVISION_ANNOTATION, LAST_APPLIED_ANNOTATION, POD_TEMPLATE_HASH_LABEL,
};

use crate::amount::share;
use crate::hash::name_of_hash;
use crate::meta::OwnerKind;

pub(in crate::deployment) const KIND: OwnerKind =
    OwnerKind { api_version: "apps/v1", kind: "Deployment" };

const HISTORY: &str = "deployment.kubernetes.io/revision-history";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAX: &str = "deployment.kubernetes.io/max-replicas";
/// Annotations of a Deployment that its replica sets do not get.
const NOT_COPIED: [&str; 6] = [
    LAST_APPLIED_ANNOTATION,
    DEPLOYMENT_REVISION_ANNOTATION,
    HISTORY,
    DESIRED,
    MAX,
    "deprecated.deployment.rollback.to",
];
/// The most characters of the list of earlier revisions.
const HISTORY_MAX: usize = 2000;

pub(super) fn replicas(set: &ReplicaSet) -> i32 {
    set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0)
}

pub(super) fn available(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0)
}

pub(super) fn actual(set: &ReplicaSet) -> i32 {
    set.status.as_ref().map_or(0, |status| status.replicas)
}

pub(super) fn name(set: &ReplicaSet) -> &str {
    set.metadata.name.as_deref().unwrap_or_default()
}

pub(super) fn annotation<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(key).map(String::as_str)
}

fn number(meta: &ObjectMeta, key: &str) -> Option<i32> {
    annotation(meta, key)?.parse().ok()
}

/// The revision of a set; 0 if it has none.
pub(super) fn revision(set: &ReplicaSet) -> i64 {
    annotation(&set.metadata, DEPLOYMENT_REVISION_ANNOTATION)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// How many replicas the Deployment wanted when the set was last scaled.
pub(super) fn desired(set: &ReplicaSet) -> Option<i32> {
    number(&set.metadata, DESIRED)
}

/// How many pods there could be at most when the set was last scaled.
pub(super) fn most(set: &ReplicaSet) -> Option<i32> {
    number(&set.metadata, MAX)
}

/// How many pods more, and how many available ones fewer than wanted a rollout may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slack {
    pub(super) surge: i32,
    pub(super) unavailable: i32,
}

impl Slack {
    pub(super) fn of(spec: &DeploymentSpec) -> Self {
        let wanted = spec.replicas.unwrap_or(1);
        if is_recreate(spec) {
            return Self { surge: 0, unavailable: 0 };
        }
        let rolling = spec.strategy.as_ref().and_then(|one| one.rolling_update.as_ref());
        let surge = share(rolling.and_then(|one| one.max_surge.as_ref()), wanted, true);
        let mut unavailable =
            share(rolling.and_then(|one| one.max_unavailable.as_ref()), wanted, false);
        if surge == 0 && unavailable == 0 {
            // Both may come out as nothing when percentages are of few: then nothing would move.
            unavailable = 1;
        }
        Self { surge, unavailable: if wanted == 0 { 0 } else { unavailable.min(wanted) } }
    }
}

pub(super) fn is_recreate(spec: &DeploymentSpec) -> bool {
    spec.strategy.as_ref().and_then(|one| one.type_.as_deref()) == Some("Recreate")
}

/// Whether two templates make the same pods, apart from the label that holds their hash.
pub(in crate::deployment) fn is_same_template(
    set: &PodTemplateSpec,
    deployment: &PodTemplateSpec,
) -> bool {
    let without = |template: &PodTemplateSpec| {
        let mut template = template.clone();
        let meta = template.metadata.get_or_insert_default();
        if let Some(labels) = &mut meta.labels {
            labels.remove(POD_TEMPLATE_HASH_LABEL);
        }
        meta.labels = meta.labels.take().filter(|labels| !labels.is_empty());
        meta.annotations = meta.annotations.take().filter(|all| !all.is_empty());
        meta.creation_timestamp = None;
        template
    };
    without(set) == without(deployment)
}

/// The ReplicaSet that a Deployment's template asks for.
pub(super) fn new_set(deployment: &Deployment, replicas: i32, revision: i64) -> ReplicaSet {
    let spec = deployment.spec.clone().unwrap_or_default();
    let collisions = deployment.status.as_ref().and_then(|status| status.collision_count);
    let hash = name_of_hash(&spec.template, collisions);
    let label = |labels: &mut Option<BTreeMap<String, String>>| {
        let labels = labels.get_or_insert_default();
        labels.insert(POD_TEMPLATE_HASH_LABEL.to_owned(), hash.clone());
    };
    let mut template = spec.template.clone();
    label(&mut template.metadata.get_or_insert_default().labels);
    let mut selector = spec.selector.clone();
    label(&mut selector.match_labels);
    let deployment_name = deployment.metadata.name.as_deref().unwrap_or_default();
    let mut set = ReplicaSet {
        metadata: ObjectMeta {
            name: Some(format!("{deployment_name}-{hash}")),
            namespace: deployment.metadata.namespace.clone(),
            labels: template.metadata.as_ref().and_then(|meta| meta.labels.clone()),
            owner_references: Some(vec![KIND.controls(&deployment.metadata)]),
            ..ObjectMeta::default()
        },
        spec: Some(ReplicaSetSpec {
            replicas: Some(replicas),
            min_ready_seconds: spec.min_ready_seconds,
            selector,
            template: Some(template),
        }),
        status: None,
    };
    copy_annotations(&mut set, deployment, revision);
    annotate_replicas(&mut set, &spec);
    set
}

/// Gives a set the Deployment's annotations and its own revision, if that is higher than before.
pub(super) fn copy_annotations(set: &mut ReplicaSet, deployment: &Deployment, number: i64) {
    let before = revision(set);
    let annotations = set.metadata.annotations.get_or_insert_default();
    for (key, value) in deployment.metadata.annotations.iter().flatten() {
        if !NOT_COPIED.contains(&key.as_str()) {
            annotations.insert(key.clone(), value.clone());
        }
    }
    if before >= number {
        return;
    }
    let old = annotations.insert(DEPLOYMENT_REVISION_ANNOTATION.to_owned(), number.to_string());
    let Some(old) = old.filter(|old| !old.is_empty()) else { return };
    let history = annotations.entry(HISTORY.to_owned()).or_default();
    if !history.is_empty() {
        history.push(',');
    }
    history.push_str(&old);
    while history.len() > HISTORY_MAX {
        match history.find(',') {
            Some(comma) => drop(history.drain(..=comma)),
            None => break,
        }
    }
}

/// Notes in a set how many replicas the Deployment wants, so that a later change is noticed.
pub(super) fn annotate_replicas(set: &mut ReplicaSet, spec: &DeploymentSpec) {
    let wanted = spec.replicas.unwrap_or(1);
    let most = wanted.saturating_add(Slack::of(spec).surge);
    let annotations = set.metadata.annotations.get_or_insert_default();
    annotations.insert(DESIRED.to_owned(), wanted.to_string());
    annotations.insert(MAX.to_owned(), most.to_string());
}
