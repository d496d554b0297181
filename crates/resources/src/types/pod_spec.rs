//! The specification of a pod, in pods and in templates.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use wk_api::{Fault, FieldPath, names, well_known};

use super::container::{self, Surroundings};
use super::{affinity, operating_system, resources, security, volume};
use crate::check::{self, Faults};
use crate::kinds::pod::annotations;
use crate::look::{Look, always, default_to};
use crate::metadata;
use crate::quota;
use crate::walk::TypeRule;

pub(super) const RULE: TypeRule = TypeRule {
    zeros: &[
        "dnsPolicy",
        "hostIPC",
        "hostNetwork",
        "hostPID",
        "hostname",
        "nodeName",
        "priorityClassName",
        "restartPolicy",
        "schedulerName",
        "serviceAccount",
        "serviceAccountName",
        "subdomain",
    ],
    default,
    validate,
    ..TypeRule::NONE
};

pub(super) const TEMPLATE: TypeRule =
    TypeRule { default: default_template, validate: validate_template, ..TypeRule::NONE };

fn default(spec: &mut Map<String, Value>) {
    default_to(spec, "dnsPolicy", "ClusterFirst");
    default_to(spec, "restartPolicy", "Always");
    default_to(spec, "schedulerName", well_known::DEFAULT_SCHEDULER);
    spec.entry("terminationGracePeriodSeconds").or_insert_with(|| 30.into());
    always(spec, "securityContext");
    // Pods that are scheduled together are a feature that has to be switched on, and is not here.
    spec.remove("schedulingGroup");
    // `serviceAccount` is the old name of `serviceAccountName`; both always say the same.
    for (field, other) in
        [("serviceAccountName", "serviceAccount"), ("serviceAccount", "serviceAccountName")]
    {
        if let Some(name) = spec.get(field).cloned() {
            spec.insert(other.to_owned(), name);
        }
    }
}

fn default_template(template: &mut Map<String, Value>) {
    always(template, "metadata");
    always(template, "spec");
}

fn validate_template(template: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let (own, spec) = (&template["metadata"], &template["spec"]);
    metadata::labels(own, "labels", path, faults);
    metadata::annotations(own, path, faults);
    annotations::validate(own, spec, &path.child("annotations"), faults);
    annotations::profiles(own, spec, &path.child("spec"), faults);
    if !template["spec"].lacks("ephemeralContainers") {
        let detail = "ephemeral containers not allowed in pod template";
        faults.push(Fault::forbidden(&path.child("spec.ephemeralContainers"), detail));
    }
}

fn validate(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let grace = spec.int("terminationGracePeriodSeconds");
    if grace.is_none() {
        faults.push(Fault::required(&path.child("terminationGracePeriodSeconds"), ""));
    }
    let volumes = volume::volumes(spec, path, faults);
    let claims = resource_claims(spec, path, faults);
    let around = Surroundings {
        volumes,
        claims,
        grace,
        restart_policy: spec.text("restartPolicy"),
        host_users: spec.flag("hostUsers") != Some(false),
    };
    container::validate_all(spec, &around, path, faults);
    pod_resources(spec, path, faults);
    host_network(spec, path, faults);
    let policies = ["Always", "OnFailure", "Never"];
    check::required_one_of(spec, "restartPolicy", &policies, path, faults);
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    check::required_one_of(spec, "dnsPolicy", &policies, path, faults);
    metadata::labels(spec, "nodeSelector", path, faults);
    security::of_pod(spec, path, faults);
    affinity::affinity(spec, path, faults);
    dns_config(spec, path, faults);
    gates(spec, path, faults);
    affinity::spreading(spec, path, faults);
    operating_system::host_processes(spec, path, faults);
    security::host_users(spec, path, faults);
    let subdomain = names::dns1123_subdomain;
    check::text(spec, "serviceAccountName", subdomain, path, faults);
    check::text(spec, "nodeName", subdomain, path, faults);
    check::in_range(spec, "activeDeadlineSeconds", 1, i64::from(i32::MAX), path, faults);
    check::text(spec, "hostname", names::dns1123_label, path, faults);
    check::text(spec, "subdomain", names::dns1123_label, path, faults);
    hostname_override(spec, path, faults);
    affinity::tolerations(spec, path, faults);
    host_aliases(spec, path, faults);
    check::text(spec, "priorityClassName", subdomain, path, faults);
    if spec.has("runtimeClassName") {
        let name = spec.text("runtimeClassName");
        check::invalid(&path.child("runtimeClassName"), name, subdomain(name), faults);
    }
    let policies = ["PreemptLowerPriority", "Never"];
    check::one_of(spec, "preemptionPolicy", &policies, path, faults);
    // The overhead is checked as the limits of a container are, and called so.
    let overhead = json!({"limits": spec["overhead"]});
    let name_rule = resources::container_name;
    resources::requirements(&overhead, &[], name_rule, &path.child("overhead"), faults);
    operating_system::check(spec, path, faults);
}

