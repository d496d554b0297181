//! Services, where they lead, and who may talk to whom.

use serde_json::Value;

use super::template::{is_true, items, or, value};
use super::text::Text;
use super::{Related, head, metadata, selector};
use crate::kinds::text;
use crate::output::jsonpath::plain;

/// More endpoints than these are only counted.
const SHOWN: usize = 3;

pub(super) fn service(out: &mut Text, object: &Value, related: &Related) {
    head(out, object);
    metadata(out, object);
    out.pair(0, "Selector:", selector(object.pointer("/spec/selector")));
    let spec = |field: &str| value(object, &format!("/spec/{field}"));
    let list = |field: &str| {
        let all: Vec<String> = items(object, &format!("/spec/{field}")).map(plain).collect();
        all.join(",")
    };
    out.pair(0, "Type:", spec("type"));
    out.pair_if(0, "IP Family Policy:", &spec("ipFamilyPolicy"));
    out.pair(0, "IP Families:", or(&list("ipFamilies"), "<none>"));
    out.pair(0, "IP:", spec("clusterIP"));
    out.pair(0, "IPs:", or(&list("clusterIPs"), "<none>"));
    out.pair_if(0, "External IPs:", &list("externalIPs"));
    out.pair_if(0, "Desired LoadBalancer IP:", &spec("loadBalancerIP"));
    out.pair_if(0, "External Name:", &spec("externalName"));
    let ingress: Vec<String> =
        items(object, "/status/loadBalancer/ingress").map(load_balancer).collect();
    out.pair_if(0, "LoadBalancer Ingress:", &ingress.join(", "));
    for port in items(object, "/spec/ports") {
        let name = or(text(port, "/name"), "<unset>");
        let protocol = text(port, "/protocol");
        out.pair(0, "Port:", format!("{name}\t{}/{protocol}", value(port, "/port")));
        out.pair(0, "TargetPort:", format!("{}/{protocol}", value(port, "/targetPort")));
        if port.get("nodePort").is_some_and(|port| *port != 0) {
            out.pair(0, "NodePort:", format!("{name}\t{}/{protocol}", value(port, "/nodePort")));
        }
        out.pair(0, "Endpoints:", endpoints(&related.owned, Some(text(port, "/name"))));
    }
    out.pair(0, "Session Affinity:", spec("sessionAffinity"));
    out.pair_if(0, "External Traffic Policy:", &spec("externalTrafficPolicy"));
    out.pair_if(0, "Internal Traffic Policy:", &spec("internalTrafficPolicy"));
    out.pair_if(0, "Traffic Distribution:", &spec("trafficDistribution"));
    out.pair_if(0, "HealthCheck NodePort:", &spec("healthCheckNodePort"));
    out.pair_if(0, "LoadBalancer Source Ranges:", &list("loadBalancerSourceRanges"));
}

fn load_balancer(ingress: &Value) -> String {
    match text(ingress, "/ipMode") {
        "" => or(text(ingress, "/ip"), text(ingress, "/hostname")).to_owned(),
        mode => format!("{} ({mode})", text(ingress, "/ip")),
    }
}

/// The addresses of the ready endpoints in slices, of one port if one is named.
pub(super) fn endpoints(slices: &[Value], port: Option<&str>) -> String {
    if slices.is_empty() {
        return "<none>".to_owned();
    }
    let mut all = Vec::new();
    for slice in slices {
        let ready = items(slice, "/endpoints")
            .filter(|one| one.pointer("/conditions/ready").is_none_or(|ready| *ready == true));
        let addresses: Vec<&str> = ready.map(|one| text(one, "/addresses/0")).collect();
        if items(slice, "/ports").next().is_none() {
            all.extend(addresses.into_iter().map(str::to_owned));
            continue;
        }
        let wanted =
            items(slice, "/ports").filter(|one| port.is_none_or(|name| text(one, "/name") == name));
        for one in wanted {
            let number = value(one, "/port");
            all.extend(addresses.iter().map(|address| {
                if address.contains(':') {
                    format!("[{address}]:{number}")
                } else {
                    format!("{address}:{number}")
                }
            }));
        }
    }
    let shown = all[..all.len().min(SHOWN)].join(",");
    match all.len().checked_sub(SHOWN) {
        Some(more @ 1..) => format!("{shown} + {more} more..."),
        _ => shown,
    }
}

