//! What the kubelet remembers of one container.

use std::time::Duration;

use jiff::Timestamp;
use wk_runtime::ContainerId;

use crate::plan::Observed;
use crate::probes::Kind;
use crate::termination::Place;

/// How a container ended.
#[derive(Clone, Debug)]
pub(crate) struct Termination {
    pub(crate) container_id: Box<str>,
    pub(crate) exit_code: i32,
    pub(crate) reason: Box<str>,
    pub(crate) message: Box<str>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished_at: Timestamp,
}

/// Where a container is in its life.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    NotStarted,
    Running { id: ContainerId, since: Timestamp },
    Exited(Box<Termination>),
}

/// Why a container waits instead of running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitReason {
    ContainerCreating,
    PodInitializing,
    CrashLoopBackOff,
    ErrImagePull,
    ImagePullBackOff,
    ErrImageNeverPull,
    InvalidImageName,
    CreateContainerConfigError,
    CreateContainerError,
    RunContainerError,
    PostStartHookError,
}

/// Why a container that runs has to be ended and started again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ailment {
    /// This probe failed.
    Probe(Kind),
    /// The hook after its start failed, with this to say.
    PostStart(Box<str>),
}

impl WaitReason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ContainerCreating => "ContainerCreating",
            Self::PodInitializing => "PodInitializing",
            Self::CrashLoopBackOff => "CrashLoopBackOff",
            Self::ErrImagePull => "ErrImagePull",
            Self::ImagePullBackOff => "ImagePullBackOff",
            Self::ErrImageNeverPull => "ErrImageNeverPull",
            Self::InvalidImageName => "InvalidImageName",
            Self::CreateContainerConfigError => "CreateContainerConfigError",
            Self::CreateContainerError => "CreateContainerError",
            Self::RunContainerError => "RunContainerError",
            Self::PostStartHookError => "PostStartHookError",
        }
    }
}

/// A container that is not to be started before some time.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) reason: WaitReason,
    pub(crate) message: Box<str>,
    pub(crate) until: Timestamp,
    /// Whether it ends as soon as a ConfigMap or Secret of the pod changes.
    pub(crate) on_objects: bool,
}

/// A failed pull, until it is tried again.
#[derive(Clone, Debug)]
pub(crate) struct PullBackoff {
    pub(crate) until: Timestamp,
    pub(crate) delay: Duration,
    pub(crate) error: Box<str>,
}

/// One container of a pod.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) name: Box<str>,
    /// Number of the current or last run; of the next one if it has not run yet.
    pub(crate) attempt: u32,
    pub(crate) phase: Phase,
    /// The end of the run before.
    pub(crate) last: Option<Box<Termination>>,
    pub(crate) hold: Option<Box<Hold>>,
    pub(crate) pull: Option<Box<PullBackoff>>,
    pub(crate) backoff: Option<Duration>,
    pub(crate) ready: bool,
    pub(crate) started: bool,
    /// Why the container is to be ended while it runs.
    pub(crate) unhealthy: Option<Ailment>,
    /// Whether the hook after its start still runs: until then the API takes it for being created.
    pub(crate) post_start: bool,
    /// Whether the hook before its end was begun, which happens once.
    pub(crate) pre_stop: bool,
    pub(crate) image_id: Box<str>,
    pub(crate) linux: bool,
    /// Whether its last run was in a sandbox that is gone.
    pub(crate) outdated: bool,
    /// Whether it has ended since the worker last looked.
    pub(crate) fresh_exit: bool,
    /// The run before, while its runtime still remembers it: until the API knows how it ended.
    pub(crate) stale: Option<u32>,
    /// Where the program may leave its termination message; `None` if this process did not start it.
    pub(crate) message_place: Option<Box<Place>>,
}

impl Record {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            attempt: 0,
            phase: Phase::NotStarted,
            last: None,
            hold: None,
            pull: None,
            backoff: None,
            ready: false,
            started: false,
            unhealthy: None,
            post_start: false,
            pre_stop: false,
            image_id: Box::default(),
            linux: false,
            outdated: false,
            fresh_exit: false,
            stale: None,
            message_place: None,
        }
    }

    pub(crate) fn running_id(&self) -> Option<&ContainerId> {
        match &self.phase {
            Phase::Running { id, .. } => Some(id),
            Phase::NotStarted | Phase::Exited(_) => None,
        }
    }

    pub(crate) fn exited(&self) -> Option<&Termination> {
        match &self.phase {
            Phase::Exited(end) => Some(end),
            Phase::NotStarted | Phase::Running { .. } => None,
        }
    }

    pub(super) fn observed(&self) -> Observed {
        match &self.phase {
            Phase::NotStarted => Observed::NotStarted,
            Phase::Running { .. } => Observed::Running { started: self.started },
            Phase::Exited(end) => {
                Observed::Exited { success: end.exit_code == 0, finished_at: end.finished_at }
            }
        }
    }
}
