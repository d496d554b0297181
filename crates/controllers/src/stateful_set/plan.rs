//! Which pods a `StatefulSet` makes and ends next.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetStatus};
use wk_api::well_known::CONTROLLER_REVISION_HASH_LABEL;

use crate::amount::share;
use crate::meta::OwnerKind;
use crate::watched::{Phase, PodView};

pub(super) const KIND: OwnerKind = OwnerKind { api_version: "apps/v1", kind: "StatefulSet" };

/// A pod to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NewPod {
    pub(super) ordinal: i32,
    /// The name of the revision whose template it is made from.
    pub(super) revision: String,
}

/// What a `StatefulSet` does next.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) create: Vec<NewPod>,
    /// Pods to end: those that are to be made anew, then those that are no longer wanted.
    pub(super) delete: Vec<Arc<PodView>>,
    pub(super) status: StatefulSetStatus,
    pub(super) again: Option<u64>,
}

/// The ordinal of a pod of the set `name`; `None` if it is not named like one.
pub(super) fn ordinal(name: &str, pod: &str) -> Option<i32> {
    let text = pod.strip_prefix(name)?.strip_prefix('-')?;
    let number: i32 = text.parse().ok()?;
    // `+1` and `01` are numbers, too.
    (number.to_string() == text).then_some(number)
}

/// Whether the set wants a pod of this ordinal.
pub(super) fn is_wanted(set: &StatefulSet, ordinal: i32) -> bool {
    let Some(spec) = &set.spec else { return false };
    let first = spec.ordinals.as_ref().and_then(|ordinals| ordinals.start).unwrap_or(0);
    ordinal >= first && ordinal - first < spec.replicas.unwrap_or(1)
}

/// A set under work.
struct Work<'a> {
    spec: &'a StatefulSetSpec,
    first: i32,
    wanted: i32,
    is_ordered: bool,
    now: Timestamp,
}

/// Plans what `set` does about its pods; `update` is the revision of its template.
///
/// Spec: <https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/>
pub(super) fn plan(set: &StatefulSet, pods: &[Arc<PodView>], update: &str, now: Timestamp) -> Plan {
    let default = StatefulSetSpec::default();
    let spec = set.spec.as_ref().unwrap_or(&default);
    let work = Work {
        spec,
        first: spec.ordinals.as_ref().and_then(|ordinals| ordinals.start).unwrap_or(0),
        wanted: spec.replicas.unwrap_or(1),
        is_ordered: spec.pod_management_policy.as_deref() != Some("Parallel"),
        now,
    };
    let old = set.status.clone().unwrap_or_default();
    let current = old.current_revision.clone().filter(|text| !text.is_empty());
    let current = current.unwrap_or_else(|| update.to_owned());
    let name = set.metadata.name.as_deref().unwrap_or_default();
    let mut numbered: Vec<(i32, &Arc<PodView>)> =
        pods.iter().filter_map(|pod| Some((ordinal(name, &pod.name)?, pod))).collect();
    numbered.sort_by_key(|(ordinal, _)| *ordinal);
    let (kept, surplus): (Vec<_>, Vec<_>) =
        numbered.iter().copied().partition(|(ordinal, _)| work.is_wanted(*ordinal));
    let mut plan =
        Plan { status: work.status(set, &old, &numbered, (&current, update)), ..Plan::default() };
    plan.again = work.next_available(&numbered);
    if set.metadata.deletion_timestamp.is_some() {
        return plan;
    }
    let is_settled = work.keep(&kept, (&current, update), &mut plan);
    if is_settled && work.reduce(&kept, &surplus, &mut plan) {
        work.update(&kept, update, &mut plan);
    }
    plan
}

fn revision(pod: &PodView) -> &str {
    pod.labels.get(CONTROLLER_REVISION_HASH_LABEL).map_or("", String::as_str)
}

