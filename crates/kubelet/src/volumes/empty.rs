//! Folders that live as long as their pod: `emptyDir`, on disk or in memory.
//!
//! As root, one in memory is a file system of its own, of the size that it may have. Without root it
//! is a folder in the machine's shared memory, and its size is watched as that of a folder on disk
//! is: what was to stay in memory is never written to disk.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::EmptyDirVolumeSource;

use crate::tree;

/// Where every process may keep files in memory.
const SHARED_MEMORY: &str = "/dev/shm";

/// What a pod's folder is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EmptyDir {
    in_memory: bool,
    limit_bytes: Option<u64>,
}

impl EmptyDir {
    /// What a specification says.
    ///
    /// # Errors
    /// If it names a medium that this node has not.
    pub(super) fn of(source: &EmptyDirVolumeSource) -> Result<Self, String> {
        let in_memory = match source.medium.as_deref().unwrap_or_default() {
            "" => false,
            "Memory" => true,
            other => {
                return Err(format!(
                    "emptyDir medium `{other}` is not supported on this node; supported are the \
                     default one and `Memory`"
                ));
            }
        };
        let limit = source.size_limit.as_ref();
        let limit = limit.and_then(|limit| wk_api::Quantity::parse(&limit.0).ok());
        let limit_bytes = limit.and_then(|limit| u64::try_from(limit.value()).ok());
        Ok(Self { in_memory, limit_bytes: limit_bytes.filter(|bytes| *bytes > 0) })
    }

    /// The same for a pod with this limit on its memory, on a node with this much. What is kept in
    /// memory counts for both: half of the node's is the most without a limit, as everywhere.
    pub(super) fn within(mut self, of_pod: Option<u64>, of_node: u64) -> Self {
        if self.in_memory {
            let most = of_pod.unwrap_or(of_node).min(of_node);
            let usual = of_pod.unwrap_or(of_node / 2).min(of_node);
            self.limit_bytes = Some(self.limit_bytes.map_or(usual, |own| own.min(most)));
        }
        self
    }

    /// Makes it, or leaves the one that is there. Blocking.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn ensure(&self, path: &Path) -> io::Result<()> {
        // A restart of the machine leaves a link without its folder, or a folder on the disk.
        let is_made = path.try_exists()?;
        if is_made && (!self.in_memory || path.is_symlink() || is_mounted(path)?) {
            return Ok(());
        }
        if path.is_symlink() {
            return in_shared_memory(path);
        }
        make_open(path)?;
        if !self.in_memory {
            return Ok(());
        }
        match mount_in_memory(path, self.limit_bytes) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                fs::remove_dir(path)?;
                in_shared_memory(path)
            }
            Err(error) => {
                fs::remove_dir(path)?;
                Err(error)
            }
            // The file system has a root of its own.
            Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(0o777)),
        }
    }
}

/// Whether a folder that is there is a file system of its own.
fn is_mounted(path: &Path) -> io::Result<bool> {
    let Some(parent) = path.parent() else { return Ok(false) };
    Ok(fs::metadata(path)?.dev() != fs::metadata(parent)?.dev())
}

/// Makes a folder that whoever a container runs as may write to.
fn make_open(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o777))
}

/// Makes the folder in the machine's shared memory, and a link to it, which goes with the pod.
fn in_shared_memory(link: &Path) -> io::Result<()> {
    let target = shared_folder(link).ok_or(io::ErrorKind::InvalidInput)?;
    if let Some(pods) = target.parent() {
        make_own(pods)?;
    }
    make_open(&target)?;
    match fs::remove_file(link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    symlink(target, link)
}

/// Makes a folder where everybody may make some: one that is there already has to be this user's own
/// and nobody else's, or what is put in it would be somebody else's, too.
fn make_own(folder: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    let found = fs::symlink_metadata(folder)?;
    let is_own = found.is_dir()
        && found.uid() == rustix::process::geteuid().as_raw()
        && found.mode() & 0o7777 == 0o700;
    if is_own {
        return Ok(());
    }
    let reason = format!("`{}` was made by somebody else", folder.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, reason))
}

/// `POD/volumes/NAME` as a folder in shared memory.
fn shared_folder(link: &Path) -> Option<PathBuf> {
    let name = link.file_name()?;
    let pod = link.parent()?.parent()?.file_name()?.to_str()?;
    let user = rustix::process::geteuid().as_raw();
    Some(Path::new(SHARED_MEMORY).join(format!("wk-{user}-{pod}")).join(name))
}

/// Where the files of a pod's folder are: behind the link, if it is one.
pub(super) fn place(path: PathBuf) -> PathBuf {
    fs::read_link(&path).unwrap_or(path)
}

