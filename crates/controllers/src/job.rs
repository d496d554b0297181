//! Runs the pods of a Job until enough of them have succeeded, and removes Jobs whose time is over.
//!
//! Spec: <https://kubernetes.io/docs/concepts/workloads/controllers/job/>

mod plan;
mod pods;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobStatus};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client};
use parking_lot::Mutex;
use serde_json::json;
use tracing::info;
use wk_api::names::{NamespacedName, Uid};
use wk_client::{EventRecorder, EventType, Informer, Outcome, WorkQueue};

use crate::claims::{Claimant, written};
use crate::expectations::Expectations;
use crate::meta::OwnerKind;
use crate::pod_control::PodControl;
use crate::watched::{PodView, Selecting};
use crate::{Shell, conflict_is_later, unless_gone};
use plan::{FINALIZER, Plan, is_finished, plan, until_expired};

pub(crate) const KIND: OwnerKind = OwnerKind { api_version: "batch/v1", kind: "Job" };
/// Who manages a Job that does not say otherwise.
const MANAGER: &str = "kubernetes.io/job-controller";

/// What there is to look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Task {
    Job(NamespacedName),
    /// A pod that is held for a Job that is not there.
    Pod(NamespacedName),
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job(key) => write!(f, "job {key}"),
            Self::Pod(key) => write!(f, "pod {key}"),
        }
    }
}

struct Context {
    jobs: Informer<Selecting<Job>>,
    pods: PodControl,
}

pub(crate) fn run(client: Client, jobs: &Informer<Selecting<Job>>, shell: &Shell) {
    let events = EventRecorder::start(client.clone(), "job-controller", None, &shell.group);
    let pods = PodControl {
        client,
        events,
        watched: Arc::clone(&shell.watched),
        expectations: Expectations::default(),
        kind: KIND,
        finalizer: Some(FINALIZER),
    };
    let queue = WorkQueue::<Task>::default();
    let context = Arc::new(Context { jobs: jobs.clone(), pods });
    let (from_job, seen) = (queue.clone(), Arc::clone(&context));
    let uids = Mutex::new(HashMap::<NamespacedName, Uid>::new());
    jobs.on_change(move |key| {
        from_job.add(Task::Job(key.clone()));
        let uid = seen.jobs.get(key).and_then(|job| job.object.metadata.uid.clone()).map(Uid::new);
        let mut uids = uids.lock();
        let before = match &uid {
            Some(uid) => uids.insert(key.clone(), uid.clone()),
            None => uids.remove(key),
        };
        let Some(gone) = before.filter(|before| Some(before) != uid.as_ref()) else { return };
        for pod in seen.pods.watched.pods_of(&gone) {
            from_job.add(Task::Pod(NamespacedName::new(&*pod.namespace, &*pod.name)));
        }
    });
    let (from_pod, seen) = (queue.clone(), Arc::clone(&context));
    shell.watched.on_pod(move |key, before, pod| {
        for owner in before.into_iter().chain(pod.and_then(PodView::controller)) {
            if owner.is_a(&KIND) {
                let namespace = key.namespace.clone();
                let name = owner.name.to_string();
                from_pod.add(Task::Job(NamespacedName { namespace, name }));
            }
        }
        let Some(pod) = pod else { return };
        if pod.has_finalizer(FINALIZER) && seen.job_of(pod).is_none() {
            from_pod.add(Task::Pod(key.clone()));
        }
        if pod.controller().is_none() {
            for job in seen.jobs.in_namespace(&pod.namespace) {
                if job.selector.matches_map(&pod.labels) {
                    from_pod.add(Task::Job(NamespacedName::of(&job.object.metadata)));
                }
            }
        }
    });
    shell.run("job", &queue, 8, move |task| {
        let context = Arc::clone(&context);
        async move {
            context.jobs.ready().await;
            conflict_is_later(match task {
                Task::Job(key) => context.reconcile(&key).await,
                Task::Pod(key) => context.let_go(&key).await,
            })
        }
    });
}

impl Context {
    fn api(&self, key: &NamespacedName) -> Api<Job> {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        Api::namespaced(self.pods.client.clone(), namespace)
    }

    /// The Job that manages a pod, if it is there.
    fn job_of(&self, pod: &PodView) -> Option<Arc<Selecting<Job>>> {
        let owner = pod.controller().filter(|owner| owner.is_a(&KIND))?;
        let job = self.jobs.get(&NamespacedName::new(&*pod.namespace, &*owner.name))?;
        (job.object.metadata.uid.as_deref() == Some(owner.uid.as_str())).then_some(job)
    }

    /// Lets a pod go whose Job is not there to count it.
    async fn let_go(&self, key: &NamespacedName) -> Result<Outcome, kube::Error> {
        let Some(pod) = self.pods.watched.pods.get(key) else { return Ok(Outcome::Done) };
        if !pod.has_finalizer(FINALIZER) || self.job_of(&pod).is_some() {
            return Ok(Outcome::Done);
        }
        if let Some(owner) = pod.controller().filter(|owner| owner.is_a(&KIND)) {
            // The server is asked: the cache may not have a new Job yet.
            let job = NamespacedName::new(&*pod.namespace, &*owner.name);
            let live = self.api(&job).get_metadata_opt(&owner.name).await?;
            let uid = live.and_then(|live| live.metadata.uid);
            if uid.as_deref() == Some(owner.uid.as_str()) {
                return Ok(Outcome::Done);
            }
        }
        self.unhold(&pod).await?;
        Ok(Outcome::Done)
    }

