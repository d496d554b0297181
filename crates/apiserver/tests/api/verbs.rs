//! What discovery advertises is what is answered, for every kind and part of a kind.

use axum::body::Body;
use http::Request;
use serde_json::Value;

use crate::cluster::{Answer, Cluster};

const VERBS: [&str; 8] =
    ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// A request of a verb about something that is not there.
fn request(verb: &str, collection: &str, named: &str) -> Request<Body> {
    let (method, path, body) = match verb {
        "get" => ("GET", named.to_owned(), ""),
        "list" => ("GET", collection.to_owned(), ""),
        "watch" => ("GET", format!("{collection}?watch=true&timeoutSeconds=60"), ""),
        "create" => ("POST", collection.to_owned(), "{}"),
        "update" => ("PUT", named.to_owned(), "{}"),
        "patch" => ("PATCH", named.to_owned(), "{}"),
        "delete" => ("DELETE", named.to_owned(), ""),
        "deletecollection" => ("DELETE", collection.to_owned(), ""),
        other => unreachable!("{other}"),
    };
    let sign = if path.contains('?') { '&' } else { '?' };
    let uri = if method == "GET" { path } else { format!("{path}{sign}dryRun=All") };
    let media_type =
        if verb == "patch" { "application/merge-patch+json" } else { "application/json" };
    let builder = Request::builder().method(method).uri(uri).header("content-type", media_type);
    builder.body(Body::from(body)).unwrap()
}

/// Whether the answer says that there is no such thing to be asked.
fn is_unserved(code: u16, body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    code == 405 || code == 404 && text.contains("could not find the requested resource")
}

async fn check(
    cluster: &Cluster,
    what: &str,
    verb: &str,
    advertised: bool,
    request: Request<Body>,
) {
    let (code, body) = if verb == "watch" {
        // It would go on; its head tells enough.
        (cluster.head(request).await, Vec::new())
    } else {
        let Answer { code, bytes, .. } = cluster.send(request).await;
        (code, bytes.to_vec())
    };
    let text = String::from_utf8_lossy(&body).into_owned();
    assert!(code < 500 || what.ends_with("/proxy"), "{verb} {what}: {code} {text}");
    if advertised {
        assert!(!is_unserved(code, &body), "{verb} {what} is advertised: {code} {text}");
    } else {
        assert_eq!(code, 405, "{verb} {what} is not advertised: {text}");
    }
}

async fn every_verb(cluster: &Cluster, root: &str, resource: &Value) {
    let plural = resource["resource"].as_str().unwrap();
    let namespaced = resource["scope"] == "Namespaced";
    let place = if namespaced { "/namespaces/default" } else { "" };
    let collection = format!("{root}{place}/{plural}");
    let named = format!("{collection}/absent");
    let has = |of: &Value, verb: &str| of["verbs"].as_array().unwrap().iter().any(|v| v == verb);
    // A resource may stand there for the sake of its parts alone: metrics of pods are no pods.
    let own = if resource["verbs"] == serde_json::json!([]) { &[][..] } else { &VERBS };
    for verb in own.iter().copied() {
        let request = request(verb, &collection, &named);
        check(cluster, plural, verb, has(resource, verb), request).await;
    }
    for sub in resource["subresources"].as_array().into_iter().flatten() {
        let name = sub["subresource"].as_str().unwrap();
        let path = format!("{named}/{name}");
        // A part of an object has no collection.
        for verb in ["create", "delete", "get", "patch", "update"] {
            if own.is_empty() && !has(sub, verb) {
                continue;
            }
            let request = request(verb, &path, &path);
            check(cluster, &format!("{plural}/{name}"), verb, has(sub, verb), request).await;
        }
    }
}

#[tokio::test]
async fn every_verb_advertised_is_answered_and_no_other() {
    let cluster = Cluster::start().await;
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let mut kinds = 0;
    for path in ["/api", "/apis"] {
        let groups = cluster.accept(path, accept).await.json();
        for group in groups["items"].as_array().unwrap() {
            for version in group["versions"].as_array().unwrap() {
                let version_name = version["version"].as_str().unwrap();
                let root = match group["metadata"]["name"].as_str() {
                    Some(group) => format!("/apis/{group}/{version_name}"),
                    None => format!("/api/{version_name}"),
                };
                for resource in version["resources"].as_array().unwrap() {
                    every_verb(&cluster, &root, resource).await;
                    kinds += 1;
                }
            }
        }
    }
    assert!(kinds > 60, "{kinds}");
}

