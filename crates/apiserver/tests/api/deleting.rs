//! Deleting.

use serde_json::json;

use crate::cluster::{Cluster, MAPS, PODS, map, pod, revision};

#[tokio::test]
async fn finalizers_hold_an_object_back() {
    let cluster = Cluster::start().await;
    let mut held = map("a", "1");
    held["metadata"]["finalizers"] = json!(["example.test/wait"]);
    cluster.create(MAPS, held).await;
    let path = format!("{MAPS}/a");
    let (code, marked) = cluster.delete(&path, &json!({})).await;
    assert_eq!(code, 200);
    assert!(marked["metadata"]["deletionTimestamp"].is_string(), "{marked}");
    // Deleting it again changes nothing.
    let (_, again) = cluster.delete(&path, &json!({})).await;
    assert_eq!(revision(&again), revision(&marked));
    let mut watch =
        cluster.watch(&format!("{MAPS}?watch=1&resourceVersion={}", revision(&marked))).await;
    let done = json!({"metadata": {"finalizers": null}}).to_string();
    let merge = "application/merge-patch+json";
    assert_eq!(cluster.raw("PATCH", &path, merge, done).await.code, 200);
    assert_eq!(cluster.get(&path).await.0, 404);
    assert_eq!(watch.short().await, "DELETED a");
}

#[tokio::test]
async fn the_fate_of_dependents_is_written_down() {
    let cluster = Cluster::start().await;
    for (name, policy, finalizer) in
        [("a", "Foreground", "foregroundDeletion"), ("b", "Orphan", "orphan")]
    {
        cluster.create(MAPS, map(name, "1")).await;
        let path = format!("{MAPS}/{name}?propagationPolicy={policy}");
        let answer = cluster.raw("DELETE", &path, "application/json", "").await;
        assert_eq!(answer.json()["metadata"]["finalizers"], json!([finalizer]), "{policy}");
    }
    let (code, _) = cluster.delete(&format!("{MAPS}/a"), &json!({"propagationPolicy": "No"})).await;
    assert_eq!(code, 422);
}

#[tokio::test]
async fn preconditions_are_met_or_nothing_happens() {
    let cluster = Cluster::start().await;
    cluster.create(MAPS, map("a", "1")).await;
    let path = format!("{MAPS}/a");
    for condition in [json!({"uid": "other"}), json!({"resourceVersion": "1"})] {
        let (code, status) = cluster.delete(&path, &json!({"preconditions": condition})).await;
        assert_eq!((code, &status["reason"]), (409, &json!("Conflict")));
    }
    assert_eq!(cluster.get(&path).await.0, 200);
}

#[tokio::test]
async fn a_pod_on_a_node_goes_when_its_kubelet_says_so() {
    let cluster = Cluster::start().await;
    cluster.create(PODS, pod("a")).await;
    let path = format!("{PODS}/a");
    let binding = json!({"target": {"kind": "Node", "name": "n1"}});
    assert_eq!(cluster.json("POST", &format!("{path}/binding"), &binding).await.0, 201);
    let (code, _) = cluster.json("POST", &format!("{path}/binding"), &binding).await;
    assert_eq!(code, 409, "it has its node");
    let (code, marked) = cluster.delete(&path, &json!({})).await;
    assert_eq!((code, &marked["metadata"]["deletionGracePeriodSeconds"]), (200, &json!(30)));
    let (_, sooner) = cluster.delete(&path, &json!({"gracePeriodSeconds": 5})).await;
    assert_eq!(sooner["metadata"]["deletionGracePeriodSeconds"], 5);
    assert_eq!(cluster.get(&path).await.0, 200);
    let (code, _) = cluster.delete(&path, &json!({"gracePeriodSeconds": 0})).await;
    assert_eq!((code, cluster.get(&path).await.0), (200, 404));
}

#[tokio::test]
async fn a_pod_without_a_node_goes_at_once() {
    let cluster = Cluster::start().await;
    cluster.create(PODS, pod("a")).await;
    let eviction =
        json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a"}});
    let (code, status) = cluster.json("POST", &format!("{PODS}/a/eviction"), &eviction).await;
    assert_eq!((code, cluster.get(&format!("{PODS}/a")).await.0), (201, 404), "{status}");
}

#[tokio::test]
async fn a_namespace_ends_when_it_is_finalized() {
    let cluster = Cluster::start().await;
    cluster.create("/api/v1/namespaces", json!({"metadata": {"name": "x"}})).await;
    let path = "/api/v1/namespaces/x";
    let (code, marked) = cluster.delete(path, &json!({})).await;
    assert_eq!((code, &marked["status"]["phase"]), (200, &json!("Terminating")), "{marked}");
    let (code, status) =
        cluster.json("POST", "/api/v1/namespaces/x/configmaps", &map("a", "1")).await;
    assert_eq!((code, &status["reason"]), (403, &json!("Forbidden")));
    let mut done = marked;
    done["spec"]["finalizers"] = json!([]);
    let (code, status) = cluster.json("PUT", &format!("{path}/finalize"), &done).await;
    assert_eq!(code, 200, "{status}");
    assert_eq!(cluster.get(path).await.0, 404);
    let (code, status) = cluster.delete("/api/v1/namespaces/default", &json!({})).await;
    assert_eq!(
        (code, &status["message"]),
        (403, &json!("namespaces \"default\" is forbidden: this namespace may not be deleted"))
    );
}

#[tokio::test]
async fn a_collection_goes_as_far_as_it_is_selected() {
    let cluster = Cluster::start().await;
    for name in ["a", "b", "c"] {
        cluster.create(PODS, pod(name)).await;
    }
    let path = format!("{PODS}?labelSelector=app%20in%20(a,b)");
    let (code, list) = cluster.delete(&path, &json!({})).await;
    assert_eq!((code, list["items"].as_array().unwrap().len()), (200, 2), "{list}");
    let (_, list) = cluster.get(PODS).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}
