//! Keeps a pod on every node that fits.
//!
//! Spec: <https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/>

mod backoff;
mod fit;
mod plan;
mod pods;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, DaemonSetStatus};
use kube::api::PostParams;
use kube::{Api, Client};
use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::info;
use wk_api::names::NamespacedName;
use wk_api::well_known::CONTROLLER_REVISION_HASH_LABEL;
use wk_client::{EventRecorder, EventType, Informer, Outcome, WorkQueue};

use crate::claims::{Claimant, written};
use crate::expectations::Expectations;
use crate::history::{History, Recorded};
use crate::pod_control::PodControl;
use crate::revisions::{self, Newest};
use crate::wake::wake;
use crate::watched::{NodeView, Phase, PodView, Selecting, selecting, selector};
use crate::{CONFLICT_DELAY, Shell, conflict_is_later};
use backoff::{Failures, SetVersion};
use fit::{Fit, Placement};
use plan::{Ended, KIND, Observed, Plan, plan};

struct Context {
    sets: Informer<Selecting<DaemonSet>>,
    history: History,
    pods: PodControl,
    failures: Mutex<Failures>,
    /// The nodes as they were when they were last looked at.
    nodes: Mutex<HashMap<String, Arc<NodeView>>>,
}

pub(crate) fn run(
    watching: &Client,
    client: Client,
    revisions: Informer<ControllerRevision>,
    shell: &Shell,
) {
    let sets = selecting(watching, &shell.group, |set: &DaemonSet| {
        selector(set.spec.as_ref().map(|spec| &spec.selector))
    });
    let events = EventRecorder::start(client.clone(), "daemonset-controller", None, &shell.group);
    let pods = PodControl {
        client: client.clone(),
        events,
        watched: Arc::clone(&shell.watched),
        expectations: Expectations::default(),
        kind: KIND,
        finalizer: None,
    };
    let queue = WorkQueue::<NamespacedName>::default();
    let context = Arc::new(Context {
        sets,
        history: History {
            client,
            revisions,
            kind: KIND,
            hash_label: CONTROLLER_REVISION_HASH_LABEL,
        },
        pods,
        failures: Mutex::default(),
        nodes: Mutex::default(),
    });
    context.listen(&queue);
    shell.run("daemonset", &queue, 5, move |key| {
        let context = Arc::clone(&context);
        async move { conflict_is_later(Box::pin(context.reconcile(&key)).await) }
    });
}

fn namespace(key: &NamespacedName) -> &str {
    key.namespace.as_deref().unwrap_or_default()
}

impl Context {
    fn listen(self: &Arc<Self>, queue: &WorkQueue<NamespacedName>) {
        wake(KIND, &self.sets, &self.pods.watched, queue);
        self.history.wake(queue);
        let (from_node, on_node) = (queue.clone(), Arc::clone(self));
        self.pods.watched.nodes.on_change(move |key| on_node.node_changed(&key.name, &from_node));
    }

    /// Asks for a look at the sets to which a node is something else now: nodes change often, and
    /// seldom in what counts.
    fn node_changed(&self, name: &str, queue: &WorkQueue<NamespacedName>) {
        let now = self.pods.watched.nodes.get_cluster(name);
        let before = {
            let mut nodes = self.nodes.lock();
            match &now {
                Some(node) => nodes.insert(name.to_owned(), Arc::clone(node)),
                None => nodes.remove(name),
            }
        };
        for set in self.sets.list() {
            let Some(spec) = &set.object.spec else { continue };
            let placement = Placement::of(&spec.template);
            let fit = |node: &Option<Arc<NodeView>>| {
                node.as_ref().map_or(Fit::default(), |node| placement.fit(node))
            };
            if fit(&before) != fit(&now) {
                queue.add(NamespacedName::of(&set.object.metadata));
            }
        }
    }

    async fn reconcile(&self, key: &NamespacedName) -> Result<Outcome, kube::Error> {
        self.sets.ready().await;
        self.history.revisions.ready().await;
        let Some(seen) = self.sets.get(key) else {
            self.pods.expectations.forget(key);
            return Ok(Outcome::Done);
        };
        if let Some(later) = self.pods.expectations.unseen(key) {
            return Ok(later);
        }
        let set = &seen.object;
        let version = SetVersion {
            uid: set.metadata.uid.clone().unwrap_or_default(),
            generation: set.metadata.generation.unwrap_or(0),
        };
        if set.metadata.deletion_timestamp.is_some() {
            self.failures.lock().forget(&version.uid, None);
            return Ok(Outcome::Done);
        }
        if seen.selector.is_everything() {
            let text = "This daemon set is selecting all pods. A non-empty selector is required.";
            self.pods.say(&set.metadata, EventType::Warning, "SelectingAll", text);
            return Ok(Outcome::Done);
        }
        let existing = self.history.of(key, &version.uid);
        let Some(spec) = &set.spec else { return Ok(Outcome::Done) };
        let collisions = set.status.as_ref().and_then(|status| status.collision_count);
        let newest = self.history.newest(&set.metadata, &spec.template, collisions, &existing);
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
        let claimant = Claimant::of(&set.metadata, &seen.selector);
        let Some(pods) = self.pods.claim::<DaemonSet>(&set.metadata, claimant).await? else {
            return Ok(Outcome::Done);
        };
        Box::pin(self.bring_closer(key, &seen, &version, (&newest, &existing), &pods)).await
    }

