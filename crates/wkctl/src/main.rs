//! `wkctl`, the command line: fingers that know `kubectl` need not learn anything.
//!
//! # Invariants
//! - Starts fast: one thread, one connection, and no request that the command does not need.
//! - Knows the wire API and no implementation of it: any Kubernetes will do.
//! - Output goes to standard output, and everything about it to standard error; colours and progress
//!   only where somebody watches.

mod cli;
mod client;
mod commands;
mod console;
mod duration;
mod environment;
mod error;
mod kinds;
mod kubeconfig;
mod kustomize;
mod manifest;
mod output;
mod session;
mod target;
mod watch;
mod yaml;

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;

use console::Console;
use environment::Environment;
use session::Session;

fn main() -> ExitCode {
    let progress = io::stderr().is_terminal();
    let colour = progress && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    // Whoever watches sees each line at once; a pipe gets them by the block.
    let out: Box<dyn Write + Send> = if io::stdout().is_terminal() {
        Box::new(io::stdout())
    } else {
        Box::new(BufWriter::new(io::stdout()))
    };
    let console = Arc::new(Console::new(out, io::stderr(), progress, colour));
    let args = match cli::parse(std::env::args_os()) {
        Ok(args) => args,
        Err(error) => return complain(&console, &error),
    };
    let session = Session::new(args.cluster, Environment::of_process(), Arc::clone(&console));
    let result = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")
        .and_then(|runtime| runtime.block_on(args.command.run(&session)))
        .and_then(|()| Ok(console.flush()?));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has read enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            console.complain(&error);
            if let Some(told) = error.downcast_ref::<error::Told>() {
                return ExitCode::from(told.code);
            }
            let code = error.downcast_ref::<error::Exited>().map(|exited| exited.code);
            code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}

/// Prints help where it was asked for, else what is wrong with the command line.
fn complain(console: &Console, error: &clap::Error) -> ExitCode {
    if let Some(complaint) = cli::complaint(error) {
        console.note(complaint);
        return ExitCode::FAILURE;
    }
    _ = error.print();
    if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
}
