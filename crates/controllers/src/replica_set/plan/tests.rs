//! Tests of what becomes of pods.

use proptest::prelude::*;

use super::*;
use crate::watched::Phase;

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

fn pod(name: &str, change: impl FnOnce(&mut PodView)) -> Arc<PodView> {
    let mut pod = PodView::sample(name);
    pod.ready_since = Timestamp::from_second(500_000).ok();
    pod.created = Timestamp::from_second(400_000).ok();
    change(&mut pod);
    Arc::new(pod)
}

fn names(step: &Step) -> Vec<&str> {
    match step {
        Step::Delete(pods) => pods.iter().map(|pod| &*pod.name).collect(),
        Step::Nothing | Step::Create(_) => Vec::new(),
    }
}

/// Of two pods, the second has to go.
#[track_caller]
fn check(case: &str, change: impl FnOnce(&mut PodView)) {
    let pods = [pod("a", |_| {}), pod("b", change)];
    assert_eq!(names(&plan(1, &pods, &[], now())), ["b"], "{case}");
    let turned = [Arc::clone(&pods[1]), Arc::clone(&pods[0])];
    assert_eq!(names(&plan(1, &turned, &[], now())), ["b"], "{case}, the other way round");
}

#[test]
fn the_pod_that_is_missed_least_goes_first() {
    check("it has no node", |pod| pod.node = None);
    check("it is pending", |pod| pod.phase = Phase::Pending);
    check("nobody knows how it is", |pod| pod.phase = Phase::Unknown);
    check("it is not ready", |pod| pod.ready_since = None);
    check("it costs less", |pod| pod.deletion_cost = -1);
    check("it became ready much later", |pod| {
        pod.ready_since = Timestamp::from_second(999_000).ok();
    });
    check("it was restarted more often", |pod| pod.restarts = 3);
    check("it is much younger", |pod| pod.created = Timestamp::from_second(999_000).ok());
}

#[test]
fn a_pod_among_many_of_its_kind_goes_first() {
    let on = |node: &str| {
        let node = Some(node.to_owned());
        move |pod: &mut PodView| pod.node = node
    };
    let pods = [pod("a", on("one")), pod("b", on("two"))];
    let related = [pod("a", on("one")), pod("b", on("two")), pod("c", on("two"))];
    assert_eq!(names(&plan(1, &pods, &related, now())), ["b"]);
}

#[test]
fn an_earlier_rule_outweighs_all_later_ones() {
    let unready = |pod: &mut PodView| {
        pod.ready_since = None;
        pod.deletion_cost = 1000;
    };
    assert_eq!(names(&plan(1, &[pod("a", |_| {}), pod("b", unready)], &[], now())), ["b"]);
}

#[test]
fn the_status_counts_active_pods() {
    let mut set = ReplicaSet::default();
    set.metadata.generation = Some(3);
    let ending = |pod: &mut PodView| Arc::make_mut(&mut pod.meta).is_terminating = true;
    let pods = [
        pod("a", |_| {}),
        pod("b", |pod| pod.ready_since = None),
        pod("c", ending),
        pod("d", |pod| pod.phase = Phase::Failed),
    ];
    let status = status(&set, &pods, Some(("FailedCreate", "no".to_owned())), now());
    assert_eq!((status.replicas, status.ready_replicas), (2, Some(1)));
    assert_eq!((status.available_replicas, status.terminating_replicas), (Some(1), Some(1)));
    assert_eq!(status.observed_generation, Some(3));
    let condition = &status.conditions.as_ref().unwrap()[0];
    assert_eq!((condition.type_.as_str(), condition.status.as_str()), ("ReplicaFailure", "True"));
    set.status = Some(status);
    assert_eq!(super::status(&set, &pods, None, now()).conditions, None);
}

#[test]
fn a_pod_that_is_ready_too_shortly_is_waited_for() {
    let pods = [pod("a", |pod| pod.ready_since = Timestamp::from_second(999_995).ok())];
    assert_eq!(next_available(&pods, 0, now()), None);
    assert_eq!(next_available(&pods, 30, now()), Some(25));
}

proptest! {
    #[test]
    fn a_plan_carried_out_leaves_nothing_to_do(wanted in 0_usize..40, there in 0_usize..40) {
        let mut pods: Vec<_> = (0..there).map(|n| pod(&format!("p{n}"), |_| {})).collect();
        match plan(wanted, &pods, &[], now()) {
            Step::Nothing => {}
            Step::Create(count) => pods.extend((0..count).map(|n| pod(&format!("n{n}"), |_| {}))),
            Step::Delete(gone) => pods.retain(|pod| !gone.iter().any(|one| one.name == pod.name)),
        }
        prop_assert_eq!(pods.len(), wanted);
        prop_assert!(matches!(plan(wanted, &pods, &[], now()), Step::Nothing));
    }

    #[test]
    fn the_order_does_not_depend_on_the_view(
        mut pods in proptest::collection::vec((any::<bool>(), -2..2_i32, 0..3_i32, 0..900_000_i64), 2..12),
        keep in 1_usize..3,
    ) {
        let view = |pods: &[(bool, i32, i32, i64)]| -> Vec<_> {
            pods.iter().map(|(ready, cost, restarts, since)| {
                pod(&format!("{ready}{cost}{restarts}{since}"), |pod| {
                    pod.ready_since = ready.then(|| Timestamp::from_second(*since).unwrap());
                    pod.deletion_cost = *cost;
                    pod.restarts = *restarts;
                })
            }).collect()
        };
        let there = view(&pods);
        let forwards = plan(keep, &there, &[], now());
        pods.reverse();
        let there = view(&pods);
        let backwards = plan(keep, &there, &[], now());
        prop_assert_eq!(names(&forwards), names(&backwards));
    }
}
