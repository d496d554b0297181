//! Rules about what a node is.

use wk_api::well_known::UNSCHEDULABLE_TAINT;

use crate::cluster::{Cluster, NodeView};
use crate::demand::Demand;
use crate::framework::{Change, ChangeKind, ChangeKinds, Filter, NodeFilter, Prepared, Refusal};
use crate::offer::Offer;
use crate::taints::Effect;

const NODES: ChangeKinds = ChangeKinds::of(&[ChangeKind::NodeCame, ChangeKind::NodeChanged]);

/// Cordoned nodes take no new pods, except those that tolerate the taint which says so.
#[derive(Clone, Copy, Debug)]
pub struct NodeUnschedulable;

fn tolerates_cordon(pod: &Demand) -> bool {
    let mut tolerations = pod.template.tolerations.iter();
    tolerations.any(|one| one.tolerates(UNSCHEDULABLE_TAINT, "", Effect::NoSchedule))
}

impl Filter for NodeUnschedulable {
    fn name(&self) -> &'static str {
        "NodeUnschedulable"
    }

    fn prepare<'a>(&'a self, pod: &'a Demand, _: &'a Cluster) -> Result<Prepared<'a>, Refusal> {
        Ok(if tolerates_cordon(pod) { Prepared::Skip } else { Prepared::Each(Box::new(*self)) })
    }

    fn minds(&self) -> ChangeKinds {
        NODES
    }

    fn is_helped(&self, _: &Demand, change: &Change<'_>, _: &Cluster) -> bool {
        change.opens_node(|offer| !offer.is_unschedulable)
    }
}

impl NodeFilter for NodeUnschedulable {
    fn check(&self, node: NodeView<'_>) -> Result<(), Refusal> {
        if node.offer.is_unschedulable {
            return Err(Refusal::lasting("node(s) were unschedulable"));
        }
        Ok(())
    }
}

/// A pod that names its node goes there.
#[derive(Clone, Copy, Debug)]
pub struct NodeName;

struct Named<'a>(&'a str);

impl Filter for NodeName {
    fn name(&self) -> &'static str {
        "NodeName"
    }

    fn prepare<'a>(&'a self, pod: &'a Demand, _: &'a Cluster) -> Result<Prepared<'a>, Refusal> {
        Ok(match &pod.node {
            Some(name) => Prepared::Each(Box::new(Named(name))),
            None => Prepared::Skip,
        })
    }

    fn minds(&self) -> ChangeKinds {
        ChangeKinds::of(&[ChangeKind::NodeCame])
    }

    fn is_helped(&self, pod: &Demand, change: &Change<'_>, _: &Cluster) -> bool {
        change.opens_node(|offer| pod.node.as_ref() == Some(&offer.name))
    }
}

impl NodeFilter for Named<'_> {
    fn check(&self, node: NodeView<'_>) -> Result<(), Refusal> {
        if *node.offer.name == *self.0 {
            return Ok(());
        }
        Err(Refusal::lasting("node(s) didn't match the requested node name"))
    }
}

/// A node that says which runtimes it has gets only pods for those.
#[derive(Clone, Copy, Debug)]
pub struct RuntimeSupport;

struct Runtime<'a>(&'a str);

/// The runtime classes that are always there, each for the handler of its own name. What others
/// mean is not known here: they say themselves where their pods can run.
const HANDLERS: [&str; 2] = ["docker", "wasm"];

fn has_runtime(offer: &Offer, class: &str) -> bool {
    offer.runtimes.is_empty()
        || offer.runtimes.iter().any(|own| **own == *class)
        || !HANDLERS.contains(&class)
}

impl Filter for RuntimeSupport {
    fn name(&self) -> &'static str {
        "RuntimeSupport"
    }

    fn prepare<'a>(&'a self, pod: &'a Demand, _: &'a Cluster) -> Result<Prepared<'a>, Refusal> {
        Ok(match &pod.template.runtime_class {
            Some(class) => Prepared::Each(Box::new(Runtime(class))),
            None => Prepared::Skip,
        })
    }

    fn minds(&self) -> ChangeKinds {
        NODES
    }

    fn is_helped(&self, pod: &Demand, change: &Change<'_>, _: &Cluster) -> bool {
        let class = pod.template.runtime_class.as_deref();
        change.opens_node(|offer| class.is_none_or(|class| has_runtime(offer, class)))
    }
}

impl NodeFilter for Runtime<'_> {
    fn check(&self, node: NodeView<'_>) -> Result<(), Refusal> {
        if has_runtime(node.offer, self.0) {
            return Ok(());
        }
        Err(Refusal::lasting("node(s) didn't support the pod's runtime class"))
    }
}
