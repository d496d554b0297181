//! How Linux programs of a pod look names up, where the pod has a say in that. Pure.
//!
//! Spec: <https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-dns-policy>

use k8s_openapi::api::core::v1::{PodDNSConfig, PodSpec};

/// Where programs look.
pub(crate) const RESOLV_CONF: &str = "/etc/resolv.conf";
/// What C libraries read of it, as Kubernetes counts.
const MAX_SERVERS: usize = 3;
const MAX_SEARCHES: usize = 32;
const MAX_SEARCH_LETTERS: usize = 2048;

/// What such a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Resolver {
    servers: Vec<String>,
    searches: Vec<String>,
    options: Vec<String>,
}

/// A file, and what of the pod's wishes is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) text: String,
    pub(crate) omitted: Vec<String>,
}

/// Whether a pod wants something else than its runtime gives by itself.
pub(crate) fn is_wanted(spec: &PodSpec) -> bool {
    let says = spec.dns_config.as_ref().is_some_and(|dns| *dns != PodDNSConfig::default());
    says || spec.dns_policy.as_deref() == Some("None")
}

/// The file for a pod, from the node's own.
pub(crate) fn write(spec: &PodSpec, of_node: &str) -> Written {
    let mut resolver = match spec.dns_policy.as_deref() {
        Some("None") => Resolver::default(),
        _ => read(of_node),
    };
    if let Some(config) = &spec.dns_config {
        add(&mut resolver, config);
    }
    let omitted = fit(&mut resolver);
    let line = |name: &str, words: &[String]| match words {
        [] => String::new(),
        words => format!("{name} {}\n", words.join(" ")),
    };
    let servers = resolver.servers.iter().map(|server| format!("nameserver {server}\n"));
    let lines = std::iter::once(line("search", &resolver.searches)).chain(servers);
    let text = lines.chain([line("options", &resolver.options)]).collect();
    Written { text, omitted }
}

fn read(text: &str) -> Resolver {
    let mut resolver = Resolver::default();
    for line in text.lines() {
        let line = line.split(['#', ';']).next().unwrap_or_default();
        let mut words = line.split_whitespace().map(str::to_owned);
        match words.next().as_deref() {
            Some("nameserver") => resolver.servers.extend(words.next()),
            // The last one counts.
            Some("search" | "domain") => resolver.searches = words.collect(),
            Some("options") => resolver.options = words.collect(),
            _ => {}
        }
    }
    resolver
}

fn add(resolver: &mut Resolver, config: &PodDNSConfig) {
    let add = |list: &mut Vec<String>, more: &Option<Vec<String>>| {
        for one in more.iter().flatten() {
            if !list.contains(one) {
                list.push(one.clone());
            }
        }
    };
    add(&mut resolver.servers, &config.nameservers);
    add(&mut resolver.searches, &config.searches);
    for option in config.options.iter().flatten() {
        let Some(name) = &option.name else { continue };
        // What the pod says of an option replaces what the node says.
        resolver.options.retain(|one| one.split(':').next() != Some(name));
        resolver.options.push(match &option.value {
            Some(value) if !value.is_empty() => format!("{name}:{value}"),
            _ => name.clone(),
        });
    }
}

/// Leaves out what nobody would read, and says so in Kubernetes' words.
fn fit(resolver: &mut Resolver) -> Vec<String> {
    let mut omitted = Vec::new();
    if resolver.servers.len() > MAX_SERVERS {
        resolver.servers.truncate(MAX_SERVERS);
        omitted.push(format!(
            "Nameserver limits were exceeded, some nameservers have been omitted, the applied \
             nameserver line is: {}",
            resolver.servers.join(" ")
        ));
    }
    let letters = |searches: &[String]| searches.join(" ").len();
    let all = resolver.searches.len();
    resolver.searches.truncate(MAX_SEARCHES);
    while letters(&resolver.searches) > MAX_SEARCH_LETTERS {
        resolver.searches.pop();
    }
    if resolver.searches.len() < all {
        omitted.push(format!(
            "Search Line limits were exceeded, some search paths have been omitted, the applied \
             search line is: {}",
            resolver.searches.join(" ")
        ));
    }
    omitted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OF_NODE: &str = "# mine\nnameserver 10.0.0.1\nsearch old\nsearch corp ; of mine\n\
        options ndots:2 rotate\n";

    fn spec(policy: &str, config: &serde_json::Value) -> PodSpec {
        let spec = json!({"containers": [], "dnsPolicy": policy, "dnsConfig": config});
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn a_pod_says_all_or_adds_to_what_the_node_says() {
        let config = json!({
            "nameservers": ["10.0.0.1", "9.9.9.9"], "searches": ["shop"],
            "options": [{"name": "ndots", "value": "5"}, {"name": "edns0"}],
        });
        let own = spec("None", &config);
        let text = "search shop\nnameserver 10.0.0.1\nnameserver 9.9.9.9\noptions ndots:5 edns0\n";
        assert_eq!(write(&own, OF_NODE), Written { text: text.to_owned(), omitted: Vec::new() });
        let both = spec("Default", &config);
        let text = "search corp shop\nnameserver 10.0.0.1\nnameserver 9.9.9.9\noptions rotate \
                    ndots:5 edns0\n";
        assert_eq!(write(&both, OF_NODE).text, text);
        assert!(is_wanted(&both) && is_wanted(&own));
        assert!(is_wanted(&spec("None", &json!(null))));
        assert!(!is_wanted(&spec("ClusterFirst", &json!(null))));
        assert!(!is_wanted(&spec("Default", &json!({}))));
    }

    #[test]
    fn what_nobody_reads_is_left_out_and_told() {
        let many: Vec<String> = (1..6).map(|number| format!("10.0.0.{number}")).collect();
        let long: Vec<String> =
            (0..40).map(|number| format!("{number}.{}", "x".repeat(99))).collect();
        let written = write(&spec("None", &json!({"nameservers": many, "searches": long})), "");
        assert_eq!(written.text.matches("nameserver").count(), 3);
        assert!(written.text.lines().next().unwrap().len() <= "search ".len() + MAX_SEARCH_LETTERS);
        assert!(written.omitted[0].ends_with("line is: 10.0.0.1 10.0.0.2 10.0.0.3"));
        assert!(written.omitted[1].starts_with("Search Line limits were exceeded"));
    }
}
