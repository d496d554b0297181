//! `cargo xtask`: what the project does to itself, in Rust, so that it works on any machine alike.
//!
//! - `demo` does the main job, from sources to an answering pod;
//! - `examples` builds the programs of `wasm-examples/`, whatever they are written in;
//! - `deps` installs the system packages and clients that the tests and some examples need;
//! - `test` runs all tests, after making everything that they need;
//! - `dist` builds the programs as they are shipped;
//! - `bench` measures, after making everything that is measured;
//! - `check` looks at formatting, lints and the rules of the house.
//!
//! *Invariants*: it depends on no crate of ours, asks no question, and says in one line each what
//! it does. Only `deps` and `test` change the machine outside `target/`.

mod bench;
mod check;
mod clients;
mod demo;
mod deps;
mod dist;
mod examples;
mod packages;
mod project;
mod shell;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::examples::Toolchain;
use crate::project::Project;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds examples, runs tests, checks the house rules")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds everything, starts a cluster and runs an example in it, until Ctrl-C.
    Demo(demo::DemoArgs),
    /// Builds wasm-examples/ into target/wasm-examples/NAME.wasm.
    Examples {
        /// Only these; all if none is named.
        names: Vec<String>,
        /// Where the Rust compiler for Wasm comes from.
        #[arg(long, value_enum, default_value_t = Toolchain::Auto)]
        toolchain: Toolchain,
        /// Builds also what has not changed.
        #[arg(long)]
        force: bool,
    },
    /// Installs the system packages (as root; else it names them) and clients that tests need.
    Deps,
    /// Runs every test, after installing and building what they need.
    Test {
        /// Passed on to `cargo nextest run`, for example a part of a test's name.
        #[arg(last = true)]
        nextest: Vec<String>,
    },
    /// Builds the programs as they are shipped, which takes minutes, into `target/dist`.
    Dist,
    /// Measures, on an idle machine, beside `wasmtime serve` of the same release and plain hyper.
    Bench {
        /// Only these of `main_job` and `api`.
        names: Vec<String>,
    },
    /// Checks formatting, lints and the rules of the house.
    Check {
        /// Only the rules of the house, which need no compilation.
        #[arg(long)]
        rules_only: bool,
    },
}

fn main() -> ExitCode {
    let project = Project::here();
    let result = match Args::parse().task {
        Task::Examples { names, toolchain, force } => {
            examples::build(&project, &names, toolchain, force)
        }
        Task::Demo(args) => demo::run(&project, &args),
        Task::Deps => deps::install(&project),
        Task::Dist => dist::build(&project).map(drop),
        Task::Test { nextest } => test::run(&project, &nextest),
        Task::Bench { names } => bench::run(&project, &names),
        Task::Check { rules_only } => check::run(&project, rules_only),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shell::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
