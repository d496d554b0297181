//! `wk wasm-host`: the Wasm runtime in a process of its own, and how a node comes to its runtime.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use tracing::warn;
use wk_network::{NameTable, RootlessGuestNetwork};
use wk_process::TaskGroup;
use wk_runtime::Runtime;
use wk_runtime_host::{
    Host, HostConfig, HostLock, HostProcess, HostSocket, ListenError, RemoteConfig, RemoteRuntime,
};
use wk_runtime_wasm::{WasmConfig, WasmRuntime};

use crate::args::{self, LoggingArgs};
use crate::node_args::time;
use crate::stop::Asked;
use crate::{data_dir, report, stop};

/// The running program itself, also when its file has been replaced by another version.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// The host's socket in the node's folder; its lock and its messages have names like it.
const SOCKET: &str = "wasm-host.sock";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where a node's Wasm programs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WasmHost {
    /// In the kubelet's process: they end with it.
    InProcess,
    /// In a process of their own: they outlive the kubelet.
    Process,
}

/// Options of `wk wasm-host`.
#[derive(Debug, clap::Args)]
pub(crate) struct WasmHostArgs {
    /// The data folder of the node [default: the user's data folder, `wk` in it].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// How long programs may take to end when this program ends.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    shutdown_grace_period: Duration,
}

/// What runs a node's Wasm programs.
pub(crate) struct Wasm {
    pub(crate) runtime: Arc<dyn Runtime>,
    /// Files and sockets that it may hold open; `None` is unlimited.
    pub(crate) open_files: Option<u64>,
    /// The process that it is in, if that is not this one.
    pub(crate) host: Option<RemoteRuntime>,
    /// Nobody else runs programs for this node as long as this process does.
    _lock: Option<HostLock>,
}

pub(crate) async fn run(args: WasmHostArgs) -> anyhow::Result<()> {
    // It was perhaps started by a path that says nothing.
    let _named = rustix::thread::set_name(c"wk-wasm-host");
    let folder = data_dir::shared(args.data_dir)?.join("node");
    data_dir::make(&folder)?;
    let socket = HostSocket::listen(&folder.join(SOCKET)).context("cannot be the Wasm host")?;
    let path = socket.path().display().to_string();
    let open_files = open_files();
    let tasks = TaskGroup::new("wk wasm-host");
    let runtime = Arc::new(in_process(&folder, &tasks)?);
    let config = HostConfig { version: VERSION.to_owned(), open_files };
    let host = Host::start(socket, runtime, config, &tasks);
    // Whoever started this waits for the line.
    report::line(&format!("Wasm host listens at {path}"));
    let draining = host.clone();
    stop::run_until_asked(&tasks, host.asked_to_end(), |asked| async move {
        let grace = match asked {
            Asked::Signal(signal) => {
                report::line(&format!("{signal}: stopping; once more ends everything at once"));
                args.shutdown_grace_period
            }
            Asked::Otherwise(grace) => grace,
        };
        draining.drain(grace).await;
    })
    .await
}

/// The runtime of the node with this folder.
pub(crate) async fn open(
    place: WasmHost,
    folder: &Path,
    logging: &LoggingArgs,
    tasks: &TaskGroup,
) -> anyhow::Result<Wasm> {
    let socket = folder.join(SOCKET);
    if place == WasmHost::InProcess {
        let open_files = open_files();
        let lock = HostLock::take(&socket).map_err(|error| match &error {
            ListenError::InUse { holder: Some(pid), .. } => {
                let hint = format!(
                    "{error}\nhint: end it and its pods with `kill {pid}`, or use \
                     `--wasm-host process`"
                );
                anyhow::anyhow!(hint)
            }
            ListenError::InUse { .. } | ListenError::Io { .. } => error.into(),
        })?;
        let runtime = Arc::new(in_process(folder, tasks)?);
        return Ok(Wasm { runtime, open_files, host: None, _lock: Some(lock) });
    }
    let data = folder.parent().context("the node's folder is in none")?;
    let mut command =
        vec![THIS_PROGRAM.into(), "wasm-host".into(), "--data-dir".into(), data.into()];
    command.extend(logging.arguments());
    let process = HostProcess { name: "wk".into(), command, log: socket.with_extension("log") };
    let config = RemoteConfig {
        socket,
        name: "wasm",
        version: VERSION.to_owned(),
        launch: Some(Arc::new(process)),
    };
    let remote = RemoteRuntime::connect(config, tasks.clone()).await?;
    Ok(Wasm {
        runtime: Arc::new(remote.clone()),
        open_files: remote.host().open_files,
        host: Some(remote),
        _lock: None,
    })
}

/// Raises the limit of open files as far as that goes and returns it; `None` is unlimited.
fn open_files() -> Option<u64> {
    wk_process::raise_open_file_limit()
        .inspect_err(|error| warn!(%error, "cannot raise the limit of open files"))
        .ok()
        .and_then(|limit| limit.soft)
}

fn in_process(folder: &Path, tasks: &TaskGroup) -> anyhow::Result<WasmRuntime> {
    let compiler = vec![THIS_PROGRAM.into(), args::COMPILE.into()];
    let config = WasmConfig::new(folder.join("compiled"), folder.join("wasm"), compiler);
    let network = Arc::new(RootlessGuestNetwork::new(NameTable::default()));
    WasmRuntime::new(config, network, tasks.clone()).context("cannot start the Wasm runtime")
}
