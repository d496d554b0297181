//! What a Service's specification may say.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wk_api::{Fault, FieldPath, names};

use super::{is_exposed, is_headless};
use crate::check::{self, Faults};
use crate::kinds::endpoints;
use crate::look::Look;
use crate::metadata;

/// Collects the faults of a whole specification.
pub(super) fn spec(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    if spec.lacks("ports") && !is_headless(spec) && spec.text("type") != "ExternalName" {
        faults.push(Fault::required(&path.child("ports"), ""));
    }
    of_type(spec, path, faults);
    ports(spec, path, faults);
    metadata::labels(spec, "selector", path, faults);
    let affinities = ["ClientIP", "None"];
    check::required_one_of(spec, "sessionAffinity", &affinities, path, faults);
    affinity_timeout(spec, path, faults);
    addresses(spec, path, faults);
    let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    check::required_one_of(spec, "type", &types, path, faults);
    load_balancer(spec, path, faults);
    traffic(spec, path, faults);
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
        check::text(port, "appProtocol", names::qualified_name, &path, faults);
        if spec.text("type") == "ClusterIP" && port.int("nodePort").unwrap_or(0) != 0 {
            let detail = "may not be used when `type` is 'ClusterIP'";
            faults.push(Fault::forbidden(&path.child("nodePort"), detail));
        }
    }
    let (mut node_ports, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    for (index, port) in ports.iter().enumerate() {
        let path = list.index(index);
        let protocol = port.text("protocol");
        if let Some(number) = port.int("nodePort").filter(|number| *number != 0)
            && !node_ports.insert((protocol, number))
        {
            faults.push(Fault::duplicate(&path.child("nodePort"), number));
        }
        if !numbers.insert((protocol, port.int("port"))) {
            let value = json!({"protocol": protocol, "port": port["port"]});
            faults.push(Fault::duplicate(&path, value));
        }
    }
}

fn affinity_timeout(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    if spec.text("sessionAffinity") != "ClientIP" {
        return;
    }
    let seconds = spec["sessionAffinityConfig"]["clientIP"].int("timeoutSeconds").unwrap_or(0);
    if !(1..=86_400).contains(&seconds) {
        let path = path.child("sessionAffinityConfig.clientIP.timeoutSeconds");
        let detail = "must be greater than 0 and less than 86400";
        faults.push(Fault::invalid(&path, seconds, detail));
    }
}

fn addresses(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("clusterIPs");
    let ips = spec.items("clusterIPs");
    let first = ips.first().and_then(Value::as_str).unwrap_or_default();
    if !ips.is_empty() && spec.text("clusterIP") != first {
        let detail = "first value must match `clusterIP`";
        faults.push(Fault::invalid(&list, spec["clusterIPs"].clone(), detail));
    }
    for (index, ip) in ips.iter().enumerate() {
        let ip = ip.as_str().unwrap_or_default();
        if ip == "None" {
            if index > 0 || ips.len() > 1 {
                let detail = "'None' must be the first and only value";
                faults.push(Fault::invalid(&list.index(index), ip, detail));
            }
        } else if !ip.is_empty() {
            check::invalid(&list.index(index), ip, names::ip(ip), faults);
        }
    }
    if ips.len() > 2 {
        let detail = "may only hold up to 2 values";
        faults.push(Fault::invalid(&list, spec["clusterIPs"].clone(), detail));
    }
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
    let list = path.child("externalIPs");
    for (index, ip) in spec.items("externalIPs").iter().enumerate() {
        let ip = ip.as_str().unwrap_or_default();
        let path = list.index(index);
        check::invalid(&path, ip, names::ip(ip), faults);
        endpoints::special_address(ip, &path, faults);
    }
}

fn load_balancer(spec: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let detail = "may only be used when `type` is 'LoadBalancer'";
    let other = spec.text("type") != "LoadBalancer";
    for (field, shown) in [
        ("loadBalancerSourceRanges", "LoadBalancerSourceRanges"),
        ("allocateLoadBalancerNodePorts", "allocateLoadBalancerNodePorts"),
        ("loadBalancerClass", "loadBalancerClass"),
    ] {
        if other && !spec.lacks(field) {
            faults.push(Fault::forbidden(&path.child(shown), detail));
        }
    }
    let list = path.child("LoadBalancerSourceRanges");
    for (index, range) in spec.items("loadBalancerSourceRanges").iter().enumerate() {
        let range = range.as_str().unwrap_or_default().trim();
        check::invalid(&list.index(index), range, names::cidr(range), faults);
    }
    check::text(spec, "loadBalancerClass", names::qualified_name, path, faults);
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
    let checked = spec.text("type") == "LoadBalancer" && spec.text(field) == "Local";
    let number = spec.int("healthCheckNodePort").unwrap_or(0);
    if !checked && number != 0 {
        let detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` \
                      is 'Local'";
        faults.push(Fault::invalid(&path.child("healthCheckNodePort"), number, detail));
    }
    check::one_of(spec, "internalTrafficPolicy", &["Cluster", "Local"], path, faults);
    let distributions = ["PreferClose", "PreferSameNode", "PreferSameZone"];
    check::one_of(spec, "trafficDistribution", &distributions, path, faults);
}
