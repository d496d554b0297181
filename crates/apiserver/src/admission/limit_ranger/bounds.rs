//! Whether containers, pods and claims are within the bounds of a limit range. Pure.

use serde_json::Value;
use wk_api::Quantity;
use wk_resources::quota::{Amounts, amounts, pod_limits, pod_requests};

use crate::admission::{items, text};

/// What is looked at: a container, a pod or a claim.
struct Subject<'a> {
    kind: &'a str,
    requests: Amounts,
    limits: Amounts,
}

/// What is wrong with a pod; container by container, then as a whole.
pub(super) fn of_pod(pod: &Value, range: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for item in items(&range["spec"], "limits") {
        let kind = text(item, "type");
        match kind {
            "Container" => {
                let containers = items(&pod["spec"], "containers");
                for container in containers.iter().chain(items(&pod["spec"], "initContainers")) {
                    let resources = &container["resources"];
                    let requests = amounts(&resources["requests"]);
                    let limits = amounts(&resources["limits"]);
                    check(&Subject { kind, requests, limits }, item, &mut faults);
                }
            }
            "Pod" => {
                let subject =
                    Subject { kind, requests: pod_requests(pod), limits: pod_limits(pod) };
                check(&subject, item, &mut faults);
            }
            _ => {}
        }
    }
    faults
}

/// What is wrong with a claim, which has no limits.
pub(super) fn of_claim(claim: &Value, range: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let requests = amounts(&claim["spec"]["resources"]["requests"]);
    for item in items(&range["spec"], "limits") {
        let kind = text(item, "type");
        if kind != "PersistentVolumeClaim" {
            continue;
        }
        let subject = Subject { kind, requests: requests.clone(), limits: Amounts::new() };
        for (name, bound) in amounts(&item["min"]) {
            faults.extend(subject.below(&name, bound));
        }
        for (name, bound) in amounts(&item["max"]) {
            faults.extend(subject.asks_above(&name, bound));
        }
    }
    faults
}

fn check(subject: &Subject<'_>, item: &Value, faults: &mut Vec<String>) {
    for (name, bound) in amounts(&item["min"]) {
        faults.extend(subject.below(&name, bound));
    }
    for (name, bound) in amounts(&item["max"]) {
        faults.extend(subject.above(&name, bound));
    }
    for (name, bound) in amounts(&item["maxLimitRequestRatio"]) {
        faults.extend(subject.beyond_ratio(&name, bound));
    }
}

