//! Other forms than JSON, both ways.

use serde_json::json;
use wk_schema::protobuf;

use crate::cluster::{Cluster, MAPS, PODS, map, pod};

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

#[tokio::test]
async fn bodies_may_be_protobuf_or_yaml() {
    let cluster = Cluster::start().await;
    let message = wk_schema::kind("", "v1", "ConfigMap").unwrap();
    let bytes = protobuf::write_object(&map("a", "1"), message);
    let answer = cluster.raw("POST", MAPS, PROTOBUF, bytes).await;
    assert_eq!(answer.code, 201, "{:?}", answer.bytes);
    let yaml = "kind: ConfigMap\nmetadata:\n  name: b\ndata:\n  key: \"2\"\n";
    let answer = cluster.raw("POST", MAPS, "application/yaml", yaml).await;
    assert_eq!(answer.json()["data"]["key"], "2");
    // Scalars are those of YAML 1.1, as in Kubernetes.
    let yaml = "metadata: {name: c}\ndata: {key: '0644'}\nimmutable: yes\n";
    let made = cluster.raw("POST", MAPS, "application/yaml", yaml).await.json();
    assert_eq!((&made["data"]["key"], &made["immutable"]), (&json!("0644"), &json!(true)));
    let answer = cluster.accept(&format!("{MAPS}/a"), PROTOBUF).await;
    let unknown = protobuf::open(&answer.bytes).unwrap();
    let read = protobuf::read_object(&unknown, message).unwrap();
    assert_eq!(read["data"]["key"], "1");
    // Options of a deletion, as typed clients send them.
    let options = wk_schema::message("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions").unwrap();
    let body = json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "x"}});
    let bytes = protobuf::write_object(&body, options);
    assert_eq!(cluster.raw("DELETE", &format!("{MAPS}/a"), PROTOBUF, bytes).await.code, 409);
}

