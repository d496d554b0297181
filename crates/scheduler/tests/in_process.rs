//! The scheduler against an API server in this process.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, Node, Pod, PodCondition};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::json;
use wk_apiserver::{ApiServer, Config, NoNodes, Release, ServiceCidr};
use wk_auth::{AllowAuthenticated, TokenSigner, User};
use wk_client::Informer;
use wk_client::connect::in_process;
use wk_process::TaskGroup;
use wk_scheduler::{Scheduler, SchedulerConfig};
use wk_store::MemoryStore;

const DEADLINE: Duration = Duration::from_secs(30);

/// A client of an API server in this process, over an empty store in memory.
async fn cluster(group: &TaskGroup) -> Client {
    let config = Config {
        store: Arc::new(MemoryStore::new()),
        authorizer: Arc::new(AllowAuthenticated),
        tokens: Arc::new(TokenSigner::ephemeral("https://kubernetes.default.svc").unwrap()),
        dialer: Arc::new(NoNodes),
        bootstrap: None,
        service_cidr: ServiceCidr::new([127, 32, 0, 0].into(), 12).unwrap(),
        advertise: None,
        release: Release::default(),
    };
    let server = ApiServer::start(config, group).await.unwrap();
    in_process(server.router(), User::authenticated("test", [User::MASTERS]))
}

async fn add_node(client: &Client, name: &str, pods: usize) {
    let node: Node = serde_json::from_value(json!({
        "metadata": {"name": name},
        "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": pods.to_string()}},
    }))
    .unwrap();
    let nodes = Api::<Node>::all(client.clone());
    nodes.create(&PostParams::default(), &node).await.unwrap();
    // Admission gives new nodes the taint `not-ready`, which the node lifecycle controller takes away.
    let ready = Patch::Merge(json!({"spec": {"taints": null}}));
    nodes.patch(name, &PatchParams::default(), &ready).await.unwrap();
}

async fn add_pod(client: &Client, name: &str, memory: &str) {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "i",
            "resources": {"requests": {"memory": memory}}}]},
    }))
    .unwrap();
    let api = Api::namespaced(client.clone(), "default");
    api.create(&PostParams::default(), &pod).await.unwrap();
}

/// Waits until the pods are as `wanted` says.
async fn until(client: &Client, group: &TaskGroup, wanted: impl Fn(&[Arc<Pod>]) -> bool) {
    let api = Api::<Pod>::all(client.clone());
    let pods = Informer::start(api, watcher::Config::default(), group);
    let mut changes = pods.subscribe();
    let seen = async {
        while !wanted(&pods.list()) {
            changes.next().await;
        }
    };
    let in_time = tokio::time::timeout(DEADLINE, seen).await.is_ok();
    assert!(in_time, "pods are {:#?}", pods.list().iter().take(3).collect::<Vec<_>>());
}

fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

fn scheduled(pod: &Pod) -> Option<&PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == "PodScheduled")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_pods_find_nodes_and_none_is_overfull() {
    let group = TaskGroup::new("test");
    let client = cluster(&group).await;
    for name in ["a", "b"] {
        add_node(&client, name, 520).await;
    }
    for number in 0..1000 {
        add_pod(&client, &format!("p{number}"), "1Mi").await;
    }
    Scheduler::run(client.clone(), SchedulerConfig::alone(), &group);
    until(&client, &group, |pods| {
        pods.len() == 1000 && pods.iter().all(|pod| node_of(pod).is_some())
    })
    .await;
    until(&client, &group, |pods| {
        ["a", "b"]
            .iter()
            .all(|name| pods.iter().filter(|pod| node_of(pod) == Some(*name)).count() <= 520)
    })
    .await;
    assert!(group.shutdown(DEADLINE).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_without_a_place_says_why_and_gets_one_when_there_is_room() {
    let group = TaskGroup::new("test");
    let client = cluster(&group).await;
    Scheduler::run(client.clone(), SchedulerConfig::alone(), &group);
    add_pod(&client, "first", "6Gi").await;
    until(&client, &group, |pods| {
        let condition = pods.first().and_then(|pod| scheduled(pod)).cloned().unwrap_or_default();
        condition.message.as_deref() == Some("no nodes available to schedule pods")
    })
    .await;
    add_node(&client, "a", 110).await;
    until(&client, &group, |pods| pods.first().and_then(|pod| node_of(pod)) == Some("a")).await;
    add_pod(&client, "second", "6Gi").await;
    until(&client, &group, |pods| {
        let condition = pods.get(1).and_then(|pod| scheduled(pod)).cloned().unwrap_or_default();
        condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
            && condition.message.as_deref()
                == Some("0/1 nodes are available: 1 Insufficient memory.")
    })
    .await;
    let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    Api::<Pod>::namespaced(client.clone(), "default").delete("first", &at_once).await.unwrap();
    until(&client, &group, |pods| pods.len() == 1 && node_of(&pods[0]) == Some("a")).await;
    let events = Api::<Event>::namespaced(client.clone(), "default");
    let events = Informer::start(events, watcher::Config::default(), &group);
    let mut changes = events.subscribe();
    let told = async {
        let has =
            |text: &str| events.list().iter().any(|event| event.message.as_deref() == Some(text));
        while !has("Successfully assigned default/second to a")
            || !has("0/1 nodes are available: 1 Insufficient memory.")
        {
            changes.next().await;
        }
    };
    tokio::time::timeout(DEADLINE, told).await.unwrap();
}
