//! Containers from before this process, and what ended while nobody told.

use std::collections::HashSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use tracing::warn;
use wk_runtime::{ContainerExit, ContainerId, ContainerState, ContainerStatus, ExitReason};

use crate::shared::Shared;
use crate::state::{Found, Record, find_container, pod_ref, restored};
use crate::worker::ending::remove_pod_folder;

/// The containers that the runtimes have from before this process.
pub(crate) async fn found(shared: &Shared) -> Found {
    let mut found = Found::default();
    for runtime in shared.runtimes.all() {
        let linux = shared.runtimes.linux.as_ref().is_some_and(|linux| Arc::ptr_eq(linux, runtime));
        match runtime.list().await {
            Ok(all) => found.add(linux, all),
            Err(error) => {
                found.add_absent(linux);
                warn!(runtime = runtime.name(), %error, "containers cannot be listed");
            }
        }
    }
    found
}

/// The containers of a pod that this process has not seen before, as they are now.
pub(crate) fn records(shared: &Shared, pod: &Pod, found: &Found, now: Timestamp) -> Vec<Record> {
    let key = pod_ref(pod);
    let logs = shared.logs_folder(&key);
    let attempts = |container: &str| {
        let next = runs_logged(&logs.join(container));
        // The last one may run where nobody can tell: starting it again changes nothing then.
        if found.is_incomplete() { next.saturating_sub(1) } else { next }
    };
    let unsure = found.unsure(pod);
    let alive = |id: &ContainerId| found.runs(id) || unsure.contains_key(id);
    let mut records = restored(pod, alive, attempts, now);
    for record in &mut records {
        record.linux |= record.running_id().and_then(|id| unsure.get(id)) == Some(&true);
    }
    found.adopt(&key.uid, &mut records);
    settle(pod, &mut records);
    shared.unsure.lock().extend(unsure);
    records
}

/// Has containers been started, if there is nothing to wait for, that run without anybody having told
/// so.
fn settle(pod: &Pod, records: &mut [Record]) {
    for record in records.iter_mut().filter(|record| record.running_id().is_some()) {
        let Some((_, container)) = find_container(pod, &record.name) else { continue };
        if !record.started && container.startup_probe.is_none() {
            record.started = true;
            record.ready |= container.readiness_probe.is_none();
        }
    }
}

/// The address of a pod with containers from before this process.
pub(crate) fn address(shared: &Shared, pod: &Pod, records: &[Record]) -> Option<IpAddr> {
    if !records.iter().any(|record| record.running_id().is_some()) {
        return None;
    }
    let told = || pod.status.as_ref()?.pod_ip.as_deref()?.parse().ok();
    shared.kept_address(pod.metadata.uid.as_deref()?).or_else(told)
}

/// One more than the number of the last run that left a log in `folder`.
fn runs_logged(folder: &Path) -> u32 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let numbers = entries.filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.strip_suffix(".log")?.parse::<u32>().ok()
    });
    numbers.max().map_or(0, |last| last.saturating_add(1))
}

/// Takes note of what ended in a runtime while nobody told.
pub(crate) async fn catch_up(shared: &Arc<Shared>, linux: bool) {
    let Some(all) = note_ended(shared, linux).await else { return };
    let unsure: Vec<ContainerId> = {
        let mut unsure = shared.unsure.lock();
        unsure.extract_if(|_, of_linux| *of_linux == linux).map(|(id, _)| id).collect()
    };
    for id in unsure.iter().filter(|id| all.iter().all(|container| container.id != **id)) {
        let message = "The container could not be located when its engine came back";
        shared.container_exited(id, &lost(137, ExitReason::Error, message));
    }
}

/// Takes note of what ended after it was `found` and before its pod was known here.
pub(crate) async fn catch_up_with(shared: &Arc<Shared>, found: &Found) {
    for linux in [false, true] {
        if linux && shared.runtimes.linux.is_none() {
            continue;
        }
        let Some(all) = note_ended(shared, linux).await else { continue };
        let ids: HashSet<&ContainerId> = all.iter().map(|container| &container.id).collect();
        let ran = found.all().filter(|(state, of_linux)| {
            *of_linux == linux && state.status == ContainerStatus::Running
        });
        for (state, _) in ran.filter(|(state, _)| !ids.contains(&state.id)) {
            let message = "the container is gone, and nobody has told how it ended";
            shared.container_exited(&state.id, &lost(255, ExitReason::Unknown, message));
        }
    }
}

/// Gives back what pods hold that the API knows to have ended, and that the process before had no time
/// to give back.
pub(crate) async fn release_ended(shared: &Arc<Shared>, found: &Found) {
    for entry in shared.entries() {
        let uid = &entry.key.uid;
        let folder = shared.pod_folder(uid);
        // It goes last: while it is there, something else may be.
        if !entry.lock().released || !folder.exists() {
            continue;
        }
        for (state, linux) in found.all().filter(|(state, _)| state.pod.uid == *uid) {
            if let Err(error) = shared.runtime(linux).remove(&state.id).await {
                warn!(container = %state.id, %error, "ended container could not be removed");
            }
        }
        for runtime in shared.runtimes.all() {
            if let Err(error) = runtime.remove_pod(uid).await {
                warn!(pod = %entry.key.name, %error, "sandbox could not be removed");
            }
        }
        shared.give_back_address(uid).await;
        remove_pod_folder(folder).await;
    }
}

/// Takes note of the containers of a runtime that have ended, and returns all that it has.
async fn note_ended(shared: &Arc<Shared>, linux: bool) -> Option<Vec<ContainerState>> {
    let listed = shared.runtime(linux).list().await;
    let all = listed.inspect_err(|error| warn!(%error, "containers cannot be listed")).ok()?;
    for container in &all {
        if let ContainerStatus::Exited(exit) = &container.status {
            shared.container_exited(&container.id, exit);
        }
    }
    Some(all)
}

fn lost(code: i32, reason: ExitReason, message: &str) -> ContainerExit {
    ContainerExit { code, reason, message: message.to_owned(), finished_at: SystemTime::now() }
}
