//! A control plane without a node, of the real program.

use std::path::PathBuf;
use std::process::{Command, ExitStatus};

use tempfile::TempDir;

use crate::{Answer, Daemon, eventually, kubectl_path, wk_path, wkctl_path};

/// A `wk server` or `wk apiserver` in a temporary folder.
#[derive(Debug)]
pub struct ControlPlane {
    daemon: Daemon,
    folder: TempDir,
    role: &'static str,
    arguments: Vec<String>,
}

impl ControlPlane {
    /// Starts the role (`server` or `apiserver`) and waits until it serves.
    ///
    /// # Panics
    /// If it does not.
    pub fn start(role: &'static str) -> Self {
        Self::start_with(role, Vec::new())
    }

    /// Starts the role with further arguments and waits until it serves.
    ///
    /// # Panics
    /// If it does not.
    pub fn start_with(role: &'static str, arguments: Vec<String>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let daemon = launch(&folder, role, &arguments);
        let mut started = Self { daemon, folder, role, arguments };
        started.wait_until_ready();
        started
    }

    /// The data folder.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A file of the test's own, gone after it.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The kubeconfig; the address in it changes with every start.
    pub fn kubeconfig(&self) -> PathBuf {
        self.data_dir().join("kubeconfig")
    }

    /// The running program.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// `kill -9`, then a new start on the same data.
    ///
    /// # Panics
    /// If it does not serve again.
    pub fn crash_and_restart(&mut self) {
        self.daemon.kill();
        self.start_again();
    }

    /// Asks it to end, as Ctrl-C does.
    ///
    /// # Panics
    /// If it does not.
    pub fn stop(&mut self) -> ExitStatus {
        self.daemon.stop()
    }

    /// Starts it again, once it has ended, and waits until it serves.
    ///
    /// # Panics
    /// If it does not.
    pub fn start_again(&mut self) {
        // The old one would be taken for that of the new process.
        let _removed = std::fs::remove_file(self.kubeconfig());
        self.daemon = launch(&self.folder, self.role, &self.arguments);
        self.wait_until_ready();
    }

    fn wait_until_ready(&mut self) {
        eventually("the API server is ready", || {
            assert!(self.daemon.is_running(), "it ended: {}", self.daemon.output());
            let asked =
                self.kubeconfig().exists().then(|| self.wkctl(&["get", "--raw", "/readyz"]));
            asked.filter(|answer| answer.code == 0 && answer.stdout == "ok")
        });
    }

    /// Runs our client.
    pub fn wkctl(&self, arguments: &[&str]) -> Answer {
        self.client(Command::new(wkctl_path()), arguments)
    }

    /// Runs the stock client.
    pub fn kubectl(&self, arguments: &[&str]) -> Answer {
        let mut command = Command::new(kubectl_path());
        command.arg("--cache-dir").arg(self.scratch("kubectl-cache"));
        self.client(command, arguments)
    }

    fn client(&self, mut command: Command, arguments: &[&str]) -> Answer {
        command.arg("--kubeconfig").arg(self.kubeconfig()).args(arguments);
        command.env("HOME", self.folder.path()).current_dir(self.folder.path());
        Answer::of(command, "")
    }

    /// Runs another command of the program on the same data.
    pub fn wk(&self, arguments: &[&str]) -> Answer {
        let mut command = Command::new(wk_path());
        command.args(arguments).arg("--data-dir").arg(self.data_dir());
        Answer::of(command, "")
    }
}

fn launch(folder: &TempDir, role: &str, arguments: &[String]) -> Daemon {
    let mut command = Command::new(wk_path());
    command.arg(role).arg("--data-dir").arg(folder.path().join("data"));
    command.args(["--listen", "127.0.0.1:0", "--log", "info"]).args(arguments);
    Daemon::start(command, &folder.path().join("wk.log"))
}
