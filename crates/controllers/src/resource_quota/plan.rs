//! What the status of a quota should say.

use serde_json::{Value, json};
use wk_resources::quota::{Amounts, amounts, to_json};

/// The status to write; `None` if it says so already, however it is written.
pub(super) fn plan(quota: &Value, counted: &Amounts) -> Option<Value> {
    let hard = &quota["spec"]["hard"];
    let status = &quota["status"];
    let is_right =
        amounts(&status["hard"]) == amounts(hard) && amounts(&status["used"]) == *counted;
    (!is_right).then(|| json!({"hard": hard, "used": to_json(counted)}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_follows_what_is_limited_and_counted() {
        let counted = |pods: &str| amounts(&json!({"pods": pods}));
        let quota = |status: Value| json!({"spec": {"hard": {"pods": "2"}}, "status": status});
        let right = json!({"hard": {"pods": "2"}, "used": {"pods": "1"}});
        assert_eq!(plan(&quota(json!({})), &counted("1")), Some(right.clone()));
        assert_eq!(plan(&quota(right.clone()), &counted("1")), None);
        assert_eq!(plan(&quota(right.clone()), &counted("1000m")), None);
        assert_eq!(plan(&quota(right), &counted("0")).unwrap()["used"], json!({"pods": "0"}));
        let old = json!({"hard": {"pods": "5"}, "used": {"pods": "1"}});
        assert_eq!(plan(&quota(old), &counted("1")).unwrap()["hard"], json!({"pods": "2"}));
    }
}
