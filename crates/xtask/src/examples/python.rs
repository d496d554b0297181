//! Examples in Python: `app.py`, made a component by `componentize-py`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::recipe::Example;
use super::wit;
use crate::packages::{self, PYTHON};
use crate::project::Project;
use crate::shell::run;

/// The finished program of `example`.
///
/// # Errors
/// Packages are missing, or pip or componentize-py failed.
pub(crate) fn build(project: &Project, example: &Example) -> Result<Vec<u8>> {
    packages::require("Python", PYTHON)?;
    let environment = environment(project, example)?;
    let folder = project.guest_build().join("python");
    fs::create_dir_all(&folder)?;
    let output = folder.join(format!("{}.wasm", example.name));
    run(Command::new(environment.join("bin/componentize-py"))
        .arg("--wit-path")
        .arg(wit::folder(project)?)
        .args(["--world", wit::WORLD, "componentize", "app", "--python-path"])
        .arg(&example.folder)
        .arg("--output")
        .arg(&output))?;
    Ok(fs::read(&output)?)
}

/// A Python environment with what `requirements.txt` asks for.
fn environment(project: &Project, example: &Example) -> Result<PathBuf> {
    let folder = project.tools().join("python").join(&example.name);
    if !folder.join("bin/pip").is_file() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    run(Command::new(folder.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(example.folder.join("requirements.txt")))?;
    Ok(folder)
}
