//! A runtime that runs nothing: containers live until a test, or their image's name, says otherwise.

mod programs;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::broadcast;

use self::programs::Programs;
use crate::{
    ContainerExit, ContainerId, ContainerSpec, ContainerState, ContainerStats, ContainerStatus,
    ExecCommand, ExitReason, Image, RequestStats, Runtime, RuntimeError, RuntimeEvent, Stdio,
    Streams,
};

const EVENTS: usize = 4096;
/// Pieces of output that somebody attached may be behind.
const BACKLOG: usize = 64;

/// Pretends to run containers; for tests and for simulated nodes.
///
/// The main program of a container writes back what it reads, and ends with its input if that may
/// end. Programs run by `exec` are `cat`, `echo WORDS`, `warn WORDS`, `exit CODE`, `size`, `sleep`
/// and those of [`FakeRuntime::set_program`].
#[derive(Debug)]
pub struct FakeRuntime {
    state: Mutex<State>,
    events: broadcast::Sender<RuntimeEvent>,
}

#[derive(Debug, Default)]
struct State {
    prepared: BTreeSet<String>,
    containers: BTreeMap<ContainerId, ContainerState>,
    consoles: BTreeMap<ContainerId, Console>,
    used: BTreeMap<ContainerId, Used>,
    programs: Programs,
}

/// What a container is said to have used.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    cpu: Duration,
    memory_bytes: u64,
    memory_peak_bytes: u64,
    requests: Option<RequestStats>,
}

/// The streams of a container's main program.
#[derive(Debug, Clone)]
struct Console {
    stdio: Stdio,
    output: broadcast::Sender<(Output, Bytes)>,
}

/// One of a program's two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    Stdout,
    Stderr,
}

impl Default for FakeRuntime {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeRuntime {
    /// A runtime without containers.
    pub fn new() -> Self {
        let state = State { programs: Programs::standard(), ..State::default() };
        Self { state: Mutex::new(state), events: broadcast::Sender::new(EVENTS) }
    }

    /// Gives all containers a program for `exec`.
    pub fn set_program(
        &self,
        name: &str,
        program: impl Fn(ExecCommand, Streams) -> BoxFuture<'static, i32> + Send + Sync + 'static,
    ) {
        self.lock().programs.insert(name, program);
    }

    /// Lets a container have used this much since it was started; nothing unless this is called.
    pub fn set_used(
        &self,
        id: &ContainerId,
        cpu: Duration,
        memory_bytes: u64,
        requests: Option<RequestStats>,
    ) {
        let mut state = self.lock();
        let used = state.used.entry(id.clone()).or_default();
        let memory_peak_bytes = used.memory_peak_bytes.max(memory_bytes);
        *used = Used { cpu, memory_bytes, memory_peak_bytes, requests };
    }

    /// Lets the main program of a container write to its standard output.
    ///
    /// Nothing happens if nobody is attached.
    pub fn say(&self, id: &ContainerId, text: &str) {
        self.write(id, Output::Stdout, Bytes::copy_from_slice(text.as_bytes()));
    }

    /// Lets the main program of a container write to its standard error.
    ///
    /// Nothing happens if nobody is attached.
    pub fn warn(&self, id: &ContainerId, text: &str) {
        self.write(id, Output::Stderr, Bytes::copy_from_slice(text.as_bytes()));
    }

    /// How many are attached to a container's main program.
    pub fn attached(&self, id: &ContainerId) -> usize {
        self.lock().consoles.get(id).map_or(0, |console| console.output.receiver_count())
    }

    fn write(&self, id: &ContainerId, output: Output, bytes: Bytes) {
        if let Some(console) = self.lock().consoles.get(id) {
            // Nobody attached is fine.
            let _receivers = console.output.send((output, bytes));
        }
    }

    /// The console of a container, if the container runs.
    fn console(&self, id: &ContainerId) -> Result<Console, RuntimeError> {
        let state = self.lock();
        match state.containers.get(id).map(|container| &container.status) {
            None => Err(RuntimeError::NoSuchContainer { id: id.clone() }),
            Some(ContainerStatus::Exited(_)) => Err(RuntimeError::NotRunning { id: id.clone() }),
            Some(ContainerStatus::Running) => state
                .consoles
                .get(id)
                .cloned()
                .ok_or_else(|| RuntimeError::NoSuchContainer { id: id.clone() }),
        }
    }

