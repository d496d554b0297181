//! Puts a kubelet together and starts it.

use std::collections::HashMap;
use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Semaphore, broadcast, mpsc, watch};
use tracing::{info, warn};
use wk_client::EventRecorder;
use wk_network::Cidr;
use wk_process::{BoxError, TaskGroup};
use wk_runtime::{ContainerStatus, Runtime};

use crate::config::{KubeletConfig, Parts};
use crate::eviction::tracker::Tracker;
use crate::machine::Machine;
use crate::node::{Described, NodeKeeper};
use crate::objects::Objects;
use crate::probes::{self, Probes};
use crate::runtime_classes::RuntimeClasses;
use crate::saved::{Saved, SavedNode};
use crate::services::Services;
use crate::shared::Shared;
use crate::state::Found;
use crate::static_pods::{self, StaticPods};
use crate::timers::{self, Timers};
use crate::volumes::{reclaim, subpath};
use crate::worker::ending;
use crate::{adoption, eviction, garbage, http, pods};

/// Statuses that are written at a time.
const WRITES: usize = 32;
/// Open files that the process needs beside its pods.
const FILES_RESERVED: u64 = 256;
/// Open files that a pod needs: a listener, a log, and connections.
const FILES_PER_POD: u64 = 4;

/// Why a kubelet did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its folders could not be made.
    #[error("node folder `{path}` could not be made")]
    Folder {
        /// The folder.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The limit of open files leaves no room for pods.
    #[error(
        "the limit of open files, {open_files}, leaves no room for pods; raise it (`ulimit -n`)"
    )]
    OpenFiles {
        /// The limit.
        open_files: u64,
    },
}

/// The agent of one node: runs the pods that are bound to it.
pub struct Kubelet {
    pub(crate) shared: Arc<Shared>,
    ready: watch::Receiver<bool>,
}

impl fmt::Debug for Kubelet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubelet")
            .field("node", &self.shared.config.node_name)
            .field("pods", &self.shared.pods.read().len())
            .finish_non_exhaustive()
    }
}

