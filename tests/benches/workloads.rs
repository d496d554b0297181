//! Prints the figures of workloads at scale, measured on the real release binaries:
//!
//!     cargo xtask bench workloads
//!     cargo bench -p wk-tests --bench workloads [-- idle|replicas|scheduler]
//!
//! - `idle`: what a `wk up`, empty and with ten pods, and a `wk server` take at rest: processor time, how
//!   often they wake up, what they write, resident memory;
//! - `replicas`: a Deployment of 1,000 `hello-http` pods on one node, from apply to all `Running`, and to
//!   all ready;
//! - `scheduler`: 10,000 pods over 1,000 simulated nodes: pods bound a second from the first binding to the
//!   last, and from apply to all running; the control plane's memory and processor time meanwhile, and at
//!   rest before (with the nodes alone, whose leases are renewed) and afterwards. The nodes are a process
//!   of their own.
//!
//! `WK_BENCH_SCALE=10` divides all counts, to see whether it works. The machine should be idle.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "benchmarks panic")]

use std::pin::pin;
use std::process::Command;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use wk_client::connect;
use wk_tests::{Cluster, ControlPlane, Daemon, eventually, wk_path};

const REPLICAS: usize = 1_000;
const NODES: usize = 1_000;
const PODS: usize = 10_000;
/// Pods of a cluster that is looked at while nobody uses it.
const FEW: usize = 10;
/// How long rest is looked at; leases, status and housekeeping are in it.
const REST: Duration = Duration::from_mins(1);
/// How long queued writes and events may take to end before that.
const SETTLE: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // Cargo passes `--bench`, too.
    let asked: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|it| it == name);
    let scale = std::env::var("WK_BENCH_SCALE").ok().and_then(|scale| scale.parse().ok());
    let scale: usize = scale.unwrap_or(1);
    if wanted("idle") {
        idle().await;
    }
    if wanted("replicas") {
        replicas(REPLICAS / scale).await;
    }
    if wanted("scheduler") {
        scheduler(NODES / scale, PODS / scale).await;
    }
}

/// A Deployment of `count` pods.
fn deployment(count: usize, image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: many}}\nspec:\n  replicas: {count}\n  \
         selector: {{matchLabels: {{app: many}}}}\n  template:\n    metadata: {{labels: {{app: many}}}}\n    \
         spec:\n      containers:\n      - name: web\n        image: '{image}'\n        \
         resources: {{requests: {{cpu: 1m, memory: 1Mi}}}}\n"
    )
}

/// When the first and the last of the pods came to a point of their lives, from the start.
#[derive(Default)]
struct Times {
    first: Option<Duration>,
    last: Duration,
    seen: std::collections::HashSet<String>,
}

impl Times {
    fn note(&mut self, pod: &Pod, at: Duration) {
        if self.seen.insert(pod.metadata.name.clone().unwrap_or_default()) {
            self.first.get_or_insert(at);
            self.last = at;
        }
    }

    /// From the first to the last.
    fn span(&self) -> Duration {
        self.last.saturating_sub(self.first.unwrap_or_default())
    }
}

/// When pods were bound, running and ready, as one watch tells.
#[derive(Default)]
struct Lives {
    bound: Times,
    running: Times,
    ready: Times,
}

impl Lives {
    /// Watches until that many pods are ready. `start` is called when the watch stands.
    async fn watch(client: Client, count: usize, start: impl FnOnce() -> Instant) -> Self {
        let mut lives = Self::default();
        let config = watcher::Config::default().labels("app=many");
        let mut events = pin!(watcher::watcher(Api::<Pod>::all(client), config));
        while !matches!(events.next().await, Some(Ok(Event::InitDone))) {}
        let start = start();
        while lives.ready.seen.len() < count {
            match events.next().await.unwrap().unwrap() {
                // A watch that starts over lists them again.
                Event::Apply(pod) | Event::InitApply(pod) => lives.note(&pod, start.elapsed()),
                Event::Init | Event::InitDone | Event::Delete(_) => {}
            }
        }
        lives
    }

    fn note(&mut self, pod: &Pod, at: Duration) {
        if pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some()) {
            self.bound.note(pod, at);
        }
        let Some(status) = &pod.status else { return };
        if status.phase.as_deref() == Some("Running") {
            self.running.note(pod, at);
        }
        let mut conditions = status.conditions.iter().flatten();
        if conditions.any(|one| one.type_ == "Ready" && one.status == "True") {
            self.ready.note(pod, at);
        }
    }
}

async fn idle() {
    let mut cluster = Cluster::start();
    tokio::time::sleep(SETTLE).await;
    rest("wk up, an empty cluster of one node", cluster.daemon()).await;
    let image = cluster.push_example("hello-http");
    cluster.apply(&deployment(FEW, &image));
    cluster.wkctl(&["rollout", "status", "deployment/many"]).ok();
    tokio::time::sleep(SETTLE).await;
    rest(&format!("wk up with {FEW} Wasm pods"), cluster.daemon()).await;
    drop(cluster);
    let mut plane = ControlPlane::start("server");
    tokio::time::sleep(SETTLE).await;
    rest("wk server, without nodes", plane.daemon()).await;
}

