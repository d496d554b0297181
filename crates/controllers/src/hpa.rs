//! Scales workloads with what their pods use and are asked.
//!
//! Metrics are read through the API, whoever serves them, and replicas are written through the
//! `scale` subresource, so that whatever has one can be scaled.
//!
//! Spec: <https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/>

mod pace;
mod plan;
mod pods;
mod read;
mod replicas;
mod target;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::{
    HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, HorizontalPodAutoscalerStatus,
};
use kube::api::PostParams;
use kube::runtime::watcher;
use kube::{Api, Client};
use parking_lot::Mutex;
use tracing::{debug, info, warn};
use wk_api::LabelSelector;
use wk_api::names::NamespacedName;
use wk_client::events::reference_to;
use wk_client::{EventRecorder, EventType, Informer, Outcome, WorkQueue, error_chain};

use crate::{Shell, unless_gone};
use pace::Memory;
use plan::{Course, Observed, Rescale, Round, Scale};
use target::{Found, Targets};

/// How often an autoscaler is looked at.
const SYNC: Duration = Duration::from_secs(15);
/// How many are looked at a time.
const WORKERS: usize = 5;

struct Context {
    client: Client,
    autoscalers: Informer<HorizontalPodAutoscaler>,
    targets: Targets,
    events: EventRecorder,
    /// What is known of each autoscaler from before.
    known: Mutex<HashMap<NamespacedName, Known>>,
}

/// What is remembered of an autoscaler.
#[derive(Default)]
struct Known {
    uid: Option<String>,
    memory: Memory,
    /// The pods that it scales.
    selector: Option<LabelSelector>,
}

pub(crate) fn run(client: Client, shell: &Shell) {
    let autoscalers = Informer::projected(
        Api::<HorizontalPodAutoscaler>::all(client.clone()),
        watcher::Config::default(),
        &shell.group,
        |mut autoscaler: HorizontalPodAutoscaler| {
            autoscaler.metadata.managed_fields = None;
            Some(autoscaler)
        },
    );
    let queue = WorkQueue::<NamespacedName>::default();
    let (from_autoscaler, seen) = (queue.clone(), autoscalers.clone());
    let generations = Mutex::new(HashMap::new());
    autoscalers.on_change(move |key| {
        // What this controller writes itself is no reason to look again.
        let now = seen.get(key).map(|one| (one.metadata.uid.clone(), one.metadata.generation));
        let before = match now.clone() {
            Some(now) => generations.lock().insert(key.clone(), now),
            None => generations.lock().remove(key),
        };
        if before != now {
            from_autoscaler.add(key.clone());
        }
    });
    let name = "horizontal-pod-autoscaler";
    let events = EventRecorder::start(client.clone(), name, None, &shell.group);
    let targets = Targets::new(client.clone());
    let known = Mutex::default();
    let context = Arc::new(Context { client, autoscalers, targets, events, known });
    shell.run(name, &queue, WORKERS, move |key| {
        let context = Arc::clone(&context);
        async move {
            let looked = Box::pin(context.reconcile(&key)).await;
            // It comes back in its own time also after a failure: no number is worth a hurry.
            Ok(looked.unwrap_or_else(|error| {
                warn!(autoscaler = %key, error = error_chain(&error), "not looked at to the end");
                Outcome::After(SYNC)
            }))
        }
    });
}

impl Context {
    async fn reconcile(&self, key: &NamespacedName) -> Result<Outcome, kube::Error> {
        self.autoscalers.ready().await;
        let Some(autoscaler) = self.autoscalers.get(key) else {
            self.known.lock().remove(key);
            return Ok(Outcome::Done);
        };
        let spec = &autoscaler.spec;
        let mut memory = self.recall(key, &autoscaler);
        let mut round = Round::new(spec, autoscaler.status.as_ref(), Timestamp::now());
        let worked = Box::pin(self.look(key, spec, &mut round, &mut memory)).await;
        if let Some(known) = self.known.lock().get_mut(key) {
            known.memory = memory;
        }
        worked?;
        for said in round.said {
            let how = if said.is_warning { EventType::Warning } else { EventType::Normal };
            self.events.publish(reference_to(&*autoscaler), how, said.reason, said.message);
        }
        if autoscaler.status.as_ref() != Some(&round.status) {
            self.write_status(key, &autoscaler, round.status).await?;
        }
        Ok(Outcome::After(SYNC))
    }

