//! Volumes whose files are made of what the cluster knows: secrets, configuration, the pod itself.

use std::collections::BTreeSet;

use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use crate::check::{self, Faults};
use crate::kinds::certificates;
use crate::look::Look;
use crate::types::env;

/// Checks the mode of files in a field.
pub(super) fn mode(source: &Value, field: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    if let Some(mode) = source.int(field).filter(|mode| !(0..=0o777).contains(mode)) {
        let detail = "must be a number between 0 and 0777 (octal), both inclusive";
        faults.push(Fault::invalid(&path.child(field), mode, detail));
    }
}

/// Checks the mode and the chosen keys of a secret or config map.
pub(super) fn keyed(source: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
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

/// Checks one file that holds a field of the pod.
pub(super) fn downward_file(file: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
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

/// Checks a volume that several sources share.
pub(super) fn projected(volume: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    mode(volume, "defaultMode", path, faults);
    let list = path.child("sources");
    let mut taken = BTreeSet::new();
    for (index, source) in volume.items("sources").iter().enumerate() {
        let item = list.index(index);
        for field in ["secret", "configMap"] {
            if source.has(field) {
                chosen(&source[field], &item.child(field), path, &mut taken, faults);
            }
        }
        if source.has("downwardAPI") {
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
            let token = &source["serviceAccountToken"];
            let lifetime = item.child("serviceAccountToken");
            lifetime_of_token(token, &lifetime.child("expirationSeconds"), faults);
            check::required(token, "path", path, faults);
            check::unreserved_path(token.text("path"), &path.child("path"), faults);
        }
        if source.has("clusterTrustBundle") {
            let bundle = &source["clusterTrustBundle"];
            trust_bundle(bundle, &item.child("clusterTrustBundle"), faults);
            if !taken.insert(bundle.text("path")) {
                let detail = "conflicting duplicate paths";
                faults.push(Fault::invalid(path, bundle.text("path"), detail));
            }
        }
        let kinds = [
            "secret",
            "configMap",
            "downwardAPI",
            "serviceAccountToken",
            "clusterTrustBundle",
            "podCertificate",
        ];
        if kinds.iter().filter(|kind| source.has(kind)).count() > 1 {
            let detail = "may not specify more than 1 volume type per source";
            faults.push(Fault::forbidden(&item, detail));
        }
    }
}

/// Checks the keys of a secret or config map that become files.
fn chosen<'a>(
    source: &'a Value,
    path: &FieldPath<'_>,
    volume: &FieldPath<'_>,
    taken: &mut BTreeSet<&'a str>,
    faults: &mut Faults,
) {
    check::required(source, "name", path, faults);
    let list = path.child("items");
    for (index, key) in source.items("items").iter().enumerate() {
        key_to_path(key, &list.index(index), faults);
        let file = key.text("path");
        if !file.is_empty() && !taken.insert(file) {
            let detail = "conflicting duplicate paths";
            faults.push(Fault::invalid(volume, source.text("name"), detail));
        }
    }
}

fn lifetime_of_token(token: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let seconds = token.int("expirationSeconds").unwrap_or(3600);
    if seconds < 600 {
        let detail = "may not specify a duration less than 10 minutes";
        faults.push(Fault::invalid(path, seconds, detail));
    }
    if seconds > 1 << 32 {
        let detail = "may not specify a duration larger than 2^32 seconds";
        faults.push(Fault::invalid(path, seconds, detail));
    }
}

fn trust_bundle(bundle: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    match (bundle.has("name"), bundle.has("signerName")) {
        (true, true) => {
            let detail = "only one of name and signerName may be used";
            faults.push(Fault::invalid(path, bundle.clone(), detail));
        }
        (true, false) => {
            let name = bundle.text("name");
            if name.is_empty() {
                let detail = "must be a valid object name";
                faults.push(Fault::required(&path.child("name"), detail));
            }
            // The name of a bundle that belongs to a signer starts with that of the signer.
            let own = name.rsplit_once(':').map_or(name, |(_, own)| own);
            for message in names::dns1123_subdomain(own) {
                let detail = format!("not a valid clustertrustbundlename: {message}");
                faults.push(Fault::invalid(&path.child("name"), name, detail));
            }
            if bundle.has("labelSelector") {
                let detail = "labelSelector must be unset if name is specified";
                let value = bundle["labelSelector"].clone();
                faults.push(Fault::invalid(&path.child("labelSelector"), value, detail));
            }
        }
        (false, true) => {
            let signer = bundle.text("signerName");
            let path = path.child("signerName");
            if signer.is_empty() {
                faults.push(Fault::required(&path, "must be a valid signer name"));
            }
            certificates::signer_name(signer, &path, faults);
        }
        (false, false) => {
            let detail = "either name or signerName must be specified";
            faults.push(Fault::required(path, detail));
        }
    }
    check::required(bundle, "path", path, faults);
    check::unreserved_path(bundle.text("path"), &path.child("path"), faults);
}
