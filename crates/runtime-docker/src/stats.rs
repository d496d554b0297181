//! What a container uses, from the engine's figures. Pure.

use std::time::{Duration, SystemTime};

use bollard::models::ContainerStatsResponse;
use wk_runtime::ContainerStats;

/// Reads one measurement; the peak is that of this measurement alone.
pub(crate) fn read(answer: &ContainerStatsResponse, started_at: SystemTime) -> ContainerStats {
    let cpu = answer.cpu_stats.as_ref().and_then(|cpu| cpu.cpu_usage.as_ref()?.total_usage);
    let memory = answer.memory_stats.as_ref();
    let usage = memory.and_then(|memory| memory.usage).unwrap_or_default();
    // File cache that can be dropped at once does not count, as everywhere in Kubernetes. Its name
    // depends on the version of control groups.
    let of = |name: &str| memory.and_then(|memory| memory.stats.as_ref()?.get(name).copied());
    let cache = of("total_inactive_file").or_else(|| of("inactive_file")).unwrap_or_default();
    let memory_bytes = usage.saturating_sub(cache);
    let most = memory.and_then(|memory| memory.max_usage).unwrap_or_default();
    ContainerStats {
        started_at,
        cpu: Duration::from_nanos(cpu.unwrap_or_default()),
        memory_bytes,
        memory_peak_bytes: most.max(memory_bytes),
        processes: answer.pids_stats.as_ref().and_then(|pids| pids.current).unwrap_or_default(),
        requests: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cache_that_can_go_does_not_count() {
        for name in ["inactive_file", "total_inactive_file"] {
            let answer = json!({
                "pids_stats": {"current": 7},
                "cpu_stats": {"cpu_usage": {"total_usage": 1_500_000_000_u64}},
                "memory_stats": {"usage": 100, "max_usage": 120, "stats": {name: 30}},
            });
            let stats = read(&serde_json::from_value(answer).unwrap(), SystemTime::UNIX_EPOCH);
            assert_eq!(stats.cpu, Duration::from_millis(1500));
            assert_eq!(stats.processes, 7);
            assert_eq!((stats.memory_bytes, stats.memory_peak_bytes), (70, 120));
        }
    }
}
