//! What objects use of a quota.
//!
//! The API server charges a new object before it is stored, and a controller counts again what is
//! there: both ask here, so that they agree.
//!
//! Spec: <https://kubernetes.io/docs/concepts/policy/resource-quotas/>

mod amounts;
mod pod;
mod scopes;

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{GroupResource, Quantity};

pub use amounts::{Amounts, amounts, shown, to_json};
pub(crate) use pod::requests_of_containers;
pub use pod::{limits as pod_limits, requests as pod_requests};

use crate::check;
use crate::look::Look;

/// Kinds of the core group whose number has a name without `count/`.
const COUNTED: [&str; 4] = ["configmaps", "replicationcontrollers", "resourcequotas", "secrets"];
/// How many devices a claim for all of them counts as: the most that a claim can be given.
const ALL_DEVICES: i64 = 32;

const CLASS_STORAGE: &str = ".storageclass.storage.k8s.io/requests.storage";
const CLASS_CLAIMS: &str = ".storageclass.storage.k8s.io/persistentvolumeclaims";
const CLASS_DEVICES: &str = ".deviceclass.resource.k8s.io/devices";

/// The kind whose objects use a resource of a quota; `None` for a resource that nobody counts.
pub fn counted_kind(resource: &str) -> Option<GroupResource> {
    if let Some(kind) = resource.strip_prefix("count/") {
        let (plural, group) = kind.split_once('.').unwrap_or((kind, ""));
        return Some(GroupResource::new(group, plural));
    }
    let core = |plural: &str| Some(GroupResource::new("", plural));
    if COUNTED.contains(&resource) {
        return core(resource);
    }
    match resource {
        "services" | "services.loadbalancers" | "services.nodeports" => core("services"),
        "persistentvolumeclaims" | "requests.storage" => core("persistentvolumeclaims"),
        _ if resource.ends_with(CLASS_STORAGE) || resource.ends_with(CLASS_CLAIMS) => {
            core("persistentvolumeclaims")
        }
        _ if resource.ends_with(CLASS_DEVICES) => {
            Some(GroupResource::new("resource.k8s.io", "resourceclaims"))
        }
        _ if pod::counts(resource) => core("pods"),
        _ => None,
    }
}

/// The kinds whose objects use anything that a quota limits, each once.
pub fn counted_kinds(quota: &Value) -> Vec<GroupResource> {
    let mut kinds: Vec<GroupResource> = Vec::new();
    for kind in quota["spec"].entries("hard").filter_map(|(name, _)| counted_kind(name)) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// All that an object of a kind uses, whether a quota limits it or not.
pub fn usage(kind: &GroupResource, object: &Value, now: Timestamp) -> Amounts {
    let mut used = Amounts::new();
    used.insert(count_name(kind), Quantity::from_value(1));
    match (kind.group.as_str(), kind.resource.as_str()) {
        ("", "pods") => pod::usage(object, now, &mut used),
        ("", "services") => service(object, &mut used),
        ("", "persistentvolumeclaims") => claim(object, &mut used),
        ("resource.k8s.io", "resourceclaims") => devices(object, &mut used),
        ("", plural) if COUNTED.contains(&plural) => {
            used.insert(plural.to_owned(), Quantity::from_value(1));
        }
        _ => {}
    }
    used
}

/// The name under which the number of objects of a kind is limited.
fn count_name(kind: &GroupResource) -> String {
    if kind.group.is_empty() {
        format!("count/{}", kind.resource)
    } else {
        format!("count/{}.{}", kind.resource, kind.group)
    }
}

/// Whether a quota is about an object: by one of its resources, and by all of its scopes.
pub fn matches(quota: &Value, kind: &GroupResource, object: &Value) -> bool {
    quota["spec"].entries("hard").any(|(name, _)| counted_kind(name).as_ref() == Some(kind))
        && scopes::match_all(quota, kind, object)
}

/// What a quota limits.
pub fn hard(quota: &Value) -> Amounts {
    amounts(&quota["spec"]["hard"])
}

/// What objects use of a quota: an amount for each resource that is counted, if only zero.
pub fn total<'a>(
    quota: &Value,
    objects: impl IntoIterator<Item = (&'a GroupResource, &'a Value)>,
    now: Timestamp,
) -> Amounts {
    let hard = hard(quota);
    let mut used: Amounts = hard
        .iter()
        .filter(|(name, _)| counted_kind(name).is_some())
        .map(|(name, limit)| (name.clone(), Quantity::ZERO.with_format(limit.format())))
        .collect();
    for (kind, object) in objects {
        if !matches(quota, kind, object) {
            continue;
        }
        for (name, amount) in usage(kind, object, now) {
            if let Some(sum) = used.get_mut(&name) {
                *sum += amount;
            }
        }
    }
    used
}

