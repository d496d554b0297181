//! What the scheduler counts and measures, under the names, labels and buckets of Kubernetes.
//!
//! Figures that tell how a Go program or an optional feature of it fares have no counterpart here.
//!
//! Spec: <https://kubernetes.io/docs/reference/instrumentation/metrics/>

mod labels;
mod lane;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry};

use labels::{
    AttemptLabels, CacheLabels, EvaluationLabels, EventLabels, HintLabels, IncomingLabels,
    OperationLabels, PluginLabels, PodLabels, PointLabels, QueueLabels, RefusalLabels,
    ResultLabels,
};
pub(crate) use labels::{Outcome, Pending};
pub(crate) use lane::LaneMetrics;

use crate::framework::FilterSet;
use crate::profile::FILTER_NAMES;

/// From this number of attempts on they are counted together.
const MANY_ATTEMPTS: u32 = 16;
/// The rule that gates break.
const GATES: &str = "SchedulingGates";

/// What a scheduler counts and measures. Clones share it.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

struct Inner {
    registry: Registry,
    attempts: Family<AttemptLabels, Counter>,
    attempt_durations: Histograms<AttemptLabels>,
    algorithm_durations: Histogram,
    point_durations: Histograms<PointLabels>,
    plugin_durations: Histograms<PluginLabels>,
    evaluations: Family<EvaluationLabels, Counter>,
    refusals: Family<RefusalLabels, Gauge>,
    hint_durations: Histograms<HintLabels>,
    event_durations: Histograms<EventLabels>,
    pod_attempts: Histogram,
    pod_durations: Histograms<PodLabels>,
    after_flush: Counter,
    preemption_attempts: Counter,
    victims: Histogram,
    preemptions: Family<ResultLabels, Counter>,
    preemption_durations: Histograms<ResultLabels>,
    pending: [Gauge; 4],
    incoming: Family<IncomingLabels, Counter>,
    binding: Gauge,
    cache: [Gauge; 3],
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let from_a_millisecond: fn() -> Histogram =
            || Histogram::new(exponential_buckets(0.001, 2.0, 15));
        let from_ten_milliseconds: fn() -> Histogram =
            || Histogram::new(exponential_buckets(0.01, 2.0, 20));
        let from_a_tenth_of_one: fn() -> Histogram =
            || Histogram::new(exponential_buckets(0.0001, 2.0, 12));
        let of_one_plugin: fn() -> Histogram =
            || Histogram::new(exponential_buckets(0.000_01, 1.5, 20));
        let gauges = Family::<QueueLabels, Gauge>::default();
        let sizes = Family::<CacheLabels, Gauge>::default();
        let goroutines = Family::<OperationLabels, Gauge>::default();
        let in_queue = |queue: &'static str| gauges.get_or_create(&QueueLabels { queue }).clone();
        let of_type =
            |kind: &'static str| sizes.get_or_create(&CacheLabels { r#type: kind }).clone();
        let binding = goroutines.get_or_create(&OperationLabels { operation: "binding" }).clone();
        let mut inner = Inner {
            attempts: Family::default(),
            attempt_durations: Family::new_with_constructor(from_a_millisecond),
            algorithm_durations: from_a_millisecond(),
            point_durations: Family::new_with_constructor(from_a_tenth_of_one),
            plugin_durations: Family::new_with_constructor(of_one_plugin),
            evaluations: Family::default(),
            refusals: Family::default(),
            hint_durations: Family::new_with_constructor(of_one_plugin),
            event_durations: Family::new_with_constructor(from_a_tenth_of_one),
            pod_attempts: Histogram::new(exponential_buckets(1.0, 2.0, 5)),
            pod_durations: Family::new_with_constructor(from_ten_milliseconds),
            after_flush: Counter::default(),
            preemption_attempts: Counter::default(),
            victims: Histogram::new(exponential_buckets(1.0, 2.0, 7)),
            preemptions: Family::default(),
            preemption_durations: Family::new_with_constructor(from_ten_milliseconds),
            pending: ["active", "backoff", "unschedulable", "gated"].map(in_queue),
            incoming: Family::default(),
            binding,
            cache: ["assumed_pods", "nodes", "pods"].map(of_type),
            registry: Registry::with_prefix("scheduler"),
        };
        inner.register_decisions();
        inner.register_queue(gauges);
        inner.register(
            "cache_size",
            "ALPHA",
            "Nodes, pods and assumed pods that are cached",
            sizes,
        );
        let help = "Tasks under way, by the work that they do";
        inner.register("goroutines", "BETA", help, goroutines);
        Self(Arc::new(inner))
    }
}

