//! Pods outlive the kubelet: what they run is in another process, and is found again.
//!
//! The last tests kill a kubelet again and again while pods come and go:
//!
//!     WK_KUBELET_KILLS=100 WK_CHAOS_SEED=1 cargo nextest run -p wk-tests --test wasm_host kubelet_that_is_killed
//!
//! The seed of a run is printed; it decides what is done and when the kubelet is killed, not how the
//! processes interleave.

#![expect(clippy::unwrap_used, reason = "tests panic")]
#![expect(clippy::print_stdout, reason = "the seed belongs to a failed run's output")]

mod churn;

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use wk_tests::{Answer, Cluster, Daemon, Options, WasmHost, eventually, http_get};

const NODE: &str = "node-2";

/// A cluster whose second node is an agent of its own.
struct Bench {
    // In this order: the agent goes first.
    agent: Option<Daemon>,
    cluster: Cluster,
}

impl Bench {
    fn start() -> Self {
        let cluster = Cluster::start();
        let agent = Some(cluster.start_agent(NODE));
        Self { agent, cluster }
    }

    fn agent(&mut self) -> &mut Daemon {
        self.agent.as_mut().unwrap()
    }

    fn host(&self) -> WasmHost {
        let folder = self.cluster.scratch().join(NODE);
        eventually("the node has a Wasm host", || WasmHost::of(&folder))
    }

    /// Starts the agent again, which has ended, and waits until it can be asked.
    fn revive(&mut self) {
        let dead = self.agent.take().unwrap();
        self.agent = Some(self.cluster.revive_agent(NODE, &[], dead));
        eventually("the kubelet answers", || {
            let path = format!("/api/v1/nodes/{NODE}/proxy/healthz");
            (self.cluster.kubectl(&["get", "--raw", &path]).code == 0).then_some(())
        });
    }

    /// Applies a pod of one container on the agent's node.
    fn apply(&self, name: &str, container: &Value, more: &Value) {
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {
                "nodeName": NODE, "terminationGracePeriodSeconds": 2, "containers": [container],
            },
        });
        merge(&mut pod, more);
        self.cluster.apply(&pod.to_string());
    }

    fn status(&self, pod: &str) -> Value {
        let pod = self.cluster.object("pod", pod).unwrap_or_default();
        pod["status"]["containerStatuses"][0].clone()
    }

    fn address(&self, pod: &str) -> SocketAddr {
        let pod = self.cluster.ready_pod(pod);
        SocketAddr::new(pod["status"]["podIP"].as_str().unwrap().parse().unwrap(), 8080)
    }

    fn exec(&self, pod: &str, command: &[&str]) -> Answer {
        self.cluster.kubectl(&[&["exec", pod, "--"], command].concat())
    }
}

fn merge(into: &mut Value, more: &Value) {
    for (key, value) in more.as_object().into_iter().flatten() {
        if value.is_object() && into[key].is_object() {
            merge(&mut into[key], value);
        } else {
            into[key] = value.clone();
        }
    }
}

/// Asks a server all the time how many requests its instance has served, and panics if it is another
/// instance or does not answer.
struct Asking {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Asking {
    fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut last = 0;
            while !stopped.load(Ordering::Acquire) {
                let answer = http_get(address, "/count").expect("no request is lost");
                assert_eq!(answer.status, 200);
                // It comes in one piece, after the length of that.
                let count: u64 = answer.body.lines().nth(1).unwrap().parse().unwrap();
                assert!(count > last, "the instance that has served {last} is gone: {count}");
                last = count;
            }
            last
        });
        Self { stop, thread }
    }

    /// How many were answered in the end.
    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Release);
        self.thread.join().unwrap()
    }
}

