//! Budgets allow evictions, and nodes that are lost let go of their pods.

use k8s_openapi::api::apps::v1::{DaemonSet, ReplicaSet};
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus};
use kube::api::EvictParams;
use serde_json::json;

use super::daemons::{daemons, node};
use super::workloads::{run_pods, web};
use super::*;

fn status(all: &[Arc<PodDisruptionBudget>]) -> PodDisruptionBudgetStatus {
    all.first().and_then(|budget| budget.status.clone()).unwrap_or_default()
}

fn reason(status: &PodDisruptionBudgetStatus) -> (String, String) {
    let condition = status.conditions.iter().flatten().next();
    condition.map(|one| (one.reason.clone(), one.message.clone())).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_gives_one_eviction_after_another() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    run_pods(&client, &group);
    let sets = Api::<ReplicaSet>::namespaced(client.clone(), "default");
    create(sets, web(3, "one")).await;
    let budgets = Api::<PodDisruptionBudget>::namespaced(client.clone(), "default");
    let spec = json!({"maxUnavailable": "30%", "selector": {"matchLabels": {"app": "web"}}});
    create(budgets.clone(), json!({"metadata": {"name": "b"}, "spec": spec})).await;
    let allows_one = |all: &[Arc<PodDisruptionBudget>]| {
        let status = status(all);
        status.disruptions_allowed == Some(1)
            && (status.expected_pods, status.desired_healthy) == (Some(3), Some(2))
            && status.disrupted_pods.is_none()
            && reason(&status).0 == "SufficientPods"
    };
    until::<PodDisruptionBudget>(&client, &group, allows_one).await;
    let pods = Api::<Pod>::namespaced(client.clone(), "default");
    let name = pods.list(&ListParams::default()).await.unwrap().items.remove(0).metadata.name;
    let name = name.unwrap();
    pods.evict(&name, &EvictParams::default()).await.unwrap();
    until::<Pod>(&client, &group, |all| all.len() == 3 && !has(all, "default", &name)).await;
    until::<PodDisruptionBudget>(&client, &group, allows_one).await;

    let all = Patch::Merge(json!({"spec": {"maxUnavailable": 0}}));
    budgets.patch("b", &PatchParams::default(), &all).await.unwrap();
    until::<PodDisruptionBudget>(&client, &group, |all| {
        let status = status(all);
        status.observed_generation == Some(2) && reason(&status).0 == "InsufficientPods"
    })
    .await;
    let name = pods.list(&ListParams::default()).await.unwrap().items.remove(0).metadata.name;
    let refused = pods.evict(&name.unwrap(), &EvictParams::default()).await.unwrap_err();
    assert!(matches!(refused, kube::Error::Api(status) if status.code == 429));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_cannot_be_worked_out_says_why() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    run_pods(&client, &group);
    node(&client, "a", "True", json!([])).await;
    create(Api::<DaemonSet>::namespaced(client.clone(), "default"), daemons("one")).await;
    let budgets = Api::<PodDisruptionBudget>::namespaced(client.clone(), "default");
    let spec = json!({"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}});
    create(budgets, json!({"metadata": {"name": "b"}, "spec": spec})).await;
    until::<PodDisruptionBudget>(&client, &group, |all| {
        let why = "daemonsets.apps does not implement the scale subresource";
        reason(&status(all)) == ("SyncFailed".to_owned(), why.to_owned())
    })
    .await;
}

fn pod_on(name: &str, node: &str, seconds: Option<i64>) -> Value {
    let tolerations: Vec<Value> = seconds
        .map(|seconds| {
            json!({
                "key": "node.kubernetes.io/unreachable", "operator": "Exists",
                "effect": "NoExecute", "tolerationSeconds": seconds,
            })
        })
        .into_iter()
        .collect();
    json!({"metadata": {"name": name}, "spec": {
        "nodeName": node,
        "tolerations": tolerations,
        "containers": [{"name": "c", "image": "i"}],
    }})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_node_lets_go_of_pods_as_far_as_they_tolerate_it() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    run_pods(&client, &group);
    node(&client, "well", "True", json!([])).await;
    node(&client, "silent", "True", json!([])).await;
    let pods = Api::<Pod>::namespaced(client.clone(), "default");
    create(pods.clone(), pod_on("hasty", "silent", Some(0))).await;
    create(pods.clone(), pod_on("patient", "silent", None)).await;
    create(pods.clone(), pod_on("elsewhere", "well", Some(0))).await;
    until::<Pod>(&client, &group, |all| {
        all.len() == 3 && all.iter().all(|pod| condition(pod, "Ready") == "True")
    })
    .await;
    let nodes = Api::<Node>::all(client.clone());
    let silent = json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}});
    let params = PatchParams::default();
    nodes.patch_status("silent", &params, &Patch::Strategic(silent)).await.unwrap();
    // It would have to be ended by its kubelet.
    until::<Pod>(&client, &group, |all| {
        let find = |name| all.iter().find(|one| one.metadata.name.as_deref() == Some(name));
        let (Some(hasty), Some(patient)) = (find("hasty"), find("patient")) else { return false };
        hasty.metadata.deletion_timestamp.is_some()
            && condition(hasty, "DisruptionTarget") == "True"
            && condition(patient, "Ready") == "False"
            && patient.metadata.deletion_timestamp.is_none()
    })
    .await;
    assert_eq!(condition(&pods.get("elsewhere").await.unwrap(), "Ready"), "True");
    until::<Event>(&client, &group, |all| {
        let said = |reason: &str, message: &str| {
            all.iter().any(|one| {
                one.reason.as_deref() == Some(reason) && one.message.as_deref() == Some(message)
            })
        };
        said("TaintManagerEviction", "Marking for deletion Pod default/hasty")
            && said("NodeNotReady", "Node is not ready")
    })
    .await;

    // Somebody who knows says that nothing runs there any more.
    let gone = json!([{"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}]);
    let patch = Patch::Merge(json!({"spec": {"taints": gone}}));
    nodes.patch("silent", &params, &patch).await.unwrap();
    until::<Pod>(&client, &group, |all| all.len() == 1 && has(all, "default", "elsewhere")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_may_stay_if_its_node_recovers_in_time() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    node(&client, "well", "True", json!([])).await;
    node(&client, "sick", "True", json!([])).await;
    let pods = Api::<Pod>::namespaced(client.clone(), "default");
    create(pods.clone(), pod_on("p", "sick", Some(600))).await;
    let nodes = Api::<Node>::all(client.clone());
    for (status, tainted) in [("Unknown", 1), ("True", 0)] {
        let status = json!({"status": {"conditions": [{"type": "Ready", "status": status}]}});
        let params = PatchParams::default();
        nodes.patch_status("sick", &params, &Patch::Strategic(status)).await.unwrap();
        until::<Node>(&client, &group, |all| {
            let taints = all
                .iter()
                .flat_map(|node| node.spec.clone().unwrap_or_default().taints.unwrap_or_default());
            taints.filter(|taint| taint.effect == "NoExecute").count() == tainted
        })
        .await;
    }
    until::<Event>(&client, &group, |all| {
        let text = Some("Cancelling deletion of Pod default/p");
        all.iter().any(|event| event.message.as_deref() == text)
    })
    .await;
    assert_eq!(pods.get("p").await.unwrap().metadata.deletion_timestamp, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_away_when_no_node_answers() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    for name in ["a", "b", "c"] {
        node(&client, name, "Unknown", json!([])).await;
    }
    until::<Node>(&client, &group, |all| {
        let has_taint = |node: &Arc<Node>| {
            let taints = node.spec.clone().unwrap_or_default().taints.unwrap_or_default();
            taints.iter().any(|one| one.key == "node.kubernetes.io/unreachable")
                && taints.iter().all(|one| one.effect == "NoSchedule")
        };
        all.len() == 3 && all.iter().all(has_taint)
    })
    .await;
}

fn condition(pod: &Pod, kind: &str) -> String {
    let conditions = pod.status.clone().unwrap_or_default().conditions.unwrap_or_default();
    let condition = conditions.into_iter().find(|one| one.type_ == kind);
    condition.map(|one| one.status).unwrap_or_default()
}
