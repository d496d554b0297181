//! Labels and what selects by them, compiled once so that judging a node or a pod is cheap.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{NodeSelectorRequirement, NodeSelectorTerm};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector as WireSelector;
use wk_api::labels::{LabelOperator, LabelRequirement};

/// Labels, sorted by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Labels(Box<[(Box<str>, Box<str>)]>);

impl Labels {
    /// The labels of an object.
    pub fn new(labels: Option<BTreeMap<String, String>>) -> Self {
        let labels = labels.into_iter().flatten();
        Self(labels.map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// The value of a label.
    pub fn get(&self, key: &str) -> Option<&str> {
        let index = self.0.binary_search_by(|(own, _)| (**own).cmp(key)).ok()?;
        Some(&self.0[index].1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Requirements on labels that must all hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selector {
    requirements: Vec<LabelRequirement>,
    is_nothing: bool,
}

impl Selector {
    /// What a selector of an object means; an absent one selects nothing, an empty one everything.
    pub fn new(selector: Option<WireSelector>) -> Self {
        let Some(selector) = selector else {
            return Self { requirements: Vec::new(), is_nothing: true };
        };
        let mut requirements = Vec::new();
        for (key, value) in selector.match_labels.into_iter().flatten() {
            requirements.push(required(key, LabelOperator::In, [value]));
        }
        let mut is_nothing = false;
        for one in selector.match_expressions.into_iter().flatten() {
            // What the server has admitted has a known operator; another one selects nothing.
            let Some(operator) = operator(&one.operator) else {
                is_nothing = true;
                continue;
            };
            requirements.push(required(one.key, operator, one.values.into_iter().flatten()));
        }
        Self { requirements, is_nothing }
    }

    /// Selects what has all these labels.
    pub fn of_labels(labels: impl IntoIterator<Item = (String, String)>) -> Self {
        let requirements = labels.into_iter();
        let requirements =
            requirements.map(|(key, value)| required(key, LabelOperator::In, [value])).collect();
        Self { requirements, is_nothing: false }
    }

    /// Requires more: that a label has (or, if `is_equal` is false, has not) this value.
    pub fn and(&mut self, key: &str, value: &str, is_equal: bool) {
        let operator = if is_equal { LabelOperator::In } else { LabelOperator::NotIn };
        let requirement = required(key.to_owned(), operator, [value.to_owned()]);
        if !self.requirements.contains(&requirement) {
            self.requirements.push(requirement);
        }
    }

    /// Requires what `other` requires, too.
    pub fn and_all(&mut self, other: &Self) {
        self.is_nothing |= other.is_nothing;
        self.requirements.extend_from_slice(&other.requirements);
    }

    /// Whether everything is selected.
    pub fn is_everything(&self) -> bool {
        !self.is_nothing && self.requirements.is_empty()
    }

    /// Whether something with these labels is selected.
    pub fn matches(&self, labels: &Labels) -> bool {
        !self.is_nothing && self.requirements.iter().all(|one| one.accepts(labels.get(&one.key)))
    }
}

fn required(
    key: String,
    operator: LabelOperator,
    values: impl IntoIterator<Item = String>,
) -> LabelRequirement {
    LabelRequirement { key, operator, values: values.into_iter().collect::<BTreeSet<_>>() }
}

fn operator(text: &str) -> Option<LabelOperator> {
    Some(match text {
        "In" => LabelOperator::In,
        "NotIn" => LabelOperator::NotIn,
        "Exists" => LabelOperator::Exists,
        "DoesNotExist" => LabelOperator::DoesNotExist,
        "Gt" => LabelOperator::GreaterThan,
        "Lt" => LabelOperator::LessThan,
        _ => return None,
    })
}

/// One of the terms by which nodes are selected.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodeTerm {
    labels: Vec<LabelRequirement>,
    fields: Vec<LabelRequirement>,
    /// A term without requirements, or with one nobody knows, matches nothing.
    is_nothing: bool,
}

impl NodeTerm {
    /// A term as it is written.
    pub fn new(term: NodeSelectorTerm) -> Self {
        let mut is_nothing = false;
        let mut compiled = |list: Option<Vec<NodeSelectorRequirement>>| {
            let mut requirements = Vec::new();
            for one in list.into_iter().flatten() {
                match operator(&one.operator) {
                    Some(operator) => {
                        let values = one.values.into_iter().flatten();
                        requirements.push(required(one.key, operator, values));
                    }
                    None => is_nothing = true,
                }
            }
            requirements
        };
        let (labels, fields) = (compiled(term.match_expressions), compiled(term.match_fields));
        is_nothing |= labels.is_empty() && fields.is_empty();
        Self { labels, fields, is_nothing }
    }

    /// Whether the node of this name and with these labels is selected.
    pub fn matches(&self, name: &str, labels: &Labels) -> bool {
        let field = |key: &str| (key == "metadata.name").then_some(name);
        !self.is_nothing
            && self.fields.iter().all(|one| one.accepts(field(&one.key)))
            && self.labels.iter().all(|one| one.accepts(labels.get(&one.key)))
    }

    /// The only nodes that can match, if the term names them.
    pub fn names(&self) -> Option<BTreeSet<&str>> {
        let mut names: Option<BTreeSet<&str>> = None;
        for one in &self.fields {
            if one.key == "metadata.name" && one.operator == LabelOperator::In {
                let own: BTreeSet<&str> = one.values.iter().map(String::as_str).collect();
                names = Some(match names {
                    Some(names) => names.intersection(&own).copied().collect(),
                    None => own,
                });
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn labels(value: Value) -> Labels {
        Labels::new(serde_json::from_value(value).unwrap())
    }

    #[test]
    fn selectors_mean_what_they_mean_in_objects() {
        let web = labels(json!({"app": "web", "tier": "front"}));
        for (case, selector, expected) in [
            ("an absent one selects nothing", Value::Null, false),
            ("an empty one everything", json!({}), true),
            ("all labels must be there", json!({"matchLabels": {"app": "web", "x": "y"}}), false),
            (
                "labels and expressions",
                json!({"matchLabels": {"app": "web"}, "matchExpressions":
                    [{"key": "tier", "operator": "NotIn", "values": ["back"]}]}),
                true,
            ),
        ] {
            let selector = Selector::new(serde_json::from_value(selector).unwrap());
            assert_eq!(selector.matches(&web), expected, "{case}");
        }
    }

    #[test]
    fn a_term_names_nodes_only_by_field() {
        let term = |value: Value| NodeTerm::new(serde_json::from_value(value).unwrap());
        let named = term(json!({"matchFields":
            [{"key": "metadata.name", "operator": "In", "values": ["a", "b"]}]}));
        assert_eq!(named.names(), Some(BTreeSet::from(["a", "b"])));
        assert!(named.matches("a", &Labels::default()) && !named.matches("c", &Labels::default()));
        let labelled =
            term(json!({"matchExpressions": [{"key": "z", "operator": "Gt", "values": ["5"]}]}));
        assert_eq!(labelled.names(), None);
        assert!(labelled.matches("a", &labels(json!({"z": "6"}))));
        assert!(!term(json!({})).matches("a", &Labels::default()), "an empty term matches nothing");
    }
}
