//! Where the data of a volume comes from.

use serde_json::Value;

use super::template::{is_true, items, value};
use super::text::Text;
use crate::kinds::text;
use crate::output::jsonpath::plain;

/// A title and a field; one with `?` before it is a boolean, which may be missing.
type Shown = (&'static str, &'static str);
/// The field of a source, its title, and which of its fields are shown.
type Source = (&'static str, &'static str, &'static [Shown]);

/// Kinds of sources: field, what kubectl says about them, and which of their fields it shows.
const SOURCES: &[Source] = &[
    (
        "hostPath",
        "HostPath (bare host directory volume)",
        &[("Path", "path"), ("HostPathType", "type")],
    ),
    (
        "secret",
        "Secret (a volume populated by a Secret)",
        &[("SecretName", "secretName"), ("Optional", "?optional")],
    ),
    (
        "configMap",
        "ConfigMap (a volume populated by a ConfigMap)",
        &[("Name", "name"), ("Optional", "?optional")],
    ),
    (
        "nfs",
        "NFS (an NFS mount that lasts the lifetime of a pod)",
        &[("Server", "server"), ("Path", "path"), ("ReadOnly", "?readOnly")],
    ),
    (
        "persistentVolumeClaim",
        "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        &[("ClaimName", "claimName"), ("ReadOnly", "?readOnly")],
    ),
    (
        "local",
        "LocalVolume (a persistent volume backed by local storage on a node)",
        &[("Path", "path")],
    ),
    (
        "iscsi",
        "ISCSI (an ISCSI Disk resource that is attached to a kubelet's host machine and then \
         exposed to the pod)",
        &[
            ("TargetPortal", "targetPortal"),
            ("IQN", "iqn"),
            ("Lun", "lun"),
            ("ISCSIInterface", "iscsiInterface"),
            ("FSType", "fsType"),
            ("ReadOnly", "?readOnly"),
        ],
    ),
    (
        "csi",
        "CSI (a Container Storage Interface (CSI) volume source)",
        &[("Driver", "driver"), ("FSType", "fsType"), ("ReadOnly", "?readOnly")],
    ),
    (
        "image",
        "Image (a container image or OCI artifact)",
        &[("Reference", "reference"), ("PullPolicy", "pullPolicy")],
    ),
];

/// The source of a volume, of a pod or a persistent one.
pub(super) fn describe(out: &mut Text, volume: &Value) {
    for (field, title, shown) in SOURCES {
        let Some(source) = volume.get(*field) else { continue };
        out.pair(2, "Type:", title);
        for (name, field) in *shown {
            let shown = match field.strip_prefix('?') {
                Some(field) => is_true(source, &format!("/{field}")).to_string(),
                None => value(source, &format!("/{field}")),
            };
            out.pair(2, &format!("{name}:"), shown);
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
    if let Some(source) = volume.get("projected") {
        return projected(out, source);
    }
    let other = volume.as_object().into_iter().flatten().find(|(key, _)| *key != "name");
    let Some((kind, source)) = other else { return out.line(2, "<unknown>") };
    let mut title = kind.clone();
    title[..1].make_ascii_uppercase();
    out.pair(2, "Type:", title);
    let fields = source.as_object().into_iter().flatten();
    for (name, value) in fields.filter(|(_, value)| !value.is_array() && !value.is_object()) {
        let mut name = format!("{name}:");
        name[..1].make_ascii_uppercase();
        out.pair(2, &name, plain(value));
    }
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
