//! Components are killed at random, again and again, and the cluster always arrives where it should.
//!
//!     WK_CHAOS_KILLS=200 WK_CHAOS_SEED=1 cargo nextest run -p wk-tests --test chaos
//!
//! The seed of a run is printed with its outcome; it decides what is done and who is killed, not how
//! the processes interleave.

#![expect(clippy::unwrap_used, reason = "tests panic")]
#![expect(clippy::print_stdout, reason = "the seed belongs to a failed run's output")]

use std::time::{Duration, Instant};

use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch};
use kube::api::{PatchParams, PostParams, PropagationPolicy};
use kube::{Api, Client};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use wk_client::connect;
use wk_process::TaskGroup;
use wk_tests::PATIENCE;
use wk_tests::chaos::{History, Parts, faults, wishes, workloads};

const KILLS: usize = 20;
/// Each has the same chance to be killed.
const VICTIMS: [&str; 7] =
    ["apiserver", "scheduler-1", "scheduler-2", "controllers-1", "controllers-2", "agent", "sim"];
/// Of each there are two, one of which acts.
const FROZEN: [&str; 4] = ["scheduler-1", "scheduler-2", "controllers-1", "controllers-2"];
/// How long a node may be silent before it is given up.
const SILENCE: Duration = Duration::from_secs(4);
/// Every kind whose objects own, or are owned by, what the test makes.
const KINDS: [&str; 9] = [
    "v1/Node",
    "v1/Pod",
    "v1/Service",
    "apps/v1/Deployment",
    "apps/v1/ReplicaSet",
    "apps/v1/StatefulSet",
    "apps/v1/ControllerRevision",
    "batch/v1/Job",
    "discovery.k8s.io/v1/EndpointSlice",
];

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Where some of the nodes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    There,
    /// Lost, and taken out of the cluster; they come back after so many steps.
    Lost(usize),
}

fn edges() -> Vec<String> {
    (0..4).map(|number| format!("edge-{number}")).collect()
}

