//! What storage drivers say of themselves, and what is attached where: the kinds of
//! `storage.k8s.io` but for classes of volumes.

use jiff::Timestamp;
use serde_json::{Value, json};
use wk_api::{Fault, FieldPath, names};

use super::{define, storage};
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, no_metadata_of_status};
use crate::look::Look;
use crate::metadata;
use crate::rules::{KindRules, Update};
use crate::table;
use crate::types::volume;

const GROUP: &str = "storage.k8s.io";
const NODE_ID_MAX: usize = 192;

/// The definitions of these kinds.
pub(super) fn definitions() -> Vec<Definition> {
    vec![
        define(GROUP, "v1", "CSIDriver")
            .shows([
                Column::flag("AttachRequired", "Whether volumes must be attached."),
                Column::flag("PodInfoOnMount", "Whether the driver wants to know of the pod."),
                Column::flag("StorageCapacity", "Whether scheduling looks at capacities."),
                Column::text("TokenRequests", "The tokens that the driver needs."),
                Column::flag("RequiresRepublish", "Whether mounts are refreshed."),
                Column::text("Modes", "The life cycles that volumes may have."),
            ])
            .rules(Drivers),
        define(GROUP, "v1", "CSINode")
            .shows([Column::int("Drivers", "The number of drivers on the node.")])
            .rules(DriverNodes),
        define(GROUP, "v1", "CSIStorageCapacity")
            .columns(vec![
                Column::NAME,
                Column::text("StorageClassName", "The class whose volumes could be made."),
                Column::text("Capacity", "How much can be made."),
            ])
            .rules(Capacities),
        define(GROUP, "v1", "VolumeAttachment")
            .shows([
                Column::text("Attacher", "The driver that attaches."),
                Column::text("PV", "The volume."),
                Column::text("Node", "The node that it is attached to."),
                Column::flag("Attached", "Whether it is attached."),
            ])
            .rules(Attachments)
            .status(),
        define(GROUP, "v1", "VolumeAttributesClass")
            .short(&["vac"])
            .shows([Column::text("DriverName", "The driver of the volumes.")])
            .rules(AttributesClasses),
    ]
}

/// Checks the name of a driver in a field.
fn driver_name(object: &Value, field: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    volume::outside::driver_name(object.text(field), &path.child(field), faults);
}

#[derive(Debug)]
struct Drivers;

impl KindRules for Drivers {
    fn replaces_any_revision(&self) -> bool {
        false
    }

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

