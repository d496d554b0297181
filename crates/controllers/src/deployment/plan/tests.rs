//! Tests of what a Deployment does next.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

fn deployment(replicas: i32, surge: &str, unavailable: &str) -> Deployment {
    let amount = |text: &str| text.parse::<i32>().map_or_else(|_| json!(text), |n| json!(n));
    serde_json::from_value(json!({
        "metadata": {"name": "web", "namespace": "default", "uid": "d", "generation": 1},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {
                "maxSurge": amount(surge), "maxUnavailable": amount(unavailable),
            }},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "new"}]},
            },
        },
    }))
    .unwrap()
}

/// A set of another template with so many replicas, of which some are available.
fn old(name: &str, age: i64, replicas: i32, available: i32) -> ReplicaSet {
    serde_json::from_value(json!({
        "metadata": {
            "name": name, "uid": name, "generation": 1,
            "annotations": {"deployment.kubernetes.io/revision": age.to_string()},
            "creationTimestamp": Time(Timestamp::from_second(age).unwrap()),
        },
        "spec": {"replicas": replicas, "selector": {}, "template": {
            "metadata": {"labels": {"app": "web", "pod-template-hash": name}},
            "spec": {"containers": [{"name": "c", "image": name}]},
        }},
        "status": {
            "replicas": replicas, "readyReplicas": available, "availableReplicas": available,
            "observedGeneration": 1,
        },
    }))
    .unwrap()
}

/// The set of the Deployment's template, as it would be made, with another size.
fn new(deployment: &Deployment, replicas: i32, available: i32) -> ReplicaSet {
    let mut set = sets::new_set(deployment, replicas, 9);
    set.metadata.uid = Some("new".to_owned());
    set.metadata.generation = Some(1);
    set.metadata.creation_timestamp = Some(Time(Timestamp::from_second(900).unwrap()));
    set.status = old("x", 1, replicas, available).status;
    set
}

/// The steps as words; annotating is left out.
fn words(plan: &Plan) -> Vec<String> {
    let size = |set: &ReplicaSet| {
        let name = set.metadata.uid.as_deref().unwrap_or("new");
        format!("{name} to {}", replicas(set))
    };
    plan.steps
        .iter()
        .filter_map(|step| match step {
            Step::Create(set) => Some(format!("create {}", size(set))),
            Step::Update { set, event } => event.as_ref().map(|_| size(set)),
            Step::Delete(set) => Some(format!("delete {}", name(set))),
            Step::Annotate(_) => None,
        })
        .collect()
}

#[track_caller]
fn check(case: &str, deployment: &Deployment, sets: Vec<ReplicaSet>, expected: &[&str]) {
    let plan = plan(deployment, sets, &HashSet::new(), now());
    assert_eq!(words(&plan), expected, "{case}");
}

#[test]
fn a_rollout_moves_within_its_limits() {
    let web = deployment(4, "25%", "25%");
    check("the first set", &web, vec![], &["create new to 4"]);
    check("a new template", &web, vec![old("a", 1, 4, 4)], &["create new to 1", "a to 3"]);
    let half = |grown, up, left| vec![old("a", 1, left, left), new(&web, grown, up)];
    check("one old pod may go", &web, half(1, 0, 4), &["a to 3"]);
    check("there is room for one more", &web, half(1, 1, 3), &["new to 2"]);
    check("nothing may go before the new ones come", &web, half(2, 0, 3), &[]);
    check("the last step", &web, half(4, 4, 1), &["a to 0"]);
    check("done", &web, half(4, 4, 0), &[]);
    let broken = vec![old("a", 1, 4, 1), new(&web, 1, 0)];
    check("broken old pods go first and at once", &web, broken, &["a to 3"]);
}

