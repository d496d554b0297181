//! One workload of each kind, and a count of all pods and Jobs that were ever made for them.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use parking_lot::Mutex;
use serde_json::json;

use super::daemons::{daemons, node};
use super::*;

const NODES: i32 = 5;
/// How many pods are to be made for each workload, by the label `app`: those of the Deployment twice.
const PODS: [(&str, usize); 7] =
    [("many", 30), ("db", 6), ("log", 5), ("keep", 8), ("done", 12), ("web", 24), ("cron", 1)];

/// The workloads, and what was made for them.
pub(crate) struct Mix {
    client: Client,
    group: TaskGroup,
    pods: Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>,
    jobs: Arc<Mutex<BTreeSet<String>>>,
    sets: Arc<Mutex<BTreeSet<String>>>,
}

/// Notes the uid of every object of a kind.
fn note<K>(client: &Client, group: &TaskGroup, take: impl Fn(&ObjectMeta) + Send + Sync + 'static)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let seen = informer::<K>(client, group);
    let objects = seen.clone();
    seen.on_change(move |key| {
        if let Some(object) = objects.get(key) {
            take(object.meta());
        }
    });
}

/// Says of every pod that it runs and is ready, or that it has ended if it is labelled so.
fn run_pods(client: &Client, group: &TaskGroup) {
    let pods = Informer::start(Api::<Pod>::all(client.clone()), watcher::Config::default(), group);
    let (client, mut changes, token) = (client.clone(), pods.subscribe(), group.token());
    group.spawn("pods", async move {
        while let Some(keys) = token.run_until_cancelled(changes.next()).await {
            for pod in keys.iter().filter_map(|key| pods.get(key)) {
                let status = pod.status.as_ref().and_then(|status| status.phase.as_deref());
                if status != Some("Pending") {
                    continue;
                }
                let labels = pod.metadata.labels.clone().unwrap_or_default();
                let status = if labels.contains_key("ends") {
                    json!({"phase": "Succeeded"})
                } else {
                    json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})
                };
                let api = Api::<Pod>::namespaced(client.clone(), "default");
                let name = pod.metadata.name.clone().unwrap_or_default();
                let status = Patch::Strategic(json!({"status": status}));
                let _gone = api.patch_status(&name, &PatchParams::default(), &status).await;
            }
        }
        Ok(())
    });
}

fn template(app: &str, image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": app}},
        "spec": {"containers": [{"name": "c", "image": image}]},
    })
}

fn workload(app: &str, replicas: i32) -> Value {
    json!({
        "metadata": {"name": app},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": app}},
            "template": template(app, "one"),
        },
    })
}

fn job_spec(app: &str, pods: i32, ends: bool) -> Value {
    let mut template = template(app, "one");
    template["spec"]["restartPolicy"] = json!("Never");
    if ends {
        template["metadata"]["labels"]["ends"] = json!("well");
    }
    json!({"completions": pods, "parallelism": pods, "template": template})
}

