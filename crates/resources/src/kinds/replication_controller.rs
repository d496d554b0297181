//! Replication controllers: the ancestors of replica sets.

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath};

use super::{define, replica_set, workload};
use crate::check::Faults;
use crate::definition::{Definition, RequestContext, SelectableField};
use crate::look::{Look, map_mut};
use crate::rules::{KindRules, Update};
use crate::table;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("", "v1", "ReplicationController")
        .short(&["rc"])
        .in_all()
        .generation()
        .columns(replica_set::columns())
        .selectable(vec![SelectableField::new("status.replicas").or("0")])
        .rules(ReplicationControllers)
        .scale()
        .status()
}

#[derive(Debug)]
struct ReplicationControllers;

impl KindRules for ReplicationControllers {
    fn default(&self, controller: &mut Value) {
        let labels = controller["spec"]["template"]["metadata"].get("labels").cloned();
        let spec = map_mut(controller, "spec");
        spec.entry("replicas").or_insert_with(|| 1.into());
        let Some(labels) = labels else { return };
        if spec.lacks("selector") {
            spec.insert("selector".to_owned(), labels.clone());
        }
        let metadata = map_mut(controller, "metadata");
        if metadata.lacks("labels") {
            metadata.insert("labels".to_owned(), labels);
        }
    }

    fn prepare_create(&self, controller: &mut Value, _context: &RequestContext<'_>) {
        controller["status"]["replicas"] = 0.into();
    }

    fn validate(&self, controller: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &controller["spec"];
        workload::counts(spec, &["minReadySeconds"], &path, faults);
        if spec.lacks("selector") {
            faults.push(Fault::required(&path.child("selector"), ""));
        }
        workload::counts(spec, &["replicas"], &path, faults);
        if !spec.has("template") {
            faults.push(Fault::required(&path.child("template"), ""));
            return;
        }
        let labels = &spec["template"]["metadata"]["labels"];
        if spec.entries("selector").any(|(key, value)| labels.get(key) != Some(value)) {
            let detail = "`selector` does not match template `labels`";
            let path = path.child("template.metadata.labels");
            faults.push(Fault::invalid(&path, labels.clone(), detail));
        }
        workload::always_restarted(spec, &path, "ReplicationController", faults);
    }

    fn validate_update(&self, new: &Value, _old: &Value, update: Update, faults: &mut Faults) {
        if update == Update::Status {
            let (counts, parts) = (&replica_set::STATUS_COUNTS, &replica_set::STATUS_PARTS);
            workload::status_counts(&new["status"], counts, parts, faults);
        }
    }

    fn warnings(&self, controller: &Value, old: Option<&Value>) -> Vec<String> {
        workload::warnings(controller, old, true)
    }

    fn row(&self, controller: &Value, now: Timestamp) -> Vec<Value> {
        let (spec, status) = (&controller["spec"], &controller["status"]);
        let (names, images) = table::containers(&spec["template"]["spec"]);
        vec![
            table::name(controller),
            table::int(spec, "replicas"),
            table::int(status, "replicas"),
            table::int(status, "readyReplicas"),
            table::age(controller, now),
            names,
            images,
            table::labels(spec.get("selector")),
        ]
    }
}
