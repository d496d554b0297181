//! The other end: the runtime as its user has it.

mod follow;
mod link;
mod process;
mod streams;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::{Mutex, RwLock};
use tokio::sync::broadcast;
use tracing::warn;
use wk_process::TaskGroup;
use wk_runtime::{
    ContainerId, ContainerSpec, ContainerState, ContainerStats, ExecCommand, Image, LinuxPod,
    NetworkNamespace, PodRef, Runtime, RuntimeError, RuntimeEvent, Sandbox, Streams,
};

use self::link::{Link, greeted};
use self::process::Process;
use crate::launch::Launch;
use crate::wire::{Answer, Call, Greeting, Parting, Request};

const EVENTS: usize = 4096;
/// How long a host may take for what it does at once.
const AT_ONCE: Duration = Duration::from_secs(30);
/// How long it may take until an image is prepared: it bounds each compilation, and they queue.
const PREPARED: Duration = Duration::from_mins(15);
/// What it may take longer to stop a container than that is given.
const STOPPED: Duration = Duration::from_mins(1);
/// What a host may take longer to end than its containers are given.
const ENDED: Duration = Duration::from_secs(20);

/// Which host, and what to do where there is none.
#[derive(Clone)]
pub struct RemoteConfig {
    /// The host's socket.
    pub socket: PathBuf,
    /// The name of the runtime behind it; another one is refused.
    pub name: &'static str,
    /// Version of this program: a host of another version that has no containers is replaced.
    pub version: String,
    /// Starts a host where there is none; `None` waits for one that somebody else starts.
    pub launch: Option<Arc<dyn Launch>>,
}

impl fmt::Debug for RemoteConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteConfig")
            .field("socket", &self.socket)
            .field("name", &self.name)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Why there is no host to work with.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It speaks another protocol and has containers.
    #[error(
        "the {runtime} host at `{socket}` is of version {version}, which this version cannot talk \
         to, and it has {containers} containers\nhint: remove its pods first (`kubectl drain`), or \
         end it and them with `kill {pid}`, or use version {version} again"
    )]
    Protocol {
        /// The runtime that was wanted.
        runtime: &'static str,
        /// Its socket.
        socket: PathBuf,
        /// Its version.
        version: String,
        /// Its process id.
        pid: u32,
        /// Containers that it has, ended ones included.
        containers: usize,
    },
    /// It is the host of something else.
    #[error("the host at `{socket}` runs `{found}` instead of `{wanted}` containers")]
    OtherRuntime {
        /// Its socket.
        socket: PathBuf,
        /// What it is.
        found: String,
        /// What was wanted.
        wanted: &'static str,
    },
    /// There was none, and none could be started.
    #[error("the {runtime} host could not be started")]
    Launch {
        /// The runtime that was wanted.
        runtime: &'static str,
        /// Why.
        source: io::Error,
    },
    /// It is not there, or did not behave.
    #[error("cannot talk to the {runtime} host at `{socket}`")]
    Io {
        /// The runtime that was wanted.
        runtime: &'static str,
        /// Its socket.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A runtime in another process.
///
/// A host that goes away takes its containers with it: they are reported as ended for a reason that
/// nobody knows, a new host is started, and what uses the runtime is told to look again.
#[derive(Clone)]
pub struct RemoteRuntime {
    shared: Arc<Shared>,
}

/// What the parts of the client share.
struct Shared {
    config: RemoteConfig,
    /// `None` while there is no session.
    link: RwLock<Option<Arc<Link>>>,
    /// Of the host that was met last.
    greeting: RwLock<Greeting>,
    fault: RwLock<Option<String>>,
    /// Containers that run, or are being started and have not been told to have ended: whether they
    /// were.
    known: Mutex<HashMap<ContainerId, bool>>,
    events: broadcast::Sender<RuntimeEvent>,
    tasks: TaskGroup,
}

impl fmt::Debug for RemoteRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteRuntime")
            .field("config", &self.shared.config)
            .field("greeting", &*self.shared.greeting.read())
            .finish_non_exhaustive()
    }
}

