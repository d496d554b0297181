//! Which Rust files are written by hand.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

/// Folders whose files nobody wrote by hand.
const SKIPPED: &[&str] = &["generated", "node_modules", "target"];

/// The hand-written Rust files below `root`, in order.
///
/// # Errors
/// A folder could not be read.
pub(crate) fn rust_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(root, &mut files)?;
    files.sort();
    Ok(files)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if !name.starts_with('.') && !SKIPPED.contains(&name.as_ref()) {
                collect(&path, files)?;
            }
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_files_are_not_looked_at() {
        let root = tempfile::tempdir().unwrap();
        for file in ["src/b.rs", "src/a.rs", "src/generated/c.rs", "target/d.rs", "src/e.txt"] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let files = rust_files(root.path()).unwrap();
        assert_eq!(files, [root.path().join("src/a.rs"), root.path().join("src/b.rs")]);
    }
}
