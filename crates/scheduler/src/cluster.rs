//! The nodes, what is used of each by pods that run there and pods that will, and what else
//! decisions are made from. It changes with what changes, and is never copied for a decision.

mod crowd;
mod domains;
mod nominations;
mod order;
mod usage;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use wk_api::names::{NamespacedName, Uid};

use crate::budgets::Budgets;
use crate::demand::Demand;
use crate::framework::Turn;
use crate::labels::Labels;
use crate::offer::Offer;
use crate::owners::Owners;
use crate::storage::Storage;
pub use crowd::{Bearers, Count, Crowd, Group};
pub use domains::{Domains, NOWHERE};
use nominations::Nominations;
pub use usage::Usage;

/// A node's place in the cluster's list of nodes.
pub type NodeIndex = u32;

/// A node as plugins see it.
#[derive(Clone, Copy, Debug)]
pub struct NodeView<'a> {
    /// Its place in the list of nodes.
    pub index: NodeIndex,
    /// What it offers.
    pub offer: &'a Offer,
    /// What is used of it.
    pub used: &'a Usage,
}

#[derive(Debug, Default)]
struct NodeState {
    name: Box<str>,
    /// `None` while pods are bound to a node that is not there.
    offer: Option<Arc<Offer>>,
    used: Usage,
    residents: Vec<Arc<Demand>>,
}

#[derive(Debug)]
struct Placed {
    demand: Arc<Demand>,
    node: NodeIndex,
    /// Decided, but not yet seen from the server.
    is_assumed: bool,
}

/// All nodes, all pods that have one, and what decisions need besides.
#[derive(Debug, Default)]
pub struct Cluster {
    /// The places of nodes that are gone are used again.
    nodes: Vec<NodeState>,
    free: Vec<NodeIndex>,
    by_name: HashMap<Box<str>, NodeIndex>,
    order: RefCell<Option<Arc<[NodeIndex]>>>,
    placed: HashMap<NamespacedName, Placed>,
    /// How many of those are assumed.
    assumed: usize,
    crowd: Crowd,
    /// How many nodes hold each image.
    images: HashMap<Box<str>, i64>,
    domains: RefCell<HashMap<Box<str>, Arc<Domains>>>,
    nominations: Nominations,
    namespaces: HashMap<Box<str>, Arc<Labels>>,
    /// Claims, volumes and classes of storage.
    pub storage: Storage,
    /// What selects pods.
    pub owners: Owners,
    /// How many pods may be disturbed.
    pub budgets: Budgets,
}

impl Cluster {
    /// How many nodes there are.
    pub fn node_count(&self) -> usize {
        self.order().len()
    }

    /// How many pods have a node, and of how many of them that is only assumed.
    pub fn pod_counts(&self) -> (usize, usize) {
        (self.placed.len(), self.assumed)
    }

    /// The nodes that exist, in the order in which they are looked at.
    pub fn order(&self) -> Arc<[NodeIndex]> {
        let known = self.order.borrow().clone();
        known.unwrap_or_else(|| {
            let nodes = (0..).zip(&self.nodes);
            let order = order::in_turns(
                nodes.filter_map(|(index, state)| Some((index, state.offer.as_deref()?))),
            );
            let order: Arc<[NodeIndex]> = order.into();
            *self.order.borrow_mut() = Some(Arc::clone(&order));
            order
        })
    }

