//! Binds claims to volumes, has volumes made and grown for claims, and gives back what claims leave.
//!
//! Volumes of this project's own provisioner are folders on nodes. Here they are objects: the node
//! makes the folder when a pod first mounts it, and removes it when the volume is deleted.
//!
//! Spec: <https://kubernetes.io/docs/concepts/storage/persistent-volumes/>

mod index;
mod local_path;
mod plan;
mod views;
mod writes;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::runtime::watcher;
use kube::{Api, Client};
use parking_lot::Mutex;
use wk_api::names::NamespacedName;
use wk_client::{EventRecorder, Informer, Outcome, WorkQueue};

use crate::watched::{PodView, Watched};
use crate::{Shell, conflict_is_later};
use index::Groups;
use plan::{Scene, VolumePlan, default_class, plan_claim, plan_volume};
use views::{ClaimView, ClassView, VolumeView};

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Claim(NamespacedName),
    Volume(String),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim(key) => write!(f, "claim {key}"),
            Self::Volume(name) => write!(f, "volume {name}"),
        }
    }
}

/// What concerns what.
#[derive(Debug, Default)]
struct Index {
    /// Claims that wait, by class.
    waiting: Groups<String, NamespacedName>,
    /// Claims by the volume they name.
    naming: Groups<String, NamespacedName>,
    /// Volumes by the claim they name.
    reserved: Groups<NamespacedName, String>,
    /// Volumes that name no claim, by class.
    free: Groups<String, String>,
    /// Volumes of nodes' own folders, by node.
    kept: Groups<String, String>,
    /// Pods without a node, by each claim that they use.
    pods: HashMap<NamespacedName, BTreeSet<String>>,
}

struct Context {
    client: Client,
    watched: Arc<Watched>,
    claims: Informer<ClaimView>,
    volumes: Informer<VolumeView>,
    classes: Informer<ClassView>,
    index: Mutex<Index>,
    queue: WorkQueue<Key>,
    /// Tells of binding, in the name that Kubernetes uses.
    events: EventRecorder,
    /// Tells of the provisioner's work.
    provisioner_events: EventRecorder,
}

pub(crate) fn run(watching: &Client, client: Client, shell: &Shell) {
    let group = &shell.group;
    let config = watcher::Config::default;
    let context = Arc::new(Context {
        watched: Arc::clone(&shell.watched),
        claims: Informer::projected(
            Api::<PersistentVolumeClaim>::all(watching.clone()),
            config(),
            group,
            |claim| Some(ClaimView::of(claim)),
        ),
        volumes: Informer::projected(
            Api::<PersistentVolume>::all(watching.clone()),
            config(),
            group,
            |volume| Some(VolumeView::of(volume)),
        ),
        classes: Informer::projected(
            Api::<StorageClass>::all(watching.clone()),
            config(),
            group,
            |class| Some(ClassView::of(class)),
        ),
        index: Mutex::default(),
        queue: WorkQueue::default(),
        events: EventRecorder::start(client.clone(), "persistentvolume-controller", None, group),
        provisioner_events: EventRecorder::start(
            client.clone(),
            wk_api::well_known::LOCAL_PATH_PROVISIONER,
            None,
            group,
        ),
        client: client.clone(),
    });
    listen(&context, shell);
    local_path::seed(client, context.classes.clone(), shell);
    let worker = Arc::clone(&context);
    shell.run("persistentvolume-binder", &context.queue, 8, move |key| {
        let context = Arc::clone(&worker);
        async move { conflict_is_later(Box::pin(context.reconcile(&key)).await) }
    });
}

/// Has everything looked at that a change concerns.
fn listen(context: &Arc<Context>, shell: &Shell) {
    let from_claim = Arc::downgrade(context);
    context.claims.on_change(move |key| {
        if let Some(context) = from_claim.upgrade() {
            context.claim_changed(key);
        }
    });
    let from_volume = Arc::downgrade(context);
    context.volumes.on_change(move |key| {
        if let Some(context) = from_volume.upgrade() {
            context.volume_changed(&key.name);
        }
    });
    let from_class = Arc::downgrade(context);
    context.classes.on_change(move |key| {
        let Some(context) = from_class.upgrade() else { return };
        let index = context.index.lock();
        // One that became the default one concerns those without a class.
        let claims = [key.name.as_str(), ""].map(|class| index.waiting.of(class));
        for claim in claims.into_iter().flatten() {
            context.queue.add(Key::Claim(claim));
        }
    });
    let from_node = Arc::downgrade(context);
    shell.watched.nodes.on_change(move |key| {
        let Some(context) = from_node.upgrade() else { return };
        if context.watched.nodes.get(key).is_none() {
            let kept = context.index.lock().kept.of(&key.name);
            for volume in kept {
                context.queue.add(Key::Volume(volume));
            }
        }
    });
    let from_pod = Arc::downgrade(context);
    let claims_of = Mutex::new(HashMap::new());
    shell.watched.on_pod(move |key, _before, pod| {
        let Some(context) = from_pod.upgrade() else { return };
        context.pod_changed(key, pod, &mut claims_of.lock());
    });
}