    /// What is remembered of the autoscaler; nothing of an earlier one of its name.
    fn recall(&self, key: &NamespacedName, autoscaler: &HorizontalPodAutoscaler) -> Memory {
        let mut known = self.known.lock();
        let own = known.entry(key.clone()).or_default();
        if own.uid != autoscaler.metadata.uid {
            *own = Known { uid: autoscaler.metadata.uid.clone(), ..Known::default() };
        }
        own.memory.clone()
    }

    /// Looks at the target and scales it, if that is called for.
    async fn look(
        &self,
        key: &NamespacedName,
        spec: &HorizontalPodAutoscalerSpec,
        round: &mut Round<'_>,
        memory: &mut Memory,
    ) -> Result<(), kube::Error> {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let found = match self.targets.find(namespace, &spec.scale_target_ref).await {
            Ok(found) => found,
            Err(error) => {
                round.no_scale(&error);
                return Ok(());
            }
        };
        let scale = found.scale();
        round.scale(&scale, memory);
        let rescale = match plan::course(spec, scale.wanted) {
            Course::Off => {
                round.off();
                None
            }
            Course::Bounds { replicas, reason } => {
                round.numbers(scale.wanted, scale.wanted, None);
                Some(Round::bounds(scale.wanted, replicas, reason))
            }
            Course::Metrics => match plan::selector(&scale) {
                Err((reason, error)) => {
                    round.no_selector(&scale, reason, &error);
                    None
                }
                Ok(selector) => {
                    let observed = self.observe(key, spec, &scale, selector).await?;
                    round.measured(&scale, observed, memory)
                }
            },
        };
        if let Some(rescale) = rescale {
            self.rescale(key, found, &rescale, round, memory).await;
        }
        Ok(())
    }

    async fn rescale(
        &self,
        key: &NamespacedName,
        found: Found,
        rescale: &Rescale,
        round: &mut Round<'_>,
        memory: &mut Memory,
    ) {
        match self.targets.scale(found, rescale.to).await {
            Ok(()) => {
                let Rescale { from, to, reason } = rescale;
                info!(autoscaler = %key, from, to, reason, "scaled");
                round.rescaled(rescale, memory);
            }
            Err(error) => {
                debug!(autoscaler = %key, error, "not scaled");
                round.not_rescaled(rescale, &error);
            }
        }
    }

    /// Reads the pods and the metrics.
    async fn observe(
        &self,
        key: &NamespacedName,
        spec: &HorizontalPodAutoscalerSpec,
        scale: &Scale,
        selector: LabelSelector,
    ) -> Result<Observed, kube::Error> {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let pods = read::pods(&self.client, namespace, &scale.selector).await?;
        let mut rivals: Vec<NamespacedName> = {
            let mut known = self.known.lock();
            known.entry(key.clone()).or_default().selector = Some(selector);
            let selects = |own: &Known| {
                let Some(own) = &own.selector else { return false };
                pods.iter().any(|pod| own.matches_map(&pod.labels))
            };
            let same = known.iter().filter(|(other, _)| other.namespace == key.namespace);
            same.filter(|(_, own)| selects(own)).map(|(other, _)| other.clone()).collect()
        };
        rivals.sort();
        if rivals.len() > 1 {
            return Ok(Observed { pods, rivals, readings: Vec::new() });
        }
        let metrics = spec.metrics.iter().flatten();
        let readings =
            metrics.map(|metric| read::metric(&self.client, namespace, &scale.selector, metric));
        let readings = join_all(readings).await;
        Ok(Observed { pods, rivals, readings })
    }

    /// Writes the status, also if somebody else has written something meanwhile.
    async fn write_status(
        &self,
        key: &NamespacedName,
        autoscaler: &HorizontalPodAutoscaler,
        status: HorizontalPodAutoscalerStatus,
    ) -> Result<(), kube::Error> {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let api = Api::<HorizontalPodAutoscaler>::namespaced(self.client.clone(), namespace);
        let mut object = HorizontalPodAutoscaler { status: Some(status), ..autoscaler.clone() };
        let params = PostParams::default();
        match api.replace_status(&key.name, &params, &object).await {
            Err(kube::Error::Api(status)) if status.is_conflict() => {}
            other => return unless_gone(other),
        }
        let Some(newer) = api.get_opt(&key.name).await? else { return Ok(()) };
        if newer.metadata.uid != object.metadata.uid {
            return Ok(());
        }
        object.metadata = newer.metadata;
        unless_gone(api.replace_status(&key.name, &params, &object).await)
    }
}