#[tokio::test]
async fn the_two_forms_of_discovery_advertise_the_same() {
    let cluster = Cluster::start().await;
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let groups = cluster.accept("/apis", accept).await.json();
    for group in groups["items"].as_array().unwrap() {
        let name = group["metadata"]["name"].as_str().unwrap();
        for version in group["versions"].as_array().unwrap() {
            let path = format!("/apis/{name}/{}", version["version"].as_str().unwrap());
            let (_, list) = cluster.get(&path).await;
            let mut plain: Vec<(String, Value)> = list["resources"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| (one["name"].as_str().unwrap().to_owned(), one["verbs"].clone()))
                .collect();
            let mut aggregated = Vec::new();
            for resource in version["resources"].as_array().unwrap() {
                let plural = resource["resource"].as_str().unwrap();
                if resource["verbs"] != serde_json::json!([]) {
                    aggregated.push((plural.to_owned(), resource["verbs"].clone()));
                }
                for sub in resource["subresources"].as_array().into_iter().flatten() {
                    let sub_name = sub["subresource"].as_str().unwrap();
                    aggregated.push((format!("{plural}/{sub_name}"), sub["verbs"].clone()));
                }
            }
            plain.sort_by(|a, b| a.0.cmp(&b.0));
            aggregated.sort_by(|a, b| a.0.cmp(&b.0));
            assert_eq!(plain, aggregated, "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_not_served_is_not_there() {
    let cluster = Cluster::start().await;
    for path in [
        "/apis/example.com/v1/namespaces/default/widgets",
        "/apis/apiextensions.k8s.io/v1/widgets",
        "/apis/apiregistration.k8s.io/v1/apiservices",
        "/api/v1/widgets",
        "/api/v2/pods",
        "/apis/apps/v1beta1/deployments",
    ] {
        let (code, status) = cluster.get(path).await;
        assert_eq!((code, &status["reason"]), (404, &"NotFound".into()), "{path}: {status}");
        let message = "the server could not find the requested resource";
        assert_eq!(status["message"], message, "{path}");
        assert_eq!(status["details"], serde_json::json!({}), "{path}");
    }
}

#[tokio::test]
async fn component_statuses_tell_how_the_store_is_and_that_they_are_deprecated() {
    let cluster = Cluster::start().await;
    let answer = cluster.accept("/api/v1/componentstatuses", "application/json").await;
    let list = answer.json();
    assert_eq!((answer.code, &list["kind"]), (200, &"ComponentStatusList".into()), "{list}");
    let healthy = serde_json::json!([{"type": "Healthy", "status": "True", "message": "ok"}]);
    assert_eq!(list["items"][0]["metadata"], serde_json::json!({"name": "etcd-0"}));
    assert_eq!(list["items"][0]["conditions"], healthy);
    let warning = answer.headers["warning"].to_str().unwrap();
    assert_eq!(warning, "299 - \"v1 ComponentStatus is deprecated in v1.19+\"");
    let (code, one) = cluster.get("/api/v1/componentstatuses/etcd-0").await;
    assert_eq!((code, &one["kind"]), (200, &"ComponentStatus".into()), "{one}");
    let (code, status) = cluster.get("/api/v1/componentstatuses/absent").await;
    assert_eq!((code, &status["details"]["kind"]), (404, &"componentstatuses".into()));
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let path = "/api/v1/componentstatuses?fieldSelector=metadata.name%3Detcd-0";
    let table = cluster.accept(path, table).await.json();
    assert_eq!(table["rows"][0]["cells"], serde_json::json!(["etcd-0", "Healthy", "ok", ""]));
    let (_, none) = cluster.get("/api/v1/componentstatuses?labelSelector=a").await;
    assert_eq!(none["items"], serde_json::json!([]));
}
