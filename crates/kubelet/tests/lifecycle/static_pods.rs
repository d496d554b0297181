//! Pods that files of the node describe.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use wk_kubelet::PodManifests;
use wk_runtime::{ContainerStatus, Runtime as _};

use super::api::Api;
use super::{Node, ready};

fn manifest(name: &str, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{app: {name}}}}}\n\
         spec:\n  terminationGracePeriodSeconds: 1\n  {more}\n  containers:\n  \
         - {{name: c, image: 'here:1'}}\n"
    )
}

fn put(folder: &Path, file: &str, text: &str) {
    let pods = folder.join("static");
    std::fs::create_dir_all(&pods).unwrap();
    // As a tool that cares does it: whole or not at all.
    std::fs::write(pods.join(".new"), text).unwrap();
    std::fs::rename(pods.join(".new"), pods.join(file)).unwrap();
}

fn launch(api: &Arc<Api>, folder: tempfile::TempDir) -> Node {
    let path = folder.path().join("static");
    Node::launch(Arc::clone(api), folder, |config| {
        config.pod_manifests = Some(PodManifests { path, period: Duration::from_millis(500) });
    })
}

async fn start() -> Node {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "web.yaml", &manifest("web", ""));
    let node = launch(&Api::new(), folder);
    node.taken_up().await;
    node.api.until("pods/web-n1", ready).await;
    node
}

fn uid(pod: &Value) -> String {
    pod["metadata"]["uid"].as_str().unwrap().to_owned()
}

/// The ids of the containers that run.
async fn running(node: &Node) -> Vec<String> {
    let all = node.runtime.list().await.unwrap();
    let running = all.iter().filter(|one| one.status == ContainerStatus::Running);
    running.map(|one| one.id.to_string()).collect()
}

async fn until_running(node: &Node, wanted: impl Fn(&[String]) -> bool) {
    let look = async {
        let mut looks = tokio::time::interval(Duration::from_millis(10));
        while !wanted(&running(node).await) {
            looks.tick().await;
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(20), look).await;
    assert!(done.is_ok(), "{:?}", running(node).await);
}

#[tokio::test]
async fn a_file_is_a_pod_that_the_api_shows() {
    let node = start().await;
    let mirror = node.api.get("pods/web-n1").unwrap();
    let annotations = &mirror["metadata"]["annotations"];
    let hash = annotations["kubernetes.io/config.hash"].as_str().unwrap();
    assert_eq!(annotations["kubernetes.io/config.mirror"], hash);
    assert_eq!(annotations["kubernetes.io/config.source"], "file");
    let owner = &mirror["metadata"]["ownerReferences"][0];
    let expected = json!({
        "apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "node-uid", "controller": true,
    });
    assert_eq!(*owner, expected);
    assert_eq!(mirror["spec"]["nodeName"], "n1");
    assert_eq!(mirror["status"]["phase"], "Running");
    assert_eq!(running(&node).await, [format!("{hash}_c_0")]);

    // Whoever deletes the mirror deletes a mirror.
    let mut deleted = mirror.clone();
    deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    deleted["metadata"]["deletionGracePeriodSeconds"] = json!(30);
    node.api.put("pods/web-n1", deleted);
    let is_new = |pod: Option<&Value>| pod.is_some_and(|pod| uid(pod) != uid(&mirror));
    node.api.until("pods/web-n1", |pod| is_new(pod) && ready(pod)).await;
    let status = node.api.get("pods/web-n1").unwrap()["status"].clone();
    assert_eq!(status["containerStatuses"][0]["restartCount"], 0);
    assert_eq!(running(&node).await, [format!("{hash}_c_0")]);
    node.stop().await;
}

#[tokio::test]
async fn a_changed_file_is_another_pod_and_a_removed_one_none() {
    let node = start().await;
    let folder = node.folder.path().to_owned();
    let before = running(&node).await;
    put(&folder, "web.yaml", &manifest("web", "priorityClassName: ''\n  hostname: other"));
    until_running(&node, |all| all.len() == 1 && all != before).await;
    let of = |pod: &Value| pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].clone();
    let now = running(&node).await;
    let is_new = |pod: Option<&Value>| {
        pod.is_some_and(|pod| now[0].starts_with(of(pod).as_str().unwrap()) && ready(Some(pod)))
    };
    node.api.until("pods/web-n1", is_new).await;
    std::fs::remove_file(folder.join("static/web.yaml")).unwrap();
    until_running(&node, <[String]>::is_empty).await;
    node.api.until("pods/web-n1", |pod| pod.is_none()).await;
    super::until_gone(&folder.join("saved").join(now[0].trim_end_matches("_c_0"))).await;
    node.stop().await;
}

#[tokio::test]
async fn a_bad_file_is_told_of_and_disturbs_nothing() {
    let node = start().await;
    let folder = node.folder.path().to_owned();
    put(&folder, "bad.yaml", &manifest("bad", "serviceAccountName: builder"));
    let told = node.api.event("InvalidStaticPod").await;
    let message = told["message"].as_str().unwrap();
    let why = "static pods may not reference serviceaccounts";
    assert!(message.contains("bad.yaml") && message.ends_with(why), "{message}");
    assert_eq!(told["involvedObject"]["kind"], "Node");
    put(&folder, "same.yaml", &manifest("web", ""));
    let twice = |event: &Value| {
        event["message"].as_str().is_some_and(|text| text.contains("is described by"))
    };
    node.api.until_event(twice).await;
    put(&folder, "good.yaml", &manifest("good", ""));
    node.api.until("pods/good-n1", ready).await;
    assert_eq!(running(&node).await.len(), 2);
    assert!(node.api.get("pods/bad-n1").is_none());
    let status = node.api.get("pods/web-n1").unwrap()["status"].clone();
    assert_eq!(status["containerStatuses"][0]["restartCount"], 0);
    node.stop().await;
}

#[tokio::test]
async fn static_pods_need_no_control_plane() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "host.yaml", &manifest("host", "hostNetwork: true"));
    put(folder.path(), "web.yaml", &manifest("web", ""));
    let api = Api::new();
    api.leave(true);
    let node = launch(&api, folder);
    // One has no network yet, and the other needs none.
    until_running(&node, |all| all.len() == 1).await;
    api.leave(false);
    node.taken_up().await;
    node.api.until("pods/host-n1", ready).await;
    node.api.until("pods/web-n1", ready).await;
    assert_eq!(node.api.get("pods/host-n1").unwrap()["status"]["podIP"], "127.0.0.1");
    let made = node.api.get("pods/web-n1").unwrap();

    node.kubelet.stop_containers(Duration::ZERO).await;
    let (api, folder) = node.stop().await;
    std::fs::remove_file(folder.path().join("static/host.yaml")).unwrap();
    let node = launch(&api, folder);
    node.taken_up().await;
    // The mirror is the same, its pod was started again, and the other's is gone.
    let again = |pod: Option<&Value>| {
        pod.is_some_and(|pod| pod["status"]["containerStatuses"][0]["restartCount"] == 1)
    };
    node.api.until("pods/web-n1", |pod| again(pod) && ready(pod)).await;
    assert_eq!(uid(&node.api.get("pods/web-n1").unwrap()), uid(&made));
    node.api.until("pods/host-n1", |pod| pod.is_none()).await;
    assert_eq!(std::fs::read_dir(node.folder.path().join("pods")).unwrap().count(), 1);
    node.stop().await;
}
