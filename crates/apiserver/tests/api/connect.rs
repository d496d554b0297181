//! Requests that lead out of the server: streams and proxies, up to what a kubelet is asked.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use http::Request;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wk_apiserver::{Duplex, NodeDialer};
use wk_process::TaskGroup;
use wk_store::MemoryStore;

use crate::cluster::{Answer, Cluster, PODS, pod};

/// A kubelet that answers each request with its first line, and redirects to `/login` where asked.
struct Echo(TaskGroup);

#[async_trait]
impl NodeDialer for Echo {
    async fn connect(&self, node: &str) -> io::Result<Box<dyn Duplex>> {
        if node != "n1" {
            return Err(io::Error::other("no such node"));
        }
        let (near, mut far) = tokio::io::duplex(16 << 10);
        self.0.spawn_quiet("kubelet", async move {
            let mut head = vec![0; 4096];
            let mut read = 0;
            while !head[..read].windows(4).any(|end| end == b"\r\n\r\n") {
                match far.read(&mut head[read..]).await {
                    Ok(count @ 1..) => read += count,
                    _ => return,
                }
            }
            let head = String::from_utf8_lossy(&head[..read]).to_lowercase();
            let line = head.lines().next().unwrap_or_default();
            let more = if line.contains("/old") { "location: /login\r\n" } else { "" };
            let secret = if head.contains("authorization") { " and a secret" } else { "" };
            let body = format!("{line}{secret}");
            let answer = format!(
                "HTTP/1.1 200 OK\r\n{more}x-mine: 1\r\nkeep-alive: 5\r\ncontent-length: {}\r\n\r\n\
                 {body}",
                body.len()
            );
            let _ = far.write_all(answer.as_bytes()).await;
            // The connection stays until the server is done with it.
            let _ = far.read(&mut [0; 1]).await;
        });
        Ok(Box::new(near))
    }
}

async fn cluster() -> Cluster {
    let dialer = Echo(TaskGroup::new("kubelets"));
    let cluster = Cluster::with(Arc::new(MemoryStore::new()), Arc::new(dialer)).await;
    let node = json!({"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n1"}});
    cluster.create("/api/v1/nodes", node).await;
    cluster.create(PODS, pod("a")).await;
    cluster.create(PODS, pod("unbound")).await;
    let binding = json!({"target": {"kind": "Node", "name": "n1"}});
    cluster.json("POST", &format!("{PODS}/a/binding"), &binding).await;
    cluster
}

async fn ask(cluster: &Cluster, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    cluster.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_node_is_asked_what_the_client_asks() {
    let cluster = cluster().await;
    let proxy = "/api/v1/nodes/n1/proxy";
    for (method, path, expected) in [
        ("GET", "/metrics?a=b%20c", "get /metrics?a=b%20c http/1.1"),
        ("POST", "/x%2Fy//", "post /x%2fy// http/1.1"),
        ("OPTIONS", "/", "options / http/1.1"),
        ("DELETE", "", "delete / http/1.1"),
    ] {
        let headers = [("authorization", "Bearer secret")];
        let answer = ask(&cluster, method, &format!("{proxy}{path}"), &headers).await;
        let said = String::from_utf8_lossy(&answer.bytes);
        assert_eq!((answer.code, &*said), (200, expected), "{method} {path}");
        assert_eq!(answer.headers["x-mine"], "1");
        assert!(!answer.headers.contains_key("keep-alive"), "it is about the connection");
    }
    let answer = ask(&cluster, "GET", &format!("{proxy}?a=b"), &[]).await;
    let place = answer.headers["location"].to_str().unwrap();
    assert_eq!((answer.code, place), (301, "/api/v1/nodes/n1/proxy/?a=b"));
    let answer = ask(&cluster, "GET", &format!("{proxy}/old"), &[]).await;
    assert_eq!(answer.headers["location"], "/api/v1/nodes/n1/proxy/login");
}

#[tokio::test]
async fn what_leads_nowhere_is_refused_with_a_status() {
    let cluster = cluster().await;
    let upgrade = [("connection", "Upgrade"), ("upgrade", "SPDY/3.1")];
    let stream = |rest: &str| format!("{PODS}/{rest}");
    for (path, headers, code, message) in [
        (stream("a/exec?command=x&stdout=1"), &[][..], 400, "Upgrade request required"),
        (stream("none/exec?command=x"), &upgrade, 404, "pods \"none\" not found"),
        (stream("a/exec?container=x"), &upgrade, 400, "container x is not valid for pod a"),
        (
            stream("unbound/attach?stdout=1"),
            &upgrade,
            400,
            "pod unbound does not have a host assigned",
        ),
        (stream("a/portforward?ports=0"), &upgrade, 400, "port \"0\" must be > 0"),
        (stream("a/portforward?ports=x"), &upgrade, 400, "unable to parse \"x\" as a port"),
        (stream("a:80/proxy/"), &[], 400, "address not allowed"),
        (stream("ftp:a:80/proxy/"), &[], 400, "invalid pod request \"ftp:a:80\""),
        ("/api/v1/nodes/n2/proxy/".to_owned(), &[], 404, "nodes \"n2\" not found"),
        ("/api/v1/nodes/n1:22/proxy/".to_owned(), &[], 400, "address not allowed"),
    ] {
        let answer = ask(&cluster, "GET", &path, headers).await;
        let status = answer.json();
        assert_eq!(answer.code, code, "{path}: {status}");
        assert_eq!((&status["kind"], &status["message"]), (&json!("Status"), &json!(message)));
    }
    let answer = ask(&cluster, "DELETE", &stream("a/exec?command=x"), &upgrade).await;
    assert_eq!(answer.code, 405);
}

#[tokio::test]
async fn the_kubelet_is_asked_in_its_own_words() {
    let cluster = cluster().await;
    let upgrade = [("connection", "Upgrade"), ("upgrade", "SPDY/3.1")];
    for (path, expected) in [
        (
            "a/exec?command=echo&command=a%20b&stdout=true&stderr=1&stdin=false&container=main",
            "get /exec/default/a/main?output=1&error=1&command=echo&command=a%20b http/1.1",
        ),
        ("a/attach?stdin=true&tty=true", "get /attach/default/a/main?input=1&tty=1 http/1.1"),
        (
            "a/portforward?ports=80,81&ports=82",
            "get /portforward/default/a?port=80&port=81&port=82 http/1.1",
        ),
    ] {
        let answer = ask(&cluster, "GET", &format!("{PODS}/{path}"), &upgrade).await;
        assert_eq!(String::from_utf8_lossy(&answer.bytes), expected);
    }
}
