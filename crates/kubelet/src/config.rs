//! What a kubelet is told before it starts.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wk_network::PodNetworkFactory;
use wk_runtime::{LogLimits, Runtime};

use crate::eviction::{EvictionSettings, Thresholds};
use crate::images::Images;
use crate::static_pods::PodManifests;

/// Facts and settings of one node.
#[derive(Clone, Debug)]
pub struct KubeletConfig {
    /// Name of the Node object.
    pub node_name: String,
    /// The node's own address.
    pub node_ip: IpAddr,
    /// Host name for the node's status and label; usually the machine's.
    pub hostname: String,
    /// The node's folder; `pods`, `logs` and `volumes` are made in it.
    pub data_dir: PathBuf,
    /// How many pods the node takes; fewer if open files do not allow it.
    pub max_pods: u32,
    /// The limit of open files in force; `None` is unlimited.
    pub open_files: Option<u64>,
    /// The port at which the kubelet's own API is served, for the node's status; `None` where it is
    /// only reached inside the process.
    pub port: Option<u16>,
    /// Version for the node's status, such as `v1.36.0+wk`.
    pub version: String,
    /// How much of each container's log is kept.
    pub log_limits: LogLimits,
    /// When images are removed.
    pub image_garbage: ImageGarbage,
    /// What Linux containers get by default.
    pub linux: LinuxDefaults,
    /// When the node says that it is under pressure, and evicts pods at once.
    pub eviction_hard: Thresholds,
    /// What else is to be known about evictions.
    pub eviction: EvictionSettings,
    /// Pods that files of the node describe; `None` is none.
    pub pod_manifests: Option<PodManifests>,
    /// Whether Wasm containers go on when the kubelet is stopped in good order, for the next one to
    /// find: their runtime is then in a process of its own.
    pub wasm_outlives_kubelet: bool,
}

impl KubeletConfig {
    /// Whether containers of a kind go on when the kubelet is stopped in good order.
    pub(crate) fn outlives(&self, linux: bool) -> bool {
        if linux { self.linux.outlive_kubelet } else { self.wasm_outlives_kubelet }
    }
}

/// What Linux containers get that do not say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinuxDefaults {
    /// Most processes and threads of each container; `None` is unbounded.
    pub max_pids: Option<u32>,
    /// Whether a container that names no seccomp profile gets the engine's instead of none.
    pub seccomp_default: bool,
    /// Whether Wasm programs can have their sockets in the network namespace of Linux containers,
    /// which takes `CAP_SYS_ADMIN`; without it a pod has containers of one kind.
    pub enters_namespaces: bool,
    /// Whether they go on when the kubelet is stopped in good order: the next one finds them. One
    /// that dies leaves them in any case.
    pub outlive_kubelet: bool,
}

/// When images that no container uses are removed from the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageGarbage {
    /// Images are removed when this much of their disk is in use, in hundredths; 100 is never.
    pub high_percent: u8,
    /// They are removed until this much is in use.
    pub low_percent: u8,
    /// What was used or pulled less than this ago stays.
    pub minimum_age: Duration,
    /// How often the disk is looked at.
    pub period: Duration,
    /// Most bytes of compiled code that stay for images without a container; none while the disk is
    /// too full.
    pub code_cache_bytes: u64,
}

impl Default for ImageGarbage {
    /// As in Kubernetes: from 85 to 80 hundredths, two minutes old, every five minutes; and 1 GiB of
    /// compiled code.
    fn default() -> Self {
        Self {
            high_percent: 85,
            low_percent: 80,
            minimum_age: Duration::from_mins(2),
            period: Duration::from_mins(5),
            code_cache_bytes: 1 << 30,
        }
    }
}

/// Most pods of a node unless told otherwise.
pub const DEFAULT_MAX_PODS: u32 = 1100;

/// What carries containers out: one runtime for each kind of image.
#[derive(Clone)]
pub struct Runtimes {
    /// Runs WebAssembly.
    pub wasm: Arc<dyn Runtime>,
    /// Runs Linux images; `None` where this node has no container engine.
    pub linux: Option<Arc<dyn Runtime>>,
}

impl fmt::Debug for Runtimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let linux = self.linux.as_ref().map(|runtime| runtime.name());
        f.debug_struct("Runtimes").field("wasm", &self.wasm.name()).field("linux", &linux).finish()
    }
}

impl Runtimes {
    /// What runtime classes call them; the empty one is that of pods without a class.
    pub(crate) fn handlers(&self) -> impl Iterator<Item = &'static str> {
        let linux = self.linux.as_ref().map(|_| "docker");
        ["", "wasm"].into_iter().chain(linux)
    }

    /// All of them, Wasm first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<dyn Runtime>> {
        std::iter::once(&self.wasm).chain(&self.linux)
    }
}

/// The implementations that a kubelet works with.
#[derive(Clone)]
pub struct Parts {
    /// The API server.
    pub client: kube::Client,
    /// What runs containers.
    pub runtimes: Runtimes,
    /// The node's images.
    pub images: Arc<dyn Images>,
    /// Makes the pods' network once the node's range is known.
    pub network: Arc<dyn PodNetworkFactory>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("runtimes", &self.runtimes).finish_non_exhaustive()
    }
}
