//! Looks at the node and its pods' folders again and again, and evicts what has too much.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use tokio::sync::watch;
use tracing::{info, warn};
use wk_api::Quantity;
use wk_client::EventType;

use super::limits::{self, DiskUsage};
use super::rank::{self, Candidate, Share};
use super::tracker::{Due, Tracker};
use super::{EVICTED, Signal};
use crate::machine::{Machine, Pressures};
use crate::shared::Shared;
use crate::state::{Failure, PodEntry};
use crate::{garbage, report, usage};

/// How often the node is looked at.
const LOOK: Duration = Duration::from_secs(10);
/// What pods get to end that go at once.
const IMMEDIATE: Duration = Duration::from_secs(1);
/// How long the next eviction waits at most for what the last one gives back.
const CLEANUP: Duration = Duration::from_secs(30);

/// Looks until cancelled, and tells under which pressures the node is.
pub(crate) async fn run(
    shared: Arc<Shared>,
    mut tracker: Tracker,
    pressures: watch::Sender<Pressures>,
) {
    let token = shared.tasks.token();
    let mut times = tokio::time::interval(LOOK);
    times.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last: Option<(Arc<PodEntry>, Timestamp)> = None;
    while token.run_until_cancelled(times.tick()).await.is_some() {
        if shared.frozen.load(Ordering::Acquire) {
            return;
        }
        *shared.looked_at.lock() = tokio::time::Instant::now();
        let once = look(&shared, &mut tracker, &pressures, &mut last);
        let _ended = token.run_until_cancelled(once).await;
    }
}

async fn look(
    shared: &Arc<Shared>,
    tracker: &mut Tracker,
    pressures: &watch::Sender<Pressures>,
    last: &mut Option<(Arc<PodEntry>, Timestamp)>,
) {
    let evicted = evict_by_limits(shared).await;
    let Some(machine) = read(shared).await else { return };
    let now = Timestamp::now();
    let look = tracker.look(&machine, now);
    let _changed = pressures.send_if_modified(|told| {
        let changed = *told != look.pressures;
        *told = look.pressures;
        changed
    });
    // Whether more has to go is seen once these are gone.
    if evicted || last.as_ref().is_some_and(|(entry, since)| still_ends(entry, *since, now)) {
        return;
    }
    *last = None;
    let Some(due) = look.due else { return };
    let resource = rank::resource(due.signal);
    warn!(
        signal = due.signal.name(),
        available = due.available,
        least = due.least,
        "node runs low"
    );
    let message = format!("Attempting to reclaim {resource}");
    garbage::node_event(shared, "EvictionThresholdMet", message);
    if is_disk(due.signal) {
        garbage::free_all(shared).await;
        let Some(machine) = read(shared).await else { return };
        if tracker
            .look(&machine, Timestamp::now())
            .due
            .is_none_or(|still| still.signal != due.signal)
        {
            info!(signal = due.signal.name(), "enough was freed without an eviction");
            return;
        }
    }
    let candidates = candidates(shared, due).await;
    let Some(first) = rank::first(&candidates) else {
        info!(resource, "no pod can be evicted");
        return;
    };
    let Some(entry) = shared.entry(&first.uid) else { return };
    let settings = &shared.config.eviction;
    let grace = if due.is_hard { IMMEDIATE } else { settings.max_pod_grace_period };
    if evict(shared, &entry, rank::message(due, first), grace, true) {
        *last = Some((entry, now));
    }
}

fn still_ends(entry: &PodEntry, since: Timestamp, now: Timestamp) -> bool {
    let waited = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    !entry.lock().released && waited < CLEANUP
}

fn is_disk(signal: Signal) -> bool {
    !matches!(signal, Signal::MemoryAvailable | Signal::PidAvailable)
}

async fn read(shared: &Shared) -> Option<Machine> {
    let folder = shared.config.data_dir.clone();
    tokio::task::spawn_blocking(move || Machine::read(&folder)).await.ok()
}

/// Evicts the pods that have more on disk than they may; true if there was one.
async fn evict_by_limits(shared: &Arc<Shared>) -> bool {
    let mut evicted = false;
    for entry in shared.entries() {
        let pod = {
            let mut inner = entry.lock();
            if !inner.limits_disk || inner.released || inner.failure.is_some() {
                continue;
            }
            inner.pod()
        };
        entry.lock().slim();
        let Some(usage) = usage::disk(shared, &entry, Arc::clone(&pod)).await else { continue };
        let excess = pod.spec.as_ref().and_then(|spec| limits::excess(spec, &usage));
        if let Some(message) = excess.filter(|_| !rank::is_critical(&pod, entry.is_static)) {
            evicted |= evict(shared, &entry, message, IMMEDIATE, false);
        }
    }
    evicted
}