#[tokio::test]
async fn lists_are_shown_as_tables_and_as_metadata() {
    let cluster = Cluster::start().await;
    cluster.create(PODS, pod("a")).await;
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let shown = cluster.accept(&format!("{PODS}?limit=500"), table).await.json();
    assert_eq!(shown["kind"], "Table");
    assert_eq!(shown["apiVersion"], "meta.k8s.io/v1");
    assert_eq!(shown["rows"][0]["cells"][2], "Pending");
    assert_eq!(shown["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let one = cluster.accept(&format!("{PODS}/a?includeObject=Object"), table).await.json();
    assert_eq!(one["rows"][0]["object"]["kind"], "Pod");
    let partial = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
    let shown = cluster.accept(PODS, partial).await.json();
    assert_eq!(shown["kind"], "PartialObjectMetadataList");
    assert!(shown["items"][0].get("spec").is_none());
    assert_eq!(shown["items"][0]["metadata"]["labels"]["app"], "a");
    assert_eq!(cluster.accept(PODS, "text/html").await.code, 406);
}

#[tokio::test]
async fn a_view_shows_what_another_kind_stored() {
    let cluster = Cluster::start().await;
    let event = json!({
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "a"},
        "reason": "Started", "message": "it started", "type": "Normal",
        "lastTimestamp": "2026-01-01T00:00:00Z", "source": {"component": "test"},
    });
    cluster.create("/api/v1/namespaces/default/events", event).await;
    let path = "/apis/events.k8s.io/v1/namespaces/default/events";
    let (code, shown) = cluster.get(&format!("{path}/e")).await;
    assert_eq!(code, 200, "{shown}");
    assert_eq!(shown["apiVersion"], "events.k8s.io/v1");
    assert_eq!(shown["note"], "it started");
    let core = "/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Da";
    assert_eq!(cluster.get(core).await.1["items"].as_array().unwrap().len(), 1);
}

/// Go leaves lists and times that are always told as `null`; clients see them, and one field that is
/// never told.
#[tokio::test]
async fn what_is_absent_and_always_told_is_null() {
    let cluster = Cluster::start().await;
    let namespaced = |group: &str, plural: &str| {
        let root = if group == "v1" { "/api".to_owned() } else { "/apis".to_owned() };
        format!("{root}/{group}/namespaces/default/{plural}")
    };
    let named = json!({"name": "a"});
    for (path, object, absent, told) in [
        (
            namespaced("rbac.authorization.k8s.io/v1", "roles"),
            json!({"metadata": named}),
            "",
            &["/rules"][..],
        ),
        (
            namespaced("discovery.k8s.io/v1", "endpointslices"),
            json!({"metadata": named, "addressType": "IPv4"}),
            "",
            &["/endpoints", "/ports"],
        ),
        (
            namespaced("autoscaling/v2", "horizontalpodautoscalers"),
            json!({
                "metadata": named,
                "spec": {"maxReplicas": 1, "scaleTargetRef": {"kind": "Deployment", "name": "a"}},
            }),
            "",
            &["/status/currentMetrics"],
        ),
        (namespaced("v1", "limitranges"), json!({"metadata": named}), "", &["/spec/limits"]),
        (
            namespaced("v1", "events"),
            json!({"metadata": {"name": "a"}, "involvedObject": {"namespace": "default"}}),
            "/series",
            &["/eventTime", "/firstTimestamp", "/lastTimestamp"],
        ),
        (
            namespaced("v1", "podtemplates"),
            json!({
                "metadata": named,
                "template": {
                    "metadata": {"creationTimestamp": null},
                    "spec": {"containers": [{"name": "a", "image": "a"}]},
                },
            }),
            "/template/metadata/creationTimestamp",
            &[],
        ),
    ] {
        let created = cluster.create(&path, object).await;
        let (_, read) = cluster.get(&format!("{path}/a")).await;
        for found in [&created, &read] {
            for place in told {
                assert_eq!(found.pointer(place), Some(&json!(null)), "{place} in {found}");
            }
            if !absent.is_empty() {
                assert_eq!(found.pointer(absent), None, "{absent} in {found}");
            }
        }
        // It is the same as nothing to those who write.
        let (_, written) = cluster.json("PUT", &format!("{path}/a"), &read).await;
        assert_eq!(written, read);
    }
}

#[tokio::test]
async fn what_has_no_rows_is_not_acceptable_as_a_table() {
    let cluster = Cluster::start().await;
    for (path, body) in [
        (
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            json!({"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}),
        ),
        ("/apis/authentication.k8s.io/v1/selfsubjectreviews", json!({})),
        ("/apis/authentication.k8s.io/v1/tokenreviews", json!({"spec": {"token": "a"}})),
        ("/api/v1/namespaces/default/serviceaccounts/a/token", json!({"spec": {}})),
    ] {
        let request = http::Request::post(path)
            .header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
            .header("content-type", "application/json")
            .body(axum::body::Body::from(body.to_string()))
            .unwrap();
        let answer = cluster.send(request).await;
        let status = answer.json();
        assert_eq!(
            (answer.code, &status["reason"]),
            (406, &json!("NotAcceptable")),
            "{path} {status}"
        );
    }
}

#[tokio::test]
async fn rows_come_in_pages_too() {
    let cluster = Cluster::start().await;
    for at in 0..5 {
        cluster.create(MAPS, map(&format!("m{at}"), "1")).await;
    }
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let mut path = format!("{MAPS}?limit=2");
    let mut names = Vec::new();
    for remaining in [json!(3), json!(1), json!(null)] {
        let page = cluster.accept(&path, table).await.json();
        assert_eq!(page["metadata"]["remainingItemCount"], remaining, "{page}");
        assert!(page["columnDefinitions"].as_array().is_some_and(|all| all.len() > 1));
        for row in page["rows"].as_array().unwrap() {
            names.push(row["object"]["metadata"]["name"].as_str().unwrap().to_owned());
        }
        let token = page["metadata"]["continue"].as_str().unwrap_or_default();
        path = format!("{MAPS}?limit=2&continue={token}");
    }
    assert_eq!(names, ["m0", "m1", "m2", "m3", "m4"]);
}
