//! Rounds: what becomes of the status, what is said, and what is scaled.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::hpa::pods::Ready;
use crate::hpa::replicas::PodMetric;

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

fn spec(metrics: &Value) -> HorizontalPodAutoscalerSpec {
    serde_json::from_value(json!({
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 2, "maxReplicas": 5, "metrics": metrics,
    }))
    .unwrap()
}

fn requests(target: &str) -> Value {
    json!({"type": "Pods", "pods": {"metric": {"name": "http_requests_per_second"},
        "target": {"type": "AverageValue", "averageValue": target}}})
}

fn scale(wanted: i32) -> Scale {
    Scale { wanted, there: wanted, selector: "app=web".to_owned() }
}

fn pods(count: usize) -> Vec<PodSeen> {
    let pod = |number| PodSeen {
        name: format!("p{number}"),
        phase: "Running".to_owned(),
        started: Some(Timestamp::UNIX_EPOCH),
        ready: Some(Ready { status: "True".to_owned(), since: Timestamp::UNIX_EPOCH }),
        ..PodSeen::default()
    };
    (0..count).map(pod).collect()
}

fn each(pods: &[PodSeen], value: i64) -> Reading {
    let metric = PodMetric { at: now(), window: SignedDuration::from_secs(15), value };
    Reading::Pods(pods.iter().map(|pod| (pod.name.clone(), metric)).collect())
}

fn observed(count: usize, readings: Vec<Result<i64, &str>>) -> Observed {
    let pods = pods(count);
    let readings = readings.into_iter().map(|reading| match reading {
        Ok(value) => Ok(each(&pods, value)),
        Err(error) => Err(error.to_owned()),
    });
    Observed { readings: readings.collect(), pods, rivals: Vec::new() }
}

fn conditions(round: &Round<'_>) -> Vec<String> {
    let all = round.status.conditions.iter().flatten();
    let reason = |one: &HorizontalPodAutoscalerCondition| one.reason.clone().unwrap_or_default();
    all.map(|one| format!("{}={} {}", one.type_, one.status, reason(one))).collect()
}

fn said<'a>(round: &'a Round<'_>) -> Vec<(&'static str, &'a str)> {
    round.said.iter().map(|said| (said.reason, said.message.as_str())).collect()
}

#[test]
fn bounds_and_a_target_switched_off_come_before_metrics() {
    let spec = spec(&json!([requests("10")]));
    let above = "Current number of replicas above Spec.MaxReplicas";
    let below = "Current number of replicas below Spec.MinReplicas";
    assert_eq!(course(&spec, 0), Course::Off);
    assert_eq!(course(&spec, 1), Course::Bounds { replicas: 2, reason: below });
    assert_eq!(course(&spec, 6), Course::Bounds { replicas: 5, reason: above });
    assert_eq!(course(&spec, 3), Course::Metrics);
}

#[test]
fn a_metric_above_its_target_scales_and_says_so() {
    let spec = spec(&json!([requests("10")]));
    let (mut round, mut memory) = (Round::new(&spec, None, now()), Memory::default());
    round.scale(&scale(2), &mut memory);
    let rescale = round.measured(&scale(2), observed(2, vec![Ok(20_000)]), &mut memory).unwrap();
    assert_eq!((rescale.from, rescale.to), (2, 4));
    assert_eq!(round.status.desired_replicas, 2, "nothing has been done yet");
    round.rescaled(&rescale, &mut memory);
    assert_eq!(
        conditions(&round),
        [
            "AbleToScale=True SucceededRescale",
            "ScalingActive=True ValidMetricFound",
            "ScalingLimited=False DesiredWithinRange",
        ]
    );
    let message = "New size: 4; reason: pods metric http_requests_per_second above target";
    assert_eq!(said(&round), [("SuccessfulRescale", message)]);
    let status = serde_json::to_value(&round.status).unwrap();
    assert_eq!((&status["currentReplicas"], &status["desiredReplicas"]), (&json!(2), &json!(4)));
    assert_eq!(
        status["currentMetrics"],
        json!([{"type": "Pods", "pods": {
            "metric": {"name": "http_requests_per_second"}, "current": {"averageValue": "20"},
        }}])
    );
    assert!(status["lastScaleTime"].is_string());
}

