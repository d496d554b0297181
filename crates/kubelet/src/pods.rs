//! The pods of this node, as the API server's watch tells of them.

use std::collections::HashSet;
use std::sync::Arc;

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::Event;
use tokio::sync::{broadcast, mpsc};
use tracing::{info, warn};
use wk_client::watching::watch;
use wk_process::BoxError;
use wk_runtime::{ContainerId, RuntimeEvent};

use crate::node::pods_of_node;
use crate::report;
use crate::shared::Shared;
use crate::state::{Change, Found, PodEntry, Volumes, WaitReason, find_container, pod_ref};
use crate::static_pods::mirror;
use crate::{admission, adoption, orphans};

/// Follows the pods of this node until cancelled.
pub(crate) async fn follow(shared: Arc<Shared>, found: Arc<Found>) -> Result<(), BoxError> {
    let token = shared.tasks.token();
    let api: Api<Pod> = Api::all(shared.client.clone());
    let events = watch(api, pods_of_node(&shared.config.node_name)).default_backoff();
    let mut events = std::pin::pin!(events);
    let mut listed: HashSet<String> = HashSet::new();
    let mut list: Vec<Pod> = Vec::new();
    let (mut first, mut restored) = (true, false);
    while let Some(Some(event)) = token.run_until_cancelled(events.next()).await {
        match event {
            Ok(Event::Init) => {
                listed.clear();
                list.clear();
            }
            Ok(Event::InitApply(pod)) => {
                listed.extend(pod.metadata.uid.clone());
                list.push(pod);
            }
            Ok(Event::InitDone) => {
                list.sort_by_cached_key(turn);
                for pod in std::mem::take(&mut list) {
                    apply(&shared, pod, &found);
                }
                shared.static_pods.mirrors.listed(&listed);
                for entry in shared.entries() {
                    if !entry.is_static && !listed.contains(&entry.key.uid) {
                        gone(&shared, &entry);
                    }
                }
                if std::mem::take(&mut first) {
                    info!(pods = listed.len(), "pods listed");
                    adoption::catch_up_with(&shared, &found).await;
                    adoption::release_ended(&shared, &found).await;
                    orphans::after_list(&shared, &listed, &found).await;
                }
            }
            Ok(Event::Apply(pod)) => apply(&shared, pod, &found),
            Ok(Event::Delete(pod)) => {
                if mirror::is_mirror(&pod) {
                    shared.static_pods.mirrors.gone(&pod);
                } else if let Some(entry) = pod.metadata.uid.and_then(|uid| shared.entry(&uid)) {
                    gone(&shared, &entry);
                }
            }
            Err(error) => {
                warn!(%error, "pods cannot be watched");
                // What the API had before is the best that there is.
                if first && !std::mem::replace(&mut restored, true) {
                    restore(&shared, &found).await;
                }
            }
        }
    }
    Ok(())
}

/// Of several pods, those that this node has taken come first, and then the older ones.
fn turn(pod: &Pod) -> (bool, Option<Timestamp>, Option<String>) {
    let is_taken = pod.status.as_ref().is_some_and(|status| status.start_time.is_some());
    let made = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
    (!is_taken, made, pod.metadata.uid.clone())
}

/// Takes the pods that were saved, until the API server tells of them.
async fn restore(shared: &Arc<Shared>, found: &Found) {
    let saved = shared.saved.clone();
    let read = tokio::task::spawn_blocking(move || saved.pods()).await;
    let saved = read.unwrap_or_default();
    if !saved.is_empty() {
        info!(pods = saved.len(), "pods as they were when the API server was there");
    }
    for pod in saved {
        apply(shared, pod, found);
    }
    adoption::catch_up_with(shared, found).await;
}

fn apply(shared: &Arc<Shared>, pod: Pod, found: &Found) {
    let Some(uid) = pod.metadata.uid.clone() else { return };
    if mirror::is_mirror(&pod) {
        return shared.static_pods.mirrors.seen(pod);
    }
    if let Some(entry) = shared.entry(&uid) {
        if entry.is_static {
            // Only this node knows it.
            return;
        }
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
    accept(shared, pod, found, false);
}

/// Takes a pod of a file.
pub(crate) fn accept_static(shared: &Arc<Shared>, pod: Pod, found: &Found) {
    accept(shared, pod, found, true);
}

/// Takes a pod that this process has not seen before.
fn accept(shared: &Arc<Shared>, pod: Pod, found: &Found, is_static: bool) {
    let key = pod_ref(&pod);
    let uid = key.uid.clone();
    let now = Timestamp::now();
    let records = adoption::records(shared, &pod, found, now);
    let address = adoption::address(shared, &pod, &records);
    let new = if is_static { PodEntry::new_static } else { PodEntry::new };
    let entry = Arc::new(new(pod, records, now));
    {
        let mut inner = entry.lock();
        inner.ip = address;
        inner.namespace = shared.kept_namespace(&uid);
    }
    shared.pods.write().insert(uid, Arc::clone(&entry));
    admission::admit(shared, &entry, &entry.pod());
    watch_probes(shared, &entry);
    if shared.lost_sandboxes.lock().remove(&entry.key.uid) {
        shared.sandbox_ended(&entry.key.uid);
    }
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

/// A pod is not to be here any more.
pub(crate) fn gone(shared: &Arc<Shared>, entry: &Arc<PodEntry>) {
    entry.lock().gone = true;
    entry.interrupt.notify_one();
    shared.wake(entry);
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
            Ok(RuntimeEvent::SandboxEnded { pod_uid }) => shared.sandbox_ended(&pod_uid),
            Ok(RuntimeEvent::Resynced) => {
                adoption::catch_up(&shared, linux).await;
                retry_held(&shared);
            }
            Err(broadcast::error::RecvError::Lagged(lost)) => {
                warn!(lost, "runtime events were lost, listing containers");
                adoption::catch_up(&shared, linux).await;
            }
            Err(broadcast::error::RecvError::Closed) => return Err("the runtime is gone".into()),
        }
    }
    Ok(())
}

/// Has pods looked at again that wait for their container engine.
pub(crate) fn retry_held(shared: &Arc<Shared>) {
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
