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

#[tokio::test]
async fn what_a_patch_says_twice_or_of_nothing_is_judged_as_in_a_body() {
    let cluster = Cluster::start().await;
    cluster.create(MAPS, map("a", "1")).await;
    let path = format!("{MAPS}/a");
    let merge = "application/merge-patch+json";
    let strategic = "application/strategic-merge-patch+json";
    let json = "application/json-patch+json";
    let twice = r#"{"data":{"b":"1","b":"2"},"dota":{}}"#;
    let op = r#"[{"op":"add","op":"add","path":"/dota","value":1}]"#;
    for (media_type, body, warned) in [
        (merge, twice, &["duplicate field \"data.b\"", "unknown field \"dota\""][..]),
        (strategic, twice, &["duplicate field \"data.b\"", "unknown field \"dota\""]),
        (json, op, &["json patch duplicate field \"[0].op\"", "unknown field \"dota\""]),
    ] {
        let answer = cluster.raw("PATCH", &path, media_type, body).await;
        assert_eq!(answer.code, 200, "{}", answer.json());
        let shown: Vec<String> =
            warned.iter().map(|text| format!("299 - \"{}\"", text.replace('"', "\\\""))).collect();
        let found: Vec<&str> =
            answer.headers.get_all("warning").iter().map(|own| own.to_str().unwrap()).collect();
        assert_eq!(found, shown, "{body}");
        let strict = format!("{path}?fieldValidation=Strict");
        let answer = cluster.raw("PATCH", &strict, media_type, body).await;
        let status = answer.json();
        let message = status["message"].as_str().unwrap();
        let why = format!(": strict decoding error: {}", warned.join(", "));
        assert!(answer.code == 422 && message.ends_with(&why), "{message}");
        assert!(message.starts_with(" \"\" is invalid: patch: Invalid value: \""), "{message}");
        let ignored = format!("{path}?fieldValidation=Ignore");
        let answer = cluster.raw("PATCH", &ignored, media_type, body).await;
        assert!(answer.code == 200 && !answer.headers.contains_key("warning"));
    }
}
