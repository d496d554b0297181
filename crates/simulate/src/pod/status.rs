//! The status patches of simulated pods. Pure.

use std::net::Ipv4Addr;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::plan::holding;
use super::{Conditions, Role, SeenContainer, SeenPod, Stage};

/// What a patch says beside the pod's change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) host: Ipv4Addr,
    pub(crate) address: Ipv4Addr,
    pub(crate) now: Timestamp,
}

/// The patch for a pod whose containers run, having been started again this many times.
pub(crate) fn running(pod: &SeenPod, restarts: u32, facts: Facts) -> Value {
    let now = wk_api::time::rfc3339(facts.now);
    if pod.stage == (Stage::Running { restarts }) {
        // It was running all the while: only its conditions are not what they should be.
        let conditions = changed(pod, "Running", holding(pod), &now);
        return json!({"metadata": {"uid": pod.uid}, "status": {"conditions": conditions}});
    }
    let run = last_run(pod, facts.now);
    let container = |container: &SeenContainer| {
        let id = container_id(pod, container, restarts);
        let mut status = status(container, restarts, Some(&id));
        if container.role == Role::Init {
            status["state"] = exited(0, &id, (facts.now, facts.now));
            status["ready"] = true.into();
            status["started"] = false.into();
        } else {
            status["state"] = json!({"running": {"startedAt": now}});
            status["ready"] = true.into();
            status["started"] = true.into();
        }
        if container.role == Role::Main && restarts > 0 {
            let last = container_id(pod, container, restarts - 1);
            status["lastState"] = exited(pod.script.exit_code, &last, run);
        }
        status
    };
    let mut patch = patch(pod, "Running", container, holding(pod), &now);
    let status = &mut patch["status"];
    status["hostIP"] = facts.host.to_string().into();
    status["hostIPs"] = json!([{"ip": facts.host.to_string()}]);
    status["podIP"] = facts.address.to_string().into();
    status["podIPs"] = json!([{"ip": facts.address.to_string()}]);
    if pod.stage == Stage::NotStarted {
        status["startTime"] = now.into();
    }
    patch
}

/// The patch for a pod whose containers have exited and are started again after `pause`.
pub(crate) fn backing_off(pod: &SeenPod, restarts: u32, pause: Duration, now: Timestamp) -> Value {
    let time = wk_api::time::rfc3339(now);
    let run = last_run(pod, now);
    let container = |container: &SeenContainer| {
        let last = container_id(pod, container, restarts.saturating_sub(1));
        let mut status = status(container, restarts, Some(&last));
        match container.role {
            Role::Main => {
                let seconds = pause.as_secs();
                let message =
                    format!("back-off {seconds}s restarting failed container={}", container.name);
                status["state"] =
                    json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}});
                status["lastState"] = exited(pod.script.exit_code, &last, run);
                status["started"] = false.into();
            }
            Role::Init => {
                status["state"] = exited(0, &last, (run.0, run.0));
                status["ready"] = true.into();
            }
            Role::Sidecar => {
                status["state"] = json!({"running": {"startedAt": time}});
                status["ready"] = true.into();
            }
        }
        status
    };
    let conditions =
        Conditions { ready: Some(false), containers_ready: Some(false), ..holding(pod) };
    patch(pod, "Running", container, conditions, &time)
}

/// The patch for a pod that has ended with this code.
pub(crate) fn ended(pod: &SeenPod, code: i32, now: Timestamp) -> Value {
    let time = wk_api::time::rfc3339(now);
    let began = !matches!(pod.stage, Stage::NotStarted);
    let container = |container: &SeenContainer| {
        let restarts = pod.restarts();
        let id = began.then(|| container_id(pod, container, restarts));
        let mut status = status(container, restarts, id.as_deref());
        status["started"] = false.into();
        let code = if container.role == Role::Main { code } else { 0 };
        status["state"] = match &id {
            Some(id) => exited(code, id, last_run(pod, now)),
            None => json!({"terminated": {
                "exitCode": 137,
                "reason": "ContainerStatusUnknown",
                "message": "The container was never started",
            }}),
        };
        status
    };
    let phase = if code == 0 && began { "Succeeded" } else { "Failed" };
    let conditions = Conditions {
        can_start: Some(false),
        initialized: Some(true),
        ready: Some(false),
        containers_ready: Some(false),
    };
    patch(pod, phase, container, conditions, &time)
}

