//! What the node and its containers use, measured when somebody asks and at no other time.

mod node;
mod rates;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use wk_runtime::{ContainerId, ContainerStats, PodRef, RuntimeError};

pub(crate) use node::NodeUsage;
pub(crate) use rates::Rates;

use crate::eviction::limits::{self, DiskUsage};
use crate::shared::Shared;
use crate::state::{Phase, PodEntry, Record, container_id};

/// How many pods are measured at a time.
const AT_ONCE: usize = 16;

/// What is used at one moment.
#[derive(Debug)]
pub(crate) struct Usage {
    /// The moment.
    pub(crate) at: Timestamp,
    pub(crate) node: NodeUsage,
    /// Processor time of the node in billionths of a core; `None` until it was measured twice.
    pub(crate) nano_cores: Option<u64>,
    pub(crate) pods: Vec<PodUsage>,
    /// Whether some container that runs could not be measured.
    pub(crate) incomplete: bool,
}

/// What a pod uses.
#[derive(Debug)]
pub(crate) struct PodUsage {
    pub(crate) key: PodRef,
    pub(crate) started_at: Timestamp,
    /// Those that run.
    pub(crate) containers: Vec<ContainerUsage>,
}

/// What a running container uses.
#[derive(Debug)]
pub(crate) struct ContainerUsage {
    pub(crate) name: String,
    pub(crate) id: ContainerId,
    pub(crate) stats: ContainerStats,
    /// Processor time in billionths of a core; `None` until it was measured twice.
    pub(crate) nano_cores: Option<u64>,
}

impl PodUsage {
    /// Processor time of its running containers since they were started, in nanoseconds.
    pub(crate) fn cpu_nanos(&self) -> u64 {
        self.containers.iter().map(|container| nanos(&container.stats)).sum()
    }

    pub(crate) fn nano_cores(&self) -> Option<u64> {
        self.containers.iter().map(|container| container.nano_cores).sum()
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.containers.iter().map(|container| container.stats.memory_bytes).sum()
    }
}

/// Processor time of a container in nanoseconds.
pub(crate) fn nanos(stats: &ContainerStats) -> u64 {
    u64::try_from(stats.cpu.as_nanos()).unwrap_or(u64::MAX)
}

/// What a pod has on disk; `None` if that cannot be measured.
pub(crate) async fn disk(shared: &Shared, entry: &PodEntry, pod: Arc<Pod>) -> Option<DiskUsage> {
    let (volumes, logs) = (shared.volumes_folder(&entry.key.uid), shared.logs_folder(&entry.key));
    let measure = move || Some(limits::measure(pod.spec.as_ref()?, &volumes, &logs));
    let mut usage = tokio::task::spawn_blocking(measure).await.ok().flatten()?;
    usage.written = written(shared, entry).await;
    Some(usage)
}

/// Bytes that the containers of a pod have written to their own file systems; what cannot be measured
/// now is left out.
async fn written(shared: &Shared, entry: &PodEntry) -> BTreeMap<String, u64> {
    let began: Vec<(String, ContainerId, bool)> = {
        let inner = entry.lock();
        let began = inner
            .records
            .iter()
            .filter(|record| record.running_id().is_some() || record.exited().is_some());
        let id = |record: &Record| container_id(&entry.key.uid, &record.name, record.attempt);
        began.map(|record| (record.name.to_string(), id(record), record.linux)).collect()
    };
    let measures = began.into_iter().map(|(name, id, linux)| async move {
        match shared.runtime(linux).disk_bytes(&id).await {
            Ok(bytes) => Some((name, bytes)),
            Err(error) => {
                tracing::debug!(container = %id, %error, "what it has written is not known");
                None
            }
        }
    });
    join_all(measures).await.into_iter().flatten().collect()
}

/// Measures everything.
pub(crate) async fn measure(shared: &Shared) -> Usage {
    // An engine takes a while for each container, and answers for many at a time.
    let measured = stream::iter(shared.entries())
        .map(|entry| async move { measure_pod(shared, &entry).await })
        .buffer_unordered(AT_ONCE);
    let (mut pods, complete): (Vec<PodUsage>, Vec<bool>) = measured.unzip().await;
    let incomplete = complete.contains(&false);
    pods.sort_by(|a, b| {
        let of = |pod: &PodUsage| (pod.key.namespace.clone(), pod.key.name.clone());
        of(a).cmp(&of(b))
    });
    let mut usage = Usage {
        at: Timestamp::now(),
        node: NodeUsage::read(Path::new("/")),
        nano_cores: None,
        pods,
        incomplete,
    };
    shared.rates.lock().fill(&mut usage);
    usage
}

/// Measures a pod; false if one of its containers that run could not be measured.
async fn measure_pod(shared: &Shared, entry: &PodEntry) -> (PodUsage, bool) {
    let (started_at, running) = {
        let inner = entry.lock();
        let running: Vec<(String, ContainerId, bool)> = inner
            .records
            .iter()
            .filter_map(|record| match &record.phase {
                Phase::Running { id, .. } => {
                    Some((record.name.to_string(), id.clone(), record.linux))
                }
                Phase::NotStarted | Phase::Exited(_) => None,
            })
            .collect();
        (inner.started_at, running)
    };
    let mut complete = true;
    let mut containers = Vec::with_capacity(running.len());
    for (name, id, linux) in running {
        match shared.runtime(linux).stats(&id).await {
            Ok(stats) => containers.push(ContainerUsage { name, id, stats, nano_cores: None }),
            // It has ended meanwhile.
            Err(RuntimeError::NoSuchContainer { .. } | RuntimeError::NotRunning { .. }) => {}
            Err(error) => {
                complete = false;
                tracing::warn!(container = %id, %error, "container cannot be measured");
            }
        }
    }
    (PodUsage { key: entry.key.clone(), started_at, containers }, complete)
}
