//! How many pods to make, and which to delete first.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::watched::PodView;

/// The most pods that one look makes or deletes.
const BURST: usize = 500;

/// What brings the number of pods closer to what is wanted.
#[derive(Debug)]
pub(super) enum Step {
    Nothing,
    Create(usize),
    Delete(Vec<Arc<PodView>>),
}

/// Plans how the `active` pods become as many as are wanted.
///
/// `related` are the active pods of all sets of the same owner: of two pods alike, the one that
/// shares its node with more of them goes first.
pub(super) fn plan(
    wanted: usize,
    active: &[Arc<PodView>],
    related: &[Arc<PodView>],
    now: Timestamp,
) -> Step {
    match active.len().cmp(&wanted) {
        Ordering::Equal => Step::Nothing,
        Ordering::Less => Step::Create((wanted - active.len()).min(BURST)),
        Ordering::Greater => {
            let surplus = (active.len() - wanted).min(BURST);
            Step::Delete(first_to_go(active, related, surplus, now))
        }
    }
}

fn first_to_go(
    active: &[Arc<PodView>],
    related: &[Arc<PodView>],
    count: usize,
    now: Timestamp,
) -> Vec<Arc<PodView>> {
    let mut pods = active.to_vec();
    if count < pods.len() {
        let mut on_node: HashMap<&str, usize> = HashMap::new();
        for pod in related {
            *on_node.entry(pod.node.as_deref().unwrap_or_default()).or_default() += 1;
        }
        let neighbours = |pod: &PodView| {
            on_node.get(pod.node.as_deref().unwrap_or_default()).copied().unwrap_or(0)
        };
        pods.sort_by(|a, b| compare(a, b, (neighbours(a), neighbours(b)), now));
        pods.truncate(count);
    }
    pods
}

/// The order in which pods go: `Less` goes first.
///
/// Spec: <https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-a-replicaset>
fn compare(a: &PodView, b: &PodView, neighbours: (usize, usize), now: Timestamp) -> Ordering {
    a.node
        .is_some()
        .cmp(&b.node.is_some())
        .then(a.phase.cmp(&b.phase))
        .then(a.is_ready().cmp(&b.is_ready()))
        .then(a.deletion_cost.cmp(&b.deletion_cost))
        .then(neighbours.1.cmp(&neighbours.0))
        .then_with(|| younger_first(a.ready_since, b.ready_since, (a, b), now))
        .then(b.restarts.cmp(&a.restarts))
        .then_with(|| younger_first(a.created, b.created, (a, b), now))
        .then_with(|| a.name.cmp(&b.name))
}

/// Younger before older; ages of about the same size are alike, so that who goes is not always the
/// one that was started last.
fn younger_first(
    a: Option<Timestamp>,
    b: Option<Timestamp>,
    pods: (&PodView, &PodView),
    now: Timestamp,
) -> Ordering {
    let (a, b) = match (a, b) {
        (a, b) if a == b => return Ordering::Equal,
        (None, _) => return Ordering::Less,
        (_, None) => return Ordering::Greater,
        (Some(a), Some(b)) => (a, b),
    };
    magnitude(a, now).cmp(&magnitude(b, now)).then_with(|| pods.0.uid().cmp(pods.1.uid()))
}

/// The binary magnitude of an age; -1 for what is not in the past.
fn magnitude(since: Timestamp, now: Timestamp) -> i32 {
    let age = now.duration_since(since).as_nanos();
    u128::try_from(age).ok().and_then(u128::checked_ilog2).map_or(-1, u32::cast_signed)
}

/// What the set's status is to say.
pub(super) fn status(
    set: &ReplicaSet,
    pods: &[Arc<PodView>],
    failure: Option<(&str, String)>,
    now: Timestamp,
) -> ReplicaSetStatus {
    let spec = set.spec.clone().unwrap_or_default();
    let old = set.status.clone().unwrap_or_default();
    let min_ready = spec.min_ready_seconds.unwrap_or(0);
    let labels = spec.template.and_then(|template| template.metadata?.labels).unwrap_or_default();
    let is_labelled =
        |pod: &PodView| labels.iter().all(|(key, value)| pod.labels.get(key) == Some(value));
    let count = |wanted: &dyn Fn(&PodView) -> bool| {
        let pods = pods.iter().filter(|pod| pod.is_active() && wanted(pod));
        i32::try_from(pods.count()).unwrap_or(i32::MAX)
    };
    let shown = |count: i32| (count != 0).then_some(count);
    let terminating = pods.iter().filter(|pod| pod.is_terminating() && !pod.is_finished());
    let mut conditions = old.conditions.clone().unwrap_or_default();
    set_failure(&mut conditions, failure, now);
    ReplicaSetStatus {
        replicas: count(&|_| true),
        fully_labeled_replicas: shown(count(&is_labelled)),
        ready_replicas: shown(count(&PodView::is_ready)),
        available_replicas: shown(count(&|pod| pod.is_available(min_ready, now))),
        terminating_replicas: Some(i32::try_from(terminating.count()).unwrap_or(i32::MAX)),
        observed_generation: set.metadata.generation,
        conditions: (!conditions.is_empty()).then_some(conditions),
    }
}

const FAILURE: &str = "ReplicaFailure";

/// Whether the status says that a pod could not be made or deleted.
pub(super) fn has_failed(set: &ReplicaSet) -> bool {
    let conditions = set.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|one| one.type_ == FAILURE)
}

fn set_failure(
    conditions: &mut Vec<ReplicaSetCondition>,
    failure: Option<(&str, String)>,
    now: Timestamp,
) {
    let before = conditions.iter().position(|one| one.type_ == FAILURE);
    match (failure, before) {
        (None, Some(place)) => {
            conditions.remove(place);
        }
        (Some((reason, message)), None) => conditions.push(ReplicaSetCondition {
            type_: FAILURE.to_owned(),
            status: "True".to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message),
            last_transition_time: Some(Time(now)),
        }),
        (None, None) | (Some(_), Some(_)) => {}
    }
}

/// The seconds until the next ready pod counts as available; `None` if there is none to wait for.
pub(super) fn next_available(
    pods: &[Arc<PodView>],
    min_ready_seconds: i32,
    now: Timestamp,
) -> Option<u64> {
    let waiting = pods.iter().filter_map(|pod| pod.until_available(min_ready_seconds, now));
    waiting.filter(|seconds| *seconds > 0).min()
}

#[cfg(test)]
mod tests;
