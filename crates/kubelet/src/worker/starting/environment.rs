//! The environment of a container that starts.

use tracing::info;
use wk_runtime::Sandbox;

use super::{Fault, Starting, facts, fetch};
use crate::env;
use crate::env::file::EnvFiles;
use crate::state::WaitReason;

impl Starting<'_> {
    /// All variables; where the API server is away, those that the container was last given.
    pub(super) async fn env(
        &self,
        image: &wk_oci::Image,
        sandbox: &Sandbox,
    ) -> Result<Vec<(String, String)>, Fault> {
        let config =
            |message: String| Fault::missing(WaitReason::CreateContainerConfigError, message);
        let (uid, name) = (&self.entry.key.uid, &self.container.name);
        let saved = &self.shared.saved;
        match self.first_and_found(image, sandbox).await {
            Ok((first, found)) => {
                let files = self.env_files().await.map_err(config)?;
                let facts = facts(self.shared, self.pod, Some(sandbox.ip));
                let env = env::environment(self.container, facts, &found, &files, &first);
                let env = env.map_err(config)?;
                saved.put_env(uid, name, &env);
                Ok(env)
            }
            Err(message) => {
                let (saved, of, container) = (saved.clone(), uid.clone(), name.clone());
                let read = tokio::task::spawn_blocking(move || saved.env(&of, &container));
                let env = read.await.ok().flatten().ok_or_else(|| config(message))?;
                info!(pod = %self.entry.key.name, container = %name, "environment as it was before");
                Ok(env)
            }
        }
    }

    /// What comes before all that the pod says, and the objects that it names.
    ///
    /// # Errors
    /// If the API server cannot be asked.
    async fn first_and_found(
        &self,
        image: &wk_oci::Image,
        sandbox: &Sandbox,
    ) -> Result<(Vec<(String, String)>, crate::objects::Found), String> {
        let wanted = env::references(self.container);
        let found = fetch(self.shared, self.entry, wanted).await?;
        let mut first = image.config.env.clone();
        first.push(("HOSTNAME".to_owned(), sandbox.hostname.clone()));
        let links = self.spec.enable_service_links != Some(false);
        let namespace = &self.entry.key.namespace;
        let services = self.shared.services.variables(namespace, links, !self.entry.is_static);
        first.extend(services.await?);
        Ok((first, found))
    }

    async fn env_files(&self) -> Result<EnvFiles, String> {
        let mut sources = self.container.env.iter().flatten();
        let names_files = sources
            .any(|var| var.value_from.as_ref().is_some_and(|source| source.file_key_ref.is_some()));
        if !names_files {
            return Ok(EnvFiles::new());
        }
        let (container, spec) = (self.container.clone(), self.spec.clone());
        let volumes = self.shared.volumes_folder(&self.entry.key.uid);
        let read = move || env::file::read_all(&container, &spec, &volumes);
        tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string())
    }
}
