//! Which nodes make the spreading more even.

use std::sync::Arc;

use wk_api::well_known::HOSTNAME_LABEL;

use super::{TopologySpread, counts_node, has_all_keys};
use crate::cluster::{Cluster, Domains, NodeView};
use crate::config::DefaultSpread;
use crate::demand::Demand;
use crate::framework::{NodeScore, Score};

/// Marks a node that lacks a label which it should have.
const IGNORED: i64 = i64::MIN;

/// How many pods there are near each node, by one constraint.
struct Soft {
    domains: Arc<Domains>,
    /// `None` for domains that no possible node is in.
    counts: Vec<Option<i64>>,
    /// The more domains there are, the more a pod counts.
    weight: f64,
    max_skew: i64,
}

struct SoftSpreads {
    spreads: Vec<Soft>,
    /// Whether nodes that lack the label of any constraint are out.
    needs_all_keys: bool,
}

impl Score for TopologySpread {
    fn name(&self) -> &'static str {
        "PodTopologySpread"
    }

    #[expect(clippy::cast_precision_loss, reason = "the number of domains is small")]
    fn prepare<'a>(
        &'a self,
        pod: &'a Demand,
        cluster: &'a Cluster,
        nodes: &[NodeView<'_>],
    ) -> Option<Box<dyn NodeScore + 'a>> {
        let constraints = self.constraints(pod, cluster, false);
        if constraints.is_empty() {
            return None;
        }
        let template = &pod.template;
        let has_own = !template.hard_spread.is_empty() || !template.soft_spread.is_empty();
        let needs_all_keys = has_own || !matches!(self.default, DefaultSpread::System);
        let is_in = |node: &NodeView<'_>| !needs_all_keys || has_all_keys(&constraints, node.offer);
        let possible = nodes.iter().filter(|node| is_in(node)).count();
        let spreads = constraints.iter().map(|constraint| {
            let domains = cluster.domains(&constraint.key);
            let mut counts = vec![None; domains.count()];
            let mut seen = 0;
            for node in nodes.iter().filter(|node| is_in(node)) {
                if let Some(count @ None) = counts.get_mut(domains.of(node.index) as usize) {
                    *count = Some(0);
                    seen += 1;
                }
            }
            let is_hostname = &*constraint.key == HOSTNAME_LABEL;
            // Judging a node is cheap unless the pod is choosy about nodes.
            let all_count = template.nodes.is_everything() && !constraint.honors_taints;
            for group in cluster.crowd().of_namespace(&pod.kin.namespace) {
                if !constraint.selector.matches(&group.kin.labels) {
                    continue;
                }
                for (index, count) in &group.nodes {
                    let domain = domains.of(*index) as usize;
                    let Some(Some(sum)) = counts.get_mut(domain) else { continue };
                    let counts = is_hostname
                        || cluster.node(*index).is_some_and(|node| {
                            is_in(&node) && (all_count || counts_node(constraint, pod, node.offer))
                        });
                    if counts {
                        *sum += count.staying();
                    }
                }
            }
            let size = if is_hostname { possible } else { seen };
            let weight = (size as f64 + 2.0).ln();
            Soft { domains, counts, weight, max_skew: constraint.max_skew }
        });
        Some(Box::new(SoftSpreads { spreads: spreads.collect(), needs_all_keys }))
    }
}

impl NodeScore for SoftSpreads {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "counts of pods are small"
    )]
    fn score(&self, node: NodeView<'_>) -> i64 {
        let mut score = 0.0;
        for spread in &self.spreads {
            match spread.counts.get(spread.domains.of(node.index) as usize) {
                Some(count) => {
                    let count = count.unwrap_or(0) as f64;
                    score += count * spread.weight + (spread.max_skew - 1) as f64;
                }
                None if self.needs_all_keys => return IGNORED,
                None => {}
            }
        }
        score.round() as i64
    }

    fn normalize(&self, scores: &mut [i64]) {
        let valid = || scores.iter().copied().filter(|score| *score != IGNORED);
        let (least, most) = (valid().min().unwrap_or(0), valid().max().unwrap_or(0));
        for score in scores {
            *score = match *score {
                IGNORED => 0,
                _ if most == 0 => 100,
                score => 100 * (most + least - score) / most,
            };
        }
    }
}
