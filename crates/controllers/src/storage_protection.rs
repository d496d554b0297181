//! Lets deleted claims and volumes go once nothing uses them.
//!
//! A claim is used while there is a pod on a node that mounts it, a volume while it is bound. Each
//! has a finalizer from its creation on, which is taken away here.
//! Spec: <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection>

mod plan;

use std::sync::Arc;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use kube::api::{ListParams, Patch, PatchParams};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::json;
use wk_api::names::NamespacedName;
use wk_client::{Informer, Outcome, WorkQueue};

use crate::{Shell, unless_gone};
use plan::{CLAIM_FINALIZER, Held, VOLUME_FINALIZER, is_used};

pub(crate) fn run(claims_client: Client, volumes_client: Client, shell: &Shell) {
    run_claims(claims_client, shell);
    run_volumes(volumes_client, shell);
}

fn run_claims(client: Client, shell: &Shell) {
    // Kept are only claims that wait to go.
    let claims = Informer::projected(
        Api::<PersistentVolumeClaim>::all(client.clone()),
        watcher::Config::default(),
        &shell.group,
        |claim| Held::of(&claim.metadata, CLAIM_FINALIZER),
    );
    let queue = WorkQueue::<NamespacedName>::default();
    let from_claim = queue.clone();
    claims.on_change(move |key| from_claim.add(key.clone()));
    let (from_pod, waiting) = (queue.clone(), claims.clone());
    shell.watched.on_pod(move |key, _before, pod| {
        if pod.is_none() {
            let namespace = key.namespace.as_deref();
            let keys = waiting.keys().into_iter();
            keys.filter(|key| key.namespace.as_deref() == namespace)
                .for_each(|key| from_pod.add(key));
        }
    });
    shell.run("pvc-protection", &queue, 4, move |key| {
        let (client, claims) = (client.clone(), claims.clone());
        async move {
            claims.ready().await;
            let Some(held) = claims.get(&key) else { return Ok(Outcome::Done) };
            let namespace = key.namespace.as_deref().unwrap_or_default();
            let pods = Api::<Pod>::namespaced(client.clone(), namespace);
            let pods = pods.list(&ListParams::default()).await?;
            if !pods.iter().any(|pod| is_used(&key.name, pod)) {
                let api = Api::<PersistentVolumeClaim>::namespaced(client, namespace);
                release(&api, &key.name, &held).await?;
            }
            Ok(Outcome::Done)
        }
    });
}

fn run_volumes(client: Client, shell: &Shell) {
    let volumes = Informer::projected(
        Api::<PersistentVolume>::all(client.clone()),
        watcher::Config::default(),
        &shell.group,
        |volume| {
            let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
            Held::of(&volume.metadata, VOLUME_FINALIZER).filter(|_| phase != Some("Bound"))
        },
    );
    let queue = WorkQueue::<String>::default();
    let from_volume = queue.clone();
    volumes.on_change(move |key| from_volume.add(key.name.clone()));
    shell.run("pv-protection", &queue, 4, move |name| {
        let (client, volumes) = (client.clone(), volumes.clone());
        async move {
            volumes.ready().await;
            if let Some(held) = volumes.get_cluster(&name) {
                release(&Api::<PersistentVolume>::all(client), &name, &held).await?;
            }
            Ok(Outcome::Done)
        }
    });
}

/// Takes the finalizer away from the object as it was seen.
async fn release<K>(api: &Api<K>, name: &str, held: &Arc<Held>) -> Result<(), kube::Error>
where
    K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let patch = Patch::<serde_json::Value>::Merge(json!({"metadata": {
        "resourceVersion": held.resource_version, "finalizers": held.others,
    }}));
    match api.patch(name, &PatchParams::default(), &patch).await {
        // It has changed meanwhile, and comes back here.
        Err(kube::Error::Api(status)) if status.is_conflict() => Ok(()),
        other => unless_gone(other),
    }
}
