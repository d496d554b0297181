//! Which nodes the pods of a `DaemonSet` belong on.
//!
//! Spec: <https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/>

use k8s_openapi::api::core::v1::{
    NodeSelectorRequirement, NodeSelectorTerm, PodSpec, PodTemplateSpec, Toleration,
};

use super::pods;
use crate::taints::{NO_EXECUTE, NO_SCHEDULE, is_kept_away};
use crate::watched::NodeView;

/// Where a template's pods may be.
#[derive(Debug)]
pub(super) struct Placement<'a> {
    spec: Option<&'a PodSpec>,
    tolerations: Vec<Toleration>,
}

/// What a node is to a `DaemonSet`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fit {
    /// It gets a pod.
    pub(super) should_run: bool,
    /// A pod that is there stays.
    pub(super) may_stay: bool,
}

impl<'a> Placement<'a> {
    pub(super) fn of(template: &'a PodTemplateSpec) -> Self {
        let spec = template.spec.as_ref();
        let tolerations = spec.map(pods::tolerations).unwrap_or_default();
        Self { spec, tolerations }
    }

    /// What `node` is for these pods.
    pub(super) fn fit(&self, node: &NodeView) -> Fit {
        let Some(spec) = self.spec else { return Fit::default() };
        let named = spec.node_name.as_deref().unwrap_or_default();
        let is_named = named.is_empty() || named == node.name;
        if !is_named || !is_selected(spec, node) {
            return Fit::default();
        }
        let is_away = |effects: &[&str]| is_kept_away(&node.taints, &self.tolerations, effects);
        let may_stay = !is_away(&[NO_EXECUTE]);
        Fit { should_run: may_stay && !is_away(&[NO_SCHEDULE]), may_stay }
    }
}

fn is_selected(spec: &PodSpec, node: &NodeView) -> bool {
    let mut labels = spec.node_selector.iter().flatten();
    let required =
        spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref()).and_then(
            |affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref(),
        );
    labels.all(|(key, value)| node.labels.get(key) == Some(value))
        && required.is_none_or(|one| one.node_selector_terms.iter().any(|term| holds(term, node)))
}

/// Whether all of a term's requirements hold; a term without any holds for no node.
fn holds(term: &NodeSelectorTerm, node: &NodeView) -> bool {
    let labels = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    let label = |key: &str| node.labels.get(key).map(String::as_str);
    let field = |key: &str| (key == "metadata.name").then_some(node.name.as_str());
    !(labels.is_empty() && fields.is_empty())
        && labels.iter().all(|one| accepts(one, label(&one.key)))
        && fields.iter().all(|one| accepts(one, field(&one.key)))
}

fn accepts(requirement: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let is_listed = || value.is_some_and(|value| values.iter().any(|listed| listed == value));
    let number = |text: &str| text.parse::<i64>().ok();
    let numbers = || value.and_then(number).zip(values.first().and_then(|text| number(text)));
    match requirement.operator.as_str() {
        "In" => is_listed(),
        "NotIn" => !is_listed(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => numbers().is_some_and(|(own, bound)| own > bound),
        "Lt" => numbers().is_some_and(|(own, bound)| own < bound),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Taint;
    use serde_json::{Value, json};

    use super::*;

    fn node(taints: &[(&str, &str)]) -> NodeView {
        let taint = |(key, effect): &(&str, &str)| Taint {
            key: (*key).to_owned(),
            effect: (*effect).to_owned(),
            ..Taint::default()
        };
        NodeView {
            name: "n".to_owned(),
            labels: [("disk".to_owned(), "ssd".to_owned()), ("cores".to_owned(), "4".to_owned())]
                .into(),
            taints: taints.iter().map(taint).collect(),
            ..NodeView::default()
        }
    }

    #[track_caller]
    fn check(case: &str, spec: Value, taints: &[(&str, &str)], expected: (bool, bool)) {
        let mut spec = spec;
        spec["containers"] = json!([]);
        let template: PodTemplateSpec = serde_json::from_value(json!({"spec": spec})).unwrap();
        let fit = Placement::of(&template).fit(&node(taints));
        assert_eq!((fit.should_run, fit.may_stay), expected, "{case}");
    }

    #[expect(clippy::needless_pass_by_value, reason = "rows read better")]
    fn required(terms: Value) -> Value {
        json!({"affinity": {"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms},
        }}})
    }

    #[test]
    fn a_node_fits_as_its_labels_name_and_taints_say() {
        let (yes, no, stays) = ((true, true), (false, false), (false, true));
        check("anything", json!({}), &[], yes);
        check("by name", json!({"nodeName": "n"}), &[], yes);
        check("by another name", json!({"nodeName": "m"}), &[], no);
        check("by label", json!({"nodeSelector": {"disk": "ssd"}}), &[], yes);
        check("by a label it has not got", json!({"nodeSelector": {"disk": "hdd"}}), &[], no);
        let more = |bound: &str| json!([{"matchExpressions": [{"key": "cores", "operator": "Gt", "values": [bound]}]}]);
        check("more than", required(more("3")), &[], yes);
        check("not more than", required(more("4")), &[], no);
        let name =
            json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}]);
        check("by field", required(name), &[], yes);
        check("a term that asks for nothing", required(json!([{}])), &[], no);
        check("untolerated", json!({}), &[("gpu", "NoSchedule")], stays);
        check("untolerated for good", json!({}), &[("gpu", "NoExecute")], no);
        check("a preference", json!({}), &[("gpu", "PreferNoSchedule")], yes);
        let tolerant = json!({"tolerations": [{"key": "gpu", "operator": "Exists"}]});
        check("tolerated", tolerant, &[("gpu", "NoExecute")], yes);
        let sick = [
            ("node.kubernetes.io/not-ready", "NoExecute"),
            ("node.kubernetes.io/unreachable", "NoExecute"),
            ("node.kubernetes.io/disk-pressure", "NoSchedule"),
            ("node.kubernetes.io/memory-pressure", "NoSchedule"),
            ("node.kubernetes.io/pid-pressure", "NoSchedule"),
            ("node.kubernetes.io/unschedulable", "NoSchedule"),
        ];
        check("a sick node", json!({}), &sick, yes);
        let offline = [("node.kubernetes.io/network-unavailable", "NoSchedule")];
        check("without a network", json!({}), &offline, stays);
        check("it needs no other network", json!({"hostNetwork": true}), &offline, yes);
    }
}
