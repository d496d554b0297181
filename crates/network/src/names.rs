//! Names of the cluster, as whoever watches services pushes them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::RwLock;

/// The domain under which all names of the cluster are.
const CLUSTER_DOMAIN: &str = "cluster.local";

/// A table from full names (`web.default.svc.cluster.local`, lower case, without a final dot) to
/// addresses. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct NameTable {
    names: Arc<RwLock<HashMap<String, Vec<IpAddr>>>>,
}

impl NameTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the addresses of one name; none removes it.
    pub fn set(&self, name: &str, addresses: Vec<IpAddr>) {
        let name = normalized(name);
        let mut names = self.names.write();
        if addresses.is_empty() {
            names.remove(&name);
        } else {
            names.insert(name, addresses);
        }
    }

    /// The addresses of `name` as a pod in `namespace` means it: as it is, or below the domains that
    /// a pod searches. Empty if there are none.
    pub fn lookup(&self, namespace: &str, name: &str) -> Vec<IpAddr> {
        let rooted = name.ends_with('.');
        let name = normalized(name);
        let names = self.names.read();
        let found = |full: &str| names.get(full).filter(|addresses| !addresses.is_empty()).cloned();
        if let Some(addresses) = found(&name) {
            return addresses;
        }
        if rooted {
            return Vec::new();
        }
        [
            format!("{name}.{namespace}.svc.{CLUSTER_DOMAIN}"),
            format!("{name}.svc.{CLUSTER_DOMAIN}"),
            format!("{name}.{CLUSTER_DOMAIN}"),
        ]
        .iter()
        .find_map(|full| found(full))
        .unwrap_or_default()
    }

    /// Whether the name is under the cluster's own domain, of which nobody else knows anything.
    pub fn owns(name: &str) -> bool {
        normalized(name).strip_suffix(CLUSTER_DOMAIN).is_some_and(|rest| rest.ends_with('.'))
    }
}

fn normalized(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_searched_as_a_pod_does() {
        let table = NameTable::new();
        let ip: IpAddr = "127.32.0.9".parse().unwrap();
        table.set("web.shop.svc.cluster.local", vec![ip]);
        for (namespace, name, found) in [
            ("shop", "web", true),
            ("shop", "WEB", true),
            ("shop", "web.", false),
            ("default", "web", false),
            ("default", "web.shop", true),
            ("default", "web.shop.svc", true),
            ("default", "web.shop.svc.cluster.local.", true),
        ] {
            assert_eq!(!table.lookup(namespace, name).is_empty(), found, "{namespace} {name}");
        }
        table.set("web.shop.svc.cluster.local", Vec::new());
        assert!(table.lookup("shop", "web").is_empty());
    }

    #[test]
    fn the_clusters_domain_is_its_own() {
        assert!(NameTable::owns("web.shop.svc.cluster.local."));
        assert!(!NameTable::owns("notcluster.local"));
        assert!(!NameTable::owns("example.org"));
    }
}
