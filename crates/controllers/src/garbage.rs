//! Removes objects whose owners are gone, and makes owners wait or let go as their deletion asks.
//!
//! All kinds of the API server are watched, of each object only its metadata.
//! Spec: <https://kubernetes.io/docs/concepts/architecture/garbage-collection/>

mod plan;

use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions, PropagationPolicy,
};
use kube::core::{GroupVersionKind, PartialObjectMeta};
use kube::runtime::watcher;
use kube::{Api, Client};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tracing::{debug, info};
use wk_api::names::{NamespacedName, Uid};
use wk_api::well_known::{FOREGROUND_FINALIZER, ORPHAN_FINALIZER};
use wk_client::{EventRecorder, EventType, Informer, Outcome, WorkQueue};

use crate::meta::{Meta, Owner};
use crate::{Shell, conflict_is_later, unless_gone};
use plan::{Decision, Dependent, Graph, Id, OwnerState, Propagation, Verdict, decide};

/// A kind whose objects can be owned and own.
struct Kind {
    resource: ApiResource,
    is_namespaced: bool,
}

struct Context {
    client: Client,
    kinds: Vec<Kind>,
    caches: Vec<Informer<Meta>>,
    graph: Mutex<Graph>,
    events: EventRecorder,
}

/// All stored kinds but Events, which own nothing and go by age.
fn kinds() -> Vec<Kind> {
    let can = |verbs: &[&str], verb| verbs.contains(&verb);
    wk_resources::builtin()
        .iter()
        .filter(|one| can(&one.verbs, "watch") && can(&one.verbs, "delete"))
        .filter(|one| one.stored_as.is_none() && one.kind != "Event")
        .map(|one| {
            let gvk = GroupVersionKind::gvk(&one.group, &one.version, &one.kind);
            Kind {
                resource: ApiResource::from_gvk_with_plural(&gvk, &one.plural),
                is_namespaced: one.namespaced,
            }
        })
        .collect()
}

pub(crate) fn run(watching: &Client, client: Client, shell: &Shell) {
    let kinds = kinds();
    let is_pod = |kind: &Kind| kind.resource.group.is_empty() && kind.resource.kind == "Pod";
    let pods = kinds.iter().position(is_pod);
    // Pods are the most by far, and are watched already.
    let others = kinds.iter().enumerate().filter(|(number, _)| Some(*number) != pods);
    let caches: Vec<(usize, Informer<Meta>)> = others
        .map(|(number, kind)| {
            type Object = PartialObjectMeta<DynamicObject>;
            let api = Api::<Object>::all_with(watching.clone(), &kind.resource);
            let plural = kind.resource.plural.clone();
            let config = watcher::Config::default();
            let project = |object: Object| Some(Meta::of(&object.metadata));
            (number, Informer::projected_as(plural, api, config, &shell.group, project))
        })
        .collect();
    let events =
        EventRecorder::start(client.clone(), "garbage-collector-controller", None, &shell.group);
    let context = Arc::new(Context {
        client,
        kinds,
        caches: caches.iter().map(|(_, cache)| cache.clone()).collect(),
        graph: Mutex::default(),
        events,
    });
    let queue = WorkQueue::<Id>::default();
    for (kind, cache) in caches {
        let (context, queue, of) = (Arc::clone(&context), queue.clone(), cache.clone());
        cache.on_change(move |key| context.changed(kind, key, of.get(key).as_ref(), &queue));
    }
    if let Some(kind) = pods {
        let (context, queue) = (Arc::clone(&context), queue.clone());
        shell.watched.on_pod(move |key, _, pod| {
            context.changed(kind, key, pod.map(|pod| &pod.meta), &queue);
        });
    }
    let again = queue.clone();
    shell.run("garbage-collector", &queue, 20, move |id| {
        let (context, queue) = (Arc::clone(&context), again.clone());
        async move { conflict_is_later(context.reconcile(&id, &queue).await) }
    });
}

impl Context {
    fn changed(
        &self,
        kind: usize,
        key: &NamespacedName,
        meta: Option<&Arc<Meta>>,
        queue: &WorkQueue<Id>,
    ) {
        for id in self.graph.lock().put(&Id { kind, key: key.clone() }, meta) {
            queue.add(id);
        }
    }

