//! Events: one object under two names.

use serde_json::{Value, json};

use crate::cluster::{Cluster, PODS, pod};

const CORE: &str = "/api/v1/namespaces/default/events";
const VIEW: &str = "/apis/events.k8s.io/v1/namespaces/default/events";

fn old(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": name},
        "involvedObject": {"kind": "Pod", "name": "web", "namespace": "default", "apiVersion": "v1"},
        "reason": "Pulled", "message": "it is here", "type": "Normal",
        "source": {"component": "kubelet", "host": "n1"},
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:01:00Z",
        "count": 3,
    })
}

fn new(name: &str) -> Value {
    json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": name},
        "regarding": {"kind": "Pod", "name": "web", "namespace": "default"},
        "related": {"kind": "Node", "name": "n1"},
        "eventTime": "2026-01-01T00:00:00.000001Z",
        "series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:02.000002Z"},
        "reportingController": "example.com/controller", "reportingInstance": "c-1",
        "action": "Watching", "reason": "Seen", "type": "Warning", "note": "look",
    })
}

#[tokio::test]
async fn an_event_of_one_group_is_read_through_the_other() {
    let cluster = Cluster::start().await;
    let made = cluster.create(CORE, old("a")).await;
    let (code, seen) = cluster.get(&format!("{VIEW}/a")).await;
    assert_eq!((code, &seen["apiVersion"]), (200, &json!("events.k8s.io/v1")), "{seen}");
    for (field, expected) in [
        ("/metadata/uid", &made["metadata"]["uid"]),
        ("/metadata/resourceVersion", &made["metadata"]["resourceVersion"]),
        ("/regarding/name", &json!("web")),
        ("/note", &json!("it is here")),
        ("/reason", &json!("Pulled")),
        ("/type", &json!("Normal")),
        ("/deprecatedSource", &json!({"component": "kubelet", "host": "n1"})),
        ("/deprecatedFirstTimestamp", &json!("2026-01-01T00:00:00Z")),
        ("/deprecatedLastTimestamp", &json!("2026-01-01T00:01:00Z")),
        ("/deprecatedCount", &json!(3)),
    ] {
        assert_eq!(seen.pointer(field), Some(expected), "{field} of {seen}");
    }
    for gone in ["involvedObject", "message", "source", "count", "firstTimestamp"] {
        assert_eq!(seen.get(gone), None, "{gone}");
    }

    cluster.create(VIEW, new("b")).await;
    let (code, seen) = cluster.get(&format!("{CORE}/b")).await;
    assert_eq!((code, &seen["apiVersion"]), (200, &json!("v1")), "{seen}");
    for (field, expected) in [
        ("/involvedObject/name", json!("web")),
        ("/related/name", json!("n1")),
        ("/message", json!("look")),
        ("/eventTime", json!("2026-01-01T00:00:00.000001Z")),
        ("/series/count", json!(2)),
        ("/series/lastObservedTime", json!("2026-01-01T00:00:02.000002Z")),
        ("/reportingComponent", json!("example.com/controller")),
        ("/reportingInstance", json!("c-1")),
        ("/action", json!("Watching")),
    ] {
        assert_eq!(seen.pointer(field), Some(&expected), "{field} of {seen}");
    }
    assert_eq!(seen.get("reportingController"), None);
    assert_eq!(seen.get("note"), None);
}

#[tokio::test]
async fn both_groups_select_by_their_own_names() {
    let cluster = Cluster::start().await;
    cluster.create(CORE, old("a")).await;
    cluster.create(VIEW, new("b")).await;
    let mut other = old("c");
    other["involvedObject"]["name"] = "db".into();
    cluster.create(CORE, other).await;
    let found = async |path: &str, selector: &str| -> Vec<String> {
        let (code, list) = cluster.get(&format!("{path}?fieldSelector={selector}")).await;
        assert_eq!(code, 200, "{path} {selector}: {list}");
        let items = list["items"].as_array().unwrap().iter();
        items.map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    for (path, selector, expected) in [
        (CORE, "involvedObject.name%3Dweb", &["a", "b"][..]),
        (VIEW, "regarding.name%3Dweb", &["a", "b"]),
        (CORE, "involvedObject.name!%3Dweb", &["c"]),
        (VIEW, "regarding.name!%3Dweb", &["c"]),
        (CORE, "type%3DWarning", &["b"]),
        (VIEW, "type%3DWarning,reason%3DSeen", &["b"]),
        (CORE, "reportingComponent%3Dexample.com/controller", &["b"]),
        (VIEW, "reportingController%3Dexample.com/controller", &["b"]),
        // Who reports counts as the source where none is named.
        (CORE, "source%3Dkubelet", &["a", "c"]),
        (CORE, "source%3Dexample.com/controller", &["b"]),
        (VIEW, "metadata.name%3Da", &["a"]),
    ] {
        assert_eq!(found(path, selector).await, expected, "{path} {selector}");
    }
    for (path, selector) in [(CORE, "regarding.name"), (VIEW, "involvedObject.name")] {
        let (code, status) = cluster.get(&format!("{path}?fieldSelector={selector}%3Dweb")).await;
        assert_eq!(code, 400, "{status}");
        let message = format!("field label not supported: {selector}");
        assert_eq!(status["message"], message.as_str());
    }
}

#[tokio::test]
async fn changes_and_deletions_through_one_group_are_seen_through_the_other() {
    let cluster = Cluster::start().await;
    cluster.create(PODS, pod("web")).await;
    cluster.create(VIEW, new("b")).await;
    let mut watch = cluster.watch(&format!("{CORE}?watch=true&resourceVersion=0")).await;
    assert_eq!(watch.short().await, "ADDED b");
    let merge = "application/merge-patch+json";
    let patch = json!({"series": {"count": 9}}).to_string();
    assert_eq!(cluster.raw("PATCH", &format!("{VIEW}/b"), merge, patch).await.code, 200);
    let event = watch.next().await.unwrap();
    assert_eq!(
        (&event["type"], &event["object"]["series"]["count"]),
        (&json!("MODIFIED"), &json!(9))
    );
    let patch = json!({"note": "another"}).to_string();
    let refused = cluster.raw("PATCH", &format!("{VIEW}/b"), merge, patch).await;
    assert_eq!(refused.code, 422, "what happened does not change");
    assert_eq!(cluster.delete(&format!("{VIEW}/b"), &json!({})).await.0, 200);
    let event = watch.next().await.unwrap();
    assert_eq!((&event["type"], &event["object"]["apiVersion"]), (&json!("DELETED"), &json!("v1")));
    assert_eq!(cluster.get(&format!("{CORE}/b")).await.0, 404);
}
