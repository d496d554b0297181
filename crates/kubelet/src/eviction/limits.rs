//! What a pod may have on the node's disk, and whether it has more. Pure, but for measuring.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use wk_api::Quantity;

/// What a pod has on disk, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DiskUsage {
    /// The logs of each container.
    pub(crate) logs: BTreeMap<String, u64>,
    /// Its empty folders, by the name of the volume; also those in memory.
    pub(crate) folders: BTreeMap<String, u64>,
}

/// Whether anything limits what the pod has on disk.
pub(crate) fn limits_disk(pod: &Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let folders = spec.volumes.iter().flatten();
    let mut folders = folders.filter_map(|volume| volume.empty_dir.as_ref());
    folders.any(|folder| folder.size_limit.is_some())
        || all(spec).any(|container| limit(container).is_some())
}

/// What a pod uses, as far as its folders are on disk or in memory. Blocking.
pub(crate) fn measure(spec: &PodSpec, volumes: &Path, logs: &Path) -> DiskUsage {
    let logs_of =
        |container: &Container| (container.name.clone(), bytes_below(&logs.join(&container.name)));
    let folders = spec.volumes.iter().flatten().filter(|volume| volume.empty_dir.is_some());
    let folder = |name: &String| {
        let path = volumes.join(name);
        let real = std::fs::read_link(&path).unwrap_or(path);
        (name.clone(), bytes_below(&real))
    };
    DiskUsage {
        logs: all(spec).map(logs_of).collect(),
        folders: folders.map(|volume| folder(&volume.name)).collect(),
    }
}

/// What the pod has too much of, in Kubernetes' words; `None` if nothing.
pub(crate) fn excess(spec: &PodSpec, usage: &DiskUsage) -> Option<String> {
    let volumes = spec.volumes.iter().flatten();
    let folders = volumes.filter_map(|volume| Some((&volume.name, volume.empty_dir.as_ref()?)));
    for (name, folder) in folders.clone() {
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
    if let Some(total) = total {
        // What is in memory is not on disk.
        let on_disk = folders
            .filter(|(_, folder)| folder.medium.as_deref().unwrap_or_default().is_empty())
            .filter_map(|(name, _)| usage.folders.get(name));
        let used = usage.logs.values().sum::<u64>() + on_disk.sum::<u64>();
        if is_above(used, total) {
            return Some(format!(
                "Pod ephemeral local storage usage exceeds the total limit of containers {total}. "
            ));
        }
    }
    all(spec).find_map(|container| {
        let limit = limit(container)?;
        let used = usage.logs.get(&container.name).copied().unwrap_or(0);
        is_above(used, limit).then(|| {
            format!(
                "Container {} exceeded its local ephemeral storage limit \"{limit}\". ",
                container.name
            )
        })
    })
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

/// What the files below a path take on disk. Blocking; what goes meanwhile counts for nothing.
pub(crate) fn bytes_below(path: &Path) -> u64 {
    let Ok(found) = std::fs::symlink_metadata(path) else { return 0 };
    let own = found.blocks() * 512;
    if !found.is_dir() {
        return own;
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| bytes_below(&entry.path())).sum::<u64>()
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
            };
            assert_eq!(excess(&limited, &usage).as_deref(), expected);
        };
        let mib = 1 << 20;
        check([0, 0], 3 * mib, mib, None);
        let volume = "Usage of EmptyDir volume \"v\" exceeds the limit \"5Mi\". ";
        check([0, 0], 5 * mib + 1, 0, Some(volume));
        let memory = "Usage of EmptyDir volume \"m\" exceeds the limit \"1Mi\". ";
        check([0, 0], 0, mib + 1, Some(memory));
        let pod = "Pod ephemeral local storage usage exceeds the total limit of containers 3Mi. ";
        check([2 * mib, mib], 1, 0, Some(pod));
        let container = "Container b exceeded its local ephemeral storage limit \"1Mi\". ";
        check([0, mib + 1], 0, 0, Some(container));
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
        assert_eq!(usage.logs["a"], 0);
    }
}
