//! Which node a pod gets, and what it is told when none fits.

mod affinity;
mod hints;
mod preemption;
mod properties;
mod spread;
mod volumes;

use serde_json::{Value, json};

use super::*;
use crate::config::{ProfileConfig, ResourceWeight, ScoringStrategy};
use crate::testing::{World, asking, key, requesting, unhelpful};

const NO_VICTIMS: &str =
    "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";

/// A world of one node.
fn one(change: impl FnOnce(&mut Value)) -> World {
    let mut world = World::new();
    world.node("a", change);
    world
}

/// Checks that a pod is refused for `reason` by the only node.
#[track_caller]
fn refused(case: &str, world: &World, pod: &Value, reason: &str, preemption: &str) {
    let message = format!("0/1 nodes are available: {reason}. {preemption}");
    world.check(case, pod, Err(&message));
}

#[test]
fn refusals_that_last_read_like_those_of_kubernetes() {
    let plain = json!({});
    World::new().check("no nodes", &plain, Err("no nodes available to schedule pods"));
    let hopeless = |case: &str, world: &World, pod: &Value, reason: &str| {
        refused(case, world, pod, reason, &unhelpful(1));
    };
    hopeless(
        "all amounts that lack are named",
        &one(|_| {}),
        &asking("5", "9Gi"),
        "1 Insufficient cpu, 1 Insufficient memory",
    );
    hopeless(
        "a cordoned node",
        &one(|node| node["spec"]["unschedulable"] = json!(true)),
        &plain,
        "1 node(s) were unschedulable",
    );
    hopeless(
        "a taint",
        &one(|node| {
            node["spec"]["taints"] = json!([{"key": "k", "value": "v", "effect": "NoSchedule"}]);
        }),
        &plain,
        "1 node(s) had untolerated taint(s)",
    );
    hopeless(
        "a selector",
        &one(|_| {}),
        &json!({"spec": {"nodeSelector": {"disk": "ssd"}}}),
        "1 node(s) didn't match Pod's node affinity/selector",
    );
    hopeless(
        "an unknown resource",
        &one(|_| {}),
        &requesting(&json!({"example.com/gpu": "1"})),
        "1 Insufficient example.com/gpu",
    );
    hopeless(
        "a runtime that the node says it does not have",
        &one(|node| node["status"]["runtimeHandlers"] = json!([{"name": "wasm"}])),
        &json!({"spec": {"runtimeClassName": "docker"}}),
        "1 node(s) didn't support the pod's runtime class",
    );
}

#[test]
fn refusals_because_of_other_pods_say_whether_one_could_go() {
    let curable = |case: &str, world: &World, pod: &Value, reason: &str| {
        refused(case, world, pod, reason, NO_VICTIMS);
    };
    let mut full = one(|node| node["status"]["allocatable"]["pods"] = json!("1"));
    full.place("x", &json!({}), "a");
    curable("too many", &full, &json!({}), "1 Too many pods");
    let port = json!({"spec": {"containers":
        [{"name": "c", "ports": [{"containerPort": 1, "hostPort": 80}]}]}});
    let mut taken = one(|_| {});
    taken.place("x", &port, "a");
    let reason = "1 node(s) didn't have free ports for the requested pod ports";
    curable("a port", &taken, &port, reason);
    let mut used = one(|_| {});
    used.place("x", &asking("3", "1Gi"), "a");
    curable("amounts", &used, &asking("2", "1Gi"), "1 Insufficient cpu");
}

#[test]
fn reasons_are_counted_over_the_nodes() {
    let mut world = World::new();
    for name in ["a", "b"] {
        world.node(name, |node| node["status"]["allocatable"]["cpu"] = json!("1"));
    }
    world.node("c", |node| node["spec"]["unschedulable"] = json!(true));
    world.node("d", |_| {});
    world.place("x", &asking("3", "1Gi"), "d");
    world.check(
        "four nodes",
        &asking("2", "1Gi"),
        Err("0/4 nodes are available: 1 node(s) were unschedulable, 3 Insufficient cpu. \
             preemption: 0/4 nodes are available: 1 No preemption victims found for incoming pod, \
             3 Preemption is not helpful for scheduling."),
    );
}

