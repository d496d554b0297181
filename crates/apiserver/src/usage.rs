//! What nodes and pods use, and what pods are asked: `metrics.k8s.io` and `custom.metrics.k8s.io`.
//!
//! Nothing of it is stored. The figures are the kubelets', asked for while somebody wants to know. A
//! node that cannot be reached is absent, and so is a pod that has not run long enough.

mod figures;
mod nodes;
mod text;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use futures::future::join_all;
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use wk_api::quantity::Format;
use wk_api::{ApiError, GroupResource, LabelSelector, Quantity, Reason, rfc3339};

use self::figures::{Figures, PodFigures, Used};
pub(crate) use self::nodes::Nodes;
use crate::catalog::Resource;
use crate::encode::{self, Look};
use crate::error::Answer;
use crate::handle::{Call, not_allowed};
use crate::list;
use crate::negotiate::{Format as Negotiated, Shape};
use crate::object::{Object, Selection};
use crate::options::ListOptions;
use crate::route::{ResourcePath, Verb};

const USAGE: &str = "metrics.k8s.io";
const CUSTOM: &str = "custom.metrics.k8s.io";

/// Whether objects of the kind are measured and not stored.
pub(crate) fn is_measured(resource: &Resource) -> bool {
    resource.gr.group == USAGE || resource.gr.group == CUSTOM
}

/// The answer about a kind that is not there: what has no metrics is worded as such.
pub(crate) fn missing(path: &ResourcePath) -> ApiError {
    if path.group != CUSTOM || path.subresource.is_empty() {
        return ApiError::no_such_resource();
    }
    metric_missing(&path.subresource, &path.resource, &path.name)
}

fn metric_missing(metric: &str, of: &str, name: &str) -> ApiError {
    let name = if name == "*" { String::new() } else { format!(" {name}") };
    let message = format!("the server could not find the metric {metric} for {of}{name}");
    ApiError::new(404, Reason::NotFound, message)
}

/// Answers a request about measured objects.
pub(crate) async fn answer(call: &Call) -> Answer {
    let custom = call.resource.gr.group == CUSTOM;
    if custom == call.path.subresource.is_empty() {
        return Err(ApiError::no_such_resource());
    }
    match (custom, call.resource.gr.resource.as_str(), call.verb) {
        (true, _, Verb::Get) => metric(call).await,
        (false, "nodes", Verb::Get) => one_node(call).await,
        (false, "nodes", Verb::List) => nodes(call).await,
        (false, _, Verb::Get) => one_pod(call).await,
        (false, _, Verb::List) => pods(call).await,
        _ => Err(not_allowed()),
    }
}

/// The stored kind that is measured.
fn stored(call: &Call) -> Result<Arc<Resource>, ApiError> {
    let found = call.server.catalog.get("", "v1", &call.resource.gr.resource);
    found.ok_or_else(ApiError::no_such_resource)
}

/// The stored objects that are selected, in their order.
fn selected(call: &Call, selection: &Selection) -> Result<Vec<Arc<Object>>, ApiError> {
    let resource = stored(call)?;
    let range = resource.range(&call.path.namespace);
    let keep = |object: &Object| resource.selects(selection, object);
    let seen = call.server.storage.cache.seen();
    Ok(resource.shelf.snapshot(&range, usize::MAX, seen, keep).objects)
}

/// What is read of nodes and pods.
#[derive(Deserialize)]
struct Outline {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    node_name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
struct Condition {
    r#type: String,
    status: String,
}

impl Outline {
    fn of(object: &Object) -> Option<Self> {
        serde_json::from_slice(object.stored()).ok()
    }

