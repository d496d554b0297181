//! Which Jobs a `CronJob` starts, ends and forgets.

mod schedule;

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, CronJobStatus, Job};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use crate::job::KIND as JOB;
use crate::meta::OwnerKind;
use schedule::Schedule;

pub(super) const KIND: OwnerKind = OwnerKind { api_version: "batch/v1", kind: "CronJob" };
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";
/// More missed starts than this are told of: the clock or the deadline is wrong.
const MANY: usize = 100;

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) is_warning: bool,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// A Job to start.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Start {
    pub(super) at: Timestamp,
    pub(super) job: Job,
}

/// What a `CronJob` does next.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) notices: Vec<Notice>,
    /// Jobs that a new one replaces.
    pub(super) replace: Vec<Arc<Job>>,
    pub(super) start: Option<Start>,
    pub(super) status: CronJobStatus,
    /// Jobs beyond the history, to be deleted once the status is written, which tells of them.
    pub(super) forget: Vec<Arc<Job>>,
    /// When to look again.
    pub(super) again: Option<Timestamp>,
}

/// Plans what `cron` does; `jobs` are those that it manages.
///
/// Spec: <https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/>
pub(super) fn plan(cron: &CronJob, jobs: &[Arc<Job>], now: Timestamp) -> Plan {
    let mut plan = Plan { status: cron.status.clone().unwrap_or_default(), ..Plan::default() };
    let spec = &cron.spec;
    plan.forget_oldest(spec, jobs);
    plan.observe(jobs);
    if cron.metadata.deletion_timestamp.is_none() && spec.suspend != Some(true) {
        plan.schedule(cron, spec, jobs, now);
    }
    plan.status.active = plan.status.active.filter(|active| !active.is_empty());
    plan
}

/// `Complete` or `Failed`, once it is one of them.
fn end(job: &Job) -> Option<&str> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let is_end = |kind: &str| matches!(kind, "Complete" | "Failed");
    let one = conditions.iter().find(|one| is_end(&one.type_) && one.status == "True")?;
    Some(&one.type_)
}

fn name(job: &Job) -> &str {
    job.metadata.name.as_deref().unwrap_or_default()
}

fn is_job(reference: &ObjectReference, job: &Job) -> bool {
    reference.uid == job.metadata.uid
}

impl Plan {
    fn tell(&mut self, is_warning: bool, reason: &'static str, message: String) {
        self.notices.push(Notice { is_warning, reason, message });
    }

    /// Gives up the oldest finished Jobs beyond the limits.
    fn forget_oldest(&mut self, spec: &CronJobSpec, jobs: &[Arc<Job>]) {
        let limits = [
            ("Complete", spec.successful_jobs_history_limit),
            ("Failed", spec.failed_jobs_history_limit),
        ];
        for (kind, limit) in limits {
            let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else { continue };
            let mut ended: Vec<_> = jobs.iter().filter(|job| end(job) == Some(kind)).collect();
            ended.sort_by_key(|job| {
                let start = job.status.as_ref().and_then(|status| status.start_time.clone());
                (start.map(|time| time.0), name(job).to_owned())
            });
            let surplus = ended.len().saturating_sub(limit);
            self.forget.extend(ended.into_iter().take(surplus).cloned());
        }
    }

    /// Brings the list of active Jobs up to date.
    fn observe(&mut self, jobs: &[Arc<Job>]) {
        let mut active = self.status.active.take().unwrap_or_default();
        for job in jobs {
            let place = active.iter().position(|one| is_job(one, job));
            match (place, end(job)) {
                (None, None) => {
                    let who = name(job);
                    let text =
                        format!("Saw a job that the controller did not create or forgot: {who}");
                    self.tell(true, "UnexpectedJob", text);
                }
                (Some(place), Some(kind)) => {
                    active.remove(place);
                    let text = format!("Saw completed job: {}, condition: {kind}", name(job));
                    self.tell(false, "SawCompletedJob", text);
                }
                (None, Some(_)) | (Some(_), None) => {}
            }
            let done = job.status.as_ref().and_then(|status| status.completion_time.clone());
            let is_news = |done: &Time| {
                self.status.last_successful_time.as_ref().is_none_or(|last| done.0 > last.0)
            };
            if let Some(done) = done.filter(|done| end(job) == Some("Complete") && is_news(done)) {
                self.status.last_successful_time = Some(done);
            }
        }
        let (here, gone): (Vec<_>, Vec<_>) =
            active.into_iter().partition(|one| jobs.iter().any(|job| is_job(one, job)));
        for one in gone {
            let text = format!("Active job went missing: {}", one.name.unwrap_or_default());
            self.tell(false, "MissingJob", text);
        }
        self.status.active = Some(here);
    }

