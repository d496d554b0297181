//! What a pod may have on the node's disk, and whether it has more. Pure, but for measuring.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use k8s_openapi::api::core::v1::{Container, EmptyDirVolumeSource, Pod, PodSpec, Volume};
use wk_api::Quantity;

use crate::tree::{Below, below};

/// What a pod has on disk, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DiskUsage {
    /// The logs of each container.
    pub(crate) logs: BTreeMap<String, u64>,
    /// What each container has written to its own file system.
    pub(crate) written: BTreeMap<String, u64>,
    /// Its empty folders, by the name of the volume; also those in memory.
    pub(crate) folders: BTreeMap<String, u64>,
    /// Which of those are in memory.
    pub(crate) in_memory: BTreeSet<String>,
    /// How many files and folders all that is on disk is made of.
    pub(crate) inodes: u64,
}

/// Whether anything limits what the pod has on disk.
pub(crate) fn limits_disk(pod: &Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let folders = spec.volumes.iter().flatten();
    let mut folders = folders.filter_map(|volume| volume.empty_dir.as_ref());
    folders.any(|folder| folder.size_limit.is_some())
        || all(spec).any(|container| limit(container).is_some())
}

impl DiskUsage {
    /// What counts for a container alone.
    pub(crate) fn of_container(&self, name: &str) -> u64 {
        let of = |all: &BTreeMap<String, u64>| all.get(name).copied().unwrap_or(0);
        of(&self.logs) + of(&self.written)
    }

    /// What its folders take on disk.
    pub(crate) fn folders_on_disk(&self) -> u64 {
        let folders = self.folders.iter().filter(|(name, _)| !self.in_memory.contains(*name));
        folders.map(|(_, bytes)| bytes).sum()
    }

    /// What counts for the pod as a whole: what is in memory is not on disk.
    pub(crate) fn on_disk(&self) -> u64 {
        self.folders_on_disk() + self.logs.values().chain(self.written.values()).sum::<u64>()
    }
}

/// What a pod uses, as far as its folders are on disk or in memory. Blocking; what its containers
/// have written elsewhere their runtimes know.
pub(crate) fn measure(spec: &PodSpec, volumes: &Path, logs: &Path) -> DiskUsage {
    let mut inodes = 0;
    let mut logs_of = |container: &Container| {
        let Below { bytes, inodes: own } = below(&logs.join(&container.name));
        inodes += own;
        (container.name.clone(), bytes)
    };
    let logs: BTreeMap<String, u64> = all(spec).map(&mut logs_of).collect();
    let folders = spec.volumes.iter().flatten().filter(|volume| volume.empty_dir.is_some());
    let mut folder = |volume: &Volume| {
        let path = volumes.join(&volume.name);
        let real = std::fs::read_link(&path).unwrap_or(path);
        let Below { bytes, inodes: own } = below(&real);
        if !volume.empty_dir.as_ref().is_some_and(is_in_memory) {
            inodes += own;
        }
        (volume.name.clone(), bytes)
    };
    DiskUsage {
        logs,
        in_memory: folders
            .clone()
            .filter(|volume| volume.empty_dir.as_ref().is_some_and(is_in_memory))
            .map(|volume| volume.name.clone())
            .collect(),
        folders: folders.map(&mut folder).collect(),
        written: BTreeMap::new(),
        inodes,
    }
}

/// What the pod has too much of, in Kubernetes' words; `None` if nothing.
pub(crate) fn excess(spec: &PodSpec, usage: &DiskUsage) -> Option<String> {
    let volumes = spec.volumes.iter().flatten();
    let folders = volumes.filter_map(|volume| Some((&volume.name, volume.empty_dir.as_ref()?)));
    for (name, folder) in folders {
        let limit = folder.size_limit.as_ref();
        let Some(limit) = limit.and_then(|limit| Quantity::parse(&limit.0).ok()) else { continue };
        let used = usage.folders.get(name).copied().unwrap_or(0);
        if is_above(used, limit) {
            return Some(format!(
                "Usage of EmptyDir volume \"{name}\" exceeds the limit \"{limit}\". "
            ));
        }
    }
    let limits: Vec<Quantity> = all(spec).filter_map(limit).collect();
    let total = limits.iter().copied().reduce(|sum, one| sum + one);
    if let Some(total) = total.filter(|total| is_above(usage.on_disk(), *total)) {
        return Some(format!(
            "Pod ephemeral local storage usage exceeds the total limit of containers {total}. "
        ));
    }
    all(spec).find_map(|container| {
        let limit = limit(container)?;
        let used = usage.of_container(&container.name);
        is_above(used, limit).then(|| {
            format!(
                "Container {} exceeded its local ephemeral storage limit \"{limit}\". ",
                container.name
            )
        })
    })
}

