//! The status of a pod, and the smallest patch that brings the API's up to it. Pure.

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated,
    ContainerStateWaiting, ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodSpec, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Map, Value, json};

use crate::admission::PREEMPTING;
use crate::plan::{PodView, Role, init_failed, is_done, is_initialized};
use crate::state::{Inner, Phase, Record, Termination, Volumes, WaitReason, all_containers};
use crate::termination;

/// Facts that a status needs beside the pod and its records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings {
    pub(crate) node_ip: IpAddr,
    pub(crate) now: Timestamp,
    /// `wasm` and the like, for container ids.
    pub(crate) wasm_scheme: &'static str,
    pub(crate) linux_scheme: &'static str,
}

/// The status that the pod has in truth.
pub(crate) fn desired(pod: &Pod, inner: &Inner, around: Surroundings) -> PodStatus {
    let before = pod.status.clone().unwrap_or_default();
    let default_spec = PodSpec::default();
    let spec = pod.spec.as_ref().unwrap_or(&default_spec);
    let view = inner.view(pod);
    let phase = phase(&view, inner, before.phase.as_deref());
    let initialized = is_initialized(&view);
    let statuses = |wanted: fn(Role) -> bool| -> Vec<ContainerStatus> {
        all_containers(spec)
            .zip(&inner.records)
            .filter(|((role, _), _)| wanted(*role))
            .map(|((role, container), record)| {
                container_status(role, &container, record, inner, initialized, around)
            })
            .collect()
    };
    let (mut init, mut main) = (statuses(Role::is_init), statuses(|role| role == Role::Main));
    let mut ephemeral = statuses(|role| role == Role::Ephemeral);
    for status in init.iter_mut().chain(&mut main).chain(&mut ephemeral) {
        fit_messages(status, inner.records.len());
    }
    let conditions = conditions(pod, inner, &view, phase, (&init, &main), around.now);
    let ip = inner.ip.map(|ip| ip.to_string()).or_else(|| before.pod_ip.clone());
    PodStatus {
        phase: Some(phase.to_owned()),
        conditions: Some(conditions),
        host_ip: Some(around.node_ip.to_string()),
        host_ips: Some(vec![HostIP { ip: around.node_ip.to_string() }]),
        pod_ips: ip.clone().map(|ip| vec![PodIP { ip }]),
        pod_ip: ip,
        start_time: Some(Time(inner.started_at)),
        init_container_statuses: (!init.is_empty()).then_some(init),
        container_statuses: Some(main),
        ephemeral_container_statuses: (!ephemeral.is_empty()).then_some(ephemeral),
        reason: inner.failure.as_ref().map(|failure| failure.reason.to_string()).or(before.reason),
        message: inner
            .failure
            .as_ref()
            .map(|failure| failure.message.to_string())
            .or(before.message),
        observed_generation: pod.metadata.generation,
        qos_class: before.qos_class,
        ..PodStatus::default()
    }
}

fn phase(view: &PodView, inner: &Inner, before: Option<&str>) -> &'static str {
    match before {
        Some("Succeeded") => return "Succeeded",
        Some("Failed") => return "Failed",
        _ => {}
    }
    let ended = |record: &Record| record.running_id().is_none();
    let all_ended = inner.records.iter().all(ended);
    let main = || {
        let records = view.containers.iter().zip(&inner.records);
        records.filter(|(container, _)| container.role == Role::Main).map(|(_, record)| record)
    };
    if (inner.failure.is_some() || init_failed(view)) && all_ended {
        return "Failed";
    }
    let over = is_done(view) || (view.stopping && all_ended);
    if over && all_ended {
        let success = |record: &Record| record.exited().is_some_and(|end| end.exit_code == 0);
        let mut mains = main().peekable();
        return if mains.peek().is_some() && mains.all(success) { "Succeeded" } else { "Failed" };
    }
    let began = |record: &Record| match record.phase {
        Phase::NotStarted => false,
        Phase::Running { .. } => !record.post_start || record.last.is_some(),
        Phase::Exited(_) => true,
    };
    if main().all(began) { "Running" } else { "Pending" }
}

fn container_status(
    role: Role,
    container: &Container,
    record: &Record,
    inner: &Inner,
    initialized: bool,
    around: Surroundings,
) -> ContainerStatus {
    let scheme = if record.linux { around.linux_scheme } else { around.wasm_scheme };
    let (state, last) = states(role, record, inner, initialized);
    let container_id = match &record.phase {
        Phase::Running { id, .. } => Some(format!("{scheme}://{id}")),
        Phase::Exited(end) => Some(end.container_id.to_string()),
        Phase::NotStarted => None,
    };
    let ready = match role {
        Role::Init => record.exited().is_some_and(|end| end.exit_code == 0),
        Role::Sidecar | Role::Main => record.running_id().is_some() && record.ready,
        Role::Ephemeral => false,
    };
    ContainerStatus {
        name: container.name.clone(),
        container_id: container_id.filter(|id| !id.is_empty()),
        image: container.image.clone().unwrap_or_default(),
        image_id: record.image_id.to_string(),
        ready,
        started: match role {
            Role::Ephemeral => None,
            _ => Some(record.running_id().is_some() && record.started),
        },
        restart_count: i32::try_from(record.attempt).unwrap_or(i32::MAX),
        state: Some(state),
        last_state: Some(last),
        ..ContainerStatus::default()
    }
}

