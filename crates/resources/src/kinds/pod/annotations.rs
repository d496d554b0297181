//! Annotations of pods and templates that mean something to Kubernetes.

use serde_json::Value;
use wk_api::{Fault, FieldPath, well_known};

use crate::check::Faults;
use crate::look::Look;
use crate::types::affinity;
use crate::types::operating_system::containers;

/// The annotation that says how dear it is to delete a pod.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
const TOLERATIONS: &str = "scheduler.alpha.kubernetes.io/tolerations";
pub(super) const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
pub(super) const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
pub(super) const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// Checks annotations in pods and templates; `path` is theirs.
pub(crate) fn validate(metadata: &Value, spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let annotations = &metadata["annotations"];
    if let Some(value) = annotations.get(well_known::MIRROR_POD_ANNOTATION)
        && spec.lacks("nodeName")
    {
        let detail = "must set spec.nodeName if mirror pod annotation is set";
        let path = path.key(well_known::MIRROR_POD_ANNOTATION);
        faults.push(Fault::invalid(&path, value.clone(), detail));
    }
    let tolerations = annotations.text(TOLERATIONS);
    if !tolerations.is_empty() {
        match serde_json::from_str::<Vec<Value>>(tolerations) {
            Ok(list) => affinity::each_toleration(&list, &path.child(TOLERATIONS), faults),
            Err(error) => faults.push(Fault::invalid(path, TOLERATIONS, error.to_string())),
        }
    }
    if let Some(value) = annotations.get(DELETION_COST)
        && !value.as_str().is_some_and(is_cost)
    {
        let path = path.key(DELETION_COST);
        faults.push(Fault::invalid(&path, value.clone(), "must be a 32bit integer"));
    }
    if annotations.has(SECCOMP_POD) {
        seccomp(annotations.text(SECCOMP_POD), &path.child(SECCOMP_POD), faults);
    }
    for (key, value) in metadata.entries("annotations") {
        let value = value.as_str().unwrap_or_default();
        if key.starts_with(SECCOMP_CONTAINER) {
            seccomp(value, &path.child(key), faults);
        }
        if let Some(name) = key.strip_prefix(APP_ARMOR) {
            let path = path.key(key);
            if !containers(spec).any(|(_, _, container)| container.text("name") == name) {
                faults.push(Fault::invalid(&path, name, "container not found"));
            }
            let known = matches!(value, "" | "runtime/default" | "unconfined");
            if !known && !value.starts_with("localhost/") {
                let shown = wk_api::fault::quote(value);
                let detail = format!("invalid AppArmor profile name: {shown}");
                faults.push(Fault::invalid(&path, value, detail));
            }
        }
    }
}

/// Whether a text is a whole number of 32 bits, written without what changes nothing.
fn is_cost(text: &str) -> bool {
    text == "0" || (!text.starts_with(['0', '+']) && text.parse::<i32>().is_ok())
}

fn seccomp(profile: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    if matches!(profile, "runtime/default" | "docker/default" | "unconfined") {
        return;
    }
    match profile.strip_prefix("localhost/") {
        Some(file) => crate::check::descending_path(file, path, faults),
        None => {
            faults.push(Fault::invalid(path, profile, "must be a valid seccomp profile"));
        }
    }
}

/// Checks that profiles that are both annotated and in fields are the same.
pub(crate) fn profiles(metadata: &Value, spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let annotations = &metadata["annotations"];
    let own = &spec["securityContext"];
    if annotations.has(SECCOMP_POD) {
        let path = path.child("securityContext.seccompProfile");
        same("seccomp", annotations.text(SECCOMP_POD), &own["seccompProfile"], &path, faults);
    }
    let windows = spec["os"].text("name") == "windows";
    for (list, index, container) in containers(spec) {
        let (context, name) = (&container["securityContext"], container.text("name"));
        let path = path.child(list);
        let path = path.index(index);
        let path = path.child("securityContext");
        let key = format!("{SECCOMP_CONTAINER}{name}");
        if annotations.has(&key) {
            let path = path.child("seccompProfile");
            same("seccomp", annotations.text(&key), &context["seccompProfile"], &path, faults);
        }
        let key = format!("{APP_ARMOR}{name}");
        if annotations.has(&key) && !windows {
            let of = if context.has("appArmorProfile") { context } else { own };
            let path = path.child("appArmorProfile");
            same("apparmor", annotations.text(&key), &of["appArmorProfile"], &path, faults);
        }
    }
}

fn same(what: &str, annotated: &str, profile: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let same = match profile.text("type") {
        "Unconfined" => annotated == "unconfined",
        "RuntimeDefault" => {
            annotated == "runtime/default" || (what == "seccomp" && annotated == "docker/default")
        }
        "Localhost" => match annotated.strip_prefix("localhost/") {
            None => false,
            Some(file) => {
                if profile.get("localhostProfile").and_then(Value::as_str) != Some(file) {
                    let detail = format!("{what} profile in annotation and field must match");
                    faults.push(Fault::forbidden(&path.child("localhostProfile"), detail));
                }
                true
            }
        },
        _ => true,
    };
    if !same {
        let detail = format!("{what} type in annotation and field must match");
        faults.push(Fault::forbidden(&path.child("type"), detail));
    }
}

/// Checks that annotations that may not change did not.
pub(super) fn validate_update(new: &Value, old: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let path = root.child("metadata.annotations");
    let (after, before) = (&new["metadata"], &old["metadata"]);
    let what = |key: &str| {
        if key == well_known::MIRROR_POD_ANNOTATION {
            Some("mirror pod annotation")
        } else {
            key.starts_with(APP_ARMOR).then_some("AppArmor annotations")
        }
    };
    for (key, value) in before.entries("annotations") {
        if let Some(what) = what(key)
            && after["annotations"].get(key) != Some(value)
        {
            let detail = format!("may not remove or update {what}");
            faults.push(Fault::forbidden(&path.key(key), detail));
        }
    }
    for (key, _) in after.entries("annotations") {
        if let Some(what) = what(key)
            && before["annotations"].get(key).is_none()
        {
            faults.push(Fault::forbidden(&path.key(key), format!("may not add {what}")));
        }
    }
    validate(after, &new["spec"], &path, faults);
}
