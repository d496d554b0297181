//! The points at which rules take part in a decision.
//!
//! A rule is a plugin with a name. Before nodes are looked at, [`Filter::prepare`] looks at the pod
//! and at the cluster once; what it returns judges each node, and can be told that another pod comes
//! or goes, which is how preemption tries out what would help. [`Score::prepare`] does the same for
//! the nodes that are possible. [`Filter::is_helped`] says which changes may make a refused pod
//! possible, so that nothing is tried in vain.
//!
//! Spec: <https://kubernetes.io/docs/concepts/scheduling-eviction/scheduling-framework/>

mod change;

use std::borrow::Cow;
use std::fmt::Debug;

pub use change::{Change, ChangeKind, ChangeKinds, DriverWord, Turn};

use crate::cluster::{Cluster, NodeIndex, NodeView};
use crate::demand::Demand;

/// Why a node is not possible, in the words of Kubernetes.
pub type Reason = Cow<'static, str>;

/// A node, or the pod as a whole, is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why; several only from resources and volumes.
    pub reasons: Vec<Reason>,
    /// Whether it would be refused even if other pods went away.
    pub is_final: bool,
}

impl Refusal {
    /// A refusal that holds whichever pods go away.
    pub fn lasting(reason: impl Into<Reason>) -> Self {
        Self { reasons: vec![reason.into()], is_final: true }
    }

    /// A refusal that other pods are the cause of.
    pub fn by_pods(reason: impl Into<Reason>) -> Self {
        Self { reasons: vec![reason.into()], is_final: false }
    }
}

/// What a [`Filter`] has to say about a pod before it sees nodes.
pub enum Prepared<'a> {
    /// Nothing: every node will do.
    Skip,
    /// Each node is to be judged.
    Each(Box<dyn NodeFilter + 'a>),
    /// Only these nodes are possible at all, and each is to be judged.
    Among(Vec<NodeIndex>, Box<dyn NodeFilter + 'a>),
}

impl Debug for Prepared<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Skip => f.write_str("Skip"),
            Self::Each(_) => f.write_str("Each"),
            Self::Among(nodes, _) => f.debug_tuple("Among").field(nodes).finish(),
        }
    }
}

/// A rule about which nodes are possible.
pub trait Filter: Debug + Send + Sync {
    /// The plugin's name.
    fn name(&self) -> &'static str;

    /// Looks at the pod and the cluster once.
    ///
    /// # Errors
    /// Why no node will do.
    fn prepare<'a>(
        &'a self,
        pod: &'a Demand,
        cluster: &'a Cluster,
    ) -> Result<Prepared<'a>, Refusal>;

    /// The kinds of changes that may help a pod which this rule refused.
    fn minds(&self) -> ChangeKinds;

    /// Whether this change may help a pod which this rule refused. The cluster has it already.
    fn is_helped(&self, pod: &Demand, change: &Change<'_>, cluster: &Cluster) -> bool;
}

/// Judges nodes for one pod.
pub trait NodeFilter {
    /// Whether the pod can run on the node.
    ///
    /// # Errors
    /// Why not.
    fn check(&self, node: NodeView<'_>) -> Result<(), Refusal>;

    /// Judges from now on as if `other` were on the node, too.
    fn add(&mut self, _node: NodeIndex, _other: &Demand) {}

    /// Judges from now on as if `other` were not on the node.
    fn remove(&mut self, _node: NodeIndex, _other: &Demand) {}
}

/// A rule about which of the possible nodes is best.
pub trait Score: Debug + Send + Sync {
    /// The plugin's name.
    fn name(&self) -> &'static str;

    /// Looks at the pod, the cluster and the possible nodes once; `None` if all are equally good.
    fn prepare<'a>(
        &'a self,
        pod: &'a Demand,
        cluster: &'a Cluster,
        nodes: &[NodeView<'_>],
    ) -> Option<Box<dyn NodeScore + 'a>>;
}

/// Scores nodes for one pod.
pub trait NodeScore {
    /// How well the pod fits, from 0 to 100, or any number if [`NodeScore::normalize`] makes it so.
    fn score(&self, node: NodeView<'_>) -> i64;

    /// Brings the scores of all nodes into the range from 0 to 100.
    fn normalize(&self, _scores: &mut [i64]) {}
}

/// Some of the filters, by their place in the list of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FilterSet(u32);

impl FilterSet {
    /// Stands for a pod that was refused because there were no nodes at all.
    pub const NO_NODES: Self = Self(1 << 31);

    /// The filter at this place.
    pub fn of(place: usize) -> Self {
        debug_assert!(place < 31, "there are fewer filters");
        Self(1 << place)
    }

    /// Adds the filters of `other`.
    pub fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether there is one in both.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}
