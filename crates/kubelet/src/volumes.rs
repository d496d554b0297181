//! Volumes: folders on the node that appear in containers.

mod claims;
pub(crate) mod empty;
mod files;
mod host;
pub(crate) mod local_path;
mod payload;
pub(crate) mod reclaim;
pub(crate) mod subpath;
#[cfg(test)]
mod tests;
pub(crate) mod tokens;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{
    Container, EmptyDirVolumeSource, PodSpec, ResourceRequirements, Volume, VolumeMount,
};
use wk_runtime::{Mount, Propagation, Recursive};

use crate::env::{Facts, expand, names};
use crate::objects::Found;

pub(crate) use self::claims::{BoundClaim, StoredVolume, claims, meets, volumes_of};
use self::empty::EmptyDir;
use self::host::HostPath;
use self::local_path::OwnVolume;
pub(crate) use self::payload::references;
use self::subpath::SubPath;
use self::tokens::Tokens;

/// Why a volume cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VolumeFault {
    volume: String,
    message: String,
    is_claim: bool,
    is_away: bool,
}

impl VolumeFault {
    /// The API server could not be asked.
    pub(crate) fn away(message: impl Into<String>) -> Self {
        Self { is_away: true, ..Self::set_up("", message) }
    }

    /// Whether the API server could not be asked.
    pub(crate) fn is_away(&self) -> bool {
        self.is_away
    }

    /// The volume's content could not be made; `message` is in Kubernetes' words where it has some.
    pub(crate) fn set_up(volume: &str, message: impl Into<String>) -> Self {
        Self { volume: volume.to_owned(), message: message.into(), is_claim: false, is_away: false }
    }

    /// The volume, for the log.
    pub(crate) fn volume(&self) -> &str {
        &self.volume
    }

    /// What went wrong, in full.
    pub(crate) fn text(&self) -> String {
        let (volume, message) = (&self.volume, &self.message);
        if self.is_claim {
            format!(
                "Unable to attach or mount volumes: unmounted volumes=[{volume}], unattached \
                 volumes=[], failed to process volumes=[{volume}]: {message}"
            )
        } else {
            format!("MountVolume.SetUp failed for volume \"{volume}\" : {message}")
        }
    }
}

/// Something to be done on disk for one volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Make an empty folder, or leave the one that is there.
    Folder(EmptyDir),
    /// Make the folder hold exactly these files, all at once.
    Files(payload::Payload),
    /// See that the node's own path is what the pod thinks it is.
    Host(HostPath),
    /// See that a persistent volume is there, and note where.
    Persistent(Persistent),
}

/// A persistent volume that this node has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Persistent {
    /// One that was made by somebody at a path of the node.
    Local(PathBuf),
    /// The same, with a type to be checked.
    Host(HostPath),
    /// One that the node keeps itself.
    Own(OwnVolume),
}

/// What is known when the volumes of a pod are planned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    pub(crate) facts: Facts<'a>,
    pub(crate) found: &'a Found,
    pub(crate) tokens: &'a Tokens,
    /// The labels of the node; asked only for pods with claims.
    pub(crate) node_labels: &'a BTreeMap<String, String>,
    /// Where the node keeps volumes of its own.
    pub(crate) local_path: &'a Path,
}

/// Which volumes of a pod are planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of them, for a pod that starts.
    All,
    /// Those whose content comes from the API and can change, for a pod that runs.
    Changing,
}

/// What has to be done for the volumes of a pod.
///
/// # Errors
/// The first volume that is not supported, or that names something missing.
pub(crate) fn plan(
    spec: &PodSpec,
    given: Given<'_>,
    part: Part,
) -> Result<Vec<(String, Task)>, VolumeFault> {
    let volumes = spec.volumes.iter().flatten();
    let wanted = volumes.filter(|volume| part == Part::All || payload::is_from_api(volume));
    wanted.map(|volume| Ok((volume.name.clone(), task(volume, spec, given)?))).collect()
}