struct Chaos {
    parts: Parts,
    client: Client,
    random: StdRng,
    jobs: usize,
    rounds: usize,
    edge: Edge,
    /// What is stopped without knowing it, and for how many steps still.
    frozen: Option<(&'static str, usize)>,
    /// How many pods were sent away from nodes that were silent; `None` while none were.
    evicted: Option<usize>,
    /// What ended without having been killed.
    deserters: Vec<(String, String)>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_the_cluster_arrives_where_it_should() {
    let seed = from_environment("WK_CHAOS_SEED").unwrap_or_else(|| rand::rng().random());
    let kills = from_environment("WK_CHAOS_KILLS").and_then(|kills| usize::try_from(kills).ok());
    let kills = kills.unwrap_or(KILLS);
    println!("WK_CHAOS_SEED={seed} WK_CHAOS_KILLS={kills}");
    let mut chaos = Chaos::start(StdRng::seed_from_u64(seed)).await;
    let tasks = TaskGroup::new("test");
    let watched = ["v1/Node", "v1/Pod", "apps/v1/Deployment", "apps/v1/ReplicaSet"];
    let history = History::watch(&chaos.client, &watched, &tasks);
    chaos.settle("before anything is killed").await;
    for kill in 0..kills {
        // Once in any case: at first, while all nodes are there and pods run on them.
        let deed = if kill == 0 { chaos.silence_nodes().await } else { chaos.change().await };
        let victim = chaos.kill_one().await;
        println!("{kill}: {deed}; killed {victim}");
    }
    chaos.parts.revive("edge");
    if let Some((name, _)) = chaos.frozen {
        chaos.parts.thaw(name);
    }
    chaos.settle("after everything").await;
    println!("{:?} pods were sent away from silent nodes", chaos.evicted);
    assert!(kills == 0 || chaos.evicted > Some(0), "some of them ran there");
    assert!(chaos.deserters.is_empty(), "ended without being killed: {:#?}", chaos.deserters);
    let gaps = history.gaps();
    let history = history.all();
    println!(
        "{} states seen, {} gaps, as of revision {:?}",
        history.len(),
        gaps.len(),
        history.last().map(|one| one.revision)
    );
    let faults = faults(&history, &gaps);
    assert!(faults.is_empty(), "{} faults: {faults:#?}", faults.len());
}

impl Chaos {
    async fn start(random: StdRng) -> Self {
        let parts = tokio::task::spawn_blocking(|| {
            let brief = ["--default-unreachable-toleration-seconds=1"];
            let mut parts = Parts::start_with(&brief);
            let leader = [
                "--leader-elect-lease-duration=2s",
                "--leader-elect-renew-deadline=1500ms",
                "--leader-elect-retry-period=300ms",
            ];
            let cidr = parts.cidr();
            for number in ["1", "2"] {
                parts.join(&format!("scheduler-{number}"), "scheduler", &leader);
                let grace = format!("--node-monitor-grace-period={}s", SILENCE.as_secs());
                let own = ["--cluster-cidr", &cidr, &grace, "--node-eviction-rate=100"];
                let all = [&leader[..], &own].concat();
                parts.join(&format!("controllers-{number}"), "controller-manager", &all);
            }
            parts.join("agent", "agent", &["--node-name", "real", wk_tests::NO_PRESSURE]);
            for (name, nodes, range) in [("sim", "20", "10.1.0.0/16"), ("edge", "4", "10.2.0.0/16")]
            {
                let interval = "--lease-interval=1s";
                let more = ["--prefix", name, "--nodes", nodes, "--pod-range", range, interval];
                parts.join(name, "simulate", &more);
            }
            let image = parts.registry_with("hello-http");
            (parts, image)
        });
        let (parts, image) = parts.await.unwrap();
        let client = connect::from_kubeconfig(&parts.kubeconfig()).await.unwrap();
        let mut chaos = Self {
            parts,
            client,
            random,
            jobs: 0,
            rounds: 0,
            edge: Edge::There,
            frozen: None,
            evicted: None,
            deserters: Vec::new(),
        };
        for object in [
            workloads::simulated("web", 6),
            workloads::settled_on("edge", 3, &edges()),
            workloads::real("real", 2, &image),
            workloads::stateful_set(),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
                   "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}),
        ] {
            chaos.create(&object).await;
        }
        chaos
    }

    fn api(&self, kind: &str) -> Api<DynamicObject> {
        let (version, kind) = kind.rsplit_once('/').unwrap();
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        if kind == "Node" {
            return Api::all_with(self.client.clone(), &resource);
        }
        Api::default_namespaced_with(self.client.clone(), &resource)
    }

    /// Asks until the server, which may be down, has answered; what it refuses counts as done, since
    /// an earlier attempt may have been carried out.
    async fn insist<T, F>(&mut self, ask: impl Fn(Api<DynamicObject>) -> F, kind: &str) -> Option<T>
    where
        F: Future<Output = Result<T, kube::Error>>,
    {
        let start = Instant::now();
        loop {
            match ask(self.api(kind)).await {
                Ok(answer) => return Some(answer),
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return None,
                Err(kube::Error::Api(status)) if status.code < 500 && status.code != 429 => {
                    panic!("refused: {status:?}")
                }
                Err(error) => {
                    let log = self.parts.said("apiserver", 20);
                    assert!(
                        start.elapsed() < PATIENCE,
                        "the server does not answer: {error}\n{log}"
                    );
                    self.look_after();
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn create(&mut self, object: &Value) {
        let kind = format!(
            "{}/{}",
            object["apiVersion"].as_str().unwrap(),
            object["kind"].as_str().unwrap()
        );
        let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        let create = |api: Api<DynamicObject>| {
            let object = object.clone();
            async move { api.create(&PostParams::default(), &object).await }
        };
        self.insist(create, &kind).await;
    }

    async fn merge(&mut self, kind: &str, name: &str, patch: Value) {
        let change = |api: Api<DynamicObject>| {
            let patch = Patch::Merge(patch.clone());
            async move { api.patch(name, &PatchParams::default(), &patch).await }
        };
        self.insist(change, kind).await;
    }

    async fn delete(&mut self, kind: &str, name: &str, how: PropagationPolicy) {
        let params = DeleteParams { propagation_policy: Some(how), ..DeleteParams::default() };
        let delete = |api: Api<DynamicObject>| {
            let params = params.clone();
            async move { api.delete(name, &params).await.map(drop) }
        };
        self.insist(delete, kind).await;
    }

    async fn list(&mut self, kind: &str) -> Vec<Value> {
        let list = |api: Api<DynamicObject>| async move { api.list(&ListParams::default()).await };
        let objects = self.insist(list, kind).await.map(|list| list.items).unwrap_or_default();
        objects.into_iter().map(|object| serde_json::to_value(object).unwrap()).collect()
    }

    /// Changes something that is wanted, or takes something away; says what.
    async fn change(&mut self) -> String {
        self.rounds += 1;
        let round = self.rounds.to_string();
        let template =
            json!({"spec": {"template": {"metadata": {"annotations": {"round": round}}}}});
        match self.random.random_range(0..12) {
            0 => {
                self.merge("apps/v1/Deployment", "web", template).await;
                "rolled web".to_owned()
            }
            1 => {
                self.merge("apps/v1/Deployment", "real", template).await;
                "rolled real".to_owned()
            }
            2 => {
                self.merge("apps/v1/StatefulSet", "db", template).await;
                "rolled db".to_owned()
            }
            3 | 4 => {
                let replicas = self.random.random_range(2..=12);
                let scale = json!({"spec": {"replicas": replicas}});
                self.merge("apps/v1/Deployment", "web", scale).await;
                format!("scaled web to {replicas}")
            }
            5 => {
                let replicas = self.random.random_range(1..=5);
                let scale = json!({"spec": {"replicas": replicas}});
                self.merge("apps/v1/StatefulSet", "db", scale).await;
                format!("scaled db to {replicas}")
            }
            6 => {
                self.jobs += 1;
                let name = format!("job-{}", self.jobs);
                self.create(&workloads::job(&name)).await;
                if self.jobs > 2 {
                    let old = format!("job-{}", self.jobs - 2);
                    self.delete("batch/v1/Job", &old, PropagationPolicy::Background).await;
                }
                format!("started {name}")
            }
            7 => {
                let brief = workloads::simulated("brief", 3);
                let how = if self.random.random() {
                    PropagationPolicy::Background
                } else {
                    PropagationPolicy::Foreground
                };
                self.delete("apps/v1/Deployment", "brief", how).await;
                self.create(&brief).await;
                "replaced brief".to_owned()
            }
            8 => {
                let pods = self.list("v1/Pod").await;
                if pods.is_empty() {
                    return "nothing".to_owned();
                }
                let which = self.random.random_range(0..pods.len());
                let name = pods[which]["metadata"]["name"].as_str().unwrap().to_owned();
                self.delete("v1/Pod", &name, PropagationPolicy::Background).await;
                format!("deleted pod {name}")
            }
            9 => self.lose_nodes().await,
            10 => self.freeze_one(),
            _ => self.silence_nodes().await,
        }
    }

    /// Machines are lost: they go silent, and somebody takes them out of the cluster.
    async fn lose_nodes(&mut self) -> String {
        if self.edge != Edge::There {
            return "nothing".to_owned();
        }
        self.parts.kill("edge");
        for name in &edges()[..2] {
            self.delete("v1/Node", name, PropagationPolicy::Background).await;
        }
        self.edge = Edge::Lost(self.random.random_range(2..8));
        "lost nodes".to_owned()
    }

    /// Machines go silent, and come back only when their pods run elsewhere. Others are killed
    /// meanwhile.
    async fn silence_nodes(&mut self) -> String {
        if self.edge != Edge::There {
            return "nothing".to_owned();
        }
        self.parts.kill("edge");
        let start = Instant::now();
        let (edges, mut killed) = (edges(), 0);
        let count = loop {
            let all = self.everything().await;
            match wishes::evicted(&all, |node| edges.iter().any(|edge| edge == node)) {
                Ok(count) => break count,
                Err(why) => assert!(start.elapsed() < PATIENCE, "nodes are silent: {why}"),
            }
            // Seldom enough for those that wait for something to see it happen.
            if start.elapsed() > 5 * SILENCE * (killed + 1) {
                self.kill_one().await;
                killed += 1;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        self.evicted = Some(self.evicted.unwrap_or(0) + count);
        self.parts.revive("edge");
        format!("silenced nodes, {count} pods were sent away")
    }

    /// A component is stopped, does not notice, and goes on when another may have taken over.
    fn freeze_one(&mut self) -> String {
        if self.frozen.is_some() {
            return "nothing".to_owned();
        }
        let victim = FROZEN[self.random.random_range(0..FROZEN.len())];
        self.parts.freeze(victim);
        self.frozen = Some((victim, self.random.random_range(3..8)));
        format!("froze {victim}")
    }

    async fn kill_one(&mut self) -> &'static str {
        let victim = VICTIMS[self.random.random_range(0..VICTIMS.len())];
        let (before, after) = (self.random.random_range(0..400), self.random.random_range(0..400));
        tokio::time::sleep(Duration::from_millis(before)).await;
        self.look_after();
        self.parts.kill(victim);
        tokio::time::sleep(Duration::from_millis(after)).await;
        self.parts.revive(victim);
        self.edge = match self.edge {
            Edge::Lost(0) => {
                self.parts.revive("edge");
                Edge::There
            }
            Edge::Lost(steps) => Edge::Lost(steps - 1),
            Edge::There => Edge::There,
        };
        self.frozen = match self.frozen {
            Some((name, 0)) => {
                self.parts.thaw(name);
                None
            }
            other => other.map(|(name, steps)| (name, steps - 1)),
        };
        victim
    }

    fn look_after(&mut self) {
        let ended = self.parts.supervise();
        self.deserters.extend(ended);
    }

    /// Waits until all is as it is wanted.
    async fn settle(&mut self, when: &str) {
        let start = Instant::now();
        loop {
            self.look_after();
            let Err(why) = wishes::settled(&self.everything().await) else { break };
            if start.elapsed() > PATIENCE {
                let controllers = self.parts.said("controllers-1", 30);
                let others = self.parts.said("controllers-2", 30);
                panic!("{when}: {why}\n--- controllers\n{controllers}\n---\n{others}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        println!("{when}: settled within {:?}", start.elapsed());
    }

    async fn everything(&mut self) -> Vec<(&'static str, Value)> {
        let mut all = Vec::new();
        for kind in KINDS {
            let objects = self.list(kind).await;
            all.extend(objects.into_iter().map(|object| (kind, object)));
        }
        all
    }
}
