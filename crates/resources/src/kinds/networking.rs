//! The smaller kinds of `networking.k8s.io`.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::Value;
use wk_api::{Fault, FieldPath, names};

use super::define;
use crate::check::{self, Faults};
use crate::definition::{Column, Definition, SelectableField};
use crate::look::Look;
use crate::metadata;
use crate::rules::{KindRules, Update};
use crate::table;

const GROUP: &str = "networking.k8s.io";

/// The definitions of these kinds.
pub(super) fn definitions() -> Vec<Definition> {
    vec![
        define(GROUP, "v1", "IPAddress")
            .short(&["ip"])
            .shows([Column::text("ParentRef", "What the address was given to.")])
            .selectable(vec![SelectableField::new("spec.parentRef")])
            .rules(Addresses),
        define(GROUP, "v1", "IngressClass")
            .generation()
            .shows([
                Column::text("Controller", "The controller that serves the class."),
                Column::text("Parameters", "What configures the controller."),
            ])
            .rules(IngressClasses),
        define(GROUP, "v1", "ServiceCIDR")
            .shows([Column::text("CIDRs", "The ranges that services get addresses from.")])
            .rules(Ranges)
            .status(),
    ]
}

#[derive(Debug)]
struct Addresses;

impl KindRules for Addresses {
    fn name(&self, name: &str) -> Vec<String> {
        match name.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => {
                vec!["must not be an IPv4-mapped IPv6 address".to_owned()]
            }
            Ok(address) if address.to_string() == name => Vec::new(),
            Ok(address) => vec![format!("must be in canonical form (\"{address}\")")],
            Err(_) => names::ip(name),
        }
    }

    fn validate(&self, address: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec.parentRef");
        let parent = &address["spec"]["parentRef"];
        if !parent.is_object() {
            faults.push(Fault::required(&path, ""));
            return;
        }
        check::text(parent, "group", names::dns1123_subdomain, &path, faults);
        check::required_text(parent, "resource", names::path_segment, &path, faults);
        check::required_text(parent, "name", names::path_segment, &path, faults);
        check::text(parent, "namespace", names::path_segment, &path, faults);
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        metadata::immutable(&new["spec"], &old["spec"], "parentRef", &path, faults);
    }

    fn row(&self, address: &Value, now: Timestamp) -> Vec<Value> {
        let parent = &address["spec"]["parentRef"];
        let parts = ["group", "resource", "namespace", "name"].map(|field| parent.text(field));
        let [group, resource, namespace, name] = parts;
        let kind =
            if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
        let object =
            if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
        vec![table::name(address), format!("{kind}/{object}").into(), table::age(address, now)]
    }
}

#[derive(Debug)]
struct IngressClasses;

