//! Jobs.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use wk_api::{Fault, FieldPath, LabelSelector, parse_time};

use super::{define, workload};
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, RequestContext, SelectableField};
use crate::look::{Look, default_to, map_mut};
use crate::metadata;
use crate::rules::{KindRules, Update};
use crate::table;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("batch", "v1", "Job")
        .in_all()
        .generation()
        .columns(vec![
            Column::NAME,
            Column::text("Status", "Status of the job."),
            Column::text("Completions", "How many pods have finished successfully."),
            Column::text("Duration", "Time required to complete the job."),
            Column::AGE,
            Column::text("Containers", "Names of each container in the template.").wide(),
            Column::text("Images", "Images referenced by each container in the template.").wide(),
            Column::text("Selector", "A label query over pods of this job.").wide(),
        ])
        .selectable(vec![SelectableField::alias("status.successful", "status.succeeded").or("0")])
        .rules(Jobs)
        .status()
}

const OLD_UID_LABEL: &str = "controller-uid";
const UID_LABEL: &str = "batch.kubernetes.io/controller-uid";
const OLD_NAME_LABEL: &str = "job-name";
const NAME_LABEL: &str = "batch.kubernetes.io/job-name";

#[derive(Debug)]
struct Jobs;

impl KindRules for Jobs {
    fn default(&self, job: &mut Value) {
        let spec = map_mut(job, "spec");
        if !spec.has("completions") && !spec.has("parallelism") {
            spec.insert("completions".to_owned(), 1.into());
        }
        spec.entry("parallelism").or_insert_with(|| 1.into());
        let per_index = spec.has("backoffLimitPerIndex");
        let limit = if per_index { i32::MAX } else { 6 };
        spec.entry("backoffLimit").or_insert_with(|| limit.into());
        default_to(spec, "completionMode", "NonIndexed");
        spec.entry("suspend").or_insert_with(|| false.into());
        spec.entry("manualSelector").or_insert_with(|| false.into());
        let policy = if spec.has("podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
        default_to(spec, "podReplacementPolicy", policy);
    }

    fn prepare_create(&self, job: &mut Value, context: &RequestContext<'_>) {
        if job["spec"].is("manualSelector") {
            return;
        }
        let name = job["metadata"].text("name").to_owned();
        let spec = map_mut(job, "spec");
        let template = spec.entry("template").or_insert_with(|| Value::Object(Map::new()));
        map_mut(template, "metadata");
        let labels = map_mut(&mut template["metadata"], "labels");
        for (label, value) in [
            (OLD_UID_LABEL, context.uid.as_str()),
            (UID_LABEL, context.uid.as_str()),
            (OLD_NAME_LABEL, name.as_str()),
            (NAME_LABEL, name.as_str()),
        ] {
            labels.entry(label).or_insert_with(|| value.into());
        }
        if spec.lacks("selector") {
            let mut chosen = Map::new();
            chosen.insert(UID_LABEL.to_owned(), context.uid.as_str().into());
            spec.insert("selector".to_owned(), json!({"matchLabels": chosen}));
        }
    }

    fn validate(&self, job: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        validate_spec(&job["spec"], &path, faults);
        let spec = &job["spec"];
        if !spec.has("selector") {
            faults.push(Fault::required(&path.child("selector"), ""));
        } else if let Ok(selector) = LabelSelector::from_json(&spec["selector"]) {
            let labels = &spec["template"]["metadata"]["labels"];
            if !selector.matches(labels) {
                let detail = "`selector` does not match template `labels`";
                let path = path.child("template.metadata.labels");
                faults.push(Fault::invalid(&path, labels.clone(), detail));
            }
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, update: Update, faults: &mut Faults) {
        if update == Update::Status {
            return;
        }
        let root = FieldPath::Root;
        let path = root.child("spec");
        let (new_spec, old_spec) = (&new["spec"], &old["spec"]);
        for field in [
            "completionMode",
            "podFailurePolicy",
            "backoffLimitPerIndex",
            "managedBy",
            "successPolicy",
            "selector",
        ] {
            metadata::immutable(new_spec, old_spec, field, &path, faults);
        }
        let elastic = new_spec.text("completionMode") == "Indexed"
            && new_spec.get("completions") == new_spec.get("parallelism");
        if !elastic {
            metadata::immutable(new_spec, old_spec, "completions", &path, faults);
        }
        // Before it runs, or while it is held, where its pods go may still change.
        let may_move = old_spec.is("suspend") && !old["status"].has("startTime");
        let mut template = new_spec["template"].clone();
        if may_move {
            let kept = &old_spec["template"];
            for field in ["nodeSelector", "tolerations", "schedulingGates", "affinity"] {
                if let Some(spec) = template.get_mut("spec") {
                    crate::look::keep(spec, &kept["spec"], field);
                }
            }
            if let Some(metadata) = template.get_mut("metadata") {
                for field in ["labels", "annotations"] {
                    crate::look::keep(metadata, &kept["metadata"], field);
                }
            }
        }
        if template != old_spec["template"] {
            let value = new_spec["template"].clone();
            let detail = "field is immutable";
            faults.push(Fault::invalid(&path.child("template"), value, detail));
        }
    }

    fn warnings(&self, job: &Value) -> Vec<String> {
        workload::warnings(job)
    }

    fn row(&self, job: &Value, now: Timestamp) -> Vec<Value> {
        let (spec, status) = (&job["spec"], &job["status"]);
        let (names, images) = table::containers(&spec["template"]["spec"]);
        vec![
            table::name(job),
            state(job).into(),
            completions(job).into(),
            duration(status, now).into(),
            table::age(job, now),
            names,
            images,
            table::selector(spec.get("selector")),
        ]
    }
}

/// Checks the specification of a job, in jobs and in the templates of cron jobs.
pub(super) fn validate_spec(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let counts = [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ];
    workload::counts(spec, &counts, path, faults);
    check::one_of(spec, "completionMode", &["NonIndexed", "Indexed"], path, faults);
    if spec.text("completionMode") == "Indexed" {
        if !spec.has("completions") {
            let detail = "when completion mode is Indexed";
            faults.push(Fault::required(&path.child("completions"), detail));
        }
        if let Some(parallelism) = spec.int("parallelism").filter(|count| *count > 100_000) {
            let detail = "must be less than or equal to 100000 when completion mode is Indexed";
            faults.push(Fault::invalid(&path.child("parallelism"), parallelism, detail));
        }
    } else if spec.has("backoffLimitPerIndex") {
        let detail = "requires indexed completion mode";
        let value = spec["backoffLimitPerIndex"].clone();
        faults.push(Fault::invalid(&path.child("backoffLimitPerIndex"), value, detail));
    }
    let policy = spec["template"]["spec"].text("restartPolicy");
    if policy == "Always" {
        let path = path.child("template.spec.restartPolicy");
        // It is what a template gets that names none.
        let detail = "valid values: \"OnFailure\", \"Never\"";
        faults.push(Fault::required(&path, detail));
    }
    if spec.has("podFailurePolicy") && policy != "Never" {
        let detail = "only \"Never\" is supported when podFailurePolicy is specified";
        let path = path.child("template.spec.restartPolicy");
        faults.push(Fault::invalid(&path, policy, detail));
    }
}

fn state(job: &Value) -> &'static str {
    let status = &job["status"];
    let has = |kind: &str| {
        status
            .items("conditions")
            .iter()
            .any(|c| c.text("type") == kind && c.text("status") == "True")
    };
    if has("Complete") {
        "Complete"
    } else if has("Failed") {
        "Failed"
    } else if job["metadata"].has("deletionTimestamp") {
        "Terminating"
    } else if has("Suspended") {
        "Suspended"
    } else if has("FailureTarget") {
        "FailureTarget"
    } else if has("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

fn completions(job: &Value) -> String {
    let (spec, status) = (&job["spec"], &job["status"]);
    let done = status.int("succeeded").unwrap_or(0);
    match (spec.int("completions"), spec.int("parallelism").unwrap_or(0)) {
        (Some(wanted), _) => format!("{done}/{wanted}"),
        (None, parallelism) if parallelism > 1 => format!("{done}/1 of {parallelism}"),
        (None, _) => format!("{done}/1"),
    }
}

fn duration(status: &Value, now: Timestamp) -> String {
    let Some(started) = parse_time(status.text("startTime")) else { return String::new() };
    let ended = parse_time(status.text("completionTime")).unwrap_or(now);
    wk_api::time::human_duration(ended.as_second() - started.as_second())
}
