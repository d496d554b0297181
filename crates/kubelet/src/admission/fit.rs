//! Whether a pod that was bound to this node can be there. Pure.
//!
//! Whoever bound it may have known less than the node does, or may have asked nobody.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{NodeSelectorTerm, Pod, PodSpec, Taint, Toleration};
use wk_api::well_known::OS_LABEL;

use super::asks::{Asks, HostPort};
use crate::env::Allocatable;
use crate::volumes::meets;

/// The operating system of this node.
const OS: &str = "linux";

/// What the node has, and what it says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room<'a> {
    pub(super) allocatable: Allocatable,
    pub(super) max_pods: u32,
    pub(super) name: &'a str,
    pub(super) labels: &'a BTreeMap<String, String>,
    pub(super) taints: &'a [Taint],
}

impl Room<'_> {
    fn capacity(&self, resource: &str) -> i64 {
        match resource {
            "pods" => self.max_pods.into(),
            "cpu" => self.allocatable.cpu_milli,
            "memory" => self.allocatable.memory_bytes,
            "ephemeral-storage" => self.allocatable.storage_bytes,
            _ => 0,
        }
    }
}

/// Why a pod cannot be here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is too little of something.
    Insufficient { resource: Box<str>, requested: i64, used: i64, capacity: i64 },
    /// A rule forbids it.
    Rule { name: &'static str, why: &'static str },
    /// The pod is for other operating systems.
    System { reason: &'static str, why: &'static str },
}

impl Refusal {
    fn rule(name: &'static str, why: &'static str) -> Self {
        Self::Rule { name, why }
    }

    /// The reason in the pod's status.
    pub(super) fn reason(&self) -> Cow<'static, str> {
        match self {
            Self::Insufficient { resource, .. } => match &**resource {
                "pods" => "OutOfpods".into(),
                "cpu" => "OutOfcpu".into(),
                "memory" => "OutOfmemory".into(),
                "ephemeral-storage" => "OutOfephemeral-storage".into(),
                other => format!("OutOf{other}").into(),
            },
            Self::Rule { name, .. } => (*name).into(),
            Self::System { reason, .. } => (*reason).into(),
        }
    }

    /// What everybody is told.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Insufficient { resource, requested, used, capacity } => format!(
                "Node didn't have enough resource: {resource}, requested: {requested}, used: \
                 {used}, capacity: {capacity}"
            ),
            Self::Rule { name, why } => format!("Predicate {name} failed: {why}"),
            Self::System { why, .. } => (*why).to_owned(),
        }
    }

    /// How much more of a resource there would have to be; `None` if more of one does not help.
    pub(super) fn missing(&self) -> Option<(&str, i64)> {
        match self {
            Self::Insufficient { resource, requested, used, capacity } => {
                Some((resource, requested - (capacity - used)))
            }
            Self::Rule { .. } | Self::System { .. } => None,
        }
    }
}

/// All that stands in the way of a pod; the first of them is told.
pub(super) fn refusals(
    pod: &Pod,
    asks: &Asks,
    others: &[Asks],
    room: Room<'_>,
    is_static: bool,
) -> Vec<Refusal> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    if let Some(refusal) = other_system(pod, spec) {
        return vec![refusal];
    }
    let mut all = insufficient(asks, others, room);
    if !is_selected(spec, room) {
        let why = "node(s) didn't match Pod's node affinity/selector";
        all.push(Refusal::rule("NodeAffinity", why));
    }
    if spec.node_name.as_deref().is_some_and(|name| name != room.name) {
        all.push(Refusal::rule("NodeName", "node(s) didn't match the requested node name"));
    }
    let taken = || others.iter().flat_map(|other| other.ports.iter());
    let is_taken = |port: &HostPort| taken().any(|other| port.conflicts(other));
    if asks.ports.iter().any(is_taken) {
        let why = "node(s) didn't have free ports for the requested pod ports";
        all.push(Refusal::rule("NodePorts", why));
    }
    // A file of the node says that its pod belongs there.
    if !is_static && room.taints.iter().any(|taint| drives_away(taint, spec)) {
        let why = "node(s) had taints that the pod didn't tolerate";
        all.push(Refusal::rule("TaintToleration", why));
    }
    all
}

