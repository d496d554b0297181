//! Further nodes of a cluster, each a process of its own.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::{Answer, Cluster, Daemon, NO_PRESSURE, eventually, wk_path};

impl Cluster {
    /// Starts a node that joins with the cluster's token, and waits until it is ready.
    ///
    /// # Panics
    /// If it does not become ready.
    pub fn start_agent(&self, name: &str) -> Daemon {
        self.start_agent_with(name, &[])
    }

    /// The same with further arguments.
    ///
    /// # Panics
    /// If it does not become ready.
    pub fn start_agent_with(&self, name: &str, arguments: &[String]) -> Daemon {
        let daemon = self.launch_agent(name, arguments);
        self.wait_for_node(name, "True");
        daemon
    }

    /// Starts the node again, with the programs that it has left, and does not wait.
    pub fn revive_agent(&self, name: &str, arguments: &[String], mut dead: Daemon) -> Daemon {
        dead.leave_programs();
        self.launch_agent(name, arguments)
    }

    fn launch_agent(&self, name: &str, arguments: &[String]) -> Daemon {
        let text = fs::read_to_string(self.kubeconfig()).expect("the kubeconfig can be read");
        let config: Value = serde_yaml::from_str(&text).expect("the kubeconfig is YAML");
        let server = config["clusters"][0]["cluster"]["server"].as_str().expect("it has a server");
        let mut command = Command::new(wk_path());
        command.args(["agent", "--server", server, "--node-name", name, "--address", "127.0.0.1"]);
        command.arg(NO_PRESSURE).args(["--log", "info"]).args(arguments);
        command.arg("--token-file").arg(self.data_dir().join("token"));
        command.arg("--data-dir").arg(self.scratch().join(name));
        Daemon::start(command, &self.scratch().join(format!("{name}.log")))
    }

    /// Waits until the `Ready` condition of a node has this status.
    ///
    /// # Panics
    /// If that does not happen.
    #[track_caller]
    pub fn wait_for_node(&self, name: &str, ready: &str) {
        eventually(&format!("node {name} has Ready={ready}"), || {
            let path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
            let answer: Answer = self.kubectl(&["get", "node", name, "-o", path]);
            (answer.stdout == ready).then_some(())
        });
    }
}
