//! Claims, volumes, classes and drivers of storage, and which volumes a pod would get on which node.

mod drivers;
mod objects;
mod plan;

use std::collections::HashMap;
use std::sync::Arc;

use wk_api::names::NamespacedName;

use crate::demand::Demand;
use crate::framework::Turn;
pub use drivers::{Attachment, Capacity, Driver, Limits};
pub use objects::{AccessModes, Claim, Class, Volume};
pub use plan::{Conflict, PodClaims, VolumePlan};

/// The annotation by which a claim asks for a volume that is reachable from a node.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// The annotation of a claim whose binding is complete.
pub const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// The annotation of what was bound by us and not by the user.
pub const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";

/// All claims, volumes, classes and drivers, and what is decided about them.
#[derive(Debug, Default)]
pub struct Storage {
    claims: HashMap<NamespacedName, Arc<Claim>>,
    volumes: HashMap<Box<str>, Arc<Volume>>,
    classes: HashMap<Box<str>, Arc<Class>>,
    drivers: HashMap<Box<str>, Arc<Driver>>,
    capacities: HashMap<NamespacedName, Arc<Capacity>>,
    /// By the names of the nodes.
    limits: HashMap<Box<str>, Arc<Limits>>,
    /// How many pods with a node use each claim.
    uses: HashMap<NamespacedName, i64>,
    /// Volumes that are promised to claims, and nodes for which claims shall get volumes, while
    /// that is not yet seen from the server.
    promised: HashMap<Box<str>, NamespacedName>,
    selected: HashMap<NamespacedName, Box<str>>,
}

impl Storage {
    /// Takes over a claim; `None` if it is gone. Returns what became of it.
    pub fn put_claim(&mut self, key: &NamespacedName, claim: Option<Arc<Claim>>) -> Turn {
        let is = claim.is_some();
        let before = match claim {
            Some(claim) => self.claims.insert(key.clone(), claim),
            None => self.claims.remove(key),
        };
        Turn::of(before.is_some(), is)
    }

    /// Takes over a volume; `None` if it is gone. Returns what became of it.
    pub fn put_volume(&mut self, name: &str, volume: Option<Arc<Volume>>) -> Turn {
        let is = volume.is_some();
        let before = match volume {
            Some(volume) => self.volumes.insert(name.into(), volume),
            None => self.volumes.remove(name),
        };
        Turn::of(before.is_some(), is)
    }

    /// Takes over a class; `None` if it is gone. Returns what became of it.
    pub fn put_class(&mut self, name: &str, class: Option<Arc<Class>>) -> Turn {
        let is = class.is_some();
        let before = match class {
            Some(class) => self.classes.insert(name.into(), class),
            None => self.classes.remove(name),
        };
        Turn::of(before.is_some(), is)
    }

    /// Takes over a driver; `None` if it is gone. Returns what became of it.
    pub fn put_driver(&mut self, name: &str, driver: Option<Arc<Driver>>) -> Turn {
        let is = driver.is_some();
        let before = match driver {
            Some(driver) => self.drivers.insert(name.into(), driver),
            None => self.drivers.remove(name),
        };
        Turn::of(before.is_some(), is)
    }

    /// Takes over where there is room for new volumes; `None` if it is no longer told.
    pub fn put_capacity(&mut self, key: &NamespacedName, capacity: Option<Arc<Capacity>>) -> Turn {
        let is = capacity.is_some();
        let before = match capacity {
            Some(capacity) => self.capacities.insert(key.clone(), capacity),
            None => self.capacities.remove(key),
        };
        Turn::of(before.is_some(), is)
    }

    /// Takes over how many volumes can be attached to a node; `None` if that is not limited.
    pub fn put_limits(&mut self, node: &str, limits: Option<Arc<Limits>>) -> Turn {
        let is = limits.is_some();
        let before = match limits {
            Some(limits) => self.limits.insert(node.into(), limits),
            None => self.limits.remove(node),
        };
        Turn::of(before.is_some(), is)
    }

    /// A claim.
    pub fn claim(&self, key: &NamespacedName) -> Option<&Claim> {
        self.claims.get(key).map(|claim| &**claim)
    }

    /// A volume.
    pub fn volume(&self, name: &str) -> Option<&Volume> {
        self.volumes.get(name).map(|volume| &**volume)
    }

    /// How many pods with a node use a claim.
    pub fn users(&self, claim: &NamespacedName) -> i64 {
        self.uses.get(claim).copied().unwrap_or(0)
    }

    /// Counts (or with -1 discounts) a pod that has a node as a user of its claims.
    pub(crate) fn use_claims(&mut self, pod: &Demand, step: i64) {
        for claim in &pod.claims {
            let key = pod.claim_key(claim);
            let users = self.uses.entry(key.clone()).or_default();
            *users += step;
            if *users == 0 {
                self.uses.remove(&key);
            }
        }
    }

    /// What is planned counts at once.
    pub fn assume(&mut self, plan: &VolumePlan) {
        for (claim, volume) in &plan.bind {
            self.promised.insert(volume.clone(), claim.clone());
        }
        for claim in &plan.provision {
            self.selected.insert(claim.clone(), plan.node.clone());
        }
    }

    /// What was planned is seen, or given up.
    pub fn forget(&mut self, plan: &VolumePlan) {
        for (claim, volume) in &plan.bind {
            if self.promised.get(volume) == Some(claim) {
                self.promised.remove(volume);
            }
        }
        for claim in &plan.provision {
            if self.selected.get(claim) == Some(&plan.node) {
                self.selected.remove(claim);
            }
        }
    }
}
