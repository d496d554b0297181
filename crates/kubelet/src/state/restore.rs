//! Containers as this process finds them: from what the API says, and from what still runs.

use std::borrow::Cow;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, PodSpec};
use wk_runtime::ContainerId;

use super::{Phase, Record, Termination, all_containers, container_id};
use crate::plan::Role;

/// The records for a pod that this process sees for the first time.
///
/// What the API says of its containers is taken over; of those that it thinks are running, only the
/// ones that `alive` knows still are. `attempts` tells how many runs of a container left a log.
pub(crate) fn restored(
    pod: &Pod,
    alive: impl Fn(&ContainerId) -> bool,
    attempts: impl Fn(&str) -> u32,
    now: Timestamp,
) -> Vec<Record> {
    let default_spec = PodSpec::default();
    let spec = pod.spec.as_ref().unwrap_or(&default_spec);
    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    let status = pod.status.as_ref();
    let reported = |name: &str| -> Option<&ContainerStatus> {
        let status = status?;
        let init = status.init_container_statuses.iter().flatten();
        let all = init.chain(status.container_statuses.iter().flatten());
        let mut all = all.chain(status.ephemeral_container_statuses.iter().flatten());
        all.find(|status| status.name == name)
    };
    let record = |(_, container): (Role, Cow<'_, Container>)| {
        let mut record = Record::new(&container.name);
        if let Some(status) = reported(&container.name) {
            take_over(&mut record, status, uid, &alive, now);
        }
        // Runs that were never reported have left their logs.
        let logged = attempts(&container.name);
        match &record.phase {
            Phase::NotStarted => record.attempt = record.attempt.max(logged),
            Phase::Exited(_) => record.attempt = record.attempt.max(logged.saturating_sub(1)),
            Phase::Running { .. } => {}
        }
        record
    };
    all_containers(spec).map(record).collect()
}

fn take_over(
    record: &mut Record,
    status: &ContainerStatus,
    uid: &str,
    alive: &impl Fn(&ContainerId) -> bool,
    now: Timestamp,
) {
    record.attempt = u32::try_from(status.restart_count).unwrap_or_default();
    record.image_id = status.image_id.as_str().into();
    let terminated = |state: &Option<k8s_openapi::api::core::v1::ContainerState>| {
        let end = state.as_ref()?.terminated.as_ref()?;
        Some(Box::new(Termination {
            container_id: end.container_id.as_deref().unwrap_or_default().into(),
            exit_code: end.exit_code,
            reason: end.reason.as_deref().unwrap_or_default().into(),
            message: end.message.as_deref().unwrap_or_default().into(),
            started_at: end.started_at.as_ref().map(|time| time.0),
            finished_at: end.finished_at.as_ref().map_or(now, |time| time.0),
        }))
    };
    record.last = terminated(&status.last_state);
    let running = status.state.as_ref().and_then(|state| state.running.as_ref());
    if let Some(running) = running {
        let since = running.started_at.as_ref().map_or(now, |time| time.0);
        let id = container_id(uid, &record.name, record.attempt);
        if alive(&id) {
            record.started = status.started.unwrap_or(true);
            record.ready = status.ready;
            record.phase = Phase::Running { id, since };
        } else {
            record.phase = Phase::Exited(Box::new(Termination {
                container_id: status.container_id.as_deref().unwrap_or_default().into(),
                exit_code: 255,
                reason: "Unknown".into(),
                message: "the node was restarted".into(),
                started_at: Some(since),
                finished_at: now,
            }));
        }
    } else if let Some(end) = terminated(&status.state) {
        record.phase = Phase::Exited(end);
    } else if let Some(last) = record.last.take() {
        // It waited for its next run.
        record.phase = Phase::Exited(last);
    }
}
