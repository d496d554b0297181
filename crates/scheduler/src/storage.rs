//! Claims, volumes, classes and drivers of storage, and which volumes a pod would get on which node.

mod drivers;
mod objects;
mod plan;

use std::collections::HashMap;
use std::sync::Arc;

use wk_api::names::NamespacedName;

use crate::demand::Demand;
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
    /// Takes over a claim; `None` if it is gone.
    pub fn put_claim(&mut self, key: &NamespacedName, claim: Option<Arc<Claim>>) {
        match claim {
            Some(claim) => drop(self.claims.insert(key.clone(), claim)),
            None => drop(self.claims.remove(key)),
        }
    }

    /// Takes over a volume; `None` if it is gone.
    pub fn put_volume(&mut self, name: &str, volume: Option<Arc<Volume>>) {
        match volume {
            Some(volume) => drop(self.volumes.insert(name.into(), volume)),
            None => drop(self.volumes.remove(name)),
        }
    }

    /// Takes over a class; `None` if it is gone.
    pub fn put_class(&mut self, name: &str, class: Option<Arc<Class>>) {
        match class {
            Some(class) => drop(self.classes.insert(name.into(), class)),
            None => drop(self.classes.remove(name)),
        }
    }

    /// Takes over a driver; `None` if it is gone.
    pub fn put_driver(&mut self, name: &str, driver: Option<Arc<Driver>>) {
        match driver {
            Some(driver) => drop(self.drivers.insert(name.into(), driver)),
            None => drop(self.drivers.remove(name)),
        }
    }

    /// Takes over where there is room for new volumes; `None` if it is no longer told.
    pub fn put_capacity(&mut self, key: &NamespacedName, capacity: Option<Arc<Capacity>>) {
        match capacity {
            Some(capacity) => drop(self.capacities.insert(key.clone(), capacity)),
            None => drop(self.capacities.remove(key)),
        }
    }

    /// Takes over how many volumes can be attached to a node; `None` if that is not limited.
    pub fn put_limits(&mut self, node: &str, limits: Option<Arc<Limits>>) {
        match limits {
            Some(limits) => drop(self.limits.insert(node.into(), limits)),
            None => drop(self.limits.remove(node)),
        }
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
