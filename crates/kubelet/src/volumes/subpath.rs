//! Parts of volumes: `subPath`.
//!
//! A program that shares the volume can put a link in the place of a folder at any time. So the kernel
//! follows a path within its volume, which it never leaves, and from then on there is a descriptor
//! of what was found. An engine can only be told a path: it is told one of the kubelet's own where
//! that descriptor is mounted. Runtimes that follow no links need none.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::fs::{fstat, mkdirat, open, openat, openat2};
use rustix::io::Errno;

const PATH: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
/// How often a path is followed again while others move its folders.
const TRIES: usize = 64;

/// A folder or file of a volume.
#[derive(Debug)]
pub(super) struct SubPath(OwnedFd);

impl SubPath {
    /// Opens a path below a volume. Folders that are not there are made, with the mode that the
    /// volume has. Blocking.
    ///
    /// # Errors
    /// In words for the container's status.
    pub(super) fn open(root: &Path, sub_path: &str) -> Result<Self, String> {
        let path = Path::new(sub_path);
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(format!("subPath `{sub_path}` must be relative and must not contain '..'"));
        }
        opened(root, path).map(Self).map_err(|error| match error {
            Errno::XDEV | Errno::LOOP => {
                format!("subPath `{sub_path}` leads outside of its volume")
            }
            error => {
                let error = io::Error::from(error);
                format!("failed to prepare subPath for volumeMount: `{sub_path}`: {error}")
            }
        })
    }

    /// Where it is now: for a runtime that follows no links from here on.
    ///
    /// # Errors
    /// If that cannot be told.
    pub(super) fn path(&self) -> io::Result<PathBuf> {
        fs::read_link(self.handle())
    }

    /// Mounts it at `target`, for an engine that follows links; in the place of what was mounted
    /// there before. Blocking.
    ///
    /// # Errors
    /// [`io::ErrorKind::PermissionDenied`] without root; nothing is left then.
    pub(super) fn mount(&self, target: &Path) -> io::Result<()> {
        remove_mount(target)?;
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        if FileType::from_raw_mode(fstat(&self.0)?.st_mode).is_dir() {
            fs::create_dir(target)?;
        } else {
            fs::File::create_new(target)?;
        }
        bind(&self.handle(), target).inspect_err(|_error| {
            // The mount failed: it is empty, and nobody has seen it.
            let _removed = remove_mount(target);
        })
    }

    fn handle(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }
}

fn opened(root: &Path, path: &Path) -> rustix::io::Result<OwnedFd> {
    let root = open(root, PATH | OFlags::DIRECTORY, Mode::empty())?;
    let mode = Mode::from_raw_mode(fstat(&root)?.st_mode & 0o7777);
    let mut followed = PathBuf::new();
    let mut at = root.try_clone().map_err(|_error| Errno::MFILE)?;
    for part in path.components() {
        followed.push(part);
        at = match follow(&root, &followed) {
            Err(Errno::NOENT) => {
                match mkdirat(&at, part.as_os_str(), Mode::RWXU) {
                    Ok(()) => set_mode(&at, Path::new(part.as_os_str()), mode)?,
                    // Somebody else was quicker, or it is a link to nothing.
                    Err(Errno::EXIST) => {}
                    Err(error) => return Err(error),
                }
                follow(&root, &followed)?
            }
            found => found?,
        };
    }
    Ok(at)
}

/// Follows a path, links and all, that never leaves `root`.
fn follow(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..TRIES {
        match openat2(root, path, PATH, Mode::empty(), within) {
            // Something on the way was moved meanwhile.
            Err(Errno::AGAIN) => {}
            // Linux before 5.6, and sandboxes that do not know the call.
            Err(Errno::NOSYS | Errno::PERM) => return walk(root, path),
            found => return found,
        }
    }
    Err(Errno::AGAIN)
}

/// The same without links.
fn walk(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    let mut at = root.try_clone().map_err(|_error| Errno::MFILE)?;
    for part in path.components() {
        at = openat(&at, part.as_os_str(), PATH | OFlags::NOFOLLOW, Mode::empty())?;
        if FileType::from_raw_mode(fstat(&at)?.st_mode).is_symlink() {
            return Err(Errno::LOOP);
        }
    }
    Ok(at)
}

/// Gives a folder that was just made its mode, whatever the process masks.
fn set_mode(at: &OwnedFd, name: &Path, mode: Mode) -> rustix::io::Result<()> {
    let flags = PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let made = openat(at, name, flags, Mode::empty())?;
    let handle = format!("/proc/self/fd/{}", made.as_raw_fd());
    rustix::fs::chmod(handle, mode)
}

