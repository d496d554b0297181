//! Claims, volumes and classes, as the binder sees them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as WireQuantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use wk_api::names::NamespacedName;
use wk_api::well_known::{
    BIND_COMPLETED_ANNOTATION, BOUND_BY_CONTROLLER_ANNOTATION, DEFAULT_STORAGE_CLASS_ANNOTATION,
    HOSTNAME_LABEL, LOCAL_PATH_FINALIZER, PROVISIONED_BY_ANNOTATION, SELECTED_NODE_ANNOTATION,
};
use wk_api::{LabelSelector, Quantity};

use crate::watched::selector;

/// The annotations in which claims name what is to provision for them: today's and that of old.
pub(super) const PROVISIONER_ANNOTATIONS: [&str; 2] =
    ["volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner"];
/// The annotation in which old objects name their class.
const BETA_CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";
const PROTECTION: &str = "kubernetes.io/pv-protection";

/// A claim.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ClaimView {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) resource_version: Option<String>,
    pub(super) is_terminating: bool,
    /// `None` if it says nothing, and the empty name if it wants no class.
    pub(super) class: Option<String>,
    pub(super) attributes_class: String,
    pub(super) selector: Option<LabelSelector>,
    pub(super) modes: Vec<String>,
    pub(super) is_block: bool,
    pub(super) request: Option<Quantity>,
    /// The volume that it names.
    pub(super) volume: Option<String>,
    pub(super) is_bind_completed: bool,
    pub(super) is_bound_by_controller: bool,
    pub(super) selected_node: Option<String>,
    /// What its annotations say of its provisioner, if they agree.
    pub(super) provisioner: Option<String>,
    pub(super) phase: String,
    pub(super) capacity: Option<Quantity>,
    pub(super) status_modes: Vec<String>,
    pub(super) has_conditions: bool,
}

/// The other end of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClaimRef {
    pub(super) key: NamespacedName,
    /// Empty for a volume that was reserved for a claim by its name.
    pub(super) uid: String,
}

/// A volume.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct VolumeView {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) resource_version: Option<String>,
    pub(super) is_terminating: bool,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) class: String,
    pub(super) attributes_class: String,
    pub(super) modes: Vec<String>,
    pub(super) is_block: bool,
    pub(super) capacity: Option<Quantity>,
    pub(super) claim: Option<ClaimRef>,
    pub(super) is_bound_by_controller: bool,
    pub(super) provisioner: Option<String>,
    pub(super) reclaim: String,
    pub(super) phase: String,
    pub(super) message: String,
    /// Its finalizers without ours; `None` if it does not wait for its node to give it back.
    pub(super) waits_beside: Option<Vec<String>>,
}

/// A storage class.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ClassView {
    pub(super) name: String,
    pub(super) provisioner: String,
    /// Whether claims wait for their first pod.
    pub(super) waits: bool,
    pub(super) reclaim: String,
    pub(super) expands: bool,
    /// Of several default ones the greatest counts: the newest, of equally old ones the first.
    pub(super) default_rank: Option<(i64, std::cmp::Reverse<String>)>,
    /// The names of its parameters.
    pub(super) parameters: Vec<String>,
    pub(super) has_mount_options: bool,
}

fn annotation<'a>(meta: &'a ObjectMeta, name: &str) -> Option<&'a String> {
    meta.annotations.as_ref()?.get(name)
}

fn storage(amounts: Option<&BTreeMap<String, WireQuantity>>) -> Option<Quantity> {
    Quantity::try_from(amounts?.get("storage")?).ok()
}

impl ClaimView {
    pub(super) fn of(claim: PersistentVolumeClaim) -> Self {
        let PersistentVolumeClaim { metadata: meta, spec, status } = claim;
        let (spec, status) = (spec.unwrap_or_default(), status.unwrap_or_default());
        let text = |name: &str| annotation(&meta, name).filter(|text| !text.is_empty()).cloned();
        let [today, old] = PROVISIONER_ANNOTATIONS.map(text);
        Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
            resource_version: meta.resource_version.clone(),
            is_terminating: meta.deletion_timestamp.is_some(),
            class: annotation(&meta, BETA_CLASS_ANNOTATION).cloned().or(spec.storage_class_name),
            attributes_class: spec.volume_attributes_class_name.unwrap_or_default(),
            selector: spec.selector.as_ref().map(|one| selector(Some(one))),
            modes: spec.access_modes.unwrap_or_default(),
            is_block: spec.volume_mode.as_deref() == Some("Block"),
            request: storage(spec.resources.and_then(|one| one.requests).as_ref()),
            volume: spec.volume_name.filter(|name| !name.is_empty()),
            is_bind_completed: annotation(&meta, BIND_COMPLETED_ANNOTATION).is_some(),
            is_bound_by_controller: annotation(&meta, BOUND_BY_CONTROLLER_ANNOTATION).is_some(),
            selected_node: text(SELECTED_NODE_ANNOTATION),
            provisioner: today.filter(|today| old.as_ref() == Some(today)),
            phase: status.phase.unwrap_or_else(|| "Pending".to_owned()),
            capacity: storage(status.capacity.as_ref()),
            status_modes: status.access_modes.unwrap_or_default(),
            has_conditions: status.conditions.is_some_and(|all| !all.is_empty()),
        }
    }

    pub(super) fn key(&self) -> NamespacedName {
        NamespacedName::new(self.namespace.as_str(), self.name.as_str())
    }

    /// The class that its volume has to have; empty for none.
    pub(super) fn class(&self) -> &str {
        self.class.as_deref().unwrap_or_default()
    }

    pub(super) fn is_bound(&self) -> bool {
        self.is_bind_completed
    }
}