#[test]
fn a_number_that_changes_is_shared_among_the_sets() {
    let before = deployment(10, "3", "2");
    let mut sets = vec![old("a", 1, 8, 8), new(&before, 5, 5)];
    for set in &mut sets {
        sets::annotate_replicas(set, before.spec.as_ref().unwrap());
    }
    let after = deployment(15, "3", "2");
    check("more, in the middle of a rollout", &after, sets.clone(), &["a to 11", "new to 7"]);
    let fewer = deployment(5, "3", "2");
    check("fewer", &fewer, sets.clone(), &["a to 5", "new to 3"]);
    let none = deployment(0, "3", "2");
    check("none", &none, sets, &["a to 0", "new to 0"]);
    let mut alone = new(&before, 10, 10);
    sets::annotate_replicas(&mut alone, before.spec.as_ref().unwrap());
    check("a single set", &after, vec![alone], &["new to 15"]);
}

#[test]
fn recreate_ends_all_old_pods_first() {
    let mut web = deployment(3, "0", "0");
    web.spec.as_mut().unwrap().strategy.as_mut().unwrap().type_ = Some("Recreate".to_owned());
    let steps = |sets: Vec<ReplicaSet>, live: &[&str]| {
        let live = live.iter().map(|one| (*one).to_owned()).collect();
        words(&plan(&web, sets, &live, now()))
    };
    assert_eq!(steps(vec![old("a", 1, 3, 3)], &["a"]), ["a to 0"]);
    assert_eq!(steps(vec![old("a", 1, 0, 0)], &["a"]), Vec::<String>::new(), "one still ends");
    assert_eq!(steps(vec![old("a", 1, 0, 0)], &[]), ["create new to 3"]);
}

#[test]
fn a_paused_deployment_scales_and_does_not_roll() {
    let mut web = deployment(4, "1", "0");
    web.spec.as_mut().unwrap().paused = Some(true);
    check("a new template", &web, vec![old("a", 1, 4, 4)], &[]);
    check("another number", &web, vec![old("a", 1, 2, 2)], &["a to 4"]);
    let plan = plan(&web, vec![old("a", 1, 4, 4)], &HashSet::new(), now());
    let progressing = progress::find(&plan.status, PROGRESSING).unwrap();
    assert_eq!(progressing.reason.as_deref(), Some("DeploymentPaused"));
    assert_eq!(plan.again, None);
}

#[test]
fn old_sets_beyond_the_limit_are_deleted_when_all_is_done() {
    let web = deployment(1, "1", "0");
    let mut sets: Vec<_> = (1..=4).map(|age| old(&format!("o{age}"), age, 0, 0)).collect();
    sets.push(new(&web, 1, 1));
    check("two of four are kept", &web, sets.clone(), &["delete o1", "delete o2"]);
    sets[4] = new(&web, 1, 0);
    check("not before all is done", &web, sets, &[]);
}

#[test]
fn an_older_template_becomes_the_newest_revision() {
    let web = deployment(1, "1", "0");
    let mut again = new(&web, 0, 0);
    let note = |set: &mut ReplicaSet, number: &str| {
        let annotations = set.metadata.annotations.get_or_insert_default();
        annotations.insert(DEPLOYMENT_REVISION_ANNOTATION.to_owned(), number.to_owned());
    };
    note(&mut again, "1");
    let plan = plan(&web, vec![old("a", 2, 1, 1), again], &HashSet::new(), now());
    let Some(Step::Update { set, .. }) = plan.steps.first() else { panic!("{plan:?}") };
    assert_eq!(annotation(&set.metadata, DEPLOYMENT_REVISION_ANNOTATION), Some("3"));
    let history = "deployment.kubernetes.io/revision-history";
    assert_eq!(annotation(&set.metadata, history), Some("1"));
    assert!(plan.steps.contains(&Step::Annotate(3)), "{plan:?}");
}

