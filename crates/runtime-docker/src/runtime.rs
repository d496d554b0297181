//! The [`Runtime`] over a container engine.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker;
use bollard::errors::Error;
use bollard::models::EndpointSettings;
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptionsBuilder, KillContainerOptionsBuilder,
    RemoveContainerOptionsBuilder, StatsOptionsBuilder,
};
use futures::StreamExt as _;
use parking_lot::Mutex;
use tokio::sync::broadcast;
use wk_process::TaskGroup;
use wk_runtime::{
    ContainerId, ContainerSpec, ContainerState, ContainerStats, ContainerStatus, ExecCommand,
    Image, LinuxPod, NetworkNamespace, PodRef, Runtime, RuntimeError, RuntimeEvent, Sandbox,
    Streams,
};

use crate::config::DockerConfig;
use crate::container::Container;
use crate::create;
use crate::engine::{Connected, Engine, is_absent, status};
use crate::images::EngineImages;
use crate::inspect::{self, Life};
use crate::labels;
use crate::stats;
use crate::supervise;

const EVENTS: usize = 4096;
/// How long the end of a container that was killed may take to be known.
const KILLED: Duration = Duration::from_secs(30);

/// Runs containers in an engine that speaks Docker's API.
#[derive(Clone, Debug)]
pub struct DockerRuntime {
    shared: Arc<Shared>,
}

/// What the parts of the runtime share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) owner: String,
    pub(crate) engine: Arc<Engine>,
    pub(crate) images: EngineImages,
    pub(crate) tasks: TaskGroup,
    pub(crate) events: broadcast::Sender<RuntimeEvent>,
    /// The engine's ids of programs beside the main ones, as they end.
    pub(crate) exec_ends: broadcast::Sender<String>,
    pub(crate) containers: Mutex<HashMap<ContainerId, Arc<Container>>>,
    /// Containers that are being made; nobody else looks at them.
    pub(crate) starting: Mutex<HashSet<ContainerId>>,
    /// One at a time makes a pod's sandbox.
    pods: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// The engine's ids of the sandboxes that are in use, by the pod's uid.
    pub(crate) sandboxes: Mutex<HashMap<String, String>>,
    /// The addresses of sandboxes in the engine's network, by the pod's uid.
    addresses: Mutex<HashMap<String, IpAddr>>,
}

impl DockerRuntime {
    /// Starts to follow the engine, which need not be there yet; the tasks belong to `tasks`.
    ///
    /// Must be called within a Tokio runtime.
    pub fn start(config: DockerConfig, tasks: TaskGroup) -> Self {
        let engine = Arc::new(Engine::new(config.socket));
        let images = EngineImages::new(Arc::clone(&engine), &config.owner);
        let shared = Arc::new(Shared {
            owner: config.owner,
            engine,
            images,
            tasks,
            events: broadcast::Sender::new(EVENTS),
            exec_ends: broadcast::Sender::new(EVENTS),
            containers: Mutex::default(),
            starting: Mutex::default(),
            pods: Mutex::default(),
            sandboxes: Mutex::default(),
            addresses: Mutex::default(),
        });
        let following = Arc::clone(&shared);
        shared.tasks.spawn("container engine", async move {
            supervise::run(following).await;
            Ok(())
        });
        Self { shared }
    }
}

