//! Which rules a role has that is made of others.

use std::sync::Arc;

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};

use crate::watched::selector;

/// The rules of the roles that `role` selects, each once, in the order of the selectors and of the roles'
/// names. `None` if it is not made of others.
pub(super) fn rules(role: &ClusterRole, all: &[Arc<ClusterRole>]) -> Option<Vec<PolicyRule>> {
    let selectors = role.aggregation_rule.as_ref()?.cluster_role_selectors.as_deref();
    let mut sorted: Vec<&ClusterRole> = all
        .iter()
        .map(|one| &**one)
        .filter(|one| one.metadata.name != role.metadata.name)
        .collect();
    sorted.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    let mut rules = Vec::new();
    for wanted in selectors.unwrap_or_default() {
        let wanted = selector(Some(wanted));
        let no_labels = std::collections::BTreeMap::new();
        let selected = sorted
            .iter()
            .filter(|one| wanted.matches_map(one.metadata.labels.as_ref().unwrap_or(&no_labels)));
        for rule in selected.flat_map(|one| one.rules.iter().flatten()) {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
    }
    Some(rules)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn role(name: &str, label: &str, resources: &[&str]) -> Arc<ClusterRole> {
        let rule =
            |resource: &&str| json!({"apiGroups": [""], "resources": [resource], "verbs": ["get"]});
        let rules: Vec<Value> = resources.iter().map(rule).collect();
        let role = json!({"metadata": {"name": name, "labels": {"to": label}}, "rules": rules});
        Arc::new(serde_json::from_value(role).unwrap())
    }

    #[track_caller]
    fn check(case: &str, selectors: &Value, expected: Option<&[&str]>) {
        let all = [
            role("b", "view", &["pods", "nodes"]),
            role("a", "view", &["secrets", "pods"]),
            role("c", "edit", &["events"]),
            role("sum", "view", &["everything"]),
        ];
        let mut sum = (*all[3]).clone();
        sum.aggregation_rule =
            serde_json::from_value(json!({"clusterRoleSelectors": selectors})).unwrap();
        if selectors.is_null() {
            sum.aggregation_rule = None;
        }
        let found = rules(&sum, &all);
        let names: Option<Vec<String>> = found.map(|rules| {
            rules.into_iter().flat_map(|rule| rule.resources.unwrap_or_default()).collect()
        });
        let names =
            names.as_ref().map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(names.as_deref(), expected, "{case}");
    }

    #[test]
    fn rules_of_what_is_selected_come_once_in_the_order_of_names() {
        let of = |label: &str| json!({"matchLabels": {"to": label}});
        check("one selector", &json!([of("view")]), Some(&["secrets", "pods", "nodes"]));
        check(
            "two of them",
            &json!([of("edit"), of("view")]),
            Some(&["events", "secrets", "pods", "nodes"]),
        );
        check("nothing is selected", &json!([of("none")]), Some(&[]));
        check("not made of others", &Value::Null, None);
    }
}
