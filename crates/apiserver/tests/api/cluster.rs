//! A server to test, and ways to call it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use wk_apiserver::{ApiServer, Config, NoNodes, NodeDialer, Release, ServiceCidr};
use wk_auth::{AllowAuthenticated, Authorizer, TokenSigner, User};
use wk_process::TaskGroup;
use wk_store::{MemoryStore, Store};

/// How long anything may take that is expected to happen.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Cluster {
    pub(crate) server: Arc<ApiServer>,
    router: Router,
    _tasks: TaskGroup,
}

pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: bytes::Bytes,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.bytes)))
    }
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        Self::with(Arc::new(MemoryStore::new()), Arc::new(NoNodes)).await
    }

    pub(crate) async fn with(store: Arc<dyn Store>, dialer: Arc<dyn NodeDialer>) -> Self {
        Self::of(store, dialer, Arc::new(AllowAuthenticated)).await
    }

    /// A cluster with rules of its own.
    pub(crate) async fn authorized(authorizer: Arc<dyn Authorizer>) -> Self {
        Self::of(Arc::new(MemoryStore::new()), Arc::new(NoNodes), authorizer).await
    }

    async fn of(
        store: Arc<dyn Store>,
        dialer: Arc<dyn NodeDialer>,
        authorizer: Arc<dyn Authorizer>,
    ) -> Self {
        let tasks = TaskGroup::new("test");
        let config = Config {
            store,
            authorizer,
            tokens: Arc::new(TokenSigner::ephemeral("https://kubernetes.default.svc").unwrap()),
            dialer,
            bootstrap: None,
            service_cidr: ServiceCidr::new([127, 32, 0, 0].into(), 12).unwrap(),
            advertise: Some(([127, 0, 0, 1], 6443).into()),
            release: Release::default(),
            event_ttl: wk_apiserver::EVENT_TTL,
            tolerations: wk_apiserver::TolerationSeconds::default(),
        };
        let server = ApiServer::start(config, &tasks).await.unwrap();
        Self { router: server.router(), server, _tasks: tasks }
    }

    /// Sends any request as the administrator.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        let admin = User::authenticated("admin", [User::MASTERS]);
        request.extensions_mut().insert(admin);
        self.send_as_is(request).await
    }

    /// Sends any request without saying who asks.
    pub(crate) async fn send_as_is(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let collected = tokio::time::timeout(PATIENCE, body.collect());
        let bytes = collected.await.expect("the body ends").unwrap().to_bytes();
        Answer { code: parts.status.as_u16(), headers: parts.headers, bytes }
    }

    /// Sends any request as the administrator; gives the code and not the body.
    pub(crate) async fn head(&self, mut request: Request<Body>) -> u16 {
        request.extensions_mut().insert(User::authenticated("admin", [User::MASTERS]));
        self.router.clone().oneshot(request).await.unwrap().status().as_u16()
    }

    /// Sends a body of some type.
    pub(crate) async fn raw(
        &self,
        method: &str,
        path: &str,
        media_type: &str,
        body: impl Into<Body>,
    ) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", media_type)
            .body(body.into())
            .unwrap();
        self.send(request).await
    }

    /// Sends JSON; gives code and JSON.
    pub(crate) async fn json(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.raw(method, path, "application/json", body.to_string()).await;
        (answer.code, answer.json())
    }

    /// Gets JSON.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.accept(path, "application/json").await;
        (answer.code, answer.json())
    }

    /// Gets whatever a media type is.
    pub(crate) async fn accept(&self, path: &str, accept: &str) -> Answer {
        let request = Request::get(path).header("accept", accept).body(Body::empty()).unwrap();
        self.send(request).await
    }

    /// Deletes with options.
    pub(crate) async fn delete(&self, path: &str, options: &Value) -> (u16, Value) {
        self.json("DELETE", path, options).await
    }

    /// Creates an object and expects that to work.
    pub(crate) async fn create(&self, path: &str, object: Value) -> Value {
        let (code, created) = self.json("POST", path, &object).await;
        assert_eq!(code, 201, "{created}");
        created
    }

    /// Begins a watch.
    pub(crate) async fn watch(&self, path: &str) -> Watch {
        self.watch_as(path, "application/json").await
    }

    /// Begins a watch of some representation.
    pub(crate) async fn watch_as(&self, path: &str, accept: &str) -> Watch {
        let mut request = Request::get(path).header("accept", accept).body(Body::empty()).unwrap();
        request.extensions_mut().insert(User::authenticated("admin", [User::MASTERS]));
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        Watch { body: response.into_body(), lines: VecDeque::new(), rest: Vec::new() }
    }
}

/// An open watch.
pub(crate) struct Watch {
    body: Body,
    lines: VecDeque<Value>,
    rest: Vec<u8>,
}

impl Watch {
    /// The next event; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        tokio::time::timeout(PATIENCE, self.unhurried()).await.expect("an event comes")
    }

    /// The next event, however long it takes: for tests whose clock is paused.
    pub(crate) async fn unhurried(&mut self) -> Option<Value> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            let frame = self.body.frame().await?;
            self.rest.extend_from_slice(&frame.unwrap().into_data().unwrap());
            while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                self.lines.push_back(serde_json::from_slice(&line).unwrap());
            }
        }
    }

    /// The next event as `TYPE name`.
    pub(crate) async fn short(&mut self) -> String {
        let event = self.next().await.expect("the watch goes on");
        let name = event["object"]["metadata"]["name"].as_str().unwrap_or("-");
        format!("{} {name}", event["type"].as_str().unwrap())
    }
}

pub(crate) const PODS: &str = "/api/v1/namespaces/default/pods";
pub(crate) const MAPS: &str = "/api/v1/namespaces/default/configmaps";

pub(crate) fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [{"name": "main", "image": "example.test/web:1"}]},
    })
}

pub(crate) fn map(name: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"key": value},
    })
}

pub(crate) fn revision(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}
