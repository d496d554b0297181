//! Volumes of pods and their sources.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use wk_api::{Fault, FieldPath, names};

use super::env;
use crate::check::{self, Faults};
use crate::look::{Look, always, default_to};
use crate::walk::TypeRule;

pub(super) const VOLUME: TypeRule = TypeRule { default: default_volume, ..TypeRule::NONE };
pub(super) const WITH_MODE: TypeRule = TypeRule {
    default: |source| {
        source.entry("defaultMode").or_insert_with(|| MODE.into());
    },
    ..TypeRule::NONE
};
pub(super) const SECRET: TypeRule =
    TypeRule { zeros: &["secretName"], default: WITH_MODE.default, ..TypeRule::NONE };
pub(super) const TOKEN: TypeRule = TypeRule {
    zeros: &["audience"],
    default: |source| {
        source.entry("expirationSeconds").or_insert_with(|| 3600.into());
    },
    ..TypeRule::NONE
};
pub(super) const HOST_PATH: TypeRule = TypeRule {
    default: |source| {
        source.entry("type").or_insert_with(|| "".into());
    },
    ..TypeRule::NONE
};
pub(super) const MOUNT: TypeRule =
    TypeRule { zeros: &["readOnly", "subPath", "subPathExpr"], ..TypeRule::NONE };
pub(super) const CLAIM: TypeRule = TypeRule {
    zeros: &["volumeName"],
    default: |claim| {
        default_to(claim, "volumeMode", "Filesystem");
        always(claim, "resources");
    },
    ..TypeRule::NONE
};

/// The mode of files in volumes that name none: 0644.
const MODE: i64 = 0o644;

/// Every kind of source that a volume can have.
const SOURCES: [&str; 30] = [
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
    "image",
];

fn default_volume(volume: &mut Map<String, Value>) {
    if !SOURCES.iter().any(|source| volume.has(source)) {
        volume.insert("emptyDir".to_owned(), json!({}));
    }
    if let Some(Value::Object(image)) = volume.get_mut("image") {
        let policy = super::container::pull_policy(image.text("reference"));
        default_to(image, "pullPolicy", policy);
    }
}

/// The sources of the volumes of a pod that have no fault, by name.
pub(super) type Volumes<'a> = BTreeMap<&'a str, &'a Value>;

/// Checks `volumes` of a pod spec and returns the sound ones; `pod` is the name of the pod, where
/// it is one and not a template.
pub(super) fn volumes<'a>(
    spec: &'a Value,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) -> Volumes<'a> {
    let list = path.child("volumes");
    let mut sound = Volumes::new();
    for (index, volume) in spec.items("volumes").iter().enumerate() {
        let path = list.index(index);
        let before = faults.len();
        source(volume, &path, faults);
        check::required_text(volume, "name", names::dns1123_label, &path, faults);
        let name = volume.text("name");
        if sound.contains_key(name) {
            faults.push(Fault::duplicate(&path.child("name"), name));
        }
        if faults.len() == before {
            sound.insert(name, volume);
        }
    }
    sound
}

fn source(volume: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let mut given = SOURCES.iter().copied().filter(|source| volume.has(source));
    let Some(kind) = given.next() else {
        faults.push(Fault::required(path, "must specify a volume type"));
        return;
    };
    for second in given {
        let detail = "may not specify more than 1 volume type";
        faults.push(Fault::forbidden(&path.child(second), detail));
    }
    let (source, path) = (&volume[kind], path.child(kind));
    match kind {
        "emptyDir" => {
            if check::quantity(source, "sizeLimit").is_some_and(wk_api::Quantity::is_negative) {
                let detail = "SizeLimit field must be a valid resource quantity";
                faults.push(Fault::forbidden(&path.child("sizeLimit"), detail));
            }
        }
        "hostPath" => host_path(source, &path, faults),
        "secret" => {
            check::required(source, "secretName", &path, faults);
            keyed(source, &path, faults);
        }
        "configMap" => {
            check::required(source, "name", &path, faults);
            keyed(source, &path, faults);
        }
        "downwardAPI" => {
            mode(source, "defaultMode", &path, faults);
            for file in source.items("items") {
                downward_file(file, &path, faults);
            }
        }
        "projected" => projected(source, &path, faults),
        "persistentVolumeClaim" => check::required(source, "claimName", &path, faults),
        "nfs" => {
            check::required(source, "server", &path, faults);
            check::required(source, "path", &path, faults);
            if !source.text("path").starts_with('/') {
                let detail = "must be an absolute path";
                let value = source.text("path");
                faults.push(Fault::invalid(&path.child("path"), value, detail));
            }
        }
        "csi" => {
            check::required_text(source, "driver", names::dns1123_subdomain, &path, faults);
            let secret = &source["nodePublishSecretRef"];
            if secret.is_object() {
                check::required(secret, "name", &path.child("nodePublishSecretRef"), faults);
            }
        }
        "ephemeral" => {
            if !source.has("volumeClaimTemplate") {
                faults.push(Fault::required(&path.child("volumeClaimTemplate"), ""));
            }
        }
        "image" => {
            check::required(source, "reference", &path, faults);
            let policies = ["Always", "IfNotPresent", "Never"];
            check::required_one_of(source, "pullPolicy", &policies, &path, faults);
        }
        _ => {
            for field in legacy_required(kind) {
                check::required(source, field, &path, faults);
            }
        }
    }
}