fn patch(
    pod: &SeenPod,
    phase: &str,
    container: impl Fn(&SeenContainer) -> Value,
    conditions: Conditions,
    now: &str,
) -> Value {
    let statuses = |init: bool| -> Vec<Value> {
        let of = pod.containers.iter().filter(|one| (one.role != Role::Main) == init);
        of.map(&container).collect()
    };
    let mut status = json!({
        "phase": phase,
        "containerStatuses": statuses(false),
        "conditions": changed(pod, phase, conditions, now),
    });
    let first = statuses(true);
    if !first.is_empty() {
        status["initContainerStatuses"] = first.into();
    }
    json!({"metadata": {"uid": pod.uid}, "status": status})
}

/// The conditions that differ from what the pod has; they are merged by type.
fn changed(pod: &SeenPod, phase: &str, wanted: Conditions, now: &str) -> Vec<Value> {
    let before = pod.conditions;
    let finished = matches!(phase, "Succeeded" | "Failed");
    let rows = [
        ("PodReadyToStartContainers", before.can_start, wanted.can_start),
        ("Initialized", before.initialized, wanted.initialized),
        ("ContainersReady", before.containers_ready, wanted.containers_ready),
        ("Ready", before.ready, wanted.ready),
    ];
    let condition = |(kind, old, new): (&str, Option<bool>, Option<bool>)| {
        let holds = new.filter(|_| old != new)?;
        let status = if holds { "True" } else { "False" };
        let mut condition = json!({"type": kind, "status": status, "lastTransitionTime": now});
        let is_readiness = matches!(kind, "Ready" | "ContainersReady");
        // `null` takes back what was said before.
        let (reason, message) = match (holds, &pod.unmet_gate) {
            (false, _) if is_readiness && phase == "Succeeded" => (Some("PodCompleted"), None),
            (false, _) if is_readiness && finished => (Some("PodFailed"), None),
            (false, Some(gate)) if kind == "Ready" && wanted.containers_ready == Some(true) => {
                (Some("ReadinessGatesNotReady"), Some(gate.to_string()))
            }
            (false, _) if is_readiness => {
                let main = pod.containers.iter().filter(|one| one.role == Role::Main);
                let names: Vec<&str> = main.map(|one| &*one.name).collect();
                let message = format!("containers with unready status: [{}]", names.join(" "));
                (Some("ContainersNotReady"), Some(message))
            }
            (true | false, _) => (None, None),
        };
        condition["reason"] = reason.map_or(Value::Null, Value::from);
        condition["message"] = message.map_or(Value::Null, Value::from);
        Some(condition)
    };
    rows.into_iter().filter_map(condition).collect()
}

fn container_id(pod: &SeenPod, container: &SeenContainer, attempt: u32) -> String {
    format!("simulated://{}/{}/{attempt}", pod.uid, container.name)
}

fn status(container: &SeenContainer, restarts: u32, id: Option<&str>) -> Value {
    let restarts = if container.role == Role::Main { restarts } else { 0 };
    json!({
        "name": container.name,
        "image": container.image,
        "imageID": "",
        "containerID": id,
        "ready": false,
        "restartCount": restarts,
    })
}

/// When the containers were started and exited the last time, if they run until `now` or wait.
fn last_run(pod: &SeenPod, now: Timestamp) -> (Timestamp, Timestamp) {
    match (pod.stage, pod.since) {
        (Stage::BackOff { .. }, Some(exited)) => {
            let run_for = pod.script.run_for.unwrap_or_default();
            (exited.checked_sub(run_for).unwrap_or(exited), exited)
        }
        (_, since) => (since.unwrap_or(now), now),
    }
}

