//! Which node a pod gets, and what it is told when none fits.

use std::sync::Arc;

use serde_json::{Value, json};
use wk_api::names::NamespacedName;

use super::*;

fn node(name: &str, change: impl FnOnce(&mut Value)) -> Arc<Offer> {
    let mut node = json!({
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {},
        "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}},
    });
    change(&mut node);
    Arc::new(Offer::of(serde_json::from_value(node).unwrap()))
}

fn cluster(nodes: impl IntoIterator<Item = Arc<Offer>>) -> Cluster {
    let mut cluster = Cluster::default();
    for node in nodes {
        cluster.put_node(&node);
    }
    cluster
}

fn pod(spec: &Value) -> Arc<Demand> {
    let mut pod = json!({"metadata": {"name": "p", "uid": "u"}, "spec": {"containers": []}});
    pod["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    Arc::new(Demand::of(serde_json::from_value(pod).unwrap()).unwrap())
}

fn asking(cpu: &str, memory: &str) -> Value {
    json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu, "memory": memory}}}]})
}

fn put(cluster: &mut Cluster, name: &str, spec: &Value, node: &str) {
    cluster.put_bound(NamespacedName::new("default", name), pod(spec), node.to_owned());
}

#[track_caller]
fn check(case: &str, cluster: &Cluster, spec: &Value, expected: Result<&str, &str>) {
    for tie in 0..3 {
        let chosen = choose(&pod(spec), cluster, tie);
        let chosen = chosen.as_deref().map_err(|refused| refused.message.as_str());
        assert_eq!(chosen, expected, "{case}");
    }
}

#[test]
fn refusals_read_like_those_of_kubernetes() {
    let one = |change: fn(&mut Value)| cluster([node("a", change)]);
    let plain = json!({});
    check("no nodes", &Cluster::default(), &plain, Err("no nodes available to schedule pods"));
    check(
        "all amounts that lack are named",
        &one(|_| {}),
        &asking("5", "9Gi"),
        Err("0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory."),
    );
    check(
        "a cordoned node",
        &one(|node| node["spec"]["unschedulable"] = json!(true)),
        &plain,
        Err("0/1 nodes are available: 1 node(s) were unschedulable."),
    );
    check(
        "a taint",
        &one(|node| {
            node["spec"]["taints"] = json!([{"key": "k", "value": "v", "effect": "NoSchedule"}]);
        }),
        &plain,
        Err("0/1 nodes are available: 1 node(s) had untolerated taint {k: v}."),
    );
    check(
        "a selector",
        &one(|_| {}),
        &json!({"nodeSelector": {"disk": "ssd"}}),
        Err("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."),
    );
    check(
        "an unknown resource",
        &one(|_| {}),
        &asking("1", "1")
            .as_object()
            .map(|_| {
                json!({"containers": [{"name": "c",
            "resources": {"requests": {"example.com/gpu": "1"}}}]})
            })
            .unwrap(),
        Err("0/1 nodes are available: 1 Insufficient example.com/gpu."),
    );
    check(
        "a runtime that the node says it does not have",
        &one(|node| node["status"]["runtimeHandlers"] = json!([{"name": "wasm"}])),
        &json!({"runtimeClassName": "docker"}),
        Err("0/1 nodes are available: 1 node(s) didn't support the pod's runtime class."),
    );
    let mut full = one(|node| node["status"]["allocatable"]["pods"] = json!("1"));
    put(&mut full, "b", &plain, "a");
    check("too many", &full, &plain, Err("0/1 nodes are available: 1 Too many pods."));
    let port =
        json!({"containers": [{"name": "c", "ports": [{"containerPort": 1, "hostPort": 80}]}]});
    let mut taken = one(|_| {});
    put(&mut taken, "b", &port, "a");
    check(
        "a port",
        &taken,
        &port,
        Err(
            "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
        ),
    );
}

#[test]
fn reasons_are_counted_over_the_nodes() {
    let small = |node: &mut Value| node["status"]["allocatable"]["cpu"] = json!("1");
    let cordoned = |node: &mut Value| node["spec"]["unschedulable"] = json!(true);
    let cluster = cluster([node("a", small), node("b", small), node("c", cordoned)]);
    check(
        "three nodes",
        &cluster,
        &asking("2", "1Gi"),
        Err("0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu."),
    );
}

