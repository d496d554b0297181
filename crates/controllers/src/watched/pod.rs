//! A pod, as controllers see it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Affinity, Container, ObjectReference, Pod, PodCondition, PodSpec, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use wk_api::names::Uid;

use super::tolerations::{self, Tolerations};
use crate::meta::{Meta, Owner};

const DELETION_COST_ANNOTATION: &str = "controller.kubernetes.io/pod-deletion-cost";

/// Where a pod is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Not all of it has started.
    #[default]
    Pending,
    /// Nobody knows.
    Unknown,
    /// It runs.
    Running,
    /// All containers ended well and stay so.
    Succeeded,
    /// All containers ended, some of them badly, and stay so.
    Failed,
}

/// A pod; only what some controller reads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PodView {
    pub(crate) namespace: Box<str>,
    pub(crate) name: Box<str>,
    pub(crate) meta: Arc<Meta>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) created: Option<Timestamp>,
    /// When it was asked to end.
    pub(crate) deleted: Option<Timestamp>,
    pub(crate) node: Option<String>,
    pub(crate) phase: Phase,
    /// Since when it has been ready; [`Timestamp::UNIX_EPOCH`] if it does not say.
    pub(crate) ready_since: Option<Timestamp>,
    /// What it costs to delete it, relative to others of its kind.
    pub(crate) deletion_cost: i32,
    /// The restarts of the container that was restarted most.
    pub(crate) restarts: i32,
    pub(crate) finalizers: Box<[Box<str>]>,
    /// The names of the claims that it mounts.
    pub(crate) claims: Box<[Box<str>]>,
    /// Whether some of them are made for it.
    pub(crate) has_ephemeral_claims: bool,
    pub(crate) network: Option<Box<PodNetwork>>,
    /// The annotations that a Job gives its pods.
    pub(crate) job: Option<Box<JobPod>>,
    /// When it got its node; `None` if it does not say.
    pub(crate) scheduled_at: Option<Timestamp>,
    /// The one node that its affinity leaves it, which it has not got yet or is on.
    pub(crate) pinned: Option<Box<str>>,
    /// Its tolerations of taints that end pods.
    pub(crate) tolerations: Tolerations,
    /// Since when somebody has said that it is about to be disrupted.
    pub(crate) disruption_target: Option<Timestamp>,
}

/// Where a pod is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PodNetwork {
    pub(crate) ips: Vec<String>,
    pub(crate) hostname: String,
    pub(crate) subdomain: String,
    /// Named ports: name, protocol, number.
    pub(crate) ports: Vec<(String, String, i32)>,
}

/// What a Job has to know of its pods.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct JobPod {
    pub(crate) index: Option<u32>,
    /// How often its index has failed before.
    pub(crate) index_failures: u32,
    /// How often its index has failed without that counting.
    pub(crate) ignored_failures: u32,
    /// The restarts of all containers.
    pub(crate) restarts: i32,
    /// When the last container ended.
    pub(crate) ended: Option<Timestamp>,
    /// The exit code of each container that ended.
    pub(crate) exits: Vec<(String, i32)>,
    /// The status of each condition.
    pub(crate) conditions: Vec<(String, String)>,
}

