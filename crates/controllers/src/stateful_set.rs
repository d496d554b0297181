//! Keeps pods with names, claims and an order of their own.
//!
//! Spec: <https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/>

mod plan;
mod pods;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::json;
use tracing::info;
use wk_api::names::NamespacedName;
use wk_client::{EventRecorder, EventType, Informer, Outcome, WorkQueue};

use crate::claims::{Claimant, written};
use crate::expectations::Expectations;
use crate::meta::Meta;
use crate::pod_control::{PodControl, message};
use crate::revisions::{self, Newest};
use crate::watched::{PodView, Selecting, selecting, selector};
use crate::{Shell, conflict_is_later, is_gone, unless_gone};
use plan::{KIND, NewPod, Plan, ordinal, plan};
use pods::Retention;

struct Context {
    sets: Informer<Selecting<StatefulSet>>,
    revisions: Informer<ControllerRevision>,
    pods: PodControl,
}

/// Watches all stateful sets.
pub(crate) fn watch(watching: &Client, shell: &Shell) -> Informer<Selecting<StatefulSet>> {
    selecting(watching, &shell.group, |set: &StatefulSet| {
        selector(set.spec.as_ref().map(|spec| &spec.selector))
    })
}

pub(crate) fn run(
    client: Client,
    sets: Informer<Selecting<StatefulSet>>,
    revisions: Informer<ControllerRevision>,
    shell: &Shell,
) {
    let events = EventRecorder::start(client.clone(), "statefulset-controller", None, &shell.group);
    let pods = PodControl {
        client,
        events,
        watched: Arc::clone(&shell.watched),
        expectations: Expectations::default(),
        kind: KIND,
        finalizer: None,
    };
    let queue = WorkQueue::<NamespacedName>::default();
    let from_set = queue.clone();
    sets.on_change(move |key| from_set.add(key.clone()));
    let (from_revision, seen) = (queue.clone(), revisions.clone());
    revisions.on_change(move |key| {
        let Some(revision) = seen.get(key) else { return };
        let meta = Meta::of(&revision.metadata);
        if let Some(owner) = meta.controller().filter(|owner| owner.is_a(&KIND)) {
            let namespace = key.namespace.clone();
            from_revision.add(NamespacedName { namespace, name: owner.name.to_string() });
        }
    });
    let (from_pod, seen) = (queue.clone(), sets.clone());
    shell.watched.on_pod(move |key, before, pod| {
        for owner in before.into_iter().chain(pod.and_then(PodView::controller)) {
            if owner.is_a(&KIND) {
                let namespace = key.namespace.clone();
                from_pod.add(NamespacedName { namespace, name: owner.name.to_string() });
            }
        }
        let Some(pod) = pod.filter(|pod| pod.controller().is_none()) else { return };
        for set in seen.in_namespace(&pod.namespace) {
            if set.selector.matches_map(&pod.labels) {
                from_pod.add(NamespacedName::of(&set.object.metadata));
            }
        }
    });
    let context = Arc::new(Context { sets, revisions, pods });
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
        self.revisions.ready().await;
        let Some(seen) = self.sets.get(key) else {
            self.pods.expectations.forget(key);
            return Ok(Outcome::Done);
        };
        if let Some(later) = self.pods.expectations.unseen(key) {
            return Ok(later);
        }
        let set = &seen.object;
        let claimant = Claimant::of(&set.metadata, &seen.selector);
        let api = self.api::<StatefulSet>(key);
        let live = || async { Ok(api.get_metadata_opt(&key.name).await?.map(|one| one.metadata)) };
        let Some(mut pods) = self.pods.claim(&set.metadata, claimant, live).await? else {
            return Ok(Outcome::Done);
        };
        pods.retain(|pod| ordinal(&key.name, &pod.name).is_some());
        let Some(spec) = &set.spec else { return Ok(Outcome::Done) };
        let existing = self.own_revisions(key, claimant.uid);
        let collisions = set.status.as_ref().and_then(|status| status.collision_count);
        let newest = revisions::newest(
            KIND,
            revisions::HASH_LABEL,
            &set.metadata,
            &spec.template,
            collisions,
            &existing,
        );
        if set.metadata.deletion_timestamp.is_none() && !self.record(key, set, &newest).await? {
            return Ok(Outcome::Done);
        }
        let update = revisions::name(newest.revision()).to_owned();
        let plan = plan(set, &pods, &update, Timestamp::now());
        let again = plan.again;
        let templates = Templates { set, existing: &existing, newest: newest.revision() };
        Box::pin(self.carry_out(key, &templates, plan, &pods)).await?;
        Ok(again.map_or(Outcome::Done, |seconds| Outcome::After(Duration::from_secs(seconds))))
    }

    fn own_revisions(&self, key: &NamespacedName, uid: &str) -> Vec<ControllerRevision> {
        let is_ours = |one: &Arc<ControllerRevision>| {
            Meta::of(&one.metadata).controller().is_some_and(|owner| owner.uid.as_str() == uid)
        };
        let all = self.revisions.in_namespace(namespace(key));
        all.iter().filter(|one| is_ours(one)).map(|one| (**one).clone()).collect()
    }

    /// Writes the newest revision; `false` if its name is taken, and another one is tried next.
    async fn record(
        &self,
        key: &NamespacedName,
        set: &StatefulSet,
        newest: &Newest,
    ) -> Result<bool, kube::Error> {
        let api = self.api::<ControllerRevision>(key);
        let result = match newest {
            Newest::Is(_) => return Ok(true),
            Newest::Renumber(one) => {
                api.replace(revisions::name(one), &PostParams::default(), one).await
            }
            Newest::Create(one) => match api.create(&PostParams::default(), one).await {
                Err(kube::Error::Api(status)) if status.is_already_exists() => {
                    let mut status = set.status.clone().unwrap_or_default();
                    let count = status.collision_count.unwrap_or(0).saturating_add(1);
                    status.collision_count = Some(count);
                    self.write(key, set, status).await?;
                    return Ok(false);
                }
                other => other,
            },
        };
        let version = written(result)?;
        self.pods.expectations.expect(key, self.revisions.mark(version.as_deref()));
        Ok(true)
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
        let retention = Retention::of(set);
        for pod in &plan.delete {
            if retention.goes_with_pod && plan.condemned.iter().any(|one| one.uid() == pod.uid()) {
                self.hand_over(key, set, pod).await?;
            }
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
        let limit = set.spec.as_ref().and_then(|spec| spec.revision_history_limit).unwrap_or(10);
        for one in revisions::surplus(templates.existing, &live, limit) {
            let uid = one.metadata.uid.clone();
            let preconditions = Some(Preconditions { uid, resource_version: None });
            let params = DeleteParams { preconditions, ..DeleteParams::default() };
            let api = self.api::<ControllerRevision>(key);
            unless_gone(api.delete(revisions::name(&one), &params).await)?;
        }
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
        let claims = self.api::<PersistentVolumeClaim>(key);
        for claim in pods::claims(set, &name) {
            let claim_name = claim.metadata.name.clone().unwrap_or_default();
            let text = |how: &str| {
                format!("create Claim {claim_name} Pod {name} in StatefulSet {} {how}", key.name)
            };
            match claims.create(&PostParams::default(), &claim).await {
                Ok(_) => {
                    let text = text("success");
                    self.pods.say(&set.metadata, EventType::Normal, "SuccessfulCreate", text);
                }
                // It is there from before, with what is in it.
                Err(kube::Error::Api(status)) if status.is_already_exists() => {}
                Err(error) if is_gone(&error) => return Ok(()),
                Err(error) => {
                    let text = text(&format!("failed error: {}", message(&error)));
                    self.pods.say(&set.metadata, EventType::Warning, "FailedCreate", text);
                    return Err(error);
                }
            }
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
            Err(error) => {
                let text = text(&format!("failed error: {}", message(&error)));
                self.pods.say(&set.metadata, EventType::Warning, "FailedCreate", text);
                Err(error)
            }
        }
    }

    /// Makes the claims of a pod that does not come back go with it.
    async fn hand_over(
        &self,
        key: &NamespacedName,
        set: &StatefulSet,
        pod: &PodView,
    ) -> Result<(), kube::Error> {
        let owner = OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            name: pod.name.to_string(),
            uid: pod.uid().to_string(),
            controller: None,
            block_owner_deletion: None,
        };
        let api = self.api::<PersistentVolumeClaim>(key);
        for name in pods::claim_names(set, &pod.name).into_values() {
            // Instead of the set: a claim with two owners would stay for the other one.
            let remove = json!({"$patch": "delete", "uid": set.metadata.uid});
            let patch = json!({"metadata": {"ownerReferences": [remove, owner]}});
            let params = PatchParams::default();
            unless_gone(api.patch(&name, &params, &Patch::Strategic(patch)).await)?;
        }
        Ok(())
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
