//! What all parts of a running kubelet share.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use kube::{Api, Client};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Semaphore, broadcast, watch};
use wk_client::{EventRecorder, EventType};
use wk_network::PodNetwork;
use wk_process::TaskGroup;
use wk_runtime::{ContainerExit, ContainerId, PodRef, Runtime};

use crate::config::{KubeletConfig, Runtimes};
use crate::env::Allocatable;
use crate::images::Images;
use crate::machine::Pressures;
use crate::namespace::SANDBOX_CHANGED;
use crate::node::NodeFacts;
use crate::objects::Objects;
use crate::plan::{Role, next_backoff};
use crate::probes::{Figures, Probes};
use crate::report;
use crate::runtime_classes::RuntimeClasses;
use crate::saved::Saved;
use crate::services::Services;
use crate::state::{Phase, PodEntry, Record, Termination, Unsure, parse_container_id};
use crate::static_pods::StaticPods;
use crate::timers::Timers;
use crate::usage::Rates;
use crate::worker;

/// The folder of a pod with what is mounted for `subPath`.
pub(crate) const SUBPATHS: &str = "volume-subpaths";

pub(crate) struct Shared {
    pub(crate) config: KubeletConfig,
    pub(crate) client: Client,
    pub(crate) runtimes: Runtimes,
    pub(crate) images: Arc<dyn Images>,
    pub(crate) network: OnceLock<Arc<dyn PodNetwork>>,
    pub(crate) pods: RwLock<HashMap<String, Arc<PodEntry>>>,
    pub(crate) objects: Arc<Objects>,
    /// What brings the pods back where the API is away.
    pub(crate) saved: Saved,
    pub(crate) services: Services,
    pub(crate) runtime_classes: RuntimeClasses,
    pub(crate) events: EventRecorder,
    pub(crate) timers: Timers,
    pub(crate) probes: Probes,
    pub(crate) probe_figures: Figures,
    /// What was used when somebody asked last.
    pub(crate) rates: Mutex<Rates>,
    /// Bounds how many statuses are written at a time.
    pub(crate) writes: Semaphore,
    pub(crate) tasks: TaskGroup,
    /// Containers that have ended, for those who follow their logs.
    pub(crate) exits: broadcast::Sender<ContainerId>,
    pub(crate) allocatable: Allocatable,
    /// What the API says of the node; `None` until it was asked.
    pub(crate) node: watch::Receiver<Option<Arc<NodeFacts>>>,
    pub(crate) static_pods: StaticPods,
    /// When the kubelet last looked after its pods.
    pub(crate) looked_at: Mutex<tokio::time::Instant>,
    /// Pods that are not known yet and whose sandboxes have ended.
    pub(crate) lost_sandboxes: Mutex<HashSet<String>>,
    /// Held while the node decides whether it takes a pod.
    pub(crate) admitting: Mutex<()>,
    /// Whether the API has told which pods there are.
    pub(crate) knows_pods: AtomicBool,
    /// What the node has too little of.
    pub(crate) pressures: watch::Receiver<Pressures>,
    /// Most pods at a time.
    pub(crate) max_pods: u32,
    /// Set while the kubelet goes down with its containers: their end is no news for anybody.
    pub(crate) frozen: AtomicBool,
    /// Containers that the API says are running and whose engine was away when this process began.
    pub(crate) unsure: Mutex<Unsure>,
}

