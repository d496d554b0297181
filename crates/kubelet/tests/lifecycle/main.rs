//! Pods from their binding to their end, with a runtime that runs nothing.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod admission;
mod api;
mod away;
mod evictions;
mod hooks;
mod probes;
mod static_pods;
mod streams;
mod volumes;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kube::client::ClientBuilder;
use serde_json::{Value, json};
use wk_kubelet::{Images, Kubelet, KubeletConfig, Parts, Runtimes};
use wk_network::RootlessFactory;
use wk_oci::{Credentials, Flavor, ImageKind, ImageReference, PullError, RegistryError};
use wk_process::TaskGroup;
use wk_runtime::{ContainerId, FakeRuntime};

use self::api::Api;

/// Has `here:*`, and finds nothing else anywhere.
struct FakeImages;

#[async_trait]
impl Images for FakeImages {
    fn local(&self, reference: &ImageReference, _: Flavor) -> Option<Arc<wk_oci::Image>> {
        if !reference.repository().ends_with("here") {
            return None;
        }
        let digest: wk_oci::Digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
        Some(Arc::new(wk_oci::Image {
            reference: reference.clone(),
            manifest_digest: digest.clone(),
            index_digest: None,
            kind: ImageKind::WasmArtifact,
            module: Some("/nowhere".into()),
            module_digest: Some(digest.clone()),
            wasm: None,
            rootfs: None,
            config: wk_oci::ImageConfig::default(),
            config_blob: serde_json::from_value(json!({
                "mediaType": "x", "digest": digest.to_string(), "size": 1,
            }))
            .unwrap(),
            layers: Vec::new(),
            size_bytes: 1,
        }))
    }

    async fn kind(
        &self,
        reference: &ImageReference,
        credentials: &Credentials,
    ) -> Result<ImageKind, PullError> {
        let nothing: wk_oci::ProgressFn = Arc::new(|_progress| {});
        self.pull(reference, Flavor::Best, credentials, nothing).await.map(|image| image.kind)
    }

    async fn pull(
        &self,
        reference: &ImageReference,
        _flavor: Flavor,
        _credentials: &Credentials,
        _progress: wk_oci::ProgressFn,
    ) -> Result<Arc<wk_oci::Image>, PullError> {
        Err(PullError::Registry(RegistryError::NotFound {
            what: format!("image `{reference}`"),
            registry: reference.registry().to_owned(),
        }))
    }

    fn list(&self) -> Vec<Arc<wk_oci::Image>> {
        Vec::new()
    }

    fn mark_used(&self, _reference: &ImageReference, _now: std::time::SystemTime) {}

    async fn collect_garbage(
        &self,
        _in_use: std::collections::HashSet<wk_oci::Digest>,
        _policy: wk_oci::GarbagePolicy,
    ) -> std::io::Result<wk_oci::GarbageReport> {
        Ok(wk_oci::GarbageReport::default())
    }

    fn layout(&self) -> std::path::PathBuf {
        "/nowhere".into()
    }
}

struct Node {
    api: Arc<Api>,
    runtime: Arc<FakeRuntime>,
    kubelet: Arc<Kubelet>,
    group: TaskGroup,
    folder: tempfile::TempDir,
}

impl Node {
    async fn start() -> Self {
        Self::with(Api::new(), tempfile::tempdir().unwrap()).await
    }

    async fn with(api: Arc<Api>, folder: tempfile::TempDir) -> Self {
        Self::pressed(api, folder, "").await
    }

    /// One that is under pressure by these thresholds.
    async fn pressed(api: Arc<Api>, folder: tempfile::TempDir, hard: &str) -> Self {
        let hard = hard.parse().unwrap();
        Self::configured(api, folder, |config| config.eviction_hard = hard).await
    }

    async fn configured(
        api: Arc<Api>,
        folder: tempfile::TempDir,
        change: impl FnOnce(&mut KubeletConfig),
    ) -> Self {
        let node = Self::launch(api, folder, change);
        node.taken_up().await;
        node
    }

