//! A second node joins by its token.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::fs;
use std::process::Command;

use serde_json::Value;
use wk_tests::{Answer, Cluster, Daemon, eventually, wk_path};

fn agent(cluster: &Cluster, token: &str, name: &str) -> (Daemon, std::path::PathBuf) {
    let folder = cluster.scratch().join(name);
    let token_file = cluster.scratch().join(format!("{name}.token"));
    fs::write(&token_file, token).unwrap();
    let server = server_of(cluster);
    let mut command = Command::new(wk_path());
    command.args(["agent", "--server", &server, "--node-name", name, "--address", "127.0.0.1"]);
    command.arg(wk_tests::NO_PRESSURE);
    command.arg("--token-file").arg(token_file).arg("--data-dir").arg(&folder);
    (Daemon::start(command, &cluster.scratch().join(format!("{name}.log"))), folder)
}

fn server_of(cluster: &Cluster) -> String {
    let text = fs::read_to_string(cluster.kubeconfig()).unwrap();
    let config: Value = serde_yaml::from_str(&text).unwrap();
    config["clusters"][0]["cluster"]["server"].as_str().unwrap().to_owned()
}

fn token(cluster: &Cluster) -> String {
    fs::read_to_string(cluster.data_dir().join("token")).unwrap()
}

#[test]
fn a_second_node_joins_and_runs_pods() {
    let cluster = Cluster::start();
    let image = cluster.push_example("hello-http");
    let (_agent, _folder) = agent(&cluster, &token(&cluster), "node-2");
    eventually("the second node is ready", || {
        let path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
        let answer: Answer = cluster.kubectl(&["get", "node", "node-2", "-o", path]);
        (answer.stdout == "True").then_some(())
    });
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: there}}\nspec:\n  \
         nodeSelector: {{kubernetes.io/hostname: node-2}}\n  containers:\n  \
         - {{name: web, image: \"{image}\"}}\n"
    ));
    assert_eq!(cluster.page("there", 8080, "/").status, 200);
    assert_eq!(cluster.ready_pod("there")["spec"]["nodeName"], "node-2");
    let ranges = cluster.kubectl(&["get", "nodes", "-o", "jsonpath={.items[*].spec.podCIDR}"]).ok();
    let mut ranges: Vec<&str> = ranges.split_whitespace().collect();
    ranges.dedup();
    assert_eq!(ranges.len(), 2, "each node has a range of its own: {ranges:?}");
    // The log comes from the other process, over TLS.
    cluster.kubectl(&["logs", "there"]).ok();
}

#[test]
fn what_a_node_uses_is_told_while_it_can_be_reached() {
    let cluster = Cluster::start();
    let image = cluster.push_example("ticker");
    let (mut agent, _folder) = agent(&cluster, &token(&cluster), "node-2");
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: there}}\nspec:\n  \
         nodeSelector: {{kubernetes.io/hostname: node-2}}\n  containers:\n  \
         - {{name: ticker, image: \"{image}\"}}\n"
    ));
    cluster.ready_pod("there");
    let measured = |nodes: &[&str], pods: &[&str]| {
        eventually(&format!("what {nodes:?} and {pods:?} use is told"), || {
            let names = |what: &str| -> Vec<String> {
                let path = format!("/apis/metrics.k8s.io/v1beta1/{what}");
                let list = cluster.kubectl(&["get", "--raw", &path]).json();
                let items = list["items"].as_array().unwrap().iter();
                items.map(|one| one["metadata"]["name"].as_str().unwrap().to_owned()).collect()
            };
            (names("nodes") == nodes && names("pods") == pods).then_some(())
        });
    };
    measured(&["node-1", "node-2"], &["there"]);
    agent.kill();
    measured(&["node-1"], &[]);
    let gone = cluster.kubectl(&["top", "pod", "there"]).refused();
    let expected = "podmetrics.metrics.k8s.io \"default/there\" not found";
    assert!(gone.contains(expected), "{gone}");
}

#[test]
fn a_wrong_token_is_refused_with_its_reason() {
    let cluster = Cluster::start();
    let token = token(&cluster);
    let (rest, _secret) = token.trim().rsplit_once('.').unwrap();
    let (mut wrong_secret, _folder) = agent(&cluster, &format!("{rest}.forged"), "node-3");
    assert!(!wrong_secret.wait().success());
    assert!(wrong_secret.output().contains("token"), "{}", wrong_secret.output());

    let secret = token.trim().rsplit('.').next().unwrap();
    let foreign = format!("wk1.{}.{secret}", "0".repeat(64));
    let (mut wrong_ca, _folder) = agent(&cluster, &foreign, "node-4");
    assert!(!wrong_ca.wait().success());
    assert!(wrong_ca.output().contains("CA"), "{}", wrong_ca.output());
}
