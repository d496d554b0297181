//! Horizontal pod autoscalers: `autoscaling/v2` as they are stored, `autoscaling/v1` as a view.

mod validation;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use wk_api::{FieldPath, Quantity};

use super::{define, workload};
use crate::check::Faults;
use crate::definition::{Column, Definition, RequestContext};
use crate::look::{Look, default_to, map_mut};
use crate::rules::{KindRules, Update};
use crate::table;

/// The definition of the kind in its newest version.
pub(super) fn definition() -> Definition {
    define("autoscaling", "v2", "HorizontalPodAutoscaler")
        .short(&["hpa"])
        .in_all()
        .generation()
        .columns(columns())
        .rules(Autoscalers { view: false })
        .status()
}

/// The definition of the kind in its first version.
pub(super) fn view() -> Definition {
    let mut view = define("autoscaling", "v1", "HorizontalPodAutoscaler")
        .short(&["hpa"])
        .in_all()
        .generation()
        .columns(columns())
        .rules(Autoscalers { view: true })
        .status();
    view.stored_as = Some(("autoscaling", "v2", "HorizontalPodAutoscaler"));
    view
}

fn columns() -> Vec<Column> {
    vec![
        Column::NAME,
        Column::text("Reference", "The target resource to scale."),
        Column::text("Targets", "The metrics to aim at, current and wanted."),
        Column::text("MinPods", "The lower limit for the number of replicas."),
        Column::text("MaxPods", "The upper limit for the number of replicas."),
        Column::text("Replicas", "The current number of replicas."),
        Column::AGE,
    ]
}

/// The annotations in which the first version keeps what it has no fields for.
const METRICS_ANNOTATION: &str = "autoscaling.alpha.kubernetes.io/metrics";
const BEHAVIOR_ANNOTATION: &str = "autoscaling.alpha.kubernetes.io/behavior";

#[derive(Debug)]
struct Autoscalers {
    /// Whether objects have the form of `autoscaling/v1`.
    view: bool,
}

impl KindRules for Autoscalers {
    fn default(&self, autoscaler: &mut Value) {
        let spec = map_mut(autoscaler, "spec");
        spec.entry("minReplicas").or_insert_with(|| 1.into());
        if self.view {
            return;
        }
        if spec.lacks("metrics") {
            spec.insert("metrics".to_owned(), json!([cpu_metric(&80.into())]));
        }
        if let Some(Value::Object(behavior)) = spec.get_mut("behavior") {
            default_behavior(behavior);
        }
    }

    fn prepare_create(&self, autoscaler: &mut Value, _context: &RequestContext<'_>) {
        autoscaler["status"]["desiredReplicas"] = 0.into();
    }

    fn validate(&self, autoscaler: &Value, faults: &mut Faults) {
        if self.view {
            // Its metrics and behavior are annotations: they are checked as what they stand for.
            let mut stored = autoscaler.clone();
            self.to_stored(&mut stored);
            validation::spec(&stored["spec"], faults);
        } else {
            validation::spec(&autoscaler["spec"], faults);
        }
    }

    fn validate_update(&self, new: &Value, _old: &Value, update: Update, faults: &mut Faults) {
        if update == Update::Status {
            let root = FieldPath::Root;
            let counts = ["currentReplicas", "desiredReplicas"];
            workload::counts(&new["status"], &counts, &root.child("status"), faults);
        }
    }

    fn row(&self, autoscaler: &Value, now: Timestamp) -> Vec<Value> {
        let mut autoscaler = autoscaler.clone();
        self.to_stored(&mut autoscaler);
        let (spec, status) = (&autoscaler["spec"], &autoscaler["status"]);
        let target = &spec["scaleTargetRef"];
        let min = spec.int("minReplicas").map_or("<unset>".to_owned(), |min| min.to_string());
        vec![
            table::name(&autoscaler),
            format!("{}/{}", target.text("kind"), target.text("name")).into(),
            targets(spec, status).into(),
            min.into(),
            table::int(spec, "maxReplicas"),
            table::int(status, "currentReplicas"),
            table::age(&autoscaler, now),
        ]
    }

    fn to_view(&self, autoscaler: &mut Value) {
        if self.view {
            to_first(autoscaler);
        }
    }

    fn to_stored(&self, autoscaler: &mut Value) {
        if self.view {
            from_first(autoscaler);
        }
    }
}

fn default_behavior(behavior: &mut Map<String, Value>) {
    let rules = |direction: &str| {
        let (window, policies) = if direction == "scaleUp" {
            (
                json!(0),
                json!([
                    {"type": "Pods", "value": 4, "periodSeconds": 15},
                    {"type": "Percent", "value": 100, "periodSeconds": 15},
                ]),
            )
        } else {
            (Value::Null, json!([{"type": "Percent", "value": 100, "periodSeconds": 15}]))
        };
        (window, policies)
    };
    for direction in ["scaleUp", "scaleDown"] {
        let (window, policies) = rules(direction);
        let Value::Object(given) = crate::look::always(behavior, direction) else { continue };
        if !window.is_null() {
            given.entry("stabilizationWindowSeconds").or_insert(window);
        }
        default_to(given, "selectPolicy", "Max");
        if given.lacks("policies") {
            given.insert("policies".to_owned(), policies);
        }
    }
}

/// Whether a metric is the one that the first version has a field for.
fn is_cpu(metric: &Value) -> bool {
    let resource = &metric["resource"];
    metric.text("type") == "Resource"
        && resource.text("name") == "cpu"
        && resource["target"].has("averageUtilization")
}

