//! Prints the figures of the main job, measured on the real release binaries:
//!
//!     cargo xtask examples hello-http && cargo bench -p wk-tests --bench main_job
//!
//! - start to ready, with an empty data folder;
//! - the start of the `wkctl apply` process to the first 200 of `hello-http`, polled each
//!   millisecond, with the compiled form cached;
//! - resident memory idle and with 1,000 idle pods, and the memory per pod;
//! - requests per second and processor time per request, fresh instance and reuse, where `wrk` is
//!   installed; against `wasmtime serve` where `WASMTIME` names one;
//! - the size of the binaries.
//!
//! Medians; the machine should be idle.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "benchmarks panic")]
#![expect(clippy::disallowed_methods, reason = "polling each millisecond is the measurement")]

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wk_tests::{Cluster, eventually, example, http_get, wk_path, wkctl_path};

const APPLIES: usize = 21;
const PODS: usize = 1_000;
const ROUNDS: usize = 5;

fn main() {
    for program in [wk_path(), wkctl_path()] {
        let size = std::fs::metadata(&program).unwrap().len();
        println!("size of {}: {:.1} MB", program.display(), mega(size));
    }
    let start = Instant::now();
    let mut cluster = Cluster::start();
    println!("start to node ready: {} ms", start.elapsed().as_millis());
    settle();
    let idle = cluster.daemon().resident_kib();
    println!("resident idle: {:.1} MiB", mebi(idle));
    let image = cluster.push_example("hello-http");
    apply_to_answer(&cluster, &image);
    throughput(&mut cluster, &image);
    density(&image);
}

fn pod(name: &str, image: &str, annotations: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\n\
         spec:\n  containers:\n  - {{name: web, image: \"{image}\", ports: [{{containerPort: 8080}}]}}\n"
    )
}

fn apply_to_answer(cluster: &Cluster, image: &str) {
    cluster.apply(&pod("warm", image, ""));
    let first = cluster.ready_pod("warm");
    let Ok(IpAddr::V4(known)) = first["status"]["podIP"].as_str().unwrap().parse() else {
        panic!("pods have IPv4 addresses")
    };
    let base = u32::from(known) & 0xffff_f000;
    let mut times = Vec::new();
    for number in 0..APPLIES {
        let name = format!("timed-{number}");
        let file = cluster.scratch().join(format!("{name}.yaml"));
        std::fs::write(&file, pod(&name, image, "")).unwrap();
        // The address is not known beforehand: any of the next ones that answers is the pod.
        let taken = used(cluster);
        let candidates: Vec<SocketAddr> = (1..64)
            .map(|step| IpAddr::V4(Ipv4Addr::from(base + step)))
            .filter(|ip| !taken.contains(&ip.to_string()))
            .map(|ip| SocketAddr::new(ip, 8080))
            .collect();
        let start = Instant::now();
        let mut apply = Command::new(wkctl_path())
            .arg("--kubeconfig")
            .arg(cluster.kubeconfig())
            .args(["apply", "-f"])
            .arg(&file)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let answered = loop {
            let found = candidates
                .iter()
                .find(|address| http_get(**address, "/").is_ok_and(|answer| answer.status == 200));
            if found.is_some() {
                break start.elapsed();
            }
            assert!(start.elapsed() < Duration::from_secs(30), "the pod does not answer");
            std::thread::sleep(Duration::from_millis(1));
        };
        assert!(apply.wait().unwrap().success());
        times.push(answered);
        cluster.kubectl(&["delete", "pod", &name]).ok();
    }
    times.sort();
    println!(
        "apply to first 200: median {:.1} ms, min {:.1}, max {:.1} ({APPLIES} runs)",
        milli(times[APPLIES / 2]),
        milli(times[0]),
        milli(times[APPLIES - 1])
    );
}

fn used(cluster: &Cluster) -> String {
    cluster.kubectl(&["get", "pods", "-o", "jsonpath={.items[*].status.podIP}"]).ok()
}

fn throughput(cluster: &mut Cluster, image: &str) {
    if Command::new("wrk").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("throughput: `wrk` is not installed");
        return;
    }
    cluster.apply(&pod("fresh", image, ""));
    cluster.apply(&pod("reuse", image, "wasm.wk.dev/instance: reuse"));
    let process = cluster.daemon().id();
    let address = |name: &str| {
        let pod = cluster.ready_pod(name);
        format!("http://{}:8080/", pod["status"]["podIP"].as_str().unwrap())
    };
    let mut servers = vec![
        ("wk, fresh instance", address("fresh"), Some(process)),
        ("wk, reuse", address("reuse"), Some(process)),
    ];
    let mut rivals = Vec::new();
    if let Some(wasmtime) = std::env::var_os("WASMTIME") {
        for (name, port, more) in [
            ("wasmtime serve", "127.0.0.1:18081", &[][..]),
            ("wasmtime serve, reuse", "127.0.0.1:18082", &["--max-instance-reuse-count", "1000"]),
        ] {
            let child = Command::new(&wasmtime)
                .args(["serve", "-S", "cli", "--addr", port])
                .args(more)
                .arg(example("hello-http"))
                .env_remove("RUST_BACKTRACE")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            servers.push((name, format!("http://{port}/"), Some(child.id())));
            rivals.push(child);
            eventually("wasmtime serves", || http_get(port.parse().unwrap(), "/").ok());
        }
    }
    let mut results = vec![Vec::new(); servers.len()];
    for _ in 0..ROUNDS {
        for (index, (_, url, process)) in servers.iter().enumerate() {
            results[index].push(load(url, process.unwrap()));
        }
    }
    for ((name, _, _), mut rounds) in servers.iter().zip(results) {
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (rate, cost) = rounds[ROUNDS / 2];
        println!(
            "{name}: {rate:.0} requests/s, {cost:.0} µs of CPU a request (median of {ROUNDS})"
        );
    }
    for mut rival in rivals {
        rival.kill().unwrap();
        rival.wait().unwrap();
    }
}

