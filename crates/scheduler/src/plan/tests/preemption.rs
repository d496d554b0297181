//! Who has to go for whom.

use serde_json::{Value, json};

use crate::config::ProfileConfig;
use crate::plan::{Preemption, Unschedulable};
use crate::testing::{World, asking, both, key, unhelpful};

/// A pod of this priority that asks for so many processors, and is called `app`.
fn pod(app: &str, priority: i32, cpu: &str) -> Value {
    let more = json!({"metadata": {"labels": {"app": app}}, "spec": {"priority": priority}});
    both(asking(cpu, "1Mi"), &more)
}

fn since(time: &str) -> Value {
    json!({"status": {"startTime": time}})
}

fn refused(world: &World, pod: &Value) -> Unschedulable {
    world.choose(&world.pod("new", pod), 0).unwrap_err()
}

/// Checks where room is made for a pod and who has to go, the most important one first.
#[track_caller]
fn check(case: &str, world: &World, pod: &Value, expected: (&str, &[&str])) {
    for tie in 0..4 {
        let refused = world.choose(&world.pod("new", pod), tie).unwrap_err();
        let Preemption::Room { node, victims, .. } = refused.preemption else {
            panic!("{case}: {refused:?}")
        };
        let victims: Vec<&str> = victims.iter().map(|victim| &*victim.name).collect();
        assert_eq!((&*node, &*victims), expected, "{case}");
    }
}

#[test]
fn as_few_and_as_unimportant_pods_as_possible_have_to_go() {
    let mut world = World::new();
    world.node("a", |_| {});
    world.place("low", &pod("x", 1, "1"), "a");
    world.place("middle", &pod("x", 2, "1"), "a");
    world.place("high", &pod("x", 9, "1"), "a");
    let new = |cpu: &str| pod("new", 5, cpu);
    check("one", &world, &new("2"), ("a", &["low"]));
    check("two", &world, &new("3"), ("a", &["middle", "low"]));
    let hopeless = refused(&world, &new("4"));
    assert_eq!(hopeless.preemption, Preemption::Hopeless);
    assert_eq!(
        hopeless.message,
        "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: \
         1 Insufficient cpu.",
        "the one of higher priority stays"
    );
    let told = refused(&world, &new("2")).message;
    assert_eq!(told, "0/1 nodes are available: 1 Insufficient cpu.", "it helps");
}

#[test]
fn of_equally_important_pods_the_youngest_goes() {
    let mut world = World::new();
    world.node("a", |_| {});
    for (name, time) in [("old", "2026-01-01T00:00:00Z"), ("young", "2026-01-02T00:00:00Z")] {
        world.place(name, &both(pod("x", 1, "2"), &since(time)), "a");
    }
    check("one machine", &world, &pod("new", 5, "2"), ("a", &["young"]));
}

#[test]
fn budgets_are_honoured_where_that_is_possible() {
    let mut world = World::new();
    world.node("a", |_| {});
    world.place("guarded", &pod("guarded", 1, "2"), "a");
    world.place("free", &pod("free", 2, "2"), "a");
    world.budget("b", &json!({"app": "guarded"}), 0);
    let new = pod("new", 5, "2");
    check("rather the more important one", &world, &new, ("a", &["free"]));
    world.budget("b", &json!({"app": "guarded"}), 1);
    check("the budget allows it", &world, &new, ("a", &["guarded"]));
    world.budget("b", &json!({"app": "guarded"}), 0);
    check("if there is no other way", &world, &pod("new", 5, "4"), ("a", &["free", "guarded"]));
    world.node("b", |_| {});
    world.place("important", &pod("x", 4, "4"), "b");
    check("another machine is better", &world, &pod("new", 5, "4"), ("b", &["important"]));
}

#[test]
fn the_machine_where_least_is_lost_is_best() {
    let new = pod("new", 9, "4");
    let world = |pods: &[(&str, i32, &str, &str)]| {
        let mut world = World::new();
        world.node("a", |_| {});
        world.node("b", |_| {});
        for (number, (node, priority, cpu, time)) in pods.iter().enumerate() {
            let pod = both(pod("x", *priority, cpu), &since(time));
            world.place(&format!("p{number}"), &pod, node);
        }
        world
    };
    let early = "2026-01-01T00:00:00Z";
    let late = "2026-01-02T00:00:00Z";
    for (case, pods, expected) in [
        ("the highest priority", &[("a", 3, "4", early), ("b", 2, "4", early)][..], "b"),
        (
            "the sum of the priorities",
            &[
                ("a", 3, "2", early),
                ("a", 2, "2", early),
                ("b", 3, "2", early),
                ("b", 1, "2", early),
            ],
            "b",
        ),
        ("the number", &[("a", -1, "2", early), ("a", -2, "2", early), ("b", -1, "4", early)], "b"),
        ("the age", &[("a", 3, "4", early), ("b", 3, "4", late)], "b"),
    ] {
        let refused = refused(&world(pods), &new);
        let Preemption::Room { node, .. } = refused.preemption else { panic!("{case}") };
        assert_eq!(&*node, expected, "{case}");
    }
}

