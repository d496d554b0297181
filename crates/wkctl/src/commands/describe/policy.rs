//! Bounds of namespaces, pods and numbers of replicas.

use serde_json::Value;

use super::template::{items, or, time, value};
use super::text::Text;
use super::{Related, head, metadata, selector};
use crate::kinds::text;
use crate::output::jsonpath::plain;

pub(super) fn namespace(out: &mut Text, object: &Value, related: &Related) {
    out.pair(0, "Name:", text(object, "/metadata/name"));
    metadata(out, object);
    out.pair(0, "Status:", text(object, "/status/phase"));
    if items(object, "/status/conditions").next().is_some() {
        out.line(0, "Conditions:");
        out.header(1, &["Type", "Status", "LastTransitionTime", "Reason", "Message"]);
        for one in items(object, "/status/conditions") {
            let moment = time(one, "/lastTransitionTime");
            let cells = [text(one, "/type"), text(one, "/status"), &moment];
            out.row(1, cells.into_iter().chain([text(one, "/reason"), text(one, "/message")]));
        }
    }
    out.line(0, "");
    let of =
        |kind: &'static str| related.owned.iter().filter(move |one| text(one, "/kind") == kind);
    if of("ResourceQuota").next().is_none() {
        out.line(0, "No resource quota.");
    } else {
        out.line(0, "Resource Quotas");
    }
    for quota in of("ResourceQuota") {
        out.pair(1, "Name:", text(quota, "/metadata/name"));
        scopes(out, 1, "  * ", quota);
        out.row(1, ["Resource", "Used", "Hard"]);
        out.row(1, ["--------", "---", "---"]);
        amounts(out, 1, quota);
    }
    out.line(0, "");
    if of("LimitRange").next().is_none() {
        return out.line(0, "No LimitRange resource.");
    }
    out.line(0, "Resource Limits");
    limit_table(out, " ", of("LimitRange"));
}

fn scopes(out: &mut Text, level: usize, bullet: &str, quota: &Value) {
    let all: Vec<String> = items(quota, "/spec/scopes").map(plain).collect();
    if all.is_empty() {
        return;
    }
    out.pair(level, "Scopes:", all.join(", "));
    for scope in &all {
        let explained = match scope.as_str() {
            "Terminating" => {
                "Matches all pods that have an active deadline. These pods have a limited lifespan \
                 on a node before being actively terminated by the system."
            }
            "NotTerminating" => {
                "Matches all pods that do not have an active deadline. These pods usually include \
                 long running pods whose container command is not expected to terminate."
            }
            "BestEffort" => {
                "Matches all pods that do not have resource requirements set. These pods have a \
                 best effort quality of service."
            }
            "NotBestEffort" => {
                "Matches all pods that have at least one resource requirement set. These pods have \
                 a burstable or guaranteed quality of service."
            }
            _ => continue,
        };
        out.line(0, format!("{bullet}{explained}"));
    }
}

fn amounts(out: &mut Text, level: usize, quota: &Value) {
    let hard = quota.pointer("/status/hard").and_then(Value::as_object);
    for (name, hard) in hard.into_iter().flatten() {
        let used = quota.pointer("/status/used").and_then(|used| used.get(name));
        let used = used.map_or("0".to_owned(), plain);
        out.row(level, [name.as_str(), &used, &plain(hard)]);
    }
}

pub(super) fn quota(out: &mut Text, object: &Value) {
    head(out, object);
    scopes(out, 0, " * ", object);
    out.header(0, &["Resource", "Used", "Hard"]);
    amounts(out, 0, object);
}

pub(super) fn limits(out: &mut Text, object: &Value) {
    head(out, object);
    limit_table(out, "", std::iter::once(object));
}

fn limit_table<'a>(out: &mut Text, margin: &str, ranges: impl Iterator<Item = &'a Value>) {
    let names = [
        "Type",
        "Resource",
        "Min",
        "Max",
        "Default Request",
        "Default Limit",
        "Max Limit/Request Ratio",
    ];
    out.line(0, format!("{margin}{}", names.join("\t")));
    let lines: Vec<String> = names.iter().map(|name| "-".repeat(name.len())).collect();
    out.line(0, format!("{margin}{}", lines.join("\t")));
    for range in ranges {
        for limit in items(range, "/spec/limits") {
            let fields = ["min", "max", "defaultRequest", "default", "maxLimitRequestRatio"];
            let of = |field: &str| limit.get(field).and_then(Value::as_object);
            let mut resources: Vec<&String> =
                fields.iter().filter_map(|field| of(field)).flat_map(|map| map.keys()).collect();
            resources.sort();
            resources.dedup();
            for resource in resources {
                let cell = |field: &&str| {
                    of(field).and_then(|map| map.get(resource)).map_or("-".to_owned(), plain)
                };
                let cells: Vec<String> = fields.iter().map(cell).collect();
                let kind = text(limit, "/type");
                out.line(0, format!("{margin}{kind}\t{resource}\t{}", cells.join("\t")));
            }
        }
    }
}

pub(super) fn disruption_budget(out: &mut Text, object: &Value) {
    head(out, object);
    out.pair_if(0, "Min available:", &value(object, "/spec/minAvailable"));
    out.pair_if(0, "Max unavailable:", &value(object, "/spec/maxUnavailable"));
    let labels = object.pointer("/spec/selector");
    let labels = labels.map_or("<unset>".to_owned(), |labels| selector(Some(labels)));
    out.pair(0, "Selector:", labels);
    out.line(0, "Status:");
    for (title, field) in [
        ("Allowed disruptions:", "disruptionsAllowed"),
        ("Current:", "currentHealthy"),
        ("Desired:", "desiredHealthy"),
        ("Total:", "expectedPods"),
    ] {
        let count = object.pointer(&format!("/status/{field}")).map_or("0".to_owned(), plain);
        out.pair(2, title, count);
    }
}