impl Inner {
    /// Adds figures, whose text begins with how stable they are, as that of Kubernetes does.
    fn register(&mut self, name: &str, stability: &str, help: &str, metric: impl Metric) {
        self.registry.register(name, format!("[{stability}] {help}"), metric);
    }

    fn register_decisions(&mut self) {
        let (attempts, durations) = (self.attempts.clone(), self.attempt_durations.clone());
        let help = "Attempts to schedule pods, by the result: 'unschedulable' is a pod without a \
                    place, 'error' a failure of the scheduler";
        self.register("schedule_attempts", "STABLE", help, attempts);
        let help = "Seconds that an attempt takes, from the decision to the binding";
        self.register("scheduling_attempt_duration_seconds", "STABLE", help, durations);
        let durations = self.algorithm_durations.clone();
        let help = "Seconds that a decision takes";
        self.register("scheduling_algorithm_duration_seconds", "BETA", help, durations);
        let durations = self.point_durations.clone();
        let help = "Seconds that all plugins of an extension point take together";
        self.register("framework_extension_point_duration_seconds", "STABLE", help, durations);
        let durations = self.plugin_durations.clone();
        let help = "Seconds that a plugin takes at an extension point, of some decisions";
        self.register("plugin_execution_duration_seconds", "BETA", help, durations);
        let evaluations = self.evaluations.clone();
        let help = "How often a plugin was asked at PreFilter, Filter, PreScore and Score";
        self.register("plugin_evaluation", "BETA", help, evaluations);
        let attempts = self.pod_attempts.clone();
        let help = "Attempts until a pod was scheduled";
        self.register("pod_scheduling_attempts", "STABLE", help, attempts);
        let durations = self.pod_durations.clone();
        let help = "Seconds from a pod's first attempt until it is bound, with all attempts";
        self.register("pod_scheduling_sli_duration_seconds", "BETA", help, durations);
        let attempts = self.preemption_attempts.clone();
        let help = "Attempts to make room by preemption";
        self.register("preemption_attempts", "STABLE", help, attempts);
        let victims = self.victims.clone();
        let help = "Pods that were chosen to make room";
        self.register("preemption_victims", "STABLE", help, victims);
        let durations = self.preemption_durations.clone();
        let help = "Seconds that it takes to tell the chosen pods";
        self.register("preemption_goroutines_duration_seconds", "ALPHA", help, durations);
        let preemptions = self.preemptions.clone();
        let help = "Preemptions that were carried out, by the result";
        self.register("preemption_goroutines_execution", "ALPHA", help, preemptions);
    }

    fn register_queue(&mut self, pending: Family<QueueLabels, Gauge>) {
        let help = "Pending pods, by the queue: 'active' are tried next, 'backoff' after a pause, \
                    'unschedulable' after a change that helps, 'gated' once their gates are gone";
        self.register("pending_pods", "STABLE", help, pending);
        let incoming = self.incoming.clone();
        let help = "Pods that came into a queue, by event and queue";
        self.register("queue_incoming_pods", "STABLE", help, incoming);
        let refusals = self.refusals.clone();
        let help = "Pods without a place, by each plugin that refused them";
        self.register("unschedulable_pods", "BETA", help, refusals);
        let durations = self.hint_durations.clone();
        let help = "Seconds that a plugin takes to say whether an event helps a pod";
        self.register("queueing_hint_execution_duration_seconds", "ALPHA", help, durations);
        let durations = self.event_durations.clone();
        let help = "Seconds that it takes to take over an event";
        self.register("event_handling_duration_seconds", "ALPHA", help, durations);
        let after_flush = self.after_flush.clone();
        let help = "Pods that were scheduled although no event had helped them";
        self.register("pod_scheduled_after_flush", "ALPHA", help, after_flush);
    }
}

