//! Shows `Endpoints` that people write for services without a selector as endpoint slices, too.
//!
//! Spec: <https://kubernetes.io/docs/concepts/services-networking/service/#endpointslice-mirroring>

use std::sync::Arc;

use k8s_openapi::api::core::v1::Endpoints;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Client;
use wk_api::names::NamespacedName;
use wk_client::{EventRecorder, EventType, Informer, Outcome, WorkQueue};

use super::plan::{ENDPOINTS, plan_mirror, skipped};
use super::{Context, Services, service_of, slices_of};
use crate::expectations::Expectations;
use crate::{Shell, conflict_is_later, unless_gone};

/// Who keeps the slices that are kept here.
pub(super) const MIRROR_MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
/// The label of endpoints that shall not be mirrored.
const SKIP_LABEL: &str = "endpointslice.kubernetes.io/skip-mirror";
/// The annotation of endpoints that are there for the election of a leader.
const LEADER_ANNOTATION: &str = "control-plane.alpha.kubernetes.io/leader";

struct Mirror {
    slices: Context<EndpointSlice>,
    endpoints: Informer<Endpoints>,
}

/// Starts the controller.
pub(super) fn run(
    watching: &Client,
    client: Client,
    services: &Arc<Services>,
    endpoints: Informer<Endpoints>,
    shell: &Shell,
) {
    let queue = WorkQueue::<NamespacedName>::default();
    let (from_service, from_endpoints) = (queue.clone(), queue.clone());
    services.known.on_change(move |key| from_service.add(key.clone()));
    endpoints.on_change(move |key| from_endpoints.add(key.clone()));

    let cache = slices_of(MIRROR_MANAGER, watching, &queue, shell);
    let component = "endpoint-slice-mirroring-controller";
    let events = EventRecorder::start(client.clone(), component, None, &shell.group);
    let (services, expectations) = (Arc::clone(services), Expectations::default());
    let slices = Context { client, services, cache, expectations, events };
    let mirror = Arc::new(Mirror { slices, endpoints });
    shell.run("endpointslicemirroring", &queue, 5, move |key| {
        let mirror = Arc::clone(&mirror);
        async move { conflict_is_later(mirror.reconcile(&key).await) }
    });
}

impl Mirror {
    async fn reconcile(&self, key: &NamespacedName) -> Result<Outcome, kube::Error> {
        self.slices.ready().await;
        self.endpoints.ready().await;
        if let Some(later) = self.slices.expectations.unseen(key) {
            return Ok(later);
        }
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let mut existing = self.slices.cache.in_namespace(namespace);
        existing.retain(|slice| {
            service_of(slice).as_ref() == Some(key) && slice.metadata.deletion_timestamp.is_none()
        });
        let endpoints = self.endpoints.get(key).filter(|endpoints| self.is_wanted(key, endpoints));
        if let Some(endpoints) = &endpoints {
            self.say_what_is_skipped(endpoints);
        }
        for step in plan_mirror(endpoints.as_deref(), &existing) {
            if let Err(error) = self.slices.carry_out(key, step).await {
                return unless_gone::<()>(Err(error)).map(|()| Outcome::Done);
            }
        }
        if endpoints.is_none() {
            self.slices.expectations.forget(key);
        }
        Ok(Outcome::Done)
    }

    /// Whether they are to be mirrored: those of services with a selector are made from pods, and are
    /// shown as slices by others.
    fn is_wanted(&self, key: &NamespacedName, endpoints: &Endpoints) -> bool {
        let meta = &endpoints.metadata;
        let skips = meta.labels.as_ref().and_then(|labels| labels.get(SKIP_LABEL));
        let leads =
            meta.annotations.as_ref().is_some_and(|all| all.contains_key(LEADER_ANNOTATION));
        let service = self.slices.services.known.get(key);
        meta.deletion_timestamp.is_none()
            && skips.is_none_or(|skips| skips != "true")
            && !leads
            && service.is_some_and(|service| service.selector.is_nothing())
    }

    fn say_what_is_skipped(&self, endpoints: &Endpoints) {
        if let Some(text) = skipped(endpoints) {
            let object = ENDPOINTS.event_reference(&endpoints.metadata);
            let reason = "TooManyAddressesToMirror";
            self.slices.events.publish(object, EventType::Warning, reason, text);
        }
    }
}