impl RemoteRuntime {
    /// Begins a session with the host, which is started where there is none, and follows it from then
    /// on in a task of `tasks`. Dropping the runtime alone does not end the session.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(config: RemoteConfig, tasks: TaskGroup) -> Result<Self, ConnectError> {
        let opened = follow::open(&config).await?;
        let shared = Arc::new(Shared {
            config,
            link: RwLock::default(),
            greeting: RwLock::new(opened.greeting.clone()),
            fault: RwLock::default(),
            known: Mutex::default(),
            events: broadcast::Sender::new(EVENTS),
            tasks,
        });
        shared.adopt(&opened).await?;
        let following = Arc::clone(&shared);
        shared.tasks.spawn("runtime host", async move {
            follow::run(following, opened).await;
            Ok(())
        });
        Ok(Self { shared })
    }

    /// How the host that was met last introduced itself.
    pub fn host(&self) -> Greeting {
        self.shared.greeting.read().clone()
    }

    /// Has the host end with all of its containers, each within `grace` (wall-clock); one that does not
    /// is ended by force. To be called when this runtime is not followed any more, since a host that is
    /// missed is started again.
    ///
    /// # Errors
    /// If that could not be asked. That there is no host is success.
    pub async fn end_host(&self, grace: Duration) -> io::Result<()> {
        let socket = &self.shared.config.socket;
        let asking = async {
            let (connection, greeting) = match greeted(socket).await {
                Ok(greeted) => greeted,
                Err(error) if is_absent(&error) => return Ok(None),
                Err(error) => return Err(error),
            };
            // A host in this process ends with its connections.
            let is_apart = greeting.pid != std::process::id();
            let process = if is_apart { Some(Process::open(greeting.pid)?) } else { None };
            connection.send(&Request::End { grace }).await?;
            // It may be faster than its answer.
            let _told: io::Result<Parting> = connection.expect().await;
            Ok(Some((connection, process)))
        };
        let Some((connection, process)) = within(AT_ONCE, asking).await? else { return Ok(()) };
        let ended = async {
            connection.hung_up().await;
            if let Some(process) = &process {
                process.ended().await;
            }
        };
        if tokio::time::timeout(grace + ENDED, ended).await.is_ok() {
            return Ok(());
        }
        warn!("the host does not end");
        if let Some(process) = process {
            process.kill()?;
            process.ended().await;
        }
        Ok(())
    }
}

async fn within<T>(time: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(time, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Whether nobody listens on a socket.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

impl Shared {
    fn unavailable(&self, reason: impl Into<String>) -> RuntimeError {
        let engine = format!("the {} host", self.config.name);
        RuntimeError::Unavailable { engine, reason: reason.into() }
    }

    /// The session.
    fn link(&self) -> Result<Arc<Link>, RuntimeError> {
        let link = self.link.read().clone();
        link.ok_or_else(|| {
            let fault = self.fault.read().clone();
            self.unavailable(fault.unwrap_or_else(|| "it was not met yet".to_owned()))
        })
    }

    async fn call(&self, call: Call<'_>, within: Duration) -> Result<Answer, RuntimeError> {
        let link = self.link()?;
        let answer = tokio::time::timeout(within, link.ask(call))
            .await
            .map_err(|_elapsed| RuntimeError::TimedOut { after: within })?;
        self.understood(answer)
    }

    fn understood(&self, answer: io::Result<Answer>) -> Result<Answer, RuntimeError> {
        match answer {
            Ok(Answer::Failed(error)) => Err(error),
            Ok(Answer::Stale) => Err(self.unavailable("the session is over")),
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.unavailable(error.to_string())),
        }
    }

    /// [`Shared::call`] for what is answered with nothing.
    async fn tell(&self, call: Call<'_>, within: Duration) -> Result<(), RuntimeError> {
        match self.call(call, within).await? {
            Answer::Done => Ok(()),
            _ => Err(self.confused()),
        }
    }

    fn confused(&self) -> RuntimeError {
        self.unavailable("it answered something else than it was asked")
    }
}

/// A container on its way, which is forgotten unless it starts.
struct Starting<'a> {
    known: &'a Mutex<HashMap<ContainerId, bool>>,
    id: &'a ContainerId,
}

impl<'a> Starting<'a> {
    /// Notes it before it starts, since its end may be told before its start is.
    fn note(known: &'a Mutex<HashMap<ContainerId, bool>>, id: &'a ContainerId) -> Self {
        known.lock().entry(id.clone()).or_insert(false);
        Self { known, id }
    }