    async fn bring_closer(
        &self,
        key: &NamespacedName,
        seen: &Selecting<DaemonSet>,
        version: &SetVersion,
        (newest, existing): (&Newest, &[ControllerRevision]),
        pods: &[Arc<PodView>],
    ) -> Result<Outcome, kube::Error> {
        let Selecting { object: set, selector } = seen;
        let nodes = self.pods.watched.nodes.list();
        let waiting = {
            let mut failures = self.failures.lock();
            failures.forget(&version.uid, Some(version.generation));
            failures.waiting(version, Instant::now())
        };
        let hash = self.history.hash(newest.revision());
        let now = Timestamp::now();
        let plan = plan(&Observed { set, hash, nodes: &nodes, pods, waiting: &waiting, now });
        let has_work = !plan.create.is_empty() || !plan.delete.is_empty();
        if has_work && let Some(again) = self.pods.look_again(&set.metadata, selector).await? {
            return Ok(again);
        }
        self.tell(set, version, &plan.ended);
        let result = self.carry_out(set, hash, &plan).await;
        if result.is_ok() {
            let label = CONTROLLER_REVISION_HASH_LABEL;
            let hashes = pods.iter().filter_map(|pod| pod.labels.get(label).map(String::as_str));
            let live: Vec<&str> = hashes.chain([hash]).collect();
            let is_live = |one: &&ControllerRevision| live.contains(&self.history.hash(one));
            let live: Vec<&str> = existing.iter().filter(is_live).map(revisions::name).collect();
            let limit = set.spec.as_ref().and_then(|spec| spec.revision_history_limit);
            self.history.cut(key, limit, existing, &live).await?;
        }
        if set.status.as_ref() != Some(&plan.status) {
            self.write(key, set, plan.status).await?;
        }
        result.map(|()| plan.again.map_or(Outcome::Done, Outcome::After))
    }

    /// Tells of pods that ended, and makes their nodes wait for the next one.
    fn tell(&self, set: &DaemonSet, version: &SetVersion, ended: &[Ended]) {
        for Ended { node, pod } in ended {
            let name = format!("{}/{}", pod.namespace, pod.name);
            if pod.phase == Phase::Succeeded {
                let text = format!(
                    "Found succeeded daemon pod {name} on node {node}, will try to delete it"
                );
                self.pods.say(&set.metadata, EventType::Normal, "SucceededDaemonPod", text);
                continue;
            }
            self.failures.lock().note(version, node, Instant::now());
            let text =
                format!("Found failed daemon pod {name} on node {node}, will try to kill it");
            self.pods.say(&set.metadata, EventType::Warning, "FailedDaemonPod", text);
        }
    }

    async fn carry_out(&self, set: &DaemonSet, hash: &str, plan: &Plan) -> Result<(), kube::Error> {
        let Some(spec) = &set.spec else { return Ok(()) };
        let name = set.metadata.name.as_deref().unwrap_or_default();
        for node in &plan.create {
            info!(set = name, node, "daemon pod wanted");
        }
        let new = |node: &String| pods::pod(&self.pods, &set.metadata, &spec.template, hash, node);
        let new: Vec<_> = plan.create.iter().map(new).collect();
        let made = self.pods.create_all(&set.metadata, new, 0).await;
        let gone = self.pods.delete_all(&set.metadata, &plan.delete).await;
        made.and(gone)
    }

    fn api(&self, key: &NamespacedName) -> Api<DaemonSet> {
        Api::namespaced(self.pods.client.clone(), namespace(key))
    }

    async fn write(
        &self,
        key: &NamespacedName,
        set: &DaemonSet,
        status: DaemonSetStatus,
    ) -> Result<(), kube::Error> {
        let object = DaemonSet { status: Some(status), ..set.clone() };
        let api = self.api(key);
        let version =
            written(api.replace_status(&key.name, &PostParams::default(), &object).await)?;
        self.pods.expectations.expect(key, self.sets.mark(version.as_deref()));
        Ok(())
    }
}
