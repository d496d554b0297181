//! Pods by whose they are, and by where they are.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use wk_api::names::{NamespacedName, Uid};

use super::PodView;
use crate::meta::Owner;

/// Which pods a controller has, which have none, and which are on a node.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_controller: Groups<Uid>,
    by_node: Groups<String>,
    without: Pods,
    of_pod: HashMap<NamespacedName, Place>,
}

/// Pods as they are, by their keys: thousands of them are looked at again and again, and looking each
/// one up by its name would be most of the work.
type Pods = BTreeMap<NamespacedName, Arc<PodView>>;

/// Pods by something they share.
type Groups<K> = HashMap<K, Pods>;

/// Where a pod is in the index.
#[derive(Debug)]
struct Place {
    owner: Option<Owner>,
    node: Option<String>,
}

fn take<K: Eq + Hash>(groups: &mut Groups<K>, group: &K, key: &NamespacedName) {
    if let Some(pods) = groups.get_mut(group) {
        pods.remove(key);
        if pods.is_empty() {
            groups.remove(group);
        }
    }
}

impl Index {
    /// Notes what a pod is now, `None` if it is gone, and returns who managed it before.
    pub(super) fn put(
        &mut self,
        key: &NamespacedName,
        pod: Option<&Arc<PodView>>,
    ) -> Option<Owner> {
        if let Some(pod) = pod
            && let Some(place) = self.of_pod.get(key)
            && place.owner.as_ref() == pod.controller()
            && place.node == pod.node
        {
            let owner = place.owner.clone();
            self.replace(key, pod);
            return owner;
        }
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
                    let pods = self.by_controller.entry(owner.uid.clone()).or_default();
                    pods.insert(key.clone(), Arc::clone(pod));
                }
                None => {
                    self.without.insert(key.clone(), Arc::clone(pod));
                }
            }
            if let Some(node) = &node {
                let pods = self.by_node.entry(node.clone()).or_default();
                pods.insert(key.clone(), Arc::clone(pod));
            }
            self.of_pod.insert(key.clone(), Place { owner, node });
        }
        before.and_then(|place| place.owner)
    }

    /// Takes over what a pod is now that is where it was.
    fn replace(&mut self, key: &NamespacedName, pod: &Arc<PodView>) {
        let owned = match pod.controller() {
            Some(owner) => self.by_controller.get_mut(&owner.uid),
            None => Some(&mut self.without),
        };
        let placed = pod.node.as_ref().and_then(|node| self.by_node.get_mut(node));
        for pods in owned.into_iter().chain(placed) {
            if let Some(before) = pods.get_mut(key) {
                *before = Arc::clone(pod);
            }
        }
    }

    /// The pods on a node, by namespace and name.
    pub(super) fn on(&self, node: &str) -> impl Iterator<Item = &Arc<PodView>> {
        self.by_node.get(node).into_iter().flat_map(BTreeMap::values)
    }

    /// The pods that a controller manages, by name.
    pub(super) fn of(&self, controller: &Uid) -> impl Iterator<Item = &Arc<PodView>> {
        self.by_controller.get(controller).into_iter().flat_map(BTreeMap::values)
    }

    /// The pods of a namespace that nobody manages, by name.
    pub(super) fn without_in(&self, namespace: &str) -> impl Iterator<Item = &Arc<PodView>> {
        self.without
            .range(NamespacedName::new(namespace, "")..)
            .take_while(move |(key, _)| key.namespace.as_deref() == Some(namespace))
            .map(|(_, pod)| pod)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_found_by_their_controller() {
        let mut index = Index::default();
        let key = NamespacedName::new("default", "p");
        let orphan = Arc::new(PodView::sample("p"));
        let owner = Owner {
            api_version: "apps/v1".into(),
            kind: "ReplicaSet".into(),
            name: "web".into(),
            uid: Uid::new("w"),
            is_controller: true,
            blocks: true,
        };
        let owned = PodView::sample("p").with_meta(|meta| meta.owners = [owner.clone()].into());
        let (owned, newer) = (Arc::new(owned.clone()), Arc::new(owned));
        let is = |mut found: Box<dyn Iterator<Item = &Arc<PodView>> + '_>, pod: &Arc<PodView>| {
            found.next().is_some_and(|one| Arc::ptr_eq(one, pod)) && found.next().is_none()
        };
        assert_eq!(index.put(&key, Some(&orphan)), None);
        assert!(is(Box::new(index.without_in("default")), &orphan));
        assert_eq!(index.without_in("defaul").count(), 0);
        assert_eq!(index.put(&key, Some(&owned)), None);
        assert!(is(Box::new(index.of(&owner.uid)), &owned));
        assert_eq!(index.without_in("default").count(), 0);
        assert!(is(Box::new(index.on("n")), &owned));
        assert_eq!(index.put(&key, Some(&newer)), Some(owner.clone()));
        assert!(is(Box::new(index.of(&owner.uid)), &newer));
        assert!(is(Box::new(index.on("n")), &newer));
        assert_eq!(index.put(&key, None), Some(owner));
        assert!(index.by_controller.is_empty() && index.of_pod.is_empty());
        assert!(index.by_node.is_empty());
    }
}
