//! The runtime itself: containers by id, and the threads they run on.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, oneshot};
use tokio_util::sync::CancellationToken;
use wk_process::TaskGroup;
use wk_runtime::{
    ContainerId, ContainerSpec, ContainerState, ContainerStats, ExecCommand, ExitReason,
    GuestNetwork, Image, InstancePolicy, OpenNamespace, Runtime, RuntimeError, RuntimeEvent,
    Streams,
};

use crate::command;
use crate::compile::Compiler;
use crate::config::{Capacity, WasmConfig, capacity, kernel_limits};
use crate::console::Console;
use crate::container::Container;
use crate::engine::Level;
use crate::exec;
use crate::files::preopens;
use crate::listen;
use crate::log::ContainerLog;
use crate::machine::Machine;
use crate::meter::Meter;
use crate::namespace;
use crate::programs::{Command, Entry, Handler, Programs};
use crate::scope::{Scope, arguments, environment};
use crate::serve::{Server, ServerLimits};
use crate::tls::Trust;
use crate::trap::{CODE_KILLED, CODE_STOPPED, Ending};

const EVENTS: usize = 4096;
/// The engine does not tell its version; a test compares this with the lock file.
const WASMTIME_VERSION: &str = "48.0.8";
/// How long a container may take to end after its grace period, before the caller is told.
const END_TIME: Duration = Duration::from_secs(20);

/// Runs WebAssembly programs in this process.
pub struct WasmRuntime {
    config: WasmConfig,
    capacity: Capacity,
    programs: Arc<Programs>,
    network: Arc<dyn GuestNetwork>,
    trust: Arc<Trust>,
    tasks: TaskGroup,
    /// `None` only while it is being dropped.
    guests: Option<tokio::runtime::Runtime>,
    containers: Mutex<HashMap<ContainerId, Arc<Container>>>,
    /// Held while a container is made, so that one id never gets two.
    starting: tokio::sync::Mutex<()>,
    instances: Arc<Semaphore>,
    events: broadcast::Sender<RuntimeEvent>,
}

/// Why the runtime could not be made.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The engine could not be made, usually because address space is limited.
    #[error("wasm engine for {instances} instances cannot be made: {reason}")]
    Engine {
        /// Instances that were to fit.
        instances: u32,
        /// The engine's reason.
        reason: String,
    },
    /// The cache of compiled programs is not usable.
    #[error("{0}")]
    Cache(String),
    /// The guests' threads could not be started.
    #[error("threads for wasm guests cannot be started")]
    Threads(#[source] io::Error),
}

impl fmt::Debug for WasmRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WasmRuntime")
            .field("config", &self.config)
            .field("capacity", &self.capacity)
            .field("containers", &self.containers.lock().len())
            .finish_non_exhaustive()
    }
}

