//! Examples in C: `main.c` with bindings that are generated for it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, anyhow};
use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::Resolve;

use super::component::{Adapter, component};
use super::recipe::Example;
use super::wit;
use crate::packages::{self, C};
use crate::project::Project;
use crate::shell::run;

/// The finished program of `example`.
///
/// # Errors
/// Packages are missing, or the compiler found faults.
pub(crate) fn build(project: &Project, example: &Example) -> Result<Vec<u8>> {
    packages::require("C for Wasm", C)?;
    let folder = project.guest_build().join("c").join(&example.name);
    fs::create_dir_all(&folder)?;
    generate_bindings(&wit::folder(project)?, &folder)?;

    let module = folder.join("module.wasm");
    run(Command::new("clang")
        .args(["--target=wasm32-wasi", "-O2", "-Wall", "-Werror", "-mexec-model=reactor", "-I"])
        .arg(&folder)
        .arg(example.folder.join("main.c"))
        // The bindings are not ours to warn about.
        .arg("-w")
        .arg(folder.join(format!("{}.c", wit::WORLD)))
        .arg(folder.join(format!("{}_component_type.o", wit::WORLD)))
        .arg("-o")
        .arg(&module))?;
    component(&fs::read(&module)?, Adapter::Reactor)
}

/// Writes a header, a source file and an object file for the world of HTTP programs.
fn generate_bindings(wit: &Path, folder: &Path) -> Result<()> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit)?;
    let world = resolve.select_world(&[package], Some(wit::WORLD))?;
    let mut files = Files::default();
    let mut generator = wit_bindgen_c::Opts::default().build();
    generator
        .generate(&mut resolve, world, &mut files)
        .map_err(|error| anyhow!("no bindings for C: {error}"))?;
    for (name, bytes) in files.iter() {
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}
