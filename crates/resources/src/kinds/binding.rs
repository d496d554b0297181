//! Bindings: what a scheduler sends to put a pod on a node. They are never stored.

use serde_json::Value;
use wk_api::{Fault, FieldPath};

use super::define;
use crate::check::Faults;
use crate::definition::Definition;
use crate::look::Look;
use crate::rules::KindRules;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("", "v1", "Binding").verbs(&["create"]).rules(Bindings)
}

#[derive(Debug)]
struct Bindings;

impl KindRules for Bindings {
    fn validate(&self, binding: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("target");
        let target = &binding["target"];
        let kind = target.text("kind");
        if !matches!(kind, "" | "Node") {
            faults.push(Fault::not_supported(&path.child("kind"), kind, &["Node", "<empty>"]));
        }
        if target.lacks("name") {
            faults.push(Fault::required(&path.child("name"), ""));
        }
    }
}
