//! Quotas are counted, and storage that is deleted goes when it is free.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, ResourceQuota};
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use wk_process::TaskGroup;

use super::{create, start, until};

fn used(quota: &ResourceQuota) -> Value {
    let status = quota.status.clone().unwrap_or_default();
    serde_json::to_value(status.used).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_tells_what_is_used_and_gets_back_what_is_deleted() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    let pods = Api::<Pod>::namespaced(client.clone(), "default");
    let spec = json!({"containers": [{"name": "c", "image": "i"}]});
    create(pods.clone(), json!({"metadata": {"name": "before"}, "spec": spec})).await;
    let quotas = Api::<ResourceQuota>::namespaced(client.clone(), "default");
    let hard = json!({"pods": "5", "count/configmaps": "9"});
    create(quotas, json!({"metadata": {"name": "q"}, "spec": {"hard": hard}})).await;
    let tells = |pods: &str| {
        let expected = json!({"count/configmaps": "1", "pods": pods});
        move |all: &[std::sync::Arc<ResourceQuota>]| {
            all.first().is_some_and(|quota| used(quota) == expected)
        }
    };
    until::<ResourceQuota>(&client, &group, tells("1")).await;
    create(pods.clone(), json!({"metadata": {"name": "after"}, "spec": spec})).await;
    until::<ResourceQuota>(&client, &group, tells("2")).await;
    for name in ["before", "after"] {
        pods.delete(name, &DeleteParams::default().grace_period(0)).await.unwrap();
    }
    until::<ResourceQuota>(&client, &group, tells("0")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_waits_for_the_pods_that_use_it() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), "default");
    let claim = json!({
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}},
    });
    create(claims.clone(), json!({"metadata": {"name": "c"}, "spec": claim})).await;
    let pods = Api::<Pod>::namespaced(client.clone(), "default");
    let spec = json!({
        "nodeName": "n",
        "containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}],
    });
    create(pods.clone(), json!({"metadata": {"name": "p"}, "spec": spec})).await;
    claims.delete("c", &DeleteParams::default()).await.unwrap();
    let held = claims.get("c").await.unwrap();
    assert!(held.metadata.deletion_timestamp.is_some());
    pods.delete("p", &DeleteParams::default().grace_period(0)).await.unwrap();
    until::<PersistentVolumeClaim>(&client, &group, <[_]>::is_empty).await;
}
