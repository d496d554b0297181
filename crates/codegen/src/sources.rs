//! Where cargo keeps the sources that are read.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::Value;

/// The folders of the packages that are read.
pub(crate) struct Sources {
    pub(crate) k8s_openapi: PathBuf,
    pub(crate) k8s_pb: PathBuf,
}

/// Asks cargo for the folders, which fetches the packages where needed.
pub(crate) fn locate(manifest_dir: &Path) -> anyhow::Result<Sources> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--manifest-path"])
        .arg(manifest_dir.join("Cargo.toml"))
        .output()
        .context("running cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let folder = |name: &str| -> anyhow::Result<PathBuf> {
        let packages = metadata["packages"].as_array().context("metadata without packages")?;
        let package = packages
            .iter()
            .find(|package| package["name"] == name)
            .with_context(|| format!("cargo does not know `{name}`"))?;
        let manifest = package["manifest_path"].as_str().context("package without manifest")?;
        Ok(Path::new(manifest).parent().context("manifest without folder")?.to_owned())
    };
    Ok(Sources { k8s_openapi: folder("k8s-openapi")?, k8s_pb: folder("k8s-pb")? })
}

/// All Rust files below a folder, sorted.
pub(crate) fn rust_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a folder name is a version that is not stable: `v1beta1`, `v2alpha1`.
pub(crate) fn is_unstable(part: &str) -> bool {
    part.starts_with('v') && (part.contains("alpha") || part.contains("beta"))
}
