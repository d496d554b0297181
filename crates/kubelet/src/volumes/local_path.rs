//! The folders of persistent volumes that this node keeps itself.
//!
//! A volume NAME is `NAME/data` below the node's folder for volumes; `NAME/owner` beside it holds
//! the uid of the volume that it was made for. Nothing is ever removed for another volume than that
//! one, and nothing outside: links are removed and not followed.

use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use wk_api::names;

const DATA: &str = "data";
const OWNER: &str = "owner";

/// Where a node keeps its volumes: a folder in its data folder.
pub(crate) fn root(data_dir: &Path) -> PathBuf {
    let root = data_dir.join("local-path");
    std::path::absolute(&root).unwrap_or(root)
}

/// A volume of this node's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnVolume {
    root: PathBuf,
    name: String,
    uid: String,
    /// Whether its folder was made before.
    pub(crate) is_made: bool,
}

impl OwnVolume {
    /// The volume of this name, if `path` is where its data is: any other path is not ours.
    pub(super) fn new(
        root: &Path,
        name: &str,
        uid: &str,
        is_made: bool,
        path: &Path,
    ) -> Option<Self> {
        let own =
            Self { root: root.to_owned(), name: name.to_owned(), uid: uid.to_owned(), is_made };
        // A name that is one cannot lead elsewhere.
        let is_name = names::dns1123_subdomain(name).is_empty() && !uid.is_empty();
        (is_name && own.data() == path).then_some(own)
    }

