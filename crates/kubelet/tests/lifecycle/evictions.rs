//! Pods that have too much, or come at the wrong time.

use serde_json::json;

use super::{Node, one_container, pod, ready};

#[tokio::test]
async fn a_pod_that_fills_its_folder_is_evicted() {
    let node = Node::start().await;
    let mut spec = one_container("here:1");
    spec["volumes"] = json!([{"name": "cache", "emptyDir": {"sizeLimit": "1Mi"}}]);
    spec["containers"][0]["volumeMounts"] = json!([{"name": "cache", "mountPath": "/cache"}]);
    node.api.put("pods/web", pod(&spec));
    node.api.until("pods/web", ready).await;
    let file = node.folder.path().join("pods/u-1/volumes/cache/file");
    std::fs::write(&file, vec![1; 2 << 20]).unwrap();
    node.until_phase("Failed").await;
    let status = node.api.get("pods/web").unwrap()["status"].clone();
    let message = "Usage of EmptyDir volume \"cache\" exceeds the limit \"1Mi\". ";
    assert_eq!((&status["reason"], &status["message"]), (&json!("Evicted"), &json!(message)));
    assert_eq!(node.api.event("Evicted").await["message"], message);
    super::until_gone(&node.folder.path().join("pods/u-1")).await;
    node.stop().await;
}

#[tokio::test]
async fn a_node_under_pressure_refuses_new_pods_and_evicts_those_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::pressed(super::api::Api::new(), folder, "memory.available<100%").await;
    let condition = |node: &serde_json::Value| {
        let mut all = node["status"]["conditions"].as_array().unwrap().clone().into_iter();
        all.find(|condition| condition["type"] == "MemoryPressure").unwrap()
    };
    let told = condition(&node.api.get("nodes/n1").unwrap());
    assert_eq!(
        (&told["status"], &told["reason"]),
        (&json!("True"), &json!("KubeletHasInsufficientMemory"))
    );
    node.api.put("pods/web", pod(&one_container("here:1")));
    node.until_phase("Failed").await;
    let status = node.api.get("pods/web").unwrap()["status"].clone();
    let message = "Pod was rejected: The node had condition: [MemoryPressure]. ";
    assert_eq!((&status["reason"], &status["message"]), (&json!("Evicted"), &json!(message)));

    // One that asked for memory may come, and goes when nothing else helps.
    let mut burstable = pod(&one_container("here:1"));
    burstable["metadata"]["name"] = json!("burstable");
    burstable["metadata"]["uid"] = json!("u-2");
    burstable["status"]["qosClass"] = json!("Burstable");
    node.api.put("pods/burstable", burstable);
    let failed =
        |pod: Option<&serde_json::Value>| pod.is_some_and(|pod| pod["status"]["phase"] == "Failed");
    node.api.until("pods/burstable", failed).await;
    let status = node.api.get("pods/burstable").unwrap()["status"].clone();
    assert_eq!(status["reason"], "Evicted");
    let message = status["message"].as_str().unwrap();
    let begins = "The node was low on resource: memory. Threshold quantity: ";
    assert!(message.starts_with(begins), "{message}");
    let conditions = status["conditions"].as_array().unwrap();
    let target = conditions.iter().find(|one| one["type"] == "DisruptionTarget").unwrap();
    assert_eq!(
        (&target["status"], &target["reason"]),
        (&json!("True"), &json!("TerminationByKubelet"))
    );
    let event = node.api.event("EvictionThresholdMet").await;
    assert_eq!(event["message"], "Attempting to reclaim memory");
    node.stop().await;
}
