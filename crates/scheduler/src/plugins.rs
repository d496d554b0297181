//! The rules by which nodes are refused and preferred.

mod balanced_allocation;
mod image_locality;
mod inter_pod_affinity;
mod node_affinity;
mod node_ports;
mod node_rules;
mod resources_fit;
mod spread_default;
mod taint_toleration;
mod topology_spread;
mod volume_limits;
mod volumes;

pub use balanced_allocation::BalancedAllocation;
pub use image_locality::ImageLocality;
pub use inter_pod_affinity::InterPodAffinity;
pub use node_affinity::NodeAffinity;
pub use node_ports::NodePorts;
pub use node_rules::{NodeName, NodeUnschedulable, RuntimeSupport};
pub use resources_fit::{ResourceScore, ResourcesFit};
pub use taint_toleration::TaintToleration;
pub use topology_spread::TopologySpread;
pub use volume_limits::NodeVolumeLimits;
pub use volumes::{VolumeBinding, VolumeRestrictions, VolumeZone};

/// Scales scores so that the best becomes 100; all equal to 0 stay so.
fn normalize(scores: &mut [i64]) {
    let best = scores.iter().max().copied().unwrap_or(0);
    if best > 0 {
        for score in scores {
            *score = *score * 100 / best;
        }
    }
}
