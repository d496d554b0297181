//! What a pod asks for, and what that uses of a quota.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use wk_api::{Quantity, parse_time};

use super::amounts::{Amounts, add, amounts, raise};
use crate::look::Look;

/// Resources that a quota calls by their own name, by `requests.` and by `limits.`.
const PLAIN: [&str; 3] = ["cpu", "ephemeral-storage", "memory"];

/// Whether pods use a resource of a quota.
pub(super) fn counts(resource: &str) -> bool {
    if resource == "pods" || resource.starts_with("hugepages-") || PLAIN.contains(&resource) {
        return true;
    }
    if let Some(limited) = resource.strip_prefix("limits.") {
        return PLAIN.contains(&limited);
    }
    resource.strip_prefix("requests.").is_some_and(|asked| {
        PLAIN.contains(&asked) || asked.starts_with("hugepages-") || asked.contains('/')
    })
}

/// Adds what a pod uses.
pub(super) fn usage(pod: &Value, now: Timestamp, used: &mut Amounts) {
    if !holds_resources(pod, now) {
        return;
    }
    used.insert("pods".to_owned(), Quantity::from_value(1));
    used.append(&mut by_name(&requests(pod), &limits(pod)));
}

/// Whether a pod still takes resources: it has not ended, and has not outlived its deletion.
fn holds_resources(pod: &Value, now: Timestamp) -> bool {
    if matches!(pod["status"].text("phase"), "Failed" | "Succeeded") {
        return false;
    }
    let metadata = &pod["metadata"];
    let deleted = parse_time(metadata.text("deletionTimestamp"));
    let (Some(deleted), Some(grace)) = (deleted, metadata.int("deletionGracePeriodSeconds")) else {
        return true;
    };
    now <= deleted.saturating_add(SignedDuration::from_secs(grace)).unwrap_or(Timestamp::MAX)
}

/// What requests and limits are called in a quota.
fn by_name(requests: &Amounts, limits: &Amounts) -> Amounts {
    let mut named = Amounts::new();
    for (name, amount) in requests {
        if PLAIN.contains(&name.as_str()) || name.starts_with("hugepages-") {
            named.insert(name.clone(), *amount);
            named.insert(format!("requests.{name}"), *amount);
        } else if name.contains('/') {
            named.insert(format!("requests.{name}"), *amount);
        }
    }
    for (name, amount) in limits.iter().filter(|(name, _)| PLAIN.contains(&name.as_str())) {
        named.insert(format!("limits.{name}"), *amount);
    }
    named
}

/// What a pod asks for as a whole.
///
/// Containers add up; of init containers, which run one after the other beside the sidecars before
/// them, the greediest counts. What the pod says of itself goes before its containers' sum, and the
/// overhead comes on top.
pub fn requests(pod: &Value) -> Amounts {
    let statuses = statuses(pod);
    let mut total = whole(&pod["spec"], |container| {
        let mut asked = amounts(&container["resources"]["requests"]);
        // During a resize what the container has counts until it has given it back.
        if let Some(status) = statuses.get(container.text("name")) {
            raise(&mut asked, &amounts(&status["resources"]["requests"]));
            raise(&mut asked, &amounts(&status["allocatedResources"]));
        }
        asked
    });
    pod_level(pod, "requests", &mut total);
    add(&mut total, &amounts(&pod["spec"]["overhead"]));
    total
}

/// What a pod may take as a whole; a resource that some container has no limit for still counts
/// with the limits of the others.
pub fn limits(pod: &Value) -> Amounts {
    let mut total = whole(&pod["spec"], |container| amounts(&container["resources"]["limits"]));
    pod_level(pod, "limits", &mut total);
    for (name, amount) in amounts(&pod["spec"]["overhead"]) {
        if let Some(limit) = total.get_mut(&name).filter(|limit| !limit.is_zero()) {
            *limit += amount;
        }
    }
    total
}

fn statuses(pod: &Value) -> BTreeMap<&str, &Value> {
    let status = &pod["status"];
    let all = status.items("containerStatuses").iter().chain(status.items("initContainerStatuses"));
    all.map(|status| (status.text("name"), status)).collect()
}

/// What the containers of a specification ask for together.
pub(crate) fn requests_of_containers(spec: &Value) -> Amounts {
    whole(spec, |container| amounts(&container["resources"]["requests"]))
}

fn whole(spec: &Value, of: impl Fn(&Value) -> Amounts) -> Amounts {
    let mut total = Amounts::new();
    for container in spec.items("containers") {
        add(&mut total, &of(container));
    }
    let (mut sidecars, mut greediest) = (Amounts::new(), Amounts::new());
    for container in spec.items("initContainers") {
        let mut asked = of(container);
        if container.text("restartPolicy") == "Always" {
            add(&mut total, &asked);
            add(&mut sidecars, &asked);
            asked = sidecars.clone();
        } else {
            add(&mut asked, &sidecars);
        }
        raise(&mut greediest, &asked);
    }
    raise(&mut total, &greediest);
    total
}

fn pod_level(pod: &Value, field: &str, total: &mut Amounts) {
    for (name, amount) in amounts(&pod["spec"]["resources"][field]) {
        if matches!(name.as_str(), "cpu" | "memory") || name.starts_with("hugepages-") {
            total.insert(name, amount);
        }
    }
}

/// Resources that containers must ask for where they are limited.
const DEMANDED: [&str; 6] =
    ["cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory"];

pub(super) fn missing_requests(pod: &Value, limited: &Amounts) -> Option<String> {
    let spec = &pod["spec"];
    if !spec["resources"].lacks("requests") || !spec["resources"].lacks("limits") {
        return None;
    }
    let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for container in spec.items("containers").iter().chain(spec.items("initContainers")) {
        let resources = &container["resources"];
        let named = by_name(&amounts(&resources["requests"]), &amounts(&resources["limits"]));
        for name in DEMANDED.iter().filter(|name| limited.contains_key(**name)) {
            if !named.contains_key(*name) {
                missing.entry(name).or_default().insert(container.text("name"));
            }
        }
    }
    if missing.is_empty() {
        return None;
    }
    let each: Vec<String> = missing
        .into_iter()
        .map(|(name, containers)| {
            let containers: Vec<&str> = containers.into_iter().collect();
            format!("{name} for: {}", containers.join(","))
        })
        .collect();
    Some(format!("must specify {}", each.join("; ")))
}
