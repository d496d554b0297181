//! The container that holds the namespaces of a pod.

use bollard::errors::Error;
use bollard::query_parameters::CreateContainerOptionsBuilder;
use tracing::warn;
use wk_runtime::{ContainerSpec, RuntimeError};

use crate::create;
use crate::engine::{Connected, is_absent, status};
use crate::runtime::Shared;

impl Shared {
    /// Sees to it that the pod of a container has its sandbox, and returns the engine's id of it.
    ///
    /// # Errors
    /// [`RuntimeError::Unavailable`], [`RuntimeError::Internal`], [`RuntimeError::Unsupported`],
    /// [`RuntimeError::InvalidSpec`].
    pub(crate) async fn sandbox(
        &self,
        connected: &Connected,
        spec: &ContainerSpec,
    ) -> Result<String, RuntimeError> {
        let lock = self.pod_lock(&spec.pod.uid);
        let _alone = lock.lock().await;
        let docker = &connected.docker;
        let name = create::sandbox_name(&self.owner, &spec.pod.uid);
        let found = match docker.inspect_container(&name, None).await {
            Ok(found) => found,
            Err(error) if is_absent(&error) => {
                return self.make_sandbox(connected, &name, spec).await;
            }
            Err(error) => return Err(self.engine.failed("looking for a sandbox", &error)),
        };
        let id = found.id.unwrap_or_else(|| name.clone());
        if found.state.and_then(|state| state.running) != Some(true) {
            // The engine, or the machine, was restarted meanwhile.
            warn!(pod = %spec.pod.name, "sandbox is started again");
            docker.start_container(&name, None).await.map_err(|error| self.refused(&error))?;
            self.find_address(connected, &id, &spec.pod.uid).await?;
        }
        Ok(id)
    }

    async fn make_sandbox(
        &self,
        connected: &Connected,
        name: &str,
        spec: &ContainerSpec,
    ) -> Result<String, RuntimeError> {
        let docker = &connected.docker;
        let image = self.images.pause(connected).await?;
        let body = create::sandbox(&self.owner, image, spec, connected.facts.may_prefer);
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let made = docker.create_container(Some(options), body).await;
        let id = made.map_err(|error| self.refused(&error))?.id;
        if let Err(error) = docker.start_container(&id, None).await {
            // A port may be taken: it is made anew when the pod is tried again.
            let refused = self.refused(&error);
            self.force_remove(docker, &id).await?;
            return Err(refused);
        }
        self.find_address(connected, &id, &spec.pod.uid).await?;
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
