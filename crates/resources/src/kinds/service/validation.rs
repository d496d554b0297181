//! What a Service's specification may say.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Value, json};
use wk_api::{Fault, FieldPath, names};

use super::{is_exposed, is_headless};
use crate::check::{self, Faults};
use crate::kinds::endpoints;
use crate::look::Look;
use crate::metadata;

const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
pub(super) const TOPOLOGY_HINTS: &str = "service.kubernetes.io/topology-aware-hints";
pub(super) const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";
const ONLY_LOAD_BALANCERS: &str = "may only be used when `type` is 'LoadBalancer'";

/// Collects the faults of a whole service.
pub(super) fn service(service: &Value, faults: &mut Faults) {
    let root = FieldPath::Root;
    let path = root.child("spec");
    let spec = &service["spec"];
    topology(service, faults);
    if spec.lacks("ports") && !is_headless(spec) && spec.text("type") != "ExternalName" {
        faults.push(Fault::required(&path.child("ports"), ""));
    }
    of_type(spec, &path, faults);
    ports(spec, &path, faults);
    metadata::labels(spec, "selector", &path, faults);
    affinity(spec, &path, faults);
    if spec.text("type") != "ExternalName" {
        addresses(spec, &path, faults);
    }
    let list = path.child("externalIPs");
    for (index, ip) in spec.items("externalIPs").iter().enumerate() {
        let ip = ip.as_str().unwrap_or_default();
        let path = list.index(index);
        check::invalid(&path, ip, names::ip(ip), faults);
        endpoints::special_address(ip, &path, faults);
    }
    let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    check::required_one_of(spec, "type", &types, &path, faults);
    repeated_ports(spec, &path, faults);
    load_balancer(service, &path, faults);
    traffic(spec, &path, faults);
    // What the cluster can give is looked at when there is nothing else to say.
    if spec.text("type") != "ExternalName" && faults.is_empty() {
        configured(spec, &path, faults);
    }
}

fn topology(service: &Value, faults: &mut Faults) {
    let annotations = &service["metadata"]["annotations"];
    let (mode, hints) = (annotations.get(TOPOLOGY_MODE), annotations.get(TOPOLOGY_HINTS));
    if let (Some(mode), Some(hints)) = (mode, hints)
        && mode != hints
    {
        let root = FieldPath::Root;
        let path = root.child("metadata.annotations");
        let detail = format!("must match annotations[{TOPOLOGY_HINTS}] when both are specified");
        faults.push(Fault::invalid(&path.key(TOPOLOGY_MODE), mode.clone(), detail));
    }
}

fn of_type(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let kind = spec.text("type");
    match kind {
        "LoadBalancer" | "NodePort" if is_headless(spec) => {
            let detail = format!("may not be set to 'None' for {kind} services");
            let list = path.child("clusterIPs");
            faults.push(Fault::invalid(&list.index(0), "None", detail));
        }
        "ExternalName" => {
            for field in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                if !spec.lacks(field) {
                    let detail = "may not be set for ExternalName services";
                    faults.push(Fault::forbidden(&path.child(field), detail));
                }
            }
            let name = spec.text("externalName");
            let name = name.strip_suffix('.').unwrap_or(name);
            if name.is_empty() {
                faults.push(Fault::required(&path.child("externalName"), ""));
            } else {
                let messages = names::dns1123_subdomain(name);
                check::invalid(&path.child("externalName"), name, messages, faults);
            }
        }
        _ => {}
    }
}

fn ports(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("ports");
    let ports = spec.items("ports");
    let mut names_seen = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = list.index(index);
        let name = port.text("name");
        if name.is_empty() {
            if ports.len() > 1 {
                faults.push(Fault::required(&path.child("name"), ""));
            }
        } else {
            check::text(port, "name", names::dns1123_label, &path, faults);
            if !names_seen.insert(name) {
                faults.push(Fault::duplicate(&path.child("name"), name));
            }
        }
        let number = port.int("port").unwrap_or(0);
        check::invalid(&path.child("port"), number, names::port_number(number), faults);
        let protocols = ["SCTP", "TCP", "UDP"];
        check::required_one_of(port, "protocol", &protocols, &path, faults);
        check::port(&port["targetPort"], &path.child("targetPort"), faults);
        if port.has("appProtocol") {
            let protocol = port.text("appProtocol");
            let messages = names::qualified_name(protocol);
            check::invalid(&path.child("appProtocol"), protocol, messages, faults);
        }
    }
}

