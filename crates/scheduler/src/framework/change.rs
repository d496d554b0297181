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
    Claim(&'a NamespacedName, Turn),
    /// A volume is.
    Volume(Turn),
    /// A class of storage is.
    Class(Turn),
    /// What drivers of storage say is.
    Driver(DriverWord, Turn),
    /// The labels of a namespace are.
    Namespace(Turn),
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is new.
    Added,
    /// It is another than it was.
    Updated,
    /// It is gone.
    Deleted,
}

impl Turn {
    /// What became of an object that was there (or not), and is (or not).
    pub const fn of(was: bool, is: bool) -> Self {
        match (was, is) {
            (_, false) => Self::Deleted,
            (true, true) => Self::Updated,
            (false, true) => Self::Added,
        }
    }

    /// One of three names.
    const fn pick(self, names: [&'static str; 3]) -> &'static str {
        match self {
            Self::Added => names[0],
            Self::Updated => names[1],
            Self::Deleted => names[2],
        }
    }
}

/// What a driver of storage speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverWord {
    /// Itself.
    Driver,
    /// A node.
    Node,
    /// Where it has room.
    Capacity,
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
            Self::Claim(..) | Self::Volume(_) | Self::Class(_) | Self::Driver(..) => {
                ChangeKind::Storage
            }
            Self::Namespace(_) => ChangeKind::Namespace,
        }
    }

    /// What Kubernetes calls such an event.
    pub fn event(&self) -> &'static str {
        match self {
            Self::NodeCame(_) => "NodeAdd",
            Self::NodeChanged(before, after) => node_event(before, after),
            Self::NodeWent(_) => "NodeDelete",
            Self::PodCame(_) => "AssignedPodAdd",
            Self::PodChanged(before, after) => pod_event(before, after),
            Self::PodWent(_) => "AssignedPodDelete",
            Self::Claim(_, turn) => turn.pick([
                "PersistentVolumeClaimAdd",
                "PersistentVolumeClaimUpdate",
                "PersistentVolumeClaimDelete",
            ]),
            Self::Volume(turn) => turn.pick([
                "PersistentVolumeAdd",
                "PersistentVolumeUpdate",
                "PersistentVolumeDelete",
            ]),
            Self::Class(turn) => {
                turn.pick(["StorageClassAdd", "StorageClassUpdate", "StorageClassDelete"])
            }
            Self::Driver(DriverWord::Driver, turn) => {
                turn.pick(["CSIDriverAdd", "CSIDriverUpdate", "CSIDriverDelete"])
            }
            Self::Driver(DriverWord::Node, turn) => {
                turn.pick(["CSINodeAdd", "CSINodeUpdate", "CSINodeDelete"])
            }
            Self::Driver(DriverWord::Capacity, turn) => turn.pick([
                "CSIStorageCapacityAdd",
                "CSIStorageCapacityUpdate",
                "CSIStorageCapacityDelete",
            ]),
            Self::Namespace(turn) => {
                turn.pick(["NamespaceAdd", "NamespaceUpdate", "NamespaceDelete"])
            }
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

/// By what has changed of a node, the first that has.
fn node_event(before: &Offer, after: &Offer) -> &'static str {
    if (&before.allocatable, before.max_pods) != (&after.allocatable, after.max_pods) {
        "NodeUpdateNodeAllocatable"
    } else if before.labels != after.labels {
        "NodeUpdateNodeLabel"
    } else if (&before.taints, before.is_unschedulable) != (&after.taints, after.is_unschedulable) {
        "NodeUpdateNodeTaint"
    } else {
        "NodeUpdate"
    }
}

/// By what has changed of a pod that has a node, the first that has.
fn pod_event(before: &Demand, after: &Demand) -> &'static str {
    if before.kin != after.kin {
        "AssignedPodUpdatePodLabel"
    } else if before.template.requests != after.template.requests {
        "AssignedPodUpdatePodScaleDown"
    } else {
        "AssignedPodUpdate"
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_called_as_kubernetes_calls_them() {
        let (before, mut after) = (Offer::default(), Offer { max_pods: 7, ..Offer::default() });
        assert_eq!(Change::NodeChanged(&before, &after).event(), "NodeUpdateNodeAllocatable");
        (after.max_pods, after.is_unschedulable) = (0, true);
        assert_eq!(Change::NodeChanged(&before, &after).event(), "NodeUpdateNodeTaint");
        for (word, expected) in [
            (DriverWord::Driver, "CSIDriverAdd"),
            (DriverWord::Node, "CSINodeAdd"),
            (DriverWord::Capacity, "CSIStorageCapacityAdd"),
        ] {
            assert_eq!(Change::Driver(word, Turn::of(false, true)).event(), expected);
        }
        let claim = NamespacedName::new("default", "data");
        for (was, is, expected) in
            [(false, true, "Add"), (true, true, "Update"), (true, false, "Delete")]
        {
            let event = Change::Claim(&claim, Turn::of(was, is)).event();
            assert_eq!(event.strip_prefix("PersistentVolumeClaim"), Some(expected));
        }
    }
}