/// Prints what a process takes while nothing happens.
async fn rest(what: &str, daemon: &mut Daemon) {
    let ((used, sleeps), written, start) =
        (daemon.activity(), daemon.written_kib(), Instant::now());
    tokio::time::sleep(REST).await;
    let (used_now, sleeps_now) = daemon.activity();
    let seconds = start.elapsed().as_secs_f64();
    let sleeps = u32::try_from(sleeps_now.saturating_sub(sleeps)).unwrap_or(u32::MAX);
    let written = u32::try_from(daemon.written_kib().saturating_sub(written)).unwrap_or(u32::MAX);
    println!(
        "{what}, at rest: {:.3} % of a core, {:.1} wake-ups and {:.1} KiB written a second, \
         {:.1} MiB resident",
        100.0 * used_now.saturating_sub(used).as_secs_f64() / seconds,
        f64::from(sleeps) / seconds,
        f64::from(written) / seconds,
        mebi(daemon.resident_kib()),
    );
}

async fn replicas(count: usize) {
    let mut cluster = Cluster::start();
    let image = cluster.push_example("hello-http");
    // The image is on the node, and compiled, as it is on one that has run it before.
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: warm}}\nspec:\n  containers:\n  \
         - {{name: web, image: '{image}'}}\n"
    ));
    cluster.ready_pod("warm");
    let client = connect::from_kubeconfig(&cluster.kubeconfig()).await.unwrap();
    let before = cluster.daemon().processor_time();
    let manifest = deployment(count, &image);
    let lives = Lives::watch(client, count, || {
        let start = Instant::now();
        cluster.apply(&manifest);
        start
    });
    let lives = lives.await;
    let used = cluster.daemon().processor_time().saturating_sub(before);
    println!(
        "{count} Wasm replicas on one node, from `wkctl apply`: all bound after {:.2} s, all Running \
         after {:.2} s, all ready after {:.2} s; {:.2} s of processor time, {:.1} MiB resident",
        lives.bound.last.as_secs_f64(),
        lives.running.last.as_secs_f64(),
        lives.ready.last.as_secs_f64(),
        used.as_secs_f64(),
        mebi(cluster.daemon().resident_kib()),
    );
}

async fn scheduler(nodes: usize, pods: usize) {
    let mut plane = ControlPlane::start("server");
    let text = std::fs::read_to_string(plane.kubeconfig()).unwrap();
    let server = text.split("server: ").nth(1).unwrap().split_whitespace().next().unwrap();
    let mut command = Command::new(wk_path());
    command.args(["simulate", "--server", server, "--nodes", &nodes.to_string(), "--token-file"]);
    command.arg(plane.data_dir().join("token")).arg("--data-dir").arg(plane.scratch("sim"));
    let start = Instant::now();
    let simulated = Daemon::start(command, &plane.scratch("sim.log"));
    eventually("the nodes have joined", || simulated.output().contains("joined").then_some(()));
    println!("{nodes} simulated nodes registered after {:.2} s", start.elapsed().as_secs_f64());
    eventually("the nodes take pods", || {
        let taints = "jsonpath={.items[*].spec.taints}";
        let answer = plane.kubectl(&["get", "nodes", "-o", taints]);
        (answer.code == 0 && answer.stdout.trim().is_empty()).then_some(())
    });
    eventually("pods have an account", || {
        (plane.kubectl(&["get", "serviceaccount", "default"]).code == 0).then_some(())
    });
    tokio::time::sleep(SETTLE).await;
    rest(&format!("control plane with {nodes} nodes"), plane.daemon()).await;
    let client = connect::from_kubeconfig(&plane.kubeconfig()).await.unwrap();
    let file = plane.scratch("many.yaml");
    std::fs::write(&file, deployment(pods, "simulated")).unwrap();
    let before = plane.daemon().processor_time();
    let lives = Lives::watch(client, pods, || {
        let start = Instant::now();
        plane.wkctl(&["apply", "-f", file.to_str().unwrap()]).ok();
        start
    });
    let lives = lives.await;
    let used = plane.daemon().processor_time().saturating_sub(before);
    let bound = f64::from(u32::try_from(pods).unwrap());
    println!(
        "{pods} pods on {nodes} nodes, from `wkctl apply`: bound within {:.2} s, {:.0} a second from \
         the first to the last; all ready after {:.2} s",
        lives.bound.last.as_secs_f64(),
        bound / lives.bound.span().as_secs_f64(),
        lives.ready.last.as_secs_f64(),
    );
    println!(
        "control plane during that: {:.2} s of processor time, {:.1} MiB resident; simulated nodes: {:.2} s, {:.1} MiB",
        used.as_secs_f64(),
        mebi(plane.daemon().resident_kib()),
        simulated.processor_time().as_secs_f64(),
        mebi(simulated.resident_kib()),
    );
    tokio::time::sleep(SETTLE).await;
    rest(&format!("control plane with {nodes} nodes and {pods} pods"), plane.daemon()).await;
}

fn mebi(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap()) / 1024.0
}
