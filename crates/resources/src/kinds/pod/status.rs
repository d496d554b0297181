//! Which changes of the status of a pod are allowed.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Value, json};
use wk_api::{Fault, FieldPath, names};

use crate::check::{self, Faults};
use crate::look::{Look, map_mut};
use crate::metadata;

/// Keeps what a client may leave out of a status: the class and the observed generations.
pub(super) fn prepare(new: &mut Value, old: &Value) {
    let before = &old["status"];
    let conditions = before.items("conditions");
    let status = map_mut(new, "status");
    for field in ["observedGeneration", "qosClass"] {
        // The class follows from the specification, and what was seen stays seen.
        let open = status.lacks(field) || status.int(field) == Some(0);
        if open && before.has(field) && before[field] != 0 {
            status.insert(field.to_owned(), before[field].clone());
        }
    }
    let Some(Value::Array(sent)) = status.get_mut("conditions") else { return };
    let mut seen: Vec<String> = Vec::new();
    for condition in sent {
        let kind = condition.text("type").to_owned();
        let nth = seen.iter().filter(|other| **other == kind).count();
        let kept = conditions.iter().filter(|other| other.text("type") == kind).nth(nth);
        let observed = kept.and_then(|kept| kept.int("observedGeneration")).unwrap_or(0);
        if observed != 0 && condition.int("observedGeneration").unwrap_or(0) == 0 {
            condition["observedGeneration"] = json!(observed);
        }
        seen.push(kind);
    }
}

/// Checks a change of the status.
pub(super) fn validate(new: &Value, old: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let path = root.child("status");
    let (sent, kept, spec) = (&new["status"], &old["status"], &old["spec"]);
    // Kubernetes says `metadata` here.
    let list = root.child("metadata.conditions");
    for (index, condition) in sent.items("conditions").iter().enumerate() {
        let kind = condition.text("type");
        if !matches!(kind, "PodScheduled" | "Ready" | "Initialized") {
            let path = list.index(index);
            check::invalid(&path.child("Type"), kind, names::qualified_name(kind), faults);
        }
    }
    observed(sent, &path, faults);
    if sent.get("nominatedNodeName") != kept.get("nominatedNodeName") {
        check::text(sent, "nominatedNodeName", names::dns1123_subdomain, &path, faults);
    }
    metadata::immutable(sent, kept, "qosClass", &path, faults);
    let policy = spec.text("restartPolicy");
    restarted(sent, kept, "containerStatuses", policy, spec, &path, faults);
    restarted(sent, kept, "initContainerStatuses", policy, spec, &path, faults);
    restarted(sent, kept, "ephemeralContainerStatuses", "Never", spec, &path, faults);
    claims(sent, spec, &path, faults);
    addresses(sent, "podIPs", &path, faults);
    let hosts = path.child("hostIPs");
    if let Some(first) = sent.items("hostIPs").first()
        && first.text("ip") != sent.text("hostIP")
    {
        let detail = "must be equal to `hostIP`";
        faults.push(Fault::invalid(&hosts.index(0).child("ip"), first.text("ip"), detail));
    }
    addresses(sent, "hostIPs", &path, faults);
    for list in ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"] {
        users(sent, list, spec, &path, faults);
    }
    for (list, containers) in
        [("containerStatuses", "containers"), ("initContainerStatuses", "initContainers")]
    {
        devices(sent, list, spec.items(containers), &path, faults);
    }
    let list = path.child("ephemeralContainerStatuses");
    for (index, status) in sent.items("ephemeralContainerStatuses").iter().enumerate() {
        if !status.lacks("allocatedResourcesStatus") {
            let path = list.index(index);
            let path = path.child("allocatedResourcesStatus");
            faults.push(Fault::forbidden(&path, "must not be specified in container status"));
        }
    }
}

fn observed(status: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    metadata::non_negative(status, "observedGeneration", path, faults);
    let list = path.child("conditions");
    for (index, condition) in status.items("conditions").iter().enumerate() {
        metadata::non_negative(condition, "observedGeneration", &list.index(index), faults);
    }
}

/// Checks that no container that ended for good runs again.
fn restarted(
    new: &Value,
    old: &Value,
    field: &str,
    policy: &str,
    spec: &Value,
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    let list = path.child(field);
    for (index, before) in old.items(field).iter().enumerate() {
        let ended = &before["state"]["terminated"];
        let name = before.text("name");
        // A container with a policy of its own does not follow the pod's.
        let container = spec
            .items("initContainers")
            .iter()
            .chain(spec.items("containers"))
            .find(|container| container.text("name") == name);
        let own = container.map_or("", |container| container.text("restartPolicy"));
        let policy = if own.is_empty() { policy } else { own };
        let ruled = container.is_some_and(|container| !container.lacks("restartPolicyRules"));
        let failed = ended.int("exitCode").unwrap_or(0) != 0;
        let may_restart = policy == "Always" || ruled || (policy == "OnFailure" && failed);
        if !ended.is_object() || may_restart {
            continue;
        }
        let runs = new
            .items(field)
            .iter()
            .any(|after| after.text("name") == name && !after["state"]["terminated"].is_object());
        if runs {
            let detail = "may not be transitioned to non-terminated state";
            let path = list.index(index);
            faults.push(Fault::forbidden(&path.child("state"), detail));
        }
    }
}

