//! Taking over what changed, and waking the pods that it may help.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::Instant;
use wk_api::names::NamespacedName;

use super::Scheduler;
use crate::demand::Demand;
use crate::framework::{Change, FilterSet};
use crate::inbox::Kind;
use crate::owners::OwnerKind;

impl Scheduler {
    pub(super) fn take_over(&mut self, changed: BTreeSet<(Kind, NamespacedName)>) {
        for (kind, key) in changed {
            match kind {
                Kind::Namespace => {
                    self.cluster.put_namespace(&key.name, self.caches.namespaces.get(&key));
                    self.wake(&Change::Namespace);
                }
                Kind::Class => {
                    self.cluster.storage.put_class(&key.name, self.caches.classes.get(&key));
                    self.wake(&Change::Class);
                }
                Kind::Driver => {
                    self.cluster.storage.put_driver(&key.name, self.caches.drivers.get(&key));
                    self.wake(&Change::Driver);
                }
                Kind::Capacity => {
                    self.cluster.storage.put_capacity(&key, self.caches.capacities.get(&key));
                    self.wake(&Change::Driver);
                }
                Kind::CsiNode => {
                    self.cluster.storage.put_limits(&key.name, self.caches.limits.get(&key));
                    self.wake(&Change::Driver);
                }
                Kind::Volume => {
                    self.cluster.storage.put_volume(&key.name, self.caches.volumes.get(&key));
                    self.volume_changed();
                    self.wake(&Change::Volume);
                }
                Kind::Claim => {
                    self.cluster.storage.put_claim(&key, self.caches.claims.get(&key));
                    self.claim_changed(&key);
                    self.wake(&Change::Claim(&key));
                }
                Kind::Budget => {
                    self.cluster.budgets.put(&key, self.caches.budgets.get(&key));
                }
                Kind::Service => {
                    self.cluster.owners.put_service(&key, self.caches.services.get(&key));
                }
                Kind::ReplicationController => {
                    let selector = self.caches.replication_controllers.get(&key);
                    let kind = OwnerKind::ReplicationController;
                    self.cluster.owners.put_maker(kind, &key, selector);
                }
                Kind::ReplicaSet => {
                    let selector = self.caches.replica_sets.get(&key);
                    self.cluster.owners.put_maker(OwnerKind::ReplicaSet, &key, selector);
                }
                Kind::StatefulSet => {
                    let selector = self.caches.stateful_sets.get(&key);
                    self.cluster.owners.put_maker(OwnerKind::StatefulSet, &key, selector);
                }
                Kind::Node => self.node_changed(&key.name),
                Kind::Pod => self.pod_changed(&key),
            }
        }
    }

    fn node_changed(&mut self, name: &str) {
        match self.caches.nodes.get_cluster(name) {
            Some(offer) => match self.cluster.put_node(&offer) {
                // Most of what nodes report changes nothing here.
                Some(before) if before == offer => {}
                Some(before) => self.wake(&Change::NodeChanged(&before, &offer)),
                None => self.wake(&Change::NodeCame(&offer)),
            },
            None => {
                if let Some(before) = self.cluster.remove_node(name) {
                    self.wake(&Change::NodeWent(&before));
                }
            }
        }
    }

    fn pod_changed(&mut self, key: &NamespacedName) {
        let Some(demand) = self.caches.pods.get(key) else {
            self.gated.remove(key);
            self.queue.remove(key);
            self.stop_waiting(key);
            self.pod_went(key);
            return;
        };
        let is_gated = demand.node.is_none() && demand.template.is_gated && !demand.is_terminating;
        if is_gated && self.lane(&demand).is_some() {
            self.gated.insert(key.clone());
        } else {
            self.gated.remove(key);
        }
        if let Some(node) = &demand.node {
            self.queue.remove(key);
            self.stop_waiting(key);
            match self.cluster.put_bound(Arc::clone(&demand), node) {
                Some(before) if before.uid == demand.uid => {
                    self.wake(&Change::PodChanged(&before, &demand));
                }
                Some(before) => {
                    self.wake(&Change::PodWent(&before));
                    self.wake(&Change::PodCame(&demand));
                }
                None => self.wake(&Change::PodCame(&demand)),
            }
        } else if self.cluster.is_assumed(key, &demand.uid) {
            // Its binding is under way, and this is an earlier state of it.
        } else {
            if self.cluster.has_pod(key) {
                self.stop_waiting(key);
                self.pod_went(key);
            }
            if self.is_ours(&demand) {
                // What was just decided is more than the server has seen.
                if !self.preempting.contains(key) {
                    self.cluster.nominate(&demand, demand.nominated.as_deref());
                }
                self.queue.put(key, demand);
            } else {
                self.queue.remove(key);
                self.pod_went(key);
            }
        }
    }

    /// A pod is gone, and with it what it used or what was kept for it.
    pub(super) fn pod_went(&mut self, key: &NamespacedName) {
        let waited = self.cluster.forget_nomination(key);
        if let Some(gone) = self.cluster.remove_pod(key).or(waited) {
            self.wake(&Change::PodWent(&gone));
        }
    }

    /// Whether a node is to be chosen for a pod that has none.
    pub(super) fn is_ours(&self, demand: &Demand) -> bool {
        !demand.is_terminating && !demand.template.is_gated && self.lane(demand).is_some()
    }

    /// Brings the pods back that a change may help.
    pub(super) fn wake(&mut self, change: &Change<'_>) {
        let Self { queue, lanes, cluster, .. } = self;
        let mut minding = FilterSet::default();
        for lane in lanes.values() {
            minding.insert(lane.profile.minding(change.kind()));
        }
        queue.wake(Instant::now(), change.event(), minding, |pod, refused_by| {
            let lane = lanes.get(&pod.template.scheduler);
            lane.is_some_and(|lane| lane.profile.is_helped(pod, refused_by, change, cluster))
        });
    }
}
