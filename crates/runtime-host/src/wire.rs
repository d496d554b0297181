//! What is said on a connection.
//!
//! The host begins with a [`Greeting`]. Then follows a [`Request`] and what it is answered with, again
//! and again on one connection, except that [`Request::Watch`] is the last one of its connection.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wk_runtime::{
    ContainerId, ContainerSpec, ContainerState, ContainerStats, ExecCommand, Image, LinuxPod,
    NetworkNamespace, PodRef, RuntimeError, RuntimeEvent, Sandbox, TerminalSize,
};

/// The number of the protocol: another one for every change that the other side may not ignore.
///
/// A test compares the shape of each message with what it was.
pub const PROTOCOL: u32 = 1;

/// How a host introduces itself, on every connection.
///
/// It never changes, except that it may gain fields: hosts and those who come to them may be of any
/// two versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// As [`PROTOCOL`] was when the host was built.
    pub protocol: u32,
    /// Version of the program.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// As in [`Runtime::name`](wk_runtime::Runtime::name).
    pub runtime: String,
    /// As in [`Runtime::version`](wk_runtime::Runtime::version).
    pub engine: String,
    /// Files and sockets that it may hold open; `None` is unlimited.
    pub open_files: Option<u64>,
}

/// What is asked of a host.
///
/// The first two never change, like the greeting.
#[derive(Debug, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "each is sent or carried out at once, and not kept")]
pub(crate) enum Request<'a> {
    /// End, if there are no containers; answered with [`Parting`].
    Retire,
    /// Stop all containers, which may take this long to end, and end; answered with [`Parting`].
    End { grace: Duration },
    /// Begin a session and tell what happens; answered with [`News`], without an end.
    Watch,
    /// Carry out a call of a session; answered with [`Answer`].
    Call { session: Cow<'a, str>, call: Call<'a> },
    /// While a program runs for this connection: the size of its terminal. Not answered.
    Resize(TerminalSize),
}

/// Whether a host ends that was asked to. It never changes, like the greeting.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Parting {
    /// It does, and the connection ends with it.
    Ending,
    /// It has this many containers, ended ones included, and goes on.
    InUse { containers: usize },
}

/// A call of [`Runtime`](wk_runtime::Runtime).
#[derive(Debug, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "each is sent or carried out at once, and not kept")]
pub(crate) enum Call<'a> {
    Prepare {
        image: Cow<'a, Image>,
    },
    Start {
        id: Cow<'a, ContainerId>,
        spec: Cow<'a, ContainerSpec>,
    },
    Stop {
        id: Cow<'a, ContainerId>,
        grace: Duration,
    },
    Remove {
        id: Cow<'a, ContainerId>,
    },
    List,
    OpenPod {
        pod: Cow<'a, PodRef>,
        sandbox: Cow<'a, Sandbox>,
        linux: Cow<'a, LinuxPod>,
    },
    RemovePod {
        uid: Cow<'a, str>,
    },
    Pods,
    Stats {
        id: Cow<'a, ContainerId>,
    },
    TrimCache {
        keep_bytes: u64,
    },
    /// The streams that there are come as open files, in the order of [`StreamSet`].
    Exec {
        id: Cow<'a, ContainerId>,
        command: Cow<'a, ExecCommand>,
        streams: StreamSet,
    },
    Attach {
        id: Cow<'a, ContainerId>,
        streams: StreamSet,
    },
}

/// Which of a program's streams somebody is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StreamSet {
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
}

/// What becomes of a [`Call`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done,
    Containers(Vec<ContainerState>),
    Namespace(Option<NetworkNamespace>),
    Stats(ContainerStats),
    Pods(Vec<String>),
    Bytes(u64),
    Code(i32),
    Failed(RuntimeError),
    /// The session is over: somebody else has come, or the host is another one.
    Stale,
}

/// What a session is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum News {
    /// First: its name, for the calls.
    Opened {
        session: String,
    },
    Event(RuntimeEvent),
}