impl VolumeView {
    pub(super) fn of(volume: PersistentVolume) -> Self {
        let PersistentVolume { metadata: meta, spec, status } = volume;
        let (spec, status) = (spec.unwrap_or_default(), status.unwrap_or_default());
        let class = annotation(&meta, BETA_CLASS_ANNOTATION).cloned().or(spec.storage_class_name);
        let claim = spec.claim_ref.map(|claim| ClaimRef {
            key: NamespacedName::new(
                claim.namespace.unwrap_or_default(),
                claim.name.unwrap_or_default(),
            ),
            uid: claim.uid.unwrap_or_default(),
        });
        let is_bound_by_controller = annotation(&meta, BOUND_BY_CONTROLLER_ANNOTATION).is_some();
        let provisioner = annotation(&meta, PROVISIONED_BY_ANNOTATION).cloned();
        let finalizers = meta.finalizers.unwrap_or_default();
        let has = |name: &str| finalizers.iter().any(|one| one == name);
        let waits =
            meta.deletion_timestamp.is_some() && has(LOCAL_PATH_FINALIZER) && !has(PROTECTION);
        Self {
            name: meta.name.unwrap_or_default(),
            uid: meta.uid.unwrap_or_default(),
            resource_version: meta.resource_version,
            is_terminating: meta.deletion_timestamp.is_some(),
            labels: meta.labels.unwrap_or_default(),
            class: class.unwrap_or_default(),
            attributes_class: spec.volume_attributes_class_name.unwrap_or_default(),
            modes: spec.access_modes.unwrap_or_default(),
            is_block: spec.volume_mode.as_deref() == Some("Block"),
            capacity: storage(spec.capacity.as_ref()),
            claim,
            is_bound_by_controller,
            provisioner,
            reclaim: spec.persistent_volume_reclaim_policy.unwrap_or_default(),
            phase: status.phase.unwrap_or_default(),
            message: status.message.unwrap_or_default(),
            waits_beside: waits.then(|| {
                finalizers.into_iter().filter(|one| one != LOCAL_PATH_FINALIZER).collect()
            }),
        }
    }

    /// Whether it is, or is to be, this claim's and no other's.
    pub(super) fn is_of(&self, claim: &ClaimView) -> bool {
        self.claim.as_ref().is_some_and(|own| {
            own.key.name == claim.name
                && own.key.namespace.as_deref() == Some(&claim.namespace)
                && (own.uid.is_empty() || own.uid == claim.uid)
        })
    }

    /// Whether nobody has it.
    pub(super) fn is_free(&self) -> bool {
        self.claim.is_none() && !self.is_terminating
    }

    /// The node that keeps it, for a volume of a node's own folder.
    pub(super) fn node(&self) -> Option<&str> {
        self.labels.get(HOSTNAME_LABEL).map(String::as_str)
    }
}

impl ClassView {
    pub(super) fn of(class: StorageClass) -> Self {
        let meta = class.metadata;
        let name = meta.name.clone().unwrap_or_default();
        let marks =
            [DEFAULT_STORAGE_CLASS_ANNOTATION, "storageclass.beta.kubernetes.io/is-default-class"];
        let is_default =
            marks.iter().any(|mark| annotation(&meta, mark).is_some_and(|text| text == "true"));
        let created = meta.creation_timestamp.map_or(0, |time| time.0.as_second());
        Self {
            default_rank: is_default.then(|| (created, std::cmp::Reverse(name.clone()))),
            name,
            provisioner: class.provisioner,
            waits: class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer"),
            reclaim: class.reclaim_policy.unwrap_or_else(|| "Delete".to_owned()),
            expands: class.allow_volume_expansion == Some(true),
            parameters: class.parameters.unwrap_or_default().into_keys().collect(),
            has_mount_options: class.mount_options.is_some_and(|options| !options.is_empty()),
        }
    }
}
