//! What to do next for one pod: from how its containers are to the steps that bring it closer.
//!
//! Pure. The worker observes, asks [`plan`], carries the steps out, and asks again until nothing is
//! left but to wait.

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;

/// The first delay before a container that keeps ending is started again.
pub const FIRST_BACKOFF: Duration = Duration::from_secs(10);
/// The longest delay.
pub const LAST_BACKOFF: Duration = Duration::from_mins(5);
/// A container that ran this long starts over with no delay.
pub const BACKOFF_RESET: Duration = Duration::from_mins(10);

/// What a container is within its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Runs to its end before the next one starts.
    Init,
    /// An init container with `restartPolicy: Always`: starts in its turn and stays.
    Sidecar,
    /// One of `spec.containers`.
    Main,
    /// One that was added to the running pod, to look into it: nothing depends on it.
    Ephemeral,
}

impl Role {
    /// Whether it is one of `spec.initContainers`.
    pub fn is_init(self) -> bool {
        matches!(self, Self::Init | Self::Sidecar)
    }
}

/// When a container that has ended is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartRule {
    /// Whatever its exit code.
    Always,
    /// Unless it succeeded.
    OnFailure,
    /// Never.
    Never,
}

impl RestartRule {
    fn applies(self, success: bool) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => !success,
            Self::Never => false,
        }
    }
}

/// How a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// It has not run yet.
    NotStarted,
    /// It runs; `started` once its startup probe, if any, has succeeded.
    Running {
        /// Whether what waits for it may go on.
        started: bool,
    },
    /// It has ended.
    Exited {
        /// Whether with exit code 0.
        success: bool,
        /// When.
        finished_at: Timestamp,
    },
}

/// One container of the pod, in the order of the specification, init containers first.
#[derive(Clone, Debug)]
pub struct ContainerView {
    /// What it is.
    pub role: Role,
    /// When it is started again.
    pub restart: RestartRule,
    /// How it is.
    pub observed: Observed,
    /// Not to be started before this: its image could not be pulled, it keeps crashing, ...
    pub held_until: Option<Timestamp>,
    /// The delay that the next restart has to keep after the last end; `None` is no delay.
    pub backoff: Option<Duration>,
    /// Whether a probe or hook has found that it must be ended and started again.
    pub unhealthy: bool,
    /// Whether its last run was in a sandbox that is gone, and so counts for nothing if it is to run
    /// again at all.
    pub outdated: bool,
}

impl ContainerView {
    /// How it is, as far as that counts.
    fn observed(&self) -> Observed {
        match self.observed {
            Observed::Exited { success, .. }
                if self.outdated && (self.role.is_init() || self.restart.applies(success)) =>
            {
                Observed::NotStarted
            }
            observed => observed,
        }
    }
}

/// A pod as far as its containers' fate depends on it.
#[derive(Clone, Debug)]
pub struct PodView {
    /// Its containers.
    pub containers: Vec<ContainerView>,
    /// Whether the pod is being deleted, is gone, or has failed as a whole: nothing starts any more.
    pub stopping: bool,
    /// When its `activeDeadlineSeconds` are over.
    pub deadline: Option<Timestamp>,
    /// Whether what its containers share is gone: all of them begin again, as in a new pod.
    pub sandbox_lost: bool,
}

/// Why a running container is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The pod ends.
    PodEnds,
    /// A liveness or startup probe failed, or the hook after its start.
    Unhealthy,
    /// All main containers have ended, so that sidecars are not needed any more.
    Done,
    /// What the pod's containers share is gone.
    Sandbox,
}

