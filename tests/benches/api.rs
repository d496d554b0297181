//! Prints the figures of the API server, measured on the real release binary, an API server alone:
//!
//!     cargo bench -p wk-tests --bench api [-- creates|gets|list|watchers|memory|restart]
//!
//! - creates and gets per second with 1, 10 and 50 clients, and their median and 99th percentile;
//!   every create is durable before it is answered;
//! - a list of 10,000 pods, from the request to the last byte;
//! - one event to 1,000 watchers: until the median one, 99 of 100, and the last have it;
//! - resident memory with 10,000 and 100,000 pods, and what each takes beyond its own bytes;
//! - the start with a store of 1 GiB, after a clean stop and after `kill -9`.
//!
//! The client runs on the same machine and takes its share of it; what it does was made cheap. The
//! machine should be idle.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "benchmarks panic")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use wk_tests::{ApiAccess, ControlPlane};

const RUN: Duration = Duration::from_secs(5);
const CLIENTS: [usize; 3] = [1, 10, 50];
const LISTED: usize = 10_000;
const MANY: usize = 100_000;
const WATCHERS: usize = 1_000;
const EVENTS: usize = 21;
const PODS: &str = "/api/v1/namespaces/default/pods";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // Cargo passes `--bench`, too.
    let asked: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|it| it == name);
    if wanted("creates") || wanted("gets") {
        requests(wanted("creates"), wanted("gets")).await;
    }
    if wanted("list") || wanted("memory") {
        memory(wanted("memory")).await;
    }
    if wanted("watchers") {
        watchers().await;
    }
    if wanted("restart") {
        restart().await;
    }
}

fn pod(name: &str) -> Bytes {
    format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}","labels":{{"app":"bench"}}}},"spec":{{"containers":[{{"name":"web","image":"127.0.0.1:5000/team/web:1","ports":[{{"containerPort":8080}}],"resources":{{"limits":{{"cpu":"500m","memory":"64Mi"}}}}}}]}}}}"#
    )
    .into()
}

fn map(name: &str, bytes: usize) -> Bytes {
    let value = "x".repeat(bytes);
    format!(
        r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}"}},"data":{{"value":"{value}"}}}}"#
    )
    .into()
}

/// One round of requests: how many a second, and how long they took.
struct Rate {
    times: Vec<Duration>,
    took: Duration,
}

impl std::fmt::Display for Rate {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = u32::try_from(self.times.len()).unwrap();
        let rate = f64::from(count) / self.took.as_secs_f64();
        let (median, tail) = (part(&self.times, 50), part(&self.times, 99));
        write!(out, "{rate:.0}/s, p50 {:.2} ms, p99 {:.2} ms", milli(median), milli(tail))
    }
}

fn part(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// Has clients send requests for some time, each the next when the last one is answered.
async fn rate(
    access: &ApiAccess,
    clients: usize,
    method: &Method,
    expected: StatusCode,
    request: impl Fn(usize) -> (String, Bytes) + Sync,
) -> Rate {
    let next = AtomicUsize::new(0);
    let connections = join_all((0..clients).map(|_| access.open())).await;
    let start = Instant::now();
    let work = connections.into_iter().map(|mut connection| {
        let (next, request) = (&next, &request);
        async move {
            let mut times = Vec::new();
            while start.elapsed() < RUN {
                let (path, body) = request(next.fetch_add(1, Ordering::Relaxed));
                let sent = Instant::now();
                let answer = connection.send(method.clone(), &path, body).await;
                times.push(sent.elapsed());
                assert_eq!(answer.status(), expected, "{:?}", answer.body());
            }
            times
        }
    });
    let mut times = join_all(work).await.concat();
    let took = start.elapsed();
    times.sort_unstable();
    Rate { times, took }
}

async fn requests(creates: bool, gets: bool) {
    let plane = ControlPlane::start("apiserver");
    let access = ApiAccess::of(&plane.kubeconfig());
    for clients in CLIENTS {
        if creates {
            for kind in ["pod", "ConfigMap of 1 KiB"] {
                let path = if kind == "pod" { PODS } else { MAPS };
                let made = rate(&access, clients, &Method::POST, StatusCode::CREATED, |number| {
                    let name = format!("c{clients}-{number}");
                    let body = if kind == "pod" { pod(&name) } else { map(&name, 900) };
                    (path.to_owned(), body)
                });
                println!("create {kind}, {clients} clients: {}", made.await);
            }
        }
        if gets {
            let mut connection = access.open().await;
            let name = format!("get-{clients}");
            connection.send(Method::POST, PODS, pod(&name)).await;
            let path = format!("{PODS}/{name}");
            let got = rate(&access, clients, &Method::GET, StatusCode::OK, |_| {
                (path.clone(), Bytes::new())
            });
            println!("get pod, {clients} clients: {}", got.await);
        }
    }
}

/// Creates objects as fast as it goes.
async fn fill(
    access: &ApiAccess,
    numbers: std::ops::Range<usize>,
    path: &str,
    body: impl Fn(usize) -> Bytes + Sync,
) {
    let next = AtomicUsize::new(numbers.start);
    let connections = join_all((0..50).map(|_| access.open())).await;
    join_all(connections.into_iter().map(|mut connection| {
        let (next, body, end) = (&next, &body, numbers.end);
        async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    return;
                }
                let answer = connection.send(Method::POST, path, body(number)).await;
                assert_eq!(answer.status(), StatusCode::CREATED, "{:?}", answer.body());
            }
        }
    }))
    .await;
}

