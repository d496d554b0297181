//! Patches.

use serde_json::{Value, json};

use crate::cluster::{Cluster, MAPS, PODS, map, pod};

async fn patched(cluster: &Cluster, path: &str, kind: &str, patch: &Value) -> (u16, Value) {
    let media_type = format!("application/{kind}");
    let answer = cluster.raw("PATCH", path, &media_type, patch.to_string()).await;
    (answer.code, answer.json())
}

#[tokio::test]
async fn each_kind_of_patch_changes_what_it_says() {
    let cluster = Cluster::start().await;
    cluster.create(PODS, pod("a")).await;
    let path = format!("{PODS}/a");
    let (code, pod) = patched(
        &cluster,
        &path,
        "json-patch+json",
        &json!([{"op": "add", "path": "/metadata/labels/x", "value": "1"}]),
    )
    .await;
    assert_eq!((code, &pod["metadata"]["labels"]["x"]), (200, &json!("1")));
    let merge = json!({"metadata": {"labels": {"x": null, "y": "2"}}});
    let (_, pod) = patched(&cluster, &path, "merge-patch+json", &merge).await;
    assert_eq!(pod["metadata"]["labels"], json!({"app": "a", "y": "2"}));
    let strategic =
        json!({"spec": {"containers": [{"name": "main", "image": "example.test/web:2"}]}});
    let (_, pod) = patched(&cluster, &path, "strategic-merge-patch+json", &strategic).await;
    let container = &pod["spec"]["containers"][0];
    assert_eq!(container["image"], "example.test/web:2");
    assert_eq!(container["terminationMessagePolicy"], "File", "the rest is kept");
}

#[tokio::test]
async fn what_cannot_be_patched_stays() {
    let cluster = Cluster::start().await;
    cluster.create(MAPS, map("a", "1")).await;
    let path = format!("{MAPS}/a");
    let test = json!([{"op": "test", "path": "/data/key", "value": "2"}]);
    assert_eq!(patched(&cluster, &path, "json-patch+json", &test).await.0, 422);
    assert_eq!(patched(&cluster, &path, "json-patch+json", &json!({})).await.0, 400);
    let old = json!({"metadata": {"resourceVersion": "1"}});
    assert_eq!(patched(&cluster, &path, "merge-patch+json", &old).await.0, 409);
    let rename = json!({"metadata": {"name": "b"}});
    assert_eq!(patched(&cluster, &path, "merge-patch+json", &rename).await.0, 400);
    assert_eq!(patched(&cluster, &path, "json", &json!({})).await.0, 415);
    assert_eq!(cluster.get(&path).await.1["data"]["key"], "1");
}

#[tokio::test]
async fn patches_at_once_are_all_applied() {
    let cluster = Cluster::start().await;
    cluster.create(MAPS, map("a", "1")).await;
    let path = format!("{MAPS}/a");
    let patches: Vec<Value> = (0..5).map(|at| json!({"data": {format!("k{at}"): "v"}})).collect();
    let all = patches.iter().map(|patch| patched(&cluster, &path, "merge-patch+json", patch));
    for (code, status) in futures::future::join_all(all).await {
        assert_eq!(code, 200, "{status}");
    }
    assert_eq!(cluster.get(&path).await.1["data"].as_object().unwrap().len(), 6);
}

#[tokio::test]
async fn applied_fields_have_owners() {
    let cluster = Cluster::start().await;
    let path = |manager: &str| format!("{MAPS}/a?fieldManager={manager}");
    let (code, made) = patched(&cluster, &path("one"), "apply-patch+yaml", &map("a", "1")).await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(made["metadata"]["managedFields"][0]["manager"], "one");
    let (code, status) = patched(&cluster, &path("two"), "apply-patch+yaml", &map("a", "2")).await;
    assert_eq!((code, &status["reason"]), (409, &json!("Conflict")));
    let forced = format!("{}&force=true", path("two"));
    let (code, made) = patched(&cluster, &forced, "apply-patch+yaml", &map("a", "2")).await;
    assert_eq!((code, &made["data"]["key"]), (200, &json!("2")));
}

#[tokio::test]
async fn the_status_is_written_apart() {
    let cluster = Cluster::start().await;
    cluster.create(PODS, pod("a")).await;
    let path = format!("{PODS}/a");
    let patch = json!({"status": {"phase": "Running"}, "metadata": {"labels": {"x": "y"}}});
    let (code, running) =
        patched(&cluster, &format!("{path}/status"), "merge-patch+json", &patch).await;
    assert_eq!((code, &running["status"]["phase"]), (200, &json!("Running")), "{running}");
    let back = json!({"status": {"phase": "Failed"}});
    let (_, pod) = patched(&cluster, &path, "merge-patch+json", &back).await;
    assert_eq!(pod["status"]["phase"], "Running");
}
