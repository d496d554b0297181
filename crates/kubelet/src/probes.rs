//! Probes of all containers in one queue of times; a container without probes costs nothing.

mod figures;
mod probing;

use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Container, Probe};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::time::DelayQueue;
use wk_runtime::ContainerId;

pub(crate) use self::figures::Figures;
use self::probing::Probing;
use crate::shared::Shared;
use crate::state::PodEntry;

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Startup,
    Liveness,
    Readiness,
}

impl Kind {
    /// As in the name of its field.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
        }
    }

    /// As in events and figures.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }

    /// The container's probe of this kind.
    pub(crate) fn of(self, container: &Container) -> Option<&Probe> {
        match self {
            Self::Startup => container.startup_probe.as_ref(),
            Self::Liveness => container.liveness_probe.as_ref(),
            Self::Readiness => container.readiness_probe.as_ref(),
        }
    }
}

/// Where probes are handed in.
#[derive(Clone, Debug)]
pub(crate) struct Probes {
    sender: mpsc::Sender<(Probing, Instant)>,
}

/// Where they come out: the end that [`run`] takes.
#[derive(Debug)]
pub(crate) struct Pending(mpsc::Receiver<(Probing, Instant)>);

impl Probes {
    pub(crate) fn new() -> (Self, Pending) {
        // Room for three probes of every container of a full node.
        let (sender, receiver) = mpsc::channel(16_384);
        (Self { sender }, Pending(receiver))
    }

    /// Probes a container that runs, for as long as this run of it lasts: with its startup probe
    /// first, and with the others once that has succeeded.
    pub(crate) fn watch(
        &self,
        entry: &Arc<PodEntry>,
        container: &Container,
        id: &ContainerId,
        started: bool,
    ) {
        let kinds: &[Kind] =
            if started { &[Kind::Liveness, Kind::Readiness] } else { &[Kind::Startup] };
        for kind in kinds {
            let Some(probe) = kind.of(container) else { continue };
            let probing = Probing::new(entry, container, id, *kind, probe);
            let first = Instant::now() + probing.delay();
            self.hand_in(probing, first);
        }
    }

    fn hand_in(&self, probing: Probing, at: Instant) {
        if self.sender.try_send((probing, at)).is_err() {
            // Full only with far more probes than a node has; then it must not look healthy.
            tracing::error!("probe dropped, the queue is full");
        }
    }
}

/// Runs probes when their time has come, until cancelled.
pub(crate) async fn run(shared: Arc<Shared>, mut pending: Pending) {
    let token = shared.tasks.token();
    let mut queue: DelayQueue<Probing> = DelayQueue::new();
    loop {
        let due = tokio::select! {
            biased;
            () = token.cancelled() => return,
            added = pending.0.recv() => {
                let Some((probing, at)) = added else { return };
                queue.insert_at(probing, at);
                continue;
            }
            Some(due) = queue.next(), if !queue.is_empty() => due.into_inner(),
        };
        // Each on its own: one that waits for an answer until its time is over holds up no other, and
        // costs a task for that long.
        let shared = Arc::clone(&shared);
        shared.tasks.clone().spawn_quiet("probe", async move {
            let token = shared.tasks.token();
            let _ended = token.run_until_cancelled(one(&shared, due)).await;
        });
    }
}

/// Runs one probe, draws the conclusion, and hands it in for the next time.
async fn one(shared: &Arc<Shared>, mut probing: Probing) {
    let begun = Instant::now();
    let next = begun + probing.period();
    let Some(ip) = probing.address(shared) else { return };
    let outcome = probing.check(shared, ip).await;
    probing.count(shared, &outcome, begun.elapsed());
    if probing.conclude(shared, outcome) {
        shared.probes.hand_in(probing, next);
    }
}
