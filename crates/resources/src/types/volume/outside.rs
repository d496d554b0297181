//! Sources of storage that somebody else runs, in pods and in persistent volumes.

use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use crate::check::{self, Faults};
use crate::look::Look;

/// The most bytes of the name of a storage driver.
const DRIVER_MAX: usize = 63;
/// The most bytes of the name of a volume and its portal, where an initiator is named.
const PORTAL_MAX: usize = 64;

/// Checks the source `kind` of the volume `name`; `persistent` tells a persistent volume from a pod's.
pub(crate) fn source(
    kind: &str,
    source: &Value,
    (name, persistent): (&str, bool),
    parent: &FieldPath<'_>,
    faults: &mut Faults,
) {
    // Kubernetes calls this one otherwise than the field is called.
    let shown = if kind == "gcePersistentDisk" { "persistentDisk" } else { kind };
    let path = parent.child(shown);
    for field in required(kind) {
        check::required(source, field, &path, faults);
    }
    match kind {
        "gitRepo" => {
            check::descending_path(source.text("directory"), &path.child("directory"), faults);
        }
        "nfs" if !source.text("path").starts_with('/') => {
            let detail = "must be an absolute path";
            faults.push(Fault::invalid(&path.child("path"), source.text("path"), detail));
        }
        "gcePersistentDisk" | "awsElasticBlockStore" => {
            if let Some(number) = source.int("partition").filter(|n| !(0..=255).contains(n)) {
                let detail = names::between(1, 255);
                faults.push(Fault::invalid(&path.child("partition"), number, detail));
            }
        }
        "iscsi" => iscsi(source, name, persistent, parent, faults),
        "fc" => fibre_channel(source, &path, faults),
        "flocker" => flocker(source, &path, faults),
        "quobyte" => quobyte(source, &path, faults),
        "azureDisk" => azure_disk(source, &path, faults),
        "azureFile"
            if persistent && source.has("secretNamespace") && source.lacks("secretNamespace") =>
        {
            faults.push(Fault::required(&path.child("secretNamespace"), ""));
        }
        "glusterfs" if persistent && source.has("endpointsNamespace") => {
            let namespace = source.text("endpointsNamespace");
            let path = path.child("endpointsNamespace");
            if namespace.is_empty() {
                let detail = "if the endpointnamespace is set, it must be a valid namespace name";
                faults.push(Fault::invalid(&path, namespace, detail));
            } else {
                check::invalid(&path, namespace, names::dns1123_label(namespace), faults);
            }
        }
        "flexVolume" => reserved_options(source, &path, faults),
        "storageos" => {
            check::text(source, "volumeName", names::dns1123_label, &path, faults);
            check::text(source, "volumeNamespace", names::dns1123_label, &path, faults);
            secret(source, persistent, &path, faults);
        }
        "cinder" => secret(source, persistent, &path, faults),
        "csi" => csi(source, persistent, &path, faults),
        "local" if !source.lacks("path") => {
            check::no_backsteps(source.text("path"), &path.child("path"), faults);
        }
        _ => {}
    }
}

/// What a source cannot do without.
fn required(kind: &str) -> &'static [&'static str] {
    match kind {
        "gitRepo" => &["repository"],
        "gcePersistentDisk" => &["pdName"],
        "awsElasticBlockStore" | "cinder" | "portworxVolume" => &["volumeID"],
        "nfs" => &["server", "path"],
        "glusterfs" => &["endpoints", "path"],
        "rbd" => &["monitors", "image"],
        "cephfs" => &["monitors"],
        "flexVolume" => &["driver"],
        "azureFile" => &["secretName", "shareName"],
        "vsphereVolume" => &["volumePath"],
        "photonPersistentDisk" => &["pdID"],
        "azureDisk" => &["diskName", "diskURI"],
        "storageos" => &["volumeName"],
        "scaleIO" => &["gateway", "system", "volumeName"],
        "local" => &["path"],
        _ => &[],
    }
}

fn secret(source: &Value, persistent: bool, path: &FieldPath<'_>, faults: &mut Faults) {
    let secret = &source["secretRef"];
    if secret.is_object() {
        let path = path.child("secretRef");
        check::required(secret, "name", &path, faults);
        if persistent {
            check::required(secret, "namespace", &path, faults);
        }
    }
}

