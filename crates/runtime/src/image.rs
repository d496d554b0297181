//! An image on this node, pinned by digest.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A pulled and verified image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The image as the pod names it; for messages only.
    pub reference: String,
    /// Digest of the manifest, `sha256:...`.
    pub digest: String,
    /// What it holds.
    pub kind: ImageKind,
    /// Entry point from the image's configuration.
    pub entrypoint: Vec<String>,
    /// Default arguments from the image's configuration.
    pub cmd: Vec<String>,
    /// Environment from the image's configuration, as `NAME=value`.
    pub env: Vec<String>,
    /// Working directory from the image's configuration.
    pub working_dir: Option<String>,
}

/// What kind of program an image holds, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageKind {
    /// A core module or a component.
    Wasm {
        /// The verified module on this node's disk; never written again.
        module: PathBuf,
        /// Digest of that file, `sha256:...`: the key of its compiled form.
        module_digest: String,
        /// The image's own files, shown read-only as `/`; `None` for a bare artifact.
        rootfs: Option<PathBuf>,
    },
    /// A Linux image, as an OCI layout folder.
    Linux {
        /// The folder.
        layout: PathBuf,
    },
}
