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
            Ok(address) if address.to_string() == name => Vec::new(),
            Ok(_) => vec!["must be a valid IP address in canonical form".to_owned()],
            Err(_) => vec!["must be a valid IP address".to_owned()],
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
        check::text(parameters, "apiGroup", names::dns1123_subdomain, &path, faults);
        check::required_text(parameters, "kind", names::path_segment, &path, faults);
        check::required_text(parameters, "name", names::path_segment, &path, faults);
        let scopes = ["Cluster", "Namespace"];
        check::required_one_of(parameters, "scope", &scopes, &path, faults);
        match parameters.text("scope") {
            "Namespace" if parameters.lacks("namespace") => {
                let detail = "`parameters.scope` is set to 'Namespace'";
                faults.push(Fault::required(&path.child("namespace"), detail));
            }
            "Cluster" if !parameters.lacks("namespace") => {
                let detail = "`parameters.scope` is set to 'Cluster'";
                faults.push(Fault::forbidden(&path.child("namespace"), detail));
            }
            _ => check::text(parameters, "namespace", names::dns1123_label, &path, faults),
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
        if cidrs.len() > 2 {
            let value = range["spec"]["cidrs"].clone();
            let detail = "may only hold up to 2 values";
            faults.push(Fault::invalid(&path, value, detail));
            return;
        }
        for (index, cidr) in cidrs.iter().enumerate() {
            let text = cidr.as_str().unwrap_or_default();
            check::invalid(&path.index(index), text, names::cidr(text), faults);
        }
        let family = |cidr: &Value| cidr.as_str().unwrap_or_default().contains(':');
        if let [first, second] = cidrs
            && family(first) == family(second)
        {
            let value = range["spec"]["cidrs"].clone();
            let detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 \
                          and 2001:db8::/64";
            faults.push(Fault::invalid(&path, value, detail));
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
