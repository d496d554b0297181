//! Where containers see the volumes of their pod.

use std::collections::BTreeSet;

use serde_json::Value;
use wk_api::{Fault, FieldPath};

use super::Volumes;
use crate::check::{self, Faults};
use crate::look::Look;

/// Checks `volumeMounts` of a container against the volumes of the pod.
pub(in crate::types) fn mounts(
    container: &Value,
    volumes: &Volumes<'_>,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    let list = path.child("volumeMounts");
    let devices = container.items("volumeDevices");
    let mut points = BTreeSet::new();
    for (index, mount) in container.items("volumeMounts").iter().enumerate() {
        let path = list.index(index);
        let (name, point) = (mount.text("name"), mount.text("mountPath"));
        check::required(mount, "name", &path, faults);
        if !volumes.contains_key(name) {
            faults.push(Fault::not_found(&path.child("name"), name));
        }
        check::required(mount, "mountPath", &path, faults);
        if !points.insert(point) {
            faults.push(Fault::invalid(&path.child("mountPath"), point, "must be unique"));
        }
        if devices.iter().any(|device| device.text("name") == name) {
            let detail = "must not already exist in volumeDevices";
            faults.push(Fault::invalid(&path.child("name"), name, detail));
        }
        if devices.iter().any(|device| device.text("devicePath") == point) {
            let detail = "must not already exist as a path in volumeDevices";
            faults.push(Fault::invalid(&path.child("mountPath"), point, detail));
        }
        // The list and not the item is named for paths below a volume, as in Kubernetes.
        if !mount.lacks("subPath") {
            check::descending_path(mount.text("subPath"), &list.child("subPath"), faults);
        }
        if !mount.lacks("subPathExpr") {
            if !mount.lacks("subPath") {
                let detail = "subPathExpr and subPath are mutually exclusive";
                let value = mount.text("subPathExpr");
                faults.push(Fault::invalid(&path.child("subPathExpr"), value, detail));
            }
            let below = list.child("subPathExpr");
            check::descending_path(mount.text("subPathExpr"), &below, faults);
        }
        propagation(mount, container, &list, faults);
    }
}

fn propagation(mount: &Value, container: &Value, list: &FieldPath<'_>, faults: &mut Faults) {
    let modes = ["Bidirectional", "HostToContainer", "None"];
    check::one_of(mount, "mountPropagation", &modes, list, faults);
    let privileged = container["securityContext"].is("privileged");
    let mode = mount.text("mountPropagation");
    if mode == "Bidirectional" && !privileged {
        let detail = "Bidirectional mount propagation is available only to privileged containers";
        faults.push(Fault::forbidden(&list.child("mountPropagation"), detail));
    }
    let supported = ["Disabled", "Enabled", "IfPossible"];
    check::one_of(mount, "recursiveReadOnly", &supported, list, faults);
    if matches!(mount.text("recursiveReadOnly"), "Enabled" | "IfPossible") {
        let path = list.child("recursiveReadOnly");
        if !mount.is("readOnly") {
            let detail = "may only be specified when readOnly is true";
            faults.push(Fault::forbidden(&path, detail));
        }
        if mount.has("mountPropagation") && mode != "None" {
            let detail = "may only be specified when mountPropagation is None or not specified";
            faults.push(Fault::forbidden(&path, detail));
        }
    }
}

/// Checks `volumeDevices` of a container against the volumes of the pod.
pub(in crate::types) fn devices(
    container: &Value,
    volumes: &Volumes<'_>,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    let list = path.child("volumeDevices");
    let mounts = container.items("volumeMounts");
    let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for (index, device) in container.items("volumeDevices").iter().enumerate() {
        let path = list.index(index);
        let (name, point) = (device.text("name"), device.text("devicePath"));
        check::required(device, "name", &path, faults);
        if !name.is_empty() && !names.insert(name) {
            faults.push(Fault::invalid(&path.child("name"), name, "must be unique"));
        }
        match volumes.get(name) {
            None => faults.push(Fault::not_found(&path.child("name"), name)),
            Some(volume) if volume.has("persistentVolumeClaim") || volume.has("ephemeral") => {}
            Some(_) => {
                let detail = "can only use volume source type of PersistentVolumeClaim or \
                              Ephemeral for block mode";
                faults.push(Fault::invalid(&path.child("name"), name, detail));
            }
        }
        check::required(device, "devicePath", &path, faults);
        let backsteps = point.split('/').any(|part| part == "..");
        if !backsteps && !paths.insert(point) {
            faults.push(Fault::invalid(&path.child("devicePath"), point, "must be unique"));
        }
        if backsteps {
            let detail = "can not contain backsteps ('..')";
            faults.push(Fault::invalid(&path.child("devicePath"), point, detail));
        }
        if mounts.iter().any(|mount| mount.text("name") == name) {
            let detail = "must not already exist in volumeMounts";
            faults.push(Fault::invalid(&path.child("name"), name, detail));
        }
        if mounts.iter().any(|mount| mount.text("mountPath") == point) {
            let detail = "must not already exist as a path in volumeMounts";
            faults.push(Fault::invalid(&path.child("devicePath"), point, detail));
        }
    }
}
