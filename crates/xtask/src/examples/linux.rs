//! Examples in Rust that are also programs for Linux, so that tests can ask the same of both.
//!
//! They are linked statically and so run in an image that holds nothing else. The C library is that of
//! the machine, which every toolchain for it can link.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::toolchain;
use crate::project::Project;
use crate::shell::{cargo, run, say};

/// Builds the package called `name` for this machine and leaves the program in `output`.
///
/// # Errors
/// The compiler found faults, or the program cannot be put into its place.
pub(crate) fn build(project: &Project, name: &str, output: &Path) -> Result<()> {
    let target = toolchain::host()?;
    say(&format!("{name}: compiling for {target}"));
    let mut command = cargo();
    command.current_dir(project.examples()).env("CARGO_TARGET_DIR", project.guest_build());
    // With a target the flags are not for what runs while it is built.
    command.args(["build", "--release", "--package", name, "--target", &target]);
    command.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", "-C target-feature=+crt-static");
    run(&mut command)?;
    let built = project.guest_build().join(&target).join("release").join(name);
    let unfinished = output.with_extension("unfinished");
    fs::copy(&built, &unfinished)
        .and_then(|_bytes| fs::rename(&unfinished, output))
        .with_context(|| format!("could not copy `{}`", built.display()))
}