fn to_first(autoscaler: &mut Value) {
    autoscaler["apiVersion"] = "autoscaling/v1".into();
    let spec = map_mut(autoscaler, "spec");
    let mut metrics = match spec.remove("metrics") {
        Some(Value::Array(metrics)) => metrics,
        _ => Vec::new(),
    };
    let behavior = spec.remove("behavior");
    if let Some(index) = metrics.iter().position(is_cpu) {
        let cpu = metrics.remove(index);
        let percentage = cpu["resource"]["target"]["averageUtilization"].clone();
        spec.insert("targetCPUUtilizationPercentage".to_owned(), percentage);
    }
    let mut kept = Vec::new();
    if !metrics.is_empty() {
        kept.push((METRICS_ANNOTATION, Value::Array(metrics)));
    }
    kept.extend(behavior.map(|behavior| (BEHAVIOR_ANNOTATION, behavior)));
    if !kept.is_empty() {
        let annotations = map_mut(map_value(autoscaler, "metadata"), "annotations");
        for (key, value) in kept {
            annotations.insert(key.to_owned(), value.to_string().into());
        }
    }
    if let Some(Value::Object(status)) = autoscaler.get_mut("status") {
        let metrics = status.remove("currentMetrics").unwrap_or_default();
        status.remove("conditions");
        // The first version tells this one also when it is 0.
        status.entry("currentReplicas").or_insert_with(|| 0.into());
        let current = metrics
            .as_array()
            .into_iter()
            .flatten()
            .find(|metric| metric["resource"].text("name") == "cpu")
            .and_then(|metric| metric["resource"]["current"].int("averageUtilization"));
        if let Some(current) = current {
            status.insert("currentCPUUtilizationPercentage".to_owned(), current.into());
        }
    }
}

fn from_first(autoscaler: &mut Value) {
    autoscaler["apiVersion"] = "autoscaling/v2".into();
    let mut kept = Map::new();
    if let Some(Value::Object(annotations)) = autoscaler["metadata"].get_mut("annotations") {
        for (key, field) in [(METRICS_ANNOTATION, "metrics"), (BEHAVIOR_ANNOTATION, "behavior")] {
            if let Some(Value::String(text)) = annotations.remove(key)
                && let Ok(value) = serde_json::from_str(&text)
            {
                kept.insert(field.to_owned(), value);
            }
        }
    }
    let spec = map_mut(autoscaler, "spec");
    let mut metrics = match kept.remove("metrics") {
        Some(Value::Array(metrics)) => metrics,
        _ => Vec::new(),
    };
    if let Some(percentage) = spec.remove("targetCPUUtilizationPercentage") {
        metrics.insert(0, cpu_metric(&percentage));
    }
    if metrics.is_empty() {
        // The default of the second version, which applies to what is stored.
        metrics.push(cpu_metric(&80.into()));
    }
    spec.insert("metrics".to_owned(), metrics.into());
    spec.extend(kept);
    if let Some(Value::Object(status)) = autoscaler.get_mut("status")
        && let Some(current) = status.remove("currentCPUUtilizationPercentage")
    {
        let metric = json!([{
            "type": "Resource",
            "resource": {"name": "cpu", "current": {"averageUtilization": current}},
        }]);
        status.insert("currentMetrics".to_owned(), metric);
    }
}

/// The metric of the processor time that pods use, in percent of what they ask for.
fn cpu_metric(percentage: &Value) -> Value {
    let target = json!({"type": "Utilization", "averageUtilization": percentage});
    json!({"type": "Resource", "resource": {"name": "cpu", "target": target}})
}

fn map_value<'a>(value: &'a mut Value, key: &str) -> &'a mut Value {
    map_mut(value, key);
    &mut value[key]
}

fn targets(spec: &Value, status: &Value) -> String {
    const SHOWN: usize = 2;
    let metrics = spec.items("metrics");
    if metrics.is_empty() {
        return "<none>".to_owned();
    }
    let shown: Vec<String> = metrics
        .iter()
        .enumerate()
        .map(|(index, metric)| target(metric, status.items("currentMetrics").get(index)))
        .collect();
    if shown.len() > SHOWN {
        format!("{} + {} more...", shown[..SHOWN].join(", "), shown.len() - SHOWN)
    } else {
        shown.join(", ")
    }
}

fn target(metric: &Value, current: Option<&Value>) -> String {
    let (field, named) = match metric.text("type") {
        "Resource" => ("resource", metric["resource"].text("name")),
        "ContainerResource" => ("containerResource", metric["containerResource"].text("name")),
        "Pods" => ("pods", ""),
        "Object" => ("object", ""),
        "External" => ("external", ""),
        _ => return "<unknown type>".to_owned(),
    };
    let wanted = &metric[field]["target"];
    let null = Value::Null;
    let current = current.map_or(&null, |current| &current[field]["current"]);
    let text = if let Some(wanted) = wanted.int("averageUtilization") {
        let now = current.int("averageUtilization");
        let now = now.map_or("<unknown>".to_owned(), |now| format!("{now}%"));
        format!("{now}/{wanted}%")
    } else {
        let (value, average) = match wanted.text("averageValue") {
            "" => (wanted.text("value"), ""),
            value => (value, " (avg)"),
        };
        let kind = if average.is_empty() { "value" } else { "averageValue" };
        let now = Quantity::parse(current.text(kind)).ok();
        let now = now.map_or("<unknown>".to_owned(), |now| now.to_string());
        format!("{now}/{value}{average}")
    };
    if named.is_empty() { text } else { format!("{named}: {text}") }
}
