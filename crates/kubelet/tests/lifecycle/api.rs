//! As much of an API server as a kubelet talks to: one namespace of pods, a node, and a heap of
//! events. It keeps objects in memory and sends every change to whoever watches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use axum::{Json, Router};
use futures::StreamExt as _;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::{Notify, broadcast};

pub(crate) struct Api {
    objects: Mutex<BTreeMap<String, Value>>,
    version: Mutex<u64>,
    changes: broadcast::Sender<(String, Value)>,
    changed: Notify,
    away: AtomicBool,
    pub(crate) events: Mutex<Vec<Value>>,
}

type Shared = State<Arc<Api>>;

impl Api {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            objects: Mutex::default(),
            version: Mutex::new(1),
            changes: broadcast::Sender::new(1024),
            changed: Notify::new(),
            away: AtomicBool::new(false),
            events: Mutex::default(),
        })
    }

    pub(crate) fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/api/v1/nodes", post(create_node).get(watch_nodes))
            .route("/api/v1/nodes/{name}", get(one_node).patch(one_node))
            .route("/api/v1/nodes/{name}/status", patch(patch_node))
            .route("/api/v1/pods", get(watch_pods))
            .route("/api/v1/services", get(watch_services))
            .route("/api/v1/persistentvolumes", get(watch_volumes))
            .route("/api/v1/persistentvolumes/{name}", patch(patch_volume))
            .route("/api/v1/namespaces/{ns}/persistentvolumeclaims", get(watch_claims))
            .route("/api/v1/namespaces/{ns}/serviceaccounts/{name}/token", post(create_token))
            .route("/api/v1/namespaces/{ns}/configmaps", get(watch_config_maps))
            .route("/api/v1/namespaces/{ns}/pods", post(create_pod))
            .route("/api/v1/namespaces/{ns}/pods/{name}", delete(delete_pod))
            .route("/api/v1/namespaces/{ns}/pods/{name}/status", patch(patch_pod))
            .fallback(anything)
            .layer(from_fn_with_state(Arc::clone(self), unless_away))
            .with_state(Arc::clone(self))
    }

    /// Answers nothing any more, or again.
    pub(crate) fn leave(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    pub(crate) fn put(&self, key: &str, mut object: Value) {
        let kind = if self.objects.lock().contains_key(key) { "MODIFIED" } else { "ADDED" };
        object["metadata"]["resourceVersion"] = json!(self.next().to_string());
        self.objects.lock().insert(key.to_owned(), object.clone());
        self.tell(kind, object);
    }

    pub(crate) fn remove(&self, key: &str) {
        let Some(mut object) = self.objects.lock().remove(key) else { return };
        object["metadata"]["resourceVersion"] = json!(self.next().to_string());
        self.tell("DELETED", object);
    }

    pub(crate) fn get(&self, key: &str) -> Option<Value> {
        self.objects.lock().get(key).cloned()
    }

    /// Waits until the object is as wanted; `None` is an object that is not there.
    pub(crate) async fn until(&self, key: &str, wanted: impl Fn(Option<&Value>) -> bool) {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                if wanted(self.get(key).as_ref()) {
                    return;
                }
                changed.await;
            }
        };
        let found = tokio::time::timeout(std::time::Duration::from_secs(20), wait).await;
        assert!(found.is_ok(), "`{key}` never became as wanted: {:#?}", self.get(key));
    }

    /// The events of this reason so far.
    pub(crate) fn events_of(&self, reason: &str) -> Vec<Value> {
        let events = self.events.lock();
        events.iter().filter(|event| event["reason"] == reason).cloned().collect()
    }

    /// Waits for an event and returns it.
    pub(crate) async fn event(&self, reason: &str) -> Value {
        self.until_event(|event| event["reason"] == reason).await
    }

    /// Waits for an event that is as wanted, and returns it.
    pub(crate) async fn until_event(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                let found = self.events.lock().iter().find(|event| wanted(event)).cloned();
                match found {
                    Some(event) => return event,
                    None => changed.await,
                }
            }
        };
        let found = tokio::time::timeout(std::time::Duration::from_secs(20), wait).await;
        found.unwrap_or_else(|_| panic!("no such event among {:#?}", self.events.lock()))
    }

    fn next(&self) -> u64 {
        let mut version = self.version.lock();
        *version += 1;
        *version
    }

    fn tell(&self, kind: &str, object: Value) {
        let _watchers = self.changes.send((kind.to_owned(), object));
        self.changed.notify_waiters();
    }

    /// A streaming list and then every change of one kind.
    fn watch(&self, kind: &'static str, name: Option<String>) -> Response {
        let changes = self.changes.subscribe();
        let fits = move |object: &Value| {
            object["kind"] == kind
                && name.as_ref().is_none_or(|name| object["metadata"]["name"] == name.as_str())
        };
        let now: Vec<Value> = {
            let objects = self.objects.lock();
            objects.values().filter(|object| fits(object)).cloned().collect()
        };
        let mut first: Vec<String> = now.iter().map(|object| line("ADDED", object)).collect();
        first.push(line(
            "BOOKMARK",
            &json!({
                "kind": kind, "apiVersion": "v1", "metadata": {
                    "resourceVersion": self.version.lock().to_string(),
                    "annotations": {"k8s.io/initial-events-end": "true"},
                },
            }),
        ));
        let later = futures::stream::unfold(changes, |mut changes| async {
            changes.recv().await.ok().map(|change| (change, changes))
        });
        let later = later.filter_map(move |(kind, object)| {
            std::future::ready(fits(&object).then(|| line(&kind, &object)))
        });
        let lines = futures::stream::iter(first).chain(later);
        let lines = lines.map(|line| Ok::<_, std::io::Error>(Bytes::from(line)));
        Body::from_stream(lines).into_response()
    }

    fn merge_status(&self, key: &str, body: &Value) -> Response {
        let Some(mut object) = self.get(key) else { return missing() };
        for (field, value) in body["status"].as_object().into_iter().flatten() {
            let status = &mut object["status"];
            if field != "conditions" {
                status[field] = value.clone();
                continue;
            }
            let mut all = status[field].as_array().cloned().unwrap_or_default();
            for condition in value.as_array().into_iter().flatten() {
                all.retain(|old| old["type"] != condition["type"]);
                all.push(condition.clone());
            }
            status[field] = json!(all);
        }
        self.put(key, object);
        Json(self.get(key)).into_response()
    }
}