impl Mix {
    /// Makes the nodes, and counts from now on.
    pub(crate) async fn new(client: &Client, group: &TaskGroup) -> Self {
        let mix = Self {
            client: client.clone(),
            group: group.clone(),
            pods: Arc::default(),
            jobs: Arc::default(),
            sets: Arc::default(),
        };
        let uid = |meta: &ObjectMeta| meta.uid.clone().unwrap_or_default();
        let pods = Arc::clone(&mix.pods);
        note::<Pod>(client, group, move |meta| {
            let app = meta.labels.as_ref().and_then(|labels| labels.get("app")).cloned();
            pods.lock().entry(app.unwrap_or_default()).or_default().insert(uid(meta));
        });
        let (jobs, sets) = (Arc::clone(&mix.jobs), Arc::clone(&mix.sets));
        note::<Job>(client, group, move |meta| jobs.lock().extend([uid(meta)]));
        note::<ReplicaSet>(client, group, move |meta| sets.lock().extend([uid(meta)]));
        run_pods(client, group);
        for number in 0..NODES {
            node(client, &format!("n{number}"), "True", json!([])).await;
        }
        mix
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), "default")
    }

    /// Makes the workloads.
    pub(crate) async fn create(&self) {
        create(self.api::<ReplicaSet>(), workload("many", 30)).await;
        create(self.api::<Deployment>(), workload("web", 12)).await;
        let mut object = workload("db", 6);
        object["spec"]["serviceName"] = json!("db");
        create(self.api::<StatefulSet>(), object).await;
        let mut object = daemons("one");
        object["spec"]["selector"] = json!({"matchLabels": {"app": "log"}});
        object["spec"]["template"] = template("log", "one");
        create(self.api::<DaemonSet>(), object).await;
        for (name, count, ends) in [("keep", 8, false), ("done", 12, true)] {
            let spec = job_spec(name, count, ends);
            create(self.api::<Job>(), json!({"metadata": {"name": name}, "spec": spec})).await;
        }
        // Due once, since long ago; nothing of its Job remains.
        let spec = json!({
            "schedule": "0 0 1 1 *", "successfulJobsHistoryLimit": 0,
            "jobTemplate": {"spec": job_spec("cron", 1, true)},
        });
        create(self.api::<CronJob>(), json!({"metadata": {"name": "cron"}, "spec": spec})).await;
        let last = json!({"status": {"lastScheduleTime": "2020-06-01T00:00:00Z"}});
        let params = PatchParams::default();
        self.api::<CronJob>().patch_status("cron", &params, &Patch::Merge(last)).await.unwrap();
    }

    /// How many pods were made so far.
    pub(crate) fn made(&self) -> usize {
        self.pods.lock().values().map(BTreeSet::len).sum()
    }

    async fn deployed(&self, image: &str) {
        until::<Deployment>(&self.client, &self.group, |all| {
            let Some(one) = all.first() else { return false };
            let status = one.status.clone().unwrap_or_default();
            let spec = &one.spec.as_ref().unwrap().template.spec.as_ref().unwrap();
            spec.containers[0].image.as_deref() == Some(image)
                && status.observed_generation == one.metadata.generation
                && [status.replicas, status.updated_replicas, status.available_replicas]
                    .iter()
                    .all(|count| *count == Some(12))
        })
        .await;
    }

    /// Changes the Deployment's template on the way, and waits until all is as it is wanted.
    pub(crate) async fn settle(&self) {
        let (client, group) = (&self.client, &self.group);
        self.deployed("one").await;
        let change = Patch::Strategic(json!({"spec": {"template": template("web", "two")}}));
        let params = PatchParams::default();
        self.api::<Deployment>().patch("web", &params, &change).await.unwrap();
        self.deployed("two").await;
        until::<ReplicaSet>(client, group, |all| {
            let mut many = all.iter().filter(|one| one.metadata.name.as_deref() == Some("many"));
            many.any(|one| one.status.clone().unwrap_or_default().available_replicas == Some(30))
        })
        .await;
        until::<StatefulSet>(client, group, |all| {
            let status = all.first().and_then(|one| one.status.clone()).unwrap_or_default();
            status.ready_replicas == Some(6) && status.updated_replicas == Some(6)
        })
        .await;
        until::<DaemonSet>(client, group, |all| {
            let status = all.first().and_then(|one| one.status.clone()).unwrap_or_default();
            status.number_available == Some(NODES)
        })
        .await;
        until::<CronJob>(client, group, |all| {
            let status = all.first().and_then(|one| one.status.clone()).unwrap_or_default();
            let is_new = |time: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Time| {
                time.0.to_string().as_str() > "2026-01-01"
            };
            status.last_successful_time.is_some()
                && status.active.is_none()
                && status.last_schedule_time.as_ref().is_some_and(is_new)
        })
        .await;
        until::<Job>(client, group, |all| {
            let is = |name: &str, right: &dyn Fn(&Job) -> bool| {
                all.iter().any(|job| job.metadata.name.as_deref() == Some(name) && right(job))
            };
            let status = |job: &Job| job.status.clone().unwrap_or_default();
            all.len() == 2
                && is("keep", &|job| status(job).ready == Some(8))
                && is("done", &|job| status(job).succeeded == Some(12))
                && is("done", &|job| status(job).completion_time.is_some())
        })
        .await;
    }

    /// Exactly what was wanted was made, and nothing was too many.
    pub(crate) async fn check(&self) {
        let pods = self.pods.lock().clone();
        let counts: BTreeMap<&str, usize> =
            pods.iter().map(|(app, uids)| (app.as_str(), uids.len())).collect();
        let events = self.api::<Event>().list(&ListParams::default()).await.unwrap().items;
        let told: Vec<_> = events
            .iter()
            .filter(|event| event.reason.as_deref() != Some("ScalingReplicaSet"))
            .filter_map(|event| event.message.clone())
            .collect();
        assert_eq!(counts, PODS.into(), "all pods that were ever made: {told:#?}");
        assert_eq!(self.jobs.lock().len(), 3, "all Jobs that were ever made");
        assert_eq!(self.sets.lock().len(), 3, "all replica sets that were ever made");
        let deleted = events.iter().filter(|event| {
            let of = event.involved_object.name.as_deref().unwrap_or_default();
            event.reason.as_deref() == Some("SuccessfulDelete")
                && !of.starts_with("web-")
                && of != "cron"
        });
        assert_eq!(deleted.count(), 0, "none was too many");
    }
}
