//! A host in this process, with a fake runtime, and somebody who uses it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::broadcast;
use wk_process::TaskGroup;
use wk_runtime::{
    ContainerExit, ContainerId, ContainerSpec, ExecCommand, FakeRuntime, Image, ImageKind,
    InstancePolicy, Limits, LinuxSpec, LogLimits, PodRef, Runtime as _, RuntimeEvent, Sandbox,
    Stdio,
};
use wk_runtime_host::{Host, HostConfig, HostSocket, Launch, RemoteConfig, RemoteRuntime};

const PATIENCE: Duration = Duration::from_mins(1);
pub(crate) const VERSION: &str = "v1";

/// The host that runs now.
#[derive(Debug)]
struct Running {
    host: Host,
    runtime: Arc<FakeRuntime>,
    tasks: TaskGroup,
}

/// Where hosts are started, also by whoever misses one.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) socket: PathBuf,
    running: Mutex<Option<Running>>,
}

impl Place {
    pub(crate) fn new(folder: &Path) -> Arc<Self> {
        Arc::new(Self { socket: folder.join("host.sock"), running: Mutex::default() })
    }

    pub(crate) fn start_host(&self, runtime: &Arc<FakeRuntime>, version: &str) -> io::Result<()> {
        let socket = HostSocket::listen(&self.socket).map_err(io::Error::other)?;
        let tasks = TaskGroup::new("host");
        let config = HostConfig { version: version.to_owned(), open_files: Some(1024) };
        let runtime = Arc::clone(runtime);
        let host = Host::start(socket, Arc::clone(&runtime) as _, config, &tasks);
        *self.running.lock().unwrap() = Some(Running { host, runtime, tasks });
        Ok(())
    }

    pub(crate) fn host(&self) -> Host {
        self.running.lock().unwrap().as_ref().unwrap().host.clone()
    }

    pub(crate) async fn kill_host(&self) {
        let running = self.running.lock().unwrap().take();
        if let Some(running) = running {
            running.tasks.shutdown(PATIENCE).await;
        }
    }
}

#[async_trait]
impl Launch for Place {
    async fn launch(&self) -> io::Result<()> {
        self.start_host(&Arc::new(FakeRuntime::new()), VERSION)
    }
}

pub(crate) fn config(place: &Arc<Place>, launches: bool) -> RemoteConfig {
    RemoteConfig {
        socket: place.socket.clone(),
        name: "fake",
        version: VERSION.to_owned(),
        launch: launches.then(|| Arc::clone(place) as Arc<dyn Launch>),
    }
}

pub(crate) struct Bench {
    pub(crate) remote: RemoteRuntime,
    pub(crate) fake: Arc<FakeRuntime>,
    place: Arc<Place>,
    tasks: TaskGroup,
    _folder: TempDir,
}

impl Bench {
    /// A host, and somebody who would not start another one.
    pub(crate) async fn start() -> Self {
        Self::with(false).await
    }

    /// The same with somebody who starts a host where there is none.
    pub(crate) async fn launching() -> Self {
        Self::with(true).await
    }

    async fn with(launches: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(folder.path());
        let fake = Arc::new(FakeRuntime::new());
        if !launches {
            place.start_host(&fake, VERSION).unwrap();
        }
        let tasks = TaskGroup::new("remote");
        let remote = RemoteRuntime::connect(config(&place, launches), tasks.clone()).await.unwrap();
        Self { remote, fake, place, tasks, _folder: folder }
    }

    /// The runtime of the host that runs now.
    pub(crate) fn runtime(&self) -> Arc<FakeRuntime> {
        Arc::clone(&self.place.running.lock().unwrap().as_ref().unwrap().runtime)
    }

    pub(crate) fn host(&self) -> Host {
        self.place.host()
    }

    pub(crate) fn start_host(&self, runtime: &Arc<FakeRuntime>) {
        self.place.start_host(runtime, VERSION).unwrap();
    }

