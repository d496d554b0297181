//! Leases.

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath};

use super::define;
use crate::check::Faults;
use crate::definition::{Column, Definition};
use crate::look::Look;
use crate::metadata::non_negative;
use crate::rules::KindRules;
use crate::table;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("coordination.k8s.io", "v1", "Lease")
        .shows([Column::text("Holder", "The identity of the holder of a current lease.")])
        .rules(Leases)
}

#[derive(Debug)]
struct Leases;

impl KindRules for Leases {
    fn replaces_any_revision(&self) -> bool {
        false
    }

    fn default(&self, lease: &mut Value) {
        crate::look::map_mut(lease, "spec");
    }

    fn validate(&self, lease: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &lease["spec"];
        if let Some(seconds) = spec.int("leaseDurationSeconds").filter(|seconds| *seconds <= 0) {
            let path = path.child("leaseDurationSeconds");
            faults.push(Fault::invalid(&path, seconds, "must be greater than 0"));
        }
        non_negative(spec, "leaseTransitions", &path, faults);
        let strategy = spec.text("strategy");
        if !spec.lacks("preferredHolder") && strategy.is_empty() {
            let detail = "may only be specified when strategy is defined";
            faults.push(Fault::forbidden(&path.child("preferredHolder"), detail));
        }
    }

    fn row(&self, lease: &Value, now: Timestamp) -> Vec<Value> {
        let holder = lease["spec"].text("holderIdentity");
        vec![table::name(lease), holder.into(), table::age(lease, now)]
    }
}
