//! How far a rollout is: the Deployment's status.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentCondition, DeploymentSpec, DeploymentStatus, ReplicaSet,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::sets::{Slack, actual, available, name, replicas};

pub(super) const AVAILABLE: &str = "Available";
pub(super) const PROGRESSING: &str = "Progressing";
const FAILURE: &str = "ReplicaFailure";

pub(super) const NEW_SET_AVAILABLE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";

pub(super) fn condition(
    kind: &str,
    status: &str,
    reason: &str,
    message: String,
    now: Timestamp,
) -> DeploymentCondition {
    DeploymentCondition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message),
        last_update_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    }
}

pub(super) fn find<'a>(
    status: &'a DeploymentStatus,
    kind: &str,
) -> Option<&'a DeploymentCondition> {
    status.conditions.iter().flatten().find(|one| one.type_ == kind)
}

/// Sets a condition, unless it is there with the same status and reason already.
pub(super) fn set(status: &mut DeploymentStatus, mut new: DeploymentCondition) {
    if let Some(before) = find(status, &new.type_) {
        if before.status == new.status && before.reason == new.reason {
            return;
        }
        if before.status == new.status {
            new.last_transition_time.clone_from(&before.last_transition_time);
        }
    }
    remove(status, &new.type_);
    status.conditions.get_or_insert_default().push(new);
}

fn remove(status: &mut DeploymentStatus, kind: &str) {
    if let Some(conditions) = &mut status.conditions {
        conditions.retain(|one| one.type_ != kind);
    }
}

/// The deadline of a rollout in seconds; `None` if it has none.
pub(super) fn deadline(spec: &DeploymentSpec) -> Option<i32> {
    spec.progress_deadline_seconds.filter(|seconds| *seconds != i32::MAX)
}

/// Notes that the Deployment was paused or goes on: time that it is paused is no lack of progress.
pub(super) fn note_pause(spec: &DeploymentSpec, status: &mut DeploymentStatus, now: Timestamp) {
    if deadline(spec).is_none() {
        return;
    }
    let reason = find(status, PROGRESSING).and_then(|one| one.reason.as_deref());
    if reason == Some(TIMED_OUT) {
        // That it was late is worth more to know.
        return;
    }
    let (was_paused, is_paused) = (reason == Some(PAUSED), spec.paused == Some(true));
    if is_paused && !was_paused {
        let text = "Deployment is paused".to_owned();
        set(status, condition(PROGRESSING, "Unknown", PAUSED, text, now));
    } else if !is_paused && was_paused {
        let text = "Deployment is resumed".to_owned();
        set(status, condition(PROGRESSING, "Unknown", "DeploymentResumed", text, now));
    }
}

/// Counts the replicas.
pub(super) fn counted(
    deployment: &Deployment,
    status: &DeploymentStatus,
    sets: &[&ReplicaSet],
    new: Option<&ReplicaSet>,
    now: Timestamp,
) -> DeploymentStatus {
    let spec = deployment.spec.clone().unwrap_or_default();
    let sum = |count: &dyn Fn(&ReplicaSet) -> i32| sets.iter().map(|set| count(set)).sum::<i32>();
    let shown = |count: i32| (count != 0).then_some(count);
    let available = sum(&available);
    let ready = |set: &ReplicaSet| {
        set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0)
    };
    let terminating = |set: &ReplicaSet| {
        set.status.as_ref().and_then(|status| status.terminating_replicas).unwrap_or(0)
    };
    let mut counted = DeploymentStatus {
        observed_generation: deployment.metadata.generation,
        replicas: shown(sum(&actual)),
        updated_replicas: shown(new.map_or(0, actual)),
        ready_replicas: shown(sum(&ready)),
        available_replicas: shown(available),
        unavailable_replicas: shown((sum(&replicas) - available).max(0)),
        terminating_replicas: Some(sum(&terminating)),
        collision_count: status.collision_count,
        conditions: status.conditions.clone(),
    };
    let wanted = spec.replicas.unwrap_or(1);
    let new = if available >= wanted - Slack::of(&spec).unavailable {
        let text = "Deployment has minimum availability.".to_owned();
        condition(AVAILABLE, "True", "MinimumReplicasAvailable", text, now)
    } else {
        let text = "Deployment does not have minimum availability.".to_owned();
        condition(AVAILABLE, "False", "MinimumReplicasUnavailable", text, now)
    };
    set(&mut counted, new);
    counted
}

/// Whether all wanted replicas are updated and available, and no others are left.
pub(super) fn is_complete(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let is_wanted = |count: Option<i32>| count.unwrap_or(0) == wanted;
    is_wanted(status.updated_replicas)
        && is_wanted(status.replicas)
        && is_wanted(status.available_replicas)
        && status.observed_generation >= deployment.metadata.generation
}