impl PodView {
    pub(crate) fn of(pod: Pod) -> Self {
        let Pod { metadata, spec, status } = pod;
        let (spec, status) = (spec.unwrap_or_default(), status.unwrap_or_default());
        let meta = Meta::of(&metadata);
        let is_of_job = meta.controller().is_some_and(|owner| &*owner.kind == "Job");
        let job = is_of_job.then(|| Box::new(JobPod::of(&metadata, &status)));
        let annotations = metadata.annotations.unwrap_or_default();
        let grace = metadata.deletion_grace_period_seconds.unwrap_or(0);
        let deleted = metadata.deletion_timestamp.map(|time| time.0);
        let deleted = deleted
            .map(|end| end.checked_sub(jiff::SignedDuration::from_secs(grace)).unwrap_or(end));
        let metadata_name = metadata.name;
        Self {
            namespace: metadata.namespace.unwrap_or_default().into(),
            name: metadata_name.as_deref().unwrap_or_default().into(),
            meta: Arc::new(meta),
            labels: metadata.labels.unwrap_or_default(),
            created: metadata.creation_timestamp.map(|time| time.0),
            deleted,
            phase: phase(&status),
            ready_since: ready_since(&status),
            deletion_cost: annotations
                .get(DELETION_COST_ANNOTATION)
                .and_then(|cost| cost.parse().ok())
                .unwrap_or(0),
            restarts: restarts(&status),
            finalizers: metadata.finalizers.into_iter().flatten().map(Into::into).collect(),
            claims: claims(metadata_name.as_deref().unwrap_or_default(), &spec),
            has_ephemeral_claims: spec
                .volumes
                .iter()
                .flatten()
                .any(|volume| volume.ephemeral.is_some()),
            network: network(&spec, &status),
            node: spec.node_name.filter(|name| !name.is_empty()),
            job,
            scheduled_at: since(&status, "PodScheduled"),
            disruption_target: since(&status, "DisruptionTarget"),
            pinned: spec.affinity.as_ref().and_then(pinned),
            tolerations: tolerations::of_ending(spec.tolerations),
        }
    }

    /// The reference by which events are about it.
    pub(crate) fn reference(&self) -> ObjectReference {
        ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(self.name.to_string()),
            namespace: Some(self.namespace.to_string()),
            uid: Some(self.uid().to_string()),
            ..ObjectReference::default()
        }
    }

    /// The node that it is on, or is to be on when it is bound.
    pub(crate) fn target_node(&self) -> Option<&str> {
        self.node.as_deref().or(self.pinned.as_deref())
    }

    pub(crate) fn uid(&self) -> &Uid {
        &self.meta.uid
    }

    pub(crate) fn controller(&self) -> Option<&Owner> {
        self.meta.controller()
    }

    pub(crate) fn is_terminating(&self) -> bool {
        self.meta.is_terminating
    }

    /// Whether it has ended for good.
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Succeeded | Phase::Failed)
    }

    /// Whether it is there to stay: neither ended nor ending.
    pub(crate) fn is_active(&self) -> bool {
        !self.is_finished() && !self.is_terminating()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready_since.is_some()
    }

    /// Whether it has been ready for this long.
    pub(crate) fn is_available(&self, min_ready_seconds: i32, now: Timestamp) -> bool {
        self.until_available(min_ready_seconds, now) == Some(0)
    }

    /// The seconds until it has been ready for long enough; `None` if it is not ready.
    pub(crate) fn until_available(&self, min_ready_seconds: i32, now: Timestamp) -> Option<u64> {
        let since = self.ready_since?;
        let due = since.as_second().saturating_add(i64::from(min_ready_seconds));
        Some(u64::try_from(due.saturating_sub(now.as_second())).unwrap_or(0))
    }

    pub(crate) fn has_finalizer(&self, name: &str) -> bool {
        self.finalizers.iter().any(|one| **one == *name)
    }
}

impl JobPod {
    fn of(metadata: &ObjectMeta, status: &PodStatus) -> Self {
        let number = |annotation: &str| {
            let annotations = metadata.annotations.as_ref()?;
            annotations.get(&format!("batch.kubernetes.io/{annotation}"))?.parse().ok()
        };
        let containers = || {
            let inits = status.init_container_statuses.iter().flatten();
            inits.chain(status.container_statuses.iter().flatten())
        };
        let ended = |container: &k8s_openapi::api::core::v1::ContainerStatus| {
            container.state.as_ref().and_then(|state| state.terminated.clone())
        };
        Self {
            index: number("job-completion-index"),
            index_failures: number("job-index-failure-count").unwrap_or(0),
            ignored_failures: number("job-index-ignored-failure-count").unwrap_or(0),
            restarts: containers().map(|one| one.restart_count).sum(),
            ended: containers().filter_map(|one| Some(ended(one)?.finished_at?.0)).max(),
            exits: containers()
                .filter_map(|one| Some((one.name.clone(), ended(one)?.exit_code)))
                .collect(),
            conditions: conditions(status)
                .map(|one| (one.type_.clone(), one.status.clone()))
                .collect(),
        }
    }
}

