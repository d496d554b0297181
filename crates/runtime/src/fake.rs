//! A runtime that runs nothing: containers live until a test, or their image's name, says otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::sync::broadcast;

use crate::{
    ContainerExit, ContainerId, ContainerSpec, ContainerState, ContainerStats, ContainerStatus,
    ExitReason, Image, Runtime, RuntimeError, RuntimeEvent,
};

const EVENTS: usize = 4096;

/// Pretends to run containers; for tests and for simulated nodes.
#[derive(Debug)]
pub struct FakeRuntime {
    state: Mutex<State>,
    events: broadcast::Sender<RuntimeEvent>,
}

#[derive(Debug, Default)]
struct State {
    prepared: BTreeSet<String>,
    containers: BTreeMap<ContainerId, ContainerState>,
}

impl Default for FakeRuntime {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeRuntime {
    /// A runtime without containers.
    pub fn new() -> Self {
        Self { state: Mutex::default(), events: broadcast::Sender::new(EVENTS) }
    }

    /// Ends a running container as if its program had returned `code`.
    ///
    /// Nothing happens if it does not run.
    pub fn exit(&self, id: &ContainerId, code: i32) {
        let reason = if code == 0 { ExitReason::Completed } else { ExitReason::Error };
        self.finish(id, code, reason);
    }

    fn finish(&self, id: &ContainerId, code: i32, reason: ExitReason) {
        let exit =
            ContainerExit { code, reason, message: String::new(), finished_at: SystemTime::now() };
        {
            let mut state = self.lock();
            let Some(container) = state.containers.get_mut(id) else { return };
            if container.status != ContainerStatus::Running {
                return;
            }
            container.status = ContainerStatus::Exited(exit.clone());
        }
        // Nobody listening is fine.
        let _receivers = self.events.send(RuntimeEvent::Exited { id: id.clone(), exit });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Runtime for FakeRuntime {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn version(&self) -> String {
        "fake://0".to_owned()
    }

    async fn prepare(&self, image: &Image) -> Result<(), RuntimeError> {
        self.lock().prepared.insert(image.digest.clone());
        Ok(())
    }

    async fn start(&self, id: &ContainerId, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        let mut state = self.lock();
        if !state.prepared.contains(&spec.image.digest) {
            return Err(RuntimeError::ImageMissing { digest: spec.image.digest.clone() });
        }
        state.containers.entry(id.clone()).or_insert_with(|| ContainerState {
            id: id.clone(),
            pod: spec.pod.clone(),
            name: spec.name.clone(),
            attempt: spec.attempt,
            image_digest: spec.image.digest.clone(),
            started_at: SystemTime::now(),
            status: ContainerStatus::Running,
        });
        Ok(())
    }

    async fn stop(&self, id: &ContainerId, _grace: Duration) -> Result<(), RuntimeError> {
        self.finish(id, 0, ExitReason::Completed);
        Ok(())
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        self.finish(id, 137, ExitReason::Error);
        self.lock().containers.remove(id);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<ContainerState>, RuntimeError> {
        Ok(self.lock().containers.values().cloned().collect())
    }

    fn watch(&self) -> broadcast::Receiver<RuntimeEvent> {
        self.events.subscribe()
    }

    async fn stats(&self, id: &ContainerId) -> Result<ContainerStats, RuntimeError> {
        if self.lock().containers.contains_key(id) {
            return Ok(ContainerStats::default());
        }
        Err(RuntimeError::NoSuchContainer { id: id.clone() })
    }
}
