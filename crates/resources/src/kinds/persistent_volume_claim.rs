//! Persistent volume claims.

use jiff::Timestamp;
use serde_json::{Value, json};
use wk_api::{Fault, FieldPath, names};

use super::define;
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, RequestContext};
use crate::look::{Look, default_to, keep, map_mut};
use crate::rules::{KindRules, Update};
use crate::table;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("", "v1", "PersistentVolumeClaim")
        .short(&["pvc"])
        .columns(vec![
            Column::NAME,
            Column::text("Status", "The phase of the claim."),
            Column::text("Volume", "The volume that backs the claim."),
            Column::text("Capacity", "The capacity of the volume."),
            Column::text("Access Modes", "The ways the volume can be mounted."),
            Column::text("StorageClass", "The class that the claim asks for."),
            Column::text("VolumeAttributesClass", "The attributes class of the claim."),
            Column::AGE,
            Column::text("VolumeMode", "Whether the volume has a file system.").wide(),
        ])
        .rules(Claims)
        .status()
}

#[derive(Debug)]
struct Claims;

impl KindRules for Claims {
    fn default(&self, claim: &mut Value) {
        default_to(map_mut(claim, "status"), "phase", "Pending");
    }

    fn prepare_create(&self, claim: &mut Value, _context: &RequestContext<'_>) {
        claim["status"] = json!({"phase": "Pending"});
    }

    fn validate(&self, claim: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &claim["spec"];
        access_modes(spec, &path, faults);
        let storage = path.child("resources");
        let storage = storage.key("storage");
        match check::quantity(&spec["resources"]["requests"], "storage") {
            None => faults.push(Fault::required(&storage, "")),
            Some(amount) if amount.is_zero() || amount.is_negative() => {
                let detail = "must be greater than zero";
                faults.push(Fault::invalid(&storage, amount.to_string(), detail));
            }
            Some(_) => {}
        }
        check::text(spec, "storageClassName", names::dns1123_subdomain, &path, faults);
        check::one_of(spec, "volumeMode", &["Block", "Filesystem"], &path, faults);
    }

    fn validate_update(&self, new: &Value, old: &Value, update: Update, faults: &mut Faults) {
        if update == Update::Status {
            return;
        }
        let root = FieldPath::Root;
        let path = root.child("spec");
        let (new_spec, old_spec) = (&new["spec"], &old["spec"]);
        let mut allowed = new_spec.clone();
        if old_spec.lacks("volumeName") {
            keep(&mut allowed, old_spec, "volumeName");
        }
        if !old_spec.has("storageClassName") {
            keep(&mut allowed, old_spec, "storageClassName");
        }
        if old["status"].text("phase") == "Bound" {
            keep(&mut allowed, old_spec, "resources");
            keep(&mut allowed, old_spec, "volumeAttributesClassName");
        }
        if allowed != *old_spec {
            let detail = "spec is immutable after creation except resources.requests and \
                          volumeAttributesClassName for bound claims";
            faults.push(Fault::forbidden(&path, detail));
        }
        let size = |claim: &Value| check::quantity(&claim["resources"]["requests"], "storage");
        let current = check::quantity(&old["status"]["capacity"], "storage");
        if size(new_spec) < size(old_spec) && size(new_spec) <= current {
            let detail = "field can not be less than status.capacity";
            let path = path.child("resources.requests.storage");
            faults.push(Fault::forbidden(&path, detail));
        }
    }

    fn row(&self, claim: &Value, now: Timestamp) -> Vec<Value> {
        let (spec, status) = (&claim["spec"], &claim["status"]);
        let phase = if claim["metadata"].has("deletionTimestamp") {
            "Terminating"
        } else {
            status.text("phase")
        };
        let bound = !spec.lacks("volumeName");
        let class = match spec.text("volumeAttributesClassName") {
            "" => "<unset>",
            class => class,
        };
        let modes = if bound { short_modes(status.items("accessModes")) } else { String::new() };
        vec![
            table::name(claim),
            phase.into(),
            spec.text("volumeName").into(),
            if bound { status["capacity"].text("storage").into() } else { "".into() },
            modes.into(),
            spec.text("storageClassName").into(),
            class.into(),
            table::age(claim, now),
            spec.text("volumeMode").into(),
        ]
    }
}

/// Checks how a volume or claim is to be mounted.
pub(super) fn access_modes(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let supported = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
    let path = path.child("accessModes");
    let modes = spec.items("accessModes");
    if modes.is_empty() {
        faults.push(Fault::required(&path, "at least 1 access mode is required"));
    }
    for mode in modes {
        let mode = mode.as_str().unwrap_or_default();
        if !supported.contains(&mode) {
            faults.push(Fault::not_supported(&path, mode, &supported));
        }
    }
    if modes.len() > 1 && modes.iter().any(|mode| mode == "ReadWriteOncePod") {
        let detail = "may not use ReadWriteOncePod with other access modes";
        faults.push(Fault::forbidden(&path, detail));
    }
}

/// Access modes as tables show them: `RWO,ROX`.
pub(super) fn short_modes(modes: &[Value]) -> String {
    let order = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let short: Vec<&str> = order
        .iter()
        .filter(|(mode, _)| modes.iter().any(|given| given == mode))
        .map(|(_, short)| *short)
        .collect();
    short.join(",")
}