fn has_progressed(old: &DeploymentStatus, new: &DeploymentStatus) -> bool {
    let count = |count: Option<i32>| count.unwrap_or(0);
    let outdated = |one: &DeploymentStatus| count(one.replicas) - count(one.updated_replicas);
    count(new.updated_replicas) > count(old.updated_replicas)
        || outdated(new) < outdated(old)
        || count(new.ready_replicas) > count(old.ready_replicas)
        || count(new.available_replicas) > count(old.available_replicas)
}

/// The status of a rollout, with its conditions.
///
/// Spec: <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status>
pub(super) fn rollout(
    deployment: &Deployment,
    old: &DeploymentStatus,
    sets: &[&ReplicaSet],
    new_set: Option<&ReplicaSet>,
    now: Timestamp,
) -> DeploymentStatus {
    let spec = deployment.spec.clone().unwrap_or_default();
    let mut status = counted(deployment, old, sets, new_set, now);
    let deadline = deadline(&spec);
    if deadline.is_none() {
        remove(&mut status, PROGRESSING);
    }
    let current = find(old, PROGRESSING).cloned();
    let is_done = status.replicas == status.updated_replicas
        && current.as_ref().and_then(|one| one.reason.as_deref()) == Some(NEW_SET_AVAILABLE);
    if let Some(deadline) = deadline.filter(|_| !is_done) {
        let who = new_set.map_or_else(
            || {
                format!(
                    "Deployment \"{}\"",
                    deployment.metadata.name.as_deref().unwrap_or_default()
                )
            },
            |set| format!("ReplicaSet \"{}\"", name(set)),
        );
        if is_complete(deployment, &status) {
            let text = format!("{who} has successfully progressed.");
            set(&mut status, condition(PROGRESSING, "True", NEW_SET_AVAILABLE, text, now));
        } else if has_progressed(deployment.status.as_ref().unwrap_or(old), &status) {
            let text = format!("{who} is progressing.");
            let mut new = condition(PROGRESSING, "True", "ReplicaSetUpdated", text, now);
            if let Some(current) = current.filter(|one| one.status == "True") {
                new.last_transition_time = current.last_transition_time;
            }
            // Set anew also if it is the same: its time of update is when it last moved.
            remove(&mut status, PROGRESSING);
            set(&mut status, new);
        } else if is_late(&status, deadline, now) {
            let text = format!("{who} has timed out progressing.");
            set(&mut status, condition(PROGRESSING, "False", TIMED_OUT, text, now));
        }
    }
    match failure(sets, new_set) {
        Some(one) => set(&mut status, one),
        None => remove(&mut status, FAILURE),
    }
    status
}

fn is_late(status: &DeploymentStatus, deadline: i32, now: Timestamp) -> bool {
    let Some(current) = find(status, PROGRESSING) else { return false };
    match current.reason.as_deref() {
        Some(NEW_SET_AVAILABLE) => false,
        Some(TIMED_OUT) => true,
        Some(_) | None => left(current, deadline, now).is_some_and(|left| left < 0),
    }
}

/// The seconds until the deadline.
fn left(current: &DeploymentCondition, deadline: i32, now: Timestamp) -> Option<i64> {
    let since = current.last_update_time.as_ref()?.0.as_second();
    Some(since + i64::from(deadline) - now.as_second())
}

/// When to look whether the rollout is late; `None` if there is no need.
pub(super) fn until_late(
    deployment: &Deployment,
    status: &DeploymentStatus,
    now: Timestamp,
) -> Option<u64> {
    let spec = deployment.spec.as_ref()?;
    let deadline = deadline(spec)?;
    let current = find(status, PROGRESSING)?;
    let is_over = matches!(current.reason.as_deref(), Some(NEW_SET_AVAILABLE | TIMED_OUT | PAUSED));
    if is_over || is_complete(deployment, status) {
        return None;
    }
    // A second more, for the times have whole ones.
    Some(u64::try_from(left(current, deadline, now)?.max(0)).unwrap_or(0) + 1)
}

/// That pods cannot be made or deleted, as the new set says, or else any.
fn failure(sets: &[&ReplicaSet], new: Option<&ReplicaSet>) -> Option<DeploymentCondition> {
    let of = |set: &ReplicaSet| {
        let conditions = set.status.as_ref()?.conditions.as_ref()?;
        let one = conditions.iter().find(|one| one.type_ == FAILURE)?;
        Some(DeploymentCondition {
            type_: one.type_.clone(),
            status: one.status.clone(),
            reason: one.reason.clone(),
            message: one.message.clone(),
            last_update_time: one.last_transition_time.clone(),
            last_transition_time: one.last_transition_time.clone(),
        })
    };
    new.and_then(of).or_else(|| sets.iter().find_map(|set| of(set)))
}