impl Shared {
    pub(crate) fn pod_lock(&self, uid: &str) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(self.pods.lock().entry(uid.to_owned()).or_default())
    }

    /// Notes where a sandbox is in the engine's network, if that can be reached.
    pub(crate) fn note_address(
        &self,
        connected: &Connected,
        uid: &str,
        networks: Option<HashMap<String, EndpointSettings>>,
    ) {
        let networks = networks.unwrap_or_default().into_values();
        let mut found = networks.filter_map(|network| network.ip_address?.parse::<IpAddr>().ok());
        let mut addresses = self.addresses.lock();
        match found.next().filter(|_| connected.facts.is_reachable) {
            Some(address) => addresses.insert(uid.to_owned(), address),
            None => addresses.remove(uid),
        };
    }

    /// Removes a container of the engine, whatever it does; one that is not there is fine.
    pub(crate) async fn force_remove(
        &self,
        docker: &Docker,
        engine_id: &str,
    ) -> Result<(), RuntimeError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match docker.remove_container(engine_id, Some(options)).await {
            Ok(()) => Ok(()),
            // 409: somebody else is at it.
            Err(error) if matches!(status(&error), Some(404 | 409)) => Ok(()),
            Err(error) => Err(self.engine.failed("removing a container", &error)),
        }
    }

    /// A container that was started, also one that this process does not know yet.
    pub(crate) async fn find(
        self: &Arc<Self>,
        id: &ContainerId,
    ) -> Result<Option<Arc<Container>>, RuntimeError> {
        if let Some(known) = self.containers.lock().get(id) {
            return Ok(Some(Arc::clone(known)));
        }
        let docker = self.engine.docker().await?;
        let name = create::container_name(&self.owner, id);
        let answer = match docker.inspect_container(&name, None).await {
            Ok(answer) => answer,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(self.engine.failed("looking for a container", &error)),
        };
        let Some(Life::Started(found)) = inspect::read(&answer) else { return Ok(None) };
        let container = self.adopt(answer.id.unwrap_or(name), &found);
        self.note(&container, &found);
        Ok(Some(container))
    }

    async fn start(
        self: &Arc<Self>,
        id: &ContainerId,
        spec: &ContainerSpec,
    ) -> Result<(), RuntimeError> {
        let connected = self.engine.connected().await?;
        if let Some(known) = self.find(id).await? {
            let state = known.state();
            if let ContainerStatus::Exited(exit) = state.status {
                // Told again to whoever does not know that this was started before.
                let _receivers = self.events.send(RuntimeEvent::Exited { id: id.clone(), exit });
            }
            return Ok(());
        }
        let image = self.images.id(&connected.docker, &spec.image.digest).await?;
        let wanted = (&spec.pod, &spec.sandbox, &spec.linux.pod);
        let sandbox = self.sandbox(&connected, wanted).await?;
        let engine_id = self.make(&connected, id, image, &sandbox, spec).await?;
        let docker = &connected.docker;
        if let Err(error) = docker.start_container(&engine_id, None).await {
            let reason = match &error {
                Error::DockerResponseServerError { message, .. } => message.clone(),
                _ => return Err(self.engine.failed("starting a container", &error)),
            };
            self.force_remove(docker, &engine_id).await?;
            return Err(RuntimeError::StartFailed { reason });
        }
        let answer = docker.inspect_container(&engine_id, None).await;
        let answer = answer.map_err(|error| self.engine.failed("starting a container", &error))?;
        if let Some(Life::Started(found)) = inspect::read(&answer) {
            let container = self.adopt(engine_id, &found);
            self.note(&container, &found);
        }
        Ok(())
    }

    async fn make(
        &self,
        connected: &Connected,
        id: &ContainerId,
        image: String,
        sandbox: &str,
        spec: &ContainerSpec,
    ) -> Result<String, RuntimeError> {
        let docker = &connected.docker;
        let name = create::container_name(&self.owner, id);
        // One that was made and never started may belong to a sandbox that is gone.
        self.force_remove(docker, &name).await?;
        let facts = &connected.facts;
        create::check(spec, facts).map_err(|reason| RuntimeError::InvalidSpec { reason })?;
        let digest = spec.image.digest.clone();
        let body = create::container(&self.owner, id, image, sandbox, spec, facts);
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        match docker.create_container(Some(options), body).await {
            Ok(made) => Ok(made.id),
            Err(Error::DockerResponseServerError { status_code: 400, message }) => {
                Err(RuntimeError::InvalidSpec { reason: message })
            }
            // It was removed since it was found.
            Err(Error::DockerResponseServerError { status_code: 404, message })
                if message.to_lowercase().contains("no such image") =>
            {
                Err(RuntimeError::ImageMissing { digest })
            }
            Err(error) => Err(self.engine.failed("making a container", &error)),
        }
    }

    async fn stop(self: &Arc<Self>, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError> {
        let Some(container) = self.find(id).await? else { return Ok(()) };
        if container.has_ended() {
            return Ok(());
        }
        let docker = self.engine.docker().await?;
        if !grace.is_zero() {
            let answer = docker.inspect_container(&container.engine_id, None).await;
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) if is_absent(&error) => return Ok(()),
                Err(error) => return Err(self.engine.failed("stopping a container", &error)),
            };
            let signal = answer.config.and_then(|config| config.stop_signal);
            let signal = signal.unwrap_or_else(|| "SIGTERM".to_owned());
            self.kill(&docker, &container, &signal).await?;
            if tokio::time::timeout(grace, container.ended()).await.is_ok() {
                return Ok(());
            }
        }
        self.kill_now(&docker, &container).await
    }

    /// Ends a container by force and waits until that is known.
    async fn kill_now(&self, docker: &Docker, container: &Container) -> Result<(), RuntimeError> {
        self.kill(docker, container, "SIGKILL").await?;
        let ended = tokio::time::timeout(KILLED, container.ended()).await;
        ended.map_err(|_elapsed| RuntimeError::TimedOut { after: KILLED })
    }

    async fn kill(
        &self,
        docker: &Docker,
        container: &Container,
        signal: &str,
    ) -> Result<(), RuntimeError> {
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        match docker.kill_container(&container.engine_id, Some(options)).await {
            Ok(()) => Ok(()),
            // It has ended, or is gone: its end is on the way.
            Err(error) if matches!(status(&error), Some(404 | 409)) => Ok(()),
            Err(error) => Err(self.engine.failed("stopping a container", &error)),
        }
    }

    async fn remove(self: &Arc<Self>, id: &ContainerId) -> Result<(), RuntimeError> {
        let docker = self.engine.docker().await?;
        let known = self.find(id).await?;
        if let Some(container) = &known
            && !container.has_ended()
        {
            self.kill_now(&docker, container).await?;
        }
        self.force_remove(&docker, &create::container_name(&self.owner, id)).await?;
        self.containers.lock().remove(id);
        if let Some(container) = known {
            container.gone.cancel();
        }
        Ok(())
    }

    async fn remove_pod(self: &Arc<Self>, uid: &str) -> Result<(), RuntimeError> {
        let docker = self.engine.docker().await?;
        let lock = self.pod_lock(uid);
        {
            let _alone = lock.lock().await;
            // Its end is no news from now on.
            self.sandboxes.lock().remove(uid);
            let listed = self.list_engine(&docker, Some(uid)).await?;
            let mut rest = Vec::new();
            for summary in listed {
                match summary.labels.as_ref().and_then(labels::read) {
                    Some(labelled) => self.remove(&labelled.id).await?,
                    None => rest.extend(summary.id),
                }
            }
            // The sandbox goes last: it has the namespaces of all the others.
            for engine_id in rest {
                self.force_remove(&docker, &engine_id).await?;
            }
        }
        self.pods.lock().remove(uid);
        self.addresses.lock().remove(uid);
        Ok(())
    }

    async fn pods(&self) -> Result<Vec<String>, RuntimeError> {
        let docker = self.engine.docker().await?;
        let listed = self.list_engine(&docker, None).await?;
        let of_pod = |labels: HashMap<String, String>| labels.get(labels::POD_UID).cloned();
        let mut uids: Vec<String> =
            listed.into_iter().filter_map(|one| one.labels.and_then(of_pod)).collect();
        uids.sort_unstable();
        uids.dedup();
        Ok(uids)
    }

    async fn stats(self: &Arc<Self>, id: &ContainerId) -> Result<ContainerStats, RuntimeError> {
        let unknown = || RuntimeError::NoSuchContainer { id: id.clone() };
        let container = self.find(id).await?.ok_or_else(unknown)?;
        let docker = self.engine.docker().await?;
        let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let mut answers = std::pin::pin!(docker.stats(&container.engine_id, Some(options)));
        let answer = match answers.next().await {
            Some(Ok(answer)) => answer,
            Some(Err(error)) if is_absent(&error) => return Err(unknown()),
            Some(Err(error)) => return Err(self.engine.failed("measuring a container", &error)),
            None => return Err(RuntimeError::NotRunning { id: id.clone() }),
        };
        let mut stats = stats::read(&answer, container.started_at());
        stats.memory_peak_bytes = container.peak(stats.memory_peak_bytes);
        Ok(stats)
    }

    async fn disk_bytes(self: &Arc<Self>, id: &ContainerId) -> Result<u64, RuntimeError> {
        let unknown = || RuntimeError::NoSuchContainer { id: id.clone() };
        let container = self.find(id).await?.ok_or_else(unknown)?;
        let docker = self.engine.docker().await?;
        let options = InspectContainerOptionsBuilder::new().size(true).build();
        match docker.inspect_container(&container.engine_id, Some(options)).await {
            Ok(found) => Ok(found.size_rw.and_then(|bytes| bytes.try_into().ok()).unwrap_or(0)),
            Err(error) if is_absent(&error) => Err(unknown()),
            Err(error) => Err(self.engine.failed("measuring a container", &error)),
        }
    }

    async fn trim(&self, keep_bytes: u64) -> Result<u64, RuntimeError> {
        let docker = self.engine.docker().await?;
        let listed = self.list_engine(&docker, None).await?;
        let in_use = listed.into_iter().filter_map(|one| one.image_id).collect();
        self.images.trim(&in_use, keep_bytes).await
    }
}

