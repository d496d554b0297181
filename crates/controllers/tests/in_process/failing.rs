//! What can never work is tried again with growing pauses, and no more than that.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, ReplicationController, ResourceQuota, Service,
};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde_json::json;

use super::daemons::{daemons, node};
use super::faults::counting;
use super::workloads::template;
use super::*;

/// How long they are watched, by a clock that does not wait.
const HOUR: Duration = Duration::from_hours(1);
/// More writes of one kind in that time than pauses allow that grow to five minutes.
const HOT: usize = 100;

/// A server with workloads none of which can get what they want, in a namespace without room.
async fn workloads(client: &Client) {
    fn api<K>(client: &Client) -> Api<K>
    where
        K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(client.clone(), "default")
    }
    let own = |app: &str| {
        let mut template = template("one");
        template["metadata"]["labels"] = json!({"app": app});
        json!({
            "metadata": {"name": app},
            "spec": {"selector": {"matchLabels": {"app": app}}, "template": template},
        })
    };
    // A pod that has the name of another's.
    let spec = json!({"containers": [{"name": "c", "image": "i"}]});
    let pod = json!({"metadata": {"name": "taken-0"}, "spec": spec});
    create(api::<Pod>(client), pod).await;
    let hard = json!({"pods": "1", "count/jobs.batch": "1"});
    let quota = json!({"metadata": {"name": "none"}, "spec": {"hard": hard}});
    create(api::<ResourceQuota>(client), quota).await;
    create(api::<ReplicaSet>(client), own("set")).await;
    create(api::<Deployment>(client), own("web")).await;
    let mut older = own("older");
    older["spec"]["selector"] = json!({"app": "older"});
    create(api::<ReplicationController>(client), older).await;
    for name in ["db", "taken"] {
        let mut set = own(name);
        set["spec"]["serviceName"] = json!(name);
        create(api::<StatefulSet>(client), set).await;
    }
    node(client, "n", "True", json!([])).await;
    create(api::<DaemonSet>(client), daemons("one")).await;
    let mut job = json!({"template": template("one")});
    job["template"]["spec"]["restartPolicy"] = json!("Never");
    create(api::<Job>(client), json!({"metadata": {"name": "once"}, "spec": job})).await;
    let cron = json!({"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job}});
    create(api::<CronJob>(client), json!({"metadata": {"name": "cron"}, "spec": cron})).await;
    let last = Patch::Merge(json!({"status": {"lastScheduleTime": "2020-06-01T00:00:00Z"}}));
    api::<CronJob>(client).patch_status("cron", &PatchParams::default(), &last).await.unwrap();
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let spec = json!({"scaleTargetRef": target, "maxReplicas": 5});
    let scaler = json!({"metadata": {"name": "web"}, "spec": spec});
    create(api::<HorizontalPodAutoscaler>(client), scaler).await;
    let spec = json!({"minAvailable": 3, "selector": {"matchLabels": {"app": "web"}}});
    let budget = json!({"metadata": {"name": "web"}, "spec": spec});
    create(api::<PodDisruptionBudget>(client), budget).await;
    let spec = json!({"selector": {"app": "web"}, "ports": [{"port": 80}]});
    create(api::<Service>(client), json!({"metadata": {"name": "web"}, "spec": spec})).await;
    let spec = json!({
        "accessModes": ["ReadWriteOnce"], "storageClassName": "none",
        "resources": {"requests": {"storage": "1Mi"}},
    });
    let claim = json!({"metadata": {"name": "data"}, "spec": spec});
    create(api::<PersistentVolumeClaim>(client), claim).await;
}

#[tokio::test(start_paused = true)]
async fn what_can_never_work_is_tried_ever_more_seldom() {
    let group = TaskGroup::new("test");
    let (router, client) = server(&group).await;
    let (counted, writes) = counting(router);
    workloads(&client).await;
    Controllers::run(|_user| counted.clone(), ControllersConfig::rootless(String::new()), &group);
    tokio::time::sleep(HOUR).await;
    let writes = writes.lock().clone();
    for tried in ["POST pods", "POST jobs", "PUT replicasets/status"] {
        assert!(writes.contains_key(tried), "{tried}: {writes:#?}");
    }
    let hot: Vec<_> = writes
        .iter()
        // Reviews are questions; events are told of in pace of their own.
        .filter(|(what, _)| !what.contains("events") && !what.contains("reviews"))
        // Six of them cannot make pods.
        .filter(|(what, count)| **count > if *what == "POST pods" { 6 * HOT } else { HOT })
        .collect();
    assert!(hot.is_empty(), "written without pause: {hot:?} of {writes:#?}");
}
