//! The objects of the cluster and their owners.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use wk_api::names::{NamespacedName, Uid};

use crate::meta::{Meta, Owner};

/// The name of an object of any kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::garbage) struct Id {
    /// The place of its kind in the list of kinds.
    pub(in crate::garbage) kind: usize,
    pub(in crate::garbage) key: NamespacedName,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of kind {}", self.key, self.kind)
    }
}

/// What an object needs, as far as the graph tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::garbage) enum Verdict {
    /// Nothing.
    Nothing,
    /// Its dependents shall forget it before it goes.
    Orphan(Vec<Id>),
    /// These shall go before it does; if there are none, it may go.
    Wait(Vec<Id>),
    /// Some of its owners may be gone or going: they have to be asked for.
    Check,
}

/// All objects, by uid, and by the uids of their owners.
#[derive(Debug, Default)]
pub(in crate::garbage) struct Graph {
    objects: HashMap<Id, Arc<Meta>>,
    by_uid: HashMap<Uid, Id>,
    dependents: HashMap<Uid, BTreeSet<Id>>,
}

impl Graph {
    /// Notes what an object is now, `None` if it is gone, and returns the objects for which that
    /// may mean something.
    pub(in crate::garbage) fn put(&mut self, id: &Id, meta: Option<&Arc<Meta>>) -> BTreeSet<Id> {
        let mut look = BTreeSet::new();
        let old = self.objects.remove(id);
        if let Some(old) = &old {
            self.unlink(id, old);
        }
        if let Some(meta) = meta {
            self.link(id, meta);
            if self.verdict(id) != Verdict::Nothing {
                look.insert(id.clone());
            }
        }
        let Some(old) = old else { return look };
        if meta.is_none_or(|meta| meta.uid != old.uid) {
            look.extend(self.dependents.get(&old.uid).into_iter().flatten().cloned());
        }
        for owner in &old.owners {
            // Whoever waits for it may be able to go on.
            if self.of_uid(&owner.uid).is_some_and(|(_, meta)| meta.is_terminating) {
                look.extend(self.by_uid.get(&owner.uid).cloned());
            }
        }
        look
    }

    fn link(&mut self, id: &Id, meta: &Arc<Meta>) {
        self.objects.insert(id.clone(), Arc::clone(meta));
        self.by_uid.insert(meta.uid.clone(), id.clone());
        for owner in &meta.owners {
            self.dependents.entry(owner.uid.clone()).or_default().insert(id.clone());
        }
    }

    fn unlink(&mut self, id: &Id, meta: &Meta) {
        if self.by_uid.get(&meta.uid) == Some(id) {
            self.by_uid.remove(&meta.uid);
        }
        for owner in &meta.owners {
            if let Some(ids) = self.dependents.get_mut(&owner.uid) {
                ids.remove(id);
                if ids.is_empty() {
                    self.dependents.remove(&owner.uid);
                }
            }
        }
    }

    pub(in crate::garbage) fn meta(&self, id: &Id) -> Option<&Arc<Meta>> {
        self.objects.get(id)
    }

    /// The object with this uid.
    pub(in crate::garbage) fn of_uid(&self, uid: &Uid) -> Option<(&Id, &Arc<Meta>)> {
        let id = self.by_uid.get(uid)?;
        Some((id, self.objects.get(id)?))
    }

    fn dependents(&self, uid: &Uid) -> impl Iterator<Item = (&Id, &Arc<Meta>)> {
        let ids = self.dependents.get(uid).into_iter().flatten();
        ids.filter_map(|id| Some((id, self.objects.get(id)?)))
    }

    /// Whether an object owns something, and whether some of that waits for its own dependents.
    pub(in crate::garbage) fn has_dependents(&self, uid: &Uid) -> (bool, bool) {
        let mut dependents = self.dependents(uid).peekable();
        let has_any = dependents.peek().is_some();
        (has_any, dependents.any(|(_, meta)| meta.waits_for_dependents()))
    }

    /// The owner of an object in the place where it belongs: the object's namespace, or none.
    pub(in crate::garbage) fn owner(&self, id: &Id, owner: &Owner) -> Option<(&Id, &Arc<Meta>)> {
        self.of_uid(&owner.uid).filter(|(found, _)| {
            *found.key.name == *owner.name
                && (found.key.namespace.is_none() || found.key.namespace == id.key.namespace)
        })
    }

