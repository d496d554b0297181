//! What only pods have: logs.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wk_apiserver::{Duplex, NodeDialer};
use wk_process::TaskGroup;
use wk_store::MemoryStore;

use crate::cluster::{Cluster, PODS, pod};

/// A kubelet that answers each request with the path it was asked for.
struct Echo(TaskGroup);

#[async_trait]
impl NodeDialer for Echo {
    async fn connect(&self, node: &str) -> io::Result<Box<dyn Duplex>> {
        if node != "n1" {
            return Err(io::Error::other("no such node"));
        }
        let (near, mut far) = tokio::io::duplex(4096);
        self.0.spawn_quiet("kubelet", async move {
            let mut head = vec![0; 4096];
            let read = far.read(&mut head).await.unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{path}", path.len());
            let _ = far.write_all(answer.as_bytes()).await;
            // The connection stays until the server is done with it.
            let _ = far.read(&mut [0; 1]).await;
        });
        Ok(Box::new(near))
    }
}

#[tokio::test]
async fn logs_come_from_the_kubelet() {
    let dialer = Echo(TaskGroup::new("kubelets"));
    let cluster = Cluster::with(Arc::new(MemoryStore::new()), Arc::new(dialer)).await;
    cluster.create(PODS, pod("a")).await;
    let path = format!("{PODS}/a/log");
    let answer = cluster.accept(&path, "*/*").await;
    assert_eq!((answer.code, answer.bytes.len()), (200, 0), "no node, no log");
    let binding = json!({"target": {"kind": "Node", "name": "n1"}});
    cluster.json("POST", &format!("{PODS}/a/binding"), &binding).await;
    let answer = cluster.accept(&format!("{path}?tailLines=5&follow=true"), "*/*").await;
    let shown = String::from_utf8_lossy(&answer.bytes).into_owned();
    assert_eq!(shown, "/containerLogs/default/a/main?follow=true&tailLines=5");
    assert_eq!(cluster.accept(&format!("{path}?container=x"), "*/*").await.code, 400);
    assert_eq!(cluster.accept(&format!("{path}?tailLines=-1"), "*/*").await.code, 400);

    cluster.create(PODS, pod("b")).await;
    let binding = json!({"target": {"kind": "Node", "name": "n2"}});
    cluster.json("POST", &format!("{PODS}/b/binding"), &binding).await;
    let answer = cluster.accept(&format!("{PODS}/b/log"), "*/*").await;
    assert_eq!(answer.code, 502);
}
