//! Where one case is played: a namespace of its own, a folder of the node, and what can be done there.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{
    DeleteParams, DynamicObject, ListParams, LogParams, Patch, PatchParams, PostParams,
};
use kube::core::{ApiResource, GroupVersionKind, TypeMeta};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Stage, Subject, mismatch};
use crate::{Answer, PATIENCE, kubectl_path};

/// Between two looks at what nobody tells of.
const LOOK: Duration = Duration::from_millis(100);

/// The place of one case.
#[derive(Debug)]
pub struct Scene<'a> {
    pub(super) stage: &'a Stage,
    namespace: String,
    folder: PathBuf,
}

impl<'a> Scene<'a> {
    pub(super) async fn open(stage: &'a Stage, namespace: String) -> Self {
        let folder = stage.cluster.scratch().join(&namespace);
        fs::create_dir(&folder).expect("the cluster's folder can be written");
        let scene = Self { stage, namespace, folder };
        let name = &scene.namespace;
        let own = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        scene.create(own).await.expect("a namespace can be made");
        let account = json!({"kind": "ServiceAccount", "metadata": {"name": "default"}});
        eventually("the namespace has an account", async || {
            scene.api(&account).get("default").await.map_err(|error| error.to_string())
        })
        .await;
        scene
    }

    /// Has its pods ended, so that nobody else has to share the machine with them.
    pub(super) async fn close(&self) {
        let at_once = DeleteParams { grace_period_seconds: Some(1), ..DeleteParams::default() };
        let deleted = self.pods().delete_collection(&at_once, &ListParams::default()).await;
        deleted.expect("pods can be deleted");
    }

    /// What runs the pods.
    pub fn subject(&self) -> Subject {
        self.stage.subject
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// A folder of the node of its own.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The guest's image.
    pub fn image(&self) -> &str {
        &self.stage.image
    }

    /// A client of the API server.
    pub fn client(&self) -> &Client {
        &self.stage.client
    }

    /// Where the node keeps the files of a pod that it has.
    pub fn pod_folder(&self, pod: &str) -> PathBuf {
        self.stage.cluster.data_dir().join("node/pods").join(self.uid(pod))
    }

    /// Where the node keeps the logs of a container.
    pub fn log_folder(&self, pod: &str, container: &str) -> PathBuf {
        let name = format!("{}_{pod}_{}", self.namespace, self.uid(pod));
        self.stage.cluster.data_dir().join("node/logs/pods").join(name).join(container)
    }

    fn uid(&self, pod: &str) -> String {
        let (versions, _) = self.stage.watched.pod(&self.namespace, pod);
        let uid = versions.last().and_then(|view| view["pod"]["metadata"]["uid"].as_str());
        uid.unwrap_or_default().to_owned()
    }

    /// The API of an object's kind.
    pub(super) fn api(&self, object: &Value) -> Api<DynamicObject> {
        let kind = object["kind"].as_str().expect("an object has a kind");
        let version = object["apiVersion"].as_str().unwrap_or("v1");
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        match kind {
            "Namespace" | "PersistentVolume" => Api::all_with(self.client().clone(), &resource),
            _ => Api::namespaced_with(self.client().clone(), &self.namespace, &resource),
        }
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client().clone(), &self.namespace)
    }

    /// Creates an object.
    ///
    /// # Errors
    /// What the API server said.
    ///
    /// # Panics
    /// If it is none.
    pub async fn create(&self, object: Value) -> kube::Result<DynamicObject> {
        let api = self.api(&object);
        let version = object["apiVersion"].as_str().unwrap_or("v1").to_owned();
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        let mut object: DynamicObject = serde_json::from_value(object).expect("an object");
        object.types = Some(TypeMeta { api_version: version, kind });
        api.create(&PostParams::default(), &object).await
    }

    /// Creates a pod that is written in few words, see [`Scene::pod`].
    ///
    /// # Panics
    /// If the API server refuses it.
    pub async fn run(&self, words: &Value) {
        let created = self.create(self.pod(words)).await;
        created.unwrap_or_else(|error| panic!("{words} is refused: {error}"));
    }

