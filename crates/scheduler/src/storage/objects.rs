//! What the scheduler keeps of claims, volumes and classes.

use k8s_openapi::api::core::v1::{
    NodeSelectorTerm, PersistentVolume, PersistentVolumeClaim, TopologySelectorTerm,
};
use k8s_openapi::api::storage::v1::StorageClass;
use wk_api::names::{NamespacedName, Uid};
use wk_api::quantity::Quantity;

use super::{Attachment, BIND_COMPLETED, SELECTED_NODE};
use crate::labels::{Labels, NodeTerm, Selector};

/// The older place of a claim's or volume's class.
const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";
/// What a class without a provisioner says.
const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// How a volume may be used, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessModes(u8);

impl AccessModes {
    const ONCE_POD: u8 = 8;

    fn new(modes: Option<Vec<String>>) -> Self {
        Self(modes.into_iter().flatten().fold(0, |set, mode| {
            set | match mode.as_str() {
                "ReadWriteOnce" => 1,
                "ReadOnlyMany" => 2,
                "ReadWriteMany" => 4,
                "ReadWriteOncePod" => Self::ONCE_POD,
                _ => 16,
            }
        }))
    }

    /// Whether only one pod at a time may use the volume.
    pub fn is_for_one_pod(self) -> bool {
        self.0 & Self::ONCE_POD != 0
    }

    /// Whether all modes of `other` are among these.
    pub fn contain(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What the scheduler keeps of a `PersistentVolumeClaim`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Tells claims of one name apart.
    pub uid: Uid,
    /// The volume that it has, or shall have.
    pub volume: Option<Box<str>>,
    /// Whether its binding to the volume is complete.
    pub is_bound: bool,
    /// Whether its volume is gone.
    pub is_lost: bool,
    /// Whether it is being deleted.
    pub is_terminating: bool,
    /// Its class; empty is none.
    pub class: Box<str>,
    /// The node from which its volume shall be reachable.
    pub selected_node: Option<Box<str>>,
    /// How it is used.
    pub modes: AccessModes,
    /// Whether it is for a device without file system.
    pub is_block: bool,
    /// How many bytes it asks for.
    pub request: i64,
    /// Which volumes it may have; `None` is every one.
    pub selector: Option<Selector>,
    /// The pod that it is made for.
    pub owner: Option<Uid>,
}

impl Claim {
    /// What the scheduler keeps of `claim`.
    pub fn of(claim: PersistentVolumeClaim) -> Self {
        let (spec, status) = (claim.spec.unwrap_or_default(), claim.status.unwrap_or_default());
        let annotations = claim.metadata.annotations.unwrap_or_default();
        let class = annotations.get(CLASS_ANNOTATION).cloned().or(spec.storage_class_name);
        let owners = claim.metadata.owner_references.into_iter().flatten();
        let mut owners = owners.filter(|owner| owner.controller == Some(true));
        let requests = spec.resources.and_then(|resources| resources.requests);
        let request = requests.as_ref().and_then(|list| list.get("storage"));
        let volume = spec.volume_name.filter(|name| !name.is_empty());
        Self {
            uid: Uid::new(claim.metadata.uid.unwrap_or_default()),
            is_bound: volume.is_some() && annotations.contains_key(BIND_COMPLETED),
            volume: volume.map(Box::from),
            is_lost: status.phase.as_deref() == Some("Lost"),
            is_terminating: claim.metadata.deletion_timestamp.is_some(),
            class: class.unwrap_or_default().into(),
            selected_node: annotations.get(SELECTED_NODE).map(|node| node.as_str().into()),
            modes: AccessModes::new(spec.access_modes),
            is_block: spec.volume_mode.as_deref() == Some("Block"),
            request: request.map_or(0, bytes),
            selector: spec.selector.map(|selector| Selector::new(Some(selector))),
            owner: owners.next().map(|owner| Uid::new(owner.uid)),
        }
    }
}

pub(super) fn bytes(quantity: &k8s_openapi::apimachinery::pkg::api::resource::Quantity) -> i64 {
    Quantity::try_from(quantity).map_or(0, Quantity::value)
}

/// What the scheduler keeps of a `PersistentVolume`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its class; empty is none.
    pub class: Box<str>,
    /// How it may be used.
    pub modes: AccessModes,
    /// Whether it is a device without file system.
    pub is_block: bool,
    /// How many bytes it has.
    pub capacity: i64,
    /// Its labels.
    pub labels: Labels,
    /// The terms of which a node must match one; `None` is reachable from everywhere.
    pub affinity: Option<Vec<NodeTerm>>,
    /// The claim that has it, or shall have it, and that claim's uid if it is known.
    pub claim: Option<(NamespacedName, Option<Uid>)>,
    /// Whether it may be given to a claim.
    pub is_available: bool,
    /// As what it is attached to nodes; `None` if no driver has to do that.
    pub attached: Option<Attachment>,
}

