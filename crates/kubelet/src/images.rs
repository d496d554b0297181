//! The node's images, as the kubelet needs them.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use wk_oci::{
    Credentials, Digest, Flavor, GarbagePolicy, GarbageReport, ImageReference, ImageStore,
    ProgressFn, PullError,
};
use wk_runtime::{Image, ImageKind};

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PullPolicy {
    Always,
    IfNotPresent,
    Never,
}

impl PullPolicy {
    /// The policy of a container; without one, `latest` is pulled always and the rest once.
    pub(crate) fn of(policy: Option<&str>, reference: &ImageReference) -> Self {
        match policy {
            Some("Always") => Self::Always,
            Some("Never") => Self::Never,
            Some("IfNotPresent") => Self::IfNotPresent,
            _ if reference.digest().is_none() && reference.tag() == Some("latest") => Self::Always,
            _ => Self::IfNotPresent,
        }
    }
}

/// Finds and fetches images.
#[async_trait]
pub trait Images: Send + Sync + 'static {
    /// The image that is already on this node; asks nobody and is quick.
    fn local(&self, reference: &ImageReference, flavor: Flavor) -> Option<Arc<wk_oci::Image>>;

    /// Asks the registry what `reference` is at the moment, without pulling it.
    ///
    /// # Errors
    /// See [`PullError`].
    async fn kind(
        &self,
        reference: &ImageReference,
        credentials: &Credentials,
    ) -> Result<wk_oci::ImageKind, PullError>;

    /// Pulls it, or finds out that it is up to date; `progress` is told how far it is.
    ///
    /// # Errors
    /// See [`PullError`].
    async fn pull(
        &self,
        reference: &ImageReference,
        flavor: Flavor,
        credentials: &Credentials,
        progress: ProgressFn,
    ) -> Result<Arc<wk_oci::Image>, PullError>;

    /// All images of this node.
    fn list(&self) -> Vec<Arc<wk_oci::Image>>;

    /// Notes that a container uses the image, which keeps it for longer.
    fn mark_used(&self, reference: &ImageReference, now: SystemTime);

    /// Removes images as `policy` says, but none whose manifest is `in_use`.
    ///
    /// # Errors
    /// If a file cannot be read or removed; calling again is safe.
    async fn collect_garbage(
        &self,
        in_use: HashSet<Digest>,
        policy: GarbagePolicy,
    ) -> io::Result<GarbageReport>;

    /// The folder that holds the layers of Linux images, as an OCI layout.
    fn layout(&self) -> PathBuf;
}

#[async_trait]
impl Images for ImageStore {
    fn local(&self, reference: &ImageReference, flavor: Flavor) -> Option<Arc<wk_oci::Image>> {
        self.local_as(reference, flavor)
    }

    async fn kind(
        &self,
        reference: &ImageReference,
        credentials: &Credentials,
    ) -> Result<wk_oci::ImageKind, PullError> {
        self.kind_of(reference, credentials).await
    }

    async fn pull(
        &self,
        reference: &ImageReference,
        flavor: Flavor,
        credentials: &Credentials,
        progress: ProgressFn,
    ) -> Result<Arc<wk_oci::Image>, PullError> {
        self.pull_as(reference, flavor, credentials, Some(progress)).await
    }

    fn list(&self) -> Vec<Arc<wk_oci::Image>> {
        Self::list(self)
    }

    fn mark_used(&self, reference: &ImageReference, now: SystemTime) {
        Self::mark_used(self, reference, now);
    }

    async fn collect_garbage(
        &self,
        in_use: HashSet<Digest>,
        policy: GarbagePolicy,
    ) -> io::Result<GarbageReport> {
        Self::collect_garbage(self, in_use, policy).await
    }

    fn layout(&self) -> PathBuf {
        self.folder().to_owned()
    }
}

/// An image in the words of the runtimes; `None` if a Wasm image has no module, which a sound store
/// does not hand out.
pub(crate) fn for_runtime(image: &wk_oci::Image, name: &str, layout: PathBuf) -> Option<Image> {
    let kind = if image.kind.is_wasm() {
        ImageKind::Wasm {
            module: image.module.clone()?,
            module_digest: image.module_digest.as_ref()?.to_string(),
            rootfs: image.rootfs.clone(),
        }
    } else {
        ImageKind::Linux { layout }
    };
    let config = &image.config;
    Some(Image {
        reference: name.to_owned(),
        digest: image.manifest_digest.to_string(),
        kind,
        entrypoint: config.entrypoint.clone(),
        cmd: config.cmd.clone(),
        env: config.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        working_dir: config.working_dir.clone(),
    })
}

/// `imageID` of a container's status: the repository at the manifest's digest.
pub(crate) fn image_id(image: &wk_oci::Image) -> String {
    image.reference.at(&image.manifest_digest).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_is_pulled_always_unless_told_otherwise() {
        for (policy, image, expected) in [
            (None, "web", PullPolicy::Always),
            (None, "web:latest", PullPolicy::Always),
            (None, "web:1", PullPolicy::IfNotPresent),
            (Some("Never"), "web", PullPolicy::Never),
            (Some("IfNotPresent"), "web", PullPolicy::IfNotPresent),
            (Some("Always"), "web:1", PullPolicy::Always),
        ] {
            let reference = image.parse().unwrap();
            assert_eq!(PullPolicy::of(policy, &reference), expected, "{policy:?} {image}");
        }
    }
}
