//! `cargo xtask deps`: the system packages and clients that tests and examples need.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::clients;
use crate::examples::has_wasm_targets;
use crate::packages::{C, JAVASCRIPT, PYTHON, RUST, TESTS, install_command, missing};
use crate::project::Project;
use crate::shell::{read, run, say};

/// Installs what is missing: packages, if we are root on a Debian, then the tests' clients.
///
/// # Errors
/// Something is missing and cannot be installed from here: the error has the command to type.
pub(crate) fn install(project: &Project) -> Result<()> {
    install_packages()?;
    clients::install(project)
}

fn install_packages() -> Result<()> {
    let mut wanted = vec![C, JAVASCRIPT, PYTHON, TESTS];
    if !has_wasm_targets() {
        wanted.push(RUST);
    }
    let missing = missing(&wanted);
    if missing.is_empty() {
        say("packages: everything is there");
        return Ok(());
    }
    let command = install_command(&missing);
    if read(Command::new("id").arg("-u"))?.trim() != "0" {
        bail!("packages are missing; as root: {command}");
    }
    say(&format!("packages: {command}"));
    run(apt_get().arg("update")).context("the package lists could not be fetched")?;
    run(apt_get().args(["install", "--yes", "--no-install-recommends"]).args(&missing))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.arg("--quiet=2").env("DEBIAN_FRONTEND", "noninteractive");
    command
}
