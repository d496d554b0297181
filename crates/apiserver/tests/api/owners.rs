//! Who owns which fields, written down by every write.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::cluster::{Cluster, MAPS, PODS, map, pod};

fn owner<'a>(object: &'a Value, manager: &str) -> &'a Value {
    let owners = object["metadata"]["managedFields"].as_array().expect("there are owners");
    owners.iter().find(|owner| owner["manager"] == manager).unwrap_or(&Value::Null)
}

#[tokio::test]
async fn a_new_object_is_its_makers() {
    let cluster = Cluster::start().await;
    let path = format!("{MAPS}?fieldManager=maker");
    let made = cluster.create(&path, map("a", "1")).await;
    let own = owner(&made, "maker");
    assert_eq!((&own["operation"], &own["apiVersion"]), (&json!("Update"), &json!("v1")));
    assert_eq!(
        (&own["fieldsType"], &own["time"]),
        (&json!("FieldsV1"), &made["metadata"]["creationTimestamp"])
    );
    assert_eq!(own["fieldsV1"], json!({"f:data": {".": {}, "f:key": {}}}));
    let made = cluster.create(&format!("{PODS}?fieldManager=maker"), pod("a")).await;
    let fields = &owner(&made, "maker")["fieldsV1"];
    let container = &fields["f:spec"]["f:containers"]["k:{\"name\":\"main\"}"];
    assert_eq!((&container["."], &container["f:image"]), (&json!({}), &json!({})));
    assert!(fields.get("f:status").is_none(), "the status is not written here");
    assert!(fields["f:metadata"].get("f:uid").is_none());
    assert!(fields["f:spec"].get("f:serviceAccountName").is_none(), "nor what admission adds");
}

#[tokio::test]
async fn a_program_that_names_nobody_is_known_by_its_name() {
    let cluster = Cluster::start().await;
    for (name, agent, manager) in [
        ("a", Some("kubectl/v1.36.0 (linux/amd64)"), "kubectl"),
        ("b", Some(""), "unknown"),
        ("c", None, "unknown"),
    ] {
        let mut request = Request::post(MAPS).header("content-type", "application/json");
        if let Some(agent) = agent {
            request = request.header("user-agent", agent);
        }
        let request = request.body(Body::from(map(name, "1").to_string())).unwrap();
        let made = cluster.send(request).await.json();
        assert!(owner(&made, manager).is_object(), "{made}");
    }
}

#[tokio::test]
async fn who_changes_a_field_owns_it() {
    let cluster = Cluster::start().await;
    cluster.create(&format!("{MAPS}?fieldManager=maker"), map("a", "1")).await;
    let path = format!("{MAPS}/a");
    let merge = "application/merge-patch+json";
    let patch = json!({"data": {"key": "2", "more": "x"}}).to_string();
    let changed = cluster.raw("PATCH", &format!("{path}?fieldManager=editor"), merge, patch).await;
    let changed = changed.json();
    assert_eq!(
        owner(&changed, "editor")["fieldsV1"],
        json!({"f:data": {"f:key": {}, "f:more": {}}})
    );
    assert_eq!(owner(&changed, "maker")["fieldsV1"], json!({"f:data": {}}));
    let mut whole = changed.clone();
    whole["data"] = json!({"key": "2"});
    let (code, changed) = cluster.json("PUT", &format!("{path}?fieldManager=third"), &whole).await;
    assert_eq!(code, 200);
    assert_eq!(owner(&changed, "editor")["fieldsV1"], json!({"f:data": {"f:key": {}}}));
    assert!(owner(&changed, "third").is_null(), "who only takes away owns nothing");
    let (_, same) = cluster.json("PUT", &format!("{path}?fieldManager=third"), &changed).await;
    assert_eq!(same, changed, "a write that changes nothing is none");
}