impl KindRules for IngressClasses {
    fn validate(&self, class: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        let spec = &class["spec"];
        if spec.text("controller").len() > 250 {
            faults.push(Fault::too_long(&path.child("controller"), 250));
        }
        check::domain_path(spec.text("controller"), &path.child("controller"), faults);
        let parameters = &spec["parameters"];
        if !parameters.is_object() {
            return;
        }
        let path = path.child("parameters");
        if parameters.has("apiGroup") {
            let group = parameters.text("apiGroup");
            let messages = names::dns1123_subdomain(group);
            check::invalid(&path.child("apiGroup"), group, messages, faults);
        }
        for field in ["kind", "name"] {
            if parameters.lacks(field) {
                faults.push(Fault::required(&path.child(field), format!("{field} is required")));
            }
            check::text(parameters, field, names::path_segment, &path, faults);
        }
        if !parameters.has("scope") {
            faults.push(Fault::required(&path.child("scope"), ""));
            return;
        }
        check::one_of(parameters, "scope", &["Cluster", "Namespace"], &path, faults);
        let at = path.child("namespace");
        match (parameters.text("scope"), parameters.has("namespace")) {
            ("Namespace", false) => {
                let detail = "`parameters.scope` is set to 'Namespace'";
                faults.push(Fault::required(&at, detail));
            }
            ("Namespace", true) => {
                let namespace = parameters.text("namespace");
                check::invalid(&at, namespace, names::dns1123_label(namespace), faults);
            }
            ("Cluster", true) => {
                faults.push(Fault::forbidden(&at, "`parameters.scope` is set to 'Cluster'"));
            }
            _ => {}
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        metadata::immutable(&new["spec"], &old["spec"], "controller", &path, faults);
    }

    fn row(&self, class: &Value, now: Timestamp) -> Vec<Value> {
        let spec = &class["spec"];
        let parameters = &spec["parameters"];
        let shown = if parameters.is_object() {
            let kind = match parameters.text("apiGroup") {
                "" => parameters.text("kind").to_owned(),
                group => format!("{}.{group}", parameters.text("kind")),
            };
            format!("{kind}/{}", parameters.text("name"))
        } else {
            "<none>".to_owned()
        };
        vec![
            table::name(class),
            spec.text("controller").into(),
            shown.into(),
            table::age(class, now),
        ]
    }
}

#[derive(Debug)]
struct Ranges;

impl KindRules for Ranges {
    fn validate(&self, range: &Value, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec.cidrs");
        let cidrs = range["spec"].items("cidrs");
        if cidrs.is_empty() {
            faults.push(Fault::required(&path, "at least one CIDR required"));
        }
        // What is wrong with all of them is shown with all of the specification.
        if cidrs.len() > 2 {
            let detail = "may only hold up to 2 values";
            faults.push(Fault::invalid(&path, range["spec"].clone(), detail));
            return;
        }
        let family = |cidr: &Value| {
            let address = cidr.as_str().unwrap_or_default().split('/').next().unwrap_or_default();
            address.parse::<IpAddr>().ok().map(|address| address.is_ipv4())
        };
        if let [first, second] = cidrs {
            let families = (family(first), family(second));
            if !matches!(families, (Some(first), Some(second)) if first != second) {
                let detail = "may specify no more than one IP for each IP family, i.e \
                              192.168.0.0/24 and 2001:db8::/64";
                faults.push(Fault::invalid(&path, range["spec"].clone(), detail));
                return;
            }
        }
        for (index, cidr) in cidrs.iter().enumerate() {
            let text = cidr.as_str().unwrap_or_default();
            check::invalid(&path.index(index), text, strict_cidr(text), faults);
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, _update: Update, faults: &mut Faults) {
        let root = FieldPath::Root;
        let path = root.child("spec");
        metadata::immutable(&new["spec"], &old["spec"], "cidrs", &path, faults);
    }

    fn row(&self, range: &Value, now: Timestamp) -> Vec<Value> {
        let cidrs = range["spec"].items("cidrs").iter().filter_map(Value::as_str);
        let cidrs: Vec<&str> = cidrs.collect();
        vec![table::name(range), cidrs.join(",").into(), table::age(range, now)]
    }
}

/// A range of addresses that is written in the one way in which it should be.
fn strict_cidr(text: &str) -> Vec<String> {
    let messages = names::cidr(text);
    let parts = text.split_once('/').and_then(|(address, bits)| {
        Some((address.parse::<IpAddr>().ok()?, bits.parse::<u32>().ok()?))
    });
    let Some((address, bits)) = parts.filter(|_| messages.is_empty()) else { return messages };
    let beyond = match address {
        IpAddr::V4(address) => address.to_bits().checked_shl(bits).is_some_and(|rest| rest != 0),
        IpAddr::V6(address) => address.to_bits().checked_shl(bits).is_some_and(|rest| rest != 0),
    };
    let canonical = format!("{address}/{bits}");
    if beyond {
        vec!["must not have bits set beyond the prefix length".to_owned()]
    } else if text == canonical {
        Vec::new()
    } else {
        vec![format!("must be in canonical form (\"{canonical}\")")]
    }
}
