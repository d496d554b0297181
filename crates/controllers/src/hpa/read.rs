//! Reads metrics through the API, whoever serves them.

use std::collections::BTreeMap;

use http::Request;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::autoscaling::v2::{MetricIdentifier, MetricSpec, ObjectMetricSource};
use kube::Client;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use wk_api::Quantity;
use wk_client::error_chain;

use super::plan::Reading;
use super::plan::metrics::written;
use super::pods::{PodList, PodSeen};
use super::replicas::{PodMetric, PodMetrics};
use crate::watched::selector;

/// The time that metrics are measured over whose source does not say.
const USUAL_WINDOW: SignedDuration = SignedDuration::from_mins(1);

#[derive(Deserialize)]
struct List<T> {
    #[serde(default = "Vec::new")]
    items: Vec<T>,
}

#[derive(Deserialize)]
struct Used {
    metadata: Named,
    timestamp: Timestamp,
    window: String,
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: String,
}

#[derive(Deserialize)]
struct Container {
    name: String,
    usage: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Custom {
    described_object: Named,
    timestamp: Timestamp,
    window_seconds: Option<i64>,
    value: String,
}

#[derive(Deserialize)]
struct External {
    value: String,
}

/// Asks for something.
pub(super) async fn get<T: DeserializeOwned>(
    client: &Client,
    path: &str,
) -> Result<T, kube::Error> {
    let request = Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
    client.request(request).await
}

/// An error for people. What a server does not have is named as clients of Go name it.
pub(super) fn explained(error: &kube::Error, what: &str) -> String {
    const NOTHING: &str = "the server could not find the requested resource";
    match error {
        kube::Error::Api(status) if status.message == NOTHING && !what.is_empty() => {
            format!("{NOTHING} (get {what})")
        }
        kube::Error::Api(status) => status.message.clone(),
        other => error_chain(other),
    }
}

/// A name as it may stand in a path.
pub(super) fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escaped = text.bytes().map(|byte| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    });
    escaped.collect()
}

/// The pods that a selector selects.
pub(super) async fn pods(
    client: &Client,
    namespace: &str,
    selector: &str,
) -> Result<Vec<PodSeen>, kube::Error> {
    let path = format!("/api/v1/namespaces/{namespace}/pods?labelSelector={}", segment(selector));
    Ok(get::<PodList>(client, &path).await?.seen())
}

/// What a metric is; for metrics of pods, of those that the selector selects.
pub(super) async fn metric(
    client: &Client,
    namespace: &str,
    selector: &str,
    spec: &MetricSpec,
) -> Result<Reading, String> {
    match spec.type_.as_str() {
        "Resource" => {
            let name = spec.resource.as_ref().map(|source| source.name.as_str());
            used(client, namespace, selector, name.unwrap_or_default(), None).await
        }
        "ContainerResource" => {
            let source = spec.container_resource.clone().unwrap_or_default();
            let container = Some(source.container.as_str());
            used(client, namespace, selector, &source.name, container).await
        }
        "Pods" => {
            let source = spec.pods.clone().unwrap_or_default();
            of_pods(client, namespace, selector, &source.metric).await
        }
        "Object" => of_object(client, namespace, &spec.object.clone().unwrap_or_default()).await,
        "External" => {
            let source = spec.external.clone().unwrap_or_default();
            external(client, namespace, &source.metric).await
        }
        // The plan says that there is no such type.
        _ => Ok(Reading::Value(0)),
    }
}

async fn used(
    client: &Client,
    namespace: &str,
    selector: &str,
    resource: &str,
    container: Option<&str>,
) -> Result<Reading, String> {
    let path = format!(
        "/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods?labelSelector={}",
        segment(selector)
    );
    let list: List<Used> = get(client, &path).await.map_err(|error| {
        let error = explained(&error, "pods.metrics.k8s.io");
        format!("unable to fetch metrics from resource metrics API: {error}")
    })?;
    if list.items.is_empty() {
        return Err("no metrics returned from resource metrics API".to_owned());
    }
    let mut metrics = PodMetrics::new();
    for pod in &list.items {
        let Some(value) = pod.used(resource, container)? else { continue };
        let metric = PodMetric { at: pod.timestamp, window: duration(&pod.window), value };
        metrics.insert(pod.metadata.name.clone(), metric);
    }
    Ok(Reading::Pods(metrics))
}

impl Used {
    /// What the pod uses of a resource, or one container of it; `None` if that is not told.
    fn used(&self, resource: &str, container: Option<&str>) -> Result<Option<i64>, String> {
        let Some(wanted) = container else {
            let all: Option<Vec<i64>> =
                self.containers.iter().map(|one| one.used(resource)).collect();
            return Ok(all.filter(|all| !all.is_empty()).map(|all| all.iter().sum()));
        };
        let Named { name, namespace } = &self.metadata;
        let found = self.containers.iter().find(|one| one.name == wanted).ok_or_else(|| {
            format!("container {wanted} not present in metrics for pod {namespace}/{name}")
        })?;
        Ok(found.used(resource))
    }
}

impl Container {
    fn used(&self, resource: &str) -> Option<i64> {
        Some(Quantity::parse(self.usage.get(resource)?).ok()?.milli())
    }
}

const CUSTOM: &str = "/apis/custom.metrics.k8s.io/v1beta2";