fn conditions(status: &PodStatus) -> impl Iterator<Item = &PodCondition> {
    status.conditions.iter().flatten()
}

fn phase(status: &PodStatus) -> Phase {
    match status.phase.as_deref() {
        Some("Running") => Phase::Running,
        Some("Succeeded") => Phase::Succeeded,
        Some("Failed") => Phase::Failed,
        Some("Unknown") => Phase::Unknown,
        Some(_) | None => Phase::Pending,
    }
}

fn ready_since(status: &PodStatus) -> Option<Timestamp> {
    since(status, "Ready")
}

/// Since when a condition has held; the epoch if it does not say.
fn since(status: &PodStatus, condition: &str) -> Option<Timestamp> {
    let holds = conditions(status).find(|one| one.type_ == condition && one.status == "True")?;
    Some(holds.last_transition_time.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0))
}

/// The node that a required affinity names, if it names exactly one.
fn pinned(affinity: &Affinity) -> Option<Box<str>> {
    let required = affinity.node_affinity.as_ref()?;
    let terms = &required.required_during_scheduling_ignored_during_execution.as_ref()?;
    terms.node_selector_terms.iter().find_map(|term| {
        term.match_fields.iter().flatten().find_map(|field| {
            let names = field.values.as_deref().unwrap_or_default();
            let [name] = names else { return None };
            let is_name = field.key == "metadata.name" && field.operator == "In";
            is_name.then(|| name.as_str().into())
        })
    })
}

fn restarts(status: &PodStatus) -> i32 {
    let containers = status.container_statuses.iter().flatten();
    containers.map(|container| container.restart_count).max().unwrap_or(0)
}

/// The claims that a pod mounts; that of an ephemeral volume is named after the pod and the volume.
fn claims(pod: &str, spec: &PodSpec) -> Box<[Box<str>]> {
    let claim = |volume: &k8s_openapi::api::core::v1::Volume| -> Option<Box<str>> {
        if let Some(source) = &volume.persistent_volume_claim {
            return Some(source.claim_name.as_str().into());
        }
        volume.ephemeral.as_ref().map(|_| format!("{pod}-{}", volume.name).into())
    };
    spec.volumes.iter().flatten().filter_map(claim).collect()
}

fn network(spec: &PodSpec, status: &PodStatus) -> Option<Box<PodNetwork>> {
    let mut ips: Vec<String> = status.pod_ips.iter().flatten().map(|ip| ip.ip.clone()).collect();
    if ips.is_empty() {
        ips.extend(status.pod_ip.clone().filter(|ip| !ip.is_empty()));
    }
    if ips.is_empty() {
        return None;
    }
    let is_sidecar = |one: &&Container| one.restart_policy.as_deref() == Some("Always");
    let sidecars = spec.init_containers.iter().flatten().filter(is_sidecar);
    let ports = spec.containers.iter().chain(sidecars).flat_map(|one| one.ports.iter().flatten());
    let named = ports.filter_map(|port| {
        let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".to_owned());
        Some((port.name.clone()?, protocol, port.container_port))
    });
    Some(Box::new(PodNetwork {
        ips,
        hostname: spec.hostname.clone().unwrap_or_default(),
        subdomain: spec.subdomain.clone().unwrap_or_default(),
        ports: named.collect(),
    }))
}

#[cfg(test)]
impl PodView {
    /// A running and ready pod on a node, for tests.
    pub(crate) fn sample(name: &str) -> Self {
        let mut pod = Self::of(Pod {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some("default".to_owned()),
                uid: Some(format!("uid-{name}")),
                ..ObjectMeta::default()
            },
            ..Pod::default()
        });
        pod.phase = Phase::Running;
        pod.node = Some("n".to_owned());
        pod.created = Some(Timestamp::UNIX_EPOCH);
        pod.ready_since = Some(Timestamp::UNIX_EPOCH);
        pod
    }

    /// The same pod with other metadata.
    pub(crate) fn with_meta(mut self, change: impl FnOnce(&mut Meta)) -> Self {
        change(Arc::make_mut(&mut self.meta));
        self
    }
}
