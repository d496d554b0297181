//! The pods that have nodes, grouped by what selectors and affinities ask for.
//!
//! A selector is judged once for each group, and not once for each pod: ten thousand pods of ten
//! Deployments are ten groups.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::NodeIndex;
use crate::demand::{Demand, Kin, PodAffinity, Template};

/// Pods of one group on one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many there are.
    pub all: i64,
    /// How many of them are being deleted.
    pub terminating: i64,
}

impl Count {
    /// How many are there to stay.
    pub fn staying(self) -> i64 {
        self.all - self.terminating
    }
}

/// The pods of one namespace with the same labels.
#[derive(Debug)]
pub struct Group {
    /// What they have in common.
    pub kin: Arc<Kin>,
    /// Where they are.
    pub nodes: BTreeMap<NodeIndex, Count>,
}

/// The pods of one template and kin that say something about other pods.
#[derive(Debug)]
pub struct Bearers {
    /// Their namespace and labels.
    pub kin: Arc<Kin>,
    template: Arc<Template>,
    /// Where they are and how many.
    pub nodes: BTreeMap<NodeIndex, i64>,
}

impl Bearers {
    /// What they say about other pods.
    pub fn affinity(&self) -> Option<&PodAffinity> {
        self.template.pods.as_deref()
    }
}

/// All pods that have nodes. Groups are found by the address of what they share.
#[derive(Debug, Default)]
pub struct Crowd {
    groups: HashMap<Box<str>, HashMap<usize, Group>>,
    bearers: HashMap<(usize, usize), Bearers>,
}

impl Crowd {
    /// The groups of a namespace.
    pub fn of_namespace(&self, namespace: &str) -> impl Iterator<Item = &Group> {
        self.groups.get(namespace).into_iter().flat_map(HashMap::values)
    }

    /// All groups.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values().flat_map(HashMap::values)
    }

    /// The pods that say something about other pods.
    pub fn bearers(&self) -> impl Iterator<Item = &Bearers> {
        self.bearers.values()
    }

    pub(super) fn add(&mut self, pod: &Demand, node: NodeIndex) {
        let (kin, template) = (&pod.kin, &pod.template);
        if !self.groups.contains_key(&kin.namespace) {
            self.groups.insert(kin.namespace.clone(), HashMap::new());
        }
        if let Some(groups) = self.groups.get_mut(&kin.namespace) {
            let group = groups
                .entry(address(kin))
                .or_insert_with(|| Group { kin: Arc::clone(kin), nodes: BTreeMap::new() });
            let count = group.nodes.entry(node).or_default();
            count.all += 1;
            count.terminating += i64::from(pod.is_terminating);
        }
        if template.pods.is_some() {
            let key = (address(kin), address(template));
            let bearers = self.bearers.entry(key).or_insert_with(|| Bearers {
                kin: Arc::clone(kin),
                template: Arc::clone(template),
                nodes: BTreeMap::new(),
            });
            *bearers.nodes.entry(node).or_default() += 1;
        }
    }

    pub(super) fn remove(&mut self, pod: &Demand, node: NodeIndex) {
        let (kin, template) = (&pod.kin, &pod.template);
        if let Some(groups) = self.groups.get_mut(&kin.namespace) {
            if let Some(group) = groups.get_mut(&address(kin)) {
                if let Some(count) = group.nodes.get_mut(&node) {
                    count.all -= 1;
                    count.terminating -= i64::from(pod.is_terminating);
                    if count.all == 0 {
                        group.nodes.remove(&node);
                    }
                }
                if group.nodes.is_empty() {
                    groups.remove(&address(kin));
                }
            }
            if groups.is_empty() {
                self.groups.remove(&kin.namespace);
            }
        }
        let key = (address(kin), address(template));
        if let Some(bearers) = self.bearers.get_mut(&key) {
            if let Some(count) = bearers.nodes.get_mut(&node) {
                *count -= 1;
                if *count == 0 {
                    bearers.nodes.remove(&node);
                }
            }
            if bearers.nodes.is_empty() {
                self.bearers.remove(&key);
            }
        }
    }
}

/// The address of a shared value that somebody holds; no other value has it meanwhile.
fn address<T>(shared: &Arc<T>) -> usize {
    Arc::as_ptr(shared).addr()
}