    /// A pod from few words: `name` (or `pod`), `metadata`, `main` for the one container of this name,
    /// and fields of its specification. Containers without an image get the guest's.
    pub fn pod(&self, words: &Value) -> Value {
        let mut spec = words.as_object().cloned().unwrap_or_default();
        let name = spec.remove("name").unwrap_or_else(|| "pod".into());
        let mut metadata = spec.remove("metadata").unwrap_or_else(|| json!({}));
        metadata["name"] = name;
        if let Some(mut main) = spec.remove("main") {
            main["name"] = "main".into();
            spec.insert("containers".to_owned(), json!([main]));
        }
        for list in ["initContainers", "containers"] {
            let containers = spec.get_mut(list).and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten() {
                if container["image"].is_null() {
                    container["image"] = self.image().into();
                }
            }
        }
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    }

    /// Changes an object by a merge patch, or a part of it.
    ///
    /// # Panics
    /// If that is refused.
    pub async fn patch(&self, kind: &str, name: &str, part: Option<&str>, change: &Value) {
        let api = self.api(&json!({"kind": kind}));
        let (params, patch) = (PatchParams::default(), Patch::Merge(change));
        let patched = match part {
            Some(part) => api.patch_subresource(part, name, &params, &patch).await,
            None => api.patch(name, &params, &patch).await,
        };
        patched.unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
    }

    /// Waits until a pod is as expected and returns it, in fewer words.
    ///
    /// # Panics
    /// If that does not happen.
    pub async fn until(&self, pod: &str, expected: &Value) -> Arc<Value> {
        self.seen(pod, &format!("`{pod}` is {expected}"), |versions| {
            let last = versions.last().ok_or("there is no such pod")?;
            let Some(fault) = mismatch(expected, last) else { return Ok(Arc::clone(last)) };
            // These are for good.
            let phase = &last["phase"];
            let is_over = phase == "Succeeded" || phase == "Failed";
            let other = expected["phase"].is_string() && expected["phase"] != *phase;
            assert!(!(is_over && other), "`{pod}` is not {expected}: {}", last["pod"]["status"]);
            Err(fault)
        })
        .await
    }

    /// Waits until a pod is as expected, or was at any time, and returns it as it was then.
    ///
    /// # Panics
    /// If that does not happen.
    pub async fn ever(&self, pod: &str, expected: &Value) -> Arc<Value> {
        self.seen(pod, &format!("`{pod}` was {expected}"), |versions| {
            let found = versions.iter().find(|version| mismatch(expected, version).is_none());
            found.cloned().ok_or_else(|| {
                let last = versions.last().and_then(|last| mismatch(expected, last));
                format!("never: at last {}", last.unwrap_or_default())
            })
        })
        .await
    }

    /// Waits until a pod is gone, and returns all that it ever was.
    ///
    /// # Panics
    /// If that does not happen.
    pub async fn gone(&self, pod: &str) -> Vec<Arc<Value>> {
        let mut changes = self.stage.watched.changes();
        changing(&format!("`{pod}` is gone"), &mut changes, || {
            match self.stage.watched.pod(&self.namespace, pod) {
                (versions, true) => Ok(versions),
                (versions, false) => Err(format!("it is {:?}", versions.last())),
            }
        })
        .await
    }

    async fn seen<T>(
        &self,
        pod: &str,
        awaited: &str,
        judge: impl Fn(&[Arc<Value>]) -> Result<T, String>,
    ) -> T {
        let mut changes = self.stage.watched.changes();
        changing(awaited, &mut changes, || {
            let (versions, _) = self.stage.watched.pod(&self.namespace, pod);
            judge(&versions).map_err(|fault| {
                let last = versions.last().map(|last| last["pod"]["status"].to_string());
                format!("{fault}\nat last: {}", last.unwrap_or_default())
            })
        })
        .await
    }

