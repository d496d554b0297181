//! Replica sets.

use jiff::Timestamp;
use serde_json::Value;
use wk_api::FieldPath;

use super::{define, workload};
use crate::check::Faults;
use crate::definition::{Column, Definition, SelectableField};
use crate::rules::{KindRules, Update};
use crate::table;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("apps", "v1", "ReplicaSet")
        .short(&["rs"])
        .in_all()
        .generation()
        .columns(columns())
        .selectable(vec![SelectableField::new("status.replicas").or("0")])
        .rules(ReplicaSets)
        .scale()
        .status()
}

/// The columns of replica sets and of replication controllers.
pub(super) fn columns() -> Vec<Column> {
    vec![
        Column::NAME,
        Column::int("Desired", "The number of desired pods."),
        Column::int("Current", "The most recently observed number of pods."),
        Column::int("Ready", "The number of pods that are ready."),
        Column::AGE,
        Column::text("Containers", "Names of each container in the template.").wide(),
        Column::text("Images", "Images referenced by each container in the template.").wide(),
        Column::text("Selector", "A label query over pods that should match the count.").wide(),
    ]
}

/// The counts in the status, and those of them that are parts of `replicas`.
pub(super) const STATUS_COUNTS: [&str; 6] = [
    "replicas",
    "fullyLabeledReplicas",
    "readyReplicas",
    "availableReplicas",
    "terminatingReplicas",
    "observedGeneration",
];
pub(super) const STATUS_PARTS: [&str; 3] =
    ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"];

#[derive(Debug)]
struct ReplicaSets;

impl KindRules for ReplicaSets {
    fn validate(&self, set: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &set["spec"];
        workload::counts(spec, &["replicas", "minReadySeconds"], &path, faults);
        workload::selector(spec, "deployment", &path, faults);
        workload::always_restarted(spec, &path, "ReplicaSet", faults);
    }

    fn validate_update(&self, new: &Value, old: &Value, update: Update, faults: &mut Faults) {
        if update == Update::Status {
            workload::status_counts(&new["status"], &STATUS_COUNTS, &STATUS_PARTS, faults);
        } else {
            workload::same_selector(new, old, faults);
        }
    }

    fn warnings(&self, set: &Value, old: Option<&Value>) -> Vec<String> {
        workload::warnings(set, old, true)
    }

    fn row(&self, set: &Value, now: Timestamp) -> Vec<Value> {
        let (spec, status) = (&set["spec"], &set["status"]);
        let (names, images) = table::containers(&spec["template"]["spec"]);
        vec![
            table::name(set),
            table::int(spec, "replicas"),
            table::int(status, "replicas"),
            table::int(status, "readyReplicas"),
            table::age(set, now),
            names,
            images,
            table::selector(spec.get("selector")),
        ]
    }

    fn prepare_create(&self, set: &mut Value, _context: &crate::RequestContext<'_>) {
        // The count is written also when it is zero.
        set["status"]["replicas"] = 0.into();
    }
}
