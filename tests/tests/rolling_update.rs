//! A Deployment under constant load is updated, and no request is lost.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::runtime::watcher;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wk_client::{Informer, connect};
use wk_process::TaskGroup;
use wk_tests::Cluster;

const CLIENTS: usize = 6;
/// How many requests are sent before, between and after the changes.
const WARM: usize = 100;

/// What a service proxy knows: the endpoints that are ready, as a watch tells.
struct Proxy {
    slices: Informer<Vec<SocketAddr>>,
}

impl Proxy {
    async fn start(cluster: &Cluster, tasks: &TaskGroup) -> Self {
        let client = connect::from_kubeconfig(&cluster.kubeconfig()).await.unwrap();
        let api = Api::<EndpointSlice>::namespaced(client, "default");
        let config = watcher::Config::default().labels("kubernetes.io/service-name=web");
        let slices = Informer::projected(api, config, tasks, |slice| Some(ready(&slice)));
        slices.ready().await;
        Self { slices }
    }

    fn pick(&self, number: usize) -> Option<SocketAddr> {
        let all: Vec<SocketAddr> =
            self.slices.list().iter().flat_map(|slice| slice.iter().copied()).collect();
        (!all.is_empty()).then(|| all[number % all.len()])
    }
}

fn ready(slice: &EndpointSlice) -> Vec<SocketAddr> {
    let port = slice.ports.iter().flatten().find_map(|port| port.port);
    let Some(port) = port.and_then(|port| u16::try_from(port).ok()) else { return Vec::new() };
    let endpoints = slice.endpoints.iter().flatten().filter(|endpoint| {
        endpoint.conditions.as_ref().and_then(|conditions| conditions.ready) != Some(false)
    });
    endpoints
        .flat_map(|endpoint| &endpoint.addresses)
        .map(|address| SocketAddr::new(address.parse().unwrap(), port))
        .collect()
}

/// What came of the requests.
#[derive(Default)]
struct Tally {
    answered: AtomicUsize,
    by_backend: Mutex<BTreeMap<SocketAddr, usize>>,
    lost: Mutex<Vec<String>>,
    over: AtomicBool,
}

async fn get(address: SocketAddr) -> io::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let text = String::from_utf8_lossy(&answer);
    let code = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    code.ok_or_else(|| io::Error::other(format!("not an answer: {text:?}")))
}

/// Sends one request after another until it is told to end.
async fn client(proxy: Arc<Proxy>, tally: Arc<Tally>, first: usize) {
    let mut number = first;
    while !tally.over.load(Ordering::Acquire) {
        number += 1;
        let Some(address) = proxy.pick(number) else {
            tally.lost.lock().unwrap().push("no endpoint was ready".to_owned());
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        match get(address).await {
            Ok(200) => {
                tally.answered.fetch_add(1, Ordering::AcqRel);
                *tally.by_backend.lock().unwrap().entry(address).or_default() += 1;
            }
            Ok(code) => tally.lost.lock().unwrap().push(format!("{address} answered {code}")),
            Err(error) => tally.lost.lock().unwrap().push(format!("{address}: {error}")),
        }
    }
}

/// Waits until that many more requests were answered.
async fn answered(tally: &Tally, more: usize) {
    let wanted = tally.answered.load(Ordering::Acquire) + more;
    let reached = async {
        while tally.answered.load(Ordering::Acquire) < wanted {
            assert!(tally.lost.lock().unwrap().len() < 1_000, "nearly all requests are lost");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(wk_tests::PATIENCE, reached).await.expect("requests are answered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_under_constant_load_loses_no_request() {
    let cluster = Arc::new(Cluster::start());
    let first = cluster.push_example("hello-http");
    let second = cluster.push(&wk_tests::example("hello-http"), "second");
    cluster.apply(&format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 4
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
      - name: web
        image: '{first}'
        ports: [{{containerPort: 8080}}]
        readinessProbe: {{httpGet: {{path: /, port: 8080}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec:
  selector: {{app: web}}
  ports: [{{port: 80, targetPort: 8080}}]
"
    ));
    kubectl(&cluster, "rollout status deployment/web --timeout=60s").await;
    let tasks = TaskGroup::new("test");
    let proxy = Arc::new(Proxy::start(&cluster, &tasks).await);
    let tally = Arc::new(Tally::default());
    let clients = (0..CLIENTS).map(|number| client(Arc::clone(&proxy), Arc::clone(&tally), number));
    let changes = async {
        answered(&tally, WARM).await;
        for change in [
            "set env deployment/web ROUND=1".to_owned(),
            format!("set image deployment/web web={second}"),
            "rollout restart deployment/web".to_owned(),
            "scale deployment/web --replicas=2".to_owned(),
            "scale deployment/web --replicas=5".to_owned(),
            "rollout undo deployment/web".to_owned(),
        ] {
            kubectl(&cluster, &change).await;
            kubectl(&cluster, "rollout status deployment/web --timeout=60s").await;
            answered(&tally, WARM).await;
        }
        tally.over.store(true, Ordering::Release);
    };
    futures::join!(join_all(clients), changes);
    let lost = tally.lost.lock().unwrap();
    let sent = tally.answered.load(Ordering::Acquire) + lost.len();
    let mut kinds = BTreeMap::<&str, usize>::new();
    for one in lost.iter() {
        *kinds.entry(one.split_once(": ").map_or(one, |(_, kind)| kind)).or_default() += 1;
    }
    assert!(lost.is_empty(), "{} of {sent} requests were lost: {kinds:?}", lost.len());
    let backends = tally.by_backend.lock().unwrap().len();
    assert!(backends >= 4, "the load went through pods of all rounds: {backends}");
}

/// Runs the stock client beside the load.
async fn kubectl(cluster: &Arc<Cluster>, line: &str) {
    let (cluster, line) = (Arc::clone(cluster), line.to_owned());
    let run = move || {
        let words: Vec<&str> = line.split_whitespace().collect();
        cluster.kubectl(&words).ok();
    };
    tokio::task::spawn_blocking(run).await.unwrap();
}