/// What a pod must say and does not, in the words of Kubernetes, when these resources are limited:
/// who limits processors and memory wants every container to ask for them.
pub fn missing_requests(kind: &GroupResource, object: &Value, limited: &Amounts) -> Option<String> {
    let pods = kind.group.is_empty() && kind.resource == "pods";
    if pods { pod::missing_requests(object, limited) } else { None }
}

fn service(service: &Value, used: &mut Amounts) {
    let one = Quantity::from_value(1);
    let spec = &service["spec"];
    let ports = spec.items("ports");
    let count = |number: usize| Quantity::from_value(i64::try_from(number).unwrap_or(i64::MAX));
    used.insert("services".to_owned(), one);
    let (node_ports, balancers) = match spec.text("type") {
        "NodePort" => (ports.len(), 0),
        // A balancer that needs no node ports may still have been given some.
        "LoadBalancer" if spec.flag("allocateLoadBalancerNodePorts") == Some(false) => {
            (ports.iter().filter(|port| port.int("nodePort").unwrap_or(0) != 0).count(), 1)
        }
        "LoadBalancer" => (ports.len(), 1),
        _ => (0, 0),
    };
    used.insert("services.nodeports".to_owned(), count(node_ports));
    used.insert("services.loadbalancers".to_owned(), count(balancers));
}

fn claim(claim: &Value, used: &mut Amounts) {
    let one = Quantity::from_value(1);
    let spec = &claim["spec"];
    let class =
        match claim["metadata"]["annotations"].text("volume.beta.kubernetes.io/storage-class") {
            "" => spec.text("storageClassName"),
            class => class,
        };
    used.insert("persistentvolumeclaims".to_owned(), one);
    if !class.is_empty() {
        used.insert(format!("{class}{CLASS_CLAIMS}"), one);
    }
    let asked = check::quantity(&spec["resources"]["requests"], "storage");
    let given = check::quantity(&claim["status"]["allocatedResources"], "storage");
    let Some(size) = asked.max(given).filter(|_| asked.is_some()) else { return };
    // Whole bytes, however the claim is written.
    let size = Quantity::from_value(size.value()).with_format(size.format());
    used.insert("requests.storage".to_owned(), size);
    if !class.is_empty() {
        used.insert(format!("{class}{CLASS_STORAGE}"), size);
    }
}

fn devices(claim: &Value, used: &mut Amounts) {
    let count = |request: &Value| match request.text("allocationMode") {
        "All" => ALL_DEVICES,
        _ => request.int("count").unwrap_or(1),
    };
    let mut add = |class: &str, number: i64| {
        let sum = used.entry(format!("{class}{CLASS_DEVICES}")).or_default();
        *sum += Quantity::from_value(number);
    };
    for request in claim["spec"]["devices"].items("requests") {
        let exactly = &request["exactly"];
        if exactly.is_object() {
            add(exactly.text("deviceClassName"), count(exactly));
        }
        // Of several choices any may be taken: each class counts with the most that is asked of it.
        let mut most = std::collections::BTreeMap::new();
        for choice in request.items("firstAvailable") {
            let number = most.entry(choice.text("deviceClassName")).or_insert(0);
            *number = count(choice).max(*number);
        }
        for (class, number) in most {
            add(class, number);
        }
    }
}

#[cfg(test)]
mod tests;
