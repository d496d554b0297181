//! Pods that are bound to a node past the scheduler.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use serde_json::{Value, json};
use wk_tests::{Cluster, Options};

fn bound(name: &str, image: &str, more: &Value) -> String {
    let mut spec = json!({
        "nodeName": "node-1", "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "main", "image": image, "args": ["sleep", "100000"]}],
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        if field == "resources" || field == "ports" {
            spec["containers"][0][field] = value.clone();
        } else {
            spec[field] = value.clone();
        }
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}).to_string()
}

#[track_caller]
fn refused(cluster: &Cluster, name: &str, reason: &str) -> String {
    let pod = cluster.pod_in_phase(name, "Failed");
    assert_eq!(pod["status"]["reason"], reason, "{}", pod["status"]);
    let told = cluster.events(name, reason);
    let message = pod["status"]["message"].as_str().unwrap().to_owned();
    assert_eq!(message, format!("Pod was rejected: {}", told.trim()));
    message
}

#[test]
fn a_pod_that_cannot_be_on_its_node_fails_with_the_reason() {
    let cluster = Cluster::start();
    let image = cluster.push_example("testguest");
    let requests = |amount: &str| json!({"resources": {"requests": {"cpu": amount}}});
    cluster.apply(&bound("big", &image, &requests("10k")));
    let message = refused(&cluster, "big", "OutOfcpu");
    assert!(
        message.contains("resource: cpu, requested: 10000000, used: 0, capacity: "),
        "{message}"
    );
    cluster.apply(&bound("elsewhere", &image, &json!({"nodeSelector": {"disk": "fast"}})));
    let message = refused(&cluster, "elsewhere", "NodeAffinity");
    assert!(message.ends_with("node(s) didn't match Pod's node affinity/selector"), "{message}");
    let port = json!({"ports": [{"containerPort": 80, "hostPort": 18080}]});
    cluster.apply(&bound("first", &image, &port));
    cluster.ready_pod("first");
    cluster.apply(&bound("second", &image, &port));
    refused(&cluster, "second", "NodePorts");
}

#[test]
fn a_critical_pod_gets_the_place_of_a_lesser_one() {
    let arguments = vec!["--max-pods=1".to_owned()];
    let mut cluster = Cluster::start_with(Options { arguments, ..Options::default() });
    let image = cluster.push_example("testguest");
    cluster.apply(&bound("lesser", &image, &Value::Null));
    cluster.ready_pod("lesser");
    cluster.apply(&bound("another", &image, &Value::Null));
    refused(&cluster, "another", "OutOfpods");
    let critical = json!({"priorityClassName": "system-node-critical"});
    cluster.apply(&bound("critical", &image, &critical));
    cluster.ready_pod("critical");
    let pod = cluster.pod_in_phase("lesser", "Failed");
    assert_eq!(pod["status"]["reason"], "Preempting");
    let message = "Preempted in order to admit critical pod";
    assert_eq!(pod["status"]["message"], message);
    assert!(cluster.events("lesser", "Preempting").contains(message));
    // What the node has taken it keeps.
    cluster.crash_and_restart();
    assert_eq!(cluster.ready_pod("critical")["status"]["phase"], "Running");
}
