//! Which pods a `DaemonSet` makes and ends next.

mod rollout;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec, DaemonSetStatus};
use wk_api::well_known::CONTROLLER_REVISION_HASH_LABEL;

use super::fit::{Fit, Placement};
use crate::amount::share;
use crate::meta::OwnerKind;
use crate::watched::{NodeView, Phase, PodView};

pub(super) const KIND: OwnerKind = OwnerKind { api_version: "apps/v1", kind: "DaemonSet" };

/// The most pods that are made, and the most that are ended, before their changes are seen.
const BURST: usize = 250;

/// What a `DaemonSet` sees.
pub(super) struct Observed<'a> {
    pub(super) set: &'a DaemonSet,
    /// The revision hash of its template.
    pub(super) hash: &'a str,
    pub(super) nodes: &'a [Arc<NodeView>],
    /// The pods that it manages.
    pub(super) pods: &'a [Arc<PodView>],
    /// The nodes on which failed pods stay for so long still.
    pub(super) waiting: &'a HashMap<String, Duration>,
    pub(super) now: Timestamp,
}

/// A pod that ended by itself, which daemons do not.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) node: String,
    pub(super) pod: Arc<PodView>,
}

/// What a `DaemonSet` does next.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The nodes that get a pod.
    pub(super) create: Vec<String>,
    pub(super) delete: Vec<Arc<PodView>>,
    /// Those of `delete` that ended by themselves.
    pub(super) ended: Vec<Ended>,
    pub(super) status: DaemonSetStatus,
    pub(super) again: Option<Duration>,
}

/// Plans what a set does about its pods.
///
/// First each node gets what it should have; only when all have it, or wait for it, are pods of
/// older templates replaced. A node whose pod is ending gets the next one when that is gone.
/// Spec: <https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/>
pub(super) fn plan(observed: &Observed<'_>) -> Plan {
    let default = DaemonSetSpec::default();
    let spec = observed.set.spec.as_ref().unwrap_or(&default);
    let placement = Placement::of(&spec.template);
    let node = |node: &Arc<NodeView>| (node.name.clone(), placement.fit(node));
    let mut work = Work {
        spec,
        hash: observed.hash,
        now: observed.now,
        waiting: observed.waiting,
        fits: observed.nodes.iter().map(node).collect(),
        on_node: BTreeMap::new(),
    };
    for pod in observed.pods {
        // What has ended and is going is in nobody's way.
        if pod.is_finished() && pod.is_terminating() {
            continue;
        }
        if let Some(node) = pod.target_node() {
            work.on_node.entry(node.to_owned()).or_default().push(Arc::clone(pod));
        }
    }
    for pods in work.on_node.values_mut() {
        // Those that are there before those that are to come, then by age.
        pods.sort_by(|a, b| {
            let key = |pod: &PodView| (pod.node.is_none(), pod.created);
            key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
        });
    }
    let mut plan = Plan { status: work.status(observed.set), ..Plan::default() };
    plan.again = work.next_available();
    work.manage(&mut plan);
    if plan.create.is_empty() && plan.delete.is_empty() && work.is_rolling() {
        work.roll(&mut plan);
    }
    plan.create.truncate(BURST);
    plan.delete.truncate(BURST);
    let gone = |ended: &Ended| plan.delete.iter().any(|pod| pod.uid() == ended.pod.uid());
    plan.ended.retain(gone);
    plan
}

/// A set under work.
struct Work<'a> {
    spec: &'a DaemonSetSpec,
    hash: &'a str,
    now: Timestamp,
    waiting: &'a HashMap<String, Duration>,
    fits: BTreeMap<String, Fit>,
    /// The pods by the node that they are on or are to be on, the one that counts first.
    on_node: BTreeMap<String, Vec<Arc<PodView>>>,
}