    async fn reconcile(&self, id: &Id, queue: &WorkQueue<Id>) -> Result<Outcome, kube::Error> {
        for cache in &self.caches {
            cache.ready().await;
        }
        let verdict = self.graph.lock().verdict(id);
        match verdict {
            Verdict::Nothing => {}
            Verdict::Orphan(dependents) => self.orphan(id, &dependents).await?,
            Verdict::Wait(blocking) if blocking.is_empty() => {
                self.drop_finalizer(id, FOREGROUND_FINALIZER).await?;
            }
            Verdict::Wait(blocking) => blocking.into_iter().for_each(|id| queue.add(id)),
            Verdict::Check => self.check(id).await?,
        }
        Ok(Outcome::Done)
    }

    fn api(&self, id: &Id) -> Api<DynamicObject> {
        let resource = &self.kinds[id.kind].resource;
        match &id.key.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, resource),
            None => Api::all_with(self.client.clone(), resource),
        }
    }

    /// The object as the server has it now, if it is still the one that the graph has.
    async fn live(&self, id: &Id) -> Result<Option<PartialObjectMeta<DynamicObject>>, kube::Error> {
        let uid = self.graph.lock().meta(id).map(|meta| meta.uid.clone());
        let live = self.api(id).get_metadata_opt(&id.key.name).await?;
        Ok(live.filter(|live| live.metadata.uid.as_deref() == uid.as_ref().map(Uid::as_str)))
    }

    async fn check(&self, id: &Id) -> Result<(), kube::Error> {
        let Some(live) = self.live(id).await? else { return Ok(()) };
        let meta = Meta::of(&live.metadata);
        if meta.is_terminating {
            return Ok(());
        }
        let mut owners = Vec::with_capacity(meta.owners.len());
        for owner in &meta.owners {
            owners.push((owner.uid.clone(), self.owner_state(id, owner, &meta).await?));
        }
        let (has_dependents, has_waiting_dependents) = self.graph.lock().has_dependents(&meta.uid);
        let decision = decide(&Dependent {
            owners: &owners,
            has_orphan: meta.has_orphan,
            has_foreground: meta.has_foreground,
            has_dependents,
            has_waiting_dependents,
        });
        match decision {
            Decision::Keep => Ok(()),
            Decision::Forget(uids) => {
                debug!(object = %id.key, ?uids, "owners are gone");
                self.keep_owners(id, &live, |owner| {
                    !uids.iter().any(|uid| uid.as_str() == owner["uid"])
                })
                .await
            }
            Decision::Delete { propagation, unblock } => {
                if unblock {
                    self.unblock(id, &live).await?;
                    // The next look, at what was written, deletes it.
                    return Ok(());
                }
                self.delete(id, &live, propagation).await
            }
        }
    }

    async fn owner_state(
        &self,
        id: &Id,
        owner: &Owner,
        meta: &Meta,
    ) -> Result<OwnerState, kube::Error> {
        let known = self.graph.lock().owner(id, owner).map(|(_, meta)| Arc::clone(meta));
        if let Some(owner) = known {
            let waits = owner.waits_for_dependents();
            return Ok(if waits { OwnerState::Waiting } else { OwnerState::Solid });
        }
        let is_kind =
            |one: &Kind| one.resource.group == owner.group() && one.resource.kind == *owner.kind;
        let Some(kind) = self.kinds.iter().position(is_kind) else {
            return Ok(OwnerState::Unknown);
        };
        let is_namespaced = self.kinds[kind].is_namespaced;
        if is_namespaced && id.key.namespace.is_none() {
            self.complain(id, owner, meta);
            return Ok(OwnerState::Unknown);
        }
        let namespace = id.key.namespace.clone().filter(|_| is_namespaced);
        let key = NamespacedName { namespace, name: owner.name.to_string() };
        let live = self.api(&Id { kind, key }).get_metadata_opt(&owner.name).await?;
        let live = live.filter(|live| live.metadata.uid.as_deref() == Some(owner.uid.as_str()));
        let Some(live) = live else {
            let is_elsewhere = self.graph.lock().of_uid(&owner.uid).is_some();
            if is_elsewhere {
                self.complain(id, owner, meta);
            }
            return Ok(OwnerState::Absent);
        };
        let waits = Meta::of(&live.metadata).waits_for_dependents();
        Ok(if waits { OwnerState::Waiting } else { OwnerState::Solid })
    }

    fn complain(&self, id: &Id, owner: &Owner, meta: &Meta) {
        let resource = &self.kinds[id.kind].resource;
        let object = ObjectReference {
            api_version: Some(resource.api_version.clone()),
            kind: Some(resource.kind.clone()),
            namespace: id.key.namespace.clone(),
            name: Some(id.key.name.clone()),
            uid: Some(meta.uid.to_string()),
            ..ObjectReference::default()
        };
        let namespace = id.key.namespace.as_deref().unwrap_or_default();
        let message = format!(
            "ownerRef [{}/{}, namespace: {namespace}, name: {}, uid: {}] does not exist in \
             namespace \"{namespace}\"",
            owner.api_version, owner.kind, owner.name, owner.uid,
        );
        self.events.publish(object, EventType::Warning, "OwnerRefInvalidNamespace", message);
    }

    async fn delete(
        &self,
        id: &Id,
        live: &PartialObjectMeta<DynamicObject>,
        propagation: Propagation,
    ) -> Result<(), kube::Error> {
        let params = DeleteParams {
            propagation_policy: Some(match propagation {
                Propagation::Background => PropagationPolicy::Background,
                Propagation::Foreground => PropagationPolicy::Foreground,
                Propagation::Orphan => PropagationPolicy::Orphan,
            }),
            preconditions: Some(Preconditions {
                uid: live.metadata.uid.clone(),
                resource_version: live.metadata.resource_version.clone(),
            }),
            ..DeleteParams::default()
        };
        unless_gone(self.api(id).delete(&id.key.name, &params).await)?;
        let kind = &self.kinds[id.kind].resource.kind;
        info!(kind, object = %id.key, ?propagation, "deleted, its owners are gone");
        Ok(())
    }

    /// Makes the dependents forget the object, and lets it go.
    async fn orphan(&self, id: &Id, dependents: &[Id]) -> Result<(), kube::Error> {
        let Some(uid) = self.graph.lock().meta(id).map(|meta| meta.uid.clone()) else {
            return Ok(());
        };
        for dependent in dependents {
            if let Some(live) = self.live(dependent).await? {
                self.keep_owners(dependent, &live, |owner| owner["uid"] != uid.as_str()).await?;
            }
        }
        self.drop_finalizer(id, ORPHAN_FINALIZER).await
    }

    /// Makes no owner of the object wait for it.
    async fn unblock(
        &self,
        id: &Id,
        live: &PartialObjectMeta<DynamicObject>,
    ) -> Result<(), kube::Error> {
        let mut owners = live.metadata.owner_references.clone().unwrap_or_default();
        for owner in &mut owners {
            owner.block_owner_deletion = Some(false);
        }
        self.patch(id, live, json!({"ownerReferences": owners})).await
    }

    async fn keep_owners(
        &self,
        id: &Id,
        live: &PartialObjectMeta<DynamicObject>,
        keep: impl Fn(&Value) -> bool,
    ) -> Result<(), kube::Error> {
        let owners = json!(live.metadata.owner_references);
        let owners = owners.as_array().map(Vec::as_slice).unwrap_or_default();
        let kept: Vec<&Value> = owners.iter().filter(|owner| keep(owner)).collect();
        if kept.len() == owners.len() {
            return Ok(());
        }
        self.patch(id, live, json!({"ownerReferences": kept})).await
    }

    async fn drop_finalizer(&self, id: &Id, finalizer: &str) -> Result<(), kube::Error> {
        let Some(live) = self.live(id).await? else { return Ok(()) };
        let mut finalizers = live.metadata.finalizers.clone().unwrap_or_default();
        finalizers.retain(|one| one != finalizer);
        self.patch(id, &live, json!({"finalizers": finalizers})).await
    }

    /// Writes metadata, unless the object has changed since it was read.
    async fn patch(
        &self,
        id: &Id,
        live: &PartialObjectMeta<DynamicObject>,
        mut metadata: Value,
    ) -> Result<(), kube::Error> {
        metadata["resourceVersion"] = json!(live.metadata.resource_version);
        metadata["uid"] = json!(live.metadata.uid);
        let patch = Patch::Merge(json!({"metadata": metadata}));
        let params = PatchParams::default();
        unless_gone(self.api(id).patch_metadata(&id.key.name, &params, &patch).await)
    }
}