/// Checks the name of a storage driver.
pub(crate) fn driver_name(name: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    if name.is_empty() {
        faults.push(Fault::required(path, ""));
    }
    if name.len() > DRIVER_MAX {
        faults.push(Fault::too_long(path, DRIVER_MAX));
    }
    check::invalid(path, name, names::dns1123_subdomain(&name.to_lowercase()), faults);
}

fn csi(source: &Value, persistent: bool, path: &FieldPath<'_>, faults: &mut Faults) {
    driver_name(source.text("driver"), &path.child("driver"), faults);
    if !persistent {
        let secret = &source["nodePublishSecretRef"];
        if secret.is_object() {
            let name = secret.text("name");
            check::required(secret, "name", &path.child("nodePublishSecretRef"), faults);
            if !name.is_empty() {
                let messages = names::dns1123_subdomain(name);
                check::invalid(&path.child("name"), name, messages, faults);
            }
        }
        return;
    }
    check::required(source, "volumeHandle", path, faults);
    for field in [
        "controllerPublishSecretRef",
        "controllerExpandSecretRef",
        "nodePublishSecretRef",
        "nodeExpandSecretRef",
    ] {
        if source.has(field) {
            let path = path.child(field);
            let secret = &source[field];
            check::required_text(secret, "name", names::dns1123_subdomain, &path, faults);
            check::required_text(secret, "namespace", names::dns1123_label, &path, faults);
        }
    }
}

/// Whether an iSCSI name has one of the three forms that there are; `None` for an unknown form.
fn is_iscsi_name(name: &str) -> Option<bool> {
    let tail = |start: &str, length: usize| {
        name.strip_prefix(start).is_some_and(|rest| {
            rest.len() == length && rest.bytes().all(|b| b.is_ascii_alphanumeric())
        })
    };
    if name.starts_with("iqn") {
        return Some(is_qualified(name));
    }
    if name.starts_with("eui") {
        return Some(tail("eui.", 16));
    }
    name.starts_with("naa").then(|| tail("naa.", 32))
}

/// Whether a name is like `iqn.2001-04.com.example:storage`.
fn is_qualified(name: &str) -> bool {
    let Some((date, rest)) = name.strip_prefix("iqn.").and_then(|rest| rest.split_once('.')) else {
        return false;
    };
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let dated = date.split_once('-').is_some_and(|(y, m)| digits(y, 4) && digits(m, 2));
    let Some((authority, unique)) = rest.split_once(':') else { return false };
    dated
        && !authority.is_empty()
        && authority.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
        && !unique.is_empty()
        && !unique.chars().any(|c| c.is_whitespace() || ",;*&$|".contains(c))
}

fn iscsi_name(name: &str, unknown: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    match is_iscsi_name(name) {
        Some(true) => {}
        Some(false) => faults.push(Fault::invalid(path, name, "must be valid format")),
        None => faults.push(Fault::invalid(path, name, unknown)),
    }
}

fn iscsi(
    source: &Value,
    volume: &str,
    persistent: bool,
    parent: &FieldPath<'_>,
    faults: &mut Faults,
) {
    let path = parent.child("iscsi");
    let portal = source.text("targetPortal");
    check::required(source, "targetPortal", &path, faults);
    let too_long = source.has("initiatorName") && volume.len() + 1 + portal.len() > PORTAL_MAX;
    let detail = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if \
                  iscsi.initiatorName is specified.";
    if too_long && persistent {
        faults.push(Fault::invalid(&path.child("targetportal"), portal, detail));
    }
    let unknown = "must be valid format starting with iqn, eui, or naa";
    if source.lacks("iqn") {
        faults.push(Fault::required(&path.child("iqn"), ""));
    } else {
        let unknown = if persistent { "must be valid format" } else { unknown };
        iscsi_name(source.text("iqn"), unknown, &path.child("iqn"), faults);
    }
    check::in_range(source, "lun", 0, 255, &path, faults);
    let authenticates = source.is("chapAuthDiscovery") || source.is("chapAuthSession");
    if authenticates && !source.has("secretRef") {
        faults.push(Fault::required(&path.child("secretRef"), ""));
    }
    if persistent && source.has("secretRef") {
        check::required(&source["secretRef"], "name", &path.child("secretRef"), faults);
    }
    if source.has("initiatorName") {
        let path = path.child("initiatorname");
        iscsi_name(source.text("initiatorName"), unknown, &path, faults);
    }
    if too_long && !persistent {
        faults.push(Fault::invalid(&parent.child("name"), volume, detail));
    }
}

