//! What the kubelet remembers of one pod.
//!
//! An idle pod costs memory and nothing else: its object is kept as packed JSON and parsed again when
//! there is something to do, and its containers are a few words each.

mod adopt;
mod packed;
mod record;
mod restore;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, EphemeralContainer, Pod, PodSpec, PodStatus};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use wk_runtime::{ContainerId, PodRef};

use crate::admission::Asks;
use crate::eviction::limits;
use crate::objects::ObjectKey;
use crate::plan::{ContainerView, PodView, RestartRule, Role};

pub(crate) use self::adopt::{Found, Unsure};
use self::packed::Packed;
pub(crate) use self::record::{Ailment, Hold, Phase, PullBackoff, Record, Termination, WaitReason};
pub(crate) use self::restore::restored;

/// Whether something works on a pod, and whether it has to look again when it is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Activity {
    #[default]
    Idle,
    Busy,
    Again,
}

impl Activity {
    /// Notes that there is work; true if somebody has to be started for it.
    pub(crate) fn ask(&mut self) -> bool {
        let start = *self == Self::Idle;
        *self = if start { Self::Busy } else { Self::Again };
        start
    }

    /// Notes that the work is done; true if there is more.
    pub(crate) fn done(&mut self) -> bool {
        let more = *self == Self::Again;
        *self = if more { Self::Busy } else { Self::Idle };
        more
    }
}

/// The folders of a pod's volumes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Volumes {
    #[default]
    Pending,
    Ready,
    Failed(Box<str>),
}

/// A pod that failed as a whole.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) reason: Cow<'static, str>,
    pub(crate) message: Box<str>,
    /// How long its containers may take to end; `None` is as long as the pod says.
    pub(crate) grace: Option<Duration>,
    /// Whether it was the node that needed what the pod had.
    pub(crate) disrupted: bool,
}

/// The changing part of a [`PodEntry`].
#[derive(Debug)]
pub(crate) struct Inner {
    packed: Packed,
    live: Option<Arc<Pod>>,
    version: u64,
    /// Deleted from the API without waiting for the kubelet.
    pub(crate) gone: bool,
    pub(crate) records: Vec<Record>,
    pub(crate) ip: Option<IpAddr>,
    /// The network namespace that its Wasm containers are started in, by number.
    pub(crate) namespace: Option<u64>,
    pub(crate) started_at: Timestamp,
    pub(crate) volumes: Volumes,
    /// When the first of the tokens in its volumes is to be renewed; `None` if it has none.
    pub(crate) tokens_due: Option<Timestamp>,
    pub(crate) failure: Option<Failure>,
    /// When its containers were first asked to end.
    pub(crate) ending_since: Option<Timestamp>,
    /// All has ended, and what the pod held was given back.
    pub(crate) released: bool,
    pub(crate) worker: Activity,
    pub(crate) writer: Activity,
    /// Whether the container engine may have something of it.
    pub(crate) engine_used: bool,
    /// Whether what its containers share has ended by itself.
    pub(crate) sandbox_lost: bool,
    /// What the pod asks of its node.
    pub(crate) asks: Asks,
    /// Whether something limits what the pod has on disk.
    pub(crate) limits_disk: bool,
    /// The ConfigMaps and Secrets whose changes concern the pod.
    pub(crate) objects: Vec<ObjectKey>,
}

/// One pod of this node.
#[derive(Debug)]
pub(crate) struct PodEntry {
    pub(crate) key: PodRef,
    /// Whether a file of the node describes it, and not the API.
    pub(crate) is_static: bool,
    /// Told when whatever the worker waits for should be looked at again.
    pub(crate) interrupt: Notify,
    inner: Mutex<Inner>,
}

/// What a newer object of a pod means to the kubelet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Only what the kubelet itself reported.
    Nothing,
    /// Whether it is ready: others say so who have not heard of the node for a while.
    Readiness,
    /// Labels, annotations or the specification.
    Spec,
    /// It is to be deleted, or with less grace than before.
    Deletion,
}

impl PodEntry {
    /// A pod seen for the first time; its containers are as `records` says.
    pub(crate) fn new(pod: Pod, records: Vec<Record>, now: Timestamp) -> Self {
        let key = pod_ref(&pod);
        let status = pod.status.as_ref();
        let started_at = status.and_then(|status| status.start_time.as_ref()).map(|time| time.0);
        let phase = status.and_then(|status| status.phase.as_deref());
        let inner = Inner {
            packed: Packed::default(),
            live: None,
            version: 0,
            gone: false,
            records,
            ip: None,
            namespace: None,
            started_at: started_at.unwrap_or(now),
            volumes: Volumes::Pending,
            tokens_due: None,
            failure: None,
            ending_since: None,
            released: matches!(phase, Some("Succeeded" | "Failed")),
            worker: Activity::Idle,
            writer: Activity::Idle,
            engine_used: false,
            sandbox_lost: false,
            asks: Asks::default(),
            limits_disk: false,
            objects: Vec::new(),
        };
        let interrupt = Notify::new();
        let entry = Self { key, is_static: false, interrupt, inner: Mutex::new(inner) };
        entry.observe(pod);
        entry
    }

