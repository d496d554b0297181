//! Keeps pods with names, claims and an order of their own.
//!
//! Spec: <https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/>

mod claims;
mod plan;
mod pods;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use kube::api::PostParams;
use kube::runtime::watcher;
use kube::{Api, Client};
use tracing::info;
use wk_api::names::NamespacedName;
use wk_client::{EventRecorder, EventType, Informer, Outcome, WorkQueue};

use crate::claims::{Claimant, written};
use crate::expectations::Expectations;
use crate::history::{History, Recorded};
use crate::pod_control::{PodControl, is_refusal, message};
use crate::revisions;
use crate::wake::wake;
use crate::watched::{PodView, Selecting, selecting, selector};
use crate::{CONFLICT_DELAY, Shell, conflict_is_later, is_gone};
use claims::Claims;
use plan::{KIND, NewPod, Plan, ordinal, plan};

struct Context {
    sets: Informer<Selecting<StatefulSet>>,
    history: History,
    claims: Claims,
    pods: PodControl,
}

/// Watches all stateful sets.
pub(crate) fn watch(watching: &Client, shell: &Shell) -> Informer<Selecting<StatefulSet>> {
    selecting(watching, &shell.group, |set: &StatefulSet| {
        selector(set.spec.as_ref().map(|spec| &spec.selector))
    })
}

pub(crate) fn run(
    watching: &Client,
    client: Client,
    sets: Informer<Selecting<StatefulSet>>,
    revisions: Informer<ControllerRevision>,
    shell: &Shell,
) {
    let events = EventRecorder::start(client.clone(), "statefulset-controller", None, &shell.group);
    let pods = PodControl {
        client: client.clone(),
        events,
        watched: Arc::clone(&shell.watched),
        expectations: Expectations::default(),
        kind: KIND,
        finalizer: None,
    };
    let queue = WorkQueue::<NamespacedName>::default();
    wake(KIND, &sets, &shell.watched, &queue);
    let claims = Claims::watch(watching, client.clone(), shell);
    claims.wake(&sets, &queue);
    let history = History { client, revisions, kind: KIND, hash_label: revisions::HASH_LABEL };
    history.wake(&queue);
    let context = Arc::new(Context { sets, history, claims, pods });
    shell.run("statefulset", &queue, 5, move |key| {
        let context = Arc::clone(&context);
        async move { conflict_is_later(Box::pin(context.reconcile(&key)).await) }
    });
}

/// Watches the revisions of all workloads.
pub(crate) fn watch_revisions(watching: &Client, shell: &Shell) -> Informer<ControllerRevision> {
    let api = Api::<ControllerRevision>::all(watching.clone());
    Informer::start(api, watcher::Config::default(), &shell.group)
}

fn namespace(key: &NamespacedName) -> &str {
    key.namespace.as_deref().unwrap_or_default()
}