impl Volume {
    /// What the scheduler keeps of `volume`.
    pub fn of(volume: PersistentVolume) -> Self {
        let (spec, status) = (volume.spec.unwrap_or_default(), volume.status.unwrap_or_default());
        let annotations = volume.metadata.annotations.unwrap_or_default();
        let class = annotations.get(CLASS_ANNOTATION).cloned().or(spec.storage_class_name);
        let required = spec.node_affinity.and_then(|affinity| affinity.required);
        let capacity = spec.capacity.as_ref().and_then(|list| list.get("storage"));
        let claim = spec.claim_ref.map(|claim| {
            let name = claim.name.unwrap_or_default();
            let key = NamespacedName::new(claim.namespace.unwrap_or_default(), name);
            (key, claim.uid.filter(|uid| !uid.is_empty()).map(Uid::new))
        });
        let is_terminating = volume.metadata.deletion_timestamp.is_some();
        Self {
            class: class.unwrap_or_default().into(),
            modes: AccessModes::new(spec.access_modes),
            is_block: spec.volume_mode.as_deref() == Some("Block"),
            capacity: capacity.map_or(0, bytes),
            labels: Labels::new(volume.metadata.labels),
            affinity: required.map(|required| {
                let terms: Vec<NodeSelectorTerm> = required.node_selector_terms;
                terms.into_iter().map(NodeTerm::new).collect()
            }),
            claim,
            attached: spec.csi.map(|source| Attachment {
                driver: source.driver.into(),
                volume: source.volume_handle.into(),
            }),
            is_available: status.phase.as_deref() == Some("Available") && !is_terminating,
        }
    }

    /// Whether it is reachable from the node of this name and with these labels.
    pub fn reaches(&self, name: &str, labels: &Labels) -> bool {
        self.affinity.as_ref().is_none_or(|terms| terms.iter().any(|one| one.matches(name, labels)))
    }
}

/// What the scheduler keeps of a `StorageClass`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Whether volumes are chosen when a pod needs them, and not before.
    pub waits: bool,
    /// Whether volumes can be made.
    pub can_provision: bool,
    /// What makes them.
    pub provisioner: Box<str>,
    /// The places where they can be made, one of which must hold the node; none is everywhere.
    topologies: Vec<Vec<(Box<str>, Vec<String>)>>,
}

impl Class {
    /// What the scheduler keeps of `class`.
    pub fn of(class: StorageClass) -> Self {
        let terms = class.allowed_topologies.into_iter().flatten();
        let compile = |term: TopologySelectorTerm| {
            let labels = term.match_label_expressions.into_iter().flatten();
            labels.map(|one| (one.key.into(), one.values)).collect()
        };
        Self {
            waits: class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer"),
            can_provision: !matches!(class.provisioner.as_str(), "" | NO_PROVISIONER),
            topologies: terms.map(compile).collect(),
            provisioner: class.provisioner.into(),
        }
    }

    /// Whether a volume can be made for a node with these labels.
    pub fn reaches(&self, labels: &Labels) -> bool {
        let holds = |(key, values): &(Box<str>, Vec<String>)| {
            labels.get(key).is_some_and(|value| values.iter().any(|one| one == value))
        };
        self.topologies.is_empty() || self.topologies.iter().any(|term| term.iter().all(holds))
    }
}
