//! What containers do after their start and before their end, and containers that are added.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use wk_runtime::ContainerId;

use super::{Node, one_container, pod, ready};

fn hooked(hook: &str, handler: &Value) -> Value {
    let mut spec = one_container("here:1");
    spec["containers"][0]["lifecycle"] = json!({hook: handler});
    spec
}

fn delete(node: &Node, seconds: u64) {
    let mut pod = node.api.get("pods/web").unwrap();
    pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    pod["metadata"]["deletionGracePeriodSeconds"] = json!(seconds);
    node.api.put("pods/web", pod);
}

/// Counts how often `note` is run.
fn counted(node: &Node) -> Arc<AtomicU32> {
    let count = Arc::new(AtomicU32::new(0));
    let own = Arc::clone(&count);
    node.runtime.set_program("note", move |_, _| {
        own.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(0))
    });
    count
}

#[tokio::test]
async fn a_container_has_started_when_its_hook_has_ended() {
    let node = Node::start().await;
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let (opened, entered) = (Arc::clone(&gate), Arc::new(tokio::sync::Semaphore::new(0)));
    let inside = Arc::clone(&entered);
    node.runtime.set_program("wait", move |_, _| {
        let (opened, inside) = (Arc::clone(&opened), Arc::clone(&inside));
        Box::pin(async move {
            inside.add_permits(1);
            opened.acquire().await.unwrap().forget();
            0
        })
    });
    node.api.put("pods/web", pod(&hooked("postStart", &json!({"exec": {"command": ["wait"]}}))));
    entered.acquire().await.unwrap().forget();
    assert_eq!(node.until_waiting("ContainerCreating").await, "");
    assert!(!ready(node.api.get("pods/web").as_ref()));
    assert_eq!(node.api.get("pods/web").unwrap()["status"]["phase"], "Pending");
    gate.add_permits(1);
    node.api.until("pods/web", ready).await;
    node.stop().await;
}

#[tokio::test]
async fn a_failed_hook_after_the_start_ends_the_container() {
    let node = Node::start().await;
    let handler = json!({"exec": {"command": ["exit", "3"]}});
    node.api.put("pods/web", pod(&hooked("postStart", &handler)));
    let message = node.until_waiting("PostStartHookError").await;
    assert!(
        message.starts_with(
            "Exec lifecycle hook ([exit 3]) for Container \"c\" in Pod \"web_default(u-1)\" failed"
        ),
        "{message}"
    );
    let event = node.api.event("FailedPostStartHook").await;
    assert_eq!(
        (&event["type"], &event["message"]),
        (&json!("Warning"), &json!("PostStartHook failed"))
    );
    assert_eq!(node.api.event("Killing").await["message"], "FailedPostStartHook");
    node.until_waiting("CrashLoopBackOff").await;
    node.stop().await;
}

#[tokio::test]
async fn a_hook_before_the_end_runs_once() {
    let node = Node::start().await;
    let count = counted(&node);
    node.api.put("pods/web", pod(&hooked("preStop", &json!({"exec": {"command": ["note"]}}))));
    node.api.until("pods/web", ready).await;
    assert_eq!(count.load(Ordering::SeqCst), 0);
    delete(&node, 30);
    node.api.until("pods/web", |pod| pod.is_none()).await;
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert!(node.api.events_of("FailedPreStopHook").is_empty());
    node.stop().await;
}

#[tokio::test]
async fn a_hook_before_the_end_has_no_more_time_than_its_pod() {
    let node = Node::start().await;
    node.api.put("pods/web", pod(&hooked("preStop", &json!({"exec": {"command": ["sleep"]}}))));
    node.api.until("pods/web", ready).await;
    delete(&node, 1);
    node.api.until("pods/web", |pod| pod.is_none()).await;
    node.stop().await;
}

#[tokio::test]
async fn a_hook_before_the_end_that_fails_is_told_and_changes_nothing() {
    let node = Node::start().await;
    node.api.put("pods/web", pod(&hooked("preStop", &json!({"httpGet": {"port": 1}}))));
    node.api.until("pods/web", ready).await;
    delete(&node, 30);
    let event = node.api.event("FailedPreStopHook").await;
    assert_eq!(
        (&event["type"], &event["message"]),
        (&json!("Warning"), &json!("PreStopHook failed"))
    );
    node.api.until("pods/web", |pod| pod.is_none()).await;
    node.stop().await;
}

#[tokio::test]
async fn sidecars_end_last_but_are_told_with_the_others() {
    let node = Node::start().await;
    let count = counted(&node);
    let mut spec = one_container("here:1");
    spec["initContainers"] = json!(["one", "two"].map(|name| json!({
        "name": name, "image": "here:1", "restartPolicy": "Always",
        "lifecycle": {"preStop": {"exec": {"command": ["note"]}}},
    })));
    node.api.put("pods/web", pod(&spec));
    node.api.until("pods/web", ready).await;
    delete(&node, 30);
    node.api.until("pods/web", |pod| pod.is_none()).await;
    let killed: Vec<String> = node
        .api
        .events_of("Killing")
        .iter()
        .map(|event| event["message"].as_str().unwrap().to_owned())
        .collect();
    let in_turn = ["c", "two", "one"].map(|name| format!("Stopping container {name}"));
    assert_eq!(killed, in_turn);
    assert_eq!(count.load(Ordering::SeqCst), 2);
    node.stop().await;
}

#[tokio::test]
async fn a_container_can_be_added_to_a_running_pod() {
    let node = Node::start().await;
    node.api.put("pods/web", pod(&one_container("here:1")));
    node.api.until("pods/web", ready).await;
    let mut changed = node.api.get("pods/web").unwrap();
    changed["spec"]["ephemeralContainers"] = json!([{"name": "look", "image": "here:1"}]);
    node.api.put("pods/web", changed);
    let state = |pod: Option<&Value>, state: &str| {
        pod.is_some_and(|pod| {
            pod["status"]["ephemeralContainerStatuses"][0]["state"][state].is_object()
        })
    };
    node.api.until("pods/web", |pod| state(pod, "running")).await;
    assert!(ready(node.api.get("pods/web").as_ref()));
    node.runtime.exit(&ContainerId::new("u-1_look_0"), 0);
    node.api.until("pods/web", |pod| state(pod, "terminated")).await;
    assert!(ready(node.api.get("pods/web").as_ref()), "nothing depends on it");
    delete(&node, 1);
    node.api.until("pods/web", |pod| pod.is_none()).await;
    node.stop().await;
}
