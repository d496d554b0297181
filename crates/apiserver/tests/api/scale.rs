//! The `scale` subresource.

use serde_json::{Value, json};

use crate::cluster::Cluster;

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

fn template() -> Value {
    json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": "example.test/web:1"}]},
    })
}

fn scalable(api_version: &str, kind: &str, selector: &Value) -> Value {
    let mut object = json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "web"},
        "spec": {"replicas": 3, "selector": selector, "template": template()},
    });
    if kind == "StatefulSet" {
        object["spec"]["serviceName"] = "web".into();
    }
    object
}

fn deployment() -> Value {
    scalable("apps/v1", "Deployment", &json!({"matchLabels": {"app": "web"}}))
}

fn scale(replicas: i64) -> Value {
    json!({
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": "web"},
        "spec": {"replicas": replicas},
    })
}

async fn patched(cluster: &Cluster, path: &str, kind: &str, patch: &Value) -> (u16, Value) {
    let media_type = format!("application/{kind}");
    let answer = cluster.raw("PATCH", path, &media_type, patch.to_string()).await;
    (answer.code, answer.json())
}

#[tokio::test]
async fn every_scalable_kind_shows_and_takes_its_number() {
    let cluster = Cluster::start().await;
    let selector = json!({"matchLabels": {"app": "web"}});
    for (base, version, kind, plural, selector) in [
        ("/apis/apps/v1", "apps/v1", "Deployment", "deployments", &selector),
        ("/apis/apps/v1", "apps/v1", "ReplicaSet", "replicasets", &selector),
        ("/apis/apps/v1", "apps/v1", "StatefulSet", "statefulsets", &selector),
        (
            "/api/v1",
            "v1",
            "ReplicationController",
            "replicationcontrollers",
            &json!({"app": "web"}),
        ),
    ] {
        let path = format!("{base}/namespaces/default/{plural}");
        let made = cluster.create(&path, scalable(version, kind, selector)).await;
        let path = format!("{path}/web");
        let (code, shown) = cluster.get(&format!("{path}/scale")).await;
        assert_eq!(code, 200, "{shown}");
        assert_eq!(
            (&shown["kind"], &shown["apiVersion"]),
            (&json!("Scale"), &json!("autoscaling/v1"))
        );
        assert_eq!(shown["spec"], json!({"replicas": 3}), "{kind}");
        assert_eq!(shown["status"], json!({"replicas": 0, "selector": "app=web"}), "{kind}");
        assert_eq!(shown["metadata"]["uid"], made["metadata"]["uid"]);
        let (code, shown) = cluster.json("PUT", &format!("{path}/scale"), &scale(5)).await;
        assert_eq!((code, &shown["spec"]["replicas"]), (200, &json!(5)), "{kind}: {shown}");
        let (_, object) = cluster.get(&path).await;
        assert_eq!(object["spec"]["replicas"], 5);
        assert_eq!(object["metadata"]["resourceVersion"], shown["metadata"]["resourceVersion"]);
    }
}

#[tokio::test]
async fn a_scale_is_for_the_revision_and_the_object_it_names() {
    let cluster = Cluster::start().await;
    let made = cluster.create(DEPLOYMENTS, deployment()).await;
    let path = format!("{DEPLOYMENTS}/web/scale");
    let mut stale = scale(4);
    stale["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"].clone();
    assert_eq!(cluster.json("PUT", &path, &scale(2)).await.0, 200);
    let (code, status) = cluster.json("PUT", &path, &stale).await;
    assert_eq!((code, &status["reason"]), (409, &json!("Conflict")));
    assert_eq!(status["details"]["kind"], "deployments");
    let mut other = scale(4);
    other["metadata"]["uid"] = "elsewhere".into();
    assert_eq!(cluster.json("PUT", &path, &other).await.0, 409);
    let mut other = scale(4);
    other["metadata"]["name"] = "other".into();
    assert_eq!(cluster.json("PUT", &path, &other).await.0, 400);
    let (code, status) = cluster.json("PUT", &path, &scale(-1)).await;
    assert_eq!((code, &status["reason"]), (422, &json!("Invalid")));
    assert_eq!(status["details"]["kind"], "Scale");
    assert_eq!(status["details"]["causes"][0]["field"], "spec.replicas");
    let nowhere = format!("{DEPLOYMENTS}/none/scale");
    assert_eq!(cluster.get(&nowhere).await.0, 404);
    assert_eq!(patched(&cluster, &nowhere, "merge-patch+json", &json!({})).await.0, 404);
    assert_eq!(cluster.json("POST", &path, &scale(1)).await.0, 405);
    assert_eq!(cluster.json("PUT", &path, &deployment()).await.0, 400);
    assert_eq!(cluster.get(&path).await.1["spec"]["replicas"], 2);
}

