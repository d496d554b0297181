//! Tests of which pods are made and ended.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

#[expect(clippy::needless_pass_by_value, reason = "cases are written where they are used")]
fn set(replicas: i32, spec: Value) -> StatefulSet {
    let mut all =
        json!({"replicas": replicas, "serviceName": "db", "selector": {}, "template": {}});
    for (key, value) in spec.as_object().unwrap() {
        all[key] = value.clone();
    }
    let status = json!({"replicas": 0, "currentRevision": "old"});
    serde_json::from_value(json!({"metadata": {"name": "db"}, "spec": all, "status": status}))
        .unwrap()
}

/// Pods such as `0 1! 2~`: `!` is not ready, `~` is ending, `x` has failed, `*` is updated.
fn pods(text: &str) -> Vec<Arc<PodView>> {
    text.split_whitespace()
        .map(|word| {
            let number: String = word.chars().filter(char::is_ascii_digit).collect();
            let mut pod = PodView::sample(&format!("db-{number}"));
            let revision = if word.contains('*') { "new" } else { "old" };
            pod.labels.insert(CONTROLLER_REVISION_HASH_LABEL.to_owned(), revision.to_owned());
            if word.contains('!') {
                pod.ready_since = None;
            }
            if word.contains('x') {
                (pod.phase, pod.ready_since) = (Phase::Failed, None);
            }
            Arc::new(pod.with_meta(|meta| meta.is_terminating = word.contains('~')))
        })
        .collect()
}

fn words(plan: &Plan) -> Vec<String> {
    let create = plan.create.iter().map(|new| format!("+{} {}", new.ordinal, new.revision));
    let delete = plan.delete.iter().map(|pod| format!("-{}", &pod.name[3..]));
    create.chain(delete).collect()
}

#[track_caller]
fn check(case: &str, set: &StatefulSet, there: &str, update: &str, expected: &[&str]) {
    let now = Timestamp::from_second(1000).unwrap();
    assert_eq!(words(&plan(set, &pods(there), update, now)), expected, "{case}");
}

#[test]
fn pods_come_and_go_in_order() {
    let three = set(3, json!({}));
    check("the first", &three, "", "old", &["+0 old"]);
    check("the next waits for the one before", &three, "0!", "old", &[]);
    check("the next", &three, "0", "old", &["+1 old"]);
    check("a gap is filled first", &three, "0 2", "old", &["+1 old"]);
    check("all there", &three, "0 1 2", "old", &[]);
    check("one failed", &three, "0 1x 2", "old", &["-1"]);
    check("one ends", &three, "0 1~ 2", "old", &[]);
    check("the highest goes first", &set(1, json!({})), "0 1 2", "old", &["-2"]);
    check("one at a time", &set(1, json!({})), "0 1 2~", "old", &[]);
    check("not while one below is broken", &set(1, json!({})), "0! 1 2", "old", &[]);
    check("a broken one above all others", &set(1, json!({})), "0 1!", "old", &["-1"]);
}

#[test]
fn pods_come_and_go_at_once_if_wanted() {
    let policy = json!({"podManagementPolicy": "Parallel"});
    check("all", &set(3, policy.clone()), "1!", "old", &["+0 old", "+2 old"]);
    check("fewer", &set(0, policy), "0 1! 2", "old", &["-2", "-1", "-0"]);
}

#[test]
fn an_update_replaces_from_the_highest_down() {
    let three = set(3, json!({}));
    check("the highest first", &three, "0 1 2", "new", &["-2"]);
    check("it comes back new", &three, "0 1", "new", &["+2 new"]);
    check("not before it is up", &three, "0 1 2*!", "new", &[]);
    check("the next", &three, "0 1 2*", "new", &["-1"]);
    check("done", &three, "0* 1* 2*", "new", &[]);
    let strategy = |rolling: Value| {
        set(3, json!({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}))
    };
    check("a partition", &strategy(json!({"partition": 2})), "0 1 2*", "new", &[]);
    check(
        "below it they come back old",
        &strategy(json!({"partition": 2})),
        "0 2*",
        "new",
        &["+1 old"],
    );
    check("two at once", &strategy(json!({"maxUnavailable": 2})), "0 1 2", "new", &["-2", "-1"]);
    let by_hand = set(3, json!({"updateStrategy": {"type": "OnDelete"}}));
    check("by hand", &by_hand, "0 1 2", "new", &[]);
}

#[test]
fn ordinals_may_start_elsewhere() {
    let from_five = set(2, json!({"ordinals": {"start": 5}}));
    check("the first", &from_five, "", "old", &["+5 old"]);
    check("others go", &from_five, "0 5 6", "old", &["-0"]);
}

#[test]
fn the_status_says_when_an_update_is_done() {
    let now = Timestamp::from_second(1000).unwrap();
    let status = |there: &str| plan(&set(2, json!({})), &pods(there), "new", now).status;
    let half = status("0 1*");
    assert_eq!((half.current_replicas, half.updated_replicas), (Some(1), Some(1)));
    assert_eq!(half.current_revision.as_deref(), Some("old"));
    let done = status("0* 1*");
    assert_eq!(done.current_revision.as_deref(), Some("new"));
    assert_eq!((done.replicas, done.ready_replicas, done.current_replicas), (2, Some(2), Some(2)));
}

#[test]
fn names_of_pods_hold_their_ordinals() {
    assert_eq!(ordinal("db", "db-12"), Some(12));
    for other in ["db", "db-", "db-x", "db-01", "db-+1", "web-1", "db-1-1"] {
        assert_eq!(ordinal("db", other), None, "{other}");
    }
}

proptest! {
    #[test]
    fn every_set_arrives_and_no_identity_is_there_twice(
        wanted in 0..6_i32,
        is_parallel in any::<bool>(),
        there in proptest::collection::btree_map(0..8_i32, any::<bool>(), 0..8),
    ) {
        let policy = if is_parallel { "Parallel" } else { "OrderedReady" };
        let set = set(wanted, json!({"podManagementPolicy": policy}));
        let mut world: std::collections::BTreeMap<i32, bool> = there;
        let now = Timestamp::from_second(1000).unwrap();
        for _ in 0..60 {
            let text: Vec<String> = world
                .iter()
                .map(|(ordinal, is_new)| format!("{ordinal}{}", if *is_new { "*" } else { "" }))
                .collect();
            let next = plan(&set, &pods(&text.join(" ")), "new", now);
            if words(&next).is_empty() {
                break;
            }
            for new in &next.create {
                let before = world.insert(new.ordinal, new.revision == "new");
                prop_assert_eq!(before, None, "two of one name");
            }
            for pod in &next.delete {
                world.remove(&ordinal("db", &pod.name).unwrap());
            }
        }
        let expected: Vec<(i32, bool)> = (0..wanted).map(|ordinal| (ordinal, true)).collect();
        prop_assert_eq!(world.into_iter().collect::<Vec<_>>(), expected);
    }
}
