//! The schemas and levels that nobody may change: those of requests that never wait, and of all that
//! no other schema is about.

use serde_json::{Value, json};

use super::EXEMPT;

const CATCH_ALL: &str = "catch-all";

/// The specification that the schema of this name must have.
pub(super) fn schema(name: &str) -> Option<Value> {
    let (precedence, method, groups): (_, _, &[&str]) = match name {
        EXEMPT => (1, None, &["system:masters"]),
        CATCH_ALL => (10_000, Some("ByUser"), &["system:unauthenticated", "system:authenticated"]),
        _ => return None,
    };
    let subjects: Vec<Value> =
        groups.iter().map(|group| json!({"kind": "Group", "group": {"name": group}})).collect();
    let mut spec = json!({
        "priorityLevelConfiguration": {"name": name},
        "matchingPrecedence": precedence,
        "rules": [{
            "subjects": subjects,
            "resourceRules": [{
                "verbs": ["*"],
                "apiGroups": ["*"],
                "resources": ["*"],
                "clusterScope": true,
                "namespaces": ["*"],
            }],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        }],
    });
    if let Some(method) = method {
        spec["distinguisherMethod"] = json!({"type": method});
    }
    Some(spec)
}

/// What is said of a level whose specification is not what its name asks for.
pub(super) fn unlike_level(name: &str, spec: &Value) -> Option<String> {
    match name {
        EXEMPT => {
            // How many seats it lends may be said; all else of it is fixed.
            let mut rest = spec.clone();
            crate::look::remove(&mut rest, "exempt");
            let detail =
                "spec of 'exempt' except the 'spec.exempt' field must equal the fixed value";
            (rest != json!({"type": "Exempt"})).then(|| detail.to_owned())
        }
        CATCH_ALL => {
            let fixed = json!({
                "type": "Limited",
                "limited": {
                    "nominalConcurrencyShares": 5,
                    "lendablePercent": 0,
                    "limitResponse": {"type": "Reject"},
                },
            });
            (fixed != *spec).then(|| "spec of 'catch-all' must equal the fixed value".to_owned())
        }
        _ => None,
    }
}
