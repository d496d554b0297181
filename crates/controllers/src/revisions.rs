//! The history of templates: which of a workload's pods was made from which.
//!
//! A `ControllerRevision` keeps one template. The newest has the highest number; a template that comes
//! back makes its old revision the newest again.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use serde_json::{Value, json};

use crate::hash::name_of_hash;
use crate::meta::OwnerKind;

/// The label by which the revisions of most workloads carry their hash.
pub(crate) const HASH_LABEL: &str = "controller.kubernetes.io/hash";

/// What has to be written so that the newest revision is that of the template.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Newest {
    /// Nothing: it is this one.
    Is(ControllerRevision),
    /// An old one that has to get the highest number.
    Renumber(ControllerRevision),
    /// A new one.
    Create(ControllerRevision),
}

impl Newest {
    pub(crate) fn revision(&self) -> &ControllerRevision {
        match self {
            Self::Is(one) | Self::Renumber(one) | Self::Create(one) => one,
        }
    }
}

pub(crate) fn name(revision: &ControllerRevision) -> &str {
    revision.metadata.name.as_deref().unwrap_or_default()
}

/// Finds or makes the revision of `template` among those of `owner`; a new one carries its hash as
/// `hash_label`, and the annotations of its owner, which tell why it was made.
pub(crate) fn newest(
    kind: OwnerKind,
    hash_label: &str,
    owner: &ObjectMeta,
    template: &PodTemplateSpec,
    collisions: Option<i32>,
    existing: &[ControllerRevision],
) -> Newest {
    let data = data(template);
    let last = existing.iter().map(|one| one.revision).max().unwrap_or(0);
    let is_same = |one: &&ControllerRevision| one.data.as_ref().is_some_and(|one| one.0 == data);
    let same = existing.iter().filter(is_same).max_by_key(|one| one.revision);
    if let Some(same) = same {
        if same.revision == last {
            return Newest::Is(same.clone());
        }
        return Newest::Renumber(ControllerRevision { revision: last + 1, ..same.clone() });
    }
    let hash = name_of_hash(&data, collisions);
    let labels = template.metadata.as_ref().and_then(|meta| meta.labels.clone());
    let mut labels: BTreeMap<String, String> = labels.unwrap_or_default();
    labels.insert(hash_label.to_owned(), hash.clone());
    Newest::Create(ControllerRevision {
        metadata: ObjectMeta {
            name: Some(format!("{}-{hash}", owner.name.as_deref().unwrap_or_default())),
            namespace: owner.namespace.clone(),
            labels: Some(labels),
            annotations: owner.annotations.clone(),
            owner_references: Some(vec![kind.controls(owner)]),
            ..ObjectMeta::default()
        },
        data: Some(RawExtension(data)),
        revision: last + 1,
    })
}

/// The oldest revisions beyond the limit that none of `live` names.
pub(crate) fn surplus(
    existing: &[ControllerRevision],
    live: &[&str],
    limit: i32,
) -> Vec<ControllerRevision> {
    let mut unused: Vec<_> = existing.iter().filter(|one| !live.contains(&name(one))).collect();
    unused.sort_by_key(|one| one.revision);
    let count = unused.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    unused.into_iter().take(count).cloned().collect()
}

/// The template as a patch that puts it back, which is what undoing a rollout applies.
fn data(template: &PodTemplateSpec) -> Value {
    let mut template = json!(template);
    template["$patch"] = json!("replace");
    json!({"spec": {"template": template}})
}

/// The template that a revision keeps.
pub(crate) fn template(revision: &ControllerRevision) -> Option<PodTemplateSpec> {
    let mut template = revision.data.as_ref()?.0.get("spec")?.get("template")?.clone();
    template.as_object_mut()?.remove("$patch");
    serde_json::from_value(template).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: OwnerKind = OwnerKind { api_version: "apps/v1", kind: "StatefulSet" };

    fn of(image: &str) -> PodTemplateSpec {
        serde_json::from_value(json!({"spec": {"containers": [{"name": "c", "image": image}]}}))
            .unwrap()
    }

    #[test]
    fn a_template_that_comes_back_is_the_newest_again() {
        let owner = ObjectMeta { name: Some("db".to_owned()), ..ObjectMeta::default() };
        let find = |image: &str, existing: &[ControllerRevision]| {
            newest(KIND, HASH_LABEL, &owner, &of(image), None, existing)
        };
        let first = find("a", &[]);
        assert!(matches!(first, Newest::Create(_)));
        let mut all = vec![first.revision().clone()];
        assert!(matches!(find("a", &all), Newest::Is(_)));
        assert_eq!(template(&all[0]), Some(of("a")));
        all.push(find("b", &all).revision().clone());
        assert_eq!(all[1].revision, 2);
        let Newest::Renumber(again) = find("a", &all) else { panic!() };
        assert_eq!((name(&again), again.revision), (name(&all[0]), 3));
        let gone = surplus(&all, &[name(&all[1])], 0);
        assert_eq!(gone.iter().map(name).collect::<Vec<_>>(), [name(&all[0])]);
        assert_eq!(surplus(&all, &[], 2), []);
    }
}
