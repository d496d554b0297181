//! The kinds of `storage.k8s.io`.

use jiff::Timestamp;
use serde_json::{Value, json};
use wk_api::{FieldPath, names};

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
        define(GROUP, "v1", "CSIDriver")
            .columns(vec![
                Column::NAME,
                Column::flag("AttachRequired", "Whether volumes must be attached."),
                Column::flag("PodInfoOnMount", "Whether the driver wants to know of the pod."),
                Column::flag("StorageCapacity", "Whether scheduling looks at capacities."),
                Column::text("TokenRequests", "The tokens that the driver needs."),
                Column::flag("RequiresRepublish", "Whether mounts are refreshed."),
                Column::text("Modes", "The life cycles that volumes may have."),
                Column::AGE,
            ])
            .rules(Drivers),
        define(GROUP, "v1", "CSINode")
            .columns(vec![
                Column::NAME,
                Column::int("Drivers", "The number of drivers on the node."),
                Column::AGE,
            ])
            .rules(DriverNodes),
        define(GROUP, "v1", "CSIStorageCapacity"),
        define(GROUP, "v1", "StorageClass")
            .short(&["sc"])
            .columns(vec![
                Column::NAME,
                Column::text("Provisioner", "The type of the provisioner."),
                Column::text("ReclaimPolicy", "What happens to released volumes."),
                Column::text("VolumeBindingMode", "When volumes are bound."),
                Column::flag("AllowVolumeExpansion", "Whether volumes can grow."),
                Column::AGE,
            ])
            .rules(Classes),
        define(GROUP, "v1", "VolumeAttachment").status(),
        define(GROUP, "v1", "VolumeAttributesClass").short(&["vac"]),
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
        check::required_text(class, "provisioner", names::qualified_name, &root, faults);
        check::one_of(class, "reclaimPolicy", &["Delete", "Retain"], &root, faults);
        let modes = ["Immediate", "WaitForFirstConsumer"];
        check::required_one_of(class, "volumeBindingMode", &modes, &root, faults);
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        for field in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
            metadata::immutable(new, old, field, &FieldPath::Root, faults);
        }
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

#[derive(Debug)]
struct Drivers;

impl KindRules for Drivers {
    fn default(&self, driver: &mut Value) {
        let spec = crate::look::map_mut(driver, "spec");
        for (field, value) in [
            ("attachRequired", json!(true)),
            ("podInfoOnMount", json!(false)),
            ("storageCapacity", json!(false)),
            ("requiresRepublish", json!(false)),
            ("seLinuxMount", json!(false)),
            ("fsGroupPolicy", json!("ReadWriteOnceWithFSType")),
            ("volumeLifecycleModes", json!(["Persistent"])),
        ] {
            spec.entry(field).or_insert(value);
        }
    }

    fn row(&self, driver: &Value, now: Timestamp) -> Vec<Value> {
        let spec = &driver["spec"];
        let joined = |texts: Vec<&str>| {
            if texts.is_empty() { "<unset>".to_owned() } else { texts.join(",") }
        };
        let tokens = spec.items("tokenRequests").iter().map(|t| t.text("audience")).collect();
        let modes = spec.items("volumeLifecycleModes").iter().filter_map(Value::as_str).collect();
        vec![
            table::name(driver),
            spec.is("attachRequired").into(),
            spec.is("podInfoOnMount").into(),
            spec.is("storageCapacity").into(),
            joined(tokens).into(),
            spec.is("requiresRepublish").into(),
            joined(modes).into(),
            table::age(driver, now),
        ]
    }
}

#[derive(Debug)]
struct DriverNodes;

impl KindRules for DriverNodes {
    fn row(&self, node: &Value, now: Timestamp) -> Vec<Value> {
        let drivers = node["spec"].items("drivers").len();
        vec![table::name(node), drivers.into(), table::age(node, now)]
    }
}
