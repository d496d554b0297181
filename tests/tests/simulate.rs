//! Simulated nodes: nodes to everybody, with nothing behind them.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::process::Command;

use serde_json::Value;
use wk_tests::{Answer, ControlPlane, Daemon, eventually, wk_path};

fn command(plane: &ControlPlane, further: &[&str]) -> Command {
    let text = std::fs::read_to_string(plane.kubeconfig()).unwrap();
    let server = text.split("server: ").nth(1).unwrap().split_whitespace().next().unwrap();
    let mut command = Command::new(wk_path());
    command.args(["simulate", "--server", server, "--token-file"]);
    command.arg(plane.data_dir().join("token"));
    command.arg("--data-dir").arg(plane.scratch("simulated")).args(further);
    command
}

fn simulate(plane: &ControlPlane, further: &[&str]) -> Daemon {
    let log = plane.scratch("simulated.log");
    let _old = std::fs::remove_file(&log);
    let daemon = Daemon::start(command(plane, further), &log);
    eventually("the nodes have joined", || daemon.output().contains(" joined ").then_some(()));
    daemon
}

fn apply(plane: &ControlPlane, manifest: &str) {
    let file = plane.scratch("manifest.yaml");
    std::fs::write(&file, manifest).unwrap();
    eventually("the pods' account is there", || {
        (plane.kubectl(&["get", "serviceaccount", "default"]).code == 0).then_some(())
    });
    plane.kubectl(&["apply", "-f", file.to_str().unwrap()]).ok();
}

fn object(plane: &ControlPlane, kind: &str, name: &str) -> Option<Value> {
    let answer = plane.kubectl(&["get", kind, name, "-o", "json"]);
    (answer.code == 0).then(|| answer.json())
}

fn items(plane: &ControlPlane, kind: &str) -> Vec<Value> {
    plane.kubectl(&["get", kind, "-o", "json"]).json()["items"].as_array().unwrap().clone()
}

/// A pod with annotations, a restart policy and more of its specification.
fn pod(name: &str, annotations: &str, more: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\n\
         spec: {{containers: [{{name: c, image: nothing}}]{more}}}\n"
    )
}

#[track_caller]
fn in_phase(plane: &ControlPlane, name: &str, phase: &str) -> Value {
    eventually(&format!("{name} is {phase}"), || {
        object(plane, "pod", name).filter(|pod| pod["status"]["phase"] == phase)
    })
}

