//! Parts of objects that are written on their own, and actions on objects.

use serde_json::{Value, json};
use wk_auth::User;

use axum::body::Body;
use http::Request;

use crate::cluster::{Cluster, PODS, pod};

fn message(status: &Value) -> &str {
    status["message"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_pod_is_bound_once() {
    let cluster = Cluster::start().await;
    cluster.create(PODS, pod("a")).await;
    cluster.create(PODS, pod("b")).await;
    let binding = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Binding",
            "metadata": {"name": name, "annotations": {"from": "me"}},
            "target": {"kind": "Node", "name": "n1"},
        })
    };
    let bindings = "/api/v1/namespaces/default/bindings";
    let (code, status) = cluster.json("POST", bindings, &binding("a")).await;
    assert_eq!((code, &status["status"]), (201, &json!("Success")), "{status}");
    let (_, bound) = cluster.get(&format!("{PODS}/a")).await;
    assert_eq!(bound["spec"]["nodeName"], "n1");
    assert_eq!(bound["metadata"]["annotations"]["from"], "me");
    let conditions = bound["status"]["conditions"].as_array().unwrap();
    assert!(conditions.iter().any(|own| own["type"] == "PodScheduled" && own["status"] == "True"));
    let own = format!("{PODS}/b/binding");
    for (path, body, code, said) in [
        (bindings, binding("a"), 409, "pod a is already assigned to node \"n1\""),
        (bindings, binding("absent"), 404, "pods \"absent\" not found"),
        (
            &own,
            json!({"metadata": {"name": "b"}, "target": {}}),
            422,
            "target.name: Required value",
        ),
        (
            &own,
            json!({"metadata": {"name": "b"}, "target": {"kind": "Tree", "name": "n"}}),
            422,
            "target.kind: Unsupported value: \"Tree\"",
        ),
        (
            &own,
            json!({"metadata": {"name": "b", "uid": "other"}, "target": {"name": "n1"}}),
            409,
            "Precondition failed: UID in precondition: other",
        ),
    ] {
        let (found, status) = cluster.json("POST", path, &body).await;
        assert_eq!(found, code, "{path} {body}: {status}");
        assert!(message(&status).contains(said), "{status}");
    }
    let dry = format!("{own}?dryRun=All");
    assert_eq!(cluster.json("POST", &dry, &binding("b")).await.0, 201);
    assert_eq!(cluster.get(&format!("{PODS}/b")).await.1["spec"].get("nodeName"), None);
}

#[tokio::test]
async fn a_namespace_ends_when_its_finalizers_are_done() {
    let cluster = Cluster::start().await;
    let path = "/api/v1/namespaces/team";
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}});
    let made = cluster.create("/api/v1/namespaces", namespace).await;
    assert_eq!(made["spec"]["finalizers"], json!(["kubernetes"]));
    // Neither a write of the whole nor one of the status ends what waits.
    let mut plain = made.clone();
    plain["spec"]["finalizers"] = json!([]);
    for place in ["", "/status"] {
        let (code, kept) = cluster.json("PUT", &format!("{path}{place}"), &plain).await;
        assert_eq!((code, &kept["spec"]["finalizers"]), (200, &json!(["kubernetes"])), "{kept}");
    }
    let (code, marked) = cluster.delete(path, &json!({})).await;
    assert_eq!((code, &marked["status"]["phase"]), (200, &json!("Terminating")), "{marked}");
    let (code, refused) = cluster.json("POST", "/api/v1/namespaces/team/pods", &pod("late")).await;
    assert_eq!(code, 403, "{refused}");
    assert_eq!(refused["details"]["causes"][0]["reason"], "NamespaceTerminating", "{refused}");
    let (_, mut done) = cluster.get(path).await;
    done["spec"]["finalizers"] = json!(["kubernetes", "example.com/mine"]);
    let (code, held) = cluster.json("PUT", &format!("{path}/finalize"), &done).await;
    assert_eq!((code, held["spec"]["finalizers"].as_array().unwrap().len()), (200, 2), "{held}");
    let mut done = held;
    done["spec"]["finalizers"] = json!(["no good"]);
    assert_eq!(cluster.json("PUT", &format!("{path}/finalize"), &done).await.0, 422);
    done["spec"]["finalizers"] = json!([]);
    let (code, last) = cluster.json("PUT", &format!("{path}/finalize"), &done).await;
    assert_eq!((code, &last["kind"]), (200, &json!("Namespace")), "{last}");
    assert_eq!(cluster.get(path).await.0, 404);
}

