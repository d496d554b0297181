//! The volumes of a pod: made before its first container starts, and kept up to date afterwards.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, PersistentVolume, Pod, PodSpec, ServiceAccount};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tracing::{info, warn};
use wk_api::well_known::{DEFAULT_SERVICE_ACCOUNT, LOCAL_PATH_MADE_ANNOTATION};
use wk_client::{EventType, error_chain};
use wk_runtime::Sandbox;

use super::{Fault, Starting, facts, fetch};
use crate::objects::{Found, ObjectKind};
use crate::shared::Shared;
use crate::state::{PodEntry, Volumes, WaitReason};
use crate::volumes::tokens::{self, Tokens};
use crate::volumes::{self, Given, Part, VolumeFault, local_path};

/// How long it takes until tokens that could not be renewed are asked for again.
const TOKEN_RETRY: Duration = Duration::from_mins(1);

impl Starting<'_> {
    pub(super) async fn volumes(&self, sandbox: &Sandbox) -> Result<(), Fault> {
        if self.entry.lock().volumes_are_fresh(Timestamp::now()) {
            return Ok(());
        }
        let preparing =
            Preparing { shared: self.shared, entry: self.entry, pod: self.pod, spec: self.spec };
        preparing.run(Some(sandbox.ip), Part::All).await.map_err(|fault| {
            let message = fault.text();
            let key = &self.entry.key;
            self.shared.event(key, None, EventType::Warning, "FailedMount", message.clone());
            Fault::missing(WaitReason::ContainerCreating, message)
        })
    }
}

/// Writes the volumes of a running pod again whose ConfigMaps or Secrets have changed, or whose
/// tokens are due.
pub(in crate::worker) async fn refresh_volumes(
    shared: &Arc<Shared>,
    entry: &Arc<PodEntry>,
    pod: &Arc<Pod>,
) {
    let Some(spec) = &pod.spec else { return };
    let ip = {
        let inner = entry.lock();
        let began = inner.records.iter().any(|record| record.running_id().is_some());
        let is_stale = match inner.volumes {
            Volumes::Pending => true,
            Volumes::Ready => !inner.volumes_are_fresh(Timestamp::now()),
            Volumes::Failed(_) => false,
        };
        if !is_stale || !began || inner.is_stopping(pod) {
            return;
        }
        inner.ip
    };
    let preparing = Preparing { shared, entry, pod, spec };
    if let Err(fault) = preparing.run(ip, Part::Changing).await {
        // What the running containers have stays as it was.
        let message = fault.text();
        warn!(pod = %entry.key.name, volume = fault.volume(), %message, "volumes not updated");
        let mut inner = entry.lock();
        inner.volumes = Volumes::Ready;
        let retry = Timestamp::now() + TOKEN_RETRY;
        inner.tokens_due = inner.tokens_due.map(|due| due.max(retry));
        drop(inner);
        shared.event(&entry.key, None, EventType::Warning, "FailedMount", message);
    }
}

/// The volumes of one pod on their way.
struct Preparing<'a> {
    shared: &'a Arc<Shared>,
    entry: &'a Arc<PodEntry>,
    pod: &'a Arc<Pod>,
    spec: &'a PodSpec,
}

