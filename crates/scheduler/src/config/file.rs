//! Reading the settings from where users of Kubernetes have them: a `KubeSchedulerConfiguration`.
//!
//! A setting that would have no effect here is refused by name, not ignored.
//!
//! Spec: <https://kubernetes.io/docs/reference/scheduling/config/>

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use wk_api::well_known::DEFAULT_SCHEDULER;

use super::{
    DefaultConstraint, DefaultSpread, ProfileConfig, ResourceWeight, SchedulerConfig,
    ScoringStrategy, ShapePoint, UtilizationShape,
};
use crate::profile::{FILTER_NAMES, PREEMPTION, SCORE_NAMES};

const API_VERSION: &str = "kubescheduler.config.k8s.io/v1";
const KIND: &str = "KubeSchedulerConfiguration";

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It does not have the form of one.
    #[error("not a scheduler configuration")]
    Form(#[from] serde_json::Error),
    /// What it says cannot be; all faults are told.
    #[error("{}", .0.join("; "))]
    Faults(Vec<String>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    api_version: String,
    kind: String,
    percentage_of_nodes_to_score: Option<u8>,
    pod_initial_backoff_seconds: Option<u64>,
    pod_max_backoff_seconds: Option<u64>,
    #[serde(default)]
    profiles: Vec<Profile>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Profile {
    scheduler_name: Option<String>,
    percentage_of_nodes_to_score: Option<u8>,
    #[serde(default)]
    plugins: Plugins,
    #[serde(default)]
    plugin_config: Vec<PluginConfig>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Plugins {
    multi_point: PluginSet,
    filter: PluginSet,
    post_filter: PluginSet,
    score: PluginSet,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PluginSet {
    enabled: Vec<Plugin>,
    disabled: Vec<Plugin>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plugin {
    name: String,
    weight: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PluginConfig {
    name: String,
    args: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FitArgs {
    scoring_strategy: Strategy,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Strategy {
    r#type: String,
    resources: Option<Vec<Resource>>,
    requested_to_capacity_ratio: Option<Ratio>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resource {
    name: String,
    weight: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ratio {
    shape: Vec<Point>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Point {
    utilization: i64,
    score: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BalanceArgs {
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PodAffinityArgs {
    hard_pod_affinity_weight: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SpreadArgs {
    defaulting_type: Option<String>,
    #[serde(default)]
    default_constraints: Vec<Constraint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Constraint {
    max_skew: i64,
    topology_key: String,
    when_unsatisfiable: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BindingArgs {
    bind_timeout_seconds: u64,
}

impl SchedulerConfig {
    /// The settings of a `KubeSchedulerConfiguration`; what it does not say is as in
    /// [`SchedulerConfig::alone`].
    ///
    /// # Errors
    /// [`ConfigError`] if it says something else, or something that cannot be.
    pub fn from_kube(file: Value) -> Result<Self, ConfigError> {
        let file: File = serde_json::from_value(file)?;
        let (mut config, mut faults) = (Self::alone(), Vec::new());
        if (file.api_version.as_str(), file.kind.as_str()) != (API_VERSION, KIND) {
            faults.push(format!("only {KIND} of {API_VERSION} is known"));
        }
        if let Some(seconds) = file.pod_initial_backoff_seconds {
            config.initial_backoff = Duration::from_secs(seconds);
        }
        if let Some(seconds) = file.pod_max_backoff_seconds {
            config.max_backoff = Duration::from_secs(seconds);
        }
        let mut profiles = file.profiles;
        if profiles.is_empty() {
            profiles.push(Profile::default());
        }
        config.profiles.clear();
        for profile in profiles {
            let name = profile.scheduler_name.unwrap_or_else(|| DEFAULT_SCHEDULER.to_owned());
            let mut own = ProfileConfig::new(name);
            own.percentage_of_nodes_to_score = profile
                .percentage_of_nodes_to_score
                .or(file.percentage_of_nodes_to_score)
                .unwrap_or(0);
            plug(&mut own, &profile.plugins, &mut faults);
            for one in profile.plugin_config {
                configure(&mut config.bind_timeout, &mut own, one, &mut faults)?;
            }
            config.profiles.push(own);
        }
        faults.extend(config.faults());
        if faults.is_empty() { Ok(config) } else { Err(ConfigError::Faults(faults)) }
    }
}

/// Leaves out and takes in what the file says.
fn plug(profile: &mut ProfileConfig, plugins: &Plugins, faults: &mut Vec<String>) {
    let Plugins { multi_point, filter, post_filter, score } = plugins;
    let filters: Vec<&str> = FILTER_NAMES.into_iter().filter(|name| *name != PREEMPTION).collect();
    let everything: Vec<&str> = FILTER_NAMES.into_iter().chain(SCORE_NAMES).collect();
    let mut weights: BTreeMap<&str, i64> = BTreeMap::new();
    for (set, known) in [
        (multi_point, &everything[..]),
        (filter, &filters[..]),
        (post_filter, &[PREEMPTION][..]),
        (score, &SCORE_NAMES[..]),
    ] {
        let is_filters = !std::ptr::eq(set, score);
        let is_scores = std::ptr::eq(set, score) || std::ptr::eq(set, multi_point);
        let mut meant = |plugin: &Plugin| -> Vec<&str> {
            if plugin.name == "*" {
                return known.to_vec();
            }
            let own = known.iter().copied().find(|name| *name == plugin.name);
            if own.is_none() {
                let name = &profile.scheduler_name;
                faults.push(format!("profile `{name}`: there is no `{}` there", plugin.name));
            }
            own.into_iter().collect()
        };
        let disabled: Vec<&str> = set.disabled.iter().flat_map(&mut meant).collect();
        let enabled: Vec<(&str, Option<i64>)> = set
            .enabled
            .iter()
            .flat_map(|plugin| {
                let names = meant(plugin).into_iter();
                names.map(|name| (name, plugin.weight)).collect::<Vec<_>>()
            })
            .collect();
        for name in disabled {
            if is_filters && FILTER_NAMES.contains(&name) {
                profile.disabled_filters.insert(name.to_owned());
            }
            if is_scores && SCORE_NAMES.contains(&name) {
                weights.insert(name, 0);
            }
        }
        for (name, weight) in enabled {
            if is_filters {
                profile.disabled_filters.remove(name);
            }
            if is_scores && SCORE_NAMES.contains(&name) {
                weights.insert(name, weight.filter(|weight| *weight != 0).unwrap_or(1));
            }
        }
    }
    profile.weights = weights.into_iter().map(|(name, weight)| (name.to_owned(), weight)).collect();
}

/// Takes over what the file says about one plugin.
fn configure(
    bind_timeout: &mut Duration,
    profile: &mut ProfileConfig,
    plugin: PluginConfig,
    faults: &mut Vec<String>,
) -> Result<(), ConfigError> {
    let name = profile.scheduler_name.clone();
    let mut fault = |text: String| faults.push(format!("profile `{name}`: {text}"));
    let PluginConfig { name: plugin, mut args } = plugin;
    if let Some(args) = args.as_object_mut() {
        // They say only what the plugin's name says already.
        args.remove("apiVersion");
        args.remove("kind");
    }
    match plugin.as_str() {
        "NodeResourcesFit" => {
            let FitArgs { scoring_strategy } = serde_json::from_value(args)?;
            let resources =
                scoring_strategy.resources.map_or_else(ResourceWeight::cpu_and_memory, weights_of);
            let shape = scoring_strategy.requested_to_capacity_ratio.map(|ratio| {
                let point =
                    |one: Point| ShapePoint { utilization: one.utilization, score: one.score };
                UtilizationShape(ratio.shape.into_iter().map(point).collect())
            });
            profile.scoring_strategy = match (scoring_strategy.r#type.as_str(), shape) {
                ("LeastAllocated", None) => ScoringStrategy::LeastAllocated { resources },
                ("MostAllocated", None) => ScoringStrategy::MostAllocated { resources },
                ("RequestedToCapacityRatio", Some(shape)) => {
                    ScoringStrategy::RequestedToCapacityRatio { resources, shape }
                }
                (other, shape) => {
                    let has = if shape.is_some() { "a" } else { "no" };
                    fault(format!("there is no scoring strategy `{other}` with {has} shape"));
                    return Ok(());
                }
            };
        }
        "NodeResourcesBalancedAllocation" => {
            let BalanceArgs { resources } = serde_json::from_value(args)?;
            profile.balanced_resources = weights_of(resources);
        }
        "InterPodAffinity" => {
            let PodAffinityArgs { hard_pod_affinity_weight } = serde_json::from_value(args)?;
            profile.hard_pod_affinity_weight = hard_pod_affinity_weight;
        }
        "PodTopologySpread" => {
            let SpreadArgs { defaulting_type, default_constraints } = serde_json::from_value(args)?;
            let list = default_constraints.into_iter().map(|one| DefaultConstraint {
                topology_key: one.topology_key,
                max_skew: one.max_skew,
                is_hard: one.when_unsatisfiable != "ScheduleAnyway",
            });
            let list: Vec<_> = list.collect();
            profile.default_spread = match (defaulting_type.as_deref(), list.is_empty()) {
                (None | Some("System"), true) => DefaultSpread::System,
                (Some("List"), _) => DefaultSpread::List(list),
                _ => {
                    fault("constraints by default need `defaultingType: List`".to_owned());
                    return Ok(());
                }
            };
        }
        "VolumeBinding" => {
            let BindingArgs { bind_timeout_seconds } = serde_json::from_value(args)?;
            *bind_timeout = Duration::from_secs(bind_timeout_seconds);
        }
        other => fault(format!("`{other}` has no settings")),
    }
    Ok(())
}

fn weights_of(list: Vec<Resource>) -> Vec<ResourceWeight> {
    let own = |one: Resource| ResourceWeight {
        name: one.name.into(),
        weight: one.weight.filter(|weight| *weight != 0).unwrap_or(1),
    };
    list.into_iter().map(own).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(rest: &Value) -> Result<SchedulerConfig, String> {
        let mut file = json!({"apiVersion": API_VERSION, "kind": KIND});
        for (key, value) in rest.as_object().unwrap() {
            file[key] = value.clone();
        }
        SchedulerConfig::from_kube(file).map_err(|error| match error {
            ConfigError::Form(error) => error.to_string(),
            ConfigError::Faults(_) => error.to_string(),
        })
    }

    #[test]
    fn an_empty_file_changes_nothing() {
        let config = read(&json!({})).unwrap();
        assert_eq!(config.profiles, [ProfileConfig::new(DEFAULT_SCHEDULER)]);
        assert_eq!(config.initial_backoff, SchedulerConfig::alone().initial_backoff);
    }

    #[test]
    fn profiles_say_which_plugins_count_and_how() {
        let config = read(&json!({
            "podInitialBackoffSeconds": 1, "percentageOfNodesToScore": 30,
            "profiles": [
                {"schedulerName": "packing", "plugins": {
                    "score": {"disabled": [{"name": "*"}],
                        "enabled": [{"name": "NodeResourcesFit", "weight": 5}]},
                    "postFilter": {"disabled": [{"name": "*"}]}},
                 "pluginConfig": [
                    {"name": "NodeResourcesFit", "args": {"scoringStrategy":
                        {"type": "MostAllocated", "resources": [{"name": "cpu", "weight": 3}]}}},
                    {"name": "VolumeBinding", "args": {"bindTimeoutSeconds": 7}},
                    {"name": "PodTopologySpread", "args": {"kind": "PodTopologySpreadArgs",
                        "defaultingType": "List", "defaultConstraints": [{"maxSkew": 1,
                            "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]}}]},
                {"schedulerName": "default-scheduler", "percentageOfNodesToScore": 70},
            ],
        }))
        .unwrap();
        let [packing, default] = &config.profiles[..] else { panic!("there are two") };
        assert_eq!(config.initial_backoff, Duration::from_secs(1));
        assert_eq!(config.bind_timeout, Duration::from_secs(7));
        let shares = (packing.percentage_of_nodes_to_score, default.percentage_of_nodes_to_score);
        assert_eq!(shares, (30, 70));
        let rules = crate::profile::Profile::new(packing);
        assert!(!rules.preempts);
        let scores: Vec<_> =
            rules.scores.iter().map(|(one, weight)| (one.name(), *weight)).collect();
        assert_eq!(scores, [("NodeResourcesFit", 5)]);
        assert_eq!(rules.filters.len(), FILTER_NAMES.len() - 1, "all filters are there");
        let cpu = vec![ResourceWeight { name: "cpu".into(), weight: 3 }];
        assert_eq!(packing.scoring_strategy, ScoringStrategy::MostAllocated { resources: cpu });
        let zone =
            DefaultConstraint { topology_key: "zone".to_owned(), max_skew: 1, is_hard: true };
        assert_eq!(packing.default_spread, DefaultSpread::List(vec![zone]));
    }

    #[test]
    fn what_would_have_no_effect_is_refused() {
        for (case, file, expected) in [
            ("a field", json!({"extenders": []}), "unknown field `extenders`"),
            (
                "a plugin",
                json!({"profiles": [{"plugins": {"filter": {"disabled": [{"name": "X"}]}}}]}),
                "profile `default-scheduler`: there is no `X` there",
            ),
            (
                "settings",
                json!({"profiles": [{"pluginConfig": [{"name": "NodeName", "args": {}}]}]}),
                "profile `default-scheduler`: `NodeName` has no settings",
            ),
            (
                "a strategy",
                json!({"profiles": [{"pluginConfig": [{"name": "NodeResourcesFit",
                    "args": {"scoringStrategy": {"type": "RequestedToCapacityRatio"}}}]}]}),
                "there is no scoring strategy `RequestedToCapacityRatio` with no shape",
            ),
            ("twice", json!({"profiles": [{}, {}]}), "there are two profiles `default-scheduler`"),
            ("another kind", json!({"kind": "Pod"}), "only KubeSchedulerConfiguration of"),
        ] {
            let error = read(&file).unwrap_err();
            assert!(error.contains(expected), "{case}: {error}");
        }
    }
}