    /// Its name in the API.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn folder(&self) -> PathBuf {
        self.root.join(&self.name)
    }

    /// The folder that containers see.
    pub(super) fn data(&self) -> PathBuf {
        self.folder().join(DATA)
    }

    /// Makes the folder, once: one that was made and is not there any more is a loss, and nothing
    /// empty takes its place. Blocking.
    ///
    /// # Errors
    /// In words for the pod's events.
    pub(super) fn ensure(&self) -> Result<(), String> {
        let data = self.data();
        let failed = |error: io::Error| format!("path \"{}\": {error}", data.display());
        let is_there = self.is_folder().map_err(failed)?;
        let owner = if is_there { self.owner().map_err(failed)? } else { None };
        match owner {
            Some(owner) if owner == self.uid => super::host::check_local(&data),
            Some(_) => Err(format!("path \"{}\" belongs to another volume", data.display())),
            None if self.is_made => Err(format!("path \"{}\" does not exist", data.display())),
            None => self.make().map_err(failed),
        }
    }

    fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.root)?;
        for folder in [self.folder(), self.data()] {
            match fs::create_dir(&folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        if fs::read_dir(self.data())?.next().is_some() {
            return Err(io::Error::other("it holds files, and is nobody's"));
        }
        // Whoever a container runs as may write; nobody else gets this far.
        fs::set_permissions(self.data(), fs::Permissions::from_mode(0o777))?;
        // The owner comes last and at once: a folder without one is unfinished and empty.
        let fresh = self.folder().join("owner.new");
        let mut file = fs::File::create(&fresh)?;
        file.write_all(self.uid.as_bytes())?;
        file.sync_all()?;
        fs::rename(fresh, self.folder().join(OWNER))?;
        fs::File::open(self.folder())?.sync_all()?;
        fs::File::open(&self.root)?.sync_all()
    }

    /// Removes the volume with all that is in it; one that is gone is fine. Blocking.
    ///
    /// # Errors
    /// If the folder is not this volume's, or cannot be removed.
    pub(super) fn remove(&self) -> io::Result<()> {
        if !self.is_folder()? {
            return Ok(());
        }
        match self.owner()? {
            Some(owner) if owner == self.uid => crate::tree::remove(&self.data())?,
            Some(_) => {
                let folder = self.folder();
                let text = format!("`{}` belongs to another volume", folder.display());
                return Err(io::Error::other(text));
            }
            // Never finished: nothing is in it, or this fails.
            None => unless_missing(fs::remove_dir(self.data()))?,
        }
        for file in ["owner.new", OWNER] {
            unless_missing(fs::remove_file(self.folder().join(file)))?;
        }
        unless_missing(fs::remove_dir(self.folder()))
    }

    /// Whether the volume's own folder is there.
    fn is_folder(&self) -> io::Result<bool> {
        match fs::symlink_metadata(self.folder()) {
            Ok(metadata) if metadata.is_dir() => Ok(true),
            Ok(_) => Err(io::Error::from(io::ErrorKind::NotADirectory)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The uid of the volume that the folder was made for; `None` if it was not finished.
    fn owner(&self) -> io::Result<Option<String>> {
        match fs::read_to_string(self.folder().join(OWNER)) {
            Ok(uid) => Ok(Some(uid)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn unless_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn volume(root: &Path, uid: &str, is_made: bool) -> OwnVolume {
        let path = root.join("pvc-1/data");
        OwnVolume::new(root, "pvc-1", uid, is_made, &path).unwrap()
    }

    #[test]
    fn a_volume_is_made_once_and_its_loss_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("local-path");
        volume(&root, "u", false).ensure().unwrap();
        fs::write(root.join("pvc-1/data/file"), "kept").unwrap();
        volume(&root, "u", false).ensure().unwrap();
        volume(&root, "u", true).ensure().unwrap();
        assert_eq!(fs::read_to_string(root.join("pvc-1/data/file")).unwrap(), "kept");
        let other = volume(&root, "another", false).ensure().unwrap_err();
        assert!(other.ends_with("belongs to another volume"), "{other}");
        fs::remove_dir_all(&root).unwrap();
        let lost = volume(&root, "u", true).ensure().unwrap_err();
        assert!(lost.ends_with("does not exist"), "{lost}");
        assert!(!root.exists());
    }

    #[test]
    fn only_what_belongs_to_a_volume_is_removed_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("local-path");
        let outside = folder.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "").unwrap();
        volume(&root, "u", false).ensure().unwrap();
        symlink(&outside, root.join("pvc-1/data/link")).unwrap();
        let refused = volume(&root, "another", true).remove().unwrap_err();
        assert!(refused.to_string().ends_with("belongs to another volume"), "{refused}");
        assert!(root.join("pvc-1/data").exists());
        volume(&root, "u", true).remove().unwrap();
        volume(&root, "u", true).remove().unwrap();
        assert!(!root.join("pvc-1").exists() && outside.join("file").exists());
        symlink(&outside, root.join("pvc-1")).unwrap();
        assert!(volume(&root, "u", true).remove().is_err());
        assert!(volume(&root, "u", false).ensure().is_err());
        assert!(outside.join("file").exists());
    }

    #[test]
    fn an_unfinished_folder_is_finished_or_removed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("pvc-1/data")).unwrap();
        volume(folder.path(), "u", false).remove().unwrap();
        assert!(!folder.path().join("pvc-1").exists());
        fs::create_dir_all(folder.path().join("pvc-1/data")).unwrap();
        fs::write(folder.path().join("pvc-1/data/file"), "").unwrap();
        assert!(volume(folder.path(), "u", false).remove().is_err(), "somebody's file");
        assert!(volume(folder.path(), "u", false).ensure().is_err());
        fs::remove_file(folder.path().join("pvc-1/data/file")).unwrap();
        volume(folder.path(), "u", false).ensure().unwrap();
    }

    #[test]
    fn another_path_is_not_ours() {
        let root = Path::new("/r");
        let own = |name: &str, path: &str| OwnVolume::new(root, name, "u", true, Path::new(path));
        assert!(own("a", "/r/a/data").is_some());
        assert!(own("a", "/r/b/data").is_none());
        assert!(own("a", "/etc").is_none());
        assert!(own("..", "/r/../data").is_none());
        assert!(own("a/b", "/r/a/b/data").is_none());
    }
}
