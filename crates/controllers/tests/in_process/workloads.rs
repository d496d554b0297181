//! Workloads, with pods that are said to run.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    Endpoints, Event, PersistentVolumeClaim, ReplicationController, Service,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::json;

use super::*;

/// Says of every pod that it runs and is ready, as a kubelet would.
pub(crate) fn run_pods(client: &Client, group: &TaskGroup) {
    let pods = Informer::start(Api::<Pod>::all(client.clone()), watcher::Config::default(), group);
    let (client, mut changes, token) = (client.clone(), pods.subscribe(), group.token());
    group.spawn("pods", async move {
        let mut number = 0;
        while let Some(keys) = token.run_until_cancelled(changes.next()).await {
            for key in keys {
                let Some(pod) = pods.get(&key) else { continue };
                if pod.status.as_ref().is_some_and(|status| status.pod_ip.is_some()) {
                    continue;
                }
                number += 1;
                let ip = format!("127.64.0.{number}");
                let status = json!({"status": {
                    "phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
                    "conditions": [{"type": "Ready", "status": "True"}],
                }});
                let api = Api::<Pod>::namespaced(client.clone(), key.namespace.as_deref().unwrap());
                let params = PatchParams::default();
                let _gone = api.patch_status(&key.name, &params, &Patch::Strategic(status)).await;
            }
        }
        Ok(())
    });
}

pub(crate) fn template(image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{
            "name": "c", "image": image, "ports": [{"name": "http", "containerPort": 8080}],
        }]},
    })
}

pub(crate) fn web(replicas: i32, image: &str) -> Value {
    json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template(image),
        },
    })
}

