//! A runtime with everything that it needs in a temporary folder.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wk_process::TaskGroup;
use wk_runtime::{
    ConnectRoute, ContainerExit, ContainerId, ContainerSpec, Denied, GuestNetwork, HostNetwork,
    Image, ImageKind, InstancePolicy, Limits, PodRef, ResolveError, Runtime as _, RuntimeError,
    RuntimeEvent, Sandbox,
};
use wk_runtime_wasm::{WasmConfig, WasmRuntime};

const PATIENCE: Duration = Duration::from_mins(1);

/// What pods of these tests see as their address.
pub(crate) const SHOWN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3));

/// Puts every bound address on a free port of a loopback address, and remembers where.
#[derive(Debug, Default)]
pub(crate) struct LoopbackNetwork {
    real: Mutex<Vec<SocketAddr>>,
}

#[async_trait]
impl GuestNetwork for LoopbackNetwork {
    fn bind(&self, sandbox: &Sandbox, _wanted: SocketAddr) -> Result<SocketAddr, Denied> {
        Ok(SocketAddr::new(sandbox.ip, 0))
    }

    fn connect(&self, _sandbox: &Sandbox, wanted: SocketAddr) -> Result<ConnectRoute, Denied> {
        Ok(ConnectRoute { from: None, to: wanted, inside: true })
    }

    fn shown(&self, _sandbox: &Sandbox, real: SocketAddr) -> SocketAddr {
        self.real.lock().unwrap().push(real);
        SocketAddr::new(SHOWN, 80)
    }

    async fn resolve(&self, sandbox: &Sandbox, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        HostNetwork.resolve(sandbox, name).await
    }
}

impl LoopbackNetwork {
    /// The real address that was last shown to a guest.
    pub(crate) fn last(&self) -> Option<SocketAddr> {
        self.real.lock().unwrap().last().copied()
    }
}

pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) runtime: WasmRuntime,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(tempfile::tempdir().unwrap(), env!("CARGO_BIN_EXE_wk-wasm-compile"), |_| ())
    }

    pub(crate) fn with(
        folder: TempDir,
        compiler: &str,
        adjust: impl FnOnce(&mut WasmConfig),
    ) -> Self {
        Self::on(folder, compiler, adjust, Arc::new(HostNetwork))
    }

    pub(crate) fn on(
        folder: TempDir,
        compiler: &str,
        adjust: impl FnOnce(&mut WasmConfig),
        network: Arc<dyn GuestNetwork>,
    ) -> Self {
        let mut config = WasmConfig::new(
            folder.path().join("compiled"),
            folder.path().join("state"),
            vec![compiler.into()],
        );
        config.guest_threads = 2;
        config.instances = 256;
        adjust(&mut config);
        let runtime = WasmRuntime::new(config, network, TaskGroup::new("test")).unwrap();
        Self { folder, runtime }
    }

    /// An image of a program in the text format, or of any other bytes.
    pub(crate) fn image(&self, text: &str) -> Image {
        self.image_of(&wat::parse_str(text).unwrap())
    }

    pub(crate) fn image_of(&self, bytes: &[u8]) -> Image {
        let mut digest = "sha256:".to_owned();
        for byte in Sha256::digest(bytes) {
            write!(digest, "{byte:02x}").unwrap();
        }
        let module = self.folder.path().join(digest.replace(':', "-"));
        std::fs::write(&module, bytes).unwrap();
        Image {
            reference: "example.test/guest:1".to_owned(),
            digest: digest.clone(),
            kind: ImageKind::Wasm { module, module_digest: digest, rootfs: None },
            entrypoint: Vec::new(),
            cmd: Vec::new(),
            env: Vec::new(),
            working_dir: None,
        }
    }

    pub(crate) fn spec(&self, text: &str) -> ContainerSpec {
        self.spec_of(self.image(text))
    }

    pub(crate) fn spec_of(&self, image: Image) -> ContainerSpec {
        ContainerSpec {
            pod: PodRef { namespace: "test".into(), name: "pod".into(), uid: "uid".into() },
            name: "main".to_owned(),
            attempt: 0,
            image,
            command: Vec::new(),
            args: Vec::new(),
            env: Vec::new(),
            working_dir: None,
            mounts: Vec::new(),
            limits: Limits::default(),
            sandbox: sandbox(),
            ports: Vec::new(),
            log_path: self.log(),
            log_limits: wk_runtime::LogLimits::default(),
            termination_message_path: "/dev/termination-log".to_owned(),
            annotations: BTreeMap::new(),
            instances: InstancePolicy::PerRequest,
            stdio: wk_runtime::Stdio::default(),
            linux: wk_runtime::LinuxSpec::default(),
        }
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("0.log")
    }

    pub(crate) fn logged(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// Prepares and starts; the container's id is `name`.
    pub(crate) async fn start(
        &self,
        name: &str,
        spec: &ContainerSpec,
    ) -> Result<ContainerId, RuntimeError> {
        self.runtime.prepare(&spec.image).await?;
        let id = ContainerId::new(name);
        self.runtime.start(&id, spec).await?;
        Ok(id)
    }

    /// Runs a program to its end.
    pub(crate) async fn run(&self, spec: &ContainerSpec) -> ContainerExit {
        let mut events = self.runtime.watch();
        self.start("run", spec).await.unwrap();
        let event = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
        let RuntimeEvent::Exited { exit, .. } = event else { panic!("it has no engine") };
        exit
    }

    /// Why an image is refused.
    pub(crate) async fn refusal(&self, image: &Image) -> String {
        match self.runtime.prepare(image).await {
            Err(RuntimeError::InvalidImage { reason, .. }) => reason,
            other => panic!("the image must be refused, got {other:?}"),
        }
    }

    pub(crate) fn compiled(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.folder.path().join("compiled")).unwrap();
        let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "cwasm"));
        paths.sort();
        paths
    }
}

pub(crate) fn sandbox() -> Sandbox {
    // An address of its own for each test, so that all of them can have the same ports.
    let random = std::process::id().to_be_bytes();
    let ip = IpAddr::V4(Ipv4Addr::new(127, 70, random[2], random[3] | 1));
    Sandbox {
        pod_uid: "uid".to_owned(),
        namespace: "test".to_owned(),
        hostname: "pod".to_owned(),
        ip,
        loopback: ip,
        netns: None,
        host_network: false,
        host_aliases: BTreeMap::new(),
    }
}

/// Sends one request on a connection of its own; the answer's status.
pub(crate) async fn get(address: SocketAddr) -> u16 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
    let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("no status in {answer:?}"));
    status.parse().unwrap()
}

/// A free port of `ip`, free again when this returns.
pub(crate) fn free_port(ip: IpAddr) -> u16 {
    std::net::TcpListener::bind((ip, 0)).unwrap().local_addr().unwrap().port()
}

/// Polls until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let mut turns = tokio::time::interval(Duration::from_millis(2));
    let waiting = async {
        while !condition().await {
            turns.tick().await;
        }
    };
    let patience = tokio::time::timeout(PATIENCE, waiting).await;
    patience.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Changes one byte in the middle of a file.
pub(crate) fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(path, bytes).unwrap();
}
