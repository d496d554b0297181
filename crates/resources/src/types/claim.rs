//! What a claim to storage asks for, in claims and in the templates of claims.

use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::resources;
use crate::check::{self, Faults};
use crate::look::Look;
use crate::metadata;

/// Checks the template of a claim.
pub(super) fn template(template: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    template_metadata(template, path, faults);
    spec(&template["spec"], &path.child("spec"), faults);
}

/// Checks the metadata of a template, which has none but labels and annotations.
pub(crate) fn template_metadata(template: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let path = path.child("metadata");
    let own = &template["metadata"];
    metadata::annotations(own, &path, faults);
    metadata::labels(own, "labels", &path, faults);
    for (field, value) in template.entries("metadata") {
        if !matches!(field.as_str(), "annotations" | "labels") && !value.is_null() {
            faults.push(Fault::forbidden(&path.child(field), "cannot be set"));
        }
    }
}

/// Checks a claim's specification; its label selector is checked where selectors are.
pub(crate) fn spec(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    if spec.lacks("accessModes") {
        let detail = "at least 1 access mode is required";
        faults.push(Fault::required(&path.child("accessModes"), detail));
    }
    access_modes(spec, path, faults);
    let storage = path.child("resources");
    let storage = storage.key("storage");
    match check::quantity(&spec["resources"]["requests"], "storage") {
        None => faults.push(Fault::required(&storage, "")),
        Some(amount) if amount.is_zero() || amount.is_negative() => {
            let detail = "must be greater than zero";
            faults.push(Fault::invalid(&storage, amount.to_string(), detail));
        }
        Some(_) => {
            let amount = &spec["resources"]["requests"]["storage"];
            resources::amount("storage", amount, &storage, faults);
        }
    }
    check::text(spec, "storageClassName", names::dns1123_subdomain, path, faults);
    check::one_of(spec, "volumeMode", &["Block", "Filesystem"], path, faults);
    data_sources(spec, path, faults);
    check::text(spec, "volumeAttributesClassName", names::dns1123_subdomain, path, faults);
}

fn data_sources(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    for field in ["dataSource", "dataSourceRef"] {
        if !spec.has(field) {
            continue;
        }
        let (source, path) = (&spec[field], path.child(field));
        check::required(source, "name", &path, faults);
        check::required(source, "kind", &path, faults);
        if source.lacks("apiGroup") && source.text("kind") != "PersistentVolumeClaim" {
            let detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
            faults.push(Fault::invalid(&path, source.text("kind"), detail));
        }
        check::text(source, "apiGroup", names::dns1123_subdomain, &path, faults);
        if field == "dataSourceRef" {
            check::text(source, "namespace", names::dns1123_label, &path, faults);
        }
    }
    if !spec.has("dataSource") || !spec.has("dataSourceRef") {
        return;
    }
    let (source, reference) = (&spec["dataSource"], &spec["dataSourceRef"]);
    let shown = path.child("dataSource").to_string();
    if !reference.lacks("namespace") {
        let detail = "may not be specified when dataSourceRef.namespace is specified";
        faults.push(Fault::invalid(path, shown, detail));
    } else if ["apiGroup", "kind", "name"].iter().any(|f| source.get(f) != reference.get(f)) {
        faults.push(Fault::invalid(path, shown, "must match dataSourceRef"));
    }
}

/// Checks how a volume or claim is to be mounted.
pub(crate) fn access_modes(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let supported = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
    let path = path.child("accessModes");
    let modes = spec.items("accessModes");
    let (mut alone, mut shared) = (false, false);
    for mode in modes {
        let mode = mode.as_str().unwrap_or_default();
        if supported.contains(&mode) {
            alone |= mode == "ReadWriteOncePod";
            shared |= mode != "ReadWriteOncePod";
        } else {
            faults.push(Fault::not_supported(&path, mode, &supported));
        }
    }
    if alone && shared {
        let detail = "may not use ReadWriteOncePod with other access modes";
        faults.push(Fault::forbidden(&path, detail));
    }
}
