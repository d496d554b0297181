//! One container: what is known of it, and how its end is told.

use std::path::PathBuf;
use std::time::SystemTime;

use parking_lot::Mutex;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use wk_runtime::{ContainerExit, ContainerState, ContainerStatus, LogLimits, RuntimeEvent};

use crate::inspect::Inspected;

/// A container that was started and not removed.
#[derive(Debug)]
pub(crate) struct Container {
    /// The engine's id of it.
    pub(crate) engine_id: String,
    pub(crate) tty: bool,
    pub(crate) log_path: PathBuf,
    pub(crate) log_limits: LogLimits,
    state: Mutex<ContainerState>,
    /// The most memory that was seen in use.
    peak_bytes: Mutex<u64>,
    /// Cancelled once its end is known and told.
    ended: CancellationToken,
    /// Cancelled once all of its output is in its log.
    pub(crate) logged: CancellationToken,
    /// Cancelled when it is removed.
    pub(crate) gone: CancellationToken,
}

impl Container {
    /// A container that runs as far as anybody was told; [`Container::finish`] tells how it ended.
    pub(crate) fn new(engine_id: String, inspected: &Inspected) -> Self {
        let state = ContainerState { status: ContainerStatus::Running, ..inspected.state.clone() };
        Self {
            engine_id,
            tty: inspected.tty,
            log_path: inspected.labelled.log_path.clone(),
            log_limits: inspected.labelled.log_limits,
            state: Mutex::new(state),
            peak_bytes: Mutex::default(),
            ended: CancellationToken::new(),
            logged: CancellationToken::new(),
            gone: CancellationToken::new(),
        }
    }

    pub(crate) fn state(&self) -> ContainerState {
        self.state.lock().clone()
    }

    pub(crate) fn started_at(&self) -> SystemTime {
        self.state.lock().started_at
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.state.lock().status != ContainerStatus::Running
    }

    /// Waits until its end is known. Cancel safe.
    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Notes what is in use now and returns the most that ever was.
    pub(crate) fn peak(&self, bytes: u64) -> u64 {
        let mut peak = self.peak_bytes.lock();
        *peak = bytes.max(*peak);
        *peak
    }

    /// Records how it ended and tells everybody, once.
    pub(crate) fn finish(&self, exit: ContainerExit, events: &broadcast::Sender<RuntimeEvent>) {
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
}
