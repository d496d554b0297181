//! Which changes of a job's status make sense; a status that does not change is not looked at again.

use std::collections::BTreeSet;

use serde_json::Value;
use wk_api::{Fault, FieldPath, parse_time};

use super::indexes;
use crate::check::{self, Faults};
use crate::kinds::workload;
use crate::look::Look;

/// Whether a condition holds.
fn holds(job: &Value, kind: &str) -> bool {
    job["status"]
        .items("conditions")
        .iter()
        .any(|condition| condition.text("type") == kind && condition.text("status") == "True")
}

fn is_finished(job: &Value) -> bool {
    holds(job, "Complete") || holds(job, "Failed")
}

/// A job as it was and as it is to be.
struct Change<'a> {
    new: &'a Value,
    old: &'a Value,
}

impl Change<'_> {
    /// Whether a field of the status changes.
    fn of(&self, field: &str) -> bool {
        self.new["status"].get(field) != self.old["status"].get(field)
    }

    /// Whether a condition begins or ceases to hold.
    fn of_condition(&self, kind: &str) -> bool {
        holds(self.new, kind) != holds(self.old, kind)
    }

    fn of_finish(&self) -> bool {
        is_finished(self.new) != is_finished(self.old)
    }
}

/// Checks a change of the status.
pub(super) fn validate(new: &Value, old: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let path = root.child("status");
    let counts = ["active", "succeeded", "failed", "ready", "terminating"];
    workload::counts(&new["status"], &counts, &path, faults);
    uncounted(&new["status"]["uncountedTerminatedPods"], &path, faults);
    let change = Change { new, old };
    conditions(&change, &path.child("conditions"), faults);
    times(&change, &path, faults);
    finish(&change, &path, faults);
    index_sets(&change, &path, faults);
    transitions(&change, &path, faults);
}

fn uncounted(pods: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let path = path.child("uncountedTerminatedPods");
    let mut seen = BTreeSet::new();
    for field in ["succeeded", "failed"] {
        let list = path.child(field);
        for (index, uid) in pods.items(field).iter().enumerate() {
            let uid = uid.as_str().unwrap_or_default();
            if uid.is_empty() {
                faults.push(Fault::invalid(&list.index(index), uid, "must not be empty"));
            } else if !seen.insert(uid) {
                faults.push(Fault::duplicate(&list.index(index), uid));
            }
        }
    }
}

