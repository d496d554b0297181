//! The pods of this node, as the API server's watch tells of them.

use std::collections::HashSet;
use std::sync::Arc;

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{Event, watcher};
use tokio::sync::{broadcast, mpsc};
use tracing::{info, warn};
use wk_client::EventType;
use wk_process::BoxError;
use wk_runtime::{ContainerId, ContainerStatus, RuntimeEvent};

use crate::node::pods_of_node;
use crate::report;
use crate::shared::Shared;
use crate::state::{Change, Failure, PodEntry, Volumes, pod_ref, restored};
use crate::worker::ending::remove_folder;

/// Follows the pods of this node until cancelled.
pub(crate) async fn follow(shared: Arc<Shared>) -> Result<(), BoxError> {
    let token = shared.tasks.token();
    let alive = alive(&shared).await;
    let api: Api<Pod> = Api::all(shared.client.clone());
    let events = watcher(api, pods_of_node(&shared.config.node_name)).default_backoff();
    let mut events = std::pin::pin!(events);
    let mut listed: HashSet<String> = HashSet::new();
    let mut first = true;
    while let Some(Some(event)) = token.run_until_cancelled(events.next()).await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(pod)) => {
                listed.extend(pod.metadata.uid.clone());
                apply(&shared, pod, &alive);
            }
            Ok(Event::InitDone) => {
                for entry in shared.entries() {
                    if !listed.contains(&entry.key.uid) {
                        gone(&shared, &entry);
                    }
                }
                if std::mem::take(&mut first) {
                    info!(pods = listed.len(), "pods listed");
                    remove_orphans(&shared, &listed, &alive).await;
                }
            }
            Ok(Event::Apply(pod)) => apply(&shared, pod, &alive),
            Ok(Event::Delete(pod)) => {
                if let Some(entry) = pod.metadata.uid.and_then(|uid| shared.entry(&uid)) {
                    gone(&shared, &entry);
                }
            }
            Err(error) => warn!(%error, "pods cannot be watched"),
        }
    }
    Ok(())
}

/// The containers that the runtimes still run from before this process.
async fn alive(shared: &Shared) -> HashSet<ContainerId> {
    let mut alive = HashSet::new();
    for runtime in shared.runtimes.all() {
        match runtime.list().await {
            Ok(all) => alive.extend(
                all.into_iter()
                    .filter(|container| container.status == ContainerStatus::Running)
                    .map(|container| container.id),
            ),
            Err(error) => warn!(runtime = runtime.name(), %error, "containers cannot be listed"),
        }
    }
    alive
}

fn apply(shared: &Arc<Shared>, pod: Pod, alive: &HashSet<ContainerId>) {
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
    let logs = shared.logs_folder(&key);
    let attempts = |container: &str| runs_logged(&logs.join(container));
    let records = restored(&pod, |id| alive.contains(id), attempts, now);
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
    shared.wake(&entry);
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
    shared.event(&entry.key, None, EventType::Warning, "OutOfpods", message.clone());
    entry.lock().failure = Some(Failure { reason: "OutOfpods", message: message.into() });
    report::ask(shared, entry);
}

fn gone(shared: &Arc<Shared>, entry: &Arc<PodEntry>) {
    entry.lock().gone = true;
    entry.interrupt.notify_one();
    shared.wake(entry);
}

/// Removes what pods left behind that were deleted while this node was away.
async fn remove_orphans(shared: &Shared, listed: &HashSet<String>, alive: &HashSet<ContainerId>) {
    for id in alive {
        let known =
            crate::state::parse_container_id(id).is_some_and(|(uid, _)| listed.contains(uid));
        if known {
            continue;
        }
        for runtime in shared.runtimes.all() {
            if let Err(error) = runtime.remove(id).await {
                warn!(container = %id, %error, "orphan could not be removed");
            }
        }
    }
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
                remove_folder(entry.path()).await;
            }
        }
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
            Err(broadcast::error::RecvError::Lagged(lost)) => {
                warn!(lost, "runtime events were lost, listing containers");
                match shared.runtime(linux).list().await {
                    Ok(all) => {
                        for container in all {
                            if let ContainerStatus::Exited(exit) = &container.status {
                                shared.container_exited(&container.id, exit);
                            }
                        }
                    }
                    Err(error) => warn!(%error, "containers cannot be listed"),
                }
            }
            Err(broadcast::error::RecvError::Closed) => return Err("the runtime is gone".into()),
        }
    }
    Ok(())
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