    /// The same for a pod of a file.
    pub(crate) fn new_static(pod: Pod, records: Vec<Record>, now: Timestamp) -> Self {
        Self { is_static: true, ..Self::new(pod, records, now) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    /// Takes a newer object of the pod; an older one changes nothing.
    pub(crate) fn observe(&self, mut pod: Pod) -> Change {
        pod.metadata.managed_fields = None;
        let version = pod.metadata.resource_version.as_deref();
        let version = version.and_then(|version| version.parse().ok()).unwrap_or(0);
        let mut inner = self.lock();
        let known = inner.version > 0;
        if known && version <= inner.version {
            return Change::Nothing;
        }
        let change = if known { difference(&inner.pod(), &pod) } else { Change::Spec };
        inner.version = version;
        let default_spec = PodSpec::default();
        let spec = pod.spec.as_ref().unwrap_or(&default_spec);
        // Containers are only ever added, behind all others.
        let known = inner.records.len();
        inner.records.extend(
            all_containers(spec).skip(known).map(|(_, container)| Record::new(&container.name)),
        );
        inner.limits_disk = limits::limits_disk(&pod);
        inner.asks = Asks::of(&pod);
        inner.packed = Packed::of(&pod);
        inner.live = Some(Arc::new(pod));
        if inner.worker == Activity::Idle
            && inner.writer == Activity::Idle
            && change == Change::Nothing
        {
            inner.live = None;
        }
        change
    }

    /// The pod as it was last seen.
    pub(crate) fn pod(&self) -> Arc<Pod> {
        self.lock().pod()
    }
}

impl Inner {
    /// The pod as it was last seen.
    pub(crate) fn pod(&mut self) -> Arc<Pod> {
        if let Some(pod) = &self.live {
            return Arc::clone(pod);
        }
        let pod = Arc::new(self.packed.unpack());
        self.live = Some(Arc::clone(&pod));
        pod
    }

    /// Notes the status of a pod that only this node knows.
    pub(crate) fn keep_status(&mut self, pod: &Pod, status: PodStatus) {
        let pod = Pod { status: Some(status), ..pod.clone() };
        self.packed = Packed::of(&pod);
        self.live = Some(Arc::new(pod));
    }

    /// Drops the parsed form, unless somebody is about to need it.
    pub(crate) fn slim(&mut self) {
        if self.worker == Activity::Idle && self.writer == Activity::Idle {
            self.live = None;
        }
    }

    /// The record of a container.
    pub(crate) fn record(&mut self, name: &str) -> Option<&mut Record> {
        self.records.iter_mut().find(|record| &*record.name == name)
    }

    /// Runs that were followed by others and whose runtimes still remember them: container, number,
    /// and whether it is a Linux container.
    pub(crate) fn stale_runs(&self) -> Vec<(Box<str>, u32, bool)> {
        let stale = self
            .records
            .iter()
            .filter_map(|record| record.stale.map(|old| (record.name.clone(), old, record.linux)));
        stale.collect()
    }

    /// Whether the folders of its volumes can be used as they are.
    pub(crate) fn volumes_are_fresh(&self, now: Timestamp) -> bool {
        self.volumes == Volumes::Ready && self.tokens_due.is_none_or(|due| due > now)
    }

    /// Whether the pod has an end, so that nothing may start any more.
    pub(crate) fn is_stopping(&self, pod: &Pod) -> bool {
        self.gone
            || self.released
            || self.failure.is_some()
            || pod.metadata.deletion_timestamp.is_some()
    }

    /// The pod for [`plan`](crate::plan::plan).
    pub(crate) fn view(&self, pod: &Pod) -> PodView {
        let default_spec = PodSpec::default();
        let spec = pod.spec.as_ref().unwrap_or(&default_spec);
        let containers = all_containers(spec).zip(&self.records);
        let containers = containers.map(|((role, container), record)| ContainerView {
            role,
            restart: restart_rule(role, spec.restart_policy.as_deref(), &container, record),
            observed: record.observed(),
            held_until: record.hold.as_ref().map(|hold| hold.until),
            backoff: record.backoff,
            unhealthy: record.unhealthy.is_some(),
            outdated: record.outdated,
        });
        let deadline = spec.active_deadline_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        PodView {
            containers: containers.collect(),
            stopping: self.is_stopping(pod),
            deadline: deadline.map(|seconds| self.started_at + Duration::from_secs(seconds)),
            sandbox_lost: self.sandbox_lost,
        }
    }
}

/// What matters to the kubelet in the step from one object to the next.
fn difference(old: &Pod, new: &Pod) -> Change {
    let (was, is) = (&old.metadata, &new.metadata);
    if was.deletion_timestamp.is_none() && is.deletion_timestamp.is_some()
        || is.deletion_grace_period_seconds < was.deletion_grace_period_seconds
    {
        return Change::Deletion;
    }
    if was.labels != is.labels || was.annotations != is.annotations || old.spec != new.spec {
        return Change::Spec;
    }
    let same = is_ready(old) == is_ready(new) && gates(old) == gates(new);
    if same { Change::Nothing } else { Change::Readiness }
}

/// What others say of the pod's readiness.
fn gates(pod: &Pod) -> Vec<Option<&str>> {
    let gates = pod.spec.iter().flat_map(|spec| spec.readiness_gates.iter().flatten());
    gates
        .map(|gate| {
            let mut all = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
            let condition = all.find(|condition| condition.type_ == gate.condition_type);
            condition.map(|condition| condition.status.as_str())
        })
        .collect()
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|one| one.type_ == "Ready" && one.status == "True")
}

/// Namespace, name and uid of a pod.
pub(crate) fn pod_ref(pod: &Pod) -> PodRef {
    PodRef {
        namespace: pod.metadata.namespace.clone().unwrap_or_default(),
        name: pod.metadata.name.clone().unwrap_or_default(),
        uid: pod.metadata.uid.clone().unwrap_or_default(),
    }
}

/// All containers in the order of [`Inner::records`]: init containers first, ephemeral ones last.
pub(crate) fn all_containers(spec: &PodSpec) -> impl Iterator<Item = (Role, Cow<'_, Container>)> {
    let init = spec.init_containers.iter().flatten().map(|container| {
        let sidecar = container.restart_policy.as_deref() == Some("Always");
        (if sidecar { Role::Sidecar } else { Role::Init }, Cow::Borrowed(container))
    });
    let main = spec.containers.iter().map(|container| (Role::Main, Cow::Borrowed(container)));
    let ephemeral = spec.ephemeral_containers.iter().flatten();
    let ephemeral = ephemeral.map(|container| (Role::Ephemeral, Cow::Owned(ordinary(container))));
    init.chain(main).chain(ephemeral)
}

/// The container of this name.
pub(crate) fn find_container<'a>(pod: &'a Pod, name: &str) -> Option<(Role, Cow<'a, Container>)> {
    all_containers(pod.spec.as_ref()?).find(|(_, container)| container.name == name)
}