#[test]
fn a_rollout_that_stands_still_is_late_and_one_that_is_done_is_not() {
    let mut web = deployment(2, "1", "0");
    let sets = vec![old("a", 1, 2, 2), new(&web, 1, 0)];
    let reason = |plan: &Plan| {
        let one = progress::find(&plan.status, PROGRESSING).unwrap();
        (one.status.clone(), one.reason.clone().unwrap())
    };
    let first = plan(&web, sets.clone(), &HashSet::new(), now());
    assert_eq!(reason(&first), ("True".to_owned(), "ReplicaSetUpdated".to_owned()));
    assert_eq!(first.again, Some(601));
    web.status = Some(first.status);
    let later = Timestamp::from_second(1_000_601).unwrap();
    let late = plan(&web, sets, &HashSet::new(), later);
    assert_eq!(reason(&late), ("False".to_owned(), "ProgressDeadlineExceeded".to_owned()));
    web.status = Some(late.status);
    let done = plan(&web, vec![new(&web, 2, 2)], &HashSet::new(), later);
    assert_eq!(reason(&done), ("True".to_owned(), "NewReplicaSetAvailable".to_owned()));
    web.status = Some(done.status.clone());
    assert_eq!(plan(&web, vec![new(&web, 2, 2)], &HashSet::new(), later).status, done.status);
}

/// What a server and ReplicaSet controllers make of a plan: pods of the new set come up.
fn carried_out(
    deployment: &mut Deployment,
    mut sets: Vec<ReplicaSet>,
    plan: Plan,
) -> Vec<ReplicaSet> {
    for step in plan.steps {
        match step {
            Step::Create(mut set) => {
                set.metadata.uid = Some("new".to_owned());
                set.metadata.generation = Some(1);
                set.metadata.creation_timestamp = Some(Time(Timestamp::from_second(900).unwrap()));
                sets.push(set);
            }
            Step::Update { set, .. } => {
                let place = sets.iter().position(|one| one.metadata.uid == set.metadata.uid);
                sets[place.unwrap()] = set;
            }
            Step::Delete(set) => sets.retain(|one| one.metadata.uid != set.metadata.uid),
            Step::Annotate(number) => {
                let annotations = deployment.metadata.annotations.get_or_insert_default();
                annotations.insert(DEPLOYMENT_REVISION_ANNOTATION.to_owned(), number.to_string());
            }
        }
    }
    deployment.status = Some(plan.status);
    sets
}

proptest! {
    #[test]
    fn every_rollout_arrives_and_keeps_its_promises(
        wanted in 0..12_i32,
        surge in 0..4_i32,
        unavailable in 0..4_i32,
        sizes in proptest::collection::vec(0..6_i32, 0..4),
    ) {
        prop_assume!(surge + unavailable > 0);
        let mut web = deployment(wanted, &surge.to_string(), &unavailable.to_string());
        let mut sets: Vec<_> = (1_i64..)
            .zip(&sizes)
            .map(|(age, size)| old(&format!("o{age}"), age, *size, *size))
            .collect();
        let before: i32 = sizes.iter().sum();
        let most = before.max(wanted + surge);
        let least = before.min((wanted - unavailable).max(0));
        for _ in 0..100 {
            let next = plan(&web, sets.clone(), &HashSet::new(), now());
            let is_idle = next.steps.is_empty() && web.status.as_ref() == Some(&next.status);
            sets = carried_out(&mut web, sets, next);
            if is_idle {
                break;
            }
            let total: i32 = sets.iter().map(replicas).sum();
            prop_assert!(total <= most, "{total} pods, of {most} at most");
            // Old pods end at once, the new ones come up one look later.
            let available: i32 = sets.iter().map(|set| available(set).min(replicas(set))).sum();
            prop_assert!(available >= least, "{available} available, of {least} at least");
            for set in &mut sets {
                let size = replicas(set);
                set.status = old("x", 1, size, size).status;
            }
        }
        let of_new: i32 =
            sets.iter().filter(|set| set.metadata.uid.as_deref() == Some("new")).map(replicas).sum();
        prop_assert_eq!(of_new, wanted);
        prop_assert_eq!(sets.iter().map(replicas).sum::<i32>(), wanted);
        let condition = progress::find(web.status.as_ref().unwrap(), PROGRESSING).unwrap();
        prop_assert_eq!(condition.reason.as_deref(), Some("NewReplicaSetAvailable"));
    }
}
