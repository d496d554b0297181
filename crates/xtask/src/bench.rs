//! `cargo xtask bench`: the figures of the project, beside those of what it is compared with.

use anyhow::{Context as _, Result, ensure};

use crate::dist;
use crate::examples::{self, Toolchain};
use crate::packages;
use crate::project::Project;
use crate::shell::{self, cargo, has_program, read, say};

/// Installs what is measured against, builds everything, and runs the benchmarks named; all without
/// a name.
///
/// # Errors
/// The first step that failed.
pub(crate) fn run(project: &Project, names: &[String]) -> Result<()> {
    ensure!(
        has_program("wrk"),
        "`wrk` makes the load: install it with `{}`",
        packages::install_command(&["wrk"])
    );
    let version = wasmtime_version(project)?;
    let tools = project.tools();
    let wasmtime = tools.join("bin/wasmtime");
    // `wasmtime 48.0.8 (…)`
    let found = read(std::process::Command::new(&wasmtime).arg("--version")).unwrap_or_default();
    if found.split_whitespace().nth(1) != Some(&version) {
        say(&format!("tools: wasmtime-cli {version}, the release that is linked in"));
        let mut install = cargo();
        install.args(["install", "wasmtime-cli", "--locked", "--force", "--version", &version]);
        shell::run(install.arg("--root").arg(&tools))
            .context("wasmtime serve is measured against")?;
    }
    let guests = ["hello-http", "testguest"].map(str::to_owned);
    examples::build(project, &guests, Toolchain::Auto, false)?;
    let programs = dist::build(project)?;
    let all = ["main_job", "api", "workloads", "neighbours"].map(str::to_owned);
    for name in if names.is_empty() { &all } else { names } {
        say(&format!("bench: {name}"));
        shell::run(
            cargo()
                .current_dir(project.root())
                .args(["bench", "--package", "wk-tests", "--bench", name])
                .env("WASMTIME", &wasmtime)
                .env("WK_PROGRAMS", &programs)
                .env_remove("RUST_BACKTRACE"),
        )?;
    }
    Ok(())
}

/// The release of wasmtime that `Cargo.lock` pins.
fn wasmtime_version(project: &Project) -> Result<String> {
    let lock = std::fs::read_to_string(project.root().join("Cargo.lock"))
        .context("cannot read `Cargo.lock`")?;
    version_of("wasmtime", &lock).context("`Cargo.lock` has no `wasmtime`")
}

fn version_of(package: &str, lock: &str) -> Option<String> {
    let (_, behind) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    behind.split_once('"').map(|(version, _)| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::version_of;

    #[test]
    fn versions_are_read_from_the_lock_file() {
        let lock = "[[package]]\nname = \"wasmtime-cli\"\nversion = \"1.0.0\"\n\n\
                    [[package]]\nname = \"wasmtime\"\nversion = \"2.0.0\"\n";
        assert_eq!(version_of("wasmtime", lock).as_deref(), Some("2.0.0"));
        assert_eq!(version_of("absent", lock), None);
    }
}
