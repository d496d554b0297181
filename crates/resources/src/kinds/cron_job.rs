//! Cron jobs.

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath};

use super::{define, job, pod, workload};
use crate::check::{self, Faults};
use crate::definition::{Column, Definition};
use crate::look::Look;
use crate::metadata;
use crate::rules::{KindRules, Update};
use crate::table;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("batch", "v1", "CronJob")
        .short(&["cj"])
        .in_all()
        .generation()
        .columns(vec![
            Column::NAME,
            Column::text("Schedule", "The schedule in Cron format."),
            Column::text("Timezone", "The time zone name for the given schedule."),
            Column::flag("Suspend", "Whether subsequent executions are suspended."),
            Column::int("Active", "How many jobs are currently running."),
            Column::text("Last Schedule", "When the job was last scheduled."),
            Column::AGE,
            Column::text("Containers", "Names of each container in the template.").wide(),
            Column::text("Images", "Images referenced by each container in the template.").wide(),
            Column::text("Selector", "A label query over pods of the jobs.").wide(),
        ])
        .rules(CronJobs)
        .status()
}

#[derive(Debug)]
struct CronJobs;

/// The name of a cron job leaves room for what is added to make a job's name of it.
const NAME_MAX: usize = 52;

impl KindRules for CronJobs {
    fn validate(&self, cron_job: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &cron_job["spec"];
        let schedule = spec.text("schedule");
        let schedule_path = path.child("schedule");
        if schedule.is_empty() {
            faults.push(Fault::required(&schedule_path, ""));
        } else if let Err(detail) = check_schedule(schedule) {
            faults.push(Fault::invalid(&schedule_path, schedule, detail));
        }
        let policies = ["Allow", "Forbid", "Replace"];
        check::required_one_of(spec, "concurrencyPolicy", &policies, &path, faults);
        for field in
            ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"]
        {
            metadata::non_negative(spec, field, &path, faults);
        }
        let template = &spec["jobTemplate"];
        let path = path.child("jobTemplate.spec");
        job::validation::spec(&template["spec"], &path, faults);
        if template["spec"].has("selector") {
            let detail = "`selector` will be auto-generated";
            let value = template["spec"]["selector"].clone();
            faults.push(Fault::invalid(&path.child("selector"), value, detail));
        }
        if template["spec"].is("manualSelector") {
            let path = path.child("manualSelector");
            faults.push(Fault::not_supported(&path, true, &["nil", "false"]));
        }
    }