/// Checks that no port is given twice, and none of the nodes where none is to be.
fn repeated_ports(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("ports");
    let ports = spec.items("ports");
    let node_port = |port: &Value| port.int("nodePort").filter(|number| *number != 0);
    if spec.text("type") == "ClusterIP" {
        for (index, _) in ports.iter().enumerate().filter(|(_, port)| node_port(port).is_some()) {
            let path = list.index(index);
            let detail = "may not be used when `type` is 'ClusterIP'";
            faults.push(Fault::forbidden(&path.child("nodePort"), detail));
        }
    }
    let mut seen = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        if let Some(number) = node_port(port)
            && !seen.insert((port.text("protocol"), number))
        {
            let path = list.index(index);
            faults.push(Fault::duplicate(&path.child("nodePort"), number));
        }
    }
    let mut seen = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        if !seen.insert((port.text("protocol"), port.int("port"))) {
            let value = json!({"protocol": port.text("protocol"), "port": port["port"]});
            faults.push(Fault::duplicate(&list.index(index), value));
        }
    }
}

/// The longest time for which a client stays with an endpoint: a day.
const AFFINITY_MAX_SECONDS: i64 = 86_400;

fn affinity(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let affinities = ["ClientIP", "None"];
    check::required_one_of(spec, "sessionAffinity", &affinities, path, faults);
    if spec.text("sessionAffinity") != "ClientIP" {
        return;
    }
    let seconds = spec["sessionAffinityConfig"]["clientIP"].int("timeoutSeconds").unwrap_or(0);
    if !(1..=AFFINITY_MAX_SECONDS).contains(&seconds) {
        let path = path.child("sessionAffinityConfig.clientIP.timeoutSeconds");
        let detail = format!("must be greater than 0 and less than {AFFINITY_MAX_SECONDS}");
        faults.push(Fault::invalid(&path, seconds, detail));
    }
}

fn addresses(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("clusterIPs");
    let all = || spec.get("clusterIPs").cloned().unwrap_or_default();
    let ips: Vec<&str> = spec.items("clusterIPs").iter().filter_map(Value::as_str).collect();
    let single = spec.text("clusterIP");
    match ips.first() {
        None if !single.is_empty() => faults.push(Fault::required(&list, "")),
        Some(_) if single.is_empty() => {
            let detail = "must be empty when `clusterIP` is not specified";
            faults.push(Fault::invalid(&list, all(), detail));
        }
        Some(first) if *first != single => {
            let detail = "first value must match `clusterIP`";
            faults.push(Fault::invalid(&list, all(), detail));
        }
        None | Some(_) => {}
    }
    families(spec, path, faults);
    let mut wrong = false;
    for (index, ip) in ips.iter().enumerate() {
        if index == 0 && *ip == "None" {
            if ips.len() > 1 {
                let detail = "'None' must be the first and only value";
                faults.push(Fault::invalid(&list, all(), detail));
                wrong = true;
            }
            continue;
        }
        let messages = names::ip(ip);
        wrong |= !messages.is_empty();
        check::invalid(&list.index(index), *ip, messages, faults);
    }
    if ips.len() > 2 {
        faults.push(Fault::invalid(&list, all(), "may only hold up to 2 values"));
    }
    if wrong {
        return;
    }
    let is_v4: Vec<bool> =
        ips.iter().filter_map(|ip| ip.parse::<IpAddr>().ok()).map(|ip| ip.is_ipv4()).collect();
    if ips.len() > 1 && (is_v4.iter().all(|v4| *v4) || !is_v4.iter().any(|v4| *v4)) {
        let detail = "may specify no more than one IP for each IP family";
        faults.push(Fault::invalid(&list, all(), detail));
    }
    for (index, (v4, family)) in is_v4.iter().zip(spec.items("ipFamilies")).enumerate() {
        let family = family.as_str().unwrap_or_default();
        if matches!((family, v4), ("IPv4", false) | ("IPv6", true)) {
            let detail =
                format!("expected an {family} value as indicated by `ipFamilies[{index}]`");
            faults.push(Fault::invalid(&list.index(index), ips[index], detail));
        }
    }
}