    /// Takes the finalizer away.
    async fn unhold(&self, pod: &PodView) -> Result<Option<String>, kube::Error> {
        let patch = Patch::Strategic(json!({"metadata": {
            "uid": pod.uid(),
            "$deleteFromPrimitiveList/finalizers": [FINALIZER],
        }}));
        let api = self.pods.api(&pod.namespace);
        written(api.patch(&pod.name, &PatchParams::default(), &patch).await)
    }

    async fn reconcile(&self, key: &NamespacedName) -> Result<Outcome, kube::Error> {
        let Some(seen) = self.jobs.get(key) else {
            self.pods.expectations.forget(key);
            return Ok(Outcome::Done);
        };
        if let Some(later) = self.pods.expectations.unseen(key) {
            return Ok(later);
        }
        let job = &seen.object;
        let manager = job.spec.as_ref().and_then(|spec| spec.managed_by.as_deref());
        if manager.is_some_and(|manager| manager != MANAGER) {
            return Ok(Outcome::Done);
        }
        if job.status.as_ref().is_some_and(is_finished) {
            return self.expire(key, job).await;
        }
        let claimant = Claimant::of(&job.metadata, &seen.selector);
        let Some(pods) = self.pods.claim::<Job>(&job.metadata, claimant).await? else {
            return Ok(Outcome::Done);
        };
        let plan = plan(job, &pods, Timestamp::now());
        let has_work = !plan.create.is_empty() || !plan.delete.is_empty();
        if has_work && let Some(again) = self.pods.look_again(&job.metadata, &seen.selector).await?
        {
            return Ok(again);
        }
        let again = plan.again;
        self.carry_out(key, job, plan).await?;
        Ok(again.map_or(Outcome::Done, |seconds| Outcome::After(Duration::from_secs(seconds))))
    }

    async fn carry_out(
        &self,
        key: &NamespacedName,
        job: &Job,
        plan: Plan,
    ) -> Result<(), kube::Error> {
        let Plan { delete, create, mut status, unhold, notices, again: _ } = plan;
        let deleted = self.pods.delete_all(&job.metadata, &delete).await;
        let wanted = i32::try_from(create.len()).unwrap_or(0);
        let new: Vec<_> = create.iter().filter_map(|new| pods::pod(&self.pods, job, new)).collect();
        let created = self.pods.create_all(&job.metadata, new, 0).await;
        if created.is_err() {
            // How many there are shows the next look.
            let active = status.active.unwrap_or(0) - wanted;
            status.active = (active > 0).then_some(active);
        }
        if job.status.as_ref() != Some(&status) {
            self.write(key, job, status).await?;
        }
        for notice in notices {
            let event_type = if notice.is_warning { EventType::Warning } else { EventType::Normal };
            info!(job = %key, "{}", notice.message);
            self.pods.say(&job.metadata, event_type, &notice.reason, notice.message);
        }
        // Only now: what is written down of them cannot be lost any more.
        let mut work = Vec::with_capacity(unhold.len());
        for pod in &unhold {
            work.push(self.unhold(pod));
        }
        for version in futures::future::join_all(work).await {
            let mark = self.pods.watched.pods.mark(version?.as_deref());
            self.pods.expectations.expect(key, mark);
        }
        deleted.and(created)
    }

    async fn write(
        &self,
        key: &NamespacedName,
        job: &Job,
        status: JobStatus,
    ) -> Result<(), kube::Error> {
        let object = Job { status: Some(status), ..job.clone() };
        let result = self.api(key).replace_status(&key.name, &PostParams::default(), &object).await;
        let version = written(result)?;
        self.pods.expectations.expect(key, self.jobs.mark(version.as_deref()));
        Ok(())
    }

    /// Deletes a finished Job when its time is over.
    async fn expire(&self, key: &NamespacedName, job: &Job) -> Result<Outcome, kube::Error> {
        if job.metadata.deletion_timestamp.is_some() {
            return Ok(Outcome::Done);
        }
        match until_expired(job, Timestamp::now()) {
            None => Ok(Outcome::Done),
            Some(0) => {
                let preconditions = Some(Preconditions {
                    uid: job.metadata.uid.clone(),
                    resource_version: job.metadata.resource_version.clone(),
                });
                let params = DeleteParams { preconditions, ..DeleteParams::foreground() };
                unless_gone(self.api(key).delete(&key.name, &params).await)?;
                info!(job = %key, "finished long enough ago, deleted");
                Ok(Outcome::Done)
            }
            Some(seconds) => Ok(Outcome::After(Duration::from_secs(seconds))),
        }
    }
}
