//! New objects go only into namespaces that are there and stay, and some namespaces stay always.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use wk_api::status::Cause;
use wk_api::{ApiError, GroupResource, well_known};

use super::{Attributes, Plugin};
use crate::catalog::{Catalog, Resource};

/// Namespaces that are always there.
pub(crate) const NAMESPACES: &[&str] = &[
    well_known::DEFAULT_NAMESPACE,
    well_known::SYSTEM_NAMESPACE,
    well_known::PUBLIC_NAMESPACE,
    well_known::NODE_LEASE_NAMESPACE,
];

/// Namespaces that nobody can delete.
const IMMORTAL: &[&str] =
    &[well_known::DEFAULT_NAMESPACE, well_known::SYSTEM_NAMESPACE, well_known::PUBLIC_NAMESPACE];

#[derive(Debug)]
pub(super) struct NamespaceLifecycle;

#[async_trait]
impl Plugin for NamespaceLifecycle {
    fn handles(&self, attributes: &Attributes<'_>) -> bool {
        attributes.creates() && attributes.resource.definition.namespaced
    }

    async fn mutate(
        &self,
        attributes: &Attributes<'_>,
        object: &mut Value,
    ) -> Result<(), ApiError> {
        let namespace = attributes.namespace;
        let found = attributes
            .namespace_object()
            .ok_or_else(|| ApiError::not_found(&GroupResource::new("", "namespaces"), namespace))?;
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
        Err(attributes.forbidden(object, &why).with_causes(vec![cause]))
    }
}

/// Some objects stay whatever is asked.
pub(crate) fn admit_delete(resource: &Resource, name: &str) -> Result<(), ApiError> {
    let definition = &resource.definition;
    if definition.group.is_empty() && definition.plural == "namespaces" && IMMORTAL.contains(&name)
    {
        return Err(ApiError::forbidden(&resource.gr, name, "this namespace may not be deleted"));
    }
    Ok(())
}

/// The namespaces' own entry of the catalogue.
pub(crate) fn namespaces(catalog: &Catalog) -> Option<Arc<Resource>> {
    catalog.get("", "v1", "namespaces")
}
