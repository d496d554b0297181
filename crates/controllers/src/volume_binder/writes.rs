//! What the binder writes: every write on the version that was read.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ObjectReference, PersistentVolume, PersistentVolumeClaim};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use serde_json::{Value, json};
use tracing::info;
use wk_api::rfc3339;
use wk_api::well_known::{
    BIND_COMPLETED_ANNOTATION, BOUND_BY_CONTROLLER_ANNOTATION, LOCAL_PATH_PROVISIONER,
};
use wk_client::{EventRecorder, EventType, Outcome};

use super::plan::{Binding, ClaimPlan, Note, VolumePlan};
use super::views::{ClaimView, ClassView, PROVISIONER_ANNOTATIONS, VolumeView};
use super::{Context, Key};
use crate::unless_gone;

/// How long it takes until a volume is looked for again that others are to make.
const AGAIN: Duration = Duration::from_mins(5);

impl Context {
    fn claim_api(&self, claim: &ClaimView) -> Api<PersistentVolumeClaim> {
        Api::namespaced(self.client.clone(), &claim.namespace)
    }

    pub(super) fn volume_api(&self) -> Api<PersistentVolume> {
        Api::all(self.client.clone())
    }

    /// The claim that a volume names, as the server has it now.
    pub(super) async fn live_claim(
        &self,
        volume: &VolumeView,
    ) -> Result<Option<ClaimView>, kube::Error> {
        let Some(own) = &volume.claim else { return Ok(None) };
        let namespace = own.key.namespace.as_deref().unwrap_or_default();
        let api = Api::<PersistentVolumeClaim>::namespaced(self.client.clone(), namespace);
        Ok(api.get_opt(&own.key.name).await?.map(ClaimView::of))
    }

    pub(super) async fn carry_out(
        &self,
        claim: &ClaimView,
        class: Option<&ClassView>,
        plan: ClaimPlan,
    ) -> Result<Outcome, kube::Error> {
        match plan {
            ClaimPlan::Keep => {}
            ClaimPlan::Bind(volume) => self.bind(claim, &volume).await?,
            ClaimPlan::Wait(note) => {
                self.say(claim, note);
                self.set_phase(claim, "Pending").await?;
            }
            ClaimPlan::Lose(note) => {
                if claim.phase != "Lost" {
                    self.say(claim, Some(note));
                    self.set_phase(claim, "Lost").await?;
                }
            }
            ClaimPlan::Classify(class) => {
                let spec = json!({"spec": {"storageClassName": class}});
                self.patch_claim(claim, claim.resource_version.as_ref(), spec).await?;
            }
            ClaimPlan::Provision => {
                let Some(class) = class else { return Ok(Outcome::Done) };
                self.note_provisioner(claim, LOCAL_PATH_PROVISIONER).await?;
                return self.provision(claim, class).await;
            }
            ClaimPlan::Await { provisioner, note } => {
                self.note_provisioner(claim, &provisioner).await?;
                self.say(claim, Some(note));
                return Ok(Outcome::After(AGAIN));
            }
            ClaimPlan::Grow(volume) => self.grow(claim, &volume).await?,
        }
        Ok(Outcome::Done)
    }