/// Cuts the last words of a container down to its share of what a pod's status may hold.
fn fit_messages(status: &mut ContainerStatus, containers: usize) {
    for state in [&mut status.state, &mut status.last_state].into_iter().flatten() {
        if let Some(message) = state.terminated.as_mut().and_then(|end| end.message.as_mut()) {
            message.truncate(termination::fitted(message, containers).len());
        }
    }
}

fn states(
    role: Role,
    record: &Record,
    inner: &Inner,
    initialized: bool,
) -> (ContainerState, ContainerState) {
    let last = || record.last.as_deref().map_or_else(ContainerState::default, terminated);
    let waits = match (&record.phase, &record.hold) {
        (Phase::Running { .. }, _) if record.post_start => (WaitReason::ContainerCreating, None),
        (Phase::Running { since, .. }, _) => {
            let running = ContainerStateRunning { started_at: Some(Time(*since)) };
            let state = ContainerState { running: Some(running), ..ContainerState::default() };
            return (state, last());
        }
        // A pod that ends does not wait for anything any more.
        (Phase::Exited(end), None) => return (terminated(end), last()),
        (Phase::Exited(end), Some(_)) if inner.released || inner.failure.is_some() => {
            return (terminated(end), last());
        }
        (Phase::Exited(_) | Phase::NotStarted, Some(hold)) => {
            (hold.reason, Some(hold.message.to_string()))
        }
        (Phase::NotStarted, None) => {
            let message = match &inner.volumes {
                Volumes::Failed(message) => Some(message.to_string()),
                Volumes::Pending | Volumes::Ready => None,
            };
            let has_init = inner.records.len() > 1;
            match role {
                Role::Main if has_init && !initialized => (WaitReason::PodInitializing, None),
                Role::Init | Role::Sidecar if inner.ip.is_some() && message.is_none() => {
                    (WaitReason::PodInitializing, None)
                }
                _ => (WaitReason::ContainerCreating, message),
            }
        }
    };
    let waiting = ContainerStateWaiting {
        reason: Some(waits.0.as_str().to_owned()),
        message: waits.1.filter(|message| !message.is_empty()),
    };
    let state = ContainerState { waiting: Some(waiting), ..ContainerState::default() };
    match &record.phase {
        Phase::Exited(end) => (state, terminated(end)),
        Phase::NotStarted | Phase::Running { .. } => (state, last()),
    }
}

fn terminated(end: &Termination) -> ContainerState {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    ContainerState {
        terminated: Some(ContainerStateTerminated {
            container_id: text(&end.container_id),
            exit_code: end.exit_code,
            reason: text(&end.reason),
            message: text(&end.message),
            started_at: end.started_at.map(Time),
            finished_at: Some(Time(end.finished_at)),
            signal: None,
        }),
        ..ContainerState::default()
    }
}

/// One condition as it is now.
struct Now<'a> {
    kind: &'a str,
    holds: bool,
    reason: Option<&'static str>,
    message: Option<String>,
}

fn conditions(
    pod: &Pod,
    inner: &Inner,
    view: &PodView,
    phase: &str,
    (init, main): (&[ContainerStatus], &[ContainerStatus]),
    now: Timestamp,
) -> Vec<PodCondition> {
    let over = match phase {
        "Succeeded" => Some("PodCompleted"),
        "Failed" => Some("PodFailed"),
        _ => None,
    };
    let names = |statuses: &[ContainerStatus]| {
        let unready = statuses.iter().filter(|status| !status.ready);
        unready.map(|status| status.name.as_str()).collect::<Vec<_>>().join(" ")
    };
    let initialized = over == Some("PodCompleted") || is_initialized(view);
    let unready = names(main);
    let contained = over.is_none() && unready.is_empty();
    let why = || match over {
        Some(reason) => (Some(reason), None),
        None if contained => (None, None),
        None => (
            Some("ContainersNotReady"),
            Some(format!("containers with unready status: [{unready}]")),
        ),
    };
    let gates = unmet_gates(pod);
    let ready = match gates {
        Some(message) if contained => (false, (Some("ReadinessGatesNotReady"), Some(message))),
        _ => (contained, why()),
    };
    let mut truths = vec![
        Now {
            kind: "PodReadyToStartContainers",
            holds: inner.ip.is_some() && !inner.released && !inner.sandbox_lost,
            reason: None,
            message: None,
        },
        Now {
            kind: "Initialized",
            holds: initialized,
            reason: match (initialized, over) {
                (true, Some("PodCompleted")) => Some("PodCompleted"),
                (true, _) => None,
                (false, _) => Some("ContainersNotInitialized"),
            },
            message: (!initialized)
                .then(|| format!("containers with incomplete status: [{}]", names(init))),
        },
        Now { kind: "Ready", holds: ready.0, reason: ready.1.0, message: ready.1.1 },
        Now { kind: "ContainersReady", holds: contained, reason: why().0, message: why().1 },
        Now { kind: "PodScheduled", holds: true, reason: None, message: None },
    ];
    if let Some(failure) = inner.failure.as_ref().filter(|failure| failure.disrupted) {
        truths.push(Now {
            kind: "DisruptionTarget",
            holds: true,
            reason: Some("TerminationByKubelet"),
            message: Some(match &*failure.reason {
                PREEMPTING => "Pod was preempted by Kubelet to accommodate a critical pod.".into(),
                _ => failure.message.to_string(),
            }),
        });
    }
    let before = pod.status.as_ref().and_then(|status| status.conditions.as_deref());
    let before = before.unwrap_or_default();
    let mut all: Vec<PodCondition> = truths
        .into_iter()
        .map(|truth| {
            let old = before.iter().find(|condition| condition.type_ == truth.kind);
            condition(truth, old, pod.metadata.generation, now)
        })
        .collect();
    // Conditions of others, such as readiness gates, stay as they are.
    let ours = |kind: &str, all: &[PodCondition]| all.iter().any(|own| own.type_ == kind);
    for other in before {
        if !ours(&other.type_, &all) {
            all.push(other.clone());
        }
    }
    all
}

