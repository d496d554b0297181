//! `cargo xtask check`: formatting, lints, and the rules of the house that no linter knows.
//!
//! Each rule is a function from text to faults, one line each; this file reads the text.

mod edges;
mod headers;
mod lints;
mod plans;
mod sources;

use std::fs;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::examples::has_wasm_targets;
use crate::project::Project;
use crate::shell::{cargo, read, run as run_command, say};

/// Runs all checks; with `rules_only`, those that need no compilation.
///
/// # Errors
/// The faults of the house rules, or the first other check that failed.
pub(crate) fn run(project: &Project, rules_only: bool) -> Result<()> {
    say("check: rules of the house");
    let faults = house_rules(project)?;
    if !faults.is_empty() {
        bail!("the rules of the house are broken:\n  {}", faults.join("\n  "));
    }
    for workspace in [project.root().to_owned(), project.examples()] {
        say(&format!("check: format of {}", workspace.display()));
        run_command(cargo().current_dir(workspace).args(["fmt", "--all", "--check"]))?;
    }
    if rules_only {
        return Ok(());
    }
    say("check: lints");
    let lints = ["--", "--deny=warnings"];
    run_command(
        cargo()
            .current_dir(project.root())
            .args(["clippy", "--workspace", "--all-targets"])
            .args(lints),
    )?;
    if !has_wasm_targets() {
        // Debian's compiler, which then compiles the guests, cannot run rustup's clippy.
        say("check: no lints for wasm-examples, because rustup has no Wasm target here");
        return Ok(());
    }
    run_command(
        cargo()
            .current_dir(project.examples())
            .env("CARGO_TARGET_DIR", project.guest_build())
            .args(["clippy", "--workspace", "--target=wasm32-wasip1"])
            .args(lints),
    )
}

/// Every broken rule, in a line each that says where.
fn house_rules(project: &Project) -> Result<Vec<String>> {
    let workspace = metadata(project.root())?;
    let examples = metadata(&project.examples())?;
    let mut faults = edges::faults(&edges::edges(&workspace));
    for manifest in manifests(&workspace).chain(manifests(&examples)) {
        faults.extend(lints::fault(manifest, &read_file(manifest)?));
    }
    for source in sources::rust_files(project.root())? {
        let name = source.strip_prefix(project.root()).unwrap_or(&source).display().to_string();
        let text = read_file(&source.display().to_string())?;
        faults.extend(headers::fault(&name, &text));
        if plans::is_plan(&name) {
            faults.extend(plans::faults(&name, &text));
        }
    }
    Ok(faults)
}

fn metadata(folder: &std::path::Path) -> Result<Value> {
    let mut cargo = cargo();
    let text =
        read(cargo.current_dir(folder).args(["metadata", "--no-deps", "--format-version=1"]))?;
    serde_json::from_str(&text).context("`cargo metadata` answers in JSON")
}

fn manifests(metadata: &Value) -> impl Iterator<Item = &str> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    packages.iter().filter_map(|package| package["manifest_path"].as_str())
}

fn read_file(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("could not read `{path}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_keeps_the_rules_of_the_house() {
        assert_eq!(house_rules(&Project::here()).unwrap(), Vec::<String>::new());
    }
}