fn other_system(pod: &Pod, spec: &PodSpec) -> Option<Refusal> {
    let label = pod.metadata.labels.as_ref().and_then(|labels| labels.get(OS_LABEL));
    if label.is_some_and(|label| label != OS) {
        return Some(Refusal::System {
            reason: "PodOSSelectorNodeLabelDoesNotMatch",
            why: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
        });
    }
    spec.os.as_ref().filter(|os| os.name != OS).map(|_| Refusal::System {
        reason: "PodOSNotSupported",
        why: "Failed to admit pod as the OS field doesn't match node OS",
    })
}

fn insufficient(asks: &Asks, others: &[Asks], room: Room<'_>) -> Vec<Refusal> {
    let huge = asks.huge_pages.iter().map(|(name, _)| &**name);
    let resources = ["pods", "cpu", "memory", "ephemeral-storage"].into_iter().chain(huge);
    let refusals = resources.filter_map(|resource| {
        let requested = asks.amount(resource);
        let used = others.iter().map(|other| other.amount(resource));
        let used = used.fold(0_i64, i64::saturating_add);
        let capacity = room.capacity(resource);
        let fits = requested == 0 || requested <= capacity.saturating_sub(used);
        (!fits).then(|| Refusal::Insufficient {
            resource: resource.into(),
            requested,
            used,
            capacity,
        })
    });
    refusals.collect()
}

fn is_selected(spec: &PodSpec, room: Room<'_>) -> bool {
    let mut labels = spec.node_selector.iter().flatten();
    let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required =
        affinity.and_then(|one| one.required_during_scheduling_ignored_during_execution.as_ref());
    labels.all(|(name, value)| room.labels.get(name) == Some(value))
        && required.is_none_or(|required| {
            required.node_selector_terms.iter().any(|term| holds(term, room))
        })
}

/// Whether all that a term says holds; one that says nothing holds nowhere.
fn holds(term: &NodeSelectorTerm, room: Room<'_>) -> bool {
    let labels = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    let own = BTreeMap::from([("metadata.name".to_owned(), room.name.to_owned())]);
    (!labels.is_empty() || !fields.is_empty())
        && labels.iter().all(|one| meets(one, room.labels))
        && fields.iter().all(|one| meets(one, &own))
}