/// Checks that no family of addresses is asked for that the cluster does not have.
fn configured(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let (field, single) = ("ipFamilyPolicy", "SingleStack");
    for (list, what) in [("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families")] {
        if spec.text(field) == single && spec.items(list).len() == 2 {
            let detail = format!(
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
            );
            faults.push(Fault::invalid(&path.child(field), single, detail));
        }
    }
    if !faults.is_empty() || is_headless(spec) && spec.lacks("selector") {
        return;
    }
    if spec.text("ipFamilyPolicy") == "RequireDualStack" {
        let detail = "this cluster is not configured for dual-stack services";
        faults.push(Fault::invalid(&path.child("ipFamilyPolicy"), "RequireDualStack", detail));
    }
    let list = path.child("ipFamilies");
    for (index, family) in spec.items("ipFamilies").iter().enumerate() {
        if family == "IPv6" {
            let detail = "not configured on this cluster";
            faults.push(Fault::invalid(&list.index(index), "IPv6", detail));
        }
    }
}

fn families(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("ipFamilies");
    let mut seen = BTreeSet::new();
    for (index, family) in spec.items("ipFamilies").iter().enumerate() {
        let family = family.as_str().unwrap_or_default();
        if !["IPv4", "IPv6"].contains(&family) {
            let path = list.index(index);
            faults.push(Fault::not_supported(&path, family, &["IPv4", "IPv6"]));
        }
        if !seen.insert(family) {
            faults.push(Fault::duplicate(&list.index(index), family));
        }
    }
    let policies = ["PreferDualStack", "RequireDualStack", "SingleStack"];
    check::one_of(spec, "ipFamilyPolicy", &policies, path, faults);
}

fn load_balancer(service: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let spec = &service["spec"];
    let other = spec.text("type") != "LoadBalancer";
    let ranges = spec.items("loadBalancerSourceRanges");
    let annotations = &service["metadata"]["annotations"];
    if !ranges.is_empty() {
        // Kubernetes spells this one with a capital.
        let list = path.child("LoadBalancerSourceRanges");
        if other {
            faults.push(Fault::forbidden(&list, ONLY_LOAD_BALANCERS));
        }
        for (index, range) in ranges.iter().enumerate() {
            let range = range.as_str().unwrap_or_default().trim();
            check::invalid(&list.index(index), range, names::cidr(range), faults);
        }
    } else if annotations.has(SOURCE_RANGES) {
        let root = FieldPath::Root;
        let path = root.child("metadata.annotations");
        let path = path.key(SOURCE_RANGES);
        if other {
            faults.push(Fault::forbidden(&path, ONLY_LOAD_BALANCERS));
        }
        let ranges = annotations.text(SOURCE_RANGES).trim();
        for range in ranges.split(',').map(str::trim).filter(|_| !ranges.is_empty()) {
            check::invalid(&path, range, names::cidr(range), faults);
        }
    }
    if other && spec.has("allocateLoadBalancerNodePorts") {
        let path = path.child("allocateLoadBalancerNodePorts");
        faults.push(Fault::forbidden(&path, ONLY_LOAD_BALANCERS));
    }
    if spec.has("loadBalancerClass") {
        let path = path.child("loadBalancerClass");
        let class = spec.text("loadBalancerClass");
        if other {
            faults.push(Fault::forbidden(&path, ONLY_LOAD_BALANCERS));
        } else {
            check::invalid(&path, class, names::qualified_name(class), faults);
        }
    }
}

fn traffic(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let exposed = spec.as_object().is_some_and(is_exposed);
    let field = "externalTrafficPolicy";
    if exposed {
        check::required_one_of(spec, field, &["Cluster", "Local"], path, faults);
    } else if !spec.lacks(field) {
        let detail = "may only be set for externally-accessible services";
        faults.push(Fault::invalid(&path.child(field), spec.text(field), detail));
    }
    let number = spec.int("healthCheckNodePort").unwrap_or(0);
    if !needs_health_check(spec) && number != 0 {
        let detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` \
                      is 'Local'";
        faults.push(Fault::invalid(&path.child("healthCheckNodePort"), number, detail));
    } else if number != 0 {
        let messages = names::port_number(number);
        check::invalid(&path.child("healthCheckNodePort"), number, messages, faults);
    }
    let field = "internalTrafficPolicy";
    let internal = matches!(spec.text("type"), "ClusterIP" | "NodePort" | "LoadBalancer");
    if internal && !spec.has(field) {
        faults.push(Fault::required(&path.child(field), ""));
    }
    check::one_of(spec, field, &["Cluster", "Local"], path, faults);
    let distributions = ["PreferClose", "PreferSameNode", "PreferSameZone"];
    check::one_of(spec, "trafficDistribution", &distributions, path, faults);
}

/// Whether load balancers ask nodes if they have an endpoint.
pub(super) fn needs_health_check(spec: &Value) -> bool {
    spec.text("type") == "LoadBalancer" && spec.text("externalTrafficPolicy") == "Local"
}
