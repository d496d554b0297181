//! An update of a service that says nothing of what was allocated to it keeps it.

use async_trait::async_trait;
use serde_json::Value;
use wk_api::ApiError;

use super::{Attributes, Plugin};
use crate::services::keep_allocated;

#[derive(Debug)]
pub(super) struct KeepAllocated;

#[async_trait]
impl Plugin for KeepAllocated {
    fn handles(&self, attributes: &Attributes<'_>) -> bool {
        !attributes.creates() && attributes.is_kind("", "services")
    }

    async fn mutate(
        &self,
        attributes: &Attributes<'_>,
        object: &mut Value,
    ) -> Result<(), ApiError> {
        if let Some(old) = attributes.old {
            keep_allocated(object, old);
        }
        Ok(())
    }
}
