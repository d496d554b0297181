//! Writes pods' statuses, many at a time and never in the way of a pod that starts.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use tracing::{debug, warn};
use wk_client::Backoff;

use crate::shared::Shared;
use crate::state::{Change, PodEntry};
use crate::static_pods::mirror;
use crate::status::{self, Surroundings};
use crate::worker::forget_run;

const RETRY: Backoff = Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(30) };

/// What became of one attempt to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// The API has the status, or the pod is not there any more.
    Done,
    /// It has to be tried again.
    Failed,
}

/// Has the pod's status written soon; asking often costs little.
pub(crate) fn ask(shared: &Arc<Shared>, entry: &Arc<PodEntry>) {
    if shared.frozen.load(Ordering::Acquire) || !entry.lock().writer.ask() {
        return;
    }
    let (shared, entry) = (Arc::clone(shared), Arc::clone(entry));
    shared.tasks.clone().spawn_quiet("pod status", async move {
        let token = shared.tasks.token();
        // What could not be written by then is found out anew after the next start.
        let _ended = token.run_until_cancelled(write_all(&shared, &entry)).await;
    });
}

async fn write_all(shared: &Arc<Shared>, entry: &Arc<PodEntry>) {
    let mut failures = 0;
    loop {
        let written = {
            let Ok(_permit) = shared.writes.acquire().await else { return };
            write(shared, entry).await
        };
        if written == Written::Failed {
            failures += 1;
            let jitter = f64::from(Timestamp::now().subsec_nanosecond().unsigned_abs()) / 1e9;
            tokio::time::sleep(RETRY.delay(failures, jitter)).await;
            continue;
        }
        failures = 0;
        let mut inner = entry.lock();
        if !inner.writer.done() {
            inner.slim();
            return;
        }
    }
}

/// Writes the pod's status now, if it differs from what the API has. What runtimes remember only
/// until the API knows it is let go of then.
pub(crate) async fn write(shared: &Arc<Shared>, entry: &Arc<PodEntry>) -> Written {
    // Those that are known before the status is made are in it.
    let stale = entry.lock().stale_runs();
    let written = write_status(shared, entry).await;
    if written == Written::Failed || stale.is_empty() {
        return written;
    }
    for (container, old, linux) in stale {
        {
            let mut inner = entry.lock();
            // Its end is not told while the last word of the run after it is being read.
            if inner.records.iter().any(|record| record.fresh_exit) {
                break;
            }
            let Some(record) = inner.record(&container) else { continue };
            if record.stale != Some(old) {
                continue;
            }
            record.stale = None;
        }
        forget_run(shared, &entry.key, (&container, old), linux).await;
    }
    written
}

async fn write_status(shared: &Arc<Shared>, entry: &Arc<PodEntry>) -> Written {
    if entry.is_static {
        return mirror::report(shared, entry).await;
    }
    let patch = {
        let mut inner = entry.lock();
        // While the last word of a container is being read, its end is not told: the worker asks
        // again when it is there.
        if inner.gone || inner.records.iter().any(|record| record.fresh_exit) {
            return Written::Done;
        }
        let pod = inner.pod();
        let desired = status::desired(&pod, &inner, surroundings(shared));
        status::patch(&pod, &desired)
    };
    let Some(patch) = patch else { return Written::Done };
    let api = shared.pod_api(&entry.key);
    let params = PatchParams::default();
    match api.patch_status(&entry.key.name, &params, &Patch::Strategic(patch)).await {
        Ok(pod) => {
            // The answer may tell of a change before the watch does, which is then silent about it.
            match entry.observe(pod) {
                Change::Nothing | Change::Readiness => {}
                Change::Spec => shared.wake(entry),
                Change::Deletion => {
                    entry.interrupt.notify_one();
                    shared.wake(entry);
                }
            }
            save(shared, entry);
            Written::Done
        }
        // Deleted, or replaced by another pod of the same name: the watch tells.
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => {
            debug!(pod = %entry.key.name, code = status.code, "status not written, pod is gone");
            Written::Done
        }
        Err(error) => {
            warn!(pod = %entry.key.name, %error, "status could not be written");
            Written::Failed
        }
    }
}

/// What a status says beside the pod.
pub(crate) fn surroundings(shared: &Shared) -> Surroundings {
    Surroundings {
        node_ip: shared.config.node_ip,
        now: Timestamp::now(),
        wasm_scheme: shared.scheme(false),
        linux_scheme: shared.scheme(true),
    }
}

/// Keeps what the API has of a pod that has not ended, for a start without it; of a pod of a file,
/// how it is.
pub(crate) fn save(shared: &Shared, entry: &PodEntry) {
    let mut inner = entry.lock();
    // Under the lock, so that what is given back now is not saved afterwards.
    if inner.gone {
        return;
    }
    let uid = &entry.key.uid;
    if entry.is_static {
        shared.saved.put_static_pod(uid, &inner.pod());
    } else if !inner.released {
        shared.saved.put_pod(uid, &inner.pod());
    }
}
