//! Tells where the pods of each service are reached: endpoint slices, and `Endpoints`, their older
//! form.
//!
//! Spec: <https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/>

mod mirror;
mod plan;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Endpoints, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::runtime::watcher;
use kube::{Api, Client};
use parking_lot::Mutex;
use wk_api::LabelSelector;
use wk_api::names::NamespacedName;
use wk_api::well_known::{SERVICE_NAME_LABEL, ZONE_LABEL};
use wk_client::{EventRecorder, EventType, Informer, Outcome, WorkQueue};

use crate::claims::written;
use crate::expectations::Expectations;
use crate::pod_control::message;
use crate::watched::{PodView, Selecting, Watched, selecting};
use crate::{Shell, conflict_is_later, is_gone, unless_gone};
use plan::{KIND, Observed, SliceStep, plan_endpoints, plan_slices};

/// The label of a slice that says who keeps it.
const MANAGED_BY_LABEL: &str = "endpointslice.kubernetes.io/managed-by";
/// Who keeps the slices that are kept here.
const MANAGER: &str = "endpointslice-controller.k8s.io";

/// What both forms need.
struct Services {
    known: Informer<Selecting<Service>>,
    watched: Arc<Watched>,
    /// The services in which each pod was when it was last looked at: it has to leave them, too.
    members: Mutex<HashMap<NamespacedName, BTreeSet<String>>>,
}

struct Context<T> {
    client: Client,
    services: Arc<Services>,
    cache: Informer<T>,
    expectations: Expectations,
    events: EventRecorder,
}

/// Starts the three controllers.
pub(crate) fn run(
    watching: &Client,
    slices: Client,
    endpoints: Client,
    mirror: Client,
    shell: &Shell,
) {
    let services = Arc::new(Services {
        known: selecting(watching, &shell.group, |service: &Service| {
            let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
            let selector = selector.filter(|labels| !labels.is_empty());
            selector.map_or_else(LabelSelector::nothing, |labels| {
                LabelSelector::from_labels(labels.iter().map(|(key, value)| (&**key, &**value)))
            })
        }),
        watched: Arc::clone(&shell.watched),
        members: Mutex::default(),
    });
    let (to_slices, to_endpoints) = (WorkQueue::default(), WorkQueue::default());
    let (one, other) = (to_slices.clone(), to_endpoints.clone());
    Services::listen(&services, move |key| {
        one.add(key.clone());
        other.add(key);
    });

    let cache = slices_of(MANAGER, watching, &to_slices, shell);
    let context = Context::new(slices, &services, cache, "endpoint-slice-controller", shell);
    shell.run("endpointslice", &to_slices, 5, move |key| {
        let context = Arc::clone(&context);
        async move { conflict_is_later(context.slices(&key).await) }
    });

    let cache = Informer::start(
        Api::<Endpoints>::all(watching.clone()),
        watcher::Config::default(),
        &shell.group,
    );
    mirror::run(watching, mirror, &services, cache.clone(), shell);
    let queue = to_endpoints.clone();
    cache.on_change(move |key| queue.add(key.clone()));
    let context = Context::new(endpoints, &services, cache, "endpoint-controller", shell);
    shell.run("endpoint", &to_endpoints, 5, move |key| {
        let context = Arc::clone(&context);
        async move { conflict_is_later(context.endpoints(&key).await) }
    });
}

/// The slices that `manager` looks after. What changes among them goes to `queue`, by the service that they
/// belong to and the one that they belonged to before.
fn slices_of(
    manager: &str,
    watching: &Client,
    queue: &WorkQueue<NamespacedName>,
    shell: &Shell,
) -> Informer<EndpointSlice> {
    let ours = watcher::Config::default().labels(&format!("{MANAGED_BY_LABEL}={manager}"));
    let cache = Informer::start(Api::<EndpointSlice>::all(watching.clone()), ours, &shell.group);
    let (seen, queue) = (cache.clone(), queue.clone());
    let of_slice = Mutex::new(HashMap::<NamespacedName, NamespacedName>::new());
    cache.on_change(move |key| {
        let service = seen.get(key).and_then(|slice| service_of(&slice));
        let mut of_slice = of_slice.lock();
        let before = match &service {
            Some(service) => of_slice.insert(key.clone(), service.clone()),
            None => of_slice.remove(key),
        };
        for key in before.into_iter().chain(service) {
            queue.add(key);
        }
    });
    cache
}

