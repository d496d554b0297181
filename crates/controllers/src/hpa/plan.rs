//! What an autoscaler does next: pure, from what was read to what is said, written and scaled.

pub(super) mod metrics;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::{
    HorizontalPodAutoscalerCondition, HorizontalPodAutoscalerSpec, HorizontalPodAutoscalerStatus,
    MetricStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use wk_api::LabelSelector;
use wk_api::names::NamespacedName;

use super::pace::{Memory, Range};
use super::pods::PodSeen;
use super::replicas::PodMetrics;

const ABLE: &str = "AbleToScale";
const ACTIVE: &str = "ScalingActive";
const LIMITED: &str = "ScalingLimited";

/// The scale of the target as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scale {
    /// Replicas as they are wanted.
    pub(super) wanted: i32,
    /// Replicas that there are.
    pub(super) there: i32,
    /// The selector of the pods, as text.
    pub(super) selector: String,
}

/// What a metric was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Of each pod.
    Pods(PodMetrics),
    /// Of something else, in thousandths.
    Value(i64),
}

/// What a round needs to know beside the autoscaler and the scale, where metrics decide.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Observed {
    /// The pods that the scale selects.
    pub(super) pods: Vec<PodSeen>,
    /// All autoscalers that select some of these pods, this one included.
    pub(super) rivals: Vec<NamespacedName>,
    /// In the order of the metrics of the autoscaler; or why one could not be had.
    pub(super) readings: Vec<Result<Reading, String>>,
}

/// Something to be said about the autoscaler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// Whether somebody may have to act.
    pub(super) is_warning: bool,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// What decides about the number of replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// Nothing: somebody has switched the target off.
    Off,
    /// The bounds of the autoscaler.
    Bounds { replicas: i32, reason: &'static str },
    /// Its metrics.
    Metrics,
}

/// What is to be scaled, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rescale {
    pub(super) from: i32,
    pub(super) to: i32,
    pub(super) reason: String,
}

/// One look at an autoscaler: its status as it changes, and what is said on the way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Round<'a> {
    spec: &'a HorizontalPodAutoscalerSpec,
    now: Timestamp,
    /// `status.desiredReplicas` as it was: it stays if nothing comes of a round.
    desired_before: i32,
    pub(super) status: HorizontalPodAutoscalerStatus,
    pub(super) said: Vec<Said>,
}

/// What decides about the replicas of a target that is scaled like this.
pub(super) fn course(spec: &HorizontalPodAutoscalerSpec, current: i32) -> Course {
    let min = min_replicas(spec);
    if current == 0 && min != 0 {
        Course::Off
    } else if current > spec.max_replicas {
        let reason = "Current number of replicas above Spec.MaxReplicas";
        Course::Bounds { replicas: spec.max_replicas, reason }
    } else if current < min {
        let reason = "Current number of replicas below Spec.MinReplicas";
        Course::Bounds { replicas: min, reason }
    } else {
        Course::Metrics
    }
}

/// The selector of a scale.
///
/// # Errors
/// Reason and message of why there is none.
pub(super) fn selector(scale: &Scale) -> Result<LabelSelector, (&'static str, String)> {
    if scale.selector.is_empty() {
        return Err(("SelectorRequired", "selector is required".to_owned()));
    }
    LabelSelector::parse(&scale.selector).map_err(|error| {
        let message = format!(
            "couldn't convert selector into a corresponding internal selector object: {error}"
        );
        ("InvalidSelector", message)
    })
}

fn min_replicas(spec: &HorizontalPodAutoscalerSpec) -> i32 {
    spec.min_replicas.unwrap_or(1)
}

impl<'a> Round<'a> {
    /// Begins with the status as it is.
    pub(super) fn new(
        spec: &'a HorizontalPodAutoscalerSpec,
        status: Option<&HorizontalPodAutoscalerStatus>,
        now: Timestamp,
    ) -> Self {
        let status = status.cloned().unwrap_or_default();
        Self { spec, now, desired_before: status.desired_replicas, status, said: Vec::new() }
    }

    /// The scale could not be read.
    pub(super) fn no_scale(&mut self, error: &str) {
        self.warn("FailedGetScale", error.to_owned());
        let message =
            format!("the HPA controller was unable to get the target's current scale: {error}");
        self.condition(ABLE, false, "FailedGetScale", message);
    }

    /// The scale was read; the first number seen is remembered.
    pub(super) fn scale(&mut self, scale: &Scale, memory: &mut Memory) {
        let message = "the HPA controller was able to get the target's current scale";
        self.condition(ABLE, true, "SucceededGetScale", message.to_owned());
        memory.begin(scale.wanted, self.now);
    }

    /// Nothing is scaled, because the target is switched off.
    pub(super) fn off(&mut self) {
        let message = "scaling is disabled since the replica count of the target is zero";
        self.condition(ACTIVE, false, "ScalingDisabled", message.to_owned());
        self.numbers(0, 0, None);
    }

    /// The target is brought within bounds.
    pub(super) fn bounds(current: i32, replicas: i32, reason: &str) -> Rescale {
        Rescale { from: current, to: replicas, reason: reason.to_owned() }
    }

