//! Pods for which room is made on a node.

use std::collections::HashMap;
use std::sync::Arc;

use wk_api::names::NamespacedName;

use crate::demand::Demand;

/// Which pods are to come to which node, once others have gone.
#[derive(Debug, Default)]
pub(super) struct Nominations {
    of_pod: HashMap<NamespacedName, Box<str>>,
    of_node: HashMap<Box<str>, Vec<Arc<Demand>>>,
}

impl Nominations {
    pub(super) fn put(&mut self, demand: Arc<Demand>, node: &str) {
        let key = demand.key();
        self.remove(&key);
        self.of_pod.insert(key, node.into());
        self.of_node.entry(node.into()).or_default().push(demand);
    }

    pub(super) fn remove(&mut self, key: &NamespacedName) -> Option<Arc<Demand>> {
        let node = self.of_pod.remove(key)?;
        let pods = self.of_node.get_mut(&node)?;
        let is_it = |one: &Arc<Demand>| {
            *one.name == *key.name && Some(&*one.kin.namespace) == key.namespace.as_deref()
        };
        let demand = pods.iter().position(is_it).map(|index| pods.swap_remove(index));
        if pods.is_empty() {
            self.of_node.remove(&node);
        }
        demand
    }

    pub(super) fn of_node(&self, node: &str) -> &[Arc<Demand>] {
        // Nearly always there are none at all.
        if self.of_node.is_empty() {
            return &[];
        }
        self.of_node.get(node).map_or(&[], Vec::as_slice)
    }

    pub(super) fn of_pod(&self, key: &NamespacedName) -> Option<&str> {
        self.of_pod.get(key).map(|node| &**node)
    }
}
