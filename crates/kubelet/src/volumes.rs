//! Volumes: folders on the node that appear in containers.

mod files;
mod payload;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Component, Path, PathBuf};

use k8s_openapi::api::core::v1::{Container, HostPathVolumeSource, PodSpec, Volume, VolumeMount};
use wk_runtime::Mount;

use crate::env::{Facts, expand};
use crate::objects::Found;

pub(crate) use self::payload::references;

/// Why a volume cannot be had; `message` is in Kubernetes' words where it has some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VolumeFault {
    pub(crate) volume: String,
    pub(crate) message: String,
}

/// Something to be done on disk for one volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Make an empty folder, or leave the one that is there.
    Folder,
    /// Make the folder hold exactly these files, all at once.
    Files(payload::Payload),
    /// See that the node's own path is what the pod thinks it is.
    Host { path: PathBuf, kind: HostKind },
}

/// `hostPath.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostKind {
    Any,
    DirectoryOrCreate,
    Directory,
    FileOrCreate,
    File,
    Socket,
    CharDevice,
    BlockDevice,
}

/// What has to be done for the volumes of a pod.
///
/// # Errors
/// The first volume that is not supported, or that names something missing.
pub(crate) fn plan(
    spec: &PodSpec,
    facts: Facts<'_>,
    found: &Found,
) -> Result<Vec<(String, Task)>, VolumeFault> {
    let volumes = spec.volumes.iter().flatten();
    let task = |volume: &Volume| match task(volume, spec, facts, found) {
        Ok(task) => Ok((volume.name.clone(), task)),
        Err(message) => Err(VolumeFault { volume: volume.name.clone(), message }),
    };
    volumes.map(task).collect()
}

fn task(volume: &Volume, spec: &PodSpec, facts: Facts<'_>, found: &Found) -> Result<Task, String> {
    if let Some(source) = &volume.host_path {
        return host(source);
    }
    if let Some(files) = payload::of_volume(volume, spec, facts, found) {
        return files.map(Task::Files);
    }
    // A volume without any source is an empty folder, as in Kubernetes.
    let value = serde_json::to_value(volume).unwrap_or_default();
    let kind =
        value.as_object().and_then(|fields| fields.keys().find(|key| *key != "name").cloned());
    match kind.as_deref() {
        None | Some("emptyDir") => Ok(Task::Folder),
        Some(kind) => Err(format!(
            "volume type `{kind}` is not supported on this node; supported are configMap, secret, \
             downwardAPI, projected, emptyDir and hostPath"
        )),
    }
}

fn host(source: &HostPathVolumeSource) -> Result<Task, String> {
    let kind = match source.type_.as_deref().unwrap_or_default() {
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
    Ok(Task::Host { path: PathBuf::from(&source.path), kind })
}

/// Carries the tasks out in the pod's folder of volumes. Blocking.
///
/// # Errors
/// The first volume that failed. Calling again is safe.
pub(crate) fn carry_out(folder: &Path, tasks: &[(String, Task)]) -> Result<(), VolumeFault> {
    for (volume, task) in tasks {
        let path = folder.join(volume);
        let done = match task {
            Task::Folder => std::fs::create_dir_all(&path).map_err(|error| error.to_string()),
            Task::Files(payload) => {
                files::write_all_at_once(&path, payload).map_err(|error| error.to_string())
            }
            Task::Host { path, kind } => check_host(path, *kind),
        };
        done.map_err(|message| VolumeFault { volume: volume.clone(), message })?;
    }
    Ok(())
}

fn check_host(path: &Path, kind: HostKind) -> Result<(), String> {
    use std::os::unix::fs::FileTypeExt as _;
    let shown = path.display();
    let failed = |error: io::Error| format!("hostPath `{shown}`: {error}");
    match kind {
        HostKind::DirectoryOrCreate if !path.exists() => {
            return std::fs::create_dir_all(path).map_err(failed);
        }
        HostKind::FileOrCreate if !path.exists() => {
            return std::fs::File::create(path).map(|_file| ()).map_err(failed);
        }
        _ => {}
    }
    let found = match std::fs::metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound && kind != HostKind::Any => {
            return Err(format!("hostPath type check failed: {shown} does not exist"));
        }
        Err(error) => return Err(failed(error)),
    };
    let (fits, what) = match kind {
        HostKind::Any => (true, ""),
        HostKind::DirectoryOrCreate | HostKind::Directory => (found.is_dir(), "a directory"),
        HostKind::FileOrCreate | HostKind::File => (found.is_file(), "a file"),
        HostKind::Socket => (found.is_socket(), "a socket file"),
        HostKind::CharDevice => (found.is_char_device(), "a character device"),
        HostKind::BlockDevice => (found.is_block_device(), "a block device"),
    };
    if fits { Ok(()) } else { Err(format!("hostPath type check failed: {shown} is not {what}")) }
}

/// What a container sees of the pod's volumes. Blocking: folders for `subPath` are made.
///
/// # Errors
/// In words for the container's status.
pub(crate) fn mounts(
    folder: &Path,
    spec: &PodSpec,
    container: &Container,
    env: &[(String, String)],
) -> Result<Vec<Mount>, String> {
    let wanted = container.volume_mounts.iter().flatten();
    wanted.map(|mount| one_mount(folder, spec, mount, env)).collect()
}

fn one_mount(
    folder: &Path,
    spec: &PodSpec,
    mount: &VolumeMount,
    env: &[(String, String)],
) -> Result<Mount, String> {
    let volume = spec.volumes.iter().flatten().find(|volume| volume.name == mount.name);
    let volume = volume.ok_or_else(|| format!("volume \"{}\" not found", mount.name))?;
    let root = match &volume.host_path {
        Some(source) => PathBuf::from(&source.path),
        None => folder.join(&mount.name),
    };
    let sub_path = match (&mount.sub_path_expr, &mount.sub_path) {
        (Some(text), _) => Some(expand(text, &env.iter().cloned().collect())),
        (None, Some(text)) => Some(text.clone()),
        (None, None) => None,
    };
    let host_path = match sub_path.filter(|text| !text.is_empty()) {
        Some(text) => below(&root, &text)?,
        None => root,
    };
    // What the API holds is not to be changed from inside a container.
    let from_api = volume.config_map.is_some()
        || volume.secret.is_some()
        || volume.downward_api.is_some()
        || volume.projected.is_some();
    Ok(Mount {
        host_path,
        container_path: mount.mount_path.clone(),
        read_only: mount.read_only == Some(true) || from_api,
    })
}

/// A path below a volume, made as a folder if it is not there. Links cannot lead outside.
fn below(root: &Path, sub_path: &str) -> Result<PathBuf, String> {
    let failed = |error: io::Error| {
        format!("failed to prepare subPath for volumeMount: `{sub_path}`: {error}")
    };
    let sane = Path::new(sub_path).components().all(|part| matches!(part, Component::Normal(_)));
    if !sane {
        return Err(format!("subPath `{sub_path}` must be relative and must not contain '..'"));
    }
    let root = root.canonicalize().map_err(failed)?;
    let mut path = root.clone();
    for part in Path::new(sub_path).components() {
        path.push(part);
        match std::fs::symlink_metadata(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::create_dir(&path).map_err(failed)?;
            }
            Err(error) => return Err(failed(error)),
        }
        path = path.canonicalize().map_err(failed)?;
        if !path.starts_with(&root) {
            return Err(format!("subPath `{sub_path}` leads outside of its volume"));
        }
    }
    Ok(path)
}
