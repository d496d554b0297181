//! The rules by which the pods of one scheduler name are placed.

use std::collections::BTreeMap;

use crate::cluster::Cluster;
use crate::config::ProfileConfig;
use crate::demand::Demand;
use crate::framework::{Change, ChangeKind, Filter, FilterSet, Score};
use crate::plugins::{
    BalancedAllocation, ImageLocality, InterPodAffinity, NodeAffinity, NodeName, NodePorts,
    NodeUnschedulable, NodeVolumeLimits, ResourceScore, ResourcesFit, RuntimeSupport,
    TaintToleration, TopologySpread, VolumeBinding, VolumeRestrictions, VolumeZone,
};

/// The name under which sending pods away is known, which happens once all filters have refused.
pub(crate) const PREEMPTION: &str = "DefaultPreemption";

/// The names of all filters, in their order.
pub(crate) const FILTER_NAMES: [&str; 14] = [
    "NodeUnschedulable",
    "NodeName",
    "TaintToleration",
    "NodeAffinity",
    "RuntimeSupport",
    "NodePorts",
    "NodeResourcesFit",
    "VolumeRestrictions",
    "NodeVolumeLimits",
    "VolumeBinding",
    "VolumeZone",
    "PodTopologySpread",
    "InterPodAffinity",
    PREEMPTION,
];

/// The names of all scores.
pub(crate) const SCORE_NAMES: [&str; 7] = [
    "TaintToleration",
    "NodeAffinity",
    "PodTopologySpread",
    "InterPodAffinity",
    "NodeResourcesFit",
    "NodeResourcesBalancedAllocation",
    "ImageLocality",
];

/// The rules for the pods of one scheduler name.
#[derive(Debug)]
pub struct Profile {
    /// The scheduler name.
    pub name: String,
    /// In the order in which they are asked: a node's first refusal is the one that is reported.
    pub filters: Vec<(FilterSet, Box<dyn Filter>)>,
    /// With their weights.
    pub scores: Vec<(Box<dyn Score>, i64)>,
    /// See [`ProfileConfig::percentage_of_nodes_to_score`].
    pub percentage_of_nodes_to_score: u8,
    /// Whether other pods may be sent away for pods of higher priority.
    pub preempts: bool,
}

impl Profile {
    /// The rules that `config` asks for, which must be without [faults].
    ///
    /// [faults]: crate::SchedulerConfig::faults
    pub fn new(config: &ProfileConfig) -> Self {
        let spread = || TopologySpread::new(config.default_spread.clone());
        let pods = InterPodAffinity { hard_weight: config.hard_pod_affinity_weight };
        let filters: [Box<dyn Filter>; 13] = [
            Box::new(NodeUnschedulable),
            Box::new(NodeName),
            Box::new(TaintToleration),
            Box::new(NodeAffinity),
            Box::new(RuntimeSupport),
            Box::new(NodePorts),
            Box::new(ResourcesFit),
            Box::new(VolumeRestrictions),
            Box::new(NodeVolumeLimits),
            Box::new(VolumeBinding),
            Box::new(VolumeZone),
            Box::new(spread()),
            Box::new(pods),
        ];
        let balance = BalancedAllocation::new(config.balanced_resources.clone());
        let scores: [(Box<dyn Score>, i64); 7] = [
            (Box::new(TaintToleration), 3),
            (Box::new(NodeAffinity), 2),
            (Box::new(spread()), 2),
            (Box::new(pods), 2),
            (Box::new(ResourceScore::new(config.scoring_strategy.clone())), 1),
            (Box::new(balance), 1),
            (Box::new(ImageLocality), 1),
        ];
        let weights: BTreeMap<&str, i64> =
            config.weights.iter().map(|(name, weight)| (name.as_str(), *weight)).collect();
        let is_off = |name: &str| config.disabled_filters.contains(name);
        Self {
            name: config.scheduler_name.clone(),
            filters: (0..)
                .map(FilterSet::of)
                .zip(filters)
                .filter(|(_, filter)| !is_off(filter.name()))
                .collect(),
            scores: scores
                .into_iter()
                .map(|(score, usual)| {
                    let weight = weights.get(score.name()).copied().unwrap_or(usual);
                    (score, weight)
                })
                .filter(|(_, weight)| *weight > 0)
                .collect(),
            percentage_of_nodes_to_score: config.percentage_of_nodes_to_score,
            preempts: !is_off(PREEMPTION),
        }
    }

    /// The filters whose refusals a change of this kind may end.
    pub fn minding(&self, kind: ChangeKind) -> FilterSet {
        let mut set = FilterSet::default();
        for (id, filter) in &self.filters {
            if filter.minds().contain(kind) {
                set.insert(*id);
            }
        }
        if kind == ChangeKind::NodeCame {
            set.insert(FilterSet::NO_NODES);
        }
        set
    }

    /// Whether a change is the first node for a pod that was refused because there was none.
    pub fn has_first_node(&self, refused_by: FilterSet, change: &Change<'_>) -> bool {
        matches!(change, Change::NodeCame(_)) && refused_by.meets(FilterSet::NO_NODES)
    }

    /// The filters among these that may know whether a change helps a pod which they refused.
    pub fn to_ask<'a>(
        &'a self,
        refused_by: FilterSet,
        change: &Change<'_>,
    ) -> impl Iterator<Item = &'a dyn Filter> {
        let kind = change.kind();
        let refusing = self.filters.iter().filter(move |(id, _)| id.meets(refused_by));
        let refusing = refusing.map(|(_, filter)| &**filter);
        refusing.filter(move |filter| filter.minds().contain(kind))
    }

    /// Whether a change may help a pod that was refused by these filters.
    pub fn is_helped(
        &self,
        pod: &Demand,
        refused_by: FilterSet,
        change: &Change<'_>,
        cluster: &Cluster,
    ) -> bool {
        self.has_first_node(refused_by, change)
            || self.to_ask(refused_by, change).any(|one| one.is_helped(pod, change, cluster))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_plugins() {
        let profile = Profile::new(&ProfileConfig::new("x"));
        let filters = profile.filters.iter().map(|(_, filter)| filter.name());
        assert!(filters.eq(FILTER_NAMES.into_iter().filter(|name| *name != PREEMPTION)));
        assert!(profile.scores.iter().map(|(score, _)| score.name()).eq(SCORE_NAMES));
    }

    #[test]
    fn rules_can_be_left_out_and_weighed_otherwise() {
        let profile = Profile::new(&ProfileConfig {
            disabled_filters: ["NodePorts", "DefaultPreemption"].map(str::to_owned).into(),
            weights: vec![("ImageLocality".to_owned(), 0), ("NodeAffinity".to_owned(), 9)],
            ..ProfileConfig::new("x")
        });
        assert!(!profile.preempts && profile.filters.len() == FILTER_NAMES.len() - 2);
        let weight = |name: &str| {
            profile.scores.iter().find(|(score, _)| score.name() == name).map(|(_, weight)| *weight)
        };
        assert_eq!((weight("ImageLocality"), weight("NodeAffinity")), (None, Some(9)));
    }
}
