//! Pods are written as words.

use serde_json::{Value, json};
use wk_api::names::Uid;

use super::*;

fn now() -> Timestamp {
    Timestamp::from_second(1000).unwrap()
}

/// A pod by its name; `!` is not ready, `~` is ending.
fn pods(words: &str) -> Vec<Arc<PodView>> {
    let pod = |word: &str| {
        let mut pod = PodView::sample(&word[..1]);
        if word.contains('!') {
            pod.ready_since = None;
        }
        if word.contains('~') {
            pod = pod.with_meta(|meta| meta.is_terminating = true);
        }
        Arc::new(pod)
    };
    words.split_whitespace().map(pod).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "rows read better")]
fn budget(spec: Value, status: Value) -> PodDisruptionBudget {
    let meta = json!({"name": "b", "generation": 2});
    serde_json::from_value(json!({"metadata": meta, "spec": spec, "status": status})).unwrap()
}

fn unknown() -> Value {
    json!({"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0})
}

/// `healthy/desired of expected: allowed`, where the managers want `scale`.
#[track_caller]
fn check(case: &str, spec: Value, words: &str, scale: i32, expected: &str) {
    let budget = budget(spec, unknown());
    let wanted = if needs_scale(budget.spec.as_ref().unwrap()) {
        Wanted::Scaled { expected: scale, unmanaged: Vec::new() }
    } else {
        Wanted::ThoseThereAre
    };
    let status = plan(&budget, &pods(words), &wanted, now()).status;
    let found = format!(
        "{}/{} of {}: {}",
        status.current_healthy.unwrap(),
        status.desired_healthy.unwrap(),
        status.expected_pods.unwrap(),
        status.disruptions_allowed.unwrap()
    );
    assert_eq!(found, expected, "{case}");
    let condition = &status.conditions.unwrap()[0];
    let allows = status.disruptions_allowed > Some(0);
    assert_eq!(condition.reason == "SufficientPods", allows, "{case}");
    assert_eq!(condition.status == "True", allows, "{case}");
}

#[test]
fn a_budget_allows_what_is_healthy_beyond_its_figure() {
    check("a number", json!({"minAvailable": 2}), "a b c", 0, "3/2 of 3: 1");
    check("a number, one is sick", json!({"minAvailable": 2}), "a b c!", 0, "2/2 of 3: 0");
    check("a number, one is ending", json!({"minAvailable": 2}), "a b c~", 0, "2/2 of 3: 0");
    check("an impossible number", json!({"minAvailable": 9}), "a b c", 0, "3/9 of 3: 0");
    check("a share is rounded up", json!({"minAvailable": "50%"}), "a b c", 3, "3/2 of 3: 1");
    check("all of them", json!({"minAvailable": "100%"}), "a b c", 3, "3/3 of 3: 0");
    check("most are to come", json!({"minAvailable": "50%"}), "a b c", 10, "3/5 of 10: 0");
    check("at most", json!({"maxUnavailable": 1}), "a b c", 3, "3/2 of 3: 1");
    check("at most more than there are", json!({"maxUnavailable": 9}), "a b", 2, "2/0 of 2: 2");
    check("at most a share", json!({"maxUnavailable": "30%"}), "a b c", 3, "3/2 of 3: 1");
    check("no pods", json!({"maxUnavailable": 1}), "", 0, "0/0 of 0: 0");
    check("no pods, a number", json!({"minAvailable": 0}), "", 0, "0/0 of 0: 0");
    check("nothing asked for", json!({}), "a b", 0, "2/0 of 0: 0");
}

#[test]
fn a_pod_that_is_about_to_go_does_not_count_until_that_takes_too_long() {
    let mut status = unknown();
    status["disruptedPods"] = json!({
        "a": "1970-01-01T00:16:00Z", "b": "1970-01-01T00:10:00Z", "z": "1970-01-01T00:16:00Z",
    });
    let budget = budget(json!({"minAvailable": 1}), status);
    let plan = plan(&budget, &pods("a b c"), &Wanted::ThoseThereAre, now());
    let kept: Vec<_> = plan.status.disrupted_pods.unwrap().into_keys().collect();
    assert_eq!(kept, ["a"]);
    assert_eq!((plan.status.current_healthy, plan.status.disruptions_allowed), (Some(2), Some(1)));
    let overdue: Vec<_> = plan.not_deleted.iter().map(|pod| &*pod.name).collect();
    assert_eq!(overdue, ["b"]);
    assert_eq!(plan.again, Some(81));
}

#[test]
fn each_manager_counts_once() {
    let owned = |uid: &str| {
        PodView::sample("p").with_meta(|meta| {
            meta.owners = [Owner {
                api_version: "apps/v1".into(),
                kind: "ReplicaSet".into(),
                name: "web".into(),
                uid: Uid::new(uid),
                is_controller: true,
                blocks: true,
            }]
            .into();
        })
    };
    let all: Vec<_> =
        [owned("a"), owned("a"), owned("b"), PodView::sample("lone")].map(Arc::new).into();
    // Two sets of one deployment.
    let scale = || Scale { uid: "d".to_owned(), replicas: 4 };
    let managers: Vec<_> = managers(&all).iter().map(|(owner, _)| owner.uid.as_str()).collect();
    assert_eq!(managers, ["a", "b"]);
    let expected = Wanted::Scaled { expected: 4, unmanaged: vec!["lone".to_owned()] };
    assert_eq!(wanted(&all, [scale(), scale()]), expected);
}

#[test]
fn a_budget_that_cannot_be_worked_out_allows_nothing_and_says_why() {
    let mut status = unknown();
    status["disruptionsAllowed"] = json!(3);
    let status = failed(&budget(json!({"maxUnavailable": 1}), status), "why", now());
    assert_eq!((status.disruptions_allowed, status.observed_generation), (Some(0), Some(2)));
    let condition = &status.conditions.unwrap()[0];
    assert_eq!((&*condition.reason, &*condition.message), ("SyncFailed", "why"));
}

#[test]
fn a_condition_keeps_its_time_until_it_changes() {
    let budget_of = |status: PodDisruptionBudgetStatus| PodDisruptionBudget {
        status: Some(status),
        ..budget(json!({"minAvailable": 1}), unknown())
    };
    let at = |seconds| Timestamp::from_second(seconds).unwrap();
    let first = plan(
        &budget_of(PodDisruptionBudgetStatus::default()),
        &pods("a b"),
        &Wanted::ThoseThereAre,
        at(1),
    );
    let same = plan(&budget_of(first.status.clone()), &pods("a b"), &Wanted::ThoseThereAre, at(2));
    assert_eq!(same.status, first.status);
    let less = plan(&budget_of(first.status), &pods("a"), &Wanted::ThoseThereAre, at(3));
    assert_eq!(less.status.conditions.unwrap()[0].last_transition_time.0, at(3));
}