impl Kubelet {
    /// Starts the kubelet's tasks in `group` and returns at once.
    ///
    /// The node registers, waits for its range of pod addresses, and takes pods from then on;
    /// [`Kubelet::ready`] says when. An API server that cannot be reached is waited for.
    ///
    /// # Errors
    /// [`StartError`], before any task is started.
    pub fn start(
        config: KubeletConfig,
        parts: Parts,
        group: &TaskGroup,
    ) -> Result<Arc<Self>, StartError> {
        for folder in [config.data_dir.join("pods"), config.data_dir.join("logs").join("pods")] {
            std::fs::create_dir_all(&folder)
                .map_err(|source| StartError::Folder { path: folder, source })?;
        }
        // Tokens and secrets are in there.
        let private = config.data_dir.join("pods");
        std::fs::set_permissions(&private, std::fs::Permissions::from_mode(0o700))
            .map_err(|source| StartError::Folder { path: private, source })?;
        let saved = Saved::open(&config.data_dir).map_err(|source| StartError::Folder {
            path: Saved::folder(&config.data_dir),
            source,
        })?;
        let described = describe(&config, &parts)?;
        let (timers, pending_times) = Timers::new();
        let (probes, pending_probes) = Probes::new();
        let (changes, changed) = mpsc::channel(256);
        let host = Some(config.node_name.clone());
        let mut tracker = Tracker::new(config.eviction_hard.clone(), config.eviction.clone());
        let looked = tracker.look(&Machine::read(&config.data_dir), Timestamp::now());
        let (pressures, pressures_told) = watch::channel(looked.pressures);
        let (facts, node) = watch::channel(None);
        let (ready_now, ready) = watch::channel(false);
        let shared = Arc::new(Shared {
            allocatable: Machine::read(&config.data_dir).allocatable(),
            max_pods: described.max_pods,
            pressures: pressures_told.clone(),
            node,
            static_pods: StaticPods::default(),
            looked_at: Mutex::new(tokio::time::Instant::now()),
            lost_sandboxes: Mutex::default(),
            admitting: Mutex::default(),
            knows_pods: AtomicBool::new(false),
            saved,
            objects: Arc::new(Objects::new(parts.client.clone(), group.clone(), changes)),
            services: Services::watch(parts.client.clone(), group),
            runtime_classes: RuntimeClasses::watch(parts.client.clone(), group),
            events: EventRecorder::start(parts.client.clone(), "kubelet", host, group),
            client: parts.client,
            runtimes: parts.runtimes,
            images: parts.images,
            network: OnceLock::new(),
            pods: RwLock::new(HashMap::new()),
            timers,
            probes,
            probe_figures: probes::Figures::default(),
            rates: Mutex::default(),
            writes: Semaphore::new(WRITES),
            tasks: group.clone(),
            exits: broadcast::Sender::new(1024),
            frozen: AtomicBool::new(false),
            unsure: Mutex::default(),
            config,
        });
        group.spawn("saved state", {
            let (saved, token) = (shared.saved.clone(), group.token());
            async move {
                saved.run(token).await;
                Ok(())
            }
        });
        spawn_followers(&shared, changed);
        spawn_clocks(&shared, pending_times, pending_probes);
        reclaim::run(&shared);
        let looking = Arc::clone(&shared);
        group.spawn("evictions", async move {
            eviction::run::run(looking, tracker, pressures).await;
            Ok(())
        });
        let keeper = NodeKeeper {
            client: shared.client.clone(),
            config: shared.config.clone(),
            described: Arc::new(described),
            pressures: pressures_told,
            ready: ready.clone(),
            facts: Arc::new(facts),
        };
        let network = parts.network;
        let main = Arc::clone(&shared);
        group.spawn("kubelet", async move {
            let token = main.tasks.token();
            let Some(found) = token.run_until_cancelled(adoption::found(&main)).await else {
                return Ok(());
            };
            let found = Arc::new(found);
            spawn_static_pods(&main, &found);
            let prepare = Box::pin(prepare(&main, &keeper, &*network));
            match token.run_until_cancelled(prepare).await {
                None => return Ok(()),
                Some(prepared) => prepared?,
            }
            // Those of files may have waited for the network.
            pods::retry_held(&main);
            // Whoever waits may have gone.
            let _waiting = ready_now.send(true);
            pods::follow(main, found).await
        });
        Ok(Arc::new(Self { shared, ready }))
    }

    /// Waits until the node has registered and takes pods. Cancel safe.
    pub async fn ready(&self) {
        let mut ready = self.ready.clone();
        if ready.wait_for(|ready| *ready).await.is_err() {
            // The kubelet has failed, which its task group tells.
            std::future::pending::<()>().await;
        }
    }

    /// Ends all containers of this node at once, each with the time that its pod gives it, but with
    /// `grace` (wall-clock) at most.
    ///
    /// For a process that goes down with its runtime: the pods stay in the API as they are, and are
    /// started again when the node comes back. Containers that are to outlive the kubelet
    /// ([Linux](crate::LinuxDefaults::outlive_kubelet),
    /// [Wasm](KubeletConfig::wasm_outlives_kubelet)) go on. Nothing is started or reported from now
    /// on, also if this is not awaited to its end.
    pub async fn stop_containers(&self, grace: Duration) {
        self.shared.frozen.store(true, Ordering::Release);
        let entries = self.shared.entries();
        let ends = entries.iter().map(|entry| ending::end_all(&self.shared, entry, grace));
        if !join_all(ends).await.into_iter().all(|ended| ended) {
            warn!("some containers could not be stopped");
        }
        let (config, runtimes) = (&self.shared.config, &self.shared.runtimes);
        let linux = runtimes.linux.as_ref().filter(|_| !config.outlives(true));
        let wasm = Some(&runtimes.wasm).filter(|_| !config.outlives(false));
        for runtime in wasm.into_iter().chain(linux) {
            // A start that was under way adds one after the list was made.
            while self.stop_running(&**runtime, grace).await {}
        }
        let Some(linux) = linux else { return };
        // Nothing of the pods stays in the engine for a cluster that may never come back.
        let forgets = entries.iter().map(|entry| linux.remove_pod(&entry.key.uid));
        for error in join_all(forgets).await.into_iter().filter_map(Result::err) {
            warn!(%error, "sandbox could not be removed");
        }
        // Nor in its folder, where it would be in the way of whoever removes that.
        let folders = entries.iter().map(|entry| self.shared.subpaths_folder(&entry.key.uid));
        let folders: Vec<_> = folders.collect();
        let given = tokio::task::spawn_blocking(move || {
            folders.iter().try_for_each(|folder| subpath::give_back(folder))
        });
        if let Ok(Err(error)) = given.await {
            warn!(%error, "what is mounted for a pod could not be given back");
        }
    }

