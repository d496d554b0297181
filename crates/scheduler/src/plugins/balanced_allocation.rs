//! Nodes whose resources would be used up evenly are better.

use crate::cluster::{Cluster, NodeView};
use crate::config::ResourceWeight;
use crate::demand::{Demand, Resources};
use crate::framework::{NodeScore, Score};

/// Prefers nodes on which the shares of all resources that are used would be alike.
#[derive(Clone, Debug)]
pub struct BalancedAllocation {
    resources: Vec<ResourceWeight>,
}

impl BalancedAllocation {
    /// Compares these resources; their weights do not matter.
    pub fn new(resources: Vec<ResourceWeight>) -> Self {
        Self { resources }
    }
}

struct Balance<'a> {
    resources: &'a [ResourceWeight],
    requests: &'a Resources,
}

impl Score for BalancedAllocation {
    fn name(&self) -> &'static str {
        "NodeResourcesBalancedAllocation"
    }

    fn prepare<'a>(
        &'a self,
        pod: &'a Demand,
        _: &'a Cluster,
        _: &[NodeView<'_>],
    ) -> Option<Box<dyn NodeScore + 'a>> {
        let (resources, requests) = (&self.resources, &pod.template.requests);
        // Pods that ask for nothing would all go where the balance happens to be best.
        let asks = resources.iter().any(|one| requests.amount(&one.name) > 0);
        asks.then(|| Box::new(Balance { resources, requests }) as Box<dyn NodeScore>)
    }
}

impl NodeScore for Balance<'_> {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "shares are between 0 and 1, and hundredths of them are wanted"
    )]
    fn score(&self, node: NodeView<'_>) -> i64 {
        let shares = self.resources.iter().filter_map(|resource| {
            let name = &*resource.name;
            let (own, all) = (self.requests.amount(name), node.offer.allocatable.amount(name));
            let matters = own > 0 || matches!(name, "cpu" | "memory" | "ephemeral-storage");
            let used = node.used.requested.amount(name).saturating_add(own);
            (all > 0 && matters).then(|| (used as f64 / all as f64).min(1.0))
        });
        let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for share in shares {
            count += 1.0;
            sum += share;
            squares += share * share;
        }
        if count < 2.0 {
            return 100;
        }
        let mean: f64 = sum / count;
        let variance: f64 = squares / count - mean * mean;
        ((1.0 - variance.max(0.0).sqrt()) * 100.0) as i64
    }
}
