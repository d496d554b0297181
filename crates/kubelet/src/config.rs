//! What a kubelet is told before it starts.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use wk_network::PodNetworkFactory;
use wk_runtime::Runtime;

use crate::images::Images;

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
