//! Node selectors and node affinity.
//!
//! Spec: <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/>

use k8s_openapi::api::core::v1::{NodeSelectorRequirement, NodeSelectorTerm};

use crate::cluster::{Cluster, NodeState, Offer};
use crate::demand::Demand;
use crate::plan::{Filter, Reasons, Score};

pub(super) struct NodeAffinity;

impl Filter for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn check(&self, pod: &Demand, offer: &Offer, _: &NodeState) -> Result<(), Reasons> {
        let Some(needs) = &pod.needs else { return Ok(()) };
        let mut selector = needs.node_selector.iter();
        let is_selected = selector.all(|(key, value)| offer.labels.get(key) == Some(value));
        let has_affinity = needs
            .required
            .as_ref()
            .is_none_or(|terms| terms.iter().any(|term| matches(term, offer)));
        if is_selected && has_affinity {
            return Ok(());
        }
        Err(vec!["node(s) didn't match Pod's node affinity/selector".into()])
    }
}

impl Score for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn weight(&self) -> i64 {
        2
    }

    fn score(&self, pod: &Demand, offer: &Offer, _: &NodeState, _: &Cluster) -> i64 {
        let preferred = pod.needs.iter().flat_map(|needs| &needs.preferred);
        preferred
            .filter(|term| matches(&term.preference, offer))
            .map(|term| i64::from(term.weight))
            .sum()
    }

    fn normalize(&self, scores: &mut [i64]) {
        super::normalize(scores);
    }
}

/// Whether all of a term's requirements hold; a term without any matches nothing.
fn matches(term: &NodeSelectorTerm, offer: &Offer) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    if expressions.is_empty() && fields.is_empty() {
        return false;
    }
    let label = |key: &str| offer.labels.get(key).map(String::as_str);
    let field = |key: &str| (key == "metadata.name").then_some(offer.name.as_str());
    expressions.iter().all(|one| accepts(one, label(&one.key)))
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
