//! Pulls: from a reference to a complete, verified, recorded image.

mod content;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures::future::try_join_all;
use parking_lot::Mutex;
use tracing::{debug, info};

use crate::client::Repository;
use crate::credentials::Credentials;
use crate::digest::{Algorithm, Digest, Digester};
use crate::error::PullError;
use crate::files::blocking;
use crate::image::{Flavor, Image, ImageKind};
use crate::manifest::{Descriptor, Document, DocumentFault, Manifest, OCI_MANIFEST, Platform};
use crate::plan::{self, Form, FormFault};
use crate::platform;
use crate::reference::ImageReference;
use crate::store::{ImageStore, Shared};

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are where they should be, those found there included.
    pub done_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

/// Is told of progress, many times a second; must return at once.
pub type ProgressFn = Arc<dyn Fn(Progress) + Send + Sync>;

/// What a reference means at the moment, by its registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The manifest a pull would store.
    pub manifest_digest: Digest,
    /// The index it was chosen from, if any.
    pub index_digest: Option<Digest>,
    /// Bytes of its configuration and layers.
    pub size_bytes: u64,
    /// Those of them that are not in the store yet.
    pub missing_bytes: u64,
}

impl ImageStore {
    /// Asks the registry what `reference` means, downloading nothing but manifests.
    ///
    /// # Errors
    /// See [`PullError`].
    pub async fn resolve(
        &self,
        reference: &ImageReference,
        credentials: &Credentials,
    ) -> Result<Resolved, PullError> {
        let pulling = self.pulling(reference, Flavor::Best, credentials)?;
        let found = pulling.find_manifest().await?;
        let (mut size_bytes, mut missing_bytes) = (0, 0);
        for blob in found.blobs() {
            size_bytes += blob.size;
            if !self.shared.blobs.has(&blob.digest, blob.size) {
                missing_bytes += blob.size;
            }
        }
        let (manifest_digest, index_digest) = (found.digest, found.index_digest);
        Ok(Resolved { manifest_digest, index_digest, size_bytes, missing_bytes })
    }

    /// Pulls an image, or finds out that it is here already; the registry is asked in any case.
    ///
    /// Every byte is verified against its digest before it can be used. What other images or
    /// earlier attempts left is not downloaded again, and pulls of one blob share one download.
    /// Cancel safe: what has been downloaded stays.
    ///
    /// # Errors
    /// See [`PullError`]; the store is then as it was, apart from verified and partial blobs.
    pub async fn pull(
        &self,
        reference: &ImageReference,
        credentials: &Credentials,
        progress: Option<ProgressFn>,
    ) -> Result<Arc<Image>, PullError> {
        self.pull_as(reference, Flavor::Best, credentials, progress).await
    }

    /// Pulls the image of this flavor; from an index that offers several, the one that is wanted.
    ///
    /// That one is then known beside the one that [`ImageStore::pull`] chooses, and found by
    /// [`ImageStore::local_as`]. What is no index is pulled whatever its flavor.
    ///
    /// # Errors
    /// As [`ImageStore::pull`].
    pub async fn pull_as(
        &self,
        reference: &ImageReference,
        flavor: Flavor,
        credentials: &Credentials,
        progress: Option<ProgressFn>,
    ) -> Result<Arc<Image>, PullError> {
        self.pulling(reference, flavor, credentials)?.pull(progress).await
    }

    /// Asks the registry what a pull of `reference` would give; of its content only a configuration
    /// is downloaded, and only where the manifest does not tell.
    ///
    /// # Errors
    /// As [`ImageStore::pull`].
    pub async fn kind_of(
        &self,
        reference: &ImageReference,
        credentials: &Credentials,
    ) -> Result<ImageKind, PullError> {
        self.pulling(reference, Flavor::Best, credentials)?.kind().await
    }

    fn pulling(
        &self,
        reference: &ImageReference,
        flavor: Flavor,
        credentials: &Credentials,
    ) -> Result<Pull, PullError> {
        let repository = self.shared.client.repository(reference, credentials)?;
        Ok(Pull { shared: Arc::clone(&self.shared), repository, flavor })
    }
}

/// One pull of one reference.
struct Pull {
    shared: Arc<Shared>,
    repository: Repository,
    flavor: Flavor,
}

/// A verified manifest.
struct Found {
    bytes: Bytes,
    digest: Digest,
    manifest: Manifest,
    index_digest: Option<Digest>,
}

