//! How containers and pods end.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use kube::api::{DeleteParams, Preconditions};
use tracing::{info, warn};
use wk_client::EventType;
use wk_runtime::{ContainerExit, ContainerId, ExitReason, PodRef, RuntimeError};

use super::hooks::{Hook, Target};
use crate::logs;
use crate::plan::{Role, StopReason};
use crate::report::{self, Written};
use crate::shared::{SUBPATHS, Shared};
use crate::state::{
    Ailment, Hold, Phase, PodEntry, Record, WaitReason, all_containers, container_id,
};
use crate::termination::{self, Place};
use crate::tree;
use crate::volumes::{empty, subpath};

const DEFAULT_GRACE: u64 = 30;
/// What a container gets to end in when its hook or others have used up the pod's time.
const LEAST_GRACE: Duration = Duration::from_secs(2);
/// How long the end of a stopped container may take to be reported.
const EXIT_EVENT: Duration = Duration::from_secs(2);
const DELETE_RETRY: Duration = Duration::from_secs(2);

/// One container on its way to its end.
struct Ending {
    index: usize,
    name: Box<str>,
    role: Role,
    id: ContainerId,
    linux: bool,
    ip: Option<IpAddr>,
    /// What it does first.
    hook: Option<Hook>,
    /// For both, in all.
    grace: Duration,
    /// Whether it is only told that its turn comes: it ends after others.
    waits: bool,
    ailment: Option<Ailment>,
}

