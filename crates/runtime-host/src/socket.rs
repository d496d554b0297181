//! The socket's place in the file system: one host at a time, one user.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tokio::net::{UnixListener, UnixStream};

/// The longest path that the name of a socket can hold, with the byte that ends it.
const LONGEST_NAME: usize = 108;
/// How long to wait for room in the queue of a host that is busy.
const QUEUED: Duration = Duration::from_millis(2);

/// Why there is no socket to listen on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another host has it.
    #[error("`{path}` belongs to another host{}", .holder.as_deref().map(|pid| format!(" with process id {pid}")).unwrap_or_default())]
    InUse {
        /// The socket.
        path: PathBuf,
        /// The other one's process id, if it could be found out.
        holder: Option<String>,
    },
    /// The system refused.
    #[error("cannot listen on `{path}`")]
    Io {
        /// The socket, or the lock beside it.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// The right to be the host at a socket, which nobody else has as long as this lives.
#[derive(Debug)]
pub struct HostLock {
    _file: File,
}

impl HostLock {
    /// Takes it for the socket at `path`, in a folder that exists: locks a file beside it, with the
    /// extension `pid`, and writes the process id there.
    ///
    /// # Errors
    /// [`ListenError`].
    pub fn take(path: &Path) -> Result<Self, ListenError> {
        let pid = path.with_extension("pid");
        let refused = |source| ListenError::Io { path: pid.clone(), source };
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&pid).map_err(refused)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            let read = file.read_to_string(&mut holder);
            let holder = read.ok().map(|_| holder.trim().to_owned()).filter(|pid| !pid.is_empty());
            return Err(ListenError::InUse { path: path.to_owned(), holder });
        }
        let cleared = file.set_len(0).and_then(|()| file.rewind());
        cleared.and_then(|()| writeln!(file, "{}", std::process::id())).map_err(refused)?;
        Ok(Self { _file: file })
    }
}

/// The socket of a host, which nobody else listens on as long as this lives.
#[derive(Debug)]
pub struct HostSocket {
    pub(crate) listener: UnixListener,
    path: PathBuf,
    _lock: HostLock,
}

impl HostSocket {
    /// Takes the [lock](HostLock) and listens at `path`. What a host that is gone left there is
    /// replaced. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`ListenError`].
    pub fn listen(path: &Path) -> Result<Self, ListenError> {
        let lock = HostLock::take(path)?;
        let refused = |source| ListenError::Io { path: path.to_owned(), source };
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(refused(error)),
            Ok(()) | Err(_) => {}
        }
        let bound = Name::of(path).and_then(|name| UnixListener::bind(&name.path));
        let listener = bound.map_err(refused)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(refused)?;
        Ok(Self { listener, path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for HostSocket {
    fn drop(&mut self) {
        // Whoever comes is to see at once that nobody is there. What cannot be removed is replaced by
        // the next host.
        let _removed = fs::remove_file(&self.path);
    }
}

/// Connects to a host. Cancel safe.
///
/// # Errors
/// What the system said: `NotFound` or `ConnectionRefused` if there is no host.
pub(crate) async fn connect(path: &Path) -> io::Result<UnixStream> {
    let name = Name::of(path)?;
    loop {
        match UnixStream::connect(&name.path).await {
            // The queue of those who come is full.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::time::sleep(QUEUED).await;
            }
            connected => return connected,
        }
    }
}

/// Whether a user may talk to a host that runs as `own`.
pub(crate) fn is_trusted(user: u32, own: u32) -> bool {
    user == own || user == 0
}

/// A path that is short enough for the name of a socket, as long as this lives.
struct Name {
    path: PathBuf,
    _folder: Option<File>,
}

impl Name {
    fn of(path: &Path) -> io::Result<Self> {
        if path.as_os_str().len() < LONGEST_NAME {
            return Ok(Self { path: path.to_owned(), _folder: None });
        }
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let folder = File::open(folder)?;
        let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
        Ok(Self { path, _folder: Some(folder) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_has_one_host_and_takes_the_place_of_one_that_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host.sock");
        assert_eq!(connect(&path).await.unwrap_err().kind(), io::ErrorKind::NotFound);
        let stale = UnixListener::bind(&path).unwrap();
        drop(stale);
        assert_eq!(connect(&path).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let socket = HostSocket::listen(&path).unwrap();
        connect(&path).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let second = HostSocket::listen(&path).unwrap_err().to_string();
        let own = std::process::id();
        assert!(second.ends_with(&format!("another host with process id {own}")), "{second}");
        drop(socket);
        assert!(!path.exists());
        HostSocket::listen(&path).unwrap();
    }

    #[tokio::test]
    async fn folders_may_be_deep() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("x".repeat(120));
        fs::create_dir(&deep).unwrap();
        let path = deep.join("host.sock");
        let _socket = HostSocket::listen(&path).unwrap();
        connect(&path).await.unwrap();
    }

    #[test]
    fn nobody_but_the_own_user_and_root_is_trusted() {
        assert!(is_trusted(1000, 1000) && is_trusted(0, 1000) && is_trusted(0, 0));
        assert!(!is_trusted(1001, 1000) && !is_trusted(1000, 0));
    }
}
