//! Word of the kernel that something in a folder has changed.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A folder, or a file, that is watched.
#[derive(Debug)]
pub(super) struct Watched(AsyncFd<OwnedFd>);

impl Watched {
    /// Watches a path from now on.
    ///
    /// # Errors
    /// If there is nothing, or the system watches no more.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let notices = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        // Not the making of a file, which is empty then: its end is told when it is closed.
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF;
        inotify::add_watch(&notices, path, flags)?;
        // SAFETY: the descriptor is open for as long as it is owned, and it is owned by what it is
        // registered with.
        #[expect(unsafe_code, reason = "a descriptor of a kind that Tokio does not know")]
        let notices = unsafe { AsyncFd::register_with_interest(notices, Interest::READABLE) }?;
        Ok(Self(notices))
    }

    /// Waits until something has changed; false if the path itself is gone and nothing more will be
    /// heard. Cancel safe.
    pub(super) async fn changed(&self) -> bool {
        let Ok(mut ready) = self.0.readable().await else { return false };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut notices = Reader::new(self.0.get_ref(), &mut buffer);
        let over =
            ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::IGNORED | ReadFlags::UNMOUNT;
        let mut goes_on = true;
        loop {
            match notices.next() {
                Ok(notice) => goes_on &= !notice.events().intersects(over),
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
        ready.clear_ready();
        goes_on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whole_files_are_told_of_and_the_end_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pods");
        assert!(Watched::open(&path).is_err());
        std::fs::create_dir(&path).unwrap();
        let watched = Watched::open(&path).unwrap();
        std::fs::write(path.join("a"), "a").unwrap();
        assert!(watched.changed().await);
        std::fs::rename(path.join("a"), path.join("b")).unwrap();
        assert!(watched.changed().await);
        std::fs::remove_dir_all(&path).unwrap();
        while watched.changed().await {}
    }
}
