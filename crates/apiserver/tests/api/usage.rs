//! What nodes and pods use: measured by kubelets, asked for by clients.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wk_apiserver::{Duplex, NodeDialer};
use wk_process::TaskGroup;
use wk_store::MemoryStore;

use crate::cluster::{Cluster, PODS, pod};

const NODES: &str = "/apis/metrics.k8s.io/v1beta1/nodes";
const USED: &str = "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods";
const CUSTOM: &str = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/pods";

/// The kubelet of `n1`, by whose clock a second passes whenever it is asked.
struct Kubelet {
    asked: AtomicU64,
    tasks: TaskGroup,
}

impl Kubelet {
    /// In each second the node uses half a core, and the pods a quarter and ten requests of 0.2 s.
    fn page(second: u64) -> String {
        let at = 100_000 + second * 1000;
        #[expect(clippy::cast_precision_loss, reason = "it is a small number")]
        let times = |share: f64| share * second as f64;
        let mut page = format!(
            "node_cpu_usage_seconds_total {} {at}\nnode_memory_working_set_bytes 2097152 {at}\n",
            times(0.5)
        );
        for pod in ["a", "b"] {
            let labels = format!("container=\"main\",namespace=\"default\",pod=\"{pod}\"");
            for (metric, value) in [
                ("container_cpu_usage_seconds_total", times(0.25)),
                ("container_memory_working_set_bytes", 65_536.0),
                ("container_start_time_seconds", 1.0),
                ("container_http_requests_total", times(10.0)),
                ("container_http_request_seconds_total", times(2.0)),
            ] {
                if pod == "a" || !metric.contains("http") {
                    writeln!(page, "{metric}{{{labels}}} {value} {at}").unwrap();
                }
            }
        }
        page
    }
}

#[async_trait]
impl NodeDialer for Kubelet {
    async fn connect(&self, node: &str) -> io::Result<Box<dyn Duplex>> {
        if node != "n1" {
            return Err(io::Error::other("no such node"));
        }
        let page = Self::page(self.asked.fetch_add(1, Ordering::SeqCst));
        let (near, mut far) = tokio::io::duplex(16 << 10);
        self.tasks.spawn_quiet("kubelet", async move {
            let mut head = vec![0; 4096];
            let read = far.read(&mut head).await.unwrap_or(0);
            assert!(head[..read].starts_with(b"GET /metrics/resource HTTP/1.1"));
            let length = page.len();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{page}");
            let _ = far.write_all(answer.as_bytes()).await;
            let _ = far.read(&mut [0; 1]).await;
        });
        Ok(Box::new(near))
    }
}