#[test]
fn pods_go_through_their_lives_on_simulated_nodes() {
    let plane = ControlPlane::start("server");
    let more =
        ["--nodes", "3", "--labels", "zone=a,speed=slow", "--taint", "toy=yes:PreferNoSchedule"];
    let more = [&more[..], &["--cpu", "2", "--memory", "1Gi", "--pods-per-node", "5"]].concat();
    let mut simulated = simulate(&plane, &more);
    for node in items(&plane, "nodes") {
        assert_eq!(node["status"]["allocatable"]["cpu"], "2", "{node}");
        assert_eq!(node["status"]["allocatable"]["memory"], "1Gi");
        assert_eq!(node["status"]["allocatable"]["pods"], "5");
        assert_eq!(node["metadata"]["labels"]["speed"], "slow");
        assert!(node["spec"]["podCIDR"].as_str().unwrap().starts_with("10."));
        let taints = node["spec"]["taints"].as_array().unwrap();
        assert!(taints.iter().any(|taint| taint["key"] == "toy" && taint["value"] == "yes"));
    }
    let never = ", restartPolicy: Never";
    apply(
        &plane,
        &[
            pod("runs", "", ""),
            pod("ends", "simulate.wk/run-for: 100ms", never),
            pod("fails", "simulate.wk/run-for: 100ms, simulate.wk/exit-code: '3'", never),
            pod("crashes", "simulate.wk/run-for: 100ms, simulate.wk/exit-code: '1'", ""),
            pod("stops", "simulate.wk/stop-after: 1h", ", terminationGracePeriodSeconds: 1"),
        ]
        .concat(),
    );
    let runs = in_phase(&plane, "runs", "Running");
    assert!(runs["status"]["podIP"].as_str().unwrap().starts_with("10."), "{runs}");
    assert_eq!(runs["status"]["containerStatuses"][0]["ready"], true);
    in_phase(&plane, "ends", "Succeeded");
    let failed = in_phase(&plane, "fails", "Failed");
    let end = &failed["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!(end["exitCode"], 3, "{failed}");
    let crashed = eventually("the back-off begins", || {
        let pod = object(&plane, "pod", "crashes")?;
        let status = pod["status"]["containerStatuses"][0].clone();
        (status["state"]["waiting"]["reason"] == "CrashLoopBackOff").then_some(status)
    });
    assert_eq!(crashed["restartCount"], 2, "the first restart is at once: {crashed}");
    assert_eq!(crashed["lastState"]["terminated"]["exitCode"], 1);

    // Nothing can be read, and that is said.
    let told = plane.kubectl(&["logs", "runs"]).refused();
    assert!(told.contains("has no reachable kubelet"), "{told}");
    let told = plane.kubectl(&["exec", "runs", "--", "ls"]).refused();
    assert!(told.contains("has no reachable kubelet"), "{told}");

    in_phase(&plane, "stops", "Running");
    plane.kubectl(&["delete", "pod", "stops", "runs"]).ok();
    assert!(object(&plane, "pod", "stops").is_none() && object(&plane, "pod", "runs").is_none());

    // Silence is no end: the nodes stay, until they are asked for.
    assert!(simulated.stop().success(), "{}", simulated.output());
    assert_eq!(items(&plane, "nodes").len(), 3);
    let mut simulated = simulate(&plane, &[&more[..], &["--remove"]].concat());
    assert!(simulated.stop().success(), "{}", simulated.output());
    assert!(simulated.output().contains("3 nodes deleted"), "{}", simulated.output());
    assert_eq!(items(&plane, "nodes").len(), 0);
    eventually("their leases are gone", || {
        let leases = plane.kubectl(&["get", "leases", "-n", "kube-node-lease", "-o", "name"]);
        (leases.code == 0 && leases.stdout.is_empty()).then_some(())
    });
}

#[test]
fn a_restart_of_the_simulation_changes_nothing_about_its_pods() {
    let plane = ControlPlane::start("server");
    let mut simulated = simulate(&plane, &["--nodes", "2"]);
    apply(&plane, &[pod("one", "", ""), pod("two", "", "")].concat());
    let before = ["one", "two"].map(|name| in_phase(&plane, name, "Running")["status"].clone());
    simulated.kill();
    apply(&plane, &pod("three", "", ""));
    let _simulated = simulate(&plane, &["--nodes", "2"]);
    let third = in_phase(&plane, "three", "Running");
    let after = ["one", "two"].map(|name| in_phase(&plane, name, "Running")["status"].clone());
    assert_eq!(before, after);
    for status in &after {
        assert_ne!(status["podIP"], third["status"]["podIP"], "an address is given once");
    }
}

#[test]
fn a_deleted_node_is_a_lost_machine() {
    let plane = ControlPlane::start("server");
    let _simulated = simulate(&plane, &["--nodes", "2", "--lease-interval", "200ms"]);
    plane.kubectl(&["delete", "node", "sim-1"]).ok();
    let renewed = || {
        let lease = ["get", "lease", "sim-0", "-n", "kube-node-lease"];
        plane.kubectl(&[&lease[..], &["-o", "jsonpath={.spec.renewTime}"]].concat()).ok()
    };
    let first = renewed();
    eventually("the other one's lease is renewed", || (renewed() != first).then_some(()));
    eventually("its lease went with it", || {
        let lease = ["get", "lease", "sim-1", "-n", "kube-node-lease"];
        (plane.kubectl(&lease).code != 0).then_some(())
    });
    let nodes: Vec<Value> =
        items(&plane, "nodes").iter().map(|node| node["metadata"]["name"].clone()).collect();
    assert_eq!(nodes, ["sim-0"]);
}

#[test]
fn a_node_that_is_not_simulated_is_left_alone() {
    let plane = ControlPlane::start("server");
    apply(&plane, "apiVersion: v1\nkind: Node\nmetadata: {name: sim-1}\n");
    let told = Answer::run(command(&plane, &["--nodes", "3"])).refused();
    assert!(told.contains("nodes of these names exist and are not simulated: sim-1"), "{told}");
    assert!(told.contains("hint: choose other names with `--prefix`"), "{told}");
    let node = object(&plane, "node", "sim-1").unwrap();
    assert!(node["status"]["capacity"].is_null(), "{node}");
}

#[test]
fn what_cannot_be_simulated_is_refused() {
    let plane = ControlPlane::start("server");
    for (arguments, expected) in [
        (&["--nodes", "0"][..], "0 is not in 1..=100000"),
        (&["--nodes", "2", "--prefix", "Sim"], "`Sim-1` is no name for a node"),
        (&["--nodes", "2", "--taint", "a:Sometimes"], "`Sometimes` is none of"),
        (&["--nodes", "2", "--labels", "a"], "must look like `key=value`"),
        (&["--nodes", "2", "--memory", "much"], "--memory"),
        (&["--nodes", "2", "--lease-interval", "0s"], "must be longer than nothing"),
        (&["--nodes", "600", "--pod-range", "10.0.0.0/16"], "has room for 512 nodes of 110 pods"),
    ] {
        let told = Answer::run(command(&plane, arguments)).refused();
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
}