pub(super) fn endpoints_object(out: &mut Text, object: &Value) {
    head(out, object);
    metadata(out, object);
    out.line(0, "Subsets:");
    for subset in items(object, "/subsets") {
        for (title, field) in
            [("Addresses:", "/addresses"), ("NotReadyAddresses:", "/notReadyAddresses")]
        {
            let all: Vec<&str> = items(subset, field).map(|one| text(one, "/ip")).collect();
            out.pair(1, title, or(&all.join(","), "<none>"));
        }
        if items(subset, "/ports").next().is_some() {
            out.line(1, "Ports:");
            port_table(out, 2, subset);
        }
        out.line(0, "");
    }
}

fn port_table(out: &mut Text, level: usize, object: &Value) {
    out.header(level, &["Name", "Port", "Protocol"]);
    for port in items(object, "/ports") {
        let name = or(text(port, "/name"), "<unset>");
        out.row(level, [name, value(port, "/port").as_str(), text(port, "/protocol")]);
    }
}

pub(super) fn endpoint_slice(out: &mut Text, object: &Value) {
    head(out, object);
    metadata(out, object);
    out.pair(0, "AddressType:", text(object, "/addressType"));
    if items(object, "/ports").next().is_none() {
        out.line(0, "Ports: <unset>");
    } else {
        out.line(0, "Ports:");
        port_table(out, 1, object);
    }
    if items(object, "/endpoints").next().is_none() {
        return out.line(0, "Endpoints: <none>");
    }
    out.line(0, "Endpoints:");
    for endpoint in items(object, "/endpoints") {
        let addresses: Vec<String> = items(endpoint, "/addresses").map(plain).collect();
        out.pair(1, "- Addresses:", addresses.join(", "));
        out.line(2, "Conditions:");
        let ready = value(endpoint, "/conditions/ready");
        out.pair(3, "Ready:", or(&ready, "<unset>"));
        let or_unset = |field: &str| or(text(endpoint, field), "<unset>").to_owned();
        out.pair(2, "Hostname:", or_unset("/hostname"));
        if let Some(target) = endpoint.get("targetRef") {
            let (kind, name) = (text(target, "/kind"), text(target, "/name"));
            out.pair(2, "TargetRef:", format!("{kind}/{name}"));
        }
        out.pair(2, "NodeName:", or_unset("/nodeName"));
        out.pair(2, "Zone:", or_unset("/zone"));
    }
}

pub(super) fn ingress(out: &mut Text, object: &Value, related: &Related) {
    out.pair(0, "Name:", text(object, "/metadata/name"));
    out.map(0, "Labels:", object.pointer("/metadata/labels"), "=");
    out.pair(0, "Namespace:", text(object, "/metadata/namespace"));
    let addresses: Vec<String> =
        items(object, "/status/loadBalancer/ingress").map(load_balancer).collect();
    out.pair(0, "Address:", addresses.join(","));
    out.pair(0, "Ingress Class:", or(text(object, "/spec/ingressClassName"), "<none>"));
    let default = object.pointer("/spec/defaultBackend");
    let default = default.map_or("<default>".to_owned(), |backend| related.backend(backend));
    out.pair(0, "Default backend:", default);
    if items(object, "/spec/tls").next().is_some() {
        out.line(0, "TLS:");
        for tls in items(object, "/spec/tls") {
            let hosts: Vec<String> = items(tls, "/hosts").map(plain).collect();
            let hosts = hosts.join(",");
            out.line(
                1,
                match text(tls, "/secretName") {
                    "" => format!("SNI routes {hosts}"),
                    secret => format!("{secret} terminates {hosts}"),
                },
            );
        }
    }
    out.line(0, "Rules:");
    out.header(1, &["Host", "Path", "Backends"]);
    for rule in items(object, "/spec/rules") {
        let Some(http) = rule.get("http") else { continue };
        out.line(1, format!("{}\t", or(text(rule, "/host"), "*")));
        for path in items(http, "/paths") {
            let backend = path.get("backend").unwrap_or(&Value::Null);
            out.line(2, format!("\t{} \t{}", text(path, "/path"), related.backend(backend)));
        }
    }
    if items(object, "/spec/rules").next().is_none() {
        out.line(1, "*\t*\t<default>");
    }
    out.annotations(0, object.pointer("/metadata/annotations"));
}

