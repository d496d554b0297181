//! Images in the engine: loaded from the node's store, found by digest, removed when unused.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::{
    ImportImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptionsBuilder,
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use parking_lot::Mutex;
use tracing::{debug, info};
use wk_runtime::{Image, ImageKind, RuntimeError};

use crate::archive::Source;
use crate::engine::{Connected, Engine, chain, is_absent, status};
use crate::pause;

/// How long loading one image may take.
const LOAD: Duration = Duration::from_hours(1);
/// The tag of the program that holds a pod's namespaces.
const PAUSE_TAG: &str = "pause";

/// What was loaded into the engine for one node.
#[derive(Debug)]
pub(crate) struct EngineImages {
    engine: Arc<Engine>,
    /// The repository that all of them are in. No registry can have it: the domain is one that
    /// never resolves.
    repository: String,
    /// Held while an image is loaded, so that it is loaded once.
    loading: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    used: Mutex<HashMap<String, SystemTime>>,
}

impl EngineImages {
    pub(crate) fn new(engine: Arc<Engine>, owner: &str) -> Self {
        let repository = format!("wk.invalid/node-{owner}");
        Self { engine, repository, loading: Mutex::default(), used: Mutex::default() }
    }

    /// The engine's name for an image, from the digest of its manifest.
    fn name(&self, digest: &str) -> String {
        let hex = digest.split_once(':').map_or(digest, |(_, hex)| hex);
        format!("{}:{hex}", self.repository)
    }

    /// The engine's id of an image that was loaded.
    ///
    /// # Errors
    /// [`RuntimeError::ImageMissing`], [`RuntimeError::Unavailable`].
    pub(crate) async fn id(&self, docker: &Docker, digest: &str) -> Result<String, RuntimeError> {
        let missing = || RuntimeError::ImageMissing { digest: digest.to_owned() };
        match docker.inspect_image(&self.name(digest)).await {
            Ok(image) => {
                self.used.lock().insert(self.name(digest), SystemTime::now());
                image.id.ok_or_else(missing)
            }
            Err(error) if is_absent(&error) => Err(missing()),
            Err(error) => Err(self.engine.failed("looking for an image", &error)),
        }
    }

    /// Loads an image unless the engine has it.
    ///
    /// # Errors
    /// [`RuntimeError::InvalidImage`], [`RuntimeError::ImageMissing`],
    /// [`RuntimeError::Unavailable`].
    pub(crate) async fn load(&self, image: &Image) -> Result<(), RuntimeError> {
        let docker = self.engine.docker().await?;
        let ImageKind::Linux { layout } = &image.kind else {
            let reason = "it is a WebAssembly image, which a container engine cannot run";
            return Err(RuntimeError::InvalidImage {
                reference: image.reference.clone(),
                reason: reason.to_owned(),
            });
        };
        let lock = Arc::clone(self.loading.lock().entry(image.digest.clone()).or_default());
        let _alone = lock.lock().await;
        match self.id(&docker, &image.digest).await {
            Ok(_) => return Ok(()),
            Err(RuntimeError::ImageMissing { .. }) => {}
            Err(error) => return Err(error),
        }
        let source = self.source(layout, &image.digest).await?;
        let archive = source.stream(self.name(&image.digest));
        self.send(&docker, archive).await.map_err(|error| match error {
            LoadError::Refused(reason) => {
                RuntimeError::InvalidImage { reference: image.reference.clone(), reason }
            }
            LoadError::Other(error) => error,
        })?;
        self.id(&docker, &image.digest).await?;
        info!(image = %image.reference, digest = %image.digest, "loaded into the container engine");
        self.loading.lock().remove(&image.digest);
        Ok(())
    }

