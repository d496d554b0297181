//! Asks the server which resources it has.
//!
//! Spec: <https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery>

use serde_json::Value;

use super::{Resource, text};
use crate::client::{Call, Client};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Every resource of the server, in its order of preference.
pub(crate) async fn discover(client: &Client) -> anyhow::Result<Vec<Resource>> {
    let mut found = Vec::new();
    for root in ["/api", "/apis"] {
        let groups = client.object(Call::get(root).accept(AGGREGATED)).await?;
        found.extend(resources(&groups));
    }
    Ok(found)
}

fn list<'a>(object: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    object.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn texts(object: &Value, name: &str) -> Vec<String> {
    list(object, name).filter_map(Value::as_str).map(str::to_owned).collect()
}

fn resources(groups: &Value) -> Vec<Resource> {
    let mut found: Vec<Resource> = Vec::new();
    for group in list(groups, "items") {
        let group_name = text(group, "/metadata/name");
        for version in list(group, "versions") {
            for resource in list(version, "resources") {
                let plural = text(resource, "/resource");
                // The group's first version that has it is the preferred one.
                if found.iter().any(|known| known.group == group_name && known.plural == plural) {
                    continue;
                }
                let kind = text(resource, "/responseKind/kind");
                // What has no kind is there for its parts only.
                if kind.is_empty() {
                    continue;
                }
                let version = text(version, "/version");
                found.push(Resource {
                    group: group_name.to_owned(),
                    version: version.to_owned(),
                    kind: kind.to_owned(),
                    plural: plural.to_owned(),
                    singular: match text(resource, "/singularResource") {
                        "" => kind.to_lowercase(),
                        singular => singular.to_owned(),
                    },
                    short_names: texts(resource, "shortNames"),
                    categories: texts(resource, "categories"),
                    verbs: texts(resource, "verbs"),
                    namespaced: text(resource, "/scope") == "Namespaced",
                    message: wk_schema::kind_of(group_name, version, kind)
                        .map(|known| known.message),
                });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn aggregated_discovery_gives_resources() {
        let groups = json!({"items": [{
        "metadata": {"name": "example.com"},
        "versions": [
            {"version": "v2", "resources": [{
                "resource": "widgets", "responseKind": {"kind": "Widget"},
                "scope": "Namespaced", "singularResource": "widget", "shortNames": ["wd"],
                "categories": ["all"], "verbs": ["get", "list"]}]},
            {"version": "v1", "resources": [{"resource": "widgets", "scope": "Namespaced",
                "responseKind": {"kind": "Widget"}}, {"resource": "parts"}]},
        ]}]});
        let found = resources(&groups);
        assert_eq!(found.len(), 1, "{found:?}");
        let widget = super::super::among(&found, "wd").unwrap();
        assert_eq!(widget.path(Some("a")), "/apis/example.com/v2/namespaces/a/widgets");
        assert_eq!(widget.categories, ["all"]);
    }
}
