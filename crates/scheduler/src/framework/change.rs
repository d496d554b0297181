//! What may change so that a pod which had no place has one.

use wk_api::names::NamespacedName;

use crate::demand::Demand;
use crate::offer::Offer;

/// A change that may help.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// A node is new.
    NodeCame(&'a Offer),
    /// A node offers something else.
    NodeChanged(&'a Offer, &'a Offer),
    /// A node is gone.
    NodeWent(&'a Offer),
    /// A pod has a node now.
    PodCame(&'a Demand),
    /// A pod that has a node is another than it was.
    PodChanged(&'a Demand, &'a Demand),
    /// A pod that had a node, or for which room was made, is gone.
    PodWent(&'a Demand),
    /// A claim is new, another than it was, or gone.
    Claim(&'a NamespacedName),
    /// A volume is.
    Volume,
    /// A class of storage is.
    Class,
    /// What drivers of storage say is: of themselves, of their room or of nodes.
    Driver,
    /// The labels of a namespace are.
    Namespace,
}

/// The kind of a [`Change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// [`Change::NodeCame`]
    NodeCame = 1,
    /// [`Change::NodeChanged`]
    NodeChanged = 1 << 1,
    /// [`Change::NodeWent`]
    NodeWent = 1 << 2,
    /// [`Change::PodCame`]
    PodCame = 1 << 3,
    /// [`Change::PodChanged`]
    PodChanged = 1 << 4,
    /// [`Change::PodWent`]
    PodWent = 1 << 5,
    /// [`Change::Claim`], [`Change::Volume`], [`Change::Class`] and [`Change::Driver`]
    Storage = 1 << 6,
    /// [`Change::Namespace`]
    Namespace = 1 << 7,
}

impl Change<'_> {
    /// What kind of change it is.
    pub fn kind(&self) -> ChangeKind {
        match self {
            Self::NodeCame(_) => ChangeKind::NodeCame,
            Self::NodeChanged(..) => ChangeKind::NodeChanged,
            Self::NodeWent(_) => ChangeKind::NodeWent,
            Self::PodCame(_) => ChangeKind::PodCame,
            Self::PodChanged(..) => ChangeKind::PodChanged,
            Self::PodWent(_) => ChangeKind::PodWent,
            Self::Claim(_) | Self::Volume | Self::Class | Self::Driver => ChangeKind::Storage,
            Self::Namespace => ChangeKind::Namespace,
        }
    }

    /// What Kubernetes calls such an event.
    pub const fn event(&self) -> &'static str {
        match self {
            Self::NodeCame(_) => "NodeAdd",
            Self::NodeChanged(..) => "NodeUpdate",
            Self::NodeWent(_) => "NodeDelete",
            Self::PodCame(_) => "AssignedPodAdd",
            Self::PodChanged(..) => "AssignedPodUpdate",
            Self::PodWent(_) => "AssignedPodDelete",
            Self::Claim(_) => "PersistentVolumeClaimUpdate",
            Self::Volume => "PersistentVolumeUpdate",
            Self::Class => "StorageClassUpdate",
            Self::Driver => "CSINodeUpdate",
            Self::Namespace => "NamespaceUpdate",
        }
    }

    /// Whether a node comes into question of which `test` holds, and did not before.
    pub fn opens_node(&self, test: impl Fn(&Offer) -> bool) -> bool {
        match self {
            Self::NodeCame(offer) => test(offer),
            Self::NodeChanged(before, after) => !test(before) && test(after),
            _ => false,
        }
    }
}

/// Some kinds of changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeKinds(u8);

impl ChangeKinds {
    /// These kinds.
    pub const fn of(kinds: &[ChangeKind]) -> Self {
        let (mut set, mut index) = (0, 0);
        while index < kinds.len() {
            set |= kinds[index] as u8;
            index += 1;
        }
        Self(set)
    }

    /// Whether this kind is among them.
    pub fn contain(self, kind: ChangeKind) -> bool {
        self.0 & kind as u8 != 0
    }
}
