//! A pod on every node.

use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet};
use k8s_openapi::api::core::v1::Event;
use serde_json::json;

use super::workloads::{run_pods, template};
use super::*;

pub(crate) async fn node(client: &Client, name: &str, ready: &str, taints: Value) {
    let status = json!({"conditions": [{"type": "Ready", "status": ready}]});
    let object = json!({"metadata": {"name": name}, "spec": {"taints": taints}, "status": status});
    create(Api::<Node>::all(client.clone()), object).await;
}

pub(crate) fn daemons(image: &str) -> Value {
    json!({
        "metadata": {"name": "log"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template(image)},
    })
}

/// Whether all of the wanted nodes have an available pod of the newest template.
fn is_settled(nodes: i32) -> impl Fn(&[Arc<DaemonSet>]) -> bool {
    move |all| {
        let Some(set) = all.first() else { return false };
        let status = set.status.clone().unwrap_or_default();
        status.observed_generation == set.metadata.generation
            && status.desired_number_scheduled == nodes
            && status.current_number_scheduled == nodes
            && status.number_ready == nodes
            && status.updated_number_scheduled == Some(nodes)
            && status.number_available == Some(nodes)
            && status.number_unavailable.is_none()
            && status.number_misscheduled == 0
    }
}

fn images(all: &[Arc<Pod>]) -> Vec<String> {
    let image = |pod: &Arc<Pod>| pod.spec.as_ref().unwrap().containers[0].image.clone().unwrap();
    all.iter().map(image).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_set_follows_nodes_and_templates() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    run_pods(&client, &group);
    node(&client, "a", "True", json!([])).await;
    node(&client, "b", "True", json!([])).await;
    node(&client, "c", "True", json!([{"key": "gpu", "effect": "NoSchedule"}])).await;
    let sets = Api::<DaemonSet>::namespaced(client.clone(), "default");
    create(sets.clone(), daemons("one")).await;
    until::<DaemonSet>(&client, &group, is_settled(2)).await;
    let pods = Api::<Pod>::namespaced(client.clone(), "default");
    let pod = pods.list(&ListParams::default()).await.unwrap().items.remove(0);
    let pod = serde_json::to_value(&pod).unwrap();
    let required = &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        ["nodeSelectorTerms"];
    assert_eq!(required[0]["matchFields"][0]["key"], "metadata.name", "{pod}");
    assert!(pod["metadata"]["labels"]["controller-revision-hash"].is_string());
    assert_eq!(pod["metadata"]["labels"]["pod-template-generation"], "1");

    // A new template goes to all nodes, one after another, and back.
    let params = PatchParams::default();
    let change = |image: &str| Patch::Strategic(json!({"spec": {"template": template(image)}}));
    sets.patch("log", &params, &change("two")).await.unwrap();
    until::<Pod>(&client, &group, |all| images(all) == ["two", "two"]).await;
    until::<DaemonSet>(&client, &group, is_settled(2)).await;
    sets.patch("log", &params, &change("one")).await.unwrap();
    until::<DaemonSet>(&client, &group, is_settled(2)).await;
    until::<Pod>(&client, &group, |all| images(all) == ["one", "one"]).await;
    let revisions = Api::<ControllerRevision>::namespaced(client.clone(), "default");
    let revisions = revisions.list(&ListParams::default()).await.unwrap().items;
    let mut numbers: Vec<_> = revisions.iter().map(|one| one.revision).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3], "the first template is the newest again");

    // A taint that goes lets a pod come; a node that goes takes its pod with it.
    let nodes = Api::<Node>::all(client.clone());
    let clean = Patch::Merge(json!({"spec": {"taints": null}}));
    nodes.patch("c", &params, &clean).await.unwrap();
    until::<DaemonSet>(&client, &group, is_settled(3)).await;
    nodes.delete("b", &DeleteParams::default()).await.unwrap();
    until::<DaemonSet>(&client, &group, is_settled(2)).await;
    until::<Pod>(&client, &group, |all| all.len() == 2).await;

    // A pod that failed is replaced, and the set says so.
    let failed = pods.list(&ListParams::default()).await.unwrap().items.remove(0);
    let name = failed.metadata.name.unwrap();
    let status = Patch::Strategic(json!({"status": {"phase": "Failed"}}));
    pods.patch_status(&name, &params, &status).await.unwrap();
    until::<Pod>(&client, &group, |all| all.len() == 2 && !has(all, "default", &name)).await;
    until::<Event>(&client, &group, |all| {
        all.iter().any(|event| event.reason.as_deref() == Some("FailedDaemonPod"))
    })
    .await;
    sets.delete("log", &DeleteParams::background()).await.unwrap();
    until::<Pod>(&client, &group, <[_]>::is_empty).await;
    until::<ControllerRevision>(&client, &group, <[_]>::is_empty).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_set_waits_to_be_told_where_pods_are_deleted() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    run_pods(&client, &group);
    node(&client, "a", "True", json!([])).await;
    let sets = Api::<DaemonSet>::namespaced(client.clone(), "default");
    let mut object = daemons("one");
    object["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    create(sets.clone(), object).await;
    until::<DaemonSet>(&client, &group, is_settled(1)).await;
    let change = json!({"spec": {"template": template("two")}});
    sets.patch("log", &PatchParams::default(), &Patch::Strategic(change)).await.unwrap();
    until::<DaemonSet>(&client, &group, |all| {
        let status = all.first().and_then(|set| set.status.clone()).unwrap_or_default();
        status.observed_generation == Some(2) && status.updated_number_scheduled.is_none()
    })
    .await;
    let pods = Api::<Pod>::namespaced(client.clone(), "default");
    let mut all = pods.list(&ListParams::default()).await.unwrap().items;
    assert_eq!(images(&[Arc::new(all[0].clone())]), ["one"]);
    pods.delete(&all.remove(0).metadata.name.unwrap(), &DeleteParams::default()).await.unwrap();
    until::<Pod>(&client, &group, |all| images(all) == ["two"]).await;
    until::<DaemonSet>(&client, &group, is_settled(1)).await;
}
