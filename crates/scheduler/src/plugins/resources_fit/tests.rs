//! How good amounts are.

use serde_json::json;

use super::*;
use crate::config::ShapePoint;
use crate::testing::{World, requesting};

fn score(strategy: &ScoringStrategy, cpu: &str, memory: &str) -> i64 {
    let mut world = World::new();
    world.node("a", |node| node["status"]["allocatable"]["example.com/gpu"] = json!("4"));
    let pod = world.pod("p", &requesting(&json!({"cpu": cpu, "memory": memory})));
    let node = world.cluster.node(world.cluster.index_of("a").unwrap()).unwrap();
    ResourceScore::new(strategy.clone()).prepare(&pod, &world.cluster, &[]).unwrap().score(node)
}

fn weights(list: &[(&str, i64)]) -> Vec<ResourceWeight> {
    list.iter()
        .map(|(name, weight)| ResourceWeight { name: (*name).into(), weight: *weight })
        .collect()
}

#[test]
fn strategies_score_as_their_names_say() {
    let plain = ResourceWeight::cpu_and_memory;
    let least = ScoringStrategy::LeastAllocated { resources: plain() };
    let most = ScoringStrategy::MostAllocated { resources: plain() };
    // One processor of four is 25, four gibibytes of eight are 50.
    assert_eq!((score(&least, "1", "4Gi"), score(&most, "1", "4Gi")), (62, 37));
    assert_eq!((score(&least, "9", "8Gi"), score(&most, "9", "8Gi")), (0, 100), "too much");
    let weighed =
        ScoringStrategy::MostAllocated { resources: weights(&[("cpu", 3), ("memory", 1)]) };
    assert_eq!(score(&weighed, "1", "4Gi"), 31);
    let other = ScoringStrategy::MostAllocated {
        resources: weights(&[("cpu", 1), ("example.com/gpu", 100)]),
    };
    assert_eq!(score(&other, "1", "4Gi"), 25, "what the pod does not ask for does not count");
    let point = |utilization, score| ShapePoint { utilization, score };
    let by_table = ScoringStrategy::RequestedToCapacityRatio {
        resources: plain(),
        shape: UtilizationShape(vec![point(0, 0), point(50, 10), point(100, 0)]),
    };
    assert_eq!(score(&by_table, "1", "4Gi"), 75);
    assert_eq!(score(&by_table, "4", "4Gi"), 100, "a score of zero does not count");
}

#[test]
fn only_a_change_of_what_is_lacking_helps() {
    let mut world = World::new();
    let large = |node: &mut serde_json::Value| node["status"]["allocatable"]["cpu"] = json!("8");
    let (before, after) = (world.node("a", |_| {}), world.node("a", large));
    let pod = |cpu: &str| world.pod("p", &requesting(&json!({"cpu": cpu})));
    let is_helped =
        |pod: &Demand, change: Change<'_>| ResourcesFit.is_helped(pod, &change, &world.cluster);
    assert!(is_helped(&pod("6"), Change::NodeChanged(&before, &after)), "now it may fit");
    assert!(!is_helped(&pod("9"), Change::NodeChanged(&before, &after)), "still too small");
    assert!(!is_helped(&pod("6"), Change::NodeChanged(&after, &before)), "smaller");
    assert!(!is_helped(&pod("6"), Change::NodeChanged(&after, &after)), "nothing");
    assert!(is_helped(&pod("6"), Change::NodeCame(&after)));
    assert!(!is_helped(&pod("6"), Change::NodeCame(&before)));
    let memory = world.pod("m", &requesting(&json!({"memory": "1Gi"})));
    assert!(!is_helped(&memory, Change::NodeChanged(&before, &after)), "of something else");
    assert!(is_helped(&memory, Change::PodWent(&pod("1"))));
    assert!(!is_helped(&memory, Change::PodCame(&pod("1"))));
}
