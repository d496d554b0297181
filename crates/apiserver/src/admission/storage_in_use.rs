//! Volumes and claims that are used outlive their deletion, held by a finalizer.
//!
//! The controllers take the finalizer away once nothing uses the object.

use async_trait::async_trait;
use serde_json::Value;
use wk_api::ApiError;

use super::{Attributes, Plugin, items, list_mut};

#[derive(Debug)]
pub(super) struct StorageObjectInUseProtection;

fn finalizer(attributes: &Attributes<'_>) -> Option<&'static str> {
    if attributes.is("", "persistentvolumeclaims") {
        Some("kubernetes.io/pvc-protection")
    } else if attributes.is("", "persistentvolumes") {
        Some("kubernetes.io/pv-protection")
    } else {
        None
    }
}

#[async_trait]
impl Plugin for StorageObjectInUseProtection {
    fn handles(&self, attributes: &Attributes<'_>) -> bool {
        attributes.creates() && finalizer(attributes).is_some()
    }

    async fn mutate(
        &self,
        attributes: &Attributes<'_>,
        object: &mut Value,
    ) -> Result<(), ApiError> {
        let Some(finalizer) = finalizer(attributes) else { return Ok(()) };
        if !items(&object["metadata"], "finalizers").iter().any(|own| own == finalizer) {
            list_mut(&mut object["metadata"], "finalizers").push(finalizer.into());
        }
        Ok(())
    }
}
