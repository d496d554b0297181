//! The pods of this node, as the API server's watch tells of them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::Event;
use tokio::sync::{broadcast, mpsc};
use tracing::{debug, info, warn};
use wk_client::EventType;
use wk_client::watching::watch;
use wk_process::BoxError;
use wk_runtime::{ContainerExit, ContainerId, ContainerStatus, ExitReason, RuntimeEvent};

use crate::eviction;
use crate::node::pods_of_node;
use crate::report;
use crate::shared::Shared;
use crate::state::{
    Change, Failure, Found, Phase, PodEntry, Record, Volumes, WaitReason, find_container, pod_ref,
    restored,
};
use crate::worker::ending::{remove_folder, remove_pod_folder};

/// Follows the pods of this node until cancelled.
pub(crate) async fn follow(shared: Arc<Shared>) -> Result<(), BoxError> {
    let token = shared.tasks.token();
    let found = found(&shared).await;
    let api: Api<Pod> = Api::all(shared.client.clone());
    let events = watch(api, pods_of_node(&shared.config.node_name)).default_backoff();
    let mut events = std::pin::pin!(events);
    let mut listed: HashSet<String> = HashSet::new();
    let mut first = true;
    while let Some(Some(event)) = token.run_until_cancelled(events.next()).await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(pod)) => {
                listed.extend(pod.metadata.uid.clone());
                apply(&shared, pod, &found);
            }
            Ok(Event::InitDone) => {
                for entry in shared.entries() {
                    if !listed.contains(&entry.key.uid) {
                        gone(&shared, &entry);
                    }
                }
                if std::mem::take(&mut first) {
                    info!(pods = listed.len(), "pods listed");
                    remove_orphans(&shared, &listed, &found).await;
                }
            }
            Ok(Event::Apply(pod)) => apply(&shared, pod, &found),
            Ok(Event::Delete(pod)) => {
                if let Some(entry) = pod.metadata.uid.and_then(|uid| shared.entry(&uid)) {
                    gone(&shared, &entry);
                }
            }
            Err(error) => {
                warn!(%error, "pods cannot be watched");
                // What the API had before is the best that there is.
                if first && shared.pods.read().is_empty() {
                    restore(&shared, &found);
                }
            }
        }
    }
    Ok(())
}

/// Takes the pods that were saved, until the API server tells of them.
fn restore(shared: &Arc<Shared>, found: &Found) {
    let saved = shared.saved.pods();
    if !saved.is_empty() {
        info!(pods = saved.len(), "pods as they were when the API server was there");
    }
    for pod in saved {
        apply(shared, pod, found);
    }
}

/// The containers that the runtimes have from before this process.
async fn found(shared: &Shared) -> Found {
    let mut found = Found::default();
    for runtime in shared.runtimes.all() {
        let linux = shared.runtimes.linux.as_ref().is_some_and(|linux| Arc::ptr_eq(linux, runtime));
        match runtime.list().await {
            Ok(all) => found.add(linux, all),
            Err(error) => {
                found.engine_is_away |= linux;
                warn!(runtime = runtime.name(), %error, "containers cannot be listed");
            }
        }
    }
    found
}

