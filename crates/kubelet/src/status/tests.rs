//! Statuses of pods in typical situations.

use std::sync::Arc;

use super::*;
use crate::state::{Hold, PodEntry, Termination};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn around() -> Surroundings {
    Surroundings {
        node_ip: "127.0.0.1".parse().unwrap(),
        now: NOW,
        wasm_scheme: "wasm",
        linux_scheme: "docker",
    }
}

fn pod(restart: &str, init: bool) -> Pod {
    let mut pod = json!({
        "metadata": {
            "namespace": "d", "name": "web", "uid": "u", "resourceVersion": "1", "generation": 3,
        },
        "spec": {"restartPolicy": restart, "containers": [{"name": "a", "image": "a:1"}]},
        "status": {"phase": "Pending", "qosClass": "BestEffort", "conditions": [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"},
            {"type": "example.org/gate", "status": "True"},
        ]},
    });
    if init {
        pod["spec"]["initContainers"] = json!([{"name": "i", "image": "a:1"}]);
    }
    serde_json::from_value(pod).unwrap()
}

fn entry(pod: &Pod) -> PodEntry {
    let records = all_containers(pod.spec.as_ref().unwrap());
    let records = records.map(|(_, container)| Record::new(&container.name)).collect();
    PodEntry::new(pod.clone(), records, NOW)
}

fn running() -> Phase {
    Phase::Running { id: wk_runtime::ContainerId::new("u_a_0"), since: NOW }
}

fn exited(code: i32) -> Phase {
    Phase::Exited(Box::new(Termination {
        container_id: "wasm://u_a_0".into(),
        exit_code: code,
        reason: "Error".into(),
        message: "trap".into(),
        started_at: Some(NOW),
        finished_at: NOW,
    }))
}

fn status_of(pod: &Pod, change: impl FnOnce(&mut Inner)) -> PodStatus {
    let entry = entry(pod);
    let mut inner = entry.lock();
    change(&mut inner);
    desired(pod, &inner, around())
}

fn condition_of<'a>(status: &'a PodStatus, kind: &str) -> &'a PodCondition {
    status.conditions.iter().flatten().find(|condition| condition.type_ == kind).unwrap()
}

#[test]
fn a_new_pod_is_being_created() {
    let pod = pod("Always", false);
    let status = status_of(&pod, |_| {});
    assert_eq!(status.phase.as_deref(), Some("Pending"));
    let waiting = &status.container_statuses.as_ref().unwrap()[0];
    let waiting = waiting.state.as_ref().unwrap().waiting.as_ref().unwrap();
    assert_eq!(waiting.reason.as_deref(), Some("ContainerCreating"));
    let ready = condition_of(&status, "Ready");
    assert_eq!(ready.reason.as_deref(), Some("ContainersNotReady"));
    assert_eq!(ready.message.as_deref(), Some("containers with unready status: [a]"));
    assert_eq!(ready.observed_generation, Some(3));
    assert_eq!(status.qos_class.as_deref(), Some("BestEffort"));
}

#[test]
fn a_running_pod_is_ready() {
    let status = status_of(&pod("Always", false), |inner| {
        inner.ip = Some("127.64.0.2".parse().unwrap());
        inner.records[0].phase = running();
        inner.records[0].ready = true;
        inner.records[0].started = true;
    });
    assert_eq!(status.phase.as_deref(), Some("Running"));
    for kind in ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"] {
        assert_eq!(condition_of(&status, kind).status, "True", "{kind}");
    }
    assert_eq!(
        condition_of(&status, "PodScheduled").last_transition_time.as_ref().unwrap().0.to_string(),
        "2020-01-01T00:00:00Z"
    );
    assert_eq!(condition_of(&status, "example.org/gate").status, "True");
    let container = &status.container_statuses.unwrap()[0];
    assert_eq!(container.container_id.as_deref(), Some("wasm://u_a_0"));
    assert_eq!(status.pod_ip.as_deref(), Some("127.64.0.2"));
}

#[test]
fn main_containers_wait_for_init_containers() {
    let status = status_of(&pod("Always", true), |inner| inner.records[0].phase = running());
    let waiting = status.container_statuses.as_ref().unwrap()[0].state.clone().unwrap();
    assert_eq!(waiting.waiting.unwrap().reason.as_deref(), Some("PodInitializing"));
    let initialized = condition_of(&status, "Initialized");
    assert_eq!(initialized.message.as_deref(), Some("containers with incomplete status: [i]"));
}

#[test]
fn a_crashing_container_shows_its_last_end() {
    let status = status_of(&pod("Always", false), |inner| {
        inner.records[0].phase = exited(1);
        inner.records[0].hold = Some(Box::new(Hold {
            reason: WaitReason::CrashLoopBackOff,
            message: "back-off".into(),
            until: NOW,
            on_objects: false,
        }));
    });
    let container = &status.container_statuses.as_ref().unwrap()[0];
    let state = container.state.as_ref().unwrap().waiting.as_ref().unwrap();
    assert_eq!(state.reason.as_deref(), Some("CrashLoopBackOff"));
    let last = container.last_state.as_ref().unwrap().terminated.as_ref().unwrap();
    assert_eq!((last.exit_code, last.message.as_deref()), (1, Some("trap")));
    assert_eq!(status.phase.as_deref(), Some("Running"));
}

#[test]
fn the_phase_follows_from_how_containers_ended() {
    for (restart, code, phase, reason) in [
        ("Never", 0, "Succeeded", Some("PodCompleted")),
        ("Never", 1, "Failed", Some("PodFailed")),
        ("OnFailure", 0, "Succeeded", Some("PodCompleted")),
        ("OnFailure", 1, "Running", Some("ContainersNotReady")),
    ] {
        let status = status_of(&pod(restart, false), |inner| inner.records[0].phase = exited(code));
        assert_eq!(status.phase.as_deref(), Some(phase), "{restart} {code}");
        assert_eq!(condition_of(&status, "Ready").reason.as_deref(), reason, "{restart} {code}");
    }
}

#[test]
fn a_patch_holds_only_what_changed() {
    let mut pod = pod("Always", false);
    let first = status_of(&pod, |_| {});
    let all = patch(&pod, &first).unwrap();
    assert_eq!(all["metadata"]["uid"], "u");
    assert!(all["status"].get("qosClass").is_none());
    pod.status = Some(first.clone());
    assert_eq!(patch(&pod, &first), None);
    let second = status_of(&pod, |inner| {
        inner.ip = Some("127.64.0.2".parse().unwrap());
        inner.records[0].phase = running();
        inner.records[0].ready = true;
    });
    let change = patch(&pod, &second).unwrap();
    let fields: Vec<_> = change["status"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["conditions", "containerStatuses", "phase", "podIP", "podIPs"]);
    let ready = change["status"]["conditions"].as_array().unwrap();
    let ready = ready.iter().find(|condition| condition["type"] == "Ready").unwrap();
    assert_eq!(ready["reason"], Value::Null, "a reason that is over is taken back");
    assert!(Arc::new(change).is_object());
}
