//! The files of volumes whose content comes from the API. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, DownwardAPIVolumeFile, KeyToPath, PodSpec, Volume, VolumeProjection,
};

use super::Given;
use crate::env::{field, resource};
use crate::objects::{Found, ObjectKind};

/// Files by their path in the volume.
pub(crate) type Payload = BTreeMap<String, File>;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
    pub(crate) mode: u32,
}

const DEFAULT_MODE: i32 = 0o644;

/// The ConfigMaps and Secrets that the volumes of a pod name.
pub(crate) fn references(spec: &PodSpec) -> Vec<(ObjectKind, String)> {
    let mut wanted = Vec::new();
    for volume in spec.volumes.iter().flatten() {
        if let Some(source) = &volume.config_map {
            wanted.push((ObjectKind::ConfigMap, source.name.clone()));
        }
        if let Some(name) = volume.secret.as_ref().and_then(|source| source.secret_name.as_ref()) {
            wanted.push((ObjectKind::Secret, name.clone()));
        }
        let projected = volume.projected.iter().flat_map(|source| source.sources.iter().flatten());
        for source in projected {
            if let Some(source) = &source.config_map {
                wanted.push((ObjectKind::ConfigMap, source.name.clone()));
            }
            if let Some(source) = &source.secret {
                wanted.push((ObjectKind::Secret, source.name.clone()));
            }
        }
    }
    wanted
}

/// Whether the files of a volume come from the API, so that they can change.
pub(super) fn is_from_api(volume: &Volume) -> bool {
    volume.config_map.is_some()
        || volume.secret.is_some()
        || volume.downward_api.is_some()
        || volume.projected.is_some()
}

/// The files of a volume; `None` if it is of another kind.
pub(super) fn of_volume(
    volume: &Volume,
    spec: &PodSpec,
    given: Given<'_>,
) -> Option<Result<Payload, String>> {
    if let Some(source) = &volume.config_map {
        let items = source.items.as_deref();
        let object = (ObjectKind::ConfigMap, source.name.as_str());
        return Some(keys(object, items, source.default_mode, source.optional, given.found));
    }
    if let Some(source) = &volume.secret {
        let items = source.items.as_deref();
        let object = (ObjectKind::Secret, source.secret_name.as_deref().unwrap_or_default());
        return Some(keys(object, items, source.default_mode, source.optional, given.found));
    }
    if let Some(source) = &volume.downward_api {
        let items = source.items.as_deref().unwrap_or_default();
        return Some(downward(items, source.default_mode, spec, given));
    }
    let source = volume.projected.as_ref()?;
    let mut all = Payload::new();
    for projection in source.sources.iter().flatten() {
        let mode = source.default_mode;
        match one_projection(&volume.name, projection, mode, spec, given) {
            Ok(files) => all.extend(files),
            Err(message) => return Some(Err(message)),
        }
    }
    Some(Ok(all))
}

fn one_projection(
    volume: &str,
    source: &VolumeProjection,
    mode: Option<i32>,
    spec: &PodSpec,
    given: Given<'_>,
) -> Result<Payload, String> {
    if let Some(source) = &source.config_map {
        let object = (ObjectKind::ConfigMap, source.name.as_str());
        return keys(object, source.items.as_deref(), mode, source.optional, given.found);
    }
    if let Some(source) = &source.secret {
        let object = (ObjectKind::Secret, source.name.as_str());
        return keys(object, source.items.as_deref(), mode, source.optional, given.found);
    }
    if let Some(source) = &source.downward_api {
        return downward(source.items.as_deref().unwrap_or_default(), mode, spec, given);
    }
    if let Some(source) = &source.service_account_token {
        let place = (volume.to_owned(), source.path.clone());
        let token = given.tokens.get(&place).ok_or("failed to fetch token")?;
        let file = File { bytes: token.clone(), mode: bits(None, mode) };
        return Ok(Payload::from([(source.path.clone(), file)]));
    }
    let value = serde_json::to_value(source).unwrap_or_default();
    let kind = value.as_object().and_then(|fields| fields.keys().next().cloned());
    Err(format!(
        "projection `{}` is not supported on this node; supported are configMap, secret, \
         downwardAPI and serviceAccountToken",
        kind.unwrap_or_default()
    ))
}

fn keys(
    (kind, name): (ObjectKind, &str),
    items: Option<&[KeyToPath]>,
    mode: Option<i32>,
    optional: Option<bool>,
    found: &Found,
) -> Result<Payload, String> {
    let optional = optional == Some(true);
    let Some(data) = found.get(&(kind, name.to_owned())).and_then(Option::as_deref) else {
        return if optional {
            Ok(Payload::new())
        } else {
            Err(format!("{kind} \"{name}\" not found"))
        };
    };
    let Some(items) = items.filter(|items| !items.is_empty()) else {
        let file = |(key, bytes): (&String, &Vec<u8>)| {
            (key.clone(), File { bytes: bytes.clone(), mode: bits(None, mode) })
        };
        return Ok(data.values.iter().map(file).collect());
    };
    let mut files = Payload::new();
    for item in items {
        match data.values.get(&item.key) {
            Some(bytes) => {
                let file = File { bytes: bytes.clone(), mode: bits(item.mode, mode) };
                files.insert(item.path.clone(), file);
            }
            None if optional => {}
            None => {
                let what = match kind {
                    ObjectKind::ConfigMap => "configmap references non-existent config key",
                    _ => "references non-existent secret key",
                };
                return Err(format!("{what}: {}", item.key));
            }
        }
    }
    Ok(files)
}

fn downward(
    items: &[DownwardAPIVolumeFile],
    mode: Option<i32>,
    spec: &PodSpec,
    given: Given<'_>,
) -> Result<Payload, String> {
    let facts = given.facts;
    let mut files = Payload::new();
    for item in items {
        let text = match (&item.field_ref, &item.resource_field_ref) {
            (Some(selector), _) => field(selector, facts)?,
            (None, Some(selector)) => {
                let name = selector.container_name.as_deref().unwrap_or_default();
                let init = spec.init_containers.iter().flatten();
                let mut all = init.chain(&spec.containers);
                let container: Option<&Container> = all.find(|container| container.name == name);
                let container =
                    container.ok_or_else(|| format!("container {name} not found in pod"))?;
                resource(selector, container, facts)?
            }
            (None, None) => return Err(format!("downwardAPI file `{}` has no source", item.path)),
        };
        let file = File { bytes: text.into_bytes(), mode: bits(item.mode, mode) };
        files.insert(item.path.clone(), file);
    }
    Ok(files)
}

fn bits(mode: Option<i32>, default: Option<i32>) -> u32 {
    let mode = mode.or(default).unwrap_or(DEFAULT_MODE);
    u32::try_from(mode).unwrap_or_default() & 0o777
}
