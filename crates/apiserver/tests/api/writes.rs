//! Creating and updating.

use http::Request;
use serde_json::json;

use crate::cluster::{Cluster, MAPS, PODS, map, pod, revision};

#[tokio::test]
async fn what_was_created_is_read_changed_and_gone() {
    let cluster = Cluster::start().await;
    let created = cluster.create(MAPS, map("a", "1")).await;
    assert_eq!(created["metadata"]["namespace"], "default");
    assert!(
        created["metadata"]["uid"].is_string()
            && created["metadata"]["creationTimestamp"].is_string()
    );
    let path = format!("{MAPS}/a");
    assert_eq!(cluster.get(&path).await, (200, created.clone()));

    let mut changed = created.clone();
    changed["data"]["key"] = "2".into();
    let (code, updated) = cluster.json("PUT", &path, &changed).await;
    assert_eq!((code, &updated["data"]["key"]), (200, &json!("2")));
    assert!(revision(&updated) > revision(&created));

    let (code, status) = cluster.delete(&path, &json!({})).await;
    assert_eq!((code, &status["status"]), (200, &json!("Success")), "{status}");
    let (code, status) = cluster.get(&path).await;
    assert_eq!((code, status["message"].as_str().unwrap()), (404, "configmaps \"a\" not found"));
}

#[tokio::test]
async fn an_update_of_an_old_revision_conflicts() {
    let cluster = Cluster::start().await;
    let created = cluster.create(MAPS, map("a", "1")).await;
    let path = format!("{MAPS}/a");
    // Without a revision it is meant whatever is there.
    let (code, _) = cluster.json("PUT", &path, &map("a", "2")).await;
    assert_eq!(code, 200);
    let (code, status) = cluster.json("PUT", &path, &created).await;
    assert_eq!((code, &status["reason"]), (409, &json!("Conflict")));
    assert!(status["message"].as_str().unwrap().starts_with(
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified"
    ));
    let mut other = map("a", "3");
    other["metadata"]["uid"] = "someone-else".into();
    assert_eq!(cluster.json("PUT", &path, &other).await.0, 409);
    assert_eq!(cluster.json("PUT", &format!("{MAPS}/b"), &map("b", "1")).await.0, 404);
}

#[tokio::test]
async fn an_update_that_changes_nothing_writes_nothing() {
    let cluster = Cluster::start().await;
    let created = cluster.create(MAPS, map("a", "1")).await;
    let (_, same) = cluster.json("PUT", &format!("{MAPS}/a"), &map("a", "1")).await;
    assert_eq!(revision(&same), revision(&created));
}

#[tokio::test]
async fn names_are_taken_once_and_generated_ones_are_free() {
    let cluster = Cluster::start().await;
    cluster.create(MAPS, map("a", "1")).await;
    let (code, status) = cluster.json("POST", MAPS, &map("a", "1")).await;
    assert_eq!((code, &status["message"]), (409, &json!("configmaps \"a\" already exists")));
    let mut generated = map("", "1");
    generated["metadata"] = json!({"generateName": "g-"});
    let first = cluster.create(MAPS, generated.clone()).await;
    let second = cluster.create(MAPS, generated).await;
    assert_ne!(first["metadata"]["name"], second["metadata"]["name"]);
    assert!(first["metadata"]["name"].as_str().unwrap().starts_with("g-"));
}

#[tokio::test]
async fn a_dry_run_checks_and_stores_nothing() {
    let cluster = Cluster::start().await;
    let path = format!("{MAPS}?dryRun=All");
    let (code, tried) = cluster.json("POST", &path, &map("a", "1")).await;
    assert_eq!((code, &tried["data"]["key"]), (201, &json!("1")));
    assert_eq!(cluster.get(&format!("{MAPS}/a")).await.0, 404);
    cluster.create(MAPS, map("a", "1")).await;
    assert_eq!(cluster.json("POST", &path, &map("a", "1")).await.0, 409);
    let one = format!("{MAPS}/a?dryRun=All");
    let (_, tried) = cluster.json("PUT", &one, &map("a", "2")).await;
    assert_eq!(tried["data"]["key"], "2");
    assert_eq!(cluster.delete(&one, &json!({})).await.0, 200);
    assert_eq!(cluster.get(&format!("{MAPS}/a")).await.1["data"]["key"], "1");
    let (code, status) = cluster.json("POST", &format!("{MAPS}?dryRun=Some"), &map("b", "1")).await;
    assert_eq!((code, &status["reason"]), (422, &json!("Invalid")));
}