/// What is wrong with the readiness gates that do not hold.
fn unmet_gates(pod: &Pod) -> Option<String> {
    let gates = pod.spec.as_ref()?.readiness_gates.as_ref()?;
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref());
    let conditions = conditions.unwrap_or_default();
    let unmet = gates.iter().filter_map(|gate| {
        let found = conditions.iter().find(|condition| condition.type_ == gate.condition_type);
        match found {
            Some(condition) if condition.status == "True" => None,
            Some(condition) => Some(format!(
                "the status of pod readiness gate \"{}\" is not \"True\", but {}",
                gate.condition_type, condition.status
            )),
            None => Some(format!(
                "corresponding condition of pod readiness gate \"{}\" does not exist.",
                gate.condition_type
            )),
        }
    });
    let unmet: Vec<String> = unmet.collect();
    (!unmet.is_empty()).then(|| unmet.join(", "))
}

fn condition(
    truth: Now<'_>,
    old: Option<&PodCondition>,
    generation: Option<i64>,
    now: Timestamp,
) -> PodCondition {
    let status = if truth.holds { "True" } else { "False" };
    let since =
        old.filter(|old| old.status == status).and_then(|old| old.last_transition_time.clone());
    PodCondition {
        type_: truth.kind.to_owned(),
        status: status.to_owned(),
        reason: truth.reason.map(str::to_owned),
        message: truth.message,
        last_transition_time: Some(since.unwrap_or(Time(now))),
        last_probe_time: None,
        observed_generation: generation,
    }
}

/// The strategic merge patch from what the API has to `desired`; `None` if they are the same.
///
/// Only what differs is in it, so that fields of others stay untouched.
pub(crate) fn patch(pod: &Pod, desired: &PodStatus) -> Option<Value> {
    let object = |status: Option<&PodStatus>| match serde_json::to_value(status) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    };
    let (before, after) = (object(pod.status.as_ref()), object(Some(desired)));
    let mut changes = Map::new();
    for (field, value) in &after {
        let old = before.get(field);
        if old == Some(value) {
            continue;
        }
        let change = match field.as_str() {
            "conditions" => changed_items(old, value, "type"),
            // Merged by `ip`: the old ones have to be taken out by name.
            "podIPs" | "hostIPs" => replaced_ips(old, value),
            _ => value.clone(),
        };
        changes.insert(field.clone(), change);
    }
    if changes.is_empty() {
        return None;
    }
    let uid = pod.metadata.uid.as_deref();
    Some(json!({"metadata": {"uid": uid}, "status": changes}))
}

fn changed_items(old: Option<&Value>, new: &Value, key: &str) -> Value {
    let old = old.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let new = new.as_array().map(Vec::as_slice).unwrap_or_default();
    let changed = new.iter().filter(|item| !old.contains(item)).map(|item| {
        let mut item = item.clone();
        let before = old.iter().find(|before| before[key] == item[key]);
        // What is no longer said has to be taken back by name.
        for field in before.and_then(Value::as_object).into_iter().flat_map(Map::keys) {
            if item.get(field).is_none() {
                item[field] = Value::Null;
            }
        }
        item
    });
    Value::Array(changed.collect())
}

fn replaced_ips(old: Option<&Value>, new: &Value) -> Value {
    let new = new.as_array().cloned().unwrap_or_default();
    let old = old.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let stale = old.iter().filter(|item| !new.contains(item));
    let stale = stale.map(|item| json!({"$patch": "delete", "ip": item["ip"]}));
    Value::Array(stale.collect::<Vec<_>>().into_iter().chain(new).collect())
}