fn is_in_memory(folder: &EmptyDirVolumeSource) -> bool {
    folder.medium.as_deref().is_some_and(|medium| !medium.is_empty())
}

fn all(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.containers.iter().chain(spec.init_containers.iter().flatten())
}

fn limit(container: &Container) -> Option<Quantity> {
    let limits = container.resources.as_ref()?.limits.as_ref()?;
    let limit = Quantity::parse(&limits.get("ephemeral-storage")?.0).ok()?;
    (!limit.is_zero()).then_some(limit)
}

fn is_above(used: u64, limit: Quantity) -> bool {
    let limit = u64::try_from(limit.value()).unwrap_or(0);
    limit > 0 && used > limit
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(spec: serde_json::Value) -> PodSpec {
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn what_is_too_much_is_named() {
        let limited = spec(json!({
            "containers": [
                {"name": "a", "resources": {"limits": {"ephemeral-storage": "2Mi"}}},
                {"name": "b", "resources": {"limits": {"ephemeral-storage": "1Mi"}}},
            ],
            "volumes": [
                {"name": "v", "emptyDir": {"sizeLimit": "5Mi"}},
                {"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            ],
        }));
        let check = |logs: [u64; 2], disk: u64, memory: u64, expected: Option<&str>| {
            let usage = DiskUsage {
                logs: [("a".to_owned(), logs[0]), ("b".to_owned(), logs[1])].into(),
                folders: [("v".to_owned(), disk), ("m".to_owned(), memory)].into(),
                written: [("b".to_owned(), 1)].into(),
                in_memory: ["m".to_owned()].into(),
                inodes: 0,
            };
            assert_eq!(excess(&limited, &usage).as_deref(), expected);
        };
        let mib = 1 << 20;
        check([0, mib - 1], 2 * mib, mib, None);
        let volume = "Usage of EmptyDir volume \"v\" exceeds the limit \"5Mi\". ";
        check([0, 0], 5 * mib + 1, 0, Some(volume));
        let memory = "Usage of EmptyDir volume \"m\" exceeds the limit \"1Mi\". ";
        check([0, 0], 0, mib + 1, Some(memory));
        let pod = "Pod ephemeral local storage usage exceeds the total limit of containers 3Mi. ";
        check([2 * mib, mib], 0, 0, Some(pod));
        let container = "Container b exceeded its local ephemeral storage limit \"1Mi\". ";
        check([0, mib], 0, 0, Some(container));
        let free = spec(json!({"containers": [{"name": "a"}]}));
        let pod = |spec: &PodSpec| Pod { spec: Some(spec.clone()), ..Pod::default() };
        assert!(limits_disk(&pod(&limited)) && !limits_disk(&pod(&free)));
    }

    #[test]
    fn files_are_measured_by_what_they_take() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("volumes/v/deep")).unwrap();
        std::fs::write(folder.path().join("volumes/v/deep/file"), vec![1; 100_000]).unwrap();
        let spec = spec(json!({
            "containers": [{"name": "a"}], "volumes": [{"name": "v", "emptyDir": {}}],
        }));
        let usage = measure(&spec, &folder.path().join("volumes"), &folder.path().join("logs"));
        assert!((100_000..200_000).contains(&usage.folders["v"]), "{usage:?}");
        assert_eq!((usage.logs["a"], usage.inodes), (0, 3));
    }
}