fn task(volume: &Volume, spec: &PodSpec, given: Given<'_>) -> Result<Task, VolumeFault> {
    let failed = |message| VolumeFault::set_up(&volume.name, message);
    if let Some(source) = &volume.host_path {
        let kind = source.type_.as_deref().unwrap_or_default();
        return HostPath::new(&source.path, kind).map(Task::Host).map_err(failed);
    }
    if let Some(task) = claims::task(volume, spec, given) {
        return task.map_err(|message| VolumeFault { is_claim: true, ..failed(message) });
    }
    if let Some(files) = payload::of_volume(volume, spec, given) {
        return files.map(Task::Files).map_err(failed);
    }
    if let Some(source) = &volume.empty_dir {
        let (of_pod, of_node) = (memory_limit(spec), given.facts.allocatable.memory_bytes);
        let folder = EmptyDir::of(source);
        let folder = folder.map(|one| one.within(of_pod, u64::try_from(of_node).unwrap_or(0)));
        return folder.map(Task::Folder).map_err(failed);
    }
    // A volume without any source is an empty folder, as in Kubernetes.
    let value = serde_json::to_value(volume).unwrap_or_default();
    let kind =
        value.as_object().and_then(|fields| fields.keys().find(|key| *key != "name").cloned());
    match kind.as_deref() {
        None => EmptyDir::of(&EmptyDirVolumeSource::default()).map(Task::Folder).map_err(failed),
        Some(kind) => Err(failed(format!(
            "volume type `{kind}` is not supported on this node; supported are configMap, secret, \
             downwardAPI, projected, emptyDir, hostPath, persistentVolumeClaim and ephemeral"
        ))),
    }
}

/// Whether the volumes of a pod that has run before can be used as they are: those whose content
/// comes from the API are there, and the others are made. Blocking.
pub(crate) fn are_kept(folder: &Path, spec: &PodSpec, node_memory: u64) -> bool {
    spec.volumes.iter().flatten().all(|volume| {
        let path = folder.join(&volume.name);
        if let Some(source) = &volume.empty_dir {
            return EmptyDir::of(source).is_ok_and(|empty| {
                empty.within(memory_limit(spec), node_memory).ensure(&path).is_ok()
            });
        }
        match &volume.host_path {
            Some(source) => {
                let kind = source.type_.as_deref().unwrap_or_default();
                HostPath::new(&source.path, kind).is_ok_and(|host| host.check().is_ok())
            }
            // Through the link of a claim, too.
            None => path.exists(),
        }
    })
}

/// The memory that all containers of a pod may have together; `None` if one has no limit.
fn memory_limit(spec: &PodSpec) -> Option<u64> {
    let limit = |resources: Option<&ResourceRequirements>| {
        let limit = wk_api::Quantity::parse(&resources?.limits.as_ref()?.get("memory")?.0).ok()?;
        u64::try_from(limit.value()).ok().filter(|bytes| *bytes > 0)
    };
    if let Some(whole) = limit(spec.resources.as_ref()) {
        return Some(whole);
    }
    spec.containers.iter().map(|container| limit(container.resources.as_ref())).sum()
}

/// The node's own volumes whose folders [`carry_out`] makes for the first time, by name.
pub(crate) fn first_made(tasks: &[(String, Task)]) -> Vec<String> {
    let name = |(_, task): &(String, Task)| match task {
        Task::Persistent(Persistent::Own(own)) if !own.is_made => Some(own.name().to_owned()),
        _ => None,
    };
    tasks.iter().filter_map(name).collect()
}

/// Carries the tasks out in the pod's folder of volumes. Blocking.
///
/// # Errors
/// The first volume that failed. Calling again is safe.
pub(crate) fn carry_out(folder: &Path, tasks: &[(String, Task)]) -> Result<(), VolumeFault> {
    for (volume, task) in tasks {
        let path = folder.join(volume);
        let done = match task {
            Task::Folder(empty) => empty.ensure(&path).map_err(|error| error.to_string()),
            Task::Files(payload) => {
                files::write_all_at_once(&path, payload).map_err(|error| error.to_string())
            }
            Task::Host(host) => host.check(),
            Task::Persistent(persistent) => mount(&path, persistent),
        };
        done.map_err(|message| VolumeFault::set_up(volume, message))?;
    }
    Ok(())
}