    pub(crate) async fn kill_host(&self) {
        self.place.kill_host().await;
    }

    /// Starts a container.
    pub(crate) async fn run(&self, id: &str, spec: &ContainerSpec) -> ContainerId {
        let id = ContainerId::new(id);
        self.remote.prepare(&spec.image).await.unwrap();
        self.remote.start(&id, spec).await.unwrap();
        id
    }

    /// Whoever uses the host ends.
    pub(crate) async fn leave(&self) {
        assert!(self.tasks.shutdown(PATIENCE).await.is_empty());
    }

    /// Somebody else comes.
    pub(crate) async fn come(&self) -> (RemoteRuntime, TaskGroup) {
        let tasks = TaskGroup::new("next");
        let remote = RemoteRuntime::connect(config(&self.place, false), tasks.clone());
        (remote.await.unwrap(), tasks)
    }

    /// Both end; the names of tasks that do not.
    pub(crate) async fn stop(self) -> Vec<String> {
        let mut left = self.tasks.shutdown(PATIENCE).await;
        let running = self.place.running.lock().unwrap().take().unwrap();
        left.extend(running.tasks.shutdown(PATIENCE).await);
        left
    }
}

pub(crate) fn command(argv: &[&str]) -> ExecCommand {
    ExecCommand { argv: argv.iter().map(|word| (*word).to_owned()).collect(), tty: false }
}

pub(crate) fn spec() -> ContainerSpec {
    ContainerSpec {
        pod: PodRef { namespace: "test".into(), name: "pod".into(), uid: "uid".into() },
        name: "main".to_owned(),
        attempt: 0,
        image: Image {
            reference: "example.test/guest:1".to_owned(),
            digest: "sha256:1".to_owned(),
            kind: ImageKind::Wasm {
                module: "/nowhere".into(),
                module_digest: "sha256:2".to_owned(),
                rootfs: None,
            },
            entrypoint: Vec::new(),
            cmd: Vec::new(),
            env: Vec::new(),
            working_dir: None,
        },
        command: Vec::new(),
        args: Vec::new(),
        env: Vec::new(),
        working_dir: None,
        mounts: Vec::new(),
        limits: Limits::default(),
        sandbox: Sandbox {
            pod_uid: "uid".into(),
            namespace: "test".into(),
            hostname: "pod".into(),
            ip: [127, 64, 0, 1].into(),
            loopback: [127, 96, 0, 1].into(),
            netns: None,
            host_network: false,
            host_aliases: BTreeMap::new(),
        },
        ports: Vec::new(),
        log_path: "/nowhere/0.log".into(),
        log_limits: LogLimits::default(),
        termination_message_path: "/dev/termination-log".to_owned(),
        annotations: BTreeMap::new(),
        instances: InstancePolicy::PerRequest,
        stdio: Stdio::default(),
        linux: LinuxSpec::default(),
    }
}

pub(crate) async fn within<T>(step: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, step).await.expect("it happens in time")
}

/// Waits until a container has ended and tells how.
pub(crate) async fn exit(
    events: &mut broadcast::Receiver<RuntimeEvent>,
    id: &ContainerId,
) -> ContainerExit {
    within(async {
        loop {
            if let RuntimeEvent::Exited { id: ended, exit } = events.recv().await.unwrap()
                && ended == *id
            {
                return exit;
            }
        }
    })
    .await
}

pub(crate) async fn resynced(events: &mut broadcast::Receiver<RuntimeEvent>) {
    within(async { while !matches!(events.recv().await, Ok(RuntimeEvent::Resynced)) {} }).await;
}

/// Polls until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let mut turns = tokio::time::interval(Duration::from_millis(2));
    let waiting = async {
        while !condition() {
            turns.tick().await;
        }
    };
    let patience = tokio::time::timeout(PATIENCE, waiting).await;
    patience.unwrap_or_else(|_| panic!("never: {what}"));
}