    pub(super) async fn carry_out_volume(
        &self,
        volume: &VolumeView,
        plan: VolumePlan,
    ) -> Result<Outcome, kube::Error> {
        let version = volume.resource_version.as_ref();
        match plan {
            VolumePlan::Keep => {}
            VolumePlan::Phase(phase, note) => {
                let message = note.as_ref().map(|note| note.message.clone());
                self.set_volume_phase(volume, version, phase, message.as_deref()).await?;
                if let Some(note) = note {
                    self.say_of_volume(volume, note);
                }
            }
            VolumePlan::Ask(note) => {
                if let Some(note) = note {
                    self.say_of_volume(volume, note);
                }
                if let Some(own) = &volume.claim {
                    self.queue.add(Key::Claim(own.key.clone()));
                }
            }
            VolumePlan::Unbind { whole } => {
                info!(volume = volume.name, "volume unbound");
                let mut patch = json!({
                    "metadata": {"resourceVersion": version},
                    "spec": {"claimRef": {"uid": null, "resourceVersion": null}},
                });
                if whole {
                    let annotations = json!({BOUND_BY_CONTROLLER_ANNOTATION: null});
                    patch["metadata"]["annotations"] = annotations;
                    patch["spec"]["claimRef"] = Value::Null;
                }
                self.patch_volume(volume, patch).await?;
            }
            VolumePlan::Release => {
                self.set_volume_phase(volume, version, "Released", None).await?;
            }
            VolumePlan::Delete => {
                info!(volume = volume.name, "deleting a released volume");
                let params = DeleteParams {
                    preconditions: Some(Preconditions {
                        uid: Some(volume.uid.clone()),
                        resource_version: volume.resource_version.clone(),
                    }),
                    ..DeleteParams::default()
                };
                unless_gone(self.volume_api().delete(&volume.name, &params).await)?;
            }
            VolumePlan::LetGo => {
                info!(volume = volume.name, "volume of a node that is gone ends");
                let finalizers = &volume.waits_beside;
                let patch = json!({"metadata": {
                    "resourceVersion": version, "finalizers": finalizers,
                }});
                self.patch_volume(volume, patch).await?;
            }
        }
        Ok(Outcome::Done)
    }

    /// Brings claim and volume together, in an order in which a stop between two writes is made up
    /// for by the next look: the volume first, so that two claims cannot have it.
    async fn bind(&self, claim: &ClaimView, volume: &VolumeView) -> Result<(), kube::Error> {
        let binding = Binding::of(claim, volume);
        let mut version = volume.resource_version.clone();
        if binding.volume_names_claim {
            let mut patch = json!({
                "metadata": {"resourceVersion": version},
                "spec": {"claimRef": {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "namespace": claim.namespace,
                    "name": claim.name,
                    "uid": claim.uid,
                    "resourceVersion": claim.resource_version,
                }},
            });
            if binding.is_ours_on_volume {
                patch["metadata"]["annotations"] = json!({BOUND_BY_CONTROLLER_ANNOTATION: "yes"});
            }
            let Some(written) = self.patch_volume(volume, patch).await? else { return Ok(()) };
            version = Some(written);
        }
        if binding.volume_phase {
            self.set_volume_phase(volume, version.as_ref(), "Bound", None).await?;
        }
        let mut version = claim.resource_version.clone();
        if binding.claim_names_volume {
            let mut annotations = json!({BIND_COMPLETED_ANNOTATION: "yes"});
            if binding.is_ours_on_claim {
                annotations[BOUND_BY_CONTROLLER_ANNOTATION] = "yes".into();
            }
            let patch = json!({
                "metadata": {"annotations": annotations},
                "spec": {"volumeName": volume.name},
            });
            let written = self.patch_claim(claim, version.as_ref(), patch).await?;
            let Some(written) = written else { return Ok(()) };
            version = Some(written);
        }
        if binding.claim_status {
            let mut status = json!({"phase": "Bound", "accessModes": volume.modes});
            if claim.phase != "Bound" {
                let capacity = volume.capacity.map(|amount| amount.to_string());
                status["capacity"] = json!({"storage": capacity});
            }
            self.patch_claim_status(claim, version.as_ref(), status).await?;
            info!(claim = %claim.key(), volume = volume.name, "bound");
        }
        Ok(())
    }

    /// Makes a volume as large as its claim asks.
    async fn grow(&self, claim: &ClaimView, volume: &VolumeView) -> Result<(), kube::Error> {
        if volume.provisioner.as_deref() != Some(LOCAL_PATH_PROVISIONER) {
            let why = "waiting for an external controller to expand this PVC";
            self.say(claim, Some(Note::normal("ExternalExpanding", why)));
            return Ok(());
        }
        let wanted = claim.request.map(|amount| amount.to_string());
        if volume.capacity < claim.request {
            // A folder has the size of its disk: the figure is all that grows.
            let patch = json!({
                "metadata": {"resourceVersion": volume.resource_version},
                "spec": {"capacity": {"storage": wanted}},
            });
            if self.patch_volume(volume, patch).await?.is_none() {
                return Ok(());
            }
        }
        let mut status = json!({"capacity": {"storage": wanted}});
        if claim.has_conditions {
            status["conditions"] = Value::Null;
        }
        self.patch_claim_status(claim, claim.resource_version.as_ref(), status).await?;
        let note = Note::normal("VolumeResizeSuccessful", "Resize volume succeeded");
        publish(&self.provisioner_events, claim, note);
        Ok(())
    }

