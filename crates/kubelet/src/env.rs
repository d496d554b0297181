//! A container's environment: from its specification, and the objects it names, to names and values.
//! Pure.

pub(crate) mod file;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{
    Container, EnvVar, EnvVarSource, FileKeySelector, ObjectFieldSelector, Pod,
    ResourceFieldSelector,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as WireQuantity;
use wk_api::Quantity;

use self::file::EnvFiles;
use crate::objects::{Found, ObjectKind};
use crate::state::find_container;

/// What a pod may learn of itself and its node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) pod_ip: Option<IpAddr>,
    pub(crate) node_ip: IpAddr,
    pub(crate) allocatable: Allocatable,
}

/// What a node has for pods; the limit of containers that have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allocatable {
    pub(crate) cpu_milli: i64,
    pub(crate) memory_bytes: i64,
    pub(crate) storage_bytes: i64,
}

/// The ConfigMaps and Secrets that a container's environment names.
pub(crate) fn references(container: &Container) -> Vec<(ObjectKind, String)> {
    let mut wanted = Vec::new();
    for source in container.env_from.iter().flatten() {
        if let Some(source) = &source.config_map_ref {
            wanted.push((ObjectKind::ConfigMap, source.name.clone()));
        }
        if let Some(source) = &source.secret_ref {
            wanted.push((ObjectKind::Secret, source.name.clone()));
        }
    }
    for source in container.env.iter().flatten().filter_map(|var| var.value_from.as_ref()) {
        if let Some(key) = &source.config_map_key_ref {
            wanted.push((ObjectKind::ConfigMap, key.name.clone()));
        }
        if let Some(key) = &source.secret_key_ref {
            wanted.push((ObjectKind::Secret, key.name.clone()));
        }
    }
    wanted
}

/// The whole environment in order, each name once.
///
/// `first` comes before all that the pod says: the image's own, the host name.
///
/// # Errors
/// In Kubernetes' words: which object or key is missing.
pub(crate) fn environment(
    container: &Container,
    facts: Facts<'_>,
    found: &Found,
    files: &EnvFiles,
    first: &[(String, String)],
) -> Result<Vec<(String, String)>, String> {
    let mut env = Environment::default();
    for (name, value) in first {
        env.set(name, value.clone());
    }
    let namespace = facts.pod.metadata.namespace.as_deref().unwrap_or_default();
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        let (kind, name, optional) = match (&source.config_map_ref, &source.secret_ref) {
            (Some(source), _) => (ObjectKind::ConfigMap, &source.name, source.optional),
            (None, Some(source)) => (ObjectKind::Secret, &source.name, source.optional),
            (None, None) => continue,
        };
        match object(found, kind, name) {
            Some(data) => {
                for (key, value) in &data.values {
                    let name = format!("{prefix}{key}");
                    if wk_api::names::env_var_name(&name).is_empty() {
                        env.set(&name, String::from_utf8_lossy(value).into_owned());
                    }
                }
            }
            None if optional == Some(true) => {}
            None => return Err(format!("{kind} \"{name}\" not found")),
        }
    }
    for var in container.env.iter().flatten() {
        let value = match &var.value_from {
            None => Some(expand(var.value.as_deref().unwrap_or_default(), &env.values)),
            Some(source) => {
                let objects = (found, files);
                from_source(var, source, container, facts, objects, namespace)?
            }
        };
        if let Some(value) = value {
            env.set(&var.name, value);
        }
    }
    Ok(env.into_pairs())
}

/// Expands `$(NAME)` in a container's command or arguments.
pub(crate) fn expand_all(texts: Option<&[String]>, env: &[(String, String)]) -> Vec<String> {
    let values: HashMap<String, String> = env.iter().cloned().collect();
    texts.unwrap_or_default().iter().map(|text| expand(text, &values)).collect()
}

