//! One container: what is known of it, and how its end is told.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wk_runtime::{
    ContainerExit, ContainerId, ContainerSpec, ContainerState, ContainerStats, ContainerStatus,
    RuntimeEvent, Stdio,
};

use crate::programs::{Entry, Program};
use crate::scope::Scope;
use crate::serve::Deadline;
use crate::trap::Ending;

/// A container that was started and not removed.
#[derive(Debug)]
pub(crate) struct Container {
    state: Mutex<ContainerState>,
    pub(crate) scope: Arc<Scope>,
    /// Kept so that its code counts as in use.
    pub(crate) program: Arc<Program>,
    deadline: watch::Sender<Deadline>,
    ended: CancellationToken,
    /// How its program is connected to the outside.
    pub(crate) stdio: Stdio,
    /// Folder that stands in for mounts of single files.
    pub(crate) private: Option<PathBuf>,
}

impl Container {
    pub(crate) fn new(
        id: &ContainerId,
        spec: &ContainerSpec,
        scope: Arc<Scope>,
        program: Arc<Program>,
        private: Option<PathBuf>,
    ) -> Self {
        let state = ContainerState {
            id: id.clone(),
            pod: spec.pod.clone(),
            name: spec.name.clone(),
            attempt: spec.attempt,
            image_digest: spec.image.digest.clone(),
            started_at: SystemTime::now(),
            status: ContainerStatus::Running,
        };
        Self {
            state: Mutex::new(state),
            scope,
            program,
            stdio: spec.stdio,
            deadline: watch::Sender::new(None),
            ended: CancellationToken::new(),
            private,
        }
    }

    pub(crate) fn is_of(&self, pod_uid: &str) -> bool {
        self.state.lock().pod.uid == pod_uid
    }

    pub(crate) fn state(&self) -> ContainerState {
        self.state.lock().clone()
    }

    /// What it has used so far.
    pub(crate) fn stats(&self) -> ContainerStats {
        let meter = &self.scope.meter;
        let serves = matches!(self.program.entry, Entry::Http(_));
        ContainerStats {
            started_at: self.state.lock().started_at,
            cpu: meter.cpu(),
            memory_bytes: meter.memory(),
            memory_peak_bytes: meter.memory_peak(),
            processes: 0,
            requests: serves.then(|| meter.traffic.stats(Instant::now())),
        }
    }

    pub(crate) fn deadline(&self) -> watch::Receiver<Deadline> {
        self.deadline.subscribe()
    }

    /// Asks the container to end within `grace`; asking again can only shorten it.
    pub(crate) fn ask_to_end(&self, grace: Duration) {
        let wanted = Instant::now() + grace;
        self.deadline.send_if_modified(|deadline| {
            let sooner = deadline.is_none_or(|known| wanted < known);
            if sooner {
                *deadline = Some(wanted);
            }
            sooner
        });
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.state.lock().status != ContainerStatus::Running
    }

    /// Waits until it has ended. Cancel safe.
    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Records how it ended and tells everybody, once.
    pub(crate) fn finish(&self, ending: Ending, events: &broadcast::Sender<RuntimeEvent>) {
        let exit = ContainerExit {
            code: ending.code,
            reason: ending.reason,
            message: ending.message,
            finished_at: SystemTime::now(),
        };
        let id = {
            let mut state = self.state.lock();
            if state.status != ContainerStatus::Running {
                return;
            }
            state.status = ContainerStatus::Exited(exit.clone());
            state.id.clone()
        };
        // Nobody listening is fine.
        let _receivers = events.send(RuntimeEvent::Exited { id, exit });
        self.ended.cancel();
    }

    /// Tells everybody how it ended, if it has, who may have missed that.
    pub(crate) fn tell_again(&self, events: &broadcast::Sender<RuntimeEvent>) {
        let state = self.state.lock();
        if let ContainerStatus::Exited(exit) = &state.status {
            let event = RuntimeEvent::Exited { id: state.id.clone(), exit: exit.clone() };
            // Nobody listening is fine.
            let _receivers = events.send(event);
        }
    }
}
