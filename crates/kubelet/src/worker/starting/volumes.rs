//! The volumes of a pod: made before its first container starts, and kept up to date afterwards.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, PodSpec};
use tracing::warn;
use wk_client::EventType;
use wk_runtime::Sandbox;

use super::{Fault, Starting, facts, fetch};
use crate::shared::Shared;
use crate::state::{PodEntry, Volumes, WaitReason};
use crate::volumes;

impl Starting<'_> {
    pub(super) async fn volumes(&self, sandbox: &Sandbox) -> Result<(), Fault> {
        if self.entry.lock().volumes == Volumes::Ready {
            return Ok(());
        }
        let ip = Some(sandbox.ip);
        let done = prepare_volumes(self.shared, self.entry, self.pod, self.spec, ip).await;
        done.map_err(|fault| {
            let message = format!(
                "MountVolume.SetUp failed for volume \"{}\" : {}",
                fault.volume, fault.message
            );
            let key = &self.entry.key;
            self.shared.event(key, None, EventType::Warning, "FailedMount", message.clone());
            Fault::missing(WaitReason::ContainerCreating, message)
        })
    }
}

/// Writes the volumes of a running pod again whose ConfigMaps or Secrets have changed.
pub(in crate::worker) async fn refresh_volumes(
    shared: &Arc<Shared>,
    entry: &Arc<PodEntry>,
    pod: &Arc<Pod>,
) {
    let Some(spec) = &pod.spec else { return };
    {
        let inner = entry.lock();
        let began = inner.records.iter().any(|record| record.running_id().is_some());
        if inner.volumes != Volumes::Pending || !began || inner.is_stopping(pod) {
            return;
        }
    }
    let ip = entry.lock().ip;
    if let Err(fault) = prepare_volumes(shared, entry, pod, spec, ip).await {
        // What the running containers have stays as it was.
        let message = format!("volume `{}` could not be updated: {}", fault.volume, fault.message);
        warn!(pod = %entry.key.name, %message, "volumes not updated");
        entry.lock().volumes = Volumes::Ready;
        shared.event(&entry.key, None, EventType::Warning, "FailedMount", message);
    }
}

async fn prepare_volumes(
    shared: &Arc<Shared>,
    entry: &Arc<PodEntry>,
    pod: &Arc<Pod>,
    spec: &PodSpec,
    pod_ip: Option<std::net::IpAddr>,
) -> Result<(), volumes::VolumeFault> {
    if spec.volumes.as_ref().is_none_or(Vec::is_empty) {
        entry.lock().volumes = Volumes::Ready;
        return Ok(());
    }
    let failed = |message| volumes::VolumeFault { volume: String::new(), message };
    let found = fetch(shared, entry, volumes::references(spec)).await.map_err(failed)?;
    // Whatever changes from here on makes them stale again.
    entry.lock().volumes = Volumes::Ready;
    let facts = facts(shared, pod, pod_ip);
    let outcome = match volumes::plan(spec, facts, &found) {
        Ok(tasks) => {
            let folder = shared.volumes_folder(&entry.key.uid);
            let work = tokio::task::spawn_blocking(move || volumes::carry_out(&folder, &tasks));
            work.await.unwrap_or_else(|error| Err(failed(error.to_string())))
        }
        Err(fault) => Err(fault),
    };
    if let Err(fault) = &outcome {
        entry.lock().volumes = Volumes::Failed(fault.message.as_str().into());
    }
    outcome
}
