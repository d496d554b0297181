//! Persistent volumes.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use wk_api::{Fault, FieldPath, names};

use super::{define, persistent_volume_claim, pod};
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, RequestContext};
use crate::look::{Look, default_to, map_mut};
use crate::metadata;
use crate::rules::{KindRules, Update};
use crate::table;
use crate::types::{affinity, claim, volume};

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
        if spec.lacks("accessModes") {
            faults.push(Fault::required(&path.child("accessModes"), ""));
        }
        claim::access_modes(spec, &path, faults);
        capacity(spec, &path.child("capacity"), faults);
        let policies = ["Delete", "Recycle", "Retain"];
        check::one_of(spec, "persistentVolumeReclaimPolicy", &policies, &path, faults);
        let affinity_path = path.child("nodeAffinity.required");
        if spec["nodeAffinity"].has("required") {
            affinity::node_selector(&spec["nodeAffinity"]["required"], &affinity_path, faults);
        } else if spec.has("nodeAffinity") {
            let detail = "must specify required node constraints";
            faults.push(Fault::required(&affinity_path, detail));
        }
        sources(volume, &path, faults);
        check::text(spec, "storageClassName", names::dns1123_subdomain, &path, faults);
        check::one_of(spec, "volumeMode", &["Block", "Filesystem"], &path, faults);
        let class = "volumeAttributesClassName";
        if spec.has(class) {
            if spec.lacks(class) {
                let detail = "an empty string is disallowed";
                faults.push(Fault::required(&path.child(class), detail));
            }
            check::text(spec, class, names::dns1123_subdomain, &path, faults);
            if !spec.has("csi") {
                let detail = "has to be specified when using volumeAttributesClassName";
                faults.push(Fault::required(&path.child("csi"), detail));
            }
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, update: Update, faults: &mut Faults) {
        if update == Update::Status {
            return;
        }
        let root = FieldPath::Root;
        let path = root.child("spec");
        let (after, before) = (&new["spec"], &old["spec"]);
        let source = |spec: &Value| -> Map<String, Value> {
            let given = SOURCES.iter().filter(|source| spec.has(source));
            given.map(|source| ((*source).to_owned(), spec[*source].clone())).collect()
        };
        let (mut sent, kept) = (source(after), source(before));
        // The secret for growing may be named later.
        let secret = "controllerExpandSecretRef";
        if let Some(csi) = sent.get_mut("csi").and_then(Value::as_object_mut)
            && kept.get("csi").is_some_and(|csi| !csi.has(secret))
        {
            csi.remove(secret);
        }
        if sent != kept {
            let difference = pod::update::difference(&Value::Object(kept), &Value::Object(sent));
            let detail =
                format!("spec.persistentvolumesource is immutable after creation\n{difference}");
            faults.push(Fault::forbidden(&path.child("persistentvolumesource"), detail));
        }
        metadata::immutable(after, before, "volumeMode", &root, faults);
        if before.has("nodeAffinity") && !renamed(after.get("nodeAffinity"), before) {
            let detail = "field is immutable, except for updating from beta label to GA";
            let value = after.get("nodeAffinity").cloned().unwrap_or_default();
            faults.push(Fault::invalid(&root.child("nodeAffinity"), value, detail));
        }
        let class = "volumeAttributesClassName";
        if before.has(class) && !after.has(class) {
            let detail = "update from non-nil value to nil is forbidden";
            faults.push(Fault::forbidden(&path.child(class), detail));
        }
    }

    fn warnings(&self, volume: &Value, _old: Option<&Value>) -> Vec<String> {
        warnings(volume)
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

fn capacity(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    if spec.lacks("capacity") {
        faults.push(Fault::required(path, ""));
    }
    if !spec["capacity"].has("storage") || spec.entries("capacity").count() > 1 {
        let value = spec.get("capacity").cloned().unwrap_or_default();
        faults.push(Fault::not_supported(path, value, &["storage"]));
    }
    for (name, value) in spec.entries("capacity") {
        let Some(amount) = check::quantity_of(value) else { continue };
        let path = path.key(name);
        if amount.is_negative() {
            let detail = "must be a valid resource quantity";
            faults.push(Fault::invalid(&path, amount.value(), detail));
        }
        if amount.is_negative() || amount.is_zero() {
            let detail = "must be greater than zero";
            faults.push(Fault::invalid(&path, amount.to_string(), detail));
        }
    }
}

fn sources(volume: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let (spec, name) = (&volume["spec"], volume["metadata"].text("name"));
    let mut given = SOURCES.iter().copied().filter(|source| spec.has(source));
    let Some(kind) = given.next() else {
        faults.push(Fault::required(path, "must specify a volume type"));
        return;
    };
    if kind == "hostPath" {
        volume::host_path(&spec[kind], &path.child(kind), faults);
    } else {
        volume::outside::source(kind, &spec[kind], (name, true), path, faults);
    }
    if kind == "local" && !spec.has("nodeAffinity") {
        let detail = "Local volume requires node affinity";
        faults.push(Fault::required(&path.child("nodeAffinity"), detail));
    }
    for second in given {
        let shown = if second == "cephfs" { "cephFS" } else { second };
        let detail = "may not specify more than 1 volume type";
        faults.push(Fault::forbidden(&path.child(shown), detail));
    }
    let root = spec["hostPath"].text("path");
    let whole = root.starts_with('/') && root.split('/').all(|part| matches!(part, "" | "."));
    if whole && spec.text("persistentVolumeReclaimPolicy") == "Recycle" {
        let detail = "may not be 'recycle' for a hostPath mount of '/'";
        faults.push(Fault::forbidden(&path.child("persistentVolumeReclaimPolicy"), detail));
    }
}

/// Whether an affinity is the one of `before`, at most with labels called by their newer names.
fn renamed(after: Option<&Value>, before: &Value) -> bool {
    let mut before = before["nodeAffinity"].clone();
    let Some(after) = after else { return false };
    let terms = |affinity: &Value| affinity["required"].items("nodeSelectorTerms").to_vec();
    let new = terms(after);
    if let Some(Value::Array(old)) = before.pointer_mut("/required/nodeSelectorTerms") {
        for (old, new) in old.iter_mut().zip(&new) {
            let Some(Value::Array(all)) = old.get_mut("matchExpressions") else { continue };
            for (old, new) in all.iter_mut().zip(new.items("matchExpressions")) {
                let newer = NEWER_LABELS.iter().find(|(label, _)| *label == old.text("key"));
                if newer.is_some_and(|(_, newer)| *newer == new.text("key")) {
                    old["key"] = new["key"].clone();
                }
            }
        }
    }
    *after == before
}

const NEWER_LABELS: [(&str, &str); 5] = [
    ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
    ("beta.kubernetes.io/os", "kubernetes.io/os"),
    ("beta.kubernetes.io/arch", "kubernetes.io/arch"),
    ("beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type"),
];

fn warnings(volume: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    let annotations = &volume["metadata"]["annotations"];
    for (key, text) in [
        (
            "volume.beta.kubernetes.io/storage-class",
            "deprecated since v1.8; use \"storageClassName\" attribute instead",
        ),
        (
            "volume.beta.kubernetes.io/mount-options",
            "deprecated since v1.31; use \"mountOptions\" attribute instead",
        ),
    ] {
        if annotations.has(key) {
            warnings.push(format!("metadata.annotations[{key}]: {text}"));
        }
    }
    let spec = &volume["spec"];
    let list = "spec.nodeAffinity.required.nodeSelectorTerms";
    let terms = spec["nodeAffinity"]["required"].items("nodeSelectorTerms");
    for (index, term) in terms.iter().enumerate() {
        for (at, expression) in term.items("matchExpressions").iter().enumerate() {
            let key = expression.text("key");
            if let Some(text) = pod::warnings::old_label(key) {
                warnings
                    .push(format!("{list}[{index}].matchExpressions[{at}].key: {key} is {text}"));
            }
        }
    }
    for (source, shown, text) in [
        ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
        ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
        (
            "photonPersistentDisk",
            "photonPersistentDisk",
            "deprecated in v1.11, non-functional in v1.16+",
        ),
        ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
        ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
        ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ] {
        if spec.has(source) {
            warnings.push(format!("spec.{shown}: {text}"));
        }
    }
    if let Some(amount) = check::quantity(&spec["capacity"], "storage")
        && !amount.is_whole()
    {
        let shown = wk_api::fault::quote(&amount.to_string());
        warnings.push(format!(
            "spec.capacity[storage]: fractional byte value {shown} is invalid, must be an integer"
        ));
    }
    if spec.text("persistentVolumeReclaimPolicy") == "Recycle" {
        warnings.push(
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. \
             Instead, the recommended approach is to use dynamic provisioning."
                .to_owned(),
        );
    }
    warnings
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