/// The pods that could go, with what they use of what has run low.
async fn candidates(shared: &Arc<Shared>, due: Due) -> Vec<Candidate> {
    let measured = if matches!(due.signal, Signal::MemoryAvailable | Signal::PidAvailable) {
        usage::measure(shared).await.pods
    } else {
        Vec::new()
    };
    let mut candidates = Vec::new();
    for entry in shared.entries() {
        let pod = {
            let mut inner = entry.lock();
            if inner.released || inner.failure.is_some() || inner.gone {
                continue;
            }
            inner.pod()
        };
        entry.lock().slim();
        let Some(spec) = pod.spec.as_ref() else { continue };
        if rank::is_critical(&pod, entry.is_static) {
            continue;
        }
        let mut disk = DiskUsage::default();
        if is_disk(due.signal) {
            disk = usage::disk(shared, &entry, Arc::clone(&pod)).await.unwrap_or_default();
        }
        let used = measured.iter().find(|used| used.key.uid == entry.key.uid);
        let used = |container: &Container| -> u64 {
            let name = &container.name;
            let stats = used.and_then(|used| used.containers.iter().find(|one| one.name == *name));
            match due.signal {
                Signal::MemoryAvailable => stats.map_or(0, |one| one.stats.memory_bytes),
                Signal::PidAvailable => stats.map_or(0, |one| one.stats.processes),
                Signal::NodefsAvailable | Signal::ImagefsAvailable => disk.of_container(name),
                // Which files are whose is known of the pod as a whole.
                Signal::NodefsInodesFree | Signal::ImagefsInodesFree => 0,
            }
        };
        let share = |container: &Container| Share {
            container: container.name.clone(),
            used: used(container),
            requested: request(container, rank::resource(due.signal)),
        };
        let sidecars = spec.init_containers.iter().flatten();
        let sidecars =
            sidecars.filter(|container| container.restart_policy.as_deref() == Some("Always"));
        candidates.push(Candidate {
            uid: entry.key.uid.clone(),
            priority: spec.priority.unwrap_or(0),
            shares: spec.containers.iter().chain(sidecars).map(share).collect(),
            shared: match due.signal {
                Signal::NodefsInodesFree | Signal::ImagefsInodesFree => disk.inodes,
                _ => disk.folders_on_disk(),
            },
        });
    }
    candidates
}

fn request(container: &Container, resource: &str) -> u64 {
    let requests = container.resources.as_ref().and_then(|all| all.requests.as_ref());
    let request = requests.and_then(|all| Quantity::parse(&all.get(resource)?.0).ok());
    request.and_then(|request| u64::try_from(request.value()).ok()).unwrap_or(0)
}

/// Has a pod fail; false if it has already.
fn evict(
    shared: &Arc<Shared>,
    entry: &Arc<PodEntry>,
    message: String,
    grace: Duration,
    disrupted: bool,
) -> bool {
    {
        let mut inner = entry.lock();
        if inner.failure.is_some() || inner.released {
            return false;
        }
        inner.failure = Some(Failure {
            reason: EVICTED.into(),
            message: message.as_str().into(),
            grace: Some(grace),
            disrupted,
        });
    }
    info!(pod = %entry.key.name, namespace = %entry.key.namespace, message, "pod evicted");
    shared.event(&entry.key, None, EventType::Warning, EVICTED, message);
    report::ask(shared, entry);
    entry.interrupt.notify_one();
    shared.wake(entry);
    true
}

/// Why a node under pressure does not take a new pod; `None` if it does.
pub(crate) fn refusal(pod: &Pod, is_critical: bool, pressures: Pressures) -> Option<String> {
    let conditions = [
        (pressures.memory, "MemoryPressure"),
        (pressures.disk, "DiskPressure"),
        (pressures.pids, "PIDPressure"),
    ];
    let held: Vec<&str> =
        conditions.into_iter().filter(|(holds, _)| *holds).map(|(_, name)| name).collect();
    if held.is_empty() || is_critical {
        return None;
    }
    if held == ["MemoryPressure"] {
        let class = pod.status.as_ref().and_then(|status| status.qos_class.as_deref());
        let spec = pod.spec.as_ref();
        let mut tolerations = spec.into_iter().flat_map(|spec| spec.tolerations.iter().flatten());
        let tolerated = tolerations.any(|toleration| {
            let key = toleration.key.as_deref().unwrap_or_default();
            let of_all = key.is_empty() && toleration.operator.as_deref() == Some("Exists");
            let effect = toleration.effect.as_deref().unwrap_or_default();
            (of_all || key == "node.kubernetes.io/memory-pressure")
                && matches!(effect, "" | "NoSchedule")
        });
        if class != Some("BestEffort") || tolerated {
            return None;
        }
    }
    Some(format!("The node had condition: [{}]. ", held.join(" ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_under_pressure_takes_what_it_can_bear() {
        let pod = |class: &str, spec: serde_json::Value| -> Pod {
            let mut spec = spec;
            spec["containers"] = json!([]);
            serde_json::from_value(json!({"spec": spec, "status": {"qosClass": class}})).unwrap()
        };
        let memory = Pressures { memory: true, ..Pressures::default() };
        let both = Pressures { disk: true, ..memory };
        let critical = json!({"priority": 2_000_001_000});
        let tolerant = json!({"tolerations": [{"key": "node.kubernetes.io/memory-pressure", "operator": "Exists"}]});
        for (class, spec, pressures, expected) in [
            ("BestEffort", json!({}), Pressures::default(), None),
            ("BestEffort", json!({}), memory, Some("The node had condition: [MemoryPressure]. ")),
            ("Burstable", json!({}), memory, None),
            ("BestEffort", tolerant, memory, None),
            (
                "Guaranteed",
                json!({}),
                both,
                Some("The node had condition: [MemoryPressure DiskPressure]. "),
            ),
            ("BestEffort", critical, both, None),
        ] {
            let pod = pod(class, spec);
            let is_critical = rank::is_critical(&pod, false);
            assert_eq!(refusal(&pod, is_critical, pressures).as_deref(), expected, "{class}");
        }
    }
}