async fn of_pods(
    client: &Client,
    namespace: &str,
    selector: &str,
    metric: &MetricIdentifier,
) -> Result<Reading, String> {
    let name = segment(&metric.name);
    let selector = segment(selector);
    let series = segment(&series(metric));
    let path = format!(
        "{CUSTOM}/namespaces/{namespace}/pods/*/{name}?labelSelector={selector}\
         &metricLabelSelector={series}"
    );
    let what = format!("pods.custom.metrics.k8s.io * {}", metric.name);
    let list = custom(client, &path, &what).await?;
    let metrics = list.into_iter().filter_map(|one| {
        let window = one.window_seconds.map_or(USUAL_WINDOW, SignedDuration::from_secs);
        let value = Quantity::parse(&one.value).ok()?.milli();
        Some((one.described_object.name, PodMetric { at: one.timestamp, window, value }))
    });
    Ok(Reading::Pods(metrics.collect()))
}

async fn custom(client: &Client, path: &str, what: &str) -> Result<Vec<Custom>, String> {
    let list: List<Custom> = get(client, path).await.map_err(|error| {
        let error = explained(&error, what);
        format!("unable to fetch metrics from custom metrics API: {error}")
    })?;
    if list.items.is_empty() {
        return Err("no metrics returned from custom metrics API".to_owned());
    }
    Ok(list.items)
}

async fn of_object(
    client: &Client,
    namespace: &str,
    source: &ObjectMetricSource,
) -> Result<Reading, String> {
    let object = &source.described_object;
    let metric = segment(&source.metric.name);
    let name = segment(&object.name);
    let api_version = object.api_version.as_deref().unwrap_or_default();
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let path = if object.kind == "Namespace" && group.is_empty() {
        format!("{CUSTOM}/namespaces/{name}/metrics/{metric}")
    } else {
        // The plural as metrics are served under: kinds with another one are rare, and the answer
        // to a wrong one is that there is no such metric.
        let plural = plural(&object.kind);
        let dot = if group.is_empty() { "" } else { "." };
        format!("{CUSTOM}/namespaces/{namespace}/{plural}{dot}{group}/{name}/{metric}")
    };
    let path = format!("{path}?metricLabelSelector={}", segment(&series(&source.metric)));
    // Kubernetes puts it in this order.
    let of = |error: &str| format!("{} on {namespace} {}/{error}", object.kind, object.name);
    let list = custom(client, &path, &source.metric.name).await.map_err(|error| of(&error))?;
    let value = list.first().and_then(|one| Quantity::parse(&one.value).ok());
    value.map(|value| Reading::Value(value.milli())).ok_or_else(|| of("not a number"))
}

/// The plural of a kind, as Kubernetes guesses it.
fn plural(kind: &str) -> String {
    let one = kind.to_lowercase();
    match one.as_bytes() {
        [.., b's'] => format!("{one}es"),
        [.., b'y'] => format!("{}ies", &one[..one.len() - 1]),
        _ => format!("{one}s"),
    }
}

async fn external(
    client: &Client,
    namespace: &str,
    metric: &MetricIdentifier,
) -> Result<Reading, String> {
    let sum = sum_of_external(client, namespace, metric).await;
    let selector = written(metric.selector.as_ref());
    sum.map(Reading::Value)
        .map_err(|error| format!("{namespace}/{}/{selector}: {error}", metric.name))
}

async fn sum_of_external(
    client: &Client,
    namespace: &str,
    metric: &MetricIdentifier,
) -> Result<i64, String> {
    let name = segment(&metric.name);
    let path = format!(
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/{name}?labelSelector={}",
        segment(&series(metric))
    );
    let list: List<External> = get(client, &path).await.map_err(|error| {
        let error = explained(&error, &format!("{}.external.metrics.k8s.io", metric.name));
        format!("unable to fetch metrics from external metrics API: {error}")
    })?;
    if list.items.is_empty() {
        return Err("no metrics returned from external metrics API".to_owned());
    }
    let values = list.items.iter().filter_map(|one| Quantity::parse(&one.value).ok());
    Ok(values.fold(0_i64, |sum, value| sum.saturating_add(value.milli())))
}

/// The selector of a metric's series, as text.
fn series(metric: &MetricIdentifier) -> String {
    metric.selector.as_ref().map(|own| selector(Some(own)).to_string()).unwrap_or_default()
}

/// A time span as Go writes it: `1m15.5s`; none where it cannot be read.
fn duration(text: &str) -> SignedDuration {
    let mut nanos = 0.0;
    let mut number = String::new();
    let mut unit = String::new();
    for c in text.chars().chain(['0']) {
        if c.is_ascii_digit() || c == '.' {
            if !unit.is_empty() {
                let scale = match unit.as_str() {
                    "h" => 3600e9,
                    "m" => 60e9,
                    "s" => 1e9,
                    "ms" => 1e6,
                    "us" | "µs" => 1e3,
                    "ns" => 1.0,
                    _ => return SignedDuration::ZERO,
                };
                nanos += number.parse::<f64>().unwrap_or_default() * scale;
                (number, unit) = (String::new(), String::new());
            }
            number.push(c);
        } else {
            unit.push(c);
        }
    }
    SignedDuration::try_from_secs_f64(nanos / 1e9).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_of_go_are_read() {
        for (text, millis) in
            [("15s", 15_000), ("1m15.5s", 75_500), ("250ms", 250), ("1h0m0s", 3_600_000), ("x", 0)]
        {
            assert_eq!(duration(text).as_millis(), millis, "{text}");
        }
    }

    #[test]
    fn plurals_are_guessed() {
        for (kind, expected) in
            [("Service", "services"), ("Ingress", "ingresses"), ("Policy", "policies")]
        {
            assert_eq!(plural(kind), expected);
        }
    }
}