#[test]
fn a_scale_that_cannot_be_written_leaves_the_status_as_it_was() {
    let spec = spec(&json!([requests("10")]));
    let before = HorizontalPodAutoscalerStatus { desired_replicas: 7, ..Default::default() };
    let (mut round, mut memory) = (Round::new(&spec, Some(&before), now()), Memory::default());
    let rescale = round.measured(&scale(2), observed(2, vec![Ok(20_000)]), &mut memory).unwrap();
    round.not_rescaled(&rescale, "no");
    assert_eq!(round.status.desired_replicas, 7);
    assert_eq!((round.status.current_replicas, &round.status.last_scale_time), (Some(2), &None));
    assert_eq!(conditions(&round)[1], "AbleToScale=False FailedUpdateScale");
    let message =
        "New size: 4; reason: pods metric http_requests_per_second above target; error: no";
    assert_eq!(said(&round), [("FailedRescale", message)]);
}

#[test]
fn metrics_that_cannot_be_had_change_nothing_and_are_told() {
    let cpu = json!({"type": "Resource", "resource": {"name": "cpu",
        "target": {"type": "Utilization", "averageUtilization": 50}}});
    let spec = spec(&json!([cpu]));
    let (mut round, mut memory) = (Round::new(&spec, None, now()), Memory::default());
    round.scale(&scale(3), &mut memory);
    let failed = observed(3, vec![Err("no metrics returned from resource metrics API")]);
    assert_eq!(round.measured(&scale(3), failed, &mut memory), None);
    let cause = "failed to get cpu utilization: unable to get metrics for resource cpu: no metrics \
                 returned from resource metrics API";
    let all = format!(
        "invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric \
         value: {cause}"
    );
    let expected =
        [("FailedGetResourceMetric", cause), ("FailedComputeMetricsReplicas", all.as_str())];
    assert_eq!(said(&round), expected);
    assert_eq!(
        conditions(&round),
        ["AbleToScale=True SucceededGetScale", "ScalingActive=False FailedGetResourceMetric"]
    );
    let active = &round.status.conditions.as_ref().unwrap()[1];
    let message = format!("the HPA was unable to compute the replica count: {cause}");
    assert_eq!(active.message, Some(message));
    assert_eq!(round.status.current_replicas, Some(3));
}

#[test]
fn a_metric_that_fails_keeps_the_others_from_scaling_down_but_not_up() {
    let spec = spec(&json!([requests("10"), requests("10")]));
    for (value, expected) in [(20_000, Some(5)), (10_000, None), (1000, None)] {
        let (mut round, mut memory) = (Round::new(&spec, None, now()), Memory::default());
        let seen = observed(3, vec![Err("gone"), Ok(value)]);
        let rescale = round.measured(&scale(3), seen, &mut memory);
        assert_eq!(rescale.map(|rescale| rescale.to), expected, "{value}");
        let active = conditions(&round)[0].clone();
        let wanted =
            if value < 10_000 { "False FailedGetPodsMetric" } else { "True ValidMetricFound" };
        assert_eq!(active, format!("ScalingActive={wanted}"), "{value}");
        let metrics = round.status.current_metrics.clone().unwrap();
        let kinds: Vec<&str> = metrics.iter().map(|metric| metric.type_.as_str()).collect();
        assert_eq!(kinds, ["", "Pods"], "each stands where its metric does");
    }
}

#[test]
fn the_metric_that_asks_for_most_decides() {
    let value = json!({"type": "External", "external": {"metric": {"name": "queue"},
        "target": {"type": "AverageValue", "averageValue": "1"}}});
    let spec = spec(&json!([requests("10"), value]));
    let (mut round, mut memory) = (Round::new(&spec, None, now()), Memory::default());
    let pods = pods(2);
    let readings = vec![Ok(each(&pods, 15_000)), Ok(Reading::Value(4000))];
    let seen = Observed { pods, readings, rivals: Vec::new() };
    let rescale = round.measured(&scale(2), seen, &mut memory).unwrap();
    assert_eq!(
        (rescale.to, rescale.reason.as_str()),
        (4, "external metric queue(nil) above target")
    );
}