fn service_of(slice: &EndpointSlice) -> Option<NamespacedName> {
    let name = slice.metadata.labels.as_ref()?.get(SERVICE_NAME_LABEL)?;
    Some(NamespacedName::new(slice.metadata.namespace.as_deref()?, name.as_str()))
}

impl Services {
    /// Calls `changed` with each service whose endpoints may be others now.
    fn listen(this: &Arc<Self>, changed: impl Fn(NamespacedName) + Clone + Send + Sync + 'static) {
        let from_service = changed.clone();
        this.known.on_change(move |key| from_service(key.clone()));
        let services = Arc::clone(this);
        this.watched.on_pod(move |key, _, pod| services.pod_changed(key, pod, &changed));
    }

    fn pod_changed(
        &self,
        key: &NamespacedName,
        pod: Option<&PodView>,
        changed: &impl Fn(NamespacedName),
    ) {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let now: BTreeSet<String> = match pod {
            None => BTreeSet::new(),
            Some(pod) => {
                let services = self.known.in_namespace(namespace);
                let selecting =
                    services.iter().filter(|service| service.selector.matches_map(&pod.labels));
                selecting.filter_map(|service| service.object.metadata.name.clone()).collect()
            }
        };
        let before = {
            let mut members = self.members.lock();
            if now.is_empty() {
                members.remove(key)
            } else {
                members.insert(key.clone(), now.clone())
            }
        };
        for name in before.unwrap_or_default().union(&now) {
            changed(NamespacedName::new(namespace, name.as_str()));
        }
    }

    /// The pods that a service selects, and which are its members from now on.
    fn members(&self, service: &Selecting<Service>) -> Vec<Arc<PodView>> {
        let key = NamespacedName::of(&service.object.metadata);
        let pods = self.watched.pods.in_namespace(key.namespace.as_deref().unwrap_or_default());
        let pods: Vec<_> =
            pods.into_iter().filter(|pod| service.selector.matches_map(&pod.labels)).collect();
        let mut members = self.members.lock();
        for pod in &pods {
            let pod = NamespacedName::new(&*pod.namespace, &*pod.name);
            members.entry(pod).or_default().insert(key.name.clone());
        }
        pods
    }

    fn zones(&self) -> BTreeMap<String, String> {
        let nodes = self.watched.nodes.list();
        let zone = |node: &crate::watched::NodeView| {
            Some((node.name.clone(), node.labels.get(ZONE_LABEL)?.clone()))
        };
        nodes.iter().filter_map(|node| zone(node)).collect()
    }
}

impl<T: Send + Sync + 'static> Context<T> {
    fn new(
        client: Client,
        services: &Arc<Services>,
        cache: Informer<T>,
        component: &str,
        shell: &Shell,
    ) -> Arc<Self> {
        let events = EventRecorder::start(client.clone(), component, None, &shell.group);
        let (services, expectations) = (Arc::clone(services), Expectations::default());
        Arc::new(Self { client, services, cache, expectations, events })
    }

    async fn ready(&self) {
        self.services.known.ready().await;
        self.cache.ready().await;
    }

    /// The service of this name, if there is one whose endpoints are kept here.
    fn service(&self, key: &NamespacedName) -> Option<Arc<Selecting<Service>>> {
        let service = self.services.known.get(key)?;
        let is_external = service.object.spec.as_ref()?.type_.as_deref() == Some("ExternalName");
        let is_ending = service.object.metadata.deletion_timestamp.is_some();
        (!service.selector.is_nothing() && !is_external && !is_ending).then_some(service)
    }

    /// Tells of a failure in an event, unless it is no news.
    fn complain(&self, service: &Service, reason: &str, text: &str, error: &kube::Error) {
        if is_gone(error) {
            return;
        }
        if let kube::Error::Api(status) = error
            && status.code == 409
        {
            return;
        }
        let object = KIND.event_reference(&service.metadata);
        let text = format!("{text}: {}", message(error));
        self.events.publish(object, EventType::Warning, reason, text);
    }
}

