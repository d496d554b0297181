//! Pods that have a node and wait until their volumes are bound.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::Instant;
use wk_api::names::NamespacedName;

use super::{Done, Scheduler};
use crate::demand::Demand;
use crate::storage::{Storage, VolumePlan};

/// A pod that waits for its volumes.
#[derive(Debug)]
pub(super) struct Waiting {
    demand: Arc<Demand>,
    node: Arc<str>,
    plan: VolumePlan,
    until: Instant,
    /// Whether the server has what the plan asks for.
    is_asked: bool,
    /// Claims that were seen to ask for a volume; who takes that back cannot make one.
    seen: BTreeSet<NamespacedName>,
}

/// How far a pod's volumes are.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    Bound,
    Pending,
    Failed(String),
}

impl Waiting {
    fn progress(&mut self, storage: &Storage) -> Progress {
        let mut is_pending = false;
        for key in self.plan.claims() {
            let Some(claim) = storage.claim(key).filter(|claim| !claim.is_terminating) else {
                return Progress::Failed(format!("claim `{key}` is gone"));
            };
            if claim.is_bound {
                let volume = claim.volume.as_ref().and_then(|name| storage.volume(name));
                // The volume's own news may come after the claim's.
                is_pending |= volume.is_none();
                continue;
            }
            is_pending = true;
            if self.plan.provision.contains(key) {
                if claim.selected_node.as_deref() == Some(&*self.node) {
                    self.seen.insert(key.clone());
                } else if self.seen.contains(key) {
                    let reason = format!("selectedNode annotation reset for PVC \"{}\"", key.name);
                    return Progress::Failed(reason);
                }
            }
        }
        if is_pending { Progress::Pending } else { Progress::Bound }
    }
}

impl Scheduler {
    pub(super) fn ask_for_volumes(
        &mut self,
        key: NamespacedName,
        demand: Arc<Demand>,
        node: Arc<str>,
        plan: VolumePlan,
    ) {
        let Some(lane) = self.lane(&demand) else { return };
        let writes = lane.writes.clone();
        self.cluster.storage.assume(&plan);
        let waiting = Waiting {
            demand: Arc::clone(&demand),
            node,
            plan: plan.clone(),
            until: Instant::now() + self.config.bind_timeout,
            is_asked: false,
            seen: BTreeSet::new(),
        };
        self.waiting.insert(key.clone(), waiting);
        self.write("ask for volumes", key, demand, async move {
            Done::VolumesAsked(writes.ask_for_volumes(&plan).await)
        });
    }

    pub(super) fn volumes_asked(&mut self, key: &NamespacedName) {
        if let Some(waiting) = self.waiting.get_mut(key) {
            waiting.is_asked = true;
        }
        self.look_after(key);
    }

    /// Looks after the pods that wait for this claim.
    pub(super) fn claim_changed(&mut self, claim: &NamespacedName) {
        let concerned =
            self.waiting.iter().filter(|(_, one)| one.plan.claims().any(|c| c == claim));
        let concerned: Vec<_> = concerned.map(|(key, _)| key.clone()).collect();
        for key in concerned {
            self.look_after(&key);
        }
    }

    /// Looks after all pods that wait: a volume has changed.
    pub(super) fn volume_changed(&mut self) {
        let keys: Vec<_> = self.waiting.keys().cloned().collect();
        for key in keys {
            self.look_after(&key);
        }
    }

    fn look_after(&mut self, key: &NamespacedName) {
        let Some(waiting) = self.waiting.get_mut(key).filter(|waiting| waiting.is_asked) else {
            return;
        };
        match waiting.progress(&self.cluster.storage) {
            Progress::Pending => {}
            Progress::Bound => {
                let (demand, node) = (Arc::clone(&waiting.demand), Arc::clone(&waiting.node));
                self.stop_waiting(key);
                self.bind(key.clone(), demand, node);
            }
            Progress::Failed(reason) => {
                let demand = Arc::clone(&waiting.demand);
                self.volumes_failed(key, &demand, &reason);
            }
        }
    }

    pub(super) fn volumes_failed(
        &mut self,
        key: &NamespacedName,
        demand: &Arc<Demand>,
        reason: &str,
    ) {
        self.stop_waiting(key);
        let reason = format!("running PreBind plugin \"VolumeBinding\": binding volumes: {reason}");
        self.give_up(key, demand, &reason);
    }

    pub(super) fn stop_waiting(&mut self, key: &NamespacedName) {
        if let Some(waiting) = self.waiting.remove(key) {
            self.cluster.storage.forget(&waiting.plan);
        }
    }

    /// When the next pod has waited for its volumes for too long.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.waiting.values().map(|waiting| waiting.until).min()
    }

    pub(super) fn give_up_overdue(&mut self, now: Instant) {
        let overdue = self.waiting.iter().filter(|(_, waiting)| waiting.until <= now);
        let overdue: Vec<_> =
            overdue.map(|(key, waiting)| (key.clone(), Arc::clone(&waiting.demand))).collect();
        for (key, demand) in overdue {
            self.volumes_failed(&key, &demand, "context deadline exceeded");
        }
    }
}