/// What the sources of outside storage cannot do without.
fn legacy_required(kind: &str) -> &'static [&'static str] {
    match kind {
        "gitRepo" => &["repository"],
        "gcePersistentDisk" => &["pdName"],
        "awsElasticBlockStore" | "cinder" | "portworxVolume" => &["volumeID"],
        "iscsi" => &["targetPortal", "iqn"],
        "glusterfs" => &["endpoints", "path"],
        "rbd" => &["monitors", "image"],
        "cephfs" => &["monitors"],
        "quobyte" => &["registry", "volume"],
        "flexVolume" => &["driver"],
        "azureFile" => &["secretName", "shareName"],
        "vsphereVolume" => &["volumePath"],
        "photonPersistentDisk" => &["pdID"],
        "azureDisk" => &["diskName", "diskURI"],
        "storageos" => &["volumeName"],
        "scaleIO" => &["gateway", "system", "volumeName"],
        _ => &[],
    }
}

fn host_path(source: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    if source.lacks("path") {
        faults.push(Fault::required(&path.child("path"), ""));
        return;
    }
    check::no_backsteps(source.text("path"), &path.child("path"), faults);
    let types = [
        "",
        "BlockDevice",
        "CharDevice",
        "Directory",
        "DirectoryOrCreate",
        "File",
        "FileOrCreate",
        "Socket",
    ];
    check::one_of(source, "type", &types, path, faults);
}

fn mode(source: &Value, field: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    if let Some(mode) = source.int(field).filter(|mode| !(0..=0o777).contains(mode)) {
        let detail = "must be a number between 0 and 0777 (octal), both inclusive";
        faults.push(Fault::invalid(&path.child(field), mode, detail));
    }
}

fn keyed(source: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    mode(source, "defaultMode", path, faults);
    let list = path.child("items");
    for (index, item) in source.items("items").iter().enumerate() {
        key_to_path(item, &list.index(index), faults);
    }
}

fn key_to_path(item: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    check::required(item, "key", path, faults);
    check::required(item, "path", path, faults);
    check::unreserved_path(item.text("path"), &path.child("path"), faults);
    mode(item, "mode", path, faults);
}

/// Fields of a pod that files can hold.
const FIELDS: [&str; 5] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];

fn downward_file(file: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    check::required(file, "path", path, faults);
    check::unreserved_path(file.text("path"), &path.child("path"), faults);
    if file.has("fieldRef") {
        env::object_field(&file["fieldRef"], &FIELDS, &path.child("fieldRef"), faults);
        if file.has("resourceFieldRef") {
            let detail = "fieldRef and resourceFieldRef can not be specified simultaneously";
            faults.push(Fault::invalid(path, "resource", detail));
        }
    } else if file.has("resourceFieldRef") {
        let field = &file["resourceFieldRef"];
        env::resource_field(field, true, &path.child("resourceFieldRef"), faults);
    } else {
        let detail = "one of fieldRef and resourceFieldRef is required";
        faults.push(Fault::required(path, detail));
    }
    mode(file, "mode", path, faults);
}

