//! What brings a node's pods back when it starts while its control plane is away.
//!
//! Of each pod that has not ended there is its object as it was last reported, and the environment
//! that its containers were last given; of the node, its range of pod addresses. Volumes are on disk
//! anyway. All of it is read only where the API server cannot be reached, which always knows better.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Pod;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tracing::warn;

/// What is kept of the Node object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedNode {
    pub(crate) uid: String,
    /// `spec.podCIDR`.
    pub(crate) pod_range: String,
}

/// The folder of all that.
#[derive(Clone, Debug)]
pub(crate) struct Saved(PathBuf);

impl Saved {
    /// The one of a node with this folder, made if it is not there.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn open(data_dir: &Path) -> io::Result<Self> {
        let folder = data_dir.join("saved");
        fs::create_dir_all(&folder)?;
        // Environments may hold secrets.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        Ok(Self(folder))
    }

    /// Where it is.
    pub(crate) fn folder(data_dir: &Path) -> PathBuf {
        data_dir.join("saved")
    }

    pub(crate) fn put_node(&self, node: &SavedNode) {
        self.put(Path::new("node.json"), node);
    }

    pub(crate) fn node(&self) -> Option<SavedNode> {
        self.get(Path::new("node.json"))
    }

    pub(crate) fn put_pod(&self, uid: &str, pod: &Pod) {
        self.put(&Path::new(uid).join("pod.json"), pod);
    }

    /// All pods that have not ended.
    pub(crate) fn pods(&self) -> Vec<Pod> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let pods = folders.filter_map(|entry| {
            let name = entry.file_name();
            self.get(&Path::new(&name).join("pod.json"))
        });
        pods.collect()
    }

    pub(crate) fn put_env(&self, uid: &str, container: &str, env: &[(String, String)]) {
        self.put(&Path::new(uid).join(format!("{container}.env.json")), &env);
    }

    /// What a container was last given.
    pub(crate) fn env(&self, uid: &str, container: &str) -> Option<Vec<(String, String)>> {
        self.get(&Path::new(uid).join(format!("{container}.env.json")))
    }

    /// Forgets a pod.
    pub(crate) fn forget(&self, uid: &str) {
        match fs::remove_dir_all(self.0.join(uid)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                warn!(uid, %error, "what was saved of a pod could not be removed");
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Writes a file whole or not at all; a disk that is full must not stop a pod.
    fn put<T: Serialize>(&self, path: &Path, value: &T) {
        let path = self.0.join(path);
        let write = || {
            let json = serde_json::to_vec(value)?;
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let fresh = path.with_extension("new");
            let mut options = fs::OpenOptions::new();
            let mut file =
                options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
            file.write_all(&json)?;
            fs::rename(&fresh, &path)
        };
        if let Err(error) = write() {
            warn!(path = %path.display(), %error, "state could not be saved");
        }
    }

    fn get<T: DeserializeOwned>(&self, path: &Path) -> Option<T> {
        let path = self.0.join(path);
        let json = match fs::read(&path) {
            Ok(json) => json,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    warn!(path = %path.display(), %error, "saved state could not be read");
                }
                return None;
            }
        };
        serde_json::from_slice(&json)
            .inspect_err(|error| warn!(path = %path.display(), %error, "saved state is broken"))
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_there_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let saved = Saved::open(folder.path()).unwrap();
        assert_eq!((saved.node(), saved.pods().len()), (None, 0));
        let node = SavedNode { uid: "n".to_owned(), pod_range: "10.0.0.0/24".to_owned() };
        saved.put_node(&node);
        let mut pod = Pod::default();
        pod.metadata.name = Some("web".to_owned());
        saved.put_pod("u-1", &pod);
        let env = vec![("A".to_owned(), "1".to_owned())];
        saved.put_env("u-1", "c", &env);
        let saved = Saved::open(folder.path()).unwrap();
        assert_eq!(saved.node(), Some(node));
        assert_eq!(saved.pods(), [pod]);
        assert_eq!(saved.env("u-1", "c"), Some(env));
        fs::write(folder.path().join("saved/u-1/pod.json"), "{").unwrap();
        assert!(saved.pods().is_empty(), "half a file is none");
        saved.forget("u-1");
        saved.forget("u-1");
        assert_eq!(saved.env("u-1", "c"), None);
    }
}
