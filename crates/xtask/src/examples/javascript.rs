//! Examples in JavaScript: `app.js`, made a component by the example's own `build.js`.

use std::fs;
use std::process::Command;

use anyhow::Result;

use super::recipe::Example;
use super::wit;
use crate::packages::{self, JAVASCRIPT};
use crate::project::Project;
use crate::shell::run;

/// The finished program of `example`.
///
/// # Errors
/// Packages are missing, or npm or the engine's compiler failed.
pub(crate) fn build(project: &Project, example: &Example) -> Result<Vec<u8>> {
    packages::require("JavaScript", JAVASCRIPT)?;
    let folder = project.guest_build().join("javascript");
    fs::create_dir_all(&folder)?;
    let output = folder.join(format!("{}.wasm", example.name));
    run(Command::new("npm").current_dir(&example.folder).args([
        "ci",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]))?;
    run(Command::new("node")
        .current_dir(&example.folder)
        .arg("build.js")
        .arg(wit::folder(project)?)
        .arg(wit::WORLD)
        .arg(&output))?;
    Ok(fs::read(&output)?)
}
