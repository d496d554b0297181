//! Kinds that are measured when somebody asks and never stored: what nodes and pods use, and what
//! pods are asked.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use serde_json::Value;
use wk_api::Quantity;

use crate::definition::{Column, Definition};
use crate::look::Look;
use crate::rules::{KindRules, Plain};
use crate::table;

/// The metrics of pods that serve HTTP, as `custom.metrics.k8s.io` calls them.
pub const POD_METRICS: [&str; 2] = ["http_requests_in_flight", "http_requests_per_second"];

/// The definitions of these kinds. They are apart from those of [`builtin`](crate::builtin),
/// because none of their objects is ever stored.
pub fn measured() -> &'static [Arc<Definition>] {
    static MEASURED: LazyLock<Vec<Arc<Definition>>> = LazyLock::new(|| {
        let all = [
            usage("NodeMetrics", "nodes", false),
            usage("PodMetrics", "pods", true),
            custom("v1beta2"),
            custom("v1beta1"),
        ];
        all.into_iter().map(Arc::new).collect()
    });
    &MEASURED
}

/// What nodes or pods use.
fn usage(kind: &'static str, plural: &'static str, namespaced: bool) -> Definition {
    let quantity = |name| Column { format: Cow::Borrowed("quantity"), ..Column::text(name, "") };
    Definition {
        columns: vec![
            Column { description: Cow::Borrowed("Name of the resource"), ..Column::NAME },
            quantity("cpu"),
            quantity("memory"),
            Column { format: Cow::Borrowed("duration"), ..Column::text("Window", "") },
        ],
        verbs: Cow::Borrowed(&["get", "list"]),
        rules: Arc::new(Measures),
        ..plain("metrics.k8s.io", "v1beta1", kind, plural, namespaced)
    }
}

/// Pods as what has metrics of its own; there is nothing to be asked about them but those.
fn custom(version: &'static str) -> Definition {
    let (group, kind) = ("custom.metrics.k8s.io", "MetricValueList");
    let pods = plain(group, version, kind, "pods", true);
    POD_METRICS.iter().fold(pods, |pods, metric| pods.sub(metric, (group, version, kind), &["get"]))
}

fn plain(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    namespaced: bool,
) -> Definition {
    Definition {
        group: group.into(),
        version: version.into(),
        kind: kind.into(),
        list_kind: format!("{kind}List").into(),
        plural: plural.into(),
        singular: "".into(),
        short_names: Vec::new(),
        categories: Vec::new(),
        namespaced,
        message: wk_schema::kind(group, version, kind),
        verbs: Cow::Borrowed(&[]),
        subresources: Vec::new(),
        columns: Vec::new(),
        selectable: Vec::new(),
        generation: false,
        stored_as: None,
        rules: Arc::new(Plain),
    }
}

#[derive(Debug)]
struct Measures;

impl KindRules for Measures {
    fn row(&self, metrics: &Value, _now: Timestamp) -> Vec<Value> {
        let total = |name: &str| -> Value {
            let own = std::slice::from_ref(metrics);
            let parts = if metrics.has("usage") { own } else { metrics.items("containers") };
            let amounts = parts.iter().map(|part| Quantity::parse(part["usage"].text(name)));
            let sum = amounts.filter_map(Result::ok).reduce(|sum, amount| sum + amount);
            sum.unwrap_or_default().to_string().into()
        };
        vec![table::name(metrics), total("cpu"), total("memory"), metrics.text("window").into()]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_adds_up_what_containers_use() {
        let container = json!({"usage": {"cpu": "600u", "memory": "1Mi"}});
        let metrics = json!({
            "metadata": {"name": "web"}, "window": "15s", "containers": [container, container],
        });
        let pods = &measured()[1];
        let row = pods.row(&metrics, Timestamp::UNIX_EPOCH);
        assert_eq!(row, [json!("web"), json!("1200u"), json!("2Mi"), json!("15s")]);
        assert_eq!(row.len(), pods.columns.len());
    }
}
