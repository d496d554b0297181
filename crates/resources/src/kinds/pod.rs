//! Pods.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use wk_api::{Fault, FieldPath, Quantity, well_known};

use super::define;
use crate::check::{self, Faults};
use crate::definition::{
    Column, Definition, RequestContext, SelectableField, keep_metadata_of_status,
};
use crate::look::{Look, keep, map_mut};
use crate::rules::{KindRules, Update};
use crate::types::container;

mod bind;
mod row;
mod update;

pub use bind::{BindError, bind};

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    const STREAM: &[&str] = &["create", "get"];
    const PROXY: &[&str] = &["create", "delete", "get", "patch", "update"];
    define("", "v1", "Pod")
        .short(&["po"])
        .in_all()
        .generation()
        .columns(columns())
        .selectable(selectable())
        .rules(Pods)
        .sub("attach", ("", "v1", "PodAttachOptions"), STREAM)
        .sub("binding", ("", "v1", "Binding"), &["create"])
        .part("ephemeralcontainers", &["get", "patch", "update"])
        .sub("eviction", ("policy", "v1", "Eviction"), &["create"])
        .sub("exec", ("", "v1", "PodExecOptions"), STREAM)
        .part("log", &["get"])
        .sub("portforward", ("", "v1", "PodPortForwardOptions"), STREAM)
        .sub("proxy", ("", "v1", "PodProxyOptions"), PROXY)
        .part("resize", &["get", "patch", "update"])
        .status()
}

fn columns() -> Vec<Column> {
    vec![
        Column::NAME,
        Column::text("Ready", "The aggregate readiness state of this pod for accepting traffic."),
        Column::text("Status", "The aggregate status of the containers in this pod."),
        Column::text(
            "Restarts",
            "The number of times the containers in this pod have been restarted and when the last \
         container in this pod has restarted.",
        ),
        Column::AGE,
        Column::text("IP", "IP address allocated to the pod.").wide(),
        Column::text("Node", "The node on which this pod is scheduled.").wide(),
        Column::text("Nominated Node", "The node that is being freed for this pod.").wide(),
        Column::text("Readiness Gates", "The conditions that must hold for this pod to be ready.")
            .wide(),
    ]
}

fn selectable() -> Vec<SelectableField> {
    vec![
        SelectableField::new("spec.nodeName"),
        SelectableField::new("spec.restartPolicy"),
        SelectableField::new("spec.schedulerName"),
        SelectableField::new("spec.serviceAccountName"),
        SelectableField::new("spec.hostNetwork").or("false"),
        SelectableField::new("status.phase"),
        SelectableField::new("status.podIP"),
        SelectableField::alias("status.podIPs", "status.podIP"),
        SelectableField::new("status.nominatedNodeName"),
    ]
}

#[derive(Debug)]
struct Pods;

impl KindRules for Pods {
    fn default(&self, pod: &mut Value) {
        let spec = map_mut(pod, "spec");
        spec.entry("enableServiceLinks").or_insert_with(|| true.into());
        let host_network = spec.is("hostNetwork");
        for list in ["containers", "initContainers"] {
            let Some(Value::Array(containers)) = spec.get_mut(list) else { continue };
            for container in containers {
                requests_from_limits(container);
                if host_network {
                    host_ports(container);
                }
            }
        }
    }

    fn prepare_create(&self, pod: &mut Value, _context: &RequestContext<'_>) {
        let class = qos_class(pod);
        let mut status = json!({"phase": "Pending", "qosClass": class});
        if !pod["spec"].lacks("schedulingGates") {
            status["conditions"] = json!([{
                "type": "PodScheduled",
                "status": "False",
                "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates",
            }]);
        }
        pod["status"] = status;
    }

    fn validate(&self, pod: &Value, faults: &mut Faults) {
        of_pods_only(pod, faults);
    }

    fn validate_create(&self, pod: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &pod["spec"];
        if !spec.lacks("ephemeralContainers") {
            let detail = "cannot be set on create";
            faults.push(Fault::forbidden(&path.child("ephemeralContainers"), detail));
        }
        if !spec.lacks("nodeName") && !spec.lacks("schedulingGates") {
            let detail = "cannot be set until all schedulingGates have been cleared";
            faults.push(Fault::forbidden(&path.child("nodeName"), detail));
        }
    }

    fn prepare_update(&self, new: &mut Value, old: &Value, update: Update) {
        update::prepare(new, old, update);
    }

    fn validate_update(&self, new: &Value, old: &Value, update: Update, faults: &mut Faults) {
        update::validate(new, old, update, faults);
    }

    fn status_metadata(&self, kept: &mut Value, sent: &Value) {
        let fields = ["annotations", "finalizers", "labels", "managedFields", "resourceVersion"];
        keep_metadata_of_status(kept, sent, &fields);
    }