async fn cluster() -> (Cluster, Arc<Kubelet>) {
    let kubelet = Arc::new(Kubelet { asked: AtomicU64::new(0), tasks: TaskGroup::new("kubelets") });
    let dialer = Arc::clone(&kubelet) as Arc<dyn NodeDialer>;
    let cluster = Cluster::with(Arc::new(MemoryStore::new()), dialer).await;
    for (name, disk) in [("n1", "ssd"), ("n2", "hdd")] {
        let labels = json!({"disk": disk});
        let metadata = json!({"name": name, "labels": labels});
        let node = json!({"kind": "Node", "apiVersion": "v1", "metadata": metadata});
        cluster.create("/api/v1/nodes", node).await;
    }
    for (name, node) in [("a", "n1"), ("b", "n1"), ("elsewhere", "n2"), ("unbound", "")] {
        let mut pod = pod(name);
        pod["metadata"]["labels"] = json!({"app": name});
        cluster.create(PODS, pod).await;
        if !node.is_empty() {
            let binding = json!({"target": {"kind": "Node", "name": node}});
            cluster.json("POST", &format!("{PODS}/{name}/binding"), &binding).await;
        }
    }
    (cluster, kubelet)
}

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap();
    items.iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn nodes_tell_what_they_use_while_somebody_asks() {
    let (cluster, kubelet) = cluster().await;
    let (code, list) = cluster.get(NODES).await;
    assert_eq!((code, &list["kind"]), (200, &json!("NodeMetricsList")));
    assert_eq!(names(&list), ["n1"], "a node that cannot be reached is absent");
    let node = &list["items"][0];
    assert_eq!(node["usage"], json!({"cpu": "500m", "memory": "2Mi"}));
    assert_eq!(node["metadata"]["labels"], json!({"disk": "ssd"}));
    assert_eq!(
        (&node["window"], &node["timestamp"]),
        (&json!("1s"), &json!("1970-01-01T00:01:41Z"))
    );
    assert_eq!(kubelet.asked.load(Ordering::SeqCst), 2, "a rate needs two samples");
    let (_, one) = cluster.get(&format!("{NODES}/n1")).await;
    assert_eq!((&one["kind"], &one["usage"]), (&json!("NodeMetrics"), &node["usage"]));
    assert_eq!(kubelet.asked.load(Ordering::SeqCst), 2, "who asks at once hears the same");
    tokio::time::advance(Duration::from_secs(11)).await;
    assert_eq!(kubelet.asked.load(Ordering::SeqCst), 2, "nobody asks by itself");
    cluster.get(NODES).await;
    assert_eq!(kubelet.asked.load(Ordering::SeqCst), 3, "one sample continues the last");
    tokio::time::advance(Duration::from_secs(100)).await;
    cluster.get(NODES).await;
    assert_eq!(kubelet.asked.load(Ordering::SeqCst), 5, "after a rest it starts anew");
    assert_eq!(names(&cluster.get(&format!("{NODES}?labelSelector=disk=hdd")).await.1), [""; 0]);
    for (name, message) in [
        ("n2", r#"nodemetrics.metrics.k8s.io "n2" not found"#),
        ("none", r#"nodes "none" not found"#),
    ] {
        let (code, status) = cluster.get(&format!("{NODES}/{name}")).await;
        assert_eq!((code, &status["message"]), (404, &json!(message)));
    }
}

#[tokio::test(start_paused = true)]
async fn pods_tell_what_their_containers_use() {
    let (cluster, kubelet) = cluster().await;
    let (code, list) = cluster.get(USED).await;
    assert_eq!((code, &list["kind"]), (200, &json!("PodMetricsList")));
    assert_eq!(names(&list), ["a", "b"]);
    let pod = &list["items"][0];
    let usage = json!([{"name": "main", "usage": {"cpu": "250m", "memory": "64Ki"}}]);
    assert_eq!((&pod["containers"], &pod["window"]), (&usage, &json!("1s")));
    assert_eq!(pod["metadata"]["labels"], json!({"app": "a"}));
    for (query, expected) in [
        ("labelSelector=app%3Db", &["b"][..]),
        ("labelSelector=app%20in%20(a,unbound)", &["a"]),
        ("fieldSelector=metadata.name%3Db", &["b"]),
    ] {
        assert_eq!(names(&cluster.get(&format!("{USED}?{query}")).await.1), expected, "{query}");
    }
    assert_eq!(names(&cluster.get("/apis/metrics.k8s.io/v1beta1/pods").await.1), ["a", "b"]);
    assert_eq!(kubelet.asked.load(Ordering::SeqCst), 2);
    for (path, code, message) in [
        (format!("{USED}/none"), 404, r#"pods "none" not found"#),
        (
            format!("{USED}/unbound"),
            404,
            r#"podmetrics.metrics.k8s.io "default/unbound" not found"#,
        ),
        (
            format!("{USED}?watch=true"),
            405,
            "the server does not allow this method on the requested resource",
        ),
        (format!("{USED}/a/log"), 404, "the server could not find the requested resource"),
    ] {
        let (found, status) = cluster.get(&path).await;
        assert_eq!((found, &status["message"]), (code, &json!(message)), "{path}");
    }
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let table = cluster.accept(&format!("{USED}/a"), accept).await.json();
    assert_eq!(table["rows"][0]["cells"], json!(["a", "250m", "64Ki", "1s"]));
    assert_eq!(table["columnDefinitions"][1]["name"], "cpu");
}

#[tokio::test(start_paused = true)]
async fn pods_that_serve_requests_have_metrics_of_them() {
    let (cluster, _kubelet) = cluster().await;
    let (code, list) = cluster.get(&format!("{CUSTOM}/*/http_requests_per_second")).await;
    assert_eq!((code, &list["kind"]), (200, &json!("MetricValueList")));
    let expected = json!([{
        "describedObject": {
            "kind": "Pod", "namespace": "default", "name": "a", "apiVersion": "/v1",
        },
        "metric": {"name": "http_requests_per_second"},
        "timestamp": "1970-01-01T00:01:41Z",
        "windowSeconds": 1,
        "value": "10",
    }]);
    assert_eq!(list["items"], expected, "only what serves requests is listed");
    let older = CUSTOM.replace("v1beta2", "v1beta1");
    let (_, list) = cluster.get(&format!("{older}/a/http_requests_in_flight")).await;
    let item = &list["items"][0];
    assert_eq!(list["apiVersion"], "custom.metrics.k8s.io/v1beta1");
    assert_eq!(
        (&item["metricName"], &item["value"]),
        (&json!("http_requests_in_flight"), &json!("2"))
    );
    for query in ["labelSelector=app%3Db", "metricLabelSelector=path%3Dx"] {
        let path = format!("{CUSTOM}/*/http_requests_per_second?{query}");
        assert_eq!(cluster.get(&path).await.1["items"], json!([]), "{query}");
    }
    for (path, message) in [
        (format!("{CUSTOM}/*/love"), "the server could not find the metric love for pods"),
        (
            format!("{CUSTOM}/b/http_requests_per_second"),
            "the server could not find the metric http_requests_per_second for pods b",
        ),
        (
            CUSTOM.replace("/pods", "/services/web/hits"),
            "the server could not find the metric hits for services web",
        ),
        (CUSTOM.to_owned(), "the server could not find the requested resource"),
    ] {
        let (code, status) = cluster.get(&path).await;
        assert_eq!((code, &status["message"]), (404, &json!(message)), "{path}");
    }
}

#[tokio::test]
async fn what_is_measured_is_discovered() {
    let cluster = Cluster::start().await;
    let (_, group) = cluster.get("/apis/custom.metrics.k8s.io").await;
    assert_eq!(group["preferredVersion"]["version"], "v1beta2");
    let names = |list: &Value| -> Vec<String> {
        let resources = list["resources"].as_array().unwrap().iter();
        resources.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    let (_, list) = cluster.get("/apis/metrics.k8s.io/v1beta1").await;
    assert_eq!(names(&list), ["nodes", "pods"]);
    let (_, list) = cluster.get("/apis/custom.metrics.k8s.io/v1beta2").await;
    assert_eq!(names(&list), ["pods/http_requests_in_flight", "pods/http_requests_per_second"]);
    assert_eq!(list["resources"][0]["kind"], "MetricValueList");
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let all = cluster.accept("/apis", accept).await.json();
    let group = |name: &str| {
        let mut items = all["items"].as_array().unwrap().iter();
        items.find(|item| item["metadata"]["name"] == name).unwrap()["versions"][0].clone()
    };
    assert_eq!(group("metrics.k8s.io")["resources"][1]["responseKind"]["kind"], "PodMetrics");
    let pods = &group("custom.metrics.k8s.io")["resources"][0];
    assert_eq!((&pods["responseKind"]["kind"], &pods["verbs"]), (&json!(""), &json!([])));
    assert_eq!(pods["subresources"][1]["subresource"], "http_requests_per_second");
}

#[tokio::test(start_paused = true)]
async fn what_is_measured_comes_in_protobuf_too() {
    let (cluster, _kubelet) = cluster().await;
    let protobuf = "application/vnd.kubernetes.protobuf";
    for (path, group, version) in [
        (NODES.to_owned(), "metrics.k8s.io", "v1beta1"),
        (format!("{NODES}/n1"), "metrics.k8s.io", "v1beta1"),
        (USED.to_owned(), "metrics.k8s.io", "v1beta1"),
        (format!("{USED}/a"), "metrics.k8s.io", "v1beta1"),
        (format!("{CUSTOM}/*/http_requests_per_second"), "custom.metrics.k8s.io", "v1beta2"),
        (
            format!("{CUSTOM}/a/http_requests_in_flight").replace("v1beta2", "v1beta1"),
            "custom.metrics.k8s.io",
            "v1beta1",
        ),
    ] {
        let (_, json) = cluster.get(&path).await;
        let answer = cluster.accept(&path, protobuf).await;
        assert_eq!(answer.code, 200, "{path}");
        assert_eq!(answer.headers["content-type"], protobuf, "{path}");
        let unknown = wk_schema::protobuf::open(&answer.bytes).unwrap();
        let kind = json["kind"].as_str().unwrap();
        let message = wk_schema::kind(group, version, kind).unwrap();
        let read = wk_schema::protobuf::read_object(&unknown, message).unwrap();
        assert_eq!((&read["kind"], &read["apiVersion"]), (&json["kind"], &json["apiVersion"]));
        let items = |value: &Value| value.get("items").cloned().unwrap_or_else(|| json!([value]));
        let (read, json) = (items(&read), items(&json));
        let (read, json) = (read.as_array().unwrap(), json.as_array().unwrap());
        assert!(!read.is_empty() && read.len() == json.len(), "{path}");
        for (own, other) in read.iter().zip(json) {
            for field in other.as_object().unwrap().keys() {
                // The time of the answer is in it.
                if !["kind", "apiVersion", "metadata"].contains(&field.as_str()) {
                    assert_eq!(own.get(field), other.get(field), "{path} {field}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_measured_is_explained() {
    let cluster = Cluster::start().await;
    let (_, document) = cluster.get("/openapi/v3/apis/metrics.k8s.io/v1beta1").await;
    let schemas = &document["components"]["schemas"];
    let node = &schemas["io.k8s.metrics.pkg.apis.metrics.v1beta1.NodeMetrics"];
    let gvk = json!([{"group": "metrics.k8s.io", "version": "v1beta1", "kind": "NodeMetrics"}]);
    assert_eq!(node["x-kubernetes-group-version-kind"], gvk, "{node}");
    assert!(node["properties"]["usage"]["description"].is_string(), "{node}");
    let path = "/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods/{name}";
    let action = &document["paths"][path]["get"]["x-kubernetes-group-version-kind"];
    assert_eq!(action["kind"], "PodMetrics", "{}", document["paths"]);
    let (_, document) = cluster.get("/openapi/v3/apis/custom.metrics.k8s.io/v1beta2").await;
    let name = "io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValueList";
    assert!(document["components"]["schemas"][name].is_object(), "{document}");
}
