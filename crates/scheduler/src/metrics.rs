//! What the scheduler counts and measures, under the names of Kubernetes.
//!
//! Spec: <https://kubernetes.io/docs/reference/instrumentation/metrics/>

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// From this number of attempts on they are counted together.
const MANY_ATTEMPTS: u32 = 16;

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
    pod_attempts: Histogram,
    pod_durations: Histograms<PodLabels>,
    preemption_attempts: Counter,
    victims: Histogram,
    pending: [Gauge; 4],
    incoming: Family<IncomingLabels, Counter>,
    cache: [Gauge; 3],
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    profile: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PointLabels {
    extension_point: &'static str,
    profile: String,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PodLabels {
    attempts: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueLabels {
    queue: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IncomingLabels {
    event: &'static str,
    queue: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CacheLabels {
    r#type: &'static str,
}

/// How an attempt to place a pod ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Scheduled,
    Unschedulable,
    Error,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Unschedulable => "unschedulable",
            Self::Error => "error",
        }
    }
}

/// How many pods wait where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) active: usize,
    pub(crate) backing_off: usize,
    pub(crate) unschedulable: usize,
    pub(crate) gated: usize,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("scheduler");
        let from_a_millisecond: fn() -> Histogram =
            || Histogram::new(exponential_buckets(0.001, 2.0, 15));
        let from_ten_milliseconds: fn() -> Histogram =
            || Histogram::new(exponential_buckets(0.01, 2.0, 20));
        let from_a_tenth_of_one: fn() -> Histogram =
            || Histogram::new(exponential_buckets(0.0001, 2.0, 12));
        let gauges = Family::<QueueLabels, Gauge>::default();
        let sizes = Family::<CacheLabels, Gauge>::default();
        let in_queue = |queue: &'static str| gauges.get_or_create(&QueueLabels { queue }).clone();
        let of_type =
            |kind: &'static str| sizes.get_or_create(&CacheLabels { r#type: kind }).clone();
        let inner = Inner {
            attempts: Family::default(),
            attempt_durations: Family::new_with_constructor(from_a_millisecond),
            algorithm_durations: from_a_millisecond(),
            point_durations: Family::new_with_constructor(from_a_tenth_of_one),
            pod_attempts: Histogram::new(exponential_buckets(1.0, 2.0, 5)),
            pod_durations: Family::new_with_constructor(from_ten_milliseconds),
            preemption_attempts: Counter::default(),
            victims: Histogram::new(exponential_buckets(1.0, 2.0, 7)),
            pending: ["active", "backoff", "unschedulable", "gated"].map(in_queue),
            incoming: Family::default(),
            cache: ["assumed_pods", "nodes", "pods"].map(of_type),
            registry: Registry::default(),
        };
        registry.register(
            "schedule_attempts",
            "Number of attempts to schedule pods, by the result",
            inner.attempts.clone(),
        );
        registry.register(
            "scheduling_attempt_duration_seconds",
            "Scheduling attempt latency in seconds (scheduling algorithm + binding)",
            inner.attempt_durations.clone(),
        );
        registry.register(
            "scheduling_algorithm_duration_seconds",
            "Scheduling algorithm latency in seconds",
            inner.algorithm_durations.clone(),
        );
        registry.register(
            "framework_extension_point_duration_seconds",
            "Latency for running all plugins of a specific extension point",
            inner.point_durations.clone(),
        );
        registry.register(
            "pod_scheduling_attempts",
            "Number of attempts to successfully schedule a pod",
            inner.pod_attempts.clone(),
        );
        registry.register(
            "pod_scheduling_sli_duration_seconds",
            "Time from a pod's arrival in the queue until it is bound, with all attempts",
            inner.pod_durations.clone(),
        );
        registry.register(
            "preemption_attempts",
            "Total preemption attempts in the cluster till now",
            inner.preemption_attempts.clone(),
        );
        registry.register(
            "preemption_victims",
            "Number of selected preemption victims",
            inner.victims.clone(),
        );
        registry.register("pending_pods", "Number of pending pods, by the queue", gauges);
        registry.register(
            "queue_incoming_pods",
            "Number of pods added to scheduling queues by event and queue",
            inner.incoming.clone(),
        );
        registry.register(
            "scheduler_cache_size",
            "Number of nodes, pods and assumed pods in the scheduler's cache",
            sizes,
        );
        Self(Arc::new(Inner { registry, ..inner }))
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

    /// An attempt ended.
    pub(crate) fn attempt(&self, profile: &str, outcome: Outcome, took: Duration) {
        let labels = AttemptLabels { profile: profile.to_owned(), result: outcome.as_str() };
        self.0.attempts.get_or_create(&labels).inc();
        self.0.attempt_durations.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// A decision was made, whichever.
    pub(crate) fn decided(&self, took: Duration) {
        self.0.algorithm_durations.observe(took.as_secs_f64());
    }

    /// The plugins of an extension point have spoken.
    pub(crate) fn passed(
        &self,
        extension_point: &'static str,
        profile: &str,
        status: &'static str,
        took: Duration,
    ) {
        let labels = PointLabels { extension_point, profile: profile.to_owned(), status };
        self.0.point_durations.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// A pod is bound, so long after it came and after so many attempts.
    pub(crate) fn bound(&self, attempts: u32, took: Duration) {
        self.0.pod_attempts.observe(f64::from(attempts));
        let attempts = match attempts {
            few if few < MANY_ATTEMPTS => few.to_string(),
            _ => format!("{MANY_ATTEMPTS}+"),
        };
        self.0.pod_durations.get_or_create(&PodLabels { attempts }).observe(took.as_secs_f64());
    }

    /// It was looked for pods that could make room; `victims` is how many were chosen, if any.
    pub(crate) fn preempted(&self, victims: Option<usize>) {
        self.0.preemption_attempts.inc();
        if let Some(victims) = victims {
            self.0.victims.observe(f64::from(u32::try_from(victims).unwrap_or(u32::MAX)));
        }
    }

    /// A pod came into a queue because of an event.
    pub(crate) fn incoming(&self, event: &'static str, queue: &'static str) {
        self.0.incoming.get_or_create(&IncomingLabels { event, queue }).inc();
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

fn set<const N: usize>(gauges: &[Gauge; N], values: [usize; N]) {
    for (gauge, value) in gauges.iter().zip(values) {
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_kubernetes() {
        let metrics = Metrics::default();
        let took = Duration::from_millis(3);
        metrics.attempt("default-scheduler", Outcome::Scheduled, took);
        metrics.attempt("default-scheduler", Outcome::Unschedulable, took);
        metrics.decided(took);
        metrics.passed("Filter", "default-scheduler", "Success", took);
        metrics.bound(1, took);
        metrics.bound(17, took);
        metrics.preempted(None);
        metrics.preempted(Some(2));
        metrics.incoming("BackoffComplete", "active");
        metrics.pending(Pending { active: 1, backing_off: 2, unschedulable: 3, gated: 4 });
        metrics.sizes(5, 6, 7);
        let text = metrics.text();
        for line in [
            "scheduler_schedule_attempts_total{profile=\"default-scheduler\",result=\"scheduled\"} 1",
            "scheduler_scheduling_attempt_duration_seconds_count{profile=\"default-scheduler\",\
             result=\"unschedulable\"} 1",
            "scheduler_scheduling_attempt_duration_seconds_bucket{le=\"0.004\",\
             profile=\"default-scheduler\",result=\"scheduled\"} 1",
            "scheduler_scheduling_algorithm_duration_seconds_count 1",
            "scheduler_framework_extension_point_duration_seconds_count{\
             extension_point=\"Filter\",profile=\"default-scheduler\",status=\"Success\"} 1",
            "scheduler_pod_scheduling_attempts_sum 18.0",
            "scheduler_pod_scheduling_sli_duration_seconds_count{attempts=\"1\"} 1",
            "scheduler_pod_scheduling_sli_duration_seconds_count{attempts=\"16+\"} 1",
            "scheduler_preemption_attempts_total 2",
            "scheduler_preemption_victims_sum 2.0",
            "scheduler_pending_pods{queue=\"active\"} 1",
            "scheduler_pending_pods{queue=\"backoff\"} 2",
            "scheduler_pending_pods{queue=\"unschedulable\"} 3",
            "scheduler_pending_pods{queue=\"gated\"} 4",
            "scheduler_queue_incoming_pods_total{event=\"BackoffComplete\",queue=\"active\"} 1",
            "scheduler_scheduler_cache_size{type=\"assumed_pods\"} 5",
            "scheduler_scheduler_cache_size{type=\"nodes\"} 6",
            "scheduler_scheduler_cache_size{type=\"pods\"} 7",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} is missing in\n{text}");
        }
    }
}
