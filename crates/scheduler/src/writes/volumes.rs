//! Asking for the volumes of a pod that has a node.

use k8s_openapi::api::core::v1::{ObjectReference, PersistentVolume, PersistentVolumeClaim};
use kube::Api;
use kube::api::PostParams;
use wk_api::names::NamespacedName;

use super::Writes;
use crate::storage::{BOUND_BY_CONTROLLER, SELECTED_NODE, VolumePlan};

/// Why volumes could not be asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VolumeError {
    /// The server did not answer, or refused.
    #[error("cannot write what volumes are wanted")]
    Api(#[from] kube::Error),
    /// Somebody else was faster.
    #[error("volume `{0}` has another claim")]
    Taken(Box<str>),
}

impl Writes {
    /// Promises volumes to claims, and lets claims ask for volumes that are reachable from the
    /// pod's node, as `plan` says; what is so already stays as it is.
    pub(crate) async fn ask_for_volumes(&self, plan: &VolumePlan) -> Result<(), VolumeError> {
        for (claim, volume) in &plan.bind {
            self.promise(claim, volume).await?;
        }
        for claim in &plan.provision {
            let claims = self.claims(claim);
            let mut object = claims.get(&claim.name).await?;
            let annotations = object.metadata.annotations.get_or_insert_default();
            let node = plan.node.to_string();
            if annotations.insert(SELECTED_NODE.to_owned(), node.clone()) != Some(node) {
                // Conditional on the version that was read: who changed it meanwhile is not undone.
                claims.replace(&claim.name, &PostParams::default(), &object).await?;
            }
        }
        Ok(())
    }

    async fn promise(&self, claim: &NamespacedName, volume: &str) -> Result<(), VolumeError> {
        let owner = self.claims(claim).get(&claim.name).await?.metadata;
        let volumes = Api::<PersistentVolume>::all(self.client.0.clone());
        let mut object = volumes.get(volume).await?;
        let spec = object.spec.get_or_insert_default();
        let reference = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("PersistentVolumeClaim".to_owned()),
            namespace: claim.namespace.clone(),
            name: Some(claim.name.clone()),
            uid: owner.uid,
            resource_version: owner.resource_version,
            field_path: None,
        };
        match &spec.claim_ref {
            Some(other)
                if other.namespace != reference.namespace
                    || other.name != reference.name
                    || other
                        .uid
                        .as_ref()
                        .is_some_and(|uid| Some(uid) != reference.uid.as_ref()) =>
            {
                return Err(VolumeError::Taken(volume.into()));
            }
            Some(other) if other.uid == reference.uid => return Ok(()),
            Some(_) => {}
            None => {
                let annotations = object.metadata.annotations.get_or_insert_default();
                annotations.insert(BOUND_BY_CONTROLLER.to_owned(), "yes".to_owned());
            }
        }
        spec.claim_ref = Some(reference);
        volumes.replace(volume, &PostParams::default(), &object).await?;
        Ok(())
    }

    fn claims(&self, key: &NamespacedName) -> Api<PersistentVolumeClaim> {
        Api::namespaced(self.client.0.clone(), key.namespace.as_deref().unwrap_or_default())
    }
}
