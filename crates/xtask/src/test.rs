//! `cargo xtask test`: every test there is, and whatever they need.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context as _, Result};

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
    deps::install()?;
    examples::build(project, &[], Toolchain::Auto, false)?;

    say("build: wk and wkctl");
    shell::run(cargo().current_dir(project.root()).args(["build", "--release"]))?;

    if read(cargo().args(["nextest", "--version"])).is_err() {
        say("tools: cargo-nextest");
        shell::run(cargo().args(["install", "--locked", "cargo-nextest"]))
            .context("cargo-nextest runs the tests")?;
    }
    say("tests: unit, conformance, end to end");
    shell::run(
        cargo()
            .current_dir(project.root())
            .args(["nextest", "run", "--release", "--workspace", "--run-ignored", "all"])
            .args(nextest)
            .env("KUBECTL", kubectl()?)
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

/// The newest stock `kubectl` there is.
///
/// Some distributions install a small program of that name that starts one of several versions in
/// its own folder (`kubectl.1.33`); the tests read the real one's tables, so they need its path.
fn kubectl() -> Result<PathBuf> {
    if let Some(named) = env::var_os("KUBECTL") {
        return Ok(named.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .map(|folder| folder.join("kubectl"))
        .find_map(|file| file.canonicalize().ok())
        .context("the tests need `kubectl` 1.32 or later on the PATH, or named by KUBECTL")?;
    let folder = found.parent().context("`kubectl` is in no folder")?;
    let beside = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let newest = beside.filter_map(|file| Some((minor_version(&file)?, file))).max();
    Ok(newest.map_or(found, |(_, file)| file))
}

/// 33 for `kubectl.1.33`.
fn minor_version(file: &Path) -> Option<u32> {
    file.file_name()?.to_str()?.strip_prefix("kubectl.1.")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::minor_version;

    #[test]
    fn versions_stand_behind_the_name() {
        assert_eq!(minor_version(Path::new("/opt/kubectl.1.33")), Some(33));
        assert_eq!(minor_version(Path::new("/opt/kubectl")), None);
        assert_eq!(minor_version(Path::new("/opt/kubectl.old")), None);
    }
}