    fn validate_create(&self, cron_job: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        zones(&cron_job["spec"], None, faults);
        let name = cron_job["metadata"].text("name");
        if name.len() > NAME_MAX {
            let detail = format!("must be no more than {NAME_MAX} characters");
            faults.push(Fault::invalid(&root.child("metadata.name"), name, detail));
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, update: Update, faults: &mut Faults) {
        if update == Update::Whole {
            zones(&new["spec"], Some(&old["spec"]), faults);
        }
    }

    fn warnings(&self, cron_job: &Value, old: Option<&Value>) -> Vec<String> {
        let mut warnings = Vec::new();
        let spec = &cron_job["spec"];
        if old.is_none() {
            warnings.extend(pod::warnings::name(cron_job, "Pod names and hostnames"));
        }
        if workload::looks_at_template(cron_job, old) {
            let template = &spec["jobTemplate"]["spec"]["template"];
            let prefix = "spec.jobTemplate.spec.template.";
            warnings.extend(pod::warnings::of(&template["metadata"], &template["spec"], prefix));
        }
        if spec.text("schedule").contains("TZ") {
            warnings.push("cannot use TZ or CRON_TZ in schedule, use timeZone instead".to_owned());
        }
        warnings
    }

    fn row(&self, cron_job: &Value, now: Timestamp) -> Vec<Value> {
        let (spec, status) = (&cron_job["spec"], &cron_job["status"]);
        let template = &spec["jobTemplate"]["spec"];
        let (names, images) = table::containers(&template["template"]["spec"]);
        let last = match status.text("lastScheduleTime") {
            "" => "<none>".into(),
            time => table::since(time, now),
        };
        vec![
            table::name(cron_job),
            spec.text("schedule").into(),
            table::or_none(spec.text("timeZone")),
            if spec.is("suspend") { "True".into() } else { "False".into() },
            status.items("active").len().into(),
            last,
            table::age(cron_job, now),
            names,
            images,
            table::selector(template.get("selector")),
        ]
    }
}

/// Checks what a cron job says of time zones; one that was taken before is taken again.
fn zones(spec: &Value, old: Option<&Value>, faults: &mut Faults) {
    let root = FieldPath::Root;
    let path = root.child("spec");
    let schedule = spec.text("schedule");
    let allowed = old.is_some_and(|old| old.text("schedule").contains("TZ"));
    if schedule.contains("TZ") && (!allowed || spec.has("timeZone")) {
        let detail = if allowed {
            "cannot use both timeZone field and TZ or CRON_TZ in schedule"
        } else {
            "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        };
        faults.push(Fault::invalid(&path.child("schedule"), schedule, detail));
    }
    let unchanged = old.is_some_and(|old| old.get("timeZone") == spec.get("timeZone"));
    if !spec.has("timeZone") || unchanged {
        return;
    }
    let zone = spec.text("timeZone");
    let path = path.child("timeZone");
    if zone.is_empty() {
        let detail = "timeZone must be nil or non-empty string";
        faults.push(Fault::invalid(&path, zone, detail));
        return;
    }
    if zone.eq_ignore_ascii_case("Local") {
        let detail = "timeZone must be an explicit time zone as defined in \
                      https://www.iana.org/time-zones";
        faults.push(Fault::invalid(&path, zone, detail));
    }
    if zone != "Local" && jiff::tz::TimeZone::get(zone).is_err() {
        let detail = format!("unknown time zone {zone}");
        faults.push(Fault::invalid(&path, zone, detail));
    }
}

/// Checks a schedule: five fields, or a name such as `@daily`.
fn check_schedule(schedule: &str) -> Result<(), String> {
    let schedule = match schedule.split_once(' ') {
        Some((zone, rest)) if zone.starts_with("TZ=") || zone.starts_with("CRON_TZ=") => {
            rest.trim()
        }
        _ => schedule.trim(),
    };
    if let Some(name) = schedule.strip_prefix('@') {
        const NAMES: [&str; 7] =
            ["yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly"];
        if NAMES.contains(&name) || name.starts_with("every ") {
            return Ok(());
        }
        return Err(format!("unrecognized descriptor: @{name}"));
    }
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    if fields.len() != 5 {
        let shown: Vec<String> = fields.iter().map(ToString::to_string).collect();
        return Err(format!(
            "expected exactly 5 fields, found {}: [{}]",
            fields.len(),
            shown.join(" ")
        ));
    }
    let ranges = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
    let names: [&[&str]; 5] = [
        &[],
        &[],
        &[],
        &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
        &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    ];
    for ((field, (min, max)), names) in fields.iter().zip(ranges).zip(names) {
        for part in field.split(',') {
            check_part(part, min, max, names)?;
        }
    }
    Ok(())
}

fn check_part(part: &str, min: u32, max: u32, names: &[&str]) -> Result<(), String> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (part, None),
    };
    if let Some(step) = step
        && step.parse::<u32>().ok().is_none_or(|step| step == 0)
    {
        return Err(format!("step of range should be a positive number: {part}"));
    }
    if range == "*" || range == "?" {
        return Ok(());
    }
    let value = |text: &str| -> Result<u32, String> {
        let named = names.iter().position(|name| text.eq_ignore_ascii_case(name));
        if let Some(index) = named {
            return Ok(min + u32::try_from(index).unwrap_or(0));
        }
        text.parse().map_err(|_| format!("failed to parse int from {text}: invalid syntax"))
    };
    let (start, end) = match range.split_once('-') {
        Some((start, end)) => (value(start)?, value(end)?),
        None => (value(range)?, value(range)?),
    };
    if start < min {
        return Err(format!("beginning of range ({start}) below minimum ({min}): {part}"));
    }
    if end > max {
        return Err(format!("end of range ({end}) above maximum ({max}): {part}"));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {part}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_schedule;

    #[test]
    fn schedules_are_read_as_cron_reads_them() {
        for good in ["* * * * *", "*/5 0-3 1,15 jan-mar mon", "@daily", "TZ=UTC 0 0 * * *"] {
            assert_eq!(check_schedule(good), Ok(()), "{good}");
        }
        for bad in ["* * * *", "60 * * * *", "*/0 * * * *", "5-1 * * * *", "@never", "x * * * *"] {
            assert!(check_schedule(bad).is_err(), "{bad}");
        }
    }
}
