//! A container engine of a test's own, and an image for it.
//!
//! The engine is Debian's `dockerd` with a socket, folders and a bridge that no other test and
//! nobody else on the machine uses. It touches no packet filter: ports are published by its proxy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::{Answer, Cluster, Daemon, LinuxImage, Options, eventually};

/// A running `dockerd`; everything in it ends with it.
#[derive(Debug)]
pub struct DockerEngine {
    daemon: Option<Daemon>,
    folder: TempDir,
    bridge: String,
}

impl DockerEngine {
    /// Starts an engine and waits until it answers.
    ///
    /// # Panics
    /// If it does not, which it cannot without root and Debian's `docker.io`.
    pub fn start() -> Self {
        let mut engine = Self::absent();
        engine.start_again();
        engine
    }

    /// An engine with its place, which is not started yet.
    ///
    /// # Panics
    /// If the place cannot be made, which takes root.
    pub fn absent() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        fs::write(folder.path().join("daemon.json"), "{}").expect("the folder can be written");
        let id = std::process::id();
        let bridge = format!("wkt{id}");
        let [_, _, high, low] = id.to_be_bytes();
        let address = format!("10.{}.{low}.1/24", 128 | high);
        ip(&["link", "add", &bridge, "type", "bridge"]).ok();
        ip(&["address", "add", &address, "dev", &bridge]).ok();
        ip(&["link", "set", &bridge, "up"]).ok();
        Self { daemon: None, folder, bridge }
    }

    /// A cluster whose node has this engine, and the name of a busybox image in its registry; `config` is
    /// the `config` of the image's configuration. The cluster has to end before the engine.
    ///
    /// # Panics
    /// If the cluster does not start, or the image cannot be pushed.
    pub fn cluster(&self, config: &Value) -> (Cluster, String) {
        let options = Options { arguments: vec![self.argument()], ..Options::default() };
        let cluster = Cluster::start_with(options);
        let image = BusyboxImage::make(config).push(&cluster.registry(), "busybox");
        (cluster, image)
    }

    /// Starts the engine that was [absent](Self::absent) or [stopped](Self::stop).
    ///
    /// # Panics
    /// If it does not answer.
    pub fn start_again(&mut self) {
        let at = |name: &str| self.folder.path().join(name);
        let mut command = Command::new("/usr/sbin/dockerd");
        command.arg("--data-root").arg(at("data")).arg("--exec-root").arg(at("exec"));
        command.arg("--pidfile").arg(at("pid")).arg("--config-file").arg(at("daemon.json"));
        command.arg("--host").arg(format!("unix://{}", self.socket().display()));
        command.args(["--bridge", &self.bridge]);
        command.args(["--iptables=false", "--ip-forward=false", "--ip-masq=false"]);
        let mut daemon = Daemon::start(command, &at("dockerd.log"));
        eventually("the container engine answers", || {
            assert!(daemon.is_running(), "`dockerd` ended: {}", daemon.output());
            (self.docker(&["version"]).code == 0).then_some(())
        });
        self.daemon = Some(daemon);
    }

    /// Asks the engine to end, which ends its containers, and waits until it has.
    ///
    /// # Panics
    /// If it does not end.
    pub fn stop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.terminate();
            daemon.wait();
        }
    }

    /// The argument of `wk` that names this engine.
    pub fn argument(&self) -> String {
        format!("--container-engine=unix://{}", self.socket().display())
    }

    /// The engine's socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Runs the engine's own client.
    pub fn docker(&self, arguments: &[&str]) -> Answer {
        let mut command = Command::new("/usr/bin/docker");
        command.arg("--config").arg(self.folder.path().join("client"));
        command.arg("--host").arg(format!("unix://{}", self.socket().display())).args(arguments);
        Answer::run(command)
    }

    /// What a `docker ps` with `arguments` lists, a line each.
    ///
    /// # Panics
    /// If the client fails.
    pub fn ps(&self, arguments: &[&str]) -> Vec<String> {
        let listed = self.docker(&[&["ps", "--all"], arguments].concat()).ok();
        listed.lines().map(str::to_owned).collect()
    }
}

impl Drop for DockerEngine {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            // What is left must not outlive its engine, whatever became of the test.
            let left = self.docker(&["ps", "--all", "--quiet"]).stdout;
            let left: Vec<&str> = left.split_whitespace().collect();
            if !left.is_empty() {
                let _removed = self.docker(&[&["rm", "--force", "--volumes"], &left[..]].concat());
            }
            daemon.terminate();
            if std::thread::panicking() {
                // The daemon prints its log and is ended by force if it does not end by itself.
                let _ended =
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| daemon.wait()));
            } else {
                daemon.wait();
            }
        }
        let _removed = ip(&["link", "delete", &self.bridge]);
    }
}

fn ip(arguments: &[&str]) -> Answer {
    let mut command = Command::new("ip");
    command.args(arguments);
    Answer::run(command)
}

/// A Linux image of Debian's static busybox, as an OCI layout.
#[derive(Debug)]
pub struct BusyboxImage(LinuxImage);

impl BusyboxImage {
    /// Makes the image; `config` is the `config` of its configuration.
    ///
    /// # Panics
    /// If busybox is not installed or the folder cannot be written.
    pub fn make(config: &Value) -> Self {
        Self(LinuxImage::of_layer(&layer().expect("a layer can be made in memory"), config))
    }

    /// The layout's folder.
    pub fn layout(&self) -> &Path {
        self.0.layout()
    }

    /// The digest of the manifest.
    pub fn digest(&self) -> &str {
        self.0.digest()
    }

    /// Pushes it to `registry` as `tests/NAME:1` and returns the reference for pods.
    ///
    /// # Panics
    /// If `skopeo` fails.
    pub fn push(&self, registry: &str, name: &str) -> String {
        self.0.push(registry, name)
    }
}

/// `busybox` under the names of its programs, with a user and a place for files.
fn layer() -> std::io::Result<Vec<u8>> {
    let busybox = fs::read("/bin/busybox")?;
    let mut archive = tar::Builder::new(Vec::new());
    let mut file = |name: &str, mode: u32, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_mode(mode);
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, name, bytes)
    };
    file("bin/busybox", 0o755, &busybox)?;
    file("etc/passwd", 0o644, b"root:x:0:0:root:/:/bin/sh\nuser:x:1000:1000:user:/:/bin/sh\n")?;
    file("etc/group", 0o644, b"root:x:0:\nuser:x:1000:\n")?;
    for program in [
        "cat", "dd", "echo", "env", "false", "head", "hostname", "httpd", "id", "ls", "mkdir",
        "nc", "ps", "rm", "seq", "sh", "sleep", "stty", "tail", "test", "touch", "true", "tty",
        "wc", "wget", "yes",
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        archive.append_link(&mut header, format!("bin/{program}"), "busybox")?;
    }
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_mode(0o1777);
    header.set_size(0);
    archive.append_data(&mut header, "tmp", std::io::empty())?;
    archive.into_inner()
}