#[test]
fn tolerations_open_tainted_and_cordoned_nodes() {
    let tainted = one(|node| {
        node["spec"]["taints"] = json!([{"key": "k", "value": "v", "effect": "NoSchedule"}]);
        node["spec"]["unschedulable"] = json!(true);
    });
    let tolerations = json!({"spec": {"tolerations": [{"key": "k", "value": "v"},
        {"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}]}});
    tainted.check("both", &tolerations, Ok("a"));
}

fn required(term: &Value) -> Value {
    json!({"spec": {"affinity": {"nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}}})
}

#[test]
fn affinity_selects_by_label() {
    let mut world = World::new();
    for (name, zone) in [("a", "1"), ("b", "2")] {
        world.node(name, |node| node["metadata"]["labels"]["zone"] = json!(zone));
    }
    let expression = |operator: &str, values: Value| {
        required(&json!({"matchExpressions":
            [{"key": "zone", "operator": operator, "values": values}]}))
    };
    let none = format!(
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. {}",
        unhelpful(2)
    );
    world.check("in", &expression("In", json!(["2"])), Ok("b"));
    world.check("not in", &expression("NotIn", json!(["2"])), Ok("a"));
    world.check("greater", &expression("Gt", json!(["1"])), Ok("b"));
    world.check("does not exist", &expression("DoesNotExist", Value::Null), Err(&none));
    world.check("an empty term matches nothing", &required(&json!({})), Err(&none));
    let preferred = json!({"spec": {"affinity": {"nodeAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 10, "preference":
            {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["2"]}]}}]}}}});
    world.check("a preference", &preferred, Ok("b"));
}

#[test]
fn a_pod_of_a_daemon_set_is_told_about_its_own_node() {
    let named = |name: &str, cpu: &str| {
        let term = json!({"matchFields":
            [{"key": "metadata.name", "operator": "In", "values": [name]}]});
        crate::testing::both(required(&term), &asking(cpu, "1Gi"))
    };
    let mut world = World::of_three();
    world.check("its node", &named("b", "1"), Ok("b"));
    world.place("x", &asking("4", "1Gi"), "b");
    world.check(
        "its node is full",
        &named("b", "1"),
        Err("0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) \
             [NodeAffinity]. preemption: 0/3 nodes are available: 1 No preemption victims found \
             for incoming pod, 2 Preemption is not helpful for scheduling."),
    );
    let gone = format!(
        "0/3 nodes are available: 3 node(s) didn't satisfy plugin(s) [NodeAffinity]. {}",
        unhelpful(3)
    );
    world.check("its node is gone", &named("z", "1"), Err(&gone));
}

#[test]
fn the_emptier_node_is_better() {
    let two = || {
        let mut world = World::new();
        world.node("a", |_| {});
        world.node("b", |_| {});
        world
    };
    let mut world = two();
    world.place("x", &asking("1", "1Gi"), "a");
    world.check("by requests", &asking("1", "1Gi"), Ok("b"));
    let mut world = two();
    let silent = json!({"spec": {"containers": [{"name": "c"}]}});
    world.place("x", &silent, "a");
    world.check("by assumption", &silent, Ok("b"));
}

#[test]
fn another_strategy_fills_nodes() {
    let mut world = World::with(&ProfileConfig {
        scoring_strategy: ScoringStrategy::MostAllocated {
            resources: ResourceWeight::cpu_and_memory(),
        },
        ..ProfileConfig::new("x")
    });
    world.node("a", |_| {});
    world.node("b", |_| {});
    world.place("x", &asking("1", "2Gi"), "a");
    world.check("the fuller one", &asking("1", "2Gi"), Ok("a"));
}

#[test]
fn a_node_that_holds_a_large_image_is_better() {
    let mut world = one(|_| {});
    world.node("b", |node| {
        node["status"]["images"] = json!([{"names": ["web:latest"], "sizeBytes": 500 << 20}]);
    });
    let web = json!({"spec": {"containers": [{"name": "c", "image": "web"}]}});
    world.check("image", &web, Ok("b"));
    let mounted = json!({"spec": {"volumes": [{"name": "v", "image": {"reference": "web"}}]}});
    world.check("image of a volume", &mounted, Ok("b"));
}

#[test]
fn a_taint_that_only_deters_deters() {
    let mut world = one(|node| {
        node["spec"]["taints"] = json!([{"key": "k", "effect": "PreferNoSchedule"}]);
    });
    world.node("b", |_| {});
    world.check("prefer no schedule", &json!({}), Ok("b"));
}

#[test]
fn decisions_count_before_they_are_confirmed() {
    let mut world = one(|_| {});
    let full = format!("0/1 nodes are available: 1 Insufficient cpu. {NO_VICTIMS}");
    let wanted = world.pod("first", &asking("3", "1Gi"));
    world.cluster.assume(Arc::clone(&wanted), "a");
    world.check("assumed", &asking("3", "1Gi"), Err(&full));
    world.cluster.forget_assumed(&key("first"), &wanted.uid);
    world.check("forgotten", &asking("3", "1Gi"), Ok("a"));
    world.cluster.put_bound(Arc::clone(&wanted), "a");
    world.cluster.forget_assumed(&key("first"), &wanted.uid);
    world.check("seen", &asking("3", "1Gi"), Err(&full));
}

#[test]
fn a_search_begins_where_the_one_before_stopped() {
    let mut world =
        World::with(&ProfileConfig { percentage_of_nodes_to_score: 50, ..ProfileConfig::new("x") });
    for number in 0..240 {
        world.node(&format!("n{number:03}"), |_| {});
    }
    let pod = world.pod("new", &json!({}));
    let (mut start, mut chosen) = (0, Vec::new());
    for _ in 0..2 {
        let chance = Chance { tie: 0, start };
        let (node, looked_at) = choose(&world.profile, &pod, &world.cluster, chance);
        start += looked_at;
        chosen.push(node.unwrap().node.to_string());
    }
    assert_eq!(start, 240, "each search looks at half of the nodes");
    assert_eq!(chosen, ["n000", "n120"]);
}
