//! Nodes that hold the pod's images are better.

use crate::cluster::{Cluster, NodeView};
use crate::demand::Demand;
use crate::framework::{NodeScore, Score};

/// Images below this size do not matter, ...
const SMALL_IMAGE: i64 = 23 << 20;
/// ... and from this size on, for each container, nothing matters more.
const LARGE_IMAGE: i64 = 1000 << 20;

/// Nodes that hold large images of the pod are better.
///
/// An image that only few nodes hold counts less, or all pods that use it would gather there.
#[derive(Clone, Copy, Debug)]
pub struct ImageLocality;

struct Images<'a> {
    /// The names, and how many nodes hold each.
    wanted: Vec<(&'a str, i64)>,
    containers: i64,
    nodes: i64,
}

impl Score for ImageLocality {
    fn name(&self) -> &'static str {
        "ImageLocality"
    }

    fn prepare<'a>(
        &'a self,
        pod: &'a Demand,
        cluster: &'a Cluster,
        _: &[NodeView<'_>],
    ) -> Option<Box<dyn NodeScore + 'a>> {
        let images = &pod.template.images;
        let held = images.iter().map(|image| (&**image, cluster.nodes_with_image(image)));
        let wanted: Vec<_> = held.filter(|(_, nodes)| *nodes > 0).collect();
        if wanted.is_empty() {
            return None;
        }
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX).max(1);
        let (containers, nodes) = (number(images.len()), number(cluster.node_count()));
        Some(Box::new(Images { wanted, containers, nodes }))
    }
}

impl NodeScore for Images<'_> {
    fn score(&self, node: NodeView<'_>) -> i64 {
        let sizes = self.wanted.iter().filter_map(|(image, holders)| {
            Some(node.offer.image(image)?.saturating_mul(*holders) / self.nodes)
        });
        let held: i64 = sizes.sum();
        let most = LARGE_IMAGE.saturating_mul(self.containers);
        100 * (held.clamp(SMALL_IMAGE, most) - SMALL_IMAGE) / (most - SMALL_IMAGE)
    }
}
