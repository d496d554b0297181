//! A pod on every node, with the stock client.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use serde_json::Value;
use wk_tests::{Cluster, eventually};

fn manifest(image: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: web
  annotations: {{kubernetes.io/change-cause: first}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
      - {{name: c, image: '{image}', ports: [{{containerPort: 8080}}]}}
"
    )
}

/// The nodes and images of the pods that stay, ordered.
fn places(cluster: &Cluster) -> Vec<(String, String)> {
    let pods = cluster.kubectl(&["get", "pods", "-l", "app=web", "-o", "json"]).json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut places: Vec<_> = pods["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
        .map(|pod| (text(&pod["spec"]["nodeName"]), text(&pod["spec"]["containers"][0]["image"])))
        .collect();
    places.sort();
    places
}

fn rolled_out(cluster: &Cluster) {
    let told = cluster.kubectl(&["rollout", "status", "ds/web", "--timeout=100s"]).ok();
    assert!(told.contains("daemon set \"web\" successfully rolled out"), "{told}");
}

#[test]
fn kubectl_rolls_a_daemon_set_over_all_nodes_and_back() {
    let cluster = Cluster::start();
    let _agent = cluster.start_agent("node-2");
    let first = cluster.push_example("hello-http");
    cluster.apply(&manifest(&first));
    rolled_out(&cluster);
    let on =
        |image: &str| ["node-1", "node-2"].map(|node| (node.to_owned(), image.to_owned())).to_vec();
    assert_eq!(places(&cluster), on(&first));
    let shown = cluster.kubectl(&["get", "ds", "web", "--no-headers"]).ok();
    let columns: Vec<&str> = shown.split_whitespace().collect();
    assert_eq!(columns[..6], ["web", "2", "2", "2", "2", "2"], "{shown}");

    let second = cluster.push(&wk_tests::example("testguest-http"), "second");
    let set = format!("c={second}");
    cluster.kubectl(&["set", "image", "ds/web", &set]).ok();
    rolled_out(&cluster);
    assert_eq!(places(&cluster), on(&second));
    let history = cluster.kubectl(&["rollout", "history", "ds/web"]).ok();
    let revisions: Vec<&str> =
        history.lines().skip(2).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(revisions, ["1", "2"], "{history}");
    assert!(history.contains("first"), "{history}");
    let detail = cluster.kubectl(&["rollout", "history", "ds/web", "--revision=1"]).ok();
    assert!(detail.contains(&first), "{detail}");

    cluster.kubectl(&["rollout", "undo", "ds/web"]).ok();
    rolled_out(&cluster);
    assert_eq!(places(&cluster), on(&first));
    cluster.kubectl(&["rollout", "restart", "ds/web"]).ok();
    rolled_out(&cluster);
    assert_eq!(places(&cluster), on(&first));
    let described = cluster.kubectl(&["describe", "ds", "web"]).ok();
    assert!(described.contains("SuccessfulCreate"), "{described}");

    // A cordoned node keeps its daemon; a drain leaves it alone.
    cluster.kubectl(&["drain", "node-2", "--ignore-daemonsets", "--timeout=60s"]).ok();
    assert_eq!(places(&cluster), on(&first));
    cluster.kubectl(&["uncordon", "node-2"]).ok();

    // A label that goes takes the pod with it.
    let only =
        r#"{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":"node-2"}}}}}"#;
    cluster.kubectl(&["patch", "ds", "web", "-p", only]).ok();
    rolled_out(&cluster);
    eventually("one pod is left", || {
        (places(&cluster) == [("node-2".to_owned(), first.clone())]).then_some(())
    });
    cluster.kubectl(&["delete", "ds", "web"]).ok();
    eventually("its pods are gone", || {
        let pods = cluster.kubectl(&["get", "pods", "-l", "app=web", "-o", "name"]);
        (pods.code == 0 && pods.stdout.is_empty()).then_some(())
    });
}

#[test]
fn a_surge_brings_the_new_pod_before_the_old_one_goes() {
    let cluster = Cluster::start();
    let first = cluster.push_example("hello-http");
    let surge = "  updateStrategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}\n";
    cluster.apply(&format!("{}{surge}", manifest(&first)));
    rolled_out(&cluster);
    let second = cluster.push(&wk_tests::example("testguest-http"), "second");
    cluster.kubectl(&["set", "image", "ds/web", &format!("c={second}")]).ok();
    rolled_out(&cluster);
    eventually("the old pod has gone", || {
        (places(&cluster) == [("node-1".to_owned(), second.clone())]).then_some(())
    });
}
