//! `wk`: every daemon role of the orchestrator in one program.
//!
//! This is the composition root: the only place that names an implementation of a store or a
//! runtime. Everything it starts knows only the seams.

mod agent;
mod args;
mod control_plane;
mod controller_args;
mod data_dir;
mod dialer;
mod engine_args;
mod figures;
mod identity;
mod leader_args;
mod node;
mod node_args;
mod registry;
mod report;
mod role;
mod scheduler_args;
mod server;
mod simulate;
mod stop;
mod store;
mod tls;
mod up;
mod wasm_host;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Command, StoreCommand};

fn main() -> ExitCode {
    // The compiler child is started with its own arguments and must not pay for anything else.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == args::COMPILE) {
        return wk_runtime_wasm::compile_main(arguments);
    }
    let args = Args::parse();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> anyhow::Result<()> {
    args.logging.install()?;
    // Two providers could be linked in; the choice is made here, once.
    let _already_chosen = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(control_threads())
        .thread_name("wk-control")
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
        match args.command {
            Command::Up(options) => up::run(options, &args.logging).await,
            Command::Server(args) => {
                server::run(args.server, Some((args.controllers, args.placement))).await
            }
            Command::Apiserver(args) => server::run(args, None).await,
            Command::Agent(options) | Command::Kubelet(options) => {
                agent::run(options, &args.logging).await
            }
            Command::WasmHost(options) => wasm_host::run(options).await,
            Command::Scheduler(args) => role::scheduler(args).await,
            Command::ControllerManager(args) => role::controller_manager(args).await,
            Command::Registry(args) => registry::run(args).await,
            Command::Simulate(args) => simulate::run(args).await,
            Command::Store(StoreCommand::Check(args)) => store::check(args),
        }
    });
    runtime.shutdown_background();
    outcome
}

/// Threads for everything but guests: two suffice for one machine's control plane, and each costs
/// memory that an edge device has not got.
fn control_threads() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 4))
}