    fn schedule(&mut self, cron: &CronJob, spec: &CronJobSpec, jobs: &[Arc<Job>], now: Timestamp) {
        let zone = match &spec.time_zone {
            None => TimeZone::UTC,
            Some(name) => match TimeZone::get(name) {
                Ok(zone) => zone,
                Err(error) => {
                    let text = format!("invalid timeZone: \"{name}\": {error}");
                    return self.tell(true, "UnknownTimeZone", text);
                }
            },
        };
        let schedule = match Schedule::parse(&spec.schedule) {
            Ok(schedule) => schedule,
            Err(error) => {
                let text = format!("unparseable schedule: \"{}\" : {error}", spec.schedule);
                return self.tell(true, "UnparseableSchedule", text);
            }
        };
        let last = self.status.last_schedule_time.as_ref().map(|time| time.0);
        let created = cron.metadata.creation_timestamp.as_ref().map_or(now, |time| time.0);
        let deadline = spec.starting_deadline_seconds.map(SignedDuration::from_secs);
        let since = last.unwrap_or(created);
        // What is too late to be started is not even looked at.
        let since = deadline
            .and_then(|deadline| now.checked_sub(deadline).ok())
            .map_or(since, |first| first.max(since));
        let (due, missed) = latest(&schedule, &zone, since, now);
        if missed > MANY {
            let text = "too many missed start times. Set or decrease \
                        .spec.startingDeadlineSeconds or check clock skew";
            self.tell(true, "TooManyMissedTimes", text.to_owned());
        }
        // An interval counts from the last start.
        let from = if matches!(schedule, Schedule::Every(_)) { due.unwrap_or(since) } else { now };
        self.again = schedule.next(from, &zone);
        if let Some(due) = due {
            self.start(cron, spec, jobs, due, &zone);
        }
    }

    fn start(
        &mut self,
        cron: &CronJob,
        spec: &CronJobSpec,
        jobs: &[Arc<Job>],
        due: Timestamp,
        zone: &TimeZone,
    ) {
        let job = new_job(cron, spec, due, zone);
        // It was started, and the status was not written after that.
        if let Some(started) = jobs.iter().find(|one| name(one) == name(&job)) {
            if end(started).is_none() {
                self.activate(started, due);
            } else {
                self.status.last_schedule_time = Some(Time(due));
            }
            return;
        }
        let active = self.status.active.get_or_insert_default();
        match spec.concurrency_policy.as_deref() {
            Some("Forbid") if !active.is_empty() => {
                let text = "Not starting job because prior execution is running and concurrency \
                            policy is Forbid";
                self.tell(false, "JobAlreadyActive", text.to_owned());
                return;
            }
            Some("Replace") => {
                let old = std::mem::take(active);
                let is_old = |job: &&Arc<Job>| old.iter().any(|one| is_job(one, job));
                self.replace.extend(jobs.iter().filter(is_old).cloned());
            }
            Some(_) | None => {}
        }
        self.start = Some(Start { at: due, job });
    }

    /// Notes that a Job was started for a time.
    pub(super) fn activate(&mut self, job: &Job, due: Timestamp) {
        let reference = JOB.event_reference(&job.metadata);
        let active = self.status.active.get_or_insert_default();
        if !active.iter().any(|one| is_job(one, job)) {
            active.push(reference);
        }
        self.status.last_schedule_time = Some(Time(due));
    }
}

/// The latest due time after `since` and not after `now`, and how many there are.
fn latest(
    schedule: &Schedule,
    zone: &TimeZone,
    since: Timestamp,
    now: Timestamp,
) -> (Option<Timestamp>, usize) {
    let mut from = since;
    if let (Schedule::Every(seconds), true) = (schedule, now > since) {
        let rounds = (now.as_second() - since.as_second()) / seconds;
        let last = since.checked_add(SignedDuration::from_secs(rounds.saturating_mul(*seconds)));
        let count = usize::try_from(rounds).unwrap_or(0);
        return (last.ok().filter(|_| rounds > 0), count);
    }
    let (mut due, mut count) = (None, 0);
    while let Some(next) = schedule.next(from, zone).filter(|next| *next <= now) {
        due = Some(next);
        count += 1;
        from = next;
        // After a long pause only the end of it matters, and all that is told is "many".
        if count == MANY + 1 {
            let day_before = now.checked_sub(SignedDuration::from_hours(24 * 7)).unwrap_or(next);
            from = from.max(day_before);
        }
        if count > 7 * 24 * 60 + MANY + 1 {
            break;
        }
    }
    (due, count)
}

fn new_job(cron: &CronJob, spec: &CronJobSpec, due: Timestamp, zone: &TimeZone) -> Job {
    let template = spec.job_template.clone();
    let from = template.metadata.unwrap_or_default();
    let mut annotations = from.annotations.unwrap_or_default();
    let shown = due.to_zoned(zone.clone());
    let shown = if *zone == TimeZone::UTC {
        wk_api::rfc3339(due)
    } else {
        shown.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    };
    annotations.insert(SCHEDULED.to_owned(), shown);
    let name = cron.metadata.name.as_deref().unwrap_or_default();
    Job {
        metadata: ObjectMeta {
            name: Some(format!("{name}-{}", due.as_second() / 60)),
            namespace: cron.metadata.namespace.clone(),
            labels: from.labels,
            annotations: Some(annotations),
            owner_references: Some(vec![KIND.controls(&cron.metadata)]),
            ..ObjectMeta::default()
        },
        spec: template.spec,
        status: None,
    }
}

#[cfg(test)]
mod tests;
