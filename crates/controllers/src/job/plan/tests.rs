//! Tests of what a Job does next.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "cases are written where they are used")]
fn job(spec: Value) -> Job {
    let mut all = json!({
        "parallelism": 1, "completions": 1, "backoffLimit": 6, "completionMode": "NonIndexed",
        "template": {"spec": {"restartPolicy": "Never", "containers": []}},
    });
    for (key, value) in spec.as_object().unwrap() {
        all[key] = value.clone();
        if value.is_null() {
            all.as_object_mut().unwrap().remove(key);
        }
    }
    let metadata = json!({"name": "j", "namespace": "default", "uid": "j"});
    serde_json::from_value(json!({"metadata": metadata, "spec": all})).unwrap()
}

/// A pod that is held, with an index below zero for none.
fn pod_with(
    name: &str,
    phase: Phase,
    index: i64,
    change: impl FnOnce(&mut crate::watched::JobPod),
) -> Arc<PodView> {
    let mut pod = PodView::sample(name);
    pod.phase = phase;
    pod.finalizers = [FINALIZER.into()].into();
    let is_over = matches!(phase, Phase::Succeeded | Phase::Failed);
    if is_over {
        pod.ready_since = None;
    }
    let mut job = crate::watched::JobPod {
        index: u32::try_from(index).ok(),
        ended: is_over.then(|| at(1000)),
        ..crate::watched::JobPod::default()
    };
    change(&mut job);
    pod.job = Some(Box::new(job));
    Arc::new(pod)
}

/// A world in which what a plan asks for happens at once.
struct World {
    job: Job,
    pods: Vec<Arc<PodView>>,
    made: usize,
    now: i64,
    told: Vec<String>,
}

impl World {
    fn new(spec: Value) -> Self {
        Self { job: job(spec), pods: Vec::new(), made: 0, now: 2000, told: Vec::new() }
    }

    /// One look, and what follows from it.
    fn look(&mut self) -> bool {
        if self.job.status.as_ref().is_some_and(is_finished) {
            return false;
        }
        let next = plan(&self.job, &self.pods, at(self.now));
        let is_change = !next.create.is_empty()
            || !next.delete.is_empty()
            || !next.unhold.is_empty()
            || self.job.status.as_ref() != Some(&next.status);
        for new in next.create {
            self.made += 1;
            let index = new.index.map_or(-1, i64::from);
            let failures = new.failures.unwrap_or_default();
            self.pods.push(pod_with(&format!("p{}", self.made), Phase::Running, index, |job| {
                (job.index_failures, job.ignored_failures) = failures;
            }));
        }
        let gone =
            |list: &[Arc<PodView>], pod: &PodView| list.iter().any(|one| one.uid() == pod.uid());
        self.pods.retain(|pod| !gone(&next.delete, pod));
        for pod in &mut self.pods {
            if gone(&next.unhold, pod) {
                Arc::make_mut(pod).finalizers = [].into();
            }
        }
        self.job.status = Some(next.status);
        self.told.extend(next.notices.into_iter().map(|notice| notice.reason));
        is_change
    }

    fn settle(&mut self) {
        for _ in 0..200 {
            if !self.look() {
                return;
            }
        }
        panic!("it does not come to rest: {:?}", self.job.status);
    }

    /// Ends all running pods that `which` names.
    fn end(&mut self, phase: Phase, which: impl Fn(&PodView) -> bool) {
        self.now += 1;
        for one in &mut self.pods {
            if one.phase == Phase::Running && which(one) {
                let index = one.job.as_ref().and_then(|job| job.index).map_or(-1, i64::from);
                let before = one.job.clone().unwrap();
                let now = at(self.now);
                *one = pod_with(&one.name.clone(), phase, index, |job| {
                    *job = *before;
                    job.ended = Some(now);
                    job.exits = vec![("c".to_owned(), i32::from(phase == Phase::Failed) * 42)];
                });
            }
        }
        self.settle();
    }

    fn wait(&mut self, seconds: i64) {
        self.now += seconds;
        self.settle();
    }

