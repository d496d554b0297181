//! What can be typed: commands, options and their defaults.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use clap::{Parser, Subcommand};
use wk_apiserver::TolerationSeconds;
use wk_process::LogFormat;

use crate::controller_args::{ControllerArgs, SigningArgs};
use crate::leader_args::LeaderArgs;
use crate::node_args::{NodeArgs, time};
use crate::scheduler_args::PlacementArgs;
use crate::simulate::SimulateArgs;
use crate::wasm_host::{WasmHost, WasmHostArgs};

/// The hidden first argument that turns this program into the bounded compiler child.
pub(crate) const COMPILE: &str = "__compile";

/// A WebAssembly-first orchestrator that speaks the Kubernetes API.
#[derive(Debug, Parser)]
// Of an option that is given twice the last one counts, as in Kubernetes' programs.
#[command(name = "wk", version, propagate_version = true, args_override_self = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) logging: LoggingArgs,
}

/// Options of every command.
#[derive(Debug, clap::Args)]
pub(crate) struct LoggingArgs {
    /// What to log: a level, or levels by part, such as `info,wk_kubelet=debug`.
    #[arg(long, global = true, env = "WK_LOG", default_value = "warn", value_name = "FILTER")]
    log: String,
    /// Log one JSON object a line.
    #[arg(long, global = true)]
    log_json: bool,
}

impl LoggingArgs {
    pub(crate) fn install(&self) -> anyhow::Result<()> {
        use std::io::IsTerminal as _;
        let format = if self.log_json { LogFormat::Json } else { LogFormat::Text };
        wk_process::init_logging(&self.log, format, std::io::stderr().is_terminal())
            .map_err(|reason| anyhow!("`--log {}` is not a log filter: {reason}", self.log))
    }

    /// The same options for another program of ours.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut arguments = vec!["--log".into(), self.log.clone().into()];
        arguments.extend(self.log_json.then(|| "--log-json".into()));
        arguments
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a whole cluster on this machine, in the foreground, without root.
    Up(UpArgs),
    /// Run a control plane: API server, scheduler and controllers.
    Server(ControlPlaneArgs),
    /// Run a node that joins a control plane with a token.
    Agent(AgentArgs),
    /// Run an API server alone.
    Apiserver(ServerArgs),
    /// Run a scheduler alone.
    Scheduler(SchedulerArgs),
    /// Run the controllers alone.
    ControllerManager(ControllerManagerArgs),
    /// Run a node's Wasm programs for its agent, which starts this by itself where it is not running:
    /// so the programs outlive the agent. SIGTERM ends it, and them.
    WasmHost(WasmHostArgs),
    /// Run a kubelet alone (the same as `agent`, until the service proxy is a part of that).
    Kubelet(AgentArgs),
    /// Run an OCI registry alone.
    Registry(RegistryArgs),
    /// Act as many nodes that run nothing, to try a cluster at scale.
    Simulate(SimulateArgs),
    /// Look after the store of a control plane that does not run.
    #[command(subcommand)]
    Store(StoreCommand),
}

#[derive(Debug, clap::Args)]
pub(crate) struct UpArgs {
    /// Folder for everything the cluster keeps [default: the user's data folder, `wk` in it].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Address of the API server; port 0 means any free one.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:6443")]
    pub(crate) listen: SocketAddr,
    /// Address of the image registry; port 0 means any free one.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:5000")]
    pub(crate) registry_listen: SocketAddr,
    /// Name of this machine's node [default: the host name].
    #[arg(long, value_name = "NAME")]
    pub(crate) node_name: Option<String>,
    /// Where Wasm programs run. Those in a process of their own outlive this one if it dies, and end
    /// with it if it is stopped.
    #[arg(long, value_name = "PLACE", default_value = "in-process")]
    pub(crate) wasm_host: WasmHost,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    #[command(flatten)]
    pub(crate) ranges: RangeArgs,
    #[command(flatten)]
    pub(crate) objects: ObjectArgs,
    #[command(flatten)]
    pub(crate) controllers: ControllerArgs,
    #[command(flatten)]
    pub(crate) placement: PlacementArgs,
}

