//! Daemon sets.

use jiff::Timestamp;
use serde_json::{Value, json};
use wk_api::{Fault, FieldPath};

use super::{define, workload};
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, RequestContext};
use crate::look::{Look, map_mut};
use crate::rules::{KindRules, Update};
use crate::table;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("apps", "v1", "DaemonSet")
        .short(&["ds"])
        .in_all()
        .generation()
        .columns(vec![
            Column::NAME,
            Column::int("Desired", "The number of nodes that should run the daemon pod."),
            Column::int("Current", "The number of nodes that run at least one daemon pod."),
            Column::int("Ready", "The number of nodes with a ready daemon pod."),
            Column::int("Up-to-date", "The number of nodes with an updated daemon pod."),
            Column::int("Available", "The number of nodes with an available daemon pod."),
            Column::text("Node Selector", "What nodes must have for the daemon pod to fit."),
            Column::AGE,
            Column::text("Containers", "Names of each container in the template.").wide(),
            Column::text("Images", "Images referenced by each container in the template.").wide(),
            Column::text("Selector", "A label query over pods that are managed.").wide(),
        ])
        .rules(DaemonSets)
        .status()
}

/// The annotation that counts the templates that a set has had, as an older field did.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

fn count_templates(set: &mut Value, generation: i64) {
    map_mut(set, "metadata");
    let annotations = map_mut(&mut set["metadata"], "annotations");
    annotations.insert(TEMPLATE_GENERATION.to_owned(), generation.to_string().into());
}

#[derive(Debug)]
struct DaemonSets;

impl KindRules for DaemonSets {
    fn prepare_create(&self, set: &mut Value, _context: &RequestContext<'_>) {
        let given = set["metadata"]["annotations"].text(TEMPLATE_GENERATION).parse::<i64>();
        count_templates(set, given.unwrap_or(1).max(1));
        // These counts are written also when they are zero.
        set["status"] = json!({
            "currentNumberScheduled": 0,
            "desiredNumberScheduled": 0,
            "numberMisscheduled": 0,
            "numberReady": 0,
        });
    }

    fn validate(&self, set: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &set["spec"];
        workload::selector(spec, "daemonset", &path, faults);
        workload::always_restarted(spec, &path, "DaemonSet", faults);
        workload::counts(spec, &["minReadySeconds", "revisionHistoryLimit"], &path, faults);
        let strategy = &spec["updateStrategy"];
        let path = path.child("updateStrategy");
        check::required_one_of(strategy, "type", &["RollingUpdate", "OnDelete"], &path, faults);
        let rolling = &strategy["rollingUpdate"];
        let path = path.child("rollingUpdate");
        workload::int_or_percent(rolling, "maxUnavailable", &path, faults);
        workload::int_or_percent(rolling, "maxSurge", &path, faults);
        workload::not_more_than_all(rolling, "maxUnavailable", &path, faults);
        workload::not_more_than_all(rolling, "maxSurge", &path, faults);
        if strategy.text("type") != "RollingUpdate" {
            return;
        }
        let none = |field: &str| workload::is_none(rolling.get(field));
        let value = || rolling.get("maxSurge").cloned().unwrap_or_default();
        if none("maxUnavailable") && none("maxSurge") {
            let detail = "cannot be 0 when maxSurge is 0";
            faults.push(Fault::required(&path.child("maxUnavailable"), detail));
        } else if !none("maxUnavailable") && !none("maxSurge") {
            let detail = "may not be set when maxUnavailable is non-zero";
            faults.push(Fault::invalid(&path.child("maxSurge"), value(), detail));
        }
    }

    fn prepare_update(&self, new: &mut Value, old: &Value, _update: Update) {
        // A write of the status changes no template, and loses no count.
        let changed = new["spec"]["template"] != old["spec"]["template"];
        let before = old["metadata"]["annotations"].text(TEMPLATE_GENERATION);
        let generation = before.parse::<i64>().unwrap_or(1).saturating_add(changed.into());
        count_templates(new, generation);
    }

    fn validate_update(&self, new: &Value, old: &Value, update: Update, faults: &mut Faults) {
        if update != Update::Status {
            workload::same_selector(new, old, faults);
            return;
        }
        let counts = [
            "currentNumberScheduled",
            "numberMisscheduled",
            "desiredNumberScheduled",
            "numberReady",
            "observedGeneration",
            "updatedNumberScheduled",
            "numberAvailable",
            "numberUnavailable",
            "collisionCount",
        ];
        workload::status_counts(&new["status"], &counts, &[], faults);
        workload::collisions(new, old, faults);
    }

    fn warnings(&self, set: &Value, old: Option<&Value>) -> Vec<String> {
        workload::warnings(set, old, false)
    }

    fn row(&self, set: &Value, now: Timestamp) -> Vec<Value> {
        let (spec, status) = (&set["spec"], &set["status"]);
        let template = &spec["template"]["spec"];
        let (names, images) = table::containers(template);
        vec![
            table::name(set),
            table::int(status, "desiredNumberScheduled"),
            table::int(status, "currentNumberScheduled"),
            table::int(status, "numberReady"),
            table::int(status, "updatedNumberScheduled"),
            table::int(status, "numberAvailable"),
            table::labels(template.get("nodeSelector")),
            table::age(set, now),
            names,
            images,
            table::selector(spec.get("selector")),
        ]
    }
}
