//! Claims, volumes and the classes between them.

use k8s_openapi::api::core::v1::{Event, PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use serde_json::json;

use super::*;

fn claim(name: &str, spec: &Value) -> Value {
    let mut claim = json!({"metadata": {"name": name}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
    }});
    for (field, value) in spec.as_object().into_iter().flatten() {
        claim["spec"][field] = value.clone();
    }
    claim
}

fn host_volume(name: &str, size: &str, class: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/srv"}, "storageClassName": class,
    }})
}

fn is_bound(all: &[Arc<PersistentVolumeClaim>], name: &str, volume: &str) -> bool {
    all.iter().any(|one| {
        let annotations = one.metadata.annotations.clone().unwrap_or_default();
        let status = one.status.clone().unwrap_or_default();
        one.metadata.name.as_deref() == Some(name)
            && one.spec.as_ref().and_then(|spec| spec.volume_name.as_deref()) == Some(volume)
            && annotations.get("pv.kubernetes.io/bind-completed").is_some_and(|yes| yes == "yes")
            && status.phase.as_deref() == Some("Bound")
            && status.capacity.is_some_and(|amounts| amounts.contains_key("storage"))
    })
}

fn has_phase(all: &[Arc<PersistentVolume>], name: &str, phase: &str) -> bool {
    all.iter().any(|one| {
        let found = one.status.as_ref().and_then(|status| status.phase.as_deref());
        one.metadata.name.as_deref() == Some(name) && found == Some(phase)
    })
}

