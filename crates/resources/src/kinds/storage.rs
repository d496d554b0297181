//! The kinds of `storage.k8s.io`.

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::define;
use crate::check::{self, Faults};
use crate::definition::{Column, Definition};
use crate::look::{Look, default_to};
use crate::metadata;
use crate::rules::{KindRules, Update};
use crate::table;

const GROUP: &str = "storage.k8s.io";

/// The definitions of the group's kinds.
pub(super) fn definitions() -> Vec<Definition> {
    vec![
        define(GROUP, "v1", "StorageClass")
            .short(&["sc"])
            .shows([
                Column::text("Provisioner", "The type of the provisioner."),
                Column::text("ReclaimPolicy", "What happens to released volumes."),
                Column::text("VolumeBindingMode", "When volumes are bound."),
                Column::flag("AllowVolumeExpansion", "Whether volumes can grow."),
            ])
            .rules(Classes),
    ]
}

const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

#[derive(Debug)]
struct Classes;

impl KindRules for Classes {
    fn default(&self, class: &mut Value) {
        let Value::Object(class) = class else { return };
        default_to(class, "reclaimPolicy", "Delete");
        default_to(class, "volumeBindingMode", "Immediate");
    }

    fn validate(&self, class: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        provisioner(class, "provisioner", &root, faults);
        parameters(class, &root, faults);
        check::one_of(class, "reclaimPolicy", &["Delete", "Retain"], &root, faults);
        let modes = ["Immediate", "WaitForFirstConsumer"];
        check::required_one_of(class, "volumeBindingMode", &modes, &root, faults);
        topologies(class, &root, faults);
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        let root = FieldPath::Root;
        for field in ["parameters", "provisioner", "reclaimPolicy"] {
            if new.get(field) != old.get(field) {
                let detail = format!("updates to {field} are forbidden.");
                faults.push(Fault::forbidden(&root.child(field), detail));
            }
        }
        metadata::immutable(new, old, "volumeBindingMode", &root, faults);
    }

    fn row(&self, class: &Value, now: Timestamp) -> Vec<Value> {
        let mut name = class["metadata"].text("name").to_owned();
        if class["metadata"]["annotations"].text(DEFAULT_CLASS) == "true" {
            name.push_str(" (default)");
        }
        vec![
            name.into(),
            class.text("provisioner").into(),
            class.text("reclaimPolicy").into(),
            class.text("volumeBindingMode").into(),
            class.is("allowVolumeExpansion").into(),
            table::age(class, now),
        ]
    }
}

/// The most parameters of a class, and bytes of them.
const MAX_PARAMETERS: usize = 512;
const MAX_PARAMETER_BYTES: usize = 256 << 10;

/// Checks who makes volumes of a class.
pub(super) fn provisioner(class: &Value, field: &str, root: &FieldPath<'_>, faults: &mut Faults) {
    let rule = |name: &str| names::qualified_name(&name.to_lowercase());
    check::required_text(class, field, rule, root, faults);
}

/// Checks what the driver of a class is told.
pub(super) fn parameters(class: &Value, root: &FieldPath<'_>, faults: &mut Faults) {
    let path = root.child("parameters");
    let parameters: Vec<_> = class.entries("parameters").collect();
    if parameters.len() > MAX_PARAMETERS {
        faults.push(Fault::too_long(&path, MAX_PARAMETERS));
        return;
    }
    if parameters.iter().any(|(key, _)| key.is_empty()) {
        faults.push(Fault::invalid(&path, "", "field can not be empty."));
    }
    let bytes: usize =
        parameters.iter().map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
    if bytes > MAX_PARAMETER_BYTES {
        faults.push(Fault::too_long(&path, MAX_PARAMETER_BYTES));
    }
}

fn topologies(class: &Value, root: &FieldPath<'_>, faults: &mut Faults) {
    let list = root.child("allowedTopologies");
    let all = class.items("allowedTopologies");
    for (index, topology) in all.iter().enumerate() {
        let path = list.index(index);
        let expressions = path.child("matchLabelExpressions");
        if all[..index].contains(topology) {
            faults.push(Fault::duplicate(&expressions, ""));
        }
        let items = topology.items("matchLabelExpressions");
        for (index, expression) in items.iter().enumerate() {
            let path = expressions.index(index);
            let key = expression.text("key");
            check::invalid(&path.child("key"), key, names::qualified_name(key), faults);
            if items[..index].iter().any(|other| other.text("key") == key) {
                faults.push(Fault::duplicate(&path.child("key"), key));
            }
            let list = path.child("values");
            let values = expression.items("values");
            if values.is_empty() {
                faults.push(Fault::required(&list, ""));
            }
            for (index, value) in values.iter().enumerate() {
                if values[..index].contains(value) {
                    faults.push(Fault::duplicate(&list.index(index), value.clone()));
                }
            }
        }
    }
}
