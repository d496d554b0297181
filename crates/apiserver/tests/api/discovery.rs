//! Discovery, documents, version and health.

use http::Request;
use serde_json::{Value, json};

use crate::cluster::Cluster;

fn find<'a>(list: &'a Value, field: &str, value: &str) -> &'a Value {
    let found = list.as_array().unwrap().iter().find(|item| item[field] == value);
    found.unwrap_or_else(|| panic!("{value} in {list}"))
}

#[tokio::test]
async fn kinds_are_found_in_both_forms() {
    let cluster = Cluster::start().await;
    let (_, versions) = cluster.get("/api").await;
    assert_eq!((&versions["kind"], &versions["versions"]), (&json!("APIVersions"), &json!(["v1"])));
    let (_, list) = cluster.get("/api/v1").await;
    let pods = find(&list["resources"], "name", "pods");
    assert_eq!(pods["shortNames"], json!(["po"]));
    assert_eq!(pods["categories"], json!(["all"]));
    assert_eq!(find(&list["resources"], "name", "pods/eviction")["group"], "policy");
    let (_, groups) = cluster.get("/apis").await;
    let group = find(&groups["groups"], "name", "coordination.k8s.io");
    assert_eq!(group["preferredVersion"]["groupVersion"], "coordination.k8s.io/v1");
    let (code, list) = cluster.get("/apis/coordination.k8s.io/v1").await;
    assert_eq!((code, &list["groupVersion"]), (200, &json!("coordination.k8s.io/v1")));
    assert_eq!(cluster.get("/apis/coordination.k8s.io").await.1["kind"], "APIGroup");

    for version in ["v2", "v2beta1"] {
        let accept = format!(
            "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList,\
             application/json"
        );
        let answer = cluster.accept("/api", &accept).await;
        let core = answer.json();
        assert_eq!(core["apiVersion"], format!("apidiscovery.k8s.io/{version}"));
        let resources = &core["items"][0]["versions"][0]["resources"];
        let pods = find(resources, "resource", "pods");
        assert_eq!(
            (&pods["scope"], &pods["responseKind"]["kind"]),
            (&json!("Namespaced"), &json!("Pod"))
        );
        find(&pods["subresources"], "subresource", "log");
        let media_type = answer.headers["content-type"].to_str().unwrap();
        assert!(media_type.contains("as=APIGroupDiscoveryList"), "{media_type}");
        let apis = cluster.accept("/apis", &accept).await.json();
        assert!(
            apis["items"]
                .as_array()
                .unwrap()
                .iter()
                .all(|item| item["metadata"]["name"].is_string())
        );
    }
}

#[tokio::test]
async fn documents_are_kept_by_their_hash() {
    let cluster = Cluster::start().await;
    let (_, index) = cluster.get("/openapi/v3").await;
    let url = index["paths"]["api/v1"]["serverRelativeURL"].as_str().unwrap();
    let answer = cluster.accept(url, "application/json").await;
    assert_eq!(answer.code, 200);
    assert!(answer.json()["components"]["schemas"]["io.k8s.api.core.v1.Pod"].is_object());
    let tag = &answer.headers["etag"];
    let again = Request::get(url).header("if-none-match", tag).body(axum::body::Body::empty());
    assert_eq!(cluster.send(again.unwrap()).await.code, 304);
    let (code, v2) = cluster.get("/openapi/v2").await;
    assert_eq!((code, &v2["swagger"]), (200, &json!("2.0")));
}

#[tokio::test]
async fn the_document_in_protobuf_has_a_media_type_that_parses() {
    let cluster = Cluster::start().await;
    let valid = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
    for (accept, expected) in [
        ("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", valid),
        (valid, valid),
        ("text/html;q=0.9, application/json;q=0.1", "application/json"),
        ("*/*", "application/json"),
    ] {
        let answer = cluster.accept("/openapi/v2", accept).await;
        let media_type = answer.headers["content-type"].to_str().unwrap();
        assert_eq!((answer.code, media_type), (200, expected), "{accept}");
    }
    assert_eq!(cluster.accept("/openapi/v2", "text/html").await.code, 406);
}

#[tokio::test]
async fn the_server_tells_of_itself() {
    let cluster = Cluster::start().await;
    let (_, version) = cluster.get("/version/").await;
    assert_eq!((&version["major"], &version["minor"]), (&json!("1"), &json!("36")));
    assert_eq!(&cluster.accept("/readyz", "*/*").await.bytes[..], b"ok");
    let verbose = cluster.accept("/livez?verbose", "*/*").await.bytes;
    assert!(String::from_utf8_lossy(&verbose).contains("[+]store ok"));
    cluster.server.measure(|| "beside_total 1\n# EOF\n".to_owned());
    let metrics = cluster.accept("/metrics", "*/*").await.bytes;
    let metrics = String::from_utf8_lossy(&metrics).into_owned();
    for name in [
        "apiserver_request_total",
        "apiserver_request_duration_seconds",
        "apiserver_storage_objects{resource=\"core/namespaces\"} 4",
        "beside_total 1\n",
    ] {
        assert!(metrics.contains(name), "{name}: {metrics}");
    }
    assert_eq!(metrics.matches("# EOF").count(), 1, "{metrics}");
}

#[tokio::test]
async fn one_can_ask_what_one_may() {
    let cluster = Cluster::start().await;
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let review = json!({"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}});
    let (code, answer) = cluster.json("POST", path, &review).await;
    assert_eq!((code, &answer["status"]["allowed"]), (201, &json!(true)), "{answer}");
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let (_, answer) = cluster.json("POST", path, &json!({})).await;
    assert_eq!(answer["status"]["userInfo"]["username"], "admin");
}