fn is_complete(all: &[Arc<Deployment>], replicas: i32) -> bool {
    let wanted = Some(replicas).filter(|wanted| *wanted != 0);
    all.iter().any(|one| {
        let status = one.status.clone().unwrap_or_default();
        status.observed_generation == one.metadata.generation
            && [status.replicas, status.updated_replicas, status.available_replicas]
                .iter()
                .all(|count| *count == wanted)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_rolls_scales_and_goes() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    run_pods(&client, &group);
    let deployments = Api::<Deployment>::namespaced(client.clone(), "default");
    let params = PatchParams::default();
    create(deployments.clone(), web(3, "one")).await;
    until::<Deployment>(&client, &group, |all| is_complete(all, 3)).await;

    let change = json!({"spec": {"replicas": 5, "template": template("two")}});
    deployments.patch("web", &params, &Patch::Strategic(change)).await.unwrap();
    until::<Deployment>(&client, &group, |all| is_complete(all, 5)).await;
    let sets = Api::<ReplicaSet>::namespaced(client.clone(), "default");
    let sets = sets.list(&ListParams::default()).await.unwrap().items;
    let mut revisions: Vec<_> = sets
        .iter()
        .map(|set| {
            let annotations = set.metadata.annotations.clone().unwrap();
            let number = annotations["deployment.kubernetes.io/revision"].clone();
            (number, set.spec.as_ref().unwrap().replicas)
        })
        .collect();
    revisions.sort();
    assert_eq!(revisions, [("1".to_owned(), Some(0)), ("2".to_owned(), Some(5))]);

    let back = json!({"spec": {"template": template("one")}});
    deployments.patch("web", &params, &Patch::Strategic(back)).await.unwrap();
    until::<Deployment>(&client, &group, |all| {
        let revision = all.first().and_then(|one| one.metadata.annotations.clone());
        is_complete(all, 5)
            && revision.is_some_and(|all| all["deployment.kubernetes.io/revision"] == "3")
    })
    .await;
    until::<Event>(&client, &group, |all| {
        all.iter().any(|event| {
            let message = event.message.as_deref().unwrap_or_default();
            event.reason.as_deref() == Some("ScalingReplicaSet")
                && message.starts_with("Scaled up replica set web-")
                && message.ends_with("from 0 to 3")
        })
    })
    .await;

    deployments.delete("web", &DeleteParams::background()).await.unwrap();
    until::<ReplicaSet>(&client, &group, <[_]>::is_empty).await;
    until::<Pod>(&client, &group, <[_]>::is_empty).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_pod_too_many_is_made_and_lost_ones_are_replaced() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    run_pods(&client, &group);
    let seen = Informer::start(Api::<Pod>::all(client.clone()), watcher::Config::default(), &group);
    let made = Arc::new(parking_lot::Mutex::new(BTreeSet::new()));
    let note = Arc::clone(&made);
    seen.on_change(move |key| {
        note.lock().insert(key.name.clone());
    });
    let sets = Api::<ReplicaSet>::namespaced(client.clone(), "default");
    create(sets.clone(), web(40, "one")).await;
    let ready = |wanted: i32| {
        move |all: &[Arc<ReplicaSet>]| {
            let status = all.first().and_then(|set| set.status.clone()).unwrap_or_default();
            status.replicas == wanted && status.available_replicas == Some(wanted)
        }
    };
    until::<ReplicaSet>(&client, &group, ready(40)).await;
    assert_eq!(made.lock().len(), 40, "all that were ever made");

    let pods = Api::<Pod>::namespaced(client.clone(), "default");
    let lost = made.lock().first().cloned().unwrap();
    pods.delete(&lost, &DeleteParams::default()).await.unwrap();
    let is_replaced = |all: &[Arc<Pod>]| all.len() == 40 && !has(all, "default", &lost);
    until::<Pod>(&client, &group, is_replaced).await;
    until::<ReplicaSet>(&client, &group, ready(40)).await;
    // The note's own view may be a little behind.
    let mut changes = seen.subscribe();
    while made.lock().len() < 41 {
        changes.next().await;
    }
    assert_eq!(made.lock().len(), 41);

    // A pod whose labels change is let go, and replaced; one that fits is taken.
    let other = made.lock().last().cloned().unwrap();
    let label = Patch::Merge(json!({"metadata": {"labels": {"app": "debug"}}}));
    pods.patch(&other, &PatchParams::default(), &label).await.unwrap();
    until::<Pod>(&client, &group, |all| {
        all.len() == 41
            && all.iter().any(|pod| {
                pod.metadata.name.as_ref() == Some(&other)
                    && pod.metadata.owner_references.is_none()
            })
    })
    .await;
    let label = Patch::Merge(json!({"metadata": {"labels": {"app": "web"}}}));
    pods.patch(&other, &PatchParams::default(), &label).await.unwrap();
    until::<Pod>(&client, &group, |all| {
        all.len() == 40 && all.iter().all(|pod| pod.metadata.owner_references.is_some())
    })
    .await;
    assert_eq!(group.shutdown(DEADLINE).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_controller_makes_no_pod_anew() {
    let (first, group) = (TaskGroup::new("first"), TaskGroup::new("test"));
    let (_router, client) = server(&group).await;
    let run = |group: &TaskGroup| {
        let config = ControllersConfig::rootless("the CA".to_owned());
        Controllers::run(|_user| client.clone(), config, group);
    };
    run(&first);
    let sets = Api::<ReplicationController>::namespaced(client.clone(), "default");
    let mut object = web(200, "one");
    object["spec"]["selector"] = json!({"app": "web"});
    create(sets, object).await;
    until::<Pod>(&client, &group, |all| all.len() > 20).await;
    first.shutdown(DEADLINE).await;
    run(&group);
    run_pods(&client, &group);
    until::<ReplicationController>(&client, &group, |all| {
        all.first()
            .and_then(|one| one.status.clone())
            .is_some_and(|status| status.available_replicas == Some(200))
    })
    .await;
    let events = Api::<Event>::namespaced(client.clone(), "default");
    let events = events.list(&ListParams::default()).await.unwrap().items;
    let deleted = events.iter().any(|one| one.reason.as_deref() == Some("SuccessfulDelete"));
    assert!(!deleted, "none was too many");
}

#[tokio::test(flavor = "multi_thread")]
async fn services_know_where_their_pods_are() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    run_pods(&client, &group);
    let services = Api::<Service>::namespaced(client.clone(), "default");
    let ports = json!([{"port": 80, "targetPort": "http"}]);
    let spec = json!({"selector": {"app": "web"}, "ports": ports});
    create(services.clone(), json!({"metadata": {"name": "web"}, "spec": spec})).await;
    let sets = Api::<ReplicaSet>::namespaced(client.clone(), "default");
    create(sets.clone(), web(3, "one")).await;
    let ready_in_slices = |wanted: usize| {
        move |all: &[Arc<EndpointSlice>]| {
            let of_web = all.iter().filter(|slice| {
                slice.metadata.name.as_deref().is_some_and(|name| name.starts_with("web-"))
            });
            let endpoints = of_web.flat_map(|slice| slice.endpoints.iter().flatten());
            let is_ready = |one: &&k8s_openapi::api::discovery::v1::Endpoint| {
                one.conditions.as_ref().and_then(|conditions| conditions.ready) == Some(true)
            };
            endpoints.filter(is_ready).count() == wanted
        }
    };
    until::<EndpointSlice>(&client, &group, ready_in_slices(3)).await;
    until::<Endpoints>(&client, &group, |all| {
        all.iter().filter(|one| one.metadata.name.as_deref() == Some("web")).any(|one| {
            let subsets = one.subsets.clone().unwrap_or_default();
            subsets.len() == 1
                && subsets[0].addresses.as_ref().is_some_and(|list| list.len() == 3)
                && subsets[0].ports.as_ref().is_some_and(|ports| ports[0].port == 8080)
        })
    })
    .await;
    sets.delete("web", &DeleteParams::background()).await.unwrap();
    until::<EndpointSlice>(&client, &group, ready_in_slices(0)).await;
    services.delete("web", &DeleteParams::default()).await.unwrap();
    until::<EndpointSlice>(&client, &group, |all| {
        all.iter().all(|slice| slice.metadata.name.as_deref() == Some("kubernetes"))
    })
    .await;
    until::<Endpoints>(&client, &group, |all| !has(all, "default", "web")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stateful_set_keeps_names_and_claims() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    run_pods(&client, &group);
    let sets = Api::<StatefulSet>::namespaced(client.clone(), "default");
    let object = json!({
        "metadata": {"name": "db"},
        "spec": {
            "replicas": 3,
            "serviceName": "db",
            "selector": {"matchLabels": {"app": "web"}},
            "template": template("one"),
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Delete"},
            "volumeClaimTemplates": [{
                "metadata": {"name": "data"},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Mi"}},
                },
            }],
        },
    });
    create(sets.clone(), object).await;
    let is_settled = |replicas: i32| {
        move |all: &[Arc<StatefulSet>]| {
            let Some(set) = all.first() else { return false };
            let status = set.status.clone().unwrap_or_default();
            status.observed_generation == set.metadata.generation
                && status.replicas == replicas
                && status.ready_replicas.unwrap_or(0) == replicas
                && status.current_revision == status.update_revision
                && status.updated_replicas.unwrap_or(0) == replicas
        }
    };
    until::<StatefulSet>(&client, &group, is_settled(3)).await;
    let pods = Api::<Pod>::namespaced(client.clone(), "default");
    let pod = pods.get("db-2").await.unwrap();
    let spec = pod.spec.unwrap();
    assert_eq!((spec.hostname.as_deref(), spec.subdomain.as_deref()), (Some("db-2"), Some("db")));
    let claims = |all: &[Arc<PersistentVolumeClaim>]| -> Vec<String> {
        all.iter().filter_map(|claim| claim.metadata.name.clone()).collect()
    };
    until::<PersistentVolumeClaim>(&client, &group, |all| {
        claims(all) == ["data-db-0", "data-db-1", "data-db-2"]
    })
    .await;

    let change = json!({"spec": {"template": template("two")}});
    sets.patch("db", &PatchParams::default(), &Patch::Strategic(change)).await.unwrap();
    until::<Pod>(&client, &group, |all| {
        all.len() == 3
            && all
                .iter()
                .all(|pod| pod.spec.as_ref().unwrap().containers[0].image.as_deref() == Some("two"))
    })
    .await;
    until::<StatefulSet>(&client, &group, is_settled(3)).await;
    let fewer = json!({"spec": {"replicas": 1}});
    sets.patch("db", &PatchParams::default(), &Patch::Merge(fewer)).await.unwrap();
    until::<Pod>(&client, &group, |all| all.len() == 1 && has(all, "default", "db-0")).await;
    let is_ending =
        |claim: &Arc<PersistentVolumeClaim>| claim.metadata.deletion_timestamp.is_some();
    until::<PersistentVolumeClaim>(&client, &group, |all| {
        all.iter().filter(|claim| !is_ending(claim)).count() == 1
    })
    .await;

    // What is left goes with the set, once that is asked for.
    let policy = json!({"whenDeleted": "Delete", "whenScaled": "Retain"});
    let policy = json!({"spec": {"persistentVolumeClaimRetentionPolicy": policy}});
    sets.patch("db", &PatchParams::default(), &Patch::Merge(policy)).await.unwrap();
    until::<PersistentVolumeClaim>(&client, &group, |all| {
        all.iter().any(|claim| {
            let mut owners = claim.metadata.owner_references.iter().flatten();
            claim.metadata.name.as_deref() == Some("data-db-0")
                && owners.any(|one| one.kind == "StatefulSet" && one.controller == Some(true))
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_counts_its_pods_and_lets_them_go() {
    let group = TaskGroup::new("test");
    let client = start(&group).await;
    let pods = Informer::start(Api::<Pod>::all(client.clone()), watcher::Config::default(), &group);
    let (ending, mut changes, token) = (client.clone(), pods.subscribe(), group.token());
    group.spawn("pods", async move {
        while let Some(keys) = token.run_until_cancelled(changes.next()).await {
            for key in keys {
                let api = Api::<Pod>::namespaced(ending.clone(), "default");
                let status = Patch::Merge(json!({"status": {"phase": "Succeeded"}}));
                let _gone = api.patch_status(&key.name, &PatchParams::default(), &status).await;
            }
        }
        Ok(())
    });
    let jobs = Api::<Job>::namespaced(client.clone(), "default");
    let mut pod = template("one");
    pod["spec"]["restartPolicy"] = json!("Never");
    let spec = json!({"completions": 30, "parallelism": 10, "template": pod});
    create(jobs.clone(), json!({"metadata": {"name": "many"}, "spec": spec})).await;
    until::<Job>(&client, &group, |all| {
        all.first().and_then(|job| job.status.clone()).is_some_and(|status| {
            status.succeeded == Some(30)
                && status.conditions.unwrap_or_default().iter().any(|one| one.type_ == "Complete")
        })
    })
    .await;
    until::<Pod>(&client, &group, |all| {
        all.len() == 30 && all.iter().all(|pod| pod.metadata.finalizers.is_none())
    })
    .await;
    jobs.delete("many", &DeleteParams::background()).await.unwrap();
    until::<Pod>(&client, &group, <[_]>::is_empty).await;
}
