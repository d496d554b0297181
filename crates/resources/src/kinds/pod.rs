//! Pods.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use wk_api::{Fault, FieldPath, Quantity, names};

use super::define;
use crate::check::{self, Faults};
use crate::definition::{
    Column, Definition, RequestContext, SelectableField, keep_metadata_of_status,
};
use crate::look::{Look, keep, map_mut};
use crate::quota;
use crate::rules::{KindRules, Update};
use crate::types::{affinity, container};

pub(crate) mod annotations;
mod bind;
mod resize;
mod row;
mod status;
pub(super) mod update;
pub(super) mod warnings;

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
        default_resources(pod);
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
        affinity::complete_selectors(pod);
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
        annotations::profiles(&pod["metadata"], spec, &path, faults);
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

    fn warnings(&self, pod: &Value, old: Option<&Value>) -> Vec<String> {
        // People do not change pods themselves.
        if old.is_some() {
            return Vec::new();
        }
        let name = warnings::name(pod, "the Pod's hostname");
        name.into_iter().chain(warnings::of(&pod["metadata"], &pod["spec"], "")).collect()
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
    annotations::validate(&pod["metadata"], spec, &annotations, faults);
    volumes(pod, &path.child("volumes"), faults);
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

/// Checks what volumes of a pod, and not of a template, must have.
fn volumes(pod: &Value, list: &FieldPath<'_>, faults: &mut Faults) {
    let name = pod["metadata"].text("name");
    let all = pod["spec"].items("volumes");
    let made = |volume: &Value| format!("{name}-{}", volume.text("name"));
    for (index, volume) in all.iter().enumerate() {
        let path = list.index(index);
        if volume.has("ephemeral") && !name.is_empty() && !volume.lacks("name") {
            let claim = made(volume);
            for message in names::dns1123_subdomain(&claim) {
                let detail = format!("PVC name {}: {message}", wk_api::fault::quote(&claim));
                faults.push(Fault::invalid(&path.child("name"), volume.text("name"), detail));
            }
        }
        let claim = volume["persistentVolumeClaim"].text("claimName");
        let is_made = !claim.is_empty()
            && all.iter().any(|other| other.has("ephemeral") && made(other) == claim);
        if is_made {
            let detail = "must not reference a PVC that gets created for an ephemeral volume";
            let path = path.child("persistentVolumeClaim.claimName");
            faults.push(Fault::invalid(&path, claim, detail));
        }
        if volume.has("image") && volume["image"].lacks("reference") {
            faults.push(Fault::required(&path.child("image.reference"), ""));
        }
    }
}

/// A pod with limits as a whole asks for what its containers ask for or, where none of them does,
/// for as much as it may take.
fn default_resources(pod: &mut Value) {
    let own = &pod["spec"]["resources"];
    if own.lacks("limits") {
        return;
    }
    let plain = |name: &str| matches!(name, "cpu" | "memory");
    let mut requests = own["requests"].as_object().cloned().unwrap_or_default();
    for (name, amount) in quota::requests_of_containers(&pod["spec"]) {
        if plain(&name) {
            requests.entry(name).or_insert_with(|| amount.to_string().into());
        }
    }
    for (name, limit) in own.entries("limits") {
        if plain(name) || name.starts_with("hugepages-") {
            requests.entry(name.clone()).or_insert_with(|| limit.clone());
        }
    }
    if !requests.is_empty() {
        pod["spec"]["resources"]["requests"] = Value::Object(requests);
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