impl Subject<'_> {
    fn below(&self, name: &str, bound: Quantity) -> Option<String> {
        let kind = self.kind;
        let rule = format!("minimum {name} usage per {kind} is {bound}");
        let Some(request) = self.requests.get(name) else {
            return Some(format!("{rule}.  No request is specified"));
        };
        if *request < bound {
            return Some(format!("{rule}, but request is {request}"));
        }
        let limit = self.limits.get(name).filter(|limit| **limit < bound)?;
        Some(format!("{rule}, but limit is {limit}"))
    }

    fn above(&self, name: &str, bound: Quantity) -> Option<String> {
        let kind = self.kind;
        let rule = format!("maximum {name} usage per {kind} is {bound}");
        let Some(limit) = self.limits.get(name) else {
            return Some(format!("{rule}.  No limit is specified"));
        };
        if *limit > bound {
            return Some(format!("{rule}, but limit is {limit}"));
        }
        let request = self.requests.get(name).filter(|request| **request > bound)?;
        Some(format!("{rule}, but request is {request}"))
    }

    fn asks_above(&self, name: &str, bound: Quantity) -> Option<String> {
        let kind = self.kind;
        let rule = format!("maximum {name} usage per {kind} is {bound}");
        match self.requests.get(name) {
            None => Some(format!("{rule}.  No request is specified")),
            Some(request) if *request > bound => Some(format!("{rule}, but request is {request}")),
            Some(_) => None,
        }
    }

    fn beyond_ratio(&self, name: &str, bound: Quantity) -> Option<String> {
        let kind = self.kind;
        let rule = format!("{name} max limit to request ratio per {kind} is {bound}");
        let Some(request) = self.requests.get(name).filter(|request| !request.is_zero()) else {
            return Some(format!("{rule}, but no request is specified or request is 0"));
        };
        let Some(limit) = self.limits.get(name).filter(|limit| !limit.is_zero()) else {
            return Some(format!("{rule}, but no limit is specified or limit is 0"));
        };
        let ratio = limit.as_f64() / request.as_f64();
        (ratio > bound.as_f64()).then(|| format!("{rule}, but provided ratio is {ratio:.6}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(case: &str, item: &Value, resources: &Value, expected: &[&str]) {
        let range = json!({"spec": {"limits": [item]}});
        let pod = json!({"spec": {"containers": [{"name": "c", "resources": resources}]}});
        assert_eq!(of_pod(&pod, &range), expected, "{case}");
    }

    #[test]
    fn containers_stay_within_bounds() {
        let min = json!({"type": "Container", "min": {"cpu": "100m"}});
        check(
            "nothing asked",
            &min,
            &json!({}),
            &["minimum cpu usage per Container is 100m.  No request is specified"],
        );
        check(
            "too little",
            &min,
            &json!({"requests": {"cpu": "50m"}}),
            &["minimum cpu usage per Container is 100m, but request is 50m"],
        );
        check("enough", &min, &json!({"requests": {"cpu": "0.1"}}), &[]);
        let max = json!({"type": "Container", "max": {"memory": "1Gi"}});
        check(
            "no limit",
            &max,
            &json!({"requests": {"memory": "1Mi"}}),
            &["maximum memory usage per Container is 1Gi.  No limit is specified"],
        );
        check(
            "too much",
            &max,
            &json!({"limits": {"memory": "2Gi"}}),
            &["maximum memory usage per Container is 1Gi, but limit is 2Gi"],
        );
        let both = json!({"limits": {"memory": "1Gi"}, "requests": {"memory": "1Gi"}});
        check("at the bound", &max, &both, &[]);
    }

    #[test]
    fn limits_stay_near_requests() {
        let ratio = json!({"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}});
        let resources = |request: &str, limit: &str| json!({"requests": {"cpu": request}, "limits": {"cpu": limit}});
        check("within", &ratio, &resources("1", "2"), &[]);
        check(
            "beyond",
            &ratio,
            &resources("1", "3"),
            &["cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000"],
        );
        check(
            "no request",
            &ratio,
            &json!({"limits": {"cpu": "1"}}),
            &["cpu max limit to request ratio per Container is 2, but no request is specified or \
             request is 0"],
        );
        check(
            "no limit",
            &ratio,
            &json!({"requests": {"cpu": "1"}}),
            &[
                "cpu max limit to request ratio per Container is 2, but no limit is specified or limit \
             is 0",
            ],
        );
    }

    #[test]
    fn pods_are_looked_at_as_a_whole() {
        let range = json!({"spec": {"limits": [{"type": "Pod", "max": {"cpu": "1"}}]}});
        let container = json!({"resources": {"limits": {"cpu": "600m"}}});
        let pod = json!({"spec": {"containers": [container, container]}});
        assert_eq!(of_pod(&pod, &range), ["maximum cpu usage per Pod is 1, but limit is 1200m",]);
    }

    #[test]
    fn claims_are_bounded_by_what_they_ask_for() {
        let range = json!({"spec": {"limits": [{
            "type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "2Gi"},
        }]}});
        let claim = |size: &str| json!({"spec": {"resources": {"requests": {"storage": size}}}});
        assert!(of_claim(&claim("1Gi"), &range).is_empty());
        assert_eq!(
            of_claim(&claim("3Gi"), &range),
            ["maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi",]
        );
        assert_eq!(
            of_claim(&claim("1Mi"), &range),
            ["minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi",]
        );
    }
}