fn conditions(change: &Change<'_>, path: &FieldPath<'_>, faults: &mut Faults) {
    let new = change.new;
    let (complete, failed) = (holds(new, "Complete"), holds(new, "Failed"));
    let (target, met) = (holds(new, "FailureTarget"), holds(new, "SuccessCriteriaMet"));
    let completes = change.of_condition("Complete");
    let rows = [
        (
            complete && failed && (completes || change.of_condition("Failed")),
            "cannot set Complete=True and Failed=true conditions",
        ),
        (
            complete && target && (completes || change.of_condition("FailureTarget")),
            "cannot set Complete=True and FailureTarget=true conditions",
        ),
        (
            failed && !target && change.of_condition("Failed"),
            "cannot set Failed=True condition without the FailureTarget=true condition",
        ),
        (
            complete && !met && completes,
            "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
        ),
        (met && failed, "cannot set SuccessCriteriaMet=True and Failed=true conditions"),
        (met && target, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
    ];
    for (_, detail) in rows.iter().filter(|(wrong, _)| *wrong) {
        check::unshown(path, *detail, faults);
    }
}

fn times(change: &Change<'_>, path: &FieldPath<'_>, faults: &mut Faults) {
    let (status, complete) = (&change.new["status"], holds(change.new, "Complete"));
    let own = path.child("completionTime");
    let (start, end) = (status.text("startTime"), status.text("completionTime"));
    let moved = change.of("completionTime");
    if change.of_condition("Complete") || moved {
        if !end.is_empty() && !complete {
            let detail = "cannot set completionTime when there is no Complete=True condition";
            faults.push(Fault::invalid(&own, end, detail));
        }
        if end.is_empty() && complete {
            let detail = "completionTime is required for Complete jobs";
            faults.push(Fault::required(&own, detail));
        }
    }
    if (moved || change.of("startTime"))
        && let (Some(start), Some(until)) = (parse_time(start), parse_time(end))
        && until < start
    {
        let detail = "completionTime cannot be set before startTime";
        faults.push(Fault::invalid(&own, end, detail));
    }
}

fn finish(change: &Change<'_>, path: &FieldPath<'_>, faults: &mut Faults) {
    let status = &change.new["status"];
    let finishes = change.of_finish();
    if is_finished(change.new) {
        let active = status.int("active").unwrap_or(0);
        if active > 0 && (finishes || change.of("active")) {
            let detail = "active>0 is invalid for finished job";
            faults.push(Fault::invalid(&path.child("active"), active, detail));
        }
        if status.lacks("startTime") && (finishes || change.of("startTime")) {
            let detail = "startTime is required for finished job";
            faults.push(Fault::required(&path.child("startTime"), detail));
        }
        let pods = &status["uncountedTerminatedPods"];
        let left = !pods.lacks("failed") || !pods.lacks("succeeded");
        if left && (finishes || change.of("uncountedTerminatedPods")) {
            let detail = "uncountedTerminatedPods needs to be empty for finished job";
            let path = path.child("uncountedTerminatedPods");
            faults.push(Fault::invalid(&path, pods.clone(), detail));
        }
        let terminating = status.int("terminating").unwrap_or(0);
        if terminating > 0 && (finishes || change.of("terminating")) {
            let detail = "terminating>0 is invalid for finished job";
            faults.push(Fault::invalid(&path.child("terminating"), terminating, detail));
        }
    }
    let ready = status.int("ready").unwrap_or(0);
    let more = ready > status.int("active").unwrap_or(0);
    if more && (change.of("ready") || change.of("active")) {
        let detail = "cannot set more ready pods than active";
        faults.push(Fault::invalid(&path.child("ready"), ready, detail));
    }
}

fn index_sets(change: &Change<'_>, path: &FieldPath<'_>, faults: &mut Faults) {
    let (status, spec) = (&change.new["status"], &change.new["spec"]);
    let (completed, failed) = (status.text("completedIndexes"), status.text("failedIndexes"));
    let limited = spec.has("backoffLimitPerIndex");
    let (completed_changes, failed_changes) =
        (change.of("completedIndexes"), change.of("failedIndexes"));
    if let Some(completions) = spec.int("completions") {
        let readable = |text: &str, field: &str, faults: &mut Faults| {
            if let Err(error) = indexes::parse(text, completions) {
                let detail = format!("error parsing {field}: {error}");
                faults.push(Fault::invalid(&path.child(field), text, detail));
            }
        };
        if completed_changes {
            readable(completed, "completedIndexes", faults);
        }
        if failed_changes && limited {
            readable(failed, "failedIndexes", faults);
        }
    }
    if completed_changes && !completed.is_empty() && spec.text("completionMode") != "Indexed" {
        let detail = "cannot set non-empty completedIndexes when non-indexed completion mode";
        faults.push(Fault::invalid(&path.child("completedIndexes"), completed, detail));
    }
    if failed_changes && status.has("failedIndexes") && !limited {
        let detail = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
        faults.push(Fault::invalid(&path.child("failedIndexes"), failed, detail));
    }
    if (completed_changes || failed_changes)
        && let Some(completions) = spec.int("completions")
        && let Some(index) = indexes::common(completed, failed, completions)
    {
        let detail = format!("failedIndexes and completedIndexes overlap at index: {index}");
        faults.push(Fault::invalid(&path.child("failedIndexes"), failed, detail));
    }
}

fn transitions(change: &Change<'_>, path: &FieldPath<'_>, faults: &mut Faults) {
    let (new, old) = (change.new, change.old);
    let conditions = path.child("conditions");
    for kind in ["Failed", "Complete", "FailureTarget"] {
        if holds(old, kind) && !holds(new, kind) {
            let detail = format!("cannot disable the terminal {kind}=True condition");
            check::unshown(&conditions, detail, faults);
        }
    }
    let (after, before, spec) = (&new["status"], &old["status"], &new["spec"]);
    // An indexed job whose parallelism is its size can be made smaller.
    let elastic = spec.text("completionMode") == "Indexed"
        && spec.get("completions") == spec.get("parallelism");
    for field in ["failed", "succeeded"] {
        let count = |status: &Value| status.int(field).unwrap_or(0);
        if count(after) < count(before) && (field == "failed" || !elastic) {
            let detail = format!("cannot decrease the {field} counter");
            faults.push(Fault::invalid(&path.child(field), count(after), detail));
        }
    }
    let field = "completionTime";
    if !after.lacks(field) && !before.lacks(field) && change.of(field) {
        let detail = "completionTime cannot be mutated";
        faults.push(Fault::invalid(&path.child(field), after.text(field), detail));
    }
    if !before.lacks("startTime") && change.of("startTime") && !spec.is("suspend") {
        let detail = "startTime cannot be removed for unsuspended job";
        faults.push(Fault::required(&path.child("startTime"), detail));
    }
    let met = "SuccessCriteriaMet";
    if holds(old, met) && !holds(new, met) {
        check::unshown(&conditions, "cannot disable the SuccessCriteriaMet=True condition", faults);
    }
    if holds(old, "Complete") && !holds(old, met) && holds(new, met) {
        let detail =
            "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions";
        check::unshown(&conditions, detail, faults);
    }
}