impl Preparing<'_> {
    async fn run(&self, pod_ip: Option<IpAddr>, part: Part) -> Result<(), VolumeFault> {
        let entry = self.entry;
        if self.spec.volumes.as_ref().is_none_or(Vec::is_empty) {
            entry.lock().volumes = Volumes::Ready;
            return Ok(());
        }
        let mut outcome = Box::pin(self.prepare(pod_ip, part)).await;
        if part == Part::All && outcome.as_ref().is_err_and(VolumeFault::is_away) {
            let folder = self.shared.volumes_folder(&entry.key.uid);
            let spec = self.spec.clone();
            let memory = self.shared.allocatable.memory_bytes;
            let memory = u64::try_from(memory).unwrap_or(0);
            let kept =
                tokio::task::spawn_blocking(move || volumes::are_kept(&folder, &spec, memory));
            if kept.await.unwrap_or(false) {
                info!(pod = %entry.key.name, "volumes as they were before");
                entry.lock().volumes = Volumes::Ready;
                // They are looked at again when the API server may be there.
                outcome = Ok(Some(Timestamp::now() + TOKEN_RETRY));
            }
        }
        match &outcome {
            Ok(due) => entry.lock().tokens_due = *due,
            Err(fault) => entry.lock().volumes = Volumes::Failed(fault.text().into()),
        }
        outcome.map(|_due| ())
    }

    /// Returns when the pod's tokens are due.
    async fn prepare(
        &self,
        pod_ip: Option<IpAddr>,
        part: Part,
    ) -> Result<Option<Timestamp>, VolumeFault> {
        let (shared, entry) = (self.shared, self.entry);
        let failed = |message: String| VolumeFault::set_up("", message);
        let wanted = volumes::references(self.spec);
        let mut found = fetch(shared, entry, wanted).await.map_err(VolumeFault::away)?;
        let mut node_labels = BTreeMap::new();
        if part == Part::All {
            let claims = volumes::claims(self.spec, self.pod);
            if !claims.is_empty() {
                node_labels = self.node_labels().await.map_err(VolumeFault::away)?;
                found.extend(self.storage(claims).await.map_err(VolumeFault::away)?);
            }
        }
        // Whatever changes from here on makes them stale again.
        entry.lock().volumes = Volumes::Ready;
        let (tokens, due) = self.tokens().await?;
        let given = Given {
            facts: facts(shared, self.pod, pod_ip),
            found: &found,
            tokens: &tokens,
            node_labels: &node_labels,
            local_path: &local_path::root(&shared.config.data_dir),
        };
        let tasks = volumes::plan(self.spec, given, part)?;
        let first_made = volumes::first_made(&tasks);
        let folder = shared.volumes_folder(&entry.key.uid);
        let work = tokio::task::spawn_blocking(move || volumes::carry_out(&folder, &tasks));
        work.await.unwrap_or_else(|error| Err(failed(error.to_string())))?;
        for name in first_made {
            self.note_made(&name).await.map_err(failed)?;
        }
        if part == Part::All {
            self.forget_storage();
        }
        Ok(due)
    }

    /// The claims, and the volumes that they are bound to.
    async fn storage(&self, claims: Vec<(ObjectKind, String)>) -> Result<Found, String> {
        let mut found = fetch(self.shared, self.entry, claims).await?;
        let volumes = volumes::volumes_of(&found);
        found.extend(fetch(self.shared, self.entry, volumes).await?);
        Ok(found)
    }

    /// What is mounted is no longer watched.
    fn forget_storage(&self) {
        let is_storage = |kind: ObjectKind| matches!(kind, ObjectKind::Claim | ObjectKind::Volume);
        let mut inner = self.entry.lock();
        let (done, kept) =
            std::mem::take(&mut inner.objects).into_iter().partition(|key| is_storage(key.kind));
        inner.objects = kept;
        drop(inner);
        let done: Vec<_> = done;
        self.shared.objects.release(&self.entry.key.uid, &done);
    }

    async fn node_labels(&self) -> Result<BTreeMap<String, String>, String> {
        let name = &self.shared.config.node_name;
        let node = Api::<Node>::all(self.shared.client.clone()).get_metadata(name).await;
        let node = node.map_err(|error| format!("node \"{name}\": {}", error_chain(&error)))?;
        Ok(node.metadata.labels.unwrap_or_default())
    }

    /// Has the API know that a volume's folder was made, so that it is never made again.
    async fn note_made(&self, name: &str) -> Result<(), String> {
        let api = Api::<PersistentVolume>::all(self.shared.client.clone());
        let annotations = json!({LOCAL_PATH_MADE_ANNOTATION: "true"});
        let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
        let noted = api.patch_metadata(name, &PatchParams::default(), &patch).await;
        noted
            .map(|_| ())
            .map_err(|error| format!("persistentvolume \"{name}\": {}", error_chain(&error)))
    }

    /// The pod's tokens, those in its files as long as they are good, and when they are due.
    async fn tokens(&self) -> Result<(Tokens, Option<Timestamp>), VolumeFault> {
        let sources = tokens::sources(self.spec);
        if sources.is_empty() {
            return Ok((Tokens::new(), None));
        }
        let (shared, key) = (self.shared, &self.entry.key);
        let now = Timestamp::now();
        let known = self.entry.lock().tokens_due;
        let mut kept = None;
        if let Some(due) = known {
            let (folder, wanted) = (shared.volumes_folder(&key.uid), sources.clone());
            let read = tokio::task::spawn_blocking(move || tokens::kept(&folder, &wanted));
            kept = read.await.unwrap_or(None);
            if due > now
                && let Some(kept) = kept
            {
                return Ok((kept, known));
            }
        }
        let accounts = Api::<ServiceAccount>::namespaced(shared.client.clone(), &key.namespace);
        let account = self.spec.service_account_name.as_deref().unwrap_or(DEFAULT_SERVICE_ACCOUNT);
        match (tokens::request(&accounts, account, key, &sources, now).await, kept) {
            (Ok((tokens, due)), _) => Ok((tokens, Some(due))),
            // They are good for a while yet.
            (Err(fault), Some(kept)) => {
                warn!(pod = %key.name, fault = fault.text(), "tokens not renewed, trying again");
                Ok((kept, Some(now + TOKEN_RETRY)))
            }
            (Err(fault), None) => Err(fault),
        }
    }
}
