//! The cluster as it changes.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::testing::{World, asking, both, key};

fn names(cluster: &Cluster) -> Vec<&str> {
    cluster.order().iter().map(|index| &*cluster.node(*index).unwrap().offer.name).collect()
}

#[test]
fn a_node_that_comes_back_finds_its_pods_counted() {
    let mut world = World::new();
    world.node("a", |_| {});
    world.place("x", &asking("3", "1Gi"), "a");
    world.cluster.remove_node("a");
    assert_eq!(world.cluster.node_count(), 0);
    world.check("gone", &json!({}), Err("no nodes available to schedule pods"));
    world.node("a", |_| {});
    let index = world.cluster.index_of("a").unwrap();
    assert_eq!(world.cluster.node(index).unwrap().used.requested.milli_cpu, 3000);
}

#[test]
fn zones_take_turns() {
    let mut world = World::new();
    for (name, zone) in [("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("c1", "c")] {
        world.node(name, |node| {
            node["metadata"]["labels"]["topology.kubernetes.io/zone"] = json!(zone);
        });
    }
    assert_eq!(names(&world.cluster), ["a1", "b1", "c1", "a2", "a3"]);
    world.cluster.remove_node("b1");
    assert_eq!(names(&world.cluster), ["a1", "c1", "a2", "a3"]);
}

#[test]
fn domains_follow_the_labels() {
    let mut world = World::of_three();
    let domains = |world: &World| {
        let domains = world.cluster.domains("zone");
        let of = |name: &str| domains.of(world.cluster.index_of(name).unwrap());
        (domains.count(), of("a") == of("b"), of("b") == of("c"))
    };
    assert_eq!(domains(&world), (2, true, false));
    world.node("b", |node| node["metadata"]["labels"]["zone"] = json!("2"));
    assert_eq!(domains(&world), (2, false, true));
    world.node("d", |_| {});
    let domains = world.cluster.domains("zone");
    assert_eq!(domains.of(world.cluster.index_of("d").unwrap()), NOWHERE);
}

#[test]
fn a_pod_that_has_a_node_needs_no_room_any_more() {
    let mut world = World::of_three();
    let pod = world.pod("x", &json!({}));
    world.cluster.nominate(&pod, Some("a"));
    assert_eq!(world.cluster.nominated("a").len(), 1);
    world.cluster.nominate(&pod, Some("b"));
    assert_eq!((world.cluster.nominated("a").len(), world.cluster.nominated("b").len()), (0, 1));
    world.cluster.assume(pod, "b");
    assert_eq!(world.cluster.nomination(&key("x")), None);
    assert!(world.cluster.nominated("b").is_empty());
}

proptest! {
    /// Whatever comes and goes, nothing is left over in the end.
    #[test]
    fn what_goes_leaves_no_trace(steps in proptest::collection::vec((0..6_u8, 0..3_u8, any::<bool>()), 0..60)) {
        let mut world = World::of_three();
        for (pod, node, comes) in &steps {
            let name = format!("p{pod}");
            if *comes {
                let labels = json!({"metadata": {"labels": {"app": (pod % 2).to_string()}},
                    "spec": {"affinity": {"podAntiAffinity":
                        {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1,
                            "podAffinityTerm": {"topologyKey": "zone"}}]}}}});
                world.place(&name, &both(asking("1", "1Gi"), &labels), ["a", "b", "c"][*node as usize]);
            } else {
                world.cluster.remove_pod(&key(&name));
            }
            let placed: i64 = world.cluster.order().iter()
                .map(|index| world.cluster.node(*index).unwrap().used.pods)
                .sum();
            let grouped: i64 = world.cluster.crowd().groups()
                .flat_map(|group| group.nodes.values())
                .map(|count| count.all)
                .sum();
            let bearers: i64 = world.cluster.crowd().bearers()
                .flat_map(|bearers| bearers.nodes.values())
                .sum();
            prop_assert_eq!((placed, placed), (grouped, bearers));
        }
        for pod in 0..6 {
            world.cluster.remove_pod(&key(&format!("p{pod}")));
        }
        prop_assert_eq!(world.cluster.crowd().groups().count(), 0);
        prop_assert_eq!(world.cluster.crowd().bearers().count(), 0);
        for index in world.cluster.order().iter() {
            prop_assert_eq!(world.cluster.node(*index).unwrap().used, &Usage::default());
        }
    }
}