/// The longest host name that Linux takes.
const HOSTNAME_MAX: usize = 64;

fn hostname_override(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    if !spec.has("hostnameOverride") {
        return;
    }
    let name = spec.text("hostnameOverride");
    let own = path.child("hostnameOverride");
    check::invalid(&own, name, names::dns1123_subdomain(name), faults);
    if name.len() > HOSTNAME_MAX {
        faults.push(Fault::too_long(&own, HOSTNAME_MAX));
    }
    if spec.is("setHostnameAsFQDN") {
        let detail = "may not be specified when `setHostnameAsFQDN` is true";
        faults.push(Fault::forbidden(&own, detail));
    }
    if spec.is("hostNetwork") {
        let detail = "may not be specified when `hostNetwork` is true";
        faults.push(Fault::forbidden(&own, detail));
    }
}

fn resource_claims<'a>(spec: &'a Value, path: &FieldPath<'_>, faults: &mut Faults) -> Vec<&'a str> {
    let list = path.child("resourceClaims");
    let mut claimed = BTreeSet::new();
    for (index, claim) in spec.items("resourceClaims").iter().enumerate() {
        let path = list.index(index);
        let name = claim.text("name");
        if claimed.contains(name) {
            faults.push(Fault::duplicate(&path.child("name"), name));
        } else {
            check::required_text(claim, "name", names::dns1123_label, &path, faults);
        }
        if !name.is_empty() {
            claimed.insert(name);
        }
        let fields = ["resourceClaimName", "resourceClaimTemplateName"];
        match fields.iter().filter(|field| claim.has(field)).count() {
            0 => {
                let detail = "must specify one of: `resourceClaimName`, \
                              `resourceClaimTemplateName`";
                faults.push(Fault::invalid(&path, claim.clone(), detail));
            }
            1 => {}
            _ => {
                let detail = "at most one of `resourceClaimName` or `resourceClaimTemplateName` \
                              may be specified";
                faults.push(Fault::invalid(&path, claim.clone(), detail));
            }
        }
        for field in fields.iter().filter(|field| claim.has(field)) {
            let name = claim.text(field);
            let messages = names::dns1123_subdomain(name);
            check::invalid(&path.child(field), name, messages, faults);
        }
    }
    claimed.into_iter().collect()
}

fn pod_resources(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    if !spec.has("resources") {
        return;
    }
    let path = path.child("resources");
    let given = &spec["resources"];
    if !given.lacks("claims") {
        let detail = "claims cannot be set for Resources at pod-level";
        faults.push(Fault::forbidden(&path.child("claims"), detail));
    }
    resources::requirements(given, &[], pod_resource_name, &path, faults);
    consistent(spec, &path, faults);
}

/// Checks that what the containers ask for fits into what the pod asks for as a whole.
fn consistent(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let (requests, limits) = (&spec["resources"]["requests"], &spec["resources"]["limits"]);
    let path_of_requests = path.child("requests");
    for (name, sum) in quota::requests_of_containers(spec) {
        let counts = matches!(name.as_str(), "cpu" | "memory") || name.starts_with("hugepages-");
        // What the pod does not ask for as a whole, its containers ask for alone.
        let Some(own) = check::quantity(requests, &name) else { continue };
        if counts && sum > own {
            let shown = own.to_string();
            let detail =
                format!("must be greater than or equal to aggregate container requests of {sum}");
            faults.push(Fault::invalid(&path_of_requests.key(&name), shown, detail));
        }
    }
    let list = path.child("containers");
    for (index, container) in spec.items("containers").iter().enumerate() {
        for (name, value) in container["resources"].entries("limits") {
            let (Some(own), Some(limit)) =
                (check::quantity(limits, name), check::quantity_of(value))
            else {
                continue;
            };
            if limit > own {
                let path = list.index(index);
                let path = path.key(name);
                let detail = format!("must be less than or equal to pod limits of {own}");
                faults.push(Fault::invalid(&path.child("limits"), limit.to_string(), detail));
            }
        }
    }
}