    fn warnings(&self, pod: &Value) -> Vec<String> {
        warnings(&pod["metadata"], &pod["spec"], "")
    }

    fn grace_seconds(&self, pod: &Value, asked: Option<i64>) -> Option<i64> {
        let finished = matches!(pod["status"].text("phase"), "Succeeded" | "Failed");
        if pod["spec"].lacks("nodeName") || finished {
            return Some(0);
        }
        let grace = asked.or_else(|| pod["spec"].int("terminationGracePeriodSeconds"));
        // Below zero means: at once, but tell the node.
        Some(grace.map_or(0, |grace| if grace < 0 { 1 } else { grace }))
    }

    fn row(&self, pod: &Value, now: Timestamp) -> Vec<Value> {
        row::cells(pod, now)
    }
}

/// A container that limits a resource asks for as much of it, if it does not say otherwise.
fn requests_from_limits(container: &mut Value) {
    let Some(Value::Object(limits)) = container["resources"].get("limits").cloned() else {
        return;
    };
    let resources = map_mut(container, "resources");
    let requests = resources.entry("requests").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(requests) = requests {
        for (name, limit) in limits {
            requests.entry(name).or_insert(limit);
        }
    }
}

fn host_ports(container: &mut Value) {
    let Some(Value::Array(ports)) = container.get_mut("ports") else { return };
    for port in ports {
        if let Value::Object(port) = port
            && let Some(number) = port.int("containerPort").filter(|number| *number != 0)
            && port.int("hostPort").unwrap_or(0) == 0
        {
            port.insert("hostPort".to_owned(), number.into());
        }
    }
}

fn of_pods_only(pod: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let (metadata_path, path) = (root.child("metadata"), root.child("spec"));
    let spec = &pod["spec"];
    let annotations = metadata_path.child("annotations");
    let mirror = pod["metadata"]["annotations"].get(well_known::MIRROR_POD_ANNOTATION);
    if let Some(value) = mirror
        && spec.lacks("nodeName")
    {
        let detail = "must set spec.nodeName if mirror pod annotation is set";
        let path = annotations.key(well_known::MIRROR_POD_ANNOTATION);
        faults.push(Fault::invalid(&path, value.clone(), detail));
    }
    let cost = "controller.kubernetes.io/pod-deletion-cost";
    if let Some(value) = pod["metadata"]["annotations"].get(cost)
        && value.as_str().is_none_or(|text| text.parse::<i32>().is_err())
    {
        let path = annotations.key(cost);
        faults.push(Fault::invalid(&path, value.clone(), "must be a 32bit integer"));
    }
    for list in ["containers", "initContainers"] {
        let path = path.child(list);
        for (index, container) in spec.items(list).iter().enumerate() {
            container::image_padding(container, &path.index(index), faults);
        }
    }
    if !spec.lacks("serviceAccountName") {
        return;
    }
    let volumes = path.child("volumes");
    for (index, volume) in spec.items("volumes").iter().enumerate() {
        let path = volumes.index(index);
        let path = path.child("projected.sources");
        for (index, source) in volume["projected"].items("sources").iter().enumerate() {
            if source.has("serviceAccountToken") {
                let detail = "must not be specified when serviceAccountName is not set";
                let path = path.index(index);
                faults.push(Fault::forbidden(&path.child("serviceAccountToken"), detail));
            }
        }
    }
}

/// The quality of service that a pod's requests and limits amount to: `Guaranteed`, `Burstable`
/// or `BestEffort`.
///
/// Spec: <https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/>
pub fn qos_class(pod: &Value) -> &'static str {
    let spec = &pod["spec"];
    let amount = |resources: &Value, kind: &str, name: &str| -> Option<Quantity> {
        check::quantity(&resources[kind], name).filter(|q| !q.is_zero() && !q.is_negative())
    };
    let judged: Vec<&Value> =
        if spec["resources"].lacks("requests") && spec["resources"].lacks("limits") {
            let containers = spec.items("containers").iter().chain(spec.items("initContainers"));
            containers.map(|container| &container["resources"]).collect()
        } else {
            vec![&spec["resources"]]
        };
    let names = ["cpu", "memory"];
    let any = judged.iter().any(|resources| {
        names.iter().any(|name| {
            amount(resources, "requests", name).is_some()
                || amount(resources, "limits", name).is_some()
        })
    });
    if !any {
        return "BestEffort";
    }
    let guaranteed = judged.iter().all(|resources| {
        names.iter().all(|name| {
            let limit = amount(resources, "limits", name);
            let request = amount(resources, "requests", name);
            limit.is_some() && request.is_none_or(|request| Some(request) == limit)
        })
    });
    if guaranteed { "Guaranteed" } else { "Burstable" }
}

