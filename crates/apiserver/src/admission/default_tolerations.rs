//! Pods stay on their node through a short outage: they tolerate it for a while.

use async_trait::async_trait;
use serde_json::{Value, json};
use wk_api::{ApiError, well_known};

use super::{Attributes, Plugin, list_mut, text};
use crate::config::TolerationSeconds;

#[derive(Debug)]
pub(super) struct DefaultTolerationSeconds(pub(super) TolerationSeconds);

#[async_trait]
impl Plugin for DefaultTolerationSeconds {
    fn handles(&self, attributes: &Attributes<'_>) -> bool {
        attributes.is("", "pods")
    }

    async fn mutate(&self, _: &Attributes<'_>, pod: &mut Value) -> Result<(), ApiError> {
        let Self(TolerationSeconds { not_ready, unreachable }) = *self;
        let tolerations = list_mut(&mut pod["spec"], "tolerations");
        tolerate(tolerations, well_known::NOT_READY_TAINT, not_ready);
        tolerate(tolerations, well_known::UNREACHABLE_TAINT, unreachable);
        Ok(())
    }
}

/// Adds a toleration of a `NoExecute` taint, unless one is there.
fn tolerate(tolerations: &mut Vec<Value>, taint: &str, seconds: u32) {
    let tolerated = tolerations.iter().any(|toleration| {
        let (key, effect) = (text(toleration, "key"), text(toleration, "effect"));
        (key == taint || key.is_empty()) && (effect == "NoExecute" || effect.is_empty())
    });
    if !tolerated {
        tolerations.push(json!({
            "effect": "NoExecute",
            "key": taint,
            "operator": "Exists",
            "tolerationSeconds": seconds,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_tolerated_yet_is_added() {
        let taint = well_known::NOT_READY_TAINT;
        let rows = [
            (json!([]), 1),
            (json!([{"key": taint, "effect": "NoExecute", "tolerationSeconds": 5}]), 0),
            (json!([{"key": taint, "operator": "Exists"}]), 0),
            (json!([{"operator": "Exists"}]), 0),
            (json!([{"key": taint, "effect": "NoSchedule"}]), 1),
            (json!([{"key": "other", "effect": "NoExecute"}]), 1),
        ];
        for (before, added) in rows {
            let mut tolerations = before.as_array().cloned().unwrap_or_default();
            let count = tolerations.len();
            tolerate(&mut tolerations, taint, 300);
            assert_eq!(tolerations.len(), count + added, "{before}");
            tolerate(&mut tolerations, taint, 300);
            assert_eq!(tolerations.len(), count + added, "twice: {before}");
        }
    }
}
