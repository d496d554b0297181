//! What is kept of a pod: as little as its life is decided by.

pub(crate) mod plan;
pub(crate) mod status;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, PodSpec, PodStatus};

use crate::{EXIT_CODE_ANNOTATION, RUN_FOR_ANNOTATION, STOP_AFTER_ANNOTATION};

/// A grace period that nobody gave.
const DEFAULT_GRACE: i64 = 30;

/// A pod that is bound to a simulated node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SeenPod {
    pub(crate) uid: Box<str>,
    /// The number of its node.
    pub(crate) node: u32,
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) stage: Stage,
    /// Since when its stage lasts, as its object says.
    pub(crate) since: Option<Timestamp>,
    pub(crate) ending: Option<Ending>,
    pub(crate) restart: Restart,
    pub(crate) containers: Box<[SeenContainer]>,
    /// `None` while nothing says so.
    pub(crate) conditions: Conditions,
    /// The first readiness gate that does not hold, in the words of its condition.
    pub(crate) unmet_gate: Option<Box<str>>,
    pub(crate) script: Script,
}

/// How far a pod has come, as its status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    NotStarted,
    Running {
        restarts: u32,
    },
    /// Its containers wait to be started again.
    BackOff {
        restarts: u32,
    },
    /// It has succeeded or failed.
    Finished,
}

/// A deletion that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    /// When the containers have to be gone.
    pub(crate) deadline: Timestamp,
    pub(crate) grace: Duration,
}

/// `spec.restartPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restart {
    Always,
    OnFailure,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Init,
    Sidecar,
    Main,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenContainer {
    pub(crate) name: Box<str>,
    pub(crate) image: Box<str>,
    pub(crate) role: Role,
}

/// The conditions that a kubelet writes, as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conditions {
    pub(crate) can_start: Option<bool>,
    pub(crate) initialized: Option<bool>,
    pub(crate) ready: Option<bool>,
    pub(crate) containers_ready: Option<bool>,
}

/// What the pod's program would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Script {
    pub(crate) run_for: Option<Duration>,
    pub(crate) exit_code: i32,
    pub(crate) stop_after: Duration,
}

impl SeenPod {
    /// The part of `pod`, on the node of that number, that is worth keeping.
    pub(crate) fn of(pod: Pod, node: u32) -> Self {
        let (spec, status) = (pod.spec.unwrap_or_default(), pod.status.unwrap_or_default());
        let (stage, since) = stage(&status);
        let metadata = pod.metadata;
        let grace = metadata.deletion_grace_period_seconds.unwrap_or(DEFAULT_GRACE);
        let ending = metadata.deletion_timestamp.map(|time| Ending {
            deadline: time.0,
            grace: Duration::from_secs(u64::try_from(grace).unwrap_or(0)),
        });
        Self {
            uid: metadata.uid.unwrap_or_default().into(),
            node,
            address: status.pod_ip.as_deref().and_then(|ip| ip.parse().ok()),
            stage,
            since,
            ending,
            restart: match spec.restart_policy.as_deref() {
                Some("Never") => Restart::Never,
                Some("OnFailure") => Restart::OnFailure,
                _ => Restart::Always,
            },
            containers: containers(&spec),
            conditions: Conditions::of(&status),
            unmet_gate: unmet_gate(&spec, &status),
            script: Script::of(&metadata.annotations.unwrap_or_default()),
        }
    }

    /// The numbers of the pod's restarts so far.
    pub(crate) fn restarts(&self) -> u32 {
        match self.stage {
            Stage::Running { restarts } | Stage::BackOff { restarts } => restarts,
            Stage::NotStarted | Stage::Finished => 0,
        }
    }
}

fn containers(spec: &PodSpec) -> Box<[SeenContainer]> {
    let seen = |container: &Container, role| SeenContainer {
        name: (*container.name).into(),
        image: container.image.as_deref().unwrap_or_default().into(),
        role,
    };
    let first = spec.init_containers.iter().flatten().map(|container| {
        let is_sidecar = container.restart_policy.as_deref() == Some("Always");
        seen(container, if is_sidecar { Role::Sidecar } else { Role::Init })
    });
    first.chain(spec.containers.iter().map(|container| seen(container, Role::Main))).collect()
}

fn stage(status: &PodStatus) -> (Stage, Option<Timestamp>) {
    if matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")) {
        return (Stage::Finished, None);
    }
    let all = status.container_statuses.as_deref().unwrap_or_default();
    let restarts = all.iter().map(|one| one.restart_count).max().unwrap_or(0);
    let restarts = u32::try_from(restarts).unwrap_or(0);
    let running = |one: &ContainerStatus| -> Option<Timestamp> {
        Some(one.state.as_ref()?.running.as_ref()?.started_at.as_ref()?.0)
    };
    let starts: Option<Vec<Timestamp>> = all.iter().map(running).collect();
    match starts {
        Some(starts) if !starts.is_empty() => {
            (Stage::Running { restarts }, starts.into_iter().max())
        }
        // All of them exited at the same time, when they began to wait.
        _ if restarts > 0 => {
            let ended = |one: &ContainerStatus| -> Option<Timestamp> {
                Some(one.last_state.as_ref()?.terminated.as_ref()?.finished_at.as_ref()?.0)
            };
            (Stage::BackOff { restarts }, all.iter().filter_map(ended).max())
        }
        _ => (Stage::NotStarted, None),
    }
}

fn unmet_gate(spec: &PodSpec, status: &PodStatus) -> Option<Box<str>> {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    spec.readiness_gates.iter().flatten().find_map(|gate| {
        let kind = &gate.condition_type;
        match conditions.iter().find(|condition| condition.type_ == *kind) {
            Some(condition) if condition.status == "True" => None,
            Some(_) => Some(
                format!("the status of pod readiness gate \"{kind}\" is not \"True\", but False")
                    .into(),
            ),
            None => Some(
                format!("corresponding condition of pod readiness gate \"{kind}\" does not exist.")
                    .into(),
            ),
        }
    })
}

impl Conditions {
    fn of(status: &PodStatus) -> Self {
        let conditions = status.conditions.as_deref().unwrap_or_default();
        let holds = |kind: &str| {
            let found = conditions.iter().find(|condition| condition.type_ == kind)?;
            Some(found.status == "True")
        };
        Self {
            can_start: holds("PodReadyToStartContainers"),
            initialized: holds("Initialized"),
            ready: holds("Ready"),
            containers_ready: holds("ContainersReady"),
        }
    }
}

impl Script {
    /// What annotations say; one that cannot be read counts as absent.
    fn of(annotations: &BTreeMap<String, String>) -> Self {
        let time = |name: &str| -> Option<Duration> {
            annotations.get(name)?.parse::<jiff::SignedDuration>().ok()?.try_into().ok()
        };
        let code = annotations.get(EXIT_CODE_ANNOTATION);
        Self {
            run_for: time(RUN_FOR_ANNOTATION),
            exit_code: code.and_then(|code| code.parse().ok()).unwrap_or(0),
            stop_after: time(STOP_AFTER_ANNOTATION).unwrap_or_default(),
        }
    }
}
