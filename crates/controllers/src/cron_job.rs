//! Starts Jobs at the times of a `CronJob`.
//!
//! Spec: <https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/>

mod plan;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::runtime::watcher;
use kube::{Api, Client};
use tracing::info;
use wk_api::names::NamespacedName;
use wk_client::{EventRecorder, EventType, Informer, Outcome, WorkQueue};

use crate::claims::written;
use crate::expectations::Expectations;
use crate::meta::Meta;
use crate::pod_control::message;
use crate::watched::Selecting;
use crate::{Shell, conflict_is_later, is_gone, unless_gone};
use plan::{KIND, Plan, Start, plan};

/// A start is looked for this much after it is due, so that clocks that run a little early do not
/// look in vain.
const SLACK: Duration = Duration::from_millis(100);

struct Context {
    client: Client,
    crons: Informer<CronJob>,
    jobs: Informer<Selecting<Job>>,
    events: EventRecorder,
    expectations: Expectations,
}

pub(crate) fn run(
    watching: &Client,
    client: Client,
    jobs: Informer<Selecting<Job>>,
    shell: &Shell,
) {
    let config = watcher::Config::default();
    let crons = Informer::start(Api::<CronJob>::all(watching.clone()), config, &shell.group);
    let events = EventRecorder::start(client.clone(), "cronjob-controller", None, &shell.group);
    let queue = WorkQueue::<NamespacedName>::default();
    let from_cron = queue.clone();
    crons.on_change(move |key| from_cron.add(key.clone()));
    let (from_job, seen) = (queue.clone(), (jobs.clone(), crons.clone()));
    jobs.on_change(move |key| {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        match seen.0.get(key) {
            Some(job) => {
                let meta = Meta::of(&job.object.metadata);
                if let Some(owner) = meta.controller().filter(|owner| owner.is_a(&KIND)) {
                    from_job.add(NamespacedName::new(namespace, &*owner.name));
                }
            }
            // It may be one that a list of active ones still has: those are named after their owner.
            None => {
                for cron in seen.1.in_namespace(namespace) {
                    let owner = NamespacedName::of(&cron.metadata);
                    if key.name.starts_with(&owner.name) {
                        from_job.add(owner);
                    }
                }
            }
        }
    });
    let expectations = Expectations::default();
    let context = Arc::new(Context { client, crons, jobs, events, expectations });
    shell.run("cronjob", &queue, 5, move |key| {
        let context = Arc::clone(&context);
        async move { conflict_is_later(Box::pin(context.reconcile(&key)).await) }
    });
}

impl Context {
    fn job_api(&self, key: &NamespacedName) -> Api<Job> {
        Api::namespaced(self.client.clone(), key.namespace.as_deref().unwrap_or_default())
    }

    fn say(&self, cron: &CronJob, is_warning: bool, reason: &str, text: String) {
        let event_type = if is_warning { EventType::Warning } else { EventType::Normal };
        self.events.publish(KIND.event_reference(&cron.metadata), event_type, reason, text);
    }

    async fn reconcile(&self, key: &NamespacedName) -> Result<Outcome, kube::Error> {
        self.crons.ready().await;
        self.jobs.ready().await;
        let Some(cron) = self.crons.get(key) else {
            self.expectations.forget(key);
            return Ok(Outcome::Done);
        };
        if let Some(later) = self.expectations.unseen(key) {
            return Ok(later);
        }
        let uid = cron.metadata.uid.as_deref().unwrap_or_default();
        let is_ours = |job: &Arc<Selecting<Job>>| {
            let owners = job.object.metadata.owner_references.iter().flatten();
            owners.into_iter().any(|owner| owner.controller == Some(true) && owner.uid == uid)
        };
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let jobs: Vec<Arc<Job>> = self
            .jobs
            .in_namespace(namespace)
            .iter()
            .filter(|job| is_ours(job))
            .map(|job| Arc::new(job.object.clone()))
            .collect();
        let plan = plan(&cron, &jobs, Timestamp::now());
        let again = plan.again;
        Box::pin(self.carry_out(key, &cron, plan)).await?;
        Ok(again.map_or(Outcome::Done, |due| {
            let wait = due.duration_since(Timestamp::now());
            Outcome::After(Duration::try_from(wait).unwrap_or_default() + SLACK)
        }))
    }