    /// The node at a place in the list; `None` if there is none.
    pub fn node(&self, index: NodeIndex) -> Option<NodeView<'_>> {
        let state = self.nodes.get(index as usize)?;
        Some(NodeView { index, offer: state.offer.as_deref()?, used: &state.used })
    }

    /// The place of the node of this name, if it exists.
    pub fn index_of(&self, name: &str) -> Option<NodeIndex> {
        let index = *self.by_name.get(name)?;
        self.nodes[index as usize].offer.is_some().then_some(index)
    }

    /// The pods of a node.
    pub fn residents(&self, index: NodeIndex) -> &[Arc<Demand>] {
        self.nodes.get(index as usize).map_or(&[], |state| &state.residents)
    }

    /// The pods that have nodes, grouped by what they have in common.
    pub fn crowd(&self) -> &Crowd {
        &self.crowd
    }

    /// How many nodes hold an image of this name.
    pub fn nodes_with_image(&self, image: &str) -> i64 {
        self.images.get(image).copied().unwrap_or(0)
    }

    /// The labels of a namespace.
    pub fn namespace(&self, name: &str) -> Arc<Labels> {
        self.namespaces.get(name).cloned().unwrap_or_default()
    }

    /// Takes over the labels of a namespace; `None` if it is gone. Returns what became of it.
    pub fn put_namespace(&mut self, name: &str, labels: Option<Arc<Labels>>) -> Turn {
        let is = labels.is_some();
        let before = match labels {
            Some(labels) => self.namespaces.insert(name.into(), labels),
            None => self.namespaces.remove(name),
        };
        Turn::of(before.is_some(), is)
    }

    /// The values of a label over all nodes.
    pub fn domains(&self, key: &str) -> Arc<Domains> {
        if let Some(known) = self.domains.borrow().get(key) {
            return Arc::clone(known);
        }
        let labels = self.nodes.iter().map(|state| state.offer.as_ref()?.labels.get(key));
        let domains = Arc::new(Domains::new(labels));
        self.domains.borrow_mut().insert(key.into(), Arc::clone(&domains));
        domains
    }

    /// Puts a node in, or what it is now, and returns what it was before.
    pub fn put_node(&mut self, offer: &Arc<Offer>) -> Option<Arc<Offer>> {
        let index = self.place_of(&offer.name);
        let before = self.nodes[index as usize].offer.replace(Arc::clone(offer));
        if before.as_ref().is_none_or(|before| before.images != offer.images) {
            count_images(&mut self.images, before.as_deref(), -1);
            count_images(&mut self.images, Some(offer), 1);
        }
        if before.as_ref().is_none_or(|before| before.labels != offer.labels) {
            self.domains.get_mut().clear();
            *self.order.get_mut() = None;
        }
        before
    }

    /// Takes a node out and returns what it was; its pods still count if it comes back.
    pub fn remove_node(&mut self, name: &str) -> Option<Arc<Offer>> {
        let index = *self.by_name.get(name)?;
        let before = self.nodes[index as usize].offer.take();
        count_images(&mut self.images, before.as_deref(), -1);
        self.domains.get_mut().clear();
        *self.order.get_mut() = None;
        self.forget_if_empty(index);
        before
    }

    /// Counts a pod on the node that it is bound to, and returns what was counted before.
    pub fn put_bound(&mut self, demand: Arc<Demand>, node: &str) -> Option<Arc<Demand>> {
        self.place(demand, node, false)
    }

    /// Counts a pod on the node that was chosen for it, until it is seen there or the choice fails.
    pub fn assume(&mut self, demand: Arc<Demand>, node: &str) {
        self.place(demand, node, true);
    }

    fn place(&mut self, demand: Arc<Demand>, node: &str, is_assumed: bool) -> Option<Arc<Demand>> {
        let key = demand.key();
        let before = self.remove_pod(&key);
        self.nominations.remove(&key);
        let index = self.place_of(node);
        let state = &mut self.nodes[index as usize];
        state.used.add(&demand);
        state.residents.push(Arc::clone(&demand));
        self.crowd.add(&demand, index);
        self.storage.use_claims(&demand, 1);
        self.assumed += usize::from(is_assumed);
        self.placed.insert(key, Placed { demand, node: index, is_assumed });
        before
    }

    /// Takes a pod out and returns what was counted.
    pub fn remove_pod(&mut self, key: &NamespacedName) -> Option<Arc<Demand>> {
        let Placed { demand, node, is_assumed } = self.placed.remove(key)?;
        self.assumed -= usize::from(is_assumed);
        let state = &mut self.nodes[node as usize];
        state.used.remove(&demand);
        if let Some(index) = state.residents.iter().position(|one| Arc::ptr_eq(one, &demand)) {
            state.residents.swap_remove(index);
        }
        self.crowd.remove(&demand, node);
        self.storage.use_claims(&demand, -1);
        self.forget_if_empty(node);
        Some(demand)
    }

    /// Gives up a choice that could not be carried out; a pod seen on a node stays there.
    pub fn forget_assumed(&mut self, key: &NamespacedName, uid: &Uid) -> Option<Arc<Demand>> {
        if self.is_assumed(key, uid) { self.remove_pod(key) } else { None }
    }

    /// Whether a node was chosen for this pod and the server has not yet shown it there.
    pub fn is_assumed(&self, key: &NamespacedName, uid: &Uid) -> bool {
        self.placed.get(key).is_some_and(|placed| placed.is_assumed && placed.demand.uid == *uid)
    }

    /// Whether this pod has a node.
    pub fn is_placed(&self, key: &NamespacedName, uid: &Uid) -> bool {
        self.placed.get(key).is_some_and(|placed| placed.demand.uid == *uid)
    }

    /// Whether a pod of this name has a node.
    pub fn has_pod(&self, key: &NamespacedName) -> bool {
        self.placed.contains_key(key)
    }

    /// Room is made for a pod on this node; `None` takes that back.
    pub fn nominate(&mut self, demand: &Arc<Demand>, node: Option<&str>) {
        match node {
            Some(node) => self.nominations.put(Arc::clone(demand), node),
            None => drop(self.nominations.remove(&demand.key())),
        }
    }

    /// No room is made for a pod any more; returns the pod if there was some.
    pub fn forget_nomination(&mut self, key: &NamespacedName) -> Option<Arc<Demand>> {
        self.nominations.remove(key)
    }

    /// The pods for which room is made on a node.
    pub fn nominated(&self, node: &str) -> &[Arc<Demand>] {
        self.nominations.of_node(node)
    }

    /// The node on which room is made for a pod.
    pub fn nomination(&self, key: &NamespacedName) -> Option<&str> {
        self.nominations.of_pod(key)
    }

    /// The index for a name, a new one if need be.
    fn place_of(&mut self, name: &str) -> NodeIndex {
        if let Some(index) = self.by_name.get(name) {
            return *index;
        }
        let state = NodeState { name: name.into(), ..NodeState::default() };
        let index = if let Some(index) = self.free.pop() {
            self.nodes[index as usize] = state;
            index
        } else {
            self.nodes.push(state);
            NodeIndex::try_from(self.nodes.len() - 1).expect("fewer nodes than 2^32")
        };
        self.by_name.insert(name.into(), index);
        index
    }

    fn forget_if_empty(&mut self, index: NodeIndex) {
        let state = &mut self.nodes[index as usize];
        if state.offer.is_none() && state.residents.is_empty() {
            self.by_name.remove(&state.name);
            *state = NodeState::default();
            self.free.push(index);
        }
    }
}

fn count_images(counts: &mut HashMap<Box<str>, i64>, offer: Option<&Offer>, step: i64) {
    for (image, _) in offer.into_iter().flat_map(|offer| &offer.images) {
        let count = counts.entry(image.clone()).or_default();
        *count += step;
        if *count == 0 {
            counts.remove(image);
        }
    }
}

#[cfg(test)]
mod tests;
