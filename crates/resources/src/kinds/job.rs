//! Jobs.

mod indexes;
mod status;
mod update;
pub(super) mod validation;

use jiff::Timestamp;
use serde_json::{Map, Value};
use wk_api::{Fault, FieldPath, LabelSelector, names, parse_time};

use super::{define, workload};
use crate::check::Faults;
use crate::definition::{Column, Definition, RequestContext, SelectableField};
use crate::look::{Look, default_to, map_mut};
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
        let selector = spec.entry("selector").or_insert_with(|| Value::Object(Map::new()));
        let chosen = map_mut(selector, "matchLabels");
        chosen.entry(UID_LABEL).or_insert_with(|| context.uid.as_str().into());
    }

    fn validate(&self, job: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &job["spec"];
        generated(job, faults);
        validation::spec(spec, &path, faults);
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
        let completions = spec.int("completions").filter(|count| *count > 0);
        if let Some(completions) = completions
            && spec.text("completionMode") == "Indexed"
        {
            let name = job["metadata"].text("name");
            let longest = format!("{name}-{}", completions - 1);
            if !names::dns1123_label(&longest).is_empty() {
                let detail =
                    format!("will not able to create pod with invalid DNS label: {longest}");
                faults.push(Fault::invalid(&root.child("metadata.name"), name, detail));
            }
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, update: Update, faults: &mut Faults) {
        if update == Update::Status {
            status::validate(new, old, faults);
        } else {
            update::validate(new, old, faults);
        }
    }

    fn warnings(&self, job: &Value, old: Option<&Value>) -> Vec<String> {
        let mut warnings = workload::warnings(job, old, true);
        if old.is_none() {
            warnings.extend(validation::warnings(&job["spec"], "spec"));
        }
        warnings
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

/// Checks the labels and the selector that a job gets unless it brings its own.
fn generated(job: &Value, faults: &mut Faults) {
    let spec = &job["spec"];
    if spec.is("manualSelector") || !spec.has("selector") {
        return;
    }
    let (uid, name) = (job["metadata"].text("uid"), job["metadata"].text("name"));
    let root = FieldPath::Root;
    let path = root.child("spec.template.metadata.labels");
    let labels = &spec["template"]["metadata"]["labels"];
    let expected =
        [(OLD_UID_LABEL, uid), (OLD_NAME_LABEL, name), (UID_LABEL, uid), (NAME_LABEL, name)];
    for (label, value) in expected {
        let detail = format!("must be '{value}'");
        if !labels.has(label) {
            faults.push(Fault::required(&path.key(label), detail));
        } else if labels.text(label) != value {
            faults.push(Fault::invalid(&path.key(label), labels.clone(), detail));
        }
    }
    let expected: Map<String, Value> =
        expected.into_iter().map(|(label, value)| (label.to_owned(), value.into())).collect();
    if let Ok(selector) = LabelSelector::from_json(&spec["selector"])
        && !selector.matches(&Value::Object(expected))
    {
        let detail = "`selector` not auto-generated";
        faults.push(Fault::invalid(&root.child("spec.selector"), spec["selector"].clone(), detail));
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
