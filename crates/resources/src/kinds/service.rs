//! Services. Addresses and node ports are allocated by the server.

pub(super) mod update;
mod validation;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use wk_api::{Fault, FieldPath, names};

use super::define;
use crate::check::Faults;
use crate::definition::{Column, Definition, RequestContext, SelectableField};
use crate::look::{Look, default_to, map_mut};
use crate::rules::{KindRules, Update};
use crate::table;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    const PROXY: &[&str] = &["create", "delete", "get", "patch", "update"];
    define("", "v1", "Service")
        .short(&["svc"])
        .in_all()
        .columns(columns())
        .selectable(vec![SelectableField::new("spec.clusterIP"), SelectableField::new("spec.type")])
        .rules(Services)
        .sub("proxy", ("", "v1", "ServiceProxyOptions"), PROXY)
        .status()
}

fn columns() -> Vec<Column> {
    vec![
        Column::NAME,
        Column::text("Type", "type determines how the Service is exposed."),
        Column::text("Cluster-IP", "clusterIP is the IP address of the service."),
        Column::text("External-IP", "externalIPs is a list of IP addresses for this service."),
        Column::text("Port(s)", "The list of ports that are exposed by this service."),
        Column::AGE,
        Column::text("Selector", "Route service traffic to pods with these labels.").wide(),
    ]
}

#[derive(Debug)]
struct Services;

impl KindRules for Services {
    fn name(&self, name: &str) -> Vec<String> {
        // Since v1.34 a service may start with a digit.
        names::dns1123_label(name)
    }

    fn default(&self, service: &mut Value) {
        default_spec(map_mut(service, "spec"));
        if service["spec"].text("type") != "LoadBalancer" {
            return;
        }
        let points = service.pointer_mut("/status/loadBalancer/ingress");
        let Some(Value::Array(points)) = points else { return };
        for point in points.iter_mut().filter_map(Value::as_object_mut) {
            if !point.lacks("ip") {
                point.entry("ipMode").or_insert_with(|| "VIP".into());
            }
        }
    }

    fn prepare_create(&self, service: &mut Value, _context: &RequestContext<'_>) {
        let spec = map_mut(service, "spec");
        default_addresses(spec);
        service["status"] = json!({"loadBalancer": {}});
    }

    fn prepare_update(&self, new: &mut Value, old: &Value, update: Update) {
        if update == Update::Whole {
            keep_allocated(map_mut(new, "spec"), &old["spec"]);
            default_addresses(map_mut(new, "spec"));
        }
    }

    fn validate(&self, service: &Value, faults: &mut Faults) {
        validation::service(service, faults);
    }

    fn validate_update(&self, new: &Value, old: &Value, update: Update, faults: &mut Faults) {
        if update != Update::Status {
            update::spec(&new["spec"], &old["spec"], faults);
            return;
        }
        let root = FieldPath::Root;
        let path = root.child("status.loadBalancer");
        let status = &new["status"]["loadBalancer"];
        if new["spec"].text("type") == "LoadBalancer" || status.lacks("ingress") {
            update::load_balancer(status, &path, true, faults);
        } else {
            let detail = "may only be used when `spec.type` is 'LoadBalancer'";
            faults.push(Fault::forbidden(&path.child("ingress"), detail));
        }
    }

    fn warnings(&self, service: &Value, _old: Option<&Value>) -> Vec<String> {
        warnings(service)
    }

    fn row(&self, service: &Value, now: Timestamp) -> Vec<Value> {
        let spec = &service["spec"];
        vec![
            table::name(service),
            spec.text("type").into(),
            table::or_none(spec.text("clusterIP")),
            external_ip(service),
            ports_cell(spec),
            table::age(service, now),
            table::labels(spec.get("selector")),
        ]
    }
}