#[tokio::test]
async fn a_subresource_has_owners_of_its_own() {
    let cluster = Cluster::start().await;
    let mut made = cluster.create(&format!("{PODS}?fieldManager=maker"), pod("a")).await;
    made["status"]["phase"] = "Running".into();
    let path = format!("{PODS}/a/status?fieldManager=maker");
    let (code, changed) = cluster.json("PUT", &path, &made).await;
    assert_eq!(code, 200, "{changed}");
    let owners = changed["metadata"]["managedFields"].as_array().unwrap();
    let status = owners.iter().find(|owner| owner["subresource"] == "status").unwrap();
    assert_eq!(status["fieldsV1"], json!({"f:status": {"f:phase": {}}}));
    assert_eq!(owners.len(), 2);
}

#[tokio::test]
async fn only_so_many_are_kept_apart() {
    let cluster = Cluster::start().await;
    cluster.create(&format!("{MAPS}?fieldManager=m0"), map("a", "1")).await;
    let merge = "application/merge-patch+json";
    for at in 1..14 {
        let patch = json!({"data": {format!("k{at}"): "x"}}).to_string();
        let path = format!("{MAPS}/a?fieldManager=m{at}");
        assert_eq!(cluster.raw("PATCH", &path, merge, patch).await.code, 200);
    }
    let (_, object) = cluster.get(&format!("{MAPS}/a")).await;
    assert_eq!(object["metadata"]["managedFields"].as_array().unwrap().len(), 10);
    assert!(owner(&object, "ancient-changes").is_object());
}

#[tokio::test]
async fn names_of_managers_are_printable_and_short() {
    let cluster = Cluster::start().await;
    let long = "x".repeat(129);
    for manager in ["a%00b", "a%0Ab", &long] {
        let path = format!("{MAPS}?fieldManager={manager}");
        let (code, status) = cluster.json("POST", &path, &map("a", "1")).await;
        assert_eq!((code, &status["reason"]), (422, &json!("Invalid")), "{manager}: {status}");
        assert_eq!(status["details"]["causes"][0]["field"], "fieldManager");
    }
}

/// What a write makes of owners that a client gives.
async fn owners_after(cluster: &Cluster, fields: Value) -> (u16, Value) {
    let patch = json!({"metadata": {"managedFields": fields}}).to_string();
    let path = format!("{MAPS}/a");
    let answer = cluster.raw("PATCH", &path, "application/merge-patch+json", patch).await;
    let mut object = answer.json();
    let found = match answer.code {
        200 => object["metadata"]["managedFields"].take(),
        _ => object["message"].take(),
    };
    (answer.code, found)
}

#[tokio::test]
async fn owners_that_cannot_be_read_leave_those_that_are_there() {
    let cluster = Cluster::start().await;
    let made = cluster.create(&format!("{MAPS}?fieldManager=maker"), map("a", "1")).await;
    let own = &made["metadata"]["managedFields"];
    assert_eq!(own[0]["manager"], "maker");
    let entry = |change: Value| {
        let mut entry = own[0].clone();
        for (key, value) in change.as_object().unwrap() {
            entry[key] = value.clone();
        }
        json!([entry])
    };
    for bad in [
        json!([]),
        Value::Null,
        entry(json!({"operation": "Look"})),
        entry(json!({"apiVersion": ""})),
        entry(json!({"fieldsType": ""})),
        entry(json!({"fieldsType": "FieldsV2"})),
        entry(json!({"fieldsV1": {"x:data": {}}})),
        entry(json!({"fieldsV1": {"f:data": 1}})),
    ] {
        assert_eq!(owners_after(&cluster, bad.clone()).await, (200, own.clone()), "{bad}");
    }
    let renamed = entry(json!({"manager": "other"}));
    assert_eq!(owners_after(&cluster, renamed.clone()).await, (200, renamed));
    let (code, message) = owners_after(&cluster, entry(json!({"manager": "x".repeat(129)}))).await;
    assert_eq!(
        (code, message.as_str()),
        (
            422,
            Some(
                "ConfigMap \"a\" is invalid: metadata.managedFields[0].manager: Too long: may not \
                 be more than 128 bytes"
            )
        )
    );
    assert_eq!(owners_after(&cluster, json!([{}])).await, (200, Value::Null));
}
