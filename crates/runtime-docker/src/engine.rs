//! The connection to the engine, and what its errors mean.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, Docker};
use parking_lot::RwLock;
use tokio::net::UnixStream;
use tracing::debug;
use wk_runtime::RuntimeError;

use crate::pause::Arch;

/// How long the engine may take for anything but loading an image.
const ANSWER: Duration = Duration::from_mins(2);
/// How long it may take to say who it is.
const HELLO: Duration = Duration::from_secs(10);
/// The version of the API from which on read-only mounts can be so all the way down.
const RECURSIVE_MOUNTS: (usize, usize) = (1, 44);
/// The number of the capability.
const CAP_SYS_RESOURCE: u32 = 24;

/// The engine behind one socket.
#[derive(Debug)]
pub(crate) struct Engine {
    socket: PathBuf,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    connected: Option<Connected>,
    /// Why it cannot be used; `None` while it can.
    fault: Option<String>,
    /// The last version that was seen.
    version: Option<String>,
}

/// An engine that has answered.
#[derive(Clone, Debug)]
pub(crate) struct Connected {
    pub(crate) docker: Docker,
    pub(crate) facts: Arc<Facts>,
}

/// What the engine says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) version: String,
    pub(crate) arch: Option<Arch>,
    /// Whether the addresses of its networks can be reached from this machine: those of an engine
    /// without root are in a namespace of its own.
    pub(crate) is_reachable: bool,
    /// Whether it can have a program outlive others when memory runs out, which takes
    /// `CAP_SYS_RESOURCE`; engines without it fail to start a container that is to.
    pub(crate) may_prefer: bool,
    /// Whether root in its containers is nobody on the machine.
    pub(crate) maps_users: bool,
    /// Whether it can make what is mounted below a read-only mount read-only, too.
    pub(crate) mounts_recursively: bool,
}

impl Engine {
    pub(crate) fn new(socket: PathBuf) -> Self {
        let state = State { fault: Some("it was not asked yet".to_owned()), ..State::default() };
        Self { socket, state: RwLock::new(state) }
    }

    pub(crate) fn socket(&self) -> &std::path::Path {
        &self.socket
    }

    /// `docker://20.10.24`, or that it is unknown.
    pub(crate) fn version(&self) -> String {
        let state = self.state.read();
        let version = state.version.as_deref().unwrap_or("unknown");
        format!("docker://{version}")
    }

    pub(crate) fn fault(&self) -> Option<String> {
        let fault = self.state.read().fault.clone()?;
        Some(format!("{} cannot be used: {fault}", self.name()))
    }

    fn name(&self) -> String {
        format!("container engine `unix://{}`", self.socket.display())
    }

    /// The engine, connected to if need be.
    ///
    /// # Errors
    /// [`RuntimeError::Unavailable`].
    pub(crate) async fn connected(&self) -> Result<Connected, RuntimeError> {
        if let Some(connected) = &self.state.read().connected {
            return Ok(connected.clone());
        }
        let connected = tokio::time::timeout(HELLO, self.connect())
            .await
            .unwrap_or_else(|_elapsed| Err(format!("no answer within {HELLO:?}")));
        match connected {
            Ok(connected) => {
                let mut state = self.state.write();
                state.version = Some(connected.facts.version.clone());
                state.connected = Some(connected.clone());
                Ok(connected)
            }
            Err(reason) => {
                self.state.write().fault = Some(reason.clone());
                Err(self.unavailable(reason))
            }
        }
    }

    /// The client of the connected engine.
    ///
    /// # Errors
    /// [`RuntimeError::Unavailable`].
    pub(crate) async fn docker(&self) -> Result<Docker, RuntimeError> {
        Ok(self.connected().await?.docker)
    }

    async fn connect(&self) -> Result<Connected, String> {
        let path = self.socket.display().to_string();
        let docker = Docker::connect_with_unix(&path, ANSWER.as_secs(), API_DEFAULT_VERSION)
            .map_err(|error| chain(&error))?;
        let docker = docker.negotiate_version().await.map_err(|error| chain(&error))?;
        let version = docker.version().await.map_err(|error| chain(&error))?;
        let info = docker.info().await.map_err(|error| chain(&error))?;
        let options = info.security_options.unwrap_or_default();
        let rootless = options.iter().any(|option| option.contains("rootless"));
        let facts = Facts {
            version: version.version.unwrap_or_else(|| "unknown".to_owned()),
            arch: version.arch.as_deref().and_then(Arch::parse),
            is_reachable: !rootless,
            may_prefer: !rootless && self.has_cap_sys_resource().await,
            maps_users: rootless || options.iter().any(|option| option.contains("name=userns")),
            mounts_recursively: {
                let spoken = docker.client_version();
                (spoken.major_version, spoken.minor_version) >= RECURSIVE_MOUNTS
            },
        };
        Ok(Connected { docker, facts: Arc::new(facts) })
    }

    /// Whether the process behind the socket has that capability; one that cannot be told has not.
    async fn has_cap_sys_resource(&self) -> bool {
        let peer = UnixStream::connect(&self.socket).await.and_then(|stream| stream.peer_cred());
        let Some(pid) = peer.ok().and_then(|peer| peer.pid()) else { return false };
        let status = tokio::fs::read_to_string(format!("/proc/{pid}/status")).await;
        let status = status.unwrap_or_default();
        let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        let bits = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
        bits.is_some_and(|bits| bits & (1 << CAP_SYS_RESOURCE) != 0)
    }

    /// Notes that all is known of the engine and that it can be used.
    pub(crate) fn note_in_touch(&self) {
        self.state.write().fault = None;
    }

    /// Notes that the engine went away.
    pub(crate) fn note_lost(&self, reason: impl Into<String>) {
        let mut state = self.state.write();
        state.connected = None;
        state.fault = Some(reason.into());
    }

    pub(crate) fn unavailable(&self, reason: impl Into<String>) -> RuntimeError {
        RuntimeError::Unavailable { engine: self.name(), reason: reason.into() }
    }

    /// An error of the engine, or of the way to it, in the words of runtimes.
    pub(crate) fn failed(&self, doing: &'static str, error: &Error) -> RuntimeError {
        debug!(doing, %error, "engine call failed");
        match error {
            Error::DockerResponseServerError { message, .. } => {
                RuntimeError::Internal { doing: doing.into(), reason: message.clone() }
            }
            Error::RequestTimeoutError => RuntimeError::TimedOut { after: ANSWER },
            error if is_broken_connection(error) => self.unavailable(chain(error)),
            error => RuntimeError::Internal { doing: doing.into(), reason: chain(error) },
        }
    }
}

/// The status of an answer that is an error.
pub(crate) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// Whether the engine says that there is no such thing.
pub(crate) fn is_absent(error: &Error) -> bool {
    status(error) == Some(404)
}

fn is_broken_connection(error: &Error) -> bool {
    matches!(
        error,
        Error::IOError { .. }
            | Error::HyperResponseError { .. }
            | Error::HyperLegacyError { .. }
            | Error::SocketNotFoundError { .. }
    )
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
