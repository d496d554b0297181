//! The content of an informer's cache.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use wk_api::names::NamespacedName;

struct Slot<T> {
    /// The version of the object; 0 is unknown and differs from every other.
    revision: u64,
    object: Arc<T>,
}

pub(super) struct Cache<T> {
    objects: BTreeMap<NamespacedName, Slot<T>>,
    /// What a list that is under way has brought so far.
    incoming: BTreeMap<NamespacedName, Slot<T>>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), incoming: BTreeMap::new() }
    }
}

impl<T> Cache<T> {
    pub(super) fn begin_list(&mut self) {
        self.incoming.clear();
    }

    pub(super) fn listed(&mut self, key: NamespacedName, revision: u64, object: T) {
        self.incoming.insert(key, Slot { revision, object: Arc::new(object) });
    }

    /// Replaces the content by what was listed and returns the names whose objects differ.
    pub(super) fn end_list(&mut self) -> Vec<NamespacedName> {
        let old = std::mem::replace(&mut self.objects, std::mem::take(&mut self.incoming));
        let is_same = |key: &NamespacedName, slot: &Slot<T>| {
            slot.revision != 0
                && old.get(key).is_some_and(|before| before.revision == slot.revision)
        };
        let put = self.objects.iter().filter(|(key, slot)| !is_same(key, slot));
        let gone = old.keys().filter(|key| !self.objects.contains_key(*key));
        put.map(|(key, _)| key).chain(gone).cloned().collect()
    }

    /// Sets or removes an object and returns whether that is a change.
    pub(super) fn put(&mut self, key: NamespacedName, object: Option<T>) -> bool {
        self.put_at(key, 0, object)
    }

    pub(super) fn put_at(&mut self, key: NamespacedName, revision: u64, object: Option<T>) -> bool {
        match object {
            Some(object) => {
                self.objects.insert(key, Slot { revision, object: Arc::new(object) });
                true
            }
            None => self.objects.remove(&key).is_some(),
        }
    }

    pub(super) fn get(&self, key: &NamespacedName) -> Option<Arc<T>> {
        self.objects.get(key).map(|slot| Arc::clone(&slot.object))
    }

    pub(super) fn list(&self) -> Vec<Arc<T>> {
        self.objects.values().map(|slot| Arc::clone(&slot.object)).collect()
    }

    pub(super) fn in_namespace(&self, namespace: &str) -> Vec<Arc<T>> {
        let first = NamespacedName::new(namespace, "");
        self.objects
            .range((Bound::Included(first), Bound::Unbounded))
            .take_while(|(key, _)| key.namespace.as_deref() == Some(namespace))
            .map(|(_, slot)| Arc::clone(&slot.object))
            .collect()
    }

    pub(super) fn keys(&self) -> Vec<NamespacedName> {
        self.objects.keys().cloned().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }
}