async fn until_told(client: &Client, group: &TaskGroup, name: &str, reason: &str) {
    until::<Event>(client, group, |all| {
        all.iter().any(|event| {
            event.involved_object.name.as_deref() == Some(name)
                && event.reason.as_deref() == Some(reason)
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_are_bound_to_volumes_made_by_hand_and_leave_them() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), "default");
    let volumes = Api::<PersistentVolume>::all(client.clone());
    create(claims.clone(), claim("data", &json!({"storageClassName": ""}))).await;
    until_told(&client, &group, "data", "FailedBinding").await;
    create(volumes.clone(), host_volume("large", "5Gi", "")).await;
    until::<PersistentVolumeClaim>(&client, &group, |all| is_bound(all, "data", "large")).await;
    until::<PersistentVolume>(&client, &group, |all| has_phase(all, "large", "Bound")).await;

    create(volumes.clone(), host_volume("small", "2Gi", "")).await;
    until::<PersistentVolume>(&client, &group, |all| has_phase(all, "small", "Available")).await;
    let named = json!({"storageClassName": "", "volumeName": "small"});
    create(claims.clone(), claim("named", &named)).await;
    until::<PersistentVolumeClaim>(&client, &group, |all| is_bound(all, "named", "small")).await;

    claims.delete("data", &DeleteParams::default()).await.unwrap();
    until::<PersistentVolume>(&client, &group, |all| has_phase(all, "large", "Released")).await;
    let kept = volumes.get("large").await.unwrap();
    assert!(kept.metadata.deletion_timestamp.is_none(), "hostPath volumes are retained");

    let (taken, free) = (json!({"spec": {"persistentVolumeReclaimPolicy": "Delete"}}), "named");
    let params = PatchParams::default();
    volumes.patch("small", &params, &Patch::Merge(taken)).await.unwrap();
    claims.delete(free, &DeleteParams::default()).await.unwrap();
    until::<PersistentVolume>(&client, &group, |all| has_phase(all, "small", "Failed")).await;
    until_told(&client, &group, "small", "VolumeFailedDelete").await;
    assert!(group.shutdown(DEADLINE).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_of_the_default_class_gets_a_folder_on_the_node_of_its_pod() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    until::<StorageClass>(&client, &group, |all| {
        all.iter().any(|class| class.metadata.name.as_deref() == Some("local-path"))
    })
    .await;
    let node = json!({"metadata": {
        "name": "n1",
        "labels": {"kubernetes.io/hostname": "n1"},
        "annotations": {"wk.dev/local-path-folder": "/var/lib/wk/node/local-path"},
    }});
    create(Api::<Node>::all(client.clone()), node).await;
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), "default");
    create(claims.clone(), claim("data", &json!({}))).await;
    until_told(&client, &group, "data", "WaitForFirstConsumer").await;
    let pods = Api::<Pod>::namespaced(client.clone(), "default");
    let spec = json!({
        "containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}],
    });
    create(pods, json!({"metadata": {"name": "web"}, "spec": spec})).await;
    until_told(&client, &group, "data", "WaitForPodScheduled").await;

    // The scheduler has found a place.
    let placed = json!({"metadata": {"annotations": {"volume.kubernetes.io/selected-node": "n1"}}});
    let params = PatchParams::default();
    let made = claims.patch("data", &params, &Patch::Merge(placed)).await.unwrap();
    let name = format!("pvc-{}", made.metadata.uid.unwrap());
    until::<PersistentVolumeClaim>(&client, &group, |all| is_bound(all, "data", &name)).await;
    until_told(&client, &group, "data", "ProvisioningSucceeded").await;
    let volumes = Api::<PersistentVolume>::all(client.clone());
    let volume = volumes.get(&name).await.unwrap();
    let spec = volume.spec.clone().unwrap();
    let path = format!("/var/lib/wk/node/local-path/{name}/data");
    assert_eq!(spec.local.unwrap().path, path);
    assert_eq!(spec.persistent_volume_reclaim_policy.as_deref(), Some("Delete"));

    let larger = json!({"spec": {"resources": {"requests": {"storage": "3Gi"}}}});
    claims.patch("data", &params, &Patch::Merge(larger)).await.unwrap();
    let capacity = |all: &[Arc<PersistentVolumeClaim>]| {
        let status = all.first().and_then(|one| one.status.clone()).unwrap_or_default();
        status.capacity.and_then(|amounts| amounts.get("storage").cloned()).map(|amount| amount.0)
    };
    until::<PersistentVolumeClaim>(&client, &group, |all| capacity(all).as_deref() == Some("3Gi"))
        .await;
    let grown = volumes.get(&name).await.unwrap().spec.unwrap().capacity.unwrap();
    assert_eq!(grown["storage"].0, "3Gi");

    // The pod has no node, so that nothing holds the claim; the volume waits for its node.
    claims.delete("data", &DeleteParams::default()).await.unwrap();
    until::<PersistentVolume>(&client, &group, |all| {
        let waits = |one: &Arc<PersistentVolume>| {
            one.metadata.deletion_timestamp.is_some()
                && one.metadata.finalizers.as_deref() == Some(&["wk.dev/local-path".to_owned()])
        };
        all.iter().all(waits) && !all.is_empty()
    })
    .await;
    Api::<Node>::all(client.clone()).delete("n1", &DeleteParams::default()).await.unwrap();
    until::<PersistentVolume>(&client, &group, <[_]>::is_empty).await;
    assert!(group.shutdown(DEADLINE).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_from_before_a_default_class_get_it() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    let classes = Api::<StorageClass>::all(client.clone());
    let is_there = |all: &[Arc<StorageClass>]| !all.is_empty();
    until::<StorageClass>(&client, &group, is_there).await;
    let params = PatchParams::default();
    let mark = |is_default: &str| {
        Patch::Merge(json!({"metadata": {"annotations": {
            "storageclass.kubernetes.io/is-default-class": is_default,
        }}}))
    };
    classes.patch("local-path", &params, &mark("false")).await.unwrap();
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), "default");
    create(claims.clone(), claim("data", &json!({}))).await;
    until_told(&client, &group, "data", "FailedBinding").await;
    classes.patch("local-path", &params, &mark("true")).await.unwrap();
    until::<PersistentVolumeClaim>(&client, &group, |all| {
        all.iter().any(|one| {
            let class = one.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
            class == Some("local-path")
        })
    })
    .await;
    assert!(group.shutdown(DEADLINE).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_of_a_pod_alone_gets_a_claim_that_goes_with_the_pod() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    let pods = Api::<Pod>::namespaced(client.clone(), "default");
    let spec = json!({
        "containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
        }}}}],
    });
    create(pods.clone(), json!({"metadata": {"name": "web"}, "spec": spec})).await;
    until::<PersistentVolumeClaim>(&client, &group, |all| {
        all.iter().any(|one| one.metadata.name.as_deref() == Some("web-scratch"))
    })
    .await;
    until_told(&client, &group, "web-scratch", "WaitForPodScheduled").await;
    pods.delete("web", &DeleteParams::default()).await.unwrap();
    until::<PersistentVolumeClaim>(&client, &group, <[_]>::is_empty).await;
    assert!(group.shutdown(DEADLINE).await.is_empty());
}
