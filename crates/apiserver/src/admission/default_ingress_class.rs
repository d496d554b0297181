//! Ingresses that name no class get the cluster's default one.

use async_trait::async_trait;
use serde_json::Value;
use wk_api::ApiError;

use super::default_storage_class::default;
use super::{Attributes, Place, Plugin};

const CLASSES: Place = ("networking.k8s.io", "v1", "ingressclasses");
/// The annotation that makes a class the default one.
const DEFAULT: &str = "ingressclass.kubernetes.io/is-default-class";
/// The annotation in which old ingresses name their class.
const OLD_CLASS: &str = "kubernetes.io/ingress.class";

#[derive(Debug)]
pub(super) struct DefaultIngressClass;

#[async_trait]
impl Plugin for DefaultIngressClass {
    fn handles(&self, attributes: &Attributes<'_>) -> bool {
        attributes.creates() && attributes.is("networking.k8s.io", "ingresses")
    }

    async fn mutate(
        &self,
        attributes: &Attributes<'_>,
        ingress: &mut Value,
    ) -> Result<(), ApiError> {
        if ingress["spec"]["ingressClassName"].is_string()
            || ingress["metadata"]["annotations"][OLD_CLASS].is_string()
        {
            return Ok(());
        }
        if let Some(name) = default(&attributes.list(CLASSES, ""), &[DEFAULT]) {
            ingress["spec"]["ingressClassName"] = name.into();
        }
        Ok(())
    }
}