    /// Whether nobody has heard of the node: asking it would only take time.
    fn is_silent(&self) -> bool {
        let mut conditions = self.status.conditions.iter();
        conditions.any(|condition| condition.r#type == "Ready" && condition.status == "Unknown")
    }
}

/// The figures of some nodes, by name.
async fn figures(
    call: &Call,
    names: impl IntoIterator<Item = &str>,
) -> HashMap<String, Arc<Figures>> {
    let server = &call.server;
    let Some(known) = server.catalog.get("", "v1", "nodes") else { return HashMap::new() };
    let mut asked: HashSet<&str> = names.into_iter().collect();
    asked.retain(|name| {
        let node = known.get("", name).ok().and_then(|node| Outline::of(&node));
        node.is_some_and(|node| !node.is_silent())
    });
    let all = known.shelf.snapshot(&known.range(""), usize::MAX, 0, |_| true).objects;
    server.usage.keep(&all.iter().map(|node| node.name().to_owned()).collect());
    let found = asked.into_iter().map(|name| async move {
        Some((name.to_owned(), server.usage.figures(server, name).await?))
    });
    join_all(found).await.into_iter().flatten().collect()
}

async fn nodes(call: &Call) -> Answer {
    let options = ListOptions::read(&call.query, &call.resource, "", false)?;
    let nodes = selected(call, &options.selection)?;
    let figures = figures(call, nodes.iter().map(|node| node.name())).await;
    let shown = nodes.iter().filter_map(|node| shown_node(call, node, &figures));
    list::of_values(call, &json!({}), shown)
}

async fn one_node(call: &Call) -> Answer {
    let name = call.path.name.as_str();
    let node = stored(call)?.get("", name)?;
    let figures = figures(call, [name]).await;
    let shown = shown_node(call, &node, &figures);
    let shown = shown.ok_or_else(|| ApiError::not_found(&called("nodemetrics"), name))?;
    encode::value(&call.resource, shown, call.look, StatusCode::OK)
}

fn shown_node(call: &Call, node: &Object, all: &HashMap<String, Arc<Figures>>) -> Option<Value> {
    let figures = all.get(node.name())?;
    let used = figures.node?;
    let mut shown = head(call, node, figures.at, used.window);
    shown["usage"] = amounts(&used);
    Some(shown)
}

async fn pods(call: &Call) -> Answer {
    let options = ListOptions::read(&call.query, &call.resource, "", false)?;
    let pods = selected(call, &options.selection)?;
    let found = pod_figures(call, &pods).await;
    let shown = found.iter().map(|found| shown_pod(call, found));
    list::of_values(call, &json!({}), shown)
}

async fn one_pod(call: &Call) -> Answer {
    let (namespace, name) = (call.path.namespace.as_str(), call.path.name.as_str());
    let pod = [stored(call)?.get(namespace, name)?];
    let found = pod_figures(call, &pod).await;
    let Some(found) = found.first() else {
        let name = format!("{namespace}/{name}");
        return Err(ApiError::not_found(&called("podmetrics"), &name));
    };
    encode::value(&call.resource, shown_pod(call, found), call.look, StatusCode::OK)
}

/// How metrics that are missing are called, as clients know it.
fn called(resource: &str) -> GroupResource {
    GroupResource::new(USAGE, resource)
}

/// A pod of whose node there are figures.
struct Found<'a> {
    pod: &'a Arc<Object>,
    node: Arc<Figures>,
    key: (String, String),
}

impl Found<'_> {
    fn figures(&self) -> Option<&PodFigures> {
        self.node.pods.get(&self.key)
    }
}

/// Those of the pods that are known to use something.
async fn pod_figures<'a>(call: &Call, pods: &'a [Arc<Object>]) -> Vec<Found<'a>> {
    let placed: Vec<(&Arc<Object>, String)> = pods
        .iter()
        .filter_map(|pod| Some((pod, Outline::of(pod)?.spec.node_name)))
        .filter(|(_, node)| !node.is_empty())
        .collect();
    let nodes = figures(call, placed.iter().map(|(_, node)| node.as_str())).await;
    let found = placed.into_iter().filter_map(|(pod, node)| {
        let key = (pod.namespace().to_owned(), pod.name().to_owned());
        let found = Found { pod, node: Arc::clone(nodes.get(&node)?), key };
        found.figures().is_some().then_some(found)
    });
    found.collect()
}

fn shown_pod(call: &Call, found: &Found<'_>) -> Value {
    let figures = found.figures();
    let window = figures.map_or(0.0, |figures| figures.window);
    let mut shown = head(call, found.pod, found.node.at, window);
    let containers = figures.into_iter().flat_map(|figures| &figures.containers);
    shown["containers"] =
        containers.map(|(name, used)| json!({"name": name, "usage": amounts(used)})).collect();
    shown
}

fn head(call: &Call, object: &Object, at: f64, window: f64) -> Value {
    let mut metadata =
        json!({"name": object.name(), "creationTimestamp": rfc3339(Timestamp::now())});
    if !object.namespace().is_empty() {
        metadata["namespace"] = object.namespace().into();
    }
    if let Some(labels) = Outline::of(object).and_then(|outline| outline.metadata.labels) {
        metadata["labels"] = json!(labels);
    }
    json!({
        "kind": call.resource.definition.kind,
        "apiVersion": call.resource.api_version,
        "metadata": metadata,
        "timestamp": rfc3339(time(at)),
        "window": duration(window),
    })
}