#[test]
fn a_tolerance_is_the_directions_own() {
    let mut spec = spec(&json!([requests("10")]));
    spec.behavior = serde_json::from_value(json!({
        "scaleUp": {"tolerance": "500m"},
        "scaleDown": {"tolerance": "0", "stabilizationWindowSeconds": 0},
    }))
    .unwrap();
    for (value, expected) in [(14_000, None), (16_000, Some(5)), (6000, Some(2)), (10_000, None)] {
        let (mut round, mut memory) = (Round::new(&spec, None, now()), Memory::default());
        let rescale = round.measured(&scale(3), observed(3, vec![Ok(value)]), &mut memory);
        assert_eq!(rescale.map(|rescale| rescale.to), expected, "{value}");
    }
}

#[test]
fn a_scale_that_is_missing_or_without_pods_is_told() {
    let spec = spec(&json!([requests("10")]));
    let mut memory = Memory::default();
    let mut round = Round::new(&spec, None, now());
    round.no_scale("deployments.apps \"web\" not found");
    assert_eq!(conditions(&round), ["AbleToScale=False FailedGetScale"]);
    assert_eq!(said(&round), [("FailedGetScale", "deployments.apps \"web\" not found")]);

    let bare = Scale { selector: String::new(), ..scale(2) };
    let (reason, error) = selector(&bare).unwrap_err();
    let mut round = Round::new(&spec, None, now());
    round.no_selector(&bare, reason, &error);
    assert_eq!(conditions(&round), ["ScalingActive=False InvalidSelector"]);
    assert_eq!(said(&round)[0], ("SelectorRequired", "selector is required"));

    let mut round = Round::new(&spec, None, now());
    let rivals = vec![NamespacedName::new("d", "a"), NamespacedName::new("d", "b")];
    let seen = Observed { rivals, ..Observed::default() };
    assert_eq!(round.measured(&scale(2), seen, &mut memory), None);
    let message = "pods by selector app=web are controlled by multiple HPAs: [{a d} {b d}]";
    assert_eq!(said(&round)[0], ("AmbiguousSelector", message));
    assert_eq!(conditions(&round), ["ScalingActive=False AmbiguousSelector"]);
}

#[test]
fn a_condition_keeps_its_time_until_it_turns() {
    let spec = spec(&json!([requests("10")]));
    let mut round = Round::new(&spec, None, now());
    round.off();
    let later = Timestamp::from_second(2_000_000).unwrap();
    let before = round.status.clone();
    let mut round = Round::new(&spec, Some(&before), later);
    round.off();
    assert_eq!(round.status, before);
    let mut memory = Memory::default();
    round.measured(&scale(2), observed(2, vec![Ok(10_000)]), &mut memory);
    let active = &round.status.conditions.as_ref().unwrap()[0];
    assert_eq!(active.last_transition_time, Some(Time(later)));
}

#[test]
fn a_metric_of_others_that_cannot_be_had_is_told_as_kubernetes_tells_it() {
    let external = |target: Value| json!({"type": "External", "external": {"metric": {"name": "queue"}, "target": target}});
    let object = json!({"type": "Object", "object": {"metric": {"name": "hits"},
        "describedObject": {"apiVersion": "v1", "kind": "Service", "name": "web"},
        "target": {"type": "AverageValue", "averageValue": "1"}}});
    for (metric, cause, told, first) in [
        (
            external(json!({"type": "Value", "value": "1"})),
            "d/queue/nil: gone",
            "unable to get external metric d/queue/nil: gone",
            "failed to get queue external metric value: failed to get external metric queue: ",
        ),
        (
            external(json!({"type": "AverageValue", "averageValue": "1"})),
            "d/queue/nil: gone",
            "unable to get external metric d/queue/nil: gone",
            "failed to get queue external metric value: failed to get queue external metric: ",
        ),
        (
            object,
            "Service on d web/gone",
            "unable to get metric hits: Service on d web/gone",
            "failed to get object metric value: failed to get hits object metric: ",
        ),
    ] {
        let spec = spec(&json!([metric]));
        let (mut round, mut memory) = (Round::new(&spec, None, now()), Memory::default());
        assert_eq!(round.measured(&scale(3), observed(3, vec![Err(cause)]), &mut memory), None);
        let all = format!("invalid metrics (1 invalid out of 1), first error is: {first}{told}");
        assert_eq!((said(&round)[0].1, said(&round)[1].1), (told, all.as_str()));
    }
}