    /// The selector of the scale cannot be used.
    pub(super) fn no_selector(&mut self, scale: &Scale, reason: &'static str, error: &str) {
        self.warn(reason, error.to_owned());
        let message = match reason {
            "SelectorRequired" => "the HPA target's scale is missing a selector",
            _ => error,
        };
        let reason = if reason == "SelectorRequired" { "InvalidSelector" } else { reason };
        self.condition(ACTIVE, false, reason, message.to_owned());
        self.gave_up(scale, None, error.to_owned());
    }

    /// Decides by metrics. `None` leaves the target as it is, and the status says why.
    pub(super) fn measured(
        &mut self,
        scale: &Scale,
        observed: Observed,
        memory: &mut Memory,
    ) -> Option<Rescale> {
        if observed.rivals.len() > 1 {
            let all = observed.rivals.iter().map(|key| {
                format!("{{{} {}}}", key.name, key.namespace.as_deref().unwrap_or_default())
            });
            let all: Vec<String> = all.collect();
            let error = format!(
                "pods by selector {} are controlled by multiple HPAs: [{}]",
                scale.selector,
                all.join(" ")
            );
            self.no_selector(scale, "AmbiguousSelector", &error);
            return None;
        }
        let found = metrics::judge(self.spec, scale, observed, self.now);
        for (reason, message) in &found.failures {
            self.warn(reason, message.clone());
        }
        let Some((asked, metric)) = found.asked else {
            if let Some((reason, message)) = found.failures.first() {
                let message = format!("the HPA was unable to compute the replica count: {message}");
                self.condition(ACTIVE, false, reason, message);
            }
            self.gave_up(scale, Some(found.statuses), found.error.unwrap_or_default());
            return None;
        };
        let message =
            format!("the HPA was able to successfully calculate a replica count from {metric}");
        self.condition(ACTIVE, true, "ValidMetricFound", message);
        let current = scale.wanted;
        let range = Range { current, min: min_replicas(self.spec), max: self.spec.max_replicas };
        let asked = asked.max(0);
        let paced = memory.pace(self.spec.behavior.as_ref(), range, asked, self.now);
        self.condition(ABLE, true, paced.able.0, paced.able.1.to_owned());
        self.condition(LIMITED, paced.is_limited, paced.limited.0, paced.limited.1.to_owned());
        self.numbers(current, current, Some(found.statuses));
        let reason = match asked.cmp(&current) {
            Ordering::Greater => format!("{metric} above target"),
            Ordering::Less => "All metrics below target".to_owned(),
            Ordering::Equal => String::new(),
        };
        (paced.replicas != current).then_some(Rescale { from: current, to: paced.replicas, reason })
    }

    /// The target was scaled.
    pub(super) fn rescaled(&mut self, rescale: &Rescale, memory: &mut Memory) {
        let Rescale { from, to, reason } = rescale;
        let message = format!("the HPA controller was able to update the target scale to {to}");
        self.condition(ABLE, true, "SucceededRescale", message);
        self.say(false, "SuccessfulRescale", format!("New size: {to}; reason: {reason}"));
        if self.spec.behavior.is_some() {
            memory.scaled(*from, *to, self.now);
        }
        let metrics = self.status.current_metrics.take();
        self.numbers(*from, *to, metrics);
        self.status.last_scale_time = Some(Time(self.now));
    }

    /// The target could not be scaled.
    pub(super) fn not_rescaled(&mut self, rescale: &Rescale, error: &str) {
        let Rescale { from, to, reason } = rescale;
        self.warn("FailedRescale", format!("New size: {to}; reason: {reason}; error: {error}"));
        let message = format!("the HPA controller was unable to update the target scale: {error}");
        self.condition(ABLE, false, "FailedUpdateScale", message);
        self.status.current_replicas = Some(*from);
        self.status.desired_replicas = self.desired_before;
    }

    /// Leaves everything as it is, for want of metrics.
    fn gave_up(&mut self, scale: &Scale, metrics: Option<Vec<MetricStatus>>, error: String) {
        self.warn("FailedComputeMetricsReplicas", error);
        self.numbers(scale.wanted, self.desired_before, metrics);
    }

    /// Writes the numbers; before the target is scaled within bounds no metrics were looked at.
    pub(super) fn numbers(
        &mut self,
        current: i32,
        desired: i32,
        metrics: Option<Vec<MetricStatus>>,
    ) {
        self.status.current_replicas = Some(current);
        self.status.desired_replicas = desired;
        self.status.current_metrics = metrics;
    }

    fn condition(&mut self, kind: &str, is_true: bool, reason: &str, message: String) {
        let status = if is_true { "True" } else { "False" };
        let conditions = self.status.conditions.get_or_insert_default();
        let at = conditions.iter().position(|one| one.type_ == kind).unwrap_or_else(|| {
            conditions.push(HorizontalPodAutoscalerCondition {
                type_: kind.to_owned(),
                ..HorizontalPodAutoscalerCondition::default()
            });
            conditions.len() - 1
        });
        let condition = &mut conditions[at];
        if condition.status != status {
            condition.last_transition_time = Some(Time(self.now));
        }
        status.clone_into(&mut condition.status);
        condition.reason = Some(reason.to_owned());
        condition.message = Some(message);
    }

    fn warn(&mut self, reason: &'static str, message: String) {
        self.say(true, reason, message);
    }

    fn say(&mut self, is_warning: bool, reason: &'static str, message: String) {
        self.said.push(Said { is_warning, reason, message });
    }
}
