//! Gives back the folders of this node's own volumes when their volumes are deleted.
//!
//! A volume waits for that with a finalizer, so that one that is deleted while the node is away goes
//! when it is back.

use std::path::Path;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ObjectReference, PersistentVolume};
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::runtime::watcher;
use serde_json::json;
use tracing::{info, warn};
use wk_api::well_known::{
    HOSTNAME_LABEL, LOCAL_PATH_FINALIZER, LOCAL_PATH_PROVISIONER, PROVISIONED_BY_ANNOTATION,
};
use wk_client::{EventType, Informer, Outcome, WorkQueue};

use super::local_path::{self, OwnVolume};
use crate::shared::Shared;

const PROTECTION: &str = "kubernetes.io/pv-protection";

/// A volume that is deleted and waits for this node.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Going {
    uid: String,
    resource_version: Option<String>,
    path: String,
    /// Whether the data goes too.
    with_data: bool,
    /// Its other finalizers.
    others: Vec<String>,
}

impl Going {
    /// What waits of a volume; `None` if it is not deleted, still bound, or not ours.
    fn of(volume: PersistentVolume) -> Option<Self> {
        let meta = volume.metadata;
        meta.deletion_timestamp?;
        let maker = meta.annotations.as_ref().and_then(|all| all.get(PROVISIONED_BY_ANNOTATION));
        let finalizers = meta.finalizers.unwrap_or_default();
        let phase = volume.status.and_then(|status| status.phase);
        let is_ours = maker.is_some_and(|maker| maker == LOCAL_PATH_PROVISIONER)
            && finalizers.iter().any(|one| one == LOCAL_PATH_FINALIZER);
        // While a claim has it, the protection of volumes in use holds it.
        let is_used =
            finalizers.iter().any(|one| one == PROTECTION) || phase.as_deref() == Some("Bound");
        if !is_ours || is_used {
            return None;
        }
        let spec = volume.spec.unwrap_or_default();
        Some(Self {
            uid: meta.uid.unwrap_or_default(),
            resource_version: meta.resource_version,
            path: spec.local.map(|local| local.path).unwrap_or_default(),
            with_data: spec.persistent_volume_reclaim_policy.as_deref() == Some("Delete"),
            others: finalizers.into_iter().filter(|one| one != LOCAL_PATH_FINALIZER).collect(),
        })
    }
}

/// Watches this node's volumes for as long as the kubelet runs.
pub(crate) fn run(shared: &Arc<Shared>) {
    let only =
        watcher::Config::default().labels(&format!("{HOSTNAME_LABEL}={}", shared.config.node_name));
    let api = Api::<PersistentVolume>::all(shared.client.clone());
    let going = Informer::projected(api, only, &shared.tasks, Going::of);
    let queue = WorkQueue::<String>::default();
    let from_volume = queue.clone();
    going.on_change(move |key| from_volume.add(key.name.clone()));
    let (worker, tasks) = (Arc::clone(shared), shared.tasks.clone());
    queue.run(&tasks, "local volumes", 2, move |name| {
        let (shared, going) = (Arc::clone(&worker), going.clone());
        async move {
            match going.get_cluster(&name) {
                Some(volume) => give_back(&shared, &name, &volume).await,
                None => Ok(Outcome::Done),
            }
        }
    });
}

async fn give_back(shared: &Shared, name: &str, volume: &Going) -> Result<Outcome, kube::Error> {
    if volume.with_data {
        let root = local_path::root(&shared.config.data_dir);
        let own = OwnVolume::new(&root, name, &volume.uid, true, Path::new(&volume.path));
        let Some(own) = own else {
            let (path, root) = (&volume.path, root.display());
            refuse(shared, name, volume, &format!("path \"{path}\" is not below \"{root}\""));
            return Ok(Outcome::Done);
        };
        let removed = tokio::task::spawn_blocking(move || own.remove()).await;
        match removed {
            Ok(Ok(())) => info!(volume = name, "folder of a deleted volume removed"),
            Ok(Err(error)) => {
                refuse(shared, name, volume, &error.to_string());
                return Ok(Outcome::After(std::time::Duration::from_mins(1)));
            }
            Err(error) => {
                refuse(shared, name, volume, &error.to_string());
                return Ok(Outcome::Done);
            }
        }
    }
    let patch = Patch::<serde_json::Value>::Merge(json!({"metadata": {
        "resourceVersion": volume.resource_version, "finalizers": volume.others,
    }}));
    let api = Api::<PersistentVolume>::all(shared.client.clone());
    match api.patch(name, &PatchParams::default(), &patch).await {
        Ok(_) => Ok(Outcome::Done),
        // Gone, or changed meanwhile: then it comes back here by itself.
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => {
            Ok(Outcome::Done)
        }
        Err(error) => Err(error),
    }
}

fn refuse(shared: &Shared, name: &str, volume: &Going, why: &str) {
    warn!(volume = name, why, "folder of a deleted volume not removed");
    let object = ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("PersistentVolume".to_owned()),
        name: Some(name.to_owned()),
        uid: Some(volume.uid.clone()),
        ..ObjectReference::default()
    };
    let message = why.to_owned();
    shared.events.publish(object, EventType::Warning, "VolumeFailedDelete", message);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn only_own_volumes_that_are_deleted_and_free_go() {
        let volume = |change: &dyn Fn(&mut Value)| {
            let mut volume = json!({
                "metadata": {
                    "name": "pvc-1", "uid": "u", "resourceVersion": "7",
                    "deletionTimestamp": "2026-01-01T00:00:00Z",
                    "annotations": {PROVISIONED_BY_ANNOTATION: LOCAL_PATH_PROVISIONER},
                    "finalizers": ["x", LOCAL_PATH_FINALIZER],
                },
                "spec": {
                    "local": {"path": "/d/pvc-1/data"},
                    "persistentVolumeReclaimPolicy": "Delete",
                },
                "status": {"phase": "Released"},
            });
            change(&mut volume);
            Going::of(serde_json::from_value(volume).unwrap())
        };
        let going = volume(&|_| {}).unwrap();
        assert_eq!((going.with_data, going.others), (true, vec!["x".to_owned()]));
        let retained =
            volume(&|one| one["spec"]["persistentVolumeReclaimPolicy"] = "Retain".into());
        assert!(!retained.unwrap().with_data);
        let changes: [&dyn Fn(&mut Value); 5] = [
            &|one| one["metadata"]["deletionTimestamp"] = Value::Null,
            &|one| one["metadata"]["finalizers"] = json!(["x"]),
            &|one| one["metadata"]["finalizers"] = json!([PROTECTION, LOCAL_PATH_FINALIZER]),
            &|one| one["metadata"]["annotations"] = json!({}),
            &|one| one["status"]["phase"] = "Bound".into(),
        ];
        for change in changes {
            assert_eq!(volume(change), None);
        }
    }
}