/// Ends containers, all at once, and returns when their ends are known.
///
/// Each does first what its specification has it do before its end; when the pod ends, so do those
/// whose turn comes later. It returns early when the pod is given less time than before; the next
/// plan then stops them again with that.
pub(super) async fn stop(
    shared: &Arc<Shared>,
    entry: &Arc<PodEntry>,
    pod: &Pod,
    stops: &[(usize, StopReason)],
) {
    let endings = endings(entry, pod, stops, Timestamp::now(), shared.reach(entry));
    for ending in endings.iter().filter(|ending| !ending.waits) {
        let message = stop_message(ending, pod);
        let container = Some((&*ending.name, ending.role));
        shared.event(&entry.key, container, EventType::Normal, "Killing", message);
    }
    let given = total_grace(entry, pod);
    let stopping = join_all(endings.iter().map(|ending| end(shared, &entry.key, ending)));
    tokio::pin!(stopping);
    let stopped = loop {
        tokio::select! {
            biased;
            stopped = &mut stopping => break stopped,
            () = entry.interrupt.notified() => {
                if total_grace(entry, &entry.pod()) < given {
                    return;
                }
                // One that has ended is told of while others take their time.
                complete_messages(shared, entry, pod).await;
                report::ask(shared, entry);
            }
        }
    };
    for (ending, stopped) in endings.iter().zip(stopped) {
        if ending.waits {
            continue;
        }
        if stopped {
            exit_known(shared, entry, &ending.id).await;
            if let Some(Ailment::PostStart(message)) = &ending.ailment {
                hold_failed_hook(entry, ending.index, message);
            }
        } else {
            // Asked again after a while; the engine may have come back by then.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// What is to be ended, and notes that their hooks were begun.
fn endings(
    entry: &PodEntry,
    pod: &Pod,
    stops: &[(usize, StopReason)],
    now: Timestamp,
    ip: Option<IpAddr>,
) -> Vec<Ending> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let total = total_grace(entry, pod);
    let ends_pod = stops.iter().any(|(_, reason)| *reason != StopReason::Unhealthy);
    let mut inner = entry.lock();
    let over = if ends_pod {
        let since = *inner.ending_since.get_or_insert(now);
        Duration::try_from(now.duration_since(since)).unwrap_or_default()
    } else {
        Duration::ZERO
    };
    let all = all_containers(spec).zip(&mut inner.records).enumerate();
    let endings = all.filter_map(|(index, ((role, container), record))| {
        let stop = stops.iter().find(|(stopped, _)| *stopped == index);
        let id = record.running_id()?.clone();
        let hook = Hook::pre_stop(&container).filter(|_| !record.pre_stop);
        let waits = stop.is_none();
        if waits && !(ends_pod && hook.is_some()) {
            return None;
        }
        record.pre_stop |= hook.is_some();
        let own = match (stop, &record.unhealthy) {
            (Some((_, StopReason::Unhealthy)), Some(Ailment::Probe(kind))) => {
                let probe = kind.of(&container);
                let seconds = probe.and_then(|probe| probe.termination_grace_period_seconds);
                seconds.and_then(|seconds| u64::try_from(seconds).ok())
            }
            _ => None,
        };
        let grace = own.map_or_else(|| left(total, over), Duration::from_secs);
        Some(Ending {
            index,
            name: record.name.clone(),
            role,
            id,
            linux: record.linux,
            ip,
            hook: hook.filter(|_| !grace.is_zero()),
            grace,
            waits,
            ailment: stop.and(record.unhealthy.clone()),
        })
    });
    endings.collect()
}

/// Has a container do what it does before its end, and ends it unless its turn comes later; false if
/// it could not be.
async fn end(shared: &Shared, key: &PodRef, ending: &Ending) -> bool {
    let began = tokio::time::Instant::now();
    if let Some(hook) = &ending.hook {
        let target = Target {
            key,
            container: &ending.name,
            role: ending.role,
            id: &ending.id,
            linux: ending.linux,
            ip: ending.ip,
        };
        hook.run_before_end(shared, target, ending.grace).await;
    }
    if ending.waits {
        return true;
    }
    let grace = left(ending.grace, began.elapsed());
    let stopped = shared.runtime(ending.linux).stop(&ending.id, grace).await;
    if let Err(error) = &stopped {
        warn!(container = %ending.id, %error, "container could not be stopped");
    }
    stopped.is_ok()
}

/// Ends all containers of a pod at once, each with what it does before, within `most`: for a process
/// that goes down with its runtime. Returns whether they have ended.
pub(crate) async fn end_all(shared: &Shared, entry: &PodEntry, most: Duration) -> bool {
    let pod = entry.pod();
    let running: Vec<_> = {
        let inner = entry.lock();
        let records = inner.records.iter().enumerate();
        let running = records.filter(|(_, record)| {
            record.running_id().is_some() && !shared.config.outlives(record.linux)
        });
        running.map(|(index, _)| (index, StopReason::PodEnds)).collect()
    };
    let mut endings = endings(entry, &pod, &running, Timestamp::now(), shared.reach(entry));
    for ending in &mut endings {
        ending.grace = ending.grace.min(most);
    }
    let ended = join_all(endings.iter().map(|ending| end(shared, &entry.key, ending))).await;
    ended.into_iter().all(|ended| ended)
}

/// Why a container is ended, as the event says it.
fn stop_message(ending: &Ending, pod: &Pod) -> String {
    let name = &ending.name;
    match (&ending.ailment, ending.role) {
        (Some(Ailment::Probe(kind)), Role::Init | Role::Sidecar) => {
            format!("Init container {name} failed {} probe", kind.as_str())
        }
        (Some(Ailment::Probe(kind)), Role::Main | Role::Ephemeral) => {
            let policy = pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref());
            let restarted = if policy == Some("Never") { "" } else { ", will be restarted" };
            format!("Container {name} failed {} probe{restarted}", kind.as_str())
        }
        (Some(Ailment::PostStart(_)), _) => "FailedPostStartHook".to_owned(),
        (None, _) => format!("Stopping container {name}"),
    }
}

/// What is left of the time to end; never so little that a program cannot end by itself, unless it
/// was given none at all.
fn left(grace: Duration, over: Duration) -> Duration {
    grace.saturating_sub(over).max(LEAST_GRACE.min(grace))
}

/// Says why a container is to start again whose hook failed.
fn hold_failed_hook(entry: &PodEntry, index: usize, message: &str) {
    let mut inner = entry.lock();
    let Some(record) = inner.records.get_mut(index) else { return };
    record.hold = Some(Box::new(Hold {
        reason: WaitReason::PostStartHookError,
        message: message.into(),
        until: Timestamp::now() + super::starting::ERROR_SHOWN,
        on_objects: false,
    }));
}

/// Waits until the runtime has reported the end of a container that it says is stopped.
async fn exit_known(shared: &Arc<Shared>, entry: &Arc<PodEntry>, id: &ContainerId) {
    let runs = || entry.lock().records.iter().any(|record| record.running_id() == Some(id));
    let reported = async {
        while runs() {
            entry.interrupt.notified().await;
        }
    };
    if tokio::time::timeout(EXIT_EVENT, reported).await.is_err() {
        warn!(container = %id, "runtime did not report the end of a stopped container");
        let exit = ContainerExit {
            code: 137,
            reason: ExitReason::Error,
            message: String::new(),
            finished_at: SystemTime::now(),
        };
        shared.container_exited(id, &exit);
    }
}

/// How long the containers of a pod may take to end, also if something else than its deletion ends it.
fn total_grace(entry: &PodEntry, pod: &Pod) -> Duration {
    let grace = grace(pod);
    let of_failure = entry.lock().failure.as_ref().and_then(|failure| failure.grace);
    of_failure.map_or(grace, |own| own.min(grace))
}

/// How long the containers of a pod may take to end.
pub(crate) fn grace(pod: &Pod) -> Duration {
    let asked = pod.metadata.deletion_grace_period_seconds;
    let usual = pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
    let seconds = asked.or(usual).and_then(|seconds| u64::try_from(seconds).ok());
    Duration::from_secs(seconds.unwrap_or(DEFAULT_GRACE))
}

/// Gives back what a pod held whose containers have all ended, and removes it from the API if it is
/// to be deleted.
pub(super) async fn finish(shared: &Arc<Shared>, entry: &Arc<PodEntry>, pod: &Pod) {
    // Runtimes that outlive this process remember how containers ended until they are removed: first
    // the API knows.
    let is_last_to_know = {
        let inner = entry.lock();
        let remembered = |record: &Record| record.linux || shared.config.outlives(record.linux);
        let remembers = inner.records.iter().any(remembered);
        remembers && !inner.gone && !inner.released && pod.metadata.deletion_timestamp.is_none()
    };
    if is_last_to_know && matches!(report::write(shared, entry).await, Written::Failed) {
        let now = Timestamp::now();
        shared.timers.at(&entry.key.uid, now + DELETE_RETRY, now).await;
        return;
    }
    if !release(shared, entry).await {
        let now = Timestamp::now();
        shared.timers.at(&entry.key.uid, now + DELETE_RETRY, now).await;
        return;
    }
    let gone = entry.lock().gone;
    if gone {
        shared.saved.forget(&entry.key.uid);
        remove_folder(shared.logs_folder(&entry.key)).await;
        shared.pods.write().remove(&entry.key.uid);
        shared.probe_figures.forget(&entry.key.uid);
        if entry.is_static {
            // The next pod of its name may begin.
            shared.static_pods.gone.notify_one();
        }
        info!(pod = %entry.key.name, namespace = %entry.key.namespace, "pod removed");
        return;
    }
    if pod.metadata.deletion_timestamp.is_none() {
        report::ask(shared, entry);
        return;
    }
    let deleted = match report::write(shared, entry).await {
        Written::Done => delete(shared, entry).await,
        Written::Failed => false,
    };
    if !deleted {
        let now = Timestamp::now();
        shared.timers.at(&entry.key.uid, now + DELETE_RETRY, now).await;
    }
}

/// The last DELETE; what the pod left is removed when the watch says that it is gone.
async fn delete(shared: &Shared, entry: &PodEntry) -> bool {
    let params = DeleteParams {
        grace_period_seconds: Some(0),
        preconditions: Some(Preconditions {
            uid: Some(entry.key.uid.clone()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    match shared.pod_api(&entry.key).delete(&entry.key.name, &params).await {
        Ok(_) => true,
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => true,
        Err(error) => {
            warn!(pod = %entry.key.name, %error, "pod could not be deleted");
            false
        }
    }
}

/// Gives back what a pod held; false if something is still held, so that it has to be tried again.
async fn release(shared: &Shared, entry: &PodEntry) -> bool {
    let (ids, objects, engine_used) = {
        let inner = entry.lock();
        if inner.released && inner.ip.is_none() && inner.objects.is_empty() {
            return true;
        }
        let key = &entry.key;
        let ended = inner.records.iter().filter(|record| record.exited().is_some());
        let ids: Vec<_> = ended
            .map(|record| (container_id(&key.uid, &record.name, record.attempt), record.linux))
            .collect();
        let engine_used = inner.engine_used || inner.records.iter().any(|record| record.linux);
        (ids, inner.objects.clone(), engine_used)
    };
    for (id, linux) in ids {
        if let Err(error) = shared.runtime(linux).remove(&id).await {
            warn!(container = %id, %error, "container could not be removed");
        }
    }
    for runtime in shared.runtimes.all() {
        match runtime.remove_pod(&entry.key.uid).await {
            Ok(()) => {}
            // An engine that is away has nothing of a pod that was never in it.
            Err(RuntimeError::Unavailable { .. }) if !engine_used => {}
            Err(error) => {
                // It may hold the ports of the pod's address, which is nobody else's until then.
                warn!(pod = %entry.key.name, %error, "sandbox could not be removed");
                return false;
            }
        }
    }
    // After the sandbox, which holds the ports of the address that the next pod may get.
    if let Some(network) = shared.network.get()
        && let Err(error) = network.teardown(&entry.key.uid).await
    {
        warn!(pod = %entry.key.name, %error, "network could not be torn down");
        return false;
    }
    entry.lock().objects.clear();
    shared.objects.release(&entry.key.uid, &objects);
    remove_pod_folder(shared.pod_folder(&entry.key.uid)).await;
    let mut inner = entry.lock();
    inner.released = true;
    inner.ip = None;
    if !entry.is_static {
        shared.saved.forget(&entry.key.uid);
    }
    true
}

/// Removes the folder of a pod, with what its volumes have in memory.
pub(crate) async fn remove_pod_folder(folder: PathBuf) {
    let (volumes, subpaths) = (folder.join("volumes"), folder.join(SUBPATHS));
    let given = tokio::task::spawn_blocking(move || {
        subpath::give_back(&subpaths)?;
        empty::give_back(&volumes)
    })
    .await;
    if let Ok(Err(error)) = given {
        // What is mounted there is not to be emptied.
        warn!(folder = %folder.display(), %error, "what is mounted for a pod could not be given back");
        return;
    }
    remove_folder(folder).await;
}

/// Removes a folder with all in it; one that is not there is fine.
pub(crate) async fn remove_folder(folder: PathBuf) {
    let path = folder.clone();
    let removed = tokio::task::spawn_blocking(move || tree::remove(&path)).await;
    if let Ok(Err(error)) = removed {
        warn!(folder = %folder.display(), %error, "folder could not be removed");
    }
}

/// Gives containers that have ended the message that their program left or, where the pod wants that
/// (`terminationMessagePolicy: FallbackToLogsOnError`), the end of their log.
pub(super) async fn complete_messages(shared: &Shared, entry: &PodEntry, pod: &Pod) {
    let Some(spec) = &pod.spec else { return };
    loop {
        let Some(ended) = next_ended(shared, entry, spec) else { return };
        let (index, attempt) = (ended.index, ended.attempt);
        let read = tokio::task::spawn_blocking(move || ended.message()).await.unwrap_or_default();
        let mut inner = entry.lock();
        let Some(record) = inner.records.get_mut(index) else { continue };
        if record.attempt != attempt {
            continue;
        }
        record.fresh_exit = false;
        if let Phase::Exited(end) = &mut record.phase {
            end.message = termination::joined(&end.message, &read).into();
        }
    }
}

/// A container that has ended and whose message was not read yet.
struct Ended {
    index: usize,
    attempt: u32,
    place: Place,
    /// The log that stands in for a message.
    log: Option<PathBuf>,
}

fn next_ended(shared: &Shared, entry: &PodEntry, spec: &PodSpec) -> Option<Ended> {
    let inner = entry.lock();
    let mut all = all_containers(spec).zip(&inner.records).enumerate();
    let (index, ((_, container), record)) = all.find(|(_, (_, record))| record.fresh_exit)?;
    let place = record.message_place.as_deref().cloned().unwrap_or_else(|| {
        let folder = shared.pod_folder(&entry.key.uid);
        Place::Own(termination::own_file(&folder, &record.name, record.attempt))
    });
    let from_log = container.termination_message_policy.as_deref() == Some("FallbackToLogsOnError");
    let failed = record.exited().is_some_and(|end| end.exit_code != 0);
    let log =
        (from_log && failed).then(|| shared.log_path(&entry.key, &record.name, record.attempt));
    Some(Ended { index, attempt: record.attempt, place, log })
}

impl Ended {
    /// What the program left, or its log did. Blocking.
    fn message(&self) -> String {
        let left = self.place.read().unwrap_or_else(|error| {
            warn!(place = ?self.place, %error, "termination message could not be read");
            String::new()
        });
        if !left.is_empty() {
            return left;
        }
        let Some(path) = &self.log else { return left };
        match logs::last_lines(path, termination::LOG_LINES, termination::LOG_BYTES) {
            Ok(lines) => lines,
            // A silent program has no log.
            Err(error) if error.kind() == io::ErrorKind::NotFound => left,
            Err(error) => format!("Error on reading termination message from logs: {error}"),
        }
    }
}
