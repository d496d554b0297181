//! Components as processes that can be killed and started again.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use rand::Rng as _;
use tempfile::TempDir;

use crate::{Daemon, PodRange, WasmHost, eventually, example, wk_path, wkctl_path};

/// Ports that the system gives to nobody who asks for any free one, so that a server that is down
/// for a moment finds its own again.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// How a component is run.
#[derive(Debug)]
pub struct Part {
    /// What it is called in messages.
    pub name: String,
    arguments: Vec<String>,
    daemon: Option<Daemon>,
    /// How often it was started.
    pub starts: usize,
}

/// The components of one cluster, in a temporary folder.
#[derive(Debug)]
pub struct Parts {
    folder: TempDir,
    range: PodRange,
    server: String,
    all: Vec<Part>,
}

impl Parts {
    /// Starts an API server and waits until clients can find it.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with further options of the API server.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_with(further: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let range = PodRange::take();
        let port = free_port();
        let server = format!("https://127.0.0.1:{port}");
        let mut parts = Self { folder, range, server, all: Vec::new() };
        let listen = format!("127.0.0.1:{port}");
        let data = parts.path("control-plane");
        let all = ["apiserver", "--listen", &listen, "--data-dir", &data];
        parts.add("apiserver", &[&all[..], further].concat());
        eventually("the API server has written its kubeconfig", || {
            parts.kubeconfig().exists().then_some(())
        });
        parts
    }

    /// Starts a component that joins with the token. `role` is its first argument.
    pub fn join(&mut self, name: &str, role: &str, further: &[&str]) {
        let (server, token) = (self.server.clone(), self.path("control-plane/token"));
        let data = self.path(name);
        let all = ["--server", &server, "--token-file", &token, "--data-dir", &data];
        self.add(name, &[&[role], &all[..], further].concat());
    }

    /// Starts a registry, pushes an example into it, and returns the reference for pods.
    ///
    /// # Panics
    /// If that does not work.
    pub fn registry_with(&mut self, guest: &str) -> String {
        let listen = format!("127.0.0.1:{}", free_port());
        let data = self.path("registry");
        self.add("registry", &["registry", "--listen", &listen, "--data-dir", &data]);
        let reference = format!("{listen}/tests/{guest}:1");
        eventually("the image is pushed", || {
            let mut push = Command::new(wkctl_path());
            push.arg("--kubeconfig").arg(self.kubeconfig()).arg("push");
            push.arg(example(guest)).arg(&reference);
            (crate::Answer::run(push).code == 0).then_some(())
        });
        reference
    }

    fn add(&mut self, name: &str, arguments: &[&str]) {
        let arguments = arguments.iter().map(|&one| one.to_owned()).collect();
        self.all.push(Part { name: name.to_owned(), arguments, daemon: None, starts: 0 });
        self.revive(name);
    }

    fn part(&mut self, name: &str) -> &mut Part {
        let found = self.all.iter_mut().find(|part| part.name == name);
        found.unwrap_or_else(|| panic!("there is no part `{name}`"))
    }

    /// `kill -9`, if it runs.
    pub fn kill(&mut self, name: &str) {
        if let Some(mut daemon) = self.part(name).daemon.take() {
            daemon.kill();
            // It is found again when the part is.
            daemon.leave_programs();
        }
    }

    /// Stops a component without its noticing, if it runs.
    pub fn freeze(&mut self, name: &str) {
        if let Some(daemon) = &self.part(name).daemon {
            daemon.freeze();
        }
    }

    /// Lets a component go on that was stopped.
    pub fn thaw(&mut self, name: &str) {
        if let Some(daemon) = &self.part(name).daemon {
            daemon.thaw();
        }
    }

    /// Starts a component, if it does not run.
    ///
    /// # Panics
    /// If there is no such program.
    pub fn revive(&mut self, name: &str) {
        let log = self.folder.path().join(format!("{name}.log"));
        let part = self.part(name);
        if part.daemon.is_none() {
            let mut command = Command::new(wk_path());
            command.args(&part.arguments).args(["--log", "info"]);
            part.daemon = Some(Daemon::start(command, &log));
            part.starts += 1;
        }
    }

    /// Starts again what ended by itself, as whoever supervises a daemon does, and returns the names
    /// with what they said last. A component that had no server to join when it was started ends.
    pub fn supervise(&mut self) -> Vec<(String, String)> {
        let mut ended = Vec::new();
        for part in &mut self.all {
            if part.daemon.as_mut().is_some_and(|daemon| !daemon.is_running()) {
                let mut daemon = part.daemon.take();
                daemon.iter_mut().for_each(Daemon::leave_programs);
                let said = daemon.map(|daemon| daemon.output()).unwrap_or_default();
                let last = said.lines().last().unwrap_or_default().to_owned();
                ended.push((part.name.clone(), last));
            }
        }
        for (name, _) in &ended {
            self.revive(name);
        }
        ended
    }

    /// The kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("control-plane/kubeconfig")
    }

    /// The pod range of real nodes.
    pub fn cidr(&self) -> String {
        self.range.cidr()
    }

    /// The last lines that a component has said.
    pub fn said(&self, name: &str, lines: usize) -> String {
        let log = self.folder.path().join(format!("{name}.log"));
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Resident memory of a component that runs, in KiB.
    pub fn resident_kib(&mut self, name: &str) -> u64 {
        self.part(name).daemon.as_ref().map_or(0, Daemon::resident_kib)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        for part in &mut self.all {
            // Before what it would start again.
            drop(part.daemon.take());
            if let Some(host) = WasmHost::of(&self.folder.path().join(&part.name)) {
                host.end();
            }
        }
    }
}

fn free_port() -> u16 {
    eventually("a port is free", || {
        let port = rand::rng().random_range(PORTS);
        TcpListener::bind(("127.0.0.1", port)).ok().map(|_free| port)
    })
}