fn claims(status: &Value, spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("resourceClaimStatuses");
    let mut seen = BTreeSet::new();
    for (index, claim) in status.items("resourceClaimStatuses").iter().enumerate() {
        let path = list.index(index);
        let path = path.child("name");
        let name = claim.text("name");
        if !spec.items("resourceClaims").iter().any(|claim| claim.text("name") == name) {
            let detail = "must match the name of an entry in `spec.resourceClaims`";
            faults.push(Fault::invalid(&path, name, detail));
        }
        if !seen.insert(name) {
            faults.push(Fault::duplicate(&path, name));
        }
        if claim.has("resourceClaimName") {
            let made = claim.text("resourceClaimName");
            check::invalid(&path, made, names::dns1123_subdomain(made), faults);
        }
    }
}

/// Checks addresses: at most one of each family, none twice.
fn addresses(status: &Value, field: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child(field);
    let all: Vec<&str> = status.items(field).iter().map(|address| address.text("ip")).collect();
    for (index, ip) in all.iter().enumerate() {
        check::invalid(&list.index(index), *ip, names::ip(ip), faults);
    }
    if all.len() < 2 {
        return;
    }
    let families: BTreeSet<bool> =
        all.iter().filter_map(|ip| ip.parse::<IpAddr>().ok()).map(|ip| ip.is_ipv4()).collect();
    if families.len() < 2 || all.len() > 2 {
        let detail = "may specify no more than one IP for each IP family";
        faults.push(Fault::invalid(&list, status[field].clone(), detail));
    }
    for (index, ip) in all.iter().enumerate() {
        if all[..index].contains(ip) {
            let value = status[field][index].clone();
            faults.push(Fault::duplicate(&list.index(index), value));
        }
    }
}

fn users(status: &Value, list: &str, spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let windows = spec["os"].text("name") == "windows";
    let path = path.child(list);
    for (index, container) in status.items(list).iter().enumerate() {
        let user = &container["user"]["linux"];
        if !user.is_object() {
            continue;
        }
        let path = path.index(index);
        let path = path.child("linux");
        if windows {
            faults.push(Fault::forbidden(&path, "cannot be set for a windows pod"));
            continue;
        }
        for field in ["uid", "gid"] {
            check::in_range(user, field, 0, i64::from(i32::MAX), &path, faults);
        }
        let groups = path.child("supplementalGroups");
        for (index, group) in user.items("supplementalGroups").iter().enumerate() {
            let group = group.as_i64().unwrap_or(0);
            if !(0..=i64::from(i32::MAX)).contains(&group) {
                let detail = names::between(0, i64::from(i32::MAX));
                faults.push(Fault::invalid(&groups.index(index), group, detail));
            }
        }
    }
}

/// Checks what is told of the health of devices.
fn devices(
    status: &Value,
    list: &str,
    containers: &[Value],
    path: &FieldPath<'_>,
    faults: &mut Faults,
) {
    let path = path.child(list);
    for (index, own) in status.items(list).iter().enumerate() {
        let path = path.index(index);
        let path = path.child("allocatedResourcesStatus");
        let container = containers.iter().find(|c| c.text("name") == own.text("name"));
        for (index, allocated) in own.items("allocatedResourcesStatus").iter().enumerate() {
            let path = path.index(index);
            if let Some(container) = container {
                allocated_name(allocated, &container["resources"], &path.child("name"), faults);
            }
            let list = path.child("resources");
            let mut seen = BTreeSet::new();
            for (index, device) in allocated.items("resources").iter().enumerate() {
                let path = list.index(index);
                let health = device.text("health");
                let supported = ["Healthy", "Unhealthy", "Unknown"];
                if !supported.contains(&health) {
                    let path = path.child("health");
                    faults.push(Fault::not_supported(&path, health, &supported));
                }
                let id = device.text("resourceID");
                if !seen.insert(id) {
                    faults.push(Fault::duplicate(&path.child("resourceID"), id));
                }
            }
        }
    }
}

fn allocated_name(allocated: &Value, resources: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let name = allocated.text("name");
    let (found, detail) = match name.strip_prefix("claim:") {
        Some(claim) => (
            resources.items("claims").iter().any(|own| match own.text("request") {
                "" => claim == own.text("name"),
                request => claim.split_once('/') == Some((own.text("name"), request)),
            }),
            "must match one of the container's resource claims in a format \
             'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty",
        ),
        None => {
            (resources["requests"].has(name), "must match one of the container's resource requests")
        }
    };
    if !found {
        faults.push(Fault::invalid(path, name, detail));
    }
}