/// Takes away all that is mounted below `folder`, and the folder. Blocking; again does nothing.
///
/// # Errors
/// What the system said of the first that could not be: nothing of a volume is ever removed.
pub(crate) fn give_back(folder: &Path) -> io::Result<()> {
    for container in entries(folder)? {
        for target in entries(&container)? {
            remove_mount(&target)?;
        }
        fs::remove_dir(&container)?;
    }
    absent_is_fine(fs::remove_dir(folder))
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Takes away what is mounted at a path, and the empty folder or file below.
fn remove_mount(target: &Path) -> io::Result<()> {
    let name = CString::new(target.as_os_str().as_bytes())?;
    loop {
        // SAFETY: the pointer is to a text that ends with a zero byte and outlives the call.
        #[expect(unsafe_code, reason = "the kernel's only interface to it")]
        let done =
            unsafe { libc::umount2(name.as_ptr(), libc::MNT_DETACH | libc::UMOUNT_NOFOLLOW) };
        if done == 0 {
            continue;
        }
        let error = io::Error::last_os_error();
        match Errno::from_io_error(&error) {
            // Nothing is mounted there, or nothing is there.
            Some(Errno::INVAL) => break,
            Some(Errno::NOENT) => return Ok(()),
            // Who may not unmount has not mounted either.
            Some(Errno::PERM) if !is_mounted(target)? => break,
            _ => return Err(error),
        }
    }
    let is_folder = fs::symlink_metadata(target)?.is_dir();
    absent_is_fine(if is_folder { fs::remove_dir(target) } else { fs::remove_file(target) })
}

/// Whether a path is on another file system than its folder. A mount of the same one is not seen, but
/// keeps what is below from being removed.
fn is_mounted(target: &Path) -> io::Result<bool> {
    let Some(parent) = target.parent() else { return Ok(false) };
    Ok(fs::symlink_metadata(target)?.dev() != fs::metadata(parent)?.dev())
}

fn absent_is_fine(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn bind(source: &Path, target: &Path) -> io::Result<()> {
    let source = CString::new(source.as_os_str().as_bytes())?;
    let target = CString::new(target.as_os_str().as_bytes())?;
    let flags = libc::MS_BIND | libc::MS_REC;
    // SAFETY: both pointers are to texts that end with a zero byte and outlive the call; a bind mount
    // has neither a type nor data.
    #[expect(unsafe_code, reason = "the kernel's only interface to it")]
    let done = unsafe {
        libc::mount(source.as_ptr(), target.as_ptr(), std::ptr::null(), flags, std::ptr::null())
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn volume() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("volume/sub/deep")).unwrap();
        fs::write(root.join("volume/sub/file"), "inside").unwrap();
        fs::create_dir_all(root.join("outside")).unwrap();
        fs::write(root.join("outside/file"), "outside").unwrap();
        (folder, root)
    }

    #[test]
    fn no_path_leads_out_of_its_volume() {
        let (_folder, root) = volume();
        let volume = root.join("volume");
        symlink("../../outside", volume.join("sub/out")).unwrap();
        symlink("sub/deep", volume.join("in")).unwrap();
        symlink(volume.join("sub"), volume.join("absolute")).unwrap();
        symlink("nowhere", volume.join("dangling")).unwrap();
        for path in ["sub/out", "sub/out/file", "absolute", "../outside", "/", "dangling"] {
            SubPath::open(&volume, path).unwrap_err();
        }
        let part = SubPath::open(&volume, "in").unwrap();
        assert_eq!(part.path().unwrap(), volume.join("sub/deep"));
        let part = SubPath::open(&volume, "sub/file").unwrap();
        assert_eq!(part.path().unwrap(), volume.join("sub/file"));
    }

    #[test]
    fn what_is_made_has_the_mode_of_the_volume() {
        let (_folder, root) = volume();
        let volume = root.join("volume");
        for mode in [0o777, 0o2770, 0o755] {
            fs::set_permissions(&volume, fs::Permissions::from_mode(mode)).unwrap();
            let name = format!("new-{mode}");
            let made = SubPath::open(&volume, &format!("{name}/er")).unwrap().path().unwrap();
            assert_eq!(made, volume.join(&name).join("er"));
            for path in [volume.join(name), made] {
                let found = fs::metadata(path).unwrap().permissions().mode();
                assert_eq!(found & 0o7777, mode, "{found:o}");
            }
        }
    }

    #[test]
    fn an_engine_sees_what_was_found_and_not_what_is_there_later() {
        let (_folder, root) = volume();
        let (volume, binds) = (root.join("volume"), root.join("binds"));
        let (target, of_file) = (binds.join("main/0"), binds.join("main/1"));
        let part = SubPath::open(&volume, "sub").unwrap();
        fs::rename(volume.join("sub"), volume.join("moved")).unwrap();
        symlink("../outside", volume.join("sub")).unwrap();
        if let Err(error) = part.mount(&target) {
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            assert!(!target.exists());
            return;
        }
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "inside");
        SubPath::open(&volume, "moved/file").unwrap().mount(&of_file).unwrap();
        assert_eq!(fs::read_to_string(&of_file).unwrap(), "inside");
        SubPath::open(&volume, "moved/deep").unwrap().mount(&target).unwrap();
        assert_eq!(fs::read_dir(&target).unwrap().count(), 0, "the last one alone");
        give_back(&binds).unwrap();
        give_back(&binds).unwrap();
        assert!(!binds.exists());
        assert_eq!(fs::read_to_string(volume.join("moved/file")).unwrap(), "inside");
    }
}
