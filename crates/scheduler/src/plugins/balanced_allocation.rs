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
    fn score(&self, node: NodeView<'_>) -> i64 {
        let (with, without) = (self.balance(node, true), self.balance(node, false));
        50 + (50 + with - without) / 2
    }
}

impl Balance<'_> {
    /// How alike the shares are, from 0 to 100, with the pod and without it.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "shares are between 0 and 1, and hundredths of them are wanted"
    )]
    fn balance(&self, node: NodeView<'_>, with_pod: bool) -> i64 {
        let shares = self.resources.iter().filter_map(|resource| {
            let name = &*resource.name;
            let (own, all) = (self.requests.amount(name), node.offer.allocatable.amount(name));
            let matters = own > 0 || matches!(name, "cpu" | "memory" | "ephemeral-storage");
            let used = node.used.requested.amount(name);
            let used = if with_pod { used.saturating_add(own) } else { used };
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{World, asking};

    fn score(world: &World, pod: &serde_json::Value) -> i64 {
        let plugin = BalancedAllocation::new(ResourceWeight::cpu_and_memory());
        let pod = world.pod("new", pod);
        let node = world.cluster.node(0).unwrap();
        plugin.prepare(&pod, &world.cluster, &[node]).unwrap().score(node)
    }

    #[test]
    fn what_counts_is_what_the_pod_does_to_the_balance() {
        let mut world = World::new();
        world.node("a", |_| {});
        assert_eq!(score(&world, &asking("1", "2Gi")), 75, "it was and stays balanced");
        assert_eq!(score(&world, &asking("2", "0")), 62, "it becomes unbalanced");
        world.place("x", &asking("2", "0"), "a");
        assert_eq!(score(&world, &asking("1m", "4Gi")), 87, "it becomes balanced");
        let silent = world.pod("silent", &json!({}));
        let plugin = BalancedAllocation::new(ResourceWeight::cpu_and_memory());
        assert!(plugin.prepare(&silent, &world.cluster, &[]).is_none());
    }
}