    /// Ends what a runtime runs; false if there was nothing, or something does not end.
    async fn stop_running(&self, runtime: &dyn Runtime, grace: Duration) -> bool {
        let mut running = match runtime.list().await {
            Ok(all) => all,
            Err(error) => {
                warn!(%error, "containers cannot be listed");
                return false;
            }
        };
        running.retain(|container| container.status == ContainerStatus::Running);
        let stops = running.iter().map(|container| async {
            let own =
                self.shared.entry(&container.pod.uid).map(|entry| ending::grace(&entry.pod()));
            let grace = own.map_or(grace, |own| own.min(grace));
            runtime
                .stop(&container.id, grace)
                .await
                .inspect_err(|error| {
                    warn!(container = %container.id, %error, "container could not be stopped");
                })
                .is_ok()
        });
        let stopped = join_all(stops).await;
        !stopped.is_empty() && stopped.into_iter().all(|stopped| stopped)
    }

    /// The kubelet's own HTTP API: `/healthz`, `/readyz`, `/pods`, `/containerLogs/...`, `/exec/...`,
    /// `/attach/...`, `/portForward/...`, `/metrics`, `/metrics/resource`, `/metrics/cadvisor`,
    /// `/metrics/probes`, `/stats/summary`, `/configz`.
    ///
    /// It checks nobody: whoever serves it has to know who asks.
    pub fn router(self: &Arc<Self>) -> axum::Router {
        http::router(Arc::clone(&self.shared))
    }
}

fn describe(config: &KubeletConfig, parts: &Parts) -> Result<Described, StartError> {
    let mut max_pods = config.max_pods;
    let mut pods_lowered = None;
    if let Some(open_files) = config.open_files {
        let room = open_files.saturating_sub(FILES_RESERVED) / FILES_PER_POD;
        let room = u32::try_from(room).unwrap_or(u32::MAX);
        if room == 0 {
            return Err(StartError::OpenFiles { open_files });
        }
        if room < max_pods {
            let why = format!(
                "the limit of open files, {open_files}, allows {room} pods instead of {max_pods}; \
                 raise it (`ulimit -n`) and start again"
            );
            warn!(max_pods, room, open_files, "fewer pods than configured");
            pods_lowered = Some(why);
            max_pods = room;
        }
    }
    Ok(Described { runtimes: parts.runtimes.clone(), max_pods, pods_lowered })
}

fn spawn_followers(shared: &Arc<Shared>, changed: mpsc::Receiver<Vec<String>>) {
    let group = &shared.tasks;
    let runtimes = [(false, Some(&shared.runtimes.wasm)), (true, shared.runtimes.linux.as_ref())];
    for (linux, runtime) in runtimes {
        let Some(runtime) = runtime else { continue };
        let exits = runtime.watch();
        group.spawn("container exits", pods::follow_exits(Arc::clone(shared), linux, exits));
    }
    group.spawn("pod objects", pods::follow_objects(Arc::clone(shared), changed));
}

/// Pods of files need nobody's word to begin.
fn spawn_static_pods(shared: &Arc<Shared>, found: &Arc<Found>) {
    let group = &shared.tasks;
    let (following, found) = (Arc::clone(shared), Arc::clone(found));
    group.spawn("static pods", async move {
        match following.config.pod_manifests.clone() {
            Some(manifests) => static_pods::run(following, manifests, found).await,
            None => static_pods::without_files(following, found).await,
        }
        Ok(())
    });
    let mirroring = Arc::clone(shared);
    group.spawn("mirror pods", async move {
        static_pods::mirror::keep(mirroring).await;
        Ok(())
    });
}

