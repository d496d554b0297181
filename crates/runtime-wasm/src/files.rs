//! Mounts as the folders that WASI shows to a guest.
//!
//! WASI opens folders, never files. A mount of a single file therefore becomes a private folder
//! that holds nothing but a hard link to it, shown in the place of the file's parent: opening the
//! real parent would show the file's neighbours on the node.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use wk_runtime::{ContainerId, ContainerSpec, ImageKind, Mount, RuntimeError};

use crate::scope::Preopen;
use crate::unlinked::Unlinked;

/// What a container sees, and the private folder that has to go with it, if there is one.
pub(crate) fn preopens(
    state_dir: &Path,
    id: &ContainerId,
    spec: &ContainerSpec,
) -> Result<(Vec<Preopen>, Option<PathBuf>), RuntimeError> {
    let mut preopens = Vec::new();
    if let ImageKind::Wasm { rootfs: Some(rootfs), .. } = &spec.image.kind {
        let host = fs::canonicalize(rootfs).map_err(|error| failed(rootfs, &error))?;
        preopens.push(Preopen { host, guest: "/".to_owned(), read_only: true });
    }
    let mut files: BTreeMap<&str, Vec<(&Mount, &str, Unlinked)>> = BTreeMap::new();
    for mount in &spec.mounts {
        let source = Unlinked::open(&mount.host_path).and_then(|it| Ok((it.metadata()?, it)));
        let (kind, source) = source.map_err(|error| {
            refused(mount, &format!("`{}` cannot be read: {error}", mount.host_path.display()))
        })?;
        if kind.is_dir() {
            preopens.push(Preopen {
                host: mount.host_path.clone(),
                guest: mount.container_path.clone(),
                read_only: mount.read_only,
            });
        } else if kind.is_file() {
            let (parent, name) = split(&mount.container_path)
                .ok_or_else(|| refused(mount, "a file needs a name"))?;
            files.entry(parent).or_default().push((mount, name, source));
        } else {
            return Err(refused(mount, "only folders and regular files can be mounted"));
        }
    }
    if files.is_empty() {
        preopens.shrink_to_fit();
        return Ok((preopens, None));
    }
    let private = state_dir.join(folder_name(id));
    let stale = fs::remove_dir_all(&private);
    if let Err(error) = stale
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(failed(&private, &error));
    }
    for (number, (parent, mounts)) in files.into_iter().enumerate() {
        let host = private.join(number.to_string());
        fs::create_dir_all(&host).map_err(|error| failed(&host, &error))?;
        let host = fs::canonicalize(&host).map_err(|error| failed(&host, &error))?;
        for (mount, name, source) in &mounts {
            place(mount, source, &host.join(name))?;
        }
        let read_only = mounts.iter().any(|(mount, ..)| mount.read_only);
        if preopens.iter().any(|preopen| preopen.guest == parent) {
            let reason = format!("`{parent}` is a mount itself: put the file into that volume");
            return Err(refused(mounts[0].0, &reason));
        }
        preopens.push(Preopen { host, guest: parent.to_owned(), read_only });
    }
    Ok((preopens, Some(private)))
}

/// The file of the node that a container sees at an absolute path; `None` if it sees none there.
///
/// Links are followed as far as they lead to something below the same mount.
pub(crate) fn host_path(preopens: &[Preopen], path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
        return None;
    }
    let below = |preopen: &Preopen| path.strip_prefix(&preopen.guest).ok().map(Path::to_owned);
    let mounts = preopens.iter().filter_map(|preopen| Some((preopen, below(preopen)?)));
    let (preopen, rest) = mounts.max_by_key(|(preopen, _)| preopen.guest.len())?;
    let folder = fs::canonicalize(&preopen.host).ok()?;
    let file = fs::canonicalize(folder.join(rest)).ok()?;
    (file.starts_with(&folder) && file.is_file()).then_some(file)
}

/// Puts the file itself into a private folder, or a copy where that cannot be and the guest will
/// not write to it.
fn place(mount: &Mount, source: &Unlinked, to: &Path) -> Result<(), RuntimeError> {
    match source.link(to) {
        Ok(()) => Ok(()),
        Err(_other_file_system) if mount.read_only => {
            fs::copy(source.path(), to).map(drop).map_err(|error| failed(to, &error))
        }
        Err(error) => Err(refused(
            mount,
            &format!(
                "a single file can be mounted for writing only from the file system of the \
                      node's data folder ({error}): mount its folder instead"
            ),
        )),
    }
}

fn split(path: &str) -> Option<(&str, &str)> {
    let (parent, name) = path.rsplit_once('/')?;
    let parent = if parent.is_empty() { "/" } else { parent };
    (!name.is_empty()).then_some((parent, name))
}

fn folder_name(id: &ContainerId) -> String {
    id.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

fn refused(mount: &Mount, reason: &str) -> RuntimeError {
    RuntimeError::InvalidSpec { reason: format!("mount `{}`: {reason}", mount.container_path) }
}

fn failed(path: &Path, error: &io::Error) -> RuntimeError {
    RuntimeError::StartFailed { reason: format!("`{}` cannot be made: {error}", path.display()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_files_below_their_own_mount_only() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        for file in ["image/tool", "volume/tool", "outside"] {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), "").unwrap();
        }
        std::os::unix::fs::symlink(root.join("outside"), root.join("volume/escape")).unwrap();
        std::os::unix::fs::symlink("tool", root.join("volume/inside")).unwrap();
        let preopen = |host: &str, guest: &str| Preopen {
            host: root.join(host),
            guest: guest.to_owned(),
            read_only: true,
        };
        let preopens = [preopen("image", "/"), preopen("volume", "/data")];
        let found = |path| host_path(&preopens, path);
        assert_eq!(found("/tool"), Some(root.join("image/tool")));
        assert_eq!(found("/data/tool"), Some(root.join("volume/tool")));
        assert_eq!(found("/data/inside"), Some(root.join("volume/tool")));
        for path in ["tool", "/data", "/data/none", "/data/escape", "/data/../tool"] {
            assert_eq!(found(path), None, "{path}");
        }
    }
}