/// One thing to do; `index` is the place in [`PodView::containers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Start the container, for the first time or again.
    Start {
        /// Which.
        index: usize,
    },
    /// End it.
    Stop {
        /// Which.
        index: usize,
        /// Why.
        reason: StopReason,
    },
    /// It crashed: hold it back and say so.
    Hold {
        /// Which.
        index: usize,
        /// Until when.
        until: Timestamp,
        /// The delay, for the message.
        delay: Duration,
    },
    /// `activeDeadlineSeconds` are over: the pod fails.
    FailByDeadline,
    /// All containers of a lost sandbox have ended: have it removed, so that the next start makes
    /// another.
    RenewSandbox,
    /// Nothing before this time.
    WakeAt(Timestamp),
    /// Every container has ended and none starts again: what the pod holds can be given back.
    Finish,
}

/// Plans the steps that can be taken now.
///
/// A container starts alone: the next one follows from a new plan, so that each plan sees how the
/// last start went. Steps of different containers do not depend on each other otherwise.
/// Spec: <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/>
pub fn plan(pod: &PodView, now: Timestamp) -> Vec<Step> {
    if pod.stopping {
        return ending(pod, StopReason::PodEnds, |_| true, Step::Finish);
    }
    if pod.deadline.is_some_and(|deadline| deadline <= now) && !is_done(pod) {
        return vec![Step::FailByDeadline];
    }
    if pod.sandbox_lost && !is_done(pod) && !init_failed(pod) {
        return ending(pod, StopReason::Sandbox, |_| true, Step::RenewSandbox);
    }
    let mut steps: Vec<Step> = unhealthy(pod).collect();
    let ephemeral = pod.containers.iter().enumerate();
    let ephemeral = ephemeral.filter(|(_, container)| container.role == Role::Ephemeral);
    steps.extend(ephemeral.filter_map(|(index, container)| next(index, container, now)));
    match next_init(pod, now) {
        InitState::Waits(more) => steps.extend(more),
        InitState::Failed => {
            return ending(pod, StopReason::PodEnds, |_| true, Step::Finish);
        }
        InitState::Done => {
            if is_done(pod) {
                let ends = |role| matches!(role, Role::Sidecar | Role::Ephemeral);
                return ending(pod, StopReason::Done, ends, Step::Finish);
            }
            let main = pod.containers.iter().enumerate();
            let main = main.filter(|(_, container)| container.role == Role::Main);
            for (index, container) in main {
                steps.extend(next(index, container, now));
            }
        }
    }
    steps.extend(pod.deadline.map(Step::WakeAt));
    one_start(steps)
}

/// The delay that a restart has to keep after a run of this length.
///
/// `delay` is what the restart before had to keep, `None` if there was none: the first restart is
/// at once, and the series starts over once a run was long enough.
pub fn next_backoff(delay: Option<Duration>, ran_for: Duration) -> Duration {
    match delay {
        Some(_) if ran_for < BACKOFF_RESET => longer_backoff(delay),
        _ => Duration::ZERO,
    }
}

/// The delay after `delay`, for attempts that failed one after the other.
pub fn longer_backoff(delay: Option<Duration>) -> Duration {
    delay.map_or(FIRST_BACKOFF, |delay| (delay * 2).clamp(FIRST_BACKOFF, LAST_BACKOFF))
}

/// Whether all main containers have ended for good.
pub fn is_done(pod: &PodView) -> bool {
    let mut main = pod.containers.iter().filter(|container| container.role == Role::Main);
    main.all(|container| match container.observed() {
        Observed::Exited { success, .. } => !container.restart.applies(success),
        Observed::NotStarted | Observed::Running { .. } => false,
    })
}

/// Whether an init container has failed for good, and the pod with it.
pub fn init_failed(pod: &PodView) -> bool {
    !mains_began(pod)
        && pod.containers.iter().any(|container| {
            container.role == Role::Init
                && matches!(container.observed(), Observed::Exited { success: false, .. })
                && container.restart == RestartRule::Never
        })
}

/// Whether all init containers are behind the pod.
pub fn is_initialized(pod: &PodView) -> bool {
    mains_began(pod)
        || pod.containers.iter().all(|container| match (container.role, container.observed()) {
            (Role::Main | Role::Ephemeral, _)
            | (Role::Init, Observed::Exited { success: true, .. })
            | (Role::Sidecar, Observed::Running { started: true }) => true,
            (Role::Init | Role::Sidecar, _) => false,
        })
}

