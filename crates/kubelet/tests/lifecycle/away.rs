//! A node whose control plane is away.

use std::time::Duration;

use serde_json::json;
use wk_runtime::{ContainerId, ContainerStatus, Runtime as _};

use super::{Node, one_container, pod, ready};

/// Waits until a container runs.
pub(crate) async fn until_runs(node: &Node, id: &str) {
    let id = ContainerId::new(id);
    let runs = async {
        let mut looks = tokio::time::interval(Duration::from_millis(10));
        loop {
            looks.tick().await;
            let all = node.runtime.list().await.unwrap();
            let runs = |status: &ContainerStatus| matches!(status, ContainerStatus::Running);
            if all.iter().any(|container| container.id == id && runs(&container.status)) {
                return;
            }
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(40), runs).await;
    assert!(found.is_ok(), "`{id}` never ran");
}

#[tokio::test]
async fn a_node_starts_its_pods_without_its_control_plane_and_reports_later() {
    let node = Node::start().await;
    node.api.put(
        "configmaps/settings",
        json!({
            "kind": "ConfigMap", "apiVersion": "v1", "data": {"A": "1"},
            "metadata": {"namespace": "default", "name": "settings", "uid": "cm"},
        }),
    );
    let mut spec = one_container("here:1");
    spec["volumes"] = json!([
        {"name": "settings", "configMap": {"name": "settings"}}, {"name": "data", "emptyDir": {}},
    ]);
    let container = &mut spec["containers"][0];
    container["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
    container["volumeMounts"] = json!([
        {"name": "settings", "mountPath": "/settings"}, {"name": "data", "mountPath": "/data"},
    ]);
    node.api.put("pods/web", pod(&spec));
    node.api.until("pods/web", ready).await;
    let mut ended = pod(&one_container("here:1"));
    ended["metadata"]["name"] = json!("ended");
    ended["metadata"]["uid"] = json!("u-2");
    ended["spec"]["restartPolicy"] = json!("Never");
    node.api.put("pods/ended", ended);
    node.api.until("pods/ended", ready).await;
    node.runtime.exit(&ContainerId::new("u-2_c_0"), 0);
    let succeeded =
        |pod: Option<&serde_json::Value>| pod.is_some_and(|p| p["status"]["phase"] == "Succeeded");
    node.api.until("pods/ended", succeeded).await;
    // What has ended is not brought back.
    super::until_gone(&node.folder.path().join("saved/u-2")).await;
    node.kubelet.stop_containers(Duration::ZERO).await;
    let (api, folder) = node.stop().await;

    api.leave(true);
    let node = Node::with(api, folder).await;
    until_runs(&node, "u-1_c_1").await;
    node.api.leave(false);
    node.api
        .until("pods/web", |pod| {
            pod.is_some_and(|pod| pod["status"]["containerStatuses"][0]["restartCount"] == 1)
                && ready(pod)
        })
        .await;
    node.api.remove("pods/web");
    super::until_gone(&node.folder.path().join("saved/u-1")).await;
    node.stop().await;
}