    async fn source(&self, layout: &Path, digest: &str) -> Result<Source, RuntimeError> {
        let (folder, wanted) = (layout.to_owned(), digest.to_owned());
        let opened = tokio::task::spawn_blocking(move || Source::open(&folder, &wanted)).await;
        match opened.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(source) => Ok(source),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(RuntimeError::ImageMissing { digest: digest.to_owned() })
            }
            Err(error) => Err(RuntimeError::Internal {
                doing: "reading an image's manifest".into(),
                reason: error.to_string(),
            }),
        }
    }

    /// The id of the image for sandboxes, which is loaded if need be.
    ///
    /// # Errors
    /// [`RuntimeError::Unsupported`] on processors that there is no program for.
    pub(crate) async fn pause(&self, connected: &Connected) -> Result<String, RuntimeError> {
        let docker = &connected.docker;
        let name = format!("{}:{PAUSE_TAG}", self.repository);
        let id = async || match docker.inspect_image(&name).await {
            Ok(image) => Ok(image.id),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.engine.failed("looking for an image", &error)),
        };
        if let Some(id) = id().await? {
            return Ok(id);
        }
        let what = "engines on other processors than x86-64 and aarch64";
        let unsupported = RuntimeError::Unsupported { runtime: "docker".into(), what: what.into() };
        let arch = connected.facts.arch.ok_or(unsupported)?;
        let internal =
            |reason| RuntimeError::Internal { doing: "making the sandbox image".into(), reason };
        let archive = pause::image(arch, &name).map_err(|error| internal(error.to_string()))?;
        let archive = futures::stream::iter([Ok(Bytes::from(archive))]);
        self.send(docker, archive).await.map_err(|error| match error {
            LoadError::Refused(reason) => internal(reason),
            LoadError::Other(error) => error,
        })?;
        id().await?.ok_or_else(|| internal("the engine has lost it".to_owned()))
    }

    async fn send(
        &self,
        docker: &Docker,
        archive: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), LoadError> {
        let options = ImportImageOptionsBuilder::new().quiet(true).build();
        let patient = docker.clone().with_timeout(LOAD);
        let mut answers = std::pin::pin!(patient.import_image_stream(options, archive, None));
        while let Some(answer) = answers.next().await {
            answer.map_err(|error| match error {
                Error::DockerStreamError { error } => LoadError::Refused(error),
                Error::DockerResponseServerError { message, .. } => LoadError::Refused(message),
                error => LoadError::Other(self.engine.failed("loading an image", &error)),
            })?;
        }
        Ok(())
    }

    /// Removes images of this node that no container in the engine uses, least recently used first,
    /// until those left have at most `keep_bytes`. Returns the bytes removed.
    ///
    /// # Errors
    /// [`RuntimeError::Unavailable`], [`RuntimeError::Internal`].
    pub(crate) async fn trim(
        &self,
        in_use: &HashSet<String>,
        keep_bytes: u64,
    ) -> Result<u64, RuntimeError> {
        let docker = self.engine.docker().await?;
        let filters = HashMap::from([("reference".to_owned(), vec![self.repository.clone()])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let listed = docker.list_images(Some(options)).await;
        let listed = listed.map_err(|error| self.engine.failed("listing images", &error))?;
        let prefix = format!("{}:", self.repository);
        let mut unused = Vec::new();
        for image in listed {
            if in_use.contains(&image.id) {
                continue;
            }
            for tag in image.repo_tags.iter().filter(|tag| tag.starts_with(&prefix)) {
                let bytes = u64::try_from(image.size).unwrap_or_default();
                let last = self.used.lock().get(tag).copied().unwrap_or(SystemTime::UNIX_EPOCH);
                unused.push((last, tag.clone(), bytes));
            }
        }
        unused.sort();
        let mut left: u64 = unused.iter().map(|(_, _, bytes)| bytes).sum();
        let mut removed = 0;
        for (_, tag, bytes) in unused {
            if left <= keep_bytes {
                break;
            }
            // Without force: whoever else has named the image, or runs it, keeps it.
            let options = RemoveImageOptionsBuilder::new().build();
            match docker.remove_image(&tag, Some(options), None).await {
                Ok(_) => {
                    debug!(image = tag, bytes, "removed from the container engine");
                    removed += bytes;
                    left -= bytes;
                    self.used.lock().remove(&tag);
                }
                Err(error) if matches!(status(&error), Some(404 | 409)) => {
                    debug!(image = tag, error = chain(&error), "not removed");
                }
                Err(error) => return Err(self.engine.failed("removing an image", &error)),
            }
        }
        Ok(removed)
    }
}

/// Why an image was not loaded.
enum LoadError {
    /// The engine has read it and does not want it.
    Refused(String),
    Other(RuntimeError),
}