/// An ephemeral container in the words of all others.
fn ordinary(container: &EphemeralContainer) -> Container {
    let container = container.clone();
    Container {
        name: container.name,
        image: container.image,
        command: container.command,
        args: container.args,
        working_dir: container.working_dir,
        ports: container.ports,
        env_from: container.env_from,
        env: container.env,
        resources: container.resources,
        resize_policy: container.resize_policy,
        restart_policy: container.restart_policy,
        restart_policy_rules: container.restart_policy_rules,
        volume_mounts: container.volume_mounts,
        volume_devices: container.volume_devices,
        liveness_probe: container.liveness_probe,
        readiness_probe: container.readiness_probe,
        startup_probe: container.startup_probe,
        lifecycle: container.lifecycle,
        termination_message_path: container.termination_message_path,
        termination_message_policy: container.termination_message_policy,
        image_pull_policy: container.image_pull_policy,
        security_context: container.security_context,
        stdin: container.stdin,
        stdin_once: container.stdin_once,
        tty: container.tty,
    }
}

/// What a container says itself comes before what its pod says, and what it says of the exit code
/// that it had comes first.
fn restart_rule(
    role: Role,
    policy: Option<&str>,
    container: &Container,
    record: &Record,
) -> RestartRule {
    let exit_code = record.exited().map(|end| end.exit_code);
    let mut rules = container.restart_policy_rules.iter().flatten();
    let restarts = rules.any(|rule| {
        let codes = rule.exit_codes.as_ref().zip(exit_code);
        rule.action == "Restart"
            && codes.is_some_and(|(codes, code)| {
                let listed = codes.values.iter().flatten().any(|value| *value == code);
                if codes.operator == "NotIn" { !listed } else { listed }
            })
    });
    if restarts && role != Role::Ephemeral {
        return RestartRule::Always;
    }
    match (role, container.restart_policy.as_deref().or(policy)) {
        (Role::Sidecar, _) => RestartRule::Always,
        (Role::Ephemeral, _) | (_, Some("Never")) => RestartRule::Never,
        (_, Some("OnFailure")) | (Role::Init, _) => RestartRule::OnFailure,
        (Role::Main, _) => RestartRule::Always,
    }
}

/// The id of one run of a container on this node.
pub(crate) fn container_id(pod_uid: &str, container: &str, attempt: u32) -> ContainerId {
    ContainerId::new(format!("{pod_uid}_{container}_{attempt}"))
}

/// Uid of the pod and name of the container of an id made by [`container_id`].
pub(crate) fn parse_container_id(id: &ContainerId) -> Option<(&str, &str)> {
    let (rest, _attempt) = id.as_str().rsplit_once('_')?;
    rest.rsplit_once('_')
}

#[cfg(test)]
mod tests;
