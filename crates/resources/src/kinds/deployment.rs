//! Deployments.

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath};

use super::{define, workload};
use crate::check::Faults;
use crate::definition::{Column, Definition, keep_metadata_of_status, no_metadata_of_status};
use crate::look::Look;
use crate::rules::{KindRules, Update};
use crate::table;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("apps", "v1", "Deployment")
        .short(&["deploy"])
        .in_all()
        .generation()
        .columns(vec![
            Column::NAME,
            Column::text("Ready", "Number of the pod with ready state"),
            Column::text("Up-to-date", "Pods that have the desired template spec."),
            Column::text("Available", "Pods ready for at least minReadySeconds."),
            Column::AGE,
            Column::text("Containers", "Names of each container in the template.").wide(),
            Column::text("Images", "Images referenced by each container in the template.").wide(),
            Column::text("Selector", "Label selector for pods.").wide(),
        ])
        .rules(Deployments)
        .scale()
        .status()
}

#[derive(Debug)]
struct Deployments;

impl KindRules for Deployments {
    fn status_metadata(&self, kept: &mut Value, sent: &Value) {
        let fields = ["annotations", "finalizers", "ownerReferences"];
        keep_metadata_of_status(kept, sent, &fields);
        no_metadata_of_status(kept, sent);
    }

    fn validate(&self, deployment: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &deployment["spec"];
        workload::counts(spec, &["replicas"], &path, faults);
        workload::selector(spec, "deployment", &path, faults);
        workload::always_restarted(spec, &path, "ReplicaSet", faults);
        strategy(&spec["strategy"], &path.child("strategy"), faults);
        let counts = ["minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"];
        workload::counts(spec, &counts, &path, faults);
        if let Some(deadline) = spec.int("progressDeadlineSeconds")
            && deadline <= spec.int("minReadySeconds").unwrap_or(0)
        {
            let detail = "must be greater than minReadySeconds";
            let path = path.child("progressDeadlineSeconds");
            faults.push(Fault::invalid(&path, deadline, detail));
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, update: Update, faults: &mut Faults) {
        if update != Update::Status {
            workload::same_selector(new, old, faults);
            return;
        }
        let counts = [
            "observedGeneration",
            "replicas",
            "updatedReplicas",
            "readyReplicas",
            "availableReplicas",
            "unavailableReplicas",
            "terminatingReplicas",
            "collisionCount",
        ];
        let parts = ["updatedReplicas", "readyReplicas", "availableReplicas"];
        workload::status_counts(&new["status"], &counts, &parts, faults);
        workload::collisions(new, old, faults);
    }

    fn wants_changed(&self, new: &Value, old: &Value) -> bool {
        new.get("spec") != old.get("spec")
            || new["metadata"].get("annotations") != old["metadata"].get("annotations")
    }

    fn warnings(&self, deployment: &Value, old: Option<&Value>) -> Vec<String> {
        workload::warnings(deployment, old, true)
    }

    fn row(&self, deployment: &Value, now: Timestamp) -> Vec<Value> {
        let (spec, status) = (&deployment["spec"], &deployment["status"]);
        let (names, images) = table::containers(&spec["template"]["spec"]);
        let ready = status.int("readyReplicas").unwrap_or(0);
        vec![
            table::name(deployment),
            format!("{ready}/{}", spec.int("replicas").unwrap_or(0)).into(),
            table::int(status, "updatedReplicas"),
            table::int(status, "availableReplicas"),
            table::age(deployment, now),
            names,
            images,
            table::selector(spec.get("selector")),
        ]
    }
}

fn strategy(strategy: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let kinds = ["Recreate", "RollingUpdate"];
    if !kinds.contains(&strategy.text("type")) {
        faults.push(Fault::not_supported(path, strategy.clone(), &kinds));
        return;
    }
    let rolling = &strategy["rollingUpdate"];
    let path = path.child("rollingUpdate");
    if strategy.text("type") == "Recreate" {
        if strategy.has("rollingUpdate") {
            let detail = "may not be specified when strategy `type` is 'Recreate'";
            faults.push(Fault::forbidden(&path, detail));
        }
        return;
    }
    workload::int_or_percent(rolling, "maxUnavailable", &path, faults);
    workload::int_or_percent(rolling, "maxSurge", &path, faults);
    let none = |field: &str| workload::is_none(rolling.get(field));
    if rolling.is_object() && none("maxUnavailable") && none("maxSurge") {
        let detail = "may not be 0 when `maxSurge` is 0";
        let value = rolling["maxUnavailable"].clone();
        faults.push(Fault::invalid(&path.child("maxUnavailable"), value, detail));
    }
    workload::not_more_than_all(rolling, "maxUnavailable", &path, faults);
}
