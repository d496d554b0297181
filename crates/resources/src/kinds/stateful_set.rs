//! Stateful sets.

use jiff::Timestamp;
use serde_json::{Value, json};
use wk_api::{Fault, FieldPath, names};

use super::{define, pod, workload};
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, RequestContext};
use crate::look::{Look, keep};
use crate::metadata;
use crate::rules::{KindRules, Update};
use crate::table;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("apps", "v1", "StatefulSet")
        .short(&["sts"])
        .in_all()
        .generation()
        .columns(vec![
            Column::NAME,
            Column::text("Ready", "Number of the pod with ready state"),
            Column::AGE,
            Column::text("Containers", "Names of each container in the template.").wide(),
            Column::text("Images", "Images referenced by each container in the template.").wide(),
        ])
        .rules(StatefulSets)
        .scale()
        .status()
}

#[derive(Debug)]
struct StatefulSets;

/// What may change in the specification.
const UPDATABLE: [&str; 8] = [
    "minReadySeconds",
    "ordinals",
    "persistentVolumeClaimRetentionPolicy",
    "podManagementPolicy",
    "replicas",
    "revisionHistoryLimit",
    "template",
    "updateStrategy",
];

impl KindRules for StatefulSets {
    fn name(&self, name: &str) -> Vec<String> {
        // Its pods carry the name as a host name.
        names::dns1123_label(name)
    }

    fn prepare_create(&self, set: &mut Value, _context: &RequestContext<'_>) {
        set["status"] = json!({"availableReplicas": 0, "replicas": 0});
    }

    fn validate(&self, set: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &set["spec"];
        let policies = ["OrderedReady", "Parallel"];
        let policy = spec.text("podManagementPolicy");
        if policy.is_empty() {
            faults.push(Fault::required(&path.child("podManagementPolicy"), ""));
        } else if !policies.contains(&policy) {
            let detail = "must be 'OrderedReady' or 'Parallel'";
            faults.push(Fault::invalid(&path.child("podManagementPolicy"), policy, detail));
        }
        update_strategy(&spec["updateStrategy"], &path.child("updateStrategy"), faults);
        let retention = &spec["persistentVolumeClaimRetentionPolicy"];
        let retention_path = path.child("persistentVolumeClaimRetentionPolicy");
        for field in ["whenDeleted", "whenScaled"] {
            check::one_of(retention, field, &["Retain", "Delete"], &retention_path, faults);
        }
        let counts = ["replicas", "minReadySeconds", "revisionHistoryLimit"];
        workload::counts(spec, &counts, &path, faults);
        metadata::non_negative(&spec["ordinals"], "start", &path.child("ordinals"), faults);
        workload::selector(spec, "statefulset", &path, faults);
        workload::always_restarted(spec, &path, "StatefulSet", faults);
        check::text(spec, "serviceName", names::dns1123_subdomain, &path, faults);
    }

    fn validate_update(&self, new: &Value, old: &Value, update: Update, faults: &mut Faults) {
        if update == Update::Status {
            let counts = [
                "replicas",
                "readyReplicas",
                "currentReplicas",
                "updatedReplicas",
                "availableReplicas",
                "observedGeneration",
                "collisionCount",
            ];
            let parts =
                ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"];
            workload::status_counts(&new["status"], &counts, &parts, faults);
            workload::collisions(new, old, faults);
            return;
        }
        let mut allowed = new["spec"].clone();
        for field in UPDATABLE {
            keep(&mut allowed, &old["spec"], field);
        }
        if allowed != old["spec"] {
            let root = FieldPath::Root;
            let detail = "updates to statefulset spec for fields other than 'replicas', \
                          'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', \
                          'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are \
                          forbidden";
            faults.push(Fault::forbidden(&root.child("spec"), detail));
        }
        metadata::immutable(
            &new["spec"],
            &old["spec"],
            "podManagementPolicy",
            &FieldPath::Root.child("spec"),
            faults,
        );
    }

    fn warnings(&self, set: &Value, old: Option<&Value>) -> Vec<String> {
        let mut warnings = workload::warnings(set, old, false);
        if workload::looks_at_template(set, old) {
            for (index, claim) in set["spec"].items("volumeClaimTemplates").iter().enumerate() {
                let path = format!("spec.volumeClaimTemplates[{index}]");
                warnings.extend(pod::warnings::claim(&claim["spec"], &path));
            }
        }
        warnings
    }

    fn row(&self, set: &Value, now: Timestamp) -> Vec<Value> {
        let (spec, status) = (&set["spec"], &set["status"]);
        let (names, images) = table::containers(&spec["template"]["spec"]);
        let ready = status.int("readyReplicas").unwrap_or(0);
        vec![
            table::name(set),
            format!("{ready}/{}", spec.int("replicas").unwrap_or(0)).into(),
            table::age(set, now),
            names,
            images,
        ]
    }
}

fn update_strategy(strategy: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    match strategy.text("type") {
        "" => faults.push(Fault::required(path, "")),
        "OnDelete" => {
            if strategy.has("rollingUpdate") {
                let detail = "only allowed for updateStrategy 'RollingUpdate'";
                let value = strategy["rollingUpdate"].clone();
                faults.push(Fault::invalid(&path.child("rollingUpdate"), value, detail));
            }
        }
        "RollingUpdate" => {
            let rolling = &strategy["rollingUpdate"];
            let path = path.child("rollingUpdate");
            metadata::non_negative(rolling, "partition", &path, faults);
            workload::int_or_percent(rolling, "maxUnavailable", &path, faults);
            if rolling.has("maxUnavailable") && workload::is_none(rolling.get("maxUnavailable")) {
                let value = rolling["maxUnavailable"].clone();
                faults.push(Fault::invalid(&path.child("maxUnavailable"), value, "cannot be 0"));
            }
            workload::not_more_than_all(rolling, "maxUnavailable", &path, faults);
        }
        _ => {
            let detail = "must be 'RollingUpdate' or 'OnDelete'";
            faults.push(Fault::invalid(path, strategy.clone(), detail));
        }
    }
}