impl Work<'_> {
    fn is_wanted(&self, ordinal: i32) -> bool {
        ordinal >= self.first && ordinal - self.first < self.wanted
    }

    fn is_rolling(&self) -> bool {
        let strategy = self.spec.update_strategy.as_ref().and_then(|one| one.type_.as_deref());
        strategy != Some("OnDelete")
    }

    /// The first ordinal that an update concerns.
    fn first_updated(&self) -> i32 {
        let rolling =
            self.spec.update_strategy.as_ref().and_then(|one| one.rolling_update.as_ref());
        self.first + rolling.and_then(|one| one.partition).unwrap_or(0)
    }

    fn min_ready(&self) -> i32 {
        self.spec.min_ready_seconds.unwrap_or(0)
    }

    fn is_healthy(&self, pod: &PodView) -> bool {
        pod.is_active()
            && pod.phase == Phase::Running
            && pod.is_available(self.min_ready(), self.now)
    }

    /// Makes what is missing, and whether all is there so far as the order asks.
    fn keep(
        &self,
        kept: &[(i32, &Arc<PodView>)],
        (current, update): (&str, &str),
        plan: &mut Plan,
    ) -> bool {
        let mut is_settled = true;
        for ordinal in self.first..self.first.saturating_add(self.wanted) {
            let pod = kept.iter().find(|(one, _)| *one == ordinal).map(|(_, pod)| *pod);
            let is_fine = match pod {
                None => {
                    let is_old = self.is_rolling() && ordinal < self.first_updated();
                    let revision = if is_old { current } else { update };
                    plan.create.push(NewPod { ordinal, revision: revision.to_owned() });
                    !self.is_ordered
                }
                // It is made anew when it is gone: two of one name cannot be.
                Some(pod) if pod.is_finished() => {
                    if !pod.is_terminating() {
                        plan.delete.push(Arc::clone(pod));
                    }
                    false
                }
                Some(pod) => !self.is_ordered || self.is_healthy(pod),
            };
            if !is_fine {
                is_settled = false;
                if self.is_ordered {
                    break;
                }
            }
        }
        is_settled
    }

    /// Ends what is too much, the highest first, and whether nothing is.
    fn reduce(
        &self,
        kept: &[(i32, &Arc<PodView>)],
        surplus: &[(i32, &Arc<PodView>)],
        plan: &mut Plan,
    ) -> bool {
        let all = kept.iter().chain(surplus);
        let first_broken = all.clone().find(|(_, pod)| !self.is_healthy(pod)).map(|(one, _)| *one);
        for (ordinal, pod) in surplus.iter().rev() {
            if pod.is_terminating() {
                if self.is_ordered {
                    return false;
                }
                continue;
            }
            // One that is broken waits for those before it to come up, or it is itself the first.
            if self.is_ordered && !self.is_healthy(pod) && first_broken != Some(*ordinal) {
                return false;
            }
            plan.delete.push(Arc::clone(pod));
            if self.is_ordered {
                return false;
            }
        }
        surplus.is_empty() || !self.is_ordered
    }

    /// Ends pods of other revisions, the highest first, as far as enough others are well.
    fn update(&self, kept: &[(i32, &Arc<PodView>)], update: &str, plan: &mut Plan) {
        if !self.is_rolling() {
            return;
        }
        let rolling =
            self.spec.update_strategy.as_ref().and_then(|one| one.rolling_update.as_ref());
        let amount = rolling.and_then(|one| one.max_unavailable.as_ref());
        let most = if amount.is_none() { 1 } else { share(amount, self.wanted, true).max(1) };
        let is_updated = |ordinal: i32| ordinal >= self.first_updated();
        let broken = kept.iter().filter(|(_, pod)| !self.is_healthy(pod)).count();
        let mut left = usize::try_from(most).unwrap_or(1).saturating_sub(broken);
        for (_, pod) in kept.iter().rev().filter(|(ordinal, _)| is_updated(*ordinal)) {
            if revision(pod) == update || pod.is_terminating() {
                continue;
            }
            let is_broken = !self.is_healthy(pod);
            if !is_broken && left == 0 {
                return;
            }
            // One that is broken already costs nothing.
            if !is_broken {
                left -= 1;
            }
            plan.delete.push(Arc::clone(pod));
            if is_broken && most == 1 {
                return;
            }
        }
    }

    fn next_available(&self, pods: &[(i32, &Arc<PodView>)]) -> Option<u64> {
        let waits =
            pods.iter().filter_map(|(_, pod)| pod.until_available(self.min_ready(), self.now));
        waits.filter(|seconds| *seconds > 0).min()
    }

    fn status(
        &self,
        set: &StatefulSet,
        old: &StatefulSetStatus,
        pods: &[(i32, &Arc<PodView>)],
        (current, update): (&str, &str),
    ) -> StatefulSetStatus {
        let count = |wanted: &dyn Fn(&PodView) -> bool| {
            i32::try_from(pods.iter().filter(|(_, pod)| wanted(pod)).count()).unwrap_or(i32::MAX)
        };
        let is_up = |pod: &PodView| pod.phase == Phase::Running && pod.is_ready();
        let replicas = count(&|_| true);
        let ready = count(&is_up);
        let is_of = |pod: &PodView, name: &str| !pod.is_terminating() && revision(pod) == name;
        let mut in_current = count(&|pod| is_of(pod, current));
        let in_update = count(&|pod| is_of(pod, update));
        let is_done = self.is_rolling()
            && [in_update, replicas, ready].iter().all(|count| *count == self.wanted);
        let mut current = current;
        if is_done {
            current = update;
            in_current = in_update;
        }
        let shown = |count: i32| (count != 0).then_some(count);
        StatefulSetStatus {
            replicas,
            ready_replicas: shown(ready),
            available_replicas: Some(count(&|pod| self.is_healthy(pod))),
            current_replicas: shown(in_current),
            updated_replicas: shown(in_update),
            current_revision: Some(current.to_owned()),
            update_revision: Some(update.to_owned()),
            observed_generation: set.metadata.generation,
            collision_count: Some(old.collision_count.unwrap_or(0)),
            conditions: old.conditions.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
