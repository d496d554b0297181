//! A kubelet that is killed again and again while pods come and go.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use wk_tests::{BusyboxImage, Cluster, Daemon, DockerEngine, eventually};

use crate::NODE;

const KILLS: u64 = 10;
/// How long the kubelet is left alone at most between two kills.
const CALM: u64 = 1500;

/// The programs of one kind of container; each is a container without its name.
struct Programs {
    /// Runs until it is stopped.
    runs: Value,
    /// Prints one line and ends well.
    prints: Value,
    /// Ends with code 3 at once.
    crashes: Value,
    /// Further arguments of the agent.
    arguments: Vec<String>,
}

struct Churn {
    agent: Option<Daemon>,
    cluster: Cluster,
    programs: Programs,
    random: StdRng,
    made: usize,
    /// Pods that are to run, and what was first told of their container.
    runs: BTreeMap<String, Option<Value>>,
    /// Pods that are to run to their end.
    jobs: Vec<String>,
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

impl Churn {
    fn start(cluster: Cluster, programs: Programs) -> Self {
        let seed = from_environment("WK_CHAOS_SEED").unwrap_or_else(|| rand::rng().random());
        println!("WK_CHAOS_SEED={seed}");
        let agent = Some(cluster.start_agent_with(NODE, &programs.arguments));
        let random = StdRng::seed_from_u64(seed);
        let (runs, jobs) = (BTreeMap::new(), Vec::new());
        Self { agent, cluster, programs, random, made: 0, runs, jobs }
    }

