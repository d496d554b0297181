//! Pods spread over places.

use serde_json::{Value, json};

use crate::config::{DefaultConstraint, DefaultSpread, ProfileConfig};
use crate::testing::{World, both, unhelpful};

const HOST: &str = "kubernetes.io/hostname";

fn web() -> Value {
    json!({"metadata": {"labels": {"app": "web"}}})
}

/// A pod with one constraint of skew 1 over `key`; what is in `more` comes on top.
fn spread(key: &str, more: &Value) -> Value {
    let constraint = json!({"maxSkew": 1, "topologyKey": key,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}}});
    both(web(), &json!({"spec": {"topologySpreadConstraints": [both(constraint, more)]}}))
}

const SKEWED: &str = "node(s) didn't match pod topology spread constraints";

#[test]
fn the_emptiest_place_is_next() {
    let mut world = World::of_three();
    world.place("w1", &web(), "a");
    world.check("over machines and zones", &spread("zone", &json!({})), Ok("c"));
    world.check_any("over machines", &spread(HOST, &json!({})), &["b", "c"]);
    world.place("w2", &web(), "c");
    world.check_any("even again", &spread("zone", &json!({})), &["a", "b", "c"]);
    // Pods that are on their way out leave their place to others.
    let going = both(web(), &json!({"metadata": {"deletionTimestamp": "2026-01-02T03:04:05Z"}}));
    world.place("w1", &going, "a");
    world.check_any("only the second zone has one", &spread("zone", &json!({})), &["a", "b"]);
}

#[test]
fn pods_of_other_kinds_and_namespaces_do_not_count() {
    let mut world = World::of_three();
    world.place("db", &json!({"metadata": {"labels": {"app": "db"}}}), "a");
    world.place("w1", &both(web(), &json!({"metadata": {"namespace": "other"}})), "b");
    world.place("w2", &web(), "c");
    world.check_any("zone 1 is empty", &spread("zone", &json!({})), &["a", "b"]);
}

#[test]
fn a_node_without_the_label_is_out() {
    let mut world = World::new();
    world.node("a", |_| {});
    world.check(
        "no zone",
        &spread("zone", &json!({})),
        Err(&format!(
            "0/1 nodes are available: 1 {SKEWED} (missing required label). {}",
            unhelpful(1)
        )),
    );
    let soft = spread("zone", &json!({"whenUnsatisfiable": "ScheduleAnyway"}));
    world.check("no zone is needed", &soft, Ok("a"));
    let mut world = World::of_three();
    world.node("d", |_| {});
    world.place("w1", &web(), "a");
    world.place("w2", &web(), "c");
    world.check_any("but a zone is better", &soft, &["a", "b", "c"]);
}

#[test]
fn with_too_few_places_the_emptiest_counts_as_empty() {
    let mut world = World::of_three();
    world.place("w1", &web(), "a");
    world.place("w2", &web(), "c");
    let three = spread("zone", &json!({"minDomains": 3}));
    world.check(
        "two zones of three",
        &three,
        Err(&format!(
            "0/3 nodes are available: 3 {SKEWED}. preemption: 0/3 nodes are available: 3 No \
         preemption victims found for incoming pod."
        )),
    );
    let two = spread("zone", &json!({"minDomains": 2}));
    world.check_any("two are enough", &two, &["a", "b", "c"]);
}