fn fibre_channel(source: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let targets = path.child("targetWWNs");
    if source.lacks("targetWWNs") && source.lacks("wwids") {
        let detail = "must specify either targetWWNs or wwids, but not both";
        faults.push(Fault::required(&targets, detail));
    }
    if !source.lacks("targetWWNs") {
        if !source.lacks("wwids") {
            let detail = "targetWWNs and wwids can not be specified simultaneously";
            faults.push(Fault::invalid(&targets, source["targetWWNs"].clone(), detail));
        }
        if !source.has("lun") {
            let detail = "lun is required if targetWWNs is specified";
            faults.push(Fault::required(&path.child("lun"), detail));
        }
        check::in_range(source, "lun", 0, 255, path, faults);
    }
}

fn flocker(source: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let name = source.text("datasetName");
    match (name.is_empty(), source.lacks("datasetUUID")) {
        (true, true) => {
            let detail = "one of datasetName and datasetUUID is required";
            faults.push(Fault::required(path, detail));
        }
        (false, false) => {
            let detail = "datasetName and datasetUUID can not be specified simultaneously";
            faults.push(Fault::invalid(path, "resource", detail));
        }
        (true, false) | (false, true) => {}
    }
    if name.contains('/') {
        let detail = "must not contain '/'";
        faults.push(Fault::invalid(&path.child("datasetName"), name, detail));
    }
}

fn quobyte(source: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let detail = "must be a host:port pair or multiple pairs separated by commas";
    let registry = source.text("registry");
    if registry.is_empty() {
        faults.push(Fault::required(&path.child("registry"), detail));
    } else if source.text("tenant").len() >= 65 {
        let detail = "must be a UUID and may not exceed a length of 64 characters";
        faults.push(Fault::required(&path.child("tenant"), detail));
    } else {
        for pair in registry.split(',') {
            if !pair.contains(':') {
                faults.push(Fault::invalid(&path.child("registry"), registry, detail));
            }
        }
    }
    check::required(source, "volume", path, faults);
}

fn azure_disk(source: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    check::one_of(source, "cachingMode", &["None", "ReadOnly", "ReadWrite"], path, faults);
    check::one_of(source, "kind", &["Dedicated", "Managed", "Shared"], path, faults);
    if !source.has("kind") {
        return;
    }
    let uri = source.text("diskURI");
    let managed = source.text("kind") == "Managed";
    let (start, form) = if managed {
        (
            "/subscriptions/",
            "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/\
             disks/{disk-id}",
        )
    } else {
        (
            "https://",
            "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd",
        )
    };
    if !uri.starts_with(start) {
        faults.push(Fault::not_supported(&path.child("diskURI"), uri, &[form]));
    }
}

fn reserved_options(source: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let path = path.child("options");
    for (key, _) in source.entries("options") {
        let namespace = key.split_once('/').map_or(key.as_str(), |(namespace, _)| namespace);
        let namespace = format!(".{}", namespace.to_lowercase());
        if namespace.ends_with(".kubernetes.io") || namespace.ends_with(".k8s.io") {
            let detail = "kubernetes.io and k8s.io namespaces are reserved";
            faults.push(Fault::invalid(&path.key(key), key.as_str(), detail));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_iscsi_name;

    #[test]
    fn iscsi_names_have_three_forms() {
        for (name, expected) in [
            ("iqn.2001-04.com.example:storage.1", Some(true)),
            ("iqn.2001-04.com.example", Some(false)),
            ("iqn.01-04.com.example:a", Some(false)),
            ("iqn.2001-04.com.example:a b", Some(false)),
            ("eui.0123456789ABCDEF", Some(true)),
            ("eui.01", Some(false)),
            ("naa.62004567BA64678D0123456789ABCDEF", Some(true)),
            ("other", None),
        ] {
            assert_eq!(is_iscsi_name(name), expected, "{name}");
        }
    }
}
