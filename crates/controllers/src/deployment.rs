//! Brings the pods of a Deployment from one template to the next through its replica sets.
//!
//! Spec: <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/>

mod plan;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus, ReplicaSet};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client};
use serde_json::json;
use tracing::{debug, info};
use wk_api::names::{NamespacedName, Uid};
use wk_api::well_known::DEPLOYMENT_REVISION_ANNOTATION;
use wk_client::{EventRecorder, EventType, Outcome, WorkQueue};

use crate::claims::{Claim, Claimant, adopt, release, written};
use crate::expectations::Expectations;
use crate::meta::Meta;
use crate::pod_control::{is_refusal, message};
use crate::watched::{Selecting, Watched};
use crate::{Shell, conflict_is_later, is_gone};
use plan::{KIND, Step, is_same_template, plan};

/// When to look again while the caches are behind, if no event brings the Deployment back before.
const BEHIND: Duration = Duration::from_millis(100);

struct Context {
    client: Client,
    watched: Arc<Watched>,
    events: EventRecorder,
    expectations: Expectations,
}

pub(crate) fn run(client: Client, shell: &Shell) {
    let queue = WorkQueue::<NamespacedName>::default();
    let watched = Arc::clone(&shell.watched);
    let from_deployment = queue.clone();
    watched.deployments.on_change(move |key| from_deployment.add(key.clone()));
    let (from_set, seen) = (queue.clone(), Arc::clone(&watched));
    watched.replica_sets.on_change(move |key| {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let set = seen.replica_sets.get(key);
        let meta = set.as_ref().map(|set| Meta::of(&set.object.metadata));
        let owner = meta.as_ref().and_then(Meta::controller);
        if let Some(owner) = owner {
            if owner.is_a(&KIND) {
                from_set.add(NamespacedName::new(namespace, &*owner.name));
            }
            return;
        }
        // Nobody manages it, or it is gone and does not say whose it was.
        let labels = set.as_ref().map(|set| set.object.metadata.labels.clone().unwrap_or_default());
        for deployment in seen.deployments.in_namespace(namespace) {
            if labels.as_ref().is_none_or(|labels| deployment.selector.matches_map(labels)) {
                from_set.add(NamespacedName::of(&deployment.object.metadata));
            }
        }
    });
    let events = EventRecorder::start(client.clone(), "deployment-controller", None, &shell.group);
    let expectations = Expectations::default();
    let context = Arc::new(Context { client, watched, events, expectations });
    shell.run("deployment", &queue, 8, move |key| {
        let context = Arc::clone(&context);
        async move { conflict_is_later(Box::pin(context.reconcile(&key)).await) }
    });
}

