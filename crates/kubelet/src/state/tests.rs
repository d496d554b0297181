//! What is remembered of pods, and what their objects mean.

use super::*;

fn pod(status: &serde_json::Value) -> Pod {
    serde_json::from_value(serde_json::json!({
        "metadata": {"namespace": "d", "name": "web", "uid": "u-1", "resourceVersion": "5"},
        "spec": {"containers": [{"name": "a", "image": "a:1"}]},
        "status": {"containerStatuses": [{
            "name": "a", "image": "a:1", "imageID": "a", "ready": true, "restartCount": 2,
            "state": status, "lastState": {},
        }]},
    }))
    .unwrap()
}

#[test]
fn containers_are_found_again_or_known_to_be_lost() {
    let now = Timestamp::UNIX_EPOCH;
    let running = pod(&serde_json::json!({"running": {}}));
    let found = restored(&running, |id| id.as_str() == "u-1_a_2", |_| 3, now);
    assert!(found[0].running_id().is_some());
    let lost = restored(&running, |_| false, |_| 3, now);
    assert_eq!(lost[0].exited().unwrap().exit_code, 255);
    assert_eq!(lost[0].attempt, 2);
    let unreported = restored(&running, |_| false, |_| 5, now);
    assert_eq!(unreported[0].attempt, 4, "the log of run 4 was found");
}

#[test]
fn what_a_container_says_of_its_restarts_comes_first() {
    let rule = |role, policy: &str, container: serde_json::Value, code: i32| {
        let mut ended = pod(&serde_json::json!({"terminated": {"exitCode": code}}));
        let container: Container = serde_json::from_value(container).unwrap();
        ended.spec.as_mut().unwrap().containers[0].name = container.name.clone();
        let records = restored(&ended, |_| false, |_| 0, Timestamp::UNIX_EPOCH);
        restart_rule(role, Some(policy), &container, &records[0])
    };
    let plain = serde_json::json!({"name": "a"});
    assert_eq!(rule(Role::Main, "Never", plain.clone(), 1), RestartRule::Never);
    assert_eq!(rule(Role::Main, "Always", plain, 1), RestartRule::Always);
    let own = serde_json::json!({"name": "a", "restartPolicy": "OnFailure"});
    assert_eq!(rule(Role::Main, "Never", own, 1), RestartRule::OnFailure);
    let coded = serde_json::json!({
        "name": "a", "restartPolicy": "Never", "restartPolicyRules": [
            {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}},
        ],
    });
    assert_eq!(rule(Role::Main, "Always", coded.clone(), 42), RestartRule::Always);
    assert_eq!(rule(Role::Main, "Always", coded, 1), RestartRule::Never);
}

#[test]
fn an_id_tells_its_pod_and_container() {
    let id = container_id("u-1", "side-car", 12);
    assert_eq!(parse_container_id(&id), Some(("u-1", "side-car")));
    assert_eq!(parse_container_id(&ContainerId::new("x")), None);
}

#[test]
fn own_reports_are_no_change() {
    let now = Timestamp::UNIX_EPOCH;
    let entry = PodEntry::new(pod(&serde_json::json!({})), Vec::new(), now);
    let mut newer = pod(&serde_json::json!({"running": {}}));
    newer.metadata.resource_version = Some("6".into());
    assert_eq!(entry.observe(newer.clone()), Change::Nothing);
    newer.metadata.resource_version = Some("7".into());
    let silent = newer.status.clone();
    newer.status.get_or_insert_default().conditions =
        Some(vec![k8s_openapi::api::core::v1::PodCondition {
            type_: "Ready".to_owned(),
            status: "True".to_owned(),
            ..k8s_openapi::api::core::v1::PodCondition::default()
        }]);
    assert_eq!(entry.observe(newer.clone()), Change::Readiness);
    newer.metadata.resource_version = Some("8".into());
    newer.status = silent;
    assert_eq!(entry.observe(newer.clone()), Change::Readiness, "nobody has heard of it");
    newer.metadata.resource_version = Some("9".into());
    newer.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
    assert_eq!(entry.observe(newer.clone()), Change::Spec);
    newer.metadata.resource_version = Some("10".into());
    newer.metadata.deletion_grace_period_seconds = Some(30);
    newer.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now));
    assert_eq!(entry.observe(newer.clone()), Change::Deletion);
    newer.metadata.resource_version = Some("11".into());
    newer.metadata.deletion_grace_period_seconds = Some(0);
    assert_eq!(entry.observe(newer.clone()), Change::Deletion);
    newer.metadata.labels = None;
    assert_eq!(entry.observe(newer), Change::Nothing, "an older object");
}