impl WasmRuntime {
    /// Makes a runtime without containers. Its tasks belong to `tasks`, whose end ends them all.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn new(
        config: WasmConfig,
        network: Arc<dyn GuestNetwork>,
        tasks: TaskGroup,
    ) -> Result<Self, OpenError> {
        let (max_map_count, open_files) = kernel_limits();
        let capacity = capacity(config.instances, max_map_count, open_files);
        let instances = capacity.instances;
        if instances < config.instances {
            tracing::warn!(
                instances,
                wanted = config.instances,
                max_map_count,
                "fewer wasm instances fit than configured: raise vm.max_map_count"
            );
        }
        let machine = |level| {
            Machine::new(level, instances)
                .map_err(|error| OpenError::Engine { instances, reason: format!("{error:#}") })
        };
        let (two, three) = (machine(Level::Two)?, machine(Level::Three)?);
        let compiler = Compiler {
            command: config.compiler.clone(),
            memory_bytes: config.compile_memory_bytes,
            time: config.compile_time,
        };
        let programs = Programs::open(two, three, config.cache_dir.clone(), compiler)
            .map_err(OpenError::Cache)?;
        let guests = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(config.guest_threads.max(1))
            .thread_name("wk-wasm-guest")
            .enable_all()
            .build()
            .map_err(OpenError::Threads)?;
        let trust = Arc::new(Trust::new(config.https_roots.clone()));
        Ok(Self {
            config,
            capacity,
            trust,
            programs: Arc::new(programs),
            network,
            tasks,
            guests: Some(guests),
            containers: Mutex::default(),
            starting: tokio::sync::Mutex::default(),
            instances: Arc::new(Semaphore::new(instances as usize)),
            events: broadcast::Sender::new(EVENTS),
        })
    }

    /// How much fits on this node, for its `maxPods`.
    pub fn capacity(&self) -> Capacity {
        self.capacity
    }

    fn container(&self, id: &ContainerId) -> Option<Arc<Container>> {
        self.containers.lock().get(id).cloned()
    }

    /// Room for one program that runs until it ends.
    fn slot(&self) -> Result<OwnedSemaphorePermit, RuntimeError> {
        let slot = Arc::clone(&self.instances).try_acquire_owned();
        slot.map_err(|_full| RuntimeError::OutOfResource {
            resource: "instance slots".into(),
            reason: format!(
                "all {} are in use; `vm.max_map_count` is {}",
                self.capacity.instances, self.capacity.max_map_count
            ),
        })
    }

    /// Starts `work` on the guests' threads.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let Some(guests) = &self.guests else { return };
        let _on_guest_threads = guests.enter();
        self.tasks.spawn_quiet("wasm-container", work);
    }

    fn scope(
        &self,
        spec: &ContainerSpec,
        preopens: Vec<crate::scope::Preopen>,
        namespace: Option<OpenNamespace>,
    ) -> Scope {
        let working_dir = spec.working_dir.clone().or_else(|| spec.image.working_dir.clone());
        let working_dir = working_dir.filter(|folder| !folder.is_empty());
        let log = Arc::new(ContainerLog::new(spec.log_path.clone(), spec.log_limits));
        Scope {
            args: arguments(&spec.image, &spec.command, &spec.args),
            env: environment(&spec.image, &spec.env, working_dir.as_deref()),
            working_dir,
            preopens,
            console: Console::new(Some(Arc::clone(&log)), spec.stdio.stdin, spec.stdio.tty),
            log,
            meter: Arc::new(Meter::new(spec.limits, self.tasks.token().child_token())),
            network: Arc::clone(&self.network),
            sandbox: Arc::new(spec.sandbox.clone()),
            namespace: namespace.map(Arc::new),
            trust: Arc::clone(&self.trust),
        }
    }

    fn serve(
        &self,
        container: &Arc<Container>,
        machine: &Arc<Machine>,
        handler: Handler,
        scope: Arc<Scope>,
        listeners: Vec<TcpListener>,
        policy: InstancePolicy,
    ) {
        let idle_instances = match policy {
            InstancePolicy::PerRequest => 0,
            InstancePolicy::Reused => self.config.idle_instances_per_container,
        };
        let limits = ServerLimits {
            connections: self.config.connections_per_container,
            request_time: self.config.request_timeout,
            idle_instances,
            idle_time: self.config.idle_instance_time,
        };
        let server = Arc::new(Server::new(
            Arc::clone(machine),
            handler,
            Arc::clone(&scope),
            limits,
            self.tasks.clone(),
            Arc::clone(&self.instances),
        ));
        let deadline = container.deadline();
        self.supervise(container, async move {
            let finished = server.run(listeners, deadline).await;
            match finished {
                _ if scope.meter.out_of_memory() => Ending::out_of_memory(&scope.meter),
                true => Ending::code(0),
                false => killed(),
            }
        });
    }

    fn run_command(
        &self,
        container: &Arc<Container>,
        machine: &Arc<Machine>,
        command: Command,
        scope: Arc<Scope>,
        slot: OwnedSemaphorePermit,
    ) {
        let machine = Arc::clone(machine);
        let mut deadline = container.deadline();
        self.supervise(container, async move {
            let run = command::run(&machine, &command, &scope);
            let ending = tokio::select! {
                biased;
                () = scope.meter.kill.cancelled() => killed(),
                _asked = deadline.wait_for(Option::is_some) => Ending::code(CODE_STOPPED),
                ending = run => ending,
            };
            drop(slot);
            if scope.meter.out_of_memory() { Ending::out_of_memory(&scope.meter) } else { ending }
        });
    }

    /// Runs a container's work and records its end, whatever the work does.
    fn supervise(
        &self,
        container: &Arc<Container>,
        work: impl Future<Output = Ending> + Send + 'static,
    ) {
        let (container, events) = (Arc::clone(container), self.events.clone());
        let work = AssertUnwindSafe(work).catch_unwind();
        self.spawn(work.map(move |ending| {
            let ending = ending.unwrap_or_else(|_panic| Ending {
                code: CODE_KILLED,
                reason: ExitReason::Error,
                message: "the runtime failed while running the program".to_owned(),
            });
            container.finish(ending, &events);
        }));
    }
}

impl Drop for WasmRuntime {
    fn drop(&mut self) {
        for container in self.containers.lock().values() {
            container.scope.meter.kill.cancel();
        }
        if let Some(guests) = self.guests.take() {
            // Waiting is not allowed where a runtime may be dropped, and guests hold nothing that
            // has to be saved.
            guests.shutdown_background();
        }
    }
}

