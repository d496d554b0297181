//! The nodes, and what is used of each: by pods that run there and pods that will.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, Taint};
use wk_api::names::{NamespacedName, Uid};
use wk_api::quantity::Quantity;

use crate::demand::{Demand, HostPort, Resources};

/// What the scheduler keeps of a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offer {
    /// The node's name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// Whether it takes no new pods.
    pub is_unschedulable: bool,
    /// What pods can have of it.
    pub allocatable: Resources,
    /// How many pods it takes.
    pub max_pods: i64,
    /// The names of the runtime classes that it has handlers for; empty if it does not say.
    pub runtimes: Vec<String>,
    /// The images it holds, in bytes.
    pub images: BTreeMap<String, i64>,
}

impl Offer {
    /// What the scheduler keeps of `node`.
    pub fn of(node: Node) -> Self {
        let Node { metadata, spec, status } = node;
        let (spec, status) = (spec.unwrap_or_default(), status.unwrap_or_default());
        let max_pods = status.allocatable.as_ref().and_then(|list| list.get("pods"));
        let max_pods = max_pods.and_then(|quantity| Quantity::try_from(quantity).ok());
        let images = status.images.into_iter().flatten().flat_map(|image| {
            let size = image.size_bytes.unwrap_or(0);
            image.names.into_iter().flatten().map(move |name| (name, size))
        });
        let handlers = status.runtime_handlers.into_iter().flatten();
        Self {
            name: metadata.name.unwrap_or_default(),
            labels: metadata.labels.unwrap_or_default(),
            taints: spec.taints.unwrap_or_default(),
            is_unschedulable: spec.unschedulable.unwrap_or(false),
            allocatable: Resources::from_list(status.allocatable.as_ref()),
            max_pods: max_pods.map_or(0, Quantity::value),
            runtimes: handlers.filter_map(|handler| handler.name).collect(),
            images: images.collect(),
        }
    }

    /// Whether a pod that had no place may have one now. Images are a preference only.
    pub fn may_help_since(&self, before: &Self) -> bool {
        let Self {
            name: _,
            labels,
            taints,
            is_unschedulable,
            allocatable,
            max_pods,
            runtimes,
            images: _,
        } = self;
        (labels, taints, is_unschedulable, allocatable, max_pods, runtimes)
            != (
                &before.labels,
                &before.taints,
                &before.is_unschedulable,
                &before.allocatable,
                &before.max_pods,
                &before.runtimes,
            )
    }
}

/// A node and what is used of it.
#[derive(Clone, Debug, Default)]
pub struct NodeState {
    /// The node; `None` if pods are bound to a node that is not there.
    pub offer: Option<Arc<Offer>>,
    /// The sum of the requests.
    pub requested: Resources,
    /// The sum of CPU and memory with assumptions in place of missing requests.
    pub assumed: (i64, i64),
    /// How many pods there are.
    pub pods: i64,
    /// The ports that are taken.
    pub host_ports: Vec<HostPort>,
}

impl NodeState {
    fn place(&mut self, demand: &Demand) {
        self.requested.add(&demand.requests);
        self.assumed = (self.assumed.0 + demand.assumed.0, self.assumed.1 + demand.assumed.1);
        self.pods += 1;
        self.host_ports.extend_from_slice(&demand.host_ports);
    }

    fn remove(&mut self, demand: &Demand) {
        self.requested.subtract(&demand.requests);
        self.assumed = (self.assumed.0 - demand.assumed.0, self.assumed.1 - demand.assumed.1);
        self.pods -= 1;
        for port in &demand.host_ports {
            if let Some(index) = self.host_ports.iter().position(|taken| taken == port) {
                self.host_ports.swap_remove(index);
            }
        }
    }
}

#[derive(Debug)]
struct Placed {
    demand: Arc<Demand>,
    node: String,
    /// Decided, but not yet seen from the server.
    is_assumed: bool,
}

/// All nodes and all pods that have one.
#[derive(Debug, Default)]
pub struct Cluster {
    nodes: BTreeMap<String, NodeState>,
    placed: HashMap<NamespacedName, Placed>,
    /// How many nodes hold each image.
    images: HashMap<String, i64>,
}

impl Cluster {
    /// The nodes that exist, by name.
    pub fn nodes(&self) -> impl Iterator<Item = (&Arc<Offer>, &NodeState)> {
        self.nodes.values().filter_map(|state| Some((state.offer.as_ref()?, state)))
    }

    /// How many nodes hold an image of this name.
    pub fn nodes_with_image(&self, image: &str) -> i64 {
        self.images.get(image).copied().unwrap_or(0)
    }

    /// Puts a node in, or what it is now, and returns whether waiting pods may be helped by it.
    pub fn put_node(&mut self, offer: &Arc<Offer>) -> bool {
        let state = self.nodes.entry(offer.name.clone()).or_default();
        let before = state.offer.replace(Arc::clone(offer));
        count_images(&mut self.images, before.as_deref(), -1);
        count_images(&mut self.images, Some(offer), 1);
        before.is_none_or(|before| offer.may_help_since(&before))
    }

    /// Takes a node out; its pods still count if it comes back.
    pub fn remove_node(&mut self, name: &str) {
        let Some(state) = self.nodes.get_mut(name) else { return };
        let before = state.offer.take();
        count_images(&mut self.images, before.as_deref(), -1);
        self.forget_if_empty(name);
    }

    /// Counts a pod on the node that it is bound to.
    pub fn put_bound(&mut self, key: NamespacedName, demand: Arc<Demand>, node: String) {
        self.place(key, demand, node, false);
    }

    /// Counts a pod on the node that was chosen for it, until it is seen there or the choice fails.
    pub fn assume(&mut self, key: NamespacedName, demand: Arc<Demand>, node: String) {
        self.place(key, demand, node, true);
    }

    fn place(&mut self, key: NamespacedName, demand: Arc<Demand>, node: String, is_assumed: bool) {
        self.remove_pod(&key);
        self.nodes.entry(node.clone()).or_default().place(&demand);
        self.placed.insert(key, Placed { demand, node, is_assumed });
    }

    /// Takes a pod out and returns whether it had a place.
    pub fn remove_pod(&mut self, key: &NamespacedName) -> bool {
        let Some(placed) = self.placed.remove(key) else { return false };
        if let Some(state) = self.nodes.get_mut(&placed.node) {
            state.remove(&placed.demand);
        }
        self.forget_if_empty(&placed.node);
        true
    }

    /// Gives up a choice that could not be carried out; a pod seen on a node stays there.
    pub fn forget_assumed(&mut self, key: &NamespacedName, uid: &Uid) {
        if self.is_assumed(key, uid) {
            self.remove_pod(key);
        }
    }

    /// Whether a node was chosen for this pod and the server has not yet shown it there.
    pub fn is_assumed(&self, key: &NamespacedName, uid: &Uid) -> bool {
        self.placed.get(key).is_some_and(|placed| placed.is_assumed && placed.demand.uid == *uid)
    }

    fn forget_if_empty(&mut self, name: &str) {
        let is_empty = |state: &NodeState| state.offer.is_none() && state.pods == 0;
        if self.nodes.get(name).is_some_and(is_empty) {
            self.nodes.remove(name);
        }
    }
}

fn count_images(counts: &mut HashMap<String, i64>, offer: Option<&Offer>, step: i64) {
    for image in offer.into_iter().flat_map(|offer| offer.images.keys()) {
        let count = counts.entry(image.clone()).or_default();
        *count += step;
        if *count == 0 {
            counts.remove(image);
        }
    }
}