fn apply(shared: &Arc<Shared>, pod: Pod, found: &Found) {
    let Some(uid) = pod.metadata.uid.clone() else { return };
    if let Some(entry) = shared.entry(&uid) {
        match entry.observe(pod) {
            Change::Nothing => return,
            Change::Readiness => return report::ask(shared, &entry),
            Change::Spec => {
                let mut inner = entry.lock();
                if inner.volumes == Volumes::Ready {
                    // Labels and annotations may be files of a volume.
                    inner.volumes = Volumes::Pending;
                }
            }
            Change::Deletion => entry.interrupt.notify_one(),
        }
        shared.wake(&entry);
        return;
    }
    let key = pod_ref(&pod);
    let now = Timestamp::now();
    let pressures = *shared.pressures.borrow();
    let refusal = eviction::run::refusal(&pod, pressures);
    let logs = shared.logs_folder(&key);
    let attempts = |container: &str| runs_logged(&logs.join(container));
    let unsure = found.unsure(&pod);
    let alive = |id: &ContainerId| found.runs(id) || unsure.contains(id);
    let mut records = restored(&pod, alive, attempts, now);
    for record in &mut records {
        record.linux |= record.running_id().is_some_and(|id| unsure.contains(id));
    }
    found.adopt(&key.uid, &mut records);
    shared.unsure.lock().extend(unsure);
    let entry = Arc::new(PodEntry::new(pod, records, now));
    let known = {
        let mut pods = shared.pods.write();
        pods.insert(uid, Arc::clone(&entry));
        pods.len()
    };
    let max = shared.max_pods as usize;
    // Counted only where it can matter: pods that have ended take no room.
    if known > max && !entry.lock().released {
        let others = shared.entries();
        let others = others.iter().filter(|other| !Arc::ptr_eq(other, &entry));
        let active = others.filter(|other| !other.lock().released).count();
        if active >= max {
            refuse(shared, &entry, active);
        }
    }
    let is_new = {
        let inner = entry.lock();
        let began = |record: &Record| !matches!(record.phase, Phase::NotStarted);
        !inner.released && inner.failure.is_none() && !inner.records.iter().any(began)
    };
    if let Some(message) = refusal.filter(|_| is_new) {
        reject(shared, &entry, eviction::EVICTED, message);
    }
    watch_probes(shared, &entry);
    shared.wake(&entry);
}

/// Goes on probing the containers that an earlier process has started.
fn watch_probes(shared: &Shared, entry: &Arc<PodEntry>) {
    let running: Vec<(Box<str>, ContainerId, bool)> = {
        let inner = entry.lock();
        let running = inner.records.iter().filter_map(|record| {
            Some((record.name.clone(), record.running_id()?.clone(), record.started))
        });
        running.collect()
    };
    if running.is_empty() {
        return;
    }
    let pod = entry.pod();
    for (name, id, started) in running {
        if let Some((_, container)) = find_container(&pod, &name) {
            shared.probes.watch(entry, &container, &id, started);
        }
    }
}

/// One more than the number of the last run that left a log in `folder`.
fn runs_logged(folder: &std::path::Path) -> u32 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let numbers = entries.filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.strip_suffix(".log")?.parse::<u32>().ok()
    });
    numbers.max().map_or(0, |last| last.saturating_add(1))
}

/// The node is full: pods that were bound to it all the same fail, as in Kubernetes.
fn refuse(shared: &Arc<Shared>, entry: &Arc<PodEntry>, used: usize) {
    let message = format!(
        "Node didn't have enough resource: pods, requested: 1, used: {used}, capacity: {}",
        shared.max_pods
    );
    reject(shared, entry, "OutOfpods", message);
}

/// The node does not take a pod that was bound to it: it fails.
fn reject(shared: &Arc<Shared>, entry: &Arc<PodEntry>, reason: &'static str, message: String) {
    let told = format!("Pod was rejected: {message}");
    shared.event(&entry.key, None, EventType::Warning, reason, message);
    let failure = Failure { reason, message: told.into(), grace: None, disrupted: false };
    entry.lock().failure = Some(failure);
    report::ask(shared, entry);
}

fn gone(shared: &Arc<Shared>, entry: &Arc<PodEntry>) {
    entry.lock().gone = true;
    entry.interrupt.notify_one();
    shared.wake(entry);
}

/// Removes what pods left behind that were deleted while this node was away.
async fn remove_orphans(shared: &Shared, listed: &HashSet<String>, found: &Found) {
    for (state, linux) in found.all() {
        if listed.contains(&state.pod.uid) {
            continue;
        }
        if let Err(error) = shared.runtime(linux).remove(&state.id).await {
            warn!(container = %state.id, %error, "orphan could not be removed");
        }
    }
    retain_pods(shared).await;
    let uid_of_log = |name: &str| name.rsplit('_').next().map(str::to_owned);
    let roots = [(shared.config.data_dir.join("pods"), false), (shared.logs_root(), true)];
    for (root, is_logs) in roots {
        let Ok(mut entries) = tokio::fs::read_dir(&root).await else { continue };
        while let Ok(Some(entry)) = entries.next_entry().await {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let uid = if is_logs { uid_of_log(name) } else { Some(name.to_owned()) };
            // A pod may have come since the list.
            let known =
                uid.is_some_and(|uid| listed.contains(&uid) || shared.entry(&uid).is_some());
            if !known {
                info!(folder = %entry.path().display(), "removing what a deleted pod left");
                if is_logs {
                    remove_folder(entry.path()).await;
                } else {
                    remove_pod_folder(entry.path()).await;
                }
            }
        }
    }
}

