//! What a Job does next.
//!
//! Every pod of a Job carries a finalizer, so that none goes before it is counted. A pod that ends is
//! written down in the status as not counted yet; then its finalizer is taken away; and when that is
//! seen, it is counted and crossed out. Wherever that is interrupted, each pod counts once.

mod indexes;
mod policy;
mod retry;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobCondition, JobSpec, JobStatus, UncountedTerminatedPods};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::watched::{Phase, PodView};
use policy::{Failure, judge, succeeded_by};

/// The finalizer of a Job's pods.
pub(super) const FINALIZER: &str = "batch.kubernetes.io/job-tracking";
/// The most pods that one look makes or deletes.
const BURST: usize = 500;
/// The most pods that wait to be counted in one status.
const UNCOUNTED_MAX: usize = 500;

/// A pod to make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NewPod {
    pub(super) index: Option<u32>,
    /// How often its index has failed, if that is counted.
    pub(super) failures: Option<(u32, u32)>,
}

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) is_warning: bool,
    pub(super) reason: String,
    pub(super) message: String,
}

/// What a Job does next, in this order.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) delete: Vec<Arc<PodView>>,
    pub(super) create: Vec<NewPod>,
    pub(super) status: JobStatus,
    /// Pods that are written down by then, and may go.
    pub(super) unhold: Vec<Arc<PodView>>,
    /// Told once the status is written.
    pub(super) notices: Vec<Notice>,
    pub(super) again: Option<u64>,
}

/// Whether a condition holds.
pub(super) fn has(status: &JobStatus, kind: &str) -> bool {
    find(status, kind).is_some_and(|one| one.status == "True")
}

fn find<'a>(status: &'a JobStatus, kind: &str) -> Option<&'a JobCondition> {
    status.conditions.iter().flatten().find(|one| one.type_ == kind)
}

/// Whether it is over.
pub(super) fn is_finished(status: &JobStatus) -> bool {
    has(status, "Complete") || has(status, "Failed")
}

/// The seconds until a finished Job is to be deleted; `None` if it stays.
pub(super) fn until_expired(job: &Job, now: Timestamp) -> Option<u64> {
    let ttl = job.spec.as_ref()?.ttl_seconds_after_finished?;
    let status = job.status.as_ref()?;
    let ended = ["Complete", "Failed"].iter().find_map(|kind| {
        find(status, kind).filter(|one| one.status == "True")?.last_transition_time.clone()
    })?;
    let due = ended.0.as_second().saturating_add(i64::from(ttl));
    Some(u64::try_from(due - now.as_second()).unwrap_or(0))
}

/// A Job under work.
struct Work<'a> {
    spec: &'a JobSpec,
    pods: &'a [Arc<PodView>],
    /// The number of indexes; `None` if pods have none.
    indexes: Option<u32>,
    status: JobStatus,
    active: Vec<Arc<PodView>>,
    /// Ending, and not over yet.
    ending: Vec<Arc<PodView>>,
    succeeded_indexes: BTreeSet<u32>,
    failed_indexes: BTreeSet<u32>,
    /// The failed pods of each index, the last one to fail.
    last_failures: BTreeMap<u32, Arc<PodView>>,
    succeeded: i32,
    failed: i32,
    now: Timestamp,
    plan: Plan,
}

/// Plans what `job` does about its pods.
///
/// Spec: <https://kubernetes.io/docs/concepts/workloads/controllers/job/>
pub(super) fn plan(job: &Job, pods: &[Arc<PodView>], now: Timestamp) -> Plan {
    let default = JobSpec::default();
    let spec = job.spec.as_ref().unwrap_or(&default);
    let is_indexed = spec.completion_mode.as_deref() == Some("Indexed");
    let completions = spec.completions.and_then(|count| u32::try_from(count).ok());
    let mut work = Work {
        spec,
        pods,
        indexes: is_indexed.then_some(completions.unwrap_or(0)),
        status: job.status.clone().unwrap_or_default(),
        active: pods.iter().filter(|pod| pod.is_active()).cloned().collect(),
        ending: pods
            .iter()
            .filter(|pod| pod.is_terminating() && !pod.is_finished())
            .cloned()
            .collect(),
        succeeded_indexes: BTreeSet::new(),
        failed_indexes: BTreeSet::new(),
        last_failures: BTreeMap::new(),
        succeeded: 0,
        failed: 0,
        now,
        plan: Plan::default(),
    };
    if let Some(limit) = work.indexes {
        let read = |text: &Option<String>| indexes::parse(text.as_deref().unwrap_or(""), limit);
        work.succeeded_indexes = read(&work.status.completed_indexes);
        work.failed_indexes = read(&work.status.failed_indexes);
    }
    let is_ending = job.metadata.deletion_timestamp.is_some();
    let is_suspended = spec.suspend == Some(true);
    if work.status.start_time.is_none() && !is_suspended {
        work.status.start_time = Some(Time(now));
    }
    let policy = work.count();
    if !work.is_decided() {
        work.decide(policy);
    }
    if work.is_decided() {
        work.plan.delete = work.active.iter().take(BURST).cloned().collect();
    } else if !is_ending {
        work.hold(is_suspended);
        work.manage(is_suspended);
    }
    work.finish()
}