impl Found {
    /// Configuration and layers, each once.
    fn blobs(&self) -> Vec<&Descriptor> {
        let mut seen = BTreeSet::new();
        std::iter::once(&self.manifest.config)
            .chain(&self.manifest.layers)
            .filter(|blob| seen.insert(&blob.digest))
            .collect()
    }

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            media_type: OCI_MANIFEST.to_owned(),
            digest: self.digest.clone(),
            size: self.bytes.len() as u64,
            platform: None,
            annotations: std::collections::BTreeMap::new(),
        }
    }
}

impl Pull {
    fn reference(&self) -> &ImageReference {
        self.repository.reference()
    }

    /// Under which reference the image is known from now on.
    fn recorded(&self, found: &Found) -> ImageReference {
        match (self.flavor, &found.index_digest) {
            (Flavor::Wasm | Flavor::Linux, Some(_)) => self.reference().fixed(&found.digest),
            (Flavor::Best, _) | (_, None) => self.reference().clone(),
        }
    }

    async fn pull(self, progress: Option<ProgressFn>) -> Result<Arc<Image>, PullError> {
        let found = self.find_manifest().await?;
        let reference = self.recorded(&found);
        if let Some(image) = self.shared.known(&reference)
            && image.manifest_digest == found.digest
            && image.index_digest == found.index_digest
        {
            debug!(image = %self.reference(), "image is up to date");
            return Ok(image);
        }
        let form = self.checked_form(&found)?;
        let mut digests: Vec<_> = found.blobs().iter().map(|blob| blob.digest.clone()).collect();
        digests.push(found.digest.clone());
        let _pins = self.shared.blobs.pin(digests);
        self.fetch_blobs(&found, progress).await?;
        let (blobs, digest, bytes) =
            (Arc::clone(&self.shared.blobs), found.digest.clone(), found.bytes.clone());
        blocking(move || blobs.put(&digest, &bytes)).await.map_err(|error| self.storage(error))?;
        let content = match form {
            Form::Artifact(layer) => self.artifact(&layer.digest).await?,
            Form::Image => self.image(&found).await?,
        };
        let image = Image {
            reference,
            manifest_digest: found.digest.clone(),
            index_digest: found.index_digest.clone(),
            kind: content.kind,
            module: content.module_digest.as_ref().map(|digest| self.shared.blobs.path(digest)),
            module_digest: content.module_digest,
            wasm: content.wasm,
            rootfs: content.rootfs,
            config: content.config,
            config_blob: found.manifest.config.clone(),
            layers: found.manifest.layers.clone(),
            size_bytes: found.bytes.len() as u64
                + found.blobs().iter().map(|blob| blob.size).sum::<u64>(),
        };
        let (shared, manifest) = (Arc::clone(&self.shared), found.descriptor());
        let image = blocking(move || shared.record(image, manifest, SystemTime::now()))
            .await
            .map_err(|error| self.storage(error))?;
        info!(image = %self.reference(), digest = %found.digest, bytes = image.size_bytes, "pulled");
        Ok(image)
    }

    /// Fetches and verifies the manifest, through an index if the reference names one.
    async fn find_manifest(&self) -> Result<Found, PullError> {
        let reference = self.reference();
        let (bytes, digest, document) =
            self.document(reference.target(), reference.digest()).await?;
        let index = match document {
            Document::Manifest(manifest) => {
                return Ok(Found { bytes, digest, manifest, index_digest: None });
            }
            Document::Index(index) => index,
        };
        let wanted = platform::of_flavor(&self.shared.config.platforms, self.flavor);
        let entry = match (platform::choose(&index.manifests, &wanted), index.manifests.as_slice())
        {
            (Some(entry), _) => entry,
            // A single entry without a platform leaves nothing to choose.
            (None, [only]) if only.platform.is_none() => only,
            (None, entries) => {
                let offered = entries.iter().filter_map(|entry| entry.platform.as_ref());
                return Err(self.no_platform(offered));
            }
        };
        let (bytes, chosen, document) =
            self.document(entry.digest.as_str(), Some(&entry.digest)).await?;
        match document {
            Document::Manifest(manifest) => {
                Ok(Found { bytes, digest: chosen, manifest, index_digest: Some(digest) })
            }
            Document::Index(_) => {
                Err(PullError::malformed(reference, "its index leads to another index"))
            }
        }
    }

