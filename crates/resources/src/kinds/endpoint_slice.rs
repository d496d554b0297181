//! `EndpointSlice`: some of the addresses behind a service.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::{define, endpoints};
use crate::check::{self, Faults};
use crate::definition::{Column, Definition};
use crate::look::{Look, default_to};
use crate::metadata;
use crate::rules::{KindRules, Update};
use crate::table;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("discovery.k8s.io", "v1", "EndpointSlice")
        .shows([
            Column::text("AddressType", "The type of addresses in this slice."),
            Column::text("Ports", "The network ports of the endpoints in this slice."),
            Column::text("Endpoints", "The endpoints in this slice."),
        ])
        .generation()
        .rules(EndpointSlices)
}

#[derive(Debug)]
struct EndpointSlices;

impl KindRules for EndpointSlices {
    fn default(&self, slice: &mut Value) {
        let Some(Value::Array(ports)) = slice.get_mut("ports") else { return };
        for port in ports.iter_mut().filter_map(Value::as_object_mut) {
            port.entry("name").or_insert_with(|| "".into());
            default_to(port, "protocol", "TCP");
        }
    }

    fn wants_changed(&self, new: &Value, old: &Value) -> bool {
        ["endpoints", "ports"].iter().any(|field| new.get(field) != old.get(field))
    }

    fn validate(&self, slice: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let types = ["FQDN", "IPv4", "IPv6"];
        check::required_one_of(slice, "addressType", &types, &root, faults);
        let list = root.child("endpoints");
        let all = slice.items("endpoints");
        if all.len() > 1000 {
            faults.push(Fault::too_many(&list, all.len(), 1000));
            return;
        }
        for (index, endpoint) in all.iter().enumerate() {
            one(endpoint, slice.text("addressType"), &list.index(index), faults);
        }
        ports(slice, &root.child("ports"), faults);
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        metadata::immutable(new, old, "addressType", &FieldPath::Root, faults);
    }

    fn row(&self, slice: &Value, now: Timestamp) -> Vec<Value> {
        let ports: Vec<String> = slice
            .items("ports")
            .iter()
            .map(|port| port.int("port").map_or("*".to_owned(), |port| port.to_string()))
            .collect();
        let addresses: Vec<&str> = slice
            .items("endpoints")
            .iter()
            .flat_map(|endpoint| endpoint.items("addresses"))
            .filter_map(Value::as_str)
            .collect();
        vec![
            table::name(slice),
            slice.text("addressType").into(),
            if ports.is_empty() { "<unset>".into() } else { shortened(&ports).into() },
            if addresses.is_empty() { "<unset>".into() } else { shortened(&addresses).into() },
            table::age(slice, now),
        ]
    }
}

fn shortened<S: AsRef<str>>(items: &[S]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<&str> = items.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let shown = shown.join(",");
    match items.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} + {more} more..."),
    }
}

fn one(endpoint: &Value, kind: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    let list = path.child("addresses");
    let addresses = endpoint.items("addresses");
    if addresses.is_empty() {
        faults.push(Fault::required(&list, "must contain at least 1 address"));
    } else if addresses.len() > 100 {
        faults.push(Fault::too_many(&list, addresses.len(), 100));
    }
    for (index, address) in addresses.iter().enumerate() {
        let address = address.as_str().unwrap_or_default();
        let path = list.index(index);
        match kind {
            "IPv4" | "IPv6" => match address.parse::<std::net::IpAddr>() {
                Err(_) => check::invalid(&path, address, names::ip(address), faults),
                Ok(ip) => {
                    if ip.is_ipv4() != (kind == "IPv4") {
                        let detail = format!("must be an {kind} address");
                        faults.push(Fault::invalid(&path, address, detail));
                    }
                    endpoints::special_address(address, &path, faults);
                }
            },
            "FQDN" => full_name(address, &path, faults),
            _ => {}
        }
    }
    if endpoint.has("nodeName") {
        let name = endpoint.text("nodeName");
        check::invalid(&path.child("nodeName"), name, names::dns1123_subdomain(name), faults);
    }
    let topology = path.child("deprecatedTopology");
    let count = endpoint.entries("deprecatedTopology").count();
    if count > MAX_TOPOLOGY {
        faults.push(Fault::too_many(&topology, count, MAX_TOPOLOGY));
    }
    metadata::labels(endpoint, "deprecatedTopology", path, faults);
    if endpoint.has("hostname") {
        let name = endpoint.text("hostname");
        check::invalid(&path.child("hostname"), name, names::dns1123_label(name), faults);
    }
    let hints = path.child("hints");
    for (field, rule) in
        [("forZones", names::label_value as fn(&str) -> _), ("forNodes", names::dns1123_subdomain)]
    {
        let list = hints.child(field);
        let all = endpoint["hints"].items(field);
        if all.len() > MAX_HINTS {
            faults.push(Fault::too_many(&list, all.len(), MAX_HINTS));
            return;
        }
        for (index, hint) in all.iter().enumerate() {
            let (name, path) = (hint.text("name"), list.index(index));
            let path = path.child("name");
            if all[..index].iter().any(|other| other.text("name") == name) {
                faults.push(Fault::duplicate(&path, name));
            }
            check::invalid(&path, name, rule(name), faults);
        }
    }
}

/// The most labels of where an endpoint is, and hints of one sort.
const MAX_TOPOLOGY: usize = 16;
const MAX_HINTS: usize = 8;

/// Checks a domain name of at least two parts, which may end in a dot.
fn full_name(name: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    if name.is_empty() {
        faults.push(Fault::required(path, ""));
        return;
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let messages = names::dns1123_subdomain(name);
    if !messages.is_empty() {
        faults.push(Fault::invalid(path, name, messages.join(",")));
        return;
    }
    if !name.contains('.') {
        let detail = "should be a domain with at least two segments separated by dots";
        faults.push(Fault::invalid(path, name, detail));
        return;
    }
    for label in name.split('.') {
        let messages = names::dns1123_label(label);
        if !messages.is_empty() {
            faults.push(Fault::invalid(path, label, messages.join(",")));
        }
    }
}

fn ports(slice: &Value, list: &FieldPath<'_>, faults: &mut Faults) {
    let ports = slice.items("ports");
    if ports.len() > 20_000 {
        faults.push(Fault::too_many(list, ports.len(), 20_000));
        return;
    }
    let mut seen = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = list.index(index);
        let name = port.text("name");
        check::text(port, "name", names::dns1123_label, &path, faults);
        if !seen.insert(name) {
            faults.push(Fault::duplicate(&path.child("name"), name));
        }
        let protocols = ["SCTP", "TCP", "UDP"];
        check::required_one_of(port, "protocol", &protocols, &path, faults);
        check::in_range(port, "port", 1, 65_535, &path, faults);
        if port.has("appProtocol") {
            let protocol = port.text("appProtocol");
            let messages = names::qualified_name(protocol);
            check::invalid(&path.child("appProtocol"), protocol, messages, faults);
        }
    }
}
