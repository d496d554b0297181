//! Whether a disruption budget lets a pod go. Pure.

use jiff::Timestamp;
use serde_json::{Value, json};
use wk_api::status::Cause;
use wk_api::{ApiError, GroupResource, rfc3339};

/// The most pods that a budget waits for to go, as in Kubernetes.
const MAX_DISRUPTED: usize = 2000;
const REFUSED: &str = "Cannot evict pod as it would violate the pod's disruption budget.";

/// What a budget says of a pod that may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The pod does not count, as it is now.
    Free,
    /// The pod counts: the budget has one disruption less, and is to be written.
    Counted,
}

/// Whether a pod counts for no budget: it does not run, or goes anyway.
pub(super) fn is_free(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed" | "Pending"))
        || pod["metadata"]["deletionTimestamp"].is_string()
}

fn number(value: &Value, field: &str) -> i64 {
    value[field].as_i64().unwrap_or(0)
}

/// Asks a budget whether a pod may go, and takes one disruption from it if the pod counts.
pub(super) fn ask(
    budget: &mut Value,
    pod: &Value,
    name: &str,
    now: Timestamp,
) -> Result<Verdict, ApiError> {
    let status = &budget["status"];
    if !is_ready(pod) {
        // An unhealthy pod is none of those that the budget keeps up.
        let always = budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow";
        let (current, desired) =
            (number(status, "currentHealthy"), number(status, "desiredHealthy"));
        if always || current >= desired && desired > 0 {
            return Ok(Verdict::Free);
        }
    }
    let own = budget["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let forbidden = |why: &str| {
        Err(ApiError::forbidden(&GroupResource::new("policy", "poddisruptionbudget"), &own, why))
    };
    if number(status, "observedGeneration") < number(&budget["metadata"], "generation") {
        let message =
            format!("The disruption budget {own} is still being processed by the server.");
        return Err(refused(message, 10));
    }
    let allowed = number(status, "disruptionsAllowed");
    if allowed < 0 {
        return forbidden("pdb disruptions allowed is negative");
    }
    if status["disruptedPods"].as_object().is_some_and(|pods| pods.len() > MAX_DISRUPTED) {
        return forbidden(
            "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
        );
    }
    if allowed == 0 {
        return Err(refused(no_more(&own, status), 0));
    }
    let generation = number(&budget["metadata"], "generation");
    let status = &mut budget["status"];
    status["disruptionsAllowed"] = (allowed - 1).into();
    status["disruptedPods"][name] = rfc3339(now).into();
    if allowed == 1 {
        mark_exhausted(&mut status["conditions"], generation, now);
    }
    Ok(Verdict::Counted)
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// 429 with the budget as its cause; 0 seconds say nothing of when to try again.
fn refused(message: String, retry_after_seconds: u32) -> ApiError {
    let cause = Cause { reason: "DisruptionBudget".to_owned(), message, field: String::new() };
    ApiError::too_many_requests(REFUSED, retry_after_seconds).with_causes(vec![cause])
}

fn condition(status: &Value) -> Option<&Value> {
    let conditions = status["conditions"].as_array();
    conditions.into_iter().flatten().find(|condition| condition["type"] == "DisruptionAllowed")
}

fn no_more(name: &str, status: &Value) -> String {
    match condition(status).filter(|condition| condition["reason"] == "SyncFailed") {
        Some(condition) => format!(
            "The disruption budget {name} does not allow evicting pods currently because it failed \
             sync: {}",
            condition["message"].as_str().unwrap_or_default()
        ),
        None => format!(
            "The disruption budget {name} needs {} healthy pods and has {} currently",
            number(status, "desiredHealthy"),
            number(status, "currentHealthy")
        ),
    }
}

/// The condition of a budget that has no disruption left.
fn mark_exhausted(conditions: &mut Value, generation: i64, now: Timestamp) {
    let condition = json!({
        "type": "DisruptionAllowed",
        "status": "False",
        "reason": "InsufficientPods",
        "message": "",
        "observedGeneration": generation,
        "lastTransitionTime": rfc3339(now),
    });
    match conditions {
        Value::Array(conditions) => {
            conditions.retain(|own| own["type"] != "DisruptionAllowed");
            conditions.push(condition);
        }
        other => *other = json!([condition]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[expect(clippy::needless_pass_by_value, reason = "rows read better")]
    fn budget(status: Value) -> Value {
        json!({"metadata": {"name": "b", "generation": 2}, "spec": {}, "status": status})
    }

    fn pod(ready: &str) -> Value {
        json!({"status": {
            "phase": "Running", "conditions": [{"type": "Ready", "status": ready}],
        }})
    }

    #[track_caller]
    fn check(case: &str, status: Value, ready: &str, expected: Result<Verdict, &str>) {
        let asked = ask(&mut budget(status), &pod(ready), "p", NOW);
        match expected {
            Ok(verdict) => assert_eq!(asked.unwrap(), verdict, "{case}"),
            Err(cause) => {
                let error = asked.unwrap_err();
                let causes = error.details.map(|details| details.causes).unwrap_or_default();
                let found = causes.first().map_or(error.message, |one| one.message.clone());
                assert!(found.contains(cause), "{case}: {found}");
            }
        }
    }

    #[test]
    fn a_budget_lets_pods_go_while_it_has_disruptions_left() {
        let status = |allowed: i64, healthy: i64| {
            json!({
                "observedGeneration": 2, "disruptionsAllowed": allowed, "currentHealthy": healthy,
                "desiredHealthy": 2,
            })
        };
        check("one is left", status(1, 3), "True", Ok(Verdict::Counted));
        let none = "The disruption budget b needs 2 healthy pods and has 2 currently";
        check("none is left", status(0, 2), "True", Err(none));
        check("negative", status(-1, 2), "True", Err("pdb disruptions allowed is negative"));
        check("an unhealthy pod of a healthy set", status(0, 2), "False", Ok(Verdict::Free));
        check("an unhealthy pod of a sick set", status(0, 1), "False", Err("needs 2 healthy pods"));
        let fresh = json!({"disruptionsAllowed": 5, "observedGeneration": 1});
        check("not looked at yet", fresh, "True", Err("is still being processed by the server"));
        let failed = json!({
            "observedGeneration": 2, "disruptionsAllowed": 0,
            "conditions": [{"type": "DisruptionAllowed", "reason": "SyncFailed", "message": "why"}],
        });
        check("the controller failed", failed, "True", Err("because it failed sync: why"));
    }

    #[test]
    fn what_goes_is_written_into_the_budget() {
        let mut budget = budget(json!({"observedGeneration": 2, "disruptionsAllowed": 1}));
        assert_eq!(ask(&mut budget, &pod("True"), "p", NOW).unwrap(), Verdict::Counted);
        let status = &budget["status"];
        assert_eq!(status["disruptionsAllowed"], 0);
        assert_eq!(status["disruptedPods"], json!({"p": "1970-01-01T00:00:00Z"}));
        assert_eq!(status["conditions"][0]["reason"], "InsufficientPods");
        let error = ask(&mut budget, &pod("True"), "q", NOW).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (429, REFUSED));
    }

    #[test]
    fn pods_that_do_not_run_count_for_nothing() {
        for phase in ["Succeeded", "Failed", "Pending"] {
            assert!(is_free(&json!({"status": {"phase": phase}})), "{phase}");
        }
        assert!(is_free(&json!({"metadata": {"deletionTimestamp": "x"}})));
        assert!(!is_free(&pod("False")));
    }
}