    fn make(&mut self, kind: &str, container: &Value, policy: &str) -> String {
        self.made += 1;
        let name = format!("{kind}-{}", self.made);
        let mut container = container.clone();
        container["name"] = "main".into();
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {
                "nodeName": NODE, "restartPolicy": policy, "terminationGracePeriodSeconds": 1,
                "containers": [container],
            },
        });
        self.cluster.apply(&pod.to_string());
        name
    }

    /// Makes some pods and deletes others, waiting for none.
    fn change(&mut self) -> String {
        let runs = self.programs.runs.clone();
        let name = self.make("runs", &runs, "Always");
        self.runs.insert(name, None);
        let prints = self.programs.prints.clone();
        let name = self.make("prints", &prints, "Never");
        self.jobs.push(name);
        // The first two stay to the end.
        let may_go: Vec<String> = self.runs.keys().filter(|name| !stays(name)).cloned().collect();
        if may_go.len() < 3 {
            return "made two".to_owned();
        }
        let goes = may_go[self.random.random_range(0..may_go.len())].clone();
        self.runs.remove(&goes);
        self.cluster.kubectl(&["delete", "pod", &goes, "--wait=false"]).ok();
        format!("made two, deleted {goes}")
    }

    #[expect(clippy::disallowed_methods, reason = "the kubelet is to be killed at any moment")]
    fn kill(&mut self) {
        let calm = self.random.random_range(0..CALM);
        std::thread::sleep(Duration::from_millis(calm));
        let mut agent = self.agent.take().unwrap();
        agent.kill();
        self.agent = Some(self.cluster.revive_agent(NODE, &self.programs.arguments, agent));
    }

    fn pods(&self) -> BTreeMap<String, Value> {
        let pods = self.cluster.kubectl(&["get", "pods", "-o", "json"]).json();
        let named =
            |pod: &Value| (pod["metadata"]["name"].as_str().unwrap().to_owned(), pod.clone());
        pods["items"].as_array().unwrap().iter().map(named).collect()
    }

    /// Compares what is told of containers with what was told first.
    fn look(&mut self) {
        let pods = self.pods();
        for (name, first) in &mut self.runs {
            let Some(pod) = pods.get(name) else { continue };
            let status = &pod["status"]["containerStatuses"][0];
            if status["state"]["running"].is_null() {
                assert!(first.is_none(), "{name} ran and does not: {status}");
                continue;
            }
            let now = json!([status["containerID"], status["restartCount"], status["state"]]);
            let first = first.get_or_insert_with(|| now.clone());
            assert_eq!(&now, first, "{name} was started again");
            assert_eq!(now[1], 0, "{name} was started again");
        }
    }

    /// Waits until all is as it should be.
    fn settle(&mut self) {
        eventually("all pods run or have ended", || {
            let pods = self.pods();
            let runs = |name: &String| {
                pods.get(name)
                    .is_some_and(|pod| pod["status"]["containerStatuses"][0]["ready"] == true)
            };
            let ended = |name: &String| pods[name]["status"]["phase"] == "Succeeded";
            let gone = pods.len() == self.runs.len() + self.jobs.len() + 1;
            let all = gone && self.runs.keys().all(runs) && self.jobs.iter().all(ended);
            all.then_some(())
        });
        self.look();
        let pods = self.pods();
        for name in &self.jobs {
            let status = &pods[name]["status"]["containerStatuses"][0];
            let end = &status["state"]["terminated"];
            assert_eq!(
                (&status["restartCount"], &end["exitCode"], &end["reason"]),
                (&json!(0), &json!(0), &json!("Completed")),
                "{name}: {status}"
            );
            let log = self.cluster.kubectl(&["logs", name]).ok();
            assert_eq!(log, "once\n", "{name} ran once");
        }
    }

    fn crashing(&self, name: &str) {
        let status = self.pods()[name]["status"]["containerStatuses"][0].clone();
        let ends = [&status["state"]["terminated"], &status["lastState"]["terminated"]];
        let told: Vec<_> = ends.into_iter().filter(|end| !end.is_null()).collect();
        assert!(!told.is_empty(), "{status}");
        for end in told {
            assert_eq!(end["exitCode"], 3, "it always ends like that: {status}");
        }
    }

    /// Kills the kubelet while pods come and go. Returns the uids of the pods that are left.
    fn run(&mut self) -> Vec<String> {
        for _ in 0..2 {
            self.change();
        }
        let crashes = self.programs.crashes.clone();
        let crashing = self.make("crashes", &crashes, "Always");
        for kill in 0..from_environment("WK_KUBELET_KILLS").unwrap_or(KILLS) {
            let deed = self.change();
            self.kill();
            self.look();
            println!("{kill}: {deed}; killed the kubelet");
        }
        self.settle();
        self.crashing(&crashing);
        self.cluster.kubectl(&["delete", "pod", &crashing]).ok();
        self.jobs.push(crashing);
        let left = self.pods();
        let jobs = std::mem::take(&mut self.jobs);
        left.into_iter()
            .filter(|(name, _)| !jobs.contains(name))
            .map(|(_, pod)| pod["metadata"]["uid"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn stays(name: &str) -> bool {
    ["runs-1", "runs-3"].contains(&name)
}

#[test]
fn wasm_pods_of_a_kubelet_that_is_killed_are_neither_restarted_nor_lost_nor_doubled() {
    let cluster = Cluster::start();
    let (http, guest) = (cluster.push_example("testguest-http"), cluster.push_example("testguest"));
    let programs = Programs {
        runs: json!({"image": http}),
        prints: json!({"image": guest, "args": ["say", "once"]}),
        crashes: json!({"image": guest, "args": ["exit", "3"]}),
        arguments: Vec::new(),
    };
    let mut churn = Churn::start(cluster, programs);
    let mut expected = churn.run();
    expected.sort();

    // What the host itself has, without anybody between.
    let mut agent = churn.agent.take().unwrap();
    agent.kill();
    let folder = churn.cluster.scratch().join(NODE).join("node");
    let found = containers(&folder);
    assert_eq!(found, expected, "what runs is what is to run");
}

/// The uids of the pods of all containers that a host has, once for each container that runs.
fn containers(folder: &std::path::Path) -> Vec<String> {
    use wk_runtime::Runtime as _;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let config = wk_runtime_host::RemoteConfig {
            socket: folder.join("wasm-host.sock"),
            name: "wasm",
            version: "test".to_owned(),
            launch: None,
        };
        let tasks = wk_process::TaskGroup::new("test");
        let host = wk_runtime_host::RemoteRuntime::connect(config, tasks).await.unwrap();
        let all = host.list().await.unwrap();
        let running =
            |one: &wk_runtime::ContainerState| one.status == wk_runtime::ContainerStatus::Running;
        let mut uids: Vec<String> =
            all.into_iter().filter(running).map(|one| one.pod.uid).collect();
        uids.sort();
        uids
    })
}

#[test]
#[ignore = "needs root, docker.io, skopeo and busybox-static"]
fn linux_pods_of_a_kubelet_that_is_killed_are_neither_restarted_nor_lost_nor_doubled() {
    let engine = DockerEngine::start();
    let cluster = Cluster::start();
    let busybox = BusyboxImage::make(&json!({"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]}));
    let image = busybox.push(&cluster.registry(), "busybox");
    let script = |text: &str| json!({"image": image, "command": ["sh", "-c", text]});
    let programs = Programs {
        runs: script("trap 'exit 0' TERM; while :; do sleep 0.05; done"),
        prints: script("echo once"),
        crashes: script("exit 3"),
        arguments: vec![engine.argument()],
    };
    let mut churn = Churn::start(cluster, programs);
    let expected = churn.run().len();
    let running = ["--quiet", "--filter", "status=running", "--filter"];
    let running = engine.ps(&[&running[..], &["label=io.kubernetes.container.name=main"]].concat());
    assert_eq!(running.len(), expected, "what runs is what is to run");
    churn.cluster.kubectl(&["delete", "pod", "--all", "--timeout=90s"]).ok();
    eventually("nothing is left in the engine", || {
        engine.ps(&["--quiet"]).is_empty().then_some(())
    });
}
