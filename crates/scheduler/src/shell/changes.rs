//! Taking over what changed, and waking the pods that it may help.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::Instant;
use wk_api::names::NamespacedName;

use super::Scheduler;
use crate::demand::Demand;
use crate::framework::{Change, DriverWord, FilterSet};
use crate::inbox::Kind;
use crate::owners::OwnerKind;

impl Scheduler {
    pub(super) fn take_over(&mut self, changed: BTreeSet<(Kind, NamespacedName)>) {
        for (kind, key) in changed {
            let begun = Instant::now();
            if let Some(event) = self.take_over_one(kind, &key) {
                self.metrics.took_over(event, begun.elapsed());
            }
        }
    }

    /// Returns the event that it is, if any.
    fn take_over_one(&mut self, kind: Kind, key: &NamespacedName) -> Option<&'static str> {
        let Self { cluster, caches, .. } = self;
        let name = &key.name;
        let change = match kind {
            Kind::Namespace => {
                Change::Namespace(cluster.put_namespace(name, caches.namespaces.get(key)))
            }
            Kind::Class => Change::Class(cluster.storage.put_class(name, caches.classes.get(key))),
            Kind::Driver => {
                let turn = cluster.storage.put_driver(name, caches.drivers.get(key));
                Change::Driver(DriverWord::Driver, turn)
            }
            Kind::Capacity => {
                let turn = cluster.storage.put_capacity(key, caches.capacities.get(key));
                Change::Driver(DriverWord::Capacity, turn)
            }
            Kind::CsiNode => {
                let turn = cluster.storage.put_limits(name, caches.limits.get(key));
                Change::Driver(DriverWord::Node, turn)
            }
            Kind::Volume => {
                let turn = cluster.storage.put_volume(name, caches.volumes.get(key));
                self.volume_changed();
                Change::Volume(turn)
            }
            Kind::Claim => {
                let turn = cluster.storage.put_claim(key, caches.claims.get(key));
                self.claim_changed(key);
                Change::Claim(key, turn)
            }
            Kind::Node => return self.node_changed(name),
            Kind::Pod => return Some(self.pod_changed(key)),
            Kind::Budget
            | Kind::Service
            | Kind::ReplicationController
            | Kind::ReplicaSet
            | Kind::StatefulSet => {
                self.selector_changed(kind, key);
                return None;
            }
        };
        self.wake(&change);
        Some(change.event())
    }

    /// Takes over what selects pods; no pod without a place is helped by that.
    fn selector_changed(&mut self, kind: Kind, key: &NamespacedName) {
        let Self { cluster, caches, .. } = self;
        match kind {
            Kind::Budget => cluster.budgets.put(key, caches.budgets.get(key)),
            Kind::Service => cluster.owners.put_service(key, caches.services.get(key)),
            Kind::ReplicationController => {
                let selector = caches.replication_controllers.get(key);
                cluster.owners.put_maker(OwnerKind::ReplicationController, key, selector);
            }
            Kind::ReplicaSet => {
                let selector = caches.replica_sets.get(key);
                cluster.owners.put_maker(OwnerKind::ReplicaSet, key, selector);
            }
            Kind::StatefulSet => {
                let selector = caches.stateful_sets.get(key);
                cluster.owners.put_maker(OwnerKind::StatefulSet, key, selector);
            }
            _ => {}
        }
    }

    fn node_changed(&mut self, name: &str) -> Option<&'static str> {
        let (before, after) = match self.caches.nodes.get_cluster(name) {
            Some(offer) => (self.cluster.put_node(&offer), Some(offer)),
            None => (self.cluster.remove_node(name), None),
        };
        let change = match (&before, &after) {
            (None, None) => return None,
            // Most of what nodes report changes nothing here.
            (Some(before), Some(after)) if before == after => return Some("NodeUpdate"),
            (Some(before), Some(after)) => Change::NodeChanged(before, after),
            (None, Some(after)) => Change::NodeCame(after),
            (Some(before), None) => Change::NodeWent(before),
        };
        self.wake(&change);
        Some(change.event())
    }

    fn pod_changed(&mut self, key: &NamespacedName) -> &'static str {
        let Some(demand) = self.caches.pods.get(key) else {
            self.ungate(key);
            self.queue.remove(key);
            self.stop_waiting(key);
            return self.pod_went(key);
        };
        let is_gated = demand.node.is_none() && demand.template.is_gated && !demand.is_terminating;
        if is_gated && self.lane(&demand).is_some() {
            self.gate(key, &demand);
        } else {
            self.ungate(key);
        }
        if let Some(node) = &demand.node {
            self.queue.remove(key);
            self.stop_waiting(key);
            return self.pod_placed(&demand, node);
        }
        if self.cluster.is_assumed(key, &demand.uid) {
            // Its binding is under way, and this is an earlier state of it.
            return "UnschedulablePodUpdate";
        }
        if self.cluster.has_pod(key) {
            self.stop_waiting(key);
            self.pod_went(key);
        }
        if self.is_ours(&demand) {
            // What was just decided is more than the server has seen.
            if !self.preempting.contains(key) {
                self.cluster.nominate(&demand, demand.nominated.as_deref());
            }
            return self.queue.put(key, demand);
        }
        self.queue.remove(key);
        self.pod_went(key);
        "UnschedulablePodUpdate"
    }

    /// A pod is on a node.
    fn pod_placed(&mut self, demand: &Arc<Demand>, node: &str) -> &'static str {
        let before = self.cluster.put_bound(Arc::clone(demand), node);
        let change = match &before {
            Some(before) if before.uid == demand.uid => Change::PodChanged(before, demand),
            Some(before) => {
                self.wake(&Change::PodWent(before));
                Change::PodCame(demand)
            }
            None => Change::PodCame(demand),
        };
        self.wake(&change);
        change.event()
    }

    fn gate(&mut self, key: &NamespacedName, demand: &Demand) {
        let scheduler = &demand.template.scheduler;
        if self.gated.insert(key.clone(), scheduler.clone()).is_none() {
            self.metrics.gated(scheduler, 1);
        }
    }

    fn ungate(&mut self, key: &NamespacedName) {
        if let Some(scheduler) = self.gated.remove(key) {
            self.metrics.gated(&scheduler, -1);
        }
    }

    /// A pod is gone, and with it what it used or what was kept for it. Returns the event that it is.
    pub(super) fn pod_went(&mut self, key: &NamespacedName) -> &'static str {
        let waited = self.cluster.forget_nomination(key);
        let Some(gone) = self.cluster.remove_pod(key).or(waited) else {
            return "UnschedulablePodDelete";
        };
        let change = Change::PodWent(&gone);
        self.wake(&change);
        change.event()
    }

    /// Whether a node is to be chosen for a pod that has none.
    pub(super) fn is_ours(&self, demand: &Demand) -> bool {
        !demand.is_terminating && !demand.template.is_gated && self.lane(demand).is_some()
    }

    /// Brings the pods back that a change may help.
    pub(super) fn wake(&mut self, change: &Change<'_>) {
        let Self { queue, lanes, cluster, metrics, .. } = self;
        let mut minding = FilterSet::default();
        for lane in lanes.values() {
            minding.insert(lane.profile.minding(change.kind()));
        }
        queue.wake(Instant::now(), change.event(), minding, |pod, refused_by| {
            let Some(lane) = lanes.get(&pod.template.scheduler) else { return false };
            let mut minding = lane.profile.to_ask(refused_by, change);
            lane.profile.has_first_node(refused_by, change)
                || minding.any(|filter| {
                    let begun = Instant::now();
                    let is_helped = filter.is_helped(pod, change, cluster);
                    metrics.hinted(filter.name(), change.event(), is_helped, begun.elapsed());
                    is_helped
                })
        });
    }
}