fn spawn_clocks(
    shared: &Arc<Shared>,
    pending_times: timers::Pending,
    pending_probes: probes::Pending,
) {
    let group = &shared.tasks;
    let (woken, token) = (Arc::clone(shared), group.token());
    group.spawn("pod timers", async move {
        let wake = |uid: &str| {
            if let Some(entry) = woken.entry(uid) {
                woken.wake(&entry);
            }
        };
        timers::run(pending_times, token, wake).await;
        Ok(())
    });
    let collecting = Arc::clone(shared);
    group.spawn("image garbage", async move {
        garbage::run(collecting).await;
        Ok(())
    });
    let probing = Arc::clone(shared);
    group.spawn("probes", async move {
        probes::run(probing, pending_probes).await;
        Ok(())
    });
}

/// Registers the node and opens its network. Where the API server is away, a node that was there
/// before goes on with the range that it had, and registers later.
async fn prepare(
    shared: &Arc<Shared>,
    keeper: &NodeKeeper,
    network: &dyn wk_network::PodNetworkFactory,
) -> Result<(), BoxError> {
    let saved = shared.saved.clone();
    let saved = tokio::task::spawn_blocking(move || saved.node()).await?;
    let range = match (keeper.register().await, saved) {
        (Err(error), Some(saved)) => {
            warn!(%error, "API server cannot be reached, going on with what was saved");
            let (late, keeper) = (Arc::clone(shared), keeper.clone());
            shared.tasks.spawn("node registration", async move {
                let token = late.tasks.token();
                let registering = Box::pin(registered(&late, &keeper));
                if let Some(kept) = token.run_until_cancelled(registering).await {
                    kept?;
                    // Its work is done, and a task that ends by itself ends the program.
                    token.cancelled().await;
                }
                Ok(())
            });
            saved.pod_range.parse()?
        }
        (Err(error), None) => {
            warn!(%error, "node could not be registered, trying again");
            registered(shared, keeper).await?
        }
        (Ok(node), _) => keep(shared, keeper, node).await?,
    };
    let opened = network.open(range, shared.config.node_ip).await?;
    // Before anybody can be given one of them.
    shared.claim_addresses(&*opened).await;
    info!(%range, "pod network opened");
    if shared.network.set(opened).is_err() {
        return Err("the pod network was opened twice".into());
    }
    Ok(())
}

/// Registers the node as soon as that is possible.
async fn registered(shared: &Arc<Shared>, keeper: &NodeKeeper) -> Result<Cidr, BoxError> {
    let backoff =
        wk_client::Backoff { base: Duration::from_millis(50), cap: Duration::from_secs(10) };
    let mut failures = 0;
    loop {
        failures += 1;
        tokio::time::sleep(backoff.delay(failures, 0.0)).await;
        match keeper.register().await {
            Ok(node) => return keep(shared, keeper, node).await,
            Err(error) => warn!(%error, "node could not be registered, trying again"),
        }
    }
}

/// Keeps a node that was registered as it should be, and returns its range of pod addresses.
async fn keep(shared: &Arc<Shared>, keeper: &NodeKeeper, node: Node) -> Result<Cidr, BoxError> {
    let group = &shared.tasks;
    // They name the node as their owner.
    shared.static_pods.mirrors.wake();
    let uid = node.metadata.uid.clone().unwrap_or_default();
    let (lease, token, lease_uid) = (keeper.clone(), group.token(), uid.clone());
    group.spawn("node lease", async move {
        lease.keep_lease(lease_uid, token).await;
        Ok(())
    });
    let (status, token) = (keeper.clone(), group.token());
    group.spawn("node status", async move {
        status.keep_status(token).await;
        Ok(())
    });
    let range = keeper.pod_cidr(node).await?;
    shared.saved.put_node(&SavedNode { uid, pod_range: range.to_string() });
    Ok(range)
}