#[tokio::test]
async fn a_scale_can_be_patched_and_tried() {
    let cluster = Cluster::start().await;
    cluster.create(DEPLOYMENTS, deployment()).await;
    let path = format!("{DEPLOYMENTS}/web/scale");
    let spec = json!({"spec": {"replicas": 4}});
    let (code, shown) = patched(&cluster, &path, "merge-patch+json", &spec).await;
    assert_eq!((code, &shown["spec"]["replicas"]), (200, &json!(4)), "{shown}");
    let replace = json!([{"op": "replace", "path": "/spec/replicas", "value": 6}]);
    let (_, shown) = patched(&cluster, &path, "json-patch+json", &replace).await;
    assert_eq!(shown["spec"]["replicas"], 6);
    let dry = format!("{path}?dryRun=All");
    let (code, shown) = patched(&cluster, &dry, "strategic-merge-patch+json", &spec).await;
    assert_eq!((code, &shown["spec"]["replicas"]), (200, &json!(4)), "{shown}");
    let (_, object) = cluster.get(&format!("{DEPLOYMENTS}/web")).await;
    assert_eq!(object["spec"]["replicas"], 6);
    assert_eq!(object["metadata"]["generation"], 3);
    let nothing = json!({"spec": {"replicas": 0}});
    let (_, shown) = patched(&cluster, &path, "merge-patch+json", &nothing).await;
    assert_eq!(shown["spec"], json!({}));
    assert_eq!(cluster.get(&format!("{DEPLOYMENTS}/web")).await.1["spec"]["replicas"], 0);
}

#[tokio::test]
async fn whoever_scales_owns_the_number() {
    let cluster = Cluster::start().await;
    let applied = format!("{DEPLOYMENTS}/web?fieldManager=one");
    assert_eq!(patched(&cluster, &applied, "apply-patch+yaml", &deployment()).await.0, 201);
    let path = format!("{DEPLOYMENTS}/web/scale");
    let two = format!("{path}?fieldManager=two");
    let (code, status) = patched(&cluster, &two, "apply-patch+yaml", &scale(5)).await;
    assert_eq!((code, &status["reason"]), (409, &json!("Conflict")), "{status}");
    assert_eq!(status["details"]["causes"][0]["field"], ".spec.replicas");
    let forced = format!("{two}&force=true");
    let (code, shown) = patched(&cluster, &forced, "apply-patch+yaml", &scale(5)).await;
    assert_eq!((code, &shown["spec"]["replicas"]), (200, &json!(5)), "{shown}");
    let (_, object) = cluster.get(&format!("{DEPLOYMENTS}/web")).await;
    let owners = object["metadata"]["managedFields"].as_array().unwrap();
    let own = owners.iter().find(|owner| owner["manager"] == "two").unwrap();
    assert_eq!((&own["operation"], &own["subresource"]), (&json!("Apply"), &json!("scale")));
    assert_eq!(own["fieldsV1"], json!({"f:spec": {"f:replicas": {}}}));
    let first = owners.iter().find(|owner| owner["manager"] == "one").unwrap();
    assert!(first["fieldsV1"]["f:spec"].get("f:replicas").is_none());
    let three = format!("{path}?fieldManager=three");
    let number = json!({"spec": {"replicas": 7}});
    assert_eq!(patched(&cluster, &three, "merge-patch+json", &number).await.0, 200);
    let (_, object) = cluster.get(&format!("{DEPLOYMENTS}/web")).await;
    let owners = object["metadata"]["managedFields"].as_array().unwrap();
    assert!(owners.iter().all(|owner| owner["manager"] != "two"));
    let own = owners.iter().find(|owner| owner["manager"] == "three").unwrap();
    assert_eq!((&own["operation"], &own["subresource"]), (&json!("Update"), &json!("scale")));
}

#[tokio::test]
async fn a_scale_takes_every_form() {
    let cluster = Cluster::start().await;
    cluster.create(DEPLOYMENTS, deployment()).await;
    let path = format!("{DEPLOYMENTS}/web/scale");
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let table = cluster.accept(&path, table).await.json();
    assert_eq!(table["kind"], "Table");
    assert_eq!(
        table["rows"][0]["cells"].as_array().unwrap()[..3],
        [json!("web"), json!(3), json!(0)]
    );
    let protobuf = cluster.accept(&path, "application/vnd.kubernetes.protobuf").await;
    assert!(protobuf.bytes.starts_with(b"k8s\0"));
    let answer =
        cluster.raw("PUT", &path, "application/vnd.kubernetes.protobuf", protobuf.bytes).await;
    assert_eq!(answer.code, 200, "{:?}", answer.bytes);
}