/// A container that is being made, for as long as this lives.
struct BeingStarted<'a> {
    shared: &'a Shared,
    id: &'a ContainerId,
}

impl<'a> BeingStarted<'a> {
    fn note(shared: &'a Shared, id: &'a ContainerId) -> Self {
        shared.starting.lock().insert(id.clone());
        Self { shared, id }
    }
}

impl Drop for BeingStarted<'_> {
    fn drop(&mut self) {
        self.shared.starting.lock().remove(self.id);
    }
}

#[async_trait]
impl Runtime for DockerRuntime {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn version(&self) -> String {
        self.shared.engine.version()
    }

    fn fault(&self) -> Option<String> {
        self.shared.engine.fault()
    }

    fn pod_address(&self, pod_uid: &str) -> Option<IpAddr> {
        self.shared.addresses.lock().get(pod_uid).copied()
    }

    async fn prepare(&self, image: &Image) -> Result<(), RuntimeError> {
        self.shared.images.load(image).await
    }

    async fn start(&self, id: &ContainerId, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        let _noted = BeingStarted::note(&self.shared, id);
        self.shared.start(id, spec).await
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError> {
        self.shared.stop(id, grace).await
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        self.shared.remove(id).await
    }

    async fn open_pod(
        &self,
        pod: &PodRef,
        sandbox: &Sandbox,
        linux: &LinuxPod,
    ) -> Result<Option<NetworkNamespace>, RuntimeError> {
        self.shared.open_pod((pod, sandbox, linux)).await
    }

    async fn remove_pod(&self, pod_uid: &str) -> Result<(), RuntimeError> {
        self.shared.remove_pod(pod_uid).await
    }

    async fn pods(&self) -> Result<Vec<String>, RuntimeError> {
        self.shared.pods().await
    }

    async fn list(&self) -> Result<Vec<ContainerState>, RuntimeError> {
        self.shared.sync().await?;
        Ok(self.shared.containers.lock().values().map(|container| container.state()).collect())
    }

    fn watch(&self) -> broadcast::Receiver<RuntimeEvent> {
        self.shared.events.subscribe()
    }

    async fn stats(&self, id: &ContainerId) -> Result<ContainerStats, RuntimeError> {
        self.shared.stats(id).await
    }

    async fn disk_bytes(&self, id: &ContainerId) -> Result<u64, RuntimeError> {
        self.shared.disk_bytes(id).await
    }

    async fn trim_cache(&self, keep_bytes: u64) -> Result<u64, RuntimeError> {
        self.shared.trim(keep_bytes).await
    }

    async fn exec(
        &self,
        id: &ContainerId,
        command: &ExecCommand,
        streams: Streams,
    ) -> Result<i32, RuntimeError> {
        self.shared.exec(id, command, streams).await
    }

    async fn attach(&self, id: &ContainerId, streams: Streams) -> Result<(), RuntimeError> {
        self.shared.attach(id, streams).await
    }
}
