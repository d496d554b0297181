//! A cluster to ask, and how it is asked.

use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use wk_tests::{Cluster, PATIENCE};

use crate::asking::ask;

pub(crate) const MERGE: &str = "application/merge-patch+json";
pub(crate) const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub(crate) const NAMESPACES: &str = "/api/v1/namespaces";

/// A cluster to ask, with a namespace for the test.
pub(crate) struct Suite {
    pub(crate) client: Client,
    _cluster: Cluster,
}

impl Suite {
    pub(crate) async fn start() -> Self {
        let cluster = Cluster::start();
        let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        let suite = Self { client: Client::try_from(config).unwrap(), _cluster: cluster };
        suite.create(NAMESPACES, json!({"metadata": {"name": "suite"}})).await;
        suite
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        ask("GET", path).of(&self.client).await.ok(path)
    }

    pub(crate) async fn create(&self, path: &str, object: Value) -> Value {
        ask("POST", path).json(&object).of(&self.client).await.ok(path)
    }

    pub(crate) async fn put(&self, path: &str, object: &Value) -> Value {
        ask("PUT", path).json(object).of(&self.client).await.ok(path)
    }

    pub(crate) async fn patch(&self, path: &str, media_type: &str, patch: Value) -> Value {
        let patch = ask("PATCH", path).bytes(media_type, patch.to_string());
        patch.of(&self.client).await.ok(path)
    }

    pub(crate) async fn delete(&self, path: &str) -> Value {
        ask("DELETE", path).of(&self.client).await.ok(path)
    }

    pub(crate) async fn gone(&self, path: &str) {
        let gone = async {
            while ask("GET", path).of(&self.client).await.code != 404 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.expect(path);
    }

    /// The names in a list.
    pub(crate) async fn names(&self, path: &str) -> Vec<String> {
        let list = self.get(path).await;
        let names = list["items"].as_array().unwrap().iter();
        names.map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn watch(&self, path: &str) -> Watch {
        let response = self.client.send(ask("GET", path).request()).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        Watch { body: response.into_body(), bytes: Vec::new() }
    }
}

pub(crate) struct Watch {
    body: Body,
    bytes: Vec<u8>,
}

impl Watch {
    pub(crate) async fn next(&mut self) -> Value {
        loop {
            if let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.bytes.drain(..=end).collect();
                return serde_json::from_slice(&line).unwrap();
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await.expect("an event");
            self.bytes.extend(frame.expect("the watch goes on").unwrap().into_data().unwrap());
        }
    }

    /// The next event as `TYPE name`.
    pub(crate) async fn short(&mut self) -> String {
        let event = self.next().await;
        let name = event["object"]["metadata"]["name"].as_str().unwrap_or_default();
        format!("{} {name}", event["type"].as_str().unwrap())
    }
}
