//! A one-machine cluster of the real program.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    Answer, Daemon, HttpAnswer, NO_PRESSURE, PodRange, eventually, example, http_get, kubectl_path,
    wk_path, wkctl_path,
};

/// A `wk up` in a temporary folder.
#[derive(Debug)]
pub struct Cluster {
    daemon: Daemon,
    folder: TempDir,
    range: PodRange,
    options: Options,
}

/// What a test may want different.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Further arguments of `wk up`.
    pub arguments: Vec<String>,
    /// A command that runs `wk up`, which is given to it as further arguments, in its own way.
    pub launcher: Vec<String>,
    /// Where the data folder is; `None` is a temporary one.
    pub data_dir: Option<PathBuf>,
}

impl Cluster {
    /// Starts a cluster and waits until it is ready.
    ///
    /// # Panics
    /// If it does not become ready.
    pub fn start() -> Self {
        Self::start_with(Options::default())
    }

    /// Starts a cluster with other options and waits until it is ready.
    ///
    /// # Panics
    /// If it does not become ready.
    pub fn start_with(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let range = PodRange::take();
        let daemon = launch(&folder, &range, &options);
        let mut cluster = Self { daemon, folder, range, options };
        cluster.wait_until_ready();
        cluster
    }

    /// The data folder.
    pub fn data_dir(&self) -> PathBuf {
        data_dir(&self.folder, &self.options)
    }

