//! What the scheduler keeps of the drivers that make and attach volumes.

use k8s_openapi::api::storage::v1::{CSIDriver, CSINode, CSIStorageCapacity};
use wk_api::names::NamespacedName;

use super::{Storage, objects::bytes};
use crate::demand::Demand;
use crate::labels::{Labels, Selector};

/// What the scheduler keeps of a `CSIDriver`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Driver {
    /// Whether it says where it has room for new volumes.
    pub tells_capacity: bool,
}

impl Driver {
    /// What the scheduler keeps of `driver`.
    pub fn of(driver: &CSIDriver) -> Self {
        Self { tells_capacity: driver.spec.storage_capacity == Some(true) }
    }
}

/// What the scheduler keeps of a `CSIStorageCapacity`: room for volumes of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// The class.
    pub class: Box<str>,
    /// The largest volume that can be made, in bytes; `None` if the driver does not say.
    pub largest: Option<i64>,
    /// The nodes that reach it; `None` is no node.
    pub nodes: Option<Selector>,
}

impl Capacity {
    /// What the scheduler keeps of `capacity`.
    pub fn of(capacity: CSIStorageCapacity) -> Self {
        let largest = capacity.maximum_volume_size.or(capacity.capacity);
        Self {
            class: capacity.storage_class_name.into(),
            largest: largest.as_ref().map(bytes),
            nodes: capacity.node_topology.map(|selector| Selector::new(Some(selector))),
        }
    }

    fn holds(&self, class: &str, size: i64, node: &Labels) -> bool {
        *self.class == *class
            && self.largest.is_some_and(|largest| largest >= size)
            && self.nodes.as_ref().is_some_and(|nodes| nodes.matches(node))
    }
}

/// What the scheduler keeps of a `CSINode`: how many volumes of which drivers can be attached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits(Box<[(Box<str>, usize)]>);

impl Limits {
    /// What the scheduler keeps of `node`; `None` if it sets no limit.
    pub fn of(node: CSINode) -> Option<Self> {
        let limits = node.spec.drivers.into_iter().filter_map(|driver| {
            let count = driver.allocatable?.count?;
            Some((driver.name.into(), usize::try_from(count).unwrap_or(0)))
        });
        let limits: Box<[_]> = limits.collect();
        (!limits.is_empty()).then_some(Self(limits))
    }

    /// The drivers with a limit.
    pub fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.iter().map(|(driver, count)| (&**driver, *count))
    }
}

/// A volume as its driver attaches it to a node, however many pods use it there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attachment {
    /// The driver.
    pub driver: Box<str>,
    /// Tells the volumes of the driver apart.
    pub volume: Box<str>,
}

impl Storage {
    /// Whether some node limits how many volumes can be attached to it.
    pub fn has_limits(&self) -> bool {
        !self.limits.is_empty()
    }

    /// How many volumes can be attached to a node; `None` is any number.
    pub fn limits(&self, node: &str) -> Option<&Limits> {
        self.limits.get(node).map(|limits| &**limits)
    }

    /// The volumes that drivers attach for a pod, those included that are still to be made.
    pub fn attachments<'a>(&'a self, pod: &'a Demand) -> impl Iterator<Item = Attachment> + 'a {
        pod.claims.iter().filter_map(|used| {
            let key = pod.claim_key(used);
            let claim = self.claim(&key)?;
            match claim.volume.as_ref().and_then(|name| self.volume(name)) {
                Some(volume) => volume.attached.clone(),
                None => self.to_be_made(&key, &claim.class),
            }
        })
    }

    /// The volume that the driver of a class will make for a claim.
    fn to_be_made(&self, claim: &NamespacedName, class: &str) -> Option<Attachment> {
        let class = self.classes.get(class).filter(|class| class.can_provision)?;
        Some(Attachment {
            driver: class.provisioner.clone(),
            volume: format!("made for {claim}").into(),
        })
    }

    /// Whether there is room for a new volume where a node reaches it; so it is, too, if the driver
    /// does not say.
    pub(super) fn has_room(&self, class: &str, size: i64, node: &Labels) -> bool {
        let Some(own) = self.classes.get(class) else { return false };
        let driver = self.drivers.get(&own.provisioner);
        !driver.is_some_and(|driver| driver.tells_capacity)
            || self.capacities.values().any(|one| one.holds(class, size, node))
    }
}
