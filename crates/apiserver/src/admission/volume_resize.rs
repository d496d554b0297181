//! Claims grow only where their volume can.

use async_trait::async_trait;
use serde_json::Value;
use wk_api::{ApiError, Quantity};

use super::default_storage_class::CLASSES;
use super::{Attributes, Plugin, text};

#[derive(Debug)]
pub(super) struct PersistentVolumeClaimResize;

#[async_trait]
impl Plugin for PersistentVolumeClaimResize {
    fn handles(&self, attributes: &Attributes<'_>) -> bool {
        !attributes.creates() && attributes.is("", "persistentvolumeclaims")
    }

    async fn validate(&self, attributes: &Attributes<'_>, claim: &Value) -> Result<(), ApiError> {
        let Some(old) = attributes.old else { return Ok(()) };
        let allows = |class: &str| {
            let class = attributes.find(CLASSES, "", class);
            class.is_some_and(|class| class["allowVolumeExpansion"] == true)
        };
        refusal(claim, old, allows).map_or(Ok(()), |why| Err(attributes.forbidden(claim, why)))
    }
}

/// Why a claim may not become what it is to be; `allows` tells whether volumes of a class grow.
fn refusal(new: &Value, old: &Value, allows: impl Fn(&str) -> bool) -> Option<&'static str> {
    let size = |claim: &Value| {
        Quantity::parse(text(&claim["spec"]["resources"]["requests"], "storage")).ok()
    };
    if size(new) <= size(old) {
        return None;
    }
    if old["status"]["phase"] != "Bound" {
        return Some("Only bound persistent volume claims can be expanded");
    }
    let class = |claim: &Value| text(&claim["spec"], "storageClassName").to_owned();
    if class(new).is_empty() || class(new) != class(old) || !allows(&class(new)) {
        return Some(
            "only dynamically provisioned pvc can be resized and the storageclass that provisions \
             the pvc must support resize",
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claim(size: &str, phase: &str, class: &str) -> Value {
        json!({
            "spec": {"resources": {"requests": {"storage": size}}, "storageClassName": class},
            "status": {"phase": phase},
        })
    }

    #[test]
    fn a_claim_grows_if_it_is_bound_and_its_class_lets_it() {
        let check = |new: &str, phase: &str, class: &str, starts: Option<&str>| {
            let old = claim("1Gi", phase, class);
            let refused = refusal(&claim(new, phase, class), &old, |class| class == "grows");
            assert_eq!(refused.is_some(), starts.is_some(), "{new} {phase} {class}");
            assert!(refused.unwrap_or_default().starts_with(starts.unwrap_or_default()));
        };
        check("1Gi", "Pending", "", None);
        check("1024Mi", "Pending", "", None);
        check("2Gi", "Bound", "grows", None);
        check("2Gi", "Pending", "grows", Some("Only bound"));
        check("2Gi", "Bound", "fixed", Some("only dynamically"));
        check("2Gi", "Bound", "", Some("only dynamically"));
    }
}