impl Context {
    fn deployments(&self, key: &NamespacedName) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), key.namespace.as_deref().unwrap_or_default())
    }

    fn sets(&self, key: &NamespacedName) -> Api<ReplicaSet> {
        Api::namespaced(self.client.clone(), key.namespace.as_deref().unwrap_or_default())
    }

    fn expect_set(&self, key: &NamespacedName, version: Option<&str>) {
        self.expectations.expect(key, self.watched.replica_sets.mark(version));
    }

    fn say(&self, meta: &ObjectMeta, event_type: EventType, reason: &str, text: String) {
        self.events.publish(KIND.event_reference(meta), event_type, reason, text);
    }

    async fn reconcile(&self, key: &NamespacedName) -> Result<Outcome, kube::Error> {
        let Some(seen) = self.watched.deployments.get(key) else {
            self.expectations.forget(key);
            return Ok(Outcome::Done);
        };
        if let Some(later) = self.expectations.unseen(key) {
            return Ok(later);
        }
        let deployment = &seen.object;
        if seen.selector.is_everything() {
            let text = "This deployment is selecting all pods. A non-empty selector is required.";
            let meta = &deployment.metadata;
            self.say(meta, EventType::Warning, "SelectingAll", text.to_owned());
            return Ok(Outcome::Done);
        }
        let Some(sets) = self.claim(key, &seen).await? else { return Ok(Outcome::Done) };
        let live_owners = self.live_owners(&sets);
        let plan = plan(deployment, sets, &live_owners, Timestamp::now());
        let mut version = deployment.metadata.resource_version.clone();
        if !plan.steps.is_empty()
            && let Some(again) = Box::pin(self.look_again(key, deployment)).await?
        {
            return Ok(again);
        }
        for step in plan.steps {
            let done = Box::pin(self.carry_out(key, deployment, step, &mut version)).await;
            if done.as_ref().is_err_and(|error| !is_refusal(error)) {
                // It may have been done all the same.
                self.expectations.doubt(key);
            }
            if !done? {
                return Ok(Outcome::Done);
            }
        }
        if deployment.status.as_ref() != Some(&plan.status) {
            self.write_status(key, deployment, plan.status, version).await?;
        }
        let again = plan.again.map(|seconds| Outcome::After(Duration::from_secs(seconds)));
        Ok(again.unwrap_or(Outcome::Done))
    }

    /// `None` if the caches show the Deployment and all its sets as the server has them: what each set
    /// may have depends on all the others. The server is asked only if it was not yet in this term of
    /// leadership, or since an answer got lost. Whoever made it ask has to look again: what they have
    /// seen may be older than the answer.
    async fn look_again(
        &self,
        key: &NamespacedName,
        deployment: &Deployment,
    ) -> Result<Option<Outcome>, kube::Error> {
        let uid = Uid::new(deployment.metadata.uid.clone().unwrap_or_default());
        // Before the question: what another replica does after it is not in the answer.
        let term = self.watched.leadership.term();
        if self.expectations.is_complete(key, &uid, term) {
            return Ok(None);
        }
        let live = self.deployments(key).get_metadata_opt(&key.name).await?;
        let version = live.and_then(|live| live.metadata.resource_version);
        if version != deployment.metadata.resource_version {
            return Ok(Some(Outcome::After(BEHIND)));
        }
        let selector = deployment.spec.as_ref().map(|spec| &spec.selector);
        let labels = selector.and_then(|one| one.match_labels.as_ref()).into_iter().flatten();
        let labels: Vec<String> = labels.map(|(label, value)| format!("{label}={value}")).collect();
        let params = ListParams::default().labels(&labels.join(","));
        let there = self.sets(key).list_metadata(&params).await?;
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let is_shown = there.items.iter().all(|set| {
            let mut owners = set.metadata.owner_references.iter().flatten();
            if !owners.any(|one| one.controller == Some(true) && one.uid == uid.as_str()) {
                return true;
            }
            let name = set.metadata.name.as_deref().unwrap_or_default();
            let shown = self.watched.replica_sets.get(&NamespacedName::new(namespace, name));
            shown.is_some_and(|shown| {
                shown.object.metadata.resource_version == set.metadata.resource_version
            })
        });
        if !is_shown {
            return Ok(Some(Outcome::After(BEHIND)));
        }
        self.expectations.found_complete(key, uid, term);
        Ok(Some(Outcome::After(Duration::ZERO)))
    }

    /// The sets that the Deployment manages; `None` if that has just changed.
    async fn claim(
        &self,
        key: &NamespacedName,
        seen: &Selecting<Deployment>,
    ) -> Result<Option<Vec<ReplicaSet>>, kube::Error> {
        let owner = &seen.object.metadata;
        let claimant = Claimant::of(owner, &seen.selector);
        let api = self.sets(key);
        let (mut ours, mut is_same, mut is_checked) = (Vec::new(), true, false);
        for set in self.watched.replica_sets.in_namespace(key.namespace.as_deref().unwrap_or("")) {
            let meta = Meta::of(&set.object.metadata);
            let labels = set.object.metadata.labels.clone().unwrap_or_default();
            let name = set.object.metadata.name.as_deref().unwrap_or_default();
            let version = match claimant.claim(&meta, &labels) {
                Claim::Ours => {
                    ours.push(set.object.clone());
                    continue;
                }
                Claim::Ignore => continue,
                Claim::Release => release(&api, name, &meta.uid, claimant.uid, None).await?,
                Claim::Adopt => {
                    if !is_checked && !self.is_live(key, owner).await? {
                        return Ok(None);
                    }
                    is_checked = true;
                    adopt(&api, name, &meta.uid, &KIND.controls(owner), None).await?
                }
            };
            is_same = false;
            self.expect_set(key, version.as_deref());
        }
        Ok(is_same.then_some(ours))
    }

    async fn is_live(&self, key: &NamespacedName, owner: &ObjectMeta) -> Result<bool, kube::Error> {
        let live = self.deployments(key).get_metadata_opt(&key.name).await?;
        Ok(live.is_some_and(|live| {
            live.metadata.uid == owner.uid && live.metadata.deletion_timestamp.is_none()
        }))
    }

    /// The uids of those sets that have pods which have not ended.
    fn live_owners(&self, sets: &[ReplicaSet]) -> HashSet<String> {
        let uids = sets.iter().filter_map(|set| set.metadata.uid.clone());
        uids.filter(|uid| self.watched.has_pod(&Uid::new(uid.as_str()), |pod| !pod.is_finished()))
            .collect()
    }

    /// Does one thing; `false` if what was planned behind it no longer holds.
    async fn carry_out(
        &self,
        key: &NamespacedName,
        deployment: &Deployment,
        step: Step,
        version: &mut Option<String>,
    ) -> Result<bool, kube::Error> {
        let api = self.sets(key);
        let scaled = |text: String| {
            self.say(&deployment.metadata, EventType::Normal, "ScalingReplicaSet", text);
        };
        match step {
            Step::Create(set) => return Box::pin(self.create(key, deployment, set)).await,
            Step::Update { set, event } => {
                let name = set.metadata.name.clone().unwrap_or_default();
                let result = api.replace(&name, &PostParams::default(), &set).await;
                let version = written(result)?;
                self.expect_set(key, version.as_deref());
                if let Some(text) = event {
                    info!(deployment = %key, "{text}");
                    scaled(text);
                }
            }
            Step::Delete(set) => {
                let name = set.metadata.name.clone().unwrap_or_default();
                let preconditions = Some(Preconditions {
                    uid: set.metadata.uid.clone(),
                    resource_version: set.metadata.resource_version.clone(),
                });
                let params = DeleteParams { preconditions, ..DeleteParams::background() };
                crate::unless_gone(api.delete(&name, &params).await)?;
                debug!(deployment = %key, set = name, "old set deleted");
            }
            Step::Annotate(number) => {
                let annotations = json!({DEPLOYMENT_REVISION_ANNOTATION: number.to_string()});
                let patch = Patch::Merge(json!({"metadata": {
                    "uid": deployment.metadata.uid,
                    "resourceVersion": version,
                    "annotations": annotations,
                }}));
                let params = PatchParams::default();
                let patched = self.deployments(key).patch_status(&key.name, &params, &patch).await;
                *version = written(patched)?;
                let mark = self.watched.deployments.mark(version.as_deref());
                self.expectations.expect(key, mark);
            }
        }
        Ok(true)
    }

    async fn create(
        &self,
        key: &NamespacedName,
        deployment: &Deployment,
        set: ReplicaSet,
    ) -> Result<bool, kube::Error> {
        let api = self.sets(key);
        let name = set.metadata.name.clone().unwrap_or_default();
        match api.create(&PostParams::default(), &set).await {
            Ok(made) => {
                self.expect_set(key, made.metadata.resource_version.as_deref());
                let replicas = set.spec.and_then(|spec| spec.replicas).unwrap_or(0);
                if replicas > 0 {
                    let text = format!("Scaled up replica set {name} from 0 to {replicas}");
                    info!(deployment = %key, "{text}");
                    self.say(&deployment.metadata, EventType::Normal, "ScalingReplicaSet", text);
                }
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                self.collided(key, deployment, &set, api.get_opt(&name).await?.as_ref()).await?;
                Ok(false)
            }
            Err(error) if is_gone(&error) => Ok(false),
            Err(error) => {
                let text =
                    format!("Failed to create new replica set \"{name}\": {}", message(&error));
                self.failed_to_create(key, deployment, text).await?;
                Err(error)
            }
        }
    }

    /// A set of this name is there: ours, which the cache did not show, or one with another
    /// template, which makes the next try use another name.
    async fn collided(
        &self,
        key: &NamespacedName,
        deployment: &Deployment,
        wanted: &ReplicaSet,
        there: Option<&ReplicaSet>,
    ) -> Result<(), kube::Error> {
        let Some(there) = there else { return Ok(()) };
        let owner = Meta::of(&there.metadata);
        let is_ours = owner
            .controller()
            .is_some_and(|owner| Some(owner.uid.as_str()) == deployment.metadata.uid.as_deref());
        let template = |set: &ReplicaSet| set.spec.as_ref().and_then(|spec| spec.template.clone());
        let is_same = template(there).zip(template(wanted)).is_some_and(|(a, mut b)| {
            if let Some(labels) = b.metadata.as_mut().and_then(|meta| meta.labels.as_mut()) {
                labels.remove(wk_api::well_known::POD_TEMPLATE_HASH_LABEL);
            }
            is_same_template(&a, &b)
        });
        if is_ours && is_same {
            self.expect_set(key, there.metadata.resource_version.as_deref());
            return Ok(());
        }
        let mut status = deployment.status.clone().unwrap_or_default();
        status.collision_count = Some(status.collision_count.unwrap_or(0).saturating_add(1));
        debug!(deployment = %key, count = status.collision_count, "hash collision");
        let version = deployment.metadata.resource_version.clone();
        self.write_status(key, deployment, status, version).await
    }

    async fn failed_to_create(
        &self,
        key: &NamespacedName,
        deployment: &Deployment,
        text: String,
    ) -> Result<(), kube::Error> {
        let now = Timestamp::now();
        let reason = "ReplicaSetCreateError";
        self.say(&deployment.metadata, EventType::Warning, reason, text.clone());
        let mut status = deployment.status.clone().unwrap_or_default();
        plan::note_failure(deployment, &mut status, reason, text, now);
        if deployment.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let version = deployment.metadata.resource_version.clone();
        self.write_status(key, deployment, status, version).await
    }

    async fn write_status(
        &self,
        key: &NamespacedName,
        deployment: &Deployment,
        status: DeploymentStatus,
        version: Option<String>,
    ) -> Result<(), kube::Error> {
        let mut object = Deployment { status: Some(status), ..deployment.clone() };
        object.metadata.resource_version = version;
        let api = self.deployments(key);
        let version =
            written(api.replace_status(&key.name, &PostParams::default(), &object).await)?;
        let mark = self.watched.deployments.mark(version.as_deref());
        self.expectations.expect(key, mark);
        Ok(())
    }
}
