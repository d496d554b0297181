//! Kinds that come while the server runs.

use std::sync::Arc;

use serde_json::{Value, json};
use wk_apiserver::{KindError, NoNodes};
use wk_resources::{Definition, Plain};
use wk_store::MemoryStore;

use crate::cluster::{Cluster, map};

const WIDGETS: &str = "/apis/example.dev/v1/namespaces/default/widgets";
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Config maps under another name.
fn widgets() -> Definition {
    let maps = wk_resources::definition("", "v1", "ConfigMap").expect("there are config maps");
    Definition {
        group: "example.dev".into(),
        kind: "Widget".into(),
        list_kind: "WidgetList".into(),
        plural: "widgets".into(),
        singular: "widget".into(),
        short_names: vec!["wi".into()],
        rules: Arc::new(Plain),
        ..Definition::clone(maps)
    }
}

fn widget(name: &str) -> Value {
    let mut widget = map(name, "1");
    widget["apiVersion"] = "example.dev/v1".into();
    widget["kind"] = "Widget".into();
    widget
}

/// Whether the group is in the aggregated form, the plain one, and the index of documents.
async fn seen(cluster: &Cluster) -> [bool; 3] {
    let aggregated = cluster.accept("/apis", AGGREGATED).await.json();
    let named = |item: &Value, path: &str| item.pointer(path) == Some(&"example.dev".into());
    let of = |list: &Value, field: &str, path: &str| {
        list[field].as_array().unwrap().iter().any(|item| named(item, path))
    };
    let (_, plain) = cluster.get("/apis").await;
    let (_, index) = cluster.get("/openapi/v3").await;
    [
        of(&aggregated, "items", "/metadata/name"),
        of(&plain, "groups", "/name"),
        index["paths"].get("apis/example.dev/v1").is_some(),
    ]
}

#[tokio::test]
async fn a_kind_is_added_while_the_server_runs() {
    let cluster = Cluster::start().await;
    assert_eq!(seen(&cluster).await, [false; 3]);
    assert_eq!(cluster.get(WIDGETS).await.0, 404);
    let (_, before) = cluster.get("/openapi/v2").await;

    cluster.server.add_kind(widgets()).await.unwrap();

    assert_eq!(seen(&cluster).await, [true; 3]);
    let (_, list) = cluster.get("/apis/example.dev/v1").await;
    assert_eq!(list["resources"][0]["shortNames"], json!(["wi"]), "{list}");
    let (_, group) = cluster.get("/apis/example.dev").await;
    assert_eq!(group["preferredVersion"]["groupVersion"], "example.dev/v1");
    let (_, after) = cluster.get("/openapi/v2").await;
    let path = "/apis/example.dev/v1/namespaces/{namespace}/widgets/{name}";
    assert!(before["paths"].get(path).is_none() && after["paths"].get(path).is_some());
    let (_, document) = cluster.get("/openapi/v3/apis/example.dev/v1").await;
    assert!(document["paths"].get(path).is_some());

    // Every verb is answered as for the kinds that were there from the beginning.
    let mut watch = cluster.watch(&format!("{WIDGETS}?watch=true")).await;
    let created = cluster.create(WIDGETS, widget("one")).await;
    assert_eq!(
        (&created["kind"], &created["apiVersion"]),
        (&json!("Widget"), &json!("example.dev/v1"))
    );
    let patch = json!({"data": {"key": "2"}}).to_string();
    let one = format!("{WIDGETS}/one");
    assert_eq!(cluster.raw("PATCH", &one, "application/merge-patch+json", patch).await.code, 200);
    let apply = json!({"apiVersion": "example.dev/v1", "kind": "Widget", "data": {"own": "3"}});
    let applied = format!("{one}?fieldManager=test");
    let answer = cluster.raw("PATCH", &applied, "application/apply-patch+yaml", apply.to_string());
    assert_eq!(answer.await.json()["data"], json!({"key": "2", "own": "3"}));
    let (_, everywhere) = cluster.get("/apis/example.dev/v1/widgets?labelSelector=!none").await;
    assert_eq!(everywhere["kind"], "WidgetList");
    assert_eq!(everywhere["items"][0]["metadata"]["name"], "one");
    let table = cluster.accept(WIDGETS, "application/json;as=Table;v=v1;g=meta.k8s.io").await;
    assert_eq!(table.json()["rows"][0]["cells"][0], "one");
    assert_eq!(cluster.delete(&one, &json!({})).await.0, 200);
    for expected in ["ADDED one", "MODIFIED one", "MODIFIED one", "DELETED one"] {
        assert_eq!(watch.short().await, expected);
    }

    let again = cluster.server.add_kind(widgets()).await.unwrap_err();
    assert!(matches!(again, KindError::Taken(_)), "{again}");
}

#[tokio::test]
async fn what_is_stored_of_a_kind_is_there_when_it_comes() {
    let store = Arc::new(MemoryStore::new());
    let first = Cluster::with(Arc::clone(&store) as _, Arc::new(NoNodes)).await;
    first.server.add_kind(widgets()).await.unwrap();
    for index in 0..1500 {
        first.create(WIDGETS, widget(&format!("w{index}"))).await;
    }
    let second = Cluster::with(store, Arc::new(NoNodes)).await;
    // Others go on writing while the new one reads.
    let writes = async {
        for index in 0..300 {
            let name = format!("{WIDGETS}/w{index}");
            assert_eq!(first.delete(&name, &json!({})).await.0, 200);
            first.create(WIDGETS, widget(&format!("x{index}"))).await;
        }
    };
    let (added, ()) = tokio::join!(second.server.add_kind(widgets()), writes);
    added.unwrap();
    let (_, wanted) = first.get(WIDGETS).await;
    let revision = wanted["metadata"]["resourceVersion"].as_str().unwrap();
    // Not before it has seen all that the first one wrote.
    let path = format!("{WIDGETS}?resourceVersion={revision}&resourceVersionMatch=NotOlderThan");
    let (code, found) = second.get(&path).await;
    assert_eq!(code, 200, "{found}");
    assert_eq!(found["items"].as_array().unwrap().len(), 1500);
    assert!(found["items"] == wanted["items"], "both have the same objects");
}

#[tokio::test]
async fn a_view_comes_only_after_its_original() {
    let cluster = Cluster::start().await;
    let view = || Definition {
        version: "v2".into(),
        stored_as: Some(("example.dev", "v1", "Widget")),
        ..widgets()
    };
    let refused = cluster.server.add_kind(view()).await.unwrap_err();
    assert!(matches!(refused, KindError::NoOriginal(..)), "{refused}");
    cluster.server.add_kind(widgets()).await.unwrap();
    cluster.create(WIDGETS, widget("one")).await;
    cluster.server.add_kind(view()).await.unwrap();
    let (code, one) = cluster.get("/apis/example.dev/v2/namespaces/default/widgets/one").await;
    assert_eq!((code, &one["apiVersion"]), (200, &json!("example.dev/v2")), "{one}");
    // A stable version before another by its number.
    let (_, group) = cluster.get("/apis/example.dev").await;
    assert_eq!(group["preferredVersion"]["version"], "v2");
}
