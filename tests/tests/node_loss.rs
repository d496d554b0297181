//! Nodes that are lost, and nodes that come back.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use serde_json::Value;
use wk_tests::{Cluster, Options, eventually};

/// A cluster that loses patience with silent nodes soon.
fn cluster() -> Cluster {
    let arguments = vec!["--node-monitor-grace-period=15s".to_owned()];
    Cluster::start_with(Options { arguments, ..Options::default() })
}

fn pods(cluster: &Cluster, selector: &str) -> Vec<Value> {
    let answer = cluster.kubectl(&["get", "pods", "-l", selector, "-o", "json"]).json();
    answer["items"].as_array().unwrap().clone()
}

fn condition(object: &Value, kind: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|one| one["type"] == kind).unwrap_or_default()
}

fn taints(cluster: &Cluster, node: &str) -> Vec<String> {
    let node = cluster.object("node", node).unwrap();
    let taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
    let text = |taint: &Value| {
        let (key, effect) = (taint["key"].as_str().unwrap(), taint["effect"].as_str().unwrap());
        format!("{}:{effect}", key.trim_start_matches("node.kubernetes.io/"))
    };
    let mut taints: Vec<String> = taints.iter().map(text).collect();
    taints.sort();
    taints
}

fn is_on(node: &str) -> impl Fn(&&Value) -> bool {
    move |pod| pod["spec"]["nodeName"] == node
}

fn deployment(image: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 6
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      tolerations:
      - {{key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 1}}
      containers:
      - {{name: c, image: '{image}', ports: [{{containerPort: 8080}}]}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: log}}
spec:
  selector: {{matchLabels: {{app: log}}}}
  template:
    metadata: {{labels: {{app: log}}}}
    spec:
      containers:
      - {{name: c, image: '{image}', ports: [{{containerPort: 8080}}]}}
"
    )
}

#[test]
fn pods_of_a_node_that_is_killed_are_made_anew_elsewhere() {
    let cluster = cluster();
    let mut agent = cluster.start_agent("node-2");
    let image = cluster.push_example("hello-http");
    cluster.apply(&deployment(&image));
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=100s"]).ok();
    cluster.kubectl(&["rollout", "status", "ds/log", "--timeout=100s"]).ok();
    let there = pods(&cluster, "app=web").iter().filter(is_on("node-2")).count();
    assert!(there > 0, "the scheduler spreads pods");

    agent.kill();
    cluster.wait_for_node("node-2", "Unknown");
    let node = cluster.object("node", "node-2").unwrap();
    assert_eq!(condition(&node, "Ready")["reason"], "NodeStatusUnknown");
    eventually("the node is tainted", || {
        let expected = ["unreachable:NoExecute", "unreachable:NoSchedule"];
        (taints(&cluster, "node-2") == expected).then_some(())
    });
    eventually("its pods were told to go, and others run", || {
        let all = pods(&cluster, "app=web");
        let leaving = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_string();
        let told = all.iter().filter(leaving).all(|pod| {
            pod["spec"]["nodeName"] == "node-2"
                && condition(pod, "DisruptionTarget")["reason"] == "DeletionByTaintManager"
        });
        let running = all.iter().filter(|pod| !leaving(pod)).filter(is_on("node-1"));
        let ready = running.filter(|pod| condition(pod, "Ready")["status"] == "True").count();
        (told && all.iter().filter(leaving).count() == there && ready == 6).then_some(())
    });
    // The daemon stands it, and counts as not ready.
    let daemons = pods(&cluster, "app=log");
    let lost = daemons.iter().find(is_on("node-2")).unwrap();
    assert!(lost["metadata"]["deletionTimestamp"].is_null(), "{lost}");
    assert_eq!(condition(lost, "Ready")["status"], "False");
    let name = lost["metadata"]["name"].as_str().unwrap();
    assert!(cluster.events(name, "NodeNotReady").contains("Node is not ready"));

    // Nobody can end those pods until somebody says that they do not run any more.
    let gone = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute";
    cluster.kubectl(&["taint", "node", "node-2", gone]).ok();
    eventually("they are gone", || {
        let all = pods(&cluster, "app=web");
        (all.len() == 6 && all.iter().all(|pod| is_on("node-1")(&pod))).then_some(())
    });
}

#[test]
fn a_node_that_comes_back_keeps_its_pods() {
    let cluster = cluster();
    let agent = cluster.start_agent("node-2");
    let image = cluster.push_example("hello-http");
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: there}}\nspec:\n  \
         nodeSelector: {{kubernetes.io/hostname: node-2}}\n  containers:\n  \
         - {{name: web, image: \"{image}\"}}\n"
    ));
    let before = cluster.ready_pod("there");
    agent.freeze();
    cluster.wait_for_node("node-2", "Unknown");
    eventually("the pod is not ready", || {
        let pod = cluster.object("pod", "there")?;
        (condition(&pod, "Ready")["status"] == "False").then_some(())
    });
    agent.thaw();
    cluster.wait_for_node("node-2", "True");
    eventually("the taints are gone", || taints(&cluster, "node-2").is_empty().then_some(()));
    let after = cluster.ready_pod("there");
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(after["status"]["containerStatuses"][0]["restartCount"], 0);
    assert_eq!(cluster.page("there", 8080, "/").status, 200);
}