    async fn carry_out(
        &self,
        key: &NamespacedName,
        cron: &CronJob,
        mut plan: Plan,
    ) -> Result<(), kube::Error> {
        for notice in std::mem::take(&mut plan.notices) {
            self.say(cron, notice.is_warning, notice.reason, notice.message);
        }
        if plan.start.is_some() && !self.is_newest(key, cron).await? {
            // The change is on its way, and brings the key back.
            return Ok(());
        }
        for job in std::mem::take(&mut plan.replace) {
            self.delete(key, cron, &job).await?;
        }
        let forget = std::mem::take(&mut plan.forget);
        if let Some(start) = plan.start.take() {
            self.start(key, cron, start, &mut plan).await?;
        }
        if cron.status.as_ref() != Some(&plan.status) {
            self.write(key, cron, plan).await?;
        }
        // Only now: what is written down of them cannot be lost any more.
        for job in forget {
            self.delete(key, cron, &job).await?;
        }
        Ok(())
    }

    async fn write(
        &self,
        key: &NamespacedName,
        cron: &CronJob,
        plan: Plan,
    ) -> Result<(), kube::Error> {
        let object = CronJob { status: Some(plan.status), ..cron.clone() };
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let api = Api::<CronJob>::namespaced(self.client.clone(), namespace);
        let result = api.replace_status(&key.name, &PostParams::default(), &object).await;
        let version = written(result)?;
        self.expectations.expect(key, self.crons.mark(version.as_deref()));
        Ok(())
    }

    /// Whether the cache shows the `CronJob` as the server has it. Its status tells which starts have
    /// been: the Job of one may have run and be gone already, so that nothing else would tell.
    async fn is_newest(&self, key: &NamespacedName, cron: &CronJob) -> Result<bool, kube::Error> {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let api = Api::<CronJob>::namespaced(self.client.clone(), namespace);
        let live = api.get_metadata_opt(&key.name).await?;
        let version = live.and_then(|live| live.metadata.resource_version);
        Ok(version == cron.metadata.resource_version)
    }

    async fn start(
        &self,
        key: &NamespacedName,
        cron: &CronJob,
        start: Start,
        plan: &mut Plan,
    ) -> Result<(), kube::Error> {
        let name = start.job.metadata.name.clone().unwrap_or_default();
        match self.job_api(key).create(&PostParams::default(), &start.job).await {
            Ok(job) => {
                let version = job.metadata.resource_version.as_deref();
                self.expectations.expect(key, self.jobs.mark(version));
                info!(cron = %key, job = name, "job started");
                self.say(cron, false, "SuccessfulCreate", format!("Created job {name}"));
                plan.activate(&job, start.at);
                Ok(())
            }
            Err(error) if is_gone(&error) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                let Some(job) = self.job_api(key).get_opt(&name).await? else { return Ok(()) };
                let owners = job.metadata.owner_references.iter().flatten();
                let is_ours =
                    owners.into_iter().any(|one| Some(&one.uid) == cron.metadata.uid.as_ref());
                if is_ours {
                    // It was started before, and the status does not say so yet.
                    plan.activate(&job, start.at);
                } else {
                    // Somebody else's: this start is lost, and the next one is not.
                    let text = format!("Error creating job: {}", status.message);
                    self.say(cron, true, "FailedCreate", text);
                }
                Ok(())
            }
            Err(error) => {
                let text = format!("Error creating job: {}", message(&error));
                self.say(cron, true, "FailedCreate", text);
                Err(error)
            }
        }
    }

    async fn delete(
        &self,
        key: &NamespacedName,
        cron: &CronJob,
        job: &Job,
    ) -> Result<(), kube::Error> {
        let name = job.metadata.name.clone().unwrap_or_default();
        let uid = job.metadata.uid.clone();
        let preconditions = Some(Preconditions { uid, resource_version: None });
        let params = DeleteParams { preconditions, ..DeleteParams::background() };
        match self.job_api(key).delete(&name, &params).await {
            Ok(_) => {
                self.say(cron, false, "SuccessfulDelete", format!("Deleted job {name}"));
                Ok(())
            }
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => {
                let text = format!("Deleted job: {}", message(&error));
                self.say(cron, true, "FailedDelete", text);
                unless_gone(Err::<(), _>(error))
            }
        }
    }
}
