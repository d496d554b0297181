//! Carries out what [`plan`](crate::plan) decides for one pod, as long as there is something to do.

pub(crate) mod ending;
mod hooks;
mod starting;

pub(crate) use self::starting::{forget_run, sandbox_request};

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use tracing::{debug, warn};
use wk_client::EventType;

use crate::plan::{Role, Step, plan};
use crate::report;
use crate::shared::Shared;
use crate::state::{Failure, Hold, PodEntry, WaitReason, find_container};

/// How long it takes until a sandbox that could not be removed is tried again.
const RENEW_RETRY: Duration = Duration::from_secs(2);

/// Works on a pod until nothing is left but to wait.
pub(crate) async fn run(shared: Arc<Shared>, entry: Arc<PodEntry>) {
    let token = shared.tasks.token();
    loop {
        if token.run_until_cancelled(Box::pin(pass(&shared, &entry))).await.is_none() {
            return;
        }
        let mut inner = entry.lock();
        if !inner.worker.done() {
            inner.slim();
            return;
        }
    }
}

async fn pass(shared: &Arc<Shared>, entry: &Arc<PodEntry>) {
    while !shared.frozen.load(Ordering::Acquire) {
        let pod = entry.pod();
        ending::complete_messages(shared, entry, &pod).await;
        starting::refresh_volumes(shared, entry, &pod).await;
        let now = Timestamp::now();
        let steps = {
            let inner = entry.lock();
            if inner.records.iter().any(|record| record.fresh_exit) {
                continue;
            }
            plan(&inner.view(&pod), now)
        };
        debug!(pod = %entry.key.name, ?steps, "planned");
        let mut again = false;
        let mut stops = Vec::new();
        for step in steps {
            match step {
                Step::Start { index } => {
                    starting::start(shared, entry, &pod, index).await;
                    again = true;
                }
                Step::Stop { index, reason } => stops.push((index, reason)),
                Step::Hold { index, until, delay } => {
                    hold_crashing(shared, entry, index, until, delay);
                    again = true;
                }
                Step::RenewSandbox => {
                    if !renew_sandbox(shared, entry).await {
                        return;
                    }
                    again = true;
                }
                Step::FailByDeadline => {
                    fail_by_deadline(shared, entry, &pod);
                    again = true;
                }
                Step::WakeAt(time) => shared.timers.at(&entry.key.uid, time, now).await,
                Step::Finish => {
                    ending::finish(shared, entry, &pod).await;
                    return;
                }
            }
        }
        if !stops.is_empty() {
            // What has ended already is told while others take their time.
            report::ask(shared, entry);
            ending::stop(shared, entry, &pod, &stops).await;
            again = true;
        }
        report::ask(shared, entry);
        if !again {
            wait_for_tokens(shared, entry).await;
            return;
        }
    }
}

/// Has the pod looked at when its tokens are due, as long as something runs that reads them.
async fn wait_for_tokens(shared: &Shared, entry: &PodEntry) {
    let due = {
        let inner = entry.lock();
        let runs = inner.records.iter().any(|record| record.running_id().is_some());
        inner.tokens_due.filter(|_| runs)
    };
    let now = Timestamp::now();
    if let Some(due) = due.filter(|due| *due > now) {
        shared.timers.at(&entry.key.uid, due, now).await;
    }
}

/// Has the sandbox of a pod removed whose containers have all ended, so that they begin again in
/// another; false if that has to be tried again.
async fn renew_sandbox(shared: &Arc<Shared>, entry: &Arc<PodEntry>) -> bool {
    let uid = &entry.key.uid;
    if let Some(linux) = &shared.runtimes.linux
        && let Err(error) = linux.remove_pod(uid).await
    {
        warn!(pod = %entry.key.name, %error, "lost sandbox could not be removed");
        let now = Timestamp::now();
        shared.timers.at(uid, now + RENEW_RETRY, now).await;
        return false;
    }
    let mut inner = entry.lock();
    inner.sandbox_lost = false;
    inner.ending_since = None;
    for record in &mut inner.records {
        record.hold = None;
        record.outdated = record.exited().is_some();
    }
    true
}

fn hold_crashing(
    shared: &Shared,
    entry: &PodEntry,
    index: usize,
    until: Timestamp,
    delay: Duration,
) {
    let key = &entry.key;
    let pod_name = format!("{}_{}({})", key.name, key.namespace, key.uid);
    let name = {
        let mut inner = entry.lock();
        let Some(record) = inner.records.get_mut(index) else { return };
        let text = format!(
            "back-off {} restarting failed container={} pod={pod_name}",
            go_duration(delay),
            record.name
        );
        record.hold = Some(Box::new(Hold {
            reason: WaitReason::CrashLoopBackOff,
            message: text.into(),
            until,
            on_objects: false,
        }));
        record.name.clone()
    };
    let role = find_container(&entry.pod(), &name).map_or(Role::Main, |(role, _)| role);
    let message = format!("Back-off restarting failed container {name} in pod {pod_name}");
    shared.event(key, Some((&name, role)), EventType::Warning, "BackOff", message);
}

fn fail_by_deadline(shared: &Shared, entry: &PodEntry, pod: &Pod) {
    let limit = pod.spec.as_ref().and_then(|spec| spec.active_deadline_seconds);
    let message = "Pod was active on the node longer than the specified deadline";
    debug!(pod = %entry.key.name, ?limit, "deadline exceeded");
    entry.lock().failure = Some(Failure {
        reason: "DeadlineExceeded".into(),
        message: message.into(),
        grace: None,
        disrupted: false,
    });
    shared.event(&entry.key, None, EventType::Normal, "DeadlineExceeded", message);
}

/// A duration as Kubernetes writes it: `12ms`, `1.5s`, `2m30s`.
pub(crate) fn go_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis < 1000 {
        return format!("{millis}ms");
    }
    let (minutes, rest) = (millis / 60_000, millis % 60_000);
    let fraction = format!("{:03}", rest % 1000);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    let seconds = format!("{}{point}{fraction}s", rest / 1000);
    match (minutes / 60, minutes % 60) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_kubernetes_does() {
        for (millis, text) in [
            (0, "0ms"),
            (12, "12ms"),
            (1500, "1.5s"),
            (10_000, "10s"),
            (160_000, "2m40s"),
            (300_000, "5m0s"),
            (3_600_000, "1h0m0s"),
        ] {
            assert_eq!(go_duration(Duration::from_millis(millis)), text);
        }
    }
}
