//! A new node takes no pods until it has said that it is ready.

use async_trait::async_trait;
use serde_json::{Value, json};
use wk_api::{ApiError, well_known};

use super::{Attributes, Plugin, items, list_mut, text};

#[derive(Debug)]
pub(super) struct TaintNodesByCondition;

#[async_trait]
impl Plugin for TaintNodesByCondition {
    fn handles(&self, attributes: &Attributes<'_>) -> bool {
        attributes.creates() && attributes.is("", "nodes")
    }

    async fn mutate(&self, _: &Attributes<'_>, node: &mut Value) -> Result<(), ApiError> {
        taint(node);
        Ok(())
    }
}

fn taint(node: &mut Value) {
    let is_ours = |taint: &Value| {
        text(taint, "key") == well_known::NOT_READY_TAINT && text(taint, "effect") == "NoSchedule"
    };
    if !items(&node["spec"], "taints").iter().any(is_ours) {
        let ours = json!({"key": well_known::NOT_READY_TAINT, "effect": "NoSchedule"});
        list_mut(&mut node["spec"], "taints").push(ours);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_node_has_the_taint_once() {
        let ours = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"});
        let other = json!({"key": "mine", "effect": "NoExecute"});
        for (before, after) in [
            (json!({}), json!([ours])),
            (json!({"taints": [other]}), json!([other, ours])),
            (json!({"taints": [ours]}), json!([ours])),
        ] {
            let mut node = json!({"spec": before});
            taint(&mut node);
            assert_eq!(node["spec"]["taints"], after);
        }
    }
}
