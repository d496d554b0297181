//! What becomes of objects whose owners go.

use serde_json::json;

use super::*;

async fn uid(maps: &Api<ConfigMap>, name: &str) -> String {
    maps.get(name).await.unwrap().metadata.uid.unwrap()
}

fn owned(name: &str, owner: &str, uid: &str) -> Value {
    json!({"metadata": {"name": name, "ownerReferences": [{
        "apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": uid,
        "blockOwnerDeletion": true,
    }]}})
}

/// `owner` with `child`, which owns `grandchild`.
async fn family(client: &Client) -> Api<ConfigMap> {
    let maps = Api::<ConfigMap>::namespaced(client.clone(), "default");
    create(maps.clone(), json!({"metadata": {"name": "owner"}})).await;
    let owner = uid(&maps, "owner").await;
    create(maps.clone(), owned("child", "owner", &owner)).await;
    let child = uid(&maps, "child").await;
    create(maps.clone(), owned("grandchild", "child", &child)).await;
    maps
}

#[tokio::test(flavor = "multi_thread")]
async fn dependents_go_with_their_owners() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    for params in [DeleteParams::background(), DeleteParams::foreground()] {
        let maps = family(&client).await;
        maps.delete("owner", &params).await.unwrap();
        until::<ConfigMap>(&client, &group, |all| {
            ["owner", "child", "grandchild"].iter().all(|name| !has(all, "default", name))
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orphans_stay_without_an_owner() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    let maps = family(&client).await;
    // Seen by the controller: what an owner orphans is what it is known to own.
    until::<ConfigMap>(&client, &group, |all| has(all, "default", "grandchild")).await;
    maps.delete("owner", &DeleteParams::orphan()).await.unwrap();
    until::<ConfigMap>(&client, &group, |all| !has(all, "default", "owner")).await;
    assert_eq!(maps.get("child").await.unwrap().metadata.owner_references, None);
    assert!(maps.get("grandchild").await.unwrap().metadata.owner_references.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_never_was_or_is_elsewhere_owns_nothing() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    let system = Api::<ConfigMap>::namespaced(client.clone(), "kube-system");
    create(system.clone(), json!({"metadata": {"name": "owner"}})).await;
    let elsewhere = uid(&system, "owner").await;
    let maps = Api::<ConfigMap>::namespaced(client.clone(), "default");
    create(maps.clone(), owned("foundling", "nobody", "no-uid")).await;
    create(maps.clone(), owned("abroad", "owner", &elsewhere)).await;
    until::<ConfigMap>(&client, &group, |all| {
        !has(all, "default", "foundling") && !has(all, "default", "abroad")
    })
    .await;
    assert!(system.get("owner").await.is_ok());
    until::<k8s_openapi::api::core::v1::Event>(&client, &group, |all| {
        all.iter().any(|event| event.reason.as_deref() == Some("OwnerRefInvalidNamespace"))
    })
    .await;
}
