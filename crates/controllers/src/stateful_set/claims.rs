//! The claims of a set's pods, as they are stored: made before the pods, and owned by the pod or the
//! set that they are to go with.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::json;
use wk_api::names::NamespacedName;
use wk_client::{EventType, Informer, WorkQueue};

use super::plan::{is_wanted, ordinal};
use super::pods;
use crate::meta::Meta;
use crate::pod_control::{PodControl, message};
use crate::watched::{Phase, PodView, Selecting};
use crate::{Shell, is_gone, unless_gone};

/// The claims that there are, and the way to change them.
pub(super) struct Claims {
    client: Client,
    there: Informer<Meta>,
}

impl Claims {
    pub(super) fn watch(watching: &Client, client: Client, shell: &Shell) -> Self {
        let there = Informer::projected(
            Api::<PersistentVolumeClaim>::all(watching.clone()),
            watcher::Config::default(),
            &shell.group,
            |claim| Some(Meta::of(&claim.metadata)),
        );
        Self { client, there }
    }

    pub(super) async fn ready(&self) {
        self.there.ready().await;
    }

    /// Asks for a look at each set one of whose claims has changed: a pod may wait for its end.
    pub(super) fn wake(
        &self,
        sets: &Informer<Selecting<StatefulSet>>,
        queue: &WorkQueue<NamespacedName>,
    ) {
        let (sets, queue) = (sets.clone(), queue.clone());
        self.there.on_change(move |key| {
            for set in sets.in_namespace(key.namespace.as_deref().unwrap_or_default()) {
                if pods::has_claim(&set.object, &key.name) {
                    queue.add(NamespacedName::of(&set.object.metadata));
                }
            }
        });
    }

    fn api(&self, key: &NamespacedName) -> Api<PersistentVolumeClaim> {
        Api::namespaced(self.client.clone(), key.namespace.as_deref().unwrap_or_default())
    }

    fn get(&self, key: &NamespacedName, name: &str) -> Option<Arc<Meta>> {
        self.there.get(&NamespacedName { namespace: key.namespace.clone(), name: name.to_owned() })
    }

    /// Makes the claims of a pod, and whether all are there. If one is about to go, with its data,
    /// the pod waits for that: it is woken then.
    pub(super) async fn make(
        &self,
        key: &NamespacedName,
        control: &PodControl,
        set: &StatefulSet,
        pod: &str,
    ) -> Result<bool, kube::Error> {
        for claim in pods::claims(set, pod) {
            let name = claim.metadata.name.clone().unwrap_or_default();
            let text = |how: &str| {
                format!("create Claim {name} Pod {pod} in StatefulSet {} {how}", key.name)
            };
            let failed = |error: &str| {
                let text = text(&format!("failed error: {error}"));
                control.say(&set.metadata, EventType::Warning, "FailedCreate", text);
            };
            match self.api(key).create(&PostParams::default(), &claim).await {
                Ok(_) => {
                    let text = text("success");
                    control.say(&set.metadata, EventType::Normal, "SuccessfulCreate", text);
                }
                Err(kube::Error::Api(status)) if status.is_already_exists() => {
                    // It is there from before, with what is in it.
                    let there = self.api(key).get_metadata_opt(&name).await?;
                    let there = there.map(|there| Meta::of(&there.metadata));
                    if there.as_ref().is_none_or(|there| there.is_terminating) {
                        failed(&format!("pvc {name} is being deleted"));
                        return Ok(false);
                    }
                    if there.is_some_and(|there| pods::goes_with_earlier_pod(&there, pod)) {
                        return Ok(false);
                    }
                }
                Err(error) if is_gone(&error) => return Ok(false),
                Err(error) => {
                    failed(&message(&error));
                    return Err(error);
                }
            }
        }
        Ok(true)
    }

    /// Gives the claims of pods the owners that they are to go with, and pods that wait for claims
    /// which somebody has removed new ones.
    pub(super) async fn keep(
        &self,
        key: &NamespacedName,
        control: &PodControl,
        set: &StatefulSet,
        all: &[Arc<PodView>],
    ) -> Result<(), kube::Error> {
        for pod in all.iter().filter(|pod| !pod.is_terminating()) {
            let names: Vec<String> = pods::claim_names(set, &pod.name).into_values().collect();
            let is_missing = names.iter().any(|name| self.get(key, name).is_none());
            if is_missing && pod.phase == Phase::Pending {
                self.make(key, control, set, &pod.name).await?;
            }
            let is_kept = ordinal(&key.name, &pod.name).is_some_and(|one| is_wanted(set, one));
            for name in names {
                let Some(claim) = self.get(key, &name) else { continue };
                self.own(key, control, set, (pod, is_kept), (&name, &claim)).await?;
            }
        }
        Ok(())
    }

    async fn own(
        &self,
        key: &NamespacedName,
        control: &PodControl,
        set: &StatefulSet,
        (pod, is_kept): (&PodView, bool),
        (name, claim): (&str, &Meta),
    ) -> Result<(), kube::Error> {
        let Some(owners) = pods::change_of_owners(set, pod, is_kept, claim) else { return Ok(()) };
        let patch = json!({"metadata": {"uid": claim.uid, "ownerReferences": owners}});
        let params = PatchParams::default();
        let result = self.api(key).patch(name, &params, &Patch::Strategic(patch)).await;
        let text = |how: &str| {
            format!("update Claim {name} Pod {} in StatefulSet {} {how}", pod.name, key.name)
        };
        match &result {
            Ok(_) => {
                let text = text("success");
                control.say(&set.metadata, EventType::Normal, "SuccessfulUpdate", text);
            }
            Err(error) if is_gone(error) => {}
            Err(error) => {
                let text = text(&format!("failed error: {}", message(error)));
                control.say(&set.metadata, EventType::Warning, "FailedUpdate", text);
            }
        }
        unless_gone(result)
    }
}
