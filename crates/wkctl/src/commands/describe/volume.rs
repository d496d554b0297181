//! Where the data of a volume comes from.

use serde_json::{Map, Value};

use super::template::{is_true, items, value};
use super::text::Text;
use crate::kinds::text;
use crate::output::jsonpath::plain;

/// How a field is shown.
#[derive(Clone, Copy)]
enum As {
    Plain,
    /// False if it is missing.
    Flag,
    /// Zero if it is missing.
    Number,
    /// `<none>` if it is missing.
    OrNone,
    /// Left out if it is missing.
    IfThere,
    /// `[a b]`.
    List,
    /// `a, b`.
    Commas,
    /// `map[a:b]`.
    Map,
    /// The name of a secret, as Go shows it.
    Secret,
    /// Pairs, one a line.
    Pairs,
}

/// A title, the field below the source, and how it is shown.
type Shown = (&'static str, &'static str, As);
/// The field of a source, its title, and which of its fields are shown.
type Source = (&'static str, &'static str, &'static [Shown]);

const FS_TYPE: Shown = ("FSType:", "/fsType", As::Plain);
const READ_ONLY: Shown = ("ReadOnly:", "/readOnly", As::Flag);
const SECRET: Shown = ("SecretRef:", "/secretRef", As::Secret);
const OPTIONAL: Shown = ("Optional:", "/optional", As::Flag);

/// Kinds of sources: field, what kubectl says about them, and which of their fields it shows.
const SOURCES: &[Source] = &[
    (
        "hostPath",
        "HostPath (bare host directory volume)",
        &[("Path:", "/path", As::Plain), ("HostPathType:", "/type", As::Plain)],
    ),
    (
        "secret",
        "Secret (a volume populated by a Secret)",
        &[("SecretName:", "/secretName", As::Plain), OPTIONAL],
    ),
    (
        "configMap",
        "ConfigMap (a volume populated by a ConfigMap)",
        &[("Name:", "/name", As::Plain), OPTIONAL],
    ),
    (
        "nfs",
        "NFS (an NFS mount that lasts the lifetime of a pod)",
        &[("Server:", "/server", As::Plain), ("Path:", "/path", As::Plain), READ_ONLY],
    ),
    (
        "persistentVolumeClaim",
        "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        &[("ClaimName:", "/claimName", As::Plain), READ_ONLY],
    ),
    (
        "local",
        "LocalVolume (a persistent volume backed by local storage on a node)",
        &[("Path:", "/path", As::Plain)],
    ),
    (
        "iscsi",
        "ISCSI (an ISCSI Disk resource that is attached to a kubelet's host machine and then \
         exposed to the pod)",
        &[
            ("TargetPortal:", "/targetPortal", As::Plain),
            ("IQN:", "/iqn", As::Plain),
            ("Lun:", "/lun", As::Number),
            ("ISCSIInterface", "/iscsiInterface", As::Plain),
            FS_TYPE,
            READ_ONLY,
            ("Portals:", "/portals", As::List),
            ("DiscoveryCHAPAuth:", "/chapAuthDiscovery", As::Flag),
            ("SessionCHAPAuth:", "/chapAuthSession", As::Flag),
            SECRET,
            ("InitiatorName:", "/initiatorName", As::OrNone),
        ],
    ),
    (
        "csi",
        "CSI (a Container Storage Interface (CSI) volume source)",
        &[
            ("Driver:", "/driver", As::Plain),
            FS_TYPE,
            ("VolumeHandle:", "/volumeHandle", As::IfThere),
            READ_ONLY,
            ("VolumeAttributes:", "/volumeAttributes", As::Pairs),
        ],
    ),
    (
        "image",
        "Image (a container image or OCI artifact)",
        &[("Reference:", "/reference", As::Plain), ("PullPolicy:", "/pullPolicy", As::Plain)],
    ),
    (
        "gitRepo",
        "GitRepo (a volume that is pulled from git when the pod is created)",
        &[("Repository:", "/repository", As::Plain), ("Revision:", "/revision", As::Plain)],
    ),
    (
        "fc",
        "FC (a Fibre Channel disk)",
        &[
            ("TargetWWNs:", "/targetWWNs", As::Commas),
            ("LUN:", "/lun", As::OrNone),
            FS_TYPE,
            READ_ONLY,
        ],
    ),
    (
        "gcePersistentDisk",
        "GCEPersistentDisk (a Persistent Disk resource in Google Compute Engine)",
        &[
            ("PDName:", "/pdName", As::Plain),
            FS_TYPE,
            ("Partition:", "/partition", As::Number),
            READ_ONLY,
        ],
    ),
    (
        "awsElasticBlockStore",
        "AWSElasticBlockStore (a Persistent Disk resource in AWS)",
        &[
            ("VolumeID:", "/volumeID", As::Plain),
            FS_TYPE,
            ("Partition:", "/partition", As::Number),
            READ_ONLY,
        ],
    ),
    (
        "glusterfs",
        "Glusterfs (a Glusterfs mount on the host that shares a pod's lifetime)",
        &[
            ("EndpointsName:", "/endpoints", As::Plain),
            ("EndpointsNamespace:", "/endpointsNamespace", As::IfThere),
            ("Path:", "/path", As::Plain),
            READ_ONLY,
        ],
    ),
    (
        "rbd",
        "RBD (a Rados Block Device mount on the host that shares a pod's lifetime)",
        &[
            ("CephMonitors:", "/monitors", As::List),
            ("RBDImage:", "/image", As::Plain),
            FS_TYPE,
            ("RBDPool:", "/pool", As::Plain),
            ("RadosUser:", "/user", As::Plain),
            ("Keyring:", "/keyring", As::Plain),
            SECRET,
            READ_ONLY,
        ],
    ),
    (
        "quobyte",
        "Quobyte (a Quobyte mount on the host that shares a pod's lifetime)",
        &[("Registry:", "/registry", As::Plain), ("Volume:", "/volume", As::Plain), READ_ONLY],
    ),
    (
        "azureDisk",
        "AzureDisk (an Azure Data Disk mount on the host and bind mount to the pod)",
        &[
            ("DiskName:", "/diskName", As::Plain),
            ("DiskURI:", "/diskURI", As::Plain),
            ("Kind:", "/kind", As::Plain),
            FS_TYPE,
            ("CachingMode:", "/cachingMode", As::Plain),
            READ_ONLY,
        ],
    ),
    (
        "vsphereVolume",
        "vSphereVolume (a Persistent Disk resource in vSphere)",
        &[
            ("VolumePath:", "/volumePath", As::Plain),
            FS_TYPE,
            ("StoragePolicyName:", "/storagePolicyName", As::Plain),
        ],
    ),
    (
        "cinder",
        "Cinder (a Persistent Disk resource in OpenStack)",
        &[("VolumeID:", "/volumeID", As::Plain), FS_TYPE, READ_ONLY, SECRET],
    ),
    (
        "photonPersistentDisk",
        "PhotonPersistentDisk (a Persistent Disk resource in photon platform)",
        &[("PdID:", "/pdID", As::Plain), FS_TYPE],
    ),
    (
        "portworxVolume",
        "PortworxVolume (a Portworx Volume resource)",
        &[("VolumeID:", "/volumeID", As::Plain)],
    ),
    (
        "scaleIO",
        "ScaleIO (a persistent volume backed by a block device in ScaleIO)",
        &[
            ("Gateway:", "/gateway", As::Plain),
            ("System:", "/system", As::Plain),
            ("Protection Domain:", "/protectionDomain", As::Plain),
            ("Storage Pool:", "/storagePool", As::Plain),
            ("Storage Mode:", "/storageMode", As::Plain),
            ("VolumeName:", "/volumeName", As::Plain),
            FS_TYPE,
            READ_ONLY,
        ],
    ),
    (
        "cephfs",
        "CephFS (a CephFS mount on the host that shares a pod's lifetime)",
        &[
            ("Monitors:", "/monitors", As::List),
            ("Path:", "/path", As::Plain),
            ("User:", "/user", As::Plain),
            ("SecretFile:", "/secretFile", As::Plain),
            SECRET,
            READ_ONLY,
        ],
    ),
    (
        "storageos",
        "StorageOS (a StorageOS Persistent Disk resource)",
        &[
            ("VolumeName:", "/volumeName", As::Plain),
            ("VolumeNamespace:", "/volumeNamespace", As::Plain),
            FS_TYPE,
            READ_ONLY,
        ],
    ),
    (
        "azureFile",
        "AzureFile (an Azure File Service mount on the host and bind mount to the pod)",
        &[
            ("SecretName:", "/secretName", As::Plain),
            ("SecretNamespace:", "/secretNamespace", As::IfThere),
            ("ShareName:", "/shareName", As::Plain),
            READ_ONLY,
        ],
    ),
    (
        "flexVolume",
        "FlexVolume (a generic volume resource that is provisioned/attached using an exec based \
         plugin)",
        &[
            ("Driver:", "/driver", As::Plain),
            FS_TYPE,
            SECRET,
            READ_ONLY,
            ("Options:", "/options", As::Map),
        ],
    ),
    (
        "flocker",
        "Flocker (a Flocker volume mounted by the Flocker agent)",
        &[("DatasetName:", "/datasetName", As::Plain), ("DatasetUUID:", "/datasetUUID", As::Plain)],
    ),
];

/// The source of a volume, of a pod or a persistent one.
pub(super) fn describe(out: &mut Text, volume: &Value) {
    for (field, title, shown) in SOURCES {
        let Some(source) = volume.get(*field) else { continue };
        out.pair(2, "Type:", title);
        for field in *shown {
            show(out, source, *field, volume.get("capacity").is_some());
        }
        return;
    }
    if let Some(source) = volume.get("emptyDir") {
        out.pair(2, "Type:", "EmptyDir (a temporary directory that shares a pod's lifetime)");
        out.pair(2, "Medium:", text(source, "/medium"));
        let limit = source.get("sizeLimit").map_or("<unset>".to_owned(), plain);
        return out.pair(2, "SizeLimit:", limit);
    }
    if let Some(source) = volume.get("downwardAPI") {
        out.pair(2, "Type:", "DownwardAPI (a volume populated by information about the pod)");
        out.line(2, "Items:");
        for item in items(source, "/items") {
            let from = match text(item, "/fieldRef/fieldPath") {
                "" => text(item, "/resourceFieldRef/resource"),
                path => path,
            };
            out.line(3, format!("{from} -> {}", text(item, "/path")));
        }
        return;
    }
    match (volume.get("projected"), volume.pointer("/ephemeral/volumeClaimTemplate")) {
        (Some(source), _) => projected(out, source),
        (None, Some(template)) => ephemeral(out, template),
        (None, None) => out.line(2, "<unknown>"),
    }
}

fn show(out: &mut Text, source: &Value, (title, field, how): Shown, is_persistent: bool) {
    let there = source.pointer(field);
    let texts = || -> Vec<String> { items(source, field).map(plain).collect() };
    let shown = match how {
        As::Plain => value(source, field),
        As::Flag => is_true(source, field).to_string(),
        As::Number => there.map_or("0".to_owned(), plain),
        As::OrNone => there.map_or("<none>".to_owned(), plain),
        As::IfThere => match there {
            Some(there) => plain(there),
            None => return,
        },
        As::List => format!("[{}]", texts().join(" ")),
        As::Commas => texts().join(", "),
        As::Map => {
            let pairs = there.and_then(Value::as_object).into_iter().flatten();
            let pairs: Vec<String> =
                pairs.map(|(key, value)| format!("{key}:{}", plain(value))).collect();
            format!("map[{}]", pairs.join(" "))
        }
        As::Secret => match there {
            None => "nil".to_owned(),
            Some(secret) if is_persistent => {
                let (name, namespace) = (text(secret, "/name"), text(secret, "/namespace"));
                format!("&SecretReference{{Name:{name},Namespace:{namespace},}}")
            }
            Some(secret) => format!("&LocalObjectReference{{Name:{},}}", text(secret, "/name")),
        },
        As::Pairs => return pairs(out, title, there.and_then(Value::as_object)),
    };
    out.pair(2, title, shown);
}

/// Pairs, which stand deeper than other values.
fn pairs(out: &mut Text, title: &str, map: Option<&Map<String, Value>>) {
    let Some(map) = map.filter(|map| !map.is_empty()) else { return out.pair(2, title, "<none>") };
    let mut title = title;
    for (key, value) in map {
        out.pair(2, title, format!("    {key}={}", plain(value)));
        title = "    ";
    }
}

fn ephemeral(out: &mut Text, template: &Value) {
    let title = "EphemeralVolume (an inline specification for a volume that gets created and \
                 deleted with the pod)";
    out.pair(2, "Type:", title);
    let volume = text(template, "/spec/volumeName");
    out.pair(2, "StorageClass:", text(template, "/spec/storageClassName"));
    out.pair(2, "Volume:", volume);
    for (title, field) in [("Labels:", "labels"), ("Annotations:", "annotations")] {
        let map = template.pointer("/metadata").and_then(|metadata| metadata.get(field));
        let map = map.and_then(Value::as_object).filter(|map| !map.is_empty());
        match map {
            None => out.pair(2, title, "    <none>"),
            Some(_) => pairs(out, title, map),
        }
    }
    // What has a volume has a size, which nobody knows before the claim is there.
    out.pair(2, "Capacity:", if volume.is_empty() { "" } else { "0" });
    out.pair(2, "Access Modes:", "");
    out.pair_if(2, "VolumeMode:", text(template, "/spec/volumeMode"));
}

fn projected(out: &mut Text, source: &Value) {
    let title = "Projected (a volume that contains injected data from multiple sources)";
    out.pair(2, "Type:", title);
    for part in items(source, "/sources") {
        if let Some(secret) = part.get("secret") {
            out.pair(2, "SecretName:", text(secret, "/name"));
            out.pair(2, "Optional:", is_true(secret, "/optional").to_string());
        } else if part.get("downwardAPI").is_some() {
            out.pair(2, "DownwardAPI:", "true");
        } else if let Some(map) = part.get("configMap") {
            out.pair(2, "ConfigMapName:", text(map, "/name"));
            out.pair(2, "Optional:", is_true(map, "/optional").to_string());
        } else if let Some(token) = part.get("serviceAccountToken") {
            out.pair(2, "TokenExpirationSeconds:", value(token, "/expirationSeconds"));
        }
    }
}