/// One event of a watch, its type first, as servers write it.
fn line(kind: &str, object: &Value) -> String {
    format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n")
}

async fn unless_away(State(api): Shared, request: Request, next: Next) -> Response {
    if api.away.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    next.run(request).await
}

fn missing() -> Response {
    failed(StatusCode::NOT_FOUND, "NotFound")
}

fn failed(code: StatusCode, reason: &str) -> Response {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code.as_u16(),
        "reason": reason, "message": reason,
    });
    (code, Json(status)).into_response()
}

async fn create_node(State(api): Shared, Json(mut node): Json<Value>) -> Response {
    let key = format!("nodes/{}", node["metadata"]["name"].as_str().unwrap());
    if api.get(&key).is_some() {
        return failed(StatusCode::CONFLICT, "AlreadyExists");
    }
    node["kind"] = json!("Node");
    node["metadata"]["uid"] = json!("node-uid");
    api.put(&key, node);
    Json(api.get(&key)).into_response()
}

/// Labels are all that is patched, and nobody reads them here.
async fn one_node(State(api): Shared, Path(name): Path<String>) -> Response {
    api.get(&format!("nodes/{name}")).map_or_else(missing, |node| Json(node).into_response())
}

async fn patch_node(State(api): Shared, Path(name): Path<String>, body: Bytes) -> Response {
    api.merge_status(&format!("nodes/{name}"), &serde_json::from_slice(&body).unwrap())
}

async fn watch_nodes(
    State(api): Shared,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    if query.contains_key("watch") {
        return api.watch("Node", None);
    }
    let nodes: Vec<Value> = api.get("nodes/n1").into_iter().collect();
    let metadata = json!({"resourceVersion": api.version.lock().to_string()});
    let list = json!({
        "kind": "NodeList", "apiVersion": "v1", "metadata": metadata, "items": nodes,
    });
    Json(list).into_response()
}

async fn watch_pods(State(api): Shared) -> Response {
    api.watch("Pod", None)
}