pub(super) fn ingress_class(out: &mut Text, object: &Value) {
    out.pair(0, "Name:", text(object, "/metadata/name"));
    metadata(out, object);
    out.pair(0, "Controller:", text(object, "/spec/controller"));
    if let Some(parameters) = object.pointer("/spec/parameters") {
        out.line(0, "Parameters:");
        out.pair_if(1, "APIGroup:", text(parameters, "/apiGroup"));
        out.pair(1, "Kind:", text(parameters, "/kind"));
        out.pair(1, "Name:", text(parameters, "/name"));
    }
}

pub(super) fn network_policy(out: &mut Text, object: &Value) {
    head(out, object);
    let created = wk_api::parse_time(text(object, "/metadata/creationTimestamp"));
    let created = created
        .map_or(String::new(), |time| time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string());
    out.pair(0, "Created on:", created);
    metadata(out, object);
    out.line(0, "Spec:");
    let pods = selector(object.pointer("/spec/podSelector"));
    let everyone = "<none> (Allowing the specific traffic to all pods in this namespace)";
    let pods = if pods == "<none>" { everyone } else { &pods };
    out.line(1, format!("PodSelector:     {pods}"));
    let types: Vec<String> = items(object, "/spec/policyTypes").map(plain).collect();
    for (direction, field, peers, word, whom) in [
        ("Ingress", "ingress", "from", "From", "source"),
        ("Egress", "egress", "to", "To", "destination"),
    ] {
        let lower = direction.to_lowercase();
        if !types.iter().any(|known| known == direction) {
            out.line(1, format!("Not affecting {lower} traffic"));
            continue;
        }
        out.line(1, format!("Allowing {lower} traffic:"));
        let rules: Vec<&Value> = items(object, &format!("/spec/{field}")).collect();
        if rules.is_empty() {
            let pods = "(Selected pods are isolated for";
            out.line(2, format!("<none> {pods} {lower} connectivity)"));
        }
        for (index, rule) in rules.iter().enumerate() {
            policy_rule(out, rule, peers, word, whom);
            if index + 1 < rules.len() {
                out.line(2, "----------");
            }
        }
    }
    out.line(1, format!("Policy Types: {}", types.join(", ")));
}

fn policy_rule(out: &mut Text, rule: &Value, peers: &str, word: &str, whom: &str) {
    if items(rule, "/ports").next().is_none() {
        out.line(2, "To Port: <any> (traffic allowed to all ports)");
    }
    for port in items(rule, "/ports") {
        let protocol = or(text(port, "/protocol"), "TCP");
        let number = value(port, "/port");
        match value(port, "/endPort") {
            last if last.is_empty() => {
                out.line(2, format!("To Port: {}/{protocol}", or(&number, "<any>")));
            }
            last => out.line(2, format!("To Port Range: {number}-{last}/{protocol}")),
        }
    }
    let list: Vec<&Value> = items(rule, &format!("/{peers}")).collect();
    if list.is_empty() {
        out.line(2, format!("{word}: <any> (traffic not restricted by {whom})"));
    }
    for peer in list {
        out.line(2, format!("{word}:"));
        for (title, field) in
            [("NamespaceSelector", "/namespaceSelector"), ("PodSelector", "/podSelector")]
        {
            if let Some(labels) = peer.pointer(field) {
                out.line(3, format!("{title}: {}", selector(Some(labels))));
            }
        }
        if let Some(block) = peer.get("ipBlock") {
            out.line(3, "IPBlock:");
            out.line(4, format!("CIDR: {}", text(block, "/cidr")));
            let except: Vec<String> = items(block, "/except").map(plain).collect();
            out.line(4, format!("Except: {}", except.join(", ")));
        }
    }
}

/// Whether a slice of endpoints belongs to a service.
pub(super) fn is_of(slice: &Value, service: &str) -> bool {
    let labels = slice.pointer("/metadata/labels");
    labels.and_then(|all| all.get("kubernetes.io/service-name")).is_some_and(|name| name == service)
        && !is_true(slice, "/metadata/deletionTimestamp")
}