/// What the API server keeps and adds.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct ObjectArgs {
    /// How long events are kept.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    pub(crate) event_ttl: Duration,
    /// How long pods that do not say stay on a node that is not ready.
    #[arg(long, value_name = "SECONDS", default_value_t = TolerationSeconds::default().not_ready)]
    default_not_ready_toleration_seconds: u32,
    /// How long pods that do not say stay on a node that does not answer.
    #[arg(long, value_name = "SECONDS", default_value_t = TolerationSeconds::default().unreachable)]
    default_unreachable_toleration_seconds: u32,
}

impl ObjectArgs {
    /// How long pods that do not say stay on a node that is lost.
    pub(crate) fn tolerations(&self) -> TolerationSeconds {
        TolerationSeconds {
            not_ready: self.default_not_ready_toleration_seconds,
            unreachable: self.default_unreachable_toleration_seconds,
        }
    }
}

/// Where addresses come from.
#[derive(Debug, clap::Args)]
pub(crate) struct RangeArgs {
    /// Addresses of pods; without root a part of 127.64.0.0/11, of which each node gets a /20.
    #[arg(long, value_name = "CIDR", default_value = "127.64.0.0/11")]
    pub(crate) cluster_cidr: String,
    /// Addresses of services.
    #[arg(long, value_name = "CIDR", default_value = "127.32.0.0/16")]
    pub(crate) service_cidr: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ServerArgs {
    /// Folder for everything the control plane keeps.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Address of the API server; port 0 means any free one.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:6443")]
    pub(crate) listen: SocketAddr,
    /// A further name or address under which clients reach this server; may be repeated.
    #[arg(long = "tls-san", value_name = "NAME|IP")]
    pub(crate) tls_sans: Vec<String>,
    #[command(flatten)]
    pub(crate) ranges: RangeArgs,
    #[command(flatten)]
    pub(crate) objects: ObjectArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ControlPlaneArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) controllers: ControllerArgs,
    #[command(flatten)]
    pub(crate) placement: PlacementArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct JoinArgs {
    /// The API server, as `https://HOST:PORT`.
    #[arg(long, value_name = "URL")]
    pub(crate) server: String,
    /// File with the join token that the server left in its data folder.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AgentArgs {
    #[command(flatten)]
    pub(crate) join: JoinArgs,
    /// Name of the node [default: the host name].
    #[arg(long, value_name = "NAME")]
    pub(crate) node_name: Option<String>,
    /// Address under which the API server reaches this node.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub(crate) address: IpAddr,
    /// Port of the kubelet's API on that address; 0 means any free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) kubelet_port: u16,
    /// Folder for everything the node keeps.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where Wasm programs run. Those in a process of their own go on when this one ends, and are
    /// found again.
    #[arg(long, value_name = "PLACE", default_value = "process")]
    pub(crate) wasm_host: WasmHost,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RoleArgs {
    #[command(flatten)]
    pub(crate) join: JoinArgs,
    /// Folder for the certificate.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SchedulerArgs {
    #[command(flatten)]
    pub(crate) role: RoleArgs,
    /// Where it tells over HTTP, to everybody who asks, how it is and what it measures: `/healthz`,
    /// `/livez`, `/readyz` and `/metrics`; port 0 means any free one [default: nowhere].
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) leader: LeaderArgs,
    #[command(flatten)]
    pub(crate) placement: PlacementArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ControllerManagerArgs {
    #[command(flatten)]
    pub(crate) role: RoleArgs,
    #[command(flatten)]
    pub(crate) leader: LeaderArgs,
    #[command(flatten)]
    pub(crate) ranges: RangeArgs,
    #[command(flatten)]
    pub(crate) controllers: ControllerArgs,
    #[command(flatten)]
    pub(crate) signing: SigningArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RegistryArgs {
    /// Folder for the images.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
    /// Address to listen on; port 0 means any free one.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:5000")]
    pub(crate) listen: SocketAddr,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Look through the whole store: checksums, index, and every record. Changes nothing.
    Check(StoreCheckArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct StoreCheckArgs {
    /// Folder of the control plane [default: the user's data folder, `wk` in it].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Args::command().debug_assert();
    }
}
