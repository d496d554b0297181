//! Examples in Rust.
//!
//! Libraries, which export what the host calls, are compiled for `wasm32-unknown-unknown`: they reach
//! WASI through the crates `wasip2` and `wasip3` alone, which gives the smallest program and needs no
//! C library and no adapter. Programs with a main function are compiled for `wasm32-wasip1`, for the
//! standard library's sake.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result};

use super::component::{Adapter, component};
use super::recipe::Form;
use super::toolchain::{self, Target, Toolchain};
use crate::project::Project;
use crate::shell::{run, say};

/// Groups packages by the target that their form is compiled for.
pub(crate) fn by_target<T>(packages: Vec<(Form, T)>) -> BTreeMap<Target, Vec<(Form, T)>> {
    let mut groups: BTreeMap<Target, Vec<(Form, T)>> = BTreeMap::new();
    for (form, package) in packages {
        groups.entry(target(form)).or_default().push((form, package));
    }
    groups
}

/// Compiles `packages` for `target`, all in one go.
///
/// # Errors
/// There is no compiler for it, or it found faults.
pub(crate) fn compile(
    project: &Project,
    target: Target,
    packages: &[&str],
    toolchain: Toolchain,
) -> Result<()> {
    let mut cargo = toolchain::find(target, toolchain)?.cargo_build(target)?;
    say(&format!("{}: compiling for {}", packages.join(", "), target.name()));
    cargo.current_dir(project.examples()).env("CARGO_TARGET_DIR", project.guest_build());
    run(cargo.args(packages.iter().map(|package| format!("--package={package}"))))
}

/// The finished program of a compiled package.
///
/// # Errors
/// The compiler's output is missing or not what its form asks for.
pub(crate) fn assemble(
    project: &Project,
    target: Target,
    name: &str,
    form: Form,
) -> Result<Vec<u8>> {
    let file = match form {
        Form::Library => format!("{}.wasm", name.replace('-', "_")),
        Form::Command | Form::Module => format!("{name}.wasm"),
    };
    let path = project.guest_build().join(target.name()).join("release").join(file);
    let module = fs::read(&path).with_context(|| format!("could not read `{}`", path.display()))?;
    match form {
        Form::Library => component(&module, Adapter::None),
        Form::Command => component(&module, Adapter::Command),
        Form::Module => Ok(module),
    }
}

fn target(form: Form) -> Target {
    match form {
        Form::Library => Target::Unknown,
        Form::Command | Form::Module => Target::Wasip1,
    }
}
