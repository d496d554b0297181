//! Pods that were bound to a node where they cannot be.

use serde_json::{Value, json};
use wk_runtime::{ContainerId, ContainerStatus, Runtime as _};

use super::{Node, one_container, pod, ready};

fn named(name: &str, spec: &Value) -> Value {
    let mut pod = pod(spec);
    pod["metadata"]["name"] = name.into();
    pod["metadata"]["uid"] = format!("u-{name}").into();
    pod
}

fn asking(resource: &str, amount: &str) -> Value {
    let mut spec = one_container("here:1");
    spec["containers"][0]["resources"] = json!({"requests": {resource: amount}});
    spec
}

async fn failure(node: &Node, name: &str) -> (String, String) {
    let key = format!("pods/{name}");
    let failed = |pod: Option<&Value>| pod.is_some_and(|pod| pod["status"]["phase"] == "Failed");
    node.api.until(&key, failed).await;
    let status = node.api.get(&key).unwrap()["status"].clone();
    let text = |field: &str| status[field].as_str().unwrap_or_default().to_owned();
    (text("reason"), text("message"))
}

#[tokio::test]
async fn what_does_not_fit_fails_and_what_fits_runs() {
    let node = Node::start().await;
    node.api.put("pods/big", named("big", &asking("cpu", "9k")));
    let (reason, message) = failure(&node, "big").await;
    let begins = "Pod was rejected: Node didn't have enough resource: cpu, requested: 9000000, \
                  used: 0, capacity: ";
    assert!(reason == "OutOfcpu" && message.starts_with(begins), "{reason}: {message}");
    let told = node.api.event("OutOfcpu").await;
    assert_eq!(told["type"], "Warning");
    let mut elsewhere = one_container("here:1");
    elsewhere["nodeSelector"] = json!({"no": "where"});
    node.api.put("pods/elsewhere", named("elsewhere", &elsewhere));
    let why = "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node \
               affinity/selector";
    assert_eq!(failure(&node, "elsewhere").await, ("NodeAffinity".to_owned(), why.to_owned()));
    let mut port = one_container("here:1");
    port["containers"][0]["ports"] = json!([{"containerPort": 80, "hostPort": 8080}]);
    node.api.put("pods/first", named("first", &port));
    node.api.until("pods/first", ready).await;
    node.api.put("pods/second", named("second", &port));
    let why = "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for \
               the requested pod ports";
    assert_eq!(failure(&node, "second").await, ("NodePorts".to_owned(), why.to_owned()));
    // Of those that were refused nothing is left that takes room.
    node.api.put("pods/small", named("small", &asking("cpu", "1m")));
    node.api.until("pods/small", ready).await;
    node.stop().await;
}

#[tokio::test]
async fn a_pod_that_was_taken_stays_whatever_changes() {
    let node = Node::start().await;
    let mut here = one_container("here:1");
    here["nodeSelector"] = json!({"kubernetes.io/hostname": "n1"});
    node.api.put("pods/web", pod(&here));
    node.api.until("pods/web", ready).await;
    let mut changed = node.api.get("nodes/n1").unwrap();
    changed["metadata"]["labels"] = json!({});
    changed["spec"]["taints"] = json!([{"key": "gone", "effect": "NoExecute"}]);
    node.api.put("nodes/n1", changed);
    // A new one learns of it.
    let mut second = named("second", &here);
    second["spec"]["tolerations"] = json!([{"operator": "Exists"}]);
    let refused = async {
        let mut number = 0;
        loop {
            number += 1;
            let name = format!("second-{number}");
            let mut second = second.clone();
            second["metadata"]["name"] = name.clone().into();
            second["metadata"]["uid"] = name.clone().into();
            node.api.put(&format!("pods/{name}"), second);
            let told =
                |pod: Option<&Value>| pod.is_some_and(|p| p["status"]["startTime"].is_string());
            node.api.until(&format!("pods/{name}"), told).await;
            let pod = node.api.get(&format!("pods/{name}")).unwrap();
            if pod["status"]["reason"] == "NodeAffinity" {
                return;
            }
            node.api.remove(&format!("pods/{name}"));
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), refused).await.unwrap();
    node.kubelet.stop_containers(std::time::Duration::ZERO).await;
    let (api, folder) = node.stop().await;
    let node = Node::with(api, folder).await;
    let restarted = |pod: Option<&Value>| {
        pod.is_some_and(|pod| pod["status"]["containerStatuses"][0]["restartCount"] == 1)
    };
    node.api.until("pods/web", restarted).await;
    node.api.until("pods/web", ready).await;
    node.stop().await;
}

#[tokio::test]
async fn lesser_pods_make_room_for_one_that_the_node_needs() {
    let node = Node::configured(super::api::Api::new(), tempfile::tempdir().unwrap(), |config| {
        config.max_pods = 2;
    })
    .await;
    for name in ["a", "b"] {
        node.api.put(&format!("pods/{name}"), named(name, &one_container("here:1")));
        node.api.until(&format!("pods/{name}"), ready).await;
    }
    node.api.put("pods/c", named("c", &one_container("here:1")));
    let (reason, message) = failure(&node, "c").await;
    assert_eq!(reason, "OutOfpods");
    let why = "Pod was rejected: Node didn't have enough resource: pods, requested: 1, used: 2, \
               capacity: 2";
    assert_eq!(message, why);
    let mut needed = one_container("here:1");
    needed["priority"] = json!(2_000_001_000);
    node.api.put("pods/needed", named("needed", &needed));
    node.api.until("pods/needed", ready).await;
    let gone = node.api.event("Preempting").await;
    let name = gone["involvedObject"]["name"].as_str().unwrap().to_owned();
    let (reason, message) = failure(&node, &name).await;
    assert_eq!(reason, "Preempting");
    assert_eq!(message, "Preempted in order to admit critical pod");
    let running = node.runtime.list().await.unwrap();
    let running = running.iter().filter(|one| one.status == ContainerStatus::Running).count();
    assert_eq!(running, 2);
    node.runtime.exit(&ContainerId::new("u-needed_c_0"), 0);
    node.stop().await;
}
