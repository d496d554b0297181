//! Containers without pods: the seam between the kubelet and whatever runs programs.
//!
//! The kubelet decides, a [`Runtime`] carries out. Everything that crosses the seam is plain data
//! that can be serialised, so that a runtime may live in another process.
//!
//! # Invariants
//! - Knows nothing of pods' specifications, images' origins, probes or restart policies.
//! - Every call of [`Runtime`] is idempotent.

pub mod conformance;
mod container;
mod fake;
mod guest_network;
mod image;
mod sandbox;

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast;

pub use container::{
    ContainerExit, ContainerId, ContainerSpec, ContainerState, ContainerStats, ContainerStatus,
    ExitReason, InstancePolicy, Limits, Mount, PodRef,
};
pub use fake::FakeRuntime;
pub use guest_network::{ConnectRoute, Denied, GuestNetwork, HostNetwork, ResolveError};
pub use image::{Image, ImageKind};
pub use sandbox::Sandbox;

/// Why a runtime could not do what it was asked.
///
/// The text of a variant is shown to users in the container's status.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The image was not prepared, or its files are gone.
    #[error("image `{digest}` is not on this node")]
    ImageMissing {
        /// Digest of the image's manifest.
        digest: String,
    },
    /// The program is not one that this runtime can run.
    #[error("image `{reference}` cannot run: {reason}")]
    InvalidImage {
        /// The image as the pod names it.
        reference: String,
        /// What is wrong with it and, where known, what to do.
        reason: String,
    },
    /// The container's specification asks for something that cannot be had.
    #[error("container cannot be created: {reason}")]
    InvalidSpec {
        /// What cannot be had and why.
        reason: String,
    },
    /// The program could not be started.
    #[error("container cannot be started: {reason}")]
    StartFailed {
        /// What was tried and what went wrong.
        reason: String,
    },
    /// Preparing the image took more time or memory than this node allows.
    #[error("image `{reference}` took too much to compile: {reason}")]
    PrepareLimit {
        /// The image as the pod names it.
        reference: String,
        /// Which limit was met.
        reason: String,
    },
    /// The node has no room: disk, open files, memory mappings or instance slots.
    #[error("node is out of {resource}: {reason}")]
    OutOfResource {
        /// What ran out.
        resource: &'static str,
        /// Figures and the setting that would help.
        reason: String,
    },
    /// There is no container of this id.
    #[error("no container `{id}`")]
    NoSuchContainer {
        /// The id asked for.
        id: ContainerId,
    },
    /// The engine did not answer in time; calling again is safe.
    #[error("runtime did not answer within {after:?}")]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// The runtime's own files or threads failed it.
    #[error("runtime failed while {doing}: {reason}")]
    Internal {
        /// What was being done.
        doing: &'static str,
        /// The error's chain.
        reason: String,
    },
}

/// Something that happened to a container without anybody asking.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub enum RuntimeEvent {
    /// The container's program has ended.
    Exited {
        /// Which container.
        id: ContainerId,
        /// How it ended.
        exit: ContainerExit,
    },
}

/// Runs containers, and knows nothing of pods.
///
/// The kubelet decides and the runtime carries out: a [`ContainerSpec`] arrives with its image
/// pinned by digest, its environment resolved and its mounts on disk, so that an implementation
/// has no choices left to make. Every call is idempotent, because the kubelet repeats any call
/// whose answer it did not see.
#[async_trait]
pub trait Runtime: Send + Sync + 'static {
    /// A short name for logs and for the node's status: `wasm`, `docker`, `fake`.
    fn name(&self) -> &'static str;

    /// Version of the engine behind this runtime, as `name://version` for the node's status.
    fn version(&self) -> String;

    /// Makes an image ready to start: compiles it, or loads it into an engine.
    ///
    /// Returns once [`Runtime::start`] can be quick. Calls for one digest share the work.
    ///
    /// # Errors
    /// [`RuntimeError::InvalidImage`] if it is not a program for this runtime (with the reason: not
    /// Wasm, an import that nobody provides, ...), [`RuntimeError::PrepareLimit`] if it exceeds
    /// the node's limits for compilation, [`RuntimeError::OutOfResource`] if the disk is full.
    async fn prepare(&self, image: &Image) -> Result<(), RuntimeError>;

    /// Creates and starts one container; a second call with the same id changes nothing.
    ///
    /// Once it returns, a container that serves requests accepts connections.
    ///
    /// # Errors
    /// [`RuntimeError::ImageMissing`] if the image was not prepared first,
    /// [`RuntimeError::StartFailed`] if an address cannot be bound or the program is refused.
    async fn start(&self, id: &ContainerId, spec: &ContainerSpec) -> Result<(), RuntimeError>;

    /// Asks the container to stop and, once `grace` (wall-clock) is over, ends it.
    ///
    /// Returns when it has ended. A container that is already gone is success: stopping is about
    /// the end state. A server stops accepting at once and finishes the requests in flight.
    /// Spec: <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination>
    ///
    /// # Errors
    /// [`RuntimeError::TimedOut`] if the engine did not answer; calling again is safe.
    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError>;

    /// Forgets a container that has ended, with all that the runtime keeps of it except its log.
    ///
    /// A running container is ended first, without grace. An unknown id is success.
    ///
    /// # Errors
    /// [`RuntimeError::Internal`] if something of it could not be removed.
    async fn remove(&self, id: &ContainerId) -> Result<(), RuntimeError>;

    /// Every container that was started and not removed.
    ///
    /// # Errors
    /// [`RuntimeError::TimedOut`] if the engine did not answer.
    async fn list(&self) -> Result<Vec<ContainerState>, RuntimeError>;

    /// Events from now on.
    ///
    /// A receiver that lags loses events and must call [`Runtime::list`] again.
    fn watch(&self) -> broadcast::Receiver<RuntimeEvent>;

    /// What a running container has used so far.
    ///
    /// # Errors
    /// [`RuntimeError::NoSuchContainer`].
    async fn stats(&self, id: &ContainerId) -> Result<ContainerStats, RuntimeError>;
}