    /// Waits until a container has ended. `events` were subscribed to before it was seen running.
    async fn ended(&self, id: &ContainerId, mut events: broadcast::Receiver<RuntimeEvent>) {
        while self.console(id).is_ok() {
            // One that lags has missed something, perhaps this: look again.
            if let Err(broadcast::error::RecvError::Closed) = events.recv().await {
                break;
            }
        }
    }

    /// Hands input of somebody attached to the main program, which writes it back.
    async fn read_back(&self, id: &ContainerId, stdio: Stdio, stdin: Option<crate::Input>) {
        if let Some(mut stdin) = stdin.filter(|_| stdio.stdin) {
            let mut space = [0; 4096];
            while let Ok(count @ 1..) = stdin.read(&mut space).await {
                self.write(id, Output::Stdout, Bytes::copy_from_slice(&space[..count]));
            }
            if stdio.stdin_once {
                self.exit(id, 0);
            }
        }
        std::future::pending::<()>().await;
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
        let known = state.containers.get(id).map(|container| &container.status);
        if let Some(ContainerStatus::Exited(exit)) = known {
            let event = RuntimeEvent::Exited { id: id.clone(), exit: exit.clone() };
            // Nobody listening is fine.
            let _receivers = self.events.send(event);
        }
        state.consoles.entry(id.clone()).or_insert_with(|| Console {
            stdio: spec.stdio,
            output: broadcast::Sender::new(BACKLOG),
        });
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
        let mut state = self.lock();
        state.containers.remove(id);
        state.consoles.remove(id);
        state.used.remove(id);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<ContainerState>, RuntimeError> {
        Ok(self.lock().containers.values().cloned().collect())
    }

    fn watch(&self) -> broadcast::Receiver<RuntimeEvent> {
        self.events.subscribe()
    }

    async fn stats(&self, id: &ContainerId) -> Result<ContainerStats, RuntimeError> {
        let state = self.lock();
        let Some(container) = state.containers.get(id) else {
            return Err(RuntimeError::NoSuchContainer { id: id.clone() });
        };
        let used = state.used.get(id).copied().unwrap_or_default();
        Ok(ContainerStats {
            started_at: container.started_at,
            cpu: used.cpu,
            memory_bytes: used.memory_bytes,
            memory_peak_bytes: used.memory_peak_bytes,
            processes: 0,
            requests: used.requests,
        })
    }

    async fn exec(
        &self,
        id: &ContainerId,
        command: &ExecCommand,
        streams: Streams,
    ) -> Result<i32, RuntimeError> {
        let events = self.events.subscribe();
        self.console(id)?;
        let program = command.argv.first().map(String::as_str).unwrap_or_default();
        let Some(run) = self.lock().programs.find(program) else {
            return Err(RuntimeError::ExecFailed {
                program: program.to_owned(),
                reason: "executable file not found in $PATH".to_owned(),
            });
        };
        tokio::select! {
            biased;
            code = run(command.clone(), streams) => Ok(code),
            () = self.ended(id, events) => Ok(137),
        }
    }

    async fn attach(&self, id: &ContainerId, streams: Streams) -> Result<(), RuntimeError> {
        let events = self.events.subscribe();
        let console = self.console(id)?;
        let mut output = console.output.subscribe();
        // The container keeps the only sender, so that the output ends with it.
        let stdio = console.stdio;
        drop(console);
        let Streams { stdin, mut stdout, mut stderr, .. } = streams;
        let mut write = async |(which, bytes): (Output, Bytes)| {
            let to = if which == Output::Stdout || stdio.tty { &mut stdout } else { &mut stderr };
            if let Some(open) = to
                && open.write_all(&bytes).await.is_err()
            {
                *to = None;
            }
        };
        let shown = async {
            loop {
                match output.recv().await {
                    Ok(piece) => write(piece).await,
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => break,
                }
            }
        };
        tokio::select! {
            () = shown => {}
            () = self.ended(id, events) => {}
            () = self.read_back(id, stdio, stdin) => {}
        }
        // What was written before the end is shown.
        while let Ok(piece) = output.try_recv() {
            write(piece).await;
        }
        Ok(())
    }
}
