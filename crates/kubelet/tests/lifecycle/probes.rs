//! Probes, and what follows from them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::{Node, one_container, pod, ready};

/// A program `check` in all containers of a node that says `told` and ends with the code that is set.
fn program(node: &Node, told: &'static str) -> Arc<AtomicI32> {
    let code = Arc::new(AtomicI32::new(1));
    let set = Arc::clone(&code);
    node.runtime.set_program("check", move |_, streams| {
        let code = set.load(Ordering::SeqCst);
        Box::pin(async move {
            if let Some(mut stdout) = streams.stdout {
                stdout.write_all(told.as_bytes()).await.unwrap();
            }
            code
        })
    });
    code
}

fn probed(probes: &Value) -> Value {
    let mut spec = one_container("here:1");
    for (name, probe) in probes.as_object().unwrap() {
        let container = &mut spec["containers"][0];
        container[name] = json!({"exec": {"command": ["check"]}, "periodSeconds": 1});
        for (field, value) in probe.as_object().unwrap() {
            container[name][field] = value.clone();
        }
    }
    spec
}

fn restarts(pod: Option<&Value>, count: u64) -> bool {
    pod.is_some_and(|pod| pod["status"]["containerStatuses"][0]["restartCount"] == count)
}

#[tokio::test]
async fn a_command_decides_whether_a_container_is_ready() {
    let node = Node::start().await;
    let code = program(&node, "not yet");
    node.api.put("pods/web", pod(&probed(&json!({"readinessProbe": {"failureThreshold": 1}}))));
    let event = node.api.event("Unhealthy").await;
    assert_eq!(event["message"], "Readiness probe failed: not yet");
    assert_eq!(event["type"], "Warning");
    assert_eq!(event["involvedObject"]["fieldPath"], "spec.containers{c}");
    assert!(!ready(node.api.get("pods/web").as_ref()));
    code.store(0, Ordering::SeqCst);
    node.api.until("pods/web", ready).await;
    code.store(1, Ordering::SeqCst);
    node.api.until("pods/web", |pod| !ready(pod)).await;
    assert!(restarts(node.api.get("pods/web").as_ref(), 0), "nobody restarts for that");
    node.stop().await;
}

#[tokio::test]
async fn a_container_that_does_not_live_is_restarted() {
    let node = Node::start().await;
    let _code = program(&node, "dead");
    node.api.put("pods/web", pod(&probed(&json!({"livenessProbe": {"failureThreshold": 1}}))));
    let event = node.api.event("Killing").await;
    assert_eq!(event["message"], "Container c failed liveness probe, will be restarted");
    node.api.until("pods/web", |pod| restarts(pod, 1)).await;
    node.stop().await;
}

#[tokio::test]
async fn nothing_else_is_probed_before_a_container_has_started() {
    let node = Node::start().await;
    let code = program(&node, "starting");
    let probes = json!({
        "startupProbe": {"failureThreshold": 100},
        "livenessProbe": {"exec": {"command": ["exit", "1"]}, "failureThreshold": 1},
        "readinessProbe": {},
    });
    node.api.put("pods/web", pod(&probed(&probes)));
    let event = node.api.event("Unhealthy").await;
    assert_eq!(event["message"], "Startup probe failed: starting");
    node.until_phase("Running").await;
    let status = node.api.get("pods/web").unwrap()["status"]["containerStatuses"][0].clone();
    assert_eq!((&status["started"], &status["ready"]), (&json!(false), &json!(false)));
    assert!(node.api.events_of("Killing").is_empty(), "liveness waits");
    code.store(0, Ordering::SeqCst);
    let event = node.api.event("Killing").await;
    assert_eq!(event["message"], "Container c failed liveness probe, will be restarted");
    node.stop().await;
}

#[tokio::test]
async fn a_probe_that_cannot_be_run_says_why() {
    let node = Node::start().await;
    let mut spec = probed(&json!({"readinessProbe": {"exec": {"command": ["nothing"]}}}));
    node.api.put("pods/web", pod(&spec));
    let event = node.api.event("Unhealthy").await;
    assert_eq!(
        event["message"],
        "Readiness probe errored and resulted in unknown state: cannot run `nothing` in the \
         container: executable file not found in $PATH"
    );
    node.api.remove("pods/web");
    spec["containers"][0]["readinessProbe"] =
        json!({"exec": {"command": ["sleep", "9"]}, "timeoutSeconds": 1});
    let mut other = pod(&spec);
    other["metadata"]["name"] = json!("slow");
    other["metadata"]["uid"] = json!("u-2");
    node.api.put("pods/slow", other);
    let late = "Readiness probe failed: command timed out: \"sleep 9\" timed out after 1s";
    node.api.until_event(|event| event["message"] == late).await;
    node.stop().await;
}

#[tokio::test]
async fn others_have_a_say_in_readiness() {
    let node = Node::start().await;
    let mut spec = one_container("here:1");
    spec["readinessGates"] = json!([{"conditionType": "example.org/a"}]);
    node.api.put("pods/web", pod(&spec));
    let message = |pod: Option<&Value>, wanted: &str| {
        let conditions = pod.map(|pod| pod["status"]["conditions"].clone()).unwrap_or_default();
        let mut all = conditions.as_array().cloned().unwrap_or_default().into_iter();
        all.any(|one| one["reason"] == "ReadinessGatesNotReady" && one["message"] == wanted)
    };
    let missing = "corresponding condition of pod readiness gate \"example.org/a\" does not exist.";
    node.api.until("pods/web", |pod| message(pod, missing)).await;
    let set = |status: &str| {
        let mut pod = node.api.get("pods/web").unwrap();
        let conditions = pod["status"]["conditions"].as_array_mut().unwrap();
        conditions.retain(|condition| condition["type"] != "example.org/a");
        conditions.push(json!({"type": "example.org/a", "status": status}));
        node.api.put("pods/web", pod);
    };
    set("Unknown");
    let unknown = "the status of pod readiness gate \"example.org/a\" is not \"True\", but Unknown";
    node.api.until("pods/web", |pod| message(pod, unknown)).await;
    set("True");
    node.api.until("pods/web", ready).await;
    node.stop().await;
}
