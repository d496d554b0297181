//! Figures: of the kubelet itself, and of what its containers use.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};
use wk_runtime::{ContainerStats, PodRef};

use crate::machine::Machine;
use crate::shared::Shared;
use crate::state::Phase;

/// One running container and what it has used.
struct Used {
    pod: PodRef,
    container: String,
    since: Timestamp,
    stats: ContainerStats,
}

async fn used(shared: &Shared) -> Vec<Used> {
    let mut all = Vec::new();
    for entry in shared.entries() {
        let running: Vec<_> = {
            let inner = entry.lock();
            let running = inner.records.iter().filter_map(|record| match &record.phase {
                Phase::Running { id, since } => {
                    Some((record.name.to_string(), id.clone(), *since, record.linux))
                }
                Phase::NotStarted | Phase::Exited(_) => None,
            });
            running.collect()
        };
        for (container, id, since, linux) in running {
            // One that has just ended has no figures any more.
            if let Ok(stats) = shared.runtime(linux).stats(&id).await {
                all.push(Used { pod: entry.key.clone(), container, since, stats });
            }
        }
    }
    all
}

fn text(body: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], body).into_response()
}

/// `/metrics`.
pub(super) async fn own(State(shared): State<Arc<Shared>>) -> Response {
    let entries = shared.entries();
    let (mut running, mut restarts) = (0, 0_u64);
    for entry in &entries {
        let inner = entry.lock();
        running += inner.records.iter().filter(|record| record.running_id().is_some()).count();
        restarts += inner.records.iter().map(|record| u64::from(record.attempt)).sum::<u64>();
    }
    text(format!(
        "# HELP kubelet_running_pods Pods on this node.\n\
         # TYPE kubelet_running_pods gauge\n\
         kubelet_running_pods {}\n\
         # HELP kubelet_running_containers Containers that run.\n\
         # TYPE kubelet_running_containers gauge\n\
         kubelet_running_containers{{container_state=\"running\"}} {running}\n\
         # HELP kubelet_container_restarts Restarts of the containers of pods on this node.\n\
         # TYPE kubelet_container_restarts gauge\n\
         kubelet_container_restarts {restarts}\n\
         # HELP kubelet_events_dropped_total Events that were not written because of their number.\n\
         # TYPE kubelet_events_dropped_total counter\n\
         kubelet_events_dropped_total {}\n\
         # HELP process_resident_memory_bytes Resident memory of this process.\n\
         # TYPE process_resident_memory_bytes gauge\n\
         process_resident_memory_bytes {}\n",
        entries.len(),
        shared.events.dropped(),
        wk_process::resident_bytes(),
    ))
}

/// `/metrics/resource`, as metrics-server reads it.
pub(super) async fn resource(State(shared): State<Arc<Shared>>) -> Response {
    let all = used(&shared).await;
    let mut out = String::new();
    out.push_str("# TYPE container_cpu_usage_seconds_total counter\n");
    for one in &all {
        line(&mut out, "container_cpu_usage_seconds_total", one, one.stats.cpu.as_secs_f64());
    }
    out.push_str("# TYPE container_memory_working_set_bytes gauge\n");
    for one in &all {
        #[expect(clippy::cast_precision_loss, reason = "the text format knows only floats")]
        let memory = one.stats.memory_bytes as f64;
        line(&mut out, "container_memory_working_set_bytes", one, memory);
    }
    out.push_str("# TYPE container_start_time_seconds gauge\n");
    for one in &all {
        line(&mut out, "container_start_time_seconds", one, one.since.as_duration().as_secs_f64());
    }
    text(out)
}

fn line(out: &mut String, metric: &str, used: &Used, value: f64) {
    let Used { pod, container, .. } = used;
    // Names of Kubernetes objects need no escaping.
    writeln!(
        out,
        "{metric}{{container=\"{container}\",namespace=\"{}\",pod=\"{}\"}} {value}",
        pod.namespace, pod.name
    )
    .expect("writing to a string cannot fail");
}

/// `/stats/summary`.
pub(super) async fn summary(State(shared): State<Arc<Shared>>) -> Response {
    let now = Timestamp::now();
    let time = wk_api::rfc3339(now);
    let machine = Machine::read(&shared.config.data_dir);
    let all = used(&shared).await;
    let memory = |bytes: u64| json!({"time": time, "usageBytes": bytes, "workingSetBytes": bytes});
    let container = |one: &Used| -> Value {
        json!({
            "name": one.container,
            "startTime": wk_api::rfc3339(one.since),
            "cpu": {"time": time, "usageCoreNanoSeconds": nanos(one.stats)},
            "memory": memory(one.stats.memory_bytes),
        })
    };
    let mut pods = Vec::new();
    for entry in shared.entries() {
        let own: Vec<&Used> = all.iter().filter(|one| one.pod.uid == entry.key.uid).collect();
        let started_at = entry.lock().started_at;
        pods.push(json!({
            "podRef": {
                "name": entry.key.name, "namespace": entry.key.namespace, "uid": entry.key.uid,
            },
            "startTime": wk_api::rfc3339(started_at),
            "containers": own.iter().map(|one| container(one)).collect::<Vec<_>>(),
            "cpu": {
                "time": time,
                "usageCoreNanoSeconds": own.iter().map(|one| nanos(one.stats)).sum::<u64>(),
            },
            "memory": memory(own.iter().map(|one| one.stats.memory_bytes).sum()),
        }));
    }
    let used_memory = machine.memory_bytes.saturating_sub(machine.memory_available_bytes);
    axum::Json(json!({
        "node": {
            "nodeName": shared.config.node_name,
            "memory": {
                "time": time,
                "availableBytes": machine.memory_available_bytes,
                "usageBytes": used_memory,
                "workingSetBytes": used_memory,
            },
            "fs": {
                "time": time,
                "availableBytes": machine.disk_available_bytes,
                "capacityBytes": machine.disk_bytes,
                "usedBytes": machine.disk_bytes.saturating_sub(machine.disk_available_bytes),
                "inodes": machine.inodes,
                "inodesFree": machine.inodes_free,
            },
        },
        "pods": pods,
    }))
    .into_response()
}

fn nanos(stats: ContainerStats) -> u64 {
    u64::try_from(stats.cpu.as_nanos()).unwrap_or(u64::MAX)
}
