//! What a pod asks of a node, reduced to what the scheduler reads.

mod affinity;
mod resources;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, PodSpec, PodStatus};
use wk_api::names::{NamespacedName, Uid};
use wk_api::well_known::DEFAULT_SCHEDULER;

pub use affinity::{NodeAffinity, PodAffinity, PodTerm, SpreadConstraint, Weighted};
pub use resources::Resources;

use crate::intern::Interner;
use crate::labels::Labels;
use crate::taints::Toleration;

/// The condition of a pod that shall go for the good of others, and the reason if that is ours.
pub(crate) const DISRUPTION_TARGET: &str = "DisruptionTarget";
/// The reason of that condition when a pod of higher priority needs the place.
pub(crate) const PREEMPTED: &str = "PreemptionByScheduler";

/// A port of the node itself that a pod takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPort {
    /// The node's address; `0.0.0.0` is every one.
    pub ip: Box<str>,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: Box<str>,
    /// The port.
    pub port: i32,
}

impl HostPort {
    /// Whether two pods cannot both have their port on one node.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        let any = |port: &Self| &*port.ip == "0.0.0.0";
        self.port == other.port
            && self.protocol == other.protocol
            && (self.ip == other.ip || any(self) || any(other))
    }
}

/// What others select a pod by; one value for all pods that have it in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Kin {
    /// The pods' namespace.
    pub namespace: Box<str>,
    /// Their labels.
    pub labels: Labels,
}

/// What manages a pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Its kind.
    pub kind: Box<str>,
    /// Its name, in the pod's namespace.
    pub name: Box<str>,
}

/// What a pod asks for; one value for all pods that are made from one template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Template {
    /// `spec.schedulerName`.
    pub scheduler: Box<str>,
    /// `spec.priority`.
    pub priority: i32,
    /// Whether `spec.preemptionPolicy` is `Never`.
    pub is_patient: bool,
    /// Whether `spec.schedulingGates` still hold it back.
    pub is_gated: bool,
    /// What it is guaranteed.
    pub requests: Resources,
    /// CPU (thousandths) and memory (bytes) with assumptions in place of missing requests.
    pub assumed: (i64, i64),
    /// Ports of the node that it takes.
    pub host_ports: Vec<HostPort>,
    /// `spec.nodeSelector` and the affinity to nodes.
    pub nodes: NodeAffinity,
    /// The affinity to other pods and the opposite.
    pub pods: Option<Box<PodAffinity>>,
    /// The constraints of its spreading that nodes must obey.
    pub hard_spread: Vec<SpreadConstraint>,
    /// The constraints of its spreading that nodes should obey.
    pub soft_spread: Vec<SpreadConstraint>,
    /// `spec.tolerations`.
    pub tolerations: Vec<Toleration>,
    /// The images of all containers and volumes, with a tag or digest each.
    pub images: Vec<Box<str>>,
    /// `spec.runtimeClassName`.
    pub runtime_class: Option<Box<str>>,
    /// What manages the pod.
    pub owner: Option<Owner>,
}

/// A claim of a volume that a pod has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimUse {
    /// The claim's name, in the pod's namespace.
    pub name: Box<str>,
    /// Whether the claim is made for the pod and goes with it.
    pub is_ephemeral: bool,
}

/// The `PodScheduled` condition as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledCondition {
    /// `True` or `False`.
    pub status: String,
    /// Why.
    pub reason: String,
    /// Why, for people.
    pub message: String,
}

/// One pod that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Its name.
    pub name: Box<str>,
    /// Tells pods of one name apart.
    pub uid: Uid,
    /// Its namespace and labels.
    pub kin: Arc<Kin>,
    /// What it asks for.
    pub template: Arc<Template>,
    /// The volumes that it has by claims.
    pub claims: Box<[ClaimUse]>,
    /// The node that it is bound to.
    pub node: Option<Box<str>>,
    /// `status.nominatedNodeName`: where others make room for it.
    pub nominated: Option<Box<str>>,
    /// Since when it runs, in seconds; the largest number if it does not.
    pub started: i64,
    /// Whether it is being deleted.
    pub is_terminating: bool,
    /// Whether it was told to go because a pod of higher priority needs its place.
    pub is_preempted: bool,
    /// What was last written about it.
    pub condition: Option<Box<ScheduledCondition>>,
}

/// What pods have in common, kept once.
#[derive(Debug, Default)]
pub struct Shared {
    kin: Interner<Kin>,
    templates: Interner<Template>,
}

