//! Requests and limits of containers.

use std::collections::BTreeSet;

use serde_json::Value;
use wk_api::{Fault, FieldPath, Quantity, names};

use crate::check::{self, Faults};
use crate::look::Look;

/// Resources that a container may name without a domain.
const OF_CONTAINERS: [&str; 3] = ["cpu", "ephemeral-storage", "memory"];

/// Resources that have a name without a domain.
const STANDARD: [&str; 20] = [
    "configmaps",
    "cpu",
    "ephemeral-storage",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "memory",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
    "requests.storage",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
    "storage",
];

fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// Whether more may be asked for than there is: Kubernetes' own resources but huge pages.
pub(crate) fn overcommits(name: &str) -> bool {
    is_native(name) && !is_huge_page(name)
}

/// Whether a resource is one of Kubernetes itself.
fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Whether a resource is counted in whole numbers.
pub(crate) fn is_whole(name: &str) -> bool {
    !is_native(name)
        || matches!(
            name,
            "pods"
                | "services"
                | "replicationcontrollers"
                | "resourcequotas"
                | "secrets"
                | "configmaps"
                | "persistentvolumeclaims"
                | "services.nodeports"
                | "services.loadbalancers"
        )
}

/// Checks the name of any resource.
pub(crate) fn name(name: &str, path: &FieldPath<'_>, faults: &mut Faults) -> bool {
    let messages = names::qualified_name(name);
    if !messages.is_empty() {
        check::invalid(path, name, messages, faults);
        return false;
    }
    let standard = STANDARD.contains(&name)
        || is_huge_page(name)
        || name.starts_with("requests.hugepages-")
        || name.starts_with("attachable-volumes-");
    if !name.contains('/') && !standard {
        let detail = "must be a standard resource type or fully qualified";
        faults.push(Fault::invalid(path, name, detail));
        return false;
    }
    true
}

/// Checks the name of a resource that a container asks for.
pub(crate) fn container_name(text: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    name(text, path, faults);
    if !text.contains('/') {
        if !OF_CONTAINERS.contains(&text) && !is_huge_page(text) {
            let detail = "must be a standard resource for containers";
            faults.push(Fault::invalid(path, text, detail));
        }
    } else if !is_native(text) && !is_extended(text) {
        let detail = "doesn't follow extended resource name standard";
        faults.push(Fault::invalid(path, text, detail));
    }
}

/// Whether a name is that of a resource that somebody else than Kubernetes knows.
pub(crate) fn is_extended(name: &str) -> bool {
    // The name must still be one when a quota counts it.
    !is_native(name)
        && !name.starts_with("requests.")
        && names::qualified_name(&format!("requests.{name}")).is_empty()
}

/// Checks the amount of a resource.
pub(crate) fn amount(name: &str, value: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let Some(quantity) = check::quantity_of(value) else { return };
    if quantity.is_negative() {
        let detail = "must be greater than or equal to 0";
        faults.push(Fault::invalid(path, quantity.to_string(), detail));
    }
    if is_whole(name) && !quantity.is_whole() {
        faults.push(Fault::invalid(path, quantity.to_string(), "must be an integer"));
    }
}

/// Checks that huge pages are asked for as whole pages.
fn whole_pages(name: &str, value: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let Some(size) = name.strip_prefix("hugepages-") else { return };
    let (Ok(size), Some(amount)) = (Quantity::parse(size), check::quantity_of(value)) else {
        return;
    };
    let (bytes, page) = (amount.value(), size.value());
    if page <= 0 || bytes % page != 0 || bytes < 0 {
        let detail = format!("{amount} is not positive integer multiple of {name}");
        faults.push(Fault::invalid(path, amount.to_string(), detail));
    }
}

/// Checks `limits`, `requests` and `claims`; `claims` of the pod are those that can be named.
pub(crate) fn requirements(
    resources: &Value,
    pod_claims: &[&str],
    name_rule: fn(&str, &FieldPath<'_>, &mut Faults),
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    let limits_path = path.child("limits");
    let requests_path = path.child("requests");
    let limits = &resources["limits"];
    for (name, value) in resources.entries("limits") {
        let path = limits_path.key(name);
        name_rule(name, &path, faults);
        amount(name, value, &path, faults);
        whole_pages(name, value, &path, faults);
    }
    for (name, value) in resources.entries("requests") {
        let path = requests_path.key(name);
        name_rule(name, &path, faults);
        amount(name, value, &path, faults);
        let Some(request) = check::quantity_of(value) else { continue };
        match check::quantity(limits, name) {
            Some(limit) if request != limit && !overcommits(name) => {
                let detail = format!("must be equal to {name} limit of {limit}");
                faults.push(Fault::invalid(&requests_path, request.to_string(), detail));
            }
            Some(limit) if request > limit => {
                let detail = format!("must be less than or equal to {name} limit of {limit}");
                faults.push(Fault::invalid(&requests_path, request.to_string(), detail));
            }
            None if !overcommits(name) => {
                let detail = "Limit must be set for non overcommitable resources";
                faults.push(Fault::required(&limits_path, detail));
            }
            Some(_) | None => {}
        }
        whole_pages(name, value, &path, faults);
    }
    let mut named = resources.entries("limits").chain(resources.entries("requests"));
    let huge = named.any(|(name, _)| is_huge_page(name));
    let mut named = resources.entries("limits").chain(resources.entries("requests"));
    if huge && !named.any(|(name, _)| name == "cpu" || name == "memory") {
        faults.push(Fault::forbidden(path, "HugePages require cpu or memory"));
    }
    claims(resources, pod_claims, &path.child("claims"), faults);
}

fn claims(resources: &Value, pod_claims: &[&str], path: &FieldPath<'_>, faults: &mut Faults) {
    let mut seen = BTreeSet::new();
    for (index, claim) in resources.items("claims").iter().enumerate() {
        let path = path.index(index);
        let (name, request) = (claim.text("name"), claim.text("request"));
        if name.is_empty() {
            faults.push(Fault::required(&path, ""));
            continue;
        }
        if seen.contains(&(name, "")) {
            faults.push(Fault::duplicate(&path, name));
        } else {
            check::text(claim, "request", names::dns1123_label, &path, faults);
            if seen.contains(&(name, request)) {
                faults.push(Fault::duplicate(&path, format!("{name}/{request}")));
            } else if request.is_empty() {
                // Some of its requests were named before.
                for _ in seen.iter().filter(|(other, _)| *other == name) {
                    faults.push(Fault::duplicate(&path, name));
                }
            }
            seen.insert((name, request));
        }
        if !pod_claims.contains(&name) {
            let mut fault = Fault::not_found(&path, name);
            fault.detail = if pod_claims.is_empty() {
                "must be one of the names in pod.spec.resourceClaims which is empty".to_owned()
            } else {
                let names = pod_claims.join(", ");
                format!("must be one of the names in pod.spec.resourceClaims: {names}")
            };
            faults.push(fault);
        }
    }
}
