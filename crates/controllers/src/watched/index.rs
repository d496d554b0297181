//! Pods by whose they are, and by where they are.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use wk_api::names::{NamespacedName, Uid};

use super::PodView;
use crate::meta::Owner;

/// Which pods a controller has, which have none, and which are on a node.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_controller: Groups<Uid>,
    by_node: Groups<String>,
    without: BTreeSet<NamespacedName>,
    of_pod: HashMap<NamespacedName, Place>,
}

/// Keys by something they share.
type Groups<K> = HashMap<K, BTreeSet<NamespacedName>>;

/// Where a pod is in the index.
#[derive(Debug)]
struct Place {
    owner: Option<Owner>,
    node: Option<String>,
}

fn take<K: Eq + Hash>(groups: &mut Groups<K>, group: &K, key: &NamespacedName) {
    if let Some(keys) = groups.get_mut(group) {
        keys.remove(key);
        if keys.is_empty() {
            groups.remove(group);
        }
    }
}

impl Index {
    /// Notes what a pod is now, `None` if it is gone, and returns who managed it before.
    pub(super) fn put(&mut self, key: &NamespacedName, pod: Option<&PodView>) -> Option<Owner> {
        let before = self.of_pod.remove(key);
        if let Some(place) = &before {
            match &place.owner {
                Some(owner) => take(&mut self.by_controller, &owner.uid, key),
                None => {
                    self.without.remove(key);
                }
            }
            if let Some(node) = &place.node {
                take(&mut self.by_node, node, key);
            }
        }
        if let Some(pod) = pod {
            let (owner, node) = (pod.controller().cloned(), pod.node.clone());
            match &owner {
                Some(owner) => {
                    let keys = self.by_controller.entry(owner.uid.clone()).or_default();
                    keys.insert(key.clone());
                }
                None => {
                    self.without.insert(key.clone());
                }
            }
            if let Some(node) = &node {
                self.by_node.entry(node.clone()).or_default().insert(key.clone());
            }
            self.of_pod.insert(key.clone(), Place { owner, node });
        }
        before.and_then(|place| place.owner)
    }

    /// The pods on a node.
    pub(super) fn on(&self, node: &str) -> Vec<NamespacedName> {
        self.by_node.get(node).into_iter().flatten().cloned().collect()
    }

    pub(super) fn of(&self, controller: &Uid) -> Vec<NamespacedName> {
        self.by_controller.get(controller).into_iter().flatten().cloned().collect()
    }

    pub(super) fn without_in(&self, namespace: &str) -> Vec<NamespacedName> {
        self.without
            .range(NamespacedName::new(namespace, "")..)
            .take_while(|key| key.namespace.as_deref() == Some(namespace))
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_found_by_their_controller() {
        let mut index = Index::default();
        let key = NamespacedName::new("default", "p");
        let orphan = PodView::sample("p");
        let owner = Owner {
            api_version: "apps/v1".into(),
            kind: "ReplicaSet".into(),
            name: "web".into(),
            uid: Uid::new("w"),
            is_controller: true,
            blocks: true,
        };
        let owned = orphan.clone().with_meta(|meta| meta.owners = [owner.clone()].into());
        assert_eq!(index.put(&key, Some(&orphan)), None);
        assert_eq!(index.without_in("default"), std::slice::from_ref(&key));
        assert_eq!(index.without_in("defaul"), []);
        assert_eq!(index.put(&key, Some(&owned)), None);
        assert_eq!(index.of(&owner.uid), std::slice::from_ref(&key));
        assert_eq!(index.without_in("default"), []);
        assert_eq!(index.on("n"), std::slice::from_ref(&key));
        assert_eq!(index.put(&key, None), Some(owner));
        assert!(index.by_controller.is_empty() && index.of_pod.is_empty());
        assert!(index.by_node.is_empty());
    }
}