    async fn set_phase(&self, claim: &ClaimView, phase: &str) -> Result<(), kube::Error> {
        if claim.phase == phase {
            return Ok(());
        }
        let mut status = json!({"phase": phase});
        if phase == "Pending" {
            status["accessModes"] = Value::Null;
            status["capacity"] = Value::Null;
        }
        let version = claim.resource_version.as_ref();
        self.patch_claim_status(claim, version, status).await.map(|_| ())
    }

    /// Notes on a claim what is to make its volume.
    async fn note_provisioner(
        &self,
        claim: &ClaimView,
        provisioner: &str,
    ) -> Result<(), kube::Error> {
        if claim.provisioner.as_deref() == Some(provisioner) {
            return Ok(());
        }
        let [today, old] = PROVISIONER_ANNOTATIONS;
        let patch = json!({"metadata": {"annotations": {today: provisioner, old: provisioner}}});
        self.patch_claim(claim, claim.resource_version.as_ref(), patch).await.map(|_| ())
    }

    /// The version that was written; `None` if the object is gone.
    pub(super) async fn patch_claim(
        &self,
        claim: &ClaimView,
        version: Option<&String>,
        mut patch: Value,
    ) -> Result<Option<String>, kube::Error> {
        patch["metadata"]["resourceVersion"] = json!(version);
        let patch = Patch::Merge(patch);
        let api = self.claim_api(claim);
        let params = PatchParams::default();
        crate::claims::written(api.patch(&claim.name, &params, &patch).await)
    }

    async fn patch_claim_status(
        &self,
        claim: &ClaimView,
        version: Option<&String>,
        status: Value,
    ) -> Result<Option<String>, kube::Error> {
        let patch = json!({"metadata": {"resourceVersion": version}, "status": status});
        let (api, patch) = (self.claim_api(claim), Patch::Merge(patch));
        let params = PatchParams::default();
        crate::claims::written(api.patch_status(&claim.name, &params, &patch).await)
    }

    async fn patch_volume(
        &self,
        volume: &VolumeView,
        patch: Value,
    ) -> Result<Option<String>, kube::Error> {
        let (api, patch) = (self.volume_api(), Patch::Merge(patch));
        let params = PatchParams::default();
        crate::claims::written(api.patch(&volume.name, &params, &patch).await)
    }

    async fn set_volume_phase(
        &self,
        volume: &VolumeView,
        version: Option<&String>,
        phase: &str,
        message: Option<&str>,
    ) -> Result<(), kube::Error> {
        let patch = json!({
            "metadata": {"resourceVersion": version},
            "status": {
                "phase": phase,
                "message": message,
                "lastPhaseTransitionTime": rfc3339(Timestamp::now()),
            },
        });
        let (api, patch) = (self.volume_api(), Patch::Merge(patch));
        let params = PatchParams::default();
        unless_gone(api.patch_status(&volume.name, &params, &patch).await)
    }

    fn say(&self, claim: &ClaimView, note: Option<Note>) {
        if let Some(note) = note {
            publish(&self.events, claim, note);
        }
    }

    fn say_of_volume(&self, volume: &VolumeView, note: Note) {
        let object = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("PersistentVolume".to_owned()),
            name: Some(volume.name.clone()),
            uid: Some(volume.uid.clone()),
            resource_version: volume.resource_version.clone(),
            ..ObjectReference::default()
        };
        tell(&self.events, object, note);
    }
}

/// Tells of a claim.
pub(super) fn publish(events: &EventRecorder, claim: &ClaimView, note: Note) {
    let object = ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("PersistentVolumeClaim".to_owned()),
        name: Some(claim.name.clone()),
        namespace: Some(claim.namespace.clone()),
        uid: Some(claim.uid.clone()),
        resource_version: claim.resource_version.clone(),
        field_path: None,
    };
    tell(events, object, note);
}

fn tell(events: &EventRecorder, object: ObjectReference, note: Note) {
    let kind = if note.is_warning { EventType::Warning } else { EventType::Normal };
    events.publish(object, kind, note.reason, note.message);
}
