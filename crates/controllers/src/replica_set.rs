//! Keeps the number of pods that a `ReplicaSet` or a `ReplicationController` asks for.
//!
//! Spec: <https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/>

mod kinds;
mod plan;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetStatus};
use k8s_openapi::api::core::v1::ReplicationController;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::Instant;
use wk_api::LabelSelector;
use wk_api::names::{NamespacedName, Uid};
use wk_client::{EventRecorder, Informer, Outcome, WorkQueue};

use crate::claims::{Claimant, written};
use crate::expectations::Expectations;
use crate::pod_control::{PodControl, message};
use crate::rest::Rest;
use crate::wake::wake;
use crate::watched::{PodView, Selecting, Watched, selecting};
use crate::{Shell, conflict_is_later};
pub(crate) use kinds::SetKind;
use plan::{Step, next_available, plan, status};

struct Context<K> {
    sets: Informer<Selecting<K>>,
    pods: PodControl,
    rest: Rest,
}

/// Watches all replication controllers.
pub(crate) fn watch_older(
    watching: &Client,
    shell: &Shell,
) -> Informer<Selecting<ReplicationController>> {
    selecting(watching, &shell.group, |one: &ReplicationController| {
        let labels = one.spec.as_ref().and_then(|spec| spec.selector.as_ref());
        labels.map_or_else(LabelSelector::nothing, |labels| {
            LabelSelector::from_labels(labels.iter().map(|(key, value)| (&**key, &**value)))
        })
    })
}

/// Starts both controllers, each with its client.
pub(crate) fn run(
    replica_sets: Client,
    (older, sets): (Client, &Informer<Selecting<ReplicationController>>),
    shell: &Shell,
) {
    start(replica_sets, "replicaset", &shell.watched.replica_sets, shell);
    start(older, "replication", sets, shell);
}

fn start<K: SetKind>(client: Client, name: &str, sets: &Informer<Selecting<K>>, shell: &Shell) {
    let events =
        EventRecorder::start(client.clone(), format!("{name}-controller"), None, &shell.group);
    let pods = PodControl {
        client,
        events,
        watched: Arc::clone(&shell.watched),
        expectations: Expectations::default(),
        kind: K::KIND,
        finalizer: None,
    };
    let queue = WorkQueue::<NamespacedName>::default();
    let context = Arc::new(Context { sets: sets.clone(), pods, rest: Rest::default() });
    wake(K::KIND, sets, &shell.watched, &queue);
    shell.run(name, &queue, 8, move |key| {
        let context = Arc::clone(&context);
        async move { conflict_is_later(context.reconcile(&key).await) }
    });
}

impl<K: SetKind> Context<K> {
    async fn reconcile(&self, key: &NamespacedName) -> Result<Outcome, kube::Error> {
        self.sets.ready().await;
        let Some(seen) = self.sets.get(key) else {
            self.pods.expectations.forget(key);
            self.rest.forget(key);
            return Ok(Outcome::Done);
        };
        if let Some(later) = self.pods.expectations.unseen(key) {
            return Ok(later);
        }
        if let Some(left) = self.rest.left(key) {
            return Ok(Outcome::After(left));
        }
        let owner = seen.object.meta();
        let api = Api::<K>::namespaced(
            self.pods.client.clone(),
            key.namespace.as_deref().unwrap_or_default(),
        );
        let claimant = Claimant::of(owner, &seen.selector);
        let begun = Instant::now();
        let Some(pods) = self.pods.claim::<K>(owner, claimant).await? else {
            return Ok(Outcome::Done);
        };
        let set = seen.object.as_set();
        let spec = set.spec.clone().unwrap_or_default();
        let now = Timestamp::now();
        let step =
            if claimant.is_terminating { Step::Nothing } else { self.step(&set, &pods, now) };
        self.rest.after(key, begun.elapsed());
        if !matches!(step, Step::Nothing)
            && let Some(again) = self.pods.look_again(owner, &seen.selector).await?
        {
            return Ok(again);
        }
        let managed = self.carry_out(&set, step, pods.len()).await;
        let failure = managed.as_ref().err().map(|(reason, error)| (*reason, message(error)));
        let mut status = status(&set, &pods, failure, now);
        if !K::COUNTS_TERMINATING {
            status.terminating_replicas = None;
        }
        if set.status.as_ref() != Some(&status) {
            self.write(&api, key, &set, status).await?;
        }
        managed.map_err(|(_, error)| error)?;
        let active: Vec<_> = pods.into_iter().filter(|pod| pod.is_active()).collect();
        let wait = next_available(&active, spec.min_ready_seconds.unwrap_or(0), now);
        Ok(wait.map_or(Outcome::Done, |seconds| Outcome::After(Duration::from_secs(seconds))))
    }

    fn step(&self, set: &ReplicaSet, pods: &[Arc<PodView>], now: Timestamp) -> Step {
        let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let wanted = usize::try_from(wanted).unwrap_or(0);
        let active: Vec<_> = pods.iter().filter(|pod| pod.is_active()).cloned().collect();
        let related = if active.len() > wanted { self.related(set) } else { Vec::new() };
        plan(wanted, &active, &related, now)
    }

    async fn carry_out(
        &self,
        set: &ReplicaSet,
        step: Step,
        there: usize,
    ) -> Result<(), (&'static str, kube::Error)> {
        match step {
            Step::Nothing => Ok(()),
            Step::Create(count) => {
                let template = set.spec.as_ref().and_then(|spec| spec.template.as_ref());
                let Some(template) = template else { return Ok(()) };
                let pods = (0..count).map(|_| self.pods.pod(&set.metadata, template));
                let proven = if plan::has_failed(set) { 0 } else { there };
                let made = self.pods.create_all(&set.metadata, pods, proven).await;
                made.map_err(|error| ("FailedCreate", error))
            }
            Step::Delete(pods) => {
                let gone = self.pods.delete_all(&set.metadata, &pods).await;
                gone.map_err(|error| ("FailedDelete", error))
            }
        }
    }

    /// The active pods of all sets with the same owner as this one.
    fn related(&self, set: &ReplicaSet) -> Vec<Arc<PodView>> {
        let watched: &Watched = &self.pods.watched;
        let controller = |meta: &kube::core::ObjectMeta| {
            let owners = meta.owner_references.iter().flatten();
            owners.into_iter().find(|one| one.controller == Some(true)).map(|one| one.uid.clone())
        };
        let namespace = set.metadata.namespace.as_deref().unwrap_or_default();
        let uids: Vec<String> = match controller(&set.metadata) {
            Some(owner) => self
                .sets
                .in_namespace(namespace)
                .iter()
                .filter(|one| controller(one.object.meta()).as_ref() == Some(&owner))
                .filter_map(|one| one.object.meta().uid.clone())
                .collect(),
            None => set.metadata.uid.clone().into_iter().collect(),
        };
        let pods = uids.into_iter().flat_map(|uid| watched.pods_of(&Uid::new(uid)));
        pods.filter(|pod| pod.is_active()).collect()
    }

    async fn write(
        &self,
        api: &Api<K>,
        key: &NamespacedName,
        set: &ReplicaSet,
        status: ReplicaSetStatus,
    ) -> Result<(), kube::Error> {
        let object = K::from_set(ReplicaSet { status: Some(status), ..set.clone() });
        let result = api.replace_status(&key.name, &PostParams::default(), &object).await;
        let version = written(result)?;
        self.pods.expectations.expect(key, self.sets.mark(version.as_deref()));
        Ok(())
    }
}