fn amounts(used: &Used) -> Value {
    let nano = Quantity::parse(&format!("{}n", whole(used.cores * 1e9))).unwrap_or_default();
    let memory = Quantity::from_value(whole(used.memory)).with_format(Format::BinarySi);
    json!({"cpu": nano.to_string(), "memory": memory.to_string()})
}

#[expect(clippy::cast_possible_truncation, reason = "figures far beyond any machine are cut off")]
fn whole(value: f64) -> i64 {
    value.round() as i64
}

fn time(seconds: f64) -> Timestamp {
    Timestamp::from_millisecond(whole(seconds * 1000.0)).unwrap_or_default()
}

/// A time span as Go writes it, in milliseconds.
fn duration(seconds: f64) -> String {
    let millis = whole(seconds * 1000.0);
    let (minutes, rest) = (millis / 60_000, millis % 60_000);
    let fraction = format!("{:03}", rest % 1000);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    let seconds = rest / 1000;
    match minutes {
        0 => format!("{seconds}{point}{fraction}s"),
        minutes if minutes < 60 => format!("{minutes}m{seconds}{point}{fraction}s"),
        minutes => format!("{}h{}m{seconds}{point}{fraction}s", minutes / 60, minutes % 60),
    }
}

/// Answers with a metric of pods: of the one named, or of all that are selected.
async fn metric(call: &Call) -> Answer {
    let (name, metric) = (call.path.name.as_str(), call.path.subresource.as_str());
    if !wk_resources::POD_METRICS.contains(&metric) || !call.path.rest.is_empty() {
        return Err(metric_missing(metric, &call.resource.gr.resource, name));
    }
    let all = name == "*";
    let pods = if all {
        let options = ListOptions::read(&call.query, &call.resource, "", false)?;
        selected(call, &options.selection)?
    } else {
        vec![stored(call)?.get(&call.path.namespace, name)?]
    };
    let series = LabelSelector::parse(call.query.text("metricLabelSelector"))
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    let found = pod_figures(call, &pods).await;
    let items: Vec<Value> = found
        .iter()
        // These metrics have no labels of their own.
        .filter(|_| series.matches_with(|_| None))
        .filter_map(|found| value(call, metric, found))
        .collect();
    if items.is_empty() && !all {
        return Err(metric_missing(metric, &call.resource.gr.resource, name));
    }
    let list = json!({
        "kind": call.resource.definition.kind,
        "apiVersion": call.resource.api_version,
        "metadata": {},
        "items": items,
    });
    let format = Negotiated { shape: Shape::Plain, ..call.look.format };
    encode::plain(
        &list,
        call.resource.definition.message,
        Look { format, ..call.look },
        StatusCode::OK,
    )
}

fn value(call: &Call, metric: &str, found: &Found<'_>) -> Option<Value> {
    let figures = found.figures()?;
    let traffic = figures.traffic?;
    let amount = match metric {
        "http_requests_per_second" => traffic.per_second,
        _ => traffic.in_flight,
    };
    let (namespace, name) = (found.pod.namespace(), found.pod.name());
    let mut value = json!({
        "describedObject": {
            "kind": "Pod", "namespace": namespace, "name": name, "apiVersion": "/v1",
        },
        "timestamp": rfc3339(time(found.node.at)),
        "value": Quantity::from_milli(whole(amount * 1000.0)).to_string(),
    });
    let window = whole(figures.window).max(1);
    if call.resource.definition.version == "v1beta1" {
        value["metricName"] = metric.into();
        value["window"] = window.into();
    } else {
        value["metric"] = json!({"name": metric});
        value["windowSeconds"] = window.into();
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_times_are_written_as_go_writes_them() {
        let used = Used { window: 1.0, cores: 0.012_345_678_9, memory: 2_097_152.0 };
        assert_eq!(amounts(&used), json!({"cpu": "12345679n", "memory": "2Mi"}));
        let idle = Used { window: 1.0, cores: 0.0, memory: 0.0 };
        assert_eq!(amounts(&idle), json!({"cpu": "0", "memory": "0"}));
        for (seconds, expected) in [
            (15.0, "15s"),
            (1.003, "1.003s"),
            (14.2, "14.2s"),
            (75.5, "1m15.5s"),
            (3600.0, "1h0m0s"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }
}