#[async_trait]
impl Runtime for WasmRuntime {
    fn name(&self) -> &'static str {
        "wasm"
    }

    fn version(&self) -> String {
        format!("wasmtime://{WASMTIME_VERSION}")
    }

    async fn prepare(&self, image: &Image) -> Result<(), RuntimeError> {
        self.programs.prepare(image).await
    }

    async fn start(&self, id: &ContainerId, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        if let Some(container) = self.container(id) {
            container.tell_again(&self.events);
            return Ok(());
        }
        let program = self.programs.program(&spec.image).await?;
        let _alone = self.starting.lock().await;
        if let Some(container) = self.container(id) {
            container.tell_again(&self.events);
            return Ok(());
        }
        let namespace = namespace::open(&spec.sandbox)?;
        let (preopens, private) = preopens(&self.config.state_dir, id, spec)?;
        let scope = Arc::new(self.scope(spec, preopens, namespace));
        let container =
            Arc::new(Container::new(id, spec, Arc::clone(&scope), Arc::clone(&program), private));
        match program.entry.clone() {
            Entry::Http(handler) => {
                // Sockets belong to the executor that is entered while they are made.
                let _on_guest_threads = self.guests.as_ref().map(tokio::runtime::Runtime::enter);
                let listeners = listen::listeners(&scope, &spec.ports)?;
                let machine = &program.machine;
                self.serve(&container, machine, handler, scope, listeners, spec.instances);
            }
            Entry::Command(command) => {
                let slot = self.slot()?;
                self.run_command(&container, &program.machine, command, scope, slot);
            }
        }
        self.containers.lock().insert(id.clone(), container);
        Ok(())
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError> {
        let Some(container) = self.container(id) else { return Ok(()) };
        container.ask_to_end(grace);
        let after = grace + END_TIME;
        tokio::time::timeout(after, container.ended())
            .await
            .map_err(|_elapsed| RuntimeError::TimedOut { after })
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        let Some(container) = self.container(id) else { return Ok(()) };
        container.scope.meter.kill.cancel();
        tokio::time::timeout(END_TIME, container.ended())
            .await
            .map_err(|_elapsed| RuntimeError::TimedOut { after: END_TIME })?;
        if let Some(private) = &container.private
            && let Err(error) = fs::remove_dir_all(private)
            && error.kind() != io::ErrorKind::NotFound
        {
            let reason = format!("`{}`: {error}", private.display());
            return Err(RuntimeError::Internal { doing: "removing a container".into(), reason });
        }
        self.containers.lock().remove(id);
        Ok(())
    }

    async fn remove_pod(&self, pod_uid: &str) -> Result<(), RuntimeError> {
        let left: Vec<ContainerId> = {
            let containers = self.containers.lock();
            let of_pod = containers.iter().filter(|(_, container)| container.is_of(pod_uid));
            of_pod.map(|(id, _)| id.clone()).collect()
        };
        for id in left {
            self.remove(&id).await?;
        }
        Ok(())
    }

    async fn list(&self) -> Result<Vec<ContainerState>, RuntimeError> {
        Ok(self.containers.lock().values().map(|container| container.state()).collect())
    }

    fn watch(&self) -> broadcast::Receiver<RuntimeEvent> {
        self.events.subscribe()
    }

    async fn exec(
        &self,
        id: &ContainerId,
        command: &ExecCommand,
        streams: Streams,
    ) -> Result<i32, RuntimeError> {
        let container = exec::running(self.container(id), id)?;
        let program = exec::program(&self.programs, &container, command).await?;
        let slot = self.slot()?;
        let prepared = exec::Prepared::new(&container, program, command, &streams, slot);
        let scope = Arc::clone(prepared.scope());
        let interrupt = CancellationToken::new();
        let _ended_with_the_call = interrupt.clone().drop_guard();
        let (sender, ended) = oneshot::channel();
        // It starts when its output is listened to, and not before: nothing of it may be missed.
        let ending = async {
            self.spawn(prepared.run(container, interrupt.clone(), sender));
            ended.await
        };
        let explain = |ending: &Result<Ending, _>| match ending {
            Ok(ending) if !ending.message.is_empty() => Some(ending.message.clone()),
            _ => None,
        };
        let ending = exec::converse(&scope, streams, true, &interrupt, ending, explain).await;
        // The task is dropped unfinished only when the runtime is.
        ending
            .map(|ending| ending.code)
            .map_err(|_gone| RuntimeError::NotRunning { id: id.clone() })
    }

    async fn attach(&self, id: &ContainerId, streams: Streams) -> Result<(), RuntimeError> {
        let container = exec::running(self.container(id), id)?;
        let scope = Arc::clone(&container.scope);
        let once = container.stdio.stdin_once;
        let interrupt = CancellationToken::new();
        let ending = async {
            tokio::select! {
                biased;
                () = container.ended() => {}
                () = interrupt.cancelled() => {
                    container.ask_to_end(Duration::ZERO);
                    container.ended().await;
                }
            }
        };
        exec::converse(&scope, streams, once, &interrupt, ending, |()| None).await;
        Ok(())
    }

    async fn trim_cache(&self, keep_bytes: u64) -> Result<u64, RuntimeError> {
        self.programs.trim(keep_bytes).await
    }

    async fn stats(&self, id: &ContainerId) -> Result<ContainerStats, RuntimeError> {
        match self.container(id) {
            Some(container) => Ok(container.stats()),
            None => Err(RuntimeError::NoSuchContainer { id: id.clone() }),
        }
    }
}

fn killed() -> Ending {
    Ending { code: CODE_KILLED, reason: ExitReason::Error, message: String::new() }
}