impl Shared {
    pub(crate) fn pod_api(&self, key: &PodRef) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &key.namespace)
    }

    pub(crate) fn entry(&self, uid: &str) -> Option<Arc<PodEntry>> {
        self.pods.read().get(uid).map(Arc::clone)
    }

    /// The pod of this name; of several, the newest that is not being deleted cannot be told from
    /// here, so any.
    pub(crate) fn entry_by_name(&self, namespace: &str, name: &str) -> Option<Arc<PodEntry>> {
        let pods = self.pods.read();
        let mut named = pods
            .values()
            .filter(|entry| entry.key.name == name && entry.key.namespace == namespace);
        let first = named.next()?;
        let alive = |entry: &&Arc<PodEntry>| !entry.lock().gone;
        Some(Arc::clone(if alive(&first) { first } else { named.find(alive).unwrap_or(first) }))
    }

    pub(crate) fn entries(&self) -> Vec<Arc<PodEntry>> {
        self.pods.read().values().map(Arc::clone).collect()
    }

    /// Lets the pod be looked at; at once, or again when the look in progress is over.
    pub(crate) fn wake(self: &Arc<Self>, entry: &Arc<PodEntry>) {
        if self.frozen.load(Ordering::Acquire) || !entry.lock().worker.ask() {
            return;
        }
        self.tasks.spawn_quiet("pod", worker::run(Arc::clone(self), Arc::clone(entry)));
    }

    pub(crate) fn runtime(&self, linux: bool) -> &Arc<dyn Runtime> {
        match &self.runtimes.linux {
            Some(runtime) if linux => runtime,
            _ => &self.runtimes.wasm,
        }
    }

    /// Where programs of a pod are reached from here: at its address or, where that is a proxy's,
    /// behind that.
    pub(crate) fn reach(&self, entry: &PodEntry) -> Option<IpAddr> {
        let ip = entry.lock().ip?;
        let linux = self.runtimes.linux.as_ref();
        Some(linux.and_then(|linux| linux.pod_address(&entry.key.uid)).unwrap_or(ip))
    }

    /// `wasm://` and the like in front of container ids.
    pub(crate) fn scheme(&self, linux: bool) -> &'static str {
        self.runtime(linux).name()
    }

    /// Takes note that a container has ended.
    pub(crate) fn container_exited(self: &Arc<Self>, id: &ContainerId, exit: &ContainerExit) {
        if self.frozen.load(Ordering::Acquire) {
            return;
        }
        let Some((uid, name)) = parse_container_id(id) else { return };
        let Some(entry) = self.entry(uid) else { return };
        {
            let mut inner = entry.lock();
            let Some(record) = inner.record(name) else { return };
            let Phase::Running { id: running, since } = &record.phase else { return };
            if running != id {
                return;
            }
            let since = *since;
            let finished_at = Timestamp::try_from(exit.finished_at).unwrap_or(since).max(since);
            let ran_for = finished_at.duration_since(since).unsigned_abs();
            record.backoff = Some(next_backoff(record.backoff, ran_for));
            record.phase = Phase::Exited(Box::new(Termination {
                container_id: format!("{}://{id}", self.scheme(record.linux)).into(),
                exit_code: exit.code,
                reason: exit.reason.as_str().into(),
                message: exit.message.as_str().into(),
                started_at: Some(since),
                finished_at,
            }));
            record.ready = false;
            record.started = false;
            record.unhealthy = None;
            record.post_start = false;
            record.fresh_exit = true;
        }
        // Nobody following a log is fine.
        let _followers = self.exits.send(id.clone());
        entry.interrupt.notify_one();
        self.wake(&entry);
    }

    /// Takes note that what the containers of a pod share has ended by itself.
    pub(crate) fn sandbox_ended(self: &Arc<Self>, uid: &str) {
        let Some(entry) = self.entry(uid) else {
            // Told of before the pod: it is asked about when that comes.
            if !self.knows_pods.load(Ordering::Acquire) {
                self.lost_sandboxes.lock().insert(uid.to_owned());
            }
            return;
        };
        let pod = entry.pod();
        {
            let mut inner = entry.lock();
            let began =
                |record: &Record| record.linux && !matches!(record.phase, Phase::NotStarted);
            let matters = !inner.is_stopping(&pod) && inner.records.iter().any(began);
            if !matters || std::mem::replace(&mut inner.sandbox_lost, true) {
                return;
            }
        }
        self.event(&entry.key, None, EventType::Normal, "SandboxChanged", SANDBOX_CHANGED);
        report::ask(self, &entry);
        entry.interrupt.notify_one();
        self.wake(&entry);
    }

    pub(crate) fn event(
        &self,
        key: &PodRef,
        container: Option<(&str, Role)>,
        kind: EventType,
        reason: &str,
        message: impl Into<String>,
    ) {
        self.events.publish(event_object(key, container), kind, reason, message);
    }

    /// The folder of what a pod has on this node, except its logs.
    pub(crate) fn pod_folder(&self, uid: &str) -> PathBuf {
        self.config.data_dir.join("pods").join(uid)
    }

    pub(crate) fn volumes_folder(&self, uid: &str) -> PathBuf {
        self.pod_folder(uid).join("volumes")
    }

    /// Where parts of volumes are mounted for container engines.
    pub(crate) fn subpaths_folder(&self, uid: &str) -> PathBuf {
        self.pod_folder(uid).join(SUBPATHS)
    }

    pub(crate) fn logs_root(&self) -> PathBuf {
        self.config.data_dir.join("logs").join("pods")
    }

    pub(crate) fn logs_folder(&self, key: &PodRef) -> PathBuf {
        self.logs_root().join(format!("{}_{}_{}", key.namespace, key.name, key.uid))
    }

    pub(crate) fn log_path(&self, key: &PodRef, container: &str, attempt: u32) -> PathBuf {
        self.logs_folder(key).join(container).join(format!("{attempt}.log"))
    }
}

/// What events about a pod, or about one of its containers, refer to.
pub(crate) fn event_object(key: &PodRef, container: Option<(&str, Role)>) -> ObjectReference {
    let field_path = container.map(|(name, role)| {
        let list = match role {
            Role::Init | Role::Sidecar => "initContainers",
            Role::Main => "containers",
            Role::Ephemeral => "ephemeralContainers",
        };
        format!("spec.{list}{{{name}}}")
    });
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        name: Some(key.name.clone()),
        namespace: Some(key.namespace.clone()),
        uid: Some(key.uid.clone()),
        field_path,
        resource_version: None,
    }
}
