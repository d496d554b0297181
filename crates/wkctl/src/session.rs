//! What every command works with: the cluster, the namespace, the console.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::client::{Call, Client};
use crate::console::Console;
use crate::duration;
use crate::environment::Environment;
use crate::error::{StatusError, hinted};
use crate::kinds::{self, Resource};
use crate::kubeconfig::{self, ClusterArgs};

/// One run of the program.
pub(crate) struct Session {
    pub(crate) console: Arc<Console>,
    pub(crate) environment: Environment,
    cluster: ClusterArgs,
    connected: OnceCell<Connected>,
    discovered: OnceCell<Vec<Resource>>,
}

struct Connected {
    client: Client,
    namespace: String,
}

impl Session {
    pub(crate) fn new(
        cluster: ClusterArgs,
        environment: Environment,
        console: Arc<Console>,
    ) -> Self {
        let (connected, discovered) = (OnceCell::new(), OnceCell::new());
        Self { console, environment, cluster, connected, discovered }
    }

    async fn connected(&self) -> anyhow::Result<&Connected> {
        let connect = async || {
            let access = kubeconfig::access(&self.cluster, &self.environment)?;
            let deadline = duration::parse(&self.cluster.request_timeout)
                .context("invalid argument for `--request-timeout`")?;
            let deadline = (deadline > Duration::ZERO).then_some(deadline);
            let namespace = access.namespace.clone();
            let client = Client::new(access, deadline, Arc::clone(&self.console))?;
            Ok(Connected { client, namespace })
        };
        self.connected.get_or_try_init(connect).await
    }

    /// The client; the first use reads the kubeconfig, and the first request connects.
    pub(crate) async fn client(&self) -> anyhow::Result<&Client> {
        Ok(&self.connected().await?.client)
    }

    /// The namespace to work in.
    pub(crate) async fn namespace(&self) -> anyhow::Result<String> {
        Ok(self.connected().await?.namespace.clone())
    }

    /// The namespace of the command line, if it names one. Needs no cluster.
    pub(crate) fn named_namespace(&self) -> Option<&str> {
        self.cluster.namespace.as_deref()
    }

    /// The kubeconfig files, in the order in which they count.
    pub(crate) fn kubeconfigs(&self) -> Vec<std::path::PathBuf> {
        kubeconfig::paths(&self.cluster, &self.environment)
    }

    /// What the server says it has.
    pub(crate) async fn discovered(&self) -> anyhow::Result<&[Resource]> {
        let discover = async || kinds::discover(self.client().await?).await;
        Ok(self.discovered.get_or_try_init(discover).await?)
    }

    /// The resource that `word` means.
    pub(crate) async fn resource(&self, word: &str) -> anyhow::Result<Resource> {
        if let Some(resource) = kinds::built_in(word) {
            return Ok(resource);
        }
        match kinds::among(self.discovered().await?, word) {
            Some(resource) => Ok(resource),
            None => bail!("the server doesn't have a resource type \"{word}\""),
        }
    }

    /// The resource of an object's kind.
    pub(crate) async fn resource_of_kind(
        &self,
        api_version: &str,
        kind: &str,
    ) -> anyhow::Result<Option<Resource>> {
        if let Some(resource) = kinds::built_in_kind(api_version, kind) {
            return Ok(Some(resource));
        }
        let mut known = self.discovered().await?.iter();
        let found = known.find(|known| known.kind == kind && known.api_version() == api_version);
        Ok(found.cloned())
    }

    /// Sends a request about a resource; a path that the server does not have means that it does
    /// not have the resource.
    pub(crate) async fn ask(&self, resource: &Resource, call: Call) -> anyhow::Result<Value> {
        match self.client().await?.object(call).await {
            Err(error) => Err(missing_resource(error, resource)),
            good => good,
        }
    }
}

/// Says which resource the server does not have, where that is what the error means.
pub(crate) fn missing_resource(error: anyhow::Error, resource: &Resource) -> anyhow::Error {
    match error.downcast_ref::<StatusError>() {
        Some(status) if status.is_no_such_resource() => hinted(
            format!("the server doesn't have a resource type \"{}\"", resource.plural_with_group()),
            "`wkctl api-resources` lists what it has",
        ),
        _ => error,
    }
}