    pub(in crate::garbage) fn verdict(&self, id: &Id) -> Verdict {
        let Some(meta) = self.objects.get(id) else { return Verdict::Nothing };
        if meta.orphans_dependents() {
            let dependents = self.dependents(&meta.uid).map(|(id, _)| id.clone());
            return Verdict::Orphan(dependents.collect());
        }
        if meta.waits_for_dependents() {
            let blocks =
                |one: &Meta| one.owners.iter().any(|owner| owner.uid == meta.uid && owner.blocks);
            let blocking = self.dependents(&meta.uid).filter(|(_, one)| blocks(one));
            return Verdict::Wait(blocking.map(|(id, _)| id.clone()).collect());
        }
        if meta.is_terminating {
            return Verdict::Nothing;
        }
        let is_solid = |owner: &Owner| {
            self.owner(id, owner).is_some_and(|(_, meta)| !meta.waits_for_dependents())
        };
        if meta.owners.iter().all(is_solid) { Verdict::Nothing } else { Verdict::Check }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(namespace: &str, name: &str) -> Id {
        Id { kind: 0, key: NamespacedName::new(namespace, name) }
    }

    /// An object with its name as uid and these owners, which it blocks.
    fn meta(name: &str, owners: &[&str]) -> Meta {
        let owner = |name: &&str| Owner {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            name: (*name).into(),
            uid: Uid::new(*name),
            is_controller: false,
            blocks: true,
        };
        Meta {
            uid: Uid::new(name),
            owners: owners.iter().map(owner).collect(),
            is_terminating: false,
            has_foreground: false,
            has_orphan: false,
        }
    }

    fn put(graph: &mut Graph, name: &str, owners: &[&str]) -> Vec<String> {
        names(&graph.put(&id("d", name), Some(&Arc::new(meta(name, owners)))))
    }

    fn names(ids: &BTreeSet<Id>) -> Vec<String> {
        ids.iter().map(|id| id.key.name.clone()).collect()
    }

    #[test]
    fn dependents_are_looked_at_when_their_owner_goes() {
        let mut graph = Graph::default();
        assert_eq!(put(&mut graph, "child", &["owner"]), ["child"], "its owner was not seen yet");
        assert_eq!(put(&mut graph, "owner", &[]), Vec::<String>::new());
        assert_eq!(graph.verdict(&id("d", "child")), Verdict::Nothing);
        assert_eq!(names(&graph.put(&id("d", "owner"), None)), ["child"]);
        assert_eq!(graph.verdict(&id("d", "child")), Verdict::Check);
        graph.put(&id("d", "child"), None);
        assert!(graph.objects.is_empty() && graph.by_uid.is_empty() && graph.dependents.is_empty());
    }

    #[test]
    fn an_owner_made_anew_is_another() {
        let mut graph = Graph::default();
        put(&mut graph, "owner", &[]);
        put(&mut graph, "child", &["owner"]);
        let mut another = meta("owner", &[]);
        another.uid = Uid::new("another");
        assert_eq!(names(&graph.put(&id("d", "owner"), Some(&Arc::new(another)))), ["child"]);
    }

    #[test]
    fn an_owner_waits_for_those_that_block_it() {
        let mut graph = Graph::default();
        put(&mut graph, "child", &["owner"]);
        let mut free = meta("free", &["owner"]);
        free.owners[0].blocks = false;
        graph.put(&id("d", "free"), Some(&Arc::new(free)));
        let waiting = Meta { is_terminating: true, has_foreground: true, ..meta("owner", &[]) };
        let look = graph.put(&id("d", "owner"), Some(&Arc::new(waiting)));
        assert_eq!(names(&look), ["owner"]);
        assert_eq!(graph.verdict(&id("d", "owner")), Verdict::Wait(vec![id("d", "child")]));
        assert_eq!(graph.verdict(&id("d", "child")), Verdict::Check);
        assert_eq!(names(&graph.put(&id("d", "child"), None)), ["owner"]);
        assert_eq!(graph.verdict(&id("d", "owner")), Verdict::Wait(Vec::new()));
    }

    #[test]
    fn an_owner_in_another_namespace_is_none() {
        let mut graph = Graph::default();
        let owner = Arc::new(meta("owner", &[]));
        graph.put(&id("other", "owner"), Some(&owner));
        assert_eq!(put(&mut graph, "child", &["owner"]), ["child"]);
        assert_eq!(graph.verdict(&id("d", "child")), Verdict::Check);
    }
}