impl Demand {
    /// What the scheduler keeps of a pod; `None` if it has ended, and so uses nothing any more.
    pub fn of(pod: Pod, shared: &Shared) -> Option<Self> {
        let Pod { metadata, spec, status } = pod;
        let status = status.unwrap_or_default();
        if matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")) {
            return None;
        }
        let spec = spec?;
        let name: Box<str> = metadata.name.unwrap_or_default().into();
        let node = spec.node_name.as_deref().filter(|name| !name.is_empty()).map(Box::from);
        let conditions = status.conditions.iter().flatten();
        let condition = conditions.clone().find(|one| one.type_ == "PodScheduled");
        let is_preempted = conditions.clone().any(|one| {
            one.type_ == DISRUPTION_TARGET
                && one.status == "True"
                && one.reason.as_deref() == Some(PREEMPTED)
        });
        let condition = condition.filter(|_| node.is_none()).map(|one| {
            Box::new(ScheduledCondition {
                status: one.status.clone(),
                reason: one.reason.clone().unwrap_or_default(),
                message: one.message.clone().unwrap_or_default(),
            })
        });
        let owners = metadata.owner_references.into_iter().flatten();
        let mut owners = owners.filter(|owner| owner.controller == Some(true));
        let owner = owners.next().map(|o| Owner { kind: o.kind.into(), name: o.name.into() });
        let kin = Kin {
            namespace: metadata.namespace.unwrap_or_default().into(),
            labels: Labels::new(metadata.labels),
        };
        let is_terminating = metadata.deletion_timestamp.is_some();
        Some(Self {
            uid: Uid::new(metadata.uid.unwrap_or_default()),
            claims: claims(&name, &spec),
            nominated: status
                .nominated_node_name
                .as_deref()
                .filter(|n| !n.is_empty())
                .map(Box::from),
            started: status.start_time.as_ref().map_or(i64::MAX, |time| time.0.as_second()),
            is_terminating,
            is_preempted: is_preempted && is_terminating,
            condition,
            template: shared.templates.intern(template(spec, &status, &kin, owner)),
            kin: shared.kin.intern(kin),
            name,
            node,
        })
    }

    /// Its name in the cluster.
    pub fn key(&self) -> NamespacedName {
        NamespacedName::new(&*self.kin.namespace, &*self.name)
    }

    /// The name of one of its claims in the cluster.
    pub fn claim_key(&self, claim: &ClaimUse) -> NamespacedName {
        NamespacedName::new(&*self.kin.namespace, &*claim.name)
    }

    /// `spec.priority`.
    pub fn priority(&self) -> i32 {
        self.template.priority
    }

    /// Whether `other` may get another answer from the scheduler than this.
    pub fn differs_from(&self, other: &Self) -> bool {
        (&self.template, &self.kin, &self.claims) != (&other.template, &other.kin, &other.claims)
    }
}

fn template(spec: PodSpec, status: &PodStatus, kin: &Kin, owner: Option<Owner>) -> Template {
    let (requests, assumed) =
        (resources::requests(&spec, status), resources::assumed(&spec, status));
    let affinity = spec.affinity.clone().unwrap_or_default();
    let node_selector: BTreeMap<String, String> = spec.node_selector.clone().unwrap_or_default();
    let constraints = spec.topology_spread_constraints.iter().flatten().cloned();
    let (hard, soft): (Vec<_>, Vec<_>) =
        constraints.partition(|one| one.when_unsatisfiable != "ScheduleAnyway");
    let compile = |list: Vec<_>| {
        list.into_iter().map(|one| SpreadConstraint::new(one, &kin.labels)).collect()
    };
    let images = spec.init_containers.iter().flatten().chain(&spec.containers);
    let mounted = spec.volumes.iter().flatten().filter_map(|volume| volume.image.as_ref());
    let mounted = mounted.filter_map(|source| source.reference.as_deref());
    let images = images.filter_map(|c| c.image.as_deref()).chain(mounted);
    let scheduler = spec.scheduler_name.clone().filter(|name| !name.is_empty());
    Template {
        scheduler: scheduler.unwrap_or_else(|| DEFAULT_SCHEDULER.to_owned()).into(),
        priority: spec.priority.unwrap_or(0),
        is_patient: spec.preemption_policy.as_deref() == Some("Never"),
        is_gated: spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()),
        requests,
        assumed,
        host_ports: host_ports(&spec),
        images: images.map(with_tag).collect(),
        nodes: NodeAffinity::new(node_selector, affinity.node_affinity.unwrap_or_default()),
        pods: PodAffinity::new(affinity.pod_affinity, affinity.pod_anti_affinity, kin)
            .map(Box::new),
        hard_spread: compile(hard),
        soft_spread: compile(soft),
        tolerations: spec.tolerations.into_iter().flatten().map(Toleration::new).collect(),
        runtime_class: spec.runtime_class_name.map(Box::from),
        owner,
    }
}

fn host_ports(spec: &PodSpec) -> Vec<HostPort> {
    let sidecars = spec.init_containers.iter().flatten().filter(|one| resources::is_sidecar(one));
    let ports = spec.containers.iter().chain(sidecars).flat_map(|c| c.ports.iter().flatten());
    ports
        .filter_map(|port| {
            let number = port.host_port.filter(|number| *number > 0)?;
            let ip = port.host_ip.as_deref().filter(|ip| !ip.is_empty());
            Some(HostPort {
                ip: ip.unwrap_or("0.0.0.0").into(),
                protocol: port.protocol.as_deref().unwrap_or("TCP").into(),
                port: number,
            })
        })
        .collect()
}

fn claims(pod: &str, spec: &PodSpec) -> Box<[ClaimUse]> {
    let volumes = spec.volumes.iter().flatten();
    volumes
        .filter_map(|volume| {
            let is_ephemeral = volume.ephemeral.is_some();
            let name = match &volume.persistent_volume_claim {
                Some(source) => source.claim_name.as_str().into(),
                None if is_ephemeral => format!("{pod}-{}", volume.name).into(),
                None => return None,
            };
            Some(ClaimUse { name, is_ephemeral })
        })
        .collect()
}

/// An image's name with `:latest` if it has neither tag nor digest, as nodes report images.
fn with_tag(image: &str) -> Box<str> {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains([':', '@']) { image.into() } else { format!("{image}:latest").into() }
}

#[cfg(test)]
mod tests;
