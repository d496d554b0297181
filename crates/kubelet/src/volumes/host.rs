//! Paths of the node itself: `hostPath`, in pods and in persistent volumes.

use std::fs::FileType;
use std::io;
use std::path::{Path, PathBuf};

/// What a path of the node has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPath {
    pub(super) path: PathBuf,
    kind: HostKind,
}

/// `hostPath.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HostKind {
    Any,
    DirectoryOrCreate,
    Directory,
    FileOrCreate,
    File,
    Socket,
    CharDevice,
    BlockDevice,
}

impl HostPath {
    /// A path and its `type`.
    ///
    /// # Errors
    /// If there is no such type.
    pub(super) fn new(path: impl Into<PathBuf>, kind: &str) -> Result<Self, String> {
        let kind = match kind {
            "" => HostKind::Any,
            "DirectoryOrCreate" => HostKind::DirectoryOrCreate,
            "Directory" => HostKind::Directory,
            "FileOrCreate" => HostKind::FileOrCreate,
            "File" => HostKind::File,
            "Socket" => HostKind::Socket,
            "CharDevice" => HostKind::CharDevice,
            "BlockDevice" => HostKind::BlockDevice,
            other => return Err(format!("hostPath type `{other}` is unknown")),
        };
        Ok(Self { path: path.into(), kind })
    }

    /// Sees that the path is what it should be, and makes it where that is asked for. Blocking.
    ///
    /// # Errors
    /// In Kubernetes' words.
    pub(super) fn check(&self) -> Result<(), String> {
        use std::os::unix::fs::FileTypeExt as _;
        let (path, kind) = (&self.path, self.kind);
        let shown = path.display();
        let failed = |error: io::Error| format!("hostPath `{shown}`: {error}");
        match kind {
            // Engines make what they are to mount, where nothing is said of it.
            HostKind::Any | HostKind::DirectoryOrCreate if !path.exists() => {
                return std::fs::create_dir_all(path).map_err(failed);
            }
            HostKind::FileOrCreate if !path.exists() => {
                return std::fs::File::create(path).map(|_file| ()).map_err(failed);
            }
            _ => {}
        }
        let found = match std::fs::metadata(path) {
            Ok(metadata) => Some(metadata.file_type()),
            // What is not there is not what it should be.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        let is = |fits: fn(&FileType) -> bool| found.as_ref().is_some_and(fits);
        let (fits, what) = match kind {
            HostKind::Any => (true, ""),
            HostKind::DirectoryOrCreate | HostKind::Directory => {
                (is(FileType::is_dir), "a directory")
            }
            HostKind::FileOrCreate | HostKind::File => (is(FileType::is_file), "a file"),
            HostKind::Socket => (is(FileType::is_socket), "a socket file"),
            HostKind::CharDevice => (is(FileType::is_char_device), "a character device"),
            HostKind::BlockDevice => (is(FileType::is_block_device), "a block device"),
        };
        if fits {
            Ok(())
        } else {
            Err(format!("hostPath type check failed: {shown} is not {what}"))
        }
    }
}

/// Sees that the folder of a `local` volume is there. Blocking.
///
/// # Errors
/// In Kubernetes' words.
pub(super) fn check_local(path: &Path) -> Result<(), String> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(format!("path \"{shown}\" is not a directory")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("path \"{shown}\" does not exist"))
        }
        Err(error) => Err(format!("path \"{shown}\": {error}")),
    }
}
