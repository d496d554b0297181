//! How a scheduler works, as it is told.

mod file;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use wk_api::well_known::DEFAULT_SCHEDULER;
use wk_client::Leadership;

use crate::profile::{FILTER_NAMES, SCORE_NAMES};
pub use file::ConfigError;

/// How a scheduler works.
#[derive(Clone, Debug)]
pub struct SchedulerConfig {
    /// Each takes care of the pods whose `spec.schedulerName` is its name.
    pub profiles: Vec<ProfileConfig>,
    /// How many writes may be under way at once; they wait for the disk, so many share one sync.
    pub writes: usize,
    /// The pause after the first attempt for a pod that failed; it doubles with each one.
    pub initial_backoff: Duration,
    /// The longest pause between two attempts.
    pub max_backoff: Duration,
    /// How long a pod waits for a change that helps before it is tried again anyway.
    pub patience: Duration,
    /// How long the volumes of a pod may take to be bound before it is tried again.
    pub bind_timeout: Duration,
    /// Whether this replica is the one that acts.
    pub leadership: Leadership,
}

impl SchedulerConfig {
    /// The `default-scheduler`, alone in its cluster.
    pub fn alone() -> Self {
        Self {
            profiles: vec![ProfileConfig::new(DEFAULT_SCHEDULER)],
            writes: 128,
            initial_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(10),
            patience: Duration::from_mins(5),
            bind_timeout: Duration::from_mins(10),
            leadership: Leadership::alone(),
        }
    }

    /// Everything that is wrong with it.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.profiles.is_empty() {
            faults.push("there is no profile".to_owned());
        }
        let mut names = BTreeSet::new();
        for profile in &self.profiles {
            if !names.insert(&profile.scheduler_name) {
                faults.push(format!("there are two profiles `{}`", profile.scheduler_name));
            }
            profile.check(&mut faults);
        }
        if self.writes == 0 {
            faults.push("`writes` must be at least 1".to_owned());
        }
        if self.max_backoff < self.initial_backoff {
            faults.push("`max_backoff` must not be below `initial_backoff`".to_owned());
        }
        faults
    }
}

/// How the pods of one scheduler name are placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileConfig {
    /// The `spec.schedulerName` of its pods.
    pub scheduler_name: String,
    /// Of how many nodes, in hundredths, it is enough to find possible ones; 0 is by the size of
    /// the cluster. At least 100 nodes are looked for in any case.
    pub percentage_of_nodes_to_score: u8,
    /// Filters, by name, that are left out.
    pub disabled_filters: BTreeSet<String>,
    /// How much scores count, by name, where that is not as in Kubernetes; 0 leaves one out.
    pub weights: Vec<(String, i64)>,
    /// Whether emptier or fuller nodes are better.
    pub scoring_strategy: ScoringStrategy,
    /// The resources of which similar shares should be used.
    pub balanced_resources: Vec<ResourceWeight>,
    /// How much the required affinity of pods that are there counts for others, from 0 to 100.
    pub hard_pod_affinity_weight: i64,
    /// How pods are spread that have no constraints of their own.
    pub default_spread: DefaultSpread,
}

impl ProfileConfig {
    /// The settings of Kubernetes, for pods with this scheduler name.
    pub fn new(scheduler_name: impl Into<String>) -> Self {
        Self {
            scheduler_name: scheduler_name.into(),
            percentage_of_nodes_to_score: 0,
            disabled_filters: BTreeSet::new(),
            weights: Vec::new(),
            scoring_strategy: ScoringStrategy::default(),
            balanced_resources: ResourceWeight::cpu_and_memory(),
            hard_pod_affinity_weight: 1,
            default_spread: DefaultSpread::System,
        }
    }

    fn check(&self, faults: &mut Vec<String>) {
        let name = &self.scheduler_name;
        let mut fault = |text: fmt::Arguments<'_>| faults.push(format!("profile `{name}`: {text}"));
        if name.is_empty() {
            fault(format_args!("it has no name"));
        }
        if self.percentage_of_nodes_to_score > 100 {
            fault(format_args!("`percentage_of_nodes_to_score` must be at most 100"));
        }
        for filter in &self.disabled_filters {
            if !FILTER_NAMES.contains(&filter.as_str()) {
                fault(format_args!("there is no filter `{filter}`"));
            }
        }
        for (score, weight) in &self.weights {
            if !SCORE_NAMES.contains(&score.as_str()) {
                fault(format_args!("there is no score `{score}`"));
            }
            if *weight < 0 {
                fault(format_args!("the weight of `{score}` must not be negative"));
            }
        }
        for resource in self.scoring_strategy.resources() {
            if !(1..=100).contains(&resource.weight) {
                let resource = &resource.name;
                fault(format_args!("the weight of `{resource}` must be between 1 and 100"));
            }
        }
        if let ScoringStrategy::RequestedToCapacityRatio { shape, .. } = &self.scoring_strategy {
            let points = &shape.0;
            let is_rising = points.windows(2).all(|pair| pair[0].utilization < pair[1].utilization);
            let is_in_range =
                points.iter().all(|one| one.utilization <= 100 && (0..=10).contains(&one.score));
            if points.is_empty() || !is_rising || !is_in_range {
                fault(format_args!(
                    "the shape needs points of rising utilization up to 100 with scores up to 10"
                ));
            }
        }
        if !(0..=100).contains(&self.hard_pod_affinity_weight) {
            fault(format_args!("`hard_pod_affinity_weight` must be between 0 and 100"));
        }
        if let DefaultSpread::List(list) = &self.default_spread
            && list.iter().any(|one| one.max_skew < 1 || one.topology_key.is_empty())
        {
            fault(format_args!("default constraints need a key and a skew of at least 1"));
        }
    }
}

