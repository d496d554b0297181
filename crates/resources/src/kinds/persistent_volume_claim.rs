//! Persistent volume claims.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use wk_api::{Fault, FieldPath, names};

use super::{define, pod};
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, RequestContext};
use crate::look::{Look, default_to, keep, map_mut};
use crate::metadata;
use crate::rules::{KindRules, Update};
use crate::table;
use crate::types::claim;

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
        let spec = map_mut(claim, "spec");
        drop_sources(spec);
        same_source(spec);
    }

    fn prepare_update(&self, new: &mut Value, old: &Value, update: Update) {
        let old = &old["spec"];
        if update == Update::Whole && !old.has("dataSource") && !old.has("dataSourceRef") {
            drop_sources(map_mut(new, "spec"));
        }
    }

    fn validate(&self, claim: &Value, faults: &mut Faults) {
        claim::spec(&claim["spec"], &FieldPath::Root.child("spec"), faults);
    }

    fn validate_update(&self, new: &Value, old: &Value, update: Update, faults: &mut Faults) {
        if update == Update::Status {
            status(new, faults);
        } else {
            changes(new, old, faults);
        }
    }

    fn warnings(&self, claim: &Value, _old: Option<&Value>) -> Vec<String> {
        let mut warnings: Vec<String> = Vec::new();
        if claim["metadata"]["annotations"].has(BETA_CLASS) {
            warnings.push(format!(
                "metadata.annotations[{BETA_CLASS}]: deprecated since v1.8; use \
                 \"storageClassName\" attribute instead"
            ));
        }
        warnings.extend(pod::warnings::claim(&claim["spec"], "spec"));
        warnings
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

/// The annotation that named a class before the field did.
const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// Checks a change of what is claimed.
fn changes(new: &Value, old: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let path = root.child("spec");
    let (new_spec, old_spec) = (&new["spec"], &old["spec"]);
    let (annotated, before) =
        (new["metadata"]["annotations"].text(BETA_CLASS), &old["metadata"]["annotations"]);
    let mut allowed = new_spec.clone();
    if old_spec.lacks("volumeName") {
        keep(&mut allowed, old_spec, "volumeName");
    }
    // A class may be named once where none was, the one that was annotated if there was one.
    let named = !old_spec.has("storageClassName") && new_spec.has("storageClassName");
    let as_annotated = before.text(BETA_CLASS) == new_spec.text("storageClassName");
    if named && (!before.has(BETA_CLASS) || as_annotated) {
        keep(&mut allowed, old_spec, "storageClassName");
    }
    let moved = named && before.has(BETA_CLASS) && as_annotated && annotated.is_empty();
    if annotated != before.text(BETA_CLASS) && !moved {
        let path = root.child("metadata.annotations");
        let path = path.child(BETA_CLASS);
        faults.push(Fault::invalid(&path, annotated, "field is immutable"));
    }
    if old["status"].text("phase") == "Bound" {
        if let (Some(requests), Some(size)) = (
            allowed.pointer_mut("/resources/requests").and_then(Value::as_object_mut),
            old_spec["resources"]["requests"].get("storage"),
        ) {
            requests.insert("storage".to_owned(), size.clone());
        }
        keep(&mut allowed, old_spec, "volumeAttributesClassName");
    }
    if allowed != *old_spec {
        let detail = format!(
            "spec is immutable after creation except resources.requests and \
             volumeAttributesClassName for bound claims\n{}",
            pod::update::difference(old_spec, &allowed)
        );
        faults.push(Fault::forbidden(&path, detail));
    }
    let size = |spec: &Value| check::quantity(&spec["resources"]["requests"], "storage");
    let current = check::quantity(&old["status"]["capacity"], "storage").unwrap_or_default();
    if let (Some(after), Some(before)) = (size(new_spec), size(old_spec))
        && after < before
        && after <= current
    {
        let detail = "field can not be less than status.capacity";
        let path = path.child("resources.requests.storage");
        faults.push(Fault::forbidden(&path, detail));
    }
    metadata::immutable(new_spec, old_spec, "volumeMode", &root, faults);
    let class = "volumeAttributesClassName";
    // A class that never took effect can be taken back.
    let is_applied = old["status"].has("currentVolumeAttributesClassName");
    if is_applied && new_spec.lacks(class) && new_spec.get(class) != old_spec.get(class) {
        let what = if new_spec.has(class) { "empty string" } else { "nil" };
        let when = "status.currentVolumeAttributesClassName is not nil";
        let detail = format!("update to {what} is forbidden when {when}");
        faults.push(Fault::forbidden(&path.child(class), detail));
    }
}

/// Checks the status.
fn status(claim: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let path = root.child("status");
    let status = &claim["status"];
    let capacity = path.child("capacity");
    for (name, amount) in status.entries("capacity") {
        basic_amount(amount, &capacity.key(name), faults);
    }
    let states = [
        "ControllerResizeInProgress",
        "ControllerResizeInfeasible",
        "NodeResizeInProgress",
        "NodeResizeInfeasible",
        "NodeResizePending",
    ];
    // The path is one letter short, as in Kubernetes.
    let own = path.child("allocatedResourceStatus");
    for (name, state) in status.entries("allocatedResourceStatuses") {
        resource_name(name, &own, faults);
        if !state.as_str().is_some_and(|state| states.contains(&state)) {
            faults.push(Fault::not_supported(&own, name.as_str(), &states));
        }
    }
    let own = path.child("allocatedResources");
    for (name, amount) in status.entries("allocatedResources") {
        if resource_name(name, &own, faults) {
            basic_amount(amount, &own.key(name), faults);
        }
    }
}

/// Checks an amount that has no rule of its own.
fn basic_amount(amount: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    if let Some(amount) = check::quantity_of(amount).filter(|amount| amount.is_negative()) {
        let detail = "must be a valid resource quantity";
        faults.push(Fault::invalid(path, amount.value(), detail));
    }
}

fn resource_name(name: &str, path: &FieldPath<'_>, faults: &mut Faults) -> bool {
    let messages = names::qualified_name(name);
    let native = !name.contains('/') || name.contains("kubernetes.io/");
    let sound = messages.is_empty() && (!native || name == "storage");
    if messages.is_empty() && !sound {
        faults.push(Fault::not_supported(path, name, &["storage"]));
    }
    check::invalid(path, name, messages, faults);
    sound
}

/// Drops sources of contents that count for nothing: those of other namespaces, and in the older field
/// all but claims and snapshots.
fn drop_sources(spec: &mut Map<String, Value>) {
    let reference = "dataSourceRef";
    if spec.get(reference).is_some_and(|source| !source.lacks("namespace")) {
        spec.remove(reference);
    }
    let Some(source) = spec.get("dataSource").filter(|_| !spec.has(reference)) else { return };
    let known = match source.text("apiGroup") {
        "" => source.text("kind") == "PersistentVolumeClaim",
        group => group == "snapshot.storage.k8s.io" && source.text("kind") == "VolumeSnapshot",
    };
    if !known {
        spec.remove("dataSource");
    }
}

/// A claim that says where its contents come from in one of two fields says it in both.
fn same_source(spec: &mut Map<String, Value>) {
    let fields = ["dataSource", "dataSourceRef"];
    for (from, to) in [(fields[0], fields[1]), (fields[1], fields[0])] {
        if !spec.has(to)
            && let Some(source) = spec.get(from).filter(|source| !source.is_null()).cloned()
        {
            spec.insert(to.to_owned(), source);
        }
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