/// What is deprecated or without effect.
fn warnings(service: &Value) -> Vec<String> {
    let mut warnings: Vec<String> = Vec::new();
    let mut warn = |text: &str| warnings.push(text.to_owned());
    let spec = &service["spec"];
    let (hints, mode) = (validation::TOPOLOGY_HINTS, validation::TOPOLOGY_MODE);
    if service["metadata"]["annotations"].has(hints) {
        warn(&format!("annotation {hints} is deprecated, please use {mode} instead"));
    }
    let headless = spec.text("type") == "ClusterIP" && spec.text("clusterIP") == "None";
    if headless {
        if !spec.lacks("loadBalancerIP") {
            warn("spec.loadBalancerIP is ignored for headless services");
        }
        if !spec.lacks("externalIPs") {
            warn("spec.externalIPs is ignored for headless services");
        }
        if spec.text("sessionAffinity") != "None" {
            warn("spec.SessionAffinity is ignored for headless services");
        }
    }
    let external = spec.text("type") == "ExternalName";
    if external && !spec.lacks("externalIPs") {
        warn("spec.externalIPs is ignored when spec.type is \"ExternalName\"");
    }
    if !external && !spec.lacks("externalName") {
        warn("spec.externalName is ignored when spec.type is not \"ExternalName\"");
    }
    if spec.text("trafficDistribution") == "PreferClose" {
        warn("spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"");
    }
    warnings
}

fn is_headless(spec: &Value) -> bool {
    spec.text("clusterIP") == "None"
        || spec.items("clusterIPs").first().is_some_and(|ip| ip == "None")
}

fn is_exposed(spec: &Map<String, Value>) -> bool {
    matches!(spec.text("type"), "NodePort" | "LoadBalancer")
        || (spec.text("type") == "ClusterIP" && !spec.lacks("externalIPs"))
}

fn default_spec(spec: &mut Map<String, Value>) {
    for field in [
        "clusterIP",
        "externalName",
        "externalTrafficPolicy",
        "loadBalancerIP",
        "sessionAffinity",
        "type",
    ] {
        if spec.get(field).is_some_and(|value| value == "") {
            spec.remove(field);
        }
    }
    for (field, zero) in
        [("publishNotReadyAddresses", json!(false)), ("healthCheckNodePort", json!(0))]
    {
        if spec.get(field) == Some(&zero) {
            spec.remove(field);
        }
    }
    default_to(spec, "sessionAffinity", "None");
    match spec.text("sessionAffinity") {
        "None" => {
            spec.remove("sessionAffinityConfig");
        }
        "ClientIP"
            if spec
                .get("sessionAffinityConfig")
                .is_none_or(|config| !config["clientIP"].has("timeoutSeconds")) =>
        {
            let config = json!({"clientIP": {"timeoutSeconds": 10_800}});
            spec.insert("sessionAffinityConfig".to_owned(), config);
        }
        _ => {}
    }
    default_to(spec, "type", "ClusterIP");
    if let Some(Value::Array(ports)) = spec.get_mut("ports") {
        for port in ports.iter_mut().filter_map(Value::as_object_mut) {
            default_port(port);
        }
    }
    if is_exposed(spec) {
        default_to(spec, "externalTrafficPolicy", "Cluster");
    }
    if matches!(spec.text("type"), "NodePort" | "LoadBalancer" | "ClusterIP") {
        spec.entry("internalTrafficPolicy").or_insert_with(|| "Cluster".into());
    }
    if spec.text("type") == "LoadBalancer" {
        spec.entry("allocateLoadBalancerNodePorts").or_insert_with(|| true.into());
    }
}

fn default_port(port: &mut Map<String, Value>) {
    if port.get("name").is_some_and(|name| name == "") {
        port.remove("name");
    }
    if port.get("nodePort").is_some_and(|number| number == 0) {
        port.remove("nodePort");
    }
    default_to(port, "protocol", "TCP");
    let target = port.get("targetPort");
    let unset = target.is_none_or(|target| target == 0 || target == "" || target.is_null());
    if unset && let Some(number) = port.get("port").cloned() {
        port.insert("targetPort".to_owned(), number);
    }
}

/// The address family of services, and the older single field that mirrors the list.
fn default_addresses(spec: &mut Map<String, Value>) {
    if spec.lacks("clusterIPs") && !spec.lacks("clusterIP") {
        let list = Value::from(vec![spec["clusterIP"].clone()]);
        spec.insert("clusterIPs".to_owned(), list);
    }
    if spec.lacks("clusterIP")
        && let Some(first) = spec.items("clusterIPs").first().cloned()
    {
        spec.insert("clusterIP".to_owned(), first);
    }
    if spec.text("type") == "ExternalName" {
        return;
    }
    if spec.lacks("ipFamilies") {
        let addresses = spec.items("clusterIPs").iter().filter_map(Value::as_str);
        let mut families: Vec<&str> = addresses
            .filter_map(|text| text.parse::<std::net::IpAddr>().ok())
            .map(|address| if address.is_ipv4() { "IPv4" } else { "IPv6" })
            .collect();
        families.dedup();
        let families = if families.is_empty() { json!(["IPv4"]) } else { json!(families) };
        spec.insert("ipFamilies".to_owned(), families);
    }
    // Where nobody is selected and nothing is forwarded, endpoints may have addresses of any family.
    if spec.text("clusterIP") == "None" && spec.lacks("selector") {
        default_to(spec, "ipFamilyPolicy", "RequireDualStack");
        if spec.text("ipFamilyPolicy") != "SingleStack"
            && let Some(Value::Array(families)) = spec.get_mut("ipFamilies")
            && let [only] = families.as_slice()
        {
            let other = if only == "IPv4" { "IPv6" } else { "IPv4" };
            families.push(other.into());
        }
        return;
    }
    default_to(spec, "ipFamilyPolicy", "SingleStack");
}

/// Keeps what was allocated, where the new specification leaves it open.
fn keep_allocated(new: &mut Map<String, Value>, old: &Value) {
    let external = "ExternalName";
    if new.text("type") == external && old.text("type") != external {
        // What belonged to the type that the service had goes with it.
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            if new.get(field) == old.get(field) {
                new.remove(field);
            }
        }
    }
    // Whoever changes the older field alone means the first of the list.
    if !new.lacks("clusterIP")
        && new.get("clusterIP") != old.get("clusterIP")
        && new.get("clusterIPs") == old.get("clusterIPs")
        && let Some(first) = new.get("clusterIP").cloned()
        && let Some(Value::Array(list)) = new.get_mut("clusterIPs")
        && !list.is_empty()
    {
        list[0] = first;
    }
    if new.text("type") != external && old.text("type") != external {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            let open = match field {
                "clusterIP" => new.lacks("clusterIP") && new.lacks("clusterIPs"),
                "clusterIPs" => {
                    new.lacks("clusterIPs") && new.get("clusterIP") == old.get("clusterIP")
                }
                _ => new.lacks(field),
            };
            if open && let Some(value) = old.get(field).cloned() {
                new.insert(field.to_owned(), value);
            }
        }
    }
    let families = "ipFamilies";
    // Whoever wants one family and says nothing of which, keeps the first.
    if new.text("ipFamilyPolicy") == "SingleStack"
        && new.get(families) == old.get(families)
        && let Some(Value::Array(families)) = new.get_mut(families)
    {
        families.truncate(1);
    }
    let exposed = |kind: &str| matches!(kind, "NodePort" | "LoadBalancer");
    let (before, after) = (exposed(old.text("type")), exposed(new.text("type")));
    if let Some(Value::Array(ports)) = new.get_mut("ports") {
        for port in ports.iter_mut().filter_map(Value::as_object_mut) {
            let same = |other: &&Value| {
                other.get("port") == port.get("port")
                    && other.text("protocol") == port.text("protocol")
            };
            let node_port = old.items("ports").iter().find(same).and_then(|o| o.get("nodePort"));
            if before && after && port.lacks("nodePort") && !port.has("nodePort") {
                if let Some(number) = node_port {
                    port.insert("nodePort".to_owned(), number.clone());
                }
            } else if before && !after && port.get("nodePort") == node_port {
                // The port belonged to the type that the service had.
                port.remove("nodePort");
            }
        }
    }
    let (policy, checks) = ("externalTrafficPolicy", "healthCheckNodePort");
    let is_checked = new.text("type") == "LoadBalancer" && new.text(policy) == "Local";
    if is_checked && !new.has(checks) && old.has(checks) {
        new.insert(checks.to_owned(), old[checks].clone());
    }
    for (field, is_kept) in [(policy, is_exposed(new)), (checks, is_checked)] {
        if !is_kept && new.get(field) == old.get(field) {
            new.remove(field);
        }
    }
    if new.text("type") != "LoadBalancer" && old.text("type") == "LoadBalancer" {
        for field in ["allocateLoadBalancerNodePorts", "loadBalancerClass"] {
            if new.get(field) == old.get(field) {
                new.remove(field);
            }
        }
    }
}

fn external_ip(service: &Value) -> Value {
    let spec = &service["spec"];
    let mut ips: Vec<&str> = Vec::new();
    match spec.text("type") {
        "ExternalName" => return table::or_none(spec.text("externalName")),
        "LoadBalancer" => {
            for ingress in service["status"]["loadBalancer"].items("ingress") {
                ips.push(match ingress.text("ip") {
                    "" => ingress.text("hostname"),
                    ip => ip,
                });
            }
            if ips.is_empty() && spec.lacks("externalIPs") {
                return "<pending>".into();
            }
        }
        _ => {}
    }
    ips.extend(spec.items("externalIPs").iter().filter_map(Value::as_str));
    table::or_none(&ips.join(","))
}

fn ports_cell(spec: &Value) -> Value {
    let texts: Vec<String> = spec
        .items("ports")
        .iter()
        .map(|port| {
            let (number, protocol) = (port.int("port").unwrap_or(0), port.text("protocol"));
            match port.int("nodePort").unwrap_or(0) {
                0 => format!("{number}/{protocol}"),
                node => format!("{number}:{node}/{protocol}"),
            }
        })
        .collect();
    table::or_none(&texts.join(","))
}