impl Metrics {
    /// Everything as Prometheus reads it, in the format of `OpenMetrics`.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.0.registry);
        text
    }

    /// A decision was made, whichever.
    pub(crate) fn decided(&self, took: Duration) {
        self.0.algorithm_durations.observe(took.as_secs_f64());
    }

    /// A pod is bound, so long after its first attempt and after so many; `after_flush` if it had waited
    /// for an event in vain.
    pub(crate) fn bound(&self, attempts: u32, took: Duration, after_flush: bool) {
        self.0.pod_attempts.observe(f64::from(attempts));
        let attempts = match attempts {
            few if few < MANY_ATTEMPTS => few.to_string(),
            _ => format!("{MANY_ATTEMPTS}+"),
        };
        self.0.pod_durations.get_or_create(&PodLabels { attempts }).observe(took.as_secs_f64());
        if after_flush {
            self.0.after_flush.inc();
        }
    }

    /// It was looked for pods that could make room; `victims` is how many were chosen, if any.
    pub(crate) fn preempted(&self, victims: Option<usize>) {
        self.0.preemption_attempts.inc();
        if let Some(victims) = victims {
            self.0.victims.observe(f64::from(u32::try_from(victims).unwrap_or(u32::MAX)));
        }
    }

    /// The chosen pods were told to go, or that failed.
    pub(crate) fn made_room(&self, is_done: bool, took: Duration) {
        let labels = ResultLabels { result: if is_done { "success" } else { "error" } };
        self.0.preemptions.get_or_create(&labels).inc();
        self.0.preemption_durations.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// A pod came into a queue because of an event.
    pub(crate) fn incoming(&self, event: &'static str, queue: &'static str) {
        self.0.incoming.get_or_create(&IncomingLabels { event, queue }).inc();
    }

    /// So many pods of a profile more (or less) wait because these filters refused them.
    pub(crate) fn refused(&self, profile: &str, by: FilterSet, step: i64) {
        for plugin in FILTER_NAMES.iter().enumerate().filter(|(at, _)| FilterSet::of(*at).meets(by))
        {
            self.step_refused(plugin.1, profile, step);
        }
    }

    /// So many pods of a profile more (or less) wait because of their gates.
    pub(crate) fn gated(&self, profile: &str, step: i64) {
        self.step_refused(GATES, profile, step);
    }

    fn step_refused(&self, plugin: &'static str, profile: &str, step: i64) {
        let labels = RefusalLabels { plugin, profile: profile.to_owned() };
        self.0.refusals.get_or_create(&labels).inc_by(step);
    }

    /// A plugin said whether an event helps a pod.
    pub(crate) fn hinted(
        &self,
        plugin: &'static str,
        event: &'static str,
        helps: bool,
        took: Duration,
    ) {
        let labels = HintLabels { event, hint: if helps { "Queue" } else { "QueueSkip" }, plugin };
        self.0.hint_durations.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// An event was taken over.
    pub(crate) fn took_over(&self, event: &'static str, took: Duration) {
        let labels = EventLabels { event };
        self.0.event_durations.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// A binding begins; what this returns is dropped at its end.
    pub(crate) fn binding(&self) -> Binding {
        self.0.binding.inc();
        Binding(self.0.binding.clone())
    }

    /// How many pods wait at present.
    pub(crate) fn pending(&self, now: Pending) {
        let Pending { active, backing_off, unschedulable, gated } = now;
        set(&self.0.pending, [active, backing_off, unschedulable, gated]);
    }

    /// How many pods are assumed to have nodes, how many nodes there are, and pods that have one.
    pub(crate) fn sizes(&self, assumed: usize, nodes: usize, pods: usize) {
        set(&self.0.cache, [assumed, nodes, pods]);
    }
}

/// A binding under way.
#[derive(Debug)]
pub(crate) struct Binding(Gauge);

impl Drop for Binding {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn set<const N: usize>(gauges: &[Gauge; N], values: [usize; N]) {
    for (gauge, value) in gauges.iter().zip(values) {
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests;