impl Context<EndpointSlice> {
    async fn slices(&self, key: &NamespacedName) -> Result<Outcome, kube::Error> {
        self.ready().await;
        let Some(service) = self.service(key) else {
            // The slices belong to the service and go with it.
            self.expectations.forget(key);
            return Ok(Outcome::Done);
        };
        if let Some(later) = self.expectations.unseen(key) {
            return Ok(later);
        }
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let mut existing = self.cache.in_namespace(namespace);
        existing.retain(|slice| {
            service_of(slice).as_ref() == Some(key) && slice.metadata.deletion_timestamp.is_none()
        });
        let (pods, zones) = (self.services.members(&service), self.services.zones());
        let observed = Observed { service: &service.object, pods: &pods, zones: &zones };
        for step in plan_slices(&observed, &existing) {
            if let Err(error) = self.carry_out(key, step).await {
                let text = format!("Error updating Endpoint Slices for Service {key}");
                let reason = "FailedToUpdateEndpointSlices";
                self.complain(&service.object, reason, &text, &error);
                return unless_gone::<()>(Err(error)).map(|()| Outcome::Done);
            }
        }
        Ok(Outcome::Done)
    }

    async fn carry_out(&self, key: &NamespacedName, step: SliceStep) -> Result<(), kube::Error> {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let api = Api::<EndpointSlice>::namespaced(self.client.clone(), namespace);
        let version = match step {
            SliceStep::Create(slice) => {
                let made = api.create(&PostParams::default(), &slice).await?;
                made.metadata.resource_version
            }
            SliceStep::Update(slice) => {
                let name = slice.metadata.name.clone().unwrap_or_default();
                written(api.replace(&name, &PostParams::default(), &slice).await)?
            }
            SliceStep::Delete(slice) => {
                let preconditions = Some(Preconditions {
                    uid: slice.metadata.uid.clone(),
                    resource_version: slice.metadata.resource_version.clone(),
                });
                let params = DeleteParams { preconditions, ..DeleteParams::default() };
                let name = slice.metadata.name.as_deref().unwrap_or_default();
                return unless_gone(api.delete(name, &params).await);
            }
        };
        self.expectations.expect(key, self.cache.mark(version.as_deref()));
        Ok(())
    }
}

impl Context<Endpoints> {
    async fn endpoints(&self, key: &NamespacedName) -> Result<Outcome, kube::Error> {
        self.ready().await;
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let api = Api::<Endpoints>::namespaced(self.client.clone(), namespace);
        let existing = self.cache.get(key);
        let Some(service) = self.service(key) else {
            self.expectations.forget(key);
            return self.left_over(&api, key, existing.as_deref()).await;
        };
        if let Some(later) = self.expectations.unseen(key) {
            return Ok(later);
        }
        let (pods, zones) = (self.services.members(&service), BTreeMap::new());
        let observed = Observed { service: &service.object, pods: &pods, zones: &zones };
        let Some(wanted) = plan_endpoints(&observed, existing.as_deref()) else {
            return Ok(Outcome::Done);
        };
        let (result, reason, text) = if existing.is_some() {
            let result = api.replace(&key.name, &PostParams::default(), &wanted).await;
            (result, "FailedToUpdateEndpoint", format!("Failed to update endpoint {key}"))
        } else {
            let result = api.create(&PostParams::default(), &wanted).await;
            let text = format!("Failed to create endpoint for service {key}");
            (result, "FailedToCreateEndpoint", text)
        };
        if let Err(error) = &result {
            self.complain(&service.object, reason, &text, error);
        }
        let version = written(result)?;
        self.expectations.expect(key, self.cache.mark(version.as_deref()));
        Ok(Outcome::Done)
    }

    /// Removes what was kept here for a service that is gone; other people's objects stay.
    async fn left_over(
        &self,
        api: &Api<Endpoints>,
        key: &NamespacedName,
        existing: Option<&Endpoints>,
    ) -> Result<Outcome, kube::Error> {
        let is_ours = |endpoints: &Endpoints| {
            let labels = endpoints.metadata.labels.as_ref();
            labels
                .and_then(|labels| labels.get("endpoints.kubernetes.io/managed-by"))
                .map(String::as_str)
                == Some("endpoint-controller")
        };
        if let Some(existing) = existing.filter(|one| is_ours(one))
            && self.services.known.get(key).is_none()
        {
            let preconditions = Some(Preconditions {
                uid: existing.metadata.uid.clone(),
                resource_version: existing.metadata.resource_version.clone(),
            });
            let params = DeleteParams { preconditions, ..DeleteParams::default() };
            unless_gone(api.delete(&key.name, &params).await)?;
        }
        Ok(Outcome::Done)
    }
}
