//! Every role as a process of its own, over mutual TLS.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use wk_tests::{Answer, Daemon, PodRange, eventually, example, kubectl_path, wk_path, wkctl_path};

/// Processes that make a cluster together, in one folder.
struct Parts {
    // In this order: what runs goes before its folder.
    daemons: Vec<(&'static str, Daemon)>,
    server: String,
    folder: tempfile::TempDir,
}

impl Parts {
    /// Starts the API server alone.
    fn start(further: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut parts = Self { folder, server: String::new(), daemons: Vec::new() };
        let mut command = Command::new(wk_path());
        command.args(["apiserver", "--listen", "127.0.0.1:0", "--data-dir"]);
        command.arg(parts.path("control-plane")).args(further);
        parts.launch("apiserver", command);
        let config = parts.path("control-plane/kubeconfig");
        eventually("the API server is ready", || {
            parts.all_run();
            let ready = config.exists().then(|| parts.kubectl(&["get", "--raw", "/readyz"]))?;
            (ready.stdout == "ok").then_some(())
        });
        let config: Value = serde_yaml::from_str(&fs::read_to_string(config).unwrap()).unwrap();
        config["clusters"][0]["cluster"]["server"].as_str().unwrap().clone_into(&mut parts.server);
        parts
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn launch(&mut self, name: &'static str, command: Command) {
        let daemon = Daemon::start(command, &self.path(&format!("{name}.log")));
        self.daemons.push((name, daemon));
    }

    /// Starts a role that joins with the token.
    fn join(&mut self, role: &'static str, further: &[&str]) {
        let mut command = Command::new(wk_path());
        command.args([role, "--server", &self.server, "--log", "info", "--token-file"]);
        command.arg(self.path("control-plane/token"));
        command.arg("--data-dir").arg(self.path(role)).args(further);
        self.launch(role, command);
    }

    fn all_run(&mut self) {
        for (name, daemon) in &mut self.daemons {
            assert!(daemon.is_running(), "{name} ended: {}", daemon.output());
        }
    }

    fn kubectl(&self, arguments: &[&str]) -> Answer {
        client(&kubectl_path(), &self.path("control-plane/kubeconfig"), arguments)
    }
}

fn client(program: &Path, kubeconfig: &Path, arguments: &[&str]) -> Answer {
    let mut command = Command::new(program);
    command.arg("--kubeconfig").arg(kubeconfig).args(arguments);
    Answer::run(command)
}

#[test]
fn a_cluster_of_single_roles_runs_a_pod() {
    let range = PodRange::take();
    let mut parts = Parts::start(&[]);
    parts.join("controller-manager", &["--cluster-cidr", &range.cidr()]);
    parts.join("scheduler", &["--log-json"]);
    let node = ["--node-name", "node-1", "--address", "127.0.0.1", wk_tests::NO_PRESSURE];
    parts.join("kubelet", &node);
    let mut registry = Command::new(wk_path());
    registry.args(["registry", "--listen", "127.0.0.1:0", "--data-dir"]);
    registry.arg(parts.path("images"));
    parts.launch("registry", registry);
    let registry = eventually("the registry says where it is", || {
        parts.all_run();
        let said = fs::read_to_string(parts.path("registry.log")).ok()?;
        Some(said.split("listens on ").nth(1)?.lines().next()?.to_owned())
    });
    let image = format!("{registry}/tests/hello:1");
    let file = example("hello-http").display().to_string();
    let kubeconfig = parts.path("control-plane/kubeconfig");
    client(&wkctl_path(), &kubeconfig, &["push", &file, &image]).ok();
    // The node has its addresses from the controllers, and the pod its account.
    eventually("the node is ready", || {
        parts.all_run();
        let ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
        let node = parts.kubectl(&["get", "node", "node-1", "-o", ready]);
        let account = parts.kubectl(&["get", "serviceaccount", "default"]);
        (node.stdout == "True" && account.code == 0).then_some(())
    });
    parts.kubectl(&["run", "web", "--image", &image, "--port", "8080"]).ok();
    let ip = eventually("the pod is ready", || {
        parts.all_run();
        let pod = parts.kubectl(&["get", "pod", "web", "-o", "json"]).json();
        assert!(pod["spec"]["nodeName"].as_str().is_none_or(|node| node == "node-1"));
        let ready = pod["status"]["containerStatuses"][0]["ready"] == true;
        ready.then(|| pod["status"]["podIP"].as_str().unwrap().to_owned())
    });
    let prefix = range.cidr().rsplit_once(".0.0/").unwrap().0.to_owned();
    assert!(ip.starts_with(&prefix), "{ip} is of the range that the controllers were given");
    let address = format!("{ip}:8080").parse().unwrap();
    assert_eq!(wk_tests::http_get(address, "/").unwrap().status, 200);
    // Each of them has an identity of its own, which the events tell.
    let by = parts.kubectl(&[
        "get",
        "events",
        "-o",
        "jsonpath={range .items[?(@.reason=='Scheduled')]}{.source.component}{.reportingComponent}{end}",
    ]);
    assert!(by.ok().contains("scheduler"));
    parts.kubectl(&["logs", "web"]).ok();
    for (name, daemon) in &mut parts.daemons {
        daemon.terminate();
        let ended = daemon.wait();
        assert!(ended.success(), "{name}: {}", daemon.output());
    }
    let log = fs::read_to_string(parts.path("scheduler.log")).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .filter(|line| *line != "scheduler runs")
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert!(!lines.is_empty(), "something is logged");
    for line in lines {
        for field in ["timestamp", "level", "target", "fields"] {
            assert!(!line[field].is_null(), "{field} is missing: {line}");
        }
    }
}

#[test]
fn further_names_are_in_the_servers_certificate() {
    let parts = Parts::start(&["--tls-san", "api.example.test", "--tls-san", "192.0.2.7"]);
    for name in ["api.example.test", "192.0.2.7", "kubernetes.default.svc"] {
        let answer = parts.kubectl(&["--tls-server-name", name, "get", "--raw", "/readyz"]);
        assert_eq!(answer.ok(), "ok", "{name}");
    }
    for name in ["other.example.test", "192.0.2.8"] {
        let said = parts.kubectl(&["--tls-server-name", name, "get", "--raw", "/readyz"]).refused();
        assert!(said.contains("certificate is valid for"), "{said}");
    }
}

#[test]
fn pod_ranges_outside_of_the_loopback_part_are_refused() {
    for (cidr, why) in [
        ("10.0.0.0/8", "it has to lie within 127.64.0.0/11"),
        ("127.0.0.0/8", "it has to lie within 127.64.0.0/11"),
        ("127.64.0.0/24", "each node gets a /20"),
        ("somewhere", "is not an IPv4 range"),
    ] {
        for role in ["up", "server"] {
            let folder = tempfile::tempdir().unwrap();
            let mut command = Command::new(wk_path());
            command.args([role, "--listen", "127.0.0.1:0", "--cluster-cidr", cidr]);
            command.arg("--data-dir").arg(folder.path());
            if role == "up" {
                command.args(["--registry-listen", "127.0.0.1:0"]);
            }
            let said = Answer::run(command).refused();
            assert!(said.contains(why) && said.contains(cidr), "{role} {cidr}: {said}");
        }
    }
}