    /// Starts the kubelet and waits for nothing.
    fn launch(
        api: Arc<Api>,
        folder: tempfile::TempDir,
        change: impl FnOnce(&mut KubeletConfig),
    ) -> Self {
        let group = TaskGroup::new("test");
        let runtime = Arc::new(FakeRuntime::new());
        let mut config = KubeletConfig {
            node_name: "n1".to_owned(),
            node_ip: "127.0.0.1".parse().unwrap(),
            hostname: "n1".to_owned(),
            data_dir: folder.path().to_owned(),
            max_pods: 10,
            open_files: None,
            port: None,
            version: "v1.36.0+wk".to_owned(),
            log_limits: wk_runtime::LogLimits::default(),
            image_garbage: wk_kubelet::ImageGarbage::default(),
            linux: wk_kubelet::LinuxDefaults::default(),
            eviction_hard: "".parse().unwrap(),
            eviction: wk_kubelet::EvictionSettings::default(),
            pod_manifests: None,
            wasm_outlives_kubelet: false,
        };
        change(&mut config);
        let parts = Parts {
            client: ClientBuilder::new(api.router(), "default").build(),
            runtimes: Runtimes { wasm: Arc::clone(&runtime) as _, linux: None },
            images: Arc::new(FakeImages),
            network: Arc::new(RootlessFactory),
        };
        let kubelet = Kubelet::start(config, parts, &group).unwrap();
        Self { api, runtime, kubelet, group, folder }
    }

    /// Gives the node its range of addresses once it has registered, and waits until it takes pods.
    async fn taken_up(&self) {
        self.api.until("nodes/n1", |node| node.is_some()).await;
        let mut node = self.api.get("nodes/n1").unwrap();
        node["spec"]["podCIDR"] = json!("127.64.16.0/24");
        self.api.put("nodes/n1", node);
        tokio::time::timeout(Duration::from_secs(20), self.kubelet.ready()).await.unwrap();
    }

    async fn until_phase(&self, phase: &str) {
        self.api
            .until("pods/web", |pod| pod.is_some_and(|pod| pod["status"]["phase"] == phase))
            .await;
    }

    async fn until_waiting(&self, reason: &str) -> String {
        let state = |pod: &Value| pod["status"]["containerStatuses"][0]["state"]["waiting"].clone();
        self.api
            .until("pods/web", |pod| pod.is_some_and(|pod| state(pod)["reason"] == reason))
            .await;
        let waiting = state(&self.api.get("pods/web").unwrap());
        waiting["message"].as_str().unwrap_or_default().to_owned()
    }

    async fn stop(self) -> (Arc<Api>, tempfile::TempDir) {
        assert!(self.group.shutdown(Duration::from_secs(5)).await.is_empty());
        (self.api, self.folder)
    }
}

/// Waits until there is nothing at a path.
async fn until_gone(path: &std::path::Path) {
    let gone = async {
        let mut looks = tokio::time::interval(Duration::from_millis(10));
        while path.exists() {
            looks.tick().await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(20), gone).await;
    assert!(gone.is_ok(), "`{}` is still there", path.display());
}

fn pod(spec: &Value) -> Value {
    let mut spec = spec.clone();
    spec["nodeName"] = json!("n1");
    json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {"namespace": "default", "name": "web", "uid": "u-1", "generation": 1},
        "spec": spec,
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    })
}

fn one_container(image: &str) -> Value {
    json!({"containers": [{"name": "c", "image": image}]})
}