/// A resource and how much it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceWeight {
    /// The resource's name.
    pub name: Box<str>,
    /// From 1 to 100.
    pub weight: i64,
}

impl ResourceWeight {
    /// CPU and memory, which count the same.
    pub fn cpu_and_memory() -> Vec<Self> {
        ["cpu", "memory"].map(|name| Self { name: name.into(), weight: 1 }).into()
    }
}

/// Which nodes are better as far as amounts are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScoringStrategy {
    /// Those with more left over.
    LeastAllocated {
        /// Of what.
        resources: Vec<ResourceWeight>,
    },
    /// Those with less left over, so that others can be given up.
    MostAllocated {
        /// Of what.
        resources: Vec<ResourceWeight>,
    },
    /// As a table says.
    RequestedToCapacityRatio {
        /// Of what.
        resources: Vec<ResourceWeight>,
        /// The table.
        shape: UtilizationShape,
    },
}

impl Default for ScoringStrategy {
    fn default() -> Self {
        Self::LeastAllocated { resources: ResourceWeight::cpu_and_memory() }
    }
}

impl ScoringStrategy {
    /// The resources that count.
    pub fn resources(&self) -> &[ResourceWeight] {
        match self {
            Self::LeastAllocated { resources }
            | Self::MostAllocated { resources }
            | Self::RequestedToCapacityRatio { resources, .. } => resources,
        }
    }
}

/// A point of a [`UtilizationShape`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapePoint {
    /// How much would be used, in hundredths.
    pub utilization: i64,
    /// How good that is, from 0 to 10.
    pub score: i64,
}

/// How good a utilization is: straight lines between points of rising utilization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UtilizationShape(pub Vec<ShapePoint>);

impl UtilizationShape {
    /// The score of a utilization in hundredths, from 0 to 100.
    pub fn score(&self, utilization: i64) -> i64 {
        let next = self.0.iter().position(|point| utilization <= point.utilization);
        let scaled = |point: &ShapePoint| point.score * 10;
        match next {
            None => self.0.last().map_or(0, scaled),
            Some(0) => scaled(&self.0[0]),
            Some(index) => {
                let (from, to) = (&self.0[index - 1], &self.0[index]);
                let rise = (scaled(to) - scaled(from)) * (utilization - from.utilization);
                scaled(from) + rise / (to.utilization - from.utilization)
            }
        }
    }
}

/// How pods are spread that have no constraints of their own, but a Service or a maker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefaultSpread {
    /// Over machines and zones if that is possible.
    System,
    /// By these constraints.
    List(Vec<DefaultConstraint>),
}

/// A constraint by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultConstraint {
    /// The label of nodes whose values are the places to spread over.
    pub topology_key: String,
    /// By how many pods a place may exceed the emptiest one.
    pub max_skew: i64,
    /// Whether it must be obeyed (`DoNotSchedule`) or should be (`ScheduleAnyway`).
    pub is_hard: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_told_together() {
        let mut config = SchedulerConfig::alone();
        assert_eq!(config.faults(), Vec::<String>::new());
        config.writes = 0;
        config.profiles.push(ProfileConfig {
            weights: vec![("Beauty".to_owned(), -1)],
            disabled_filters: BTreeSet::from(["NodeNames".to_owned()]),
            ..ProfileConfig::new(DEFAULT_SCHEDULER)
        });
        assert_eq!(
            config.faults(),
            [
                "there are two profiles `default-scheduler`",
                "profile `default-scheduler`: there is no filter `NodeNames`",
                "profile `default-scheduler`: there is no score `Beauty`",
                "profile `default-scheduler`: the weight of `Beauty` must not be negative",
                "`writes` must be at least 1",
            ]
        );
    }

    #[test]
    fn a_shape_is_straight_between_its_points() {
        let point = |utilization, score| ShapePoint { utilization, score };
        let shape = UtilizationShape(vec![point(20, 0), point(60, 10), point(80, 5)]);
        for (utilization, score) in
            [(0, 0), (20, 0), (40, 50), (60, 100), (70, 75), (80, 50), (100, 50)]
        {
            assert_eq!(shape.score(utilization), score, "{utilization}");
        }
    }
}
