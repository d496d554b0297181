//! The figures of one profile: what tells them apart is put together once, and not for every pod.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use tokio::time::Instant;

use super::Metrics;
use super::labels::{AttemptLabels, EvaluationLabels, Outcome, PluginLabels, PointLabels};
use crate::plan::{Observer, Stage};

/// In one of so many decisions time is taken of each plugin.
const CLOSE_LOOKS: u64 = 50;

/// Figures that exist, by what tells those of one profile apart.
#[derive(Debug)]
struct Known<K, M>(Mutex<HashMap<K, M>>);

impl<K: Eq + Hash, M: Clone> Known<K, M> {
    fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    fn get(&self, key: K, make: impl FnOnce() -> M) -> M {
        self.0.lock().entry(key).or_insert_with(make).clone()
    }
}

/// Counts and measures for the pods of one profile.
#[derive(Debug)]
pub(crate) struct LaneMetrics {
    all: Metrics,
    profile: String,
    attempts: Known<Outcome, (Counter, Histogram)>,
    points: Known<(&'static str, &'static str), Histogram>,
    plugins: Known<(&'static str, &'static str, &'static str), Histogram>,
    evaluations: Known<(&'static str, &'static str), Counter>,
}

impl LaneMetrics {
    pub(crate) fn new(all: Metrics, profile: &str) -> Self {
        Self {
            all,
            profile: profile.to_owned(),
            attempts: Known::new(),
            points: Known::new(),
            plugins: Known::new(),
            evaluations: Known::new(),
        }
    }

    /// An attempt ended.
    pub(crate) fn attempt(&self, outcome: Outcome, took: Duration) {
        let (count, duration) = self.attempts.get(outcome, || {
            let inner = &self.all.0;
            let result = outcome.as_str();
            let labels = AttemptLabels { profile: self.profile.clone(), result };
            let count = inner.attempts.get_or_create(&labels).clone();
            (count, inner.attempt_durations.get_or_create(&labels).clone())
        });
        count.inc();
        duration.observe(took.as_secs_f64());
    }

    /// The plugins of an extension point have spoken.
    pub(crate) fn passed(&self, point: &'static str, status: &'static str, took: Duration) {
        let duration = self.points.get((point, status), || {
            let profile = self.profile.clone();
            let labels = PointLabels { extension_point: point, profile, status };
            self.all.0.point_durations.get_or_create(&labels).clone()
        });
        duration.observe(took.as_secs_f64());
    }

    fn plugin_passed(
        &self,
        point: &'static str,
        plugin: &'static str,
        status: &'static str,
        took: Duration,
    ) {
        let duration = self.plugins.get((point, plugin, status), || {
            let labels = PluginLabels { extension_point: point, plugin, status };
            self.all.0.plugin_durations.get_or_create(&labels).clone()
        });
        duration.observe(took.as_secs_f64());
    }

    fn evaluated(&self, point: &'static str, plugin: &'static str, times: u64) {
        let count = self.evaluations.get((point, plugin), || {
            let profile = self.profile.clone();
            let labels = EvaluationLabels { extension_point: point, plugin, profile };
            self.all.0.evaluations.get_or_create(&labels).clone()
        });
        count.inc_by(times);
    }

    /// An observer of a decision that begins now; `chance` says whether it looks closely.
    pub(crate) fn watch(&self, chance: u64) -> Watch<'_> {
        let now = Instant::now();
        let is_close = chance.is_multiple_of(CLOSE_LOOKS);
        Watch { metrics: self, stage_began: now, plugin_began: now, is_close }
    }
}

/// Takes the time of a decision.
pub(crate) struct Watch<'a> {
    metrics: &'a LaneMetrics,
    stage_began: Instant,
    plugin_began: Instant,
    is_close: bool,
}

impl Observer for Watch<'_> {
    fn stage_ended(&mut self, stage: Stage, status: &'static str) {
        let now = Instant::now();
        self.metrics.passed(stage.as_str(), status, now - self.stage_began);
        self.stage_began = now;
    }

    fn plugin_asked(&mut self, stage: Stage, plugin: &'static str, times: u64) {
        self.metrics.evaluated(stage.as_str(), plugin, times);
    }

    fn is_close(&self) -> bool {
        self.is_close
    }

    fn plugin_begins(&mut self) {
        self.plugin_began = Instant::now();
    }

    fn plugin_ended(&mut self, stage: Stage, plugin: &'static str, status: &'static str) {
        let took = self.plugin_began.elapsed();
        self.metrics.plugin_passed(stage.as_str(), plugin, status, took);
    }
}