/// What is deprecated or without effect in a pod or, under `prefix`, in a template.
pub(super) fn warnings(metadata: &Value, spec: &Value, prefix: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    let path = |field: &str| format!("{prefix}spec.{field}");
    for label in ["beta.kubernetes.io/arch", "beta.kubernetes.io/os"] {
        if spec["nodeSelector"].has(label) {
            let stable = label.trim_start_matches("beta.");
            warnings.push(format!(
                "{}[{label}]: deprecated since v1.14; use \"{stable}\" instead",
                path("nodeSelector")
            ));
        }
    }
    let zones = [
        ("failure-domain.beta.kubernetes.io/region", well_known::REGION_LABEL),
        ("failure-domain.beta.kubernetes.io/zone", well_known::ZONE_LABEL),
    ];
    for (label, stable) in zones {
        if spec["nodeSelector"].has(label) {
            warnings.push(format!(
                "{}[{label}]: deprecated since v1.17; use \"{stable}\" instead",
                path("nodeSelector")
            ));
        }
    }
    for (key, _) in metadata.entries("annotations") {
        if key.starts_with("container.apparmor.security.beta.kubernetes.io/") {
            warnings.push(format!(
                "{prefix}metadata.annotations[{key}]: deprecated since v1.30; use the \
                 \"appArmorProfile\" field instead"
            ));
        }
        if key == "scheduler.alpha.kubernetes.io/critical-pod" {
            warnings.push(format!(
                "{prefix}metadata.annotations[{key}]: non-functional in v1.16+; use the \
                 \"priorityClassName\" field instead"
            ));
        }
    }
    for (index, volume) in spec.items("volumes").iter().enumerate() {
        for (source, text) in [
            ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
            ("gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
            ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
            ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
            ("storageos", "deprecated in v1.22, non-functional in v1.25+"),
            ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
            ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
            ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
            ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
        ] {
            if volume.has(source) {
                warnings.push(format!("{}[{index}].{source}: {text}", path("volumes")));
            }
        }
    }
    for list in ["initContainers", "containers"] {
        for (index, container) in spec.items(list).iter().enumerate() {
            warnings.extend(container_warnings(container, &format!("{}[{index}]", path(list))));
        }
    }
    if spec.int("terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0) {
        warnings.push(format!(
            "{}: must be >= 0; negative values are invalid and will be treated as 1",
            path("terminationGracePeriodSeconds")
        ));
    }
    for (index, secret) in spec.items("imagePullSecrets").iter().enumerate() {
        if secret.lacks("name") {
            warnings.push(format!(
                "{}[{index}].name: invalid empty name \"\"",
                path("imagePullSecrets")
            ));
        }
    }
    warnings
}

fn container_warnings(container: &Value, path: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    for kind in ["limits", "requests"] {
        for (name, value) in container["resources"].entries(kind) {
            let Some(quantity) = check::quantity_of(value) else { continue };
            let fractional = name == "memory" || name == "ephemeral-storage";
            if fractional && !quantity.is_whole() {
                let shown = wk_api::fault::quote(&quantity.to_string());
                warnings.push(format!(
                    "{path}.resources.{kind}[{name}]: fractional byte value {shown} is invalid, \
                     must be an integer"
                ));
            }
        }
    }
    let mut seen: Vec<&str> = Vec::new();
    for (index, variable) in container.items("env").iter().enumerate() {
        let name = variable.text("name");
        let own = format!("$({name})");
        // A variable that builds on its own earlier value is repeated on purpose.
        if seen.contains(&name) && !variable.text("value").contains(&own) {
            warnings.push(format!(
                "{path}.env[{index}]: hides previous definition of {}, which may be dropped when \
                 using apply",
                wk_api::fault::quote(name)
            ));
        }
        seen.push(name);
    }
    let mut ports: Vec<(i64, &str)> = Vec::new();
    for (index, port) in container.items("ports").iter().enumerate() {
        let this = (port.int("containerPort").unwrap_or(0), port.text("protocol"));
        if let Some(first) = ports.iter().position(|other| *other == this) {
            warnings.push(format!(
                "{path}.ports[{index}]: duplicate port definition with {path}.ports[{first}]"
            ));
        }
        ports.push(this);
    }
    warnings
}

/// Keeps the parts of a pod that a write of `what` is not about.
fn keep_all_but(new: &mut Value, old: &Value, what: &str) {
    let part = new["spec"].get(what).cloned();
    keep(new, old, "spec");
    let spec = map_mut(new, "spec");
    match part {
        Some(part) => spec.insert(what.to_owned(), part),
        None => spec.remove(what),
    };
}
