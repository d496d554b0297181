//! The scheduler against an API server in this process.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{
    Event, Node, PersistentVolume, PersistentVolumeClaim, Pod, PodCondition,
};
use k8s_openapi::api::storage::v1::{CSIDriver, CSINode, CSIStorageCapacity, StorageClass};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use wk_apiserver::{ApiServer, Config, NoNodes, Release, ServiceCidr};
use wk_auth::{AllowAuthenticated, TokenSigner, User};
use wk_client::Informer;
use wk_client::connect::in_process;
use wk_process::TaskGroup;
use wk_scheduler::{ProfileConfig, Scheduler, SchedulerConfig};
use wk_store::MemoryStore;

const DEADLINE: Duration = Duration::from_mins(1);

/// An API server in this process over an empty store in memory.
struct Cluster {
    group: TaskGroup,
    client: Client,
    pods: Informer<Pod>,
    events: Informer<Event>,
}

impl Cluster {
    async fn start() -> Self {
        let group = TaskGroup::new("test");
        let config = Config {
            store: Arc::new(MemoryStore::new()),
            authorizer: Arc::new(AllowAuthenticated),
            tokens: Arc::new(TokenSigner::ephemeral("https://kubernetes.default.svc").unwrap()),
            dialer: Arc::new(NoNodes),
            bootstrap: None,
            service_cidr: ServiceCidr::new([127, 32, 0, 0].into(), 12).unwrap(),
            advertise: None,
            event_ttl: wk_apiserver::EVENT_TTL,
            tolerations: wk_apiserver::TolerationSeconds::default(),
            release: Release::default(),
        };
        let server = ApiServer::start(config, &group).await.unwrap();
        let client = in_process(server.router(), User::authenticated("test", [User::MASTERS]));
        let watch = watcher::Config::default;
        let pods = Informer::start(Api::all(client.clone()), watch(), &group);
        let events = Informer::start(Api::all(client.clone()), watch(), &group);
        Self { group, client, pods, events }
    }

    fn schedule(&self, config: SchedulerConfig) {
        Scheduler::run(self.client.clone(), config, &self.group);
    }

    async fn create<K>(&self, api: Api<K>, object: Value) -> K
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize,
    {
        let object: K = serde_json::from_value(object).unwrap();
        api.create(&PostParams::default(), &object).await.unwrap()
    }

    async fn add_node(&self, name: &str, pods: usize) {
        let nodes = Api::<Node>::all(self.client.clone());
        let node = json!({
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
            "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": pods.to_string()}},
        });
        self.create(nodes.clone(), node).await;
        // Admission gives new nodes the taint `not-ready`, which the node lifecycle controller
        // takes away.
        let ready = Patch::Merge(json!({"spec": {"taints": null}}));
        nodes.patch(name, &PatchParams::default(), &ready).await.unwrap();
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), "default")
    }

    async fn add_pod(&self, name: &str, memory: &str, more: Value) {
        let mut spec = json!({"containers": [{"name": "c", "image": "i",
            "resources": {"requests": {"memory": memory}}}]});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.create(self.pods(), json!({"metadata": {"name": name}, "spec": spec})).await;
    }

    async fn delete_now(&self, pod: &str) {
        let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        self.pods().delete(pod, &at_once).await.unwrap();
    }

    /// Waits until the pods are as `wanted` says.
    async fn until(&self, wanted: impl Fn(&[Arc<Pod>]) -> bool) {
        let mut changes = self.pods.subscribe();
        let seen = async {
            while !wanted(&self.pods.list()) {
                changes.next().await;
            }
        };
        let in_time = tokio::time::timeout(DEADLINE, seen).await.is_ok();
        assert!(in_time, "pods are {:#?}", self.pods.list().iter().take(3).collect::<Vec<_>>());
    }

    async fn until_pod(&self, name: &str, wanted: impl Fn(&Pod) -> bool) {
        self.until(|pods| pods.iter().any(|pod| name_of(pod) == name && wanted(pod))).await;
    }

    async fn until_on(&self, name: &str, node: &str) {
        self.until_pod(name, |pod| node_of(pod) == Some(node)).await;
    }

    async fn until_told(&self, name: &str, message: &str) {
        self.until_pod(name, |pod| {
            let condition = scheduled(pod).cloned().unwrap_or_default();
            condition.status == "False"
                && condition.reason.as_deref() == Some("Unschedulable")
                && condition.message.as_deref() == Some(message)
        })
        .await;
    }

    /// Waits for an event of this reason and message about a pod.
    async fn until_event(&self, pod: &str, reason: &str, message: &str) {
        let mut changes = self.events.subscribe();
        let is_it = |event: &Arc<Event>| {
            event.involved_object.name.as_deref() == Some(pod)
                && event.reason.as_deref() == Some(reason)
                && event.message.as_deref() == Some(message)
        };
        let seen = async {
            while !self.events.list().iter().any(is_it) {
                changes.next().await;
            }
        };
        let in_time = tokio::time::timeout(DEADLINE, seen).await.is_ok();
        assert!(in_time, "no event {reason} `{message}`");
    }

    async fn stop(self) {
        assert!(self.group.shutdown(DEADLINE).await.is_empty());
    }
}

