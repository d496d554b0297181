//! How pods are spread that say nothing about it but belong together.

use wk_api::well_known::{HOSTNAME_LABEL, ZONE_LABEL};

use crate::cluster::Cluster;
use crate::config::DefaultSpread;
use crate::demand::{Demand, SpreadConstraint};
use crate::labels::Selector;

/// The hard (or soft) constraints by default; none for a pod without a Service and a maker.
pub(super) fn constraints(
    default: &DefaultSpread,
    pod: &Demand,
    cluster: &Cluster,
    is_hard: bool,
) -> Vec<SpreadConstraint> {
    let wanted: Vec<(&str, i64)> = match default {
        DefaultSpread::System if is_hard => Vec::new(),
        DefaultSpread::System => vec![(HOSTNAME_LABEL, 3), (ZONE_LABEL, 5)],
        DefaultSpread::List(list) => {
            let list = list.iter().filter(|one| one.is_hard == is_hard);
            list.map(|one| (&*one.topology_key, one.max_skew)).collect()
        }
    };
    if wanted.is_empty() {
        return Vec::new();
    }
    let Some(selector) = cluster.owners.selector_for(pod) else { return Vec::new() };
    wanted.into_iter().map(|(key, max_skew)| constraint(key, max_skew, &selector)).collect()
}

fn constraint(key: &str, max_skew: i64, selector: &Selector) -> SpreadConstraint {
    SpreadConstraint {
        key: key.into(),
        max_skew,
        min_domains: 1,
        selector: selector.clone(),
        honors_affinity: true,
        honors_taints: false,
    }
}