/// Replaces `$(NAME)` where the name is known; `$$` is a dollar sign.
///
/// Spec: <https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/>
pub(crate) fn expand(text: &str, values: &HashMap<String, String>) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        result.push_str(&rest[..start]);
        rest = &rest[start + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            result.push('$');
            rest = after;
        } else if let Some((name, after)) =
            rest.strip_prefix('(').and_then(|rest| rest.split_once(')'))
        {
            if let Some(value) = values.get(name) {
                result.push_str(value);
            } else {
                result.push_str("$(");
                result.push_str(name);
                result.push(')');
            }
            rest = after;
        } else {
            result.push('$');
        }
    }
    result.push_str(rest);
    result
}

/// The names that a text refers to as `$(NAME)`.
pub(crate) fn names(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = &rest[rest.find('$')? + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                rest = after;
            } else if let Some((name, after)) =
                rest.strip_prefix('(').and_then(|rest| rest.split_once(')'))
            {
                rest = after;
                return Some(name);
            }
        }
    })
}

/// A text in quotation marks as Go writes it.
fn quoted(text: &str) -> String {
    use std::fmt::Write as _;
    // Writing to a string cannot fail.
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            control if control.is_ascii_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(control));
            }
            control if control.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// The value of a field as `fieldRef` names it.
///
/// # Errors
/// If the field is not one that pods may ask for.
pub(crate) fn field(selector: &ObjectFieldSelector, facts: Facts<'_>) -> Result<String, String> {
    let meta = &facts.pod.metadata;
    let spec = facts.pod.spec.as_ref();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let ip = || facts.pod_ip.map(|ip| ip.to_string()).unwrap_or_default();
    let path = selector.field_path.as_str();
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        let map = match map {
            "metadata.labels" => &meta.labels,
            "metadata.annotations" => &meta.annotations,
            _ => return Err(format!("unsupported fieldPath: {path}")),
        };
        return Ok(map.as_ref().and_then(|map| map.get(key)).cloned().unwrap_or_default());
    }
    let all = |map: &Option<std::collections::BTreeMap<String, String>>| {
        let lines = map.iter().flatten().map(|(key, value)| format!("{key}={}", quoted(value)));
        lines.collect::<Vec<_>>().join("\n")
    };
    Ok(match path {
        "metadata.name" => text(&meta.name),
        "metadata.namespace" => text(&meta.namespace),
        "metadata.uid" => text(&meta.uid),
        "metadata.labels" => all(&meta.labels),
        "metadata.annotations" => all(&meta.annotations),
        "spec.nodeName" => spec.map(|spec| text(&spec.node_name)).unwrap_or_default(),
        "spec.serviceAccountName" => {
            spec.map(|spec| text(&spec.service_account_name)).unwrap_or_default()
        }
        "status.hostIP" | "status.hostIPs" => facts.node_ip.to_string(),
        "status.podIP" | "status.podIPs" => ip(),
        path => return Err(format!("unsupported fieldPath: {path}")),
    })
}

/// The value of a resource as `resourceFieldRef` names it, in units of its divisor, rounded up.
///
/// # Errors
/// If there is no such resource or container.
pub(crate) fn resource(
    selector: &ResourceFieldSelector,
    container: &Container,
    facts: Facts<'_>,
) -> Result<String, String> {
    let name = selector.resource.as_str();
    let (group, kind) = name.split_once('.').ok_or_else(|| unsupported_resource(name))?;
    let resources = container.resources.as_ref();
    let of = |map: Option<&std::collections::BTreeMap<String, WireQuantity>>| {
        map.and_then(|map| map.get(kind)).and_then(|quantity| Quantity::parse(&quantity.0).ok())
    };
    let limit = of(resources.and_then(|resources| resources.limits.as_ref()));
    let request = of(resources.and_then(|resources| resources.requests.as_ref()));
    let node = match kind {
        "cpu" => Quantity::from_milli(facts.allocatable.cpu_milli),
        "memory" => Quantity::from_bytes(facts.allocatable.memory_bytes),
        "ephemeral-storage" => Quantity::from_bytes(facts.allocatable.storage_bytes),
        _ => return Err(unsupported_resource(name)),
    };
    let value = match group {
        "limits" => limit.unwrap_or(node),
        "requests" => request.or(limit).unwrap_or(Quantity::ZERO),
        _ => return Err(unsupported_resource(name)),
    };
    let divisor = selector.divisor.as_ref().and_then(|divisor| Quantity::parse(&divisor.0).ok());
    let divisor = divisor.filter(|divisor| !divisor.is_zero()).unwrap_or(Quantity::from_value(1));
    let amount = if kind == "cpu" {
        value.milli().saturating_add(divisor.milli() - 1) / divisor.milli().max(1)
    } else {
        value.value().saturating_add(divisor.value() - 1) / divisor.value().max(1)
    };
    Ok(amount.to_string())
}

