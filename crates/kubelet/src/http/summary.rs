//! `/stats/summary`: the same figures as an object, with those of disks.
//!
//! What is not known is absent.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::eviction::limits::DiskUsage;
use crate::machine::Machine;
use crate::shared::Shared;
use crate::usage::{self, PodUsage, Usage, nanos};

/// Pods whose files are measured at a time.
const PODS_AT_ONCE: usize = 16;

/// Answers with what is used now.
pub(super) async fn answer(State(shared): State<Arc<Shared>>) -> Response {
    let usage = usage::measure(&shared).await;
    let entries = usage.pods.iter().filter_map(|pod| shared.entry(&pod.key.uid));
    let disks = futures::stream::iter(entries.collect::<Vec<_>>()).map(|entry| {
        let shared = Arc::clone(&shared);
        async move {
            let disk = usage::disk(&shared, &entry, entry.pod()).await;
            entry.lock().slim();
            Some((entry.key.uid.clone(), disk?))
        }
    });
    let disks = disks.buffer_unordered(PODS_AT_ONCE).filter_map(std::future::ready);
    let disks: HashMap<String, DiskUsage> = disks.collect().await;
    // Sizes of files are asked of the disk.
    let summary = tokio::task::spawn_blocking(move || {
        let logs = |pod: &PodUsage, container: &str| {
            log_bytes(&shared.logs_folder(&pod.key).join(container))
        };
        let machine = Machine::read(&shared.config.data_dir);
        shown(&usage, &machine, &shared.config.node_name, &disks, logs)
    });
    match summary.await {
        Ok(summary) => axum::Json(summary).into_response(),
        Err(error) => super::refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn shown(
    usage: &Usage,
    machine: &Machine,
    node_name: &str,
    disks: &HashMap<String, DiskUsage>,
    log_bytes: impl Fn(&PodUsage, &str) -> Option<u64>,
) -> Value {
    let time = wk_api::rfc3339(usage.at);
    let node = &usage.node;
    let disk = disk(&time, machine);
    let mut shown = known([
        ("nodeName", Some(node_name.into())),
        ("startTime", node.booted_at.map(|time| wk_api::rfc3339(time).into())),
        ("cpu", node.cpu_nanos.map(|used| cpu(&time, used, usage.nano_cores))),
        ("memory", {
            let figures = [
                ("availableBytes", node.available_bytes),
                ("usageBytes", node.memory_bytes),
                ("workingSetBytes", node.working_set_bytes),
                ("rssBytes", node.rss_bytes),
                ("pageFaults", node.page_faults),
                ("majorPageFaults", node.major_page_faults),
            ];
            node.memory_bytes.map(|_| timed(&time, figures))
        }),
        ("swap", {
            let figures = [
                ("swapAvailableBytes", node.swap_available_bytes),
                ("swapUsageBytes", node.swap_bytes),
            ];
            node.swap_bytes.map(|_| timed(&time, figures))
        }),
        ("fs", disk.clone()),
        ("rlimit", {
            let (most, now) = (machine.processes_max, machine.processes);
            (most > 0).then(|| json!({"time": time, "maxpid": most, "curproc": now}))
        }),
    ]);
    if let Some(disk) = &disk {
        // Images lie on the same disk as everything else.
        shown["runtime"] = json!({"imageFs": disk, "containerFs": disk});
    }
    let pods: Vec<Value> = usage
        .pods
        .iter()
        .map(|pod| {
            let disk = disks.get(&pod.key.uid);
            shown_pod(pod, &time, disk, |container| log_bytes(pod, container))
        })
        .collect();
    json!({"node": shown, "pods": pods})
}

fn shown_pod(
    pod: &PodUsage,
    time: &str,
    disk: Option<&DiskUsage>,
    logs: impl Fn(&str) -> Option<u64>,
) -> Value {
    let used = |bytes: u64| timed(time, [("usedBytes", Some(bytes))]);
    let written = |name: &str| disk?.written.get(name).map(|bytes| used(*bytes));
    let containers: Vec<Value> = pod
        .containers
        .iter()
        .map(|container| {
            let stats = &container.stats;
            let started = Timestamp::try_from(stats.started_at).unwrap_or_default();
            known([
                ("name", Some(container.name.as_str().into())),
                ("startTime", Some(wk_api::rfc3339(started).into())),
                ("cpu", Some(cpu(time, nanos(stats), container.nano_cores))),
                ("memory", Some(memory(time, stats.memory_bytes))),
                ("rootfs", written(&container.name)),
                ("logs", logs(&container.name).map(used)),
            ])
        })
        .collect();
    let key = &pod.key;
    let running = !pod.containers.is_empty();
    known([
        ("podRef", Some(json!({"name": key.name, "namespace": key.namespace, "uid": key.uid}))),
        ("startTime", Some(wk_api::rfc3339(pod.started_at).into())),
        ("containers", Some(containers.into())),
        ("cpu", running.then(|| cpu(time, pod.cpu_nanos(), pod.nano_cores()))),
        ("memory", running.then(|| memory(time, pod.memory_bytes()))),
        ("ephemeral-storage", disk.map(|disk| used(disk.on_disk()))),
    ])
}

fn known<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(fields.collect::<Map<_, _>>())
}

fn timed<const N: usize>(time: &str, figures: [(&str, Option<u64>); N]) -> Value {
    let mut shown = known(figures.map(|(name, value)| (name, value.map(Value::from))));
    shown["time"] = time.into();
    shown
}

fn cpu(time: &str, nanos: u64, nano_cores: Option<u64>) -> Value {
    timed(time, [("usageNanoCores", nano_cores), ("usageCoreNanoSeconds", Some(nanos))])
}

fn memory(time: &str, bytes: u64) -> Value {
    timed(time, [("usageBytes", Some(bytes)), ("workingSetBytes", Some(bytes))])
}

fn disk(time: &str, machine: &Machine) -> Option<Value> {
    let used = |all: u64, free: u64| Some(all.saturating_sub(free));
    (machine.disk_bytes > 0).then(|| {
        timed(
            time,
            [
                ("availableBytes", Some(machine.disk_available_bytes)),
                ("capacityBytes", Some(machine.disk_bytes)),
                ("usedBytes", used(machine.disk_bytes, machine.disk_available_bytes)),
                ("inodes", Some(machine.inodes)),
                ("inodesFree", Some(machine.inodes_free)),
                ("inodesUsed", used(machine.inodes, machine.inodes_free)),
            ],
        )
    })
}

/// The bytes of all logs of a container that are kept.
fn log_bytes(folder: &Path) -> Option<u64> {
    let files: Vec<PathBuf> =
        std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    Some(files.iter().filter_map(|file| Some(std::fs::metadata(file).ok()?.len())).sum())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use wk_runtime::{ContainerStats, PodRef};

    use super::*;
    use crate::usage::{ContainerUsage, NodeUsage};

    #[test]
    fn what_is_not_known_is_absent() {
        let stats = ContainerStats {
            started_at: UNIX_EPOCH,
            cpu: Duration::from_nanos(77),
            memory_bytes: 10,
            memory_peak_bytes: 20,
            processes: 0,
            requests: None,
        };
        let pod = |containers| PodUsage {
            key: PodRef { namespace: "n".into(), name: "p".into(), uid: "u".into() },
            started_at: Timestamp::UNIX_EPOCH,
            containers,
        };
        let container = |nano_cores| ContainerUsage {
            name: "c".to_owned(),
            id: wk_runtime::ContainerId::new("c"),
            stats,
            nano_cores,
        };
        let usage = Usage {
            at: Timestamp::from_second(100).unwrap(),
            node: NodeUsage::default(),
            nano_cores: None,
            pods: vec![pod(vec![container(None)]), pod(vec![container(Some(5))]), pod(vec![])],
            incomplete: false,
        };
        let mut machine = Machine::read(Path::new("/"));
        (machine.disk_bytes, machine.processes_max) = (0, 0);
        let disk = DiskUsage {
            logs: [("c".to_owned(), 1)].into(),
            folders: [("v".to_owned(), 20), ("m".to_owned(), 5000)].into(),
            in_memory: ["m".to_owned()].into(),
            written: [("c".to_owned(), 300)].into(),
            inodes: 0,
        };
        let disks = HashMap::from([("u".to_owned(), disk)]);
        let summary = shown(&usage, &machine, "one", &disks, |_, _| None);
        assert_eq!(summary["node"], json!({"nodeName": "one"}));
        let time = "1970-01-01T00:01:40Z";
        let memory = json!({"time": time, "usageBytes": 10, "workingSetBytes": 10});
        let cpu = json!({"time": time, "usageCoreNanoSeconds": 77});
        let first = &summary["pods"][0]["containers"][0];
        assert_eq!(
            (&first["cpu"], &first["memory"], &first["logs"]),
            (&cpu, &memory, &Value::Null)
        );
        let used = |bytes: u64| json!({"time": time, "usedBytes": bytes});
        assert_eq!(first["rootfs"], used(300));
        assert_eq!(summary["pods"][0]["ephemeral-storage"], used(321));
        let rated = json!({"time": time, "usageCoreNanoSeconds": 77, "usageNanoCores": 5});
        assert_eq!(summary["pods"][1]["cpu"], rated);
        assert_eq!(summary["pods"][2].get("cpu"), None, "a pod that does not run uses nothing");
    }
}