pub(super) fn priority_class(out: &mut Text, object: &Value) {
    out.pair(0, "Name:", text(object, "/metadata/name"));
    out.pair(0, "Value:", value(object, "/value"));
    out.pair(0, "GlobalDefault:", or(&value(object, "/globalDefault"), "false"));
    out.pair(0, "PreemptionPolicy:", text(object, "/preemptionPolicy"));
    out.pair(0, "Description:", text(object, "/description"));
    let annotations = selector(object.pointer("/metadata/annotations"));
    out.line(0, format!("Annotations:\t{annotations}"));
}

pub(super) fn autoscaler(out: &mut Text, object: &Value) {
    head(out, object);
    metadata(out, object);
    out.pair(0, "CreationTimestamp:", time(object, "/metadata/creationTimestamp"));
    let target = object.pointer("/spec/scaleTargetRef").unwrap_or(&Value::Null);
    let kind = text(target, "/kind");
    out.pair(0, "Reference:", format!("{kind}/{}", text(target, "/name")));
    out.pair(0, "Metrics:", "( current / target )");
    for (index, metric) in items(object, "/spec/metrics").enumerate() {
        let current = items(object, "/status/currentMetrics").nth(index);
        let (title, line) = self::metric(metric, current);
        out.pair(1, &title, line);
    }
    out.pair(0, "Min replicas:", or(&value(object, "/spec/minReplicas"), "<unset>"));
    out.pair(0, "Max replicas:", value(object, "/spec/maxReplicas"));
    if let Some(behavior) = object.pointer("/spec/behavior") {
        out.line(0, "Behavior:");
        direction(out, "Scale Up:", behavior.get("scaleUp"));
        direction(out, "Scale Down:", behavior.get("scaleDown"));
    }
    let count =
        |field: &str| object.pointer(&format!("/status/{field}")).map_or("0".to_owned(), plain);
    let (current, desired) = (count("currentReplicas"), count("desiredReplicas"));
    out.pair(0, &format!("{kind} pods:"), format!("{current} current / {desired} desired"));
    let columns =
        [("Type", "/type"), ("Status", "/status"), ("Reason", "/reason"), ("Message", "/message")];
    if items(object, "/status/conditions").next().is_some() {
        out.line(0, "Conditions:");
        out.header(1, &columns.map(|(name, _)| name));
        for one in items(object, "/status/conditions") {
            out.row(1, columns.map(|(_, field)| text(one, field)));
        }
    }
}

/// A metric: what it is called, and its value beside the one that is aimed at.
fn metric(metric: &Value, current: Option<&Value>) -> (String, String) {
    let kind = text(metric, "/type");
    let mut field = kind.to_owned();
    if let Some(first) = field.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    let spec = metric.get(&field).unwrap_or(&Value::Null);
    let now = current.and_then(|current| current.get(&field)).and_then(|one| one.get("current"));
    let now = now.unwrap_or(&Value::Null);
    let target = spec.get("target").unwrap_or(&Value::Null);
    let is_average = target.get("averageValue").is_some();
    let name = text(spec, "/metric/name");
    let title = match kind {
        "Pods" => format!("{name:?} on pods:"),
        "Object" => {
            let object = spec.get("describedObject").unwrap_or(&Value::Null);
            let what = if is_average { "target average value" } else { "target value" };
            format!("{name:?} on {}/{} ({what}):", text(object, "/kind"), text(object, "/name"))
        }
        "External" => {
            let what = if is_average { "target average value" } else { "target value" };
            format!("{name:?} ({what}):")
        }
        _ => {
            let container = match text(spec, "/container") {
                "" => String::new(),
                container => format!(" of container {container:?}"),
            };
            let resource = text(spec, "/name");
            let share = if is_average { "" } else { "  (as a percentage of request)" };
            format!("resource {resource}{container} on pods{share}:")
        }
    };
    let or_unknown = |text: String| or(&text, "<unknown>").to_owned();
    let line = if is_average {
        let current = or_unknown(value(now, "/averageValue"));
        format!("{current} / {}", value(target, "/averageValue"))
    } else if let Some(wanted) = target.get("averageUtilization") {
        let current = match now.get("averageUtilization") {
            Some(share) => format!("{}% ({})", plain(share), value(now, "/averageValue")),
            None => "<unknown>".to_owned(),
        };
        format!("{current} / {}%", plain(wanted))
    } else {
        format!("{} / {}", or_unknown(value(now, "/value")), value(target, "/value"))
    };
    (title, line)
}

fn direction(out: &mut Text, title: &str, rules: Option<&Value>) {
    let Some(rules) = rules else { return };
    out.line(1, title);
    if let Some(window) = rules.get("stabilizationWindowSeconds") {
        out.line(2, format!("Stabilization Window: {} seconds", plain(window)));
    }
    if items(rules, "/policies").next().is_some() {
        out.line(2, format!("Select Policy: {}", or(text(rules, "/selectPolicy"), "Max")));
        out.line(2, "Policies:");
        for policy in items(rules, "/policies") {
            out.line(
                3,
                format!(
                    "- Type: {}\tValue: {}\tPeriod: {} seconds",
                    text(policy, "/type"),
                    value(policy, "/value"),
                    value(policy, "/periodSeconds")
                ),
            );
        }
    }
}