#[test]
fn which_nodes_count_is_a_policy() {
    let mut world = World::of_three();
    world.place("w1", &web(), "a");
    // Zone 2 is empty, but the pod cannot go there.
    let selector = json!({"spec": {"nodeSelector": {"zone": "1"}}});
    let honored = both(spread("zone", &json!({})), &selector);
    world.check_any("only zone 1 counts", &honored, &["a", "b"]);
    let ignored = both(spread("zone", &json!({"nodeAffinityPolicy": "Ignore"})), &selector);
    world.check(
        "zone 2 counts",
        &ignored,
        Err(&format!(
            "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, \
         2 {SKEWED}. preemption: 0/3 nodes are available: 1 Preemption is not helpful for \
         scheduling, 2 No preemption victims found for incoming pod."
        )),
    );
    world.node("c", |node| {
        node["metadata"]["labels"]["zone"] = json!("2");
        node["spec"]["taints"] = json!([{"key": "k", "effect": "NoSchedule"}]);
    });
    let tainted = spread("zone", &json!({"nodeTaintsPolicy": "Honor"}));
    world.check_any("a tainted zone does not count", &tainted, &["a", "b"]);
    world.check(
        "unless taints are ignored",
        &spread("zone", &json!({})),
        Err(&format!(
            "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 {SKEWED}. preemption: \
         0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption \
         victims found for incoming pod."
        )),
    );
}

#[test]
fn versions_can_be_spread_each_for_itself() {
    let mut world = World::of_three();
    let version = |version: &str| {
        let labels = json!({"metadata": {"labels": {"version": version}}});
        both(spread("zone", &json!({"matchLabelKeys": ["version"]})), &labels)
    };
    world.place("w1", &version("1"), "c");
    world.check_any("the same version", &version("1"), &["a", "b"]);
    world.place("w2", &version("1"), "a");
    world.place("w3", &version("2"), "a");
    world.check("another version", &version("2"), Ok("c"));
}

#[test]
fn a_soft_constraint_only_prefers() {
    let mut world = World::of_three();
    let soft = spread("zone", &json!({"whenUnsatisfiable": "ScheduleAnyway"}));
    world.place("w1", &web(), "a");
    world.check("the empty zone", &soft, Ok("c"));
    world.node("c", |node| node["spec"]["unschedulable"] = json!(true));
    world.check_any("the full one rather than none", &soft, &["a", "b"]);
}

#[test]
fn pods_of_a_service_or_a_set_are_spread_unasked() {
    let mut world = World::of_three();
    for node in ["a", "b"] {
        world.place(&format!("on {node}"), &web(), node);
    }
    world.place("big", &crate::testing::asking("2", "4Gi"), "c");
    world.check_any("alone it goes where there is room", &web(), &["a", "b"]);
    world.service("web", &json!({"app": "web"}));
    world.check("with a service it goes where there are no others", &web(), Ok("c"));
    let mut world = World::of_three();
    world.place("w1", &web(), "a");
    world.place("w2", &web(), "b");
    world.place("big", &crate::testing::asking("2", "4Gi"), "c");
    world.replica_set("web", json!({"matchLabels": {"app": "web"}}));
    let owned = json!({"metadata": {"ownerReferences": [{"apiVersion": "apps/v1",
        "kind": "ReplicaSet", "name": "web", "uid": "u", "controller": true}]}});
    world.check("so does a pod of a set", &both(web(), &owned), Ok("c"));
}

#[test]
fn a_profile_may_spread_otherwise() {
    let constraint =
        DefaultConstraint { topology_key: "zone".to_owned(), max_skew: 1, is_hard: true };
    let mut world = World::with(&ProfileConfig {
        default_spread: DefaultSpread::List(vec![constraint]),
        ..ProfileConfig::new("x")
    });
    for (name, zone) in [("a", "1"), ("b", "2")] {
        world.node(name, |node| node["metadata"]["labels"]["zone"] = json!(zone));
    }
    world.service("web", &json!({"app": "web"}));
    world.place("w1", &web(), "a");
    world.node("b", |node| {
        node["metadata"]["labels"]["zone"] = json!("2");
        node["spec"]["unschedulable"] = json!(true);
    });
    world.check("the constraint is hard", &web(), Err(&format!(
        "0/2 nodes are available: 1 {SKEWED}, 1 node(s) were unschedulable. preemption: 0/2 nodes \
         are available: 1 No preemption victims found for incoming pod, 1 Preemption is not \
         helpful for scheduling."
    )));
}
