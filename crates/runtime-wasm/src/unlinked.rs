//! Files and folders of the node, opened by the paths that they had when a container was made.
//!
//! The kubelet hands over paths without links. A link on such a path was put there since, by a guest
//! that shares the volume: following it would lead it out of the volume, to whatever it likes.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, linkat, openat, openat2};
use rustix::io::Errno;

/// What a path led to when it was opened, whatever is there now.
#[derive(Debug)]
pub(crate) struct Unlinked(OwnedFd);

impl Unlinked {
    /// Opens a path that has no links.
    ///
    /// # Errors
    /// If there is nothing, or a link on the way.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let opened = match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
            // Linux before 5.6, and sandboxes that do not know the call.
            Err(Errno::NOSYS | Errno::PERM) => walked(path, flags),
            opened => opened,
        };
        let opened = Self(opened.map_err(io::Error::from)?);
        if opened.metadata()?.is_symlink() {
            return Err(Errno::LOOP.into());
        }
        Ok(opened)
    }

    /// A path by which it can be opened while this value is there.
    pub(crate) fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }

    /// What it is.
    ///
    /// # Errors
    /// If that cannot be told.
    pub(crate) fn metadata(&self) -> io::Result<fs::Metadata> {
        fs::File::from(self.0.try_clone()?).metadata()
    }

    /// Gives a file a further name.
    ///
    /// # Errors
    /// If that is on another file system, or not allowed.
    pub(crate) fn link(&self, to: &Path) -> io::Result<()> {
        Ok(linkat(CWD, self.path(), CWD, to, AtFlags::SYMLINK_FOLLOW)?)
    }
}

fn walked(path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut at = openat(CWD, "/", flags, Mode::empty())?;
    for part in path.components() {
        if let Component::Normal(name) = part {
            at = openat(&at, name, flags, Mode::empty())?;
        }
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_became_a_link_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("volume/sub/deep")).unwrap();
        fs::write(root.join("volume/sub/file"), "inside").unwrap();
        fs::create_dir_all(root.join("outside/deep")).unwrap();
        fs::write(root.join("outside/file"), "outside").unwrap();
        let before = Unlinked::open(&root.join("volume/sub")).unwrap();
        let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        walked(&root.join("volume/sub/deep"), flags).unwrap();

        fs::rename(root.join("volume/sub"), root.join("volume/moved")).unwrap();
        symlink("../outside", root.join("volume/sub")).unwrap();
        for path in ["volume/sub", "volume/sub/deep", "volume/sub/file"] {
            assert!(Unlinked::open(&root.join(path)).is_err(), "{path}");
        }
        walked(&root.join("volume/sub/deep"), flags).unwrap_err();
        assert_eq!(fs::read_to_string(before.path().join("file")).unwrap(), "inside");

        let file = Unlinked::open(&root.join("volume/moved/file")).unwrap();
        file.link(&root.join("again")).unwrap();
        assert_eq!(fs::read_to_string(root.join("again")).unwrap(), "inside");
    }
}
