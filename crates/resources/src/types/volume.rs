//! Volumes of pods and their sources.

mod mounts;
pub(crate) mod outside;
mod projected;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use wk_api::{Fault, FieldPath, names};

pub(super) use self::mounts::{devices, mounts};
use super::claim;
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

/// Checks `volumes` of a pod spec and returns the sound ones.
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
        sources(volume, &path, faults);
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

fn sources(volume: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let mut given = SOURCES.iter().copied().filter(|source| volume.has(source));
    let Some(kind) = given.next() else {
        faults.push(Fault::required(path, "must specify a volume type"));
        return;
    };
    source(kind, volume, path, faults);
    for second in given {
        // Two of the names are not spelled as the fields are.
        let shown = match second {
            "cephfs" => "cephFS",
            "downwardAPI" => "downwarAPI",
            other => other,
        };
        let detail = "may not specify more than 1 volume type";
        faults.push(Fault::forbidden(&path.child(shown), detail));
    }
}

fn source(kind: &str, volume: &Value, parent: &FieldPath<'_>, faults: &mut Faults) {
    let (source, path) = (&volume[kind], parent.child(kind));
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
            projected::keyed(source, &path, faults);
        }
        "configMap" => {
            check::required(source, "name", &path, faults);
            projected::keyed(source, &path, faults);
        }
        "downwardAPI" => {
            projected::mode(source, "defaultMode", &path, faults);
            for file in source.items("items") {
                projected::downward_file(file, &path, faults);
            }
        }
        "projected" => projected::projected(source, &path, faults),
        "persistentVolumeClaim" => check::required(source, "claimName", &path, faults),
        "ephemeral" => {
            let path = path.child("volumeClaimTemplate");
            if source.has("volumeClaimTemplate") {
                claim::template(&source["volumeClaimTemplate"], &path, faults);
            } else {
                faults.push(Fault::required(&path, ""));
            }
        }
        // That an image is named is demanded of pods alone.
        "image" => {
            let policies = ["Always", "IfNotPresent", "Never"];
            check::required_one_of(source, "pullPolicy", &policies, &path, faults);
        }
        _ => outside::source(kind, source, (volume.text("name"), false), parent, faults),
    }
}

/// Checks a folder or file of the host.
pub(crate) fn host_path(source: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
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