/// Has the container engine forget pods that are not here any more.
pub(crate) async fn retain_pods(shared: &Shared) {
    let Some(linux) = &shared.runtimes.linux else { return };
    let uids: HashSet<String> = shared.pods.read().keys().cloned().collect();
    match linux.retain_pods(&uids).await {
        Ok(()) => {}
        // The node's status says so all the time.
        Err(error @ wk_runtime::RuntimeError::Unavailable { .. }) => debug!(%error, "not cleaned"),
        Err(error) => warn!(%error, "container engine could not be cleaned"),
    }
}

/// Takes note of containers that end, until cancelled.
pub(crate) async fn follow_exits(
    shared: Arc<Shared>,
    linux: bool,
    mut events: broadcast::Receiver<RuntimeEvent>,
) -> Result<(), BoxError> {
    let token = shared.tasks.token();
    while let Some(event) = token.run_until_cancelled(events.recv()).await {
        match event {
            Ok(RuntimeEvent::Exited { id, exit }) => shared.container_exited(&id, &exit),
            Ok(RuntimeEvent::Resynced) => {
                catch_up(&shared, linux).await;
                retry_held(&shared);
            }
            Err(broadcast::error::RecvError::Lagged(lost)) => {
                warn!(lost, "runtime events were lost, listing containers");
                catch_up(&shared, linux).await;
            }
            Err(broadcast::error::RecvError::Closed) => return Err("the runtime is gone".into()),
        }
    }
    Ok(())
}

/// Takes note of what ended while nobody told.
async fn catch_up(shared: &Arc<Shared>, linux: bool) {
    let all = match shared.runtime(linux).list().await {
        Ok(all) => all,
        Err(error) => return warn!(%error, "containers cannot be listed"),
    };
    for container in &all {
        if let ContainerStatus::Exited(exit) = &container.status {
            shared.container_exited(&container.id, exit);
        }
    }
    if !linux {
        return;
    }
    let unsure = std::mem::take(&mut *shared.unsure.lock());
    for id in unsure.iter().filter(|id| all.iter().all(|container| container.id != **id)) {
        let exit = ContainerExit {
            code: 137,
            reason: ExitReason::Error,
            message: "The container could not be located when its engine came back".to_owned(),
            finished_at: SystemTime::now(),
        };
        shared.container_exited(id, &exit);
    }
}

/// Has pods looked at again that wait for their container engine.
fn retry_held(shared: &Arc<Shared>) {
    for entry in shared.entries() {
        let waits = {
            let mut inner = entry.lock();
            let mut waits = false;
            for record in &mut inner.records {
                let held = record.hold.as_ref();
                if held.is_some_and(|hold| hold.reason == WaitReason::ContainerCreating) {
                    record.hold = None;
                    waits = true;
                }
            }
            waits
        };
        if waits {
            shared.wake(&entry);
        }
    }
}

/// Wakes pods whose ConfigMaps or Secrets have changed, until cancelled.
pub(crate) async fn follow_objects(
    shared: Arc<Shared>,
    mut changes: mpsc::Receiver<Vec<String>>,
) -> Result<(), BoxError> {
    let token = shared.tasks.token();
    while let Some(Some(uids)) = token.run_until_cancelled(changes.recv()).await {
        for entry in uids.iter().filter_map(|uid| shared.entry(uid)) {
            {
                let mut inner = entry.lock();
                inner.volumes = Volumes::Pending;
                for record in &mut inner.records {
                    if record.hold.as_ref().is_some_and(|hold| hold.on_objects) {
                        record.hold = None;
                    }
                }
            }
            shared.wake(&entry);
        }
    }
    Ok(())
}
