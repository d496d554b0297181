//! How many pods of a budget may be disrupted now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::policy::v1::{
    PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::amount::share;
use crate::meta::{Owner, OwnerKind};
use crate::watched::PodView;

pub(super) const KIND: OwnerKind =
    OwnerKind { api_version: "policy/v1", kind: "PodDisruptionBudget" };

/// How long an eviction may take until the pod counts again, as in Kubernetes.
pub(super) const DELETION_TIMEOUT: SignedDuration = SignedDuration::from_mins(2);

/// Who manages a pod, and how many pods that wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    pub(super) uid: String,
    pub(super) replicas: i32,
}

/// How many pods there should be, as far as that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The budget asks for a number of pods, whoever manages them.
    ThoseThereAre,
    /// So many, by those who manage them; the named pods are managed by nobody.
    Scaled {
        /// The sum of all scales.
        expected: i32,
        unmanaged: Vec<String>,
    },
}

/// What is written, said, and looked at again.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) status: PodDisruptionBudgetStatus,
    /// Pods that were to be evicted and are still there.
    pub(super) not_deleted: Vec<Arc<PodView>>,
    /// Seconds until an eviction has taken too long.
    pub(super) again: Option<u64>,
}

/// Whether the budget's figure depends on how many pods their managers want.
pub(super) fn needs_scale(spec: &PodDisruptionBudgetSpec) -> bool {
    match (&spec.max_unavailable, &spec.min_available) {
        (Some(_), _) | (None, Some(IntOrString::String(_))) => true,
        (None, Some(IntOrString::Int(_)) | None) => false,
    }
}

/// Those who manage the pods, each once, and with one of its pods.
pub(super) fn managers(pods: &[Arc<PodView>]) -> Vec<(&Owner, &PodView)> {
    let mut seen = BTreeSet::new();
    let managed = pods.iter().filter_map(|pod| Some((pod.controller()?, &**pod)));
    managed.filter(|(owner, _)| seen.insert(owner.uid.as_str())).collect()
}

/// Adds up what the managers of all pods want; several may stand for the same scale.
pub(super) fn wanted(pods: &[Arc<PodView>], scales: impl IntoIterator<Item = Scale>) -> Wanted {
    let scales: BTreeMap<String, i32> =
        scales.into_iter().map(|scale| (scale.uid, scale.replicas)).collect();
    let unmanaged = pods.iter().filter(|pod| pod.controller().is_none());
    Wanted::Scaled {
        expected: scales.into_values().fold(0, i32::saturating_add),
        unmanaged: unmanaged.map(|pod| pod.name.to_string()).collect(),
    }
}

/// The healthy pods that the budget keeps, and the pods that it is counted by.
fn figures(spec: &PodDisruptionBudgetSpec, wanted: &Wanted, there: i32) -> (i32, i32) {
    let expected = match wanted {
        Wanted::ThoseThereAre => there,
        Wanted::Scaled { expected, .. } => *expected,
    };
    match (&spec.max_unavailable, &spec.min_available) {
        (Some(most), _) => ((expected - share(Some(most), expected, true)).max(0), expected),
        (None, Some(least)) => (share(Some(least), expected, true), expected),
        (None, None) => (0, 0),
    }
}

/// Plans a budget's status from the pods that it selects.
///
/// Spec: <https://kubernetes.io/docs/tasks/run-application/configure-pdb/>
pub(super) fn plan(
    budget: &PodDisruptionBudget,
    pods: &[Arc<PodView>],
    wanted: &Wanted,
    now: Timestamp,
) -> Plan {
    let old = budget.status.clone().unwrap_or_default();
    let spec = budget.spec.clone().unwrap_or_default();
    let disrupted = old.disrupted_pods.clone().unwrap_or_default();
    let (mut kept, mut not_deleted, mut again) = (BTreeMap::new(), Vec::new(), None);
    let mut healthy = 0;
    for pod in pods.iter().filter(|pod| !pod.is_terminating()) {
        let since = disrupted.get(&*pod.name);
        let left = since.map(|since| {
            let due = since.0.checked_add(DELETION_TIMEOUT).unwrap_or(Timestamp::MAX);
            due.duration_since(now)
        });
        match (since, left) {
            (Some(since), Some(left)) if left.is_positive() => {
                kept.insert(pod.name.to_string(), since.clone());
                // A little late, so that it is over then.
                let seconds = u64::try_from(left.as_secs()).unwrap_or(0) + 1;
                again = Some(again.map_or(seconds, |again: u64| again.min(seconds)));
            }
            (Some(_), _) => {
                not_deleted.push(Arc::clone(pod));
                healthy += i32::from(pod.is_ready());
            }
            (None, _) => healthy += i32::from(pod.is_ready()),
        }
    }
    let there = i32::try_from(pods.len()).unwrap_or(i32::MAX);
    let (desired, expected) = figures(&spec, wanted, there);
    // Without expected pods nothing is known yet of those that come first.
    let allowed = if expected > 0 { (healthy - desired).max(0) } else { 0 };
    let verdict =
        if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
    let generation = budget.metadata.generation;
    let conditions = conditions(&old, verdict, "", generation, now);
    let status = PodDisruptionBudgetStatus {
        conditions: Some(conditions),
        current_healthy: Some(healthy),
        desired_healthy: Some(desired),
        disrupted_pods: Some(kept).filter(|kept| !kept.is_empty()),
        disruptions_allowed: Some(allowed),
        expected_pods: Some(expected),
        observed_generation: generation,
    };
    Plan { status, not_deleted, again }
}

/// The status of a budget that cannot be worked out: nothing may be disrupted.
pub(super) fn failed(
    budget: &PodDisruptionBudget,
    message: &str,
    now: Timestamp,
) -> PodDisruptionBudgetStatus {
    let old = budget.status.clone().unwrap_or_default();
    let generation = budget.metadata.generation;
    let conditions = conditions(&old, ("False", "SyncFailed"), message, generation, now);
    PodDisruptionBudgetStatus {
        conditions: Some(conditions),
        disruptions_allowed: Some(0),
        observed_generation: generation,
        ..old
    }
}

fn conditions(
    old: &PodDisruptionBudgetStatus,
    (status, reason): (&str, &str),
    message: &str,
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let mut all = old.conditions.clone().unwrap_or_default();
    let before = all.iter().position(|one| one.type_ == "DisruptionAllowed");
    let since = before.filter(|place| all[*place].status == status);
    let since = since.map_or(Time(now), |place| all[place].last_transition_time.clone());
    let condition = Condition {
        type_: "DisruptionAllowed".to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        last_transition_time: since,
        observed_generation: generation,
    };
    match before {
        Some(place) => all[place] = condition,
        None => all.push(condition),
    }
    all
}

#[cfg(test)]
mod tests;