    fn succeeded(self) {
        if let Some(started) = self.known.lock().get_mut(self.id) {
            *started = true;
        }
    }
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        let mut known = self.known.lock();
        if known.get(self.id) == Some(&false) {
            known.remove(self.id);
        }
    }
}

#[async_trait]
impl Runtime for RemoteRuntime {
    fn name(&self) -> &'static str {
        self.shared.config.name
    }

    fn version(&self) -> String {
        self.shared.greeting.read().engine.clone()
    }

    async fn prepare(&self, image: &Image) -> Result<(), RuntimeError> {
        let call = Call::Prepare { image: Cow::Borrowed(image) };
        self.shared.tell(call, PREPARED).await
    }

    async fn start(&self, id: &ContainerId, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        let starting = Starting::note(&self.shared.known, id);
        let call = Call::Start { id: Cow::Borrowed(id), spec: Cow::Borrowed(spec) };
        self.shared.tell(call, AT_ONCE).await?;
        starting.succeeded();
        Ok(())
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError> {
        let call = Call::Stop { id: Cow::Borrowed(id), grace };
        self.shared.tell(call, grace + STOPPED).await
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        self.shared.tell(Call::Remove { id: Cow::Borrowed(id) }, STOPPED).await?;
        self.shared.known.lock().remove(id);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<ContainerState>, RuntimeError> {
        match self.shared.call(Call::List, AT_ONCE).await? {
            Answer::Containers(containers) => Ok(containers),
            _ => Err(self.shared.confused()),
        }
    }

    fn fault(&self) -> Option<String> {
        self.shared.fault.read().clone()
    }

    async fn open_pod(
        &self,
        pod: &PodRef,
        sandbox: &Sandbox,
        linux: &LinuxPod,
    ) -> Result<Option<NetworkNamespace>, RuntimeError> {
        let call = Call::OpenPod {
            pod: Cow::Borrowed(pod),
            sandbox: Cow::Borrowed(sandbox),
            linux: Cow::Borrowed(linux),
        };
        match self.shared.call(call, AT_ONCE).await? {
            Answer::Namespace(namespace) => Ok(namespace),
            _ => Err(self.shared.confused()),
        }
    }

    async fn remove_pod(&self, pod_uid: &str) -> Result<(), RuntimeError> {
        self.shared.tell(Call::RemovePod { uid: Cow::Borrowed(pod_uid) }, STOPPED).await
    }

    async fn pods(&self) -> Result<Vec<String>, RuntimeError> {
        match self.shared.call(Call::Pods, AT_ONCE).await? {
            Answer::Pods(uids) => Ok(uids),
            _ => Err(self.shared.confused()),
        }
    }

    fn watch(&self) -> broadcast::Receiver<RuntimeEvent> {
        self.shared.events.subscribe()
    }

    async fn stats(&self, id: &ContainerId) -> Result<ContainerStats, RuntimeError> {
        match self.shared.call(Call::Stats { id: Cow::Borrowed(id) }, AT_ONCE).await? {
            Answer::Stats(stats) => Ok(stats),
            _ => Err(self.shared.confused()),
        }
    }

    async fn trim_cache(&self, keep_bytes: u64) -> Result<u64, RuntimeError> {
        match self.shared.call(Call::TrimCache { keep_bytes }, STOPPED).await? {
            Answer::Bytes(bytes) => Ok(bytes),
            _ => Err(self.shared.confused()),
        }
    }

    async fn exec(
        &self,
        id: &ContainerId,
        command: &ExecCommand,
        streams: Streams,
    ) -> Result<i32, RuntimeError> {
        let set = streams::set(&streams);
        let command = Cow::Borrowed(command);
        let call = Call::Exec { id: Cow::Borrowed(id), command, streams: set };
        match self.shared.converse(call, streams).await? {
            Answer::Code(code) => Ok(code),
            _ => Err(self.shared.confused()),
        }
    }

    async fn attach(&self, id: &ContainerId, streams: Streams) -> Result<(), RuntimeError> {
        let set = streams::set(&streams);
        let call = Call::Attach { id: Cow::Borrowed(id), streams: set };
        match self.shared.converse(call, streams).await? {
            Answer::Done => Ok(()),
            _ => Err(self.shared.confused()),
        }
    }
}
