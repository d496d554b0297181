//! Tests of which Jobs are started and ended.

use serde_json::{Value, json};

use super::*;

fn time(text: &str) -> Timestamp {
    format!("2026-11-20T{text}Z").parse().unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "cases are written where they are used")]
fn cron(spec: Value) -> CronJob {
    let mut all = json!({
        "schedule": "0 * * * *",
        "concurrencyPolicy": "Allow",
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 1,
        "jobTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": {"template": {}}},
    });
    for (key, value) in spec.as_object().unwrap() {
        all[key] = value.clone();
    }
    let metadata = json!({
        "name": "c", "namespace": "default", "uid": "c", "creationTimestamp": time("08:30:00"),
    });
    serde_json::from_value(json!({"metadata": metadata, "spec": all})).unwrap()
}

fn job(name: &str, end: &str) -> Arc<Job> {
    let conditions =
        if end.is_empty() { json!([]) } else { json!([{"type": end, "status": "True"}]) };
    let status = json!({"conditions": conditions, "startTime": time("07:00:00"), "completionTime": time("08:00:00")});
    let metadata = json!({"name": name, "uid": name});
    Arc::new(serde_json::from_value(json!({"metadata": metadata, "status": status})).unwrap())
}

fn active(cron: &mut CronJob, jobs: &[&str], last: &str) {
    let active = jobs.iter().map(|uid| json!({"uid": uid, "name": uid})).collect::<Vec<_>>();
    cron.status = Some(
        serde_json::from_value(json!({"active": active, "lastScheduleTime": time(last)})).unwrap(),
    );
}

/// The name of the Job that is started, those that are deleted, and what is told.
fn words(plan: &Plan) -> (Option<&str>, Vec<&str>, Vec<&str>) {
    (
        plan.start.as_ref().map(|start| name(&start.job)),
        plan.replace.iter().chain(&plan.forget).map(|job| name(job)).collect(),
        plan.notices.iter().map(|notice| notice.reason).collect(),
    )
}

#[test]
fn a_job_is_started_when_it_is_due() {
    let hourly = cron(json!({}));
    let early = plan(&hourly, &[], time("08:59:59"));
    assert_eq!((words(&early).0, early.again), (None, Some(time("09:00:00"))));
    let due = plan(&hourly, &[], time("09:00:01"));
    let minutes = time("09:00:00").as_second() / 60;
    let start = due.start.clone().unwrap();
    assert_eq!(name(&start.job), format!("c-{minutes}"));
    assert_eq!(start.job.metadata.labels.unwrap()["a"], "b");
    let annotations = start.job.metadata.annotations.unwrap();
    assert_eq!(
        annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"],
        "2026-11-20T09:00:00Z"
    );
    assert_eq!(due.again, Some(time("10:00:00")));
    let late = plan(&hourly, &[], time("12:30:00"));
    assert_eq!(
        late.start.unwrap().at,
        time("12:00:00"),
        "of those missed only the last is started"
    );
    assert_eq!(plan(&cron(json!({"suspend": true})), &[], time("12:30:00")).start, None);
    let strict = cron(json!({"startingDeadlineSeconds": 60}));
    assert_eq!(plan(&strict, &[], time("12:30:00")).start, None, "that is too late");
}

#[test]
fn what_was_started_is_not_started_again() {
    let mut hourly = cron(json!({}));
    let name = format!("c-{}", time("09:00:00").as_second() / 60);
    let jobs = [job(&name, "")];
    let lost = plan(&hourly, &jobs, time("09:00:05"));
    assert_eq!(lost.start, None, "the status was not written");
    assert_eq!(lost.status.active.as_ref().map(Vec::len), Some(1));
    assert_eq!(lost.status.last_schedule_time, Some(Time(time("09:00:00"))));
    hourly.status = Some(lost.status);
    let plan = plan(&hourly, &jobs, time("09:00:06"));
    assert_eq!(words(&plan), (None, vec![], vec![]));
}

#[test]
fn a_policy_says_what_becomes_of_a_job_that_still_runs() {
    let jobs = [job("old", "")];
    let with = |policy: &str| {
        let mut cron = cron(json!({"concurrencyPolicy": policy}));
        active(&mut cron, &["old"], "08:00:00");
        plan(&cron, &jobs, time("09:00:00"))
    };
    let new = format!("c-{}", time("09:00:00").as_second() / 60);
    assert_eq!(words(&with("Allow")), (Some(&*new), vec![], vec![]));
    assert_eq!(words(&with("Forbid")), (None, vec![], vec!["JobAlreadyActive"]));
    let replaced = with("Replace");
    assert_eq!(words(&replaced), (Some(&*new), vec!["old"], vec![]));
    assert_eq!(replaced.status.active, None);
}

#[test]
fn finished_jobs_are_noted_and_then_forgotten() {
    let mut hourly = cron(json!({}));
    active(&mut hourly, &["good2", "gone"], "09:00:00");
    let jobs = [job("bad1", "Failed"), job("good1", "Complete"), job("good2", "Complete")];
    let plan = plan(&hourly, &jobs, time("09:30:00"));
    assert_eq!(words(&plan), (None, vec!["good1"], vec!["SawCompletedJob", "MissingJob"]));
    assert_eq!(plan.status.active, None);
    assert_eq!(plan.status.last_successful_time, Some(Time(time("08:00:00"))));
}

#[test]
fn what_cannot_be_read_is_told_and_not_tried_again() {
    for (spec, reason) in [
        (json!({"schedule": "nonsense"}), "UnparseableSchedule"),
        (json!({"timeZone": "Mars/Olympus"}), "UnknownTimeZone"),
    ] {
        let plan = plan(&cron(spec), &[], time("12:00:00"));
        assert_eq!(words(&plan), (None, vec![], vec![reason]));
        assert_eq!(plan.again, None);
    }
}

#[test]
fn a_long_pause_is_told_and_ends_with_one_start() {
    let mut every = cron(json!({"schedule": "* * * * *"}));
    active(&mut every, &[], "00:00:00");
    let plan = plan(&every, &[], time("09:00:30"));
    assert_eq!(plan.start.as_ref().unwrap().at, time("09:00:00"));
    assert_eq!(words(&plan).2, ["TooManyMissedTimes"]);
}