/// Whether a taint ends pods, and this one does not put up with it.
fn drives_away(taint: &Taint, spec: &PodSpec) -> bool {
    let tolerates = |toleration: &Toleration| {
        let key = toleration.key.as_deref().unwrap_or_default();
        let effect = toleration.effect.as_deref().unwrap_or_default();
        let value = |text: &Option<String>| text.clone().unwrap_or_default();
        let fits =
            match toleration.operator.as_deref() {
                Some("Exists") => key.is_empty() || key == taint.key,
                None | Some("" | "Equal") => {
                    key == taint.key && value(&toleration.value) == value(&taint.value)
                }
                Some(operator @ ("Lt" | "Gt")) => {
                    let number = |text: &Option<String>| value(text).parse::<i64>().ok();
                    let both = number(&taint.value).zip(number(&toleration.value));
                    key == taint.key
                        && both.is_some_and(|(has, bound)| {
                            if operator == "Lt" { has < bound } else { has > bound }
                        })
                }
                Some(_) => false,
            };
        fits && (effect.is_empty() || effect == taint.effect)
    };
    taint.effect == "NoExecute" && !spec.tolerations.iter().flatten().any(tolerates)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(spec: Value) -> Pod {
        let mut spec = spec;
        if spec.get("containers").is_none() {
            spec["containers"] = json!([]);
        }
        serde_json::from_value(json!({"spec": spec})).unwrap()
    }

    fn asking(cpu: &str, memory: &str, host_port: i32) -> Value {
        json!({"containers": [{
            "name": "c", "resources": {"requests": {"cpu": cpu, "memory": memory}},
            "ports": [{"containerPort": 1, "hostPort": host_port}],
        }]})
    }

    #[track_caller]
    fn check(case: &str, spec: Value, is_static: bool, expected: &[(&str, &str)]) {
        let others = [Asks::of(&pod(asking("1500m", "1Gi", 80)))];
        let labels = BTreeMap::from([("zone".to_owned(), "a".to_owned())]);
        let taints: Vec<Taint> = serde_json::from_value(json!([
            {"key": "soft", "effect": "NoSchedule"}, {"key": "hard", "value": "x", "effect": "NoExecute"},
        ]))
        .unwrap();
        let room = Room {
            allocatable: Allocatable {
                cpu_milli: 2000,
                memory_bytes: 2 << 30,
                storage_bytes: 1 << 30,
            },
            max_pods: 2,
            name: "n1",
            labels: &labels,
            taints: &taints,
        };
        let mut spec = spec;
        if spec.get("tolerations").is_none() {
            spec["tolerations"] = json!([{"operator": "Exists"}]);
        }
        let pod = pod(spec);
        let found = refusals(&pod, &Asks::of(&pod), &others, room, is_static);
        let found: Vec<(String, String)> =
            found.iter().map(|one| (one.reason().into_owned(), one.message())).collect();
        let expected: Vec<(String, String)> =
            expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(found, expected, "{case}");
    }

    #[test]
    fn what_does_not_fit_is_told_in_kubernetes_words() {
        check("room for it", asking("500m", "1Gi", 81), false, &[]);
        let cpu =
            "Node didn't have enough resource: cpu, requested: 501, used: 1500, capacity: 2000";
        check("processor time", asking("501m", "1", 0), false, &[("OutOfcpu", cpu)]);
        let memory = "Node didn't have enough resource: memory, requested: 2147483648, used: \
                      1073741824, capacity: 2147483648";
        check("memory", asking("0", "2Gi", 0), false, &[("OutOfmemory", memory)]);
        let ports = "Predicate NodePorts failed: node(s) didn't have free ports for the requested \
                     pod ports";
        check("ports", asking("0", "0", 80), false, &[("NodePorts", ports)]);
        let selected = "Predicate NodeAffinity failed: node(s) didn't match Pod's node \
                        affinity/selector";
        let affinity = [("NodeAffinity", selected)];
        check("selector", json!({"nodeSelector": {"zone": "b"}}), false, &affinity);
        check("the same", json!({"nodeSelector": {"zone": "a"}}), false, &[]);
        let terms = |term: Value| {
            json!({"affinity": {"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]},
            }}})
        };
        let field = |name: &str| {
            terms(json!({"matchFields": [
                {"key": "metadata.name", "operator": "In", "values": [name]},
            ]}))
        };
        check("field", field("n1"), false, &[]);
        check("another node's", field("n2"), false, &affinity);
        check("an empty term", terms(json!({})), false, &affinity);
        let name = "Predicate NodeName failed: node(s) didn't match the requested node name";
        check("name", json!({"nodeName": "n2"}), false, &[("NodeName", name)]);
        let system = "Failed to admit pod as the OS field doesn't match node OS";
        check(
            "system",
            json!({"os": {"name": "windows"}}),
            false,
            &[("PodOSNotSupported", system)],
        );
    }

    #[test]
    fn taints_that_end_pods_keep_new_ones_away() {
        let why = "Predicate TaintToleration failed: node(s) had taints that the pod didn't \
                   tolerate";
        let taint = [("TaintToleration", why)];
        let with = |toleration: Value| json!({"tolerations": toleration});
        check("no toleration", with(json!([])), false, &taint);
        check("pods of files stay", with(json!([])), true, &[]);
        for (toleration, fits) in [
            (json!({"key": "hard", "operator": "Exists"}), true),
            (json!({"key": "hard", "value": "x", "effect": "NoExecute"}), true),
            (json!({"key": "hard", "value": "y"}), false),
            (json!({"key": "hard", "operator": "Exists", "effect": "NoSchedule"}), false),
            (json!({"key": "soft", "operator": "Exists"}), false),
        ] {
            let expected: &[(&str, &str)] = if fits { &[] } else { &taint };
            check(&toleration.to_string(), with(json!([toleration])), false, expected);
        }
    }
}