    fn status(&self) -> JobStatus {
        self.job.status.clone().unwrap()
    }

    fn running(&self) -> usize {
        self.pods.iter().filter(|pod| pod.phase == Phase::Running).count()
    }

    #[track_caller]
    fn ended(&self, kind: &str, reason: &str) {
        let status = self.status();
        let condition = find(&status, kind).unwrap_or_else(|| panic!("{status:?}"));
        assert_eq!(condition.reason.as_deref(), Some(reason), "{status:?}");
        assert!(self.pods.iter().all(|pod| !pod.has_finalizer(FINALIZER)));
        assert_eq!(status.active, None);
    }
}

#[test]
fn a_job_runs_to_its_completions() {
    let mut world = World::new(json!({"completions": 5, "parallelism": 2}));
    world.settle();
    assert_eq!((world.running(), world.made), (2, 2));
    world.end(Phase::Succeeded, |_| true);
    assert_eq!((world.running(), world.status().succeeded), (2, Some(2)));
    world.end(Phase::Succeeded, |_| true);
    assert_eq!(world.running(), 1, "no more than are missing");
    world.end(Phase::Succeeded, |_| true);
    world.ended("Complete", "CompletionsReached");
    assert_eq!((world.status().succeeded, world.made), (Some(5), 5));
    assert_eq!(world.told, ["Completed"]);
    assert!(has(&world.status(), "SuccessCriteriaMet"));
}

#[test]
fn failures_are_retried_ever_later_and_not_for_ever() {
    let mut world = World::new(json!({"backoffLimit": 2}));
    world.settle();
    world.end(Phase::Failed, |_| true);
    assert_eq!(world.running(), 0, "not before 10 s are over");
    world.wait(10);
    assert_eq!(world.running(), 1);
    world.end(Phase::Failed, |_| true);
    world.wait(19);
    assert_eq!(world.running(), 0, "not before 20 s are over");
    world.wait(1);
    assert_eq!(world.running(), 1);
    world.end(Phase::Failed, |_| true);
    world.ended("Failed", "BackoffLimitExceeded");
    assert_eq!((world.status().failed, world.made), (Some(3), 3));
    assert_eq!(world.told, ["BackoffLimitExceeded"]);
}

#[test]
fn every_index_succeeds_once() {
    let spec = json!({"completionMode": "Indexed", "completions": 4, "parallelism": 3});
    let mut world = World::new(spec);
    world.settle();
    world.end(Phase::Succeeded, |pod| pod.job.as_ref().unwrap().index == Some(1));
    assert_eq!(world.status().completed_indexes.as_deref(), Some("1"));
    world.end(Phase::Succeeded, |_| true);
    world.ended("Complete", "CompletionsReached");
    assert_eq!(world.status().completed_indexes.as_deref(), Some("0-3"));
    assert_eq!(world.status().succeeded, Some(4));
}

#[test]
fn an_index_fails_alone_with_a_limit_of_its_own() {
    let spec = json!({
        "completionMode": "Indexed", "completions": 2, "parallelism": 2,
        "backoffLimitPerIndex": 1, "backoffLimit": i32::MAX,
    });
    let mut world = World::new(spec);
    world.settle();
    world.end(Phase::Failed, |pod| pod.job.as_ref().unwrap().index == Some(0));
    world.wait(10);
    assert_eq!(world.running(), 2);
    world.end(Phase::Failed, |pod| pod.job.as_ref().unwrap().index == Some(0));
    world.wait(3600);
    assert_eq!(world.running(), 1, "it has had its second try");
    world.end(Phase::Succeeded, |_| true);
    world.ended("Failed", "FailedIndexes");
    assert_eq!(world.status().failed_indexes.as_deref(), Some("0"));
    assert_eq!(world.status().completed_indexes.as_deref(), Some("1"));
}