impl Work<'_> {
    fn replaces_only_failed(&self) -> bool {
        self.spec.pod_replacement_policy.as_deref() == Some("Failed")
            || self.spec.pod_failure_policy.is_some()
    }

    fn has_failed(&self, pod: &PodView) -> bool {
        pod.phase == Phase::Failed
            || !self.replaces_only_failed() && pod.is_terminating() && pod.phase != Phase::Succeeded
    }

    fn index(&self, pod: &PodView) -> Option<u32> {
        let index = pod.job.as_ref()?.index?;
        self.indexes.filter(|limit| index < *limit).map(|_| index)
    }

    /// Counts what has ended, and returns why the pod failure policy makes the Job fail, if it does.
    fn count(&mut self) -> Option<String> {
        let pods = self.pods;
        let mut uncounted = self.status.uncounted_terminated_pods.take().unwrap_or_default();
        let (mut good, mut bad) = (
            uncounted.succeeded.take().unwrap_or_default(),
            uncounted.failed.take().unwrap_or_default(),
        );
        // Whose finalizer is gone was written down before that, and counts from now on.
        let is_held = |uid: &String| {
            let pod = pods.iter().find(|pod| pod.uid().as_str() == uid);
            pod.is_some_and(|pod| pod.has_finalizer(FINALIZER))
        };
        let counted = |list: &mut Vec<String>| {
            let before = list.len();
            list.retain(is_held);
            i32::try_from(before - list.len()).unwrap_or(i32::MAX)
        };
        let (more_good, more_bad) = (counted(&mut good), counted(&mut bad));
        self.succeeded = self.status.succeeded.unwrap_or(0) + more_good;
        self.failed = self.status.failed.unwrap_or(0) + more_bad;
        self.status.succeeded = Some(self.succeeded);
        self.status.failed = Some(self.failed);

        let mut policy = None;
        for pod in pods {
            let failure = self.has_failed(pod).then(|| judge(self.spec, pod));
            if let Some(Failure::FailsJob(message)) = &failure {
                policy = policy.or_else(|| Some(message.clone()));
            }
            self.note_index(pod, failure.as_ref());
            if !pod.has_finalizer(FINALIZER) {
                continue;
            }
            let uid = pod.uid().to_string();
            if good.contains(&uid) || bad.contains(&uid) {
                self.plan.unhold.push(Arc::clone(pod));
                continue;
            }
            if good.len() + bad.len() >= UNCOUNTED_MAX {
                self.plan.again = Some(0);
                break;
            }
            match (pod.phase, failure) {
                (Phase::Succeeded, _) => {
                    // Successes of indexes are counted by their index.
                    if self.indexes.is_none() {
                        good.push(uid);
                    }
                    self.plan.unhold.push(Arc::clone(pod));
                }
                (_, Some(Failure::Ignored)) => self.plan.unhold.push(Arc::clone(pod)),
                (_, Some(_)) => {
                    bad.push(uid);
                    self.plan.unhold.push(Arc::clone(pod));
                }
                (_, None) => {}
            }
        }
        let counted = |list: &[String]| i32::try_from(list.len()).unwrap_or(i32::MAX);
        self.succeeded += counted(&good);
        self.failed += counted(&bad);
        if self.indexes.is_some() {
            self.succeeded = i32::try_from(self.succeeded_indexes.len()).unwrap_or(i32::MAX);
            self.status.succeeded = Some(self.succeeded);
        }
        let some = |list: Vec<String>| (!list.is_empty()).then_some(list);
        self.status.uncounted_terminated_pods =
            Some(UncountedTerminatedPods { succeeded: some(good), failed: some(bad) });
        policy
    }

    fn note_index(&mut self, pod: &Arc<PodView>, failure: Option<&Failure>) {
        let Some(index) = self.index(pod) else { return };
        if pod.phase == Phase::Succeeded {
            self.succeeded_indexes.insert(index);
        }
        let Some(failure) = failure else { return };
        let job = pod.job.as_deref().cloned().unwrap_or_default();
        if let Some(limit) = self.spec.backoff_limit_per_index {
            let is_last = i64::from(job.index_failures) >= i64::from(limit);
            let is_over = match failure {
                Failure::FailsIndex => true,
                Failure::Counts => is_last,
                Failure::Ignored | Failure::FailsJob(_) => false,
            };
            if is_over && !self.succeeded_indexes.contains(&index) {
                self.failed_indexes.insert(index);
            }
        }
        let latest = self.last_failures.get(&index).and_then(|pod| pod.job.as_ref());
        let order = |job: &crate::watched::JobPod| (job.index_failures, job.ignored_failures);
        if latest.is_none_or(|latest| order(latest) <= order(&job)) {
            self.last_failures.insert(index, Arc::clone(pod));
        }
    }

    /// Whether its end is certain.
    fn is_decided(&self) -> bool {
        has(&self.status, "FailureTarget") || has(&self.status, "SuccessCriteriaMet")
    }

    fn set(&mut self, kind: &str, status: &str, reason: &str, message: impl Into<String>) {
        let conditions = self.status.conditions.get_or_insert_default();
        conditions.retain(|one| one.type_ != kind);
        conditions.push(JobCondition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message.into()),
            last_probe_time: Some(Time(self.now)),
            last_transition_time: Some(Time(self.now)),
        });
    }

    fn tell(&mut self, is_warning: bool, reason: &str, message: impl Into<String>) {
        let (reason, message) = (reason.to_owned(), message.into());
        self.plan.notices.push(Notice { is_warning, reason, message });
    }

    fn decide(&mut self, policy: Option<String>) {
        let fail = "FailureTarget";
        if let Some(message) = policy {
            return self.set(fail, "True", "PodFailurePolicy", message);
        }
        let limit = self.spec.backoff_limit.unwrap_or(6);
        if self.failed > limit || self.restarts_exceed(limit) {
            let text = "Job has reached the specified backoff limit";
            return self.set(fail, "True", "BackoffLimitExceeded", text);
        }
        if let Some(left) = self.until_deadline() {
            if left <= 0 {
                let text = "Job was active longer than specified deadline";
                return self.set(fail, "True", "DeadlineExceeded", text);
            }
            self.look_again(left);
        }
        if let Some(limit) = self.indexes {
            let failed = i32::try_from(self.failed_indexes.len()).unwrap_or(i32::MAX);
            if self.spec.max_failed_indexes.is_some_and(|most| failed > most) {
                let text = "Job has exceeded the specified maximal number of failed indexes";
                return self.set(fail, "True", "MaxFailedIndexesExceeded", text);
            }
            if let Some(rule) = succeeded_by(self.spec, &self.succeeded_indexes, limit) {
                let text = format!("Matched rules at index {rule}");
                return self.set("SuccessCriteriaMet", "True", "SuccessPolicy", text);
            }
            if failed > 0 && self.succeeded.saturating_add(failed).cast_unsigned() >= limit {
                return self.set(fail, "True", "FailedIndexes", "Job has failed indexes");
            }
        }
        let is_complete = match self.spec.completions {
            // Work is over when one says so and all have ended.
            None => self.succeeded > 0 && self.active.is_empty(),
            Some(wanted) => self.succeeded >= wanted,
        };
        if is_complete {
            let text = "Reached expected number of succeeded pods";
            self.set("SuccessCriteriaMet", "True", "CompletionsReached", text);
        }
    }

    /// Restarts in place count like failed pods.
    fn restarts_exceed(&self, limit: i32) -> bool {
        let template = self.spec.template.spec.as_ref();
        if template.and_then(|spec| spec.restart_policy.as_deref()) != Some("OnFailure") {
            return false;
        }
        let restarts = |pod: &Arc<PodView>| pod.job.as_ref().map_or(0, |job| job.restarts);
        let all: i32 = self.active.iter().map(restarts).sum();
        if limit == 0 { all > 0 } else { all >= limit }
    }

    fn until_deadline(&self) -> Option<i64> {
        let deadline = self.spec.active_deadline_seconds?;
        if self.spec.suspend == Some(true) {
            return None;
        }
        let start = self.status.start_time.as_ref()?.0.as_second();
        Some(start.saturating_add(deadline) - self.now.as_second())
    }

    fn look_again(&mut self, seconds: i64) {
        let seconds = u64::try_from(seconds).unwrap_or(0);
        let before = self.plan.again.unwrap_or(u64::MAX);
        self.plan.again = Some(before.min(seconds));
    }

    /// Notes that the Job is suspended or goes on.
    fn hold(&mut self, is_suspended: bool) {
        let before = find(&self.status, "Suspended").map(|one| one.status == "True");
        if is_suspended && before != Some(true) {
            self.set("Suspended", "True", "JobSuspended", "Job suspended");
            self.tell(false, "Suspended", "Job suspended");
        } else if !is_suspended && before == Some(true) {
            self.set("Suspended", "False", "JobResumed", "Job resumed");
            self.tell(false, "Resumed", "Job resumed");
            // The deadline counts from now on.
            self.status.start_time = Some(Time(self.now));
        }
    }

    fn manage(&mut self, is_suspended: bool) {
        let active = self.active.len();
        if is_suspended {
            self.plan.delete = self.active.iter().take(BURST).cloned().collect();
            return;
        }
        let count = |number: i32| usize::try_from(number).unwrap_or(0);
        let parallelism = count(self.spec.parallelism.unwrap_or(1));
        let wanted = match self.spec.completions {
            None if self.succeeded > 0 => active.min(parallelism),
            None => parallelism,
            Some(completions) => {
                let failed = self.failed_indexes.len();
                count(completions - self.succeeded).saturating_sub(failed).min(parallelism)
            }
        };
        if active > wanted {
            self.plan.delete = self.first_to_go(active - wanted);
            return;
        }
        let replaced = if self.replaces_only_failed() { self.ending.len() } else { 0 };
        let missing = wanted.saturating_sub(active + replaced).min(BURST);
        if missing == 0 {
            return;
        }
        if self.indexes.is_some() {
            self.create_indexes(missing);
            return;
        }
        match self.until_retry() {
            Some(left) => self.look_again(left),
            None => self.plan.create = vec![NewPod::default(); missing],
        }
    }

    /// The pods that are missed least: those that have come least far.
    fn first_to_go(&self, surplus: usize) -> Vec<Arc<PodView>> {
        let mut pods = self.active.clone();
        pods.sort_by_key(|pod| {
            (
                pod.node.is_some(),
                pod.phase,
                pod.is_ready(),
                std::cmp::Reverse(pod.created),
                pod.name.clone(),
            )
        });
        pods.truncate(surplus.min(BURST));
        pods
    }

    fn finish(mut self) -> Plan {
        let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let active = self.active.len() - self.plan.delete.len() + self.plan.create.len();
        let ready = self.active.iter().filter(|pod| pod.is_ready()).count();
        let is_shown = |pod: &&Arc<PodView>| {
            !self.plan.delete.iter().any(|one| one.uid() == pod.uid()) && pod.is_ready()
        };
        let ready = if self.plan.delete.is_empty() {
            ready
        } else {
            self.active.iter().filter(is_shown).count()
        };
        self.status.ready = Some(number(ready));
        self.status.terminating = Some(number(self.ending.len() + self.plan.delete.len()));
        if self.indexes.is_some() {
            let completed = indexes::format(&self.succeeded_indexes);
            self.status.completed_indexes = Some(completed).filter(|text| !text.is_empty());
            if self.spec.backoff_limit_per_index.is_some() {
                self.status.failed_indexes = Some(indexes::format(&self.failed_indexes));
            }
        }
        let is_settled = self.plan.unhold.is_empty()
            && self.plan.delete.is_empty()
            && self.active.is_empty()
            && self.ending.is_empty()
            && !self.pods.iter().any(|pod| pod.has_finalizer(FINALIZER));
        if is_settled && self.is_decided() && !is_finished(&self.status) {
            self.conclude();
        }
        self.status.active = Some(active).filter(|count| *count != 0).map(number);
        self.status.succeeded = self.status.succeeded.filter(|count| *count != 0);
        self.status.failed = self.status.failed.filter(|count| *count != 0);
        self.plan.status = self.status;
        self.plan
    }

    /// All pods are counted: what was decided is now so.
    fn conclude(&mut self) {
        let failure = find(&self.status, "FailureTarget").filter(|one| one.status == "True");
        let success = find(&self.status, "SuccessCriteriaMet").filter(|one| one.status == "True");
        let texts = |one: &JobCondition| {
            (one.reason.clone().unwrap_or_default(), one.message.clone().unwrap_or_default())
        };
        match (failure.map(texts), success.map(texts)) {
            (Some((reason, message)), _) => {
                self.set("Failed", "True", &reason, message.clone());
                self.tell(true, &reason, message);
            }
            (None, Some((reason, message))) => {
                self.set("Complete", "True", &reason, message);
                self.status.completion_time = Some(Time(self.now));
                self.tell(false, "Completed", "Job completed");
            }
            (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests;
