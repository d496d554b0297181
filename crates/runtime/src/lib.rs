//! Containers without pods: the seam between the kubelet and whatever runs programs.
//!
//! The kubelet decides, a [`Runtime`] carries out. Everything that crosses the seam is plain data
//! that can be serialised, so that a runtime may live in another process.
//!
//! # Invariants
//! - Knows nothing of pods' specifications, images' origins, probes or restart policies.
//! - Every call of [`Runtime`] is idempotent, except those that connect somebody to a program.

pub mod conformance;
mod container;
mod fake;
mod guest_network;
mod image;
mod linux;
mod log_file;
mod namespace;
mod sandbox;
mod streams;

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast;

pub use container::{
    ContainerExit, ContainerId, ContainerSpec, ContainerState, ContainerStats, ContainerStatus,
    ExitReason, InstancePolicy, Limits, Mount, PodRef, Propagation, Recursive, RequestStats,
};
pub use fake::FakeRuntime;
pub use guest_network::{ConnectRoute, Denied, GuestNetwork, HostNetwork, ResolveError};
pub use image::{Image, ImageKind};
pub use linux::{LinuxPod, LinuxSpec, PortProtocol, PublishedPort, Seccomp};
pub use log_file::{LogFile, LogLimits, rotated_logs};
pub use namespace::{NetworkNamespace, OpenNamespace};
pub use sandbox::Sandbox;
pub use streams::{ExecCommand, Input, Output, Stdio, Streams, TerminalSize};

/// Why a runtime could not do what it was asked.
///
/// The text of a variant is shown to users in the container's status.
#[derive(Debug, thiserror::Error, serde::Serialize, serde::Deserialize)]
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
        resource: Cow<'static, str>,
        /// Figures and the setting that would help.
        reason: String,
    },
    /// There is no container of this id.
    #[error("no container `{id}`")]
    NoSuchContainer {
        /// The id asked for.
        id: ContainerId,
    },
    /// The container has ended, so that nothing can be run in it and nobody can attach to it.
    #[error("container `{id}` is not running")]
    NotRunning {
        /// The id asked for.
        id: ContainerId,
    },
    /// A program could not be run in a container.
    #[error("cannot run `{program}` in the container: {reason}")]
    ExecFailed {
        /// The first word of the command.
        program: String,
        /// What was tried and what went wrong.
        reason: String,
    },
    /// This runtime cannot do that, whatever the container.
    #[error("the {runtime} runtime does not support {what}")]
    Unsupported {
        /// As in [`Runtime::name`].
        runtime: Cow<'static, str>,
        /// What was asked for.
        what: Cow<'static, str>,
    },
    /// The engine behind the runtime cannot be reached; calling again later can help.
    #[error("{engine} cannot be reached: {reason}")]
    Unavailable {
        /// Which engine, and where.
        engine: String,
        /// What was tried and what went wrong.
        reason: String,
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
        doing: Cow<'static, str>,
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
    /// What the runtime keeps of a pod beside its containers, such as a network namespace, has ended
    /// although nobody gave it back: containers that run have lost what they had in common. Told
    /// again by [`Runtime::list`] as long as it is so.
    SandboxEnded {
        /// UID of the pod.
        pod_uid: String,
    },
    /// The runtime was out of touch with its engine and is not any more: containers may have ended
    /// or vanished meanwhile, which [`Runtime::list`] tells.
    Resynced,
}

