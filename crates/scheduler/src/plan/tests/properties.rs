//! What holds for every cluster.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::plan::Preemption;
use crate::testing::{World, both, requesting};

#[derive(Clone, Debug)]
struct Wish {
    cpu: i64,
    memory: i64,
    priority: i32,
    app: u8,
    is_averse: bool,
    is_spread: bool,
}

fn wish() -> impl Strategy<Value = Wish> {
    let parts = (0..1500_i64, 0..1500_i64, 0..3, 0..3_u8, any::<bool>(), any::<bool>());
    parts.prop_map(|(cpu, memory, priority, app, is_averse, is_spread)| Wish {
        cpu,
        memory,
        priority,
        app,
        is_averse,
        is_spread,
    })
}

fn pod(wish: &Wish) -> Value {
    let requests = json!({"cpu": format!("{}m", wish.cpu), "memory": format!("{}Mi", wish.memory)});
    let labels = json!({"app": wish.app.to_string()});
    let selector = json!({"matchLabels": labels});
    let host = "kubernetes.io/hostname";
    let mut spec = json!({"priority": wish.priority});
    if wish.is_averse {
        spec["affinity"] = json!({"podAntiAffinity":
            {"requiredDuringSchedulingIgnoredDuringExecution":
                [{"labelSelector": selector, "topologyKey": host}]}});
    }
    if wish.is_spread {
        spec["topologySpreadConstraints"] = json!([{"maxSkew": 1, "topologyKey": host,
            "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}]);
    }
    both(requesting(&requests), &json!({"metadata": {"labels": labels}, "spec": spec}))
}

fn world(nodes: usize) -> World {
    let mut world = World::new();
    for number in 0..nodes {
        world.node(&format!("n{number}"), |node| {
            node["status"]["allocatable"] = json!({"cpu": "4", "memory": "4Gi", "pods": "5"});
        });
    }
    world
}

/// No node has more than it can have, and no pod is where another does not want it.
fn check(world: &World, wishes: &[Wish]) -> Result<(), TestCaseError> {
    for index in world.cluster.order().iter() {
        let node = world.cluster.node(*index).unwrap();
        let residents = world.cluster.residents(*index);
        prop_assert_eq!(i64::try_from(residents.len()).unwrap(), node.used.pods);
        prop_assert!(node.used.pods <= 5);
        let sum = |part: fn(&crate::demand::Resources) -> i64| -> i64 {
            residents.iter().map(|one| part(&one.template.requests)).sum()
        };
        prop_assert_eq!(sum(|one| one.milli_cpu), node.used.requested.milli_cpu);
        prop_assert_eq!(sum(|one| one.memory), node.used.requested.memory);
        prop_assert!(node.used.requested.milli_cpu <= 4000);
        prop_assert!(node.used.requested.memory <= 4 << 30);
        let own = |pod: &crate::demand::Demand| -> usize { pod.name.parse().unwrap() };
        for one in residents {
            for other in residents {
                let (a, b) = (&wishes[own(one)], &wishes[own(other)]);
                let clash = own(one) != own(other) && a.app == b.app && a.is_averse;
                prop_assert!(!clash, "{} and {} are together", one.name, other.name);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_decision_breaks_a_rule(nodes in 1..5_usize, wishes in vec(wish(), 0..24), tie: u64) {
        let mut world = world(nodes);
        for (number, wish) in wishes.iter().enumerate() {
            let pod = world.pod(&number.to_string(), &pod(wish));
            if let Ok(node) = world.choose(&pod, tie) {
                world.cluster.assume(pod, &node);
            }
        }
        check(&world, &wishes)?;
    }

    #[test]
    fn preemption_makes_a_place_and_takes_only_who_is_in_the_way(
        nodes in 1..4_usize,
        wishes in vec(wish(), 0..20),
        last in wish(),
        tie: u64,
    ) {
        let mut world = world(nodes);
        for (number, wish) in wishes.iter().enumerate() {
            let pod = world.pod(&number.to_string(), &pod(wish));
            if let Ok(node) = world.choose(&pod, tie) {
                world.cluster.assume(pod, &node);
            }
        }
        let mut wishes = wishes;
        wishes.push(Wish { priority: 2, ..last });
        let name = (wishes.len() - 1).to_string();
        let wanted = world.pod(&name, &pod(&wishes[wishes.len() - 1]));
        let Err(refused) = world.choose(&wanted, tie) else { return Ok(()) };
        let Preemption::Room { node, victims, .. } = refused.preemption else { return Ok(()) };
        prop_assert!(!victims.is_empty());
        for victim in &victims {
            prop_assert!(victim.priority() < wanted.priority());
            world.cluster.remove_pod(&victim.key());
        }
        let mut only = world;
        for victim in &victims {
            // With any of them back there is no place on that node.
            only.cluster.put_bound(Arc::clone(victim), &node);
            let nominated = both(pod(&wishes[wishes.len() - 1]),
                &json!({"status": {"nominatedNodeName": &*node}}));
            let nominated = only.pod(&name, &nominated);
            let still = only.choose(&nominated, tie);
            let is_there = still.is_ok_and(|chosen| chosen == *node);
            prop_assert!(!is_there, "{} need not go", victim.name);
            only.cluster.remove_pod(&victim.key());
        }
        let nominated = both(pod(&wishes[wishes.len() - 1]),
            &json!({"status": {"nominatedNodeName": &*node}}));
        let nominated = only.pod(&name, &nominated);
        let chosen = only.choose(&nominated, tie).unwrap();
        prop_assert_eq!(&*chosen, &*node);
        only.cluster.assume(nominated, &chosen);
        check(&only, &wishes)?;
    }
}
