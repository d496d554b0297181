//! What the node and its containers use, measured when somebody asks and at no other time.

mod node;
mod rates;

use std::path::Path;

use jiff::Timestamp;
use wk_runtime::{ContainerId, ContainerStats, PodRef, RuntimeError};

pub(crate) use node::NodeUsage;
pub(crate) use rates::Rates;

use crate::shared::Shared;
use crate::state::Phase;

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

/// Measures everything.
pub(crate) async fn measure(shared: &Shared) -> Usage {
    let mut incomplete = false;
    let mut pods = Vec::new();
    for entry in shared.entries() {
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
        let mut containers = Vec::with_capacity(running.len());
        for (name, id, linux) in running {
            match shared.runtime(linux).stats(&id).await {
                Ok(stats) => containers.push(ContainerUsage { name, id, stats, nano_cores: None }),
                // It has ended meanwhile.
                Err(RuntimeError::NoSuchContainer { .. } | RuntimeError::NotRunning { .. }) => {}
                Err(error) => {
                    incomplete = true;
                    tracing::warn!(container = %id, %error, "container cannot be measured");
                }
            }
        }
        pods.push(PodUsage { key: entry.key.clone(), started_at, containers });
    }
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
