//! Pods by whose they are.

use std::collections::{BTreeSet, HashMap};

use wk_api::names::{NamespacedName, Uid};

use super::PodView;
use crate::meta::Owner;

/// Which pods a controller has, and which have none.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_controller: HashMap<Uid, BTreeSet<NamespacedName>>,
    without: BTreeSet<NamespacedName>,
    of_pod: HashMap<NamespacedName, Option<Owner>>,
}

impl Index {
    /// Notes what a pod is now, `None` if it is gone, and returns who managed it before.
    pub(super) fn put(&mut self, key: &NamespacedName, pod: Option<&PodView>) -> Option<Owner> {
        let before = self.of_pod.remove(key);
        match &before {
            Some(Some(owner)) => {
                if let Some(keys) = self.by_controller.get_mut(&owner.uid) {
                    keys.remove(key);
                    if keys.is_empty() {
                        self.by_controller.remove(&owner.uid);
                    }
                }
            }
            Some(None) => {
                self.without.remove(key);
            }
            None => {}
        }
        if let Some(pod) = pod {
            let owner = pod.controller().cloned();
            match &owner {
                Some(owner) => {
                    let keys = self.by_controller.entry(owner.uid.clone()).or_default();
                    keys.insert(key.clone());
                }
                None => {
                    self.without.insert(key.clone());
                }
            }
            self.of_pod.insert(key.clone(), owner);
        }
        before.flatten()
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
        assert_eq!(index.put(&key, None), Some(owner));
        assert!(index.by_controller.is_empty() && index.of_pod.is_empty());
    }
}