fn projected(volume: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    mode(volume, "defaultMode", path, faults);
    let list = path.child("sources");
    let mut taken = BTreeSet::new();
    for (index, source) in volume.items("sources").iter().enumerate() {
        let item = list.index(index);
        let mut sources = 0;
        for field in ["secret", "configMap"] {
            if source.has(field) {
                sources += 1;
                let (source, item) = (&source[field], item.child(field));
                check::required(source, "name", &item, faults);
                let list = item.child("items");
                for (index, key) in source.items("items").iter().enumerate() {
                    key_to_path(key, &list.index(index), faults);
                    let file = key.text("path");
                    if !file.is_empty() && !taken.insert(file) {
                        let detail = "conflicting duplicate paths";
                        faults.push(Fault::invalid(path, source.text("name"), detail));
                    }
                }
            }
        }
        if source.has("downwardAPI") {
            sources += 1;
            let item = item.child("downwardAPI");
            for file in source["downwardAPI"].items("items") {
                downward_file(file, &item, faults);
                let file = file.text("path");
                if !file.is_empty() && !taken.insert(file) {
                    faults.push(Fault::invalid(path, file, "conflicting duplicate paths"));
                }
            }
        }
        if source.has("serviceAccountToken") {
            sources += 1;
            let token = &source["serviceAccountToken"];
            let item = item.child("serviceAccountToken");
            let seconds = token.int("expirationSeconds").unwrap_or(3600);
            let expiration = item.child("expirationSeconds");
            if seconds < 600 {
                let detail = "may not specify a duration less than 10 minutes";
                faults.push(Fault::invalid(&expiration, seconds, detail));
            }
            if seconds > 1 << 32 {
                let detail = "may not specify a duration larger than 2^32 seconds";
                faults.push(Fault::invalid(&expiration, seconds, detail));
            }
            check::required(token, "path", path, faults);
            check::unreserved_path(token.text("path"), &path.child("path"), faults);
        }
        if source.has("clusterTrustBundle") {
            sources += 1;
            let (bundle, item) = (&source["clusterTrustBundle"], item.child("clusterTrustBundle"));
            match (bundle.has("name"), bundle.has("signerName")) {
                (true, true) => {
                    let detail = "only one of name and signerName may be used";
                    faults.push(Fault::invalid(&item, bundle.clone(), detail));
                }
                (false, false) => {
                    let detail = "either name or signerName must be specified";
                    faults.push(Fault::required(&item, detail));
                }
                (true, false) | (false, true) => {}
            }
            check::required(bundle, "path", &item, faults);
            check::unreserved_path(bundle.text("path"), &item.child("path"), faults);
        }
        if sources > 1 {
            let detail = "may not specify more than 1 volume type per source";
            faults.push(Fault::forbidden(&item, detail));
        }
    }
}

/// Checks `volumeMounts` and `volumeDevices` of a container against the volumes of the pod.
pub(super) fn mounts(
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
        for field in ["subPath", "subPathExpr"] {
            if !mount.lacks(field) {
                check::descending_path(mount.text(field), &list.child(field), faults);
            }
        }
        if !mount.lacks("subPath") && !mount.lacks("subPathExpr") {
            let detail = "subPathExpr and subPath are mutually exclusive";
            let value = mount.text("subPathExpr");
            faults.push(Fault::invalid(&path.child("subPathExpr"), value, detail));
        }
        propagation(mount, container, &list, faults);
    }
    devices_of(container, volumes, path, faults);
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
        if !mode.is_empty() && mode != "None" {
            let detail = "may only be specified when mountPropagation is None or not specified";
            faults.push(Fault::forbidden(&path, detail));
        }
    }
}

fn devices_of(container: &Value, volumes: &Volumes<'_>, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("volumeDevices");
    let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for (index, device) in container.items("volumeDevices").iter().enumerate() {
        let path = list.index(index);
        let (name, point) = (device.text("name"), device.text("devicePath"));
        check::required(device, "name", &path, faults);
        if !names.insert(name) {
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
        if !paths.insert(point) {
            faults.push(Fault::invalid(&path.child("devicePath"), point, "must be unique"));
        }
        if point.split('/').any(|part| part == "..") {
            let detail = "can not contain backsteps ('..')";
            faults.push(Fault::invalid(&path.child("devicePath"), point, detail));
        }
    }
}