impl Context {
    fn claim_changed(&self, key: &NamespacedName) {
        let claim = self.claims.get(key);
        let waits = claim.as_ref().filter(|claim| !claim.is_bound());
        let mut index = self.index.lock();
        index.waiting.put(key, waits.map(|claim| claim.class().to_owned()));
        index.naming.put(key, claim.as_ref().and_then(|claim| claim.volume.clone()));
        // They have to know what became of their claim.
        let reserved = index.reserved.of(key);
        drop(index);
        self.queue.add(Key::Claim(key.clone()));
        for volume in reserved {
            self.queue.add(Key::Volume(volume));
        }
    }

    fn volume_changed(&self, name: &str) {
        let volume = self.volumes.get_cluster(name);
        let owner = volume.as_ref().and_then(|volume| volume.claim.as_ref()).map(|own| &own.key);
        let free = volume.as_ref().filter(|volume| volume.is_free());
        let node = volume.as_ref().and_then(|volume| volume.node());
        let name = name.to_owned();
        let mut index = self.index.lock();
        let before = index.reserved.put(&name, owner.cloned());
        index.free.put(&name, free.map(|volume| volume.class.clone()));
        index.kept.put(&name, node.map(str::to_owned));
        let mut claims: Vec<_> = before.into_iter().chain(owner.cloned()).collect();
        claims.extend(index.naming.of(&name));
        if let Some(volume) = free.filter(|volume| volume.phase == "Available") {
            claims.extend(index.waiting.of(&volume.class));
        }
        drop(index);
        self.queue.add(Key::Volume(name));
        for claim in claims {
            self.queue.add(Key::Claim(claim));
        }
    }

    /// Notes the claims that a pod without a node waits for; `claims_of` is what was noted before.
    fn pod_changed(
        &self,
        key: &NamespacedName,
        pod: Option<&PodView>,
        claims_of: &mut HashMap<NamespacedName, Vec<NamespacedName>>,
    ) {
        let waits = pod.filter(|pod| pod.node.is_none() && pod.is_active());
        let now: Vec<NamespacedName> = waits
            .into_iter()
            .flat_map(|pod| pod.claims.iter().map(|name| (&pod.namespace, name)))
            .map(|(namespace, name)| NamespacedName::new(&**namespace, &**name))
            .collect();
        let before = claims_of.remove(key).unwrap_or_default();
        if before == now {
            if !now.is_empty() {
                claims_of.insert(key.clone(), now);
            }
            return;
        }
        let mut index = self.index.lock();
        for claim in &before {
            if let Some(pods) = index.pods.get_mut(claim) {
                pods.remove(&key.name);
                if pods.is_empty() {
                    index.pods.remove(claim);
                }
            }
        }
        for claim in &now {
            index.pods.entry(claim.clone()).or_default().insert(key.name.clone());
            self.queue.add(Key::Claim(claim.clone()));
        }
        drop(index);
        if !now.is_empty() {
            claims_of.insert(key.clone(), now);
        }
    }

    async fn reconcile(&self, key: &Key) -> Result<Outcome, kube::Error> {
        tokio::join!(self.claims.ready(), self.volumes.ready(), self.classes.ready());
        match key {
            Key::Claim(key) => match self.claims.get(key) {
                Some(claim) => self.claim(&claim).await,
                None => Ok(Outcome::Done),
            },
            Key::Volume(name) => match self.volumes.get_cluster(name) {
                Some(volume) => self.volume(&volume).await,
                None => Ok(Outcome::Done),
            },
        }
    }

    async fn claim(&self, claim: &ClaimView) -> Result<Outcome, kube::Error> {
        let key = claim.key();
        let (mut candidates, waiting_pods) = {
            let index = self.index.lock();
            let mut names = index.reserved.of(&key);
            if !claim.is_bound() {
                names.extend(index.free.of(claim.class()));
            }
            let pods = index.pods.get(&key).into_iter().flatten().cloned().collect::<Vec<_>>();
            (names, pods)
        };
        let candidates: Vec<Arc<VolumeView>> =
            candidates.drain(..).filter_map(|name| self.volumes.get_cluster(&name)).collect();
        let class = self.classes.get_cluster(claim.class());
        let classes = if claim.class.is_none() { self.classes.list() } else { Vec::new() };
        let named = claim.volume.as_deref().and_then(|name| self.volumes.get_cluster(name));
        let plan = plan_claim(Scene {
            claim,
            class: class.as_deref(),
            default_class: default_class(&classes),
            named: named.as_ref(),
            candidates: &candidates,
            waiting_pods: &waiting_pods,
        });
        self.carry_out(claim, class.as_deref(), plan).await
    }

    async fn volume(&self, volume: &VolumeView) -> Result<Outcome, kube::Error> {
        let claim = volume.claim.as_ref().and_then(|own| self.claims.get(&own.key));
        let node = volume.node().map(|node| self.watched.nodes.get_cluster(node).is_some());
        let has_node = node.unwrap_or(true);
        let mut plan = plan_volume(volume, claim.as_deref(), has_node);
        if matches!(plan, VolumePlan::Release | VolumePlan::Delete) {
            // Data is at stake: a cache that is behind is no witness that a claim is gone.
            let live = self.live_claim(volume).await?;
            plan = plan_volume(volume, live.as_ref(), has_node);
        }
        self.carry_out_volume(volume, plan).await
    }
}
