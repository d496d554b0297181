//! How containers and pods end.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
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

const DEFAULT_GRACE: u64 = 30;
/// How long the end of a stopped container may take to be reported.
const EXIT_EVENT: Duration = Duration::from_secs(2);
const DELETE_RETRY: Duration = Duration::from_secs(2);
/// How much of a log becomes the message of a container that left none.
const MESSAGE_LINES: usize = 80;
const MESSAGE_BYTES: usize = 2048;

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

fn grace(pod: &Pod) -> Duration {
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
pub(crate) async fn remove_folder(folder: std::path::PathBuf) {
    match tokio::fs::remove_dir_all(&folder).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            warn!(folder = %folder.display(), %error, "folder could not be removed");
        }
        _ => {}
    }
}

/// Gives containers that failed without a message the end of their log as one, where the pod wants
/// that (`terminationMessagePolicy: FallbackToLogsOnError`).
pub(super) async fn complete_messages(shared: &Shared, entry: &PodEntry, pod: &Pod) {
    let Some(spec) = &pod.spec else { return };
    let mut wanted = Vec::new();
    {
        let mut inner = entry.lock();
        for (index, (_, container)) in all_containers(spec).enumerate() {
            let Some(record) = inner.records.get_mut(index) else { continue };
            if !std::mem::take(&mut record.fresh_exit) {
                continue;
            }
            let from_log =
                container.termination_message_policy.as_deref() == Some("FallbackToLogsOnError");
            let silent =
                record.exited().is_some_and(|end| end.exit_code != 0 && end.message.is_empty());
            if from_log && silent {
                wanted.push((index, shared.log_path(&entry.key, &record.name, record.attempt)));
            }
        }
    }
    for (index, path) in wanted {
        let text = tokio::task::spawn_blocking(move || {
            logs::last_lines(&path, MESSAGE_LINES, MESSAGE_BYTES)
        });
        let Ok(Ok(text)) = text.await else { continue };
        let mut inner = entry.lock();
        if let Some(record) = inner.records.get_mut(index)
            && let Phase::Exited(end) = &mut record.phase
        {
            end.message = text.into();
        }
    }
}