    async fn document(
        &self,
        target: &str,
        expected: Option<&Digest>,
    ) -> Result<(Bytes, Digest, Document), PullError> {
        let limit = self.shared.config.limits.manifest_bytes;
        let answer = self.repository.manifest(target, limit).await?;
        let expected = expected.or(answer.claimed.as_ref());
        let algorithm = expected.map_or(Algorithm::Sha256, Digest::algorithm);
        let mut digester = Digester::new(algorithm);
        digester.update(&answer.bytes);
        let actual = digester.finish();
        if let Some(expected) = expected.filter(|expected| **expected != actual) {
            let reference = self.reference().clone();
            return Err(PullError::DigestMismatch {
                reference,
                expected: expected.clone(),
                actual,
            });
        }
        let document = Document::parse(&answer.bytes, answer.content_type.as_deref());
        let document = document.map_err(|fault| match fault {
            DocumentFault::Malformed(reason) => PullError::malformed(self.reference(), reason),
            DocumentFault::MediaType(media_type) => self.unsupported(media_type),
        })?;
        Ok((answer.bytes, actual, document))
    }

    /// What the manifest says the image is, once its sizes are found to be within limits.
    fn checked_form<'a>(&self, found: &'a Found) -> Result<Form<'a>, PullError> {
        let limits = &self.shared.config.limits;
        let manifest = &found.manifest;
        if manifest.layers.len() > limits.layers {
            let what = format!("it has {} layers", manifest.layers.len());
            return Err(self.too_large(what, limits.layers as u64));
        }
        if manifest.config.size > limits.config_bytes {
            let what = format!("its configuration has {} bytes", manifest.config.size);
            return Err(self.too_large(what, limits.config_bytes));
        }
        let sizes =
            found.blobs().into_iter().try_fold(0_u64, |sum, blob| sum.checked_add(blob.size));
        if sizes.is_none_or(|bytes| bytes > limits.image_bytes) {
            let what = format!("it has {} bytes", sizes.unwrap_or(u64::MAX));
            return Err(self.too_large(what, limits.image_bytes));
        }
        let form = plan::form(manifest).map_err(|fault| match fault {
            FormFault::WasmLayers(count) => PullError::malformed(
                self.reference(),
                format!(
                    "a Wasm artifact has one layer of type `application/wasm`, this one {count}"
                ),
            ),
            FormFault::MediaType(media_type) => self.unsupported(media_type),
        })?;
        if let Form::Artifact(layer) = form
            && layer.size > limits.module_bytes
        {
            let what = format!("its module has {} bytes", layer.size);
            return Err(self.too_large(what, limits.module_bytes));
        }
        Ok(form)
    }

    async fn fetch_blobs(
        &self,
        found: &Found,
        progress: Option<ProgressFn>,
    ) -> Result<(), PullError> {
        let blobs = found.blobs();
        let total_bytes = blobs.iter().map(|blob| blob.size).sum();
        let done = Mutex::new(vec![0_u64; blobs.len()]);
        let fetches = blobs.into_iter().enumerate().map(|(position, blob)| {
            let (done, progress) = (&done, &progress);
            let report = move |bytes| {
                let done_bytes = {
                    let mut done = done.lock();
                    done[position] = bytes;
                    done.iter().sum()
                };
                if let Some(progress) = progress {
                    progress(Progress { done_bytes, total_bytes });
                }
            };
            self.shared.blobs.fetch(&self.repository, blob, report)
        });
        try_join_all(fetches).await.map(|_| ())
    }

    fn storage(&self, error: io::Error) -> PullError {
        PullError::storage(self.reference(), &self.shared.folder, error)
    }

    fn unsupported(&self, media_type: String) -> PullError {
        PullError::UnsupportedMediaType { reference: self.reference().clone(), media_type }
    }

    fn too_large(&self, what: String, limit: u64) -> PullError {
        PullError::TooLarge { reference: self.reference().clone(), what, limit }
    }

    fn no_platform<'a>(&self, offered: impl Iterator<Item = &'a Platform>) -> PullError {
        PullError::NoMatchingPlatform {
            reference: self.reference().clone(),
            offered: platform::names(offered),
            wanted: platform::names(
                platform::of_flavor(&self.shared.config.platforms, self.flavor).iter(),
            ),
        }
    }
}