fn unsupported_resource(name: &str) -> String {
    format!("unsupported container resource : {name}")
}

fn object<'a>(
    found: &'a Found,
    kind: ObjectKind,
    name: &str,
) -> Option<&'a crate::objects::ObjectData> {
    found.get(&(kind, name.to_owned()))?.as_deref()
}

/// A variable of a file; `None` leaves it out.
fn of_file(selector: &FileKeySelector, files: &EnvFiles) -> Result<Option<String>, String> {
    let FileKeySelector { key, path, volume_name, optional } = selector;
    let file = files.get(&(volume_name.clone(), path.clone()));
    let file = file.cloned().unwrap_or(Ok(None))?;
    match file.as_ref().map(|file| file.get(key)) {
        Some(Some(value)) => Ok(Some(value.clone())),
        _ if *optional == Some(true) => Ok(None),
        Some(None) => {
            Err(format!("environment variable key \"{key}\" not found in file \"{path}\""))
        }
        None => Err(format!("env file \"{path}\" not found in volume \"{volume_name}\"")),
    }
}

/// `None` leaves the variable out: an optional key that is not there.
fn from_source(
    var: &EnvVar,
    source: &EnvVarSource,
    container: &Container,
    facts: Facts<'_>,
    (found, files): (&Found, &EnvFiles),
    namespace: &str,
) -> Result<Option<String>, String> {
    if let Some(selector) = &source.file_key_ref {
        return of_file(selector, files);
    }
    if let Some(selector) = &source.field_ref {
        return field(selector, facts).map(Some);
    }
    if let Some(selector) = &source.resource_field_ref {
        let name = selector.container_name.as_deref().filter(|name| !name.is_empty());
        let Some(name) = name else { return resource(selector, container, facts).map(Some) };
        let other = find_container(facts.pod, name);
        let (_, other) = other.ok_or_else(|| format!("container {name} not found"))?;
        return resource(selector, &other, facts).map(Some);
    }
    let (kind, kind_name, name, key, optional) =
        match (&source.config_map_key_ref, &source.secret_key_ref) {
            (Some(r), _) => (ObjectKind::ConfigMap, "ConfigMap", &r.name, &r.key, r.optional),
            (None, Some(r)) => (ObjectKind::Secret, "Secret", &r.name, &r.key, r.optional),
            (None, None) => {
                return Err(format!("env `{}` has a source that is not supported", var.name));
            }
        };
    let optional = optional == Some(true);
    let Some(data) = object(found, kind, name) else {
        return if optional { Ok(None) } else { Err(format!("{kind} \"{name}\" not found")) };
    };
    match data.values.get(key) {
        Some(value) => Ok(Some(String::from_utf8_lossy(value).into_owned())),
        None if optional => Ok(None),
        None => Err(format!("couldn't find key {key} in {kind_name} {namespace}/{name}")),
    }
}

/// Names in the order of their first appearance, each with its last value.
#[derive(Default)]
struct Environment {
    order: Vec<String>,
    values: HashMap<String, String>,
}

impl Environment {
    fn set(&mut self, name: &str, value: String) {
        if self.values.insert(name.to_owned(), value).is_none() {
            self.order.push(name.to_owned());
        }
    }

    fn into_pairs(mut self) -> Vec<(String, String)> {
        let pair = |name: String| self.values.remove(&name).map(|value| (name, value));
        self.order.into_iter().filter_map(pair).collect()
    }
}
