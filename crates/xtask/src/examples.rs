//! `cargo xtask examples`: builds each folder of `wasm-examples/`, in whatever language it is.
//!
//! What a folder is shows in its files, see [`Recipe`]. A folder is built again when its sources
//! differ from those of the last build. One that cannot be built, because its language is not on
//! this machine, keeps no other from being built; the end says which, and what to install.

mod c;
mod component;
mod fingerprint;
mod javascript;
mod linux;
mod python;
mod recipe;
mod rust;
mod toolchain;
mod wit;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Error, Result, bail};

use self::fingerprint::Fingerprint;
use self::recipe::{Example, Recipe};
pub(crate) use self::toolchain::{Toolchain, has_wasm_targets};
use crate::project::Project;
use crate::shell::say;

/// Builds the examples called `names`, or all, into `target/wasm-examples/NAME.wasm`; those that are
/// programs for Linux, too, also into `target/wasm-examples/NAME`.
///
/// # Errors
/// A name is unknown, or some example could not be built: the error tells about each of them.
pub(crate) fn build(
    project: &Project,
    names: &[String],
    toolchain: Toolchain,
    force: bool,
) -> Result<()> {
    let examples = recipe::select(recipe::discover(&project.examples())?, names)?;
    fs::create_dir_all(project.built_examples())?;

    let mut rust = Vec::new();
    let mut other = Vec::new();
    for example in examples {
        let fingerprint = Fingerprint::of(&example, &project.examples())?;
        let output = Output::new(project, &example);
        if !force && output.is_made_of(&fingerprint) {
            say(&format!("{}: up to date", example.name));
            continue;
        }
        match &example.recipe {
            Recipe::Rust(form) => rust.push((*form, (example, fingerprint, output))),
            Recipe::C | Recipe::JavaScript | Recipe::Python => {
                other.push((example, fingerprint, output));
            }
        }
    }

    let mut failures: Vec<(String, Error)> = Vec::new();
    for (target, group) in rust::by_target(rust) {
        let packages: Vec<&str> =
            group.iter().map(|(_, (example, ..))| example.name.as_str()).collect();
        if let Err(error) = rust::compile(project, target, &packages, toolchain) {
            failures.push((packages.join(", "), error));
            continue;
        }
        for (form, (example, fingerprint, output)) in group {
            let made = output
                .linux
                .as_ref()
                .map_or(Ok(()), |program| linux::build(project, &example.name, program))
                .and_then(|()| rust::assemble(project, target, &example.name, form))
                .and_then(|bytes| output.write(&bytes, &fingerprint));
            failures.extend(made.err().map(|error| (example.name, error)));
        }
    }
    for (example, fingerprint, output) in other {
        say(&format!("{}: building", example.name));
        let made = match example.recipe {
            Recipe::C => c::build(project, &example),
            Recipe::JavaScript => javascript::build(project, &example),
            Recipe::Python => python::build(project, &example),
            Recipe::Rust(_) => continue,
        };
        let made = made.and_then(|bytes| output.write(&bytes, &fingerprint));
        failures.extend(made.err().map(|error| (example.name, error)));
    }
    report(&failures)
}

fn report(failures: &[(String, Error)]) -> Result<()> {
    if failures.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> =
        failures.iter().map(|(name, error)| format!("  {name}: {error:#}")).collect();
    bail!("not everything could be built:\n{}", lines.join("\n"))
}

/// The finished program, and beside it the fingerprint of what it was made of.
struct Output {
    wasm: PathBuf,
    /// The same as a program for Linux, if it is one.
    linux: Option<PathBuf>,
    fingerprint: PathBuf,
}

impl Output {
    fn new(project: &Project, example: &Example) -> Self {
        let (folder, name) = (project.built_examples(), &example.name);
        Self {
            wasm: folder.join(format!("{name}.wasm")),
            linux: example.linux.then(|| folder.join(name)),
            fingerprint: folder.join(format!(".{name}.fingerprint")),
        }
    }

    fn is_made_of(&self, fingerprint: &Fingerprint) -> bool {
        self.wasm.is_file()
            && self.linux.as_ref().is_none_or(|program| program.is_file())
            && fs::read_to_string(&self.fingerprint).is_ok_and(|last| last == fingerprint.text())
    }

    /// Writes the program whole or not at all, and its fingerprint after it.
    fn write(&self, bytes: &[u8], fingerprint: &Fingerprint) -> Result<()> {
        let unfinished = self.wasm.with_extension("unfinished");
        fs::write(&unfinished, bytes)
            .and_then(|()| fs::rename(&unfinished, &self.wasm))
            .and_then(|()| fs::write(&self.fingerprint, fingerprint.text()))
            .with_context(|| format!("could not write `{}`", self.wasm.display()))?;
        say(&format!("{} ({} KiB)", short(&self.wasm), bytes.len().div_ceil(1024)));
        Ok(())
    }
}

/// The path from `target` on.
fn short(path: &Path) -> String {
    let text = path.display().to_string();
    text.find("target/wasm-examples").map_or(text.clone(), |start| text[start..].to_owned())
}