#[tokio::test]
async fn unknown_fields_are_warned_of_or_refused() {
    let cluster = Cluster::start().await;
    let mut wrong = pod("a");
    wrong["spec"]["colour"] = "blue".into();
    let path = format!("{PODS}?fieldValidation=Warn");
    let answer = cluster.raw("POST", &path, "application/json", wrong.to_string()).await;
    assert_eq!(answer.code, 201);
    assert_eq!(answer.headers["warning"], r#"299 - "unknown field \"spec.colour\"""#);
    wrong["metadata"]["name"] = "b".into();
    let (code, status) =
        cluster.json("POST", &format!("{PODS}?fieldValidation=Strict"), &wrong).await;
    assert_eq!(code, 400);
    assert_eq!(
        status["message"],
        "Pod in version \"v1\" cannot be handled as a Pod: strict decoding error: unknown field \
         \"spec.colour\""
    );
    let path = format!("{PODS}?fieldValidation=Ignore");
    let answer = cluster.raw("POST", &path, "application/json", wrong.to_string()).await;
    assert!(answer.code == 201 && !answer.headers.contains_key("warning"));
}

#[tokio::test]
async fn objects_go_into_namespaces_that_are_there() {
    let cluster = Cluster::start().await;
    let path = "/api/v1/namespaces/nowhere/configmaps";
    let (code, status) = cluster.json("POST", path, &map("a", "1")).await;
    assert_eq!((code, &status["message"]), (404, &json!("namespaces \"nowhere\" not found")));
    let mut elsewhere = map("a", "1");
    elsewhere["metadata"]["namespace"] = "kube-system".into();
    assert_eq!(cluster.json("POST", MAPS, &elsewhere).await.0, 400);
    for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        assert_eq!(cluster.get(&format!("/api/v1/namespaces/{name}")).await.0, 200, "{name}");
    }
}

#[tokio::test]
async fn services_get_addresses_of_their_own() {
    let cluster = Cluster::start().await;
    let path = "/api/v1/namespaces/default/services";
    let (_, api) = cluster.get(&format!("{path}/kubernetes")).await;
    assert_eq!(api["spec"]["clusterIP"], "127.32.0.1");
    let service = |name: &str| json!({"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}});
    let first = cluster.create(path, service("a")).await;
    let second = cluster.create(path, service("b")).await;
    let address = first["spec"]["clusterIP"].as_str().unwrap();
    assert!(
        address.starts_with("127.") && first["spec"]["clusterIP"] != second["spec"]["clusterIP"]
    );
    let mut taken = service("c");
    taken["spec"]["clusterIP"] = address.into();
    let (code, status) = cluster.json("POST", path, &taken).await;
    assert_eq!(code, 422, "{status}");
    assert!(status["message"].as_str().unwrap().contains("provided IP is already allocated"));
    // An update that says nothing of the address keeps it.
    let (code, kept) = cluster.json("PUT", &format!("{path}/a"), &service("a")).await;
    assert_eq!((code, &kept["spec"]["clusterIP"]), (200, &first["spec"]["clusterIP"]), "{kept}");
    let mut headless = service("d");
    headless["spec"]["clusterIP"] = "None".into();
    assert_eq!(cluster.create(path, headless).await["spec"]["clusterIPs"], json!(["None"]));
}

#[tokio::test]
async fn only_health_and_version_are_for_everybody() {
    let cluster = Cluster::start().await;
    for (path, code) in
        [("/healthz", 200), ("/version/", 200), ("/readyz", 200), (PODS, 403), ("/apis", 403)]
    {
        let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
        assert_eq!(cluster.send_as_is(request).await.code, code, "{path}");
    }
    let request = Request::get(PODS).body(axum::body::Body::empty()).unwrap();
    let status = cluster.send_as_is(request).await.json();
    assert_eq!(
        status["message"],
        "pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\" in API group \
         \"\" in the namespace \"default\""
    );
}
