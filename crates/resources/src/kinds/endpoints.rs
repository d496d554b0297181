//! Endpoints: the addresses behind a service in the older form.

use jiff::Timestamp;
use serde_json::{Map, Value};
use wk_api::{Fault, FieldPath, names};

use super::define;
use crate::check::{self, Faults};
use crate::definition::{Column, Definition};
use crate::look::Look;
use crate::rules::KindRules;
use crate::table;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("", "v1", "Endpoints")
        .short(&["ep"])
        .shows([Column::text("Endpoints", "The set of all endpoints is the union of all subsets.")])
        .rules(AllEndpoints)
}

#[derive(Debug)]
struct AllEndpoints;

impl KindRules for AllEndpoints {
    fn default(&self, endpoints: &mut Value) {
        let Some(Value::Array(subsets)) = endpoints.get_mut("subsets") else { return };
        for subset in subsets {
            let Some(Value::Array(ports)) = subset.get_mut("ports") else { continue };
            for port in ports.iter_mut().filter_map(Value::as_object_mut) {
                protocol(port);
            }
        }
    }

    fn validate(&self, endpoints: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let list = root.child("subsets");
        for (index, subset) in endpoints.items("subsets").iter().enumerate() {
            let path = list.index(index);
            if subset.lacks("addresses") && subset.lacks("notReadyAddresses") {
                let detail = "must specify `addresses` or `notReadyAddresses`";
                faults.push(Fault::required(&path, detail));
            }
            for field in ["addresses", "notReadyAddresses"] {
                let list = path.child(field);
                for (index, address) in subset.items(field).iter().enumerate() {
                    endpoint_address(address, &list.index(index), faults);
                }
            }
            let list = path.child("ports");
            let ports = subset.items("ports");
            for (index, port) in ports.iter().enumerate() {
                let path = list.index(index);
                if ports.len() > 1 && port.lacks("name") {
                    faults.push(Fault::required(&path.child("name"), ""));
                }
                check::text(port, "name", names::dns1123_label, &path, faults);
                let number = port.int("port").unwrap_or(0);
                check::invalid(&path.child("port"), number, names::port_number(number), faults);
                let protocols = ["SCTP", "TCP", "UDP"];
                check::required_one_of(port, "protocol", &protocols, &path, faults);
                check::text(port, "appProtocol", names::qualified_name, &path, faults);
            }
        }
    }

    fn row(&self, endpoints: &Value, now: Timestamp) -> Vec<Value> {
        vec![table::name(endpoints), cell(endpoints), table::age(endpoints, now)]
    }

    fn warnings(&self, _endpoints: &Value, _old: Option<&Value>) -> Vec<String> {
        vec!["v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice".into()]
    }
}

fn protocol(port: &mut Map<String, Value>) {
    crate::look::default_to(port, "protocol", "TCP");
}

fn endpoint_address(address: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let ip = address.text("ip");
    check::invalid(&path.child("ip"), ip, names::ip(ip), faults);
    check::text(address, "hostname", names::dns1123_label, path, faults);
    check::text(address, "nodeName", names::dns1123_subdomain, path, faults);
    special_address(ip, &path.child("ip"), faults);
}

/// Checks that an address can be reached from elsewhere.
///
/// Unlike Kubernetes, loopback addresses are allowed: without root, pods and services have
/// addresses of 127.0.0.0/8.
pub(super) fn special_address(ip: &str, path: &FieldPath<'_>, faults: &mut Faults) {
    use std::net::IpAddr;
    let Ok(address) = ip.parse::<IpAddr>() else { return };
    if address.is_unspecified() {
        faults.push(Fault::invalid(path, ip, format!("may not be unspecified ({ip})")));
    }
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    if link_local {
        let detail = "may not be in the link-local range (169.254.0.0/16, fe80::/10)";
        faults.push(Fault::invalid(path, ip, detail));
    }
    let local_multicast = match address {
        IpAddr::V4(v4) => matches!(v4.octets(), [224, 0, 0, _]),
        IpAddr::V6(v6) => v6.segments()[0] == 0xff02,
    };
    if local_multicast {
        let detail = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)";
        faults.push(Fault::invalid(path, ip, detail));
    }
}

fn cell(endpoints: &Value) -> Value {
    const SHOWN: usize = 3;
    let mut all = Vec::new();
    for subset in endpoints.items("subsets") {
        let addresses = subset.items("addresses").iter().map(|address| address.text("ip"));
        let ports = subset.items("ports");
        if ports.is_empty() {
            all.extend(addresses.map(str::to_owned));
            continue;
        }
        for address in addresses {
            for port in ports {
                let number = port.int("port").unwrap_or(0);
                all.push(if address.contains(':') {
                    format!("[{address}]:{number}")
                } else {
                    format!("{address}:{number}")
                });
            }
        }
    }
    let more = all.len().saturating_sub(SHOWN);
    all.truncate(SHOWN);
    let shown = all.join(",");
    if more > 0 { format!("{shown} + {more} more...").into() } else { table::or_none(&shown) }
}
