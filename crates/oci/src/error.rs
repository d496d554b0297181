//! What can go wrong with an image, worded for whoever wrote its name into a pod.
//!
//! The errors can be cloned, because several pulls may wait for one download.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::digest::Digest;
use crate::reference::ImageReference;
use crate::wasm::InspectError;

/// A conversation with a registry that did not lead to the wanted end.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RegistryError {
    /// The registry does not have it.
    #[error(
        "{what} not found in registry `{registry}`; check the image's name and tag, or push it first"
    )]
    NotFound {
        /// The image, or its part.
        what: String,
        /// Host and port.
        registry: String,
    },
    /// The registry wants other credentials, or does not allow it with these.
    #[error(
        "registry `{registry}` denied access to {what}: {reason}; check that the image exists and \
         that the credentials (`imagePullSecrets`, or the docker configuration) are right"
    )]
    Unauthorized {
        /// The image, or its part.
        what: String,
        /// Host and port.
        registry: String,
        /// The registry's own words.
        reason: String,
    },
    /// No connection to the registry came about.
    #[error(
        "registry `{registry}` cannot be reached for {what}: {cause}; check that it runs and that \
         its name and port are right"
    )]
    Unreachable {
        /// The image, or its part.
        what: String,
        /// Host and port.
        registry: String,
        /// The root cause, such as `connection refused`.
        cause: String,
    },
    /// The connection broke before the end, more than once.
    #[error("the transfer of {what} with registry `{registry}` broke off: {cause}; try again")]
    Interrupted {
        /// The image, or its part.
        what: String,
        /// Host and port.
        registry: String,
        /// The root cause.
        cause: String,
    },
    /// The registry answered, but not as asked.
    #[error("registry `{registry}` refused {what}: {answer}")]
    Refused {
        /// The image, or its part.
        what: String,
        /// Host and port.
        registry: String,
        /// Status and message.
        answer: String,
    },
    /// The registry answered with more than any sound answer holds.
    #[error("registry `{registry}` sent more than {limit} bytes for {what}, which is the limit")]
    TooLong {
        /// The image, or its part.
        what: String,
        /// Host and port.
        registry: String,
        /// In bytes.
        limit: u64,
    },
}

/// Why an image is not in the store after a pull. Whatever was stored before is unchanged.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PullError {
    /// The registry did not deliver: not found, unauthorised, unreachable, …
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The registry served other bytes than the digest names; they were thrown away.
    #[error(
        "digest mismatch in image `{reference}`: wanted `{expected}`, the registry served \
         `{actual}`; push the image again, or do not trust this registry"
    )]
    DigestMismatch {
        /// The image.
        reference: ImageReference,
        /// What was asked for.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// A blob is longer or shorter than its manifest says.
    #[error(
        "size mismatch in image `{reference}`: blob `{digest}` should have {expected} bytes, the \
         registry served {actual}"
    )]
    SizeMismatch {
        /// The image.
        reference: ImageReference,
        /// The blob.
        digest: Digest,
        /// Bytes by the manifest.
        expected: u64,
        /// Bytes that came or were announced.
        actual: u64,
    },
    /// It claims to be WebAssembly and is not.
    #[error(
        "image `{reference}` is not WebAssembly: {reason}; build it for `wasm32-wasip2`, for example, and push it again"
    )]
    NotWasm {
        /// The image.
        reference: ImageReference,
        /// What was found instead.
        reason: String,
    },
    /// It is no container image and no Wasm artifact.
    #[error(
        "image `{reference}` has media type `{media_type}`, which is neither a container image nor \
         a Wasm artifact; push a `.wasm` file with `wkctl push`"
    )]
    UnsupportedMediaType {
        /// The image.
        reference: ImageReference,
        /// The type.
        media_type: String,
    },
    /// The index has no entry for this node.
    #[error(
        "image `{reference}` has nothing for this node: it offers {offered}; the node runs {wanted}"
    )]
    NoMatchingPlatform {
        /// The image.
        reference: ImageReference,
        /// Platforms of the index.
        offered: String,
        /// Platforms of this node.
        wanted: String,
    },
    /// Manifest, index or configuration cannot be understood.
    #[error("image `{reference}` is malformed: {reason}")]
    Malformed {
        /// The image.
        reference: ImageReference,
        /// What is wrong.
        reason: String,
    },
    /// It exceeds a limit of this node.
    #[error("image `{reference}` is too large: {what}, and the limit is {limit}")]
    TooLarge {
        /// The image.
        reference: ImageReference,
        /// What is too large, with its figure.
        what: String,
        /// The limit, in the same unit.
        limit: u64,
    },
    /// A layer tries to reach outside the image's own file tree.
    #[error("image `{reference}` has an unsafe layer: {reason}")]
    UnsafeLayer {
        /// The image.
        reference: ImageReference,
        /// What it tries.
        reason: String,
    },
    /// The disk under the content store is full.
    #[error(
        "no space left in `{path}` for image `{reference}`; free some space or remove unused images"
    )]
    NoSpace {
        /// The image.
        reference: ImageReference,
        /// Where it was to be written.
        path: PathBuf,
    },
    /// The content store itself failed.
    #[error("image `{reference}` could not be stored in `{path}`")]
    Storage {
        /// The image.
        reference: ImageReference,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
}

impl PullError {
    pub(crate) fn storage(reference: &ImageReference, path: &Path, error: io::Error) -> Self {
        let (reference, path) = (reference.clone(), path.to_owned());
        if is_out_of_space(&error) {
            return Self::NoSpace { reference, path };
        }
        Self::Storage { reference, path, source: Arc::new(error) }
    }

    pub(crate) fn malformed(reference: &ImageReference, reason: impl Into<String>) -> Self {
        Self::Malformed { reference: reference.clone(), reason: reason.into() }
    }
}

pub(crate) fn is_out_of_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Why nothing was pushed, or not all of it. The tag then still names what it named before.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The registry did not take it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The file is not WebAssembly.
    #[error("`{path}` cannot be pushed")]
    NotWasm {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        source: InspectError,
    },
    /// The folder does not hold exactly one `.wasm` file and is no OCI layout either.
    #[error(
        "folder `{path}` holds {count} `.wasm` files and is no OCI layout; name the file to push"
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// How many there are.
        count: usize,
    },
    /// The OCI layout in the folder cannot be used.
    #[error("OCI layout `{path}` cannot be pushed: {reason}")]
    Layout {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The reference names a digest, and what was to be pushed has another one.
    #[error("`{reference}` names another digest than what would be pushed, `{actual}`")]
    OtherDigest {
        /// Where it was to go.
        reference: ImageReference,
        /// The manifest's real digest.
        actual: Digest,
    },
    /// A local file could not be read.
    #[error("`{path}` could not be read")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why the content store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("image store `{path}` is in use by another process; stop that one first")]
    InUse {
        /// The store's folder.
        path: PathBuf,
    },
    /// A file or folder of it could not be made or read.
    #[error("image store `{path}` could not be opened")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