impl Context {
    fn api<K>(&self, key: &NamespacedName) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.pods.client.clone(), namespace(key))
    }

    async fn reconcile(&self, key: &NamespacedName) -> Result<Outcome, kube::Error> {
        self.sets.ready().await;
        self.history.revisions.ready().await;
        self.claims.ready().await;
        let Some(seen) = self.sets.get(key) else {
            self.pods.expectations.forget(key);
            return Ok(Outcome::Done);
        };
        if let Some(later) = self.pods.expectations.unseen(key) {
            return Ok(later);
        }
        let set = &seen.object;
        let claimant = Claimant::of(&set.metadata, &seen.selector);
        let claimed = self.pods.claim::<StatefulSet>(&set.metadata, claimant).await?;
        let Some(mut pods) = claimed else {
            return Ok(Outcome::Done);
        };
        pods.retain(|pod| ordinal(&key.name, &pod.name).is_some());
        let Some(spec) = &set.spec else { return Ok(Outcome::Done) };
        let existing = self.history.of(key, claimant.uid);
        let collisions = set.status.as_ref().and_then(|status| status.collision_count);
        let newest = self.history.newest(&set.metadata, &spec.template, collisions, &existing);
        if set.metadata.deletion_timestamp.is_none() {
            match self.history.record(key, &newest).await? {
                Recorded::Known => {}
                Recorded::Written(mark) => self.pods.expectations.expect(key, mark),
                Recorded::Later => return Ok(Outcome::After(CONFLICT_DELAY)),
                Recorded::Collided => {
                    let mut status = set.status.clone().unwrap_or_default();
                    let count = status.collision_count.unwrap_or(0).saturating_add(1);
                    status.collision_count = Some(count);
                    self.write(key, set, status).await?;
                    return Ok(Outcome::Done);
                }
            }
        }
        let update = revisions::name(newest.revision()).to_owned();
        let plan = plan(set, &pods, &update, Timestamp::now());
        let has_work = !plan.create.is_empty() || !plan.delete.is_empty();
        if has_work && let Some(again) = self.pods.look_again(&set.metadata, &seen.selector).await?
        {
            return Ok(again);
        }
        let again = plan.again;
        let templates = Templates { set, existing: &existing, newest: newest.revision() };
        Box::pin(self.carry_out(key, &templates, plan, &pods)).await?;
        Ok(again.map_or(Outcome::Done, |seconds| Outcome::After(Duration::from_secs(seconds))))
    }

    async fn carry_out(
        &self,
        key: &NamespacedName,
        templates: &Templates<'_>,
        plan: Plan,
        pods: &[Arc<PodView>],
    ) -> Result<(), kube::Error> {
        let set = templates.set;
        let mut result = Ok(());
        for new in &plan.create {
            result = result.and(self.create(key, templates, new).await);
        }
        if set.metadata.deletion_timestamp.is_none() {
            self.claims.keep(key, &self.pods, set, pods).await?;
        }
        for pod in &plan.delete {
            let deleted = self.pods.delete(&set.metadata, pod).await;
            result = result.and(deleted);
        }
        let live: Vec<&str> = [&plan.status.current_revision, &plan.status.update_revision]
            .into_iter()
            .filter_map(Option::as_deref)
            .chain(pods.iter().filter_map(|pod| {
                let label = wk_api::well_known::CONTROLLER_REVISION_HASH_LABEL;
                pod.labels.get(label).map(String::as_str)
            }))
            .collect();
        let limit = set.spec.as_ref().and_then(|spec| spec.revision_history_limit);
        self.history.cut(key, limit, templates.existing, &live).await?;
        if set.status.as_ref() != Some(&plan.status) {
            self.write(key, set, plan.status).await?;
        }
        result
    }

    /// Makes the claims of a pod, and then the pod.
    async fn create(
        &self,
        key: &NamespacedName,
        templates: &Templates<'_>,
        new: &NewPod,
    ) -> Result<(), kube::Error> {
        let set = templates.set;
        let Some(template) = templates.of(&new.revision) else { return Ok(()) };
        let name = pods::name(set, new.ordinal);
        if !self.claims.make(key, &self.pods, set, &name).await? {
            return Ok(());
        }
        let pod = pods::pod(&self.pods, set, &template, new);
        let text = |how: &str| format!("create Pod {name} in StatefulSet {} {how}", key.name);
        match self.pods.api(namespace(key)).create(&PostParams::default(), &pod).await {
            Ok(made) => {
                let version = made.metadata.resource_version;
                let mark = self.pods.watched.pods.mark(version.as_deref());
                self.pods.expectations.expect(key, mark);
                info!(set = %key, pod = name, "pod created");
                let text = text("successful");
                self.pods.say(&set.metadata, EventType::Normal, "SuccessfulCreate", text);
                Ok(())
            }
            Err(error) if is_gone(&error) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                let there = self.pods.api(namespace(key)).get_metadata_opt(&name).await?;
                let is_ours = there.as_ref().is_some_and(|there| {
                    let owners = there.metadata.owner_references.iter().flatten();
                    owners.into_iter().any(|one| Some(&one.uid) == set.metadata.uid.as_ref())
                });
                // It was made before, and the cache is about to show it; or it is of an earlier set
                // of this name, and about to go.
                let is_going = there.is_some_and(|one| one.metadata.deletion_timestamp.is_some());
                if is_ours {
                    return Ok(());
                }
                if !is_going {
                    let text = text(&format!("failed error: {}", status.message));
                    self.pods.say(&set.metadata, EventType::Warning, "FailedCreate", text);
                }
                Err(kube::Error::Api(status))
            }
            Err(error) => {
                if !is_refusal(&error) {
                    // It may have been made all the same.
                    self.pods.expectations.doubt(key);
                }
                let text = text(&format!("failed error: {}", message(&error)));
                self.pods.say(&set.metadata, EventType::Warning, "FailedCreate", text);
                Err(error)
            }
        }
    }

    async fn write(
        &self,
        key: &NamespacedName,
        set: &StatefulSet,
        status: k8s_openapi::api::apps::v1::StatefulSetStatus,
    ) -> Result<(), kube::Error> {
        let object = StatefulSet { status: Some(status), ..set.clone() };
        let api = self.api::<StatefulSet>(key);
        let version =
            written(api.replace_status(&key.name, &PostParams::default(), &object).await)?;
        self.pods.expectations.expect(key, self.sets.mark(version.as_deref()));
        Ok(())
    }
}

/// Where templates are found.
struct Templates<'a> {
    set: &'a StatefulSet,
    existing: &'a [ControllerRevision],
    newest: &'a ControllerRevision,
}

impl Templates<'_> {
    /// The template of a revision; the set's own if that revision is gone.
    fn of(&self, revision: &str) -> Option<PodTemplateSpec> {
        let spec = self.set.spec.as_ref()?;
        if revision == revisions::name(self.newest) {
            return Some(spec.template.clone());
        }
        let kept = self.existing.iter().find(|one| revisions::name(one) == revision);
        Some(kept.and_then(revisions::template).unwrap_or_else(|| spec.template.clone()))
    }
}
