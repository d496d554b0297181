//! `cargo xtask test`: every test there is, and whatever they need.

use std::env;

use anyhow::{Context as _, Result};

use crate::clients;
use crate::deps;
use crate::examples::{self, Toolchain};
use crate::project::Project;
use crate::shell::{self, cargo, read, say};

/// Installs packages, builds the examples and the programs, and runs all tests.
///
/// `nextest` goes to `cargo nextest run` as it is; then doctests are left out.
///
/// # Errors
/// The first step that failed.
pub(crate) fn run(project: &Project, nextest: &[String]) -> Result<()> {
    deps::install(project)?;
    examples::build(project, &[], Toolchain::Auto, false)?;

    say("build: wk and wkctl");
    shell::run(cargo().current_dir(project.root()).args(["build", "--release"]))?;

    if read(cargo().args(["nextest", "--version"])).is_err() {
        say("tools: cargo-nextest");
        shell::run(cargo().args(["install", "--locked", "cargo-nextest"]))
            .context("cargo-nextest runs the tests")?;
    }
    say("tests: unit, conformance, end to end");
    let kubectl = env::var_os("KUBECTL").unwrap_or_else(|| clients::kubectl(project).into());
    shell::run(
        cargo()
            .current_dir(project.root())
            .args(["nextest", "run", "--release", "--workspace", "--run-ignored", "all"])
            .args(nextest)
            .env("KUBECTL", kubectl)
            .env_remove("RUST_BACKTRACE"),
    )?;
    if nextest.is_empty() {
        say("tests: examples in the documentation");
        shell::run(cargo().current_dir(project.root()).args([
            "test",
            "--doc",
            "--release",
            "--workspace",
        ]))?;
    }
    Ok(())
}