fn name_of(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}

fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

fn scheduled(pod: &Pod) -> Option<&PodCondition> {
    condition(pod, "PodScheduled")
}

fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == kind)
}

const FULL: &str = "0/1 nodes are available: 1 Insufficient memory. preemption: 0/1 nodes are \
                    available: 1 No preemption victims found for incoming pod.";

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_pods_find_nodes_and_none_is_overfull() {
    let cluster = Cluster::start().await;
    for name in ["a", "b"] {
        cluster.add_node(name, 520).await;
    }
    for number in 0..1000 {
        cluster.add_pod(&format!("p{number}"), "1Mi", json!({})).await;
    }
    cluster.schedule(SchedulerConfig::alone());
    cluster.until(|pods| pods.len() == 1000 && pods.iter().all(|pod| node_of(pod).is_some())).await;
    let pods = cluster.pods.list();
    for name in ["a", "b"] {
        assert!(pods.iter().filter(|pod| node_of(pod) == Some(name)).count() <= 520);
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_without_a_place_says_why_and_gets_one_when_there_is_room() {
    let cluster = Cluster::start().await;
    cluster.schedule(SchedulerConfig::alone());
    cluster.add_pod("first", "6Gi", json!({})).await;
    cluster.until_told("first", "no nodes available to schedule pods").await;
    cluster.add_node("a", 110).await;
    cluster.until_on("first", "a").await;
    cluster.add_pod("second", "6Gi", json!({})).await;
    cluster.until_told("second", FULL).await;
    cluster.delete_now("first").await;
    cluster.until_on("second", "a").await;
    let assigned = "Successfully assigned default/first to a";
    cluster.until_event("first", "Scheduled", assigned).await;
    cluster.until_event("second", "FailedScheduling", FULL).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gated_pod_waits_for_its_gates_and_a_foreign_one_for_its_scheduler() {
    let cluster = Cluster::start().await;
    cluster.add_node("a", 110).await;
    let mut config = SchedulerConfig::alone();
    config.profiles.push(ProfileConfig::new("second-scheduler"));
    cluster.schedule(config);
    cluster.add_pod("gated", "1Mi", json!({"schedulingGates": [{"name": "g"}]})).await;
    cluster.add_pod("foreign", "1Mi", json!({"schedulerName": "somebody-else"})).await;
    cluster.add_pod("ours", "1Mi", json!({"schedulerName": "second-scheduler"})).await;
    // It came last: the two others have been looked at.
    cluster.until_on("ours", "a").await;
    for (name, reason) in [("gated", Some("SchedulingGated")), ("foreign", None)] {
        let pod = cluster.pods().get(name).await.unwrap();
        assert_eq!(node_of(&pod), None, "{name}");
        assert_eq!(scheduled(&pod).and_then(|one| one.reason.as_deref()), reason, "{name}");
    }
    let open = Patch::Merge(json!({"spec": {"schedulingGates": null}}));
    cluster.pods().patch("gated", &PatchParams::default(), &open).await.unwrap();
    cluster.until_on("gated", "a").await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_of_higher_priority_gets_the_place_of_a_lower_one() {
    let cluster = Cluster::start().await;
    cluster.add_node("a", 110).await;
    cluster.schedule(SchedulerConfig::alone());
    for (name, value) in [("low", 1), ("high", 9)] {
        let class = json!({"metadata": {"name": name}, "value": value});
        let classes = Api::<k8s_openapi::api::scheduling::v1::PriorityClass>::all;
        cluster.create(classes(cluster.client.clone()), class).await;
    }
    cluster.add_pod("victim", "6Gi", json!({"priorityClassName": "low"})).await;
    cluster.until_on("victim", "a").await;
    cluster.add_pod("urgent", "6Gi", json!({"priorityClassName": "high"})).await;
    cluster
        .until_pod("urgent", |pod| {
            let status = pod.status.as_ref();
            status.and_then(|one| one.nominated_node_name.as_deref()) == Some("a")
        })
        .await;
    // It goes within its grace period: nobody runs it, so that it stays until it is taken out.
    cluster.until_pod("victim", |pod| pod.metadata.deletion_timestamp.is_some()).await;
    let victim = cluster.pods().get("victim").await.unwrap();
    let target = condition(&victim, "DisruptionTarget").unwrap();
    assert_eq!(target.reason.as_deref(), Some("PreemptionByScheduler"));
    assert_eq!(
        target.message.as_deref(),
        Some("default-scheduler: preempting to accommodate a higher priority pod")
    );
    cluster.until_told("urgent", "0/1 nodes are available: 1 Insufficient memory.").await;
    let urgent = cluster.pods().get("urgent").await.unwrap();
    let uid = urgent.metadata.uid.unwrap();
    let told = format!("Preempted by pod {uid} on node a");
    cluster.until_event("victim", "Preempted", &told).await;
    cluster.delete_now("victim").await;
    cluster.until_on("urgent", "a").await;
    cluster.stop().await;
}

const SELECTED: &str = "volume.kubernetes.io/selected-node";

/// A cluster with a class whose volumes are chosen when a pod needs them, a claim `data` of that
/// class and a pod `p` that has it.
struct WithClaim {
    cluster: Cluster,
    claims: Informer<PersistentVolumeClaim>,
}

impl WithClaim {
    async fn start(provisioner: &str) -> Self {
        let cluster = Cluster::start().await;
        let class = json!({"metadata": {"name": "later"}, "provisioner": provisioner,
            "volumeBindingMode": "WaitForFirstConsumer"});
        cluster.create(Api::<StorageClass>::all(cluster.client.clone()), class).await;
        let all = Api::<PersistentVolumeClaim>::all(cluster.client.clone());
        let claims = Informer::start(all, watcher::Config::default(), &cluster.group);
        let own = Self { cluster, claims };
        let claim = json!({"metadata": {"name": "data"}, "spec": {"storageClassName": "later",
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
        own.cluster.create(own.api(), claim).await;
        let volume = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
        own.cluster.add_pod("p", "1Mi", json!({"volumes": volume})).await;
        own
    }

    fn api(&self) -> Api<PersistentVolumeClaim> {
        Api::namespaced(self.cluster.client.clone(), "default")
    }

    /// Waits until the claim asks for a volume that is reachable from this node.
    async fn until_selected(&self, node: &str) {
        let mut changes = self.claims.subscribe();
        let told = async {
            while !self.claims.list().iter().any(|claim| {
                let annotations = claim.metadata.annotations.as_ref();
                annotations.and_then(|all| all.get(SELECTED)).is_some_and(|own| own == node)
            }) {
                changes.next().await;
            }
        };
        tokio::time::timeout(DEADLINE, told).await.unwrap();
    }

    async fn patch_claim(&self, patch: Value) {
        self.api().patch("data", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// The part of the controller that binds claims to volumes.
    async fn bind(&self, volume: &str) {
        self.patch_claim(json!({
            "metadata": {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}},
            "spec": {"volumeName": volume},
        }))
        .await;
    }
}

fn volume(name: &str, claim: Option<&str>) -> Value {
    let mut volume = json!({"metadata": {"name": name}, "spec": {"storageClassName": "later",
        "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
        "hostPath": {"path": format!("/tmp/{name}")}}});
    if let Some(claim) = claim {
        volume["spec"]["claimRef"] =
            json!({"kind": "PersistentVolumeClaim", "namespace": "default", "name": claim});
    }
    volume
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_waits_for_a_volume_that_is_made_for_the_node_chosen_for_it() {
    let own = WithClaim::start("example.com/test").await;
    own.cluster.add_node("a", 110).await;
    own.cluster.schedule(SchedulerConfig::alone());
    own.until_selected("a").await;
    let pod = own.cluster.pods().get("p").await.unwrap();
    assert_eq!(node_of(&pod), None, "it is not bound before its volume is");
    let volumes = Api::<PersistentVolume>::all(own.cluster.client.clone());
    own.cluster.create(volumes, volume("v", Some("data"))).await;
    own.bind("v").await;
    own.cluster.until_on("p", "a").await;
    own.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_for_which_no_volume_can_be_made_is_given_up() {
    let own = WithClaim::start("example.com/test").await;
    own.cluster.add_node("a", 110).await;
    own.cluster.schedule(SchedulerConfig::alone());
    own.until_selected("a").await;
    let cordon = Patch::Merge(json!({"spec": {"unschedulable": true}}));
    let nodes = Api::<Node>::all(own.cluster.client.clone());
    nodes.patch("a", &PatchParams::default(), &cordon).await.unwrap();
    own.cluster.add_node("b", 110).await;
    own.patch_claim(json!({"metadata": {"annotations": {SELECTED: null}}})).await;
    own.until_selected("b").await;
    own.cluster
        .until_event(
            "p",
            "FailedScheduling",
            "running PreBind plugin \"VolumeBinding\": binding volumes: selectedNode annotation \
             reset for PVC \"data\"",
        )
        .await;
    own.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_drivers_of_storage_say_holds_pods_back_and_lets_them_go() {
    let own = WithClaim::start("example.com").await;
    let client = || own.cluster.client.clone();
    own.cluster.add_node("a", 110).await;
    let full = json!({"metadata": {"name": "a"}, "spec": {"drivers": [
        {"name": "example.com", "nodeID": "a", "allocatable": {"count": 0}}]}});
    own.cluster.create(Api::<CSINode>::all(client()), full).await;
    let driver = json!({"metadata": {"name": "example.com"}, "spec": {"storageCapacity": true}});
    own.cluster.create(Api::<CSIDriver>::all(client()), driver).await;
    own.cluster.schedule(SchedulerConfig::alone());
    own.cluster
        .until_told(
            "p",
            "0/1 nodes are available: 1 node(s) exceed max volume count. preemption: 0/1 nodes \
             are available: 1 No preemption victims found for incoming pod.",
        )
        .await;
    let nodes = Api::<CSINode>::all(client());
    nodes.delete("a", &DeleteParams::default()).await.unwrap();
    own.cluster
        .until_told(
            "p",
            "0/1 nodes are available: 1 node(s) did not have enough free storage. preemption: 0/1 \
             nodes are available: 1 Preemption is not helpful for scheduling.",
        )
        .await;
    let room = json!({"metadata": {"name": "room"}, "storageClassName": "later",
        "nodeTopology": {}, "capacity": "1Gi"});
    own.cluster.create(Api::<CSIStorageCapacity>::namespaced(client(), "default"), room).await;
    own.until_selected("a").await;
    own.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_exists_is_promised_to_the_claim_of_a_pod() {
    let own = WithClaim::start("kubernetes.io/no-provisioner").await;
    own.cluster.add_node("a", 110).await;
    own.cluster.schedule(SchedulerConfig::alone());
    own.cluster
        .until_told(
            "p",
            "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind. \
             preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
        )
        .await;
    let volumes = Api::<PersistentVolume>::all(own.cluster.client.clone());
    own.cluster.create(volumes.clone(), volume("v", None)).await;
    let available = Patch::Merge(json!({"status": {"phase": "Available"}}));
    volumes.patch_status("v", &PatchParams::default(), &available).await.unwrap();
    let seen = Informer::start(volumes.clone(), watcher::Config::default(), &own.cluster.group);
    let mut changes = seen.subscribe();
    let uid = own.api().get("data").await.unwrap().metadata.uid;
    let promised = async {
        while !seen.list().iter().any(|volume| {
            let claim = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
            claim.is_some_and(|claim| claim.uid == uid)
        }) {
            changes.next().await;
        }
    };
    tokio::time::timeout(DEADLINE, promised).await.unwrap();
    own.bind("v").await;
    own.cluster.until_on("p", "a").await;
    own.cluster.stop().await;
}
