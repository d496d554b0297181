//! Namespaces.

use jiff::Timestamp;
use serde_json::{Value, json};
use wk_api::{Fault, FieldPath, names, well_known};

use super::define;
use crate::check::Faults;
use crate::definition::{Column, Definition, RequestContext, SelectableField};
use crate::look::{Look, keep, map_mut};
use crate::metadata::{self, mark_deleted};
use crate::rules::{DeleteRequest, Deletion, KindRules, Update};
use crate::table;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    const NO_COLLECTION: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];
    define("", "v1", "Namespace")
        .short(&["ns"])
        .verbs(NO_COLLECTION)
        .shows([Column::text("Status", "The status of the namespace")])
        .selectable(vec![
            SelectableField::new("status.phase"),
            SelectableField::alias("name", "metadata.name"),
        ])
        .rules(Namespaces)
        .part("finalize", &["update"])
        .status()
}

#[derive(Debug)]
struct Namespaces;

impl Namespaces {
    fn label(namespace: &mut Value) {
        let name = namespace["metadata"].text("name").to_owned();
        if !name.is_empty() {
            let labels = map_mut(&mut namespace["metadata"], "labels");
            labels.insert(well_known::NAMESPACE_NAME_LABEL.to_owned(), name.into());
        }
    }
}

impl KindRules for Namespaces {
    fn name(&self, name: &str) -> Vec<String> {
        names::dns1123_label(name)
    }

    fn default(&self, namespace: &mut Value) {
        map_mut(namespace, "metadata");
        map_mut(namespace, "spec");
        let status = map_mut(namespace, "status");
        if status.lacks("phase") {
            status.insert("phase".to_owned(), "Active".into());
        }
        Self::label(namespace);
    }

    fn prepare_create(&self, namespace: &mut Value, _context: &RequestContext<'_>) {
        namespace["status"] = json!({"phase": "Active"});
        let spec = map_mut(namespace, "spec");
        let finalizers = spec.entry("finalizers").or_insert_with(|| json!([]));
        if let Value::Array(finalizers) = finalizers
            && !finalizers.iter().any(|f| f == well_known::KUBERNETES_FINALIZER)
        {
            finalizers.push(well_known::KUBERNETES_FINALIZER.into());
        }
        // Only now a generated name is known.
        Self::label(namespace);
    }

    fn validate(&self, namespace: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        for finalizer in namespace["spec"].items("finalizers") {
            let name = finalizer.as_str().unwrap_or_default();
            metadata::finalizer_name(name, &root.child("spec.finalizers"), faults);
        }
    }

    fn prepare_update(&self, new: &mut Value, old: &Value, update: Update) {
        if update == Update::Whole {
            keep(new, old, "spec");
        }
    }

    fn validate_update(&self, new: &Value, _old: &Value, update: Update, faults: &mut Faults) {
        if update != Update::Status {
            return;
        }
        let root = FieldPath::Root;
        let path = root.child("status.Phase");
        let phase = new["status"].text("phase");
        let deleted = new["metadata"].has("deletionTimestamp");
        if !deleted && phase != "Active" {
            let detail = "may only be 'Active' if `deletionTimestamp` is empty";
            faults.push(Fault::invalid(&path, phase, detail));
        } else if deleted && phase != "Terminating" {
            let detail = "may only be 'Terminating' if `deletionTimestamp` is not empty";
            faults.push(Fault::invalid(&path, phase, detail));
        }
    }

    fn delete(&self, namespace: &mut Value, request: &DeleteRequest) -> Deletion {
        if !namespace["metadata"].has("deletionTimestamp") {
            mark_deleted(namespace, request.now, 0);
            map_mut(namespace, "metadata").remove("deletionGracePeriodSeconds");
            map_mut(namespace, "status").insert("phase".to_owned(), "Terminating".into());
            return Deletion::Marked;
        }
        if namespace["spec"].lacks("finalizers") { Deletion::Now } else { Deletion::Pending }
    }

    fn row(&self, namespace: &Value, now: Timestamp) -> Vec<Value> {
        let phase = namespace["status"].text("phase");
        vec![table::name(namespace), phase.into(), table::age(namespace, now)]
    }
}