/// Gives back what the volumes in `folder` have in memory. Blocking; again does nothing.
///
/// # Errors
/// What the system said of the first that could not be.
pub(crate) fn give_back(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let own = fs::metadata(folder)?.dev();
    let mut shared = None;
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && entry.metadata()?.dev() != own {
            unmount(&entry.path())?;
        } else if kind.is_symlink()
            && let (Ok(target), Some(ours)) =
                (fs::read_link(entry.path()), shared_folder(&entry.path()))
            && target == ours
        {
            shared = ours.parent().map(Path::to_owned);
        }
    }
    shared.map_or(Ok(()), |shared| tree::remove(&shared))
}

fn mount_in_memory(path: &Path, limit_bytes: Option<u64>) -> io::Result<()> {
    let target = CString::new(path.as_os_str().as_bytes())?;
    let options = limit_bytes.map_or_else(String::new, |bytes| format!("size={bytes}"));
    let options = CString::new(options)?;
    // SAFETY: all pointers are to texts that end with a zero byte and outlive the call.
    #[expect(unsafe_code, reason = "the kernel's only interface to it")]
    let done = unsafe {
        libc::mount(
            c"tmpfs".as_ptr(),
            target.as_ptr(),
            c"tmpfs".as_ptr(),
            libc::MS_NOSUID | libc::MS_NODEV,
            options.as_ptr().cast(),
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn unmount(path: &Path) -> io::Result<()> {
    let target = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the pointer is to a text that ends with a zero byte and outlives the call.
    #[expect(unsafe_code, reason = "the kernel's only interface to it")]
    let done = unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_memory_goes_with_its_pod() {
        let folder = tempfile::tempdir().unwrap();
        let volumes = folder.path().join("pod-1").join("volumes");
        let path = volumes.join("cache");
        let empty = EmptyDir { in_memory: true, limit_bytes: Some(1 << 20) };
        empty.ensure(&path).unwrap();
        fs::write(place(path.clone()).join("file"), "x").unwrap();
        empty.ensure(&path).unwrap();
        let held = rustix::fs::statfs(&path).unwrap();
        let tmpfs = 0x0102_1994;
        assert_eq!(held.f_type, tmpfs, "the files are in memory");
        assert_eq!(fs::read_to_string(place(path.clone()).join("file")).unwrap(), "x");
        give_back(&volumes).unwrap();
        give_back(&volumes).unwrap();
        assert!(!path.join("file").exists());
        fs::remove_dir_all(&volumes).unwrap();
    }

    #[test]
    fn without_root_it_is_in_shared_memory() {
        let folder = tempfile::tempdir().unwrap();
        let pod = folder.path().file_name().unwrap().to_owned();
        let volumes = folder.path().join(pod).join("volumes");
        fs::create_dir_all(&volumes).unwrap();
        let path = volumes.join("cache");
        in_shared_memory(&path).unwrap();
        let real = place(path.clone());
        assert!(real.starts_with(SHARED_MEMORY), "{}", real.display());
        fs::write(path.join("file"), "x").unwrap();
        give_back(&volumes).unwrap();
        assert!(!real.exists());
    }

    #[test]
    fn a_folder_of_somebody_else_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let (own, open, link) =
            (folder.path().join("own"), folder.path().join("open"), folder.path().join("link"));
        make_own(&own).unwrap();
        make_own(&own).unwrap();
        make_open(&open).unwrap();
        symlink(&own, &link).unwrap();
        for path in [open, link] {
            assert_eq!(make_own(&path).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        }
    }

    #[test]
    fn a_folder_in_memory_has_room_for_no_more_than_its_pod() {
        let limit = |in_memory, limit_bytes, of_pod| {
            EmptyDir { in_memory, limit_bytes }.within(of_pod, 1000).limit_bytes
        };
        assert_eq!(limit(true, None, None), Some(500));
        assert_eq!(limit(true, None, Some(300)), Some(300));
        assert_eq!(limit(true, Some(400), Some(300)), Some(300));
        assert_eq!(limit(true, Some(200), Some(300)), Some(200));
        assert_eq!(limit(true, Some(800), None), Some(800));
        assert_eq!(limit(true, Some(2000), Some(3000)), Some(1000));
        assert_eq!(limit(false, None, Some(300)), None, "not in memory");
    }

    #[test]
    fn a_medium_that_is_not_there_is_refused() {
        let of = |medium: &str| {
            let medium = Some(medium.to_owned());
            EmptyDir::of(&EmptyDirVolumeSource { medium, ..EmptyDirVolumeSource::default() })
        };
        assert!(of("").is_ok() && of("Memory").is_ok());
        assert!(of("HugePages-2Mi").unwrap_err().contains("`HugePages-2Mi`"));
    }
}