    fn validate(&self, driver: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &driver["spec"];
        let policies = ["File", "None", "ReadWriteOnceWithFSType"];
        check::one_of(spec, "fsGroupPolicy", &policies, &path, faults);
        let list = path.child("tokenRequests");
        let requests = spec.items("tokenRequests");
        for (index, request) in requests.iter().enumerate() {
            let path = list.index(index);
            let audience = request.text("audience");
            if requests[..index].iter().any(|other| other.text("audience") == audience) {
                faults.push(Fault::duplicate(&path.child("audience"), audience));
                continue;
            }
            if let Some(seconds) = request.int("expirationSeconds") {
                let path = path.child("expirationSeconds");
                if seconds < 600 {
                    let detail = "may not specify a duration less than 10 minutes";
                    faults.push(Fault::invalid(&path, seconds, detail));
                } else if seconds > 1 << 32 {
                    let detail = "may not specify a duration larger than 2^32 seconds";
                    faults.push(Fault::invalid(&path, seconds, detail));
                }
            }
        }
        let list = path.child("volumeLifecycleModes");
        for mode in spec.items("volumeLifecycleModes") {
            let supported = ["Persistent", "Ephemeral"];
            let mode = mode.as_str().unwrap_or_default();
            if !supported.contains(&mode) {
                faults.push(Fault::not_supported(&list, mode, &supported));
            }
        }
        let period = "nodeAllocatableUpdatePeriodSeconds";
        if let Some(seconds) = spec.int(period).filter(|seconds| *seconds < 10) {
            let detail = "must be greater than or equal to 10 seconds";
            faults.push(Fault::invalid(&path.child(period), seconds, detail));
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let (new, old) = (&new["spec"], &old["spec"]);
        if new.get("attachRequired") != old.get("attachRequired") {
            // Kubernetes calls the field otherwise than it is called.
            let value = new.get("attachRequired").cloned().unwrap_or_default();
            let path = path.child("attachedRequired");
            faults.push(Fault::invalid(&path, value, "field is immutable"));
        }
        metadata::immutable(new, old, "volumeLifecycleModes", &path, faults);
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
    fn replaces_any_revision(&self) -> bool {
        false
    }

    fn validate(&self, node: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let list = root.child("spec.drivers");
        let all = node["spec"].items("drivers");
        for (index, driver) in all.iter().enumerate() {
            let path = list.index(index);
            driver_name(driver, "name", &path, faults);
            let name = driver.text("name");
            let id = driver.text("nodeID");
            if id.is_empty() {
                faults.push(Fault::required(&path.child("nodeID"), ""));
            } else if id.len() > NODE_ID_MAX {
                let detail = format!("must be {NODE_ID_MAX} characters or less");
                faults.push(Fault::invalid(&path.child("nodeID"), id, detail));
            }
            let allocatable = path.child("allocatable");
            metadata::non_negative(&driver["allocatable"], "count", &allocatable, faults);
            if all[..index].iter().any(|other| other.text("name") == name) {
                faults.push(Fault::duplicate(&path.child("name"), name));
            }
            let keys = &path;
            let topology = driver.items("topologyKeys");
            for (index, key) in topology.iter().enumerate() {
                let text = key.as_str().unwrap_or_default();
                if text.is_empty() {
                    faults.push(Fault::required(keys, ""));
                }
                if topology[..index].contains(key) {
                    faults.push(Fault::duplicate(keys, text));
                }
                check::invalid(keys, text, names::qualified_name(text), faults);
            }
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        let root = FieldPath::Root;
        let list = root.child("spec.drivers");
        for driver in new["spec"].items("drivers") {
            let known = old["spec"].items("drivers").iter();
            let mut known = known.filter(|other| other.text("name") == driver.text("name"));
            // How many volumes fit may be found out later; all else of a driver stays.
            if known.next().is_some_and(|other| {
                ["nodeID", "topologyKeys"].iter().any(|field| driver.get(field) != other.get(field))
            }) {
                let detail = "field is immutable";
                faults.push(Fault::invalid(&list, driver.clone(), detail));
            }
        }
    }

    fn row(&self, node: &Value, now: Timestamp) -> Vec<Value> {
        let drivers = node["spec"].items("drivers").len();
        vec![table::name(node), drivers.into(), table::age(node, now)]
    }
}

#[derive(Debug)]
struct Capacities;

impl KindRules for Capacities {
    fn replaces_any_revision(&self) -> bool {
        false
    }

    fn validate(&self, capacity: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let class = capacity.text("storageClassName");
        let messages = names::dns1123_subdomain(class);
        check::invalid(&root.child("storageClassName"), class, messages, faults);
        if let Some(amount) = check::quantity(capacity, "capacity").filter(|a| a.is_negative()) {
            let detail = "must be greater than or equal to 0";
            faults.push(Fault::invalid(&root.child("capacity"), amount.to_string(), detail));
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        for field in ["nodeTopology", "storageClassName"] {
            metadata::immutable(new, old, field, &FieldPath::Root, faults);
        }
    }

    fn row(&self, capacity: &Value, _now: Timestamp) -> Vec<Value> {
        vec![
            table::name(capacity),
            capacity.text("storageClassName").into(),
            capacity.text("capacity").into(),
        ]
    }
}

#[derive(Debug)]
struct Attachments;

impl KindRules for Attachments {
    fn replaces_any_revision(&self) -> bool {
        false
    }

    fn status_metadata(&self, kept: &mut Value, sent: &Value) {
        no_metadata_of_status(kept, sent);
    }

    fn validate(&self, attachment: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &attachment["spec"];
        check::required(spec, "attacher", &path, faults);
        let source = &spec["source"];
        let at = path.child("source");
        match (source.has("inlineVolumeSpec"), source.has("persistentVolumeName")) {
            (true, true) => {
                let detail = "must specify exactly one of inlineVolumeSpec and \
                              persistentVolumeName";
                faults.push(Fault::forbidden(&at, detail));
            }
            (false, false) => {
                let detail = "must specify exactly one of inlineVolumeSpec and \
                              persistentVolumeName";
                faults.push(Fault::required(&at, detail));
            }
            (false, true) if source.lacks("persistentVolumeName") => {
                let detail = "must specify non empty persistentVolumeName";
                faults.push(Fault::required(&at.child("persistentVolumeName"), detail));
            }
            _ => {}
        }
        let node = spec.text("nodeName");
        check::invalid(&path.child("nodeName"), node, names::dns1123_subdomain(node), faults);
    }

    fn validate_create(&self, attachment: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &attachment["spec"];
        driver_name(spec, "attacher", &path, faults);
        let source = path.child("source");
        let volume = names::dns1123_subdomain;
        check::text(&spec["source"], "persistentVolumeName", volume, &source, faults);
    }

    fn validate_update(&self, new: &Value, old: &Value, update: Update, faults: &mut Faults) {
        if update == Update::Status {
            attachment_status(&new["status"], faults);
        }
        metadata::immutable(new, old, "spec", &FieldPath::Root, faults);
    }

    fn row(&self, attachment: &Value, now: Timestamp) -> Vec<Value> {
        let spec = &attachment["spec"];
        vec![
            table::name(attachment),
            spec.text("attacher").into(),
            spec["source"].text("persistentVolumeName").into(),
            spec.text("nodeName").into(),
            attachment["status"].is("attached").into(),
            table::age(attachment, now),
        ]
    }
}

/// The most bytes of what a driver tells of an attachment, and of the message of a failed one.
const ATTACHMENT_MAX: usize = 256 << 10;
const MESSAGE_MAX: usize = 1024;

/// Checks what became of an attachment.
fn attachment_status(status: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let path = root.child("status");
    let told = status.entries("attachmentMetadata");
    let bytes: usize =
        told.map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
    if bytes > ATTACHMENT_MAX {
        faults.push(Fault::too_long(&path.child("attachmentMetadata"), ATTACHMENT_MAX));
    }
    for field in ["attachError", "detachError"] {
        let (error, path) = (&status[field], path.child(field));
        if error.text("message").len() > MESSAGE_MAX {
            // The limit that is told is another one, as in Kubernetes.
            faults.push(Fault::too_long(&path.child("message"), ATTACHMENT_MAX));
        }
        check::in_range(error, "errorCode", 0, i64::from(i32::MAX), &path, faults);
    }
}

#[derive(Debug)]
struct AttributesClasses;

impl KindRules for AttributesClasses {
    fn validate(&self, class: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        storage::provisioner(class, "driverName", &root, faults);
        storage::parameters(class, &root, faults);
        if class.lacks("parameters") {
            let detail = "must contain at least one key/value pair";
            faults.push(Fault::required(&root.child("parameters"), detail));
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        for field in ["driverName", "parameters"] {
            if new.get(field) != old.get(field) {
                let detail = format!("updates to {field} are forbidden.");
                faults.push(Fault::forbidden(&FieldPath::Root.child(field), detail));
            }
        }
    }

    fn row(&self, class: &Value, now: Timestamp) -> Vec<Value> {
        vec![table::name(class), class.text("driverName").into(), table::age(class, now)]
    }
}
