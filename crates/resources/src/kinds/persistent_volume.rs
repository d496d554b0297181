//! Persistent volumes.

use jiff::Timestamp;
use serde_json::{Value, json};
use wk_api::{Fault, FieldPath};

use super::{define, persistent_volume_claim};
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, RequestContext};
use crate::look::{Look, default_to, map_mut};
use crate::rules::{KindRules, Update};
use crate::table;
use crate::types::{affinity, resources};

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("", "v1", "PersistentVolume")
        .short(&["pv"])
        .columns(vec![
            Column::NAME,
            Column::text("Capacity", "The capacity of the volume."),
            Column::text("Access Modes", "All ways the volume can be mounted."),
            Column::text("Reclaim Policy", "What happens to the volume when it is released."),
            Column::text("Status", "Whether the volume is available, bound or released."),
            Column::text("Claim", "The claim that the volume is bound to."),
            Column::text("StorageClass", "The class to which the volume belongs."),
            Column::text("VolumeAttributesClass", "The attributes class of the volume."),
            Column::text("Reason", "Why the volume is in its state."),
            Column::AGE,
            Column::text("VolumeMode", "Whether the volume has a file system.").wide(),
        ])
        .rules(PersistentVolumes)
        .status()
}

#[derive(Debug)]
struct PersistentVolumes;

impl KindRules for PersistentVolumes {
    fn default(&self, volume: &mut Value) {
        let spec = map_mut(volume, "spec");
        default_to(spec, "persistentVolumeReclaimPolicy", "Retain");
        default_to(spec, "volumeMode", "Filesystem");
        default_to(map_mut(volume, "status"), "phase", "Pending");
    }

    fn prepare_create(&self, volume: &mut Value, _context: &RequestContext<'_>) {
        volume["status"] = json!({"phase": "Pending"});
    }

    fn validate(&self, volume: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &volume["spec"];
        persistent_volume_claim::access_modes(spec, &path, faults);
        let capacity = path.child("capacity");
        if spec.lacks("capacity") {
            faults.push(Fault::required(&capacity, ""));
        } else if !spec["capacity"].has("storage") || spec.entries("capacity").count() > 1 {
            let value = spec["capacity"].clone();
            faults.push(Fault::not_supported(&capacity, value, &["storage"]));
        }
        for (name, value) in spec.entries("capacity") {
            resources::amount(name, value, &capacity.key(name), faults);
        }
        let policies = ["Delete", "Recycle", "Retain"];
        check::one_of(spec, "persistentVolumeReclaimPolicy", &policies, &path, faults);
        check::one_of(spec, "volumeMode", &["Block", "Filesystem"], &path, faults);
        if spec["nodeAffinity"].has("required") {
            let path = path.child("nodeAffinity.required");
            affinity::node_selector(&spec["nodeAffinity"]["required"], &path, faults);
        }
        if spec.has("local") && !spec.has("nodeAffinity") {
            let detail = "Local volume requires node affinity";
            faults.push(Fault::required(&root.child("metadata.annotations"), detail));
        }
        let sources = SOURCES.iter().filter(|source| spec.has(source)).count();
        if sources == 0 {
            faults.push(Fault::required(&path, "must specify a volume type"));
        } else if sources > 1 {
            let detail = "may not specify more than 1 volume type";
            faults.push(Fault::forbidden(&path, detail));
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, update: Update, faults: &mut Faults) {
        if update == Update::Status {
            return;
        }
        let root = FieldPath::Root;
        let path = root.child("spec");
        let source = |volume: &Value| -> Vec<Value> {
            SOURCES.iter().filter_map(|source| volume["spec"].get(source).cloned()).collect()
        };
        if source(new) != source(old) {
            let detail = "spec.persistentvolumesource is immutable after creation";
            faults.push(Fault::forbidden(&path.child("persistentvolumesource"), detail));
        }
        crate::metadata::immutable(&new["spec"], &old["spec"], "volumeMode", &root, faults);
    }

    fn row(&self, volume: &Value, now: Timestamp) -> Vec<Value> {
        let (spec, status) = (&volume["spec"], &volume["status"]);
        let claim = &spec["claimRef"];
        let claim = if claim.is_object() {
            format!("{}/{}", claim.text("namespace"), claim.text("name"))
        } else {
            String::new()
        };
        let phase = if volume["metadata"].has("deletionTimestamp") {
            "Terminating"
        } else {
            status.text("phase")
        };
        let class = match spec.text("volumeAttributesClassName") {
            "" => "<unset>",
            class => class,
        };
        vec![
            table::name(volume),
            spec["capacity"].text("storage").into(),
            persistent_volume_claim::short_modes(spec.items("accessModes")).into(),
            spec.text("persistentVolumeReclaimPolicy").into(),
            phase.into(),
            claim.into(),
            spec.text("storageClassName").into(),
            class.into(),
            status.text("reason").into(),
            table::age(volume, now),
            spec.text("volumeMode").into(),
        ]
    }
}

/// Every kind of source that a persistent volume can have.
const SOURCES: [&str; 22] = [
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "csi",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "glusterfs",
    "hostPath",
    "iscsi",
    "local",
    "nfs",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
];
