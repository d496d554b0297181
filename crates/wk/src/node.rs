//! A node: images, the Wasm runtime, the pod network and the kubelet, wired together.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tracing::warn;
use wk_kubelet::{Kubelet, KubeletConfig, Parts, Runtimes};
use wk_network::{NameTable, RootlessFactory, RootlessGuestNetwork};
use wk_oci::{ClientConfig, ImageStore, RegistryClient, StoreConfig};
use wk_process::TaskGroup;
use wk_runtime::Runtime;
use wk_runtime_docker::{DockerConfig, DockerRuntime};
use wk_runtime_wasm::{WasmConfig, WasmRuntime};

use crate::args;
use crate::identity::host_name;
use crate::node_args::NodeArgs;

/// What a node is told.
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a str,
    pub(crate) address: IpAddr,
    /// Where its kubelet's API listens; `None` in the API server's own process.
    pub(crate) port: Option<u16>,
    pub(crate) args: &'a NodeArgs,
    /// Whether Linux containers go on when this program is stopped.
    pub(crate) linux_goes_on: bool,
    pub(crate) folder: &'a Path,
}

/// The name of this machine's node: what was typed, else the host name.
pub(crate) fn name(typed: Option<&str>) -> String {
    typed.map_or_else(host_name, str::to_owned)
}

/// Starts the node's parts and its kubelet.
pub(crate) async fn start(
    wanted: &Wanted<'_>,
    client: kube::Client,
    tasks: &TaskGroup,
) -> anyhow::Result<Arc<Kubelet>> {
    let open_files = wk_process::raise_open_file_limit()
        .inspect_err(|error| warn!(%error, "cannot raise the limit of open files"))
        .ok()
        .and_then(|limit| limit.soft);
    let registry = RegistryClient::new(ClientConfig::default())?;
    let images = wanted.folder.join("images");
    let images = tokio::task::spawn_blocking(move || {
        ImageStore::open(&images, StoreConfig::default(), registry)
    })
    .await?
    .context("cannot open the node's image store")?;
    let compiler = vec![
        std::env::current_exe().context("cannot tell this program's own path")?.into_os_string(),
        args::COMPILE.into(),
    ];
    let config =
        WasmConfig::new(wanted.folder.join("compiled"), wanted.folder.join("wasm"), compiler);
    let network = Arc::new(RootlessGuestNetwork::new(NameTable::default()));
    let wasm = WasmRuntime::new(config, network, tasks.clone())
        .context("cannot start the Wasm runtime")?;
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
        open_files,
        port: wanted.port,
        version: wk_apiserver::Release::default().git_version,
        log_limits: wanted.args.log_limits(),
        image_garbage: wanted.args.image_garbage(),
        linux: wanted.args.engine.defaults(wanted.linux_goes_on),
        eviction_hard: wanted.args.eviction_hard.clone(),
        eviction: wanted.args.eviction(),
    };
    let parts = Parts {
        client,
        runtimes: Runtimes { wasm: Arc::new(wasm), linux },
        images: Arc::new(images),
        network: Arc::new(RootlessFactory),
    };
    Kubelet::start(config, parts, tasks).context("cannot start the kubelet")
}
