//! Prints the figures of the main job, measured on the real release binaries:
//!
//!     cargo xtask bench main_job
//!
//! - start to ready, with an empty data folder;
//! - the start of the `wkctl apply` process to the first 200 of `hello-http`, polled each
//!   millisecond, with the compiled form cached;
//! - resident memory idle and with many idle pods, servers and sleeping commands, and the memory per
//!   pod, for the control plane and for the node apart;
//! - requests per second and processor time per request, fresh instance and reuse, where `wrk` is
//!   installed; by turns with a plain hyper server and, where `WASMTIME` names it, `wasmtime serve`;
//! - the size of the binaries.
//!
//! Medians; the machine should be idle.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "benchmarks panic")]
#![expect(clippy::disallowed_methods, reason = "polling each millisecond is the measurement")]

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wk_tests::{
    ApiAccess, Cluster, ControlPlane, Daemon, PodRange, eventually, example, http_get, wk_path,
    wkctl_path,
};

const APPLIES: usize = 21;
/// The rest of a container that serves.
const SERVER: &str = "ports: [{containerPort: 8080}]";
const ROUNDS: usize = 5;
/// Makes this program the plain server.
const PLAIN: &str = "--plain-server";
const PAGE: &[u8] = b"Hello from WebAssembly!\n";

fn main() {
    if std::env::args().any(|argument| argument == PLAIN) {
        plain_server();
        return;
    }
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
    drop(cluster);
    density("an HTTP server", "hello-http", 1_000, SERVER);
    density("a sleeping command", "testguest", 1_000, "args: [sleep, \"86400\"]");
}

