//! Prints what a quiet HTTP pod feels of its neighbours, measured on the real release binaries:
//!
//!     cargo xtask bench neighbours
//!     cargo bench -p wk-tests --bench neighbours [-- wasm|wasmhost|docker]
//!
//! A request comes each few milliseconds, whether the one before was answered or not, over a connection of
//! its own. By turns the pod is alone and has two neighbours: one that spins with `limits.cpu: 100m`, and
//! one that takes memory up to its limit, gives it back and takes it again. Printed are the median of the
//! rounds' p50 and p99, and the ratio of the latter. Pods of Linux images need root and `docker.io`, and
//! are left out without a name where these are not.
//!
//! `WK_BENCH_SCALE=7` divides the rounds, to see whether it works. The machine should be idle.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "benchmarks panic")]
#![expect(clippy::disallowed_methods, reason = "requests come by the clock")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use wk_tests::behaviour::{Stage, Subject};
use wk_tests::{Cluster, eventually, http_get};

const ROUNDS: usize = 7;
const REQUESTS: usize = 1_000;
const PERIOD: Duration = Duration::from_millis(5);
/// Threads that wait for answers, so that a late one holds nobody up.
const CLIENTS: usize = 4;
/// What comes before a round is over by then.
const SETTLE: Duration = Duration::from_secs(2);

/// The latencies of one round at two places.
#[derive(Clone, Copy, Debug)]
struct Latency {
    half: Duration,
    most: Duration,
}

fn main() {
    // Cargo passes `--bench`, too.
    let asked: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let executor = tokio::runtime::Runtime::new().unwrap();
    for subject in Subject::ALL {
        let name = format!("{subject:?}").to_lowercase();
        let can = subject != Subject::Docker
            || (rustix::process::geteuid().is_root() && Path::new("/usr/sbin/dockerd").exists());
        if asked.contains(&name) || (asked.is_empty() && can) {
            let stage = executor.block_on(Stage::start(subject));
            measure(&stage);
        }
    }
}

fn measure(stage: &Stage) {
    let cluster = stage.cluster();
    let (image, args) = match stage.subject() {
        Subject::Wasm | Subject::WasmHost => (cluster.push_example("hello-http"), "[]"),
        Subject::Docker => (stage.image().to_owned(), "[http-serve, '8080']"),
    };
    cluster.apply(&pod("quiet", &image, args, "{}", "ports: [{containerPort: 8080}]"));
    let quiet = cluster.ready_pod("quiet");
    let ip = quiet["status"]["podIP"].as_str().unwrap().parse().unwrap();
    let address = SocketAddr::new(ip, 8080);
    eventually("the pod answers", || http_get(address, "/").ok());
    round(address);
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    let scale = std::env::var("WK_BENCH_SCALE").ok().and_then(|scale| scale.parse().ok());
    let rounds = (ROUNDS / scale.unwrap_or(1)).max(1);
    for _ in 0..rounds {
        std::thread::sleep(SETTLE);
        alone.push(round(address));
        neighbours(cluster, stage.image());
        std::thread::sleep(SETTLE);
        beside.push(round(address));
        cluster.kubectl(&["delete", "pod", "spin", "churn", "--now"]).ok();
    }
    let (alone, beside) = (median(&alone), median(&beside));
    println!(
        "a quiet pod of {:?}, a request each {} ms, {rounds} rounds of {REQUESTS}: alone p50 {} µs, p99 {} µs; \
         beside a spinning and an allocating pod p50 {} µs, p99 {} µs; p99 is {:.2} times as long",
        stage.subject(),
        PERIOD.as_millis(),
        alone.half.as_micros(),
        alone.most.as_micros(),
        beside.half.as_micros(),
        beside.most.as_micros(),
        beside.most.as_secs_f64() / alone.most.as_secs_f64(),
    );
}

fn neighbours(cluster: &Cluster, image: &str) {
    cluster.apply(&pod("spin", image, "[spin]", "{cpu: 100m}", "stdin: false"));
    cluster.apply(&pod("churn", image, "[churn, '48', '10']", "{memory: 64Mi}", "stdin: false"));
    for name in ["spin", "churn"] {
        cluster.ready_pod(name);
    }
}

fn pod(name: &str, image: &str, args: &str, limits: &str, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  containers:\n  \
         - {{name: main, image: \"{image}\", args: {args}, resources: {{limits: {limits}}}, {more}}}\n"
    )
}

/// Asks by the clock; a latency begins when its request should have been sent.
fn round(address: SocketAddr) -> Latency {
    let (times, done) = mpsc::channel();
    let start = Instant::now();
    std::thread::scope(|threads| {
        for client in 0..CLIENTS {
            let times = times.clone();
            threads.spawn(move || {
                for number in (client..REQUESTS).step_by(CLIENTS) {
                    let due = start + PERIOD * u32::try_from(number).unwrap();
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    assert_eq!(http_get(address, "/").unwrap().status, 200);
                    times.send(due.elapsed()).unwrap();
                }
            });
        }
    });
    drop(times);
    let mut all: Vec<Duration> = done.into_iter().collect();
    all.sort_unstable();
    Latency { half: all[all.len() / 2], most: all[all.len() * 99 / 100] }
}

fn median(rounds: &[Latency]) -> Latency {
    let of = |which: fn(&Latency) -> Duration| {
        let mut all: Vec<Duration> = rounds.iter().map(which).collect();
        all.sort_unstable();
        all[all.len() / 2]
    };
    Latency { half: of(|it| it.half), most: of(|it| it.most) }
}