/// Requests per second, and processor microseconds of the server per request.
fn load(url: &str, process: u32) -> (f64, f64) {
    let before = processor_time(process);
    let output = Command::new("wrk").args(["-t1", "-c16", "-d3s", url]).output().unwrap();
    let used = processor_time(process).saturating_sub(before);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let field = |name: &str| -> f64 {
        let line =
            text.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{text}"));
        let number = line.split_whitespace().find_map(|word| word.parse().ok());
        number.unwrap()
    };
    assert!(!text.contains("Non-2xx"), "{text}");
    (field("Requests/sec:"), used.as_secs_f64() * 1e6 / field("requests in"))
}

fn density(image: &str) {
    let mut cluster = Cluster::start();
    let reference = cluster.push_example("hello-http");
    assert_ne!(reference, image);
    settle();
    let idle = cluster.daemon().resident_kib();
    let mut manifest = String::new();
    for number in 0..PODS {
        write!(manifest, "{}", pod(&format!("web-{number}"), &reference, "")).unwrap();
    }
    let start = Instant::now();
    cluster.apply(&manifest);
    eventually("all pods are ready", || {
        let path = "jsonpath={.items[*].status.containerStatuses[0].ready}";
        let ready = cluster.kubectl(&["get", "pods", "-o", path, "--chunk-size=0"]).stdout;
        (ready.split_whitespace().filter(|word| *word == "true").count() == PODS).then_some(())
    });
    println!("{PODS} pods, apply to all ready: {} ms", start.elapsed().as_millis());
    settle();
    let full = cluster.daemon().resident_kib();
    println!(
        "resident with {PODS} pods: {:.1} MiB, {:.1} KiB a pod (watch window included)",
        mebi(full),
        f64::from(u32::try_from(full.saturating_sub(idle)).unwrap()) / 1_000.0
    );
}

/// Lets queued status writes and events end.
fn settle() {
    std::thread::sleep(Duration::from_secs(5));
}

fn processor_time(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

fn milli(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn mega(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1_000).unwrap()) / 1e3
}

fn mebi(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap()) / 1024.0
}