    /// Waits until there are these events about an object: each is expected of one.
    ///
    /// # Panics
    /// If that does not happen.
    pub async fn told(&self, about: &str, expected: &[Value]) {
        let mut changes = self.stage.watched.changes();
        changing(&format!("events of `{about}`"), &mut changes, || {
            let events = self.stage.watched.events(&self.namespace, about);
            let is_there = |one: &Value| events.iter().any(|event| mismatch(one, event).is_none());
            match expected.iter().find(|one| !is_there(one)) {
                None => Ok(()),
                Some(missing) => {
                    let text =
                        |event: &Arc<Value>| format!("{} {}", event["reason"], event["message"]);
                    let all: Vec<String> = events.iter().map(text).collect();
                    Err(format!("none is {missing}, there are:\n  {}", all.join("\n  ")))
                }
            }
        })
        .await;
    }

    /// The events about an object so far.
    pub fn events(&self, about: &str) -> Vec<Arc<Value>> {
        self.stage.watched.events(&self.namespace, about)
    }

    /// What a container has printed.
    ///
    /// # Errors
    /// What the API server said.
    pub async fn logs(&self, pod: &str, params: &LogParams) -> kube::Result<String> {
        self.pods().logs(pod, params).await
    }

    /// Waits until all that the container `main` of a pod has printed is as expected.
    ///
    /// # Panics
    /// If that does not happen.
    pub async fn printed(&self, pod: &str, expected: &str) {
        let params = LogParams { container: Some("main".to_owned()), ..LogParams::default() };
        self.printed_by(pod, &params, expected).await;
    }

    /// The same with any part of any container's log.
    ///
    /// # Panics
    /// If that does not happen.
    pub async fn printed_by(&self, pod: &str, params: &LogParams, expected: &str) {
        eventually(&format!("the log of `{pod}` is {expected:?}"), async || {
            let log = self.logs(pod, params).await.map_err(|error| error.to_string())?;
            mismatch(&expected.into(), &log.into()).map_or(Ok(()), Err)
        })
        .await;
    }

    /// Deletes a pod with its own time to end, or another, and waits until it is gone.
    ///
    /// # Panics
    /// If that does not happen.
    pub async fn delete(&self, pod: &str, grace: Option<u32>) -> Vec<Arc<Value>> {
        let params = DeleteParams { grace_period_seconds: grace, ..DeleteParams::default() };
        let deleted = self.pods().delete(pod, &params).await;
        deleted.unwrap_or_else(|error| panic!("`{pod}` is not deleted: {error}"));
        self.gone(pod).await
    }

    /// The stock client in this namespace, ready to be started.
    pub fn kubectl_command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(kubectl_path());
        let cluster = &self.stage.cluster;
        command.arg("--cache-dir").arg(cluster.scratch().join("kubectl-cache"));
        command.arg("--kubeconfig").arg(cluster.kubeconfig());
        command.arg("--namespace").arg(&self.namespace).args(words);
        command.env("HOME", cluster.scratch()).current_dir(&self.folder);
        command
    }

    /// Runs the stock client.
    ///
    /// # Panics
    /// If it cannot be started.
    pub async fn kubectl(&self, words: &[&str], input: &str) -> Answer {
        let (command, input) = (self.kubectl_command(words), input.to_owned());
        let answer = tokio::task::spawn_blocking(move || Answer::of(command, &input));
        answer.await.expect("it can be started")
    }

    /// Has the guest in a container of a pod do something else.
    ///
    /// # Panics
    /// If the client cannot be started.
    pub async fn exec(&self, pod: &str, words: &[&str]) -> Answer {
        self.kubectl(&[&["exec", pod, "--", "testguest"], words].concat(), "").await
    }
}

/// Tries again and again until it succeeds.
///
/// # Panics
/// If that takes too long; the message has the last fault.
pub async fn eventually<T>(
    awaited: &str,
    mut attempt: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let start = Instant::now();
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(fault) => {
                assert!(start.elapsed() < PATIENCE, "gave up waiting until {awaited}: {fault}");
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The same, looked at whenever something changes.
async fn changing<T>(
    awaited: impl Display,
    changes: &mut tokio::sync::watch::Receiver<u64>,
    mut judge: impl FnMut() -> Result<T, String>,
) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        let fault = match judge() {
            Ok(value) => return value,
            Err(fault) => fault,
        };
        let changed = tokio::time::timeout_at(end, changes.changed()).await;
        assert!(changed.is_ok(), "gave up waiting until {awaited}: {fault}");
    }
}
