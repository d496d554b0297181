//! Component statuses: how the parts of the control plane are, asked when somebody wants to know and
//! never stored.

use jiff::Timestamp;
use serde_json::Value;

use super::define;
use crate::definition::{Column, Definition};
use crate::look::Look;
use crate::rules::KindRules;
use crate::table;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("", "v1", "ComponentStatus")
        .short(&["cs"])
        .verbs(&["get", "list"])
        .columns(vec![
            Column::NAME,
            Column::text("Status", "Status of the component conditions"),
            Column::text("Message", "Message of the component conditions"),
            Column::text("Error", "Error of the component conditions"),
        ])
        .rules(Components)
}

#[derive(Debug)]
struct Components;

impl KindRules for Components {
    fn row(&self, component: &Value, _now: Timestamp) -> Vec<Value> {
        let healthy =
            component.items("conditions").iter().find(|own| own.text("type") == "Healthy");
        let status = match healthy.map(|own| own.text("status")) {
            None => "Unknown",
            Some("True") => "Healthy",
            Some(_) => "Unhealthy",
        };
        let text = |field| healthy.map_or("", |own| own.text(field));
        vec![table::name(component), status.into(), text("message").into(), text("error").into()]
    }
}
