//! Network policies.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::define;
use crate::check::{self, Faults};
use crate::definition::{Column, Definition};
use crate::look::Look;
use crate::rules::KindRules;
use crate::table;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("networking.k8s.io", "v1", "NetworkPolicy")
        .short(&["netpol"])
        .generation()
        .shows([Column::text("Pod-Selector", "The pods to which this policy applies.")])
        .rules(NetworkPolicies)
}

#[derive(Debug)]
struct NetworkPolicies;

impl KindRules for NetworkPolicies {
    fn validate(&self, policy: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &policy["spec"];
        for (field, peers) in [("ingress", "from"), ("egress", "to")] {
            let list = path.child(field);
            for (index, rule) in spec.items(field).iter().enumerate() {
                let path = list.index(index);
                let list = path.child("ports");
                for (index, port) in rule.items("ports").iter().enumerate() {
                    policy_port(port, &list.index(index), faults);
                }
                let list = path.child(peers);
                for (index, peer) in rule.items(peers).iter().enumerate() {
                    policy_peer(peer, &list.index(index), faults);
                }
            }
        }
        let list = path.child("policyTypes");
        let types = spec.items("policyTypes");
        if types.len() > 2 {
            let detail = "may not specify more than two policyTypes";
            faults.push(Fault::invalid(&list, spec["policyTypes"].clone(), detail));
            return;
        }
        for (index, kind) in types.iter().enumerate() {
            let kind = kind.as_str().unwrap_or_default();
            if !["Ingress", "Egress"].contains(&kind) {
                let path = list.index(index);
                faults.push(Fault::not_supported(&path, kind, &["Ingress", "Egress"]));
            }
        }
    }

    fn row(&self, policy: &Value, now: Timestamp) -> Vec<Value> {
        vec![
            table::name(policy),
            table::selector(policy["spec"].get("podSelector")),
            table::age(policy, now),
        ]
    }
}

fn policy_port(port: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    check::one_of(port, "protocol", &["TCP", "UDP", "SCTP"], path, faults);
    let named = port.get("port").is_some_and(Value::is_string);
    if port.has("port") && !named {
        check::port(&port["port"], &path.child("port"), faults);
    }
    end_port(port, path, faults);
    if named {
        check::port(&port["port"], &path.child("port"), faults);
    }
}

fn end_port(port: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let Some(end) = port.int("endPort") else { return };
    match port.get("port") {
        None => {
            let detail = "may not be specified when `port` is not specified";
            faults.push(Fault::invalid(&path.child("endPort"), end, detail));
        }
        Some(Value::String(_)) => {
            let detail = "may not be specified when `port` is non-numeric";
            faults.push(Fault::invalid(&path.child("endPort"), end, detail));
        }
        Some(first) => {
            if let Some(first) = first.as_i64().filter(|first| end < *first) {
                // It is the first port that is shown.
                let detail = "must be greater than or equal to `port`";
                faults.push(Fault::invalid(&path.child("endPort"), first, detail));
            }
            check::in_range(port, "endPort", 1, 65_535, path, faults);
        }
    }
}

fn policy_peer(peer: &Value, path: &FieldPath<'_>, faults: &mut Faults) {
    let selects = peer.has("podSelector") || peer.has("namespaceSelector");
    if !peer.has("ipBlock") {
        if !selects {
            faults.push(Fault::required(path, "must specify a peer"));
        }
        return;
    }
    if selects {
        let detail = "may not specify both ipBlock and another peer";
        faults.push(Fault::forbidden(path, detail));
    }
    let block = &peer["ipBlock"];
    let path = path.child("ipBlock");
    check::required_text(block, "cidr", names::cidr, &path, faults);
    if !names::cidr(block.text("cidr")).is_empty() {
        return;
    }
    let list = path.child("except");
    for (index, except) in block.items("except").iter().enumerate() {
        let except = except.as_str().unwrap_or_default();
        let messages = names::cidr(except);
        let sound = messages.is_empty();
        check::invalid(&list.index(index), except, messages, faults);
        if sound && !is_part(except, block.text("cidr")) {
            let detail = "must be a strict subset of `cidr`";
            faults.push(Fault::invalid(&list.index(index), except, detail));
        }
    }
}

/// Whether a range of addresses is in another one and smaller.
fn is_part(range: &str, whole: &str) -> bool {
    let read = |range: &str| -> Option<(bool, u128, u32)> {
        let (address, bits) = range.split_once('/')?;
        let bits = bits.parse::<u32>().ok()?;
        match address.parse::<IpAddr>().ok()? {
            IpAddr::V4(v4) => Some((true, u128::from(v4.to_bits()) << 96, bits)),
            IpAddr::V6(v6) => Some((false, v6.to_bits(), bits)),
        }
    };
    let (Some(range), Some(whole)) = (read(range), read(whole)) else { return false };
    let network = |address: u128| if whole.2 == 0 { 0 } else { address >> (128 - whole.2) };
    range.0 == whole.0 && range.2 > whole.2 && network(range.1) == network(whole.1)
}