    /// A folder for the test's own files, gone after it.
    pub fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// The running `wk up`.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// The kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.data_dir().join("kubeconfig")
    }

    /// The registry's `host:port`.
    ///
    /// # Panics
    /// If the file is missing.
    pub fn registry(&self) -> String {
        let text = fs::read_to_string(self.data_dir().join("registry")).expect("`registry` exists");
        text.trim().to_owned()
    }

    /// `kill -9`, then a new start on the same data.
    ///
    /// # Panics
    /// If that does not happen.
    pub fn crash_and_restart(&mut self) {
        self.daemon.kill();
        self.start_again();
    }

    /// Starts `wk up` again on the same data, once it has ended, and waits until it is ready.
    ///
    /// # Panics
    /// If that does not happen.
    pub fn start_again(&mut self) {
        // The old files would be taken for those of the new process.
        for file in ["kubeconfig", "registry"] {
            let _removed = fs::remove_file(self.data_dir().join(file));
        }
        self.daemon.leave_programs();
        self.daemon = launch(&self.folder, &self.range, &self.options);
        self.wait_until_ready();
    }

    fn wait_until_ready(&mut self) {
        eventually("the cluster is ready", || {
            assert!(self.daemon.is_running(), "`wk up` ended: {}", self.daemon.output());
            let asked =
                self.kubeconfig().exists().then(|| self.kubectl(&["get", "--raw", "/readyz"]));
            asked.filter(|answer| answer.code == 0 && answer.stdout == "ok")
        });
        eventually("the node is ready", || {
            let path = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}";
            let answer = self.kubectl(&["get", "nodes", "-o", path]);
            (answer.stdout == "True").then_some(())
        });
        eventually("the default service account exists", || {
            (self.kubectl(&["get", "serviceaccount", "default"]).code == 0).then_some(())
        });
    }

    /// Runs the stock client.
    pub fn kubectl(&self, arguments: &[&str]) -> Answer {
        self.kubectl_with(arguments, "")
    }

    /// Runs the stock client with something on its standard input.
    pub fn kubectl_with(&self, arguments: &[&str], input: &str) -> Answer {
        let mut command = Command::new(kubectl_path());
        command.arg("--cache-dir").arg(self.folder.path().join("kubectl-cache"));
        Answer::of(self.pointed(command, arguments), input)
    }

    /// Runs our client.
    pub fn wkctl(&self, arguments: &[&str]) -> Answer {
        self.wkctl_with(arguments, "")
    }

    /// Runs our client with something on its standard input.
    pub fn wkctl_with(&self, arguments: &[&str], input: &str) -> Answer {
        Answer::of(self.pointed(Command::new(wkctl_path()), arguments), input)
    }

    fn pointed(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.arg("--kubeconfig").arg(self.kubeconfig()).args(arguments);
        command.env("HOME", self.folder.path()).current_dir(self.folder.path());
        command
    }

    /// Pushes an example and returns the reference for pods.
    pub fn push_example(&self, name: &str) -> String {
        self.push(&example(name), name)
    }

    /// Pushes a Wasm file as `tests/NAME:1` and returns the reference for pods.
    pub fn push(&self, file: &Path, name: &str) -> String {
        let reference = format!("{}/tests/{name}:1", self.registry());
        self.wkctl(&["push", &file.display().to_string(), &reference]).ok();
        reference
    }

    /// Applies manifests with our client.
    ///
    /// # Panics
    /// If that fails, as all that follows does when its condition does not come true.
    #[track_caller]
    pub fn apply(&self, manifest: &str) {
        self.wkctl_with(&["apply", "-f", "-"], manifest).ok();
    }

    /// The object, or `None` while it does not exist.
    pub fn object(&self, kind: &str, name: &str) -> Option<Value> {
        let answer = self.kubectl(&["get", kind, name, "-o", "json"]);
        (answer.code == 0).then(|| answer.json())
    }

    /// Waits until a pod's `status.phase` is `phase` and returns the pod.
    ///
    /// # Panics
    /// If that does not happen.
    #[track_caller]
    pub fn pod_in_phase(&self, name: &str, phase: &str) -> Value {
        eventually(&format!("pod `{name}` is {phase}"), || {
            self.object("pod", name).filter(|pod| pod["status"]["phase"] == phase)
        })
    }

    /// Waits until a pod is ready and returns it.
    ///
    /// # Panics
    /// If that does not happen.
    #[track_caller]
    pub fn ready_pod(&self, name: &str) -> Value {
        eventually(&format!("pod `{name}` is ready"), || {
            self.object("pod", name).filter(|pod| {
                let conditions = pod["status"]["conditions"].as_array();
                conditions
                    .into_iter()
                    .flatten()
                    .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
            })
        })
    }

    /// Waits until the first container of a pod has a waiting or terminated state of this reason,
    /// now or in its last run, and returns that state.
    ///
    /// # Panics
    /// If that does not happen.
    #[track_caller]
    pub fn container_state(&self, pod: &str, reason: &str) -> Value {
        eventually(&format!("the container of `{pod}` shows {reason}"), || {
            let pod = self.object("pod", pod)?;
            let status = &pod["status"]["containerStatuses"][0];
            [&status["state"], &status["lastState"]]
                .iter()
                .flat_map(|state| [&state["waiting"], &state["terminated"]])
                .find(|state| state["reason"] == reason)
                .cloned()
        })
    }

    /// Waits until events about `object` have this reason and returns their messages, a line each.
    ///
    /// # Panics
    /// If that does not happen.
    #[track_caller]
    pub fn events(&self, object: &str, reason: &str) -> String {
        let selector = format!("involvedObject.name={object},reason={reason}");
        eventually(&format!("an event {reason} about `{object}`"), || {
            let path = "jsonpath={range .items[*]}{.message}{'\\n'}{end}";
            let answer =
                self.kubectl(&["get", "events", "--field-selector", &selector, "-o", path]);
            (answer.code == 0 && !answer.stdout.is_empty()).then_some(answer.stdout)
        })
    }

    /// GETs a page of a ready pod.
    ///
    /// # Panics
    /// If that does not happen.
    #[track_caller]
    pub fn page(&self, pod: &str, port: u16, path: &str) -> HttpAnswer {
        let pod = self.ready_pod(pod);
        let ip = pod["status"]["podIP"].as_str().expect("a ready pod has an address");
        let address = SocketAddr::new(ip.parse().expect("an address"), port);
        http_get(address, path).expect("the pod answers")
    }
}

fn data_dir(folder: &TempDir, options: &Options) -> PathBuf {
    options.data_dir.clone().unwrap_or_else(|| folder.path().join("data"))
}

fn launch(folder: &TempDir, range: &PodRange, options: &Options) -> Daemon {
    let mut words: Vec<OsString> = options.launcher.iter().map(OsString::from).collect();
    words.push(wk_path().into());
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).arg("up").arg("--data-dir").arg(data_dir(folder, options));
    command.args(["--listen", "127.0.0.1:0", "--registry-listen", "127.0.0.1:0"]);
    command.args(["--node-name", "node-1", "--cluster-cidr", &range.cidr(), "--log", "info"]);
    command.arg(NO_PRESSURE);
    command.args(&options.arguments);
    Daemon::start(command, &folder.path().join("wk.log"))
}
