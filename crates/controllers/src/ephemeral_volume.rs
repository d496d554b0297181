//! Makes the claims of volumes that live and die with their pod.
//!
//! Spec: <https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#generic-ephemeral-volumes>

use std::sync::Arc;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client};
use wk_api::names::NamespacedName;
use wk_client::{EventRecorder, EventType, Outcome, WorkQueue};

use crate::meta::{Meta, OwnerKind};
use crate::pod_control::message;
use crate::{Shell, is_gone};

const POD: OwnerKind = OwnerKind { api_version: "v1", kind: "Pod" };

pub(crate) fn run(client: Client, shell: &Shell) {
    let events = EventRecorder::start(client.clone(), "ephemeral_volume", None, &shell.group);
    let queue = WorkQueue::<NamespacedName>::default();
    let from_pod = queue.clone();
    shell.watched.on_pod(move |key, _before, pod| {
        if pod.is_some_and(|pod| pod.has_ephemeral_claims && pod.is_active()) {
            from_pod.add(key.clone());
        }
    });
    let watched = Arc::clone(&shell.watched);
    shell.run("ephemeral-volume", &queue, 4, move |key| {
        let (client, events, watched) = (client.clone(), events.clone(), Arc::clone(&watched));
        async move {
            // One that has a node has its claims, unless it was put there by hand.
            if watched.pods.get(&key).is_some_and(|pod| pod.is_active()) {
                reconcile(&client, &events, &key).await?;
            }
            Ok(Outcome::Done)
        }
    });
}

async fn reconcile(
    client: &Client,
    events: &EventRecorder,
    key: &NamespacedName,
) -> Result<(), kube::Error> {
    let namespace = key.namespace.as_deref().unwrap_or_default();
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let Some(pod) = pods.get_opt(&key.name).await? else { return Ok(()) };
    if pod.metadata.deletion_timestamp.is_some() {
        return Ok(());
    }
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), namespace);
    for (volume, claim) in wanted(&pod) {
        let name = claim.metadata.name.clone().unwrap_or_default();
        let failed = |why: &str| {
            let text = format!("ephemeral volume {volume}: {why}");
            let object = POD.event_reference(&pod.metadata);
            events.publish(object, EventType::Warning, "FailedBinding", text);
        };
        if let Some(found) = claims.get_metadata_opt(&name).await? {
            let owner = Meta::of(&found.metadata).controller().map(|owner| owner.uid.to_string());
            if owner != pod.metadata.uid {
                failed(&format!(
                    "PVC {namespace}/{name} was not created for pod {key} (pod is not owner)"
                ));
            }
            continue;
        }
        match claims.create(&PostParams::default(), &claim).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            Err(error) if is_gone(&error) => return Ok(()),
            Err(error) => {
                failed(&message(&error));
                return Err(error);
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

/// The claims that a pod is to have, each with the name of its volume.
fn wanted(pod: &Pod) -> Vec<(String, PersistentVolumeClaim)> {
    let pod_name = pod.metadata.name.as_deref().unwrap_or_default();
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let claim = |volume: &k8s_openapi::api::core::v1::Volume| {
        let template = volume.ephemeral.clone()?.volume_claim_template?;
        let given = template.metadata.unwrap_or_default();
        let claim = PersistentVolumeClaim {
            metadata: ObjectMeta {
                name: Some(format!("{pod_name}-{}", volume.name)),
                namespace: pod.metadata.namespace.clone(),
                labels: given.labels,
                annotations: given.annotations,
                owner_references: Some(vec![POD.controls(&pod.metadata)]),
                ..ObjectMeta::default()
            },
            spec: template.spec.into(),
            status: None,
        };
        Some((volume.name.clone(), claim))
    };
    volumes.filter_map(claim).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_is_named_after_pod_and_volume_and_goes_with_the_pod() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "shop", "uid": "u"},
            "spec": {"containers": [], "volumes": [
                {"name": "other", "emptyDir": {}},
                {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {
                    "metadata": {"labels": {"a": "b"}},
                    "spec": {"accessModes": ["ReadWriteOnce"]},
                }}},
            ]},
        }))
        .unwrap();
        let all = wanted(&pod);
        let [(volume, claim)] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(volume, "scratch");
        let meta = &claim.metadata;
        assert_eq!(meta.name.as_deref(), Some("web-scratch"));
        let owners = meta.owner_references.as_ref().unwrap();
        assert_eq!((owners[0].uid.as_str(), owners[0].controller), ("u", Some(true)));
        assert!(meta.labels.as_ref().unwrap().contains_key("a"));
        let modes = claim.spec.as_ref().unwrap().access_modes.clone().unwrap();
        assert_eq!(modes, ["ReadWriteOnce"]);
    }
}