async fn watch_config_maps(
    State(api): Shared,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    api.watch("ConfigMap", named(&query))
}

/// The name that a watch is for.
fn named(query: &BTreeMap<String, String>) -> Option<String> {
    let name = query.get("fieldSelector").and_then(|text| text.strip_prefix("metadata.name="));
    name.map(str::to_owned)
}

async fn watch_services(State(api): Shared) -> Response {
    api.watch("Service", None)
}

async fn watch_volumes(
    State(api): Shared,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    api.watch("PersistentVolume", named(&query))
}

async fn watch_claims(
    State(api): Shared,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    api.watch("PersistentVolumeClaim", named(&query))
}

/// Annotations and finalizers are all that is patched; an object without finalizers goes.
async fn patch_volume(State(api): Shared, Path(name): Path<String>, body: Bytes) -> Response {
    let key = format!("persistentvolumes/{name}");
    let Some(mut volume) = api.get(&key) else { return missing() };
    let patch: Value = serde_json::from_slice(&body).unwrap();
    for (name, value) in patch["metadata"]["annotations"].as_object().into_iter().flatten() {
        volume["metadata"]["annotations"][name] = value.clone();
    }
    if let Some(finalizers) = patch["metadata"].get("finalizers") {
        volume["metadata"]["finalizers"] = finalizers.clone();
    }
    let goes = volume["metadata"]["deletionTimestamp"].is_string()
        && volume["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty);
    if goes {
        api.remove(&key);
    } else {
        api.put(&key, volume.clone());
    }
    Json(volume).into_response()
}

/// Every token is another one. They live as long as the object `grant` says, if there is one.
async fn create_token(
    State(api): Shared,
    Path((_, name)): Path<(String, String)>,
    Json(mut request): Json<Value>,
) -> Response {
    let Some(grant) = api.get("grant") else { return failed(StatusCode::FORBIDDEN, "Forbidden") };
    let bound = request["spec"]["boundObjectRef"]["uid"].as_str().unwrap().to_owned();
    let audience = request["spec"]["audiences"][0].as_str().unwrap_or("the API").to_owned();
    if let Some(seconds) = grant["seconds"].as_i64() {
        request["spec"]["expirationSeconds"] = json!(seconds);
    }
    let token = format!("{name} {bound} {audience} {}", api.next());
    let made = api.get("tokens").map_or(0, |made| made["count"].as_i64().unwrap());
    api.put("tokens", json!({"count": made + 1}));
    request["status"] = json!({"token": token, "expirationTimestamp": "2026-01-01T00:00:00Z"});
    (StatusCode::CREATED, Json(request)).into_response()
}

/// As an API server does it: the uid is its own.
async fn create_pod(State(api): Shared, Json(mut pod): Json<Value>) -> Response {
    let key = format!("pods/{}", pod["metadata"]["name"].as_str().unwrap());
    if api.get(&key).is_some() {
        return failed(StatusCode::CONFLICT, "AlreadyExists");
    }
    pod["kind"] = json!("Pod");
    pod["metadata"]["uid"] = json!(format!("made-{}", api.next()));
    pod["metadata"]["generation"] = json!(1);
    pod["status"] = json!({"phase": "Pending", "qosClass": "BestEffort"});
    api.put(&key, pod);
    (StatusCode::CREATED, Json(api.get(&key))).into_response()
}

async fn patch_pod(
    State(api): Shared,
    Path((_, name)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    api.merge_status(&format!("pods/{name}"), &serde_json::from_slice(&body).unwrap())
}

async fn delete_pod(State(api): Shared, Path((_, name)): Path<(String, String)>) -> Response {
    let key = format!("pods/{name}");
    let Some(pod) = api.get(&key) else { return missing() };
    api.remove(&key);
    Json(pod).into_response()
}

/// Leases, events and whatever else is written: taken as it is.
async fn anything(State(api): Shared, body: Bytes) -> Response {
    let object: Value = serde_json::from_slice(&body).unwrap_or_default();
    if object["kind"] == "Event" || object.get("involvedObject").is_some() {
        api.events.lock().push(object.clone());
        api.changed.notify_waiters();
    }
    Json(object).into_response()
}
