//! The network namespace of a pod: where it is, and how sockets are made in it.
//!
//! A socket stays in the namespace that it was made in. So nobody has to live in one: a thread of its
//! own goes there, makes the socket and ends, and no thread that does anything else ever changes its
//! namespace.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde::{Deserialize, Serialize};

/// Names a network namespace. Plain data: who makes sockets in it opens it first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NetworkNamespace {
    /// The file of the namespace, such as `/proc/1234/ns/net`.
    pub path: PathBuf,
    /// The number of that file, which no other namespace has as long as this one is in use: what was
    /// at the path before, or is there later, is another one.
    pub inode: u64,
}

impl NetworkNamespace {
    /// The one that is at `path` now.
    ///
    /// # Errors
    /// If there is none, or it may not be looked at.
    pub fn at(path: PathBuf) -> io::Result<Self> {
        let inode = fs::metadata(&path)?.ino();
        Ok(Self { path, inode })
    }

    /// Opens it, which keeps it in use.
    ///
    /// # Errors
    /// If it is not there any more, or may not be entered, which takes `CAP_SYS_ADMIN`.
    pub fn open(&self) -> io::Result<OpenNamespace> {
        let opened = OpenNamespace(File::open(&self.path)?);
        if opened.0.metadata()?.ino() != self.inode {
            let reason = format!("`{}` is another namespace by now", self.path.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, reason));
        }
        opened.within(|| Ok(()))?;
        Ok(opened)
    }
}

/// A network namespace that is in use for as long as this is there.
#[derive(Debug)]
pub struct OpenNamespace(File);

impl OpenNamespace {
    /// Has a thread of its own do something in the namespace, and waits for it: some 50 µs.
    ///
    /// # Errors
    /// What `work` returned; or if there is no thread to be had, or the namespace cannot be entered.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        let inside = || {
            move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))?;
            work()
        };
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("wk-netns".to_owned());
            let outcome = thread.spawn_scoped(scope, inside)?.join();
            outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_told_from_what_is_at_its_path_later() {
        let own = NetworkNamespace::at("/proc/self/ns/net".into()).unwrap();
        let other = NetworkNamespace { inode: own.inode + 1, ..own.clone() };
        assert_eq!(other.open().unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(NetworkNamespace::at("/proc/self/ns/none".into()).is_err());
        // Without root even one's own cannot be entered.
        match own.open() {
            Ok(own) => assert_eq!(own.within(|| Ok(5)).unwrap(), 5),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::PermissionDenied),
        }
    }
}