#[tokio::test]
async fn ephemeral_containers_are_only_added() {
    let cluster = Cluster::start().await;
    cluster.create(PODS, pod("a")).await;
    let path = format!("{PODS}/a/ephemeralcontainers");
    let strategic = "application/strategic-merge-patch+json";
    let patch = json!({"spec": {"ephemeralContainers": [
        {"name": "debug", "image": "debug:1", "targetContainerName": "main"},
    ]}});
    let answer = cluster.raw("PATCH", &path, strategic, patch.to_string()).await;
    assert_eq!(answer.code, 200, "{}", answer.json());
    let changed = answer.json();
    let added = &changed["spec"]["ephemeralContainers"][0];
    assert_eq!(
        (&added["name"], &added["terminationMessagePolicy"]),
        (&json!("debug"), &json!("File"))
    );
    let (_, read) = cluster.get(&path).await;
    assert_eq!(read, changed);
    // Through the pod itself they cannot come, and nothing else comes through here.
    let mut whole = changed.clone();
    whole["spec"]["ephemeralContainers"] = json!([]);
    let (code, refused) = cluster.json("PUT", &format!("{PODS}/a"), &whole).await;
    assert_eq!(code, 422, "{refused}");
    let mut image = changed.clone();
    image["spec"]["containers"][0]["image"] = "other:1".into();
    let (code, kept) = cluster.json("PUT", &path, &image).await;
    assert_eq!((code, &kept["spec"]["containers"]), (200, &changed["spec"]["containers"]));
    let (code, refused) = cluster.json("PUT", &path, &whole).await;
    assert_eq!(code, 422, "{refused}");
    assert!(message(&refused).contains("spec.ephemeralContainers"), "{refused}");
    let mut bad = changed;
    bad["spec"]["ephemeralContainers"][0]["image"] = "other:1".into();
    assert_eq!(cluster.json("PUT", &path, &bad).await.0, 422, "they do not change either");
}

#[tokio::test]
async fn a_resize_changes_resources_alone() {
    let cluster = Cluster::start().await;
    let mut object = pod("a");
    object["spec"]["containers"][0]["resources"] =
        json!({"requests": {"cpu": "100m", "memory": "64Mi"}});
    let made = cluster.create(PODS, object).await;
    let path = format!("{PODS}/a/resize");
    let patch = |cpu: &str| {
        json!({"spec": {"containers": [
            {"name": "main", "image": "other:1", "resources": {"requests": {"cpu": cpu}}},
        ]}})
    };
    let strategic = "application/strategic-merge-patch+json";
    let answer = cluster.raw("PATCH", &path, strategic, patch("200m").to_string()).await;
    let resized = answer.json();
    assert_eq!(answer.code, 200, "{resized}");
    let container = &resized["spec"]["containers"][0];
    assert_eq!(container["resources"]["requests"], json!({"cpu": "200m", "memory": "64Mi"}));
    assert_eq!(container["image"], made["spec"]["containers"][0]["image"]);
    // The class of a pod stays.
    let limited = json!({"spec": {"containers": [{"name": "main", "resources": {
        "requests": {"cpu": "200m", "memory": "64Mi"}, "limits": {"cpu": "200m", "memory": "64Mi"},
    }}]}});
    let answer = cluster.raw("PATCH", &path, strategic, limited.to_string()).await;
    assert_eq!(answer.code, 422, "{}", answer.json());
    assert!(message(&answer.json()).contains("QOS"), "{}", answer.json());
    // And through the pod itself its resources stay, too.
    let answer = cluster.raw("PATCH", &format!("{PODS}/a"), strategic, limited.to_string()).await;
    assert_eq!(answer.code, 422, "{}", answer.json());
}

#[tokio::test]
async fn the_maintenance_of_the_server_is_for_administrators_alone() {
    let cluster = Cluster::start().await;
    cluster.create(PODS, pod("a")).await;
    let jane = User::authenticated("jane", ["devs"]);
    let account = User::service_account("default", "builder");
    for user in [User::anonymous(), jane, account, User::node("n1")] {
        for (method, path) in [
            ("GET", "/maintenance/v1/snapshot"),
            ("PUT", "/maintenance/v1/snapshot"),
            ("POST", "/maintenance/v1/compaction"),
            ("GET", "/maintenance/v1/nothing"),
        ] {
            let mut request =
                Request::builder().method(method).uri(path).body(Body::from("x")).unwrap();
            request.extensions_mut().insert(user.clone());
            let answer = cluster.send_as_is(request).await;
            let status = answer.json();
            assert_eq!((answer.code, &status["reason"]), (403, &json!("Forbidden")), "{status}");
            let verb = method.to_lowercase();
            let expected = format!("forbidden: User {:?} cannot {verb} path {path:?}", user.name);
            assert_eq!(message(&status), expected);
        }
    }
    // Nobody becomes an administrator by saying so.
    let mut request = Request::get("/maintenance/v1/snapshot")
        .header("impersonate-user", "admin")
        .header("impersonate-group", User::MASTERS)
        .body(Body::empty())
        .unwrap();
    request.extensions_mut().insert(User::node("n1"));
    let answer = cluster.send_as_is(request).await;
    assert_eq!(answer.code, 403, "{}", answer.json());
    assert!(message(&answer.json()).contains("cannot impersonate"), "{}", answer.json());
    assert_eq!(cluster.get(&format!("{PODS}/a")).await.0, 200, "nothing was replaced");
    let done = cluster.raw("POST", "/maintenance/v1/compaction", "", "").await;
    assert_eq!(done.code, 200);
    for (method, path, code) in [
        ("DELETE", "/maintenance/v1/snapshot", 405),
        ("GET", "/maintenance/v1/compaction", 405),
        ("GET", "/maintenance/v1/nothing", 404),
    ] {
        assert_eq!(cluster.raw(method, path, "", "").await.code, code, "{method} {path}");
    }
}