/// Sees that a persistent volume is there, and notes where it is: with a link, which goes with the
/// pod's folder.
fn mount(link: &Path, persistent: &Persistent) -> Result<(), String> {
    let target = match persistent {
        Persistent::Local(path) => host::check_local(path).map(|()| path.clone()),
        Persistent::Host(host) => host.check().map(|()| host.path.clone()),
        Persistent::Own(own) => own.ensure().map(|()| own.data()),
    }?;
    if std::fs::read_link(link).is_ok_and(|before| before == target) {
        return Ok(());
    }
    let linked = || {
        if let Some(parent) = link.parent() {
            std::fs::create_dir_all(parent)?;
        }
        match std::fs::remove_file(link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        symlink(&target, link)
    };
    linked().map_err(|error| error.to_string())
}

/// What a container sees of the pod's volumes. Blocking: folders for `subPath` are made.
///
/// A runtime that follows links is not told a path within a volume, but one of `binds`, where that
/// is mounted as far as the system allows it.
///
/// # Errors
/// In words for the container's status.
pub(crate) fn mounts(
    folder: &Path,
    spec: &PodSpec,
    container: &Container,
    env: &[(String, String)],
    binds: Option<&Path>,
) -> Result<Vec<Mount>, String> {
    let wanted = container.volume_mounts.iter().flatten().enumerate();
    let bind = |index: usize| Some(binds?.join(&container.name).join(index.to_string()));
    wanted.map(|(index, mount)| one_mount(folder, spec, mount, env, bind(index))).collect()
}

fn one_mount(
    folder: &Path,
    spec: &PodSpec,
    mount: &VolumeMount,
    env: &[(String, String)],
    bind: Option<PathBuf>,
) -> Result<Mount, String> {
    let volume = spec.volumes.iter().flatten().find(|volume| volume.name == mount.name);
    let volume = volume.ok_or_else(|| format!("volume \"{}\" not found", mount.name))?;
    let claim = volume.persistent_volume_claim.as_ref();
    let own = folder.join(&mount.name);
    let root = match &volume.host_path {
        Some(source) => PathBuf::from(&source.path),
        None if claim.is_some() || volume.ephemeral.is_some() => claims::noted(&own)?,
        None if volume.empty_dir.is_some() => empty::place(own),
        None => own,
    };
    let sub_path = match (&mount.sub_path_expr, &mount.sub_path) {
        (Some(text), _) => Some(expanded(text, env)?),
        (None, Some(text)) => Some(text.clone()),
        (None, None) => None,
    };
    let host_path = match sub_path.filter(|text| !text.is_empty()) {
        Some(text) => part(&root, &text, bind)?,
        // What is a link now may lead anywhere; from here on none is followed. What is not there
        // yet is the runtime's to refuse.
        None => root.canonicalize().unwrap_or(root),
    };
    // What the API holds is not to be changed from inside a container.
    let is_fixed =
        payload::is_from_api(volume) || claim.is_some_and(|claim| claim.read_only == Some(true));
    Ok(Mount {
        host_path,
        container_path: mount.mount_path.clone(),
        read_only: mount.read_only == Some(true) || is_fixed,
        recursive_read_only: match mount.recursive_read_only.as_deref() {
            Some("Enabled") => Recursive::Yes,
            Some("IfPossible") => Recursive::IfPossible,
            _ => Recursive::No,
        },
        propagation: match mount.mount_propagation.as_deref() {
            Some("HostToContainer") => Propagation::HostToContainer,
            Some("Bidirectional") => Propagation::Bidirectional,
            _ => Propagation::None,
        },
    })
}

/// The path of a part of a volume for a runtime.
fn part(root: &Path, sub_path: &str, bind: Option<PathBuf>) -> Result<PathBuf, String> {
    let part = SubPath::open(root, sub_path)?;
    let failed = |error: io::Error| {
        format!("failed to prepare subPath for volumeMount: `{sub_path}`: {error}")
    };
    if let Some(target) = bind {
        match part.mount(&target) {
            Ok(()) => return Ok(target),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(failed(error)),
        }
    }
    part.path().map_err(failed)
}

/// `subPathExpr` with the values of the variables that it names, each of which has to have one.
fn expanded(text: &str, env: &[(String, String)]) -> Result<String, String> {
    let values: HashMap<String, String> = env.iter().cloned().collect();
    let mut missing: Vec<&str> =
        names(text).filter(|name| values.get(*name).is_none_or(String::is_empty)).collect();
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        Ok(expand(text, &values))
    } else {
        Err(format!("missing value for {}", missing.join(", ")))
    }
}
