//! What a container is made of, and how it fares.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::{Image, LinuxSpec, LogLimits, Sandbox, Stdio};

/// Names one run of one container: a restart has a new id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContainerId(String);

impl ContainerId {
    /// Takes an id that is unique on this node.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The pod that a container belongs to; for labels, messages and metrics only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PodRef {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub name: String,
    /// UID of the pod.
    pub uid: String,
}

/// Everything a runtime needs in order to run one container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// The pod it belongs to.
    pub pod: PodRef,
    /// Name of the container within its pod.
    pub name: String,
    /// How often this container of the pod was started before: 0 for the first run.
    pub attempt: u32,
    /// The image, pinned.
    pub image: Image,
    /// `command` of the pod; empty means the image's entry point.
    pub command: Vec<String>,
    /// `args` of the pod; empty means the image's, unless `command` is given.
    pub args: Vec<String>,
    /// The whole environment, resolved, in order; a later name wins.
    pub env: Vec<(String, String)>,
    /// Working directory; `None` means the image's, else `/`.
    pub working_dir: Option<String>,
    /// What appears in the container's file system.
    pub mounts: Vec<Mount>,
    /// What it may use.
    pub limits: Limits,
    /// Addresses, names and namespaces shared by the pod.
    pub sandbox: Sandbox,
    /// The TCP ports that the pod declares (`containerPort`), in order.
    pub ports: Vec<u16>,
    /// The log file, in the CRI text format; its folder exists.
    pub log_path: PathBuf,
    /// How much of the log is kept; who writes it also rotates it, with a [`crate::LogFile`].
    pub log_limits: LogLimits,
    /// Where the program may leave its termination message, as the program sees it.
    pub termination_message_path: String,
    /// Annotations of the pod, for settings of the runtime.
    pub annotations: BTreeMap<String, String>,
    /// Whether request handlers get a fresh instance each time.
    pub instances: InstancePolicy,
    /// How its program is connected to the outside.
    pub stdio: Stdio,
    /// What only Linux programs have.
    pub linux: LinuxSpec,
}

/// A folder or file of the node that the container sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute path on the node; it exists.
    pub host_path: PathBuf,
    /// Absolute path in the container.
    pub container_path: String,
    /// Whether writing is refused.
    pub read_only: bool,
    /// Whether that holds for what is mounted below it, too; a runtime whose programs see no mounts
    /// has no other way.
    #[serde(default, skip_serializing_if = "is_default")]
    pub recursive_read_only: Recursive,
    /// Whether mounts that are made below it later are seen on the other side.
    #[serde(default, skip_serializing_if = "is_default")]
    pub propagation: Propagation,
}

/// Whether something holds for what is mounted below a mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recursive {
    /// No.
    #[default]
    No,
    /// Where the runtime can do it.
    IfPossible,
    /// It has to, or the container cannot be had.
    Yes,
}

/// Which side of a mount sees the mounts that the other one makes below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Propagation {
    /// Neither.
    #[default]
    None,
    /// The container sees those of the node.
    HostToContainer,
    /// Both do.
    Bidirectional,
}

/// Whether a field need not be written down.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Bounds on what a container may use; `None` is unbounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory of all its instances together, in bytes.
    pub memory_bytes: Option<u64>,
    /// Processor time in thousandths of a core.
    pub cpu_millis: Option<u64>,
}

/// Whether instances of a request handler outlive a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum InstancePolicy {
    /// Each request gets an instance that never saw another one: isolation between requests.
    #[default]
    PerRequest,
    /// Instances are kept and serve many requests, one at a time: speed.
    Reused,
}

/// A container as its runtime knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContainerState {
    /// Its id.
    pub id: ContainerId,
    /// The pod it belongs to.
    pub pod: PodRef,
    /// Name of the container within its pod.
    pub name: String,
    /// As in [`ContainerSpec::attempt`].
    pub attempt: u32,
    /// Digest of the image's manifest.
    pub image_digest: String,
    /// When it was started.
    pub started_at: SystemTime,
    /// Running or ended.
    pub status: ContainerStatus,
}

/// Where a container is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerStatus {
    /// Its program runs.
    Running,
    /// Its program has ended.
    Exited(ContainerExit),
}

/// How a container's program ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerExit {
    /// Exit code: 0 is success, 137 when it was ended by force or by its memory limit.
    pub code: i32,
    /// Why it ended.
    pub reason: ExitReason,
    /// For people: what the program left as its termination message, or the trap with its
    /// symbolised backtrace. At most 4,096 bytes; may be empty.
    pub message: String,
    /// When it ended.
    pub finished_at: SystemTime,
}

/// Why a container's program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitReason {
    /// It returned with code 0.
    Completed,
    /// It returned another code, or trapped.
    Error,
    /// It needed more memory than its limit.
    OomKilled,
    /// It could not be started after all.
    StartError,
    /// What ran it is gone, and has told nobody.
    Unknown,
}

impl ExitReason {
    /// The word that Kubernetes uses in `state.terminated.reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "Completed",
            Self::Error => "Error",
            Self::OomKilled => "OOMKilled",
            Self::StartError => "StartError",
            Self::Unknown => "Unknown",
        }
    }
}

/// What a container has used since it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerStats {
    /// When it was started, as in [`ContainerState::started_at`].
    pub started_at: SystemTime,
    /// Processor time of the guest's own code and of the calls it made.
    pub cpu: Duration,
    /// Memory that it holds now and that counts against its limit, in bytes: for a Wasm program the
    /// memories and tables of its live instances, which is nothing while no instance is there.
    pub memory_bytes: u64,
    /// The most that `memory_bytes` has been.
    pub memory_peak_bytes: u64,
    /// Processes and threads that it has now; none for a Wasm program.
    #[serde(default, skip_serializing_if = "is_default")]
    pub processes: u64,
    /// What it was asked, if it serves requests and its runtime sees them; `None` otherwise.
    pub requests: Option<RequestStats>,
}

/// The requests of a container that serves them, since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestStats {
    /// Requests taken in, whatever became of them.
    pub total: u64,
    /// Those that are being worked on now.
    pub in_flight: u64,
    /// The time that all of them have been in flight, added up: what it grows by in a second is the
    /// mean number of requests in flight during that second.
    pub time: Duration,
}
