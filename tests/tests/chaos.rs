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
use wk_tests::chaos::{History, Parts, faults};

const KILLS: usize = 20;
/// Each has the same chance to be killed.
const VICTIMS: [&str; 7] =
    ["apiserver", "scheduler-1", "scheduler-2", "controllers-1", "controllers-2", "agent", "sim"];
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

struct Chaos {
    parts: Parts,
    client: Client,
    random: StdRng,
    image: String,
    jobs: usize,
    rounds: usize,
    /// After how many steps the nodes that are away come back.
    edge_back: Option<usize>,
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
        let deed = chaos.change().await;
        let victim = chaos.kill_one().await;
        println!("{kill}: {deed}; killed {victim}");
    }
    chaos.parts.revive("edge");
    chaos.settle("after everything").await;
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
            let mut parts = Parts::start();
            let leader = [
                "--leader-elect-lease-duration=2s",
                "--leader-elect-renew-deadline=1500ms",
                "--leader-elect-retry-period=300ms",
            ];
            let cidr = parts.cidr();
            for number in ["1", "2"] {
                parts.join(&format!("scheduler-{number}"), "scheduler", &leader);
                let range = ["--cluster-cidr", &cidr];
                let all = [&leader[..], &range].concat();
                parts.join(&format!("controllers-{number}"), "controller-manager", &all);
            }
            parts.join("agent", "agent", &["--node-name", "real", wk_tests::NO_PRESSURE]);
            for (name, nodes, range) in [("sim", "20", "10.1.0.0/16"), ("edge", "4", "10.2.0.0/16")]
            {
                let interval = "--lease-interval=2s";
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
            image,
            jobs: 0,
            rounds: 0,
            edge_back: None,
            deserters: Vec::new(),
        };
        for object in [
            chaos.deployment("web", 6, false),
            chaos.deployment("real", 2, true),
            stateful_set(),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
                   "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}),
        ] {
            chaos.create(&object).await;
        }
        chaos
    }

    fn deployment(&self, name: &str, replicas: usize, is_real: bool) -> Value {
        let image = if is_real { &self.image } else { "simulated" };
        let mut spec = json!({"containers": [{"name": "c", "image": image}]});
        // Programs that are real run where something runs, and the others elsewhere.
        let operator = if is_real { "DoesNotExist" } else { "Exists" };
        spec["affinity"] = only_where("wk.dev/simulator", operator);
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": spec},
            },
        })
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
        match self.random.random_range(0..10) {
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
                self.create(&job(&name)).await;
                if self.jobs > 2 {
                    let old = format!("job-{}", self.jobs - 2);
                    self.delete("batch/v1/Job", &old, PropagationPolicy::Background).await;
                }
                format!("started {name}")
            }
            7 => {
                let brief = self.deployment("brief", 3, false);
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
            _ => self.lose_nodes().await,
        }
    }

    /// Machines are lost: they go silent, and somebody takes them out of the cluster.
    async fn lose_nodes(&mut self) -> String {
        if self.edge_back.is_some() {
            return "nothing".to_owned();
        }
        self.parts.kill("edge");
        for number in 0..2 {
            let name = format!("edge-{number}");
            self.delete("v1/Node", &name, PropagationPolicy::Background).await;
        }
        self.edge_back = Some(self.random.random_range(2..8));
        "lost nodes".to_owned()
    }

    async fn kill_one(&mut self) -> &'static str {
        let victim = VICTIMS[self.random.random_range(0..VICTIMS.len())];
        let (before, after) = (self.random.random_range(0..400), self.random.random_range(0..400));
        tokio::time::sleep(Duration::from_millis(before)).await;
        self.look_after();
        self.parts.kill(victim);
        tokio::time::sleep(Duration::from_millis(after)).await;
        self.parts.revive(victim);
        self.edge_back = match self.edge_back {
            Some(0) => {
                self.parts.revive("edge");
                None
            }
            other => other.map(|steps| steps - 1),
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
            let Err(why) = self.is_settled().await else { break };
            if start.elapsed() > PATIENCE {
                let controllers = self.parts.said("controllers-1", 30);
                let others = self.parts.said("controllers-2", 30);
                panic!("{when}: {why}\n--- controllers\n{controllers}\n---\n{others}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        println!("{when}: settled within {:?}", start.elapsed());
    }

    async fn is_settled(&mut self) -> Result<(), String> {
        let mut all = Vec::new();
        for kind in KINDS {
            let objects = self.list(kind).await;
            all.extend(objects.into_iter().map(|object| (kind, object)));
        }
        for (kind, object) in &all {
            settled(kind, object).map_err(|why| {
                format!("{kind} {}: {why}: {}", object["metadata"]["name"], object["status"])
            })?;
        }
        let uids: Vec<&Value> = all.iter().map(|(_, object)| &object["metadata"]["uid"]).collect();
        for (kind, object) in &all {
            let owners = object["metadata"]["ownerReferences"].as_array();
            let name = &object["metadata"]["name"];
            if *kind == "v1/Pod" && owners.is_none_or(Vec::is_empty) {
                return Err(format!("pod {name} has no owner"));
            }
            if let Some(gone) =
                owners.into_iter().flatten().find(|owner| !uids.contains(&&owner["uid"]))
            {
                return Err(format!("the owner of {kind} {name} is gone: {gone}"));
            }
        }
        let count = |owner: &str| {
            let of = |object: &&(&str, Value)| {
                object.0 == "v1/Pod" && object.1["metadata"]["labels"]["app"] == owner
            };
            all.iter().filter(of).count()
        };
        for (_, object) in all.iter().filter(|(_, one)| one["spec"]["template"].is_object()) {
            let Some(app) = object["spec"]["selector"]["matchLabels"]["app"].as_str() else {
                continue;
            };
            let is_top = object["metadata"]["ownerReferences"].is_null();
            let wanted = object["spec"]["replicas"].as_u64().unwrap_or(0);
            let there = u64::try_from(count(app)).unwrap();
            if is_top && there != wanted {
                return Err(format!("{app} has {there} pods and wants {wanted}"));
            }
        }
        Ok(())
    }
}

/// Whether an object is as it should be, taken for itself.
fn settled(kind: &str, object: &Value) -> Result<(), &'static str> {
    let (spec, status) = (&object["spec"], &object["status"]);
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return Err("is being deleted");
    }
    let holds = |name: &str| {
        let conditions = status["conditions"].as_array();
        let mut all = conditions.into_iter().flatten();
        all.any(|one| one["type"] == name && one["status"] == "True")
    };
    let is_seen = || status["observedGeneration"] == object["metadata"]["generation"];
    let counted = |names: &[&str]| {
        let wanted = spec["replicas"].as_u64();
        names.iter().all(|name| status[name].as_u64().unwrap_or(0) == wanted.unwrap_or(0))
    };
    match kind {
        "v1/Node" if !holds("Ready") => Err("is not ready"),
        "v1/Pod" if status["phase"] != "Succeeded" && !holds("Ready") => Err("is not ready"),
        "apps/v1/Deployment" | "apps/v1/StatefulSet" if !is_seen() => Err("was not looked at"),
        "apps/v1/Deployment" | "apps/v1/StatefulSet"
            if !counted(&["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"]) =>
        {
            Err("has not what it wants")
        }
        "apps/v1/StatefulSet" if status["currentRevision"] != status["updateRevision"] => {
            Err("has pods of an older revision")
        }
        "apps/v1/ReplicaSet" if !counted(&["replicas", "readyReplicas"]) => {
            Err("has not what it wants")
        }
        "batch/v1/Job" if !holds("Complete") => Err("is not complete"),
        _ => Ok(()),
    }
}

fn only_where(label: &str, operator: &str) -> Value {
    let expression = json!({"key": label, "operator": operator});
    json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchExpressions": [expression]}],
    }}})
}

fn stateful_set() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
        "spec": {
            "replicas": 3,
            "serviceName": "db",
            "selector": {"matchLabels": {"app": "db"}},
            "template": {
                "metadata": {
                    "labels": {"app": "db"},
                    "annotations": {"simulate.wk/stop-after": "300ms"},
                },
                "spec": {
                    "affinity": only_where("wk.dev/simulator", "Exists"),
                    "containers": [{"name": "c", "image": "simulated"}],
                },
            },
        },
    })
}

fn job(name: &str) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {
            "completions": 4,
            "parallelism": 2,
            "backoffLimit": 100,
            "template": {
                "metadata": {"annotations": {"simulate.wk/run-for": "300ms"}},
                "spec": {
                    "restartPolicy": "Never",
                    "affinity": only_where("wk.dev/simulator", "Exists"),
                    "containers": [{"name": "c", "image": "simulated"}],
                },
            },
        },
    })
}
