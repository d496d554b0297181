//! What the server itself demands of objects, beyond what their kind does.

use std::sync::Arc;

use serde_json::Value;
use wk_api::status::Cause;
use wk_api::{ApiError, GroupResource, well_known};
use wk_resources::admission::{PodDefaults, PriorityClass, complete_pod};

use crate::catalog::Resource;
use crate::server::ApiServer;
use crate::services::{Reserved, keep_allocated};

/// Namespaces that are always there.
pub(crate) const NAMESPACES: &[&str] = &[
    well_known::DEFAULT_NAMESPACE,
    well_known::SYSTEM_NAMESPACE,
    well_known::PUBLIC_NAMESPACE,
    well_known::NODE_LEASE_NAMESPACE,
];

fn is(resource: &Resource, plural: &str) -> bool {
    resource.definition.group.is_empty() && resource.definition.plural == plural
}

/// Admits a defaulted object that is to be created, and completes it.
pub(crate) fn admit_create(
    server: &ApiServer,
    resource: &Resource,
    namespace: &str,
    object: &mut Value,
) -> Result<(), ApiError> {
    if resource.definition.namespaced {
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        admit_namespace(server, resource, namespace, name)?;
    }
    if is(resource, "pods") {
        complete_pod(object, &pod_defaults(server, namespace, object)?);
    }
    Ok(())
}

/// New objects go only into namespaces that are there and stay.
fn admit_namespace(
    server: &ApiServer,
    resource: &Resource,
    namespace: &str,
    name: &str,
) -> Result<(), ApiError> {
    let namespaces = GroupResource::new("", "namespaces");
    let found = server
        .namespaces
        .shelf
        .get(&server.namespaces.key("", namespace))
        .ok_or_else(|| ApiError::not_found(&namespaces, namespace))?;
    let found = found.value();
    let terminating = found["metadata"]["deletionTimestamp"].is_string()
        || found["status"]["phase"] == "Terminating";
    if !terminating {
        return Ok(());
    }
    let why = format!(
        "unable to create new content in namespace {namespace} because it is being terminated"
    );
    let cause = Cause {
        reason: "NamespaceTerminating".to_owned(),
        message: format!("namespace {namespace} is being terminated"),
        field: "metadata.namespace".to_owned(),
    };
    Err(ApiError::forbidden(&resource.gr, name, &why).with_causes(vec![cause]))
}

/// What a pod gets from the objects around it.
fn pod_defaults(server: &ApiServer, namespace: &str, pod: &Value) -> Result<PodDefaults, ApiError> {
    let spec = &pod["spec"];
    let account =
        spec["serviceAccountName"].as_str().unwrap_or(well_known::DEFAULT_SERVICE_ACCOUNT);
    let account = server
        .catalog
        .get("", "v1", "serviceaccounts")
        .and_then(|accounts| accounts.shelf.get(&accounts.key(namespace, account)))
        .map(|account| account.value());
    let secrets = account.iter().filter_map(|account| account["imagePullSecrets"].as_array());
    let image_pull_secrets =
        secrets.flatten().filter_map(|secret| secret["name"].as_str().map(str::to_owned)).collect();
    let class = spec["priorityClassName"].as_str().filter(|name| !name.is_empty());
    let priority_class = match class {
        None => None,
        Some(name) => Some(priority_class(server, name).ok_or_else(|| {
            let pods = GroupResource::new("", "pods");
            let pod = pod["metadata"]["name"].as_str().unwrap_or_default();
            let why = format!("no PriorityClass with name {name} was found");
            ApiError::forbidden(&pods, pod, &why)
        })?),
    };
    Ok(PodDefaults { priority_class, image_pull_secrets, ..PodDefaults::default() })
}

fn priority_class(server: &ApiServer, name: &str) -> Option<PriorityClass> {
    let class = |value: i32, policy: &str| PriorityClass {
        name: name.to_owned(),
        value,
        preemption_policy: policy.to_owned(),
    };
    let policy = "PreemptLowerPriority";
    match name {
        "system-cluster-critical" => return Some(class(2_000_000_000, policy)),
        "system-node-critical" => return Some(class(2_000_001_000, policy)),
        _ => {}
    }
    let classes = server.catalog.get("scheduling.k8s.io", "v1", "priorityclasses")?;
    let found = classes.shelf.get(&classes.key("", name))?.value();
    let value = i32::try_from(found["value"].as_i64()?).ok()?;
    Some(class(value, found["preemptionPolicy"].as_str().unwrap_or(policy)))
}

/// Completes a defaulted object that is to replace another.
pub(crate) fn admit_update(_server: &ApiServer, resource: &Resource, new: &mut Value, old: &Value) {
    if is(resource, "services") {
        keep_allocated(new, old);
    }
}

/// Takes what an object needs out of the cluster's supplies and writes it into the object. What
/// was taken goes back unless the object is stored.
pub(crate) fn reserve<'a>(
    server: &'a ApiServer,
    resource: &Resource,
    key: &str,
    object: &mut Value,
    dry_run: bool,
) -> Result<Reserved<'a>, ApiError> {
    if is(resource, "services") && !dry_run {
        return server.services.reserve(key, object);
    }
    Ok(Reserved::nothing())
}

/// Some objects stay whatever is asked.
pub(crate) fn admit_delete(resource: &Resource, name: &str) -> Result<(), ApiError> {
    let immortal =
        [well_known::DEFAULT_NAMESPACE, well_known::SYSTEM_NAMESPACE, well_known::PUBLIC_NAMESPACE];
    if is(resource, "namespaces") && immortal.contains(&name) {
        let why = "this namespace may not be deleted";
        return Err(ApiError::forbidden(&resource.gr, name, why));
    }
    Ok(())
}

/// The namespaces' own entry of the catalogue.
pub(crate) fn namespaces(catalog: &crate::catalog::Catalog) -> Option<Arc<Resource>> {
    catalog.get("", "v1", "namespaces").map(Arc::clone)
}
