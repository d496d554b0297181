//! A node: images, the Wasm runtime, the pod network and the kubelet, wired together.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use wk_kubelet::{Kubelet, KubeletConfig, Parts, Runtimes};
use wk_network::RootlessFactory;
use wk_oci::{ClientConfig, ImageStore, RegistryClient, StoreConfig};
use wk_process::TaskGroup;
use wk_runtime::Runtime;
use wk_runtime_docker::{DockerConfig, DockerRuntime};
use wk_runtime_host::RemoteRuntime;

use crate::args::LoggingArgs;
use crate::identity::host_name;
use crate::node_args::NodeArgs;
use crate::wasm_host::{self, WasmHost};

/// What a node is told.
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a str,
    pub(crate) address: IpAddr,
    /// Where its kubelet's API listens; `None` in the API server's own process.
    pub(crate) port: Option<u16>,
    pub(crate) args: &'a NodeArgs,
    /// Whether containers go on when this program is stopped: Linux ones, and Wasm ones in a process of
    /// their own.
    pub(crate) containers_go_on: bool,
    pub(crate) wasm_host: WasmHost,
    pub(crate) folder: &'a Path,
    pub(crate) logging: &'a LoggingArgs,
}

/// A node that was started.
pub(crate) struct Started {
    pub(crate) kubelet: Arc<Kubelet>,
    /// The process that its Wasm programs are in, if that is not this one.
    pub(crate) wasm_host: Option<RemoteRuntime>,
}

/// The name of this machine's node: what was typed, else the host name.
pub(crate) fn name(typed: Option<&str>) -> String {
    typed.map_or_else(host_name, str::to_owned)
}

/// Whether this process may enter network namespaces; one that cannot tell may not.
fn may_enter_namespaces() -> bool {
    let sets = rustix::thread::capabilities(None);
    sets.is_ok_and(|sets| sets.effective.contains(rustix::thread::CapabilitySet::SYS_ADMIN))
}

/// Starts the node's parts and its kubelet, which [`Wanted::wasm_host`] is a part of.
pub(crate) async fn start(
    wanted: &Wanted<'_>,
    client: kube::Client,
    tasks: &TaskGroup,
) -> anyhow::Result<Started> {
    let registry = RegistryClient::new(ClientConfig::default())?;
    let images = wanted.folder.join("images");
    let images = tokio::task::spawn_blocking(move || {
        ImageStore::open(&images, StoreConfig::default(), registry)
    })
    .await?
    .context("cannot open the node's image store")?;
    let place = wanted.wasm_host;
    let wasm = wasm_host::open(place, wanted.folder, wanted.logging, tasks).await?;
    let linux = wanted.args.engine.socket().map(|socket| {
        let config = DockerConfig::for_folder(socket, wanted.folder);
        Arc::new(DockerRuntime::start(config, tasks.clone())) as Arc<dyn Runtime>
    });
    let config = KubeletConfig {
        node_name: wanted.name.to_owned(),
        node_ip: wanted.address,
        hostname: host_name(),
        data_dir: wanted.folder.to_owned(),
        max_pods: wanted.args.max_pods,
        open_files: wasm.open_files,
        port: wanted.port,
        version: wk_apiserver::Release::default().git_version,
        log_limits: wanted.args.log_limits(),
        image_garbage: wanted.args.image_garbage(),
        linux: wanted.args.engine.defaults(wanted.containers_go_on, may_enter_namespaces()),
        eviction_hard: wanted.args.eviction_hard.clone(),
        eviction: wanted.args.eviction(),
        pod_manifests: wanted.args.pod_manifests(),
        wasm_outlives_kubelet: wanted.containers_go_on && wasm.host.is_some(),
    };
    let parts = Parts {
        client,
        runtimes: Runtimes { wasm: wasm.runtime, linux },
        images: Arc::new(images),
        network: Arc::new(RootlessFactory),
    };
    let kubelet = Kubelet::start(config, parts, tasks).context("cannot start the kubelet")?;
    Ok(Started { kubelet, wasm_host: wasm.host })
}
