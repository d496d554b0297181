//! Which crate may use which: the table of the style guide.

use std::collections::BTreeSet;

use serde_json::Value;

/// What each crate may use, apart from `wk-process`, which all components may.
const ALLOWED: &[(&str, &[&str])] = &[
    ("wk-api", &[]),
    ("wk-apiserver", &["api", "auth", "patch", "resources", "schema", "store", "streams", "yaml"]),
    ("wk-auth", &["api"]),
    ("wk-client", &["api", "auth"]),
    ("wk-cloud", &["api", "client"]),
    ("wk-controllers", &["api", "auth", "client", "resources"]),
    ("wk-dns", &["api", "client"]),
    (
        "wk-kubelet",
        &[
            "api",
            "auth",
            "client",
            "network",
            "oci",
            "resources",
            "runtime",
            "schema",
            "streams",
            "yaml",
        ],
    ),
    ("wk-network", &["api", "runtime"]),
    ("wk-oci", &[]),
    ("wk-patch", &["api", "schema"]),
    ("wk-proxy", &["api", "client", "network"]),
    ("wk-registry", &[]),
    ("wk-resources", &["api", "schema"]),
    ("wk-runtime", &[]),
    ("wk-runtime-docker", &["oci", "runtime"]),
    ("wk-runtime-host", &["runtime"]),
    ("wk-runtime-wasm", &["oci", "runtime"]),
    ("wk-schema", &["api"]),
    ("wk-scheduler", &["api", "auth", "client"]),
    ("wk-simulate", &["api", "client"]),
    ("wk-store", &[]),
    ("wk-store-etcd", &["store"]),
    ("wk-store-redb", &["store"]),
    ("wk-streams", &[]),
    ("wk-yaml", &[]),
    ("wkctl", &["api", "auth", "client", "oci", "patch", "schema", "store", "streams", "yaml"]),
];

/// Crates that put everything together: the binary, and tests of the whole.
const ANYTHING: &[&str] = &["wk", "wk-tests"];

/// Crates that use none of ours at all.
const NOTHING: &[&str] = &["wk-process", "xtask"];

/// One crate of ours uses another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edge {
    user: String,
    used: String,
}

/// The edges between our crates in the answer of `cargo metadata`.
///
/// What only tests use does not count: they may set a crate among any others.
pub(crate) fn edges(metadata: &Value) -> Vec<Edge> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names: BTreeSet<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let mut edges = Vec::new();
    for package in packages {
        let Some(user) = package["name"].as_str() else { continue };
        let dependencies = package["dependencies"].as_array().map(Vec::as_slice);
        for dependency in dependencies.unwrap_or_default() {
            let Some(used) = dependency["name"].as_str() else { continue };
            if names.contains(used) && dependency["kind"] != "dev" {
                edges.push(Edge { user: user.to_owned(), used: used.to_owned() });
            }
        }
    }
    edges
}

/// Those of `edges` that the table does not have.
pub(crate) fn faults(edges: &[Edge]) -> Vec<String> {
    edges
        .iter()
        .filter(|edge| !is_allowed(&edge.user, &edge.used))
        .map(|edge| {
            format!("`{}` may not use `{}`: crates/xtask/src/check/edges.rs", edge.user, edge.used)
        })
        .collect()
}

fn is_allowed(user: &str, used: &str) -> bool {
    if NOTHING.contains(&user) {
        return false;
    }
    if ANYTHING.contains(&user) {
        // Tests run the real binaries, and do not link them.
        return used != "wk" && used != "wkctl";
    }
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == user) else {
        return false;
    };
    used == "wk-process" || used.strip_prefix("wk-").is_some_and(|name| allowed.contains(&name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(user: &str, used: &str, allowed: bool) {
        assert_eq!(is_allowed(user, used), allowed, "{user} -> {used}");
    }

    #[test]
    fn crates_use_only_what_the_table_says() {
        check("wk-kubelet", "wk-runtime", true);
        check("wk-kubelet", "wk-runtime-wasm", false);
        check("wk-runtime-host", "wk-runtime-wasm", false);
        check("wk-kubelet", "wk-process", true);
        check("wk-scheduler", "wk-store", false);
        check("wk-api", "wk-schema", false);
        check("wk", "wk-runtime-wasm", true);
        check("wk-testkit", "wk", false);
        check("xtask", "wk-api", false);
        check("wk-newcomer", "wk-api", false);
    }

    #[test]
    fn edges_are_between_our_crates_and_not_for_tests() {
        let metadata = json!({"packages": [
            {"name": "wk-api", "dependencies": [{"name": "serde", "kind": null}]},
            {"name": "wk-store", "dependencies": [
                {"name": "wk-api", "kind": null},
                {"name": "wk-testkit", "kind": "dev"},
            ]},
            {"name": "wk-testkit", "dependencies": []},
        ]});
        let edges = edges(&metadata);
        assert_eq!(edges, [Edge { user: "wk-store".to_owned(), used: "wk-api".to_owned() }]);
        assert_eq!(faults(&edges).len(), 1);
    }
}
