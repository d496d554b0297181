//! Rules about what a node is, has and holds.

use wk_api::well_known::UNSCHEDULABLE_TAINT;

use super::taints::tolerates;
use crate::cluster::{Cluster, NodeState, Offer};
use crate::demand::Demand;
use crate::plan::{Filter, Reasons, Score};

/// Cordoned nodes take no new pods, except those that tolerate the taint which says so.
pub(super) struct NodeUnschedulable;

impl Filter for NodeUnschedulable {
    fn name(&self) -> &'static str {
        "NodeUnschedulable"
    }

    fn check(&self, pod: &Demand, offer: &Offer, _: &NodeState) -> Result<(), Reasons> {
        let is_tolerated = || {
            let tolerations = pod.needs.iter().flat_map(|needs| &needs.tolerations);
            let mut tolerations = tolerations;
            tolerations.any(|one| tolerates(one, UNSCHEDULABLE_TAINT, "", "NoSchedule"))
        };
        if offer.is_unschedulable && !is_tolerated() {
            return Err(vec!["node(s) were unschedulable".into()]);
        }
        Ok(())
    }
}

/// A pod that names its node goes there.
pub(super) struct NodeName;

impl Filter for NodeName {
    fn name(&self) -> &'static str {
        "NodeName"
    }

    fn check(&self, pod: &Demand, offer: &Offer, _: &NodeState) -> Result<(), Reasons> {
        match &pod.node {
            Some(name) if *name != offer.name => {
                Err(vec!["node(s) didn't match the requested node name".into()])
            }
            _ => Ok(()),
        }
    }
}

/// A node that says which runtimes it has gets only pods for those.
pub(super) struct RuntimeSupport;

impl Filter for RuntimeSupport {
    fn name(&self) -> &'static str {
        "RuntimeSupport"
    }

    fn check(&self, pod: &Demand, offer: &Offer, _: &NodeState) -> Result<(), Reasons> {
        let class = pod.needs.as_ref().and_then(|needs| needs.runtime_class.as_ref());
        match class {
            Some(class) if !offer.runtimes.is_empty() && !offer.runtimes.contains(class) => {
                Err(vec!["node(s) didn't support the pod's runtime class".into()])
            }
            _ => Ok(()),
        }
    }
}

/// Two pods cannot have the same port of a node.
pub(super) struct NodePorts;

impl Filter for NodePorts {
    fn name(&self) -> &'static str {
        "NodePorts"
    }

    fn minds_other_pods(&self) -> bool {
        true
    }

    fn check(&self, pod: &Demand, _: &Offer, state: &NodeState) -> Result<(), Reasons> {
        let is_taken = pod
            .host_ports
            .iter()
            .any(|port| state.host_ports.iter().any(|taken| taken.conflicts_with(port)));
        if is_taken {
            return Err(vec!["node(s) didn't have free ports for the requested pod ports".into()]);
        }
        Ok(())
    }
}

/// Images below this size do not matter, ...
const SMALL_IMAGE: i64 = 23 << 20;
/// ... and from this size on, for each container, nothing matters more.
const LARGE_IMAGE: i64 = 1000 << 20;

/// Nodes that hold large images of the pod are better, the more so the fewer of them there are not.
///
/// An image that only few nodes hold counts less, or all pods that use it would gather there.
pub(super) struct ImageLocality;

impl Score for ImageLocality {
    fn name(&self) -> &'static str {
        "ImageLocality"
    }

    fn score(&self, pod: &Demand, offer: &Offer, _: &NodeState, cluster: &Cluster) -> i64 {
        let Some(needs) = &pod.needs else { return 0 };
        if needs.images.is_empty() || offer.images.is_empty() {
            return 0;
        }
        let nodes = i64::try_from(cluster.nodes().count()).unwrap_or(i64::MAX).max(1);
        let held: i64 = needs
            .images
            .iter()
            .filter_map(|image| {
                let size = offer.images.get(image)?;
                Some(size.saturating_mul(cluster.nodes_with_image(image)) / nodes)
            })
            .sum();
        let containers = i64::try_from(needs.images.len()).unwrap_or(1);
        let most = LARGE_IMAGE.saturating_mul(containers);
        100 * (held.clamp(SMALL_IMAGE, most) - SMALL_IMAGE) / (most - SMALL_IMAGE)
    }
}