#[test]
fn who_may_not_preempt_is_told_so() {
    let mut world = World::new();
    world.node("a", |_| {});
    world.place("low", &pod("x", 1, "4"), "a");
    let patient = both(pod("new", 5, "1"), &json!({"spec": {"preemptionPolicy": "Never"}}));
    let never = refused(&world, &patient);
    assert_eq!(never.preemption, Preemption::Unchanged);
    assert_eq!(
        never.message,
        "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to \
         preemptionPolicy=Never."
    );
    let mut without = World::with(&ProfileConfig {
        disabled_filters: ["DefaultPreemption".to_owned()].into(),
        ..ProfileConfig::new("x")
    });
    without.node("a", |_| {});
    without.place("low", &pod("x", 1, "4"), "a");
    let off = refused(&without, &pod("new", 5, "1"));
    assert_eq!(off.message, "0/1 nodes are available: 1 Insufficient cpu.");
}

#[test]
fn a_pod_waits_for_the_pods_that_it_has_sent_away() {
    let mut world = World::new();
    world.node("a", |_| {});
    let going = json!({"metadata": {"deletionTimestamp": "2026-01-02T03:04:05Z"},
        "status": {"conditions": [{"type": "DisruptionTarget", "status": "True",
            "reason": "PreemptionByScheduler"}]}});
    world.place("victim", &both(pod("x", 1, "4"), &going), "a");
    let nominated = both(pod("new", 5, "1"), &json!({"status": {"nominatedNodeName": "a"}}));
    let waits = refused(&world, &nominated);
    assert_eq!(waits.preemption, Preemption::Unchanged);
    assert_eq!(
        waits.message,
        "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to a \
         terminating pod on the nominated node."
    );
    // Once the node is out of the question it need not wait for it.
    world.node("a", |node| node["spec"]["unschedulable"] = json!(true));
    let elsewhere = refused(&world, &nominated);
    assert_eq!(elsewhere.preemption, Preemption::Hopeless);
    assert!(elsewhere.message.ends_with(&unhelpful(1)), "{}", elsewhere.message);
}

#[test]
fn room_that_was_made_is_kept_from_pods_of_lower_priority() {
    let mut world = World::new();
    world.node("a", |_| {});
    let nominated = both(pod("new", 5, "3"), &json!({"status": {"nominatedNodeName": "a"}}));
    let nominated = world.pod("nominated", &nominated);
    world.cluster.nominate(&nominated, Some("a"));
    let small = refused(&world, &pod("small", 4, "2"));
    assert!(small.message.starts_with("0/1 nodes are available: 1 Insufficient cpu."));
    assert_eq!(world.choose(&nominated, 0).as_deref(), Ok("a"), "it is kept for this one");
    let high = world.pod("high", &pod("high", 6, "2"));
    assert_eq!(world.choose(&high, 0).as_deref(), Ok("a"), "a more important one may have it");
    world.place("low", &pod("x", 1, "4"), "a");
    let Preemption::Room { displaced, .. } = refused(&world, &pod("high", 6, "2")).preemption
    else {
        panic!("there is room to be made")
    };
    assert_eq!(displaced.iter().map(|one| one.key()).collect::<Vec<_>>(), [key("nominated")]);
}

#[test]
fn a_nominated_node_is_tried_first() {
    let mut world = World::new();
    world.node("a", |_| {});
    world.node("b", |_| {});
    world.place("x", &pod("x", 1, "2"), "a");
    let nominated = both(pod("new", 5, "1"), &json!({"status": {"nominatedNodeName": "a"}}));
    world.check("though another one is better", &nominated, Ok("a"));
    let full = both(pod("new", 5, "3"), &json!({"status": {"nominatedNodeName": "a"}}));
    world.check("unless it is full", &full, Ok("b"));
}

#[test]
fn what_stands_between_pods_goes_with_the_pods() {
    let host = "kubernetes.io/hostname";
    let averse = |priority: i32| {
        both(
            pod("web", priority, "1"),
            &json!({"spec": {"affinity": {"podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution":
                [{"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": host}]}}}}),
        )
    };
    let spread = |priority: i32| {
        both(
            pod("web", priority, "1"),
            &json!({"spec": {"topologySpreadConstraints":
            [{"maxSkew": 1, "topologyKey": host, "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app": "web"}}}]}}),
        )
    };
    let mut world = World::new();
    world.node("a", |_| {});
    world.place("old", &averse(1), "a");
    check("anti-affinity", &world, &averse(5), ("a", &["old"]));
    check("the aversion of the other", &world, &pod("web", 5, "1"), ("a", &["old"]));
    let mut world = World::new();
    world.node("a", |_| {});
    world.node("b", |node| node["spec"]["unschedulable"] = json!(true));
    world.place("old", &spread(1), "a");
    check("spreading", &world, &spread(5), ("a", &["old"]));
    let port = |priority: i32| {
        json!({"spec": {"priority": priority, "containers":
            [{"name": "c", "ports": [{"containerPort": 1, "hostPort": 80}]}]}})
    };
    let mut world = World::new();
    world.node("a", |_| {});
    world.place("old", &port(1), "a");
    check("a port", &world, &port(5), ("a", &["old"]));
}