impl Work<'_> {
    fn pods(&self, node: &str) -> &[Arc<PodView>] {
        self.on_node.get(node).map(Vec::as_slice).unwrap_or_default()
    }

    fn is_updated(&self, pod: &PodView) -> bool {
        pod.labels.get(CONTROLLER_REVISION_HASH_LABEL).is_some_and(|hash| hash == self.hash)
    }

    fn min_ready(&self) -> i32 {
        self.spec.min_ready_seconds.unwrap_or(0)
    }

    fn is_available(&self, pod: &PodView) -> bool {
        pod.is_available(self.min_ready(), self.now)
    }

    /// How many nodes should have a pod.
    fn desired(&self) -> i32 {
        count(self.fits.values().filter(|fit| fit.should_run).count())
    }

    fn is_rolling(&self) -> bool {
        let strategy = self.spec.update_strategy.as_ref().and_then(|one| one.type_.as_deref());
        strategy != Some("OnDelete")
    }

    /// How many pods may be made beside those that they replace, and how many nodes may be without
    /// one meanwhile.
    fn room(&self, desired: i32) -> (i32, i32) {
        let rolling = self.spec.update_strategy.as_ref().filter(|_| self.is_rolling());
        let rolling = rolling.and_then(|strategy| strategy.rolling_update.as_ref());
        let surge = share(rolling.and_then(|one| one.max_surge.as_ref()), desired, true);
        let most = rolling.and_then(|one| one.max_unavailable.as_ref());
        let most = most.map_or(1, |most| share(Some(most), desired, true));
        if surge == 0 && most == 0 && desired > 0 {
            // Nothing would ever move.
            return (0, 1);
        }
        (surge, most)
    }

    fn surges(&self) -> bool {
        self.is_rolling() && self.room(1).0 > 0
    }

    /// Gives every node what it should have.
    fn manage(&self, plan: &mut Plan) {
        for (node, fit) in &self.fits {
            let pods = self.pods(node);
            if fit.should_run && pods.is_empty() {
                plan.create.push(node.clone());
            } else if fit.may_stay {
                self.tidy(node, pods, plan);
            } else {
                plan.delete.extend(pods.iter().filter(|pod| !pod.is_terminating()).cloned());
            }
        }
        // Pods that wait for a node that is gone wait for ever.
        for (node, pods) in &self.on_node {
            if !self.fits.contains_key(node) {
                let waits = |pod: &&Arc<PodView>| pod.node.is_none() && !pod.is_terminating();
                plan.delete.extend(pods.iter().filter(waits).cloned());
            }
        }
    }

    /// Removes what has ended, and what there is too much of, from a node.
    fn tidy(&self, node: &str, pods: &[Arc<PodView>], plan: &mut Plan) {
        let mut running = Vec::new();
        for pod in pods.iter().filter(|pod| !pod.is_terminating()) {
            if !pod.is_finished() {
                running.push(pod);
                continue;
            }
            if pod.phase == Phase::Failed
                && let Some(left) = self.waiting.get(node)
            {
                plan.again = Some(plan.again.map_or(*left, |again| again.min(*left)));
                continue;
            }
            plan.ended.push(Ended { node: node.to_owned(), pod: Arc::clone(pod) });
            plan.delete.push(Arc::clone(pod));
        }
        if running.len() <= 1 {
            return;
        }
        if !self.surges() {
            plan.delete.extend(running.drain(1..).cloned());
            return;
        }
        // Two may be there while the new one is not ready and the old one is.
        let (updated, older): (Vec<_>, Vec<_>) =
            running.into_iter().partition(|pod| self.is_updated(pod));
        plan.delete.extend(
            updated
                .iter()
                .chain(&older)
                .filter(|pod| {
                    let kept = [updated.first(), older.first()];
                    !kept.iter().flatten().any(|kept| kept.uid() == pod.uid())
                })
                .map(|pod| Arc::clone(pod)),
        );
        if let (Some(new), Some(old)) = (updated.first(), older.first())
            && (!old.is_ready() || self.is_available(new))
        {
            plan.delete.push(Arc::clone(old));
        }
    }

    /// When a pod that is ready will have been so for long enough.
    fn next_available(&self) -> Option<Duration> {
        let pods = self.on_node.values().flatten().filter(|pod| !pod.is_terminating());
        let waits = pods.filter_map(|pod| pod.until_available(self.min_ready(), self.now));
        waits.filter(|seconds| *seconds > 0).min().map(Duration::from_secs)
    }

    fn status(&self, set: &DaemonSet) -> DaemonSetStatus {
        let old = set.status.as_ref();
        let (mut current, mut misscheduled) = (0, 0);
        let (mut ready, mut available, mut updated) = (0, 0, 0);
        for (node, fit) in &self.fits {
            let Some(pod) = self.pods(node).first() else { continue };
            if !fit.should_run {
                misscheduled += 1;
                continue;
            }
            current += 1;
            ready += i32::from(pod.is_ready());
            available += i32::from(self.is_available(pod));
            updated += i32::from(self.is_updated(pod));
        }
        let desired = self.desired();
        let shown = |count: i32| (count != 0).then_some(count);
        DaemonSetStatus {
            collision_count: old.and_then(|old| old.collision_count),
            conditions: old.and_then(|old| old.conditions.clone()),
            current_number_scheduled: current,
            desired_number_scheduled: desired,
            number_available: shown(available),
            number_misscheduled: misscheduled,
            number_ready: ready,
            number_unavailable: shown(desired - available),
            observed_generation: set.metadata.generation,
            updated_number_scheduled: shown(updated),
        }
    }
}

fn count(many: usize) -> i32 {
    i32::try_from(many).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
