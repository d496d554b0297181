//! `cargo xtask dist`: the programs as they are shipped.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::project::Project;
use crate::shell::{self, cargo, say};

/// What the linker does beside optimising: identical functions become one, and the addresses that
/// the loader has to adjust are a bitmap instead of a table, for which glibc must be 2.36 or newer.
const LINK: &str =
    r#"build.rustflags=["-Clink-arg=-Wl,--icf=all","-Clink-arg=-Wl,-z,pack-relative-relocs"]"#;

/// Builds them, says how large they are, and returns their folder.
///
/// # Errors
/// If they cannot be built.
pub(crate) fn build(project: &Project) -> Result<PathBuf> {
    say("build: wk and wkctl as they are shipped");
    let mut build = cargo();
    build.current_dir(project.root()).args(["build", "--profile", "dist", "--config", LINK]);
    shell::run(build.args(["--package", "wk", "--package", "wkctl"]))?;
    let folder = project.root().join("target/dist");
    for program in ["wk", "wkctl"] {
        let file = folder.join(program);
        let size = std::fs::metadata(&file).with_context(|| format!("no {}", file.display()))?;
        #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
        let megabytes = size.len() as f64 / 1e6;
        say(&format!("{}: {megabytes:.1} MB", file.display()));
    }
    Ok(folder)
}
