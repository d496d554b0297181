//! When pods follow those that failed, and which indexes get one.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::policy::{Failure, judge};
use super::{NewPod, Work};
use crate::watched::Phase;

/// How long to wait after the first failure in a row, and at most.
const BACKOFF_SECONDS: (i64, i64) = (10, 600);

impl Work<'_> {
    /// The seconds until a pod may follow those that failed in a row; `None` if it may now.
    pub(super) fn until_retry(&self) -> Option<i64> {
        // Failures are remembered as long as their pods are there.
        let all = self.pods.iter();
        let last_success = all
            .clone()
            .filter(|pod| pod.phase == Phase::Succeeded)
            .filter_map(|pod| pod.job.as_ref()?.ended)
            .max();
        let failures = all
            .filter(|pod| pod.phase == Phase::Failed)
            .filter_map(|pod| pod.job.as_ref()?.ended.or(pod.created))
            .filter(|ended| last_success.is_none_or(|success| *ended > success));
        let (count, last) =
            failures.fold((0_u32, None), |(count, last), ended| (count + 1, last.max(Some(ended))));
        self.delay(count, last?)
    }

    fn delay(&self, failures: u32, last: Timestamp) -> Option<i64> {
        let (base, most) = BACKOFF_SECONDS;
        let doublings = failures.checked_sub(1)?.min(10);
        let delay = base.saturating_mul(1 << doublings).min(most);
        let left = last.as_second().saturating_add(delay) - self.now.as_second();
        (left > 0).then_some(left)
    }

    pub(super) fn create_indexes(&mut self, missing: usize) {
        let limit = self.indexes.unwrap_or(0);
        let mut taken: BTreeSet<u32> = &self.succeeded_indexes | &self.failed_indexes;
        let ending = if self.replaces_only_failed() { &self.ending[..] } else { &[] };
        taken.extend(self.active.iter().chain(ending).filter_map(|pod| self.index(pod)));
        let per_index = self.spec.backoff_limit_per_index.is_some();
        let all = self.until_retry().filter(|_| !per_index);
        if let Some(left) = all {
            return self.look_again(left);
        }
        let mut create = Vec::new();
        for index in (0..limit).filter(|index| !taken.contains(index)).take(missing) {
            let last = self.last_failures.get(&index).and_then(|pod| pod.job.clone());
            let last = last.filter(|_| per_index);
            let failures = last.as_ref().map_or((0, 0), |last| match self.last_action(index) {
                Some(Failure::Ignored) => (last.index_failures, last.ignored_failures + 1),
                Some(_) | None => (last.index_failures + 1, last.ignored_failures),
            });
            let count = failures.0 + failures.1;
            let ended = last.and_then(|last| last.ended);
            if let Some(left) = ended.and_then(|ended| self.delay(count, ended)) {
                self.look_again(left);
                continue;
            }
            create.push(NewPod { index: Some(index), failures: per_index.then_some(failures) });
        }
        self.plan.create = create;
    }

    fn last_action(&self, index: u32) -> Option<Failure> {
        self.last_failures.get(&index).map(|pod| judge(self.spec, pod))
    }
}
