//! What a pod says about nodes and other pods, compiled.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    NodeAffinity as WireNodeAffinity, PodAffinity as WireAffinity, PodAffinityTerm,
    PodAntiAffinity as WireAntiAffinity, TopologySpreadConstraint, WeightedPodAffinityTerm,
};

use super::Kin;
use crate::labels::{Labels, NodeTerm, Selector};

/// Something with a weight.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Weighted<T> {
    /// How much it counts, from 1 to 100.
    pub weight: i64,
    /// What counts.
    pub term: T,
}

/// What a pod says about nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NodeAffinity {
    /// `spec.nodeSelector`.
    pub selector: Option<Selector>,
    /// The terms of which one must match; `None` if there are no required terms.
    pub required: Option<Vec<NodeTerm>>,
    /// The terms that should match.
    pub preferred: Vec<Weighted<NodeTerm>>,
}

impl NodeAffinity {
    pub(super) fn new(selector: BTreeMap<String, String>, affinity: WireNodeAffinity) -> Self {
        let required = affinity.required_during_scheduling_ignored_during_execution;
        let preferred = affinity.preferred_during_scheduling_ignored_during_execution;
        let compile = |terms: Vec<_>| terms.into_iter().map(NodeTerm::new).collect();
        Self {
            selector: (!selector.is_empty()).then(|| Selector::of_labels(selector)),
            required: required.map(|required| compile(required.node_selector_terms)),
            preferred: preferred
                .into_iter()
                .flatten()
                .map(|one| Weighted {
                    weight: i64::from(one.weight),
                    term: NodeTerm::new(one.preference),
                })
                .collect(),
        }
    }

    /// Whether every node will do.
    pub fn is_everything(&self) -> bool {
        self.selector.is_none() && self.required.is_none()
    }

    /// Whether the pod may run on the node of this name and with these labels.
    pub fn matches(&self, name: &str, labels: &Labels) -> bool {
        self.selector.as_ref().is_none_or(|selector| selector.matches(labels))
            && self
                .required
                .as_ref()
                .is_none_or(|terms| terms.iter().any(|term| term.matches(name, labels)))
    }
}

/// Which pods are meant, and what they shall have in common with this one: the value of a label of
/// their nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodTerm {
    /// The label of the node.
    pub key: Box<str>,
    /// Which pods.
    pub selector: Selector,
    /// In which namespaces, ...
    pub namespaces: Vec<Box<str>>,
    /// ... or in namespaces with which labels.
    pub namespace_selector: Option<Selector>,
}

impl PodTerm {
    fn new(term: PodAffinityTerm, kin: &Kin) -> Self {
        let mut selector = Selector::new(term.label_selector);
        for (keys, is_equal) in [(term.match_label_keys, true), (term.mismatch_label_keys, false)] {
            for key in keys.into_iter().flatten() {
                if let Some(value) = kin.labels.get(&key) {
                    selector.and(&key, value, is_equal);
                }
            }
        }
        let mut namespaces: Vec<Box<str>> =
            term.namespaces.into_iter().flatten().map(Box::from).collect();
        if namespaces.is_empty() && term.namespace_selector.is_none() {
            namespaces.push(kin.namespace.clone());
        }
        Self {
            key: term.topology_key.into(),
            selector,
            namespaces,
            namespace_selector: term.namespace_selector.map(|one| Selector::new(Some(one))),
        }
    }

    /// Whether pods of this kin are meant; `of_namespace` are the labels of their namespace.
    pub fn matches(&self, kin: &Kin, of_namespace: &Labels) -> bool {
        let is_near = self.namespaces.contains(&kin.namespace)
            || self.namespace_selector.as_ref().is_some_and(|one| one.matches(of_namespace));
        is_near && self.selector.matches(&kin.labels)
    }
}

/// What a pod says about other pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PodAffinity {
    /// Must be near.
    pub near: Vec<PodTerm>,
    /// Must not be near.
    pub far: Vec<PodTerm>,
    /// Should be near, or with a negative weight should not.
    pub preferred: Vec<Weighted<PodTerm>>,
}

impl PodAffinity {
    /// `None` if the pod says nothing.
    pub(super) fn new(
        affinity: Option<WireAffinity>,
        anti: Option<WireAntiAffinity>,
        kin: &Kin,
    ) -> Option<Self> {
        let (affinity, anti) = (affinity.unwrap_or_default(), anti.unwrap_or_default());
        let compile = |terms: Option<Vec<_>>| {
            terms.into_iter().flatten().map(|term| PodTerm::new(term, kin)).collect()
        };
        let weigh = |terms: Option<Vec<WeightedPodAffinityTerm>>, sign: i64| {
            terms.into_iter().flatten().map(move |one| Weighted {
                weight: sign * i64::from(one.weight),
                term: PodTerm::new(one.pod_affinity_term, kin),
            })
        };
        let own = Self {
            near: compile(affinity.required_during_scheduling_ignored_during_execution),
            far: compile(anti.required_during_scheduling_ignored_during_execution),
            preferred: weigh(affinity.preferred_during_scheduling_ignored_during_execution, 1)
                .chain(weigh(anti.preferred_during_scheduling_ignored_during_execution, -1))
                .collect(),
        };
        (own != Self::default()).then_some(own)
    }
}

/// How a pod and others like it shall be spread.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpreadConstraint {
    /// The label of nodes whose values are the places to spread over.
    pub key: Box<str>,
    /// By how many pods a place may exceed the emptiest one.
    pub max_skew: i64,
    /// With fewer places than this the emptiest one counts as empty.
    pub min_domains: usize,
    /// Which pods count.
    pub selector: Selector,
    /// Whether only nodes count that the pod's node affinity admits.
    pub honors_affinity: bool,
    /// Whether only nodes count whose taints the pod tolerates.
    pub honors_taints: bool,
}

impl SpreadConstraint {
    pub(super) fn new(constraint: TopologySpreadConstraint, labels: &Labels) -> Self {
        let mut selector = Selector::new(constraint.label_selector);
        for key in constraint.match_label_keys.into_iter().flatten() {
            if let Some(value) = labels.get(&key) {
                selector.and(&key, value, true);
            }
        }
        let min_domains = constraint.min_domains.and_then(|number| usize::try_from(number).ok());
        Self {
            key: constraint.topology_key.into(),
            max_skew: i64::from(constraint.max_skew),
            min_domains: min_domains.unwrap_or(1),
            selector,
            honors_affinity: constraint.node_affinity_policy.as_deref() != Some("Ignore"),
            honors_taints: constraint.node_taints_policy.as_deref() == Some("Honor"),
        }
    }
}
