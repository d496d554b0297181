//! The container that holds the namespaces of a pod.

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use tracing::warn;
use wk_runtime::{LinuxPod, NetworkNamespace, PodRef, RuntimeError, Sandbox};

use crate::create;
use crate::engine::{Connected, is_absent, status};
use crate::runtime::Shared;

/// What a pod is to have.
pub(crate) type Wanted<'a> = (&'a PodRef, &'a Sandbox, &'a LinuxPod);

impl Shared {
    /// Sees to it that a pod has its sandbox, and returns the engine's id of it.
    ///
    /// # Errors
    /// [`RuntimeError::Unavailable`], [`RuntimeError::Internal`], [`RuntimeError::Unsupported`],
    /// [`RuntimeError::InvalidSpec`].
    pub(crate) async fn sandbox(
        &self,
        connected: &Connected,
        wanted: Wanted<'_>,
    ) -> Result<String, RuntimeError> {
        let (pod, _, _) = wanted;
        let lock = self.pod_lock(&pod.uid);
        let _alone = lock.lock().await;
        let docker = &connected.docker;
        let name = create::sandbox_name(&self.owner, &pod.uid);
        let found = match docker.inspect_container(&name, None).await {
            Ok(found) => found,
            Err(error) if is_absent(&error) => {
                return self.make_sandbox(connected, &name, wanted).await;
            }
            Err(error) => return Err(self.engine.failed("looking for a sandbox", &error)),
        };
        let id = found.id.unwrap_or_else(|| name.clone());
        if found.state.and_then(|state| state.running) == Some(true) {
            self.sandboxes.lock().insert(pod.uid.clone(), id.clone());
            return Ok(id);
        }
        let all = self.list_engine(docker, Some(&pod.uid)).await?;
        let runs = |one: &ContainerSummary| one.state == Some(ContainerSummaryStateEnum::RUNNING);
        if all.iter().any(runs) {
            // The others have lost what they shared with it, which another one does not give back.
            self.sandboxes.lock().insert(pod.uid.clone(), id.clone());
            self.sandbox_ended(&pod.uid, &id);
            return Err(RuntimeError::Internal {
                doing: "looking for the pod's sandbox".into(),
                reason: "it has ended while containers of the pod run".to_owned(),
            });
        }
        // The engine, or the machine, was restarted meanwhile.
        warn!(pod = %pod.name, "sandbox is made anew");
        self.sandboxes.lock().remove(&pod.uid);
        self.force_remove(docker, &id).await?;
        self.make_sandbox(connected, &name, wanted).await
    }

    /// See [`wk_runtime::Runtime::open_pod`].
    pub(crate) async fn open_pod(
        &self,
        wanted: Wanted<'_>,
    ) -> Result<Option<NetworkNamespace>, RuntimeError> {
        let connected = self.engine.connected().await?;
        let id = self.sandbox(&connected, wanted).await?;
        let (_, network, _) = wanted;
        if network.host_network {
            return Ok(None);
        }
        let Some(pid) = self.sandbox_process(&connected.docker, &id).await? else {
            return Err(RuntimeError::Internal {
                doing: "looking for the network of a sandbox".into(),
                reason: "the sandbox does not run".to_owned(),
            });
        };
        let namespace = namespace_of(pid, &id).await?;
        // As long as it ran, nobody else had the number of its process.
        if self.sandbox_process(&connected.docker, &id).await? != Some(pid) {
            return Err(RuntimeError::Internal {
                doing: "looking for the network of a sandbox".into(),
                reason: "the sandbox ended meanwhile".to_owned(),
            });
        }
        Ok(Some(namespace))
    }

    /// The process of a sandbox; `None` if it does not run.
    async fn sandbox_process(
        &self,
        docker: &Docker,
        id: &str,
    ) -> Result<Option<i64>, RuntimeError> {
        let found = docker.inspect_container(id, None).await;
        let found = found.map_err(|error| self.engine.failed("looking for a sandbox", &error))?;
        let state = found.state.filter(|state| state.running == Some(true));
        Ok(state.and_then(|state| state.pid).filter(|pid| *pid > 0))
    }

    async fn make_sandbox(
        &self,
        connected: &Connected,
        name: &str,
        wanted: Wanted<'_>,
    ) -> Result<String, RuntimeError> {
        let docker = &connected.docker;
        let image = self.images.pause(connected).await?;
        let body = create::sandbox(&self.owner, image, wanted, &connected.facts);
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let made = docker.create_container(Some(options), body).await;
        let id = made.map_err(|error| self.refused(&error))?.id;
        if let Err(error) = docker.start_container(&id, None).await {
            // A port may be taken: it is made anew when the pod is tried again.
            let refused = self.refused(&error);
            self.force_remove(docker, &id).await?;
            return Err(refused);
        }
        self.find_address(connected, &id, &wanted.0.uid).await?;
        self.sandboxes.lock().insert(wanted.0.uid.clone(), id.clone());
        Ok(id)
    }

    async fn find_address(
        &self,
        connected: &Connected,
        id: &str,
        uid: &str,
    ) -> Result<(), RuntimeError> {
        let found = connected.docker.inspect_container(id, None).await;
        let found = found.map_err(|error| self.engine.failed("looking for a sandbox", &error))?;
        self.note_address(connected, uid, found.network_settings.and_then(|all| all.networks));
        Ok(())
    }

    fn refused(&self, error: &Error) -> RuntimeError {
        match error {
            Error::DockerResponseServerError { message, .. } if status(error) == Some(400) => {
                RuntimeError::InvalidSpec { reason: message.clone() }
            }
            error => self.engine.failed("making the pod's sandbox", error),
        }
    }
}

/// The network namespace of a container's process, which may be one of another machine.
async fn namespace_of(pid: i64, container: &str) -> Result<NetworkNamespace, RuntimeError> {
    let elsewhere = RuntimeError::Unsupported {
        runtime: "docker".into(),
        what: "the network namespaces of an engine that runs elsewhere".into(),
    };
    let groups = tokio::fs::read_to_string(format!("/proc/{pid}/cgroup")).await;
    if !groups.is_ok_and(|groups| groups.contains(container)) {
        return Err(elsewhere);
    }
    NetworkNamespace::at(format!("/proc/{pid}/ns/net").into()).map_err(|error| {
        let reason = format!("`/proc/{pid}/ns/net`: {error}");
        RuntimeError::Internal { doing: "looking for the network of a sandbox".into(), reason }
    })
}
