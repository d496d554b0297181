//! `completion`: a script for a shell.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Args;
use crate::session::Session;

/// Arguments of `completion`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(session: &Session, args: &CompletionArgs) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "wkctl", &mut script);
    Ok(session.console.print(script)?)
}
