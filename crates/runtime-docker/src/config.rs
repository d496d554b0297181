//! What the runtime is told.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Which engine, and on whose behalf.
#[derive(Clone, Debug)]
pub struct DockerConfig {
    /// The engine's Unix socket. It need not be there yet.
    pub socket: PathBuf,
    /// Tells the containers and images of this node from those of all others on the same engine: a
    /// few letters and digits that stay the same over restarts.
    pub owner: String,
}

impl DockerConfig {
    /// The engine at `socket`, for the node whose folder is `folder`.
    pub fn for_folder(socket: PathBuf, folder: &Path) -> Self {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let mut owner = format!("{:x}", Sha256::digest(folder.as_os_str().as_encoded_bytes()));
        owner.truncate(12);
        Self { socket, owner }
    }
}
