//! Volumes whose content comes from the API, and volumes that outlive their pods.

use super::*;

fn with_volume(source: &Value) -> Value {
    let mut spec = one_container("here:1");
    spec["serviceAccountName"] = json!("robot");
    spec["containers"][0]["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
    let mut volume = source.clone();
    volume["name"] = json!("v");
    spec["volumes"] = json!([volume]);
    spec
}

fn in_volume(node: &Node, pod_uid: &str, file: &str) -> String {
    let path = node.folder.path().join("pods").join(pod_uid).join("volumes/v").join(file);
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn tokens_are_bound_to_the_pod_and_renewed_before_they_end() {
    let node = Node::start().await;
    let tokens = json!({"projected": {"sources": [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"serviceAccountToken": {"path": "other", "audience": "vault"}},
    ]}});
    node.api.put("pods/web", pod(&with_volume(&tokens)));
    let message = node.until_waiting("ContainerCreating").await;
    let refused = "MountVolume.SetUp failed for volume \"v\" : failed to fetch token: Forbidden";
    assert_eq!(message, refused);
    node.api.remove("pods/web");

    // A second is all that this server grants, so that tokens are due at once.
    node.api.put("grant", json!({"seconds": 1}));
    let mut web = pod(&with_volume(&tokens));
    web["metadata"]["uid"] = json!("u-2");
    web["metadata"]["name"] = json!("again");
    node.api.put("pods/again", web);
    node.api.until("pods/again", ready).await;
    let first = in_volume(&node, "u-2", "token");
    assert!(first.starts_with("robot u-2 the API "), "{first}");
    assert!(in_volume(&node, "u-2", "other").starts_with("robot u-2 vault "));
    // When tokens are asked for a third time, those of the second are in their place.
    node.api
        .until("tokens", |made| made.is_some_and(|made| made["count"].as_i64() > Some(4)))
        .await;
    let second = in_volume(&node, "u-2", "token");
    assert!(second.starts_with("robot u-2 the API ") && second != first, "{second}");
    node.stop().await;
}

fn claim(phase: &str) -> Value {
    json!({
        "kind": "PersistentVolumeClaim", "apiVersion": "v1",
        "metadata": {"namespace": "default", "name": "data", "uid": "claim-uid"},
        "spec": {"volumeName": "pvc-1", "accessModes": ["ReadWriteOnce"]},
        "status": {"phase": phase},
    })
}

fn volume(node: &Node) -> Value {
    json!({
        "kind": "PersistentVolume", "apiVersion": "v1",
        "metadata": {
            "name": "pvc-1", "uid": "volume-uid",
            "annotations": {"pv.kubernetes.io/provisioned-by": "wk.dev/local-path"},
            "finalizers": ["wk.dev/local-path"],
        },
        "spec": {
            "local": {"path": node.folder.path().join("local-path/pvc-1/data")},
            "claimRef": {"namespace": "default", "name": "data", "uid": "claim-uid"},
            "persistentVolumeReclaimPolicy": "Delete",
            "volumeMode": "Filesystem",
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": ["n1"]},
            ]}]}},
        },
        "status": {"phase": "Bound"},
    })
}

#[tokio::test]
async fn a_claim_is_awaited_and_its_volume_outlives_the_pod() {
    let node = Node::start().await;
    let source = json!({"persistentVolumeClaim": {"claimName": "data"}});
    node.api.put("persistentvolumeclaims/data", claim("Pending"));
    node.api.put("pods/web", pod(&with_volume(&source)));
    let message = node.until_waiting("ContainerCreating").await;
    assert!(
        message.ends_with("volumes=[v]: error processing PVC default/data: PVC is not bound"),
        "{message}"
    );
    node.api.put("persistentvolumes/pvc-1", volume(&node));
    node.api.put("persistentvolumeclaims/data", claim("Bound"));
    node.api.until("pods/web", ready).await;
    let made = node.api.get("persistentvolumes/pvc-1").unwrap();
    assert_eq!(made["metadata"]["annotations"]["wk.dev/local-path-made"], "true");
    let data = node.folder.path().join("local-path/pvc-1/data");
    assert!(data.is_dir());
    let annotations = node.api.get("nodes/n1").unwrap()["metadata"]["annotations"].clone();
    let told = annotations["wk.dev/local-path-folder"].as_str().unwrap();
    assert!(data.starts_with(told), "{told}");

    std::fs::write(data.join("file"), "kept").unwrap();
    assert_eq!(in_volume(&node, "u-1", "file"), "kept");
    let mut deleted = node.api.get("pods/web").unwrap();
    deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    deleted["metadata"]["deletionGracePeriodSeconds"] = json!(0);
    node.api.put("pods/web", deleted);
    node.api.until("pods/web", |pod| pod.is_none()).await;
    assert_eq!(std::fs::read_to_string(data.join("file")).unwrap(), "kept");

    let mut released = node.api.get("persistentvolumes/pvc-1").unwrap();
    released["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    released["status"]["phase"] = json!("Released");
    node.api.put("persistentvolumes/pvc-1", released);
    node.api.until("persistentvolumes/pvc-1", |volume| volume.is_none()).await;
    assert!(!node.folder.path().join("local-path/pvc-1").exists());
    node.stop().await;
}