fn ready(pod: Option<&Value>) -> bool {
    let conditions = pod.map(|pod| pod["status"]["conditions"].clone()).unwrap_or_default();
    conditions
        .as_array()
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

#[tokio::test]
async fn a_pod_runs_restarts_and_is_deleted() {
    let node = Node::start().await;
    node.api.put("pods/web", pod(&one_container("here:1")));
    node.api.until("pods/web", ready).await;
    let status = node.api.get("pods/web").unwrap()["status"].clone();
    assert_eq!(status["phase"], "Running");
    assert_eq!(status["podIP"], "127.64.16.1");
    assert_eq!(status["containerStatuses"][0]["containerID"], "fake://u-1_c_0");

    node.runtime.exit(&ContainerId::new("u-1_c_0"), 1);
    node.api
        .until("pods/web", |pod| {
            pod.is_some_and(|pod| pod["status"]["containerStatuses"][0]["restartCount"] == 1)
                && ready(pod)
        })
        .await;
    node.runtime.exit(&ContainerId::new("u-1_c_1"), 1);
    let message = node.until_waiting("CrashLoopBackOff").await;
    assert_eq!(message, "back-off 10s restarting failed container=c pod=web_default(u-1)");

    let mut deleted = node.api.get("pods/web").unwrap();
    deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    deleted["metadata"]["deletionGracePeriodSeconds"] = json!(1);
    node.api.put("pods/web", deleted);
    node.api.until("pods/web", |pod| pod.is_none()).await;
    let (_, folder) = node.stop().await;
    assert_eq!(std::fs::read_dir(folder.path().join("pods")).unwrap().count(), 0);
}

#[tokio::test]
async fn missing_things_are_named_and_awaited() {
    let node = Node::start().await;
    let mut spec = one_container("here:1");
    spec["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
    node.api.put("pods/web", pod(&spec));
    let message = node.until_waiting("CreateContainerConfigError").await;
    assert_eq!(message, "configmap \"settings\" not found");
    let settings = json!({
        "kind": "ConfigMap", "apiVersion": "v1",
        "metadata": {"namespace": "default", "name": "settings", "uid": "cm"},
        "data": {"A": "1"},
    });
    node.api.put("configmaps/settings", settings);
    node.api.until("pods/web", ready).await;
    node.stop().await;
}

#[tokio::test]
async fn an_image_that_is_not_there_backs_off() {
    let node = Node::start().await;
    node.api.put("pods/web", pod(&one_container("missing:1")));
    let message = node.until_waiting("ImagePullBackOff").await;
    assert!(message.contains("ErrImagePull") && message.contains("not found"), "{message}");
    node.api.remove("pods/web");
    node.stop().await;
}

#[tokio::test]
async fn a_pod_that_ends_is_kept_with_its_result() {
    let node = Node::start().await;
    let mut spec = one_container("here:1");
    spec["restartPolicy"] = json!("Never");
    node.api.put("pods/web", pod(&spec));
    node.until_phase("Running").await;
    node.runtime.exit(&ContainerId::new("u-1_c_0"), 3);
    node.until_phase("Failed").await;
    let status = node.api.get("pods/web").unwrap()["status"].clone();
    assert_eq!(status["containerStatuses"][0]["state"]["terminated"]["exitCode"], 3);
    node.stop().await;
}

#[tokio::test]
async fn a_node_that_comes_back_starts_its_pods_again() {
    let node = Node::start().await;
    node.api.put("pods/web", pod(&one_container("here:1")));
    node.api.until("pods/web", ready).await;
    node.kubelet.stop_containers(Duration::ZERO).await;
    let (api, folder) = node.stop().await;
    let node = Node::with(api, folder).await;
    node.api
        .until("pods/web", |pod| {
            pod.is_some_and(|pod| pod["status"]["containerStatuses"][0]["restartCount"] == 1)
                && ready(pod)
        })
        .await;
    let status = node.api.get("pods/web").unwrap()["status"].clone();
    assert_eq!(status["containerStatuses"][0]["lastState"]["terminated"]["exitCode"], 255);
    assert_eq!(status["podIP"], "127.64.16.1");
    node.stop().await;
}

#[tokio::test]
async fn logs_are_served_and_followed_to_the_end() {
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;
    let node = Node::start().await;
    node.api.put("pods/web", pod(&one_container("here:1")));
    node.api.until("pods/web", ready).await;
    let log = node.folder.path().join("logs/pods/default_web_u-1/c/0.log");
    std::fs::write(&log, "2026-01-01T00:00:00Z stdout F one\n").unwrap();
    let get = |query: &str| {
        let uri = format!("/containerLogs/default/web/c?{query}");
        let request = http::Request::get(uri).body(axum::body::Body::empty()).unwrap();
        node.kubelet.router().oneshot(request)
    };
    let whole = get("timestamps=true").await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(whole.to_bytes(), "2026-01-01T00:00:00Z one\n");
    let mut followed = get("follow=true").await.unwrap().into_body();
    let first = followed.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "one\n");
    let mut file = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
    std::io::Write::write_all(&mut file, b"2026-01-01T00:00:01Z stdout F two\n").unwrap();
    let second = followed.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(second, "two\n");
    node.runtime.exit(&ContainerId::new("u-1_c_0"), 0);
    let end = tokio::time::timeout(Duration::from_secs(10), followed.frame()).await.unwrap();
    assert!(end.is_none(), "the stream ends with the container");
    node.stop().await;
}
