//! What only containers of Linux programs have: users, capabilities, namespaces, published ports.
//!
//! A runtime for WebAssembly has none of this to give: whoever decides which runtime carries a
//! container out refuses beforehand what would otherwise be ignored.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::ContainerId;
use crate::container::is_default;

/// The part of a container's specification that means something to Linux programs alone.
///
/// The default is what an engine gives by itself: the image's user and the engine's own
/// capabilities and filters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinuxSpec {
    /// `user`, `uid`, `user:group` or `uid:gid`; `None` means the image's.
    pub user: Option<String>,
    /// Further groups of the program, by number.
    pub groups: Vec<u32>,
    /// Whether it may do what root of the node may, with all devices.
    pub privileged: bool,
    /// Whether no program in it can gain more privileges than it was started with.
    pub no_new_privileges: bool,
    /// Whether the image's own files cannot be written.
    pub read_only_root: bool,
    /// Capabilities beyond the engine's default ones, without `CAP_`, or `ALL`.
    pub add_capabilities: Vec<String>,
    /// Capabilities that are taken away, without `CAP_`, or `ALL`.
    pub drop_capabilities: Vec<String>,
    /// Which system calls are let through.
    pub seccomp: Seccomp,
    /// Name of an `AppArmor` profile, or `unconfined`; `None` means the engine's.
    pub apparmor: Option<String>,
    /// Whether the parts of `/proc` that engines hide are shown.
    pub unmasked_proc: bool,
    /// Processor time that it is to have when all want more than there is, in thousandths of a core.
    pub cpu_request_millis: Option<u64>,
    /// Most processes and threads at a time; `None` is unbounded.
    pub max_pids: Option<u32>,
    /// Who ends first when the node runs out of memory: -1000 (never) to 1000.
    pub oom_score_adj: i32,
    /// Another container of the pod whose processes this one sees, and that one's its own.
    #[serde(default, skip_serializing_if = "is_default")]
    pub target: Option<ContainerId>,
    /// What all containers of the pod have in common, and so say the same of.
    pub pod: LinuxPod,
}

/// What the Linux containers of a pod share beside its [`Sandbox`](crate::Sandbox).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinuxPod {
    /// Ports that are reached from outside of the pod's network namespace. None for pods of the
    /// host's network, and where the pod's address is inside of its namespace.
    pub published: Vec<PublishedPort>,
    /// Whether its containers see the processes of the node.
    pub host_pid: bool,
    /// Whether they share the node's inter-process communication.
    pub host_ipc: bool,
    /// Whether they see each other's processes.
    pub share_processes: bool,
    /// Whether root in its containers is to be nobody on the node.
    #[serde(default, skip_serializing_if = "is_default")]
    pub own_users: bool,
    /// Kernel settings of the pod's namespaces.
    pub sysctls: BTreeMap<String, String>,
}

/// A port of a pod, and where on the node it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PublishedPort {
    /// Where connections are taken.
    pub node: SocketAddr,
    /// The port inside of the pod.
    pub port: u16,
    /// What is spoken at both.
    pub protocol: PortProtocol,
}

/// A transport protocol.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub enum PortProtocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// Which system calls a container's programs may make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seccomp {
    /// Those of the engine's own profile.
    #[default]
    EngineDefault,
    /// All.
    Unconfined,
    /// Those of this profile: the text of a JSON file in the format of container engines.
    Profile(String),
}
