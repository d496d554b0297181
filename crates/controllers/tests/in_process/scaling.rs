//! Autoscalers scale whatever has a scale, and say why they do not.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Event, ReplicationController};
use kube::{Api, Client};
use serde_json::{Value, json};
use wk_process::TaskGroup;

use super::{create, start, until};

fn workload(name: &str, replicas: i32, selector: &Value) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "replicas": replicas,
        "selector": selector,
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        },
    }})
}

async fn autoscale(client: &Client, api_version: &str, kind: &str, name: &str) {
    let autoscalers = Api::<HorizontalPodAutoscaler>::namespaced(client.clone(), "default");
    let target = json!({"apiVersion": api_version, "kind": kind, "name": name});
    let spec = json!({"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3});
    create(autoscalers, json!({"metadata": {"name": name}, "spec": spec})).await;
}

/// Waits until a condition of an autoscaler has this reason, and checks its replicas.
async fn tells(
    client: &Client,
    group: &TaskGroup,
    name: &str,
    condition: (&str, &str),
    replicas: (i32, i32),
) {
    until::<HorizontalPodAutoscaler>(client, group, |all| {
        let own = |one: &&Arc<HorizontalPodAutoscaler>| one.metadata.name.as_deref() == Some(name);
        let Some(status) = all.iter().find(own).and_then(|one| one.status.clone()) else {
            return false;
        };
        let conditions = status.conditions.unwrap_or_default();
        let is_told = conditions.iter().any(|one| {
            (one.type_.as_str(), one.reason.as_deref()) == (condition.0, Some(condition.1))
        });
        is_told && (status.current_replicas.unwrap_or(0), status.desired_replicas) == replicas
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_brought_within_its_bounds_whatever_its_kind() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    let deployments = Api::<Deployment>::namespaced(client.clone(), "default");
    let selector = json!({"matchLabels": {"app": "one"}});
    create(deployments, workload("one", 5, &selector)).await;
    let controllers = Api::<ReplicationController>::namespaced(client.clone(), "default");
    create(controllers, workload("two", 4, &json!({"app": "two"}))).await;
    autoscale(&client, "apps/v1", "Deployment", "one").await;
    autoscale(&client, "v1", "ReplicationController", "two").await;
    until::<Deployment>(&client, &group, |all| {
        all.iter().all(|one| one.spec.as_ref().unwrap().replicas == Some(3))
    })
    .await;
    until::<ReplicationController>(&client, &group, |all| {
        all.iter().all(|one| one.spec.as_ref().unwrap().replicas == Some(3))
    })
    .await;
    tells(&client, &group, "one", ("AbleToScale", "SucceededRescale"), (5, 3)).await;
    tells(&client, &group, "two", ("AbleToScale", "SucceededRescale"), (4, 3)).await;
    until::<Event>(&client, &group, |all| {
        let message = "New size: 3; reason: Current number of replicas above Spec.MaxReplicas";
        let said = |one: &&Arc<Event>| {
            one.reason.as_deref() == Some("SuccessfulRescale")
                && one.message.as_deref() == Some(message)
        };
        all.iter().filter(said).count() == 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_metrics_or_with_a_target_switched_off_nothing_is_scaled() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    let deployments = Api::<Deployment>::namespaced(client.clone(), "default");
    for (name, replicas) in [("off", 0), ("blind", 2)] {
        let selector = json!({"matchLabels": {"app": name}});
        create(deployments.clone(), workload(name, replicas, &selector)).await;
        autoscale(&client, "apps/v1", "Deployment", name).await;
    }
    autoscale(&client, "example.com/v1", "Nothing", "nothing").await;
    tells(&client, &group, "off", ("ScalingActive", "ScalingDisabled"), (0, 0)).await;
    tells(&client, &group, "blind", ("ScalingActive", "FailedGetResourceMetric"), (2, 0)).await;
    tells(&client, &group, "nothing", ("AbleToScale", "FailedGetScale"), (0, 0)).await;
    for (name, replicas) in [("off", 0), ("blind", 2)] {
        let spec = deployments.get(name).await.unwrap().spec.unwrap();
        assert_eq!(spec.replicas, Some(replicas), "{name}");
    }
}
