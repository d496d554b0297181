//! Environment variables and where their values come from.

use serde_json::{Map, Value};
use wk_api::{Fault, FieldPath, names};

use crate::check::{self, Faults};
use crate::look::{Look, default_to};
use crate::walk::TypeRule;

pub(super) const VAR: TypeRule = TypeRule { zeros: &["value"], ..TypeRule::NONE };
pub(super) const OBJECT_FIELD: TypeRule =
    TypeRule { default: |field| default_to(field, "apiVersion", "v1"), ..TypeRule::NONE };
pub(super) const RESOURCE_FIELD: TypeRule = TypeRule { default: default_divisor, ..TypeRule::NONE };

fn default_divisor(field: &mut Map<String, Value>) {
    // A quantity is written also when it is zero.
    default_to(field, "divisor", "0");
}

/// Fields of a pod that variables can hold.
const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// Resources of a container that variables and files can hold.
const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// Checks `env` of a container.
pub(super) fn variables(container: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("env");
    for (index, variable) in container.items("env").iter().enumerate() {
        let path = list.index(index);
        check::required_text(variable, "name", names::env_var_name, &path, faults);
        if variable.has("valueFrom") {
            value_from(variable, &path.child("valueFrom"), faults);
        }
    }
}

fn value_from(variable: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let source = &variable["valueFrom"];
    let mut sources = 0;
    if source.has("fieldRef") {
        sources += 1;
        object_field(&source["fieldRef"], &FIELDS, &path.child("fieldRef"), faults);
    }
    if source.has("resourceFieldRef") {
        sources += 1;
        let field = &source["resourceFieldRef"];
        resource_field(field, false, &path.child("resourceFieldRef"), faults);
    }
    for field in ["configMapKeyRef", "secretKeyRef"] {
        if source.has(field) {
            sources += 1;
            let (key, path) = (&source[field], path.child(field));
            let name = key.text("name");
            check::invalid(&path.child("name"), name, names::dns1123_subdomain(name), faults);
            check::required_text(key, "key", names::config_map_key, &path, faults);
        }
    }
    if source.has("fileKeyRef") {
        sources += 1;
        let (file, path) = (&source["fileKeyRef"], path.child("fileKeyRef"));
        check::required_text(file, "key", names::env_var_name, &path, faults);
        check::required_text(file, "volumeName", names::dns1123_label, &path, faults);
        check::required(file, "path", &path, faults);
        check::unreserved_path(file.text("path"), &path.child("path"), faults);
    }
    if sources == 0 {
        let detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or \
                      `secretKeyRef`";
        faults.push(Fault::invalid(path, "", detail));
    } else if !variable.lacks("value") {
        let detail = "may not be specified when `value` is not empty";
        faults.push(Fault::invalid(path, "", detail));
    } else if sources > 1 {
        let detail = "may not have more than one field specified at a time";
        faults.push(Fault::invalid(path, "", detail));
    }
}

/// Checks `envFrom` of a container.
pub(super) fn sources(container: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("envFrom");
    for (index, source) in container.items("envFrom").iter().enumerate() {
        let path = list.index(index);
        check::text(source, "prefix", names::env_var_name, &path, faults);
        let mut sources = 0;
        for field in ["configMapRef", "secretRef"] {
            if source.has(field) {
                sources += 1;
                let path = path.child(field);
                check::required_text(
                    &source[field],
                    "name",
                    names::dns1123_subdomain,
                    &path,
                    faults,
                );
            }
        }
        // Kubernetes names the list here and not the item.
        if sources == 0 {
            let detail = "must specify one of: `configMapRef` or `secretRef`";
            faults.push(Fault::invalid(&list, "", detail));
        } else if sources > 1 {
            let detail = "may not have more than one field specified at a time";
            faults.push(Fault::invalid(&list, "", detail));
        }
    }
}

/// Checks a reference to a field of the pod.
pub(super) fn object_field(
    field: &Value,
    supported: &[&str],
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    let full = field.text("fieldPath");
    if field.lacks("apiVersion") {
        faults.push(Fault::required(&path.child("apiVersion"), ""));
        return;
    }
    if full.is_empty() {
        faults.push(Fault::required(&path.child("fieldPath"), ""));
        return;
    }
    let version = field.text("apiVersion");
    if version != "v1" {
        let detail = format!("error converting fieldPath: unsupported pod version: {version}");
        faults.push(Fault::invalid(&path.child("fieldPath"), full, detail));
        return;
    }
    let subscripted = full
        .strip_suffix("']")
        .and_then(|rest| rest.split_once("['"))
        .filter(|(head, _)| !head.is_empty());
    match subscripted {
        Some(("metadata.annotations", key)) => {
            let key = key.to_lowercase();
            check::invalid(path, key.as_str(), names::qualified_name(&key), faults);
        }
        Some(("metadata.labels", key)) => {
            check::invalid(path, key, names::qualified_name(key), faults);
        }
        Some((head, _)) => {
            let known = FIELDS.contains(&head) || supported.contains(&head);
            if known {
                faults.push(Fault::invalid(path, head, "does not support subscript"));
            } else {
                unknown_field(full, path, faults);
            }
        }
        None if supported.contains(&full) => {}
        None if FIELDS.contains(&full)
            || matches!(full, "metadata.labels" | "metadata.annotations") =>
        {
            faults.push(Fault::not_supported(&path.child("fieldPath"), full, supported));
        }
        None => unknown_field(full, path, faults),
    }
}

fn unknown_field(field: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    let detail = format!("error converting fieldPath: field label not supported: {field}");
    faults.push(Fault::invalid(&path.child("fieldPath"), field, detail));
}

/// What a number of bytes can be divided by.
const BYTES: [&str; 13] =
    ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];

/// Checks a reference to a resource of a container; files must name the container.
pub(super) fn resource_field(field: &Value, file: bool, path: &FieldPath<'_>, faults: &mut Faults) {
    let resource = field.text("resource");
    let huge = ["requests.hugepages-", "limits.hugepages-"]
        .iter()
        .any(|prefix| resource.starts_with(prefix));
    if file && field.lacks("containerName") {
        faults.push(Fault::required(&path.child("containerName"), ""));
    } else if resource.is_empty() {
        faults.push(Fault::required(&path.child("resource"), ""));
    } else if !RESOURCES.contains(&resource) && !huge {
        faults.push(Fault::not_supported(&path.child("resource"), resource, &RESOURCES));
    }
    let Some(divisor) = check::quantity(field, "divisor").filter(|divisor| !divisor.is_zero())
    else {
        return;
    };
    let divisor = divisor.to_string();
    let divisor = divisor.as_str();
    let bytes = BYTES.contains(&divisor);
    let (fits, allowed, what) = match resource {
        "limits.cpu" | "requests.cpu" => {
            (["1m", "1"].contains(&divisor), "1m and 1".to_owned(), "cpu")
        }
        "limits.memory" | "requests.memory" => (bytes, BYTES.join(", "), "memory"),
        "limits.ephemeral-storage" | "requests.ephemeral-storage" => {
            (bytes, BYTES.join(", "), "local ephemeral storage")
        }
        _ if huge => (bytes, BYTES.join(", "), "hugepages"),
        _ => return,
    };
    if !fits {
        let detail =
            format!("only divisor's values {allowed} are supported with the {what} resource");
        faults.push(Fault::invalid(&path.child("divisor"), resource, detail));
    }
}