/// Runs containers, and knows nothing of pods.
///
/// The kubelet decides and the runtime carries out: a [`ContainerSpec`] arrives with its image
/// pinned by digest, its environment resolved and its mounts on disk, so that an implementation
/// has no choices left to make. Every call is idempotent, because the kubelet repeats any call
/// whose answer it did not see; only [`Runtime::exec`] and [`Runtime::attach`] are never repeated.
/// Dropping a call leaves no half of a container behind.
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

    /// Creates and starts one container; a second call with the same id changes nothing, and tells
    /// the end of one that has ended again.
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

    /// Why it cannot run anything at the moment, for the node's status; `None` while it can.
    ///
    /// Asks nobody: it tells what was found out last.
    fn fault(&self) -> Option<String> {
        None
    }

    /// Where all ports of a pod are reached from this process; `None` where that is the pod's own
    /// address and no other, or the pod is not known.
    ///
    /// An engine's proxy takes connections at the pod's address whether or not a program listens
    /// behind it: who wants to know that asks here. Asks nobody: it tells what is known.
    fn pod_address(&self, pod_uid: &str) -> Option<IpAddr> {
        let _ = pod_uid;
        None
    }

    /// Sees to it that a pod has what its containers share in this runtime, before the first of them
    /// starts, and returns its network namespace, for containers of other runtimes to make their
    /// sockets in.
    ///
    /// `None` where a pod has none of its own: on the node's network, and in runtimes whose
    /// containers need none. Another namespace than the time before means that the first is gone.
    ///
    /// # Errors
    /// [`RuntimeError::Unavailable`], [`RuntimeError::Internal`], [`RuntimeError::InvalidSpec`], and
    /// [`RuntimeError::Unsupported`] if there is a namespace that cannot be reached from here.
    async fn open_pod(
        &self,
        pod: &PodRef,
        sandbox: &Sandbox,
        linux: &LinuxPod,
    ) -> Result<Option<NetworkNamespace>, RuntimeError> {
        let (_, _, _) = (pod, sandbox, linux);
        Ok(None)
    }

    /// Gives back what the runtime keeps of a pod beside its containers, such as a network
    /// namespace; containers that are left are ended, without grace, and removed. An unknown uid
    /// is success.
    ///
    /// # Errors
    /// [`RuntimeError::Unavailable`], [`RuntimeError::Internal`]; calling again is safe.
    async fn remove_pod(&self, pod_uid: &str) -> Result<(), RuntimeError> {
        let _ = pod_uid;
        Ok(())
    }

    /// The uids of all pods of which the runtime keeps something that [`Runtime::remove_pod`] gives
    /// back.
    ///
    /// # Errors
    /// [`RuntimeError::Unavailable`], [`RuntimeError::Internal`].
    async fn pods(&self) -> Result<Vec<String>, RuntimeError> {
        Ok(Vec::new())
    }

    /// Events from now on.
    ///
    /// A receiver that lags loses events and must call [`Runtime::list`] again.
    fn watch(&self) -> broadcast::Receiver<RuntimeEvent>;

    /// What a running container has used so far, measured when asked.
    ///
    /// Everything in it but the memory held and the requests in flight only ever grows.
    ///
    /// # Errors
    /// [`RuntimeError::NoSuchContainer`].
    async fn stats(&self, id: &ContainerId) -> Result<ContainerStats, RuntimeError>;

    /// Bytes that a container takes on the node's disk, beside its image, its log and what is mounted
    /// into it: what it has written to its own file system. Measured when asked, which may take long.
    ///
    /// # Errors
    /// [`RuntimeError::NoSuchContainer`], [`RuntimeError::Unavailable`], [`RuntimeError::Internal`].
    async fn disk_bytes(&self, id: &ContainerId) -> Result<u64, RuntimeError> {
        let _ = id;
        Ok(0)
    }

    /// Removes what this runtime keeps only for speed, such as compiled code, until at most
    /// `keep_bytes` of it are left on disk: least recently used first, and nothing that a container
    /// of [`Runtime::list`] uses. Returns the bytes removed.
    ///
    /// Meant to be called now and then with the node's bound for the cache, and with 0 when the
    /// disk is nearly full; an image whose entry was removed is prepared again. A runtime without
    /// such a cache removes nothing.
    ///
    /// # Errors
    /// [`RuntimeError::Internal`] if something could not be removed.
    async fn trim_cache(&self, keep_bytes: u64) -> Result<u64, RuntimeError> {
        let _ = keep_bytes;
        Ok(0)
    }

    /// Runs another program in a running container and returns its exit code.
    ///
    /// The program shares what the container has: its files, environment, network and limits. All
    /// that it wrote has been handed to `streams` when the call returns. It ends with the call:
    /// dropping the future ends the program without grace, and so does the end of the container.
    /// Unlike the other calls this one is not idempotent: each runs the program once.
    ///
    /// # Errors
    /// [`RuntimeError::NoSuchContainer`], [`RuntimeError::NotRunning`],
    /// [`RuntimeError::ExecFailed`] if there is no such program or it could not be started (one
    /// that ran and failed is an exit code), [`RuntimeError::Unsupported`].
    async fn exec(
        &self,
        id: &ContainerId,
        command: &ExecCommand,
        streams: Streams,
    ) -> Result<i32, RuntimeError> {
        let (_, _, _) = (id, command, streams);
        Err(RuntimeError::Unsupported { runtime: self.name().into(), what: "exec".into() })
    }

    /// Connects `streams` to the main program of a running container, until the container ends.
    ///
    /// Output is what the program writes from now on; the log has it all the same. Any number may
    /// be attached at once, and a slow one delays the program. Input goes to the program only if
    /// [`Stdio::stdin`] is set, and the end of that input is the program's only with
    /// [`Stdio::stdin_once`]. Dropping the future detaches and leaves the program alone.
    ///
    /// # Errors
    /// [`RuntimeError::NoSuchContainer`], [`RuntimeError::NotRunning`],
    /// [`RuntimeError::Unsupported`].
    async fn attach(&self, id: &ContainerId, streams: Streams) -> Result<(), RuntimeError> {
        let (_, _) = (id, streams);
        Err(RuntimeError::Unsupported { runtime: self.name().into(), what: "attach".into() })
    }
}
