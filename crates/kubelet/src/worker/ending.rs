//! How containers and pods end.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use kube::api::{DeleteParams, Preconditions};
use tracing::{info, warn};
use wk_client::EventType;
use wk_runtime::{ContainerExit, ContainerId, ExitReason};

use super::stop_message;
use crate::logs;
use crate::plan::StopReason;
use crate::report::{self, Written};
use crate::shared::Shared;
use crate::state::{Phase, PodEntry, all_containers};
use crate::termination::{self, Place};

const DEFAULT_GRACE: u64 = 30;
/// How long the end of a stopped container may take to be reported.
const EXIT_EVENT: Duration = Duration::from_secs(2);
const DELETE_RETRY: Duration = Duration::from_secs(2);

/// Ends containers, all at once, and returns when their ends are known.
///
/// It returns early when the pod is given less time than before; the next plan then stops them
/// again with that.
pub(super) async fn stop(
    shared: &Arc<Shared>,
    entry: &Arc<PodEntry>,
    pod: &Pod,
    stops: &[(usize, StopReason)],
) {
    let grace = grace(pod);
    let mut targets: Vec<(ContainerId, bool)> = Vec::new();
    {
        let inner = entry.lock();
        for (index, reason) in stops {
            let Some(record) = inner.records.get(*index) else { continue };
            let Some(id) = record.running_id() else { continue };
            targets.push((id.clone(), record.linux));
            let message = stop_message(*reason, &record.name, record.unhealthy.as_deref());
            let container = Some((&*record.name, false));
            shared.event(&entry.key, container, EventType::Normal, "Killing", message);
        }
    }
    let stopping = join_all(targets.iter().map(|(id, linux)| async move {
        let stopped = shared.runtime(*linux).stop(id, grace).await;
        if let Err(error) = &stopped {
            warn!(container = %id, %error, "container could not be stopped");
        }
        stopped.is_ok()
    }));
    tokio::pin!(stopping);
    let stopped = loop {
        tokio::select! {
            biased;
            stopped = &mut stopping => break stopped,
            () = entry.interrupt.notified() => {
                if self::grace(&entry.pod()) < grace {
                    return;
                }
            }
        }
    };
    for ((id, _), stopped) in targets.iter().zip(stopped) {
        if stopped {
            exit_known(shared, entry, id).await;
        } else {
            // Asked again after a while; the engine may have come back by then.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
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
    release(shared, entry).await;
    let gone = entry.lock().gone;
    if gone {
        remove_folder(shared.logs_folder(&entry.key)).await;
        shared.pods.write().remove(&entry.key.uid);
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

async fn release(shared: &Shared, entry: &PodEntry) {
    let (ids, objects) = {
        let mut inner = entry.lock();
        if inner.released && inner.ip.is_none() && inner.objects.is_empty() {
            return;
        }
        let key = &entry.key;
        let ids: Vec<_> = inner
            .records
            .iter()
            .filter(|record| record.exited().is_some())
            .map(|record| {
                (crate::state::container_id(&key.uid, &record.name, record.attempt), record.linux)
            })
            .collect();
        (ids, std::mem::take(&mut inner.objects))
    };
    for (id, linux) in ids {
        if let Err(error) = shared.runtime(linux).remove(&id).await {
            warn!(container = %id, %error, "container could not be removed");
        }
    }
    if let Some(network) = shared.network.get()
        && let Err(error) = network.teardown(&entry.key.uid).await
    {
        warn!(pod = %entry.key.name, %error, "network could not be torn down");
    }
    shared.objects.release(&entry.key.uid, &objects);
    remove_folder(shared.pod_folder(&entry.key.uid)).await;
    let mut inner = entry.lock();
    inner.released = true;
    inner.ip = None;
}

/// Removes a folder with all in it; one that is not there is fine.
pub(crate) async fn remove_folder(folder: PathBuf) {
    match tokio::fs::remove_dir_all(&folder).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            warn!(folder = %folder.display(), %error, "folder could not be removed");
        }
        _ => {}
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
