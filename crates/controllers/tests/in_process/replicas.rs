//! Several replicas of the controllers, one of which acts.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::{DaemonSet, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Event;
use serde_json::json;
use wk_client::{LeaderElector, LeaseSettings};

use super::daemons::{daemons, node};
use super::workloads::{run_pods, template, web};
use super::*;

fn replica(client: &Client, identity: &str) -> TaskGroup {
    let group = TaskGroup::new(identity.to_owned());
    let settings = LeaseSettings {
        duration: Duration::from_secs(4),
        renew_deadline: Duration::from_secs(2),
        retry_period: Duration::from_millis(100),
        ..LeaseSettings::new("kube-controller-manager", identity)
    };
    let leadership = LeaderElector::start(client.clone(), settings, &group);
    let config =
        ControllersConfig { leadership, ..ControllersConfig::rootless("the CA".to_owned()) };
    Controllers::run(|_user| client.clone(), config, &group);
    group
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_make_no_pod_too_many_also_when_one_takes_over() {
    let group = TaskGroup::new("test");
    let client = cluster(&group).await;
    run_pods(&client, &group);
    let seen = Informer::start(Api::<Pod>::all(client.clone()), watcher::Config::default(), &group);
    let made = Arc::new(parking_lot::Mutex::new(BTreeSet::new()));
    let note = Arc::clone(&made);
    seen.on_change(move |key| {
        note.lock().insert(key.name.clone());
    });
    for number in 0..5 {
        node(&client, &format!("n{number}"), "True", json!([])).await;
    }
    let (first, second) = (replica(&client, "first"), replica(&client, "second"));
    create(Api::<DaemonSet>::namespaced(client.clone(), "default"), daemons("one")).await;
    let mut object = web(60, "one");
    object["spec"]["selector"] = json!({"matchLabels": {"app": "many"}});
    object["spec"]["template"]["metadata"]["labels"] = json!({"app": "many"});
    create(Api::<ReplicaSet>::namespaced(client.clone(), "default"), object).await;
    let mut labelled = template("one");
    labelled["metadata"]["labels"] = json!({"app": "db"});
    let spec = json!({
        "replicas": 10, "podManagementPolicy": "Parallel", "serviceName": "db",
        "selector": {"matchLabels": {"app": "db"}}, "template": labelled,
    });
    let object = json!({"metadata": {"name": "db"}, "spec": spec});
    create(Api::<StatefulSet>::namespaced(client.clone(), "default"), object).await;
    let mut job = template("one");
    job["metadata"] = json!({});
    job["spec"]["restartPolicy"] = json!("Never");
    let spec = json!({"completions": 10, "parallelism": 10, "template": job});
    let object = json!({"metadata": {"name": "once"}, "spec": spec});
    create(Api::<Job>::namespaced(client.clone(), "default"), object).await;
    // One of them goes in the middle of it.
    until::<Pod>(&client, &group, |all| all.len() > 10).await;
    first.shutdown(DEADLINE).await;
    until::<ReplicaSet>(&client, &group, |all| {
        all.first().and_then(|one| one.status.clone()).unwrap_or_default().available_replicas
            == Some(60)
    })
    .await;
    until::<DaemonSet>(&client, &group, |all| {
        all.first().and_then(|one| one.status.clone()).unwrap_or_default().number_available
            == Some(5)
    })
    .await;
    until::<Pod>(&client, &group, |all| all.len() == 85).await;
    let events = Api::<Event>::namespaced(client.clone(), "default");
    let events = events.list(&ListParams::default()).await.unwrap().items;
    let deleted = events.iter().any(|one| one.reason.as_deref() == Some("SuccessfulDelete"));
    assert!(!deleted, "none was too many");
    assert_eq!(made.lock().len(), 85, "all that were ever made");
    second.shutdown(DEADLINE).await;
}
