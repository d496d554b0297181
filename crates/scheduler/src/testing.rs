//! Clusters in a few lines, for tests.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::budgets::Budget;
use crate::cluster::Cluster;
use crate::config::ProfileConfig;
use crate::demand::{Demand, Shared};
use crate::labels::Labels;
use crate::offer::Offer;
use crate::owners::{OwnerKind, of_service};
use crate::plan::{Chance, Unschedulable, choose};
use crate::profile::Profile;
use crate::storage::{Capacity, Claim, Class, Driver, Limits, Volume};
use wk_api::names::NamespacedName;

/// A cluster and the rules of a profile.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) profile: Profile,
    shared: Shared,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(&ProfileConfig::new("default-scheduler"))
    }

    pub(crate) fn with(config: &ProfileConfig) -> Self {
        let (cluster, shared) = (Cluster::default(), Shared::default());
        Self { cluster, profile: Profile::new(config), shared }
    }

    /// Three nodes `a`, `b` and `c`, the first two in zone 1 and the third in zone 2.
    pub(crate) fn of_three() -> Self {
        let mut world = Self::new();
        for (name, zone) in [("a", "1"), ("b", "1"), ("c", "2")] {
            world.node(name, |node| node["metadata"]["labels"]["zone"] = json!(zone));
        }
        world
    }

    /// Puts in a node with 4 processors, 8 GiB and its name as a label, after `change`.
    pub(crate) fn node(&mut self, name: &str, change: impl FnOnce(&mut Value)) -> Arc<Offer> {
        let mut node = json!({
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
            "spec": {},
            "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}},
        });
        change(&mut node);
        let offer = Arc::new(Offer::of(serde_json::from_value(node).unwrap()));
        self.cluster.put_node(&offer);
        offer
    }

    /// A pod in the namespace `default`; what is in `pod` comes on top.
    pub(crate) fn pod(&self, name: &str, pod: &Value) -> Arc<Demand> {
        let mut object = json!({
            "metadata": {"name": name, "namespace": "default", "uid": format!("uid of {name}")},
            "spec": {"containers": []},
        });
        merge(&mut object, pod);
        let pod = serde_json::from_value(object).unwrap();
        Arc::new(Demand::of(pod, &self.shared).unwrap())
    }

    /// Puts a pod on a node.
    pub(crate) fn place(&mut self, name: &str, pod: &Value, node: &str) -> Arc<Demand> {
        let pod = self.pod(name, pod);
        self.cluster.put_bound(Arc::clone(&pod), node);
        pod
    }

    pub(crate) fn namespace(&mut self, name: &str, labels: Value) {
        let labels = Labels::new(serde_json::from_value(labels).unwrap());
        self.cluster.put_namespace(name, Some(Arc::new(labels)));
    }

    pub(crate) fn budget(&mut self, name: &str, labels: &Value, allowed: i32) {
        let budget = json!({"metadata": {"name": name, "namespace": "default"},
            "spec": {"selector": {"matchLabels": labels}},
            "status": {"disruptionsAllowed": allowed, "currentHealthy": 0, "desiredHealthy": 0,
                "expectedPods": 0}});
        let budget = Budget::of(serde_json::from_value(budget).unwrap()).map(Arc::new);
        self.cluster.budgets.put(&key(name), budget);
    }

    pub(crate) fn service(&mut self, name: &str, selector: &Value) {
        let service = json!({"metadata": {"name": name}, "spec": {"selector": selector}});
        let selector = of_service(serde_json::from_value(service).unwrap()).map(Arc::new);
        self.cluster.owners.put_service(&key(name), selector);
    }

    pub(crate) fn replica_set(&mut self, name: &str, selector: Value) {
        let selector = crate::labels::Selector::new(serde_json::from_value(selector).unwrap());
        let kind = OwnerKind::ReplicaSet;
        self.cluster.owners.put_maker(kind, &key(name), Some(Arc::new(selector)));
    }

    pub(crate) fn class(&mut self, name: &str, class: &Value) {
        let mut object = json!({"metadata": {"name": name}, "provisioner": "p"});
        merge(&mut object, class);
        let class = Class::of(serde_json::from_value(object).unwrap());
        self.cluster.storage.put_class(name, Some(Arc::new(class)));
    }

    pub(crate) fn claim(&mut self, name: &str, claim: &Value) {
        let mut object = json!({"metadata": {"name": name, "namespace": "default", "uid": name},
            "spec": {"accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}}}});
        merge(&mut object, claim);
        let claim = Claim::of(serde_json::from_value(object).unwrap());
        self.cluster.storage.put_claim(&key(name), Some(Arc::new(claim)));
    }

    pub(crate) fn volume(&mut self, name: &str, volume: &Value) {
        let mut object = json!({"metadata": {"name": name},
            "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}},
            "status": {"phase": "Available"}});
        merge(&mut object, volume);
        let volume = Volume::of(serde_json::from_value(object).unwrap());
        self.cluster.storage.put_volume(name, Some(Arc::new(volume)));
    }

    /// A driver `p` that tells where it has room for new volumes.
    pub(crate) fn telling_driver(&mut self) {
        let driver = json!({"metadata": {"name": "p"}, "spec": {"storageCapacity": true}});
        let driver = Driver::of(&serde_json::from_value(driver).unwrap());
        self.cluster.storage.put_driver("p", Some(Arc::new(driver)));
    }

    pub(crate) fn capacity(&mut self, name: &str, class: &str, capacity: &Value) {
        let mut object = json!({"metadata": {"name": name}, "storageClassName": class});
        merge(&mut object, capacity);
        let capacity = Capacity::of(serde_json::from_value(object).unwrap());
        self.cluster.storage.put_capacity(&key(name), Some(Arc::new(capacity)));
    }

    /// As many volumes of the driver `p` can be attached to a node.
    pub(crate) fn limit(&mut self, node: &str, count: usize) {
        let object = json!({"metadata": {"name": node}, "spec": {"drivers": [
            {"name": "p", "nodeID": node, "allocatable": {"count": count}}]}});
        let limits = Limits::of(serde_json::from_value(object).unwrap());
        self.cluster.storage.put_limits(node, limits.map(Arc::new));
    }

    /// The node for a pod, or why there is none.
    pub(crate) fn choose(&self, pod: &Demand, tie: u64) -> Result<String, Unschedulable> {
        let chance = Chance { tie, start: 0 };
        let (chosen, _) = choose(&self.profile, pod, &self.cluster, chance);
        chosen.map(|chosen| chosen.node.to_string())
    }

    /// Checks which node a pod gets whatever chance says, or what it is told.
    #[track_caller]
    pub(crate) fn check(&self, case: &str, pod: &Value, expected: Result<&str, &str>) {
        for tie in 0..6 {
            let chosen = self.choose(&self.pod("new", pod), tie);
            let chosen = chosen.as_deref().map_err(|refused| refused.message.as_str());
            assert_eq!(chosen, expected, "{case}");
        }
    }

    /// Checks that a pod may get each of these nodes, and no other.
    #[track_caller]
    pub(crate) fn check_any(&self, case: &str, pod: &Value, expected: &[&str]) {
        let pod = self.pod("new", pod);
        let chosen: std::collections::BTreeSet<String> =
            (0..60).map(|tie| self.choose(&pod, tie).unwrap()).collect();
        assert!(chosen.iter().eq(expected), "{case}: {chosen:?}");
    }
}

/// A key in the namespace `default`.
pub(crate) fn key(name: &str) -> NamespacedName {
    NamespacedName::new("default", name)
}

/// A pod that asks for this.
pub(crate) fn asking(cpu: &str, memory: &str) -> Value {
    requesting(&json!({"cpu": cpu, "memory": memory}))
}

/// A pod with one container with these requests.
pub(crate) fn requesting(requests: &Value) -> Value {
    json!({"spec": {"containers": [{"name": "c", "resources": {"requests": requests}}]}})
}

/// One pod description on top of another.
pub(crate) fn both(mut one: Value, other: &Value) -> Value {
    merge(&mut one, other);
    one
}

/// What a pod is told after its filters have spoken.
pub(crate) fn unhelpful(nodes: usize) -> String {
    format!(
        "preemption: 0/{nodes} nodes are available: {nodes} Preemption is not helpful for \
         scheduling."
    )
}

fn merge(object: &mut Value, change: &Value) {
    match (object, change) {
        (Value::Object(object), Value::Object(change)) => {
            for (key, value) in change {
                merge(object.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (object, change) => *object = change.clone(),
    }
}