#[test]
fn pods_outlive_their_kubelet_and_are_found_again() {
    let mut bench = Bench::start();
    let (http, guest) =
        (bench.cluster.push_example("testguest-http"), bench.cluster.push_example("testguest"));
    let shared = bench.cluster.scratch().join("shared");
    fs::create_dir(&shared).unwrap();
    let volumes = json!({"volumes": [{"name": "shared", "hostPath": {"path": shared}}]});
    let mounts = json!([{"name": "shared", "mountPath": "/shared"}]);
    let never = |mut spec: Value| {
        spec["restartPolicy"] = "Never".into();
        json!({ "spec": spec })
    };
    let probe = json!({"httpGet": {"port": 8080, "path": "/"}, "periodSeconds": 1});
    bench.apply(
        "web",
        &json!({"name": "main", "image": http, "readinessProbe": probe, "livenessProbe": probe}),
        &json!({"metadata": {"annotations": {"wasm.wk.dev/instance": "reuse"}}}),
    );
    bench.apply(
        "counts",
        &json!({"name": "main", "image": guest, "args": ["count", "10"]}),
        &json!({}),
    );
    let ends = ["await", "/shared/end", ";", "say", "bye", ";", "exit", "7"];
    bench.apply(
        "ends",
        &json!({"name": "main", "image": guest, "args": ends, "volumeMounts": mounts}),
        &never(volumes),
    );
    for pod in ["web", "counts", "ends"] {
        bench.cluster.ready_pod(pod);
    }
    let before = ["web", "counts"].map(|pod| bench.status(pod));
    let host = bench.host();
    let asking = Asking::start(bench.address("web"));

    bench.agent().kill();
    fs::write(shared.join("end"), "").unwrap();
    let log = bench.cluster.scratch().join(NODE).join("node/logs/pods");
    eventually("a program ends while nobody looks", || {
        let pods = fs::read_dir(&log).unwrap().map(|pod| pod.unwrap().path());
        let of_pod = |pod: &std::path::PathBuf| pod.to_string_lossy().contains("default_ends_");
        let log = pods.into_iter().find(of_pod)?.join("main/0.log");
        fs::read_to_string(log).unwrap_or_default().contains("bye").then_some(())
    });
    bench.revive();
    let ended = bench.cluster.pod_in_phase("ends", "Failed");
    let end = &ended["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!((&end["exitCode"], &end["reason"]), (&json!(7), &json!("Error")), "{end}");
    assert!(end["startedAt"].is_string() && end["finishedAt"].is_string(), "{end}");

    // In good order it is the same.
    bench.agent().terminate();
    assert!(bench.agent().wait().success());
    assert!(host.is_running(), "it goes on");
    bench.revive();
    assert_eq!(bench.host().id(), host.id());
    for (pod, before) in ["web", "counts"].into_iter().zip(before) {
        bench.cluster.ready_pod(pod);
        let after = bench.status(pod);
        for field in ["containerID", "restartCount", "state"] {
            assert_eq!(after[field], before[field], "{field} of {pod}");
        }
    }
    let printed = bench.exec("counts", &["testguest", "print", "2"]).ok();
    assert!(printed.starts_with("line 1\nline 2\n"), "{printed}");
    assert!(asking.stop() > 10, "it was asked all the time");
    let lines = eventually("the log goes on", || {
        let log = bench.cluster.kubectl(&["logs", "counts"]).ok();
        let lines: Vec<u64> = log.lines().map(|line| line.parse().unwrap()).collect();
        (lines.len() > 100).then_some(lines)
    });
    let first = lines[0];
    let expected: Vec<u64> = (first..first + lines.len() as u64).collect();
    assert_eq!(lines, expected, "no line is lost or doubled");

    // A new pod is not given what another one has.
    bench.apply("new", &json!({"name": "main", "image": http}), &json!({}));
    assert_ne!(bench.address("new"), bench.address("web"));
    let pods = ["pod", "--all", "--timeout=60s"];
    bench.cluster.kubectl(&[&["delete"][..], &pods].concat()).ok();
}

#[test]
fn pods_of_a_host_that_is_gone_are_started_again() {
    let mut bench = Bench::start();
    let http = bench.cluster.push_example("testguest-http");
    bench.apply("web", &json!({"name": "main", "image": http}), &json!({}));
    let address = bench.address("web");
    let restarted = |bench: &Bench, times: u64| {
        eventually(&format!("the pod was started {times} times again"), || {
            let status = bench.status("web");
            let there = status["restartCount"] == times && status["ready"] == true;
            there.then(|| status["lastState"]["terminated"].clone())
        })
    };

    // Killed, under a kubelet that goes on.
    let first = bench.host();
    first.kill();
    let last = restarted(&bench, 1);
    assert_eq!((&last["exitCode"], &last["reason"]), (&json!(255), &json!("Unknown")), "{last}");
    assert_eq!(last["message"], "the wasm host that ran it is gone");
    assert_eq!(bench.address("web"), address, "it has its address still");
    assert_eq!(http_get(address, "/").unwrap().status, 200);
    assert_ne!(bench.host().id(), first.id());

    // Ended by an operator: programs end as they do, and are started again.
    bench.host().stop();
    let last = restarted(&bench, 2);
    assert_eq!((&last["exitCode"], &last["reason"]), (&json!(0), &json!("Completed")), "{last}");

    // Both at once, as when the power fails.
    bench.agent().kill_with_programs();
    assert!(http_get(address, "/").is_err());
    bench.revive();
    let last = restarted(&bench, 3);
    assert_eq!((&last["exitCode"], &last["reason"]), (&json!(255), &json!("Unknown")), "{last}");
    assert_eq!(bench.address("web"), address);
    bench.cluster.wait_for_node(NODE, "True");
}

#[test]
fn a_cluster_that_is_stopped_takes_its_wasm_host_along() {
    let arguments = ["--wasm-host", "process"].map(str::to_owned).to_vec();
    let mut cluster = Cluster::start_with(Options { arguments, ..Options::default() });
    let image = cluster.push_example("testguest-http");
    cluster.kubectl(&["run", "web", "--image", &image, "--port=8080"]).ok();
    assert_eq!(cluster.page("web", 8080, "/").status, 200);
    let host = cluster.daemon().wasm_host().unwrap();
    cluster.crash_and_restart();
    let status = |cluster: &Cluster| {
        cluster.ready_pod("web")["status"]["containerStatuses"][0]["restartCount"].clone()
    };
    assert_eq!(status(&cluster), 0, "the pod goes on");
    assert_eq!(cluster.daemon().wasm_host().unwrap().id(), host.id());
    let address = SocketAddr::new(
        cluster.ready_pod("web")["status"]["podIP"].as_str().unwrap().parse().unwrap(),
        8080,
    );
    let ended = cluster.daemon().stop();
    assert!(ended.success(), "{}", cluster.daemon().output());
    assert!(!host.is_running(), "nothing is left");
    assert!(http_get(address, "/").is_err());

    // What runs in one place is not run in another beside it.
    let mut command = std::process::Command::new(wk_tests::wk_path());
    command.args(["wasm-host", "--data-dir"]).arg(cluster.data_dir());
    let host = Daemon::start(command, &cluster.scratch().join("host.log"));
    eventually("the host listens", || host.output().contains("listens").then_some(()));
    let mut command = std::process::Command::new(wk_tests::wk_path());
    command.args(["up", "--listen", "127.0.0.1:0", "--registry-listen", "127.0.0.1:0"]);
    command.arg("--data-dir").arg(cluster.data_dir());
    let refused = Answer::run(command).refused();
    let why = format!("belongs to another host with process id {}", host.id());
    assert!(refused.contains(&why) && refused.contains("--wasm-host process"), "{refused}");
}