fn pod(name: &str, image: &str, container: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\n\
         spec:\n  containers:\n  - {{name: main, image: \"{image}\", {container}}}\n"
    )
}

fn apply_to_answer(cluster: &Cluster, image: &str) {
    cluster.apply(&pod("warm", image, SERVER));
    let first = cluster.ready_pod("warm");
    let Ok(IpAddr::V4(known)) = first["status"]["podIP"].as_str().unwrap().parse() else {
        panic!("pods have IPv4 addresses")
    };
    let base = u32::from(known) & 0xffff_f000;
    let mut times = Vec::new();
    for number in 0..APPLIES {
        let name = format!("timed-{number}");
        let file = cluster.scratch().join(format!("{name}.yaml"));
        std::fs::write(&file, pod(&name, image, SERVER)).unwrap();
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
    cluster.apply(&pod("fresh", image, SERVER));
    let reuse = pod("reuse", image, SERVER)
        .replace("{name: reuse}", "{name: reuse, annotations: {wasm.wk.dev/instance: reuse}}");
    cluster.apply(&reuse);
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
    let mut plain = Command::new(std::env::current_exe().unwrap())
        .arg(PLAIN)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(plain.stdout.take().unwrap()).read_line(&mut line).unwrap();
    servers.push(("plain hyper", format!("http://{}/", line.trim()), Some(plain.id())));
    rivals.push(plain);
    if let Some(wasmtime) = std::env::var_os("WASMTIME") {
        for (name, more) in [
            ("wasmtime serve", &[][..]),
            ("wasmtime serve, reuse", &["--max-instance-reuse-count", "1000"]),
        ] {
            // It cannot say which port it was given: one that was free a moment ago.
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let child = Command::new(&wasmtime)
                .args(["serve", "-S", "cli", "--addr", &port.to_string()])
                .args(more)
                .arg(example("hello-http"))
                .env_remove("RUST_BACKTRACE")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            servers.push((name, format!("http://{port}/"), Some(child.id())));
            rivals.push(child);
            eventually("wasmtime serves", || http_get(port, "/").ok());
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

/// What idle pods take of the control plane and of the node, as processes of their own: (memory with
/// them - memory idle) / their number, once the history has been compacted.
fn density(what: &str, program: &str, pods: usize, container: &str) {
    let range = PodRange::take();
    let arguments = vec!["--cluster-cidr".to_owned(), range.cidr()];
    let mut plane = ControlPlane::start_with("server", arguments);
    let daemon = |name: &str, arguments: &[&str]| {
        let mut command = Command::new(wk_path());
        command.arg(name).arg("--data-dir").arg(plane.scratch(name)).args(arguments);
        Daemon::start(command, &plane.scratch(&format!("{name}.log")))
    };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let listen = port.to_string();
    let registry = daemon("registry", &["--listen", &listen]);
    let text = std::fs::read_to_string(plane.kubeconfig()).unwrap();
    let server = text.split("server: ").nth(1).unwrap().split_whitespace().next().unwrap();
    let token = plane.data_dir().join("token").display().to_string();
    let joined = ["--server", server, "--token-file", &token, "--node-name", "node-1"];
    let joined = [&joined[..], &[wk_tests::NO_PRESSURE]].concat();
    let agent = daemon("agent", &joined);
    eventually("the node is ready", || {
        let path = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}";
        (plane.kubectl(&["get", "nodes", "-o", path]).stdout == "True").then_some(())
    });
    let image = format!("{listen}/tests/{program}:1");
    eventually("the image is pushed", || {
        let file = example(program).display().to_string();
        (plane.wkctl(&["push", &file, &image]).code == 0).then_some(())
    });
    compact(&plane);
    settle();
    let idle = [plane.daemon().resident_kib(), agent.resident_kib()];
    let mut manifest = String::new();
    for number in 0..pods {
        write!(manifest, "{}", pod(&format!("p-{number}"), &image, container)).unwrap();
    }
    let file = plane.scratch("pods.yaml");
    std::fs::write(&file, manifest).unwrap();
    let start = Instant::now();
    plane.wkctl(&["apply", "-f", file.to_str().unwrap()]).ok();
    eventually("all pods are ready", || {
        let path = "jsonpath={.items[*].status.containerStatuses[0].ready}";
        let ready = plane.kubectl(&["get", "pods", "-o", path, "--chunk-size=0"]).stdout;
        (ready.split_whitespace().filter(|word| *word == "true").count() == pods).then_some(())
    });
    println!("{pods} pods of {what}, apply to all ready: {} ms", start.elapsed().as_millis());
    settle();
    let full = [plane.daemon().resident_kib(), agent.resident_kib()];
    compact(&plane);
    let compacted = [plane.daemon().resident_kib(), agent.resident_kib()];
    let names = ["control plane, with caches and events", "node, runtime and kubelet"];
    for (index, name) in names.into_iter().enumerate() {
        let count = f64::from(u32::try_from(pods).unwrap());
        let each =
            |now: u64| f64::from(u32::try_from(now.saturating_sub(idle[index])).unwrap()) / count;
        println!(
            "{name}: idle {:.1} MiB, with {pods} pods of {what} {:.1} MiB: {:.1} KiB a pod; before compaction {:.1}",
            mebi(idle[index]),
            mebi(compacted[index]),
            each(compacted[index]),
            each(full[index]),
        );
    }
    drop((agent, registry));
}

/// Has the control plane forget its history, as it does by itself after five minutes.
fn compact(plane: &ControlPlane) {
    let access = ApiAccess::of(&plane.kubeconfig());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let path = "/maintenance/v1/compaction";
        let answer = access.open().await.send(http::Method::POST, path, bytes::Bytes::new()).await;
        assert_eq!(answer.status(), http::StatusCode::OK, "{:?}", answer.body());
    });
}

/// The plainest of servers, as a process of its own: what the network stack and HTTP cost.
fn plain_server() {
    let threads = std::thread::available_parallelism().unwrap().get();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let tasks = wk_process::TaskGroup::new("connections");
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tasks.spawn_quiet("connection", async {
                let service = hyper::service::service_fn(|_request| async {
                    let body = http_body_util::Full::new(bytes::Bytes::from_static(PAGE));
                    Ok::<_, std::convert::Infallible>(http::Response::new(body))
                });
                let stream = hyper_util::rt::TokioIo::new(stream);
                // How a connection ends is the client's business.
                _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(stream, service)
                    .await;
            });
        }
    });
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
