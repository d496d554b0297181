//! Watches.

use serde_json::json;

use crate::cluster::{Cluster, MAPS, PODS, map, pod, revision};

#[tokio::test]
async fn every_change_comes_once_and_in_order() {
    let cluster = Cluster::start().await;
    let (_, list) = cluster.get(MAPS).await;
    let from = revision(&list);
    let mut watch = cluster.watch(&format!("{MAPS}?watch=true&resourceVersion={from}")).await;
    let mut expected = Vec::new();
    for round in 0..20 {
        let name = format!("m{round}");
        cluster.create(MAPS, map(&name, "1")).await;
        cluster.json("PUT", &format!("{MAPS}/{name}"), &map(&name, "2")).await;
        cluster.delete(&format!("{MAPS}/{name}"), &json!({})).await;
        expected.extend(["ADDED", "MODIFIED", "DELETED"].map(|kind| format!("{kind} {name}")));
    }
    let mut last = from;
    let mut revisions = Vec::new();
    for expected in &expected {
        let event = watch.next().await.unwrap();
        let name = event["object"]["metadata"]["name"].as_str().unwrap();
        assert_eq!(&format!("{} {name}", event["type"].as_str().unwrap()), expected);
        let now = revision(&event["object"]);
        assert!(now > last, "revisions grow");
        last = now;
        revisions.push(now);
    }
    // Another watch goes on where this one could have stopped.
    let at = revisions[30];
    let mut resumed = cluster.watch(&format!("{MAPS}?watch=1&resourceVersion={at}")).await;
    for expected in &expected[31..] {
        assert_eq!(&resumed.short().await, expected);
    }
}

#[tokio::test]
async fn a_watch_from_before_the_window_is_expired() {
    let cluster = Cluster::start().await;
    let first = cluster.create(MAPS, map("a", "1")).await;
    cluster.create(MAPS, map("b", "1")).await;
    cluster.server.compact_window();
    let from = revision(&first);
    let mut watch = cluster.watch(&format!("{MAPS}?watch=1&resourceVersion={from}")).await;
    let event = watch.next().await.unwrap();
    assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(410)));
    assert_eq!(event["object"]["reason"], "Expired");
    let message = event["object"]["message"].as_str().unwrap();
    assert!(message.starts_with(&format!("too old resource version: {from} (")), "{message}");
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn a_streaming_list_says_when_it_is_complete() {
    let cluster = Cluster::start().await;
    cluster.create(MAPS, map("a", "1")).await;
    cluster.create(MAPS, map("b", "1")).await;
    let path = format!(
        "{MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&\
         allowWatchBookmarks=true"
    );
    let mut watch = cluster.watch(&path).await;
    assert_eq!(watch.short().await, "ADDED a");
    assert_eq!(watch.short().await, "ADDED b");
    let bookmark = watch.next().await.unwrap();
    assert_eq!(bookmark["type"], "BOOKMARK");
    assert_eq!(bookmark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(bookmark["object"]["kind"], "ConfigMap");
    cluster.create(MAPS, map("c", "1")).await;
    assert_eq!(watch.short().await, "ADDED c");

    let (code, status) = cluster.get(&format!("{MAPS}?watch=1&sendInitialEvents=true")).await;
    assert_eq!((code, &status["reason"]), (422, &json!("Invalid")));
}

#[tokio::test(start_paused = true)]
async fn a_quiet_watch_gets_bookmarks_and_ends_in_time() {
    let cluster = Cluster::start().await;
    let path =
        format!("{MAPS}?watch=1&resourceVersion=0&allowWatchBookmarks=true&timeoutSeconds=90");
    let mut watch = cluster.watch(&path).await;
    let other = cluster.create("/api/v1/namespaces", json!({"metadata": {"name": "x"}})).await;
    let bookmark = watch.unhurried().await.unwrap();
    assert_eq!(bookmark["type"], "BOOKMARK");
    assert_eq!(revision(&bookmark["object"]), revision(&other));
    let last = watch.unhurried().await.unwrap();
    assert_eq!(last["type"], "BOOKMARK");
    assert!(watch.unhurried().await.is_none());
}

#[tokio::test]
async fn an_object_that_stops_matching_is_gone_for_the_watch() {
    let cluster = Cluster::start().await;
    let path = format!("{PODS}?watch=1&labelSelector=app%3Dblue");
    let mut labelled = cluster.watch(&path).await;
    let path = "/api/v1/pods?watch=1&fieldSelector=spec.nodeName%3Dn1";
    let mut placed = cluster.watch(path).await;
    cluster.create(PODS, pod("a")).await;
    let patch = |colour: &str| json!({"metadata": {"labels": {"app": colour}}}).to_string();
    let merge = "application/merge-patch+json";
    let one = format!("{PODS}/a");
    cluster.raw("PATCH", &one, merge, patch("blue")).await;
    cluster.raw("PATCH", &one, merge, patch("red")).await;
    cluster.raw("PATCH", &one, merge, patch("blue")).await;
    let binding = json!({"metadata": {"name": "a"}, "target": {"kind": "Node", "name": "n1"}});
    let (code, status) = cluster.json("POST", &format!("{one}/binding"), &binding).await;
    assert_eq!(code, 201, "{status}");
    assert_eq!(labelled.short().await, "ADDED a");
    let gone = labelled.next().await.unwrap();
    assert_eq!(gone["type"], "DELETED");
    assert_eq!(gone["object"]["metadata"]["labels"]["app"], "blue");
    assert_eq!(labelled.short().await, "ADDED a");
    assert_eq!(labelled.short().await, "MODIFIED a");
    let event = placed.next().await.unwrap();
    assert_eq!(
        (&event["type"], &event["object"]["spec"]["nodeName"]),
        (&json!("ADDED"), &json!("n1"))
    );
}

#[tokio::test]
async fn a_watch_of_rows_has_headings_once() {
    let cluster = Cluster::start().await;
    cluster.create(PODS, pod("a")).await;
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let mut watch = cluster.watch_as(&format!("{PODS}?watch=1&resourceVersion=0"), accept).await;
    let first = watch.next().await.unwrap();
    assert_eq!(first["object"]["kind"], "Table");
    assert_eq!(first["object"]["columnDefinitions"][0]["name"], "Name");
    assert_eq!(first["object"]["rows"][0]["cells"][0], "a");
    cluster.create(PODS, pod("b")).await;
    let second = watch.next().await.unwrap();
    assert_eq!(second["object"]["columnDefinitions"], json!([]));
    assert_eq!(second["object"]["rows"][0]["object"]["metadata"]["name"], "b");
}
