//! Pod disruption budgets.

use jiff::Timestamp;
use serde_json::{Value, json};
use wk_api::{Fault, FieldPath};

use super::{define, workload};
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, RequestContext};
use crate::look::Look;
use crate::metadata;
use crate::rules::{KindRules, Update};
use crate::table;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("policy", "v1", "PodDisruptionBudget")
        .short(&["pdb"])
        .generation()
        .shows([
            Column::text("Min Available", "The minimum number of pods that must be available."),
            Column::text("Max Unavailable", "The maximum number of pods that may be unavailable."),
            Column::int("Allowed Disruptions", "How many pods may be disrupted at this time."),
        ])
        .rules(Budgets)
        .status()
}

#[derive(Debug)]
struct Budgets;

impl KindRules for Budgets {
    fn replaces_any_revision(&self) -> bool {
        false
    }

    fn prepare_create(&self, budget: &mut Value, _context: &RequestContext<'_>) {
        budget["status"] = json!({
            "currentHealthy": 0,
            "desiredHealthy": 0,
            "disruptionsAllowed": 0,
            "expectedPods": 0,
        });
    }

    fn validate(&self, budget: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &budget["spec"];
        if spec.has("minAvailable") && spec.has("maxUnavailable") {
            let detail = "minAvailable and maxUnavailable cannot be both set";
            faults.push(Fault::invalid(&path, spec.clone(), detail));
        }
        workload::int_or_percent(spec, "minAvailable", &path, faults);
        workload::not_more_than_all(spec, "minAvailable", &path, faults);
        workload::int_or_percent(spec, "maxUnavailable", &path, faults);
        workload::not_more_than_all(spec, "maxUnavailable", &path, faults);
        let policies = ["AlwaysAllow", "IfHealthyBudget"];
        check::one_of(spec, "unhealthyPodEvictionPolicy", &policies, &path, faults);
    }

    fn validate_update(&self, new: &Value, _old: &Value, update: Update, faults: &mut Faults) {
        if update == Update::Status {
            let root = FieldPath::Root;
            let path = root.child("status");
            let conditions = new["status"].items("conditions");
            check::conditions(conditions, &path.child("conditions"), faults);
            let counts = ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"];
            for field in counts {
                metadata::non_negative(&new["status"], field, &path, faults);
            }
        }
    }

    fn row(&self, budget: &Value, now: Timestamp) -> Vec<Value> {
        let amount = |field: &str| match budget["spec"].get(field) {
            None => "N/A".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        vec![
            table::name(budget),
            amount("minAvailable").into(),
            amount("maxUnavailable").into(),
            table::int(&budget["status"], "disruptionsAllowed"),
            table::age(budget, now),
        ]
    }
}