async fn compact(access: &ApiAccess) {
    let mut connection = access.open().await;
    let answer = connection.send(Method::POST, "/maintenance/v1/compaction", Bytes::new()).await;
    assert_eq!(answer.status(), StatusCode::OK, "{:?}", answer.body());
}

async fn memory(many: bool) {
    let mut plane = ControlPlane::start("apiserver");
    let access = ApiAccess::of(&plane.kubeconfig());
    compact(&access).await;
    let idle = plane.daemon().resident_kib();
    println!("API server alone, resident idle: {:.1} MiB", mebi(idle));
    let name = |number| pod(&format!("pod-{number:06}"));
    let mut from = 0;
    for count in [LISTED, MANY] {
        fill(&access, from..count, PODS, name).await;
        from = count;
        let full = plane.daemon().resident_kib();
        compact(&access).await;
        let compacted = plane.daemon().resident_kib();
        let mut connection = access.open().await;
        let listed = connection.send(Method::GET, PODS, Bytes::new()).await;
        let bytes = u64::try_from(listed.body().len()).unwrap();
        drop(listed);
        let each = bytes / count as u64;
        let taken = (compacted.saturating_sub(idle) * 1024) / count as u64;
        println!(
            "{count} pods of {each} bytes: resident {:.1} MiB, {:.1} MiB after compaction: {taken} \
             bytes a pod, {} beyond its own",
            mebi(full),
            mebi(compacted),
            i64::try_from(taken).unwrap() - i64::try_from(each).unwrap(),
        );
        if count == LISTED {
            list(&access).await;
        }
        if !many {
            return;
        }
    }
}

async fn list(access: &ApiAccess) {
    let mut connection = access.open().await;
    let mut times = Vec::new();
    let mut size = 0;
    for _ in 0..21 {
        let start = Instant::now();
        let answer = connection.send(Method::GET, PODS, Bytes::new()).await;
        times.push(start.elapsed());
        assert_eq!(answer.status(), StatusCode::OK);
        size = answer.body().len();
    }
    times.sort_unstable();
    println!(
        "list of {LISTED} pods, {:.1} MB: median {:.1} ms, worst {:.1} ms",
        f64::from(u32::try_from(size).unwrap()) / 1e6,
        milli(part(&times, 50)),
        milli(part(&times, 100)),
    );
}

async fn watchers() {
    let mut plane = ControlPlane::start("apiserver");
    let access = ApiAccess::of(&plane.kubeconfig());
    let before = plane.daemon().resident_kib();
    let path = format!("{MAPS}?watch=1&fieldSelector=metadata.name%3Dseen");
    let mut watches = access.watches(&path, WATCHERS).await;
    let after = plane.daemon().resident_kib();
    println!(
        "{WATCHERS} watches, ten connections: {:.1} KiB each",
        f64::from(u32::try_from(after.saturating_sub(before)).unwrap()) / 1e3
    );
    let mut connection = access.open().await;
    let (mut medians, mut tails, mut last) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..EVENTS {
        let start = Instant::now();
        let create = async {
            let (method, path) = if round == 0 {
                (Method::POST, MAPS.to_owned())
            } else {
                (Method::PUT, format!("{MAPS}/seen"))
            };
            let answer = connection.send(method, &path, map("seen", 100 + round)).await;
            assert!(answer.status().is_success(), "{:?}", answer.body());
        };
        let seen = watches.iter_mut().map(|watch| async move {
            let frame = watch.frame().await.unwrap().unwrap();
            assert!(frame.data_ref().is_some_and(|data| !data.is_empty()));
            start.elapsed()
        });
        let ((), mut times) = futures::join!(create, join_all(seen));
        times.sort_unstable();
        medians.push(part(&times, 50));
        tails.push(part(&times, 99));
        last.push(part(&times, 100));
    }
    for times in [&mut medians, &mut tails, &mut last] {
        times.sort_unstable();
    }
    println!(
        "one event to {WATCHERS} watchers, from the request: p50 {:.1} ms, p99 {:.1} ms, last {:.1} ms \
         (medians of {EVENTS})",
        milli(part(&medians, 50)),
        milli(part(&tails, 50)),
        milli(part(&last, 50)),
    );
}

async fn restart() {
    for (kind, size, count) in [("ConfigMaps of 64 KiB", 64 << 10, 16 << 10), ("pods", 0, 0)] {
        let mut plane = ControlPlane::start("apiserver");
        let access = ApiAccess::of(&plane.kubeconfig());
        if count > 0 {
            fill(&access, 0..count, MAPS, |number| map(&format!("big-{number}"), size)).await;
        } else {
            fill(&access, 0..MANY, PODS, |number| pod(&format!("pod-{number:06}"))).await;
        }
        let file = std::fs::metadata(plane.data_dir().join("store.redb")).unwrap().len();
        let file = mebi(file / 1024);
        for (how, crash) in [("a clean stop", false), ("kill -9", true)] {
            if crash {
                plane.daemon().kill();
            } else {
                assert!(plane.stop().success());
            }
            let start = Instant::now();
            plane.start_again();
            println!(
                "start with {kind}, a store of {file:.0} MiB, after {how}: {:.2} s, resident {:.0} MiB",
                start.elapsed().as_secs_f64(),
                mebi(plane.daemon().resident_kib()),
            );
        }
    }
}

fn milli(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn mebi(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap()) / 1024.0
}
