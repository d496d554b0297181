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
