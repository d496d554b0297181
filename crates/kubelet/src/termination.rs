//! The file through which a program leaves a word when it ends (`terminationMessagePath`).
//!
//! The kubelet makes an empty file for each run and mounts it into the container. A path within a
//! volume of the container is that volume's own file instead: a mount there would hide its neighbours.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, openat2, unlinkat};
use wk_runtime::Mount;

/// The most of a message that counts: its end.
pub(crate) const FILE_BYTES: u64 = 4096;
/// How much of a log becomes the message of a container that left none.
pub(crate) const LOG_LINES: usize = 80;
/// The same in bytes.
pub(crate) const LOG_BYTES: usize = 2048;
/// What the messages of all containers of a pod may have together.
const POD_BYTES: usize = 12 << 10;

/// Where a run's message is on the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A file of the kubelet's.
    Own(PathBuf),
    /// Below a volume, where the program may have put anything.
    Volume { root: PathBuf, path: PathBuf },
}

/// Decides where the message of a container with these mounts is. Pure.
pub(crate) fn place(in_container: &str, mounts: &[Mount], own: PathBuf) -> Place {
    let wanted = Path::new(in_container);
    let within = mounts.iter().filter_map(|mount| {
        let rest = wanted.strip_prefix(&mount.container_path).ok()?;
        let sane = rest.components().all(|part| matches!(part, Component::Normal(_)));
        let below = sane && rest.components().next().is_some();
        below.then(|| (mount, rest.to_owned()))
    });
    match within.max_by_key(|(mount, _)| mount.container_path.len()) {
        Some((mount, path)) => Place::Volume { root: mount.host_path.clone(), path },
        None => Place::Own(own),
    }
}

impl Place {
    /// Sees to it that nothing is there from an earlier run, and returns the mount that the
    /// container needs. Blocking.
    ///
    /// # Errors
    /// If the kubelet's own file cannot be made.
    pub(crate) fn prepare(&self, in_container: &str) -> io::Result<Option<Mount>> {
        match self {
            Self::Own(path) => {
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder)?;
                }
                File::create(path)?;
                // Whoever the program runs as may write it.
                fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
                Ok(Some(Mount {
                    host_path: path.clone(),
                    container_path: in_container.to_owned(),
                    ..Mount::default()
                }))
            }
            Self::Volume { root, path } => {
                remove_below(root, path);
                Ok(None)
            }
        }
    }

    /// The end of what the program left; empty if that is nothing. Blocking.
    pub(crate) fn read(&self) -> io::Result<String> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let opened = match self {
            Self::Own(path) => rustix::fs::open(path, flags, Mode::empty()),
            Self::Volume { root, path } => {
                let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
                folder(root).and_then(|root| openat2(root, path, flags, Mode::empty(), resolve))
            }
        };
        let mut file = match opened {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOENT) => return Ok(String::new()),
            Err(error) => return Err(error.into()),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(String::new());
        }
        file.seek(SeekFrom::Start(metadata.len().saturating_sub(FILE_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(FILE_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn folder(path: &Path) -> rustix::io::Result<rustix::fd::OwnedFd> {
    rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Removes a file of a volume, if it is there and no link is on the way.
fn remove_below(root: &Path, path: &Path) {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let opened = folder(root).and_then(|root| openat2(root, parent, flags, Mode::empty(), resolve));
    if let Ok(opened) = opened {
        // What is not there, or cannot go, can be told from a message by nobody.
        let _removed = unlinkat(opened, name, AtFlags::empty());
    }
}

/// What the API is told: what the runtime said of the end, then what the program left. Pure.
pub(crate) fn joined(of_runtime: &str, of_program: &str) -> String {
    match (of_runtime.is_empty(), of_program.is_empty()) {
        (_, true) => of_runtime.to_owned(),
        (true, false) => of_program.to_owned(),
        (false, false) => format!("{of_runtime}: {of_program}"),
    }
}

/// The part of a message that fits into the status of a pod with so many containers. Pure.
pub(crate) fn fitted(message: &str, containers: usize) -> &str {
    let most = POD_BYTES / containers.max(1);
    &message[..message.floor_char_boundary(most)]
}

/// The file of the run of a container that belongs to the kubelet.
pub(crate) fn own_file(pod_folder: &Path, container: &str, attempt: u32) -> PathBuf {
    pod_folder.join("containers").join(container).join(format!("{attempt}.message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(host: &Path, container_path: &str) -> Mount {
        Mount {
            host_path: host.to_owned(),
            container_path: container_path.to_owned(),
            ..Mount::default()
        }
    }

    #[test]
    fn the_file_is_the_kubelets_unless_a_volume_is_there() {
        let mounts = [mount(Path::new("/v"), "/data"), mount(Path::new("/w"), "/data/inner")];
        let at = |path: &str| place(path, &mounts, "/own".into());
        assert_eq!(at("/dev/termination-log"), Place::Own("/own".into()));
        assert_eq!(at("/data2/x"), Place::Own("/own".into()));
        assert_eq!(at("/data/../x"), Place::Own("/own".into()));
        let within =
            |root: &str, path: &str| Place::Volume { root: root.into(), path: path.into() };
        assert_eq!(at("/data/x/y"), within("/v", "x/y"));
        assert_eq!(at("/data/inner/y"), within("/w", "y"));
    }

    #[test]
    fn the_end_of_the_message_counts() {
        let folder = tempfile::tempdir().unwrap();
        let own = own_file(folder.path(), "c", 3);
        let place = Place::Own(own.clone());
        let mount = place.prepare("/dev/termination-log").unwrap().unwrap();
        assert_eq!(place.read().unwrap(), "");
        fs::write(&mount.host_path, format!("{}end", "x".repeat(5000))).unwrap();
        let message = place.read().unwrap();
        assert!(message.len() == 4096 && message.ends_with("xend"));
        place.prepare("/dev/termination-log").unwrap();
        assert_eq!(place.read().unwrap(), "", "nothing is left of the run before");
    }

    #[test]
    fn a_message_in_a_volume_is_read_without_leaving_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret"), "of the node").unwrap();
        let root = folder.path().join("volume");
        fs::create_dir(&root).unwrap();
        let place = Place::Volume { root: root.clone(), path: "message".into() };
        assert_eq!(place.read().unwrap(), "");
        fs::write(root.join("message"), "bye").unwrap();
        assert_eq!(place.read().unwrap(), "bye");
        assert_eq!(place.prepare("/v/message").unwrap(), None);
        assert_eq!(place.read().unwrap(), "");
        std::os::unix::fs::symlink("../secret", root.join("message")).unwrap();
        assert!(place.read().is_err());
    }

    #[test]
    fn runtime_and_program_both_have_their_say() {
        assert_eq!(joined("", "bye"), "bye");
        assert_eq!(joined("wasm trap", ""), "wasm trap");
        assert_eq!(joined("wasm trap", "bye"), "wasm trap: bye");
        assert_eq!(fitted(&"é".repeat(8000), 2).len(), 6144);
        assert_eq!(fitted(&format!("x{}", "é".repeat(8000)), 2).len(), 6143);
    }
}
