//! The folder that holds all of a cluster's or a node's state, and the lock on it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rustix::fs::{FlockOperation, flock};

/// A data folder that this process alone uses, until it is dropped.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the folder where needed and locks it.
    pub(crate) fn open(path: Option<PathBuf>) -> anyhow::Result<Self> {
        Self::open_or(path, "wk")
    }

    /// [`DataDir::open`] with another name for the default folder, for what runs beside a cluster.
    pub(crate) fn open_or(path: Option<PathBuf>, name: &str) -> anyhow::Result<Self> {
        let path = made(path, name)?;
        let lock = lock(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// A file in the folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A folder in the folder, made where needed.
    pub(crate) fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        make(&path)?;
        Ok(path)
    }
}

/// A data folder that another `wk` uses too: made where needed, and not locked.
pub(crate) fn shared(path: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    made(path, "wk")
}

fn made(path: Option<PathBuf>, name: &str) -> anyhow::Result<PathBuf> {
    let path = match path {
        Some(path) => path,
        None => default_path()?.with_file_name(name),
    };
    make(&path)?;
    path.canonicalize().with_context(|| unusable(&path))
}

/// Makes a folder that only its user can look into, if it is not there.
pub(crate) fn make(path: &Path) -> anyhow::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(|| unusable(path))
}

fn unusable(path: &Path) -> String {
    format!("cannot use the data folder `{}`", path.display())
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let file = path.join("lock");
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&file)
        .with_context(|| unusable(path))?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut holder = String::new();
        lock.read_to_string(&mut holder).unwrap_or_default();
        let holder = holder.trim();
        bail!(
            "data folder `{}` is in use by another `wk`{}{}\n\
             hint: stop that one first, or choose another folder with `--data-dir`",
            path.display(),
            if holder.is_empty() { "" } else { " with process id " },
            holder,
        );
    }
    lock.set_len(0).and_then(|()| lock.rewind()).with_context(|| unusable(path))?;
    writeln!(lock, "{}", std::process::id())
        .with_context(|| format!("cannot write `{}`; is the disk full?", file.display()))?;
    Ok(lock)
}

/// `$XDG_DATA_HOME/wk`, else `~/.local/share/wk`.
fn default_path() -> anyhow::Result<PathBuf> {
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map(|base| base.join("wk"))
        .context("neither XDG_DATA_HOME nor HOME is set\nhint: choose a folder with `--data-dir`")
}

/// Writes a file that others read while it changes: they see the old text or the new one.
pub(crate) fn write_public(path: &Path, text: &str) -> anyhow::Result<()> {
    let temporary = path.with_extension("new");
    fs::write(&temporary, text)
        .and_then(|()| fs::rename(&temporary, path))
        .with_context(|| format!("cannot write `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::DataDir;

    #[test]
    fn a_folder_has_one_user_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDir::open(Some(folder.path().into())).unwrap();
        let error = DataDir::open(Some(folder.path().into())).unwrap_err().to_string();
        assert!(error.contains("in use by another `wk`"), "{error}");
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        drop(first);
        DataDir::open(Some(folder.path().into())).unwrap();
    }
}