fn pod_resource_name(text: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    let supported = ["cpu", "hugepages-", "memory"];
    let known = text == "cpu" || text == "memory" || text.starts_with("hugepages-");
    if resources::name(text, path, faults) && !known {
        faults.push(Fault::not_supported(path, text, &supported));
    }
}

fn host_network(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    if !spec.is("hostNetwork") {
        return;
    }
    let list = path.child("containers");
    for (index, container) in spec.items("containers").iter().enumerate() {
        let path = list.index(index);
        let path = path.child("ports");
        for (index, port) in container.items("ports").iter().enumerate() {
            // In a template the port of the host may be left out until there is a pod.
            let host = port.int("hostPort").unwrap_or(0);
            if host != 0 && Some(host) != port.int("containerPort") {
                let detail = "must match `containerPort` when `hostNetwork` is true";
                let path = path.index(index);
                faults.push(Fault::invalid(&path.child("hostPort"), host, detail));
            }
        }
    }
}

fn dns_config(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let config = &spec["dnsConfig"];
    let path = path.child("dnsConfig");
    let servers = config.items("nameservers");
    if spec.text("dnsPolicy") == "None" {
        if !spec.has("dnsConfig") {
            let detail = "must provide `dnsConfig` when `dnsPolicy` is None";
            faults.push(Fault::required(&path, detail));
            return;
        }
        if servers.is_empty() {
            let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            faults.push(Fault::required(&path.child("nameservers"), detail));
            return;
        }
    }
    let list = path.child("nameservers");
    if servers.len() > 3 {
        let detail = "must not have more than 3 nameservers";
        faults.push(Fault::invalid(&list, config["nameservers"].clone(), detail));
    }
    for (index, server) in servers.iter().enumerate() {
        let server = server.as_str().unwrap_or_default();
        check::invalid(&list.index(index), server, names::ip(server), faults);
    }
    let list = path.child("searches");
    let searches: Vec<&str> = config.items("searches").iter().filter_map(Value::as_str).collect();
    if searches.len() > 32 {
        let detail = "must not have more than 32 search paths";
        faults.push(Fault::invalid(&list, config["searches"].clone(), detail));
    }
    if searches.join(" ").len() > 2048 {
        let detail = "must not have more than 2048 characters (including spaces) in the search \
                      list";
        faults.push(Fault::invalid(&list, config["searches"].clone(), detail));
    }
    for (index, search) in searches.iter().enumerate() {
        if *search != "." {
            let search = search.strip_suffix('.').unwrap_or(search);
            let messages = names::dns1123_subdomain_with_underscore(search);
            check::invalid(&list.index(index), search, messages, faults);
        }
    }
    let list = path.child("options");
    for (index, option) in config.items("options").iter().enumerate() {
        if option.lacks("name") {
            faults.push(Fault::required(&list.index(index), "must not be empty"));
        }
    }
}

fn gates(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("readinessGates");
    for (index, gate) in spec.items("readinessGates").iter().enumerate() {
        let condition = gate.text("conditionType");
        let path = list.index(index);
        let messages = names::qualified_name(condition);
        check::invalid(&path.child("conditionType"), condition, messages, faults);
    }
    let list = path.child("schedulingGates");
    let mut seen = BTreeSet::new();
    for (index, gate) in spec.items("schedulingGates").iter().enumerate() {
        let name = gate.text("name");
        let path = list.index(index);
        check::invalid(&path, name, names::qualified_name(name), faults);
        if !seen.insert(name) {
            faults.push(Fault::duplicate(&path, name));
        }
    }
}

fn host_aliases(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("hostAliases");
    for (index, alias) in spec.items("hostAliases").iter().enumerate() {
        let path = list.index(index);
        let ip = alias.text("ip");
        check::invalid(&path.child("ip"), ip, names::ip(ip), faults);
        let list = path.child("hostnames");
        for (index, name) in alias.items("hostnames").iter().enumerate() {
            let name = name.as_str().unwrap_or_default();
            check::invalid(&list.index(index), name, names::dns1123_subdomain(name), faults);
        }
    }
}
