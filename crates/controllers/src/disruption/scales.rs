//! How many pods those want who manage pods: from the caches for the kinds that have one, and from
//! the server for all others.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::ReplicationController;
use kube::core::{DynamicObject, GroupVersionKind};
use kube::{Api, Client, discovery};
use wk_api::names::{NamespacedName, Uid};
use wk_client::Informer;

use super::plan::Scale;
use crate::meta::{Meta, Owner};
use crate::pod_control::message;
use crate::watched::{Selecting, Watched};

/// The kinds whose objects keep a number of pods and are not watched for everybody.
pub(crate) struct Scaled {
    pub(crate) stateful_sets: Informer<Selecting<StatefulSet>>,
    pub(crate) replication_controllers: Informer<Selecting<ReplicationController>>,
}

/// Where scales are found.
pub(super) struct Scales {
    client: Client,
    scaled: Scaled,
    watched: Arc<Watched>,
}

impl Scales {
    pub(super) fn new(client: Client, scaled: Scaled, watched: Arc<Watched>) -> Self {
        Self { client, scaled, watched }
    }

    pub(super) async fn ready(&self) {
        self.scaled.stateful_sets.ready().await;
        self.scaled.replication_controllers.ready().await;
    }

    /// How many pods `owner` wants: its Deployment, where it has one. `None` if it is gone;
    /// otherwise why that cannot be told.
    pub(super) async fn of(&self, namespace: &str, owner: &Owner) -> Result<Option<Scale>, String> {
        let key = NamespacedName::new(namespace, &*owner.name);
        match (owner.group(), &*owner.kind) {
            ("apps", "ReplicaSet") => Ok(self.of_replica_set(&key, owner)),
            ("apps", "StatefulSet") => Ok(self.scaled.stateful_sets.get(&key).and_then(|set| {
                let uid = &Meta::of(&set.object.metadata).uid;
                scale(owner, uid, set.object.spec.as_ref()?.replicas)
            })),
            ("", "ReplicationController") => {
                let found = self.scaled.replication_controllers.get(&key);
                Ok(found.and_then(|set| {
                    let uid = &Meta::of(&set.object.metadata).uid;
                    scale(owner, uid, set.object.spec.as_ref()?.replicas)
                }))
            }
            _ => self.ask(namespace, owner).await,
        }
    }

    fn of_replica_set(&self, key: &NamespacedName, owner: &Owner) -> Option<Scale> {
        let set = self.watched.replica_sets.get(key)?;
        let meta = Meta::of(&set.object.metadata);
        let own = scale(owner, &meta.uid, set.object.spec.as_ref()?.replicas)?;
        let is_deployment = |one: &&Owner| &*one.kind == "Deployment" && one.group() == "apps";
        let Some(deployment) = meta.controller().filter(is_deployment) else { return Some(own) };
        let key =
            NamespacedName { namespace: key.namespace.clone(), name: deployment.name.to_string() };
        let found = self.watched.deployments.get(&key)?;
        let uid = &Meta::of(&found.object.metadata).uid;
        scale(deployment, uid, found.object.spec.as_ref()?.replicas)
    }

    /// Asks the server for the scale of an object of any other kind.
    async fn ask(&self, namespace: &str, owner: &Owner) -> Result<Option<Scale>, String> {
        let version = owner.api_version.rsplit('/').next().unwrap_or_default();
        let kind = GroupVersionKind::gvk(owner.group(), version, &owner.kind);
        let (resource, can) = match discovery::oneshot::pinned_kind(&self.client, &kind).await {
            Ok(found) => found,
            Err(kube::Error::Discovery(_)) => return Ok(None),
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
            Err(error) => return Err(message(&error)),
        };
        let has_scale = |(one, _): &(kube::core::ApiResource, _)| one.plural == "scale";
        if !can.subresources.iter().any(has_scale) {
            let group = Some(owner.group()).filter(|group| !group.is_empty());
            let suffix = group.map(|group| format!(".{group}")).unwrap_or_default();
            let plural = &resource.plural;
            return Err(format!("{plural}{suffix} does not implement the scale subresource"));
        }
        let api = Api::<DynamicObject>::namespaced_with(self.client.clone(), namespace, &resource);
        match api.get_scale(&owner.name).await {
            Ok(found) => {
                let uid = Uid::new(found.metadata.uid.unwrap_or_default());
                Ok(scale(owner, &uid, found.spec.and_then(|spec| spec.replicas)))
            }
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(message(&error)),
        }
    }
}

/// The scale of what was found, if it is the owner and not another of its name.
fn scale(owner: &Owner, uid: &Uid, replicas: Option<i32>) -> Option<Scale> {
    let replicas = replicas.unwrap_or(1);
    (*uid == owner.uid).then(|| Scale { uid: uid.as_str().to_owned(), replicas })
}
