//! The provisioner of volumes that are folders on nodes, and its storage class.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, PersistentVolume};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::{Value, json};
use tracing::info;
use wk_api::well_known::{
    DEFAULT_STORAGE_CLASS_ANNOTATION, HOSTNAME_LABEL, LOCAL_PATH_FINALIZER,
    LOCAL_PATH_FOLDER_ANNOTATION, LOCAL_PATH_PROVISIONER, PROVISIONED_BY_ANNOTATION,
    SELECTED_NODE_ANNOTATION,
};
use wk_client::{Informer, Outcome, WorkQueue, error_chain};

use super::Context;
use super::plan::{Note, refusal};
use super::views::{ClaimView, ClassView};
use super::writes::publish;
use crate::Shell;

/// The class that every cluster has.
const CLASS: &str = "local-path";
/// How long a node has to say where it keeps volumes until it is asked again.
const AGAIN: Duration = Duration::from_secs(30);

/// Makes the storage class when the controllers start, unless there is one of its name: it can be
/// changed for good, and one that is deleted is back after the next start.
pub(super) fn seed(client: Client, classes: Informer<ClassView>, shell: &Shell) {
    let queue = WorkQueue::<String>::default();
    queue.add(CLASS.to_owned());
    shell.run("storage class", &queue, 1, move |name| {
        let (client, classes) = (client.clone(), classes.clone());
        async move {
            classes.ready().await;
            if classes.get_cluster(&name).is_none() {
                let class: StorageClass = serde_json::from_value(class(&name))
                    .expect("the class is one, as a test has found");
                match Api::all(client).create(&PostParams::default(), &class).await {
                    Err(kube::Error::Api(status)) if status.is_already_exists() => {}
                    other => {
                        other?;
                    }
                }
            }
            Ok(Outcome::Done)
        }
    });
}

fn class(name: &str) -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": {DEFAULT_STORAGE_CLASS_ANNOTATION: "true"}},
        "provisioner": LOCAL_PATH_PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": true,
    })
}

/// The volume for a claim, in the folder that its node has for volumes.
fn volume(claim: &ClaimView, class: &ClassView, host: &str, folder: &str) -> Value {
    let name = volume_name(claim);
    let hosts = json!([{"key": HOSTNAME_LABEL, "operator": "In", "values": [host]}]);
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name,
            "labels": {HOSTNAME_LABEL: host},
            "annotations": {PROVISIONED_BY_ANNOTATION: LOCAL_PATH_PROVISIONER},
            "finalizers": [LOCAL_PATH_FINALIZER],
        },
        "spec": {
            "capacity": {"storage": claim.request.map(|amount| amount.to_string())},
            "accessModes": claim.modes,
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": claim.namespace,
                "name": claim.name,
                "uid": claim.uid,
                "resourceVersion": claim.resource_version,
            },
            "persistentVolumeReclaimPolicy": class.reclaim,
            "storageClassName": class.name,
            "volumeMode": "Filesystem",
            "local": {"path": format!("{}/{name}/data", folder.trim_end_matches('/'))},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": hosts}]}},
        },
    })
}

/// A claim has one volume, however often it is made.
fn volume_name(claim: &ClaimView) -> String {
    format!("pvc-{}", claim.uid)
}

impl Context {
    /// Makes the volume for a claim whose node is chosen.
    pub(super) async fn provision(
        &self,
        claim: &ClaimView,
        class: &ClassView,
    ) -> Result<Outcome, kube::Error> {
        let failed = |why: String| {
            let class = &class.name;
            let why = format!("failed to provision volume with StorageClass \"{class}\": {why}");
            publish(&self.provisioner_events, claim, Note::warning("ProvisioningFailed", why));
        };
        let node = match (refusal(claim, class), &claim.selected_node) {
            (None, Some(node)) => node,
            (why, _) => {
                failed(why.unwrap_or_default());
                return Ok(Outcome::Done);
            }
        };
        let Some(found) = Api::<Node>::all(self.client.clone()).get_metadata_opt(node).await?
        else {
            failed(format!("node \"{node}\" not found"));
            // The scheduler chooses another one.
            let forget = json!({"metadata": {"annotations": {SELECTED_NODE_ANNOTATION: null}}});
            self.patch_claim(claim, claim.resource_version.as_ref(), forget).await?;
            return Ok(Outcome::Done);
        };
        let label = found.metadata.labels.as_ref().and_then(|labels| labels.get(HOSTNAME_LABEL));
        let annotations = found.metadata.annotations.as_ref();
        let folder = annotations.and_then(|all| all.get(LOCAL_PATH_FOLDER_ANNOTATION));
        let (Some(host), Some(folder)) = (label, folder) else {
            failed(format!("node \"{node}\" has no folder for volumes"));
            return Ok(Outcome::After(AGAIN));
        };
        let key = claim.key();
        let note = format!("External provisioner is provisioning volume for claim \"{key}\"");
        publish(&self.provisioner_events, claim, Note::normal("Provisioning", note));
        let object: PersistentVolume = serde_json::from_value(volume(claim, class, host, folder))
            .map_err(kube::Error::SerdeError)?;
        let name = volume_name(claim);
        match self.volume_api().create(&PostParams::default(), &object).await {
            Ok(_) => {
                info!(claim = %key, volume = name, node, "volume provisioned");
                let note = format!("Successfully provisioned volume {name}");
                publish(
                    &self.provisioner_events,
                    claim,
                    Note::normal("ProvisioningSucceeded", note),
                );
                Ok(Outcome::Done)
            }
            // Made before, and not seen yet.
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(Outcome::Done),
            Err(error) => {
                failed(error_chain(&error));
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_and_its_volumes_are_what_they_say() {
        let class: StorageClass = serde_json::from_value(class(CLASS)).unwrap();
        let class = ClassView::of(class);
        assert!(class.waits && class.expands && class.default_rank.is_some());
        let claim = ClaimView {
            namespace: "shop".to_owned(),
            name: "data".to_owned(),
            uid: "c-1".to_owned(),
            request: wk_api::Quantity::parse("1Gi").ok(),
            modes: vec!["ReadWriteOnce".to_owned()],
            ..ClaimView::default()
        };
        let made = volume(&claim, &class, "n1", "/data/local-path");
        assert_eq!(made["spec"]["local"]["path"], "/data/local-path/pvc-c-1/data");
        let view = super::super::VolumeView::of(serde_json::from_value(made).unwrap());
        assert!(view.is_of(&claim) && view.node() == Some("n1"));
        assert_eq!((view.reclaim.as_str(), view.class.as_str()), ("Delete", "local-path"));
        assert_eq!(view.capacity, claim.request);
    }
}
