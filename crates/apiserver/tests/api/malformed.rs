//! What is malformed is refused, and never breaks anything.

use serde_json::json;

use crate::cluster::{Cluster, MAPS, PODS, map, pod};

#[tokio::test]
async fn bodies_that_are_no_objects_are_refused() {
    let cluster = Cluster::start().await;
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    let nested = format!(r#"{{"metadata":{{"name":"a"}},"data":{deep}}}"#);
    for body in [
        "",
        "{",
        "[]",
        "1",
        "null",
        "\"x\"",
        "\u{0}",
        "{\"metadata\":1}",
        "{\"metadata\":[]}",
        "{\"kind\":\"Pod\"}",
        "{\"apiVersion\":\"v2\",\"kind\":\"ConfigMap\"}",
        "{\"kind\":1}",
        "{\"data\":{\"a\":1},\"metadata\":{\"name\":\"a\"}}",
        &deep,
        &nested,
        "{\"metadata\":{\"labels\":[]}}",
        "{\"metadata\":{\"resourceVersion\":\"5\",\"name\":\"a\"}}",
    ] {
        let json = "application/json";
        for (method, path, media_type) in [
            ("POST", MAPS, json),
            ("POST", PODS, json),
            ("POST", MAPS, "application/yaml"),
            ("POST", MAPS, "application/vnd.kubernetes.protobuf"),
            ("PUT", "/api/v1/namespaces/default", json),
            ("PATCH", "/api/v1/namespaces/default", "application/merge-patch+json"),
            ("PATCH", "/api/v1/namespaces/default", "application/json-patch+json"),
            ("PATCH", "/api/v1/namespaces/default", "application/strategic-merge-patch+json"),
            ("PATCH", "/api/v1/namespaces/default?fieldManager=a", "application/apply-patch+yaml"),
        ] {
            let answer = cluster.raw(method, path, media_type, body.to_owned()).await;
            let shown = &body[..body.len().min(60)];
            assert!(answer.code < 500, "{method} {path} {shown}: {:?}", answer.bytes);
            if answer.code >= 300 {
                let status = answer.json();
                assert_eq!(status["kind"], "Status");
                assert_eq!(status["code"], answer.code);
            }
        }
    }
}

#[tokio::test]
async fn what_is_too_large_is_not_read() {
    let cluster = Cluster::start().await;
    let (code, status) = cluster.json("POST", MAPS, &map("a", &"x".repeat(4 << 20))).await;
    assert_eq!((code, &status["reason"]), (413, &json!("RequestEntityTooLarge")));
}

#[tokio::test]
async fn types_that_do_not_fit_are_named() {
    let cluster = Cluster::start().await;
    let mut wrong = pod("a");
    wrong["spec"]["containers"] = "x".into();
    let (code, status) = cluster.json("POST", PODS, &wrong).await;
    assert_eq!(code, 400);
    let message = status["message"].as_str().unwrap();
    assert!(
        message.starts_with("Pod in version \"v1\" cannot be handled as a Pod: json: cannot"),
        "{message}"
    );
    let (code, status) = cluster.json("POST", PODS, &pod("Not A Name")).await;
    assert_eq!((code, &status["reason"]), (422, &json!("Invalid")));
    assert_eq!(status["details"]["causes"][0]["field"], "metadata.name");
    let mut empty = pod("a");
    empty["spec"] = json!({});
    let (code, status) = cluster.json("POST", PODS, &empty).await;
    assert_eq!(code, 422);
    assert!(status["message"].as_str().unwrap().contains("spec.containers: Required value"));
}

#[tokio::test]
async fn odd_paths_and_methods_have_an_answer() {
    let cluster = Cluster::start().await;
    for (method, path, code) in [
        ("GET", "/nowhere", 404),
        ("GET", "/api/v1/nothings", 404),
        ("GET", "/api/v2/pods", 404),
        ("GET", "/apis/apps/v9/deployments", 404),
        ("GET", "/api/v1/pods/a", 404),
        ("GET", "/api/v1/namespaces/default/nodes", 404),
        ("GET", "/api/v1/namespaces/default/pods/a%2Fb", 404),
        ("GET", "/api/v1/namespaces/default/pods/%ff%fe", 404),
        ("GET", "/api/v1/namespaces/default/pods/a/nothing", 404),
        ("GET", "/api//v1/namespaces//default/pods/", 200),
        ("POST", "/api/v1/pods", 405),
        ("POST", "/api/v1/namespaces/default/pods/a", 405),
        ("PUT", PODS, 405),
        ("OPTIONS", PODS, 405),
        ("DELETE", "/version", 405),
        ("GET", "/openapi/v3/apis/none/v1", 404),
    ] {
        let answer = cluster.raw(method, path, "application/json", "").await;
        assert_eq!(answer.code, code, "{method} {path}: {:?}", answer.bytes);
        assert!(answer.json().is_object());
    }
}