#[test]
fn a_failure_policy_says_what_a_failure_means() {
    let policy = |action: &str| {
        let codes = json!({"operator": "In", "values": [42]});
        json!({"podFailurePolicy": {"rules": [{"action": action, "onExitCodes": codes}]}})
    };
    let mut world = World::new(policy("FailJob"));
    world.settle();
    world.end(Phase::Failed, |_| true);
    world.ended("Failed", "PodFailurePolicy");
    let message = find(&world.status(), "Failed").unwrap().message.clone().unwrap();
    let expected = "Container c for pod default/p1 failed with exit code 42 matching FailJob rule \
                    at index 0";
    assert_eq!(message, expected);

    let mut world = World::new(policy("Ignore"));
    world.settle();
    world.end(Phase::Failed, |_| true);
    world.wait(600);
    assert_eq!((world.running(), world.status().failed), (1, None));
}

#[test]
fn some_successes_may_be_enough() {
    let spec = json!({
        "completionMode": "Indexed", "completions": 3, "parallelism": 3,
        "successPolicy": {"rules": [{"succeededIndexes": "0", "succeededCount": 1}]},
    });
    let mut world = World::new(spec);
    world.settle();
    world.end(Phase::Succeeded, |pod| pod.job.as_ref().unwrap().index == Some(0));
    world.ended("Complete", "SuccessPolicy");
    assert_eq!(world.running(), 0, "the others are ended");
}

#[test]
fn a_suspended_job_has_no_pods_and_goes_on_later() {
    let mut world = World::new(json!({"suspend": true, "activeDeadlineSeconds": 100}));
    world.settle();
    assert_eq!((world.made, world.status().start_time), (0, None));
    world.job.spec.as_mut().unwrap().suspend = Some(false);
    world.wait(1000);
    assert_eq!(world.running(), 1);
    assert_eq!(world.told, ["Suspended", "Resumed"]);
    world.wait(100);
    world.ended("Failed", "DeadlineExceeded");
}

#[test]
fn without_a_number_of_completions_one_success_ends_the_work() {
    let mut world = World::new(json!({"completions": null, "parallelism": 3}));
    world.settle();
    world.end(Phase::Succeeded, |pod| &*pod.name == "p1");
    assert_eq!((world.running(), world.made), (2, 3), "none is replaced, none is ended");
    world.end(Phase::Succeeded, |_| true);
    world.ended("Complete", "CompletionsReached");
    assert_eq!(world.status().succeeded, Some(3));
}

#[test]
fn a_finished_job_expires() {
    let mut world = World::new(json!({"ttlSecondsAfterFinished": 60}));
    world.settle();
    assert_eq!(until_expired(&world.job, at(world.now)), None);
    world.end(Phase::Succeeded, |_| true);
    assert_eq!(until_expired(&world.job, at(world.now + 20)), Some(40));
    assert_eq!(until_expired(&world.job, at(world.now + 61)), Some(0));
}

proptest! {
    #[test]
    fn each_pod_counts_once_wherever_it_is_interrupted(
        outcomes in proptest::collection::vec((any::<bool>(), 0..4_usize), 1..20),
    ) {
        let mut world = World::new(json!({"completions": 100, "backoffLimit": 100, "parallelism": 3}));
        let (mut good, mut bad) = (0, 0);
        for (is_good, looks) in outcomes {
            world.wait(600);
            let phase = if is_good { Phase::Succeeded } else { Phase::Failed };
            let name = world.pods.iter().find(|pod| pod.phase == Phase::Running).unwrap().name.clone();
            let place = world.pods.iter().position(|pod| pod.name == name).unwrap();
            let now = at(world.now);
            world.pods[place] = pod_with(&name, phase, -1, |job| job.ended = Some(now));
            for _ in 0..looks {
                // The status is written, and nothing else: the controller ends here.
                let status = plan(&world.job, &world.pods, at(world.now)).status;
                world.job.status = Some(status);
            }
            if is_good { good += 1 } else { bad += 1 }
        }
        world.wait(600);
        let status = world.status();
        prop_assert_eq!(status.succeeded.unwrap_or(0), good);
        prop_assert_eq!(status.failed.unwrap_or(0), bad);
    }
}