fn exited(code: i32, id: &str, (started, finished): (Timestamp, Timestamp)) -> Value {
    json!({"terminated": {
        "exitCode": code,
        "reason": if code == 0 { "Completed" } else { "Error" },
        "startedAt": wk_api::time::rfc3339(started),
        "finishedAt": wk_api::time::rfc3339(finished),
        "containerID": id,
    }})
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;

    use super::*;

    fn pod(status: &Value) -> SeenPod {
        let object = json!({
            "metadata": {"name": "a", "uid": "u", "annotations": {
                "simulate.wk/exit-code": "3", "simulate.wk/run-for": "1s",
            }},
            "spec": {
                "initContainers": [
                    {"name": "first", "image": "i"},
                    {"name": "beside", "image": "i", "restartPolicy": "Always"},
                ],
                "containers": [{"name": "c", "image": "i"}],
            },
            "status": status,
        });
        SeenPod::of(serde_json::from_value::<Pod>(object).unwrap(), 0)
    }

    fn facts() -> Facts {
        Facts {
            host: [10, 0, 0, 1].into(),
            address: [10, 0, 0, 2].into(),
            now: Timestamp::UNIX_EPOCH,
        }
    }

    fn conditions(patch: &Value) -> Vec<(String, String)> {
        let all = patch["status"]["conditions"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        all.iter().map(|one| (text(&one["type"]), text(&one["status"]))).collect()
    }

    #[test]
    fn a_pod_that_starts_has_all_that_a_running_one_has() {
        let patch = running(&pod(&json!({"phase": "Pending"})), 0, facts());
        let status = &patch["status"];
        assert_eq!(status["phase"], "Running");
        assert_eq!(status["podIP"], "10.0.0.2");
        assert_eq!(status["startTime"], "1970-01-01T00:00:00Z");
        assert_eq!(status["containerStatuses"][0]["ready"], true);
        assert_eq!(status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"], 0);
        assert!(status["initContainerStatuses"][1]["state"]["running"].is_object());
        assert!(conditions(&patch).contains(&("Ready".to_owned(), "True".to_owned())));
        assert_eq!(patch["metadata"]["uid"], "u");
    }

    #[test]
    fn a_patch_leads_to_the_stage_that_it_says() {
        let after = |patch: &Value| pod(&patch["status"]);
        let started = after(&running(&pod(&json!({"phase": "Pending"})), 0, facts()));
        assert_eq!(started.stage, Stage::Running { restarts: 0 });
        assert_eq!(started.conditions, holding(&started));
        assert_eq!(started.address, Some([10, 0, 0, 2].into()));
        let again = after(&running(&started, 1, facts()));
        assert_eq!(again.stage, Stage::Running { restarts: 1 });
        let waiting = backing_off(&again, 2, Duration::from_secs(10), facts().now);
        assert_eq!(after(&waiting).stage, Stage::BackOff { restarts: 2 });
        let over = ended(&started, 3, facts().now);
        assert_eq!(over["status"]["phase"], "Failed");
        assert_eq!(after(&over).stage, Stage::Finished);
        assert!(conditions(&over).contains(&("Ready".to_owned(), "False".to_owned())));
    }

    #[test]
    fn a_running_pod_gets_its_conditions_back_and_nothing_else() {
        let mut pod = pod(&running(&pod(&json!({"phase": "Pending"})), 0, facts())["status"]);
        pod.conditions.ready = Some(false);
        let patch = running(&pod, 0, facts());
        assert_eq!(conditions(&patch), [("Ready".to_owned(), "True".to_owned())]);
        assert!(patch["status"]["containerStatuses"].is_null());
    }

    #[test]
    fn a_pod_that_never_started_has_failed() {
        let over = ended(&pod(&json!({"phase": "Pending"})), 0, facts().now);
        assert_eq!(over["status"]["phase"], "Failed");
        assert!(over["status"]["containerStatuses"][0]["containerID"].is_null());
    }
}