#[test]
fn tolerations_open_tainted_nodes() {
    let tainted = cluster([node("a", |node| {
        node["spec"]["taints"] = json!([{"key": "k", "value": "v", "effect": "NoSchedule"}]);
    })]);
    let refused = Err("0/1 nodes are available: 1 node(s) had untolerated taint {k: v}.");
    for (case, toleration, expected) in [
        ("by value", json!({"key": "k", "value": "v"}), Ok("a")),
        ("by another value", json!({"key": "k", "value": "w"}), refused),
        ("by existence", json!({"key": "k", "operator": "Exists"}), Ok("a")),
        ("all of them", json!({"operator": "Exists"}), Ok("a")),
        ("for another effect", json!({"operator": "Exists", "effect": "NoExecute"}), refused),
    ] {
        check(case, &tainted, &json!({"tolerations": [toleration]}), expected);
    }
}

#[test]
fn affinity_selects_by_label_and_name() {
    let nodes = cluster([
        node("a", |node| node["metadata"]["labels"]["zone"] = json!("1")),
        node("b", |node| node["metadata"]["labels"]["zone"] = json!("2")),
    ]);
    let required = |term: Value| {
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
            {"nodeSelectorTerms": [term]}}}})
    };
    let expression = |operator: &str, values: Value| {
        required(
            json!({"matchExpressions": [{"key": "zone", "operator": operator, "values": values}]}),
        )
    };
    let none = Err("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.");
    check("in", &nodes, &expression("In", json!(["2"])), Ok("b"));
    check("not in", &nodes, &expression("NotIn", json!(["2"])), Ok("a"));
    check("greater", &nodes, &expression("Gt", json!(["1"])), Ok("b"));
    check("does not exist", &nodes, &expression("DoesNotExist", Value::Null), none);
    let by_name =
        json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]});
    check("by name", &nodes, &required(by_name), Ok("b"));
    check("an empty term matches nothing", &nodes, &required(json!({})), none);
    let preferred = json!({"affinity": {"nodeAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 10, "preference":
            {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["2"]}]}}]}}});
    check("a preference", &nodes, &preferred, Ok("b"));
}

#[test]
fn the_emptier_node_is_better() {
    let mut nodes = cluster([node("a", |_| {}), node("b", |_| {})]);
    put(&mut nodes, "x", &asking("1", "1Gi"), "a");
    check("by requests", &nodes, &asking("1", "1Gi"), Ok("b"));
    let mut nodes = cluster([node("a", |_| {}), node("b", |_| {})]);
    put(&mut nodes, "x", &json!({"containers": [{"name": "c"}]}), "a");
    check("by assumption", &nodes, &json!({"containers": [{"name": "c"}]}), Ok("b"));
}

#[test]
fn a_node_that_holds_a_large_image_is_better() {
    let nodes = cluster([
        node("a", |_| {}),
        node("b", |node| {
            node["status"]["images"] = json!([{"names": ["web:latest"], "sizeBytes": 500 << 20}]);
        }),
    ]);
    check("image", &nodes, &json!({"containers": [{"name": "c", "image": "web"}]}), Ok("b"));
}

#[test]
fn a_taint_that_only_deters_deters() {
    let nodes = cluster([
        node("a", |node| {
            node["spec"]["taints"] = json!([{"key": "k", "effect": "PreferNoSchedule"}]);
        }),
        node("b", |_| {}),
    ]);
    check("prefer no schedule", &nodes, &json!({}), Ok("b"));
}

#[test]
fn decisions_count_before_they_are_confirmed() {
    let mut nodes = cluster([node("a", |_| {})]);
    let wanted = pod(&asking("3", "1Gi"));
    let key = NamespacedName::new("default", "first");
    nodes.assume(key.clone(), Arc::clone(&wanted), "a".to_owned());
    check(
        "assumed",
        &nodes,
        &asking("3", "1Gi"),
        Err("0/1 nodes are available: 1 Insufficient cpu."),
    );
    nodes.forget_assumed(&key, &wanted.uid);
    check("forgotten", &nodes, &asking("3", "1Gi"), Ok("a"));
    nodes.put_bound(key.clone(), Arc::clone(&wanted), "a".to_owned());
    nodes.forget_assumed(&key, &wanted.uid);
    check("seen", &nodes, &asking("3", "1Gi"), Err("0/1 nodes are available: 1 Insufficient cpu."));
}

#[test]
fn a_node_that_comes_back_finds_its_pods_counted() {
    let mut nodes = cluster([node("a", |_| {})]);
    put(&mut nodes, "x", &asking("3", "1Gi"), "a");
    nodes.remove_node("a");
    check("gone", &nodes, &asking("3", "1Gi"), Err("no nodes available to schedule pods"));
    nodes.put_node(&node("a", |_| {}));
    check("back", &nodes, &asking("3", "1Gi"), Err("0/1 nodes are available: 1 Insufficient cpu."));
}
