//! What the metrics of an autoscaler ask for together.

use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::{
    ContainerResourceMetricStatus, ExternalMetricStatus, HPAScalingRules,
    HorizontalPodAutoscalerSpec, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus,
    ObjectMetricStatus, PodsMetricStatus, ResourceMetricStatus,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Amount;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use wk_api::Quantity;

use super::{Observed, Reading, Scale};
use crate::hpa::replicas::{
    Ground, PodMetrics, Tolerance, by_average, by_share, by_utilization, by_value,
};

/// How far from its aim a metric may be, if nobody says.
const TOLERANCE: f64 = 0.1;

/// What all metrics ask for.
pub(super) struct Judged {
    /// What is asked for and by which metric; `None` if nothing is to be done.
    pub(super) asked: Option<(i32, String)>,
    /// One for each metric, in order, empty for those that failed.
    pub(super) statuses: Vec<MetricStatus>,
    /// Reason and message for each metric that failed.
    pub(super) failures: Vec<(&'static str, String)>,
    /// What failed, in one sentence.
    pub(super) error: Option<String>,
}

/// What one metric asks for.
struct Proposal {
    replicas: i32,
    metric: String,
    status: MetricStatus,
}

/// Why a metric asks for nothing.
struct Failure {
    reason: &'static str,
    /// What went wrong.
    cause: String,
    /// What was tried.
    tried: String,
}

/// The most that any metric asks for. One that fails keeps the others from scaling down.
pub(super) fn judge(
    spec: &HorizontalPodAutoscalerSpec,
    scale: &Scale,
    observed: Observed,
    now: Timestamp,
) -> Judged {
    let specs = spec.metrics.as_deref().unwrap_or_default();
    let ground =
        Ground { current: scale.wanted, pods: &observed.pods, tolerance: tolerance(spec), now };
    let mut judged =
        Judged { asked: None, statuses: Vec::new(), failures: Vec::new(), error: None };
    let mut first = None;
    let mut readings = observed.readings.into_iter();
    for metric in specs {
        let reading = readings.next().unwrap_or_else(|| Err("the metric was not read".to_owned()));
        match proposal(metric, reading, ground, scale) {
            Ok(Proposal { replicas, metric, status }) => {
                judged.statuses.push(status);
                let more =
                    judged.asked.as_ref().is_none_or(|(most, _)| *most == 0 || replicas > *most);
                if more {
                    judged.asked = Some((replicas, metric));
                }
            }
            Err(failure) => {
                judged.statuses.push(MetricStatus::default());
                first.get_or_insert(format!("{}: {}", failure.tried, failure.cause));
                judged.failures.push((failure.reason, failure.cause));
            }
        }
    }
    let (failed, all) = (judged.failures.len(), specs.len());
    judged.error = first.map(|first| {
        format!("invalid metrics ({failed} invalid out of {all}), first error is: {first}")
    });
    let down = judged.asked.as_ref().is_none_or(|(asked, _)| *asked < scale.wanted);
    if failed > 0 && down {
        judged.asked = None;
    }
    judged
}

fn tolerance(spec: &HorizontalPodAutoscalerSpec) -> Tolerance {
    let of = |rules: Option<&HPAScalingRules>| {
        let own = rules.and_then(|rules| rules.tolerance.as_ref());
        own.and_then(|amount| Quantity::try_from(amount).ok()).map_or(TOLERANCE, Quantity::as_f64)
    };
    let behavior = spec.behavior.as_ref();
    Tolerance {
        down: of(behavior.and_then(|behavior| behavior.scale_down.as_ref())),
        up: of(behavior.and_then(|behavior| behavior.scale_up.as_ref())),
    }
}

fn proposal(
    metric: &MetricSpec,
    reading: Result<Reading, String>,
    ground: Ground<'_>,
    scale: &Scale,
) -> Result<Proposal, Failure> {
    match metric.type_.as_str() {
        "Resource" => resource(metric, reading, ground),
        "ContainerResource" => container_resource(metric, reading, ground),
        "Pods" => pods(metric, reading, ground),
        "Object" => object(metric, reading, ground, scale),
        "External" => external(metric, reading, ground, scale),
        other => Err(Failure {
            reason: "InvalidMetricSourceType",
            cause: format!("unknown metric source type {other:?}"),
            tried: "unknown metric source type".to_owned(),
        }),
    }
}

fn resource(
    metric: &MetricSpec,
    reading: Result<Reading, String>,
    ground: Ground<'_>,
) -> Result<Proposal, Failure> {
    let source = metric.resource.clone().unwrap_or_default();
    let failed = |cause| Failure {
        reason: "FailedGetResourceMetric",
        cause,
        tried: format!("failed to get {} resource metric value", source.name),
    };
    let (replicas, mut metric, current) =
        of_resource(&source.name, None, &source.target, reading, ground).map_err(failed)?;
    if current.average_utilization.is_some() {
        metric.push_str(" utilization (percentage of request)");
    }
    let status = MetricStatus {
        type_: "Resource".to_owned(),
        resource: Some(ResourceMetricStatus { current, name: source.name.clone() }),
        ..MetricStatus::default()
    };
    Ok(Proposal { replicas, metric, status })
}

fn container_resource(
    metric: &MetricSpec,
    reading: Result<Reading, String>,
    ground: Ground<'_>,
) -> Result<Proposal, Failure> {
    let source = metric.container_resource.clone().unwrap_or_default();
    let failed = |cause| Failure {
        reason: "FailedGetContainerResourceMetric",
        cause,
        tried: format!("failed to get {} container metric value", source.container),
    };
    let container = Some(source.container.as_str());
    let (replicas, mut metric, current) =
        of_resource(&source.name, container, &source.target, reading, ground).map_err(failed)?;
    if current.average_utilization.is_some() {
        metric = format!("{} container resource utilization (percentage of request)", source.name);
    }
    let status = MetricStatus {
        type_: "ContainerResource".to_owned(),
        container_resource: Some(ContainerResourceMetricStatus {
            container: source.container.clone(),
            current,
            name: source.name.clone(),
        }),
        ..MetricStatus::default()
    };
    Ok(Proposal { replicas, metric, status })
}

fn of_resource(
    name: &str,
    container: Option<&str>,
    target: &MetricTarget,
    reading: Result<Reading, String>,
    ground: Ground<'_>,
) -> Result<(i32, String, MetricValueStatus), String> {
    let unread = |what: &str, error: String| {
        format!("failed to get {name} {what}: unable to get metrics for resource {name}: {error}")
    };
    let metric = format!("{name} resource");
    if let Some(aim) = milli(target.average_value.as_ref()) {
        let metrics = of_pods(reading).map_err(|error| unread("usage", error))?;
        let asked = by_average(ground, Some(name), aim, metrics)
            .map_err(|error| format!("failed to get {name} usage: {error}"))?;
        return Ok((asked.replicas, metric, mean(asked.value)));
    }
    let Some(aim) = target.average_utilization else {
        return Err(
            "invalid resource metric source: neither an average utilization target nor an \
                    average value (usage) target was set"
                .to_owned(),
        );
    };
    let metrics = of_pods(reading).map_err(|error| unread("utilization", error))?;
    let asked = by_utilization(ground, name, container, aim, metrics)
        .map_err(|error| format!("failed to get {name} utilization: {error}"))?;
    let current =
        MetricValueStatus { average_utilization: Some(asked.utilization), ..mean(asked.value) };
    Ok((asked.replicas, metric, current))
}

fn pods(
    metric: &MetricSpec,
    reading: Result<Reading, String>,
    ground: Ground<'_>,
) -> Result<Proposal, Failure> {
    let source = metric.pods.clone().unwrap_or_default();
    let name = &source.metric.name;
    let failed = |cause| Failure {
        reason: "FailedGetPodsMetric",
        cause,
        tried: "failed to get pods metric value".to_owned(),
    };
    let metrics = of_pods(reading)
        .map_err(|error| failed(format!("unable to get metric {name}: {error}")))?;
    let aim = milli(source.target.average_value.as_ref()).unwrap_or_default();
    let asked = by_average(ground, None, aim, metrics).map_err(failed)?;
    let status = MetricStatus {
        type_: "Pods".to_owned(),
        pods: Some(PodsMetricStatus { current: mean(asked.value), metric: source.metric.clone() }),
        ..MetricStatus::default()
    };
    Ok(Proposal { replicas: asked.replicas, metric: format!("pods metric {name}"), status })
}

fn object(
    metric: &MetricSpec,
    reading: Result<Reading, String>,
    ground: Ground<'_>,
    scale: &Scale,
) -> Result<Proposal, Failure> {
    let source = metric.object.clone().unwrap_or_default();
    let mut tried = "failed to get object metric value".to_owned();
    if source.target.average_value.is_some() {
        tried = format!("{tried}: failed to get {} object metric", source.metric.name);
    }
    let failed = |cause| Failure { reason: "FailedGetObjectMetric", cause, tried: tried.clone() };
    let of = &source.described_object;
    let what = format!("{} metric {}", of.kind, source.metric.name);
    let neither = "invalid object metric source: neither a value target nor an average value \
                   target was set";
    let value = of_value(reading)
        .map_err(|error| failed(format!("unable to get metric {}: {error}", source.metric.name)));
    let (replicas, current) = of_number(&source.target, value, neither, ground, scale, failed)?;
    let metric = match current.average_value {
        // Kubernetes calls it so.
        Some(_) => called("external metric", &source.metric.name, source.metric.selector.as_ref()),
        None => what,
    };
    let status = MetricStatus {
        type_: "Object".to_owned(),
        object: Some(ObjectMetricStatus {
            current,
            described_object: source.described_object.clone(),
            metric: source.metric.clone(),
        }),
        ..MetricStatus::default()
    };
    Ok(Proposal { replicas, metric, status })
}

fn external(
    metric: &MetricSpec,
    reading: Result<Reading, String>,
    ground: Ground<'_>,
    scale: &Scale,
) -> Result<Proposal, Failure> {
    let source = metric.external.clone().unwrap_or_default();
    let name = &source.metric.name;
    let mut tried = format!("failed to get {name} external metric value");
    if source.target.average_value.is_some() {
        tried = format!("{tried}: failed to get {name} external metric");
    } else if source.target.value.is_some() {
        tried = format!("{tried}: failed to get external metric {name}");
    }
    let failed = |cause| Failure { reason: "FailedGetExternalMetric", cause, tried: tried.clone() };
    let neither = "invalid external metric source: neither a value target nor an average value \
                   target was set";
    let value =
        of_value(reading).map_err(|error| failed(format!("unable to get external metric {error}")));
    let (replicas, current) = of_number(&source.target, value, neither, ground, scale, failed)?;
    let status = MetricStatus {
        type_: "External".to_owned(),
        external: Some(ExternalMetricStatus { current, metric: source.metric.clone() }),
        ..MetricStatus::default()
    };
    let metric = called("external metric", name, source.metric.selector.as_ref());
    Ok(Proposal { replicas, metric, status })
}

/// What a number asks for that is not of pods.
fn of_number(
    target: &MetricTarget,
    value: Result<i64, Failure>,
    neither: &str,
    ground: Ground<'_>,
    scale: &Scale,
    failed: impl Fn(String) -> Failure,
) -> Result<(i32, MetricValueStatus), Failure> {
    if let Some(aim) = milli(target.average_value.as_ref()) {
        let (replicas, share) = by_share(ground.tolerance, scale.there, value?, aim);
        return Ok((replicas, mean(share)));
    }
    let Some(aim) = milli(target.value.as_ref()) else { return Err(failed(neither.to_owned())) };
    let value = value?;
    let replicas = by_value(ground, value, aim).map_err(failed)?;
    let current = MetricValueStatus { value: Some(amount(value)), ..MetricValueStatus::default() };
    Ok((replicas, current))
}

fn of_pods(reading: Result<Reading, String>) -> Result<PodMetrics, String> {
    match reading? {
        Reading::Pods(metrics) => Ok(metrics),
        Reading::Value(_) => Err("the metric is not one of pods".to_owned()),
    }
}

fn of_value(reading: Result<Reading, String>) -> Result<i64, String> {
    match reading? {
        Reading::Value(value) => Ok(value),
        Reading::Pods(_) => Err("the metric is one of pods".to_owned()),
    }
}

fn milli(amount: Option<&Amount>) -> Option<i64> {
    Some(Quantity::try_from(amount?).ok()?.milli())
}

fn amount(milli: i64) -> Amount {
    Quantity::from_milli(milli).into()
}

fn mean(milli: i64) -> MetricValueStatus {
    MetricValueStatus { average_value: Some(amount(milli)), ..MetricValueStatus::default() }
}

/// A metric with its selector, as Go writes both.
fn called(what: &str, name: &str, selector: Option<&LabelSelector>) -> String {
    format!("{what} {name}({})", written(selector))
}

/// A selector as Go writes it.
pub(in crate::hpa) fn written(selector: Option<&LabelSelector>) -> String {
    let Some(selector) = selector else { return "nil".to_owned() };
    let labels = selector.match_labels.iter().flatten();
    let labels: Vec<String> = labels.map(|(key, value)| format!("{key}: {value},")).collect();
    let expressions = selector.match_expressions.iter().flatten().map(|one| {
        let values = one.values.clone().unwrap_or_default().join(" ");
        format!(
            "LabelSelectorRequirement{{Key:{},Operator:{},Values:[{values}],}},",
            one.key, one.operator
        )
    });
    let (labels, expressions) = (labels.concat(), expressions.collect::<Vec<_>>().concat());
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{labels}}},\
         MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
}