enum InitState {
    /// These steps come first.
    Waits(Vec<Step>),
    /// One has failed for good.
    Failed,
    /// The main containers' turn; sidecars may still want a restart, which is in no one's way.
    Done,
}

fn next_init(pod: &PodView, now: Timestamp) -> InitState {
    if init_failed(pod) {
        return InitState::Failed;
    }
    // Once a main container has run, initialisation is never repeated.
    let began = mains_began(pod);
    let mut steps = Vec::new();
    for (index, container) in pod.containers.iter().enumerate() {
        match (container.role, container.observed()) {
            (Role::Main | Role::Ephemeral, _)
            | (Role::Init, Observed::Exited { success: true, .. })
            | (Role::Sidecar, Observed::Running { started: true }) => {}
            (Role::Init, _) if began => {}
            (Role::Init | Role::Sidecar, _) => {
                steps.extend(next(index, container, now));
                if !began {
                    return InitState::Waits(steps);
                }
            }
        }
    }
    // A sidecar that ended starts again beside running main containers, and alone in its plan.
    if began && !is_done(pod) && steps.iter().any(|step| matches!(step, Step::Start { .. })) {
        return InitState::Waits(steps);
    }
    InitState::Done
}

fn mains_began(pod: &PodView) -> bool {
    pod.containers.iter().any(|container| {
        container.role == Role::Main
            && !container.outdated
            && container.observed() != Observed::NotStarted
    })
}

/// The next step of a container whose turn it is.
fn next(index: usize, container: &ContainerView, now: Timestamp) -> Option<Step> {
    let finished_at = match container.observed() {
        Observed::Running { .. } => return None,
        Observed::Exited { success, .. } if !container.restart.applies(success) => return None,
        Observed::Exited { finished_at, .. } => Some(finished_at),
        Observed::NotStarted => None,
    };
    if let Some(until) = container.held_until.filter(|until| *until > now) {
        return Some(Step::WakeAt(until));
    }
    if let (Some(finished_at), Some(delay)) = (finished_at, container.backoff) {
        let until = finished_at + delay;
        if until > now {
            return Some(Step::Hold { index, until, delay });
        }
    }
    Some(Step::Start { index })
}

fn unhealthy(pod: &PodView) -> impl Iterator<Item = Step> + '_ {
    pod.containers.iter().enumerate().filter_map(|(index, container)| {
        let running = matches!(container.observed, Observed::Running { .. });
        (running && container.unhealthy)
            .then_some(Step::Stop { index, reason: StopReason::Unhealthy })
    })
}

/// Ends what runs and has one of the roles; sidecars go after all others, last started first. `last`
/// comes when nothing is left to end.
fn ending(pod: &PodView, reason: StopReason, ends: fn(Role) -> bool, last: Step) -> Vec<Step> {
    let running = |sidecar: bool| {
        pod.containers.iter().enumerate().filter(move |(_, container)| {
            matches!(container.observed, Observed::Running { .. })
                && ends(container.role)
                && (container.role == Role::Sidecar) == sidecar
        })
    };
    let mut steps: Vec<Step> =
        running(false).map(|(index, _)| Step::Stop { index, reason }).collect();
    if steps.is_empty() {
        steps.extend(running(true).next_back().map(|(index, _)| Step::Stop { index, reason }));
    }
    if steps.is_empty() {
        steps.push(last);
    }
    steps
}

/// Keeps the first start only: the others are planned again once it is done.
fn one_start(steps: Vec<Step>) -> Vec<Step> {
    let mut seen = false;
    steps
        .into_iter()
        .filter(|step| !matches!(step, Step::Start { .. }) || !std::mem::replace(&mut seen, true))
        .collect()
}
