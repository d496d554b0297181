//! Whether an example's sources have changed since it was built.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::recipe::{Example, Recipe};

/// Raised when the way of building changes, so that everything is built again.
const GENERATION: u32 = 1;

/// Names that say nothing about the program: documents, and what tools leave behind.
const IGNORED: &[&str] = &["README.md", "pod.yaml", "node_modules", "__pycache__", "target"];

/// A short text that differs when the sources do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of `example`'s sources.
    ///
    /// Rust packages share a lock file, and may use each other: they count as one.
    pub(crate) fn of(example: &Example, examples: &Path) -> Result<Self> {
        let mut files = BTreeSet::new();
        match example.recipe {
            Recipe::Rust(_) => {
                for path in entries(examples)? {
                    if path.is_file() || path.join("Cargo.toml").is_file() {
                        collect(path, &mut files)?;
                    }
                }
            }
            Recipe::C | Recipe::JavaScript | Recipe::Python => {
                for path in entries(&example.folder)? {
                    collect(path, &mut files)?;
                }
            }
        }
        Self::of_files(&files)
    }

    /// As it is kept beside the program.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    fn of_files(files: &BTreeSet<PathBuf>) -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        GENERATION.hash(&mut hasher);
        for file in files {
            let bytes =
                fs::read(file).with_context(|| format!("could not read `{}`", file.display()))?;
            file.hash(&mut hasher);
            bytes.hash(&mut hasher);
        }
        Ok(Self(format!("{:016x}\n", hasher.finish())))
    }
}

/// Adds `path`, or all files below it, to `files`.
fn collect(path: PathBuf, files: &mut BTreeSet<PathBuf>) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if IGNORED.contains(&name.as_ref()) || name.starts_with('.') {
        return Ok(());
    }
    if path.is_file() {
        files.insert(path);
        return Ok(());
    }
    for entry in entries(&path)? {
        collect(entry, files)?;
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>();
    read().with_context(|| format!("could not read `{}`", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_with_the_sources_and_only_with_them() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("main.c");
        fs::write(&source, "int main;").unwrap();
        let example = Example {
            name: "c".to_owned(),
            folder: folder.path().to_owned(),
            recipe: Recipe::C,
            linux: false,
        };
        let fingerprint = || Fingerprint::of(&example, folder.path()).unwrap();

        let first = fingerprint();
        fs::write(folder.path().join("README.md"), "words").unwrap();
        assert_eq!(fingerprint(), first, "words are not sources");
        fs::write(&source, "int main(void);").unwrap();
        assert_ne!(fingerprint(), first, "another program");
    }
}
